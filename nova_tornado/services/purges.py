"""The logs and files of deleted chats are removed in the background; a crash in between is made up for at the next
start.
"""

from __future__ import annotations

import asyncio
import logging

from nova_tornado.realtime.log import CURRENT_FOR_S
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

PURGE_DELAY_S = 2 * CURRENT_FOR_S
"""The log of a deleted chat is kept so long that other processes which would still write to it run into its end."""


class Purges:
    """Removes the logs and files of deleted chats.

    Args:
        store: knows which are still to be removed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Go on with what an earlier process has left."""
        for chat_id in await self._store.chats.list_purges():
            self.add(chat_id)

    def add(self, chat_id: int) -> None:
        """A chat was deleted; its log and its files go after ``PURGE_DELAY_S``."""
        task = asyncio.create_task(self._run(chat_id), name=f"purge of chat {chat_id}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, chat_id: int) -> None:
        await asyncio.sleep(PURGE_DELAY_S)
        try:
            await self.purge(chat_id)
        except Exception:
            log.exception("what is left of chat %d could not be removed, the next start tries again", chat_id)

    async def purge(self, chat_id: int) -> None:
        """Remove what is left of a deleted chat at once."""
        await self._store.messages.purge(chat_id)
        await self._store.files.delete_of_chat(chat_id)
        await self._store.chats.end_purge(chat_id)

    async def close(self) -> None:
        """Leave what is not removed yet to the next start."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
