"""The WebSocket of the actions protocol: handshake, packets, frames, order, sessions.

Source: actions document, WebSocket Endpoint; contract "actions" section 6; contract "protocols" section 0.7; RFC 6455.
"""

import asyncio
import gc
import json
import os
import re
import struct
from contextlib import suppress
from unittest.mock import Mock

import pytest
from people import WAIT_S
from tornado.httputil import HTTPServerRequest, RequestStartLine
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from nova_tornado.native import socket as native_socket
from nova_tornado.native.socket import PROTOCOL
from nova_tornado.realtime.wire import FRAMES_PER_TURN
from nova_tornado.settings import Settings

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FRAME_MAX_BYTES = 16 * 1024 * 1024


class RawSocket:
    """A WebSocket whose frames are made byte by byte, as no library would make them."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, person):
        reader, writer = await asyncio.open_connection("127.0.0.1", person.port)
        lines = {"Host": f"127.0.0.1:{person.port}", "Cookie": f"sessionid={person.cookie}", **HANDSHAKE}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"GET /ws/ HTTP/1.1\r\n{head}\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return cls(reader, writer)

    def send(self, opcode, payload=b"", *, is_final=True, reserved=0, size=None):
        size = len(payload) if size is None else size
        mask = os.urandom(4)
        head = bytes([is_final << 7 | reserved << 4 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += b"\xfe" + struct.pack("!H", size)
        else:
            head += b"\xff" + struct.pack("!Q", size)
        self.writer.write(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    async def receive(self):
        """The next frame's opcode and payload; None where the connection ends."""
        try:
            async with asyncio.timeout(WAIT_S):
                first, size = await self.reader.readexactly(2)
                if size == 126:
                    [size] = struct.unpack("!H", await self.reader.readexactly(2))
                return first & 0xF, await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None

    async def expect_pong(self):
        """The connection is alive."""
        self.send(TEXT, b'{"action": "ping"}')
        opcode, payload = await self.receive()
        assert (opcode, json.loads(payload)["action"]) == (TEXT, "pong")

    async def expect_close(self, code, is_left_to_us=False):
        """A close frame comes, then the end, which the server may leave to us."""
        opcode, payload = await self.receive()
        assert opcode == CLOSE, (opcode, payload)
        assert payload[:2] == (struct.pack("!H", code) if code else b""), payload
        if is_left_to_us:
            self.writer.write_eof()
        assert await self.receive() is None

    def end(self):
        self.writer.close()


@pytest.fixture
def raw(io_loop):
    """Makes raw sockets: ``await raw(person)``."""
    made = []

    async def connect(person):
        made.append(await RawSocket.connect(person))
        return made[-1]

    yield connect

    async def end():
        for socket in made:
            socket.end()

    io_loop.run_sync(end)


# Handshake


@pytest.mark.gen_test
async def test_a_signed_in_socket_is_greeted_with_silence_and_misses_nothing(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    socket = await alice.socket()
    await socket.expect_nothing()
    # From the answer to the handshake on everything arrives, whatever else is going on.
    for _ in range(10):
        making = asyncio.ensure_future(bob.new_group(alice))
        fresh = await alice.socket()
        chat_id = await making
        await bob.post(f"/chat/{chat_id}/set_owner", {"chat_owner": alice.id})
        seen = []
        while "owner_state_change" not in seen:
            seen.append((await fresh.receive())["action"])
        assert seen[-1:] == ["owner_state_change"] and seen[:-1] in (
            [],
            ["new_message"],
            ["new_group_chat", "new_message"],
        )


@pytest.mark.gen_test
async def test_a_socket_without_a_valid_session_gets_one_error_and_is_closed(people, guest):
    alice = await people("alice")
    old = alice.cookie
    assert (await alice.post("/user/logout")).status == 200
    alice.cookie = None
    for headers in (
        {},
        {"Cookie": "sessionid="},
        {"Cookie": "sessionid=x"},
        {"Cookie": f"sessionid={old}"},
        {"Cookie": "sessionid=" + "x" * 5000},
        {"Cookie": "other=1"},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Basic {old}"},
        {"Authorization": "Bearer"},
    ):
        socket = await guest.socket(headers)
        packet = {"action": "error", "request_id": 0, "ok": False, "code": 403, "error": "User is not authenticated"}
        assert await socket.receive() == packet, headers
        await socket.expect_close(1000)


@pytest.mark.gen_test
async def test_what_an_unauthenticated_socket_sends_is_not_looked_at(people, guest, raw, nova):
    alice = await people("alice")
    chat_id = await alice.new_group()
    socket = await raw(guest)
    socket.send(TEXT, json.dumps({"action": "send_message", "data": {"chat_id": chat_id, "content": "x"}}).encode())
    socket.send(TEXT, b'{"action": "ping"}')
    assert json.loads((await socket.receive())[1])["code"] == 403
    assert await socket.receive() == (CLOSE, struct.pack("!H", 1000))
    socket.send(TEXT, b'{"action": "ping"}')
    socket.send(CLOSE, struct.pack("!H", 1000))
    assert await socket.receive() is None
    assert len((await alice.get(f"/chat/{chat_id}/messages")).data) == 1
    assert nova.hub.connection_count == 0


@pytest.mark.gen_test
async def test_a_token_opens_a_socket_as_well_as_a_cookie(people, guest):
    alice, bob = await people("alice"), await people("bob")
    token = (await guest.post("/user/token", {"user_name": "alice", "password": alice.password})).data["token"]
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"bearer {token}"},
        {"Authorization": f"Bearer {token}", "Cookie": f"sessionid={bob.cookie}"},
        {"Authorization": "Bearer x", "Cookie": f"sessionid={alice.cookie}"},
    ):
        socket = await guest.socket(headers)
        await socket.expect_nothing()
        assert (await alice.patch("/user", {})).status == 200
        await socket.expect("profile_change")  # it is hers
        socket.close()


class TestOrigins:
    @pytest.fixture
    def settings(self):
        return Settings(
            bcrypt_rounds=4,
            rate_limits=False,
            base_url="https://nova.example",
            allow_origin=("https://chat.example", "http://localhost:3000"),
        )

    @pytest.mark.gen_test
    async def test_pages_of_other_sites_cannot_connect(self, people):
        alice = await people("alice")
        own = f"127.0.0.1:{alice.port}"
        allowed = [None, f"http://{own}", f"https://{own}", f"HTTP://{own}", "https://nova.example"]
        allowed += ["https://chat.example", "https://CHAT.example", "http://localhost:3000"]
        refused = ["null", "", "https://evil.example", f"http://{own}.evil.example", "http://127.0.0.1", "file://"]
        refused += ["http://nova.example", "https://nova.example:444", "https://chat.example.evil.example", "*"]
        refused += ["https://chat.example/", f"ftp://{own}", own, f"//{own}", f"http://user@{own}", "http://localhost"]
        for origin in (*allowed, *refused):
            headers = HANDSHAKE | ({} if origin is None else {"Origin": origin})
            answer = await alice.get("/ws/", headers=headers)
            if origin in allowed:
                assert answer.status == 101, origin
            else:
                assert (answer.status, answer.error) == (403, "Origin not allowed"), origin


@pytest.mark.gen_test
async def test_what_is_no_handshake_is_answered_in_json(people, guest):
    alice = await people("alice")
    for person in (alice, guest):
        answer = await person.get("/ws/")
        assert (answer.status, bool(answer.error)) == (400, True)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await person.request(method, "/ws/")
            assert (answer.status, answer.headers["Allow"], bool(answer.error)) == (405, "GET, OPTIONS", True)
        answer = await person.request("OPTIONS", "/ws/")
        assert (answer.status, answer.headers["Allow"], answer.body) == (200, "GET, OPTIONS", b"")
    for path in ("/ws", "/ws//", "/ws/x"):
        assert (await alice.get(path, headers=HANDSHAKE)).status == 404
    for change in ({"Sec-WebSocket-Version": "12"}, {"Sec-WebSocket-Key": ""}, {"Connection": "close"}):
        assert 400 <= (await alice.get("/ws/", headers=HANDSHAKE | change)).status < 500, change


@pytest.mark.gen_test
async def test_nothing_of_the_request_is_left_when_the_handshake_is_done(people, nova):
    sockets = [await (await people(name)).socket() for name in ("alice", "bob")]
    for socket in sockets:
        await socket.expect_nothing()
    gc.collect()
    start = RequestStartLine("GET", "/", "HTTP/1.0")
    left = [each for each in gc.get_objects() if type(each) is HTTPServerRequest and each.path == "/ws/"]
    assert not left
    for links in nova.hub._users.values():
        for connection in links.connections:
            of_tornado = vars(
                WebSocketHandler(nova.application, HTTPServerRequest(start_line=start, connection=Mock()))
            )
            assert not {*of_tornado, "request"} & {*vars(connection.outbox.receiver)}


# Packets


@pytest.mark.gen_test
async def test_a_ping_is_answered_with_a_pong_that_echoes_its_request_id(people):
    socket = await (await people("alice")).socket()
    for request_id in (0, 1, -1, 2**31, 2**53, -(2**63), 2**63 - 1, 2**64 - 1):
        for data in ({}, {"data": None}, {"data": 5}, {"data": {"a": [1]}}, {"more": "x"}):
            await socket.send("ping", request_id=request_id, **data)
            assert await socket.receive() == {"action": "pong", "request_id": request_id, "ok": True, "data": None}
    await socket.send("ping")
    assert await socket.receive() == {"action": "pong", "request_id": 0, "ok": True, "data": None}


@pytest.mark.gen_test
async def test_the_request_id_is_echoed_in_errors_and_never_in_notifications(people):
    alice = await people("alice")
    chat_id = await alice.new_group()
    socket = await alice.socket()
    for request_id in (0, 5, -3, 2**63):
        await socket.send("send_message", {"chat_id": chat_id, "content": "x"}, request_id=request_id)
        packets = [await socket.receive() for _ in range(2)]
        assert [(packet["action"], packet["request_id"]) for packet in packets] == [
            ("new_message", 0),
            ("messages_read", 0),
        ]
        message_id = packets[0]["data"]["message"]["message_id"]
        for action, data in (
            ("messages_read", {"chat_id": chat_id}),
            ("recall_message", {"message_id": message_id, "delete": True}),
            ("recall_message", {"message_id": message_id}),
        ):
            await socket.send(action, data, request_id=request_id)
            assert (await socket.receive())["request_id"] == 0
        for action in ("send_message", "recall_message", "messages_read", "dance", ""):
            await socket.send(action, {}, request_id=request_id)
            await socket.expect_error(400, request_id)


@pytest.mark.gen_test
async def test_packets_that_make_no_sense_are_answered_and_the_socket_lives_on(people):
    alice = await people("alice")
    chat_id = await alice.new_group()
    socket = await alice.socket()
    deep = 100_000
    malformed = [
        "",
        " ",
        "x",
        "null",
        "1",
        '"ping"',
        "[]",
        '["ping"]',
        "true",
        "{",
        '{"action"',
        "{}x",
        '{"action": ping}',
    ]
    malformed += [
        "{'action': 'ping'}",
        '{"action": "ping",}',
        '{"action": "ping"}{"action": "ping"}',
        "\ufeff{}",
        "\0",
        "{}",
    ]
    malformed += [
        f'{{"action": "ping", "data": {number}}}' for number in ("NaN", "Infinity", "-Infinity", "01", "0x1", "+1")
    ]
    malformed += ['{"action": "ping", "data": "\\ud800"}', '{"action": "ping", "data": "\\udc00x"}', '{"\\ud800": 1}']
    malformed += [
        '{"action": "ping", "data": "\x01"}',
        '{"action": "ping", "data": "\n"}',
        '{"action": "ping"',
        '"\\u12"',
    ]
    malformed += ["[" * deep, "[" * deep + "]" * deep, '{"a":' * deep + "1" + "}" * deep]
    malformed += ['{"action": "ping", "data": ' + "[" * 64 + "]" * 64 + "}"]
    malformed += ["x" * 1_000_000, '{"action": "' + "x" * 1_000_000, "\U0001f600" * 250_000, "9" * 1_000_000]
    malformed += [b"", b'{"action": "ping"}', b"\xff\xfe", b"\0" * 1_000_000]
    malformed += [
        json.dumps(packet) for packet in ({"data": 1}, {"request_id": 5}, {"action": None}, {"ACTION": "ping"})
    ]
    for message in malformed:
        await socket.send_raw(message)
        assert await socket.expect_error(400, 0), message[:50]
    for request_id in (None, "1", "", 1.5, 1.0, True, [], {}, 2**64, -(2**63) - 1, 10**30, 10**400):
        for action in ("ping", "send_message", "dance"):
            await socket.send_raw(json.dumps({"action": action, "request_id": request_id, "data": {}}))
            assert "request_id" in await socket.expect_error(400, 0) or request_id == 10**400, request_id
    for action in (
        "",
        "pong",
        "error",
        "PING",
        " ping",
        "new_message",
        "_ping",
        "__class__",
        5,
        True,
        [],
        {},
        ["ping"],
        "x" * 10**6,
    ):
        await socket.send_raw(json.dumps({"action": action, "request_id": 8}))
        await socket.expect_error(400, 8)
    levels = 62
    for text in (
        '{"action": "ping", "action": "ping"}',  # the last one counts
        ' \t\r\n{"action":"ping"}\n',
        '{"action": "\\u0070ing", "data": "\\u0000\\ud83d\\ude00"}',
        '{"action": "ping", "data": ' + "[" * levels + "{}" + "]" * levels + "}",
        '{"action": "ping", "data": 1e308}',
    ):
        await socket.send_raw(text)
        assert (await socket.receive())["action"] == "pong", text[:60]
    # NUL and lone surrogates, where they would be stored.
    for text, part in (("a\0b", "content"), ("\ud800", ""), ("\udfff\ud800", "")):
        await socket.send("send_message", {"chat_id": chat_id, "content": text}, request_id=3)
        packet = await socket.receive()
        assert packet["action"] == "error" and packet["code"] == 400 and part in packet["error"]
    assert len((await alice.get(f"/chat/{chat_id}/messages")).data) == 1
    await socket.expect_nothing()


@pytest.mark.gen_test(timeout=30)
async def test_frames_up_to_sixteen_mebibytes_are_answered_and_larger_ones_end_the_socket(people):
    alice = await people("alice")
    chat_id = await alice.new_group()
    socket = await alice.socket()
    await socket.send("send_message", {"chat_id": chat_id, "content": "x" * 1_000_000}, request_id=2)
    assert "20000" in await socket.expect_error(400, 2)
    frame = '{"action": "ping", "request_id": 3, "data": "'
    await socket.send_raw(frame + "x" * (FRAME_MAX_BYTES - len(frame) - 2) + '"}')
    assert (await socket.receive())["request_id"] == 3
    await socket.send_raw("x" * FRAME_MAX_BYTES)
    await socket.expect_error(400, 0)
    with suppress(WebSocketClosedError):  # the answer comes while the frame is still under way
        await socket.send_raw("x" * (FRAME_MAX_BYTES + 1))
    await socket.expect_close(1009)
    assert len((await alice.get(f"/chat/{chat_id}/messages")).data) == 1


@pytest.mark.gen_test(timeout=30)
async def test_who_sends_too_large_a_frame_to_its_end_still_learns_why_it_was_refused(people, raw):
    socket = await raw(await people("alice"))
    socket.writer.write(b"\x81\xff" + struct.pack("!Q", FRAME_MAX_BYTES + 1) + bytes(4))
    for _ in range(FRAME_MAX_BYTES // 2**20):
        socket.writer.write(b"x" * 2**20)
        await socket.writer.drain()
    socket.writer.write(b"x")
    await socket.expect_close(1009, is_left_to_us=True)


# Frames


@pytest.mark.gen_test
async def test_a_frame_that_announces_too_much_ends_the_socket_before_it_comes(people, raw):
    alice = await people("alice")
    for size in (FRAME_MAX_BYTES + 1, 2**40, 2**63 - 1):
        socket = await raw(alice)
        socket.send(TEXT, size=size)
        await socket.expect_close(1009, is_left_to_us=True)
    socket = await raw(alice)
    socket.send(TEXT, b"x" * 10, is_final=False)
    socket.send(0, size=FRAME_MAX_BYTES - 9)
    await socket.expect_close(1009, is_left_to_us=True)


@pytest.mark.gen_test
async def test_legal_close_codes_are_echoed_and_illegal_ones_answered_with_1002(people, raw, nova):
    alice = await people("alice")
    legal = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    illegal = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535]
    for code in (*legal, *illegal):
        for reason in (b"", b"bye", b"x" * 123):
            socket = await raw(alice)
            await socket.expect_pong()
            socket.send(CLOSE, struct.pack("!H", code) + reason)
            await socket.expect_close(code if code in legal else 1002)
    socket = await raw(alice)
    socket.send(CLOSE)
    await socket.expect_close(None)
    assert nova.hub.connection_count == 0


@pytest.mark.gen_test
async def test_a_broken_close_frame_is_a_protocol_error(people, raw):
    alice = await people("alice")
    for payload, code in (
        (b"\x03", 1002),
        (struct.pack("!H", 1000) + b"\xff\xfe", 1007),
        (struct.pack("!H", 4000) + b"\xed\xa0\x80", 1007),
    ):
        socket = await raw(alice)
        socket.send(CLOSE, payload)
        await socket.expect_close(code)


@pytest.mark.gen_test
async def test_control_frames_and_fragments_are_understood(people, raw):
    socket = await raw(await people("alice"))
    for payload in (b"", b"hello", b"\xff" * 125):
        socket.send(PING, payload)
        assert await socket.receive() == (PONG, payload)
    socket.send(PONG, b"unasked")
    text = '{"action": "ping", "data": "é"}'.encode()
    cut = text.index(b"\xc3") + 1  # within the character
    socket.send(TEXT, text[:cut], is_final=False)
    socket.send(PING, b"between")
    assert await socket.receive() == (PONG, b"between")
    socket.send(0, text[cut:])
    assert json.loads((await socket.receive())[1])["action"] == "pong"
    for byte in text[:-1]:
        socket.send(TEXT if byte == text[0] else 0, bytes([byte]), is_final=False)
    socket.send(0, text[-1:])
    assert json.loads((await socket.receive())[1])["action"] == "pong"
    await socket.expect_pong()


@pytest.mark.gen_test
async def test_text_that_is_not_utf_8_closes_with_1007_and_nothing_after_it_counts(people, raw):
    alice = await people("alice")
    for text in (b"\xff\xfe", b'{"action": "ping", "data": "\xed\xa0\x80"}'):
        socket = await raw(alice)
        socket.send(TEXT, text)
        socket.send(TEXT, b'{"action": "ping"}')
        opcode, payload = await socket.receive()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1007))
        socket.send(CLOSE, payload)
        assert await socket.receive() is None


@pytest.mark.gen_test
async def test_frames_against_the_rules_end_the_socket_and_no_other(people, raw):
    alice = await people("alice")
    neighbour = await raw(alice)
    for send in (
        lambda socket: socket.send(0, b"x"),
        lambda socket: socket.send(PING, b"x" * 126),
        lambda socket: socket.send(PING, b"x", is_final=False),
        lambda socket: socket.send(TEXT, b"{}", reserved=4),
        lambda socket: [socket.send(TEXT, b"x", is_final=False), socket.send(TEXT, b"{}")],
        lambda socket: socket.writer.transport.abort(),
        lambda socket: socket.writer.write_eof(),
    ):
        socket = await raw(alice)
        await socket.expect_pong()
        send(socket)
        frame = await socket.receive()
        if frame is not None:
            assert frame[0] == CLOSE and await socket.receive() is None
        await neighbour.expect_pong()


@pytest.mark.gen_test
async def test_one_who_floods_the_server_does_not_hold_up_the_others(people, raw, nova, monkeypatch):
    alice, bob = await people("alice"), await people("bob")
    group = await alice.new_group()
    flooding, waiting = await raw(alice), await raw(bob)
    taken = []
    send_at_once, ping = nova.services.messages.send_at_once, native_socket.HANDLERS["ping"]

    def count_send(user, *message):
        taken.append(user.id)
        return send_at_once(user, *message)

    async def count_ping(socket, *request):
        taken.append(socket.user.id)
        await ping(socket, *request)

    monkeypatch.setattr(nova.services.messages, "send_at_once", count_send)
    monkeypatch.setitem(native_socket.HANDLERS, "ping", count_ping)
    # All of it lies in the server's socket before the server gets to run.
    number = 1_000
    for _ in range(number):
        flooding.send(TEXT, json.dumps({"action": "send_message", "data": {"chat_id": group, "content": "x"}}).encode())
    waiting.send(TEXT, b'{"action": "ping"}')
    assert json.loads((await waiting.receive())[1])["action"] == "pong"
    assert taken.index(bob.id) <= 4 * FRAMES_PER_TURN
    actions = [json.loads((await flooding.receive())[1])["action"] for _ in range(2 * number)]
    assert actions == ["new_message", "messages_read"] * number


# Order


@pytest.mark.gen_test
async def test_pipelined_requests_are_answered_in_their_order_with_errors_in_their_places(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chats = [await alice.new_group(bob, name=name) for name in ("One", "Two")]
    socket, listener = await alice.socket(), await bob.socket()
    expected = []
    for number in range(300):
        text = str(number)
        chat_id = chats[number % 7 == 0]
        if number % 10 == 3:
            await socket.send("send_message", {"chat_id": chat_id, "content": ""}, request_id=number)
            expected.append(("error", number))
        elif number % 10 == 5:
            await socket.send("ping", request_id=number)
            expected.append(("pong", number))
        elif number % 25 == 7:
            await socket.send("messages_read", {"chat_id": chat_id}, request_id=number)
            expected.append(("messages_read", chat_id))
        elif number % 25 == 9:
            await socket.send_raw(b"binary")
            expected.append(("error", 0))
        elif number % 25 == 11:
            await socket.send("recall_message", {"message_id": chat_id * 10**8 + 1}, request_id=number)
            expected.append(("error", number))
        else:
            more = {"client_message_id": text} if number % 4 == 0 else {}
            more |= {"reply_to": chat_id * 10**8 + 1} if number % 6 == 0 else {}
            await socket.send("send_message", {"chat_id": chat_id, "content": text, **more}, request_id=number)
            expected += [("new_message", text), ("messages_read", chat_id)]

    def sign(packet):
        match packet["action"]:
            case "error" | "pong" as action:
                return action, packet["request_id"]
            case "new_message" as action:
                return action, packet["data"]["message"]["message"]
            case action:
                return action, packet["data"]["chat_id"]

    assert [sign(await socket.receive()) for _ in expected] == expected
    await socket.expect_nothing()
    told = [each for each in expected if each[0] not in ("error", "pong")]
    assert [sign(await listener.receive()) for _ in told] == told
    await listener.expect_nothing()
    sent = [text for action, text in expected if action == "new_message"]
    histories = [(await bob.get(f"/chat/{chat_id}/messages")).data for chat_id in chats]
    for chat_id, history in zip(chats, histories, strict=True):
        assert [message["message"] for message in history[-2::-1]] == [
            text for text in sent if chats[int(text) % 7 == 0] == chat_id
        ]


@pytest.mark.gen_test
async def test_all_sockets_see_one_order_however_many_send_at_once(people):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    await alice.befriend(bob)
    await alice.befriend(carol)
    chat_id = await alice.new_group(bob, carol)
    sockets = [await person.socket() for person in (alice, alice, bob, carol)]
    count = 50
    for number in range(count):
        for index, socket in enumerate(sockets):
            await socket.send("send_message", {"chat_id": chat_id, "content": f"{index} {number}"})
    seen = []
    for socket in sockets:
        packets = [await socket.receive() for _ in range(2 * count * len(sockets))]
        assert [packet["action"] for packet in packets] == ["new_message", "messages_read"] * count * len(sockets)
        seen.append([packet["data"]["message"]["message"] for packet in packets[::2]])
    assert all(each == seen[0] for each in seen)
    for index in range(len(sockets)):
        assert [text for text in seen[0] if text.startswith(f"{index} ")] == [f"{index} {n}" for n in range(count)]
    history = (await carol.get(f"/chat/{chat_id}/messages")).data
    assert [message["message"] for message in history[-2::-1]] == seen[0]


@pytest.mark.gen_test
async def test_what_was_sent_before_the_socket_closed_is_stored(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await alice.new_group(bob)
    listener, socket = await bob.socket(), await alice.socket()
    for number in range(100):
        await socket.send("send_message", {"chat_id": chat_id, "content": str(number)})
    socket.close()
    for number in range(100):
        news, _ = await listener.expect("new_message", "messages_read")
        assert news["message"]["message"] == str(number)


# Sessions


@pytest.mark.gen_test
async def test_logging_out_closes_the_sockets_of_that_session_only(people):
    alice, bob = await people("alice"), await people("bob")
    phone = await alice.again()
    own, kept = [await alice.socket() for _ in range(2)], [await phone.socket(), await bob.socket()]
    assert (await alice.post("/user/logout")).data is None
    for socket in own:
        assert await socket.receive() == {"action": "logout", "request_id": 0, "ok": True, "data": None}
        await socket.expect_close(1000)
    for socket in kept:
        await socket.expect_nothing()
    assert (await phone.get("/user")).status == 200


@pytest.mark.gen_test
async def test_logging_in_over_a_live_session_ends_that_session_first(people):
    alice, bob = await people("alice"), await people("bob")
    phone = await alice.again()
    old, kept = await alice.socket(), await phone.socket()
    cookie = alice.cookie
    assert (await alice.log_in()).status == 200
    await old.expect("logout")
    await old.expect_close(1000)
    await kept.expect_nothing()
    assert alice.cookie != cookie
    # Whoever signs in: it is the session of that browser that ends. A failing sign-in ends none.
    mine, his = await alice.socket(), await bob.socket()
    assert (await bob.post("/user/login", {"user_name": "alice", "password": "wrong-one"})).status == 403
    await his.expect_nothing()
    assert (await bob.post("/user/login", {"user_name": "alice", "password": alice.password})).status == 200
    await his.expect("logout")
    await his.expect_close(1000)
    await mine.expect_nothing()


@pytest.mark.gen_test
async def test_registering_over_a_live_session_says_nothing_to_its_sockets(people):
    alice = await people("alice")
    socket = await alice.socket()
    answer = await alice.post("/user/register", {"user_name": "bob", "password": "secret1"})
    assert answer.data["user_name"] == "bob" == (await alice.get("/user")).data["user_name"]
    await socket.expect_nothing()


@pytest.mark.gen_test
async def test_a_new_password_ends_all_other_sessions_and_keeps_the_one_that_set_it(people, guest):
    alice = await people("alice")
    phone = await alice.again()
    token = (await guest.post("/user/token", {"user_name": "alice", "password": alice.password})).data["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    own, ended = [await alice.socket() for _ in range(2)], [await phone.socket(), await guest.socket(bearer)]
    cookie = alice.cookie
    change = {"old_password": alice.password, "new_password": "another1", "user_name": "alice2"}
    assert (await alice.patch("/user", change)).data["user_name"] == "alice2"
    for socket in ended:
        await socket.expect("profile_change", "logout")
        await socket.expect_close(1000)
    for socket in own:
        await socket.expect("profile_change")
        await socket.expect_nothing()
    assert alice.cookie != cookie and (await alice.get("/user")).status == 200
    assert (await phone.get("/user")).status == 403
    assert (await guest.get("/user", headers=bearer)).status == 403
    # The sockets are still bound to the session, whose cookie has changed.
    assert (await alice.post("/user/logout")).status == 200
    for socket in own:
        await socket.expect("logout")
        await socket.expect_close(1000)


@pytest.mark.gen_test
async def test_every_change_of_the_profile_is_told_to_all_sockets_of_the_user_and_ends_none(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    sockets, others = [await alice.socket(), await (await alice.again()).socket()], await bob.socket()
    for change in ({}, {"user_name": "alice2"}, {"avatar_url": ""}, {"old_password": alice.password, "phone": ""}):
        assert (await alice.patch("/user", change)).status == 200
        for socket in sockets:
            packet = await socket.receive()
            assert packet == {"action": "profile_change", "request_id": 0, "ok": True, "data": None}
    assert (await alice.patch("/user", {"user_name": "bob"})).status == 409
    for socket in (*sockets, others):
        await socket.expect_nothing()


@pytest.mark.gen_test
async def test_deleting_the_account_closes_all_its_sockets(people, nova):
    alice, bob = await people("alice"), await people("bob")
    sockets, other = [await alice.socket(), await (await alice.again()).socket()], await bob.socket()
    assert (await alice.delete("/user")).data is None
    for socket in sockets:
        await socket.expect("logout")
        await socket.expect_close(1000)
    await other.expect_nothing()
    assert nova.hub.connection_count == 1
    socket = await alice.socket({"Cookie": f"sessionid={alice.cookie}"})
    await socket.expect_error(403)


# Faults of ours


@pytest.mark.gen_test
@pytest.mark.expects_log("internal error")
async def test_an_internal_error_is_answered_with_code_500_and_the_socket_lives_on(people, nova, monkeypatch):
    alice = await people("alice")
    chat_id = await alice.new_group()
    socket = await alice.socket()

    def fail(*_args, **_more):
        raise RuntimeError("/secret/path: mongodb://somewhere")

    async def fail_later(*_args, **_more):
        fail()

    def fail_after_all(*_args, **_more):
        done = asyncio.get_running_loop().create_future()
        done.set_exception(RuntimeError("/secret/path"))
        return done

    send = ("send_message", {"chat_id": chat_id, "content": "x"})
    for service, method, fault, (action, data) in (
        (nova.services.messages, "send_at_once", fail, send),
        (nova.services.messages, "send_at_once", fail_after_all, send),
        (nova.services.messages, "send", fail_later, (send[0], {**send[1], "client_message_id": "k"})),
        (nova.services.messages, "mark_read", fail_later, ("messages_read", {"chat_id": chat_id})),
        (nova.services.messages, "recall", fail_later, ("recall_message", {"message_id": 1})),
        (nova.services.messages, "hide", fail, ("recall_message", {"message_id": 1, "delete": True})),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(service, method, fault)
            await socket.send(action, data, request_id=6)
            error = await socket.expect_error(500, 6)
        assert re.fullmatch(r"Internal error [0-9a-f]{8}", error), (method, error)
        await socket.expect_nothing()
    await socket.send(*send)
    await socket.expect("new_message", "messages_read")


@pytest.mark.gen_test
@pytest.mark.expects_log("internal error")
async def test_an_internal_error_over_http_is_answered_in_json_with_status_500(people, nova, monkeypatch):
    alice = await people("alice")

    async def fail(*_args):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(nova.services.chats, "list_of", fail)
    answer = await alice.get("/chat")
    assert answer.status == 500 and re.fullmatch(r"Internal error [0-9a-f]{8}", answer.error)
    assert (await alice.get("/user")).status == 200


@pytest.mark.gen_test
@pytest.mark.expects_log("cannot render")
async def test_an_event_that_cannot_be_rendered_harms_neither_the_request_nor_the_socket(people, monkeypatch):
    alice = await people("alice")
    chat_id = await alice.new_group()
    socket = await alice.socket()

    def fail(_event):
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(PROTOCOL, "render", fail)
        assert (await alice.patch("/user", {})).status == 200
    await socket.send("send_message", {"chat_id": chat_id, "content": "x"})
    await socket.expect("new_message", "messages_read")
