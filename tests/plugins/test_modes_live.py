"""The live frames of the protocol "modes". Source: contract "protocols" sections 0.4, 0.9, 0.10, 2.4."""

import asyncio

import pytest
from clients.modes import Member, ModesClient, come, new_token

REPLY = {"mode", "timestamp", "status"}
ITEM = {"message_id", "from_id", "from_name", "content", "content_type", "content_time"}


@pytest.fixture
def make(people):
    """Makes users who have subscribed, each on a connection of his own."""

    async def make_all(*names):
        return [await come(await people(name), is_subscribed=True) for name in names]

    return make_all


@pytest.fixture
def trio(make, io_loop):
    return io_loop.run_sync(lambda: make("alice", "bob", "carol"))


async def second(member: Member) -> Member:
    """Another connection of the same user, subscribed with another token."""
    return await come(member.person, is_subscribed=True)


async def add(connection: ModesClient, member: Member) -> None:
    """Subscribe one more account on a connection."""
    await connection.ask("subscribe", token=member.token)


async def told(client):
    """What came up to now, without what somebody has read."""
    return [frame for frame in await client.live() if frame["mode"] != "messagesRead"]


# Who is told what


@pytest.mark.gen_test
async def test_messages_go_to_all_but_the_requesting_connection(trio):
    alice, bob, carol = trio
    tablet = await second(alice)
    unsubscribed = await come(bob.person)
    for chat_id, hearers in (
        (await alice.chat_with(bob), (tablet, bob)),
        (await alice.group_with(bob, carol), (tablet, bob, carol)),
    ):
        for member in (*trio, tablet):
            await member.live()
        message_id = await alice.say(chat_id, "Hello", content_type="image")
        [message] = await unsubscribed.messages(chat_id, min_message_id=message_id)
        for hearer in hearers:
            frame = await hearer.receive()
            assert frame.keys() == {"mode", "timestamp", "status", "chat_id", "message"} and frame["status"] == "200"
            assert (frame["mode"], frame["chat_id"], frame["message"]) == ("newMessage", chat_id, message)
            assert message.keys() == ITEM and message["content_type"] == "image"
            assert await hearer.live() == [{"mode": "messagesRead", "chat_id": chat_id, "user_id": bob.id}]
        assert await alice.live() == [{"mode": "messagesRead", "chat_id": chat_id, "user_id": bob.id}]
    assert await unsubscribed.live() == [] == await carol.live()


@pytest.mark.gen_test
async def test_reading_is_told_to_all_but_the_requesting_connection(trio):
    alice, bob, carol = trio
    tablet = await second(bob)
    chat_id = await alice.group_with(bob)
    await alice.say(chat_id, "read me")
    for member in (*trio, tablet):
        await member.live()
    await bob.messages(chat_id)
    news = [{"mode": "messagesRead", "chat_id": chat_id, "user_id": bob.id}]
    assert await alice.live() == news == await tablet.live()
    assert await bob.live() == [] == await carol.live()
    socket = await bob.person.socket()
    await socket.send("messages_read", {"chat_id": chat_id})
    await drained(socket)
    assert await alice.live() == news == await tablet.live() == await bob.live()


@pytest.mark.gen_test
async def test_a_send_that_reads_is_told_as_both(trio):
    alice, bob, _ = trio
    chat_id = await alice.chat_with(bob)
    await alice.say(chat_id, "read by the answer")
    await bob.live()
    await bob.say(chat_id, "the answer")
    await bob.say(chat_id, "and more")
    assert [frame["mode"] for frame in await alice.live()] == ["newMessage", "messagesRead", "newMessage"]
    await alice.say(chat_id, "I see")
    assert (await bob.live())[-1] == {"mode": "messagesRead", "chat_id": chat_id, "user_id": alice.id}


@pytest.mark.gen_test
async def test_edits_and_recalls_from_elsewhere_are_told(trio):
    alice, bob, carol = trio
    chat_id = await alice.group_with(bob)
    message_id = await alice.say(chat_id, "tpyo", content_type="video")
    hidden_id = await alice.say(chat_id, "for some")
    for member in trio:
        await member.live()
    phone, bobs = await alice.person.socket(), await bob.person.socket()
    await phone.send("edit_message", {"message_id": message_id, "content": "typo"})
    await phone.expect("message_edited")
    [message, _] = await bob.messages(chat_id)
    assert (message["content"], message["content_type"]) == ("typo", "video")
    for member in (alice, bob):
        [edited, *_] = await member.live()
        assert edited == {"mode": "messageEdited", "chat_id": chat_id, "message": message}
    # Who has deleted a message for himself hears no more of its text.
    await bobs.send("recall_message", {"message_id": hidden_id, "delete": True})
    await drained(bobs)
    await phone.send("edit_message", {"message_id": hidden_id, "content": "for others"})
    await drained(phone)
    assert [frame["mode"] for frame in await alice.live()] == ["messageEdited"]
    assert await bob.live() == []
    await phone.send("recall_message", {"message_id": message_id})
    await drained(phone)
    for member in (alice, bob):
        assert await member.live() == [{"mode": "messageDeleted", "chat_id": chat_id, "message_id": message_id}]
    assert await carol.live() == []


async def drained(socket):
    """All that a native socket was sent is taken."""
    await socket.send("ping", request_id=9)
    while (await socket.receive())["action"] != "pong":
        pass


@pytest.mark.gen_test
async def test_a_private_chat_is_shown_to_each_under_the_others_name(trio):
    alice, bob, carol = trio
    tablet = await second(alice)
    chat_id = await alice.chat_with(bob)
    assert await tablet.live() == [{"mode": "chatCreated", "chat": (await alice.chats())[chat_id]}]
    [made] = await bob.live()
    assert made == {"mode": "chatCreated", "chat": (await bob.chats())[chat_id]}
    assert made["chat"]["chat_name"] == "alice" and made["chat"]["chat_type"] == "personal"
    assert await alice.live() == [] == await carol.live()


@pytest.mark.gen_test
async def test_changed_members_are_told_row_by_row(make):
    alice, bob, carol, dave = await make("alice", "bob", "carol", "dave")
    tablet = await second(alice)
    chat_id = await alice.group_with(bob, carol)
    await bob.say(chat_id, "the last one")
    for member in (bob, carol, tablet, alice):
        await member.live()
    await alice.ask("editGroupChat", chat_id=chat_id, add_members=[dave.id], remove_members=[carol.id], chat_name="New")
    item = (await alice.chats())[chat_id]
    assert (item["chat_name"], item["last_message_sender"]) == ("New", "bob")
    assert await tablet.live() == [{"mode": "chatUpdated", "chat": item}] == await bob.live()
    assert await carol.live() == [{"mode": "chatDeleted", "chat_id": chat_id}]
    assert await dave.live() == [{"mode": "chatCreated", "chat": item}]
    # One who leaves: his other connections are told, too.
    laptop = await second(bob)
    await bob.ask("editGroupChat", chat_id=chat_id, remove_members=[bob.id])
    item = (await alice.chats())[chat_id]
    assert await laptop.live() == [{"mode": "chatDeleted", "chat_id": chat_id}]
    for member in (alice, tablet, dave):
        assert await member.live() == [{"mode": "chatUpdated", "chat": item}]
    await alice.say(chat_id, "after them")
    assert await bob.live() == [] == await carol.live() == await laptop.live()
    # The last ones leave together.
    await alice.ask("editGroupChat", chat_id=chat_id, remove_members=[dave.id, alice.id])
    for member in (dave, tablet):
        assert [frame["mode"] for frame in await told(member)] == ["newMessage", "chatDeleted"]


@pytest.mark.gen_test
async def test_what_happens_natively_is_told_too(trio):
    alice, bob, carol = trio
    await alice.person.befriend(bob.person)
    for member, name in ((alice, "bob"), (bob, "alice")):
        made, said = await member.live()
        assert (made["mode"], made["chat"]["chat_name"], said["mode"]) == ("chatCreated", name, "newMessage")
        assert said["message"]["from_name"] == "#SYSTEM"
    await alice.person.befriend(carol.person)
    await carol.live()
    group_id = await alice.person.new_group(bob.person, carol.person)
    for member in trio:
        made, said = (await member.live())[-2:]
        assert (made["mode"], said["mode"], made["chat"]["last_message_sender"]) == (
            "chatCreated",
            "newMessage",
            "#SYSTEM",
        )
    assert (await alice.person.patch(f"/chat/{group_id}", {"chat_name": "Renamed"})).status == 200
    assert (await alice.person.delete(f"/chat/{group_id}/{carol.id}")).status == 200
    modes = [[frame["mode"] for frame in await member.live()] for member in trio]
    assert modes == [["chatUpdated", "chatUpdated", "newMessage"]] * 2 + [["chatUpdated", "chatDeleted"]]
    assert (await alice.person.delete("/user")).status == 200
    deleted = [frame for frame in await bob.live() if frame["mode"] == "chatDeleted"]
    assert {frame["chat_id"] for frame in deleted} >= {group_id} and len(deleted) == 2
    assert {frame["mode"] for frame in await alice.live()} == {"chatDeleted"}
    assert await alice.refused("subscribe") == "401"


# Several accounts on one connection


@pytest.mark.gen_test
async def test_several_accounts_on_one_connection(make, http_port):
    alice, bob, carol, dave = await make("alice", "bob", "carol", "dave")
    hall = await ModesClient.connect(http_port, None)
    for member in (alice, bob):
        await add(hall, member)
    # What both are told comes once; what each sees in its own way comes to each.
    group_id = await carol.group_with(alice, bob, dave)
    message_id = await carol.say(group_id, "to all")
    frames = await hall.live()
    assert [frame["mode"] for frame in frames] == ["chatCreated", "newMessage"]
    assert frames[1]["message"]["message_id"] == message_id
    private_id = await alice.chat_with(bob)
    names = [frame["chat"]["chat_name"] for frame in await hall.live()]
    assert sorted(names) == ["alice", "bob"]
    # A change asked for on the connection is only replied to, whoever else hears there.
    reply = await hall.reply(
        "sendMessage", token=alice.token, chat_id=private_id, content="between us", content_type="text"
    )
    assert reply["status"] == "200" and await hall.live() == []
    await hall.ask("unsubscribe", token=alice.token)
    await dave.say(group_id, "still for bob")
    await alice.chat_with(carol)
    assert [frame["mode"] for frame in await told(hall)] == ["newMessage"]
    hall.close()


@pytest.mark.gen_test
async def test_subscribing_twice_is_one_subscription_bound_to_both_tokens(trio):
    alice, bob, _ = trio
    chat_id = await alice.chat_with(bob)
    await bob.live()
    other = await new_token(bob.person)
    for token in (bob.token, other, other):
        assert (await bob.ask("subscribe", token=token)).keys() == REPLY
    await alice.say(chat_id, "once")
    assert len(await bob.live()) == 1
    await bob.ask("logout", token=other)
    await alice.say(chat_id, "still")
    assert len(await bob.live()) == 1
    await bob.ask("logout")
    await alice.say(chat_id, "no more")
    assert await bob.live() == []
    # Unsubscribing is for the account, whichever token it is signed with.
    bob.token = await new_token(bob.person)
    await bob.ask("subscribe")
    assert (await bob.ask("unsubscribe", token=await new_token(bob.person))).keys() == REPLY
    await alice.say(chat_id, "nor this")
    assert await bob.live() == []
    await bob.ask("unsubscribe")
    await bob.ask("subscribe")
    await alice.say(chat_id, "again")
    assert len(await bob.live()) == 1


@pytest.mark.gen_test
async def test_bad_tokens_subscribe_nobody_and_unsubscribe_nobody(trio):
    alice, bob, _ = trio
    chat_id = await alice.chat_with(bob)
    await bob.live()
    for mode in ("subscribe", "unsubscribe"):
        for token in ("x", "", 5, [], "\ud800"):
            assert await bob.refused(mode, token=token) == "401"
    await alice.say(chat_id, "still here")
    assert len(await bob.live()) == 1


# The end of subscriptions


@pytest.mark.gen_test
async def test_a_revoked_token_ends_its_subscriptions_and_leaves_the_connections_open(trio):
    alice, bob, carol = trio
    chat_id = await alice.group_with(bob, carol)
    await add(bob, carol)
    other = await ModesClient.connect(bob.port, None)
    await add(other, bob)
    await bob.live()
    await carol.ask("logout", token=bob.token)
    await alice.say(chat_id, "for carol")
    assert [frame["mode"] for frame in await bob.live()] == ["newMessage"]  # carol's, on the same connection
    assert await other.live() == []
    assert await bob.refused("getChats") == "401"
    assert await other.refused("getChats", token=bob.token) == "401"
    other.close()


@pytest.mark.gen_test
async def test_a_new_password_ends_the_subscriptions_of_other_tokens(trio):
    alice, bob, _ = trio
    tablet = await second(bob)
    chat_id = await alice.chat_with(bob)
    await bob.live(), await tablet.live()
    change = {"old_password": "secret1", "new_password": "secret2"}
    bearer = {"Authorization": f"Bearer {bob.token}"}
    assert (await bob.person.patch("/user", json_body=change, headers=bearer)).status == 200
    await alice.say(chat_id, "who hears?")
    assert len(await bob.live()) == 1
    assert await tablet.live() == []
    assert await tablet.refused("subscribe") == "401"


@pytest.mark.gen_test
async def test_who_has_subscribed_is_online(trio, nova):
    alice, bob, _ = trio
    for member in (alice, bob):
        assert nova.hub.is_online(member.id)
    await bob.ask("unsubscribe")
    assert not nova.hub.is_online(bob.id)
    await add(alice, bob)
    assert nova.hub.is_online(bob.id)
    await bob.ask("logout")
    assert not nova.hub.is_online(bob.id) and nova.hub.is_online(alice.id)


@pytest.mark.gen_test
async def test_a_connection_has_a_bounded_number_of_subscriptions(trio, monkeypatch):
    alice, bob, carol = trio
    monkeypatch.setattr("nova_modes.handlers.SUBSCRIPTIONS_MAX_COUNT", 2)
    await add(alice, bob)
    assert await alice.refused("subscribe", token=carol.token) == "429"
    await add(alice, bob)
    await alice.ask("unsubscribe")
    await add(alice, carol)


@pytest.mark.gen_test
async def test_nothing_reaches_a_member_after_his_removal(trio):
    alice, bob, carol = trio
    chat_id = await alice.group_with(bob, carol)
    await bob.live()
    send = {"mode": "sendMessage", "token": alice.token, "chat_id": chat_id, "content": "x", "content_type": "text"}
    kick = {"mode": "editGroupChat", "token": carol.token, "chat_id": chat_id, "remove_members": [carol.id]}
    kick_bob = {"mode": "editGroupChat", "token": alice.token, "chat_id": chat_id, "remove_members": [bob.id]}
    for number in range(200):
        await alice.send(kick_bob if number == 100 else send)
        if number == 150:
            await carol.send(kick)
    for _ in range(200):
        while (await alice.receive())["mode"] in ("messagesRead", "chatUpdated"):
            pass
    modes = [frame["mode"] for frame in await told(bob) if frame["mode"] != "chatUpdated"]
    assert modes == ["newMessage"] * 100 + ["chatDeleted"]
    modes = [frame["mode"] for frame in await carol.live() if frame["mode"] != "chatUpdated"]
    assert "chatDeleted" not in modes[:-1]  # her own connection only gets the reply
    await alice.ask("sendMessage", chat_id=chat_id, content="x", content_type="text")
    assert await bob.live() == []


@pytest.mark.gen_test
async def test_messages_come_in_ascending_order(trio):
    alice, bob, carol = trio
    chat_id = await alice.group_with(bob, carol)
    await carol.live()
    for _ in range(50):
        for member in (alice, bob):
            request = {"mode": "sendMessage", "token": member.token, "chat_id": chat_id, "content_type": "text"}
            await member.send({**request, "content": member.name})
    for member in (alice, bob):
        replies = 0
        while replies < 50:
            replies += (await member.receive())["mode"] == "sendMessage"
    ids = [frame["message"]["message_id"] for frame in await told(carol)]
    assert len(ids) == 100 and ids == sorted(ids)


@pytest.mark.gen_test
async def test_connections_that_close_in_the_middle_leave_nothing_behind(trio, nova):
    alice, bob, _ = trio
    chat_id = await alice.chat_with(bob)
    for mode in ("subscribe", "getMessages", "auth", "getChats", "sendMessage", "unsubscribe"):
        client = await ModesClient.connect(bob.port, None)
        request = {"mode": mode, "token": bob.token, "chat_id": chat_id, "content": "x", "content_type": "text"}
        await client.send({**request, "username": "bob", "password": "secret1"})
        client.close()
        while await client.receive() is not None:
            pass
    await bob.ask("unsubscribe")
    assert not nova.hub.is_online(bob.id)
    await alice.say(chat_id, "anybody?")
    await alice.live()


@pytest.mark.gen_test
async def test_subscribing_while_the_token_is_revoked_ends_unsubscribed(trio, nova):
    alice, bob, carol = trio
    await bob.ask("unsubscribe")
    chat_id = await alice.chat_with(bob)
    for _ in range(20):
        token = await new_token(bob.person)
        await asyncio.gather(
            bob.reply("subscribe", token=token), carol.ask("logout", token=token), alice.say(chat_id, "x")
        )
        await bob.live()
        assert not nova.hub.is_online(bob.id)
        await alice.say(chat_id, "nobody hears this")
        assert await bob.live() == []
