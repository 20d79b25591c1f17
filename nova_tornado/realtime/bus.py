"""The bus carries events from those who change something to those who tell of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from nova_tornado.domain.events import Event
from nova_tornado.realtime.counts import BusCounts

log = logging.getLogger(__name__)

Sink = Callable[[Sequence[Event]], None]


class Bus:
    """Hands events to every sink, in order, at once.

    A sink that raises is logged and harms nobody else. What is published is stored already.

    Attributes:
        counts: what `/metrics` tells of it.
    """

    def __init__(self) -> None:
        self.counts = BusCounts()
        self._sinks: list[Sink] = []

    def add_sink(self, sink: Sink) -> None:
        """Hand all further events to ``sink``."""
        self._sinks.append(sink)

    def publish(self, *events: Event) -> None:
        """Hand over events that happened in this order."""
        for sink in self._sinks:
            try:
                sink(events)
            except Exception:
                log.exception("an event sink failed")
