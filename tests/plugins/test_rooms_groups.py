"""The rooms protocol's groups: open and closed ones, entering and leaving, who is told what.

Source: rooms document; contract "protocols" sections 0.5, 0.10, 3.7, 3.9.
"""

import asyncio

import pytest
from clients.rooms import RoomsClient

NO_INTEGERS = (True, False, 1.0, 1.5, "1", "", None, [], [1], {}, {"$ne": None})
UNKNOWN_IDS = (0, -1, 2**53 + 1, 10**30)
BAD_NAMES = (None, 5, True, [], {}, "", "x" * 61, "a\0b", "\ud800")


async def users(people, *names):
    """A person and a quiet client each."""
    clients = [await RoomsClient.of(await people(name)) for name in names]
    await quiet(*clients)
    return clients


async def quiet(*clients):
    for client in clients:
        await client.drain()


async def silent(*clients):
    return all([await client.drain() == [] for client in clients])


async def closed_group(people, owner, *members):
    """A group of the native protocol; what comes of it is taken off."""
    for member in members:
        await owner.person.befriend(member.person)
    group_id = await owner.person.new_group(*(member.person for member in members), name="Closed")
    await quiet(owner, *members)
    return group_id


async def enter(client, group_id, is_enter=True):
    assert (await client.post(f"/chat_groups/{group_id}", {"is_enter": is_enter})).data is None


async def member_ids(client, group_id):
    return [user["user_id"] for user in (await client.get(f"/users/group/{group_id}")).data]


def activity(client, group_id, is_enter):
    return {"type": "group_chat_activitity", "chat_group_id": group_id, "user_id": client.user_id, "is_enter": is_enter}


def same_activity(packet, expected, name):
    return name in packet["message"] and {key: packet[key] for key in expected} == expected


# Making and renaming


@pytest.mark.gen_test
async def test_a_new_group_is_open_and_everybody_online_is_told(people):
    alice, bob = await users(people, "alice", "bob")
    made = (await alice.post("/chat_groups", {"name": "Bücher <b>", "member_ids": [bob.user_id]})).data
    assert made == {"chat_group_id": made["chat_group_id"], "name": "Bücher <b>", "owner_id": alice.user_id}
    for client in (alice, bob):
        assert await client.drain() == [{"type": "group_chat_update", **made}]
        assert (await client.get("/chat_groups")).data == [made]
        assert await member_ids(client, made["chat_group_id"]) == [alice.user_id]


@pytest.mark.gen_test
async def test_both_ways_of_renaming_tell_everybody_online(people):
    alice, bob = await users(people, "alice", "bob")
    group = await alice.new_group()
    await quiet(bob)
    for path, body in (
        ("/chat_groups", {"group_id": group, "name": "One"}),
        (f"/chat_groups/{group}", {"name": "Two"}),
    ):
        renamed = (await alice.put(path, body)).data
        assert renamed == {"chat_group_id": group, "name": body["name"], "owner_id": alice.user_id}
        for client in (alice, bob):
            assert await client.drain() == [{"type": "group_chat_update", **renamed}]
    assert [each["name"] for each in (await bob.get("/chat_groups")).data] == ["Two"]


@pytest.mark.gen_test
async def test_bad_requests_about_groups_change_nothing(people):
    alice, bob = await users(people, "alice", "bob")
    group = await alice.new_group("Name")
    await quiet(bob)
    room = (await alice.say(bob.user_id, "hi"))["chat_room_id"]
    await quiet(bob)
    for name in BAD_NAMES:
        for method, path, more in (
            ("POST", "/chat_groups", {}),
            ("PUT", "/chat_groups", {"group_id": group}),
            ("PUT", f"/chat_groups/{group}", {}),
            ("PUT", f"/chat_groups/{10**15}", {}),
        ):
            (await alice.http(method, path, {**more, "name": name})).refused(400)
    for group_id in NO_INTEGERS:
        (await alice.put("/chat_groups", {"group_id": group_id, "name": "New"})).refused(400)
    for group_id in (*UNKNOWN_IDS, room):
        (await alice.put("/chat_groups", {"group_id": group_id, "name": "New"})).refused(404)
    for is_enter in (None, 1, 0, "true", "", [], {}):
        (await alice.post(f"/chat_groups/{group}", {"is_enter": is_enter})).refused(400)
    for path in (f"/chat_groups/{room}", f"/chat_groups/{10**15}", f"/chat_groups/{10**30}"):
        (await alice.put(path, {"name": "New"})).refused(404)
        (await alice.post(path, {"is_enter": True})).refused(404)
        (await alice.get(path)).refused(404)
        (await alice.get(path.replace("/chat_groups", "/users/group"))).refused(404)
    (await bob.put("/chat_groups", {"group_id": group, "name": "New"})).refused(403)
    (await bob.put(f"/chat_groups/{group}", {"name": "New"})).refused(403)
    await enter(bob, group)
    await quiet(alice, bob)
    (await bob.put(f"/chat_groups/{group}", {"name": "New"})).refused(403)
    assert [each["name"] for each in (await alice.get("/chat_groups")).data] == ["Name"]
    assert await silent(alice, bob)


# Open and closed


@pytest.mark.gen_test
async def test_closed_groups_are_invisible_to_others(people):
    alice, bob, eve = await users(people, "alice", "bob", "eve")
    group = await closed_group(people, alice, bob)
    await quiet(eve)
    assert [each["chat_group_id"] for each in (await bob.get("/chat_groups")).data] == [group]
    assert (await eve.get("/chat_groups")).data == []
    for method, path, body in (
        ("GET", f"/chat_groups/{group}", {}),
        ("GET", f"/users/group/{group}", {}),
        ("POST", f"/chat_groups/{group}", {"is_enter": True}),
        ("POST", f"/chat_groups/{group}", {"is_enter": False}),
        ("PUT", f"/chat_groups/{group}", {"name": "Mine"}),
        ("PUT", "/chat_groups", {"group_id": group, "name": "Mine"}),
    ):
        (await eve.http(method, path, body)).refused(403)
    await eve.refused({"chat_type": "group", "chat_group_id": group, "message": "hi"}, 403)
    assert await silent(alice, bob, eve)
    assert await member_ids(bob, group) == [alice.user_id, bob.user_id]
    assert [each["user_id"] for each in (await bob.get(f"/chat_groups/{group}")).data] != []


@pytest.mark.gen_test
async def test_open_groups_are_seen_and_read_by_everybody_and_written_by_members(people):
    alice, bob = await users(people, "alice", "bob")
    group = await alice.new_group()
    await quiet(bob)
    sent = await alice.say_to_group(group, "hello")
    assert [each["message_id"] for each in (await bob.get(f"/chat_groups/{group}")).data] == [sent["message_id"]]
    assert await member_ids(bob, group) == [alice.user_id]
    await bob.refused({"chat_type": "group", "chat_group_id": group, "message": "hi"}, 403)
    assert await silent(alice, bob)


@pytest.mark.gen_test
async def test_groups_are_listed_by_id_with_a_name_for_those_without_title(people, nova):
    alice, bob = await users(people, "alice", "bob")
    groups = [await bob.new_group("B", is_entered=False), await closed_group(people, alice, bob)]
    groups.append(await alice.new_group("A", is_entered=False))
    users_of = await nova.services.directory.load([alice.user_id, bob.user_id])
    untitled = await nova.services.chats.create_group(users_of[alice.user_id], "", [bob.user_id])
    listed = (await alice.get("/chat_groups")).data
    assert [each["chat_group_id"] for each in listed] == [*groups, untitled.id] == sorted([*groups, untitled.id])
    assert [each["name"] for each in listed] == ["B", "Closed", "A", "alice, bob"]
    assert {"type": "group_chat_update", **listed[-1]} in await bob.drain()


# Entering and leaving


@pytest.mark.gen_test
async def test_entering_an_open_group_joins_and_leaving_it_leaves(people):
    alice, bob, carol = await users(people, "alice", "bob", "carol")
    group = await alice.new_group()
    await alice.person.patch("/user", {"user_name": "alicia"})
    await bob.put("/users/profile", {"first_name": "Robert"})
    await quiet(alice, bob, carol)
    await enter(bob, group)
    updated, entered = await bob.expect("group_chat_update", "group_chat_activitity")
    assert updated["chat_group_id"] == group and same_activity(entered, activity(bob, group, True), "Robert")
    assert await alice.drain() == [entered]
    assert await silent(carol)
    assert await member_ids(carol, group) == [alice.user_id, bob.user_id]

    await enter(bob, group)  # again
    assert await silent(alice, bob, carol)

    await enter(bob, group, False)
    (left,) = await alice.drain()
    assert same_activity(left, activity(bob, group, False), "Robert")
    assert await silent(bob, carol)  # an open group's members are not told that they are none any more
    assert await member_ids(carol, group) == [alice.user_id]
    await enter(bob, group, False)
    assert await silent(alice, bob, carol)


@pytest.mark.gen_test
async def test_the_owner_leaves_an_open_group_and_stays_a_member(people):
    alice, bob = await users(people, "alice", "bob")
    group = await alice.new_group()
    await bob.enter(group)
    await quiet(alice)
    await enter(alice, group, False)
    (left,) = await bob.drain()
    assert same_activity(left, activity(alice, group, False), "alice")
    assert await member_ids(bob, group) == [alice.user_id, bob.user_id]
    assert await silent(alice)


@pytest.mark.gen_test
async def test_leaving_a_closed_group_keeps_the_membership(people):
    alice, bob = await users(people, "alice", "bob")
    group = await closed_group(people, alice, bob)
    await enter(alice, group)
    assert same_activity((await alice.drain())[0], activity(alice, group, True), "alice")
    assert await silent(bob)
    await enter(bob, group)
    assert await alice.drain() == await bob.drain() != []
    await enter(bob, group, False)
    assert len(await alice.drain()) == 1 and await silent(bob)
    assert await member_ids(alice, group) == [alice.user_id, bob.user_id]


@pytest.mark.gen_test
async def test_messages_reach_those_in_the_group_and_all_sockets_of_the_author(people):
    alice, bob, carol, eve = await users(people, "alice", "bob", "carol", "eve")
    phone = await RoomsClient.of(alice.person)
    group = await closed_group(people, alice, bob, carol)
    await enter(bob, group)
    await quiet(alice, phone, bob, carol, eve)
    packet = await alice.say_to_group(group, "hello")
    assert packet == {
        "type": "group_chat_message",
        "user_id": alice.user_id,
        "chat_group_id": group,
        "message": "hello",
        "timestamp": packet["timestamp"],
        "message_id": packet["message_id"],
    }
    assert await phone.drain() == [packet] == await bob.drain()
    assert await silent(alice, carol, eve)
    second = await bob.say_to_group(group, "from one who is in")
    assert await silent(alice, phone, carol)
    assert [each["message_id"] for each in (await carol.get(f"/chat_groups/{group}")).data][-2:] == [
        packet["message_id"],
        second["message_id"],
    ]


@pytest.mark.gen_test
async def test_being_in_a_group_outlives_the_socket_and_ends_with_the_last_token(people):
    alice, bob = await users(people, "alice", "bob")
    group = await alice.new_group()
    await bob.enter(group)
    await quiet(alice)
    bob.close()
    again = await RoomsClient.of(bob.person)
    packet = await alice.say_to_group(group, "one")
    assert await again.drain() == [packet]

    assert (await bob.get("/logout")).data is None  # one token of two
    await quiet(again, alice)
    packet = await alice.say_to_group(group, "two")
    assert await again.drain() == [packet]

    assert (await again.get("/logout")).data is None
    await again.expect_close(4401)
    third = await RoomsClient.of(bob.person)
    await quiet(alice)
    await alice.say_to_group(group, "three")
    assert await silent(third)
    assert await member_ids(third, group) == [alice.user_id, bob.user_id]  # but he is a member still
    await enter(third, group)
    assert len(await alice.drain()) == 1


@pytest.mark.gen_test
async def test_a_logout_by_another_protocol_ends_it_too(people, nova):
    alice, bob = await users(people, "alice", "bob")
    group = await alice.new_group()
    await bob.enter(group)
    headers = {"Authorization": f"Bearer {bob.token}"}
    assert (await bob.person.post("/user/logout", headers=headers, with_cookie=False)).data is None
    await nova._dispatcher.drained()
    again = await RoomsClient.of(bob.person)
    await quiet(alice)
    await alice.say_to_group(group, "hello")
    assert await silent(again)


@pytest.mark.gen_test
async def test_a_removed_member_is_not_in_the_group_even_if_he_comes_back(people):
    alice, bob = await users(people, "alice", "bob")
    group = await closed_group(people, alice, bob)
    await enter(bob, group)
    await quiet(bob)
    assert (await alice.person.delete(f"/chat/{group}/{bob.user_id}")).data is None
    await quiet(alice)
    assert await bob.drain() == [{"type": "group_chat_remove", "chat_group_id": group}]
    await alice.say_to_group(group, "secret")
    assert await silent(bob)
    (await bob.get(f"/chat_groups/{group}")).refused(403)
    await bob.refused({"chat_type": "group", "chat_group_id": group, "message": "hi"}, 403)
    invitation = await alice.person.post(f"/chat/{group}/invite", {"user_id": bob.user_id})
    assert invitation.data is None
    assert (await alice.person.post(f"/chat/{group}/invitation/{bob.user_id}")).data is None
    assert [packet["type"] for packet in await bob.drain()] == ["group_chat_update"]
    await alice.say_to_group(group, "still not for him")
    assert await silent(bob)
    await enter(bob, group)
    assert len(await bob.drain()) == 1


@pytest.mark.gen_test
async def test_many_enter_and_leave_at_once(people):
    alice, bob = await users(people, "alice", "bob")
    group = await alice.new_group()
    await quiet(bob)
    for is_enter in (True, False):
        answers = await asyncio.gather(*(bob.post(f"/chat_groups/{group}", {"is_enter": is_enter}) for _ in range(8)))
        assert [answer.data for answer in answers] == [None] * 8
        told = [packet for packet in await alice.drain() if packet["type"] == "group_chat_activitity"]
        assert len(told) == 1
    assert await member_ids(bob, group) == [alice.user_id]


# What is told of groups


@pytest.mark.gen_test
async def test_closed_groups_are_told_to_their_members_alone(people):
    alice, bob, carol, eve = await users(people, "alice", "bob", "carol", "eve")
    for member in (bob, carol):
        await alice.person.befriend(member.person)
    await quiet(alice, bob, carol, eve)
    group = await alice.person.new_group(bob.person, name="Closed")
    update = {"type": "group_chat_update", "chat_group_id": group, "name": "Closed", "owner_id": alice.user_id}
    assert await alice.drain() == [update] == await bob.drain()
    renamed = (await alice.put(f"/chat_groups/{group}", {"name": "Renamed"})).data
    assert await alice.drain() == [{"type": "group_chat_update", **renamed}] == await bob.drain()
    assert (await alice.person.patch(f"/chat/{group}", {"chat_name": "Again"})).status == 200
    assert [packet["name"] for packet in await bob.drain()] == ["Again"]
    await quiet(alice)
    assert await silent(carol, eve)
    assert (await alice.person.delete(f"/chat/{group}")).data is None
    assert await alice.drain() == [{"type": "group_chat_remove", "chat_group_id": group}] == await bob.drain()
    assert await silent(carol, eve)
    (await alice.get(f"/chat_groups/{group}")).refused(404)


@pytest.mark.gen_test
async def test_one_edit_is_told_to_nobody_twice(people, nova):
    alice, bob, carol, eve = await users(people, "alice", "bob", "carol", "eve")
    chats, directory = nova.services.chats, nova.services.directory
    owner = await directory.get(alice.user_id)
    group = (await chats.create_group(owner, "", [bob.user_id])).id
    assert [packet["name"] for packet in await alice.drain()] == ["alice, bob"]
    await quiet(bob)
    await chats.edit(owner, group, add_ids=[carol.user_id])
    assert [packet["name"] for packet in await carol.drain()] == ["alice, bob, carol"]
    assert await silent(alice, bob)
    await chats.edit(owner, group, title="Title", add_ids=[eve.user_id], remove_ids=[bob.user_id])
    update = {"type": "group_chat_update", "chat_group_id": group, "name": "Title", "owner_id": alice.user_id}
    assert await alice.drain() == [update] == await carol.drain() == await eve.drain()
    assert await bob.drain() == [{"type": "group_chat_remove", "chat_group_id": group}]
    await chats.edit(owner, group, remove_ids=[alice.user_id])
    assert await alice.drain() == [{"type": "group_chat_remove", "chat_group_id": group}]
    assert await silent(carol, eve)


@pytest.mark.gen_test
async def test_an_open_group_is_told_to_everybody_online(people, nova):
    alice, bob, eve = await users(people, "alice", "bob", "eve")
    chats, directory = nova.services.chats, nova.services.directory
    owner = await directory.get(alice.user_id)
    group = await alice.new_group(is_entered=False)
    await quiet(bob, eve)
    await chats.edit(owner, group, title="Title", add_ids=[bob.user_id])
    for client in (alice, bob, eve):
        assert [(packet["type"], packet["name"]) for packet in await client.drain()] == [("group_chat_update", "Title")]
    await chats.edit(owner, group, remove_ids=[bob.user_id])
    assert await silent(alice, bob, eve)
    await chats.delete_for(owner, group)
    for client in (alice, bob, eve):
        assert await client.drain() == [{"type": "group_chat_remove", "chat_group_id": group}]
    assert (await eve.get("/chat_groups")).data == []
    for method, path in (("GET", "/chat_groups/{}"), ("GET", "/users/group/{}")):
        (await alice.http(method, path.format(group))).refused(404)


@pytest.mark.gen_test
async def test_edits_and_recalls_are_told_as_the_messages_are(people):
    alice, bob, carol = await users(people, "alice", "bob", "carol")
    group = await closed_group(people, alice, bob, carol)
    await enter(bob, group)
    socket = await alice.person.socket()
    await quiet(alice, bob, carol)
    in_group = await alice.say_to_group(group, "first")
    in_room = await alice.say(bob.user_id, "first")
    await quiet(bob)
    for kind, sent in (("group", in_group), ("room", in_room)):
        chat = {f"chat_{kind}_id": sent[f"chat_{kind}_id"], "message_id": sent["message_id"]}
        await socket.send("edit_message", {"message_id": sent["message_id"], "content": "second"})
        (edited,) = await alice.expect(f"{kind}_chat_message_update")
        assert edited == {
            **{key: sent[key] for key in sent if key != "other_user_id"},
            "type": f"{kind}_chat_message_update",
            "message": "second",
        }
        assert await bob.drain() == [edited]
        await socket.send("recall_message", {"message_id": sent["message_id"]})
        (deleted,) = await alice.expect(f"{kind}_chat_message_delete")
        assert deleted == {"type": f"{kind}_chat_message_delete", **chat}
        assert await bob.drain() == [deleted]
        path = f"/chat_{kind}s/{sent[f'chat_{kind}_id']}"
        assert sent["message_id"] not in [each["message_id"] for each in (await bob.get(path)).data]
    assert await silent(carol)


@pytest.mark.gen_test
async def test_the_end_of_a_private_chat_is_told_to_both(people):
    alice, bob, eve = await users(people, "alice", "bob", "eve")
    room = await alice.person.befriend(bob.person)
    assert [packet["type"] for packet in await alice.drain()] == ["room_chat_message"]
    (greeting,) = await bob.drain()  # the system speaks to both
    assert greeting["chat_room_id"] == room and greeting["other_user_id"] == bob.user_id
    assert (await alice.person.delete(f"/friend/{bob.user_id}")).data is None
    for client in (alice, bob):
        assert await client.drain() == [{"type": "room_chat_remove", "chat_room_id": room}]
    assert await silent(eve)
    (await alice.get(f"/chat_rooms/{room}")).refused(404)


@pytest.mark.gen_test
async def test_a_deleted_account_leaves_its_groups(people, nova):
    alice, bob = await users(people, "alice", "bob")
    group = await alice.new_group()
    await bob.enter(group)
    await bob.say_to_group(group, "hello")
    await quiet(alice)
    assert (await bob.person.delete("/user")).data is None
    await bob.receive()
    assert await member_ids(alice, group) == [alice.user_id]
    (message,) = (await alice.get(f"/chat_groups/{group}")).data
    assert message["user_id"] != bob.user_id and message["message"] == "hello"
    assert (await alice.say_to_group(group, "alone"))["message"] == "alone"


@pytest.mark.gen_test
async def test_nothing_reaches_a_member_after_his_removal_however_much_is_said(people):
    alice, bob = await users(people, "alice", "bob")
    group = await closed_group(people, alice, bob)
    await bob.enter(group)
    for number in range(300):
        await alice.send({"chat_type": "group", "chat_group_id": group, "message": str(number)})
    await bob.expect(*["group_chat_message"] * 10)
    assert (await alice.person.delete(f"/chat/{group}/{bob.user_id}")).data is None
    for number in range(300):
        await alice.send({"chat_type": "group", "chat_group_id": group, "message": str(number)})
    await quiet(alice)
    types = [packet["type"] for packet in await bob.drain()]
    assert types.count("group_chat_remove") == 1 and types[-1] == "group_chat_remove"
