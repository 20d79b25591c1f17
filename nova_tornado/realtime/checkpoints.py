"""Read cursors that follow from sending, written behind.

Whoever sends has read the chat up to there. Writing that to the database at once would double the cost of a send, and
is not needed: it stands in the log. It is stored once in a while, and then how far that went (the chat's checkpoint);
after a crash the log behind the checkpoint is read again.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from copy import copy

from nova_tornado.domain.models import Chat
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

CHECKPOINT_INTERVAL_S = 4.0
"""What lies behind a checkpoint is read again by whoever needs the chat anew, so it must not be much."""
CURSORS_AT_ONCE = 500
"""So that those who send meanwhile are not kept waiting."""


class Checkpoints:
    """Stores the cursors of those who have sent, once in ``CHECKPOINT_INTERVAL_S``.

    Args:
        store: where to.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: dict[int, tuple[Chat, set[int]]] = {}
        self._others: dict[int, set[int]] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_closing = asyncio.Event()

    def note(self, chat: Chat, sender_id: int) -> None:
        """A member has sent, and thereby read."""
        noted = self._noted.get(chat.id)
        if noted is not None:
            noted[1].add(sender_id)
            return
        self._noted[chat.id] = (chat, {sender_id, *self._others.pop(chat.id, ())})
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="checkpoints", context=Context())

    def note_other(self, chat: Chat, sender_id: int) -> None:
        """A member has sent through another process, which stores his cursor, unless it is killed before that.

        So it is stored here as soon as this process moves the chat's checkpoint.
        """
        noted = self._noted.get(chat.id)
        if noted is not None:
            noted[1].add(sender_id)
        else:
            self._others.setdefault(chat.id, set()).add(sender_id)

    def forget(self, chat_id: int) -> None:
        """The chat is gone."""
        self._noted.pop(chat_id, None)
        self._others.pop(chat_id, None)

    def loosen(self, chat_id: int) -> None:
        """The chat is not kept in memory any more: who needs it next reads its log from the checkpoint on."""
        self._others.pop(chat_id, None)

    async def _run(self) -> None:
        try:
            while self._noted and not self._is_closing.is_set():
                try:
                    async with asyncio.timeout(CHECKPOINT_INTERVAL_S):
                        await self._is_closing.wait()
                except TimeoutError:
                    await self.store()
        finally:
            self._task = None

    async def store(self) -> None:
        """Store the cursors noted so far, then how far that goes."""
        noted, self._noted = self._noted, {}
        cursors = [
            (chat.id, member.user_id, member.read_seq, member.read_count)
            for chat, senders in noted.values()
            for sender_id in senders
            if (member := chat.members.get(sender_id)) is not None
        ]
        # As of now: entries that are added while the cursors are being stored are not covered.
        ends = [copy(chat) for chat, _ in noted.values()]
        try:
            for first in range(0, len(cursors), CURSORS_AT_ONCE):
                await self._store.memberships.move_cursors(cursors[first : first + CURSORS_AT_ONCE])
            for first in range(0, len(ends), CURSORS_AT_ONCE):
                await self._store.chats.store_checkpoints(ends[first : first + CURSORS_AT_ONCE])
        except Exception:
            log.exception("storing the read cursors failed, it is tried again")
            for chat_id, (chat, senders) in noted.items():
                self._noted.setdefault(chat_id, (chat, set()))[1].update(senders)

    async def close(self) -> None:
        """Store what is noted, and stop."""
        self._is_closing.set()
        if self._task is not None:
            await self._task
        if self._noted:
            await self.store()
