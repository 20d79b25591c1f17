"""The transport between the workers of one machine."""

from __future__ import annotations

import asyncio
import socket

import pytest

from nova_tornado.realtime import relay_transport as relay_module
from nova_tornado.realtime.relay_transport import MESSAGE_MAX_BYTES, RelayTransport


class Listener:
    """One end: a transport, and what came out of it."""

    def __init__(self, *links):
        self.transport = RelayTransport(links)
        self.received = []
        self.recovered = 0
        self.happened = asyncio.Event()

    async def open(self, *channels):
        await self.transport.open(self._receive, self._recovered)
        self.transport.subscribe(channels)
        return self

    def _receive(self, channel, payload):
        self.received.append((channel, payload))
        self.happened.set()

    def _recovered(self):
        self.recovered += 1
        self.happened.set()

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition():
                self.happened.clear()
                await self.happened.wait()


async def pair(*channels):
    """Two ends that are linked, with those channels subscribed at both."""
    one, other = socket.socketpair()
    return await Listener(one).open(*channels), await Listener(other).open(*channels)


@pytest.mark.gen_test
async def test_messages_arrive_in_order_on_subscribed_channels_alone():
    alice, bob = await pair("chat:1", "chät:2")
    for number in range(1000):
        alice.transport.publish(("chat:1", "chat:3", "chät:2")[number % 3], b"%d" % number)
    await bob.until(lambda: bob.received[-1:] == [("chat:1", b"999")])
    assert [payload for _, payload in bob.received] == [b"%d" % number for number in range(1000) if number % 3 != 1]
    assert {channel for channel, _ in bob.received} == {"chat:1", "chät:2"}
    assert alice.received == []
    bob.transport.unsubscribe(["chat:1"])
    alice.transport.publish("chat:1", b"unheard")
    alice.transport.publish("chät:2", b"")
    await bob.until(lambda: bob.received[-1] == ("chät:2", b""))
    assert ("chat:1", b"unheard") not in bob.received
    await alice.transport.close()
    await bob.transport.close()


@pytest.mark.gen_test
async def test_everybody_hears_whoever_was_added_later():
    alice, bob = await pair("a")
    (to_alice, of_alice), (to_bob, of_bob) = socket.socketpair(), socket.socketpair()
    # What the newcomer says before the others take it in waits for them.
    carol = await Listener(to_alice, to_bob).open("a")
    carol.transport.publish("a", b"hello")
    alice.transport.add_link(of_alice)
    bob.transport.add_link(of_bob)
    for each in (alice, bob):
        await each.until(lambda each=each: each.received == [("a", b"hello")])
    alice.transport.publish("a", b"welcome")
    for each in (bob, carol):
        await each.until(lambda each=each: each.received[-1:] == [("a", b"welcome")])
    for each in (alice, bob, carol):
        await each.transport.close()


@pytest.mark.gen_test
async def test_one_that_does_not_read_delays_nobody_costs_a_bounded_buffer_and_learns_that_it_missed_something(
    monkeypatch,
):
    monkeypatch.setattr(relay_module, "WAITING_MAX_BYTES", 100_000)
    alice, bob = await pair("a")
    to_hanging, hanging = socket.socketpair()
    alice.transport.add_link(to_hanging)
    payload = bytes(1000)
    for number in range(2000):
        alice.transport.publish("a", payload)
        if number % 50 == 0:
            await asyncio.sleep(0)
    await bob.until(lambda: len(bob.received) == 2000)
    assert bob.recovered == 0
    waiting = [link._waiting_bytes for link in alice.transport._links]
    assert max(waiting) <= 100_000 + 60 * 1020
    # It goes on: what waited comes first, then the news that something is missing, then what is said from now on.
    late = await Listener(hanging).open("a")
    await late.until(lambda: late.recovered == 1)
    assert 0 < len(late.received) < 2000
    alice.transport.publish("a", b"again")
    await late.until(lambda: late.received[-1] == ("a", b"again"))
    assert late.recovered == 1
    for each in (alice, bob, late):
        await each.transport.close()


@pytest.mark.gen_test
async def test_end_without_a_goodbye_is_told_and_one_with_a_goodbye_is_not():
    alice, bob = await pair("a")
    link, crashing = socket.socketpair()
    bob.transport.add_link(link)
    alice.transport.publish("a", b"last words")
    await alice.transport.close()
    await bob.until(lambda: bob.received == [("a", b"last words")])
    crashing.sendall(b"\0\0")  # in the middle of a message
    crashing.close()
    await bob.until(lambda: bob.recovered == 1)
    bob.transport.publish("a", b"to nobody")
    await bob.transport.close()
    await bob.transport.close()
    bob.transport.publish("a", b"too late")
    assert bob.recovered == 1


@pytest.mark.gen_test
@pytest.mark.expects_log("is too large for the other workers")
async def test_too_large_a_message_is_missed_by_all():
    alice, bob = await pair("a")
    alice.transport.publish("a", bytes(MESSAGE_MAX_BYTES))
    alice.transport.publish("a", b"small")
    await bob.until(lambda: bob.received == [("a", b"small")])
    assert bob.recovered == 1
    await alice.transport.close()
    await bob.transport.close()


@pytest.mark.gen_test
@pytest.mark.expects_log("a message of another worker cannot be taken")
async def test_fault_in_a_receiver_harms_no_other_message():
    alice, bob = await pair("a")

    def fail_first(channel, payload):
        bob._receive(channel, payload)
        if payload == b"1":
            raise ValueError

    await bob.transport.open(fail_first, bob._recovered)
    for number in (1, 2):
        alice.transport.publish("a", b"%d" % number)
    await bob.until(lambda: len(bob.received) == 2)
    await alice.transport.close()
    await bob.transport.close()
