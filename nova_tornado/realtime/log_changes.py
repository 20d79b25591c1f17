"""Changes of chats that are more than a send: each is a transaction, which ends with its entries in the chat's log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

from nova_tornado.domain import events
from nova_tornado.domain.errors import ChatUnknown, OutcomeUnknown
from nova_tornado.domain.models import Chat, Entry, EntryKind, Origin, Reading, message_id
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache, fold, reading_of
from nova_tornado.realtime.checkpoints import Checkpoints
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.counts import LogCounts
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.entry_events import EntryEvents
from nova_tornado.realtime.lanes import Change, Documents, Draft, Lane, Planner, WriteIds
from nova_tornado.realtime.log_news import LogNews
from nova_tornado.storage.database import DuplicateKeyError, MongoSession
from nova_tornado.storage.messages import NO_ANSWER
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

CHANGE_ATTEMPTS = 20
"""How often a change is tried behind other processes' entries."""


class LogChanges:
    """Writes changes, and tells of them.

    Args:
        store, chats, directory, bus, clock, news, checkpoints, entry_events, counts: the parts it works with.
        write_ids: this process's own.
    """

    def __init__(
        self,
        store: Store,
        chats: ChatCache,
        directory: UserDirectory,
        bus: Bus,
        clock: Clock,
        news: LogNews,
        checkpoints: Checkpoints,
        entry_events: EntryEvents,
        counts: LogCounts,
        write_ids: WriteIds,
    ) -> None:
        self._store = store
        self._messages = store.messages
        self._chats = chats
        self._directory = directory
        self._bus = bus
        self._clock = clock
        self._checkpoints = checkpoints
        self._events = entry_events
        self._counts = counts
        self._news = news
        self._write_ids = write_ids

    async def run(self, lane: Lane, change: Change) -> None:
        """Carry a change out behind what is known of its chat; ``change.done`` has what became of it."""
        try:
            entries, readings = await self._write(lane, change.planner)
            try:
                await self._chats.restore_last_message(lane.chat)
            except NO_ANSWER:
                lane.is_stale = True  # the change is stored and must be told; the newest message is looked up later
            self._bus.publish(*change.before)
            if self._news.others is not None:
                self._news.others.announce(lane.chat, entries)
            self._bus.publish(*await self._events.of(lane.chat, entries, origin=change.origin, readings=readings))
            if not change.done.done():
                change.done.set_result(entries)
        except BaseException as error:
            if not change.done.done():
                change.done.set_exception(error)
            if isinstance(error, asyncio.CancelledError):
                raise

    async def _write(self, lane: Lane, planner: Planner) -> tuple[list[Entry], Mapping[int, Reading | None]]:
        chat = lane.chat
        for _ in range(CHANGE_ATTEMPTS):
            if lane.is_stale:
                await self._news.read(lane)
            if chat.is_deleted:
                raise ChatUnknown
            plan = planner(chat)
            if not plan.drafts:
                return [], {}
            entries = self._entries(chat, plan.drafts)
            write_ids = [self._write_ids.take() for _ in entries]
            begun_at_s = time.monotonic()

            async def write(session: MongoSession) -> None:
                if plan.documents is not None:  # noqa: B023 (called in this turn)
                    await plan.documents(session, entries)  # noqa: B023
                # Last, because it is what others wait for: a transaction of a process that was killed is kept open by
                # the database for a minute, and holds the chat up for so long if its entries are in it.
                await self._messages.append(entries, write_ids, session)  # noqa: B023

            try:
                await self._store.database.transaction(write)
            except DuplicateKeyError as error:
                lane.is_stale = True
                if "_id" not in (error.details or {}).get("keyPattern", {"_id": 1}):
                    # A document that a change made which is not known here yet; otherwise it is a fault.
                    await self._news.read(lane)
                    if chat.last_seq < entries[0].seq:
                        raise
                    continue
                # It may be our own entry: of an attempt whose answer was lost.
                try:
                    is_own = await self._messages.find_write_id(entries[0].id) == write_ids[0]
                except NO_ANSWER as unanswered:
                    raise OutcomeUnknown from unanswered
                if not is_own:
                    continue
                lane.is_stale = False
            except NO_ANSWER as error:
                lane.is_stale = True
                log.warning("the outcome of a change of chat %d is unknown: %s", chat.id, type(error).__name__)
                raise OutcomeUnknown from error
            readings: dict[int, Reading | None] = {}
            for entry in entries:
                self._counts.stored += entry.kind is EntryKind.MESSAGE
                if entry.kind is EntryKind.MESSAGE and entry.sender_id in chat.members:
                    readings[entry.id] = reading_of(chat, entry.sender_id, entry.seq - 1)
                    self._checkpoints.note(chat, entry.sender_id)
                fold(chat, entry)
            chat.current_at_s = begun_at_s
            if chat.is_deleted:
                self._chats.forget(chat.id)
                self._checkpoints.forget(chat.id)
            return entries, readings
        raise OutcomeUnknown

    async def create(
        self,
        chat: Chat,
        drafts: Sequence[Draft],
        documents: Documents,
        before: Sequence[events.Event] = (),
        *,
        actor_id: int,
        origin: Origin | None = None,
    ) -> None:
        """Make a chat, in one transaction with its first entries.

        Args:
            chat: with its members, all at the log's beginning.
            drafts: the first entries.
            documents: writes the other documents.
            before: what is published before the news of the chat.
            actor_id: who makes it.
            origin: where it was asked for.

        Raises:
            DuplicateKeyError: ``documents`` met one.
        """
        entries = self._entries(chat, drafts)
        users = await self._directory.load({*chat.members, *(entry.sender_id for entry in entries)})

        async def write(session: MongoSession) -> None:
            await self._store.chats.insert(chat, session)
            await self._store.memberships.insert(chat.id, chat.members.values(), session)
            await self._messages.append(entries, [self._write_ids.take() for _ in entries], session)
            await documents(session, entries)

        begun_at_s = time.monotonic()
        with self._chats.making(chat):
            try:
                await self._store.database.transaction(write)
            except NO_ANSWER as error:
                if isinstance(error, DuplicateKeyError):
                    raise
                log.warning("whether chat %d was made is unknown: %s", chat.id, type(error).__name__)
                raise OutcomeUnknown from error
            chat.current_at_s = begun_at_s
            for entry in entries:
                fold(chat, entry)
            self._chats.put(chat)
            self._bus.publish(*before, events.ChatCreated(chat, actor_id, users, origin=origin))
            self._bus.publish(*await self._events.of(chat, entries))

    def _entries(self, chat: Chat, drafts: Sequence[Draft]) -> list[Entry]:
        entries = []
        seq, count, sent_us = chat.last_seq, chat.last_count, chat.last_sent_us
        for draft in drafts:
            seq, count = seq + 1, count + (draft.kind is EntryKind.MESSAGE)
            sent_us = max(self._clock.now_us(), sent_us + 1)
            entries.append(
                Entry(
                    message_id(chat.id, seq),
                    draft.kind,
                    count,
                    draft.sender_id,
                    sent_us,
                    draft.text,
                    draft.reply_to,
                    draft.client_id,
                    user_id=draft.user_id,
                    membership_id=draft.membership_id,
                    target=draft.target,
                    is_admin=draft.is_admin,
                    content_type=draft.content_type,
                    files=draft.files,
                )
            )
        return entries
