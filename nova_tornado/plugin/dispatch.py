"""Tells the plugins' subscribers of events, one after the other, apart from those who cause them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from nova_tornado.domain.events import Event
from nova_tornado.plugin.hookspecs import BatchSubscriber, Subscriber
from nova_tornado.plugin_strikes import Strikes

log = logging.getLogger(__name__)

T = TypeVar("T")

SUBSCRIBER_TIMEOUT_S = 5.0
BATCH_MAX_EVENTS = 1_000
"""So many events a subscriber of ``on_events`` is told of at once, at most."""


class _Hearer:
    """A subscriber with the name of its plugin, and the one of its two methods that it has."""

    def __init__(self, plugin: str, subscriber: Subscriber | BatchSubscriber) -> None:
        self.plugin = plugin
        self.subscriber = subscriber
        self.on_event: Callable[[Event], Awaitable[None]] | None = getattr(subscriber, "on_event", None)
        self.on_events: Callable[[Sequence[Event]], Awaitable[None]] | None = getattr(subscriber, "on_events", None)


class _Hearers(dict[type[Event], list[_Hearer]]):
    """Which of some subscribers are told of a kind of event, found when there is the first one."""

    def __init__(self, hearers: Sequence[_Hearer]) -> None:
        self._hearers = hearers

    def __missing__(self, kind: type[Event]) -> list[_Hearer]:
        heard = self[kind] = [
            each for each in self._hearers if issubclass(kind, getattr(each.subscriber, "event_types", Event))
        ]
        return heard


class Dispatcher:
    """Hands events to subscribers in order; one that raises or hangs is logged, counted, and harms nobody.

    Those of ``on_events`` come last, and get at once all that had waited.

    None is ever switched off: what it keeps in step with the events would be wrong from then on.

    Args:
        subscribers: each with the name of its plugin.
        strikes: where failures are counted.
    """

    def __init__(self, subscribers: Sequence[tuple[str, Subscriber | BatchSubscriber]], strikes: Strikes) -> None:
        hearers = [_Hearer(plugin, subscriber) for plugin, subscriber in subscribers]
        self._here = _Hearers(hearers)
        self._elsewhere = _Hearers(
            [each for each in hearers if getattr(each.subscriber, "hears_other_processes", False)]
        )
        self._strikes = strikes
        self._events: asyncio.Queue[tuple[Event, Sequence[_Hearer]]] = asyncio.Queue()
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
            batch = [await self._events.get()]
            while not self._events.empty() and len(batch) < BATCH_MAX_EVENTS:
                batch.append(self._events.get_nowait())
            together: dict[_Hearer, list[Event]] = {}
            for event, hearers in batch:
                for hearer in hearers:
                    if hearer.on_event is not None:
                        await self._tell(hearer, event, hearer.on_event, event)
                    else:
                        together.setdefault(hearer, []).append(event)
            for hearer, events in together.items():
                assert hearer.on_events is not None
                await self._tell(hearer, events[-1], hearer.on_events, events)
            self._begun_at_s = None
            for _ in batch:
                self._events.task_done()

    async def _tell(self, hearer: _Hearer, event: Event, tell: Callable[[T], Awaitable[None]], told: T) -> None:
        self._begun_at_s = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(SUBSCRIBER_TIMEOUT_S, self._look)
        try:
            await tell(told)  # called in here: one that takes other arguments harms nobody either
            if self._is_overdue:  # it has swallowed its interruption
                self._take_back()
                raise TimeoutError
        except asyncio.CancelledError:
            if not self._is_overdue:
                raise
            self._take_back()
            self._note(hearer, event, TimeoutError())
        except Exception as error:
            self._note(hearer, event, error)

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

    def _note(self, hearer: _Hearer, event: Event, error: Exception) -> None:
        log.error("plugin %s failed on %s", hearer.plugin, type(event).__name__, exc_info=error)
        self._strikes.note(hearer.plugin, type(hearer.subscriber).__name__, type(error).__name__)

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
