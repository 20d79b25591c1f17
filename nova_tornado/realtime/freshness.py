"""Makes sure that a chat in memory is at the end of its log before somebody reads from memory what the log holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from nova_tornado.domain.errors import Unavailable
from nova_tornado.domain.models import Chat
from nova_tornado.realtime.log import ChatLog
from nova_tornado.storage.gathered import Gathered
from nova_tornado.storage.messages import Messages

SOLE_WRITER_TRUST_S = 1.0
"""Where no other server writes to the database, only a command beside this one can; it is noticed within this time."""
CATCH_UP_MAX_S = 5.0
"""So long a reader waits for what others have written, at most; a database without answer is tried again and again."""


class Freshness:
    """Looks at the ends of logs, for all who ask at the same time together.

    Args:
        messages: where the logs are.
        log: takes in what others have written.
        is_sole_writer: no other server uses the database.
    """

    def __init__(self, messages: Messages, log: ChatLog, *, is_sole_writer: bool) -> None:
        self._messages = messages
        self._log = log
        self._trust_s = SOLE_WRITER_TRUST_S if is_sole_writer else 0.0
        self._looks = Gathered(self._look)

    async def ensure(self, chats: Collection[Chat]) -> None:
        """Return when the chats hold all that was in their logs when this was called."""
        trusted_at_s = time.monotonic() - self._trust_s
        await self._looks.find_many(chat for chat in chats if chat.current_at_s < trusted_at_s)

    async def _look(self, chats: Collection[Chat]) -> dict[Chat, None]:
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
        return {}  # nothing is asked for but that it was looked
