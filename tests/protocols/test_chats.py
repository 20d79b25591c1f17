"""Chats and their members in the actions protocol.

Source: actions document, Chat control APIs; contract "actions" sections 2 (DELETE /user) and 5.
"""

import asyncio
import time

import pytest


def basic(person):
    """What User.Basic of a person must hold (the avatar is looked at elsewhere)."""
    return (person.id, person.name)


def who(user):
    """The same out of a struct."""
    assert user.keys() == {"id", "user_name", "avatar_url"}
    return (user["id"], user["user_name"])


def check_system_message(message, chat_id, text):
    """A message of the system user that nobody has read yet."""
    assert message.keys() == {
        *("message_id", "chat_id", "message", "send_time", "sender", "reply_to_id"),
        *("deleted", "read_users", "reply_to", "replied_by"),
    }
    assert (message["chat_id"], message["message"]) == (chat_id, text)
    assert message["sender"]["user_name"] == "#SYSTEM" and message["sender"]["avatar_url"] == ""
    assert isinstance(message["send_time"], float) and abs(message["send_time"] - time.time()) < 60
    assert (message["reply_to_id"], message["reply_to"], message["deleted"]) == (None, None, False)
    assert (message["read_users"], message["replied_by"]) == ([], [])


async def expect_system_message(socket, chat_id, text):
    [news] = await socket.expect("new_message")
    assert news.keys() == {"message"}
    check_system_message(news["message"], chat_id, text)


async def make_group(people, *names, admins=()):
    """A group: the first one owns it, those in ``admins`` are its admins. Returns its id and all of them."""
    persons = [await people(name) for name in names]
    for member in persons[1:]:
        await persons[0].befriend(member)
    chat_id = await persons[0].new_group(*persons[1:])
    for person in persons:
        if person.name in admins:
            assert (await persons[0].post(f"/chat/{chat_id}/{person.id}/admin", True)).data is None
    return chat_id, *persons


async def roles(person, chat_id):
    """Owner, admins and members as one of them sees them."""
    chat = (await person.get(f"/chat/{chat_id}")).data["chat"]
    ids = [user["id"] for user in chat["chat_admins"]], [user["id"] for user in chat["chat_members"]]
    return chat["chat_owner"]["id"], *ids


# New chats


@pytest.mark.gen_test
async def test_a_new_group_is_told_to_every_socket_of_every_member_and_to_nobody_else(people):
    alice, bob, carol, dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
    for other in (bob, carol, dave):
        await alice.befriend(other)
    alices_tablet = await alice.again()
    sockets = [await person.socket() for person in (alice, alice, alices_tablet, bob, carol)]
    outsider = await dave.socket()

    answer = await alice.post("/chat/new", {"chat_name": "Tea", "chat_members": [carol.id, bob.id, carol.id, alice.id]})

    chat = answer.data
    assert chat.keys() == {"chat_id", "chat_name", "chat_owner", "chat_admins", "chat_members", "last_message"}
    assert chat["chat_name"] == "Tea" and who(chat["chat_owner"]) == basic(alice) and chat["chat_admins"] == []
    assert [who(user) for user in chat["chat_members"]] == [basic(alice), basic(bob), basic(carol)]
    chat_id, text = chat["chat_id"], "Group Tea created by alice with alice, carol, bob"
    last = chat["last_message"]
    assert last.keys() == {"message_id", "chat_id", "message", "send_time", "sender", "reply_to_id", "deleted"}
    assert (last["message"], last["deleted"], last["reply_to_id"]) == (text, False, None)
    for socket in sockets:
        assert await socket.expect("new_group_chat") == [{"chat_id": chat_id}]
        await expect_system_message(socket, chat_id, text)
        await socket.expect_nothing()
    await outsider.expect_nothing()
    for member in (alice, bob, carol):
        relation = (await member.get(f"/chat/{chat_id}")).data
        assert relation == {"chat": chat, "nickname": "", "unread_count": 1}
        assert relation in (await member.get("/chat")).data


@pytest.mark.gen_test
async def test_a_group_may_be_of_one_have_a_used_name_and_sixty_characters(people):
    alice = await people("alice")
    made = []
    for name in ("x", "x", "😀" * 60, " ", "  a  b  "):
        for members in ([], [alice.id], [alice.id, alice.id]):
            chat = (await alice.post("/chat/new", {"chat_name": name, "chat_members": members})).data
            assert chat["chat_name"] == name and [user["id"] for user in chat["chat_members"]] == [alice.id]
            assert chat["last_message"]["message"] == f"Group {name} created by alice with alice"
            made.append(chat["chat_id"])
    assert made == sorted(set(made))
    assert [relation["chat"]["chat_id"] for relation in (await alice.get("/chat")).data] == made


@pytest.mark.gen_test
async def test_a_bad_new_group_is_refused_and_nothing_comes_of_it(people):
    alice, bob, stranger = [await people(name) for name in ("alice", "bob", "stranger")]
    await alice.befriend(bob)
    before = (await alice.get("/chat")).data
    sockets = [await person.socket() for person in (alice, bob, stranger)]
    names = ["", "x" * 61, None, 5, True, [], {}, "nul\0"]
    members = [
        None,
        "1",
        5,
        {},
        True,
        [stranger.id],
        [bob.id, stranger.id],
        [bob.id, 10**6],
        [0],
        [-1],
        [2**60],
        [2**70],
    ]
    members += [[str(bob.id)], [float(bob.id)], [None], [True], [[bob.id]], [bob.id, "x"], [bob.id + 0.5]]
    bodies = [{"chat_name": name, "chat_members": [bob.id]} for name in names]
    bodies += [{"chat_name": "Tea", "chat_members": ids} for ids in members]
    bodies += [{"chat_members": [bob.id]}, {"chat_name": "Tea"}, {}, [], None, "Tea", 1]
    for body in bodies:
        answer = await alice.post("/chat/new", body)
        assert (answer.status, bool(answer.error)) == (400, True), body
    assert "chat_members" in (await alice.post("/chat/new", {"chat_name": 5, "chat_members": 5})).error
    assert (await alice.post("/chat/new")).status == 400
    lone_surrogate = b'{"chat_name": "\\ud800", "chat_members": []}'
    answer = await alice.post("/chat/new", raw_body=lone_surrogate, headers={"Content-Type": "application/json"})
    assert answer.status == 400
    assert (await alice.get("/chat")).data == before
    for socket in sockets:
        await socket.expect_nothing()


# Looking at chats


@pytest.mark.gen_test
async def test_the_list_of_chats_is_in_the_order_of_joining_and_holds_private_ones(people):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    private_id = await alice.befriend(bob)
    first_id = await alice.new_group(bob, name="First")
    other_private_id = await carol.befriend(alice)
    second_id = await alice.new_group(bob, carol, name="Second")
    expected = {
        alice: [private_id, first_id, other_private_id, second_id],
        bob: [private_id, first_id, second_id],
        carol: [other_private_id, second_id],
    }
    for person, chat_ids in expected.items():
        relations = (await person.get("/chat")).data
        assert [relation["chat"]["chat_id"] for relation in relations] == chat_ids
        assert all(relation.keys() == {"chat", "nickname", "unread_count"} for relation in relations)
        assert all((relation["nickname"], relation["unread_count"]) == ("", 1) for relation in relations)
    private = (await alice.get(f"/chat/{private_id}")).data["chat"]
    assert (private["chat_name"], who(private["chat_owner"]), private["chat_admins"]) == ("", basic(bob), [])
    assert [who(user) for user in private["chat_members"]] == [basic(alice), basic(bob)]
    assert private["last_message"]["message"] == "bob added alice as a friend"


@pytest.mark.gen_test
async def test_ids_that_name_no_chat_are_unknown_and_what_is_no_id_is_no_path(people):
    alice = await people("alice")
    mine = await alice.new_group()
    for chat_id in ("0", str(mine + 1), str(2**53), str(2**64), "9" * 400, f"0{mine + 1}"):
        for method, path, body, status in (
            ("GET", "", None, 400),
            ("DELETE", "", None, 400),
            ("GET", "/messages", None, 404),
            ("POST", "/set_owner", {"chat_owner": alice.id}, 400),
            ("POST", f"/{alice.id}/admin", True, 400),
            ("DELETE", f"/{alice.id}", None, 400),
        ):
            more = {} if body is None else {"json_body": body}
            answer = await alice.request(method, f"/chat/{chat_id}{path}", **more)
            assert (answer.status, answer.error) == (status, "Chat not found"), (method, chat_id[:30], path)
    for path in (
        "-1",
        "x",
        "1.0",
        "1/",
        "",
        "%31x",
        "%EF%BC%91",
        "1/messages/",
        "1/x",
        "1/-1/admin",
        "1/1/admin/",
        "new/",
    ):
        answer = await alice.get(f"/chat/{path}")
        assert answer.status == 404 and "not found on this server" in answer.error, path
    assert (await alice.get(f"/chat/{mine}")).status == 200


# Leaving and deleting


@pytest.mark.gen_test
async def test_a_plain_member_leaves_and_those_who_remain_are_told(people):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol")
    talk = await bob.socket()
    await talk.send("send_message", {"chat_id": chat_id, "content": "bye"})
    await talk.expect("new_message", "messages_read")
    leaver_sockets = [talk, await bob.socket(), await (await bob.again()).socket()]
    others = [await alice.socket(), await alice.socket(), await carol.socket()]

    assert (await bob.delete(f"/chat/{chat_id}")).data is None

    for socket in others:
        assert await socket.expect("member_deleted") == [{"chat_id": chat_id, "user_id": bob.id}]
        await expect_system_message(socket, chat_id, "bob left the chat")
    for socket in leaver_sockets:
        assert await socket.expect("member_deleted") == [{"chat_id": chat_id, "user_id": bob.id}]
    assert await roles(alice, chat_id) == (alice.id, [], [alice.id, carol.id])
    # What is said afterwards is not the leaver's business; what he said stays, under his name.
    await others[0].send("send_message", {"chat_id": chat_id, "content": "gone?"})
    await others[2].expect("new_message", "messages_read")
    for socket in leaver_sockets:
        await socket.expect_nothing()
    history = (await carol.get(f"/chat/{chat_id}/messages")).data
    assert [(message["message"], message["sender"]["user_name"]) for message in history[:3]] == [
        ("gone?", "alice"),
        ("bob left the chat", "#SYSTEM"),
        ("bye", "bob"),
    ]
    assert (await bob.get(f"/chat/{chat_id}")).status == 400
    assert (await bob.get(f"/chat/{chat_id}/messages")).status == 403
    assert (await bob.delete(f"/chat/{chat_id}")).status == 400
    assert chat_id not in [relation["chat"]["chat_id"] for relation in (await bob.get("/chat")).data]


@pytest.mark.gen_test
async def test_an_admin_who_leaves_is_first_no_admin_any_more(people):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol", admins=("bob", "carol"))
    sockets = {person: await person.socket() for person in (alice, bob, carol)}
    assert (await bob.delete(f"/chat/{chat_id}")).data is None
    for person, socket in sockets.items():
        assert await socket.expect("admin_state_change", "member_deleted") == [
            {"chat_id": chat_id, "user_id": bob.id, "is_admin": False},
            {"chat_id": chat_id, "user_id": bob.id},
        ]
        if person is not bob:
            await expect_system_message(socket, chat_id, "bob left the chat")
        await socket.expect_nothing()
    assert await roles(alice, chat_id) == (alice.id, [carol.id], [alice.id, carol.id])


@pytest.mark.gen_test
async def test_the_owner_who_leaves_deletes_the_chat_for_everybody_and_for_good(people, database, nova):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol", admins=("carol",))
    dave = await people("dave")
    sockets = {person: await person.socket() for person in (alice, bob, carol)}
    outsider = await dave.socket()
    await sockets[bob].send("send_message", {"chat_id": chat_id, "content": "last words"})
    for socket in sockets.values():
        await socket.expect("new_message", "messages_read")
    as_it_was = (await bob.get(f"/chat/{chat_id}")).data["chat"]
    assert as_it_was["last_message"]["message"] == "last words" and len(as_it_was["chat_members"]) == 3

    assert (await alice.delete(f"/chat/{chat_id}")).data is None

    for person, socket in sockets.items():
        assert await socket.expect("chat_deleted") == [{"chat": as_it_was}]
        await socket.expect_nothing()
        assert (await person.get(f"/chat/{chat_id}")).status == 400
        assert (await person.get(f"/chat/{chat_id}/messages")).status == 404
        assert chat_id not in [relation["chat"]["chat_id"] for relation in (await person.get("/chat")).data]
        await socket.send("send_message", {"chat_id": chat_id, "content": "echo?"}, request_id=1)
        await socket.expect_error(400, 1)
        await socket.send("recall_message", {"message_id": as_it_was["last_message"]["message_id"]}, request_id=2)
        await socket.expect_error(400, 2)
    await outsider.expect_nothing()
    assert (await alice.delete(f"/chat/{chat_id}")).status == 400
    assert await alice.new_group() > chat_id
    await (
        nova.close()
    )  # waits for nothing of this chat: what is left of its log is removed behind, or at the next start
    assert database.chats.find_one({"_id": chat_id}) is None
    assert database.memberships.find_one({"chat": chat_id}) is None


@pytest.mark.gen_test
async def test_private_chats_know_no_leaving_no_admins_no_owner_and_no_removal(people):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    chat_id = await alice.befriend(bob)
    sockets = [await person.socket() for person in (alice, bob, carol)]
    before = (await alice.get("/chat")).data
    for caller, other in ((alice, bob), (bob, alice), (bob, bob), (bob, carol), (carol, alice)):
        for method, path, body in (
            ("POST", f"/chat/{chat_id}/{other.id}/admin", True),
            ("POST", f"/chat/{chat_id}/set_owner", {"chat_owner": other.id}),
            ("DELETE", f"/chat/{chat_id}/{other.id}", None),
            ("DELETE", f"/chat/{chat_id}", None),
        ):
            answer = await caller.request(method, path, **({} if body is None else {"json_body": body}))
            assert answer.status == 400, (caller.name, method, path)
    assert (await alice.get("/chat")).data == before
    for socket in sockets:
        await socket.expect_nothing()


@pytest.mark.gen_test
async def test_a_deleted_account_ends_its_own_groups_and_leaves_the_others_without_a_word(people):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    await bob.befriend(alice)
    await bob.befriend(carol)
    own_id = await bob.new_group(alice, carol, name="Bob's")
    await alice.befriend(carol)
    others_id = await alice.new_group(bob, carol, name="Alice's")
    assert (await alice.post(f"/chat/{others_id}/{bob.id}/admin", True)).data is None
    sockets = {person: await person.socket() for person in (alice, bob, carol)}
    await sockets[bob].send("send_message", {"chat_id": others_id, "content": "I was here"})
    for socket in sockets.values():
        await socket.expect("new_message", "messages_read")
    [mine] = [relation["chat"] for relation in (await alice.get("/chat")).data if relation["chat"]["chat_id"] == own_id]
    bobs_data = (await bob.get("/user")).data

    assert (await bob.delete("/user")).data is None

    for person in (alice, carol):
        assert await sockets[person].expect("friend_deleted", "chat_deleted", "member_deleted") == [
            {"friend": bobs_data},
            {"chat": mine},
            {"chat_id": others_id, "user_id": bob.id},
        ]
        await sockets[person].expect_nothing()
        chats = (await person.get("/chat")).data
        assert [relation["chat"]["chat_name"] for relation in chats] == ["", "Alice's"]
    news = await sockets[bob].expect("friend_deleted", "friend_deleted", "chat_deleted", "member_deleted", "logout")
    assert [each["friend"]["id"] for each in news[:2]] == [alice.id, carol.id]
    await sockets[bob].expect_close()
    assert await roles(alice, others_id) == (alice.id, [], [alice.id, carol.id])
    newest, oldest = (await alice.get(f"/chat/{others_id}/messages")).data
    assert (newest["message"], newest["sender"]["user_name"], newest["deleted"]) == ("I was here", "#DELETED", False)
    assert newest["read_users"] == [] and oldest["sender"]["user_name"] == "#SYSTEM"
    assert (await alice.get(f"/chat/{others_id}")).data["chat"]["last_message"]["sender"]["user_name"] == "#DELETED"


# Admins


@pytest.mark.gen_test
async def test_the_owner_makes_and_unmakes_admins_and_every_member_is_told(people):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol")
    dave = await people("dave")
    sockets = [await person.socket() for person in (alice, alice, bob, carol)]
    outsider = await dave.socket()
    for person, is_admin, admins in (
        (carol, True, [carol.id]),
        (bob, True, [bob.id, carol.id]),
        (carol, False, [bob.id]),
        (carol, True, [bob.id, carol.id]),
    ):
        assert (await alice.post(f"/chat/{chat_id}/{person.id}/admin", is_admin)).data is None
        for socket in sockets:
            change = {"chat_id": chat_id, "user_id": person.id, "is_admin": is_admin}
            assert await socket.expect("admin_state_change") == [change]
        assert await roles(bob, chat_id) == (alice.id, admins, [alice.id, bob.id, carol.id])
    for socket in (*sockets, outsider):
        await socket.expect_nothing()


@pytest.mark.gen_test
async def test_what_is_wrong_with_setting_an_admin_is_found_in_the_stated_order(people):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol", admins=("carol",))
    dave = await people("dave")
    private_id = await alice.befriend(dave)
    sockets = [await person.socket() for person in (alice, bob, carol, dave)]
    for body in (None, 1, 0, "true", [], {}, [True], {"is_admin": True}):
        answer = await dave.post("/chat/0/0/admin", body)
        assert answer.status == 400 and "true or false" in answer.error, body
    assert "true or false" in (await alice.post(f"/chat/{chat_id}/{bob.id}/admin")).error
    for caller, chat, member_id, is_admin, status, part in (
        (alice, 10**6, bob.id, True, 400, "Chat not found"),
        (dave, private_id, 10**6, True, 400, "private"),
        (carol, chat_id, 10**6, True, 403, "owner"),
        (dave, chat_id, bob.id, True, 403, "owner"),
        (alice, chat_id, dave.id, True, 400, "not in the chat"),
        (alice, chat_id, 10**6, True, 400, "not in the chat"),
        (alice, chat_id, 2**70, True, 400, "not in the chat"),
        (alice, chat_id, alice.id, True, 400, "owner"),
        (alice, chat_id, alice.id, False, 400, "owner"),
        (alice, chat_id, carol.id, True, 400, "already an admin"),
        (alice, chat_id, bob.id, False, 400, "not an admin"),
    ):
        answer = await caller.post(f"/chat/{chat}/{member_id}/admin", is_admin)
        assert answer.status == status and part in answer.error, (caller.name, chat, member_id, is_admin)
    assert await roles(bob, chat_id) == (alice.id, [carol.id], [alice.id, bob.id, carol.id])
    for socket in sockets:
        await socket.expect_nothing()


# Owners


@pytest.mark.gen_test
async def test_a_new_owner_loses_the_admins_place_and_the_old_one_gets_one(people):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol", admins=("bob",))
    sockets = [await person.socket() for person in (alice, bob, bob, carol)]

    assert (await alice.post(f"/chat/{chat_id}/set_owner", {"chat_owner": bob.id})).data is None
    for socket in sockets:
        assert await socket.expect("admin_state_change", "owner_state_change", "admin_state_change") == [
            {"chat_id": chat_id, "user_id": bob.id, "is_admin": False},
            {"chat_id": chat_id, "owner_id": bob.id},
            {"chat_id": chat_id, "user_id": alice.id, "is_admin": True},
        ]
    assert await roles(carol, chat_id) == (bob.id, [alice.id], [alice.id, bob.id, carol.id])

    assert (await bob.post(f"/chat/{chat_id}/set_owner", {"chat_owner": carol.id})).data is None
    for socket in sockets:  # a plain member has no admin's place to lose
        assert await socket.expect("owner_state_change", "admin_state_change") == [
            {"chat_id": chat_id, "owner_id": carol.id},
            {"chat_id": chat_id, "user_id": bob.id, "is_admin": True},
        ]
        await socket.expect_nothing()
    assert await roles(carol, chat_id) == (carol.id, [alice.id, bob.id], [alice.id, bob.id, carol.id])
    # The rights moved with the title.
    assert (await bob.post(f"/chat/{chat_id}/set_owner", {"chat_owner": alice.id})).status == 403
    assert (await carol.delete(f"/chat/{chat_id}/{alice.id}")).data is None


@pytest.mark.gen_test
async def test_what_is_wrong_with_setting_an_owner_is_found_in_the_stated_order(people):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol", admins=("carol",))
    dave = await people("dave")
    private_id = await alice.befriend(dave)
    sockets = [await person.socket() for person in (alice, bob, carol, dave)]
    for body in (None, [], bob.id, {}, *({"chat_owner": bad} for bad in (None, "1", True, 1.5, [bob.id], {}))):
        assert (await dave.post("/chat/0/set_owner", body)).error != "Chat not found", body
        assert (await alice.post(f"/chat/{chat_id}/set_owner", body)).status == 400, body
    for caller, chat, owner_id, status, part in (
        (alice, 10**6, bob.id, 400, "Chat not found"),
        (dave, private_id, 10**6, 400, "private"),
        (carol, chat_id, 10**6, 403, "owner"),
        (dave, chat_id, dave.id, 403, "owner"),
        (alice, chat_id, dave.id, 400, "not in the chat"),
        (alice, chat_id, -1, 400, "not in the chat"),
        (alice, chat_id, 10**40, 400, "not in the chat"),
        (alice, chat_id, alice.id, 400, "already"),
    ):
        answer = await caller.post(f"/chat/{chat}/set_owner", {"chat_owner": owner_id})
        assert answer.status == status and part in answer.error, (caller.name, chat, owner_id)
    assert await roles(bob, chat_id) == (alice.id, [carol.id], [alice.id, bob.id, carol.id])
    for socket in sockets:
        await socket.expect_nothing()


# Removing


@pytest.mark.gen_test
async def test_removed_member_hears_of_the_removal_and_nothing_more(people):
    chat_id, alice, bob, carol, dave = await make_group(
        people, "alice", "bob", "carol", "dave", admins=("bob", "carol")
    )
    sockets = {person: await person.socket() for person in (alice, bob, carol, dave)}
    daves_other = await dave.socket()

    assert (await bob.delete(f"/chat/{chat_id}/{dave.id}")).data is None  # an admin removes a plain member
    for person, socket in sockets.items():
        assert await socket.expect("member_deleted") == [{"chat_id": chat_id, "user_id": dave.id}]
        if person is not dave:
            await expect_system_message(socket, chat_id, "bob removed dave from the group")
    await daves_other.expect("member_deleted")

    assert (await alice.delete(f"/chat/{chat_id}/{carol.id}")).data is None  # the owner removes an admin
    for person in (alice, bob, carol):
        assert await sockets[person].expect("admin_state_change", "member_deleted") == [
            {"chat_id": chat_id, "user_id": carol.id, "is_admin": False},
            {"chat_id": chat_id, "user_id": carol.id},
        ]
        if person is not carol:
            await expect_system_message(sockets[person], chat_id, "alice removed carol from the group")
    for socket in (*sockets.values(), daves_other):
        await socket.expect_nothing()  # and it is not broken
    assert await roles(bob, chat_id) == (alice.id, [bob.id], [alice.id, bob.id])
    assert (await dave.get(f"/chat/{chat_id}/messages")).status == 403


@pytest.mark.gen_test
async def test_what_is_wrong_with_removing_is_found_in_the_stated_order(people):
    chat_id, alice, bob, carol, dave = await make_group(
        people, "alice", "bob", "carol", "dave", admins=("bob", "carol")
    )
    erin = await people("erin")
    private_id = await alice.befriend(erin)
    sockets = [await person.socket() for person in (alice, bob, carol, dave, erin)]
    for caller, chat, member_id, status, part in (
        (alice, 10**6, bob.id, 400, "Chat not found"),
        (erin, private_id, 10**6, 400, "private"),
        (dave, chat_id, 10**6, 403, "owner and admins"),
        (erin, chat_id, dave.id, 403, "owner and admins"),
        (dave, chat_id, dave.id, 403, "owner and admins"),
        (bob, chat_id, erin.id, 400, "not in the chat"),
        (alice, chat_id, 2**70, 400, "not in the chat"),
        (bob, chat_id, alice.id, 403, "owner cannot be removed"),
        (alice, chat_id, alice.id, 403, "owner cannot be removed"),
        (bob, chat_id, carol.id, 403, "Only the owner"),
        (bob, chat_id, bob.id, 403, "Only the owner"),
    ):
        answer = await caller.delete(f"/chat/{chat}/{member_id}")
        assert answer.status == status and part in answer.error, (caller.name, chat, member_id)
    assert await roles(bob, chat_id) == (alice.id, [bob.id, carol.id], [alice.id, bob.id, carol.id, dave.id])
    for socket in sockets:
        await socket.expect_nothing()


@pytest.mark.gen_test
async def test_two_who_act_at_once_get_one_success_and_one_refusal(people):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol", admins=("bob",))
    socket = await alice.socket()

    answers = await asyncio.gather(*(person.delete(f"/chat/{chat_id}/{carol.id}") for person in (alice, bob)))
    assert sorted(answer.status for answer in answers) == [200, 400]
    await socket.expect("member_deleted", "new_message")
    answers = await asyncio.gather(alice.delete(f"/chat/{chat_id}"), bob.delete(f"/chat/{chat_id}"))
    assert answers[0].status == 200 and answers[1].status in (200, 400)


# Chats that other protocols make and change


@pytest.mark.gen_test
async def test_a_group_without_a_title_is_called_after_its_members(people, nova):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    users = await nova.directory.load((alice.id, bob.id, carol.id))
    sockets = {person: await person.socket() for person in (alice, bob, carol)}
    chat = await nova.services.chats.create_group(users[carol.id], "", [alice.id])
    for person in (alice, carol):
        assert await sockets[person].expect("new_group_chat") == [{"chat_id": chat.id}]
        relation = (await person.get(f"/chat/{chat.id}")).data
        assert (relation["chat"]["chat_name"], relation["chat"]["last_message"]) == ("carol, alice", "")
        assert relation["unread_count"] == 0 and (await person.get("/chat")).data == [relation]
    await nova.services.chats.edit(users[carol.id], chat.id, title="Tea")
    for person in (alice, carol):
        assert await sockets[person].expect("chat_renamed") == [{"chat_id": chat.id, "chat_name": "Tea"}]
    await nova.services.chats.edit(users[carol.id], chat.id, title="")
    for person in (alice, carol):
        assert await sockets[person].expect("chat_renamed") == [{"chat_id": chat.id, "chat_name": "carol, alice"}]
    await sockets[bob].expect_nothing()


@pytest.mark.gen_test
async def test_an_edit_by_another_protocol_is_told_in_packets_as_they_are(people, nova):
    chat_id, alice, bob, carol = await make_group(people, "alice", "bob", "carol", admins=("bob",))
    dave = await people("dave")
    users = await nova.directory.load((alice.id, dave.id))
    sockets = {person: await person.socket() for person in (alice, bob, carol, dave)}
    await nova.services.chats.edit(users[alice.id], chat_id, add_ids=[dave.id], remove_ids=[carol.id, alice.id])
    for person in (alice, bob, carol):
        assert await sockets[person].expect("admin_state_change", "owner_state_change", "member_deleted") == [
            {"chat_id": chat_id, "user_id": bob.id, "is_admin": False},
            {"chat_id": chat_id, "owner_id": bob.id},
            {"chat_id": chat_id, "user_id": carol.id},
        ]
    for person in (alice, bob):
        assert await sockets[person].expect("member_deleted") == [{"chat_id": chat_id, "user_id": alice.id}]
    assert await sockets[dave].expect("new_group_chat") == [{"chat_id": chat_id}]
    for person in (bob, dave):
        assert await sockets[person].expect("member_added") == [{"chat_id": chat_id, "user_id": dave.id}]
    for socket in sockets.values():
        await socket.expect_nothing()
    assert await roles(dave, chat_id) == (bob.id, [], [bob.id, dave.id])
    assert (await carol.get(f"/chat/{chat_id}")).status == 400
