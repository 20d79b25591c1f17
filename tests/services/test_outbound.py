"""Requests to other hosts: what is refused, where connections go, the bounds. Source: RFC 9110, RFC 6890."""

import asyncio
import itertools
import logging
import shutil
import socket
import ssl
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_host import CUT, LAST_CHUNK, answer_head, chunks, serving, whole

from nova_tornado.web import outbound
from nova_tornado.web.outbound import LineSplitter, OutboundClient, OutboundError

SECRET = "s3cr3t-t0ken"


@pytest.fixture
def host(io_loop):
    context = serving()
    yield io_loop.run_sync(context.__aenter__)
    io_loop.run_sync(lambda: context.__aexit__(None, None, None))


def resolving(*addresses):
    """A resolver that knows every name, by these addresses; `calls` counts how often it was asked."""

    async def resolve(name, _port):
        resolve.calls.append(name)
        return list(addresses)

    resolve.calls = []
    return resolve


def client(**options):
    return OutboundClient(**{"allow_private": True} | options)


async def refusal(outbound_client, url, **options):
    with pytest.raises(OutboundError) as caught:
        await outbound_client.post_json(url, {}, **options)
    return caught.value


@pytest.mark.parametrize("url", ["ftp://example.org", "http://a:b@example.org", "http://example.org\\@evil.example"])
@pytest.mark.gen_test
async def test_bad_urls_are_refused_before_anything_is_asked(url):
    resolve = resolving("8.8.8.8")
    assert (await refusal(client(resolve=resolve), url)).is_refused
    assert resolve.calls == []


async def take_all(lines):
    async for _ in lines:
        pass


# Where the connection goes


@pytest.mark.gen_test
async def test_request_arrives_as_it_was_meant(host):
    host.answer(whole("201 Created", b'{"a":1}', X_Thing="Yes"))
    answer = await client().post_json(f"{host.url}/p?q=r", {"text": "hé"}, {"X-Signature": "abc"})
    assert (answer.status, answer.is_success, answer.body, answer.headers["x-thing"]) == (201, True, b'{"a":1}', "Yes")
    [seen] = host.seen
    assert (seen.line, seen.json) == ("POST /p?q=r HTTP/1.1", {"text": "hé"})
    assert seen.headers["host"] == f"127.0.0.1:{host.port}"
    assert seen.headers["content-type"] == "application/json" and seen.headers["x-signature"] == "abc"
    assert seen.headers["user-agent"].startswith("Nova/") and not {"cookie", "authorization"} & seen.headers.keys()


@pytest.mark.gen_test
async def test_signed_bytes_arrive_unchanged(host):
    host.answer(whole("204 No Content"))
    await client().post_json(host.url, b'{ "a" : 1 }')
    assert host.seen[0].body == b'{ "a" : 1 }'


@pytest.mark.parametrize("form", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "0.0.0.0"])
@pytest.mark.gen_test
async def test_this_machine_is_refused_in_all_its_forms(host, form):
    error = await refusal(OutboundClient(), f"http://{form}:{host.port}/")
    assert error.is_refused or form == "[::1]"
    assert host.seen == []


@pytest.mark.gen_test
async def test_name_with_a_private_address_is_refused(host):
    error = await refusal(OutboundClient(resolve=resolving("127.0.0.1")), f"http://inside.example:{host.port}/")
    assert error.is_refused and "inside.example" in error.message and "127" not in error.message
    assert host.seen == []


@pytest.mark.gen_test
async def test_one_private_address_among_public_ones_is_enough(host):
    resolve = resolving("8.8.8.8", "127.0.0.1", "2606:4700::1111")
    assert (await refusal(OutboundClient(resolve=resolve), f"http://mixed.example:{host.port}/")).is_refused
    assert host.seen == []


@pytest.mark.gen_test
async def test_connection_goes_to_the_address_that_was_judged(host, monkeypatch):
    """A name that means something else a moment later gains nothing: it is looked up once, and never by the system."""

    def look_up(*_):
        raise AssertionError("looked up by the system")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    judged = []
    monkeypatch.setattr(outbound, "is_allowed", lambda address, **_: judged.append(address) or True)
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def resolve(_name, _port):
        return answers.pop(0)

    host.answer(whole("200 OK"))
    await OutboundClient(resolve=resolve).post_json(f"http://rebind.example:{host.port}/", {})
    assert judged == ["127.0.0.1"] and len(answers) == 1
    assert host.seen[0].headers["host"] == f"rebind.example:{host.port}"


@pytest.mark.gen_test
async def test_next_address_is_tried_where_one_does_not_answer(host):
    host.answer(whole("200 OK"))
    resolve = resolving("127.9.9.9", "127.0.0.1")  # nobody listens at the first
    assert (await client(resolve=resolve).post_json(f"http://two.example:{host.port}/", {})).is_success


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
@pytest.mark.gen_test
async def test_redirects_are_not_followed(host, status):
    host.answer(whole(status, Location=f"{host.url}/inside"))
    error = await refusal(client(), host.url)
    assert error.is_refused and "redirect" in error.message and len(host.seen) == 1


@pytest.mark.gen_test
async def test_proxies_of_the_environment_are_not_used(host, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    host.answer(whole("200 OK"))
    assert (await client().post_json(host.url, {})).is_success


@pytest.mark.gen_test
async def test_cookies_are_not_kept(host):
    sender = client()
    for _ in range(2):
        host.answer(whole("200 OK", Set_Cookie="a=b"))
        await sender.post_json(host.url, {})
    assert "cookie" not in host.seen[1].headers


# What goes wrong


@pytest.mark.gen_test
async def test_host_that_is_not_known():
    assert not (await refusal(client(resolve=resolving()), "http://nobody.example/")).is_refused
    for known_error in (socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long")):

        async def resolve(_name, _port, error=known_error):
            raise error

        assert (await refusal(client(resolve=resolve), "http://no.example/")).message == "no.example is not known"


@pytest.mark.gen_test
async def test_host_that_does_not_listen():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await refusal(client(), f"http://127.0.0.1:{taken.getsockname()[1]}/?{SECRET}")
    assert (error.message, error.is_refused) == ("127.0.0.1 cannot be reached", False)


@pytest.mark.gen_test
async def test_resolver_that_hangs_ends_in_time():
    async def resolve(_name, _port):
        await asyncio.Event().wait()

    error = await refusal(client(resolve=resolve, connect_timeout_s=0.05), "http://slow.example/")
    assert error.message == "slow.example did not answer in time"


@pytest.mark.parametrize("limit", ["silence_timeout_s", "total_timeout_s"])
@pytest.mark.parametrize("begin", [b"", answer_head() + b"abc"], ids=["nothing", "begun"])
@pytest.mark.gen_test
async def test_host_that_falls_silent_ends_in_time(host, limit, begin):
    host.answer(begin, asyncio.Event())
    assert (await refusal(client(**{limit: 0.05}), host.url)).message == "127.0.0.1 did not answer in time"


@pytest.mark.gen_test
async def test_host_that_never_ends_ends_in_time(host):
    """Its bytes come soon enough, so only the limit on the whole helps."""
    host.answer(answer_head(), *[b"x" * 65535 + b"\n"] * 100_000)
    async with client(total_timeout_s=0.1, answer_max_bytes=2**40).stream_lines(host.url, {}) as answer:
        with pytest.raises(OutboundError, match=r"127\.0\.0\.1 did not answer in time"):
            await take_all(answer.lines())


@pytest.mark.parametrize(
    "script",
    [
        (CUT,),
        (b"",),
        (b"HTTP/1.1 200 OK\r\nContent-Len", CUT),
        (answer_head(Content_Length=10) + b"abc",),
        (answer_head(Transfer_Encoding="chunked") + chunks(b"abcdef", 2), CUT),
        (b"SSH-2.0-OpenSSH_9.2\r\n",),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",),
    ],
)
@pytest.mark.gen_test
async def test_answer_that_breaks_off(host, script):
    host.answer(*script)
    assert (await refusal(client(), host.url)).message == "The connection to 127.0.0.1 broke off"


@pytest.mark.parametrize("fields", [{"Content_Length": 2001}, {"Transfer_Encoding": "chunked"}, {}])
@pytest.mark.gen_test
async def test_answer_that_is_too_large_is_not_taken(host, fields):
    body = b"x" * 2001
    host.answer(answer_head(**fields) + (chunks(body, 100) + LAST_CHUNK if "Transfer_Encoding" in fields else body))
    assert "more than 2000 bytes" in (await refusal(client(answer_max_bytes=2000), host.url)).message
    host.answer(whole("200 OK", b"x" * 2000))
    assert len((await client(answer_max_bytes=2000).post_json(host.url, {})).body) == 2000


@pytest.mark.gen_test
async def test_endless_answer_is_left(host):
    host.answer(answer_head(), *[b"x" * 65536] * 1000)
    assert "more than" in (await refusal(client(), host.url)).message
    await host.wait_left()


@pytest.mark.gen_test
async def test_compressed_answer_is_not_taken(host):
    host.answer(whole("200 OK", b"\x1f\x8b", Content_Encoding="gzip"))
    assert "compressed" in (await refusal(client(), host.url)).message


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX: y", f"{SECRET}\n", f"{SECRET}é", f"{SECRET}\0"])
@pytest.mark.gen_test
async def test_header_that_could_become_another_is_refused(host, value):
    error = await refusal(client(), host.url, headers={"Authorization": value})
    assert error.is_refused and SECRET not in str(error) and host.seen == []
    assert (await refusal(client(), host.url, headers={"X: y\r\nZ": "1"})).is_refused


@pytest.mark.gen_test
async def test_secrets_get_into_no_log_and_no_error(host, caplog):
    caplog.set_level(logging.DEBUG)
    url = f"{host.url}/hooks/{SECRET}?key={SECRET}"
    headers = {"Authorization": f"Bearer {SECRET}"}
    host.answer(whole("200 OK"))
    await client().post_json(url, {"text": SECRET}, headers)
    for script in ((CUT,), (answer_head(Content_Length=9),), (whole("302 Found", Location="/"),)):
        host.answer(*script)
        with pytest.raises(OutboundError) as caught:
            await client().post_json(url, {"text": SECRET}, headers)
        assert SECRET not in str(caught.value) and SECRET not in repr(caught.value)
    assert "httpcore" in caplog.text and SECRET not in caplog.text  # the library tells, at DEBUG, all that it does


# TLS


@pytest.fixture
def certificate(tmp_path):
    """A certificate for service.example, signed by itself, and its key."""
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    order = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=service.example"]
    order += ["-addext", "subjectAltName=DNS:service.example", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(order, check=True, capture_output=True)
    return paths


@pytest.fixture
def fresh_tls():
    """The certificate authorities are read once a process; here they are the test's own."""
    outbound._tls.cache_clear()
    yield
    outbound._tls.cache_clear()


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the certificate needs openssl")


@needs_openssl
@pytest.mark.usefixtures("fresh_tls")
@pytest.mark.gen_test
async def test_certificate_is_checked_against_the_name_and_not_the_address(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    asked = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    sender = client(resolve=resolving("127.0.0.1"))
    async with serving(context) as host:
        host.answer(whole("200 OK", b"{}"))
        assert (await sender.post_json(f"https://service.example:{host.port}/", {})).is_success
        error = await refusal(sender, f"https://other.example:{host.port}/")
    assert error.message == "The certificate of other.example cannot be trusted"
    assert asked == ["service.example", "other.example"] and len(host.seen) == 1


@needs_openssl
@pytest.mark.usefixtures("fresh_tls")
@pytest.mark.gen_test
async def test_certificate_that_nobody_vouches_for_is_refused(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    async with serving(context) as host:
        error = await refusal(client(resolve=resolving("127.0.0.1")), f"https://service.example:{host.port}/")
    assert "cannot be trusted" in error.message and host.seen == []


@pytest.mark.gen_test
async def test_greeting_that_never_comes_ends_in_time(host):
    """A server that takes the connection and says nothing, where TLS is expected."""
    error = await refusal(client(connect_timeout_s=0.05), f"https://127.0.0.1:{host.port}/")
    assert error.message == "127.0.0.1 did not answer in time"


# Lines


@pytest.mark.gen_test
async def test_lines_come_while_the_host_still_writes(host):
    more = asyncio.Event()
    host.answer(answer_head() + b"one\r\n", more, b"two\rthree\n\nfour")
    async with client().stream_lines(host.url, {}) as answer:
        lines = answer.lines()
        assert (answer.status, await anext(lines)) == (200, "one")
        more.set()
        assert [line async for line in lines] == ["two", "three", "", "four"]


@pytest.mark.gen_test
async def test_leaving_a_stream_closes_its_connection(host):
    host.answer(answer_head() + b"one\n", asyncio.Event(), b"two\n")
    host.answer(answer_head() + b"one\n", *[b"x" * 65536] * 1000)
    async with client().stream_lines(host.url, {}) as answer:
        assert await anext(answer.lines()) == "one"
    with pytest.raises(ZeroDivisionError):
        async with client().stream_lines(host.url, {}) as answer:
            raise ZeroDivisionError
    await host.wait_left()
    await host.wait_left()


@pytest.mark.gen_test
async def test_cancelling_closes_the_connection(host):
    host.answer(asyncio.Event())
    task = asyncio.create_task(client().post_json(host.url, {}))
    await host.wait_arrived()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await host.wait_left()


@pytest.mark.gen_test
async def test_a_stream_can_have_a_time_limit_of_its_own(host):
    host.answer(answer_head() + b"one\n", asyncio.Event())
    async with client().stream_lines(host.url, {}, timeout_s=0.05) as answer:
        lines = answer.lines()
        assert await anext(lines) == "one"
        with pytest.raises(OutboundError, match="in time"):
            await anext(lines)


@given(st.text(st.sampled_from("aé🎉\r\n"), max_size=30), st.lists(st.integers(0, 80), max_size=8))
def test_lines_do_not_depend_on_where_the_bytes_are_cut(text, cuts):
    data = text.encode()
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    splitter = LineSplitter()
    lines = [line for start, end in itertools.pairwise(places) for line in splitter.feed(data[start:end])]
    expected = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode().split("\n")
    assert [*lines, splitter.finish()] == expected
