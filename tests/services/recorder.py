"""What the tests of this folder share: an ear on the bus."""

from __future__ import annotations

from collections.abc import Sequence

from nova_tornado.app import NovaApp
from nova_tornado.domain.events import Event


class Recorder:
    """Remembers what is published."""

    def __init__(self, nova: NovaApp) -> None:
        self._events: list[Event] = []
        nova.bus.add_sink(self._record)

    def _record(self, events: Sequence[Event]) -> None:
        self._events += events

    def take(self) -> list[Event]:
        """What was published since the last call."""
        taken, self._events = self._events, []
        return taken
