"""A wire over a real socket: the rules of a connection's life (RFC 6455, sections 5.5 and 7), keep-alive, backlog."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise

import pytest
from realtime.client_frames import client_frame
from storage.rooms import settle

from nova_tornado.realtime import keep_alive as keep_alive_module
from nova_tornado.realtime.frame_reader import BINARY, CLOSE, PING, PONG, TEXT
from nova_tornado.realtime.frames import close_frame, pong_frame, text_frame
from nova_tornado.realtime.keep_alive import END_LIMIT_S, PING_INTERVAL_S, KeepAlive
from nova_tornado.realtime.wire import FRAMES_PER_TURN, SocketWire

WAIT_S = 20
PING_BYTES = b"\x89\x00"


class Listener:
    """Notes what a wire tells; ``works`` are waited for, message by message."""

    def __init__(self):
        self.messages, self.works, self.gone, self.wire = [], {}, 0, None

    def on_frame(self, message):
        self.messages.append(message)
        return self.works.get(message)

    def close(self, code=None, reason=None):
        self.wire.close(code, reason or "")

    def on_gone(self):
        self.gone += 1


class HandTurned(KeepAlive):
    """A wheel that turns when a test says so."""

    def turn(self, seconds):
        for _ in range(seconds):
            self._on_tick()
            if self._timer is not None:
                self._timer.cancel()


class Client:
    """The other end."""

    def __init__(self, sock):
        self.sock = sock

    async def send(self, *frames):
        await asyncio.get_running_loop().sock_sendall(self.sock, b"".join(frames))

    async def read(self, size):
        data = b""
        async with asyncio.timeout(WAIT_S):
            while len(data) < size:
                part = await asyncio.get_running_loop().sock_recv(self.sock, size - len(data))
                assert part, f"ended after {len(data)} bytes"
                data += part
        return data

    async def expect(self, data):
        assert await self.read(len(data)) == data

    async def expect_end(self):
        async with asyncio.timeout(WAIT_S):
            assert await asyncio.get_running_loop().sock_recv(self.sock, 1) == b""


@pytest.fixture
def wheel():
    return HandTurned()


@pytest.fixture
def wired(io_loop, wheel):
    """Makes connections: ``listener, client = await wired()``."""
    ends = []

    async def wire(first=b""):
        here, there = socket.socketpair()
        for end in (here, there):
            end.setblocking(False)
        ends.append(there)
        listener = Listener()
        listener.wire = SocketWire(here, first, wheel, listener)
        return listener, Client(there)

    yield wire

    async def end():
        wheel.close()

    io_loop.run_sync(end)
    for there in ends:
        there.close()


@pytest.mark.gen_test
async def test_messages_arrive_also_those_that_came_with_the_handshake(wired):
    listener, client = await wired(client_frame(TEXT, b"early") + client_frame(TEXT, b"cut")[:3])
    listener.wire.start()
    assert listener.messages == ["early"]
    await client.send(client_frame(TEXT, b"cut")[3:], client_frame(BINARY, b"\xff"))
    await settle(lambda: listener.messages == ["early", "cut", b"\xff"])


@pytest.mark.gen_test
async def test_the_next_frame_waits_for_the_work_on_the_one_before_and_the_kernel_keeps_the_rest(wired):
    listener, client = await wired()
    listener.wire.start()
    gate = asyncio.get_running_loop().create_future()
    listener.works["slow"] = gate
    await client.send(client_frame(TEXT, b"slow"), client_frame(TEXT, b"next"))
    await settle(lambda: listener.messages)
    big = client_frame(TEXT, b"x" * 8_000_000)
    flood = asyncio.create_task(client.send(big))
    for _ in range(50):
        await asyncio.sleep(0)
    assert listener.messages == ["slow"] and not flood.done()
    gate.set_result(None)
    await flood
    await settle(lambda: len(listener.messages) == 3)
    assert listener.messages[1] == "next" and len(listener.messages[2]) == 8_000_000


@pytest.mark.gen_test
async def test_others_have_their_turn_while_one_socket_floods(wired):
    listener, client = await wired()
    await client.send(*[client_frame(TEXT, b"x")] * 1_000)
    listener.wire.start()
    seen = [0]
    while len(listener.messages) < 1_000:
        await asyncio.sleep(0)
        seen.append(len(listener.messages))
    assert max(after - before for before, after in pairwise(seen)) <= FRAMES_PER_TURN


@pytest.mark.gen_test
@pytest.mark.expects_log("a frame cannot be answered")
async def test_a_receiver_that_raises_ends_its_own_socket_alone(wired):
    listener, client = await wired()
    other, neighbour = await wired()
    listener.wire.start()
    other.wire.start()

    async def fail():
        raise RuntimeError("broken")

    listener.works["bad"] = fail()
    await client.send(client_frame(TEXT, b"bad"))
    await client.expect_end()
    assert listener.gone == 1
    await neighbour.send(client_frame(PING, b"1"))
    await neighbour.expect(pong_frame(b"1"))


# The end


@pytest.mark.gen_test
async def test_a_client_that_says_goodbye_gets_its_own_code_back_and_the_end(wired):
    for payload in (b"", (1001).to_bytes(2, "big") + b"bye"):
        listener, client = await wired()
        listener.wire.start()
        await client.send(client_frame(CLOSE, payload), client_frame(TEXT, b"too late"))
        await client.expect(close_frame(1001 if payload else None))
        await settle(lambda listener=listener: listener.wire.is_closed)
        assert (listener.gone, listener.messages) == (1, [])


@pytest.mark.gen_test
async def test_what_is_under_way_when_the_server_says_goodbye_is_not_looked_at(wired):
    listener, client = await wired()
    listener.wire.start()
    listener.wire.close(1012, "restart")
    listener.wire.close(1000)
    await client.send(client_frame(TEXT, b"x"), client_frame(PING, b"x"), client_frame(CLOSE, b"\x03\xf4"))
    await client.expect(close_frame(1012, "restart"))
    await client.expect_end()
    assert (listener.gone, listener.messages) == (1, [])


@pytest.mark.gen_test
async def test_who_breaks_the_rules_is_told_what_it_was_while_the_rest_of_it_is_dropped(wired):
    listener, client = await wired()
    listener.wire.start()
    await client.send(client_frame(TEXT, b"", size=2**40))
    for _ in range(100):
        await client.send(b"x" * 100_000)  # nobody resets the connection
    code, _, reason = 1009, None, "a message has at most 16777216 bytes"
    await client.expect(close_frame(code, reason))
    await client.expect_end()
    assert listener.gone == 1 and not listener.wire.is_closed
    client.sock.close()
    await settle(lambda: listener.wire.is_closed)
    assert listener.gone == 1


@pytest.mark.gen_test
async def test_an_end_without_an_answer_has_a_time_limit(wired, wheel):
    for begin in (lambda client: None, lambda client: client.send(client_frame(TEXT, b"\xff"))):
        listener, client = await wired()
        listener.wire.start()
        if (work := begin(client)) is None:
            listener.wire.close(1012)
        else:
            await work
            await settle(lambda listener=listener: listener.gone)
        wheel.turn(END_LIMIT_S)
        assert not listener.wire.is_closed
        wheel.turn(1)
        assert listener.wire.is_closed and listener.gone == 1


@pytest.mark.gen_test
async def test_what_waits_goes_out_before_the_end(wired):
    listener, client = await wired()
    listener.wire.start()
    frame = text_frame(b"y" * 3_000_000)
    listener.wire.write(frame)
    assert listener.wire.waiting_bytes
    await client.send(client_frame(CLOSE, b""))
    await client.expect(frame)
    await client.expect(close_frame(None))
    await client.expect_end()


# Keep-alive


@pytest.mark.gen_test
async def test_a_silent_client_is_pinged_and_one_that_does_not_answer_is_ended(wired, wheel):
    listener, client = await wired()
    listener.wire.start()
    for _ in range(3):
        wheel.turn(PING_INTERVAL_S)
        await client.expect(PING_BYTES)
        await client.send(client_frame(PONG))
        await settle(lambda: listener.wire._is_heard)
    wheel.turn(PING_INTERVAL_S)
    await client.expect(PING_BYTES)
    wheel.turn(PING_INTERVAL_S - 1)
    assert not listener.wire.is_closed
    wheel.turn(1)
    await client.expect_end()
    assert listener.gone == 1


@pytest.mark.gen_test
async def test_whoever_waits_for_the_server_or_takes_what_waits_is_alive(wired, wheel):
    listener, client = await wired()
    listener.wire.start()
    gate = listener.works["slow"] = asyncio.get_running_loop().create_future()
    await client.send(client_frame(TEXT, b"slow"))
    await settle(lambda: listener.messages)
    wheel.turn(5 * PING_INTERVAL_S)
    assert not listener.wire.is_closed
    gate.set_result(None)
    await settle(lambda: listener.wire._work is None)
    await client.expect(PING_BYTES * 5)
    await client.send(client_frame(PONG))
    await settle(lambda: listener.wire._is_heard)
    # Bytes that are taken count as well as bytes that are sent.
    listener.wire.write(b"z" * 6_000_000)
    for _ in range(5):
        wheel.turn(PING_INTERVAL_S)
        await client.read(1_000_000)
        await settle(lambda: listener.wire._is_heard)
    assert not listener.wire.is_closed
    wheel.turn(2 * PING_INTERVAL_S)
    assert listener.wire.is_closed, "who takes nothing is gone"


@pytest.mark.gen_test
async def test_one_timer_serves_all_sockets_and_none_runs_without_them(wired, wheel, monkeypatch):
    pairs = [await wired() for _ in range(50)]
    timer = wheel._timer
    assert timer is not None
    monkeypatch.setattr(keep_alive_module, "TICK_S", 1000)
    for listener, _ in pairs:
        listener.wire.abort()
    wheel.turn(1)
    assert wheel._timer is None and not any(wheel._slots)


# The backlog


@pytest.mark.gen_test
async def test_pieces_of_all_sizes_arrive_in_order_whenever_there_is_room(wired):
    listener, client = await wired()
    listener.wire.start()
    pieces = [bytes([index % 251]) * (index * index * 7 % 90_000 + 1) for index in range(200)]
    for piece in pieces:
        listener.wire.write(piece)
    waiting = listener.wire.waiting_bytes
    assert 0 < waiting < sum(map(len, pieces))
    await client.expect(b"".join(pieces))
    assert listener.wire.waiting_bytes == 0
    listener.wire.write(b"and on")
    await client.expect(b"and on")


@pytest.mark.gen_test
async def test_pings_of_one_who_does_not_read_fill_no_memory(wired):
    listener, client = await wired()
    listener.wire.start()
    flood = asyncio.create_task(client.send(*[client_frame(PING, b"p" * 125)] * 100_000))
    await flood
    await settle(lambda: listener.wire._frames.next_frame() is None)
    assert listener.wire.waiting_bytes <= 65 * 1024


@pytest.mark.gen_test
async def test_what_came_before_the_client_broke_off_is_still_answered(wired):
    listener, client = await wired()
    gate = listener.works["slow"] = asyncio.get_running_loop().create_future()
    listener.wire.start()
    await client.send(client_frame(TEXT, b"slow"), *[client_frame(TEXT, b"more")] * 100)
    await settle(lambda: listener.messages)
    client.sock.close()
    listener.wire.write(b"nobody reads this")
    listener.wire.write(b"nor this")
    gate.set_result(None)
    await settle(lambda: listener.wire.is_closed)
    assert listener.messages == ["slow"] + ["more"] * 100 and listener.gone == 1
