"""Friends of the actions protocol. Source: actions document, Friend control APIs; contract "actions" section 4."""

import asyncio

import pytest

from nova_tornado.settings import Settings

NULL = b'{"ok":true,"data":null}'
NEVER = 999_999
UNKNOWN_IDS = [0, -1, NEVER, 2**53, 2**53 + 1, 2**63, 2**64, 10**30]
NO_INTEGERS = [None, True, False, "1", "x", 1.0, 1.5, [], [1], {}, {"$gt": 0}, {"$ne": None}]


@pytest.fixture
def settings():
    """Without bots, the users of a test are all there are."""
    return Settings(bcrypt_rounds=4, rate_limits=False, plugins_off=("nova_bot_chat",))


async def invite(person, other, comment="Hi", source="search"):
    return await person.post("/friend/invite", {"id": other.id, "comment": comment, "source": source})


async def received(person):
    return (await person.get("/friend/invitation")).data


async def detailed(person):
    return (await person.get("/user")).data


async def basic(person):
    return {key: value for key, value in (await detailed(person)).items() if key not in ("email", "phone")}


async def friend_ids(person):
    return [friend["friend"]["id"] for friend in (await person.get("/friend")).data]


async def trio(people):
    return [await people(name) for name in ("alice", "bob", "carol")]


# POST /friend/find


@pytest.mark.gen_test
async def test_users_are_found_by_a_part_of_the_name_case_sensitively_and_literally(people):
    names = ["alice", "ALICE", "al.ce", "a(b)", "bob", "Bobalice", "x-_()@.", "aXb"]
    persons = {name: await people(name) for name in names}
    seeker = persons["bob"]
    for part, found in {
        "": [name for name in names if name != "bob"],
        "alice": ["alice", "Bobalice"],
        "ALICE": ["ALICE"],
        "lice": ["alice", "Bobalice"],
        "l.c": ["al.ce"],
        ".*": [],
        "(b)": ["a(b)"],
        "(": ["a(b)", "x-_()@."],
        "^a": [],
        "[a-z]": [],
        "a|b": [],
        "\\": [],
        "#": [],
        "SYSTEM": [],
        " ": [],
        "\n": [],
        "é😀": [],
        "bob": [],
        "Bob": ["Bobalice"],
        "$": [],
        "x" * 100_000: [],
    }.items():
        answer = await seeker.post("/friend/find", {"name_contains": part})
        assert [user["user_name"] for user in answer.data] == found, part[:20]
        assert answer.data == [await basic(persons[name]) for name in found], part[:20]


@pytest.mark.gen_test
async def test_an_id_finds_one_other_user_and_wins_over_the_name(people, nova):
    alice, bob, _ = await trio(people)
    for body in ({"id": bob.id}, {"id": bob.id, "name_contains": "carol"}, {"id": bob.id, "name_contains": 1}):
        assert (await alice.post("/friend/find", body)).data == [await basic(bob)], body
    directory = nova.services.directory
    for user_id in (alice.id, directory.system.id, directory.deleted.id, *UNKNOWN_IDS):
        for more in ({}, {"name_contains": "bob"}):
            assert (await alice.post("/friend/find", {"id": user_id, **more})).data == [], user_id


@pytest.mark.gen_test
async def test_bad_filters_are_refused_with_400(people):
    alice, _ = await people("alice"), await people("bob")
    for value in NO_INTEGERS:
        for more in ({}, {"name_contains": "bob"}):
            assert (await alice.post("/friend/find", {"id": value, **more})).status == 400, value
    for value in (None, True, 1, [], ["bob"], {}, {"$regex": ""}, {"$ne": None}, "a\0"):
        assert (await alice.post("/friend/find", {"name_contains": value})).status == 400, value
    for body in ({}, {"name": "bob"}, [], "bob", 1, None):
        assert (await alice.post("/friend/find", body)).status == 400, body
    assert (await alice.post("/friend/find")).status == 400


# POST /friend/invite, GET /friend/invitation


@pytest.mark.gen_test
async def test_invitation_shows_to_the_receiver_alone_and_is_told_to_nobody(people):
    alice, bob, carol = await trio(people)
    sockets = [await person.socket() for person in (alice, bob, carol)]
    comment = "#!*(&$87)r6h#(*asL0#*%&)sdfaNN1&^ 名😀\n"
    assert (await invite(alice, bob, comment)).body == NULL
    [invitation] = await received(bob)
    assert invitation == {
        "id": invitation["id"],
        "sender": await basic(alice),
        "receiver": await basic(bob),
        "comment": comment,
        "source": "search",
    }
    assert type(invitation["id"]) is int
    assert await received(alice) == await received(carol) == []
    assert (await invite(carol, bob)).data is None
    invitations = await received(bob)
    assert [each["sender"]["id"] for each in invitations] == [alice.id, carol.id]
    assert invitations[0] == invitation and invitations[1]["id"] > invitation["id"]
    assert (await bob.delete(f"/friend/invitation/{invitation['id']}")).body == NULL
    for socket in sockets:
        await socket.expect_nothing()


@pytest.mark.gen_test
async def test_second_invitation_replaces_the_first_unless_it_is_refused(people):
    alice, bob, carol = await trio(people)
    await invite(alice, bob, "first")
    await invite(carol, bob, "other")
    [first, other] = await received(bob)
    for comment, source in (("x" * 501, "search"), ("", "elsewhere"), (None, "search"), ("", NEVER)):
        assert (await invite(alice, bob, comment, source)).status == 400
    assert await received(bob) == [first, other]
    assert (await invite(alice, bob, "second")).data is None
    [kept, second] = await received(bob)
    assert kept == other and second["comment"] == "second" and second["id"] > other["id"]
    assert (await bob.post(f"/friend/invitation/{first['id']}")).status == 400


@pytest.mark.gen_test
async def test_comments_may_have_0_to_500_characters(people):
    alice, bob = await people("alice"), await people("bob")
    for comment in ("", " ", "x" * 500, "😀" * 500):
        assert (await invite(alice, bob, comment)).data is None
        assert [each["comment"] for each in await received(bob)] == [comment]
    for comment in ("x" * 501, "😀" * 501, "a\0", None, 1, True, [], {"$ne": None}):
        assert (await invite(alice, bob, comment)).status == 400, comment
    assert (await alice.post("/friend/invite", {"id": bob.id, "source": "search"})).status == 400
    assert [each["comment"] for each in await received(bob)] == ["😀" * 500]


@pytest.mark.gen_test
async def test_source_is_search_or_a_chat_of_both(people):
    alice, bob, carol = await trio(people)
    dave = await people("dave")
    for other in (bob, carol):
        await alice.befriend(other)
    await carol.befriend(dave)
    common, without_carol, others = (
        await alice.new_group(bob, carol),
        await alice.new_group(bob),
        await carol.new_group(dave),
    )
    private = min(chat["chat"]["chat_id"] for chat in (await bob.get("/chat")).data)
    for source in (
        *(None, True, "Search", "", "1", str(common), 1.0, float(common), [], {}, ["search"], {"$ne": None}),
        *(without_carol, others, private, *UNKNOWN_IDS),
    ):
        assert (await invite(bob, carol, source=source)).status == 400, source
    assert (await bob.post("/friend/invite", {"id": carol.id, "comment": ""})).status == 400
    assert await received(carol) == []
    for source in (common, "search"):
        assert (await invite(bob, carol, source=source)).data is None
        assert [each["source"] for each in await received(carol)] == [source]


@pytest.mark.gen_test
async def test_only_other_existing_persons_can_be_invited(people, nova, database):
    alice, bob = await people("alice"), await people("bob")
    directory = nova.services.directory
    for user_id in (*NO_INTEGERS, *UNKNOWN_IDS, alice.id, directory.system.id, directory.deleted.id):
        answer = await alice.post("/friend/invite", {"id": user_id, "comment": "", "source": "search"})
        assert answer.status == 400 and answer.error, user_id
    assert (await alice.post("/friend/invite", {"comment": "", "source": "search"})).status == 400
    await alice.befriend(bob)
    for person, other in ((alice, bob), (bob, alice)):
        assert (await invite(person, other)).status == 409
    assert database.friend_invitations.count_documents({}) == 0


@pytest.mark.gen_test
async def test_inviting_checks_in_the_contracts_order(people):
    alice, bob, carol = await trio(people)
    await alice.befriend(bob)
    await invite(carol, alice)
    for body, status in (
        ({"id": "x", "comment": 1}, 400),
        ({"id": bob.id, "comment": "x" * 501, "source": "search"}, 400),  # comment before friendship
        ({"id": bob.id, "comment": None, "source": 0}, 400),
        ({"id": bob.id, "comment": "", "source": 0}, 409),  # friendship before source
        ({"id": bob.id, "comment": ""}, 409),
        ({"id": alice.id, "comment": ""}, 400),
        ({"id": carol.id, "comment": "x" * 501}, 400),  # comment before the pending invitation
    ):
        assert (await alice.post("/friend/invite", body)).status == status, body
    error = (await alice.post("/friend/invite", {"id": NEVER, "comment": 1})).error
    assert "comment" in error
    assert await friend_ids(alice) == [bob.id]
    answer = await alice.post("/friend/invite", {"id": carol.id, "comment": "", "source": False})
    assert answer.data["friend"]["id"] == carol.id  # the pending invitation before source


# New friendships


async def accept_by_invitation(accepter, _inviter):
    [invitation] = await received(accepter)
    return await accepter.post(f"/friend/invitation/{invitation['id']}")


async def accept_by_inviting(accepter, inviter):
    return await accepter.post("/friend/invite", {"id": inviter.id, "comment": "me too", "source": None})


@pytest.mark.parametrize("accept", [accept_by_invitation, accept_by_inviting])
@pytest.mark.gen_test
async def test_accepting_makes_friends_and_their_private_chat(people, nova, accept):
    alice, bob, carol = await trio(people)
    body = {"old_password": "secret1", "email": "a@b.c", "phone": "15912345678"}
    assert (await alice.patch("/user", body)).status == 200
    await invite(alice, bob)
    sockets = {person: [await person.socket(), await (await person.again()).socket()] for person in (alice, bob)}
    stranger = await carol.socket()

    answer = await accept(bob, alice)

    default = (await bob.get("/friend/group/list")).data[0]
    assert answer.data == {"friend": await detailed(alice), "nickname": "", "group": default}
    assert (await bob.get("/friend")).data == [answer.data]
    [friend] = (await alice.get("/friend")).data
    default = (await alice.get("/friend/group/list")).data[0]
    assert friend == {"friend": await detailed(bob), "nickname": "", "group": default}
    for person, other in ((alice, bob), (bob, alice)):
        assert await received(person) == []
        assert (await person.get(f"/friend/{other.id}")).data["friend"] == await detailed(other)
        [relation] = (await person.get("/chat")).data
        assert (relation["unread_count"], relation["nickname"]) == (1, "")
        chat = relation["chat"]
        assert (chat["chat_name"], chat["chat_owner"]["id"], chat["chat_admins"]) == ("", bob.id, [])
        assert [user["id"] for user in chat["chat_members"]] == [alice.id, bob.id]
        assert chat["last_message"]["message"] == "bob added alice as a friend"
        assert chat["last_message"]["sender"]["id"] == nova.services.directory.system.id
        for socket in sockets[person]:
            [created, news] = await socket.expect("friend_created", "new_message")
            assert created == {"friend": await detailed(other)}
            assert news["message"]["message"] == "bob added alice as a friend"
            assert news["message"]["chat_id"] == chat["chat_id"]
            await socket.expect_nothing()
    await stranger.expect_nothing()


@pytest.mark.gen_test
async def test_only_the_receiver_answers_an_invitation(people):
    alice, bob, carol = await trio(people)
    await invite(alice, bob)
    [invitation] = await received(bob)
    path = f"/friend/invitation/{invitation['id']}"
    for person in (alice, carol):
        assert (await person.post(path)).status == (await person.delete(path)).status == 403
    for unknown in (0, NEVER, 2**53, 2**63, 10**30):
        for method in ("POST", "DELETE"):
            assert (await bob.request(method, f"/friend/invitation/{unknown}")).status == 400, unknown
    assert await received(bob) == [invitation]
    assert (await bob.post(path, {})).data["friend"]["id"] == alice.id
    for method in ("POST", "DELETE"):
        assert (await bob.request(method, path)).status == 400


@pytest.mark.gen_test
async def test_rejected_invitation_is_gone_and_may_be_sent_again(people):
    alice, bob = await people("alice"), await people("bob")
    await invite(alice, bob)
    [invitation] = await received(bob)
    path = f"/friend/invitation/{invitation['id']}"
    assert (await bob.delete(path)).body == NULL
    assert await received(bob) == await friend_ids(bob) == await friend_ids(alice) == []
    assert (await bob.delete(path)).status == (await bob.post(path)).status == 400
    assert (await invite(bob, alice)).data is None  # nothing is pending that this would accept
    assert (await invite(alice, bob)).data["friend"]["id"] == bob.id


@pytest.mark.gen_test
async def test_accepting_many_times_at_once_makes_one_friendship(people, database):
    alice, bob = await people("alice"), await people("bob")
    await invite(alice, bob)
    [invitation] = await received(bob)
    socket = await alice.socket()
    path = f"/friend/invitation/{invitation['id']}"
    answers = await asyncio.gather(*(bob.post(path) for _ in range(3)), *(invite(bob, alice) for _ in range(3)))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1 and set(statuses) <= {200, 400, 409}, statuses
    assert database.friendships.count_documents({}) == 2 and database.chats.count_documents({}) == 1
    await socket.expect("friend_created", "new_message")
    await socket.expect_nothing()


@pytest.mark.gen_test
async def test_two_who_invite_one_another_at_once_lose_nothing(people):
    for number in range(4):
        alice, bob = await people(f"alice{number}"), await people(f"bob{number}")
        answers = await asyncio.gather(invite(alice, bob), invite(bob, alice))
        assert [answer.status for answer in answers] == [200, 200]
        if not await friend_ids(alice):
            assert (await invite(alice, bob)).data["friend"]["id"] == bob.id
        assert await friend_ids(alice) == [bob.id] and await friend_ids(bob) == [alice.id]
        assert await received(alice) == await received(bob) == []


# GET, PATCH, DELETE /friend/<user id>; GET /friend


@pytest.mark.gen_test
async def test_friends_are_listed_in_the_order_of_the_friendships(people):
    alice, bob, carol = await trio(people)
    dave = await people("dave")
    assert await friend_ids(alice) == []
    for other in (carol, dave, bob):
        await (alice.befriend(other) if other is not dave else dave.befriend(alice))
    assert await friend_ids(alice) == [carol.id, dave.id, bob.id]
    assert await friend_ids(bob) == [alice.id]


@pytest.mark.gen_test
async def test_who_is_no_friend_is_404_to_get_and_400_to_change(people, nova):
    alice, bob, carol = await trio(people)
    await bob.befriend(carol)
    await invite(alice, bob)
    directory = nova.services.directory
    for user_id in (bob.id, alice.id, directory.system.id, 0, NEVER, 2**53, 2**63, 10**30):
        path = f"/friend/{user_id}"
        assert (await alice.get(path)).status == 404, user_id
        for body in ({}, {"nickname": "x"}, {"nickname": 1}, {"group_id": NEVER}):
            answer = await alice.patch(path, body)
            assert (answer.status, answer.error) == (400, "Friend not found"), (user_id, body)
        answer = await alice.delete(path)
        assert (answer.status, answer.error) == (400, "Friend not found"), user_id
    assert await friend_ids(bob) == [carol.id]


@pytest.mark.gen_test
async def test_nickname_and_group_change_all_or_nothing_and_show_to_the_owner_alone(people):
    alice, bob, carol = await trio(people)
    await alice.befriend(bob)
    path = f"/friend/{bob.id}"
    group = (await alice.post("/friend/group/add", {"group_name": "Close"})).data
    foreign = [(await person.get("/friend/group/list")).data[0]["group_id"] for person in (bob, carol)]
    before = (await alice.get(path)).data
    mirror = (await bob.get("/friend")).data
    for body in ({}, {"friend": 1, "more": None}):
        assert (await alice.patch(path, body)).data == before, body
    for nickname in ("Bobby", "x" * 100, "😀" * 100, " ", "", "again"):
        assert (await alice.patch(path, {"nickname": nickname})).data == {**before, "nickname": nickname}
    changed = {**before, "nickname": "again", "group": group}
    assert (await alice.patch(path, {"group_id": group["group_id"]})).data == changed
    for nickname in ("x" * 101, "😀" * 101, "a\0", None, 1, True, [], {"$ne": None}):
        body = {"nickname": nickname, "group_id": before["group"]["group_id"]}
        assert (await alice.patch(path, body)).status == 400, nickname
    for group_id in (*NO_INTEGERS, *UNKNOWN_IDS):
        assert (await alice.patch(path, {"nickname": "no", "group_id": group_id})).status == 400, group_id
    for group_id in foreign:
        assert (await alice.patch(path, {"nickname": "no", "group_id": group_id})).status == 403
    for body in ([], "x", 1, None):
        assert (await alice.patch(path, body)).status == 400, body
    assert (await alice.patch(path)).status == 400
    assert (await alice.get(path)).data == changed == (await alice.get("/friend")).data[0]
    assert (await bob.get("/friend")).data == mirror
    both = {"nickname": "B", "group_id": before["group"]["group_id"]}
    assert (await alice.patch(path, both)).data == {**before, "nickname": "B"}


@pytest.mark.gen_test
async def test_ending_a_friendship_is_told_to_the_other_one_alone(people):
    alice, bob, carol = await trio(people)
    await alice.befriend(bob)
    await alice.befriend(carol)
    group = await alice.new_group(bob)
    private = min(chat["chat"]["chat_id"] for chat in (await bob.get("/chat")).data)
    sockets = [await person.socket() for person in (alice, bob, await bob.again(), carol)]
    assert (await alice.delete(f"/friend/{bob.id}")).body == NULL
    for socket in sockets[1:3]:
        assert await socket.expect("friend_deleted") == [{"friend": await detailed(alice)}]
    for socket in sockets:
        await socket.expect_nothing()
    assert await friend_ids(bob) == [] and await friend_ids(alice) == [carol.id]
    for person in (alice, bob):
        assert (await person.get(f"/chat/{private}")).status == 400
        assert (await person.get(f"/chat/{private}/messages")).status == 404
        assert (await person.get(f"/chat/{group}")).status == 200
    assert [chat["chat"]["chat_id"] for chat in (await bob.get("/chat")).data] == [group]
    assert (await bob.delete(f"/friend/{alice.id}")).status == (await alice.delete(f"/friend/{bob.id}")).status == 400


@pytest.mark.gen_test
async def test_becoming_friends_again_makes_a_new_chat_and_fresh_records(people):
    alice, bob = await people("alice"), await people("bob")
    first = await alice.befriend(bob)
    assert (await alice.patch(f"/friend/{bob.id}", {"nickname": "Old"})).status == 200
    assert (await bob.delete(f"/friend/{alice.id}")).data is None
    second = await bob.befriend(alice)
    assert second > first
    [relation] = (await alice.get("/chat")).data
    assert relation["chat"]["chat_id"] == second and relation["unread_count"] == 1
    assert len((await alice.get(f"/chat/{second}/messages")).data) == 1
    assert (await alice.get(f"/friend/{bob.id}")).data["nickname"] == ""


@pytest.mark.gen_test
async def test_ending_a_friendship_twice_at_once_is_told_once(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    socket = await bob.socket()
    answers = await asyncio.gather(*(alice.delete(f"/friend/{bob.id}") for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]
    await socket.expect("friend_deleted")
    await socket.expect_nothing()


@pytest.mark.gen_test
async def test_session_is_needed(people, guest):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    for method, path in (
        ("POST", "/friend/find"),
        ("POST", "/friend/invite"),
        ("GET", "/friend/invitation"),
        ("POST", "/friend/invitation/1"),
        ("DELETE", "/friend/invitation/1"),
        ("GET", "/friend"),
        *((method, f"/friend/{bob.id}") for method in ("GET", "PATCH", "DELETE")),
    ):
        answer = await guest.request(method, path, {"name_contains": ""})
        assert (answer.status, answer.error) == (403, "Invalid Session"), (method, path)
    assert await friend_ids(alice) == [bob.id]
