"""Makes sure that a chat in memory is at the end of its log before somebody reads from memory what the log holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from nova_tornado.domain.errors import Unavailable
from nova_tornado.domain.models import Chat
from nova_tornado.realtime.log import ChatLog
from nova_tornado.storage.messages import Messages

SOLE_WRITER_TRUST_S = 1.0
"""Where no other server writes to the database, only a command beside this one can; it is noticed within this time."""
CATCH_UP_MAX_S = 5.0
"""So long a reader waits for what others have written, at most; a database without answer is tried again and again."""


class Freshness:
    """Looks at the ends of logs. All who ask while a look is under way share the next one.

    Args:
        messages: where the logs are.
        log: takes in what others have written.
        is_sole_writer: no other server uses the database.
    """

    def __init__(self, messages: Messages, log: ChatLog, *, is_sole_writer: bool) -> None:
        self._messages = messages
        self._log = log
        self._trust_s = SOLE_WRITER_TRUST_S if is_sole_writer else 0.0
        self._waiting: dict[int, Chat] = {}
        self._next: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def ensure(self, chats: Collection[Chat]) -> None:
        """Return when the chats hold all that was in their logs when this was called."""
        trusted_at_s = time.monotonic() - self._trust_s
        waiting = {chat.id: chat for chat in chats if chat.current_at_s < trusted_at_s}
        if not waiting:
            return
        self._waiting.update(waiting)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        done = self._next
        if self._task is None:
            self._task = asyncio.create_task(self._look_on(), name="looks at the ends of logs")
        await asyncio.shield(done)

    async def _look_on(self) -> None:
        try:
            while self._next is not None:
                chats, done = self._waiting, self._next
                self._waiting, self._next = {}, None
                try:
                    await self._look(list(chats.values()))
                except Exception as error:
                    done.set_exception(error)
                    done.exception()  # those who wait may have gone
                else:
                    done.set_result(None)
        finally:
            self._task = None

    async def _look(self, chats: Collection[Chat]) -> None:
        read_at_s = time.monotonic()
        ends = await self._messages.find_ends([chat.id for chat in chats])
        behind = [chat for chat in chats if ends.get(chat.id, 0) > chat.last_seq]
        try:
            async with asyncio.timeout(CATCH_UP_MAX_S):
                await self._log.catch_up(behind)
        except TimeoutError:
            raise Unavailable from None
        for chat in chats:
            chat.current_at_s = max(chat.current_at_s, read_at_s)
