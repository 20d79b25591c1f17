"""Transports between Novas of one test process, with faults on demand."""

from __future__ import annotations

import asyncio
import random


class MemoryBus:
    """Joins ``MemoryTransport``s. What is lost is drawn from a seeded generator.

    Attributes:
        loss: the share of messages that get lost.
        is_up: whether anything is carried at all.
    """

    def __init__(self, seed=0, loss=0.0):
        self.transports = []
        self.loss = loss
        self.is_up = True
        self.sent_count = 0
        self.lost_count = 0
        self._random = random.Random(seed)

    def transport(self):
        transport = MemoryTransport(self)
        self.transports.append(transport)
        return transport

    def carry(self, sender, channel, payload):
        self.sent_count += 1
        for transport in self.transports:
            if transport is sender or channel not in transport.channels:
                continue
            if not self.is_up or self._random.random() < self.loss:
                self.lost_count += 1
                continue
            asyncio.get_running_loop().call_soon(transport.arrive, channel, payload)

    def stop(self):
        self.is_up = False
        for transport in self.transports:
            transport.is_connected = False

    def start(self):
        self.is_up = True
        for transport in self.transports:
            transport.is_connected = True
            if transport.recovered is not None:
                transport.recovered()


class MemoryTransport:
    def __init__(self, bus):
        self.is_connected = True
        self.channels = set()
        self.receive = self.recovered = None
        self._bus = bus

    async def open(self, receive, recovered):
        self.receive, self.recovered = receive, recovered

    def publish(self, channel, payload):
        self._bus.carry(self, channel, payload)

    def subscribe(self, channels):
        self.channels.update(channels)

    def unsubscribe(self, channels):
        self.channels.difference_update(channels)

    def arrive(self, channel, payload):
        if self.receive is not None and channel in self.channels:
            self.receive(channel, payload)

    async def close(self):
        self.receive = None
        self.channels.clear()
