"""The opcodes protocol: chats (operation 13).

Source: opcodes document, Chat; contract "protocols" sections 0.5, 0.10, 4.2, 4.3.
"""

import asyncio
from types import SimpleNamespace

import pytest
from clients.opcodes import OpcodesClient

from nova_tornado.domain.models import JoinPolicy


@pytest.fixture
def four(people, io_loop):
    """Alice, Bob, Carol and Dave, connected; nobody knows anybody."""

    async def make():
        alice, bob, carol, dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
        a, b, c, d = [await OpcodesClient.of(person) for person in (alice, bob, carol, dave)]
        return SimpleNamespace(alice=alice, bob=bob, carol=carol, dave=dave, a=a, b=b, c=c, d=d)

    return io_loop.run_sync(make)


async def nobody_hears_anything(four):
    for client in (four.a, four.b, four.c, four.d):
        await client.expect_nothing()


async def new_group(four, *members):
    """A group of Alice's; what is told of it is taken off."""
    chat = (await four.a.call(13, 1, user_ids=[member.id for member in members], type=2))["chat_id"]
    for client in (four.b, four.c, four.d):
        await client.drain()
    return chat


# 13/1


@pytest.mark.gen_test
async def test_new_private_chat_is_told_to_every_other_connection_of_both(four):
    other_a, other_b = await OpcodesClient.of(four.alice), await OpcodesClient.of(four.bob)
    answer = await four.a.call(13, 1, user_ids=[four.bob.id], type=1)
    assert answer.keys() == {"chat_id"}
    for client in (other_a, four.b, other_b):
        await client.expect(14, 1, **answer)
    await nobody_hears_anything(four)
    assert (await OpcodesClient.of(four.bob)).lists == {"chat_ids": [answer["chat_id"]], "friend_ids": []}


@pytest.mark.gen_test
async def test_private_chat_that_exists_is_answered_without_an_event(four):
    answer = await four.a.call(13, 1, user_ids=[four.bob.id], type=1)
    await four.b.expect(14, 1, **answer)
    alice, bob = four.alice.id, four.bob.id
    for client, user_ids in ((four.a, [bob, alice, bob]), (four.b, [alice]), (four.b, [bob, alice])):
        assert await client.call(13, 1, user_ids=user_ids, type=1) == answer
    await nobody_hears_anything(four)
    friends = await four.alice.befriend(four.carol)
    await four.a.drain()
    await four.c.drain()
    assert await four.c.call(13, 1, user_ids=[four.alice.id], type=1) == {"chat_id": friends}
    await nobody_hears_anything(four)


@pytest.mark.gen_test
async def test_private_chat_that_both_open_at_once_is_one(four):
    for client, user in ((four.a, four.bob), (four.b, four.alice)):
        await client.send({"op": 13, "t": 1, "d": {"user_ids": [user.id], "type": 1}})
    packets = [*await four.a.drain(), *await four.b.drain()]
    assert len({packet["d"]["chat_id"] for packet in packets}) == 1
    assert sorted("status" in packet["d"] for packet in packets) == [False, True, True]


@pytest.mark.gen_test
async def test_private_chat_is_with_exactly_one_other(four):
    alice, bob, carol = four.alice.id, four.bob.id, four.carol.id
    for user_ids in ([], [alice], [alice, alice], [bob, carol], [alice, bob, carol], [bob, 10**6], [10**6], [1], [2]):
        await four.a.refused(13, 1, user_ids=user_ids, type=1)
    await nobody_hears_anything(four)


@pytest.mark.gen_test
async def test_new_group_has_no_title_and_is_told_to_every_other_connection(four):
    other = await OpcodesClient.of(four.alice)
    user_ids = [four.carol.id, four.alice.id, four.bob.id, four.carol.id]
    answer = await four.a.call(13, 1, user_ids=user_ids, type=2)
    assert answer.keys() == {"chat_id"}
    for client in (other, four.b, four.c):
        await client.expect(14, 1, **answer)
    changed = await four.a.call(13, 2, **answer, add_users=[four.dave.id])
    everybody = sorted(person.id for person in (four.alice, four.bob, four.carol, four.dave))
    assert changed == {**answer, "chat": "alice, carol, bob, dave", "users": everybody}
    again = await four.a.call(13, 1, user_ids=user_ids, type=2)
    assert again["chat_id"] != answer["chat_id"]  # groups are as many as one likes


@pytest.mark.gen_test
async def test_group_needs_another_member_and_all_must_exist(four):
    for user_ids in ([], [four.alice.id], [four.bob.id, 10**6], [four.bob.id, 1], [0], [2**53 + 1]):
        await four.a.refused(13, 1, user_ids=user_ids, type=2)
    await nobody_hears_anything(four)
    assert (await OpcodesClient.of(four.bob)).lists["chat_ids"] == []


# 13/2


@pytest.mark.gen_test
async def test_new_title_and_members_are_told_once_to_members_and_removed(four):
    other_a, other_b = await OpcodesClient.of(four.alice), await OpcodesClient.of(four.bob)
    chat = await new_group(four, four.bob, four.carol)
    await other_a.drain()
    await other_b.drain()
    answer = await four.a.call(
        13, 2, chat_id=chat, chat="Books", add_users=[four.dave.id], remove_users=[four.carol.id, four.carol.id]
    )
    assert answer == {"chat_id": chat, "chat": "Books", "users": [four.alice.id, four.bob.id, four.dave.id]}
    for client in (other_a, four.b, other_b, four.c, four.d):
        await client.expect(14, 2, **answer)
    await nobody_hears_anything(four)
    # Added and removed are taken at once.
    message = await four.d.call(11, 2, chat_id=chat, message="x")
    for client in (four.a, four.b):
        await client.expect(12, 2, **message, sender_id=four.dave.id, message="x")
    await four.c.refused(11, 2, chat_id=chat, message="x")
    await nobody_hears_anything(four)


@pytest.mark.gen_test
async def test_each_part_of_a_change_may_be_left_out(four):
    chat = await new_group(four, four.bob)
    alice, bob, carol = four.alice.id, four.bob.id, four.carol.id
    for d, title, users in (
        ({"chat": "x" * 60}, "x" * 60, [alice, bob]),
        ({"chat": None, "add_users": [carol, bob]}, "x" * 60, [alice, bob, carol]),
        ({"chat": "🙂", "add_users": None, "remove_users": []}, "🙂", [alice, bob, carol]),
        ({"add_users": [], "remove_users": [carol, four.dave.id]}, "🙂", [alice, bob]),
        ({"chat": "🙂"}, "🙂", [alice, bob]),
    ):
        answer = await four.a.call(13, 2, chat_id=chat, **d)
        assert answer == {"chat_id": chat, "chat": title, "users": users}
        await four.b.expect(14, 2, **answer)


@pytest.mark.gen_test
async def test_nothing_to_change_is_refused(four):
    chat = await new_group(four, four.bob)
    for d in (
        {},
        {"chat": None, "add_users": None, "remove_users": None},
        {"add_users": [], "remove_users": []},
        {"add_users": [four.alice.id, four.bob.id]},
        {"remove_users": [four.carol.id]},
        {"add_users": [four.bob.id], "remove_users": [four.dave.id]},
    ):
        await four.a.refused(13, 2, chat_id=chat, **d)
    await nobody_hears_anything(four)


@pytest.mark.gen_test
async def test_change_is_all_or_nothing(four):
    chat = await new_group(four, four.bob)
    for d in (
        {"chat": "New", "add_users": [four.carol.id, 10**6]},
        {"chat": "New", "remove_users": [four.bob.id, 10**6]},
        {"chat": "x" * 61, "add_users": [four.carol.id]},
        {"chat": "New", "add_users": [four.carol.id], "remove_users": [four.carol.id]},
    ):
        await four.a.refused(13, 2, chat_id=chat, **d)
    await nobody_hears_anything(four)
    assert (await four.a.call(13, 2, chat_id=chat, add_users=[four.dave.id]))["chat"] == "alice, bob, dave"


@pytest.mark.gen_test
async def test_plain_members_may_only_leave_and_admins_remove_plain_members(four):
    for person in (four.bob, four.carol, four.dave):
        await four.alice.befriend(person)
    chat = await four.alice.new_group(four.bob, four.carol)
    await four.alice.post(f"/chat/{chat}/{four.bob.id}/admin", True)
    for client in (four.a, four.b, four.c, four.d):
        await client.drain()
    alice, bob, carol, dave = (person.id for person in (four.alice, four.bob, four.carol, four.dave))
    for client, d in (
        (four.c, {"chat": "New"}),
        (four.c, {"add_users": [dave]}),
        (four.c, {"remove_users": [bob]}),
        (four.c, {"remove_users": [carol, bob]}),
        (four.c, {"chat": "New", "remove_users": [carol]}),
        (four.b, {"remove_users": [alice]}),
        (four.d, {"chat": "New"}),
        (four.d, {"add_users": [dave]}),
        (four.d, {"remove_users": [dave]}),
    ):
        await client.refused(13, 2, chat_id=chat, **d)
    await nobody_hears_anything(four)
    assert await four.d.refused(13, 2, chat_id=chat, chat="New") == await four.d.refused(13, 2, chat_id=9999, chat="N")
    assert (await four.b.call(13, 2, chat_id=chat, chat="New", add_users=[dave]))["users"] == [alice, bob, carol, dave]
    assert (await four.b.call(13, 2, chat_id=chat, remove_users=[dave]))["users"] == [alice, bob, carol]
    assert (await four.c.drain())[-1]["d"]["chat"] == "New"
    assert (await four.c.call(13, 2, chat_id=chat, remove_users=[carol]))["users"] == [alice, bob]


@pytest.mark.gen_test
async def test_private_chats_cannot_be_changed(four):
    chat = (await four.a.call(13, 1, user_ids=[four.bob.id], type=1))["chat_id"]
    await four.b.drain()
    for d in ({"chat": "x"}, {"add_users": [four.carol.id]}, {"remove_users": [four.alice.id]}):
        for client in (four.a, four.b):
            await client.refused(13, 2, chat_id=chat, **d)
    await nobody_hears_anything(four)


@pytest.mark.gen_test
async def test_group_passes_on_when_its_owner_leaves_and_ends_with_its_last_member(four):
    other_b = await OpcodesClient.of(four.bob)
    chat = await new_group(four, four.bob)
    await other_b.drain()
    answer = await four.a.call(13, 2, chat_id=chat, remove_users=[four.alice.id])
    assert answer == {"chat_id": chat, "chat": "bob", "users": [four.bob.id]}
    await four.b.expect(14, 2, **answer)
    await other_b.expect(14, 2, **answer)
    assert await four.b.call(13, 2, chat_id=chat, chat="Mine") == {**answer, "chat": "Mine"}
    await other_b.expect(14, 2, **{**answer, "chat": "Mine"})
    last = await four.b.call(13, 2, chat_id=chat, remove_users=[four.bob.id])
    assert last == {"chat_id": chat, "chat": "Mine", "users": []}
    await other_b.expect(14, 2, **last)
    assert await four.b.refused(11, 2, chat_id=chat, message="x") == "Chat not found"
    await nobody_hears_anything(four)


# What happens by other protocols


@pytest.mark.gen_test
async def test_changes_by_the_native_protocol_are_told(four):
    for person in (four.bob, four.carol):
        await four.alice.befriend(person)
    for client in (four.a, four.b, four.c):
        await client.drain()
    alice, bob, carol = (person.id for person in (four.alice, four.bob, four.carol))
    chat = await four.alice.new_group(four.bob, name="Native")
    for client in (four.a, four.b):
        await client.expect(14, 1, chat_id=chat)
        packet = await client.receive()
        assert (packet["op"], packet["t"], packet["d"]["chat_id"]) == (12, 2, chat)
    await four.alice.patch(f"/chat/{chat}", {"chat_name": "Renamed"})
    for client in (four.a, four.b):
        await client.expect(14, 2, chat_id=chat, chat="Renamed", users=[alice, bob])
    assert (await four.alice.post(f"/chat/{chat}/invite", {"user_id": carol})).status == 200
    assert (await four.alice.post(f"/chat/{chat}/invitation/{carol}")).status == 200
    for client in (four.a, four.b, four.c):
        assert {"op": 14, "t": 2, "d": {"chat_id": chat, "chat": "Renamed", "users": [alice, bob, carol]}} in (
            await client.drain()
        )
    await four.alice.delete(f"/chat/{chat}/{bob}")
    told = {"op": 14, "t": 2, "d": {"chat_id": chat, "chat": "Renamed", "users": [alice, carol]}}
    assert told in await four.a.drain() and told in await four.c.drain()
    assert await four.b.drain() == [told]
    await four.alice.delete(f"/chat/{chat}")
    for client in (four.a, four.c):
        await client.expect(14, 3, chat_id=chat)
        assert await client.refused(11, 2, chat_id=chat, message="x") == "Chat not found"
    await nobody_hears_anything(four)


@pytest.mark.gen_test
async def test_deleted_private_chat_is_told_and_its_id_is_unknown(four, nova):
    chat = (await four.a.call(13, 1, user_ids=[four.bob.id], type=1))["chat_id"]
    message = (await four.a.call(11, 1, chat_id=chat, message="x"))["message_id"]
    await four.b.drain()
    await nova.services.chats.delete_for(await nova.services.directory.get(four.bob.id), chat)
    for client in (four.a, four.b):
        await client.expect(14, 3, chat_id=chat)
    await four.a.refused(11, 1, chat_id=chat, message="x")
    await four.a.refused(11, 6, chat_id=chat, message_id=message, message="x")
    await four.a.refused(11, 7, chat_id=chat, message_id=message)
    await four.a.refused(13, 2, chat_id=chat, chat="x")
    assert (await four.a.call(13, 1, user_ids=[four.bob.id], type=1))["chat_id"] > chat


@pytest.mark.gen_test
async def test_joining_an_open_group_is_told_to_the_members(four, nova):
    alice, bob = [await nova.services.directory.get(person.id) for person in (four.alice, four.bob)]
    group = await nova.services.chats.create_group(alice, "Open", [], policy=JoinPolicy.OPEN)
    await four.a.expect(14, 1, chat_id=group.id)
    assert await nova.services.chats.join(bob, group.id)
    for client in (four.a, four.b):
        await client.expect(14, 2, chat_id=group.id, chat="Open", users=[alice.id, bob.id])
    await nobody_hears_anything(four)


@pytest.mark.gen_test
async def test_deleted_account_leaves_its_groups(four):
    chat = await new_group(four, four.bob, four.carol)
    await four.b.call(13, 1, user_ids=[four.carol.id], type=2)
    await four.c.drain()
    await four.bob.delete("/user")
    assert await four.a.drain() == [
        {"op": 14, "t": 2, "d": {"chat_id": chat, "chat": "alice, carol", "users": [four.alice.id, four.carol.id]}}
    ]
    assert [(packet["op"], packet["t"]) for packet in await four.c.drain()] == [(14, 3), (14, 2)]


@pytest.mark.gen_test
async def test_what_a_client_heard_is_what_a_new_connection_is_told(four):
    people, clients = (four.alice, four.bob, four.carol, four.dave), (four.a, four.b, four.c, four.d)
    ids = [person.id for person in people]
    known = {client: {} for client in clients}

    def hear(client, packets):
        """Apply what a client was told to what it knew: the members of its chats."""
        for packet in packets:
            d = packet["d"]
            if packet["op"] != 14 or d.get("status") == "error":
                continue
            users = {1: None, 2: d.get("users"), 3: []}[packet["t"]]
            known[client][d["chat_id"]] = users
            if users is not None and ids[clients.index(client)] not in users:
                del known[client][d["chat_id"]]

    async def take_in(client):
        hear(client, await client.drain())

    chats = []
    for _ in range(4):
        chats.append((await four.a.call(13, 1, user_ids=ids, type=2))["chat_id"])
        known[four.a][chats[-1]] = None
    for step in range(12):
        for index, client in enumerate(clients):
            d = (
                {"chat_id": chats[(step + index) % 4], "chat": str(step)}
                if step % 5 == 0
                else {
                    "chat_id": chats[(step + index) % 4],
                    "add_users" if step % 3 else "remove_users": [ids[(step * 3 + index) % 4]],
                }
            )
            await client.send({"op": 13, "t": 2, "d": d})
    await asyncio.gather(*(take_in(client) for client in clients))
    for client in clients:  # what the slowest of them has done
        await take_in(client)
    for person, client in zip(people, clients, strict=True):
        assert (await OpcodesClient.of(person)).lists["chat_ids"] == sorted(known[client])
    for chat in chats:
        last = [known[client][chat] for client in clients if known[client].get(chat) is not None]
        assert all(users == last[0] for users in last), last
        members = [ids[clients.index(client)] for client in clients if chat in known[client]]
        assert not last or last[0] == members
