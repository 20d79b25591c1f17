"""The connection and the session, as the store sees them."""

import pytest
from store_page import StorePage, forgive, say
from wire import Wire

STATUS = "store.session.value"


@pytest.fixture
def wire(run, server):
    """A wire to the server that can be cut."""
    laid = run(Wire(server.port).open())
    yield laid
    run(laid.close())


async def sign_in(page, person):
    """Signs in by the store."""
    await page.call("store.signIn(it.name, it.password)", {"name": person.name, "password": person.password})


async def test_a_socket_that_only_looks_open(open_client, people, wire, server):
    """Nothing gets through, nothing is closed: found when somebody comes back to the page."""
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    page = await StorePage.open(open_client, alice, on=wire)
    await page.call("store.openChat(it)", chat_id)
    opened = wire.opened
    wire.stall()
    await say(bob, chat_id, "said meanwhile")
    await page.page.evaluate("() => { dispatchEvent(new Event('focus')) }")
    await page.until("store.connection.value.status !== 'online'")
    wire.flow()
    await page.online()
    assert wire.opened > opened
    await page.settled()
    assert [message["text"] for message in (await page.state(chat_id))["messages"]][1:] == ["said meanwhile"]


async def test_signed_out_here_and_elsewhere(open_client, people):
    alice = await people("alice")
    first = await StorePage.open(open_client, alice)
    second = await first.tab()
    await first.call("store.signOut()")
    assert await first.call(STATUS) == {"status": "signed_out", "reason": "signed_out"}
    await second.until("store.session.value.status === 'signed_out'")
    assert await second.call(STATUS) == {"status": "signed_out", "reason": "ended_elsewhere"}
    assert await second.call("[store.me.value, store.chats.value.size, store.isLoaded.value]") == [None, 0, False]
    await sign_in(first, alice)
    await first.online()
    await second.online()  # it hears of the sign-in


@pytest.mark.allows_console("status of 403")  # it may ask what has changed before it hears of its end
async def test_a_new_password_elsewhere(open_client, people):
    alice = await people("alice")
    page = await StorePage.open(open_client, alice)
    other = await alice.again()
    await other.patch("/user", {"old_password": alice.password, "new_password": "another1"})
    await page.until("store.session.value.reason === 'ended_elsewhere'")


async def test_a_session_that_ended_while_away(open_client, people):
    alice = await people("alice")
    page = await StorePage.open(open_client, alice)
    await page.client.context.set_offline(True)
    await page.until("store.connection.value.status === 'offline'")
    await alice.post("/user/logout")
    await page.client.context.set_offline(False)
    await page.until("store.session.value.reason === 'ended_elsewhere'")
    forgive(page, r"ERR_INTERNET_DISCONNECTED|WebSocket connection")


async def test_the_account_is_deleted(open_client, people):
    alice = await people("alice")
    page = await StorePage.open(open_client, alice)
    await page.call("store.deleteAccount()")
    assert await page.call(STATUS) == {"status": "signed_out", "reason": "account_deleted"}
    with pytest.raises(Exception, match="name or the password is wrong"):
        await sign_in(page, alice)
    forgive(page, r"status of 403 .*/user/login\)")


async def test_another_user_in_another_tab(open_client, people):
    """Both tabs have the same session: the other one must not go on as who it was."""
    alice, bob = await people("alice"), await people("bob")
    first = await StorePage.open(open_client, alice)
    second = await first.tab()
    await first.call("store.signOut()")
    await sign_in(first, bob)
    await second.until("store.me.value?.id === it", bob.id)
    assert await first.call("store.me.value.id") == bob.id


async def test_an_account_that_goes_away(open_client, people):
    """What a deleted user said stays, under nobody's name."""
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    await alice.befriend(carol)
    private_id = await alice.befriend(bob)
    await carol.befriend(bob)
    chat_id = await carol.new_group(alice, bob)
    await say(bob, chat_id, "I am leaving")
    page = await StorePage.open(open_client, alice)
    await page.call("store.openChat(it)", chat_id)
    await bob.delete("/user")
    await page.until("store.displayName(it) === 'Deleted account'", bob.id)
    state = await page.state(chat_id)
    assert [chat["id"] for chat in state["chats"] if chat["id"] == private_id] == []
    assert (state["messages"][-1]["text"], state["messages"][-1]["sender"]) == ("I am leaving", 2)
    fresh = await StorePage.open(open_client, alice)
    await fresh.call("store.openChat(it)", chat_id)
    await page.settled()
    await fresh.settled()
    again = await fresh.state(chat_id)
    assert [state["messages"], (await page.state(chat_id))["chats"]] == [again["messages"], again["chats"]]
    forgive(page, r"status of 404 .*/user/\d+\)")


async def test_a_busy_server_at_the_start(open_client, people):
    """Too many requests: the client waits and comes."""
    alice = await people("alice")
    client = await open_client(alice, None)
    left = {"/chat": 2, "/friend": 1, "/user": 1}

    async def refuse(route):
        path = "/" + route.request.url.rpartition("/")[2]
        if left.get(path, 0):
            left[path] -= 1
            error = {"ok": False, "error": "Too many requests, try again later"}
            await route.fulfill(status=429, json=error)
        else:
            await route.fallback()

    await client.context.route("**/*", refuse)
    page = await StorePage.of(client)
    assert not any(left.values())
    assert await page.call("store.isLoaded.value")
    forgive(page, "status of 429")
