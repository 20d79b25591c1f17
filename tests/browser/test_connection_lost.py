"""The client never lies about the connection, and nothing is lost or doubled by its loss."""

import re
import signal

import pytest
from playwright.async_api import expect
from wire import Wire

GONE = ("WebSocket connection to",)
"""Browsers write it into the console; nobody can keep them from it."""


@pytest.fixture
def wire(run, server):
    """A wire to the server that can be cut."""
    laid = run(Wire(server.port).open())
    yield laid
    run(laid.close())


async def history(person, chat_id):
    messages = (await person.get(f"/chat/{chat_id}/messages")).data
    return [message["message"] for message in reversed(messages)][1:]


@pytest.mark.allows_console(*GONE)
async def test_cut_is_healed_and_what_was_missed_is_there(open_client, people, wire):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    client = await open_client(alice, f"/#/chats/{chat_id}", on=wire)
    await client.send("Before")
    await expect(client.message("Before").get_by_title("Sent", exact=True)).to_be_attached()
    wire.refuse()
    banner = client.page.get_by_role("status").filter(has_text="No connection.")
    await expect(banner).to_be_visible()
    await bob.say(chat_id, "You missed this")
    await bob.patch("/user", {"user_name": f"{bob.name}-renamed"})
    await bob.new_group(alice, name="Made meanwhile")
    await client.send("Pending")
    await expect(client.message("Pending").get_by_title("Is being sent", exact=True)).to_be_visible()
    wire.welcome()
    await client.button("Try now").click()
    await expect(client.message("You missed this")).to_be_visible()
    await expect(client.row("Made meanwhile")).to_be_visible()
    await expect(banner).to_have_count(0)
    await expect(client.message("Pending").get_by_title("Sent", exact=True)).to_be_visible()
    assert await history(alice, chat_id) == ["Before", "You missed this", "Pending"]


@pytest.mark.allows_console(*GONE)
async def test_offline_is_said_and_what_was_written_goes_out_in_order(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    client, at_bob = await open_client(alice, f"/#/chats/{chat_id}"), await open_client(bob, f"/#/chats/{chat_id}")
    await client.context.set_offline(True)
    banner = client.page.get_by_role("status").filter(has_text="You are offline.")
    await expect(banner).to_be_visible()
    texts = [f"Thought {number}" for number in range(5)]
    await client.send(*texts)
    await expect(client.row(bob.name)).to_contain_text("Thought 4")
    await expect(client.message("Thought").get_by_title("Is being sent", exact=True)).to_have_count(5)
    await client.context.set_offline(False)
    await expect(at_bob.message("Thought")).to_have_count(5)
    await expect(banner).to_have_count(0)
    await expect(client.message("Thought").get_by_title("Is being sent", exact=True)).to_have_count(0)
    assert await history(alice, chat_id) == texts


async def test_answer_that_gets_lost_doubles_nothing(open_client, people, wire):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    client, at_bob = await open_client(alice, f"/#/chats/{chat_id}", on=wire), await open_client(bob)
    await at_bob.open_chat(alice.name)
    wire.stall(answers_only=True)
    await client.send("Only once")
    await expect(at_bob.message("Only once")).to_be_visible()
    await expect(client.message("Only once").get_by_title("Is being sent", exact=True)).to_be_visible()
    wire.cut()
    wire.flow()
    await expect(client.message("Only once").get_by_role("button", name="Read", exact=True)).to_be_visible()
    await expect(client.message("Only once")).to_have_count(1)
    assert await history(alice, chat_id) == ["Only once"]


@pytest.mark.allows_console(*GONE)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_conversation_goes_on_over_a_restart_of_the_server(open_client, people, start_server, number):
    server = start_server()
    alice, bob = await people("alice", on=server), await people("bob", on=server)
    chat_id = await alice.befriend(bob)
    path = f"/#/chats/{chat_id}"
    clients = [await open_client(person, path, on=server) for person in (alice, bob)]
    await clients[0].send("Before")
    await expect(clients[1].message("Before")).to_be_visible()
    server.stop(number)
    await expect(clients[0].page.get_by_role("status").filter(has_text="No connection.")).to_be_visible()
    await clients[0].send("Between")
    await expect(clients[0].message("Between").get_by_title("Is being sent", exact=True)).to_be_visible()
    server.start()
    for client in clients:
        await client.page.evaluate("dispatchEvent(new Event('focus'))")  # somebody comes back to the page
    await expect(clients[1].message("Between")).to_be_visible()
    await clients[1].send("After")
    await expect(clients[0].message("After")).to_be_visible()
    assert await history(alice, chat_id) == ["Before", "Between", "After"]


async def test_what_is_refused_says_why_and_can_be_tried_again_or_dropped(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await alice.new_group(bob, name="Strict")
    rule = {"name": "Offers", "kind": "words", "words": ["sale"], "action": "refuse", "reason": "No offers here"}
    rule |= {"exempt_managers": False, "enabled": True}
    rule_id = (await alice.post(f"/chat/{chat_id}/rules", rule)).data["rule_id"]
    client = await open_client(bob, f"/#/chats/{chat_id}")
    await client.send("Bike for sale", "Boat for sale")
    failure = client.message("Bike for sale").get_by_role("alert")
    await expect(failure).to_contain_text("No offers here")
    await client.button("Discard", client.message("Boat for sale")).click()
    await expect(client.message("Boat for sale")).to_have_count(0)
    await alice.delete(f"/chat/{chat_id}/rules/{rule_id}")
    await client.button("Try again", failure).click()
    await expect(client.message("Bike for sale").get_by_title("Sent", exact=True)).to_be_visible()


async def test_devices_and_tabs_agree(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    path = f"/#/chats/{chat_id}"
    client, phone = await open_client(alice, path), await open_client(await alice.again(), path)
    tab = await client.tab(path)
    for number, device in enumerate((client, phone, tab)):
        await device.page.bring_to_front()
        await device.send(f"From {number}")
    for device in (client, phone, tab):
        await device.page.bring_to_front()
        await expect(device.message("From").get_by_title("Sent", exact=True)).to_have_count(3)
        texts = await device.message("From").all_inner_texts()
        assert [re.search(r"From \d", text)[0] for text in texts] == ["From 0", "From 1", "From 2"]
    await bob.act("messages_read", {"chat_id": chat_id})
    await expect(tab.message("From").get_by_role("button", name="Read", exact=True)).to_have_count(3)
    await expect(phone.message("From").get_by_role("button", name="Read", exact=True)).to_have_count(3)


NO_NETWORK = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}


@pytest.mark.allows_console("ERR_INTERNET_DISCONNECTED", *GONE)
async def test_client_opens_without_a_network_and_says_so(open_client, people):
    alice = await people("alice")
    client = await open_client(alice, worker=True)
    page = client.page
    await client.until("navigator.serviceWorker.controller")
    await client.context.set_offline(True)
    await page.reload()
    # Some releases of Chromium forget at a reload to tell the page so.
    told = await client.context.new_cdp_session(page)
    await told.send("Network.emulateNetworkConditions", {**NO_NETWORK, "offline": True})
    await expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    await told.send("Network.emulateNetworkConditions", {**NO_NETWORK, "offline": False})
    await client.context.set_offline(False)
    await client.expect_ready()
