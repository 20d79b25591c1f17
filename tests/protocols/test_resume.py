"""The action ``resume``. Source: contract "actions" section 8; decision 12.

Random histories over all protocols are in ``tests/together/test_resumed_states.py``.
"""

import pytest

from nova_tornado.app import open_nova
from nova_tornado.domain.models import message_id
from nova_tornado.native import resume as native_resume
from nova_tornado.services import resume as service
from nova_tornado.testing.running import DATABASE

STATES = ("user", "friends", "friend_groups", "friend_invitations", "chats")
LIVE = ("new_message", "messages_read", "new_group_chat", "member_deleted")
BAD_REQUESTS = (
    [],
    "x",
    5,
    {"chats": {}},
    {"chats": [5]},
    {"chats": [{}]},
    {"chats": [{"chat_id": "1"}]},
    {"chats": [{"chat_id": 1, "cursor": "1"}]},
    {"chats": [{"chat_id": 1, "cursor": {"$gt": 0}}]},
    {"chats": [{"chat_id": 1, "cursor": 200000001}]},
    {"chats": [{"chat_id": 1, "digest": 5}]},
    {"state": []},
    {"state": {"password": None}},
    {"state": {"user": 5}},
    {"users": {}},
    {"users": ["1"]},
    {"users": list(range(1, 1_002))},
)


async def friends(people):
    alice, bob = await people("alice"), await people("bob")
    return alice, bob, await alice.befriend(bob)


async def ask(person, data=None):
    """What a socket of its own is answered."""
    socket = await person.socket()
    await socket.send("resume", data, request_id=3)
    while (packet := await socket.receive())["action"] in LIVE:
        pass
    socket.close()
    assert packet["action"] == "resumed" and packet["request_id"] == 3, packet
    return packet["data"]


async def begin(person):
    """What a client keeps that begins now."""
    data = await ask(person, {"state": dict.fromkeys(STATES)})
    assert not data["more"]
    return data


def known(data):
    """The request of a client that knows what an answer has told it."""
    chats = [{name: chat[name] for name in ("chat_id", "cursor", "digest")} for chat in data["chats"]]
    return {"chats": chats, "state": {name: state["digest"] for name, state in data["state"].items()}}


NOTHING = {"chats": [], "gone": [], "state": {}, "more": False}


@pytest.mark.gen_test
async def test_who_begins_gets_the_present_state_and_then_nothing_until_something_happens(people):
    alice, _, chat = await friends(people)
    data = await begin(alice)
    for name, path in (("user", "/user"), ("friends", "/friend"), ("friend_groups", "/friend/group/list")):
        assert data["state"][name]["value"] == (await alice.get(path)).data
    assert data["state"]["chats"]["value"] == [chat]
    [told] = data["chats"]
    assert told.keys() == {"chat_id", "cursor", "digest", "state"}
    relation = (await alice.get(f"/chat/{chat}")).data
    assert told["state"] == {**relation, "read_cursors": []}
    assert await ask(alice, known(data)) == NOTHING


@pytest.mark.gen_test
async def test_what_was_missed_is_told_once_as_it_is_now(nova, people):
    alice, bob, chat = await friends(people)
    before = known(await begin(alice))
    user = await nova.directory.get(bob.id)
    messages = nova.services.messages
    one = (await messages.send(user, chat, "one")).message
    two = (await messages.send(user, chat, "two", reply_to=one.id)).message
    await messages.send(user, chat, "three")
    await messages.edit(user, one.id, "ONE")
    await messages.recall(user, two.id)
    await messages.hide(user, one.id)  # bob's own business
    data = await ask(alice, before)
    [told] = data["chats"]
    assert [(m["message"], m["deleted"], m["reply_to"]) for m in told["messages"]] == [
        ("ONE", False, None),
        ("Message recalled", True, None),
        ("three", False, None),
    ]
    assert told["cursor"] == message_id(chat, 7)
    assert told["state"]["unread_count"] == 4
    assert told["state"]["read_cursors"] == [[bob.id, message_id(chat, 4)]]
    after = {**before, "chats": [{"chat_id": chat, "cursor": told["cursor"], "digest": told["digest"]}]}
    assert await ask(alice, after) == NOTHING
    hers = await nova.directory.get(alice.id)
    await messages.hide(hers, one.id)
    [told] = (await ask(alice, after))["chats"]
    assert [(m["message_id"], m["deleted"]) for m in told["messages"]] == [(one.id, True)]


@pytest.mark.gen_test
async def test_pages_end_and_go_on_where_the_last_one_ended(nova, people, monkeypatch):
    monkeypatch.setattr(service, "PAGE_MAX_ENTRIES", 4)
    alice, bob, chat = await friends(people)
    cursor = (await begin(alice))["chats"][0]["cursor"]
    user = await nova.directory.get(bob.id)
    sent = [(await nova.services.messages.send(user, chat, f"text {n} " + "x" * 500)).message.id for n in range(10)]
    for page_bytes in (2**20, 1_500, 1):
        monkeypatch.setattr(native_resume, "PAGE_MAX_BYTES", page_bytes)
        found, at, more, pages = [], cursor, True, 0
        while more:
            data = await ask(alice, {"chats": [{"chat_id": chat, "cursor": at}]})
            [told] = data["chats"]
            assert told.keys() == {"chat_id", "messages", "cursor"}
            found += [message["message_id"] for message in told["messages"]]
            at, more, pages = told["cursor"], data["more"], pages + 1
        assert found == sent
        assert pages >= (3 if page_bytes > 1 else 10)


@pytest.mark.gen_test
async def test_what_lies_in_memory_is_told_without_a_look_at_the_log(nova, people, monkeypatch):
    alice, bob, chat = await friends(people)
    cursor = (await begin(alice))["chats"][0]["cursor"]
    user = await nova.directory.get(bob.id)
    one = (await nova.services.messages.send(user, chat, "one")).message
    await nova.services.messages.send(user, chat, "two", reply_to=one.id)
    request = {"chats": [{"chat_id": chat, "cursor": cursor}]}
    from_log = await ask(alice, request)
    await alice.get(f"/chat/{chat}/messages?limit=10")
    monkeypatch.setattr(nova.store.messages, "read_ranges", None)
    assert await ask(alice, request) == from_log
    assert [message["reply_to"] and message["reply_to"]["message"] for message in from_log["chats"][0]["messages"]] == [
        None,
        "one",
    ]


@pytest.mark.gen_test
async def test_foreign_unknown_and_left_chats_are_gone_alike(nova, people):
    alice, bob, chat = await friends(people)
    eve = await people("eve")
    owner = await nova.directory.get(bob.id)
    group = await nova.services.chats.create_group(owner, "Group", [alice.id])
    await nova.services.messages.send(owner, group.id, "for members")
    before = known(await begin(alice))
    named = [{"chat_id": each, "cursor": message_id(each, 1), "digest": None} for each in (chat, group.id, 777)]
    data = await ask(eve, {"chats": named, "state": {"chats": None}})
    assert data["chats"] == [] and data["gone"] == [chat, group.id, 777]
    assert data["state"]["chats"]["value"] == []
    await nova.services.chats.remove_member(owner, group.id, alice.id)
    await nova.services.messages.send(owner, group.id, "not for her")
    data = await ask(alice, before)
    assert data["gone"] == [group.id] and data["chats"] == []
    assert data["state"]["chats"]["value"] == [chat]


@pytest.mark.gen_test
async def test_a_cursor_that_the_log_does_not_have_is_answered_with_a_reset(nova, people):
    alice, _, chat = await friends(people)
    request = {"chats": [{"chat_id": chat, "cursor": message_id(chat, 50)}]}
    assert (await ask(alice, request))["chats"] == [
        {"chat_id": chat, "reset": "unknown_cursor", "cursor": message_id(chat, 1)}
    ]


@pytest.mark.gen_test
async def test_bad_requests_are_refused_and_the_socket_stays_open(people):
    alice = await people("alice")
    socket = await alice.socket()
    for bad in BAD_REQUESTS:
        await socket.send("resume", bad, request_id=4)
        await socket.expect_error(request_id=4)
    await socket.send("resume", None, request_id=5)
    [data] = await socket.expect("resumed")
    assert data == NOTHING


@pytest.mark.gen_test
async def test_another_server_answers_as_well_and_tells_what_it_had_not_heard_of(
    nova, people, settings, mongo, http_port
):
    alice, bob, chat = await friends(people)
    before = known(await begin(alice))
    await alice.get(f"/chat/{chat}/messages?limit=10")
    other = await open_nova(settings, mongo.uri, database=DATABASE)
    try:
        there = await other.directory.get(bob.id)
        message = (await other.services.messages.send(there, chat, "sent there")).message
        group = await other.services.chats.create_group(there, "Made there", [alice.id])
        data = await ask(alice, before)  # by the first one, which has heard of nothing
        assert [chat["chat_id"] for chat in data["chats"]] == [chat, group.id]
        assert [each["message"] for each in data["chats"][0]["messages"]] == ["sent there"]
        assert data["chats"][0]["cursor"] == message.id
        await other.services.chats.remove_member(there, group.id, alice.id)
        data = await ask(alice, {"chats": [{"chat_id": group.id, "cursor": data["chats"][1]["cursor"]}]})
        assert data["gone"] == [group.id]
    finally:
        await other.close()


@pytest.mark.gen_test
async def test_who_somebody_is_now_is_told_on_request(people):
    alice, bob, _ = await friends(people)
    eve = await people("eve")
    await bob.patch("/user", {"user_name": "robert"})
    await eve.delete("/user")
    data = await ask(alice, {"users": [bob.id, eve.id]})
    assert [(each["user_id"], each["user"]["user_name"]) for each in data["users"]] == [
        (bob.id, "robert"),
        (eve.id, "#DELETED"),
    ]


@pytest.mark.gen_test
async def test_what_was_encoded_for_one_client_is_told_the_next_as_it_is_then(nova, people):
    alice, bob, chat = await friends(people)
    cursor = (await begin(alice))["chats"][0]["cursor"]
    user = await nova.directory.get(bob.id)
    messages = nova.services.messages
    one = (await messages.send(user, chat, "one")).message
    await messages.send(user, chat, "two", reply_to=one.id)
    request = {"chats": [{"chat_id": chat, "cursor": cursor}]}

    async def told(person):
        await alice.get(f"/chat/{chat}/messages?limit=10")  # which makes the tail
        first, second = await ask(person, request), await ask(person, request)
        assert first == second
        nova.tails.give_up((await nova.services.chats.get(chat)).tail)
        assert await ask(person, request) == first  # by the log
        return [(m["message"], m["deleted"], m["sender"]["user_name"]) for m in first["chats"][0]["messages"]]

    assert await told(alice) == [("one", False, "bob"), ("two", False, "bob")]
    await bob.patch("/user", {"user_name": "robert"})
    assert await told(alice) == [("one", False, "robert"), ("two", False, "robert")]
    await messages.hide(await nova.directory.get(alice.id), one.id)
    assert await told(alice) == [("one", True, "robert"), ("two", False, "robert")]
    assert await told(bob) == [("one", False, "robert"), ("two", False, "robert")]
    await messages.send(await nova.directory.get(bob.id), chat, "three")
    assert [text for text, _, _ in await told(bob)] == ["one", "two", "three"]
