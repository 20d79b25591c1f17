"""The methods protocol: chats and their members. Source: contract "protocols" sections 0.5, 0.10 and 1.5."""

import asyncio

import pytest
from clients.methods import MethodsClient
from plugins.methods_shapes import check_chat

from nova_tornado.domain.models import JoinPolicy


class Room:
    """Alice with two channels, bob and carol with one each, and dave, who is in no chat."""

    async def open(self, people):
        self.alice, self.bob, self.carol, self.dave = [await people(n) for n in ("alice", "bob", "carol", "dave")]
        self.a, self.b, self.c, self.d = [
            await MethodsClient.of(person) for person in (self.alice, self.bob, self.carol, self.dave)
        ]
        self.a2 = await MethodsClient.of(self.alice)
        self.clients = (self.a, self.a2, self.b, self.c, self.d)
        return self

    async def group(self, *members, title="Group"):
        """A group of alice's; all that is told of it is taken off."""
        users = [member.id for member in members]
        chat = (await self.a.call("create_chat", {"users": users, "title": title}))["data"]["chat"]["id"]
        for client in self.clients:
            await client.drain()
        return chat

    async def told(self):
        """What each client got up to now: types and data."""
        return [[(packet["type"], packet["data"]) for packet in await client.drain()] for client in self.clients]

    async def quiet(self):
        """Nobody got anything."""
        assert await self.told() == [[], [], [], [], []]

    async def expect(self, a=(), a2=(), b=(), c=(), d=()):
        """The types that each got up to now; returns the data."""
        told = await self.told()
        assert [[name for name, _ in each] for each in told] == [list(each) for each in (a, a2, b, c, d)], told
        return [[data for _, data in each] for each in told]


@pytest.fixture
def room(people, io_loop):
    return io_loop.run_sync(lambda: Room().open(people))


# create_chat


@pytest.mark.gen_test
async def test_group_is_told_to_its_initiator_and_to_the_others(room):
    users = [room.carol.id, room.bob.id, room.carol.id, room.alice.id]
    await room.a.do("create_chat", {"users": users, "title": "Books"}, key="k")
    (own,), (own2,), (bobs,), (carols,), _ = await room.expect(
        ["chat_created"], ["chat_created"], ["new_chat"], ["new_chat"]
    )
    members = {room.alice.id: "Owner", room.carol.id: "Member", room.bob.id: "Member"}
    check_chat(own["chat"], members, "Books")
    assert own == {"chat": own["chat"], "event_response_key": "k"} and own2 == {**own, "event_response_key": None}
    assert bobs == carols == {"chat": own["chat"]}


@pytest.mark.gen_test
async def test_one_other_user_without_title_is_a_private_chat(nova, room):
    await room.a.do("create_chat", {"users": [room.bob.id, room.bob.id], "title": None})
    own = (await room.expect(["chat_created"], ["chat_created"], ["new_chat"]))[0][0]
    check_chat(own["chat"], {room.alice.id: "Member", room.bob.id: "Member"})
    assert (await nova.services.chats.get(own["chat"]["id"])).is_private


@pytest.mark.gen_test
async def test_everything_else_is_a_group(nova, room):
    for args in ({"users": [room.bob.id], "title": "x"}, {"users": [room.bob.id, room.carol.id]}):
        chat = (await room.a.call("create_chat", args))["data"]["chat"]
        assert chat["title"] == args.get("title") and chat["users"][0]["role"] == "Owner"
        assert not (await nova.services.chats.get(chat["id"])).is_private


@pytest.mark.gen_test
async def test_a_chat_needs_another_user(room):
    for users in ([], [room.alice.id], [room.alice.id] * 3):
        await room.a.refused("field_error", "create_chat", {"users": users, "title": "x"}, key=1)
    await room.quiet()


@pytest.mark.gen_test
async def test_system_users_cannot_be_members(nova, room):
    for system_id in (nova.directory.system.id, nova.directory.deleted.id):
        await room.a.refused("field_error", "create_chat", {"users": [system_id]})
        await room.a.refused("field_error", "create_chat", {"users": [system_id, room.bob.id], "title": "x"})
    await room.quiet()


@pytest.mark.gen_test
async def test_a_chat_with_the_same_members_and_title_is_a_duplicate(room):
    group = await room.group(room.bob, room.carol, title="Books")
    untitled = await room.group(room.bob, room.carol, title=None)
    private = await room.group(room.bob, title=None)
    for client, user, title, chat in (
        (room.a, [room.carol.id, room.bob.id], "Books", group),
        (room.b, [room.alice.id, room.carol.id], "Books", group),
        (room.c, [room.alice.id, room.bob.id], None, untitled),
        (room.a, [room.bob.id, room.alice.id], None, private),
        (room.b, [room.alice.id], None, private),
    ):
        args = {"users": user, "title": title}
        error = await client.refused("chat_duplication_error", "create_chat", args, key=[1])
        assert error["chat_id"] == chat
    await room.quiet()
    await room.a.call("create_chat", {"users": [room.bob.id, room.carol.id], "title": "books"})
    await room.a.call("create_chat", {"users": [room.bob.id], "title": "Books"})
    await room.d.call("create_chat", {"users": [room.bob.id, room.carol.id], "title": "Books"})
    await room.expect([], ["chat_created"] * 2, ["new_chat"] * 3, ["new_chat"] * 2)


@pytest.mark.gen_test
async def test_the_members_of_now_count_for_duplicates(room):
    group = await room.group(room.bob, room.carol)
    await room.a.call("remove_from_chat", {"chat": group, "users": [room.carol.id]})
    args = {"users": [room.bob.id], "title": "Group"}
    assert (await room.a.refused("chat_duplication_error", "create_chat", args))["chat_id"] == group
    assert (await room.a.call("create_chat", {**args, "users": [room.bob.id, room.carol.id]}))["type"] == "chat_created"


@pytest.mark.gen_test
@pytest.mark.parametrize("title", [None, "Group"])
async def test_equal_requests_at_the_same_moment_make_one_chat(room, title):
    requests = [(room.a, room.bob), (room.a2, room.bob), (room.b, room.alice)]
    await asyncio.gather(
        *(client.do("create_chat", {"users": [other.id], "title": title}, key=1) for client, other in requests)
    )
    told = await room.told()
    errors = [data for each in told for name, data in each if name == "error"]
    made = {data["chat"]["id"] for each in told for name, data in each if name in ("chat_created", "new_chat")}
    assert len(errors) == 2 and len(made) == 1 and {error["chat_id"] for error in errors} == made


@pytest.mark.gen_test
async def test_chats_made_by_other_protocols_are_told_without_key(nova, room):
    chat, _ = await nova.services.chats.open_private(await nova.services.directory.get(room.alice.id), room.bob.id)
    (own,), (own2,), (bobs,), *_ = await room.expect(["chat_created"], ["chat_created"], ["new_chat"])
    assert own == own2 == {"chat": bobs["chat"], "event_response_key": None} and own["chat"]["id"] == chat.id


# update_chat


@pytest.mark.gen_test
async def test_renaming_is_told_to_all_members(room):
    group = await room.group(room.bob)
    await room.a.do("update_chat", {"chat": group, "title": "New"}, key="k")
    (own,), (own2,), (bobs,), *_ = await room.expect(["chat_updated"], ["chat_updated"], ["chat_updated"])
    check_chat(own["chat"], {room.alice.id: "Owner", room.bob.id: "Member"}, "New")
    assert own["event_response_key"] == "k" and own2 == {**own, "event_response_key": None}
    assert bobs == {"chat": own["chat"]}
    assert (await room.a.call("update_chat", {"chat": group, "title": None}))["data"]["chat"]["title"] is None
    assert (await room.a.call("update_chat", {"chat": group, "title": None}))["type"] == "chat_updated"


@pytest.mark.gen_test
async def test_who_may_rename_add_and_remove(nova, room):
    group = await room.group(room.bob, room.carol)
    private = (await room.a.call("create_chat", {"users": [room.bob.id]}))["data"]["chat"]["id"]
    await room.told()
    for client, chat in ((room.b, group), (room.d, group), (room.a, private), (room.d, private)):
        await client.refused("access_error", "update_chat", {"chat": chat, "title": "x"}, key=1)
        await client.refused("access_error", "add_to_chat", {"chat": chat, "users": [room.dave.id]}, key=1)
        await client.refused("access_error", "remove_from_chat", {"chat": chat, "users": [room.carol.id]}, key=1)
    await room.a.refused("access_error", "remove_from_chat", {"chat": private, "users": [room.alice.id]})
    await room.quiet()
    alice = await nova.services.directory.get(room.alice.id)
    await nova.services.chats.set_admin(alice, group, room.bob.id, True)
    await room.b.refused("access_error", "remove_from_chat", {"chat": group, "users": [room.carol.id, room.alice.id]})
    chat = (await room.b.call("update_chat", {"chat": group, "title": "x"}))["data"]["chat"]
    check_chat(chat, {room.alice.id: "Owner", room.bob.id: "Admin", room.carol.id: "Member"}, "x")
    await room.b.call("add_to_chat", {"chat": group, "users": [room.dave.id]})
    await room.b.call("remove_from_chat", {"chat": group, "users": [room.carol.id]})
    await room.c.expect("chat_updated", "user_added", "chat_removed")
    await room.c.refused("access_error", "read_messages", {"chat": group})


# add_to_chat, remove_from_chat


@pytest.mark.gen_test
async def test_adding_is_told_to_initiator_old_members_and_new_ones(room):
    group = await room.group(room.bob)
    users = [room.dave.id, room.bob.id, room.carol.id, room.dave.id]
    await room.a.do("add_to_chat", {"chat": group, "users": users}, key=0)
    (own,), (own2,), (bobs,), (carols,), (daves,) = await room.expect(
        ["user_added_successful"], ["user_added_successful"], ["user_added"], ["new_chat"], ["new_chat"]
    )
    added = [room.dave.id, room.carol.id]
    check_chat(own["chat"], {room.alice.id: "Owner", room.bob.id: "Member", **dict.fromkeys(added, "Member")}, "Group")
    assert own == {"event_response_key": 0, "user_ids": added, "chat": own["chat"]}
    assert own2 == {**own, "event_response_key": None}
    assert bobs == {"user_ids": added, "chat": own["chat"]} and carols == daves == {"chat": own["chat"]}


@pytest.mark.gen_test
async def test_removing_is_told_to_initiator_remaining_members_and_removed_ones(room):
    group = await room.group(room.bob, room.carol, room.dave)
    users = [room.dave.id, room.carol.id, room.dave.id]
    await room.a.do("remove_from_chat", {"chat": group, "users": users}, key=[])
    (own,), (own2,), (bobs,), (carols,), (daves,) = await room.expect(
        ["user_removed_successful"], ["user_removed_successful"], ["user_removed"], ["chat_removed"], ["chat_removed"]
    )
    check_chat(own["chat"], {room.alice.id: "Owner", room.bob.id: "Member"}, "Group")
    assert own == {"event_response_key": [], "user_ids": [room.dave.id, room.carol.id], "chat": own["chat"]}
    assert own2 == {**own, "event_response_key": None}
    assert bobs == {"user_ids": [room.dave.id, room.carol.id], "chat": own["chat"]}
    assert carols == daves == {"chat": own["chat"]}
    await room.a.call("send_message", {"chat": group, "text": "they are gone"})
    await room.expect([], ["message_created"], ["new_message"])
    await room.c.refused("access_error", "send_message", {"chat": group, "text": "x"})


@pytest.mark.gen_test
async def test_one_who_removes_himself_is_told_both(room):
    group = await room.group(room.bob, room.carol)
    await room.a.do("remove_from_chat", {"chat": group, "users": [room.alice.id]}, key=1)
    own, own2, bobs, carols, _ = await room.expect(
        ["user_removed_successful", "chat_removed"],
        ["user_removed_successful", "chat_removed"],
        ["user_removed"],
        ["user_removed"],
    )
    check_chat(own[0]["chat"], {room.bob.id: "Owner", room.carol.id: "Member"}, "Group")
    assert own[0]["event_response_key"] == 1 and own2[0]["event_response_key"] is None
    assert own[1] == {"chat": own[0]["chat"]}
    assert bobs == carols == [{"user_ids": [room.alice.id], "chat": own[0]["chat"]}]


@pytest.mark.gen_test
async def test_the_last_one_who_leaves_deletes_the_chat(room):
    group = await room.group(room.bob)
    await room.b.do("remove_from_chat", {"chat": group, "users": [room.bob.id]})
    await room.a.do("remove_from_chat", {"chat": group, "users": [room.alice.id]}, key=1)
    own = (await room.told())[0][-2:]
    assert [name for name, _ in own] == ["user_removed_successful", "chat_removed"]
    check_chat(own[1][1]["chat"], {}, "Group")
    await room.a.refused("access_error", "read_messages", {"chat": group})


@pytest.mark.gen_test
async def test_nothing_left_to_do_and_unknown_users_are_field_errors(room):
    group = await room.group(room.bob)
    for method, users in (
        ("add_to_chat", [room.bob.id, room.alice.id]),
        ("remove_from_chat", [room.carol.id]),
        ("add_to_chat", [room.carol.id, 99]),
        ("remove_from_chat", [room.bob.id, 99]),
        ("add_to_chat", []),
        ("remove_from_chat", []),
    ):
        await room.a.refused("field_error", method, {"chat": group, "users": users}, key=1)
    await room.quiet()


# From elsewhere


@pytest.mark.gen_test
async def test_a_change_of_everything_is_told_one_by_one(nova, room):
    group = await room.group(room.bob, room.carol)
    alice = await nova.services.directory.get(room.alice.id)
    await nova.services.chats.edit(alice, group, title="New", add_ids=[room.dave.id], remove_ids=[room.carol.id])
    own = ["user_removed_successful", "user_added_successful", "chat_updated"]
    a, a2, b, c, d = await room.expect(
        own, own, ["user_removed", "user_added", "chat_updated"], ["chat_removed"], ["new_chat", "chat_updated"]
    )
    check_chat(a[0]["chat"], {room.alice.id: "Owner", room.bob.id: "Member", room.dave.id: "Member"}, "New")
    assert all(data["chat"] == a[0]["chat"] for each in (a, a2, b, c, d) for data in each)
    assert all(data["event_response_key"] is None for data in (*a, *a2))
    assert [data["user_ids"] for data in b[:2]] == [[room.carol.id], [room.dave.id]]


@pytest.mark.gen_test
async def test_who_enters_or_leaves_an_open_group_is_the_initiator(nova, room):
    alice, bob = [await nova.services.directory.get(person.id) for person in (room.alice, room.bob)]
    group = await nova.services.chats.create_group(bob, "Open", [], policy=JoinPolicy.OPEN)
    await room.expect(b=["chat_created"])
    await nova.services.chats.join(alice, group.id)
    (own,), _, (bobs,), *_ = await room.expect(["user_added_successful"], ["user_added_successful"], ["user_added"])
    assert own["event_response_key"] is None and own["user_ids"] == bobs["user_ids"] == [room.alice.id]
    await nova.services.chats.edit(alice, group.id, remove_ids=[room.alice.id])
    left = ["user_removed_successful", "chat_removed"]
    await room.expect(left, left, ["user_removed"])


@pytest.mark.gen_test
async def test_changes_by_the_actions_protocol_are_told(room):
    await room.alice.befriend(room.bob)
    await room.alice.befriend(room.carol)
    await room.told()
    group = await room.alice.new_group(room.bob, name="Native")
    made = ["chat_created", "new_message"]
    own = (await room.expect(made, made, ["new_chat", "new_message"]))[0]
    check_chat(own[0]["chat"], {room.alice.id: "Owner", room.bob.id: "Member"}, "Native")
    assert own[1]["message"]["user"]["first_name"] == "#SYSTEM" and own[1]["message"]["user"]["role"] == "Member"
    assert (await room.alice.post(f"/chat/{group}/invite", {"user_id": room.carol.id})).status == 200
    assert (await room.alice.post(f"/chat/{group}/invitation/{room.carol.id}")).status == 200
    added = ["user_added_successful", "new_message"]
    await room.expect(added, added, ["user_added", "new_message"], ["new_chat", "new_message"])
    assert (await room.alice.delete(f"/chat/{group}/{room.bob.id}")).status == 200
    removed = ["user_removed_successful", "new_message"]
    await room.expect(removed, removed, ["chat_removed"], ["user_removed", "new_message"])
    assert (await room.carol.delete(f"/chat/{group}")).status == 200
    left = ["user_removed", "new_message"]
    await room.expect(left, left, [], ["user_removed_successful", "chat_removed"])
    assert (await room.alice.delete(f"/chat/{group}")).status == 200
    own = (await room.expect(["chat_removed"], ["chat_removed"]))[0][0]
    check_chat(own["chat"], {room.alice.id: "Owner"}, "Native")
    await room.a.refused("access_error", "read_messages", {"chat": group})


@pytest.mark.gen_test
async def test_the_user_is_shown_as_he_is_now(room):
    await room.b.call("auth")
    changes = {"email": "b@example.com", "avatar_url": "https://example.com/b.png"}
    assert (await room.bob.patch("/user", {**changes, "old_password": room.bob.password})).status == 200
    user = (await room.b.call("create_chat", {"users": [room.alice.id]}))["data"]["chat"]["users"][0]
    color = user.pop("color")
    assert user == {
        "pk": room.bob.id, "email": "b@example.com", "first_name": "bob", "last_name": "",
        "photo": "https://example.com/b.png", "role": "Member",
    }  # fmt: skip
    again = (await room.a.call("create_chat", {"users": [room.bob.id], "title": "x"}))["data"]["chat"]["users"]
    assert {one["pk"]: one["color"] for one in again}[room.bob.id] == color


@pytest.mark.gen_test
async def test_a_large_photo_is_shown_too(nova, room):
    photo = "data:image/png;base64," + "A" * 99_000
    user = await nova.services.directory.get(room.bob.id)
    session, _ = await nova.services.accounts.find_session(room.b.token)
    await nova.services.accounts.change(user, session, "127.0.0.1", avatar_url=photo)
    await room.a.do("create_chat", {"users": [room.bob.id]})
    assert (await room.a.expect("chat_created"))[0]["chat"]["users"][1]["photo"] == photo
