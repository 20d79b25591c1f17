"""DELETE /user: all that hangs on an account. Source: contract "actions" section 2, DELETE /user."""

import asyncio

import pytest

from nova_tornado.app import open_nova
from nova_tornado.services import account_deletion

NULL = b'{"ok":true,"data":null}'


async def befriend_all(person, *others):
    for other in others:
        await person.befriend(other)


async def say(person, chat_id, content, **more):
    """Send a message; returns it."""
    socket = await person.socket()
    await socket.send("send_message", {"chat_id": chat_id, "content": content, **more})
    [news, _] = await socket.expect("new_message", "messages_read")
    socket.close()
    return news["message"]


async def detailed(person):
    return (await person.get("/user")).data


# The packets


@pytest.mark.gen_test
async def test_packets_come_to_everybody_concerned_in_the_contracts_order(people):
    alice, bob, carol, dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
    await befriend_all(alice, bob, carol)
    await bob.befriend(carol)
    own_group = await alice.new_group(bob, name="Alice's")
    other_group = await bob.new_group(alice, carol, name="Bob's")
    assert (await bob.post(f"/chat/{other_group}/{alice.id}/admin", True)).data is None
    assert (await alice.patch("/user", {"old_password": "secret1", "email": "a@b.c"})).status == 200
    users = {person.name: await detailed(person) for person in (alice, bob, carol)}
    own_chat = (await alice.get(f"/chat/{own_group}")).data["chat"]
    device = await alice.again()
    sockets = {name: await person.socket() for name, person in [("alice", alice), ("device", device), ("bob", bob)]}
    sockets |= {"carol": await carol.socket(), "dave": await dave.socket()}

    assert (await alice.delete("/user")).body == NULL

    left = {"chat_id": other_group, "user_id": alice.id}
    for name in ("alice", "device"):
        packets = await sockets[name].expect(*["friend_deleted"] * 2, "chat_deleted", "member_deleted", "logout")
        assert packets == [{"friend": users["bob"]}, {"friend": users["carol"]}, {"chat": own_chat}, left, None]
        await sockets[name].expect_close(1000)
    packets = await sockets["bob"].expect("friend_deleted", "chat_deleted", "member_deleted")
    assert packets == [{"friend": users["alice"]}, {"chat": own_chat}, left]
    assert await sockets["carol"].expect("friend_deleted", "member_deleted") == [{"friend": users["alice"]}, left]
    for name in ("bob", "carol", "dave"):
        await sockets[name].expect_nothing()


@pytest.mark.gen_test
async def test_who_hears_of_it_finds_it_done(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    socket = await bob.socket()
    deletion = asyncio.ensure_future(alice.delete("/user"))
    await socket.expect("friend_deleted")
    assert (await bob.get("/friend")).data == []
    assert (await bob.get(f"/friend/{alice.id}")).status == 404
    assert (await deletion).data is None


@pytest.mark.gen_test
async def test_deleting_a_lonely_account_is_told_to_its_own_sockets_alone(people):
    alice, bob = await people("alice"), await people("bob")
    own, other = await alice.socket(), await bob.socket()
    assert (await alice.delete("/user")).data is None
    await own.expect("logout")
    await own.expect_close(1000)
    await other.expect_nothing()


# What is gone


@pytest.mark.gen_test
async def test_all_sessions_and_tokens_die_and_the_name_is_free_again(people, guest):
    alice, bob = await people("alice"), await people("bob")
    device = await alice.again()
    credentials = {"user_name": "alice", "password": "secret1"}
    bearer = {"Authorization": f"Bearer {(await guest.post('/user/token', credentials)).data['token']}"}
    cookie = alice.cookie
    answer = await alice.delete("/user")
    assert answer.body == NULL and alice.cookie is None and "sessionid=" in answer.headers["Set-Cookie"]
    alice.cookie = cookie
    for person, headers in ((alice, None), (device, None), (guest, bearer)):
        answer = await person.get("/user", headers=headers)
        assert (answer.status, answer.error) == (403, "Invalid Session")
        assert (await person.delete("/user", headers=headers)).status == 403
        socket = await person.socket(headers)
        assert await socket.expect_error(403) == "User is not authenticated"
    assert (await guest.post("/user/login", credentials)).status == 403
    assert (await bob.get(f"/user/{alice.id}")).status == 404
    assert (await bob.post("/friend/find", {"id": alice.id})).data == []
    assert (await bob.post("/friend/find", {"name_contains": "alice"})).data == []
    assert (await guest.post("/user/register", credentials)).data["id"] > bob.id
    assert (await guest.get("/chat")).data == (await guest.get("/friend")).data == []


@pytest.mark.gen_test
async def test_friendships_chats_and_invitations_vanish(people, nova, database):
    alice, bob, carol, dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
    await befriend_all(alice, bob, carol)
    await bob.befriend(carol)
    private = max(chat["chat"]["chat_id"] for chat in (await alice.get("/chat")).data)
    own_group = await alice.new_group(bob, name="Alice's")
    other_group = await bob.new_group(alice, name="Bob's")
    await say(alice, own_group, "mine")
    assert (await alice.post("/friend/group/add", {"group_name": "Close ones"})).status == 200
    assert (await alice.post("/friend/invite", {"id": dave.id, "comment": "", "source": "search"})).data is None
    eve = await people("eve")
    assert (await eve.post("/friend/invite", {"id": alice.id, "comment": "", "source": "search"})).data is None
    third_group = await bob.new_group(name="Third")
    for inviter, chat_id, user in ((alice, other_group, carol), (bob, other_group, carol), (bob, third_group, alice)):
        assert (await inviter.post(f"/chat/{chat_id}/invite", {"user_id": user.id})).data is None

    assert (await alice.delete("/user")).data is None
    await nova._dispatcher.drained()

    assert [friend["friend"]["id"] for friend in (await bob.get("/friend")).data] == [carol.id]
    assert [friend["friend"]["id"] for friend in (await carol.get("/friend")).data] == [bob.id]
    names = [chat["chat"]["chat_name"] for chat in (await bob.get("/chat")).data]
    assert names == ["", "Bob's", "Third"]
    for chat_id in (private, own_group):
        assert (await bob.get(f"/chat/{chat_id}")).status == 400
        assert (await bob.get(f"/chat/{chat_id}/messages")).status == 404
    assert (await dave.get("/friend/invitation")).data == []
    [invitation] = (await bob.get(f"/chat/{other_group}/invitation")).data
    assert invitation["invited_by"]["id"] == bob.id
    assert (await bob.get(f"/chat/{third_group}/invitation")).data == []
    assert (await bob.delete(f"/chat/{third_group}/invitation/{alice.id}")).status == 400
    assert database.users.count_documents({"_id": alice.id}) == 0
    assert database.sessions.count_documents({"user": alice.id}) == 0
    assert database.friend_groups.count_documents({"owner": alice.id}) == 0
    for name, keys in [
        ("friendships", "user friend"),
        ("friend_invitations", "sender receiver"),
        ("chat_invitations", "user inviter"),
    ]:
        assert database[name].count_documents({"$or": [{key: alice.id} for key in keys.split()]}) == 0, name


@pytest.mark.gen_test
async def test_what_was_said_in_others_groups_stays_under_the_name_deleted(people, nova):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await bob.new_group(alice)
    question = await say(bob, chat_id, "Tea?")
    answer = await say(alice, chat_id, "Yes, please", reply_to=question["message_id"])
    await say(bob, chat_id, "Coming", reply_to=answer["message_id"])
    before = (await bob.get(f"/chat/{chat_id}/messages")).data
    assert alice.id in [user["id"] for message in before for user in message["read_users"]]

    assert (await alice.delete("/user")).data is None

    deleted = nova.services.directory.deleted
    struct = {"id": deleted.id, "user_name": "#DELETED", "avatar_url": ""}
    after = (await bob.get(f"/chat/{chat_id}/messages")).data

    def without_alice(message):
        """The message as it must look now."""
        if message is None:
            return None
        changed = dict(message)
        if message["sender"]["id"] == alice.id:
            changed["sender"] = struct
        if "read_users" in message:
            changed["read_users"] = [user for user in message["read_users"] if user["id"] != alice.id]
            changed["reply_to"] = without_alice(message["reply_to"])
            changed["replied_by"] = [without_alice(reply) for reply in message["replied_by"]]
        return changed

    assert after == [without_alice(message) for message in before]
    assert [(message["message"], message["sender"]["user_name"], message["deleted"]) for message in after[:3]] == [
        ("Coming", "bob", False),
        ("Yes, please", "#DELETED", False),
        ("Tea?", "bob", False),
    ]
    chat = (await bob.get(f"/chat/{chat_id}")).data["chat"]
    assert [user["id"] for user in chat["chat_members"]] == [bob.id] and chat["last_message"]["message"] == "Coming"


@pytest.mark.gen_test
async def test_an_admin_is_gone_from_the_admins_and_members(people):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    await befriend_all(bob, alice, carol)
    chat_id = await bob.new_group(alice, carol)
    assert (await bob.post(f"/chat/{chat_id}/{alice.id}/admin", True)).data is None
    count = len((await bob.get(f"/chat/{chat_id}/messages")).data)
    assert (await alice.delete("/user")).data is None
    chat = (await carol.get(f"/chat/{chat_id}")).data["chat"]
    assert chat["chat_admins"] == [] and [user["id"] for user in chat["chat_members"]] == [bob.id, carol.id]
    assert len((await bob.get(f"/chat/{chat_id}/messages")).data) == count
    assert (await bob.post(f"/chat/{chat_id}/{alice.id}/admin", False)).status == 400
    assert (await bob.delete(f"/chat/{chat_id}/{alice.id}")).status == 400


@pytest.mark.gen_test
async def test_the_address_of_a_deleted_account_is_free_and_stored_nowhere(people, database):
    alice, bob = await people("alice"), await people("bob")
    body = {
        "old_password": "secret1",
        "email": "Alice@Example.com",
        "phone": "15912345678",
        "avatar_url": "https://pic",
    }
    assert (await alice.patch("/user", body)).status == 200
    assert (await alice.delete("/user")).data is None
    stored = repr([list(database[name].find()) for name in database.list_collection_names()]).lower()
    assert "bob" in stored
    for trace in ("alice", "15912345678", "https://pic"):
        assert trace not in stored
    assert (await bob.patch("/user", body)).status == 200


@pytest.mark.gen_test
async def test_deleting_twice_at_once_is_done_once(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    await bob.new_group(alice)
    socket = await bob.socket()
    answers = await asyncio.gather(*(alice.delete("/user") for _ in range(3)))
    assert {answer.status for answer in answers} <= {200, 403} and 200 in {answer.status for answer in answers}
    await socket.expect("friend_deleted", "member_deleted")
    await socket.expect_nothing()


# A crash on the way

STEPS = [
    ("friendships", "delete_pair"),
    ("chats", "delete"),
    ("memberships", "set_left"),
    ("friend_groups", "delete_all"),
    ("users", "delete"),
]


@pytest.mark.expects_log("internal error")
@pytest.mark.parametrize(("noun", "step"), STEPS)
@pytest.mark.gen_test
async def test_interrupted_deletion_is_finished_at_the_next_start(
    people, nova, settings, mongo, database, monkeypatch, noun, step
):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    await befriend_all(alice, bob, carol)
    own_group, other_group = await alice.new_group(bob, name="Alice's"), await bob.new_group(alice, name="Bob's")

    async def crash(*_args, **_kwargs):
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(getattr(nova.store, noun), step, crash)
    assert (await alice.delete("/user")).status == 500
    monkeypatch.undo()
    assert (await alice.get("/user")).status == (await alice.log_in()).status == 403
    await nova.close()

    again = await open_nova(settings, mongo.uri, database=database.name)
    try:
        users = {
            user.name: user for user in [await again.services.accounts.get_user(person.id) for person in (bob, carol)]
        }
        for user in users.values():
            assert await again.services.friends.list_of(user) == []
        chats = await again.services.chats.list_of(bob.id)
        assert [(chat.id, set(chat.members)) for chat in chats] == [(other_group, {bob.id})]
        assert await again.services.chats.list_of(carol.id) == []
        assert database.chats.count_documents({"_id": own_group}) == 0
        assert database.users.count_documents({"name": "alice"}) == 0
        assert database.sessions.count_documents({"user": alice.id}) == 0
        assert database.friend_groups.count_documents({"owner": alice.id}) == 0
    finally:
        await again.close()


@pytest.mark.expects_log("internal error", "failed again")
@pytest.mark.gen_test
async def test_a_deletion_that_failed_is_tried_again_until_it_is_done(people, nova, database, monkeypatch):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    hers = await alice.socket()
    monkeypatch.setattr(account_deletion, "DELETION_RETRY_S", 0)
    delete_all, calls = nova.store.friend_groups.delete_all, []

    async def fail_twice(user_id):
        calls.append(user_id)
        if len(calls) <= 2:
            raise RuntimeError("the database is away")
        await delete_all(user_id)

    monkeypatch.setattr(nova.store.friend_groups, "delete_all", fail_twice)
    assert (await alice.delete("/user")).status == 500
    await hers.expect("friend_deleted", "logout")
    await hers.expect_close()
    while database.users.count_documents({"name": "alice"}):
        await bob.get("/user")
    assert calls == [alice.id] * 3
    assert (await bob.get("/friend")).data == []


@pytest.mark.gen_test
async def test_who_is_taken_in_while_his_account_is_being_deleted_is_no_member_afterwards(
    people, nova, database, monkeypatch
):
    alice, bob = await people("alice"), await people("bob")
    group = await bob.new_group(name="Late")
    users = {person: await nova.services.accounts.get_user(person.id) for person in (alice, bob)}
    delete_all = nova.store.friend_groups.delete_all

    async def take_in_meanwhile(user_id):
        chat = await nova.services.chats.get(group)
        await nova.services.chats.add_member(chat, users[bob], users[alice], "welcome", allow=lambda chat: None)
        await delete_all(user_id)

    monkeypatch.setattr(nova.store.friend_groups, "delete_all", take_in_meanwhile)
    assert (await alice.delete("/user")).status == 200
    chat = (await bob.get(f"/chat/{group}")).data["chat"]
    assert [member["id"] for member in chat["chat_members"]] == [bob.id]
    assert database.memberships.count_documents({"user": alice.id, "left_seq": {"$exists": False}}) == 0
