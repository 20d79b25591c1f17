"""Messages of the protocol "modes". Source: modes document; contract "protocols" sections 0.6, 2.2, 2.3."""

import nova_modes.handlers
import pytest
from clients.modes import BROKEN_STRINGS, NO_IDS, NO_STRINGS, UNKNOWN_IDS, Party

ITEM = {"message_id", "from_id", "from_name", "content", "content_type", "content_time"}


@pytest.fixture
def party(people, io_loop):
    return io_loop.run_sync(lambda: Party().open(people))


@pytest.mark.gen_test
async def test_send_message_and_get_messages(party):
    alice, bob, carol, _ = party.all
    for chat_id in (await alice.chat_with(bob), await alice.group_with(bob, carol)):
        assert await bob.messages(chat_id) == []
        reply = await alice.ask("sendMessage", chat_id=chat_id, content=" Hi \n☕\U0001f600 ", content_type="text")
        assert reply.keys() == {"mode", "timestamp", "status", "message_id"}
        second = await bob.say(chat_id, "http://example.org/a.png", content_type="image")
        assert second > reply["message_id"]
        reply = await bob.ask("getMessages", chat_id=chat_id)
        assert reply.keys() == {"mode", "timestamp", "status", "messages"}
        assert all(message.keys() == ITEM for message in reply["messages"])
        shown = [
            [message[key] for key in ("from_id", "from_name", "content", "content_type")]
            for message in reply["messages"]
        ]
        assert shown == [
            [alice.id, "alice", " Hi \n☕\U0001f600 ", "text"],
            [bob.id, "bob", "http://example.org/a.png", "image"],
        ]
        assert [message["message_id"] for message in reply["messages"]][1] == second
        times = [message["content_time"] for message in reply["messages"]]
        assert all(isinstance(each, float) for each in times) and times[0] < times[1]


@pytest.mark.gen_test
async def test_min_message_id_is_inclusive_and_any_integer(party):
    alice, bob = party.alice, party.bob
    other_id = await alice.chat_with(party.carol)
    chat_id = await alice.chat_with(bob)
    ids = [await alice.say(chat_id, str(number)) for number in range(5)]
    elsewhere = await alice.say(other_id, "elsewhere")

    async def found(bound):
        return [message["message_id"] for message in await bob.messages(chat_id, min_message_id=bound)]

    for bound in (None, 0, -1, -(10**30), 1, ids[0], elsewhere):
        assert await found(bound) == ids, bound
    for index, bound in enumerate(ids):
        assert await found(bound) == ids[index:]
    for bound in (ids[-1] + 1, 2**53, 2**53 + 1, 2**63, 10**30):
        assert await found(bound) == [], bound
    for bad in ("1", "", True, False, 1.0, 1.5, 1e30, [], {}, [ids[0]], {"$gt": 0}):
        assert await bob.refused("getMessages", chat_id=chat_id, min_message_id=bad) == "422", bad


@pytest.mark.gen_test
async def test_long_histories_come_in_parts(party, monkeypatch):
    alice, bob = party.alice, party.bob
    chat_id = await alice.chat_with(bob)
    ids = [await alice.say(chat_id, "x" * 100) for _ in range(12)]

    async def fetch_all():
        found, sizes = [], []
        while part := await bob.messages(chat_id, min_message_id=found[-1] + 1 if found else None):
            found += [message["message_id"] for message in part]
            sizes.append(len(part))
        assert found == ids
        return sizes

    assert await fetch_all() == [12]
    monkeypatch.setattr(nova_modes.handlers, "PAGE_MESSAGES", 2)
    assert await fetch_all() == [12]
    monkeypatch.setattr(nova_modes.handlers, "REPLY_MAX_MESSAGES", 4)
    assert await fetch_all() == [4, 4, 4]
    monkeypatch.setattr(nova_modes.handlers, "REPLY_MAX_CHARACTERS", 150)
    assert await fetch_all() == [2] * 6


@pytest.mark.gen_test
async def test_large_replies_arrive(party):
    alice, bob = party.alice, party.bob
    chat_id = await alice.chat_with(bob)
    for number in range(100):
        await alice.say(chat_id, "ж" * 20_000 if number else "first")
    messages = await bob.messages(chat_id)
    assert len(messages) == 100 and all(len(message["content"]) == 20_000 for message in messages[1:])
    await bob.ask("checkConnection")


@pytest.mark.gen_test
async def test_bad_sends_are_refused_and_nothing_is_stored(party, database):
    alice, bob = party.alice, party.bob
    group_id = await alice.group_with(bob)
    good = {"chat_id": group_id, "content": "x", "content_type": "text"}
    for member in party.all:
        await member.live()
    for mode in ("sendMessage", "sendGroupMessage"):
        bad_values = {
            "chat_id": NO_IDS,
            "content": (*NO_STRINGS, *BROKEN_STRINGS, "", "x" * 20_001, "x" * 10**6),
            "content_type": (*NO_STRINGS, *BROKEN_STRINGS, "", "x" * 65),
            "client_message_id": (*NO_STRINGS[1:], *BROKEN_STRINGS, "", "x" * 65),
        }
        for key, values in bad_values.items():
            for bad in values:
                assert await alice.refused(mode, **(good | {key: bad})) == "422", (key, bad)
        for key in good:
            assert await alice.refused(mode, **{other: good[other] for other in good if other != key}) == "422"
        for unknown in UNKNOWN_IDS:
            assert await alice.refused(mode, **(good | {"chat_id": unknown})) == "423", unknown
        assert await party.dave.refused(mode, **good) == "423"
        assert await party.dave.refused(mode, **(good | {"content": ""})) == "422"
    for unknown in UNKNOWN_IDS:
        assert await alice.refused("getMessages", chat_id=unknown) == "423"
    for bad in NO_IDS:
        assert await alice.refused("getMessages", chat_id=bad) == "422"
    assert await party.dave.refused("getMessages", chat_id=group_id) == "423"
    assert database.messages.count_documents({}) == 0
    await party.expect_silence()
    for fields in ({"content": "x" * 20_000}, {"content": "\U0001f600" * 20_000}, {"content_type": "x" * 64}):
        await alice.ask("sendMessage", **(good | fields))


@pytest.mark.gen_test
async def test_send_group_message_is_for_groups_alone(party):
    alice, bob = party.alice, party.bob
    private_id, group_id = await alice.chat_with(bob), await alice.group_with(bob)
    fields = {"content": "x", "content_type": "audio"}
    assert await alice.refused("sendGroupMessage", chat_id=private_id, **fields) == "423"
    reply = await alice.ask("sendGroupMessage", chat_id=group_id, **fields)
    assert reply.keys() == {"mode", "timestamp", "status", "message_id"}
    [message] = await bob.messages(group_id)
    assert (message["message_id"], message["content_type"]) == (reply["message_id"], "audio")
    assert await bob.messages(private_id) == []


@pytest.mark.gen_test
async def test_a_repeated_send_is_answered_as_the_first(party):
    alice, bob, carol, _ = party.all
    chat_id, other_id = await alice.chat_with(bob), await alice.chat_with(carol)
    await bob.live()
    first = await alice.say(chat_id, "once", client_message_id="one")
    assert [packet["mode"] for packet in await bob.live()] == ["newMessage"]
    assert await alice.say(chat_id, "once", client_message_id="one") == first
    assert await bob.live() == []
    fields = {"content_type": "text", "client_message_id": "one"}
    assert await alice.refused("sendMessage", chat_id=chat_id, content="twice", **fields) == "422"
    assert await alice.refused("sendMessage", chat_id=other_id, content="once", **fields) == "422"
    assert await bob.say(chat_id, "once", client_message_id="one") != first
    assert await alice.say(chat_id, "once", client_message_id=None) != first
    assert len(await bob.messages(chat_id)) == 3


@pytest.mark.gen_test
async def test_messages_of_others_without_an_account_and_edited_ones(party):
    alice, bob, carol, _ = party.all
    chat_id = await alice.group_with(bob, carol)
    await bob.say(chat_id, "I leave")
    edited = await carol.say(chat_id, "tpyo", content_type="video")
    socket = await carol.person.socket()
    await socket.send("edit_message", {"message_id": edited, "content": "typo"})
    await socket.expect("message_edited")
    assert (await bob.person.delete("/user")).status == 200
    messages = await alice.messages(chat_id)
    assert [message["from_name"] for message in messages] == ["#DELETED", "carol"]
    assert (messages[1]["content"], messages[1]["content_type"]) == ("typo", "video")
    assert await bob.refused("getChats") == "401"


@pytest.mark.gen_test
async def test_a_new_member_sees_the_whole_history_and_a_removed_one_nothing(party):
    alice, bob, carol, _ = party.all
    chat_id = await alice.group_with(bob)
    await alice.say(chat_id, "before")
    await alice.ask("editGroupChat", chat_id=chat_id, add_members=[carol.id], remove_members=[bob.id])
    assert [message["content"] for message in await carol.messages(chat_id)] == ["before"]
    assert await bob.refused("getMessages", chat_id=chat_id) == "423"
    assert await bob.refused("sendMessage", chat_id=chat_id, content="x", content_type="text") == "423"


@pytest.mark.gen_test
async def test_files_of_other_protocols_are_shown_by_their_urls(party, nova):
    alice, bob, carol, _ = party.all
    chat_id = await alice.group_with(bob)
    await bob.live()
    user = await nova.directory.get(alice.id)
    urls = []
    for text in ("", "Look:"):
        files = [await nova.services.files.store(user, name, b"data") for name in ("a.txt", "b.txt")]
        await nova.services.messages.send(user, chat_id, text, file_ids=[file.id for file in files])
        urls.append([file.url for file in files])
    messages = await bob.messages(chat_id)
    assert [(message["content"], message["content_type"]) for message in messages] == [
        ("\n".join(urls[0]), "file"),
        ("\n".join(["Look:", *urls[1]]), "text"),
    ]
    assert [frame["message"] for frame in await bob.live()] == messages
    assert (await bob.chats())[chat_id]["last_message_text"] == messages[1]["content"]
    assert await carol.live() == []
