"""Whose turn it is to write to a chat to which several processes write at the same time.

A writer that comes second has wasted an insert. So it says on the bus that it waits, and the first one lets it go
before it writes again. Where both have something to write all the time, they take turns, and no insert is wasted. Who
waits does so for those who had asked when he began to: of three, each would else wait for one who waits for him. It is
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
        self._waiting: dict[int, set[str]] = {}  # by chat, who is to write first

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
        others = self._asked.get(chat_id, {})
        if process in others:
            others.pop(process).cancel()
            if not others:
                del self._asked[chat_id]
        first = self._waiting.get(chat_id, set())
        if process in first:
            first.remove(process)
            if not first:
                del self._waiting[chat_id]
                self._go(chat_id)

    def wait(self, chat_id: int) -> bool:
        """Whether others are to write to a chat first; if so, ``go`` is called when they have."""
        if chat_id not in self._asked:
            return False
        self._waiting.setdefault(chat_id, set(self._asked[chat_id]))
        return True

    def end(self) -> None:
        """Wait for nobody any more."""
        for chat_id, others in list(self._asked.items()):
            for process in list(others):
                self.note_written(chat_id, process)
