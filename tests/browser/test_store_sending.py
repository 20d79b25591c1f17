"""What is sent arrives once and in order, or says why not: over breaks, restarts, tabs and a server that is busy."""

import asyncio
import json
import random
from contextlib import suppress

import pytest
from playwright.async_api import Error
from store_page import StorePage, forgive, say

PENDING = "store.pending(it)"
CUT_OFF = r"WebSocket connection|ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|status of 503"


@pytest.fixture
def pair(people):
    """Alice and Bob, who are friends, and the id of their chat."""

    async def meet():
        alice, bob = await people("alice"), await people("bob")
        return alice, bob, await alice.befriend(bob)

    return meet


async def texts(person, chat_id):
    """What was said in a chat, in order, as the server has it."""
    messages = (await person.get(f"/chat/{chat_id}/messages")).data
    return [message["message"] for message in reversed(messages) if message["sender"]["user_name"] != "#SYSTEM"]


async def send(page, chat_id, *contents):
    """Sends, all at once."""
    for content in contents:
        await page.call("store.sendMessage(it.id, { content: it.content })", {"id": chat_id, "content": content})


async def sent(page, chat_id):
    """Waits until nothing is pending."""
    await page.until("store.pending(it).length === 0", chat_id)
    await page.settled()


def answer_with(code, error, times=1):
    """The server answers the first sends with an error packet."""
    left = times

    def route(socket):
        server = socket.connect_to_server()

        def from_page(message):
            nonlocal left
            packet = json.loads(message)
            if packet["action"] == "send_message" and left:
                left -= 1
                refusal = {"action": "error", "request_id": packet["request_id"], "ok": False}
                socket.send(json.dumps({**refusal, "code": code, "error": error}))
            else:
                server.send(message)

        socket.on_message(from_page)

    return route


async def test_pending_at_once_and_stored_once(open_client, pair):
    alice, bob, chat_id = await pair()
    page = await StorePage.open(open_client, alice)
    await page.call("store.openChat(it)", chat_id)
    keys = await page.call(
        """(() => {
          const ids = Array.from({ length: 30 }, (_, number) => store.sendMessage(it, { content: `${number}` }));
          window.pendingAtOnce = store.pending(it).map((entry) => [entry.client_message_id, entry.status]);
          return ids;
        })()""",
        chat_id,
    )
    assert await page.call("window.pendingAtOnce") == [[key, "pending"] for key in keys]
    await sent(page, chat_id)
    assert await texts(bob, chat_id) == [f"{number}" for number in range(30)]
    shown = await page.call("store.conversation(it).messages.value.map((each) => each.client_message_id)", chat_id)
    assert shown[-30:] == keys
    assert await page.call("Object.keys(localStorage).filter((key) => key.includes('outbox'))") == []


async def test_refused_by_a_rule(open_client, pair):
    alice, bob, _ = await pair()
    chat_id = await bob.new_group(alice)
    rule = {"name": "Swearing", "kind": "words", "words": ["darn"], "action": "refuse", "reason": "Mind your language"}
    rule_id = (await bob.post(f"/chat/{chat_id}/rules", rule)).data["rule_id"]
    page = await StorePage.open(open_client, alice)
    await send(page, chat_id, "darn", "sorry")
    await page.until("store.pending(it)[0]?.status === 'failed' && store.pending(it).length === 1", chat_id)
    [failed] = await page.call(PENDING, chat_id)
    assert failed["content"] == "darn" and failed["error"] == "The message was refused: Mind your language"
    assert await texts(bob, chat_id) == ["sorry"]
    await (await page.tab()).call("store.discard(it)", "unknown")
    await page.page.reload()
    await page.prepare()
    assert [entry["status"] for entry in await page.call(PENDING, chat_id)] == ["failed"]
    await bob.delete(f"/chat/{chat_id}/rules/{rule_id}")
    await page.call("store.retry(it)", failed["client_message_id"])
    await sent(page, chat_id)
    assert await texts(bob, chat_id) == ["sorry", "darn"]


async def test_held_for_approval(open_client, pair):
    alice, bob, _ = await pair()
    chat_id = await bob.new_group(alice)
    rule = {"name": "Offers", "kind": "words", "words": ["for sale"], "action": "hold"}
    await bob.post(f"/chat/{chat_id}/rules", rule)
    page = await StorePage.open(open_client, alice)
    await send(page, chat_id, "Bike for sale", "Car for sale")
    await page.until("store.pending(it).filter((entry) => entry.is_held).length === 2", chat_id)
    bike, car = (await bob.get(f"/chat/{chat_id}/held")).data
    await bob.post(f"/chat/{chat_id}/held/{bike['held_id']}")
    await bob.delete(f"/chat/{chat_id}/held/{car['held_id']}")
    await page.until("store.pending(it).length === 1 && !store.pending(it)[0].is_held", chat_id)
    [declined] = await page.call(PENDING, chat_id)
    assert (declined["content"], declined["error"]) == ("Car for sale", "The message was not approved.")
    await page.call("store.discard(it)", declined["client_message_id"])
    assert await page.call(PENDING, chat_id) == []


@pytest.mark.parametrize("code", [429, 503])
async def test_a_busy_server_is_asked_again(open_client, pair, code):
    alice, bob, chat_id = await pair()
    client = await open_client(alice, None)
    await client.context.route_web_socket("**/ws/", answer_with(code, "Later, please", times=2))
    page = await StorePage.of(client)
    await send(page, chat_id, "one", "two", "three")
    await sent(page, chat_id)
    assert await texts(bob, chat_id) == ["one", "two", "three"]


async def test_an_answer_that_got_lost(open_client, pair):
    """The message is stored, the connection breaks before the sender hears of it."""
    alice, bob, chat_id = await pair()
    client = await open_client(alice, None)
    is_cut = False

    def route(socket):
        server = socket.connect_to_server()
        socket.on_message(server.send)

        async def from_server(message):
            nonlocal is_cut
            if not is_cut and json.loads(message)["action"] == "new_message":
                is_cut = True
                await socket.close()
                await server.close()
            else:
                socket.send(message)

        server.on_message(from_server)

    await client.context.route_web_socket("**/ws/", route)
    page = await StorePage.of(client)
    await page.call("store.openChat(it)", chat_id)
    await send(page, chat_id, "once")
    await sent(page, chat_id)
    assert is_cut
    assert await texts(bob, chat_id) == ["once"]
    assert [message["text"] for message in (await page.state(chat_id))["messages"]][1:] == ["once"]


async def test_written_offline(open_client, pair):
    alice, bob, chat_id = await pair()
    page = await StorePage.open(open_client, alice)
    await page.client.context.set_offline(True)
    await page.until("store.connection.value.status === 'offline'")
    await send(page, chat_id, "one", "two", "three")
    assert [entry["status"] for entry in await page.call(PENDING, chat_id)] == 3 * ["pending"]
    await say(bob, chat_id, "zero")
    await page.client.context.set_offline(False)
    await sent(page, chat_id)
    assert await texts(bob, chat_id) == ["zero", "one", "two", "three"]
    forgive(page, CUT_OFF)


async def test_the_server_restarts(open_client, pair, start_server, people):
    server = start_server()
    alice, bob = await people("alice", on=server), await people("bob", on=server)
    chat_id = await alice.befriend(bob)
    page = await StorePage.open(open_client, alice, on=server)
    await page.call("store.openChat(it)", chat_id)
    await send(page, chat_id, *(f"before {number}" for number in range(5)))
    server.stop()
    await page.until("store.connection.value.status === 'waiting'")
    assert await page.call("store.connection.value.retryAtMs > Date.now() - 100")
    await send(page, chat_id, *(f"after {number}" for number in range(5)))
    server.start()
    await page.call("store.retryNow()")
    await sent(page, chat_id)
    said = [f"{time} {number}" for time in ("before", "after") for number in range(5)]
    assert await texts(bob, chat_id) == said
    assert [message["text"] for message in (await page.state(chat_id))["messages"]][1:] == said
    forgive(page, CUT_OFF)


async def test_two_tabs(open_client, pair):
    """Both send, both connections break; nothing is doubled, nothing lost, and both show the same."""
    alice, bob, chat_id = await pair()
    chance = random.Random(1)
    tabs = [await StorePage.open(open_client, alice)]
    tabs.append(await tabs[0].tab())
    for tab in tabs:
        await tab.call("store.openChat(it)", chat_id)
    said = [[], []]
    for number in range(30):
        which = chance.randrange(2)
        said[which].append(f"{which} {number}")
        await send(tabs[which], chat_id, said[which][-1])
        if chance.random() < 0.2:
            await tabs[chance.randrange(2)].cut()
    for tab in tabs:
        await sent(tab, chat_id)
    stored = await texts(bob, chat_id)
    assert [[text for text in stored if text[0] == str(which)] for which in range(2)] == said
    for tab in tabs:
        assert [message["text"] for message in (await tab.state(chat_id))["messages"]][1:] == stored


async def test_a_tab_that_is_closed_leaves_nothing_behind(open_client, pair):
    """What a tab could not send any more is sent by another one."""
    alice, bob, chat_id = await pair()
    first = await StorePage.open(open_client, alice)
    second = await first.tab()
    await first.client.context.set_offline(True)
    for tab in (first, second):
        await tab.until("store.connection.value.status === 'offline'")
    await send(first, chat_id, "from the first")
    await second.until("store.pending(it).length === 1", chat_id)
    await first.page.close()
    await first.client.context.set_offline(False)
    await sent(second, chat_id)
    assert await texts(bob, chat_id) == ["from the first"]
    forgive(second, CUT_OFF)


FILES = """
(it.names.map((name) => new File([name.repeat(it.times ?? 1000)], name, { type: "text/plain" })))
"""


async def test_files(open_client, pair):
    """They are uploaded first, two at a time, with progress; an upload that breaks off begins again."""
    alice, bob, chat_id = await pair()
    page = await StorePage.open(open_client, alice)
    under_way, most, broken = 0, 0, 0

    async def upload(route):
        nonlocal under_way, most, broken
        under_way += 1
        most = max(most, under_way)
        if not broken:
            broken = 1
            under_way -= 1
            await route.abort("connectionreset")
            return
        response = await route.fetch()
        under_way -= 1
        await route.fulfill(response=response)

    await page.page.route("**/files", upload)
    names = [f"file-{number}.txt" for number in range(5)]
    await page.call(
        f"store.sendMessage(it.id, {{ content: 'here they are', files: {FILES} }})", {"id": chat_id, "names": names}
    )
    await page.until("store.pending(it)[0]?.status === 'uploading'", chat_id)
    await page.until("store.pending(it)[0]?.progress > 0", chat_id)
    await send(page, chat_id, "not held up by them")
    await sent(page, chat_id)
    assert most <= 2 and broken
    messages = (await bob.get(f"/chat/{chat_id}/messages")).data
    firsts = [message["message"].partition("\n")[0] for message in messages[:2]]  # the addresses of files follow
    assert firsts == ["here they are", "not held up by them"]
    assert [file["name"] for file in messages[0]["files"]] == names
    forgive(page, r"ERR_CONNECTION_RESET")


async def test_files_that_cannot_be_sent(open_client, pair):
    """One that is too large is refused at once; one that a reload has lost says so; its text is kept."""
    alice, _, chat_id = await pair()
    page = await StorePage.open(open_client, alice)
    await page.call(
        f"store.sendMessage(it.id, {{ content: 'too much', files: {FILES} }})",
        {"id": chat_id, "names": ["x" * 100], "times": 300_000},
    )
    [entry] = await page.call(PENDING, chat_id)
    assert (entry["status"], entry["error"]) == ("failed", "The file is too large for this server.")
    await page.call("store.discard(it)", entry["client_message_id"])
    stuck = asyncio.Queue()
    await page.page.route("**/files", stuck.put)
    await page.call(
        f"store.sendMessage(it.id, {{ content: 'the text', files: {FILES} }})", {"id": chat_id, "names": ["a.txt"]}
    )
    upload = await stuck.get()
    await page.page.reload()
    await page.prepare()
    with suppress(Error):  # there is nobody any more to be told
        await upload.abort()
    await page.until("store.pending(it)[0].status === 'failed'", chat_id)
    [entry] = await page.call(PENDING, chat_id)
    assert entry["content"] == "the text" and "Attach it again" in entry["error"]
