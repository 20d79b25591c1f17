"""Sends of messages with files: the files become the message's in the transaction that stores it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nova_tornado.domain.errors import BadField, NotAMember, RepeatMismatch
from nova_tornado.domain.models import Chat, Entry, Origin
from nova_tornado.domain.rules import ID_MAX
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.lanes import Draft, Plan, Sent, is_repeat
from nova_tornado.realtime.log import ChatLog
from nova_tornado.storage.database import DuplicateKeyError, MongoSession
from nova_tornado.storage.store import Store

FILES_MAX_COUNT = 10
"""How many files a message can have (contract "protocols" section 1.5)."""


class FilesRefused(BadField):
    """One of the files cannot be attached."""

    def __init__(self) -> None:
        super().__init__("A file is unknown, attached already, or was uploaded too long ago")


class FileSends:
    """Sends messages with files.

    Args:
        store, log, clock: the parts it works with.
    """

    def __init__(self, store: Store, log: ChatLog, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._clock = clock

    async def send(self, chat: Chat, draft: Draft, file_ids: Sequence[int], origin: Origin | None) -> Sent:
        """See ``MessageService.send``.

        Args:
            chat: as the chat cache has it.
            draft: of the message, without its files.
            file_ids: of the sender's uploaded files, in order; those given twice count once.
            origin: where it was asked for.

        Raises:
            NotAMember, ChatUnknown, BadField, RepeatMismatch: nothing was stored.
            OutcomeUnknown: repeat it with the same client id.
        """
        with self._log.counts.refusing():
            sent = await self._send_once(chat, draft, file_ids, origin)
        self._log.counts.repeated += sent.is_repeat
        return sent

    async def _send_once(self, chat: Chat, draft: Draft, file_ids: Sequence[int], origin: Origin | None) -> Sent:
        first = await self._find_repeat(chat, draft)
        if first is not None:
            return first
        try:
            return Sent(await self._send(chat, draft, list(dict.fromkeys(file_ids)), origin), False)
        except (FilesRefused, DuplicateKeyError):
            # The same send, made twice at the same time, may have taken the files or the client id.
            first = await self._find_repeat(chat, draft)
            if first is None:
                raise
            return first

    async def _find_repeat(self, chat: Chat, draft: Draft) -> Sent | None:
        """What was sent under the same client id before; judged as ``ChatLog.send`` does."""
        if draft.client_id is None:
            return None
        first = await self._store.messages.find_repeat(draft.sender_id, draft.client_id)
        if first is None:
            return None
        if not is_repeat(first, chat, draft.text):
            raise RepeatMismatch
        return Sent(first, True)

    async def _send(self, chat: Chat, draft: Draft, file_ids: list[int], origin: Origin | None) -> Entry:
        user_id, now_us = draft.sender_id, self._clock.now_us()
        if len(file_ids) > FILES_MAX_COUNT:
            raise BadField(f"A message cannot have more than {FILES_MAX_COUNT} files")
        if not all(0 < file_id <= ID_MAX for file_id in file_ids):
            raise FilesRefused
        files = await self._store.files.find_pending(file_ids, user_id, now_us)
        if files is None:
            raise FilesRefused
        complete = replace(draft, files=files)

        def plan(chat: Chat) -> Plan:
            if user_id not in chat.members:
                raise NotAMember

            async def documents(session: MongoSession, entries: Sequence[Entry]) -> None:
                attach = self._store.files.attach
                if await attach(file_ids, user_id, chat.id, entries[0].id, now_us, session) is None:
                    raise FilesRefused

            return Plan([complete], documents)

        return (await self._log.change(chat, plan, origin=origin))[0]
