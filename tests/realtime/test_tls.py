"""Over TLS everything is as it is without: the pages, the sockets, the promises to slow readers."""

from __future__ import annotations

import asyncio
import json
import re
import ssl

import pytest
from realtime.client_frames import client_frame
from realtime.stubs import payloads
from storage.rooms import settle
from tls import make_certificate

from nova_tornado.realtime.connection import CLOSE_TRY_AGAIN_LATER
from nova_tornado.realtime.frame_reader import CLOSE, PING, TEXT
from nova_tornado.realtime.frames import text_frame
from nova_tornado.realtime.wire import FRAME_MAX_BYTES, StreamWire
from nova_tornado.settings import Settings

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
UPGRADE = f"Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}"
WAIT_S = 20


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def settings(certificate):
    cert, key = certificate
    return Settings(bcrypt_rounds=4, rate_limits=False, tls_cert=cert, tls_key=key)


@pytest.fixture
def connect(certificate, http_server, http_port, io_loop):
    """Opens TLS connections whose certificate is checked: ``reader, writer = await connect()``."""
    context = ssl.create_default_context(cafile=str(certificate[0]))
    made = []

    async def open_one():
        reader, writer = await asyncio.open_connection("127.0.0.1", http_port, ssl=context, limit=2**25)
        made.append(writer)
        return reader, writer

    yield open_one

    async def end():
        for writer in made:
            writer.transport.abort()
        await asyncio.sleep(0)

    io_loop.run_sync(end)


async def ask(connection, head, body=None):
    """Send a request; returns the head of the answer."""
    reader, writer = connection
    content = b"" if body is None else json.dumps(body).encode()
    more = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n" if body is not None else ""
    writer.write(f"{head}Host: 127.0.0.1\r\n{more}\r\n".encode() + content)
    async with asyncio.timeout(WAIT_S):
        return (await reader.readuntil(b"\r\n\r\n")).decode()


async def open_socket(connect, name):
    """Register and open a socket."""
    head = await ask(await connect(), "POST /user/register HTTP/1.1\r\n", {"user_name": name, "password": "secret1"})
    assert " 200 " in head and "; Secure" in head, "the cookie is for TLS alone"
    cookie = re.search(r"Set-Cookie: (sessionid=[^;]+)", head)[1]
    connection = await connect()
    assert " 101 " in await ask(connection, f"GET /ws/ HTTP/1.1\r\n{UPGRADE}Cookie: {cookie}\r\n")
    return connection


async def receive(reader):
    """The next frame's opcode and payload."""
    async with asyncio.timeout(WAIT_S):
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
        return first & 0xF, await reader.readexactly(size)


def the_outbox(nova):
    [links] = nova.hub._users.values()
    [connection] = links.connections
    assert isinstance(connection.outbox._wire, StreamWire)
    return connection.outbox


@pytest.mark.gen_test
async def test_a_socket_over_tls_answers_frames_in_order_and_says_goodbye(nova, connect):
    reader, writer = await open_socket(connect, "alice")
    pings = b"".join(
        client_frame(TEXT, json.dumps({"action": "ping", "request_id": n}).encode()) for n in range(1, 200)
    )
    writer.write(pings)
    for number in range(1, 200):
        opcode, payload = await receive(reader)
        assert (opcode, json.loads(payload)["request_id"]) == (TEXT, number)
    writer.write(client_frame(PING, b"there?"))
    assert await receive(reader) == (0xA, b"there?")
    writer.write(client_frame(CLOSE, (4000).to_bytes(2, "big")))
    assert await receive(reader) == (CLOSE, (4000).to_bytes(2, "big"))
    await settle(lambda: nova.hub.connection_count == 0)


@pytest.mark.gen_test
async def test_frames_against_the_rules_are_named_over_tls_too(nova, connect):
    for number, (stream, code) in enumerate(
        (
            (client_frame(TEXT, b"x", is_masked=False), 1002),
            (client_frame(TEXT, b"\xff"), 1007),
            (client_frame(TEXT, b"x" * 100_000, size=FRAME_MAX_BYTES + 1), 1009),
        )
    ):
        reader, writer = await open_socket(connect, f"alice{number}")
        writer.write(stream)
        opcode, payload = await receive(reader)
        assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, code)
        await settle(lambda: nova.hub.connection_count == 0)


@pytest.mark.gen_test
async def test_who_goes_without_a_word_is_noticed_over_tls(nova, connect):
    _, writer = await open_socket(connect, "alice")
    assert nova.hub.connection_count == 1
    writer.transport.abort()
    await settle(lambda: nova.hub.connection_count == 0)


@pytest.mark.gen_test
async def test_a_slow_reader_over_tls_gets_whole_frames_and_is_told_to_come_back(nova, connect):
    reader, writer = await open_socket(connect, "alice")
    outbox = the_outbox(nova)
    writer.transport.pause_reading()
    number = 0
    while not outbox.is_closing:
        assert number < 20_000, "he is never closed"
        outbox.push(text_frame(b"%d " % number + b"x" * 20_000))
        number += 1
        await asyncio.sleep(0)
    assert outbox.waiting_bytes < 2 * 2**20
    writer.transport.resume_reading()
    got = []
    while (frame := await receive(reader))[0] != CLOSE:
        got.append(frame[1])
    assert int.from_bytes(frame[1][:2], "big") == CLOSE_TRY_AGAIN_LATER
    assert [payload.split()[0] for payload in got] == [b"%d" % index for index in range(len(got))]
    assert 0 < len(got) < number


@pytest.mark.gen_test
async def test_a_large_reply_over_tls_waits_for_its_reader(nova, connect):
    reader, writer = await open_socket(connect, "alice")
    outbox = the_outbox(nova)
    writer.transport.pause_reading()
    frame = text_frame(b"r" * 12_000_000)
    reply = asyncio.create_task(outbox.reply(frame))
    await asyncio.sleep(0)
    outbox.push(text_frame(b"event"))
    await asyncio.sleep(0)
    assert not reply.done() and not outbox.is_closing
    writer.transport.resume_reading()
    async with asyncio.timeout(WAIT_S):
        data = await reader.readexactly(len(frame) + len(text_frame(b"event")))
    assert payloads(data) == [b"r" * 12_000_000, b"event"]
    await reply
