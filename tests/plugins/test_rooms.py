"""The rooms protocol's HTTP side: its form, accounts, logging in and out, users, profile.

Source: rooms document; contract "protocols" sections 0.3, 0.4, 0.7, 3.1 to 3.3, 3.5.
"""

import asyncio
import email
import email.policy
import json
import re

import pytest
from clients.rooms import RoomsClient
from nova_rooms.packets import CODE
from people import exchange

from nova_tornado.domain.errors import ErrorCode
from nova_tornado.settings import Settings

BASE_URL = "https://chat.example"
ANNA = {"email": "Anna@example.org", "password": "geheim1", "first_name": "Anna", "last_name": "Beck"}
PATHS = {
    "/register": ["POST"],
    "/register/some-token": ["GET"],
    "/login": ["POST"],
    "/logout": ["GET"],
    "/users": ["GET"],
    "/users/profile": ["GET", "PUT"],
    "/users/group/1": ["GET"],
    "/notifications": ["GET", "PUT"],
    "/chat_rooms": ["GET"],
    "/chat_rooms/1": ["GET"],
    "/chat_groups": ["GET", "POST", "PUT"],
    "/chat_groups/1": ["GET", "POST", "PUT"],
    "/chat_bot": ["GET"],
}
NO_STRINGS = (None, 5, 1.5, True, [], ["a"], {}, {"$ne": None})


@pytest.fixture
def settings(tmp_path):
    return Settings(bcrypt_rounds=4, rate_limits=False, mail_dir=tmp_path / "mail", base_url=BASE_URL)


@pytest.fixture
def stranger(http_server, http_port):
    return RoomsClient(http_port, None)


def mails(settings):
    folder = settings.mail_dir
    return sorted(folder.glob("*.eml")) if folder.exists() else []


def link_in(path):
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    text = mail.get_body(("plain",)).get_content()
    found = re.findall(re.escape(BASE_URL) + r"/http(/register/[\w.~-]+)\s", text)
    assert len(found) == 1, text
    return mail, found[0]


async def register(client, settings, **fields):
    """Register as Anna, less what ``fields`` say; returns the path of the link."""
    before = set(mails(settings))
    assert (await client.post("/register", {**ANNA, **fields})).data is None
    new = set(mails(settings)) - before
    assert len(new) == 1
    return link_in(new.pop())[1]


async def log_in(client, name="anna@example.org", password="geheim1"):
    answer = await client.post("/login", {"email": name, "password": password})
    assert answer.data == {"token": answer.json["token"]}
    return answer.json["token"]


# The form of HTTP


@pytest.mark.gen_test
async def test_methods_come_before_the_token_and_paths_before_methods(stranger):
    for path, methods in PATHS.items():
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "BREW"):
            if method not in methods:
                answer = await stranger.http(method, path)
                answer.refused(405)
                assert answer.headers["Allow"] == ", ".join([*methods, "OPTIONS"])
        answer = await stranger.http("OPTIONS", path, headers={"Origin": BASE_URL})
        assert (answer.status, answer.body) == (200, b"")
        assert "Authentication" in answer.headers["Access-Control-Allow-Headers"]
    for path in (
        *("", "/", "/unknown", "/users/", "/users/1", "/chat_rooms/", "/register/", "/register/a/b", "/logout/x"),
        *(f"/{kind}/{id_}" for kind in ("chat_rooms", "chat_groups", "users/group") for id_ in NO_IDS),
    ):
        for method in ("GET", "POST", "PUT", "DELETE", "BREW", "OPTIONS"):
            answer = await stranger.http(method, path)
            answer.refused(404)
            assert "Allow" not in answer.headers


NO_IDS = ("0", "-1", "007", "1.0", "abc", "%00", "+1", "1e3", "true", "%D9%A3", "1/2")


@pytest.mark.gen_test
async def test_the_token_comes_in_either_header_and_never_in_a_cookie(people, stranger):
    alice = await people("alice")
    client = await RoomsClient.of(alice)
    good = client.token
    for headers in (
        {"authentication": good},
        {"Authentication": good},
        {"Authorization": f"Bearer {good}"},
        {"authorization": f"bearer {good}"},
        {"authentication": good, "Authorization": "Bearer bad"},
        {"authentication": "bad", "Authorization": f"Bearer {good}"},
        {"authentication": good, "Authorization": "Basic YTpi"},
    ):
        answer = await stranger.get("/users/profile", headers=headers)
        assert answer.data["user_id"] == alice.id
    for headers in (
        {},
        {"authentication": ""},
        {"authentication": "bad"},
        {"authentication": "x" * 5000},
        {"authentication": good + "\xff"},
        {"authentication": f"Bearer {good}"},
        {"Authorization": good},
        {"Cookie": f"sessionid={alice.cookie}"},
    ):
        for method, path in (("GET", "/users/profile"), ("GET", "/logout"), ("PUT", "/notifications")):
            answer = await stranger.http(method, path, headers=headers, raw=b"{broken")
            answer.refused(401)
    assert (await client.get("/users/profile")).data["user_id"] == alice.id


@pytest.mark.gen_test
async def test_bodies_are_json_whatever_their_content_type_says(people):
    client = await RoomsClient.of(await people("alice"))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"):
        answer = await client.put("/users/profile", {"last_name": kind[:50]}, headers={"Content-Type": kind})
        assert answer.data["last_name"] == kind[:50]
    for raw in (
        *(b"{", b"nonsense", b"[]", b"5", b"null", b'"text"', b'{"last_name":NaN}', b"\xff", b"\xef\xbb\xbf{}"),
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ):
        for method, path in (("GET", "/users"), ("PUT", "/users/profile"), ("GET", "/chat_rooms/77")):
            answer = await client.http(method, path, raw=raw)
            answer.refused(400)
    (await client.put("/users/profile", raw=b'{"last_name":"\\ud800"}')).refused(400)
    (await client.put("/users/profile")).refused(400)
    assert (await client.get("/users/profile")).data["last_name"] == "nonsense"


@pytest.mark.gen_test
async def test_large_bodies_are_answered_and_larger_ones_refused_in_the_protocols_shape(people):
    client = await RoomsClient.of(await people("alice"))
    padding = {"padding": "x" * (16 * 1024 * 1024 - 100)}
    assert (await client.put("/users/profile", {"last_name": "L", **padding})).data["last_name"] == "L"
    for path in ("/users/profile", "/unknown"):
        (await client.http("PUT", path, headers={"Content-Length": str(16 * 1024**2 + 1)})).refused(413)


@pytest.mark.gen_test
async def test_pages_of_other_sites_change_nothing(people):
    client = await RoomsClient.of(await people("alice"))
    for origin in ("https://evil.example", "null", BASE_URL + ".evil.example"):
        answer = await client.put("/users/profile", {"last_name": "L"}, headers={"Origin": origin})
        answer.refused(403)
    assert (await client.put("/users/profile", {"last_name": "L"}, headers={"Origin": BASE_URL})).data


def test_every_refusal_has_a_code():
    assert CODE.keys() == set(ErrorCode)


@pytest.mark.gen_test
@pytest.mark.expects_log("internal error")
async def test_a_fault_of_ours_is_500_and_says_nothing_about_us(people, nova, monkeypatch):
    client = await RoomsClient.of(await people("alice"))

    async def fail(*_args, **_more):
        raise RuntimeError("/secret/path of mongodb")

    monkeypatch.setattr(type(nova.services.chats), "list_of", fail)
    monkeypatch.setattr(type(nova.services.messages), "send_private", fail)
    for reason in (
        (await client.get("/chat_rooms")).refused(500),
        await client.refused({"chat_type": "room", "other_user_id": 5, "message": "hi"}, 500),
    ):
        assert "secret" not in reason and "Runtime" not in reason


# Registering


@pytest.mark.gen_test
async def test_registration_mails_a_link_that_makes_the_account(people, stranger, settings):
    witness = await RoomsClient.of(await people("witness"))
    assert (await stranger.post("/register", ANNA, headers={"Host": "evil.example"})).data is None
    mail, link = link_in(mails(settings)[0])
    assert mail["To"] == ANNA["email"] and ANNA["password"] not in mail.as_string()
    (await stranger.post("/login", {"email": ANNA["email"], "password": ANNA["password"]})).refused(401)
    assert await witness.drain() == []

    assert (await stranger.get(link)).data is None
    (packet,) = await witness.drain()
    assert packet == {"type": "user_update", "user_id": packet["user_id"], "first_name": "Anna", "last_name": "Beck"}
    (await stranger.get(link)).refused(409)
    assert await witness.drain() == []

    stranger.token = await log_in(stranger)
    profile = (await stranger.get("/users/profile")).data
    assert profile == {
        "user_id": packet["user_id"],
        "first_name": "Anna",
        "last_name": "Beck",
        "email": "Anna@example.org",
        "user_name": "Anna",
    }


@pytest.mark.gen_test
async def test_bad_registrations_send_no_mail(stranger, settings):
    for key in ANNA:
        for value in (*NO_STRINGS, "a\0b@example.org", "\ud800xxxxx"):
            (await stranger.post("/register", {**ANNA, key: value})).refused(400)
        (await stranger.post("/register", {name: ANNA[name] for name in ANNA if name != key})).refused(400)
    for key, value in (
        *(("email", value) for value in ("", "anna", "a@b", "a b@c.de", "a@c.de\nBcc: x@y.z", "a,b@c.de", "@c.de")),
        ("email", "a" * 100 + "@c.de"),
        *(("password", value) for value in ("", "12345", "pass word", "x" * 257)),
        *(("first_name", value) for value in ("", "x" * 51)),
        ("last_name", "x" * 51),
    ):
        (await stranger.post("/register", {**ANNA, key: value})).refused(400)
    assert mails(settings) == []
    link = await register(stranger, settings, first_name="An\r\nBcc: evil@example.org", last_name="")
    assert (await stranger.get(link)).data is None
    stranger.token = await log_in(stranger)
    assert (await stranger.get("/users/profile")).data["first_name"] == "An\r\nBcc: evil@example.org"


@pytest.mark.gen_test
async def test_unknown_links_are_400_and_of_several_for_one_address_one_makes_the_account(stranger, settings):
    for token in ("nonsense", "x" * 5000, "%00", "%FF", "a%20b", "..%2F..", "%F0%9F%98%80"):
        (await stranger.get(f"/register/{token}")).refused(400)
    first = await register(stranger, settings)
    second = await register(stranger, settings, email="ANNA@example.org", password="zweites")
    assert first != second
    answers = await asyncio.gather(*(stranger.get(second) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    (await stranger.get(first)).refused(409)
    (await stranger.post("/register", ANNA)).refused(409)
    assert await log_in(stranger, password="zweites")
    (await stranger.post("/login", {"email": "anna@example.org", "password": "geheim1"})).refused(401)


@pytest.mark.gen_test
async def test_the_link_is_good_for_an_hour(stranger, settings, nova, monkeypatch):
    links = [await register(stranger, settings), await register(stranger, settings)]
    now_us = nova.services.clock.now_us()
    for minutes, status in ((61, 400), (59, 200)):
        monkeypatch.setattr(nova.services.clock, "now_us", lambda at_us=now_us + minutes * 60_000_000: at_us)
        assert (await stranger.get(links.pop())).status == status


@pytest.mark.gen_test
async def test_a_browser_is_shown_a_page_without_anything_in_it(stranger, settings):
    link = await register(stranger, settings, first_name="<script>alert(1)</script>")
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for path, status in ((link, 200), (link, 409), ("/register/%3Cscript%3E", 400)):
        answer = await stranger.get(path, headers=browser)
        assert answer.status == status
        assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        text = answer.body.decode()
        assert text.startswith("<!DOCTYPE html>") and "script" not in text
    for accept in ("", "*/*", "application/json", "text/html;q=0.5, */*", "application/json, text/html", "q=;,;q=x"):
        (await stranger.get(link, headers={"Accept": accept})).refused(409)


# Logging in and out


@pytest.mark.gen_test
async def test_login_takes_a_user_name_or_an_address_and_everybody_online_is_told(people, stranger):
    alice, bob = await people("alice"), await people("bob")
    client, witness = await RoomsClient.of(alice), await RoomsClient.of(bob)
    await client.put("/users/profile", {"first_name": "A"})
    await alice.patch("/user", {"old_password": alice.password, "email": "Alice@example.org"})
    await witness.drain()
    await client.drain()
    told = {"type": "user_activity", "user_id": alice.id, "login": True}
    for name in ("alice", "alice@EXAMPLE.org"):
        stranger.token = await log_in(stranger, name, alice.password)
        assert re.fullmatch(r"[A-Za-z0-9\-_.~]+", stranger.token)
        assert await witness.drain() == [told]
        assert await client.drain() == [told]
        assert (await stranger.get("/users/profile")).data["user_id"] == alice.id
    assert (await alice.get("/user", headers={"Authorization": f"Bearer {stranger.token}"}, with_cookie=False)).data


@pytest.mark.gen_test
async def test_refused_logins_tell_nobody(people, stranger):
    alice = await people("alice")
    witness = await RoomsClient.of(alice)
    for name, password in (("alice", "wrong-1"), ("nobody", "secret1"), ("no@body.org", "secret1")):
        (await stranger.post("/login", {"email": name, "password": password})).refused(401)
    for key in ("email", "password"):
        for value in (*NO_STRINGS, "alice\0", "\ud800abcdef"):
            body = {"email": "alice", "password": "secret1", key: value}
            (await stranger.post("/login", body)).refused(400)
    for name, password in (("#SYSTEM", "secret1"), ("alice", "short"), ("alice", "with space"), ("x" * 200, "secret1")):
        (await stranger.post("/login", {"email": name, "password": password})).refused(401)
    (await stranger.post("/login")).refused(400)
    assert await witness.drain() == []


@pytest.mark.gen_test
async def test_logout_ends_that_token_alone_and_what_hangs_on_it(people):
    alice, bob = await people("alice"), await people("bob")
    phone, desk, witness = await RoomsClient.of(alice), await RoomsClient.of(alice), await RoomsClient.of(bob)
    assert (await phone.get("/logout")).data is None
    await phone.expect_close(4401)
    (await phone.get("/logout")).refused(401)
    (await phone.get("/users")).refused(401)
    told = [{"type": "user_activity", "user_id": alice.id, "login": False}]
    assert await desk.drain() == told and await witness.drain() == told
    assert (await desk.get("/users/profile")).data["user_id"] == alice.id
    assert (await alice.get("/user")).data


@pytest.mark.gen_test
async def test_logins_and_logouts_of_the_native_protocol_are_told_but_its_tokens_are_not(people):
    witness = await RoomsClient.of(await people("witness"))
    alice = await people("alice")
    told = await witness.drain()
    assert told == [
        {"type": "user_update", "user_id": alice.id, "first_name": "alice", "last_name": ""},
        {"type": "user_activity", "user_id": alice.id, "login": True},
    ]
    await RoomsClient.of(alice)
    assert await witness.drain() == []
    await alice.post("/user/logout")
    assert await witness.drain() == [{"type": "user_activity", "user_id": alice.id, "login": False}]
    await alice.log_in()
    assert await witness.drain() == [{"type": "user_activity", "user_id": alice.id, "login": True}]


# Users and profile


@pytest.mark.gen_test
async def test_users_are_all_accounts_by_id_with_who_is_online(people):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    client = await RoomsClient.of(bob)
    socket = await carol.socket()  # whatever the protocol
    users = (await client.get("/users")).data
    assert users == [
        {"user_id": person.id, "first_name": person.name, "last_name": "", "is_online": is_online}
        for person, is_online in ((alice, False), (bob, True), (carol, True))
    ]
    socket.close()
    client.close()
    while any(user["is_online"] for user in (await client.get("/users")).data):
        pass
    assert all(type(user["is_online"]) is bool for user in users)


@pytest.mark.gen_test
async def test_profile_changes_are_told_to_everybody_online_with_all_names(people):
    alice, bob = await people("alice"), await people("bob")
    client, witness = await RoomsClient.of(alice), await RoomsClient.of(bob)
    told = {"type": "user_update", "user_id": alice.id, "first_name": "alice", "last_name": ""}
    for change in (
        {"last_name": "Liddell"},
        {"first_name": "Alice", "last_name": None, "password": None},
        {"last_name": "", "first_name": "ẞ<b>"},
        {"password": "another-1"},
        {"first_name": "ẞ<b>"},
    ):
        told.update({key: value for key, value in change.items() if value is not None and key != "password"})
        data = (await client.put("/users/profile", {**change, "email": "ignored"})).data
        assert data == {
            "user_id": alice.id,
            "first_name": told["first_name"],
            "last_name": told["last_name"],
            "email": "",
            "user_name": "alice",
        }
        assert data == (await client.get("/users/profile")).data
        assert await witness.drain() == [told] and await client.drain() == [told]
    await alice.log_in()  # the old password
    assert (await RoomsClient(alice.port, None).post("/login", {"email": "alice", "password": "another-1"})).data


@pytest.mark.gen_test
async def test_bad_profile_changes_change_nothing(people):
    client = await RoomsClient.of(await people("alice"))
    before = (await client.get("/users/profile")).data
    for change in (
        *({}, {"first_name": None}, {"email": "x@y.z"}, {"first_name": ""}, {"first_name": "x" * 51}),
        *({"last_name": "x" * 51}, {"password": "short"}, {"password": "with space"}, {"password": "x" * 257}),
        *({key: value} for key in ("first_name", "last_name", "password") for value in NO_STRINGS[1:]),
        *({key: "abcdef\0"} for key in ("first_name", "last_name", "password")),
    ):
        for more in ({}, {"first_name": "Good"} if change.keys() - {"first_name", "email"} else {}):
            (await client.put("/users/profile", {**more, **change})).refused(400)
    assert (await client.get("/users/profile")).data == before
    assert await client.drain() == []


@pytest.mark.gen_test
async def test_a_new_password_ends_all_other_sessions(people):
    alice = await people("alice")
    client, other = await RoomsClient.of(alice), await RoomsClient.of(alice)
    assert (await client.put("/users/profile", {"password": "another-1"})).data
    await other.expect_close(4401)
    (await other.get("/users")).refused(401)
    assert (await client.get("/users")).data
    assert await client.drain() == [
        {"type": "user_update", "user_id": alice.id, "first_name": "alice", "last_name": ""}
    ]


@pytest.mark.gen_test
async def test_names_changed_elsewhere_are_told_and_other_changes_are_not(people):
    alice = await people("alice")
    witness = await RoomsClient.of(await people("witness"))
    assert (await alice.patch("/user", {"user_name": "alicia"})).data
    told = {"type": "user_update", "user_id": alice.id, "first_name": "alicia", "last_name": ""}
    assert await witness.drain() == [told]
    assert (await alice.patch("/user", {"old_password": alice.password, "phone": "12345678901"})).data
    assert await witness.drain() == []


@pytest.mark.gen_test
async def test_a_request_over_a_kept_connection_is_answered_after_a_refused_one(people):
    client = await RoomsClient.of(await people("alice"))
    one = f"PUT /http/users/profile HTTP/1.1\r\nHost: x\r\nauthentication: {client.token}\r\n"
    bad = f"{one}Content-Length: 1\r\n\r\n{{".encode()
    body = json.dumps({"last_name": "L"}).encode()
    good = f"{one}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    answer = await exchange(client.port, bad + good)
    assert answer.status == 400
    assert (await client.expect("user_update"))[0]["last_name"] == "L"
