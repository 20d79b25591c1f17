"""Numbered messages over a transport that may lose some: who listens notices that something is missing.

Each process numbers what it publishes, per channel. It repeats its numbers for a while after its last message, so that
the loss of that one is noticed as well.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from nova_tornado.realtime.counts import BusCounts
from nova_tornado.realtime.transport import Transport

log = logging.getLogger(__name__)

REPEAT_S = 1.0
REPEATS = 5
"""So often a channel's number is repeated: whoever subscribed to it meanwhile hears of it, too."""
HEARD_MAX_PUBLISHERS = 10_000
"""Of whom the numbers are known, per channel; whoever is forgotten is news when he is heard again."""

Item = list[Any]
Take = Callable[[str, str, Item], None]
Missed = Callable[[str, str], None]


class NumberedChannels:
    """Publishes and receives items on channels.

    What is published in one turn of the event loop on one channel is one message.

    Args:
        transport: carries the messages.
        counts: told of each message.

    Attributes:
        process: this process's own name among the others.
    """

    def __init__(self, transport: Transport, counts: BusCounts) -> None:
        self.process = secrets.token_hex(8)
        self._transport = transport
        self._counts = counts
        counts.is_connected = lambda: transport.is_connected
        self._numbers: dict[str, int] = {}
        self._recent: dict[str, int] = {}
        self._steady: set[str] = set()
        self._pending: dict[str, list[Item]] = {}
        self._heard: dict[str, dict[str, int]] = {}
        self._has_warned = False
        self._repeating: asyncio.Task[None] | None = None
        self._take: Take
        self._missed: Missed
        self._alive: Callable[[str], None]

    async def open(
        self, take: Take, missed: Missed, alive: Callable[[str], None], recovered: Callable[[], None]
    ) -> None:
        """Begin.

        Args:
            take: called with channel, process and item for each item of others.
            missed: called with channel and process (before ``take``) where something was missed.
            alive: called with each process that is heard on a channel of ``subscribe_steadily``.
            recovered: called when the connection is back.
        """
        self._take, self._missed, self._alive = take, missed, alive
        await self._transport.open(self._receive, recovered)
        self._repeating = asyncio.create_task(self._repeat(), name="numbers of the bus")

    @property
    def is_connected(self) -> bool:
        """Whether what is published is carried."""
        return self._transport.is_connected

    def subscribe(self, channels: Iterable[str]) -> None:
        """Receive what is published on channels."""
        new = [channel for channel in channels if channel not in self._heard]
        self._heard.update((channel, {}) for channel in new)
        if new:
            self._transport.subscribe(new)

    def subscribe_steadily(self, channel: str) -> None:
        """Receive a channel, and say on it all the time that this process is there."""
        self._steady.add(channel)
        self.subscribe((channel,))

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Receive that no more."""
        old = [channel for channel in channels if self._heard.pop(channel, None) is not None]
        if old:
            self._transport.unsubscribe(old)

    def publish(self, channel: str, item: Item) -> None:
        """Tell the other processes, with what else is told in this turn of the event loop."""
        if not self._pending:
            asyncio.get_running_loop().call_soon(self.flush)
        items = self._pending.get(channel)
        if items is None:
            self._pending[channel] = [item]
        else:
            items.append(item)

    def flush(self) -> None:
        """Send what was published."""
        pending, self._pending = self._pending, {}
        for channel, items in pending.items():
            number = self._numbers[channel] = self._numbers.get(channel, 0) + 1
            self._recent[channel] = REPEATS
            try:
                payload = orjson.dumps([self.process, number, items])
            except Exception:
                log.exception("something cannot be told to other processes")  # they notice that a number is missing
                continue
            self._counts.sent += 1
            self._transport.publish(channel, payload)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(REPEAT_S)
            for channel in (*self._recent, *(self._steady - self._recent.keys())):
                self._transport.publish(channel, orjson.dumps([self.process, self._numbers.get(channel, 0)]))
                left = self._recent.get(channel, 0) - 1
                if left > 0:
                    self._recent[channel] = left
                else:
                    self._recent.pop(channel, None)

    def _receive(self, channel: str, payload: bytes) -> None:
        heard = self._heard.get(channel)
        if heard is None:
            return  # it was unsubscribed a moment ago
        try:
            # `str(process)` would look for an attribute that `str` does not have, each time: four times as slow.
            match orjson.loads(payload):
                case [str() as process, int() as number] if number >= 0:
                    self._note(channel, heard, process, number)
                case [str() as process, int() as number, [*items]] if number > 0:
                    if process == self.process or number <= heard.get(process, 0):
                        return  # this process's own, or twice
                    self._counts.received += 1
                    self._note(channel, heard, process, number, is_message=True)
                    for item in items:
                        self._take_one(channel, process, item)
                case _:
                    raise ValueError("no message of a Nova")
        except Exception as error:
            self._warn(error)

    def _take_one(self, channel: str, process: str, item: Any) -> None:
        try:
            if not isinstance(item, list) or not item or not isinstance(item[0], str):
                raise ValueError("an item of no kind")
            self._take(channel, process, item)
        except Exception as error:  # the others are none the worse for it
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            log.warning("a message of another process cannot be used: %s", type(error).__name__)
        self._has_warned = True

    def _note(
        self, channel: str, heard: dict[str, int], process: str, number: int, *, is_message: bool = False
    ) -> None:
        if process == self.process:
            return
        known = heard.get(process, 0)
        if number > known:
            if len(heard) >= HEARD_MAX_PUBLISHERS and process not in heard:
                heard.clear()
            heard[process] = number
        if channel in self._steady:
            self._alive(process)
        if number > known + is_message:
            self._missed(channel, process)

    async def close(self) -> None:
        """Send what was published, and stop."""
        if self._repeating is not None:
            self._repeating.cancel()
            await asyncio.gather(self._repeating, return_exceptions=True)
        self.flush()
        await self._transport.close()
