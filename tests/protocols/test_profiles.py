"""PATCH /user in the actions protocol. Source: actions document, PATCH query; contract "actions" section 2."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from nova_tornado.app import open_nova
from nova_tornado.realtime.clock import Clock
from nova_tornado.storage.sessions import SessionKind

GOOD = {
    "email": [
        "a@b.c",
        "+-..+-.+-.-+..++-+.-.+.123asd6+.-@gmail.com",
        "+++++++++++@gmail--.com.abc",
        "a_b.c+d-e@x-y.example",
        f"{'a' * 88}@example.com",
        "",
    ],
    "phone": ["15912345678", "10000000000", ""],
    "avatar_url": ["http://a", "https://example.com/a.png", f"https://{'a' * 482}"],
    "user_name": ["x", "x" * 32, "-_()@."],
}
BAD = {
    "email": [
        *("@gmail.com", "a@b", "a b@c.d", "a@b.c ", " ", "a@b..c", "a@b.c.", "a@.b", "a@@b.c", "a@b.c\n", "ä@b.c"),
        *("a@b.ç", f"{'a' * 89}@example.com", "a\0@b.c", 1, True, ["a@b.c"], {"$ne": None}),
    ],
    "phone": [
        *("25912345678", "1591234567", "159123456789", "1591234567a", "１5912345678", "15912345678\n", " "),
        *(15912345678, "+15912345678", "1591234567\0", True, [], {}),
    ],
    "avatar_url": [
        *("a", "ftp://a", "http://", "https://", "HTTP:/a", "javascript:alert(1)", "//a", " https://a"),
        *(f"https://{'a' * 483}", "data:image/png;base64,AAAA", "https://a\0", 'https://a"onerror="x', 1, True, [], {}),
    ],
    "user_name": ["", "x" * 33, "a b", "#SYSTEM", "a\n", 1, True, [], {"$ne": None}],
    "new_password": ["", "12345", "with space", "x" * 257, "sec\0ret", 123456, True, []],
}


async def user_of(person):
    return (await person.get("/user")).data


# What is accepted


@pytest.mark.gen_test
async def test_each_field_takes_what_the_document_allows(people):
    alice = await people("alice")
    socket = await alice.socket()
    for key, values in GOOD.items():
        for value in values:
            answer = await alice.patch("/user", {"old_password": "secret1", key: value})
            assert answer.data[key] == value and answer.data == await user_of(alice), (key, value)
            assert await socket.expect("profile_change") == [None]
    await socket.expect_nothing()


@pytest.mark.gen_test
async def test_everything_can_change_at_once(people, guest):
    alice = await people("alice")
    changes = {"user_name": "eve", "email": "e@x.yz", "phone": "13000000000", "avatar_url": "https://x/y"}
    answer = await alice.patch("/user", {**changes, "old_password": "secret1", "new_password": "secret2", "more": 1})
    assert answer.data == {"id": alice.id, **changes} == await user_of(alice)
    for name, password, status in (("alice", "secret1", 403), ("eve", "secret1", 403), ("eve", "secret2", 200)):
        answer = await guest.post("/user/login", {"user_name": name, "password": password})
        assert answer.status == status, (name, password)


@pytest.mark.gen_test
async def test_name_and_avatar_change_without_a_password(people):
    alice = await people("alice")
    avatar = (await user_of(alice))["avatar_url"]
    renamed = (await alice.patch("/user", {"user_name": "eve"})).data
    assert (renamed["user_name"], renamed["avatar_url"]) == ("eve", avatar)
    assert (await alice.patch("/user", {"avatar_url": "https://x", "old_password": "wrong-1"})).status == 200
    fresh = (await alice.patch("/user", {"avatar_url": ""})).data["avatar_url"]
    assert fresh.startswith("data:image/png;base64,")
    assert (await user_of(alice))["avatar_url"] == fresh


@pytest.mark.gen_test
async def test_asking_for_nothing_changes_nothing_and_is_told_to_all_sockets_of_the_user(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    sockets = [await alice.socket(), await alice.socket(), await (await alice.again()).socket()]
    bobs = await bob.socket()
    before = await user_of(alice)
    nulls = dict.fromkeys(["user_name", "new_password", "email", "phone", "avatar_url", "old_password"])
    for body in ({}, nulls, {"old_password": "secret1"}, {"id": 7, "is_system": True, "password_hash": "x"}):
        assert (await alice.patch("/user", body)).data == before, body
        for socket in sockets:
            assert await socket.expect("profile_change") == [None]
    assert await user_of(alice) == before
    await bobs.expect_nothing()


# What is refused


@pytest.mark.gen_test
async def test_bad_values_are_refused_with_400_and_change_nothing(people):
    alice = await people("alice")
    socket = await alice.socket()
    before = await user_of(alice)
    good = {
        "old_password": "secret1",
        "email": "a@b.c",
        "phone": "15912345678",
        "user_name": "eve",
        "avatar_url": "http://a",
    }
    for key, values in BAD.items():
        for value in values:
            answer = await alice.patch("/user", {**good, "new_password": "secret2", key: value})
            assert answer.status == 400 and answer.error, (key, value)
            if key == "new_password":
                assert "password" in answer.error
            if key == "user_name" and isinstance(value, str):
                assert "Username" in answer.error
            assert await user_of(alice) == before, (key, value)
    for body in ([], [1], "x", 1, True, None):
        assert (await alice.patch("/user", body)).status == 400, body
    assert (await alice.patch("/user")).status == 400
    await socket.expect_nothing()
    assert (await alice.log_in()).status == 200


@pytest.mark.gen_test
async def test_old_password_guards_password_email_and_phone(people):
    alice = await people("alice")
    before = await user_of(alice)
    for change in ({"new_password": "secret2"}, {"email": "a@b.c"}, {"phone": "15912345678"}, {"email": ""}):
        for old in (
            {},
            {"old_password": None},
            {"old_password": 123456},
            {"old_password": True},
            {"old_password": ["secret1"]},
        ):
            assert (await alice.patch("/user", {**old, **change, "user_name": "eve"})).status == 400, (old, change)
        for wrong in ("secret2", "", "secret", "secret1 ", "x" * 1000, {"$ne": None}):
            answer = await alice.patch("/user", {"old_password": wrong, **change, "user_name": "eve"})
            assert answer.status == (403 if isinstance(wrong, str) else 400), (wrong, change)
            if answer.status == 403:
                assert answer.error == "Old password is incorrect"
    assert await user_of(alice) == before
    assert (await alice.log_in()).status == 200


@pytest.mark.gen_test
async def test_checks_run_in_the_contracts_order(people):
    alice = await people("alice")
    everything_bad = {
        "old_password": "wrong-1",
        "new_password": "short",
        "email": "bad",
        "phone": "bad",
        "user_name": "a b",
        "avatar_url": "bad",
    }
    repaired = [
        ("old_password", "secret1"),
        ("new_password", "secret2"),
        ("email", "a@b.c"),
        ("phone", ""),
        ("user_name", "eve"),
    ]
    texts = ["Old password", "password", "mail", "phone", "Username", "vatar"]
    for text, (key, value) in zip(texts, [*repaired, ("avatar_url", "")], strict=True):
        answer = await alice.patch("/user", everything_bad)
        assert text in answer.error and answer.status == (403 if text == "Old password" else 400)
        everything_bad[key] = value
    assert (await alice.patch("/user", everything_bad)).status == 200


@pytest.mark.gen_test
async def test_taken_names_are_refused_with_409_even_ones_own(people):
    alice, bob = await people("alice"), await people("bob")
    for name in ("bob", "alice"):
        answer = await alice.patch("/user", {"user_name": name, "avatar_url": "https://x"})
        assert (answer.status, answer.error) == (409, "Username already exists")
    assert (await user_of(alice))["avatar_url"] != "https://x"
    assert (await alice.patch("/user", {"user_name": "ALICE"})).status == 200
    assert (await bob.patch("/user", {"user_name": "alice"})).status == 200


@pytest.mark.gen_test
async def test_taken_address_is_refused_with_409_whatever_its_case_and_nothing_else_changes(people):
    alice, bob = await people("alice"), await people("bob")
    first = {"old_password": "secret1", "email": "Shared@Example.com"}
    assert (await alice.patch("/user", first)).status == 200
    before = await user_of(bob)
    refused = await bob.patch("/user", {"old_password": "secret1", "email": "shared@example.COM", "user_name": "eve"})
    assert refused.status == 409 and "mail" in refused.error
    assert await user_of(bob) == before
    assert (await alice.patch("/user", first)).status == 200
    assert (await alice.patch("/user", {**first, "email": ""})).status == 200
    assert (await bob.patch("/user", {**first})).status == 200
    assert (await alice.patch("/user", {**first, "email": ""})).status == 200


@pytest.mark.gen_test
async def test_one_of_many_who_take_the_same_name_at_once_gets_it(people):
    persons = [await people(f"user{number}") for number in range(4)]
    answers = await asyncio.gather(*(person.patch("/user", {"user_name": "wanted"}) for person in persons))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    names = [(await user_of(person))["user_name"] for person in persons]
    assert names.count("wanted") == 1


# Sessions


@pytest.mark.gen_test
async def test_other_changes_leave_all_sessions_alive(people):
    alice = await people("alice")
    devices = [alice, await alice.again()]
    cookies = [device.cookie for device in devices]
    body = {"old_password": "secret1", "email": "a@b.c", "user_name": "eve", "avatar_url": ""}
    answer = await alice.patch("/user", body)
    assert "Set-Cookie" not in answer.headers
    assert [device.cookie for device in devices] == cookies
    for device in devices:
        assert await user_of(device) == answer.data


@pytest.mark.gen_test
async def test_password_change_gives_a_new_cookie_and_ends_all_other_sessions(people, guest):
    alice, bob = await people("alice"), await people("bob")
    other_device = await alice.again()
    token = (await guest.post("/user/token", {"user_name": "alice", "password": "secret1"})).data["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    own, others, bobs = (
        await alice.socket(),
        [await other_device.socket(), await guest.socket(bearer)],
        await bob.socket(),
    )
    old_cookie = alice.cookie
    assert (await alice.patch("/user", {"old_password": "secret1", "new_password": "secret2"})).status == 200
    assert alice.cookie not in (None, old_cookie)
    assert await user_of(alice)
    assert await own.expect("profile_change") == [None]
    await own.expect_nothing()
    for socket in others:
        assert await socket.expect("profile_change", "logout") == [None, None]
        await socket.expect_close(1000)
    await bobs.expect_nothing()
    alice.cookie = old_cookie
    for answer in (await alice.get("/user"), await other_device.get("/user"), await guest.get("/user", headers=bearer)):
        assert answer.status == 403
    assert (await alice.log_in()).status == 403
    alice.password = "secret2"
    assert (await alice.log_in()).status == 200


@pytest.mark.gen_test
async def test_token_that_changes_the_password_outlives_the_change(people, guest):
    alice = await people("alice")
    token = (await guest.post("/user/token", {"user_name": "alice", "password": "secret1"})).data["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    own, cookies = await guest.socket(bearer), await alice.socket()
    change = {"old_password": "secret1", "new_password": "secret2"}
    answer = await guest.patch("/user", change, headers=bearer)
    assert answer.status == 200 and "Set-Cookie" not in answer.headers
    assert (await guest.get("/user", headers=bearer)).data["id"] == alice.id
    await own.expect("profile_change")
    await own.expect_nothing()
    await cookies.expect("profile_change", "logout")
    assert (await alice.get("/user")).status == 403


@pytest.mark.gen_test
async def test_refused_password_change_ends_no_session(people):
    alice = await people("alice")
    other_device = await alice.again()
    cookie = alice.cookie
    for body in (
        {"old_password": "wrong-1", "new_password": "secret2"},
        {"old_password": "secret1", "new_password": "short"},
        {"old_password": "secret1", "new_password": "secret2", "user_name": "alice"},
    ):
        assert (await alice.patch("/user", body)).status in (400, 403, 409)
    assert alice.cookie == cookie
    assert await user_of(alice) == await user_of(other_device)


@pytest.mark.gen_test
async def test_new_profile_shows_everywhere_at_once(people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    changes = {"user_name": "eve", "avatar_url": "https://x/y"}
    user = (await alice.patch("/user", changes)).data
    basic = {"id": alice.id, **changes}
    assert (await bob.get(f"/user/{alice.id}")).data == basic
    assert (await bob.get(f"/friend/{alice.id}")).data["friend"] == user
    assert basic in (await bob.get(f"/chat/{chat_id}")).data["chat"]["chat_members"]
    assert (await bob.post("/friend/find", {"name_contains": "eve"})).data == [basic]
    assert (await bob.post("/friend/find", {"name_contains": "alice"})).data == []
    sockets = await alice.socket(), await bob.socket()
    await sockets[0].send("send_message", {"chat_id": chat_id, "content": "hello"})
    [news] = await sockets[1].expect("new_message")
    assert news["message"]["sender"] == basic


class MovedClock(Clock):
    """The machine's clock and then some."""

    def __init__(self):
        self.ahead = timedelta()

    def now_us(self):
        return super().now_us() + self.ahead // timedelta(microseconds=1)


@pytest.mark.gen_test
async def test_cookie_is_good_for_14_days(settings, mongo, database):
    clock = MovedClock()
    nova = await open_nova(settings, mongo.uri, database=database.name, clock=clock)
    try:
        accounts = nova.services.accounts
        secret = await accounts.begin_session(await accounts.register("alice", "secret1", "::1"), SessionKind.COOKIE)
        clock.ahead = timedelta(days=14, minutes=-1)
        assert await accounts.find_session(secret) is not None
        clock.ahead = timedelta(days=14)
        assert await accounts.find_session(secret) is None
        assert database.sessions.find_one()["expires_at"] - datetime.now(UTC) > timedelta(days=13)
    finally:
        await nova.close()
