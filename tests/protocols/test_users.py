"""Users of the actions protocol. Source: actions document, User control APIs; contract "actions" section 2."""

import asyncio
import base64
import re
import struct

import pytest

from nova_tornado.domain.events import AccountCreated, SignedIn, SignedOut
from nova_tornado.services.avatars import identicon
from nova_tornado.settings import Settings

NEVER = 999_999
"""An id that no user has."""

BAD_NAMES = [
    "",
    "x" * 33,
    "a b",
    " a",
    "a\n",
    "#SYSTEM",
    "#DELETED",
    "a/b",
    "ä",
    "a+b",
    "a$",
    "a,b",
    "名",
    1,
    True,
    [],
    {},
]
GOOD_NAMES = ["x", "x" * 32, "-_()@.", "0", "...", "Alice.B-c_d@(e)", "__proto__"]
BAD_PASSWORDS = ["", "12345", "with space", " secret1", "x" * 257, "ä" * 257, "sec\0ret", 123456, True, ["secret1"]]
GOOD_PASSWORDS = ["123456", "tab\tpasses", "x" * 72, "x" * 73, "ä" * 37, "😀" * 256, "😀😀😀😀😀😀", '"\\\n\r%00']


@pytest.fixture
def settings():
    """Without bots, the users of a test are all there are."""
    return Settings(bcrypt_rounds=4, rate_limits=False, plugins_off=("nova_bot_chat",))


async def register(guest, user_name, password="secret1"):
    return await guest.post("/user/register", {"user_name": user_name, "password": password})


async def log_in(guest, user_name, password="secret1"):
    return await guest.post("/user/login", {"user_name": user_name, "password": password})


def check_session_cookie(answer):
    """The answer sets a session cookie of 14 days; returns its value."""
    cookie = answer.headers["Set-Cookie"]
    value, *attributes = cookie.split("; ")
    assert re.fullmatch(r"sessionid=[A-Za-z0-9_-]{40,}", value)
    assert {"HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={14 * 24 * 3600}"} <= set(attributes), cookie
    assert "Secure" not in attributes and not any(part.startswith("Domain") for part in attributes)
    return value.partition("=")[2]


def basic(user):
    """User.Basic out of User.Detailed."""
    return {key: user[key] for key in ("id", "user_name", "avatar_url")}


# POST /user/register


@pytest.mark.gen_test
async def test_registering_signs_in_and_shows_the_user(guest):
    answer = await register(guest, "alice")
    user = answer.data
    assert user.keys() == {"id", "user_name", "avatar_url", "email", "phone"}
    assert (user["user_name"], user["email"], user["phone"]) == ("alice", "", "")
    assert type(user["id"]) is int
    check_session_cookie(answer)
    assert (await guest.get("/user")).data == user
    groups = (await guest.get("/friend/group/list")).data
    assert [group["group_name"] for group in groups] == [""]
    assert (await guest.get("/friend")).data == (await guest.get("/chat")).data == []


@pytest.mark.gen_test
async def test_bad_names_and_passwords_are_refused_with_400(guest, database):
    for name in [*BAD_NAMES, None]:
        error = (await register(guest, name)).error
        assert "sername" in error or "user_name" in error, name
    for password in [*BAD_PASSWORDS, None]:
        answer = await register(guest, "alice", password)
        assert answer.status == 400 and "password" in answer.error, password
    for body in ({}, {"user_name": "alice"}, {"password": "secret1"}):
        assert (await guest.post("/user/register", body)).status == 400, body
    assert guest.cookie is None
    assert database.users.count_documents({"is_system": {"$exists": False}}) == 0
    assert database.friend_groups.count_documents({}) == database.sessions.count_documents({}) == 0


@pytest.mark.gen_test
async def test_names_and_passwords_at_the_limits_are_accepted(guest):
    for name in GOOD_NAMES:
        assert (await register(guest, name)).data["user_name"] == name
    for number, password in enumerate(GOOD_PASSWORDS):
        assert (await register(guest, f"user{number}", password)).status == 200, password
        assert (await log_in(guest, f"user{number}", password)).status == 200, password


@pytest.mark.gen_test
async def test_registering_checks_that_there_is_a_password_then_the_name_then_the_password(guest):
    assert "password" in (await register(guest, "", None)).error
    assert "password" in (await register(guest, "", 123456)).error
    assert "Username" in (await register(guest, "", "short")).error
    await register(guest, "alice")
    assert (await register(guest, "alice", "short")).status == 400


@pytest.mark.gen_test
async def test_taken_name_is_refused_with_409_and_case_makes_a_difference(people, guest):
    alice = await people("alice")
    refused = await register(guest, "alice", "another1")
    assert refused.status == 409 and refused.error == "Username already exists"
    assert guest.cookie is None
    assert (await alice.log_in()).status == 200
    assert (await register(guest, "ALICE")).data["id"] > alice.id


@pytest.mark.gen_test
async def test_one_of_many_who_want_the_same_name_at_once_gets_it(guest, database):
    answers = await asyncio.gather(*(register(guest, "wanted") for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    assert database.users.count_documents({"name": "wanted"}) == database.friend_groups.count_documents({}) == 1


@pytest.mark.gen_test
async def test_registering_over_a_live_session_replaces_it_without_a_word(people):
    alice = await people("alice")
    other_device = await alice.again()
    socket = await alice.socket()
    old_cookie = alice.cookie
    user = (await register(alice, "bob")).data
    assert (await alice.get("/user")).data == user
    alice.cookie = old_cookie
    assert (await alice.get("/user")).status == 403
    assert (await other_device.get("/user")).data["user_name"] == "alice"
    await socket.expect_nothing()


@pytest.mark.gen_test
async def test_refused_registration_leaves_the_live_session(people):
    alice = await people("alice")
    assert (await register(alice, "alice")).status == 409
    assert (await register(alice, "b c")).status == 400
    assert (await alice.get("/user")).data["id"] == alice.id


@pytest.mark.gen_test
async def test_first_avatar_is_an_identicon_of_the_name(guest):
    urls = [(await register(guest, "alice")).data["avatar_url"], identicon("alice"), identicon("bob")]
    pictures = []
    for url in urls:
        kind, _, text = url.partition(",")
        assert kind == "data:image/png;base64"
        png = base64.b64decode(text, validate=True)
        assert png.startswith(b"\x89PNG\r\n\x1a\n") and struct.unpack(">II", png[16:24]) == (256, 256)
        pictures.append(png)
    patterns = [re.search(rb"IDAT(.*)IEND", png, re.DOTALL)[1] for png in pictures]
    assert patterns[0] == patterns[1] != patterns[2]
    assert len({identicon("alice") for _ in range(8)}) > 1  # the colours are random


# POST /user/login


@pytest.mark.gen_test
async def test_login_answers_with_the_user_and_a_cookie(people, guest):
    alice = await people("alice")
    answer = await log_in(guest, "alice")
    assert answer.data == (await alice.get("/user")).data
    assert check_session_cookie(answer) != alice.cookie
    assert (await guest.get("/user")).data["id"] == (await alice.get("/user")).data["id"] == alice.id


@pytest.mark.gen_test
async def test_unknown_user_and_wrong_password_get_the_same_answer(people, guest):
    await people("alice")
    answers = [await log_in(guest, name, "wrong-1") for name in ("alice", "nobody", "ALICE")]
    assert {(answer.status, answer.body) for answer in answers} == {
        (403, b'{"ok":false,"error":"Invalid username or password"}')
    }
    assert [sorted(answer.headers) for answer in answers] == [sorted(answers[0].headers)] * 3
    assert guest.cookie is None


@pytest.mark.gen_test
async def test_login_checks_the_form_before_the_credentials(people, guest):
    await people("alice")
    for path in ("/user/login", "/user/token"):
        for name in [*BAD_NAMES, None]:
            assert (await guest.post(path, {"user_name": name, "password": "secret1"})).status == 400, name
        for password in [*BAD_PASSWORDS, None]:
            assert (await guest.post(path, {"user_name": "alice", "password": password})).status == 400, password
        for body in ({}, {"user_name": "alice"}, {"password": "secret1"}, {"username": "alice", "password": "secret1"}):
            assert (await guest.post(path, body)).status == 400, body


@pytest.mark.gen_test
async def test_only_the_whole_password_fits(people, guest):
    passwords = {"alice": "secret1", "bob": "x" * 71, "carol": "x" * 72, "dave": "x" * 73, "erin": "x" * 256}
    for name, password in passwords.items():
        await people(name, password)
        for wrong in (password[:-1], password + "x", password[:-1] + "y", *(set(passwords.values()) - {password})):
            if len(wrong) <= 256:
                assert (await log_in(guest, name, wrong)).status == 403, (name, wrong)
        assert (await log_in(guest, name, password)).status == 200
    for password in ("x" * 257, "x" * 72 + "\0"):
        assert (await log_in(guest, "carol", password)).status == 400


@pytest.mark.gen_test
async def test_login_over_a_live_session_ends_that_session_first(people):
    alice = await people("alice")
    await people("bob")
    other_device = await alice.again()
    sockets = await alice.socket(), await alice.socket(), await other_device.socket()
    old_cookie = alice.cookie
    assert (await log_in(alice, "bob", "wrong-1")).status == 403
    assert (await alice.get("/user")).data["id"] == alice.id
    assert (await log_in(alice, "bob")).data["user_name"] == "bob"
    for socket in sockets[:2]:
        assert await socket.expect("logout") == [None]
        await socket.expect_close(1000)
    await sockets[2].expect_nothing()
    alice.cookie = old_cookie
    assert (await alice.get("/user")).status == 403
    assert (await other_device.get("/user")).status == 200


# GET /user, GET /user/<id>


@pytest.mark.gen_test
async def test_everybody_signed_in_sees_the_basic_user_by_id_under_both_urls(people):
    alice, bob = await people("alice"), await people("bob")
    assert (
        await alice.patch("/user", {"old_password": "secret1", "email": "a@b.c", "phone": "15912345678"})
    ).status == 200
    user = (await alice.get("/user")).data
    assert (user["email"], user["phone"]) == ("a@b.c", "15912345678")
    for person in (alice, bob):
        for path in (f"/user/{alice.id}", f"/user/{alice.id})"):
            assert (await person.get(path)).data == basic(user), path


@pytest.mark.gen_test
async def test_unknown_users_are_404_and_strangers_403(people, guest):
    alice = await people("alice")
    for user_id in (0, NEVER, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, 10**300):
        answer = await alice.get(f"/user/{user_id}")
        assert (answer.status, answer.error) == (404, "User not found"), user_id
    for path in ("/user", f"/user/{alice.id}", f"/user/{alice.id})", f"/user/{NEVER}"):
        answer = await guest.get(path)
        assert (answer.status, answer.error) == (403, "Invalid Session"), path


@pytest.mark.gen_test
async def test_system_users_are_shown_by_id_and_cannot_sign_in(people, guest, nova):
    alice = await people("alice")
    directory = nova.services.directory
    for user, name in ((directory.system, "#SYSTEM"), (directory.deleted, "#DELETED")):
        assert (await alice.get(f"/user/{user.id}")).data == {"id": user.id, "user_name": name, "avatar_url": ""}
        assert (await log_in(guest, name)).status == (await register(guest, name)).status == 400


# POST /user/logout


@pytest.mark.gen_test
async def test_logout_ends_this_session_and_its_sockets_alone(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    other_device = await alice.again()
    sockets = [await person.socket() for person in (alice, alice, other_device, bob)]
    cookie = alice.cookie
    assert (await alice.post("/user/logout")).data is None
    assert alice.cookie is None
    for socket in sockets[:2]:
        assert await socket.expect("logout") == [None]
        await socket.expect_close(1000)
    for socket in sockets[2:]:
        await socket.expect_nothing()
    alice.cookie = cookie
    for answer in (await alice.get("/user"), await alice.post("/user/logout")):
        assert (answer.status, answer.error) == (403, "Invalid Session")
    assert (await other_device.get("/user")).status == 200


@pytest.mark.gen_test
async def test_logout_takes_an_empty_object_and_refuses_strangers(people, guest):
    assert (await (await people("alice")).post("/user/logout", {})).data is None
    for cookie in (None, "", "x", "x" * 43, "x" * 5000, "a,b", "%00", '"', "é"):
        guest.cookie = cookie
        assert (await guest.post("/user/logout")).status == 403, cookie


# Tokens


@pytest.mark.gen_test
async def test_token_is_as_good_as_the_cookie(people, guest):
    alice = await people("alice")
    answer = await guest.post("/user/token", {"user_name": "alice", "password": "secret1"})
    assert answer.data.keys() == {"token"} and re.fullmatch(r"[A-Za-z0-9._~-]+", answer.data["token"])
    assert guest.cookie is None and "Set-Cookie" not in answer.headers
    another = (await guest.post("/user/token", {"user_name": "alice", "password": "secret1"})).data["token"]
    assert another != answer.data["token"]
    for scheme in ("Bearer", "bearer"):
        headers = {"Authorization": f"{scheme} {answer.data['token']}"}
        assert (await guest.get("/user", headers=headers)).data["id"] == alice.id
        assert (await guest.post("/friend/find", {"name_contains": ""}, headers=headers)).data == []
        await (await guest.socket(headers)).expect_nothing()


@pytest.mark.gen_test
async def test_wrong_credentials_get_no_token(people, guest):
    await people("alice")
    for name in ("alice", "nobody"):
        answer = await guest.post("/user/token", {"user_name": name, "password": "wrong-1"})
        assert (answer.status, answer.error) == (403, "Invalid username or password")


@pytest.mark.gen_test
async def test_logout_with_a_token_ends_that_token_and_its_sockets_alone(people, guest):
    alice = await people("alice")
    body = {"user_name": "alice", "password": "secret1"}
    first, second = [{"Authorization": f"Bearer {(await guest.post('/user/token', body)).data['token']}"} for _ in "12"]
    sockets = await guest.socket(first), await guest.socket(second), await alice.socket()
    assert (await guest.post("/user/logout", headers=first)).data is None
    await sockets[0].expect("logout")
    await sockets[0].expect_close(1000)
    await sockets[1].expect_nothing()
    await sockets[2].expect_nothing()
    assert (await guest.get("/user", headers=first)).status == 403
    assert (await guest.get("/user", headers=second)).status == (await alice.get("/user")).status == 200


@pytest.mark.gen_test
async def test_secrets_are_stored_nowhere(people, guest, mongo_client, database):
    alice = await people("alice", "correct-horse")
    token = (await guest.post("/user/token", {"user_name": "alice", "password": "correct-horse"})).data["token"]
    stored = repr([list(database[name].find()) for name in database.list_collection_names()])
    assert "alice" in stored
    for secret in ("correct-horse", alice.cookie, token):
        assert secret not in stored


# What others are told


@pytest.mark.gen_test
async def test_registering_login_and_logout_are_told_to_others_and_tokens_are_not(guest, nova):
    happened = []
    nova.bus.add_sink(happened.extend)

    def told():
        taken = [event for event in happened if isinstance(event, AccountCreated | SignedIn | SignedOut)]
        happened.clear()
        return taken

    user_id = (await register(guest, "alice")).data["id"]
    alice = await nova.services.accounts.get_user(user_id)
    assert told() == [AccountCreated(alice), SignedIn(user_id)]
    assert (await log_in(guest, "alice")).status == 200  # the session before it ends without a word
    assert told() == [SignedIn(user_id)]
    assert (await guest.post("/user/token", {"user_name": "alice", "password": "secret1"})).status == 200
    assert (await log_in(guest, "alice", "wrong-1")).status == 403
    assert (await register(guest, "alice")).status == 409
    assert told() == []
    bob_id = (await register(guest, "bob")).data["id"]
    assert told()[1:] == [SignedIn(bob_id)]
    assert (await guest.post("/user/logout")).status == 200
    assert (await guest.post("/user/logout")).status == 403
    assert told() == [SignedOut(bob_id)]


class TestBehindHttps:
    """A server that is reached by https."""

    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False, base_url="https://chat.example")

    @pytest.mark.gen_test
    async def test_cookie_is_secure(self, guest):
        answer = await register(guest, "alice")
        assert "Secure" in answer.headers["Set-Cookie"].split("; ")
