"""A connection: one write a turn, a bounded outbox, frames that are never cut."""

from __future__ import annotations

import asyncio
import base64
import os
import socket

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from realtime.stubs import StubProtocol, connect, payloads, sent
from storage.rooms import settle

from nova_tornado.realtime import connection as connection_module
from nova_tornado.realtime.connection import (
    CLOSE_SERVICE_RESTART,
    CLOSE_TRY_AGAIN_LATER,
    OUTBOX_MAX_BYTES,
    Connection,
    Outbox,
)
from nova_tornado.realtime.frames import frame_end, is_valid_close_code, text_frame
from nova_tornado.realtime.hub import Hub
from nova_tornado.realtime.keep_alive import KeepAlive
from nova_tornado.realtime.wire import SocketWire

SIZES = st.sampled_from([0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537]) | st.integers(0, 300)


# Frames


@examples(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(SIZES, max_size=6))
def test_frames_hold_their_payloads(sizes):
    texts = [bytes([65 + index % 26]) * size for index, size in enumerate(sizes)]
    assert payloads(b"".join(map(text_frame, texts))) == texts


@examples(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(SIZES, min_size=1, max_size=6), st.floats(0, 1))
def test_frame_end_is_the_first_end_that_is_not_before_the_position(sizes, share):
    frames = [text_frame(b"x" * size) for size in sizes]
    data = b"".join(frames)
    ends = [0]
    for frame in frames:
        ends.append(ends[-1] + len(frame))
    for position in {int(share * len(data)), *ends, *(end - 1 for end in ends[1:]), *(end + 1 for end in ends[:-1])}:
        assert frame_end(data, position) == next(end for end in ends if end >= position)


def test_close_codes_that_no_peer_may_send_are_known():
    illegal = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535}
    legal = {1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999}
    assert {code for code in illegal | legal if is_valid_close_code(code)} == legal


# What is written


@pytest.mark.gen_test
async def test_frames_of_one_turn_are_one_write():
    hub = Hub(None)
    connections = [connect(hub) for _ in range(3)]
    for number in range(5):
        for connection in connections:
            connection.push(text_frame(b"%d" % number))
    assert not any(sent(connection) for connection in connections)
    await asyncio.sleep(0)
    for connection in connections:
        assert len(connection.outbox._sender.calls) == 1
        assert payloads(sent(connection)) == [b"%d" % number for number in range(5)]
    connections[0].push(text_frame(b"later"))
    await asyncio.sleep(0)
    assert [len(connection.outbox._sender.calls) for connection in connections] == [2, 1, 1]


def test_reader_gets_whole_frames_in_order_until_he_is_too_far_behind(io_loop):
    @examples(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(
        st.lists(
            st.tuples(
                st.lists(st.integers(0, 400), max_size=4),  # frames pushed in one turn
                st.none() | st.integers(0, 500) | st.just(BlockingIOError()),  # what the socket takes then
                st.integers(0, 800),  # what it takes of the rest
            ),
            max_size=12,
        )
    )
    def check(turns):
        limit = 1_000

        async def run():
            connection = connect(Hub(None))
            wire, pushed = connection.outbox._wire, []
            for sizes, room, rest in turns:
                connection.outbox._sender.room = [room]
                for size in sizes:
                    payload = b"%d " % len(pushed) + b"x" * size
                    pushed.append(payload)
                    connection.push(text_frame(payload))
                await asyncio.sleep(0)
                # The bound, and at most one frame that was begun and had to be completed for the close frame's sake.
                assert wire.waiting_bytes <= limit + max(map(len, pushed), default=0)
                wire.drain(rest)
            wire.drain()
            got = payloads(sent(connection))
            assert got == pushed[: len(got)]
            if connection.outbox.is_closing:
                assert connection.outbox._wire.closes == [(CLOSE_TRY_AGAIN_LATER, "too slow, come back")]
            else:
                assert got == pushed and not connection.outbox._wire.closes

        old, connection_module.OUTBOX_MAX_BYTES = connection_module.OUTBOX_MAX_BYTES, limit
        try:
            io_loop.run_sync(run)
        finally:
            connection_module.OUTBOX_MAX_BYTES = old

    check()


@pytest.mark.gen_test
async def test_what_was_pushed_goes_out_before_the_close_frame_and_nothing_after_it():
    connection = connect(Hub(None))
    connection.push(text_frame(b"last words"))
    connection.close(CLOSE_SERVICE_RESTART, "restart")
    connection.close(CLOSE_SERVICE_RESTART, "restart")
    connection.push(text_frame(b"too late"))
    await asyncio.sleep(0)
    assert payloads(sent(connection)) == [b"last words"]
    assert connection.outbox._wire.closes == [(CLOSE_SERVICE_RESTART, "restart")]


@pytest.mark.parametrize("fault", [ConnectionResetError(), BrokenPipeError()])
@pytest.mark.gen_test
async def test_dead_socket_disturbs_nobody(fault):
    hub = Hub(None)
    dead, alive = connect(hub, room=[fault]), connect(hub)
    for connection in (dead, alive):
        connection.push(text_frame(b"text"))
    await asyncio.sleep(0)
    assert not sent(dead) and payloads(sent(alive)) == [b"text"]


# Over real sockets


def connections_of(nova):
    return [connection for links in nova.hub._users.values() for connection in links.connections]


@pytest.mark.gen_test
async def test_messages_of_one_batch_are_one_write_to_each_socket(nova, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    sockets = [await alice.socket(), await bob.socket(), await bob.socket()]
    await sockets[0].expect_nothing()
    append, gate = nova.store.messages.append, asyncio.Event()

    async def wait(*args):
        await gate.wait()
        return await append(*args)

    class Counted:
        def __init__(self, inner):
            self.inner, self.calls = inner, 0

        def send(self, data):
            self.calls += 1
            return self.inner.send(data)

    nova.store.messages.append = wait
    for number in range(101):
        await sockets[0].send("send_message", {"chat_id": chat_id, "content": f"text {number}"})
    lane = await settle(lambda: nova.log._lanes.get(chat_id))
    await settle(lambda: len(lane.queue) == 100)  # the first is under way
    for connection in connections_of(nova):
        connection.outbox._sender = Counted(connection.outbox._sender)
    gate.set()
    for receiver in sockets:
        for number in range(101):
            message, _ = await receiver.expect("new_message", "messages_read")
            assert message["message"]["message"] == f"text {number}"
    assert [connection.outbox._sender.calls for connection in connections_of(nova)] == [2, 2, 2]


async def open_without_reading(port, cookie):
    """A WebSocket that takes its handshake and then reads no more."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nCookie: sessionid={cookie}\r\n\r\n"
    )
    await loop.sock_sendall(client, head.encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += await loop.sock_recv(client, 1)
    assert b" 101 " in answer
    return client


@pytest.mark.gen_test
async def test_reader_who_is_too_slow_is_told_to_come_back_and_slows_nobody(nova, people, http_port):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    talker, other = await alice.socket(), await bob.socket()
    await other.expect_nothing()
    known = connections_of(nova)
    slow = await open_without_reading(http_port, bob.cookie)
    await settle(lambda: nova.hub.connection_count == 3)
    (connection,) = set(connections_of(nova)) - set(known)
    most_bytes, number = 0, 0
    while not connection.outbox.is_closing:
        assert number < 2_000, "he is never closed"
        for _ in range(20):
            await talker.send("send_message", {"chat_id": chat_id, "content": f"{number} ".ljust(20_000, "x")})
            number += 1
        for receiver in (talker, other):
            for _ in range(20):
                await receiver.expect("new_message", "messages_read")
        most_bytes = max(most_bytes, connection.outbox.waiting_bytes)
    assert 0 < most_bytes <= OUTBOX_MAX_BYTES + 21_000
    waiting = connection.outbox.waiting_bytes
    await talker.send("send_message", {"chat_id": chat_id, "content": "more"})
    for receiver in (talker, other):
        await receiver.expect("new_message", "messages_read")
    assert connection.outbox.waiting_bytes <= waiting, "nothing more is kept for him"
    loop, data = asyncio.get_running_loop(), b""
    async with asyncio.timeout(10):
        while not data.endswith(CLOSE_FRAME):
            part = await loop.sock_recv(slow, 2**20)
            assert part, "closed without a close frame"
            data += part
    slow.close()
    got = payloads(data[: -len(CLOSE_FRAME)])
    texts = [payload for payload in got if b'"new_message"' in payload]
    assert len(texts) < number
    assert all(b'"message":"%d ' % index in text for index, text in enumerate(texts)), "whole frames, without a gap"
    await settle(lambda: nova.hub.connection_count == 2)


REASON = b"too slow, come back"
CLOSE_FRAME = bytes((0x88, 2 + len(REASON))) + CLOSE_TRY_AGAIN_LATER.to_bytes(2, "big") + REASON


class Listener:
    """Notes what a wire tells."""

    def __init__(self):
        self.messages, self.closes, self.is_gone, self.outbox = [], [], False, None

    def on_frame(self, message):
        self.messages.append(message)

    def close(self, code=None, reason=None):
        self.closes.append(code)
        self.outbox.close(code, reason or "")

    def on_gone(self):
        assert not self.is_gone, "told twice"
        self.is_gone = True


@pytest.fixture
def wired(io_loop):
    """Makes outboxes over real sockets: ``outbox, there = wired()``."""
    keep_alive, ends = KeepAlive(), []

    def wire():
        here, there = socket.socketpair()
        for end in (here, there):
            end.setblocking(False)
        ends.append(there)
        listener = Listener()
        listener.outbox = Outbox(Hub(None), StubProtocol(), SocketWire(here, b"", keep_alive, listener))
        return listener.outbox, there

    yield wire

    async def end():
        keep_alive.close()

    io_loop.run_sync(end)
    for end_of_wire in ends:
        end_of_wire.close()


@pytest.mark.gen_test
async def test_a_large_reply_does_not_count_as_being_behind(monkeypatch, wired):
    monkeypatch.setattr(connection_module, "OUTBOX_MAX_BYTES", 1_000)
    outbox, there = wired()
    connection = Connection(outbox, 1, b"session")
    reply = asyncio.create_task(outbox.reply(text_frame(b"r" * 3_000_000)))
    await asyncio.sleep(0)
    assert outbox.waiting_bytes and not reply.done()
    connection.push(text_frame(b"event"))
    await asyncio.sleep(0)
    assert not outbox.is_closing
    loop, got, size = asyncio.get_running_loop(), b"", len(text_frame(b"r" * 3_000_000) + text_frame(b"event"))
    while len(got) < size:
        got += await loop.sock_recv(there, 2**20)
    await reply
    assert payloads(got) == [b"r" * 3_000_000, b"event"]
    # And then the bound is what it was.
    for _ in range(20_000):
        connection.push(text_frame(b"e" * 100))
    await asyncio.sleep(0)
    assert outbox.is_closing


@pytest.mark.gen_test
async def test_a_reply_ends_when_its_reader_goes(wired):
    outbox, there = wired()
    outbox._wire.start()
    reply = asyncio.create_task(outbox.reply(text_frame(b"r" * 3_000_000)))
    await asyncio.sleep(0)
    assert not reply.done()
    there.close()
    async with asyncio.timeout(10):
        await reply
    await settle(lambda: outbox.receiver.is_gone)
    await outbox.reply(text_frame(b"too late"))
    assert not outbox.waiting_bytes


@pytest.mark.gen_test
async def test_a_frame_beyond_the_bound_reaches_a_reader_who_is_up_to_date(monkeypatch):
    monkeypatch.setattr(connection_module, "OUTBOX_MAX_BYTES", 1_000)
    large, small = text_frame(b"l" * 5_000), text_frame(b"s" * 100)
    connection = connect(Hub(None), room=[100, None, 100])
    wire = connection.outbox._wire
    for frames in ([small, large], [small] * 5):
        for frame in frames:
            connection.push(frame)
        await asyncio.sleep(0)
    assert not wire.closes
    wire.drain()
    assert sent(connection) == small + large + small * 5
    connection.push(small * 20)  # several frames in one piece, as for a chat, taken by the socket at once
    await asyncio.sleep(0)
    for frame in [large, *[small] * 20]:
        connection.push(frame)
        await asyncio.sleep(0)
    assert wire.closes == [(CLOSE_TRY_AGAIN_LATER, "too slow, come back")]
