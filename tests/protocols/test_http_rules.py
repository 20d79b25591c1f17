"""What holds for every endpoint of the actions protocol. Source: contract "actions" section 1; RFC 9110; CORS."""

import asyncio
import json
import logging

import pytest
from people import Person, exchange
from stored import snapshot

from nova_tornado.settings import Settings
from nova_tornado.web.base import BODY_MAX_BYTES

FRONTEND = "https://front.example"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW", "get")

OPEN = {"/user/register": "POST", "/user/login": "POST", "/user/token": "POST"}
"""Endpoints that need no session."""
CLOSED = {
    "/user/logout": "POST",
    "/user": "GET, PATCH, DELETE",
    "/user/{user}": "GET",
    "/user/{user})": "GET",
    "/friend/group/add": "POST",
    "/friend/group/{group}": "GET, PATCH, DELETE",
    "/friend/group/list": "GET",
    "/friend/find": "POST",
    "/friend/invite": "POST",
    "/friend/invitation": "GET",
    "/friend/invitation/1": "POST, DELETE",
    "/friend": "GET",
    "/friend/{user}": "GET, PATCH, DELETE",
    "/chat/new": "POST",
    "/chat/{chat}/invite": "POST",
    "/chat/{chat}/invitation": "GET",
    "/chat/{chat}/invitation/{user}": "POST, DELETE",
    "/chat/{chat}": "GET, PATCH, DELETE",
    "/chat": "GET",
    "/chat/{chat}/{user}/admin": "POST",
    "/chat/{chat}/set_owner": "POST",
    "/chat/{chat}/{user}": "DELETE",
    "/chat/{chat}/messages": "GET",
    "/chat/{chat}/filter": "POST",
    "/chat/{chat}/rules": "GET, POST",
    "/chat/{chat}/rules/rehearse": "POST",
    "/chat/{chat}/rules/1": "PATCH, DELETE",
    "/chat/{chat}/rules/1/rehearse": "POST",
    "/chat/{chat}/held": "GET",
    "/chat/{chat}/held/1": "POST, DELETE",
    "/chat/{chat}/mutes": "GET, DELETE",
    "/chat/{chat}/mutes/{user}": "DELETE",
}
BODILESS = {
    ("/user/logout", "POST"),
    ("/friend/invitation/1", "POST"),
    ("/chat/{chat}/invitation/{user}", "POST"),
    ("/chat/{chat}/held/1", "POST"),
    ("/chat/{chat}/rules/1/rehearse", "POST"),
}
"""Endpoints that are used without a body, besides all DELETE."""
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def settings():
    return Settings(bcrypt_rounds=4, rate_limits=False, allow_origin=(FRONTEND,))


async def world(people):
    """Alice with a friend and a group, and the ids for the paths above."""
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat = await alice.new_group(bob)
    group = (await alice.post("/friend/group/add", {"group_name": "G"})).data["group_id"]
    return alice, bob, {"user": bob.id, "chat": chat, "group": group}


def check_shape(answer, content_type="application/json"):
    """A refusal in the protocol's shape, with the headers that every answer has."""
    assert answer.error
    assert answer.headers["Content-Type"] == content_type
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")
    assert "Server" not in answer.headers


def add_group_lines(person):
    """The head of a raw request, up to what tells of the body's length."""
    lines = ["POST /friend/group/add HTTP/1.1", "Host: x", f"Cookie: sessionid={person.cookie}"]
    return "\r\n".join([*lines, "Content-Type: application/json", ""])


async def head(port, path):
    """HEAD, whose answer has a length but no body: all bytes of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.decode()


# Methods


@pytest.mark.gen_test
async def test_options_name_the_methods_without_a_session_and_whatever_the_body(guest):
    for path, methods in (OPEN | CLOSED).items():
        path = path.format(user=1, chat=1, group=1)
        for more in ({}, {"raw_body": b"{", "headers": JSON}, {"headers": {"Content-Type": "text/plain"}}):
            answer = await guest.request("OPTIONS", path, **more)
            assert (answer.status, answer.body) == (200, b""), path
            assert answer.headers["Allow"] == f"{methods}, OPTIONS", path
    assert (await guest.request("OPTIONS", "/ws/")).headers["Allow"] == "GET, OPTIONS"


@pytest.mark.gen_test
async def test_wrong_methods_are_405_before_session_and_body(people):
    alice, _, ids = await world(people)
    stranger = Person(alice.port, "stranger")
    for path, allowed in (OPEN | CLOSED | {"/ws/": "GET"}).items():
        for method in METHODS:
            if method in allowed.split(", ") or method == "HEAD":
                continue
            for person in (alice, stranger):
                answer = await person.request(method, path.format(**ids), raw_body=b"{", headers=JSON)
                assert (answer.status, answer.error) == (405, "Method not allowed"), (method, path)
                assert answer.headers["Allow"] == f"{allowed}, OPTIONS", (method, path)
                check_shape(answer)


@pytest.mark.gen_test
async def test_head_is_405_without_a_body(guest, http_port):
    for path, allowed in (OPEN | CLOSED).items():
        answer = await head(http_port, path.format(user=1, chat=1, group=1))
        assert answer.startswith("HTTP/1.1 405 ") and f"Allow: {allowed}, OPTIONS\r\n" in answer, path
        assert answer.endswith("\r\n\r\n")
    assert (await head(http_port, "/nowhere")).startswith("HTTP/1.1 404 ")


# Unknown paths


@pytest.mark.gen_test
async def test_unknown_paths_are_404_by_every_method(people, guest):
    alice = await people("alice")
    unknown = [
        *("/nowhere", "/users", "/User", "/USER", "//user", "/user//", "/./user", "/user%2f", "/user%0a", "*"),
        *("/user/-1", "/user/x", "/user/1.0", "/user/1))", "/user/1(", "/user/٣", "/user/0x1", "/user/+1", "/user/1 /"),
        *("/friend/group", "/friend/group/-1", "/friend/group/x", "/friend/invitation/x", "/friend/x", "/friend/list"),
        *(
            "/chat/-1",
            "/chat/x",
            "/chat/1/x",
            "/chat/1/message",
            "/chat/1/invitation/x",
            "/chat/1/1/1",
            "/chat/1/1/admin/x",
        ),
        *(f"{path}/".format(user=1, chat=1, group=1) for path in (OPEN | CLOSED)),
        *("/ws", "/ws//", "/ws/x", "/../../etc/passwd", "/%2e%2e/", "/.git/config", "/<script>alert(1)</script>"),
    ]
    for path in unknown:
        sent = path.replace(" ", "%20").encode().decode("latin-1")
        for method in ("GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "BREW"):
            for person in (alice, guest):
                answer = await person.request(method, path.replace(" ", "%20"), raw_body=b"{")
                assert (answer.status, answer.error) == (404, f"{sent} not found on this server"), (method, path)
                check_shape(answer)
                assert "Allow" not in answer.headers


@pytest.mark.gen_test
async def test_leading_zeros_and_queries_do_not_matter(people):
    alice = await people("alice")
    for path in (
        f"/user/000{alice.id}",
        f"/user/{alice.id}?x=1&%ff=%zz",
        f"/user/{alice.id})?",
        f"/user/{alice.id}?a=/",
    ):
        assert (await alice.get(path)).data["id"] == alice.id, path


# Order: session, then body


@pytest.mark.gen_test
async def test_without_a_session_everything_closed_is_403_whatever_the_body(guest):
    bodies = [
        {},
        {"raw_body": b"{", "headers": JSON},
        {"raw_body": b"", "headers": JSON},
        {"raw_body": b"{}", "headers": {"Content-Type": "text/plain"}},
        {"headers": {"Content-Type": "multipart/form-data"}},
    ]
    cookies = [None, "", "x", "a" * 43, "a" * 10_000, '"', "a b", "\\377", "{}"]
    for path, methods in CLOSED.items():
        for method in methods.split(", "):
            for more in bodies:
                answer = await guest.request(method, path.format(user=1, chat=1, group=1), **more)
                assert (answer.status, answer.error) == (403, "Invalid Session"), (method, path, more)
                check_shape(answer)
                assert "Set-Cookie" not in answer.headers
    for guest.cookie in cookies:
        assert (await guest.get("/chat")).status == 403, guest.cookie


@pytest.mark.gen_test
async def test_only_json_is_taken_and_nothing_changes_otherwise(people, database):
    alice, _, ids = await world(people)
    before = snapshot(database)
    types = [
        *("text/plain", "text/json", "application/x-www-form-urlencoded", "application/jsonp", "application/json-seq"),
        *("multipart/form-data", "multipart/form-data; boundary=x", "application/octet-stream", "json", "", "*/*", ";"),
        *("application/json, text/plain", "text/plain; application/json", "application/jsón"),
    ]
    for path, methods in (OPEN | CLOSED).items():
        for method in set(methods.split(", ")) - {"GET"}:
            for content_type in types:
                more = {"raw_body": b"{}", "headers": {"Content-Type": content_type}}
                answer = await alice.request(method, path.format(**ids), **more)
                assert (answer.status, answer.error) == (400, "Content-Type must be application/json"), (method, path)
                check_shape(answer)
            for broken in (b"", b" ", b"{", b"{]", b"\xff", b"NaN", b"[" * 1_000_000, b'"\\ud800"'):
                answer = await alice.request(method, path.format(**ids), raw_body=broken, headers=JSON)
                assert answer.status == 400 and answer.error, (method, path, broken[:10])
                check_shape(answer)
    assert snapshot(database) == before


@pytest.mark.gen_test
async def test_spellings_of_the_json_type_are_taken(people):
    alice = await people("alice")
    for number, content_type in enumerate(
        (
            "application/json",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "Application/JSON ;x=y",
        )
    ):
        body = json.dumps({"group_name": f"G{number}"}).encode()
        answer = await alice.post("/friend/group/add", raw_body=body, headers={"Content-Type": content_type})
        assert answer.data["group_name"] == f"G{number}"


@pytest.mark.gen_test
async def test_without_a_content_type_the_body_is_ignored(people):
    alice, bob, ids = await world(people)
    carol = await people("carol")
    assert (await carol.post("/friend/invite", {"id": bob.id, "comment": "", "source": "search"})).data is None
    [invitation] = (await bob.get("/friend/invitation")).data
    for body in (b"{", b"\xff", b'{"group_name": "x"}'):
        assert (await alice.post("/friend/group/add", raw_body=body)).status == 400
    path = f"/friend/invitation/{invitation['id']}"
    assert (await bob.post(path, raw_body=b"{")).data["friend"]["id"] == carol.id
    assert (await alice.delete(f"/friend/{bob.id}", raw_body=b"\xff{")).data is None
    assert (await alice.delete(f"/friend/group/{ids['group']}", headers=JSON, raw_body=b"{}")).data is None
    assert (await alice.post("/user/logout", raw_body=b"<x>")).data is None


@pytest.mark.gen_test
async def test_get_takes_any_content_type_and_body(people):
    alice = await people("alice")
    for more in (
        {"headers": JSON},
        {"headers": {"Content-Type": "multipart/form-data"}},
        {"raw_body": b"{", "headers": JSON},
    ):
        assert (await alice.get("/user", **more)).data["id"] == alice.id


# Sizes, and HTTP itself


@pytest.mark.gen_test
async def test_bodies_up_to_16_mib_are_answered_and_larger_ones_are_413(people, http_port):
    alice = await people("alice")
    body = b'{"name_contains": "' + b"x" * (BODY_MAX_BYTES - 21) + b'"}'
    assert len(body) == BODY_MAX_BYTES
    assert (await alice.post("/friend/find", raw_body=body, headers=JSON)).data == []
    for method, path in (("POST", "/friend/find"), ("POST", "/user/login"), ("PUT", "/nowhere"), ("BREW", "/nowhere")):
        for length, sent in ((len(body) + 1, body + b" "), (len(body) + 1, b""), (2**40, b"x" * 1_000), (10**30, b"")):
            if method == "BREW" and len(sent) > 1_000:
                continue  # such a connection is closed at once
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            answer = await exchange(http_port, f"{head}Content-Length: {length}\r\n\r\n".encode() + sent)
            assert (answer.status, answer.error) == (413, "Request body is too large"), (method, path, length)
            assert answer.headers["Content-Type"] == "application/json" and "Server" not in answer.headers


@pytest.mark.gen_test
async def test_broken_http_is_refused_without_a_word_about_the_server(people, http_port, caplog):
    alice = await people("alice")
    caplog.set_level(logging.ERROR)
    line = add_group_lines(alice)
    for request in (
        *(
            "GARBAGE\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "\x16\x03\x01\x02\r\n\r\n",
            "GET /user HTTP/1.1\r\n\r\n",
            "\0\r\n\r\n",
        ),
        *("GET /us\ner HTTP/1.1\r\nHost: x\r\n\r\n", "GET /user HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n"),
        *(f"{line}Content-Length: {length}\r\n\r\n{{}}" for length in ("-1", "x", "1e3", "0x2", "+2", "2, 3")),
        f"{line}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}",
        f"{line}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{{}}",
        f"{line}Transfer-Encoding: gzip\r\n\r\n{{}}",
        f"{line}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}",
    ):
        answer = await exchange(http_port, request.encode("latin-1"))
        assert (answer.status, answer.body) == (400, b""), request
        assert not set(answer.headers) & {"Server", "Content-Type"}
    assert len((await alice.get("/friend/group/list")).data) == 1


@pytest.mark.gen_test
async def test_requests_on_one_connection_are_answered_in_order(people, http_port):
    alice = await people("alice")
    lines = f"Host: x\r\nCookie: sessionid={alice.cookie}\r\n"
    paths = ["/user", "/nowhere", "/friend", "/chat/1"]
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    writer.write("".join(f"GET {path} HTTP/1.1\r\n{lines}\r\n" for path in paths).encode())
    statuses = []
    for _ in paths:
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        statuses.append(int(answer.split()[1]))
        await reader.readexactly(int(answer.partition("Content-Length: ")[2].partition("\r\n")[0]))
    writer.close()
    assert statuses == [200, 404, 200, 400]


@pytest.mark.gen_test
async def test_chunked_body_is_read(people, http_port):
    alice = await people("alice")
    line = add_group_lines(alice)
    chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in ('{"group', '_name": "Ch', 'unked"}', ""))
    answer = await exchange(http_port, f"{line}Transfer-Encoding: chunked\r\n\r\n{chunks}".encode())
    assert answer.data["group_name"] == "Chunked"


# Other sites


def foreign_origins(port):
    own = f"http://127.0.0.1:{port}"
    return [
        *("https://evil.example", "http://evil.example", "null", "file://", "", "x", "chrome-extension://abc", "*"),
        *(f"{own}.evil.example", f"{own}@evil.example", f"{own}/", f"http://evil.example#{own}", f"{own}, {own}"),
        *(
            "http://127.0.0.1",
            f"http://127.0.0.1:{port}1",
            "http://localhost",
            f"ws://127.0.0.1:{port}",
            f"//127.0.0.1:{port}",
        ),
        *(f"{FRONTEND}.evil.example", "https://evil-front.example", "http://front.example", f"{FRONTEND}:8443"),
    ]


@pytest.mark.gen_test
async def test_pages_of_other_sites_change_nothing_and_read_nothing(people, http_port):
    alice, bob, ids = await world(people)
    name = (await alice.get("/user")).data
    for origin in foreign_origins(http_port):
        headers = {"Origin": origin}
        for path, methods in (OPEN | CLOSED).items():
            for method in set(methods.split(", ")) - {"GET"}:
                answer = await alice.request(method, path.format(**ids), {}, headers=headers)
                assert (answer.status, answer.error) == (403, "Origin not allowed"), (method, path, origin)
                check_shape(answer)
                assert not [name for name in answer.headers if name.startswith("Access-Control")]
        for answer in (
            await alice.get("/user", headers=headers),
            await alice.request("OPTIONS", "/user", headers=headers),
        ):
            assert answer.status == 200 and "Access-Control-Allow-Origin" not in answer.headers, origin
            assert "Access-Control-Allow-Credentials" not in answer.headers
    assert (await alice.get("/user")).data == name
    assert (await bob.get("/friend")).data and (await alice.get(f"/chat/{ids['chat']}")).data


@pytest.mark.gen_test
async def test_own_pages_and_programs_need_no_permission(people, http_port):
    alice = await people("alice")
    for headers in ({}, {"Origin": f"http://127.0.0.1:{http_port}"}, {"Origin": f"HTTP://127.0.0.1:{http_port}"}):
        answer = await alice.patch("/user", {}, headers=headers)
        assert answer.data["id"] == alice.id and "Access-Control-Allow-Origin" not in answer.headers
    behind_proxy = {"Host": "chat.example", "Origin": "https://chat.example"}
    assert (await alice.patch("/user", {}, headers=behind_proxy)).status == 200


@pytest.mark.gen_test
async def test_the_frontends_pages_may_read_and_change_with_credentials(people, http_port):
    alice = await people("alice")
    headers = {"Origin": FRONTEND}
    preflight = {**headers, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
    answer = await alice.request("OPTIONS", "/user", headers=preflight, with_cookie=False)
    assert (answer.status, answer.body) == (200, b"")
    assert {"GET", "PATCH", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    for each, status in (
        (answer, 200),
        (await alice.patch("/user", {"user_name": "eve"}, headers=headers), 200),
        (await alice.get("/user", headers=headers), 200),
        (await alice.patch("/user", {"user_name": "a b"}, headers=headers), 400),
        (await alice.get("/user", headers=headers, with_cookie=False), 403),
        (await alice.get("/nowhere", headers=headers), 404),
        (await alice.request("PUT", "/user", headers=headers), 405),
        (await alice.patch("/user", {"user_name": "eve"}, headers=headers), 409),
    ):
        assert each.status == status
        assert each.headers["Access-Control-Allow-Origin"] == FRONTEND
        assert each.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in each.headers["Vary"]


# Cookies and tokens side by side


@pytest.mark.gen_test
async def test_token_goes_before_the_cookie_and_a_bad_one_behind_it(people, guest):
    alice, bob = await people("alice"), await people("bob")
    token = (await guest.post("/user/token", {"user_name": "bob", "password": "secret1"})).data["token"]
    assert (await alice.get("/user", headers={"Authorization": f"Bearer {token}"})).data["id"] == bob.id
    for value in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        f"Bearer {token}x",
        f"Basic {token}",
        token,
        f"Bearer {alice.cookie}x",
    ):
        assert (await alice.get("/user", headers={"Authorization": value})).data["id"] == alice.id, value
        assert (await guest.get("/user", headers={"Authorization": value})).status == 403, value
    for value in ("Bearer " + "x" * 20_000, "Bearer \u00e9", "Bearer null", "Bearer {}", 'Bearer {"$ne": null}'):
        assert (await guest.get("/user", headers={"Authorization": value})).status == 403, value


@pytest.mark.gen_test
async def test_logout_with_both_ends_the_cookies_session(people, guest):
    alice = await people("alice")
    token = (await guest.post("/user/token", {"user_name": "alice", "password": "secret1"})).data["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    cookie = alice.cookie
    assert (await alice.post("/user/logout", headers=bearer)).data is None
    alice.cookie = cookie
    assert (await alice.get("/user")).status == 403
    assert (await guest.get("/user", headers=bearer)).data["id"] == alice.id


@pytest.mark.gen_test
async def test_session_cookie_is_found_among_others(people):
    alice = await people("alice")
    for cookies in ("a=b; sessionid={}", "sessionid={}; a=b", 'sessionid="{}"', " ; =x;; y; sessionid={};"):
        lines = {"Cookie": cookies.format(alice.cookie)}
        assert (await alice.get("/user", headers=lines, with_cookie=False)).data["id"] == alice.id, cookies
    for name in ("Sessionid", "session_id", "xsessionid"):
        lines = {"Cookie": f"{name}={alice.cookie}"}
        assert (await alice.get("/user", headers=lines, with_cookie=False)).status == 403
