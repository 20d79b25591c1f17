"""Invitations to group chats. Source: actions document, Chat control APIs; contract "actions" section 5."""

import asyncio
import time

import pytest

BAD_JSON = {"Content-Type": "application/json"}


class Club:
    """alice owns it, bob is an admin, carol and dan are plain members; erin and fay, who are not in it, are friends."""

    async def open(self, people):
        names = ("alice", "bob", "carol", "dan", "erin", "fay")
        self.persons = [await people(name) for name in names]
        self.alice, self.bob, self.carol, self.dan, self.erin, self.fay = self.persons
        for member in (self.bob, self.carol, self.dan, self.erin, self.fay):
            await self.alice.befriend(member)
        for member in (self.bob, self.carol, self.dan):
            await member.befriend(self.erin)
        self.id = await self.alice.new_group(self.bob, self.carol, self.dan)
        assert (await self.alice.post(f"/chat/{self.id}/{self.bob.id}/admin", True)).data is None
        self.sockets = {person: await person.socket() for person in self.persons}
        return self

    async def invite(self, inviter, user):
        """Invite; returns the invitation that owner and admin were told of."""
        assert (await inviter.post(f"/chat/{self.id}/invite", {"user_id": user.id})).data is None
        told = [await self.sockets[manager].expect("chat_invitation") for manager in (self.alice, self.bob)]
        assert told[0] == told[1] and told[0][0].keys() == {"invitation"}
        return told[0][0]["invitation"]

    async def pending(self, person=None):
        return (await (person or self.alice).get(f"/chat/{self.id}/invitation")).data

    def answer(self, method, person, user, **more):
        return person.request(method, f"/chat/{self.id}/invitation/{user.id}", **more)

    async def member_ids(self):
        return [user["id"] for user in (await self.alice.get(f"/chat/{self.id}")).data["chat"]["chat_members"]]

    async def expect_silence(self):
        for socket in self.sockets.values():
            await socket.expect_nothing()


@pytest.fixture
def club(people, io_loop):
    return io_loop.run_sync(lambda: Club().open(people))


@pytest.mark.gen_test
async def test_owner_and_admins_are_told_of_an_invitation_and_nobody_else(club):
    tablet = await (await club.bob.again()).socket()
    invitation = await club.invite(club.carol, club.erin)
    assert await tablet.expect("chat_invitation") == [{"invitation": invitation}]
    assert invitation.keys() == {"invitation_id", "chat_id", "user", "invited_by", "created_at"}
    assert type(invitation["invitation_id"]) is int and invitation["chat_id"] == club.id
    for key, person in (("user", club.erin), ("invited_by", club.carol)):
        assert invitation[key].keys() == {"id", "user_name", "avatar_url"}
        assert (invitation[key]["id"], invitation[key]["user_name"]) == (person.id, person.name)
    assert isinstance(invitation["created_at"], float) and abs(invitation["created_at"] - time.time()) < 60
    await club.expect_silence()
    assert await club.pending() == [invitation] == await club.pending(club.bob)
    assert club.erin.id not in await club.member_ids()
    # Even the owner's own invitation waits for an answer, and is told to himself too.
    own = await club.invite(club.alice, club.fay)
    assert await club.pending() == [invitation, own]


@pytest.mark.gen_test
async def test_what_is_wrong_with_an_invitation_is_found_in_the_stated_order(club, people):
    gil = await people("gil")
    private_id = await gil.befriend(club.erin)
    await club.sockets[club.erin].expect("friend_created", "new_message")
    unknown = 10**6
    for body in (None, [], 5, {}, *({"user_id": bad} for bad in (None, "1", True, 1.5, [], {}, float(club.erin.id)))):
        answer = await gil.post(f"/chat/{unknown}/invite", body)
        assert answer.status == 400 and ("user_id" in answer.error or "object" in answer.error), body
    assert (await gil.post(f"/chat/{unknown}/invite")).status == 400
    for caller, chat, user_id, status, part in (
        (gil, unknown, gil.id, 400, "yourself"),
        (gil, unknown, club.fay.id, 400, "friend"),
        (gil, unknown, unknown, 400, "friend"),
        (gil, unknown, 0, 400, "friend"),
        (gil, unknown, -1, 400, "friend"),
        (gil, unknown, 10**30, 400, "friend"),
        (gil, unknown, club.erin.id, 400, "Chat not found"),
        (gil, private_id, club.erin.id, 400, "private"),
        (club.alice, private_id, club.erin.id, 400, "private"),
        (gil, club.id, club.erin.id, 403, "not a member"),
        (club.alice, club.id, club.carol.id, 400, "already"),
        (club.carol, club.id, club.fay.id, 400, "friend"),
    ):
        answer = await caller.post(f"/chat/{chat}/invite", {"user_id": user_id})
        assert answer.status == status and part in answer.error, (caller.name, chat, user_id)
    assert await club.pending() == []
    await club.expect_silence()


@pytest.mark.gen_test
async def test_system_users_cannot_be_invited(club, database):
    for user in database.users.find({"name": {"$regex": "^#"}}):
        assert (await club.alice.post(f"/chat/{club.id}/invite", {"user_id": user["_id"]})).status == 400
    assert await club.pending() == []


@pytest.mark.gen_test
async def test_a_repeat_replaces_the_inviters_earlier_one_and_others_may_each_have_one(club):
    first = await club.invite(club.carol, club.erin)
    second = await club.invite(club.dan, club.erin)
    again = await club.invite(club.carol, club.erin)
    assert first["invitation_id"] < second["invitation_id"] < again["invitation_id"]
    assert await club.pending() == [second, again]
    other = await club.invite(club.alice, club.fay)
    assert await club.pending() == [second, again, other]


@pytest.mark.gen_test
async def test_an_approved_user_joins_and_everybody_is_told_in_order(club):
    await club.sockets[club.alice].send("send_message", {"chat_id": club.id, "content": "before"})
    for member in (club.alice, club.bob, club.carol, club.dan):
        await club.sockets[member].expect("new_message", "messages_read")
    for inviter in (club.carol, club.dan):
        await club.invite(inviter, club.erin)
    kept = await club.invite(club.alice, club.fay)
    tablet = await club.erin.socket()

    assert (await club.answer("POST", club.bob, club.erin, json_body={})).data is None

    added = {"chat_id": club.id, "user_id": club.erin.id}
    text = "bob approved erin to join the group, invited by carol"
    for socket in (club.sockets[club.erin], tablet):
        chat, member, news = await socket.expect("new_group_chat", "member_added", "new_message")
        assert (chat, member, news["message"]["message"]) == ({"chat_id": club.id}, added, text)
    for member in (club.alice, club.bob, club.carol, club.dan):
        member, news = await club.sockets[member].expect("member_added", "new_message")
        assert member == added and news["message"]["message"] == text
        assert news["message"]["sender"]["user_name"] == "#SYSTEM" and news["message"]["read_users"] == []
    await club.expect_silence()
    assert await club.pending() == [kept]  # that of dan is settled, too
    assert await club.member_ids() == [club.alice.id, club.bob.id, club.carol.id, club.dan.id, club.erin.id]
    relation = (await club.erin.get("/chat")).data[-1]
    assert relation["chat"]["chat_id"] == club.id and relation["unread_count"] == 1
    assert relation["chat"]["last_message"]["message"] == text
    history = (await club.erin.get(f"/chat/{club.id}/messages")).data
    assert [message["message"] for message in history[:2]] == [text, "before"]
    assert [user["user_name"] for user in history[1]["read_users"]] == ["alice"]
    # From now on the new member hears and is heard.
    for speaker in (club.alice, club.erin):
        await club.sockets[speaker].send("send_message", {"chat_id": club.id, "content": "hello"})
        for socket in (club.sockets[club.erin], tablet, club.sockets[club.carol]):
            await socket.expect("new_message", "messages_read")


@pytest.mark.gen_test
async def test_who_was_in_the_group_before_can_come_again_and_misses_nothing(club):
    assert (await club.carol.delete(f"/chat/{club.id}")).data is None
    for person in (club.alice, club.bob, club.dan):
        await club.sockets[person].expect("member_deleted", "new_message")
    await club.sockets[club.carol].expect("member_deleted")
    for turn in range(2):
        await club.invite(club.alice, club.carol)
        assert (await club.answer("POST", club.alice, club.carol)).data is None
        await club.sockets[club.carol].expect("new_group_chat", "member_added", "new_message")
        relation = (await club.carol.get("/chat")).data[-1]  # in the order of joining: last
        assert (relation["chat"]["chat_id"], relation["unread_count"]) == (club.id, 1), turn
        assert (await club.alice.delete(f"/chat/{club.id}/{club.carol.id}")).data is None
        await club.sockets[club.carol].expect("member_deleted")
        for person in (club.alice, club.bob, club.dan):
            await club.sockets[person].expect("member_added", "new_message", "member_deleted", "new_message")
    await club.expect_silence()


@pytest.mark.gen_test
async def test_declining_drops_the_oldest_invitation_and_tells_nobody(club):
    first, second = await club.invite(club.carol, club.erin), await club.invite(club.dan, club.erin)
    other = await club.invite(club.alice, club.fay)
    assert await club.pending() == [first, second, other]
    assert (await club.answer("DELETE", club.bob, club.erin)).data is None
    assert await club.pending() == [second, other]
    assert (await club.answer("DELETE", club.alice, club.erin)).data is None
    assert await club.pending() == [other]
    assert "Invitation" in (await club.answer("DELETE", club.alice, club.erin)).error
    assert club.erin.id not in await club.member_ids()
    await club.expect_silence()
    # The approval names the inviter of the oldest one that is left.
    await club.invite(club.carol, club.erin)
    await club.invite(club.dan, club.erin)
    await club.answer("DELETE", club.alice, club.erin)
    await club.answer("POST", club.alice, club.erin)
    last = (await club.alice.get(f"/chat/{club.id}")).data["chat"]["last_message"]["message"]
    assert last == "alice approved erin to join the group, invited by dan"


@pytest.mark.gen_test
async def test_what_is_wrong_with_looking_and_answering_is_found_in_the_stated_order(club, people):
    gil = await people("gil")
    private_id = await gil.befriend(club.alice)
    await club.sockets[club.alice].expect("friend_created", "new_message")
    invitation = await club.invite(club.carol, club.erin)
    for chat_id in (0, 10**6, "9" * 30):
        assert (await gil.get(f"/chat/{chat_id}/invitation")).status == 400
        for method in ("POST", "DELETE"):
            assert (await gil.request(method, f"/chat/{chat_id}/invitation/{club.erin.id}")).error == "Chat not found"
    for person in (gil, club.carol, club.erin):
        assert (await person.get(f"/chat/{club.id}/invitation")).status == 403
        for user in (club.erin, club.fay):
            for method in ("POST", "DELETE"):
                assert (await club.answer(method, person, user)).status == 403, (person.name, method)
    for user_id in (0, club.fay.id, club.carol.id, 10**6, "9" * 30):
        for method in ("POST", "DELETE"):
            answer = await club.alice.request(method, f"/chat/{club.id}/invitation/{user_id}")
            assert (answer.status, answer.error) == (400, "Invitation not found"), (method, user_id)
    assert (await club.alice.get(f"/chat/{private_id}/invitation")).data == []  # a private chat's owner: who accepted
    assert (await gil.get(f"/chat/{private_id}/invitation")).status == 403
    for body in (b"", b"{", b"NaN"):
        for method in ("POST", "DELETE"):
            assert (await club.answer(method, club.alice, club.erin, raw_body=body, headers=BAD_JSON)).status == 400
    for method, path in (("PATCH", f"/{club.erin.id}"), ("GET", f"/{club.erin.id}"), ("POST", ""), ("DELETE", "")):
        assert (await club.alice.request(method, f"/chat/{club.id}/invitation{path}")).status == 405, (method, path)
    assert (await club.alice.get(f"/chat/{club.id}/invite")).status == 405
    assert await club.pending() == [invitation]
    await club.expect_silence()


@pytest.mark.gen_test
async def test_two_who_approve_at_once_let_one_in_once(club):
    await club.invite(club.carol, club.erin)
    answers = await asyncio.gather(*(club.answer("POST", person, club.erin) for person in (club.alice, club.bob)))
    assert sorted(answer.status for answer in answers) == [200, 400]
    await club.sockets[club.erin].expect("new_group_chat", "member_added", "new_message")
    for member in (club.alice, club.bob, club.carol, club.dan):
        await club.sockets[member].expect("member_added", "new_message")
    await club.expect_silence()
    assert await club.pending() == []


@pytest.mark.gen_test
async def test_an_invitation_shows_people_as_they_are_now(club):
    await club.invite(club.carol, club.erin)
    assert (await club.carol.patch("/user", {"user_name": "caroline"})).status == 200
    assert (await club.pending())[0]["invited_by"]["user_name"] == "caroline"
    assert (await club.answer("POST", club.alice, club.erin)).data is None
    last = (await club.alice.get(f"/chat/{club.id}")).data["chat"]["last_message"]["message"]
    assert last == "alice approved erin to join the group, invited by caroline"


@pytest.mark.gen_test
async def test_invitations_go_with_the_accounts_and_the_chat_they_are_about(club, nova, database):
    async def inviters():
        await nova._dispatcher.drained()
        pending = await club.pending()
        assert [invitation["invitation_id"] for invitation in pending] == [
            document["_id"] for document in database.chat_invitations.find({"chat": club.id}).sort("_id", 1)
        ]
        return [(each["invited_by"]["user_name"], each["user"]["user_name"]) for each in pending]

    await club.invite(club.carol, club.erin)
    await club.invite(club.dan, club.erin)
    await club.invite(club.alice, club.fay)
    assert await inviters() == [("carol", "erin"), ("dan", "erin"), ("alice", "fay")]
    assert (await club.carol.delete("/user")).data is None
    assert await inviters() == [("dan", "erin"), ("alice", "fay")]
    assert (await club.fay.delete("/user")).data is None
    assert await inviters() == [("dan", "erin")]
    assert (await club.alice.delete(f"/chat/{club.id}")).data is None
    await nova._dispatcher.drained()
    assert database.chat_invitations.count_documents({}) == 0


@pytest.mark.gen_test
async def test_invitations_of_a_user_who_comes_in_by_another_door_are_settled(club, nova, database):
    await club.invite(club.carol, club.erin)
    kept = await club.invite(club.alice, club.fay)
    services = nova.services
    alice, erin = [await services.accounts.get_user(person.id) for person in (club.alice, club.erin)]
    chat = await services.chats.get(club.id)
    await services.chats.add_member(chat, alice, erin, "alice added erin", allow=lambda chat: None)
    assert await club.pending() == [kept]
    await nova._dispatcher.drained()
    assert [document["_id"] for document in database.chat_invitations.find()] == [kept["invitation_id"]]
    assert (await club.answer("POST", club.alice, club.erin)).status == 400
