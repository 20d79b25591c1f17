"""What others have written to the chats' logs: read, or heard of, and told here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import groupby
from typing import Protocol

from nova_tornado.domain import events
from nova_tornado.domain.models import Chat, Entry, EntryKind, Reading
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache, fold, reading_of
from nova_tornado.realtime.checkpoints import Checkpoints
from nova_tornado.realtime.counts import LogCounts
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.entry_events import EntryEvents
from nova_tornado.realtime.lanes import Lane, WriteIds

ANNOUNCED_WITHIN_S = 0.1
"""Who was faster is given so long to tell what he has written; then it is read."""


class Others(Protocol):
    """The other processes that write to this database, as far as they can be told something."""

    def announce(self, chat: Chat, entries: Sequence[Entry]) -> None:
        """Tell them of entries of one chat that this process has written, in a row."""

    def ask_turn(self, chat: Chat) -> None:
        """Tell them that this process waits to write to a chat."""

    def are_heard(self, chat: Chat) -> bool:
        """Whether this process is told what they write to a chat."""

    def telling_with_next(self) -> AbstractContextManager[None]:
        """What is told here meanwhile reaches its receivers together with what is announced next, or soon."""


class LogNews:
    """Takes in what others have written to chats, and tells of it here.

    Args:
        chats, directory, bus, checkpoints, entry_events, counts: the parts it works with.
        write_ids: this process's own.

    Attributes:
        others: None: there is nobody to tell, or to hear of.
    """

    def __init__(
        self,
        chats: ChatCache,
        directory: UserDirectory,
        bus: Bus,
        checkpoints: Checkpoints,
        entry_events: EntryEvents,
        counts: LogCounts,
        write_ids: WriteIds,
    ) -> None:
        self._chats = chats
        self._directory = directory
        self._bus = bus
        self._checkpoints = checkpoints
        self._events = entry_events
        self._counts = counts
        self._write_ids = write_ids
        self.others: Others | None = None

    async def read(self, lane: Lane) -> None:
        """Read a chat's log to its end, and tell what is new."""
        chat = lane.chat
        news = await self._chats.read_news(chat)
        # Everything is read before anything is folded in: a failure leaves all of it to the next attempt.
        users = {user_id for entry in news.entries for user_id in (entry.sender_id, entry.user_id) if user_id}
        users |= set(news.members or ())  # read behind the entries, they may hold somebody who came after these
        if news.newest is not None:
            users.add(news.newest.sender_id)
        readings = _readings(chat, news.entries)
        told: list[tuple[bool, list[Entry], list[events.Event]]] = []
        for is_own, run in groupby(news.entries, lambda entry: self._write_ids.is_own(news.write_ids[entry.id])):
            entries = list(run)
            told.append((is_own, entries, await self._events.of(chat, entries, users, readings=readings)))
        self._chats.take_in(chat, news)
        self._counts.gaps_repaired += bool(news.entries)
        lane.is_stale = False
        if chat.is_deleted:
            self._checkpoints.forget(chat.id)
        for is_own, entries, happened in told:
            if not is_own:
                self._bus.publish_from_elsewhere(*happened)
                continue
            # Written here after all, when its sender had no answer any more.
            if self.others is not None:
                self.others.announce(chat, entries)
            self._bus.publish(*happened)

    def take_waiting(self, lane: Lane) -> None:
        """Take in what was announced, where it follows on the end that is known; else the log is to be read."""
        entries, lane.announced = lane.announced or (), None
        if lane.is_stale:
            return  # it is read anyway
        chat = lane.chat
        told: list[events.Event] = []
        for entry in entries:
            if entry.seq <= chat.last_seq:
                continue
            sender = self._directory.peek(entry.sender_id)
            if entry.seq != chat.last_seq + 1 or sender is None:
                lane.is_stale = True
                break
            reading = reading_of(chat, entry.sender_id, entry.seq - 1)
            fold(chat, entry)
            self._checkpoints.note_other(chat, entry.sender_id)
            told.append(events.MessageSent(chat, entry, sender, None, reading))
        if told:
            chat.current_at_s = time.monotonic()
            # Own sends that wait for this follow at once, and most of what a delivery costs is the writing.
            is_followed = lane.is_busy or bool(lane.queue)
            with self.others.telling_with_next() if is_followed and self.others is not None else nullcontext():
                self._bus.publish_from_elsewhere(*told)

    async def hear(self, lane: Lane, seq: int) -> bool:
        """Whether another process tells soon what it has written to a chat, up to that place at least."""
        chat = lane.chat
        if self.others is None or not self.others.are_heard(chat):
            return False
        self.take_waiting(lane)
        if chat.last_seq < seq and not lane.is_stale:
            self.others.ask_turn(chat)
            lane.heard = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(ANNOUNCED_WITHIN_S):
                    while chat.last_seq < seq and not lane.is_stale and not lane.is_behind:
                        lane.heard.clear()
                        await lane.heard.wait()
                        self.take_waiting(lane)
            lane.heard = None
        return chat.last_seq >= seq and not lane.is_stale


def _readings(chat: Chat, entries: Iterable[Entry]) -> dict[int, Reading | None]:
    """What the senders of messages that are still to be folded into a chat have thereby read."""
    readings: dict[int, Reading | None] = {}
    cursors: dict[int, int] = {}
    for entry in entries:
        member = chat.members.get(entry.sender_id)
        if entry.kind is EntryKind.MESSAGE and member is not None:
            readings[entry.id] = reading_of(chat, member.user_id, entry.seq - 1)
            cursors.setdefault(member.user_id, member.read_seq)
            member.read_seq = max(member.read_seq, entry.seq)
    for user_id, read_seq in cursors.items():
        chat.members[user_id].read_seq = read_seq
    return readings
