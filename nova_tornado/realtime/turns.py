"""Whose turn it is to write to a chat to which several processes write at the same time.

A writer that comes second has wasted an insert. So it says on the bus that it waits, and the first one lets it go
before it writes again. Where both have something to write all the time, they take turns, and no insert is wasted. It is
a courtesy: nobody waits long for it, and without a bus, or with a lost message, the log's unique key decides alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TURN_MAX_S = 0.2
"""So long a process is let go first, at most; it may have nothing to write any more, or be gone."""


class Turns:
    """Which processes wait to write to which chats, and what waits here for them.

    Args:
        go: called with the id of a chat to which this process may write again.
    """

    def __init__(self, go: Callable[[int], None]) -> None:
        self._go = go
        self._asked: dict[int, dict[str, asyncio.TimerHandle]] = {}
        self._waiting: set[int] = set()

    @property
    def is_anybody_waiting(self) -> bool:
        """Whether something waits here."""
        return bool(self._waiting)

    def note_asked(self, chat_id: int, process: str) -> None:
        """Another process says that it waits to write to a chat."""
        others = self._asked.setdefault(chat_id, {})
        if process in others:
            others[process].cancel()
        others[process] = asyncio.get_running_loop().call_later(TURN_MAX_S, self.note_written, chat_id, process)

    def note_written(self, chat_id: int, process: str) -> None:
        """Another process has written to a chat, or has had the time to."""
        others = self._asked.get(chat_id)
        if others is None or process not in others:
            return
        others.pop(process).cancel()
        if not others:
            del self._asked[chat_id]
            if chat_id in self._waiting:
                self._waiting.discard(chat_id)
                self._go(chat_id)

    def wait(self, chat_id: int) -> bool:
        """Whether others are to write to a chat first; if so, ``go`` is called when they have."""
        if chat_id not in self._asked:
            return False
        self._waiting.add(chat_id)
        return True

    def end(self) -> None:
        """Wait for nobody any more."""
        for chat_id, others in list(self._asked.items()):
            for process in list(others):
                self.note_written(chat_id, process)
