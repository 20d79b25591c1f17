"""POST /files, and GET /files/<key>/<name>. Source: contract "actions" section 8; contract "protocols" 1.4."""

import asyncio
import contextlib
import json
import re
import time
from urllib.parse import quote, unquote, urlsplit

import pytest
from people import WAIT_S, exchange
from storage.rooms import settle
from stored import snapshot

from nova_tornado.native import file_handlers
from nova_tornado.native.file_handlers import FORM_MAX_BYTES
from nova_tornado.settings import Settings
from nova_tornado.storage.files import CHUNK_BYTES
from nova_tornado.web.application import DROPPED_MAX_BYTES

MIB = 1024**2
BOUNDARY = "a-boundary"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3
FRONTEND = "https://front.example"


@pytest.fixture
def settings():
    return Settings(bcrypt_rounds=4, rate_limits=False, allow_origin=(FRONTEND,))


def part(data=b"x", name="x.bin", field="file", more=""):
    """A part of a form; without a name it is a field that is no file."""
    shown = "" if name is None else f'; filename="{name}"'
    head = f'Content-Disposition: form-data; name="{field}"{shown}\r\n{more}\r\n'
    return head.encode("utf-8", "surrogatepass") + data


def form(*parts, end="--\r\n"):
    """The body of a form."""
    opened = b"".join(f"--{BOUNDARY}\r\n".encode() + each + b"\r\n" for each in parts)
    return opened + f"--{BOUNDARY}{end}".encode()


def multipart(boundary=BOUNDARY):
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}


async def send(person, body, headers=None, **more):
    return await person.post("/files", raw_body=body, headers={**multipart(), **(headers or {})}, **more)


async def upload(person, data=b"x", name="x.bin"):
    return (await send(person, form(part(data, name)))).data


def path_of(file):
    return urlsplit(file["url"]).path


def stored_files(database):
    return sum(database[name].count_documents({}) for name in ("uploads.files", "uploads.chunks"))


# Uploads


@pytest.mark.gen_test
async def test_uploaded_file_is_served_to_anybody_with_exactly_its_bytes(people, guest):
    alice = await people("alice")
    for size in (0, 1, 70_000, CHUNK_BYTES, 3 * CHUNK_BYTES + 1):
        data = (bytes(range(256)) * (size // 256 + 1))[:size]
        file = await upload(alice, data, "my file.bin")
        assert file.keys() == {"id", "name", "url", "size", "content_type", "created_at"}
        assert (file["name"], file["size"], file["content_type"]) == ("my file.bin", size, "application/octet-stream")
        assert type(file["id"]) is int and file["id"] > 0 and abs(file["created_at"] - time.time()) < 60
        assert re.fullmatch(r"http://127\.0\.0\.1:8000/files/[A-Za-z0-9_-]{32,}/my%20file\.bin", file["url"])
        answer = await guest.get(path_of(file))
        assert (answer.status, answer.body) == (200, data)


@pytest.mark.gen_test
async def test_token_is_as_good_as_the_cookie(people, guest):
    await people("alice")
    token = (await guest.post("/user/token", {"user_name": "alice", "password": "secret1"})).data["token"]
    answer = await send(guest, form(part()), {"Authorization": f"Bearer {token}"})
    assert answer.data["size"] == 1


@pytest.mark.gen_test
async def test_data_that_looks_like_a_boundary_is_kept(people, guest):
    alice = await people("alice")
    data = f"\r\n--{BOUNDARY}x\r\n--{BOUNDARY[:-1]}\r\n\r\n--\r\n--{BOUNDARY[:-1]}".encode() * 20_000
    assert (await guest.get(path_of(await upload(alice, data)))).body == data


@pytest.mark.gen_test
async def test_chunked_body_and_other_fields_are_fine(people, guest, http_port):
    alice = await people("alice")
    body = form(
        part(b"1", None, "comment"), part(b"data", more="Content-Type: text/html\r\n"), part(b"y", "y", "other")
    )
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:7], body[7:], b""))
    head = f"POST /files HTTP/1.1\r\nHost: x\r\nCookie: sessionid={alice.cookie}\r\n"
    head += f"Content-Type: {multipart()['Content-Type']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    file = (await exchange(http_port, head.encode() + chunks)).data
    assert (file["size"], file["content_type"]) == (4, "application/octet-stream")
    assert (await guest.get(path_of(file))).body == b"data"


@pytest.mark.gen_test
async def test_a_connection_serves_one_upload_after_the_other(people, http_port):
    alice = await people("alice")
    body = form(part())
    head = f"POST /files HTTP/1.1\r\nHost: x\r\nCookie: sessionid={alice.cookie}\r\nContent-Length: {len(body)}\r\n"
    good = f"{head}Content-Type: {multipart()['Content-Type']}\r\n\r\n".encode() + body
    bad = f"{head}Content-Type: text/plain\r\n\r\n".encode() + body
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    writer.write(good + bad + good)
    statuses = []
    for _ in range(3):
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        statuses.append(int(answer.split()[1]))
        await reader.readexactly(int(answer.partition("Content-Length: ")[2].partition("\r\n")[0]))
    writer.close()
    assert statuses == [200, 400, 200]


# Sizes


@pytest.mark.gen_test
async def test_file_of_24_9_mib_is_taken_and_one_of_25_1_is_not(people, guest, database):
    alice = await people("alice")
    large = bytes(range(256)) * (int(24.9 * MIB) // 256)
    file = await upload(alice, large)
    assert (await guest.get(path_of(file))).body == large
    assert (await upload(alice, b"x" * (25 * MIB)))["size"] == 25 * MIB
    before = stored_files(database)
    for size in (25 * MIB + 1, int(25.1 * MIB), 60 * MIB):
        answer = await send(alice, form(part(b"x" * size)))
        assert answer.status == 413 and answer.error
        assert answer.headers["Content-Type"] == "application/json"
    assert stored_files(database) == before


@pytest.mark.gen_test
async def test_announced_size_far_beyond_the_limit_is_refused_at_once(people, http_port):
    alice = await people("alice")
    for length in (DROPPED_MAX_BYTES + 1, 2**40, 10**30):
        head = f"POST /files HTTP/1.1\r\nHost: x\r\nCookie: sessionid={alice.cookie}\r\nContent-Length: {length}\r\n"
        answer = await exchange(http_port, f"{head}Content-Type: {multipart()['Content-Type']}\r\n\r\n".encode())
        assert answer.status == 413 and answer.error


class TestWithASettingOf1Mib:
    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False, file_max_mib=1, base_url="https://chat.example/nova")

    @pytest.mark.gen_test
    async def test_limit_and_base_url_are_settings(self, people, database):
        alice = await people("alice")
        file = await upload(alice, b"x" * MIB)
        assert file["url"].startswith("https://chat.example/nova/files/")
        for size in (MIB + 1, 2 * MIB, 20 * MIB):
            answer = await send(alice, form(part(b"x" * size)))
            assert answer.status == 413 and answer.error, size
        assert database["uploads.files"].count_documents({}) == 1

    @pytest.mark.gen_test
    async def test_chunked_file_beyond_the_limit_is_413(self, people, http_port, database):
        alice = await people("alice")
        body = form(part(b"x" * (MIB + 1)))
        head = f"POST /files HTTP/1.1\r\nHost: x\r\nCookie: sessionid={alice.cookie}\r\n"
        head += f"Content-Type: {multipart()['Content-Type']}\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await exchange(http_port, head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert answer.status == 413 and answer.error == "A file cannot be larger than 1 MiB"
        assert stored_files(database) == 0


@pytest.mark.gen_test
async def test_other_endpoints_keep_their_own_limit(people):
    alice = await people("alice")
    answer = await alice.post("/friend/find", raw_body=b" " * (17 * MIB), headers={"Content-Type": "application/json"})
    assert answer.status == 413


# Bad requests


BAD_BODIES = {
    "nothing": b"",
    "no part": form(),
    "no boundary in it": b"hello",
    "broken off in the head": form(part())[:30],
    "broken off in the data": form(part(b"x" * 1000))[:600],
    "broken off before its end": form(part(), end=""),
    "another field": form(part(field="files")),
    "no file": form(part(name=None)),
    "no name": form(part(name="")),
    "two files": form(part(), part()),
    "two files, one of them large": form(part(), part(b"x" * 3 * CHUNK_BYTES)),
    "a large one and another": form(part(b"x" * 3 * CHUNK_BYTES), part()),
    "a file and a field of its name": form(part(), part(name=None)),
    "NUL in the name": form(part(name="a\0b")),
    "line break in the name": form(part(name="a%0D%0AX-Evil: 1")),
    "a path up": form(part(name="../../etc/passwd")),
    "a path": form(part(name="a/b")),
    "a Windows path": form(part(name="a\\\\b")),
    "a long name": form(part(name="x" * 256)),
    "a name that is not UTF-8": form(part(name="NAME").replace(b"NAME", b"\xff\xfe")),
    "a lone surrogate in the name": form(part(name="\ud800")),
    "a control character in the name": form(part(name="\x7f")),
    "a huge header": form(part(more=f"X: {'x' * 100_000}\r\n")),
    "many headers": form(part(more="X: y\r\n" * 10_000)),
    "a bad header": form(part(more="no colon\r\n")),
    "no head": form(b"\r\ndata"),
    "JSON": b'{"file": "x"}',
    "another boundary": form(part()).replace(BOUNDARY.encode(), b"other"),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.gen_test
async def test_bad_form_is_400_and_nothing_stored(people, database, body):
    alice = await people("alice")
    before = snapshot(database)
    answer = await send(alice, body)
    assert answer.status == 400 and answer.error
    assert answer.headers["Content-Type"] == "application/json"
    assert snapshot(database) == before


@pytest.mark.parametrize(
    "content_type",
    [
        *(
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=a-boundary",
            "text/plain",
        ),
        *(
            "application/json",
            "application/x-www-form-urlencoded",
            "",
            ";",
            "multipart/form-data; boundary=" + "x" * 999,
        ),
        *(
            'multipart/form-data; boundary="',
            "multipart/form-data; bo\u00fcndary=x",
            "multipart/form-data; boundary=other",
        ),
    ],
)
@pytest.mark.gen_test
async def test_other_content_types_are_400(people, database, content_type):
    alice = await people("alice")
    answer = await send(alice, form(part()), {"Content-Type": content_type})
    assert answer.status == 400 and answer.error
    assert stored_files(database) == 0


@pytest.mark.gen_test
async def test_without_content_type_or_body_it_is_400(people, database):
    alice = await people("alice")
    assert (await alice.post("/files")).status == 400
    assert (await alice.post("/files", raw_body=form(part()))).status == 400
    assert (await alice.post("/files", headers=multipart())).status == 400
    assert stored_files(database) == 0


@pytest.mark.gen_test
async def test_only_who_is_signed_in_may_upload(people, guest, database):
    body = form(part(b"x" * MIB))
    for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "sessionid=x"}):
        answer = await send(guest, body, headers)
        assert (answer.status, answer.error) == (403, "Invalid Session")
    assert stored_files(database) == 0


@pytest.mark.gen_test
async def test_pages_of_other_sites_may_not_upload(people, database):
    alice = await people("alice")
    for origin in ("https://evil.example", "null", f"{FRONTEND}.evil.example"):
        assert (await send(alice, form(part()), {"Origin": origin})).status == 403
    assert stored_files(database) == 0
    answer = await send(alice, form(part()), {"Origin": FRONTEND})
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == FRONTEND


@pytest.mark.gen_test
async def test_wrong_methods_are_405(people, guest):
    alice = await people("alice")
    file = await upload(alice)
    for person in (alice, guest):
        for method in ("GET", "PUT", "PATCH", "DELETE", "BREW"):
            answer = await person.request(method, "/files", raw_body=form(part()), headers=multipart())
            assert (answer.status, answer.error) == (405, "Method not allowed"), method
            assert answer.headers["Allow"] == "POST, OPTIONS"
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await person.request(method, path_of(file))
            assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    answer = await guest.request("OPTIONS", "/files")
    assert (answer.status, answer.body, answer.headers["Allow"]) == (200, b"", "POST, OPTIONS")
    assert (await guest.request("OPTIONS", path_of(file))).headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.gen_test
async def test_client_that_goes_away_in_the_middle_leaves_nothing(people, http_port, database):
    alice = await people("alice")
    body = form(part(b"x" * (4 * CHUNK_BYTES)))
    head = f"POST /files HTTP/1.1\r\nHost: x\r\nCookie: sessionid={alice.cookie}\r\nContent-Length: {len(body)}\r\n"
    request = f"{head}Content-Type: {multipart()['Content-Type']}\r\n\r\n".encode() + body
    for length in (len(request) - 1, len(request) - len(body) + 200, len(request) - 2 * CHUNK_BYTES):
        _, writer = await asyncio.open_connection("127.0.0.1", http_port)
        writer.write(request[:length])
        await writer.drain()
        await settle(lambda: database["uploads.files"].count_documents({}) == 1)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await settle(lambda: stored_files(database) == 0)


@pytest.mark.gen_test
async def test_body_that_does_not_arrive_in_time_leaves_nothing(people, http_port, database, monkeypatch):
    monkeypatch.setattr(file_handlers, "UPLOAD_TIMEOUT_S", 0.3)
    alice = await people("alice")
    head = f"POST /files HTTP/1.1\r\nHost: x\r\nCookie: sessionid={alice.cookie}\r\nContent-Length: 100000\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    writer.write(f"{head}Content-Type: {multipart()['Content-Type']}\r\n\r\n".encode() + form(part())[:-10])
    await asyncio.wait_for(reader.read(), WAIT_S)
    writer.close()
    await settle(lambda: stored_files(database) == 0)


@pytest.mark.gen_test
async def test_too_many_pending_files_are_429(people, monkeypatch, database):
    from nova_tornado.services import files

    monkeypatch.setattr(files, "PENDING_MAX_FILES", 2)
    alice, bob = await people("alice"), await people("bob")
    await upload(alice)
    await upload(alice)
    answer = await send(alice, form(part()))
    assert answer.status == 429 and answer.error
    assert database["uploads.files"].count_documents({}) == 2
    await upload(bob)


# Downloads


def check_safe(answer):
    """Nothing in this answer can run in a browser."""
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    content_type = answer.headers["Content-Type"]
    assert not re.search("html|xml|svg|script|text", content_type)
    kind = answer.headers["Content-Disposition"].partition(";")[0]
    assert kind == ("inline" if content_type.startswith(("image/", "audio/", "video/")) else "attachment")


@pytest.mark.parametrize(
    ("data", "name", "declared"),
    [
        (b"<html><script>alert(1)</script>", "x.html", "text/html"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "x.svg", "image/svg+xml"),
        (b'<?xml version="1.0"?><x/>', "x.xml", "application/xml"),
        (b"alert(1)", "x.js", "text/javascript"),
        (b"<script>", "x.png", "image/png"),
        (b"plain", "x.txt", "text/plain"),
        (b"%PDF-1.7", "x.pdf", "application/pdf"),
    ],
)
@pytest.mark.gen_test
async def test_what_could_run_is_an_attachment_whatever_the_client_says(people, guest, data, name, declared):
    alice = await people("alice")
    file = (await send(alice, form(part(data, name, more=f"Content-Type: {declared}\r\n")))).data
    answer = await guest.get(path_of(file))
    assert answer.body == data
    check_safe(answer)
    expected = "application/pdf" if name == "x.pdf" else "application/octet-stream"
    assert answer.headers["Content-Type"] == file["content_type"] == expected
    assert answer.headers["Content-Disposition"].startswith("attachment; ")


@pytest.mark.gen_test
async def test_pictures_are_shown(people, guest):
    alice = await people("alice")
    file = await upload(alice, PNG, "x.html")
    answer = await guest.get(path_of(file))
    assert answer.headers["Content-Type"] == file["content_type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith("inline; ")
    check_safe(answer)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("a b.txt", "a b.txt"),
        ("grüße 🎉.txt", "grüße 🎉.txt"),
        ("a%22b.txt", 'a"b.txt'),
        ('a\\"b.txt', 'a"b.txt'),
        ("100%.txt", "100%.txt"),
        ("a%20b", "a%20b"),
        ("a;b=c", "a;b=c"),
        ("..", ".."),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("\u202egpj.exe", "\u202egpj.exe"),
        ("é" * 255, "é" * 255),
        ("%2e%2e", "%2e%2e"),
        ("#?&+", "#?&+"),
    ],
)
@pytest.mark.gen_test
async def test_odd_names_come_back_as_sent(people, guest, sent, name):
    alice = await people("alice")
    file = await upload(alice, b"x", sent)
    assert file["name"] == name
    answer = await guest.get(path_of(file))
    assert answer.body == b"x"
    shown = re.fullmatch(
        r"attachment; filename=\"([ -~]*)\"; filename\*=UTF-8''(\S*)", answer.headers["Content-Disposition"]
    )
    assert unquote(shown[2]) == name and shown[2] == quote(name, safe="")
    assert '"' not in shown[1] and "\\" not in shown[1] and "/" not in shown[1] and "%" not in shown[1]


@pytest.mark.gen_test
async def test_the_last_part_of_the_url_does_not_matter(people, guest):
    alice = await people("alice")
    key = path_of(await upload(alice, PNG)).split("/")[2]
    for path in (
        f"/files/{key}",
        f"/files/{key}/",
        f"/files/{key}/other.html",
        f"/files/{key}/%ff%00%2f..",
        f"/files/{key}?x=1",
    ):
        answer = await guest.get(path)
        assert (answer.status, answer.body) == (200, PNG), path
        check_safe(answer)
        assert "other" not in answer.headers["Content-Disposition"]


@pytest.mark.gen_test
async def test_unknown_files_are_404(people, guest):
    alice = await people("alice")
    path = path_of(await upload(alice))
    key = path.split("/")[2]
    unknown = (
        f"/files/{key[:-1]}",
        f"/files/{key}x",
        f"/files/{key.swapcase()}",
        "/files/x",
        "/files/1",
        "/files/" + "x" * 9000,
    )
    for other in (*unknown, "/files/", f"/files//{key}", f"/files/{key}/a/b", "/files/../user", "/files/%2e%2e/user"):
        for person in (alice, guest):
            answer = await person.get(other)
            assert answer.status == 404 and answer.error, other
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Cache-Control"] == "no-store"


async def talk(port, method, path, headers=()):
    """A request whose answer may have a length without a body: status, headers, all bytes behind them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"{line}\r\n" for line in headers)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), WAIT_S)).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.mark.gen_test
async def test_head_tells_the_same_without_the_bytes(people, http_port):
    alice = await people("alice")
    path = path_of(await upload(alice, PNG))
    status, headers, body = await talk(http_port, "HEAD", path)
    _, got, _ = await talk(http_port, "GET", path)
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(PNG)))
    own = {"Date": "", "X-Request-Id": ""}
    assert headers.keys() == got.keys() and {**headers, **own} == {**got, **own}
    assert (await talk(http_port, "HEAD", "/files/unknown"))[0] == 404


@pytest.mark.gen_test
async def test_files_may_be_cached_and_asked_for_again(people, http_port):
    alice = await people("alice")
    one, two = path_of(await upload(alice, PNG)), path_of(await upload(alice, PNG))
    _, headers, _ = await talk(http_port, "GET", one)
    assert "immutable" in headers["Cache-Control"] and "private" in headers["Cache-Control"]
    for value in (headers["Etag"], f'"x", {headers["Etag"]}', "*", f"W/{headers['Etag']}"):
        status, again, body = await talk(http_port, "GET", one, [f"If-None-Match: {value}"])
        assert (status, body) == (304, b"") and again["Etag"] == headers["Etag"]
    assert (await talk(http_port, "GET", two, [f"If-None-Match: {headers['Etag']}"]))[0] == 200


@pytest.mark.gen_test
async def test_a_range_of_bytes_can_be_asked_for(people, http_port):
    alice = await people("alice")
    data = bytes(number % 253 for number in range(2 * CHUNK_BYTES + 100))
    path, size = path_of(await upload(alice, data)), len(data)
    for asked, start, end in (
        ("0-0", 0, 1),
        ("0-", 0, size),
        ("-1", size - 1, size),
        (f"{CHUNK_BYTES - 1}-{CHUNK_BYTES}", CHUNK_BYTES - 1, CHUNK_BYTES + 1),
        (f"5-{10**17}", 5, size),
        (f"-{10**17}", 0, size),
    ):
        status, headers, body = await talk(http_port, "GET", path, [f"Range: bytes={asked}"])
        assert (status, headers["Content-Range"]) == (206, f"bytes {start}-{end - 1}/{size}"), asked
        assert body == data[start:end] and headers["Content-Length"] == str(end - start)
    for asked in (f"{size}-", f"{size}-{size + 1}", "-0"):
        status, headers, body = await talk(http_port, "GET", path, [f"Range: bytes={asked}"])
        assert (status, headers["Content-Range"], body) == (416, f"bytes */{size}", b""), asked
    for asked in (
        "bytes=",
        "bytes=-",
        "bytes=2-1",
        "bytes=0-1,3-4",
        "lines=1-2",
        "bytes=x-",
        "bytes=" + "9" * 5000 + "-",
    ):
        status, headers, body = await talk(http_port, "GET", path, [f"Range: {asked}"])
        assert (status, body == data) == (200, True), asked
    _, headers, _ = await talk(http_port, "HEAD", path)
    lines = ["Range: bytes=0-0", f"If-Range: {headers['Etag']}"]
    assert (await talk(http_port, "GET", path, lines))[0] == 206
    assert (await talk(http_port, "GET", path, ["Range: bytes=0-0", 'If-Range: "other"']))[0] == 200


@pytest.mark.gen_test
async def test_a_file_that_goes_while_it_is_read_breaks_off(people, http_port, database):
    alice = await people("alice")
    path = path_of(await upload(alice, b"x" * (3 * CHUNK_BYTES)))
    database["uploads.chunks"].delete_one({"n": 1})
    status, headers, body = await talk(http_port, "GET", path)
    assert status == 200 and headers["Content-Length"] == str(3 * CHUNK_BYTES)
    assert len(body) <= CHUNK_BYTES


@pytest.mark.gen_test
async def test_a_reader_who_goes_away_is_no_error(people, http_port):
    alice = await people("alice")
    path = path_of(await upload(alice, b"x" * (20 * MIB)))
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readexactly(100_000)
    writer.transport.abort()
    assert (await talk(http_port, "GET", path, ["Range: bytes=0-0"]))[0] == 206


# Messages


async def send_file(nova, person, chat_id, *file_ids):
    user = await nova.services.accounts.find_account(person.id)
    return (await nova.services.messages.send(user, chat_id, "", file_ids=file_ids)).message


@pytest.mark.gen_test
async def test_file_goes_with_its_message_and_with_its_chat(people, guest, nova):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat = await alice.new_group(bob)
    recalled, kept = await upload(alice, PNG, "recalled"), await upload(alice, PNG, "kept")
    messages = [await send_file(nova, alice, chat, file["id"]) for file in (recalled, kept)]
    for file in (recalled, kept):
        assert (await guest.get(path_of(file))).body == PNG
    socket = await alice.socket()
    await socket.send("recall_message", {"message_id": messages[0].id})
    await socket.expect("message_recalled")
    assert (await guest.get(path_of(recalled))).status == 404
    assert (await guest.get(path_of(kept))).body == PNG
    assert (await alice.delete(f"/chat/{chat}")).status == 200
    assert (await guest.get(path_of(kept))).status == 404


@pytest.mark.gen_test
async def test_answer_is_json_in_the_protocols_shape(people):
    alice = await people("alice")
    answer = await send(alice, form(part()))
    assert json.loads(answer.body)["ok"] is True
    assert answer.headers["Content-Type"] == "application/json" and answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Content-Length"]) == len(answer.body) < FORM_MAX_BYTES
