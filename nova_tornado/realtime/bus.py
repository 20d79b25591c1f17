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

    What happened in another process is told apart: sockets must hear of it and whatever keeps something in step, but
    not who acts on what happened, or every process would.

    Attributes:
        counts: what `/metrics` tells of it.
    """

    def __init__(self) -> None:
        self.counts = BusCounts()
        self._sinks: list[Sink] = []
        self._elsewhere_sinks: list[Sink] = []

    def add_sink(self, sink: Sink, elsewhere: Sink | None = None) -> None:
        """Hand all further events to ``sink``, and to ``elsewhere`` those that happened in other processes."""
        self._sinks.append(sink)
        if elsewhere is not None:
            self._elsewhere_sinks.append(elsewhere)

    def publish(self, *events: Event) -> None:
        """Hand over events that happened here, in this order."""
        _hand(self._sinks, events)

    def publish_from_elsewhere(self, *events: Event) -> None:
        """Hand over events that happened in another process, in this order."""
        _hand(self._elsewhere_sinks, events)


def _hand(sinks: Sequence[Sink], events: Sequence[Event]) -> None:
    for sink in sinks:
        try:
            sink(events)
        except Exception:
            log.exception("an event sink failed")
