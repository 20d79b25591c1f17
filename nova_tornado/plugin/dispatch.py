"""Tells the plugins' subscribers of events, one after the other, apart from those who cause them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from nova_tornado.domain.events import Event
from nova_tornado.plugin.hookspecs import Subscriber
from nova_tornado.plugin_strikes import Strikes

log = logging.getLogger(__name__)

SUBSCRIBER_TIMEOUT_S = 5.0

Named = tuple[str, Subscriber]
"""A subscriber with the name of its plugin."""


class _Hearers(dict[type[Event], list[Named]]):
    """Which of some subscribers are told of a kind of event, found when there is the first one."""

    def __init__(self, subscribers: Sequence[Named]) -> None:
        self._subscribers = subscribers

    def __missing__(self, kind: type[Event]) -> list[Named]:
        heard = self[kind] = [
            each for each in self._subscribers if issubclass(kind, getattr(each[1], "event_types", Event))
        ]
        return heard


class Dispatcher:
    """Hands events to subscribers in order; one that raises or hangs is logged, counted, and harms nobody.

    None is ever switched off: what it keeps in step with the events would be wrong from then on.

    Args:
        subscribers: each with the name of its plugin.
        strikes: where failures are counted.
    """

    def __init__(self, subscribers: Sequence[Named], strikes: Strikes) -> None:
        self._here = _Hearers(subscribers)
        self._elsewhere = _Hearers([each for each in subscribers if getattr(each[1], "hears_other_processes", False)])
        self._strikes = strikes
        self._events: asyncio.Queue[tuple[Event, Sequence[Named]]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._begun_at_s: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._is_overdue = False
        self._task = asyncio.create_task(self._run(), name="plugin subscribers") if subscribers else None

    def publish(self, events: Sequence[Event]) -> None:
        """Take events in (a sink of the bus)."""
        self._queue(events, self._here)

    def publish_from_elsewhere(self, events: Sequence[Event]) -> None:
        """Take in events of other processes, for the subscribers that hear of those (a sink of the bus)."""
        self._queue(events, self._elsewhere)

    def _queue(self, events: Sequence[Event], hearers: _Hearers) -> None:
        for event in events:
            if concerned := hearers[type(event)]:
                self._events.put_nowait((event, concerned))

    async def _run(self) -> None:
        while True:
            event, subscribers = await self._events.get()
            for plugin, subscriber in subscribers:
                self._begun_at_s = self._loop.time()
                if self._watch is None:
                    self._watch = self._loop.call_later(SUBSCRIBER_TIMEOUT_S, self._look)
                try:
                    await subscriber.on_event(event)
                    if self._is_overdue:  # it has swallowed its interruption
                        self._take_back()
                        raise TimeoutError
                except asyncio.CancelledError:
                    if not self._is_overdue:
                        raise
                    self._take_back()
                    self._note(plugin, subscriber, event, TimeoutError())
                except Exception as error:
                    self._note(plugin, subscriber, event, error)
            self._begun_at_s = None
            self._events.task_done()

    def _look(self) -> None:
        """Interrupt the subscriber that takes too long.

        One timer serves all of them: one for each subscriber and event would cost more than most of them do.
        """
        self._watch = None
        if self._begun_at_s is None or self._task is None:
            return
        left_s = self._begun_at_s + SUBSCRIBER_TIMEOUT_S - self._loop.time()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look)
        else:
            self._is_overdue = True
            self._task.cancel()

    def _take_back(self) -> None:
        self._is_overdue = False
        assert self._task is not None
        self._task.uncancel()

    def _note(self, plugin: str, subscriber: Subscriber, event: Event, error: Exception) -> None:
        log.error("plugin %s failed on %s", plugin, type(event).__name__, exc_info=error)
        self._strikes.note(plugin, type(subscriber).__name__, type(error).__name__)

    async def drained(self) -> None:
        """Return when everything taken in so far was told."""
        if self._task is not None:
            await self._events.join()

    async def close(self) -> None:
        """Tell what is left, then stop."""
        if self._task is not None:
            try:
                async with asyncio.timeout(SUBSCRIBER_TIMEOUT_S):
                    await self._events.join()
            except TimeoutError:
                log.warning("%d events were not told to plugins", self._events.qsize())
            if self._watch is not None:
                self._watch.cancel()
            self._is_overdue = False
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
