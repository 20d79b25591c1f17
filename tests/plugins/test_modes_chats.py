"""Chats of the protocol "modes".

Source: modes document; contract "protocols" sections 0.5, 2.2, 2.3.
"""

import asyncio
import time

import pytest
from clients.modes import BROKEN_STRINGS, NO_IDS, NO_STRINGS, UNKNOWN_IDS, Party, come

NOTHING_LAST = {"last_message_time": None, "last_message_text": None, "last_message_sender": None}


@pytest.fixture
def party(people, io_loop):
    return io_loop.run_sync(lambda: Party().open(people))


# Private chats


@pytest.mark.gen_test
async def test_create_chat_by_id_and_by_name_finds_or_makes_the_same_chat(party):
    alice, bob = party.alice, party.bob
    reply = await alice.ask("createChat", contact_mode="id", contact_value=bob.id)
    assert reply.keys() == {"mode", "timestamp", "status", "chat_id"} and type(reply["chat_id"]) is int
    for member, other in ((alice, bob), (bob, alice)):
        for contact in (("id", other.id), ("id", str(other.id)), ("id", f"00{other.id}"), ("username", other.name)):
            for mode in ("createChat", "createPersonalChat"):
                again = await member.ask(mode, contact_mode=contact[0], contact_value=contact[1])
                assert again["chat_id"] == reply["chat_id"]
    assert await alice.live() == []
    [made] = await bob.live()
    assert made["mode"] == "chatCreated" and made["chat"]["chat_id"] == reply["chat_id"]


@pytest.mark.gen_test
async def test_create_chat_uses_the_chat_of_friends(people):
    alice, bob = await come(await people("alice")), await come(await people("bob"))
    chat_id = await alice.person.befriend(bob.person)
    assert await alice.chat_with(bob) == chat_id


@pytest.mark.gen_test
async def test_create_chat_refuses_partners_that_there_are_not(party, nova):
    alice = party.alice
    system, deleted = nova.directory.system, nova.directory.deleted
    unknown = [
        ("id", value) for value in (*UNKNOWN_IDS, *map(str, (0, 10**9, 10**30)), "9" * 5000, system.id, deleted.id)
    ]
    unknown += [("username", name) for name in ("nobody", "", "#SYSTEM", "#DELETED", "Bob", "x" * 100_000, "é", "2")]
    unknown += [("id", alice.id), ("id", str(alice.id)), ("username", "alice")]
    for contact_mode, value in unknown:
        assert await alice.refused("createChat", contact_mode=contact_mode, contact_value=value) == "409", value
    for value in (None, "", "x", "-1", "1.0", " 1", "٣", "1\0", "\ud800", True, 1.0, 1.5, [], {}, [party.bob.id]):
        assert await alice.refused("createChat", contact_mode="id", contact_value=value) == "422", value
    for value in (*NO_STRINGS, *BROKEN_STRINGS, party.bob.id):
        assert await alice.refused("createChat", contact_mode="username", contact_value=value) == "422", value
    for contact_mode in ("", "ID", "email", "x", *NO_STRINGS, *BROKEN_STRINGS):
        assert await alice.refused("createChat", contact_mode=contact_mode, contact_value=party.bob.id) == "422"
    assert await alice.refused("createChat", contact_value=party.bob.id) == "422"
    assert await alice.refused("createChat", contact_mode="id") == "422"
    await party.expect_silence()
    assert await alice.chats() == {}


@pytest.mark.gen_test
async def test_delete_chat_by_either_member(party):
    alice, bob, carol = party.alice, party.bob, party.carol
    for member, other in ((alice, bob), (bob, alice)):
        chat_id = await alice.chat_with(bob)
        await alice.say(chat_id, "gone soon")
        assert await carol.refused("deleteChat", chat_id=chat_id) == "423"
        assert await member.refused("deleteGroupChat", chat_id=chat_id) == "423"
        await other.live()
        reply = await member.ask("deleteChat", chat_id=chat_id)
        assert reply.keys() == {"mode", "timestamp", "status"}
        assert await other.live() == [{"mode": "chatDeleted", "chat_id": chat_id}]
        for mode, fields in (
            ("deleteChat", {}),
            ("getMessages", {}),
            ("sendMessage", {"content": "x", "content_type": "y"}),
        ):
            assert await member.refused(mode, chat_id=chat_id, **fields) == "423"
        assert await alice.chats() == {} == await bob.chats()
        assert await alice.chat_with(bob) != chat_id
        await alice.ask("deleteChat", chat_id=await alice.chat_with(bob))


# Groups


@pytest.mark.gen_test
async def test_create_group_chat_by_ids_and_names(party):
    alice, bob, carol, _ = party.all
    for fields in (
        {"chat_members": [carol.id, bob.id, carol.id]},
        {"chat_members": [carol.id, alice.id, bob.id], "contact_mode": None},
        {"chat_members": [carol.id, bob.id], "contact_mode": "id"},
        {"chat_members": ["carol", "bob", "alice", "carol"], "contact_mode": "username"},
    ):
        reply = await alice.ask("createGroupChat", chat_name="Books ☕", **fields)
        assert reply.keys() == {"mode", "timestamp", "status", "chat_id"}
        item = {
            "chat_id": reply["chat_id"],
            "chat_members": [alice.struct, carol.struct, bob.struct],
            "chat_name": "Books ☕",
            "chat_type": "group",
            **NOTHING_LAST,
        }
        for member in (bob, carol):
            assert await member.live() == [{"mode": "chatCreated", "chat": item}]
            assert (await member.chats())[reply["chat_id"]] == item
        assert (await alice.chats())[reply["chat_id"]] == item
    await party.expect_silence()


@pytest.mark.gen_test
async def test_create_group_chat_refuses_bad_fields_and_makes_nothing(party):
    alice, bob = party.alice, party.bob
    good = {"chat_name": "Books", "chat_members": [bob.id]}
    for name in ("", "x" * 61, *NO_STRINGS, *BROKEN_STRINGS):
        assert await alice.refused("createGroupChat", **(good | {"chat_name": name})) == "422", name
    bad_lists = [None, "", "bob", 5, True, {}, [], [alice.id], *([bob.id, bad] for bad in NO_IDS), [[bob.id]], ["bob"]]
    for members in bad_lists:
        assert await alice.refused("createGroupChat", **(good | {"chat_members": members})) == "422", members
    for members in (["alice"], [], ["bob", 5], [bob.id], ["bob", "a\0b"], ["\ud800"], ["bob", None]):
        fields = good | {"chat_members": members, "contact_mode": "username"}
        assert await alice.refused("createGroupChat", **fields) == "422", members
    for contact_mode in ("", "x", "ID", 5, True, [], {}, "\ud800"):
        assert await alice.refused("createGroupChat", **good, contact_mode=contact_mode) == "422"
    for unknown in UNKNOWN_IDS:
        assert await alice.refused("createGroupChat", **(good | {"chat_members": [bob.id, unknown]})) == "409"
    for unknown in ("nobody", "#SYSTEM", "", "x" * 1000):
        fields = good | {"chat_members": ["bob", unknown], "contact_mode": "username"}
        assert await alice.refused("createGroupChat", **fields) == "409", unknown
    assert await alice.refused("createGroupChat", chat_name="Books") == "422"
    assert await alice.refused("createGroupChat", chat_members=[bob.id]) == "422"
    await party.expect_silence()
    assert await alice.chats() == {}


@pytest.mark.gen_test
async def test_edit_group_chat_changes_all_at_once(party):
    alice, bob, carol, dave = party.all
    chat_id = await alice.group_with(bob)
    await bob.live()
    fields = {"chat_name": "New", "add_members": [carol.id, dave.id, carol.id, alice.id], "remove_members": [bob.id]}
    reply = await alice.ask("editGroupChat", chat_id=chat_id, **fields)
    assert reply.keys() == {"mode", "timestamp", "status"}
    item = (await alice.chats())[chat_id]
    assert item["chat_name"] == "New" and item["chat_members"] == [alice.struct, carol.struct, dave.struct]
    assert await bob.live() == [{"mode": "chatDeleted", "chat_id": chat_id}]
    for member in (carol, dave):
        assert await member.live() == [{"mode": "chatCreated", "chat": item}]
    assert await bob.chats() == {}
    # Each of the three alone.
    for fields in ({"chat_name": "Newer"}, {"add_members": [bob.id]}, {"remove_members": [dave.id]}):
        await alice.ask("editGroupChat", chat_id=chat_id, **fields)
    item = (await bob.chats())[chat_id]
    assert item["chat_name"] == "Newer" and item["chat_members"] == [alice.struct, carol.struct, bob.struct]


@pytest.mark.gen_test
async def test_edit_group_chat_is_all_or_nothing(party):
    alice, bob, carol, dave = party.all
    chat_id, private_id = await alice.group_with(bob, carol), await alice.chat_with(bob)
    before = await alice.chats()
    for member in party.all:
        await member.live()
    add, rename, remove = {"add_members": [dave.id]}, {"chat_name": "New"}, {"remove_members": [carol.id]}
    nulls = {"chat_name": None, "add_members": None, "remove_members": None}
    for fields in ({}, nulls, {"add_members": [], "remove_members": []}, {"add_members": [bob.id, alice.id]}):
        assert await alice.refused("editGroupChat", chat_id=chat_id, **fields) == "422", fields
    assert await alice.refused("editGroupChat", chat_id=chat_id, remove_members=[dave.id]) == "422"
    assert await alice.refused("editGroupChat", chat_id=chat_id, **add, remove_members=[dave.id]) == "422"
    for name in ("", "x" * 61, 5, True, [], {}, *BROKEN_STRINGS):
        assert await alice.refused("editGroupChat", chat_id=chat_id, chat_name=name, **add) == "422", name
    for key, other in (("add_members", remove), ("remove_members", add)):
        for bad in ("", "bob", 5, True, {}, *([bob.id, bad] for bad in NO_IDS)):
            assert await alice.refused("editGroupChat", chat_id=chat_id, **{**other, key: bad}) == "422", bad
        for unknown in UNKNOWN_IDS:
            fields = {**rename, **other, key: [unknown, bob.id]}
            assert await alice.refused("editGroupChat", chat_id=chat_id, **fields) == "409"
    # Rights.
    for fields in (rename, add, remove, {"remove_members": [alice.id]}, {"remove_members": [bob.id, carol.id]}):
        assert await bob.refused("editGroupChat", chat_id=chat_id, **fields) == "423", fields
        assert await dave.refused("editGroupChat", chat_id=chat_id, **fields) == "423", fields
        assert await alice.refused("editGroupChat", chat_id=private_id, **fields) == "423", fields
    assert await alice.refused("editGroupChat", chat_id=private_id, remove_members=[alice.id]) == "423"
    for unknown in UNKNOWN_IDS:
        assert await alice.refused("editGroupChat", chat_id=unknown, **rename) == "423"
    for bad in NO_IDS:
        assert await alice.refused("editGroupChat", chat_id=bad, **rename) == "422", bad
    await party.expect_silence()
    assert await alice.chats() == before


@pytest.mark.gen_test
async def test_leaving_hands_the_group_on_and_the_last_one_deletes_it(party):
    alice, bob, carol, _ = party.all
    chat_id = await alice.group_with(bob, carol)
    await alice.ask("editGroupChat", chat_id=chat_id, remove_members=[alice.id])
    assert await alice.refused("getMessages", chat_id=chat_id) == "423"
    await bob.ask("editGroupChat", chat_id=chat_id, chat_name="Bob's", remove_members=[carol.id])
    assert await bob.refused("deleteGroupChat", chat_id=10**9) == "423"
    await bob.ask("editGroupChat", chat_id=chat_id, remove_members=[bob.id])
    assert await bob.refused("getMessages", chat_id=chat_id) == "423"
    assert await bob.chats() == {}


@pytest.mark.gen_test
async def test_delete_group_chat_by_the_owner_alone(party):
    alice, bob, carol, dave = party.all
    for mode in ("deleteGroupChat", "deleteChat"):
        chat_id = await alice.group_with(bob, carol)
        for member in (bob, dave):
            assert await member.refused(mode, chat_id=chat_id) == "423"
        await carol.live()
        assert (await alice.ask(mode, chat_id=chat_id)).keys() == {"mode", "timestamp", "status"}
        assert await carol.live() == [{"mode": "chatDeleted", "chat_id": chat_id}]
        assert await alice.refused(mode, chat_id=chat_id) == "423"
        for unknown in UNKNOWN_IDS:
            assert await alice.refused(mode, chat_id=unknown) == "423"
        for bad in NO_IDS:
            assert await alice.refused(mode, chat_id=bad) == "422"
        assert await alice.refused(mode) == "422"


# The list of chats


@pytest.mark.gen_test
async def test_get_chats_shows_what_each_one_sees_latest_activity_first(party):
    alice, bob, carol, _ = party.all
    assert (await alice.ask("getChats")).keys() == {"mode", "timestamp", "status", "chats"}
    group_id = await alice.group_with(bob, carol, name="Club")
    private_id = await bob.chat_with(alice)
    assert list(await alice.chats()) == [private_id, group_id]
    await bob.say(group_id, "in the group")
    assert list(await alice.chats()) == [group_id, private_id]
    await bob.say(private_id, "for you")
    chats = await alice.chats()
    assert list(chats) == [private_id, group_id]
    private, group = chats.values()
    last_time = private.pop("last_message_time")
    assert isinstance(last_time, float) and abs(last_time - time.time()) < 60
    assert private == {
        "chat_id": private_id,
        "chat_members": [bob.struct, alice.struct],
        "chat_name": "bob",
        "chat_type": "personal",
        "last_message_text": "for you",
        "last_message_sender": None,
    }
    assert (await bob.chats())[private_id]["chat_name"] == "alice"
    assert group.pop("last_message_time") < last_time
    assert group == {
        "chat_id": group_id,
        "chat_members": [alice.struct, bob.struct, carol.struct],
        "chat_name": "Club",
        "chat_type": "group",
        "last_message_text": "in the group",
        "last_message_sender": "bob",
    }


@pytest.mark.gen_test
async def test_deleted_messages_are_not_the_last_one(party):
    alice, bob, carol, _ = party.all
    chat_id = await alice.group_with(bob, carol)
    ids = [await bob.say(chat_id, text) for text in ("one", "two", "three")]
    socket = await bob.person.socket()
    await socket.send("recall_message", {"message_id": ids[2]})
    await socket.send("recall_message", {"message_id": ids[1], "delete": True})
    await socket.expect("message_recalled", "message_deleted")
    for member, text in ((alice, "two"), (bob, "one"), (carol, "two")):
        item = (await member.chats())[chat_id]
        assert (item["last_message_text"], item["last_message_sender"]) == (text, "bob")
        assert [message["content"] for message in await member.messages(chat_id)] == ["one", "two"][
            : 1 + (member is not bob)
        ]
    # What members are told of a renamed chat is what each of them sees, too.
    for member in party.all:
        await member.live()
    await alice.ask("editGroupChat", chat_id=chat_id, chat_name="Club")
    for member in (bob, carol):
        assert await member.live() == [{"mode": "chatUpdated", "chat": (await member.chats())[chat_id]}]


@pytest.mark.gen_test
async def test_native_groups_and_names_of_untitled_ones(people, nova):
    alice, bob = await come(await people("alice")), await come(await people("bob"))
    await alice.person.befriend(bob.person)
    group_id = await alice.person.new_group(bob.person, name="Native")
    chats = await bob.chats()
    item = chats[group_id]
    assert (item["chat_name"], item["last_message_sender"]) == ("Native", "#SYSTEM")
    [message] = await bob.messages(group_id)
    assert message["from_name"] == "#SYSTEM" and message["content_type"] == "text"
    user = await nova.directory.get(alice.id)
    untitled = await nova.services.chats.create_group(user, "", [bob.id])
    assert (await bob.chats())[untitled.id]["chat_name"] == "alice, bob"


# At the same time


@pytest.mark.gen_test
async def test_two_who_make_their_private_chat_at_once_get_the_same(party):
    alice, bob = party.alice, party.bob
    ids = await asyncio.gather(*(one.chat_with(other) for one, other in ((alice, bob), (bob, alice))))
    assert ids[0] == ids[1]
    assert list(await alice.chats()) == [ids[0]] == list(await bob.chats())


@pytest.mark.gen_test
async def test_an_owner_and_a_leaving_member_at_once_leave_the_group_whole(party):
    alice, bob, carol, dave = party.all
    for _ in range(10):
        chat_id = await alice.group_with(bob, carol)
        replies = await asyncio.gather(
            alice.reply("editGroupChat", chat_id=chat_id, remove_members=[bob.id], add_members=[dave.id]),
            bob.reply("editGroupChat", chat_id=chat_id, remove_members=[bob.id]),
            carol.reply("sendMessage", chat_id=chat_id, content="x", content_type="text"),
        )
        assert replies[0]["status"] == "200" and replies[1]["status"] in ("200", "423")
        item = (await dave.chats())[chat_id]
        assert item["chat_members"] == [alice.struct, carol.struct, dave.struct]
