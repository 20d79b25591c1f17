"""Keeps an eye on all sockets of this process with one timer: pings, and time limits of those that are ending."""

from __future__ import annotations

import asyncio
from typing import Protocol

TICK_S = 1.0
PING_INTERVAL_S = 30
"""How often a socket is pinged."""
PING_TIMEOUT_S = PING_INTERVAL_S
"""Whoever has said nothing until he would be pinged again is gone: each socket is looked at once an interval."""
END_LIMIT_S = 5
"""How long a client may take for its part of an end: its close frame, or the rest of what it was sending."""


class Watched(Protocol):
    """A socket, as far as it is looked after."""

    watch_slot: int
    """Where it stands here; -1: nowhere."""

    def check_alive(self) -> None:
        """An interval has passed: ping, or end what has not answered."""

    def abort(self) -> None:
        """The time limit is over: end at once."""


class KeepAlive:
    """A wheel of ``PING_INTERVAL_S`` slots; with each tick the sockets of one slot have their turn.

    Time is counted in ticks, so that a process that was stopped for a while does not take its clients for dead.
    """

    def __init__(self) -> None:
        self._slots: list[set[Watched]] = [set() for _ in range(PING_INTERVAL_S)]
        self._ending: dict[Watched, int] = {}
        self._tick = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watched: Watched) -> None:
        """Look after a socket from now on."""
        watched.watch_slot = self._tick % PING_INTERVAL_S
        self._slots[watched.watch_slot].add(watched)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._on_tick)

    def remove(self, watched: Watched) -> None:
        """A socket is gone."""
        if watched.watch_slot >= 0:
            self._slots[watched.watch_slot].discard(watched)
            self._ending.pop(watched, None)
            watched.watch_slot = -1

    def end_soon(self, watched: Watched) -> None:
        """A socket is ending: from now on its time is limited."""
        if watched.watch_slot >= 0:
            self._ending.setdefault(watched, self._tick + END_LIMIT_S + 1)

    def close(self) -> None:
        """End all of them at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for slot in self._slots:
            for watched in list(slot):
                watched.abort()

    def _on_tick(self) -> None:
        self._tick += 1
        while self._ending:
            watched, end = next(iter(self._ending.items()))  # they stand in the order of their ends
            if end > self._tick:
                break
            watched.abort()
        for watched in list(self._slots[self._tick % PING_INTERVAL_S]):
            watched.check_alive()
        is_needed = self._ending or any(self._slots)
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._on_tick) if is_needed else None
