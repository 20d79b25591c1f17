"""The write path: every change to a chat becomes an entry of its log.

An entry's primary key is its place in the log. A writer inserts at the end that it knows plus one; if another process
was faster, the unique key refuses, the writer reads what is new, checks again whether the change is still allowed,
and tries behind it. So the log has no gap, nobody needs a lock or a counter, and what a member may do is decided by
the log's own order.

Sends of all chats are gathered into one insert (group commit): a lone send starts at once, and while a batch is under
way the next one gathers. A change that touches other documents too is a transaction of its own, in its place among
the sends of its chat. Nothing is shown to anyone before it is stored.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import Context
from itertools import groupby
from typing import Protocol

from pymongo.errors import ConnectionFailure, OperationFailure

from nova_tornado.domain import events
from nova_tornado.domain.errors import BadField, ChatUnknown, NotAMember, OutcomeUnknown, RepeatMismatch
from nova_tornado.domain.models import (
    CONTENT_TEXT,
    SEQ_SPAN,
    Chat,
    Entry,
    EntryKind,
    Origin,
    Reading,
    User,
    message_id,
)
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache, fold, reading_of
from nova_tornado.realtime.checkpoints import Checkpoints
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.counts import LogCounts
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.entry_events import EntryEvents
from nova_tornado.realtime.lanes import Change, Documents, Draft, Lane, Placed, Planner, Send, Sent, is_repeat
from nova_tornado.realtime.turns import Turns
from nova_tornado.storage.database import DuplicateKeyError, MongoSession
from nova_tornado.storage.messages import Conflict, UnknownOutcomeError
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

NO_ANSWER = (UnknownOutcomeError, ConnectionFailure, OperationFailure)
"""What storage raises while the database does not answer."""
BATCH_MAX_ENTRIES = 1_000
GATHER_TURNS = 3
"""What waits behind a batch waits so many turns of the event loop more: in these, what was told of the batch is written
to the sockets, and what came in meanwhile is read. It would miss the next batch by a hair and need one of its own."""
RETRY_PAUSE_S = 0.1
GIVE_UP_S = 15.0
"""How long a batch is tried again while the database does not answer; then its senders are told so."""
CURRENT_FOR_S = 30.0
"""A chat that was not read or written for so long catches up before it is written to. Another process may have deleted
it, and removes the log of a deleted chat after twice this time (``PURGE_DELAY_S``): who writes knows of it by then."""
CHANGE_ATTEMPTS = 20
"""How often a change is tried behind other processes' entries."""
WRITER_BITS = 30
"""The numbers by which a process recognises its entries differ from those of others above so many bits."""

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


class ChatLog:
    """Writes the logs of all chats for this process.

    Args:
        store, chats, directory, bus, clock: the parts it works with.

    Attributes:
        counts: what `/metrics` tells of it.
        turns: which of the other processes are to write first.
        others: None: there is nobody to tell.
    """

    def __init__(self, store: Store, chats: ChatCache, directory: UserDirectory, bus: Bus, clock: Clock) -> None:
        self.counts = LogCounts()
        self._store = store
        self._messages = store.messages
        self._chats = chats
        self._directory = directory
        self._bus = bus
        self._clock = clock
        self._lanes: dict[int, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._committer: asyncio.Task[None] | None = None
        self._changes: set[asyncio.Task[None]] = set()
        self._recoveries: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._is_gathering = False
        self._checkpoints = Checkpoints(store)
        chats.note_sender = self._checkpoints.note
        self._events = EntryEvents(store.messages, directory)
        self._next_write_id = int.from_bytes(os.urandom(4), "big") << WRITER_BITS
        self._writer = self._next_write_id >> WRITER_BITS
        self.turns = Turns(self._end_wait)
        self.others: Others | None = None

    # Sends

    def send(
        self,
        chat: Chat,
        sender: User,
        text: str,
        reply_to: tuple[Entry, User] | None = None,
        client_id: str | None = None,
        content_type: str = CONTENT_TEXT,
        origin: Origin | None = None,
    ) -> asyncio.Future[Sent]:
        """Put a message behind what is being written to a chat.

        Args:
            chat: as the chat cache has it.
            sender: must be a member when the message gets its place, else ``NotAMember``.
            reply_to: a message of the same chat, with its sender.
            client_id: the sender's own id of this send.
            content_type: what the sender calls the content.
            origin: where it was asked for.

        Returns:
            What becomes of it, in the order of the calls. It fails with ``NotAMember``, ``ChatUnknown``,
            ``RepeatMismatch`` or ``OutcomeUnknown``.
        """
        done: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._enqueue(chat, Send(sender, text, reply_to, client_id, done, self._take_write_id(), content_type, origin))
        return done

    async def change(
        self, chat: Chat, planner: Planner, before: Sequence[events.Event] = (), origin: Origin | None = None
    ) -> list[Entry]:
        """Change a chat in one transaction.

        Args:
            chat: as the chat cache has it.
            planner: called with the chat as it is then, maybe more than once; raises a ``NovaError`` to refuse.
            before: what is published before the entries' own events.
            origin: where it was asked for.

        Returns:
            The entries written; their events are published.

        Raises:
            NovaError: what the planner raised; ``ChatUnknown``; ``OutcomeUnknown``.
            DuplicateKeyError: a document that the change writes, or the client id of a message, is there already.
        """
        done: asyncio.Future[list[Entry]] = asyncio.get_running_loop().create_future()
        self._enqueue(chat, Change(planner, before, done, origin))
        return await done

    def _enqueue(self, chat: Chat, item: Send | Change) -> None:
        lane = self._lanes.get(chat.id)
        if lane is None:
            is_stale = time.monotonic() - chat.current_at_s > CURRENT_FOR_S
            lane = self._lanes[chat.id] = Lane(chat, is_stale=is_stale)
        lane.queue.append(item)
        if len(lane.queue) == 1 and not lane.is_busy:
            self._make_ready(lane)

    def _make_ready(self, lane: Lane) -> None:
        self._ready.append(lane)
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_batches(), name="log committer", context=Context())

    def _end_wait(self, chat_id: int) -> None:
        """The others have written to a chat (``Turns``)."""
        lane = self._lanes[chat_id]
        lane.has_turn = True  # whatever they ask for from now on
        self._is_gathering = True
        self._make_ready(lane)

    def _release(self, lane: Lane) -> None:
        """A lane has nothing under way any more."""
        lane.is_busy = False
        if lane.is_behind:
            lane.is_behind, lane.is_stale = False, True
        if lane.announced is not None:
            self._take_waiting(lane)
        if lane.later is not None and (not lane.is_stale or self._is_closing):
            later, lane.later = lane.later, None
            for work in later:
                work()
        if lane.queue:
            self._make_ready(lane)
        elif lane.is_stale and not self._is_closing:
            lane.is_busy = True
            task = asyncio.create_task(self._recover(lane), name="log recovery", context=Context())
            self._recoveries.add(task)
            task.add_done_callback(self._recoveries.discard)
        else:
            del self._lanes[lane.chat.id]

    async def _recover(self, lane: Lane) -> None:
        """Learn what became of writes without an answer, and tell of it, as soon as the database answers again."""
        try:
            while lane.is_stale and not lane.queue:  # who sends meanwhile must get a final answer in time
                try:
                    await self._catch_up(lane)
                except NO_ANSWER:
                    await asyncio.sleep(RETRY_PAUSE_S)
        except Exception:
            log.exception("chat %d could not be brought up to date", lane.chat.id)
            lane.is_stale = False  # the next conflict tries again
        finally:
            self._release(lane)

    # Group commit

    async def _commit_batches(self) -> None:
        try:
            while self._ready:
                if self._is_gathering:
                    for _ in range(GATHER_TURNS):
                        await asyncio.sleep(0)
                    self._is_gathering = False
                batch, lanes = self._gather()
                try:
                    if batch:
                        gathered_at_s = time.monotonic()
                        await self._commit(batch)
                        self.counts.batch_sizes.observe(len(batch))
                        self.counts.commit_s.observe(time.monotonic() - gathered_at_s)
                finally:
                    for lane in lanes:
                        self._release(lane)
                self._is_gathering = bool(self._ready)
        finally:
            self._committer = None
            if self._ready:  # only after a fault: what came meanwhile must not wait for the next send
                self._committer = asyncio.create_task(self._commit_batches(), name="log committer", context=Context())

    def _gather(self) -> tuple[list[tuple[Lane, Send]], list[Lane]]:
        batch: list[tuple[Lane, Send]] = []
        lanes: list[Lane] = []
        while self._ready and len(batch) < BATCH_MAX_ENTRIES:
            lane = self._ready.popleft()
            if not lane.has_turn and self.turns.wait(lane.chat.id):
                if self.others is not None:
                    self.others.ask_turn(lane.chat)
                continue
            lane.is_busy, lane.has_turn = True, False
            queue = lane.queue
            if isinstance(queue[0], Change):
                task = asyncio.create_task(self._run_change(lane, queue.popleft()), name="log change")
                self._changes.add(task)
                task.add_done_callback(self._changes.discard)
                continue
            lanes.append(lane)
            while queue and isinstance(queue[0], Send) and len(batch) < BATCH_MAX_ENTRIES:
                send = queue.popleft()
                assert isinstance(send, Send)
                batch.append((lane, send))
        batch.sort(key=lambda item: item[1].write_id)  # as they came, so that one sender's chats keep their order too
        return batch, lanes

    def _take_write_id(self) -> int:
        self._next_write_id += 1
        return self._next_write_id

    async def _commit(self, batch: list[tuple[Lane, Send]]) -> None:
        """Store a batch, whatever it takes; every send of it gets a final answer."""
        todo: list[Placed] | None = None
        give_up_at = asyncio.get_running_loop().time() + GIVE_UP_S
        try:
            while todo is None or todo:
                try:
                    for lane in {id(lane): lane for lane, _ in batch if lane.is_stale}.values():
                        await self._catch_up(lane)
                    if todo is None:
                        todo = self._place(batch)
                        continue
                    appended = await self._messages.append(
                        [placed.entry for placed in todo], [placed.send.write_id for placed in todo]
                    )
                    self._stored(todo[: appended.stored])
                    todo = todo[appended.stored :]
                    if appended.conflict is not None:
                        todo = await self._resolve(todo, appended.conflict)
                except NO_ANSWER:
                    # The same documents again: what was stored after all is recognised by its write id.
                    if asyncio.get_running_loop().time() > give_up_at:
                        raise
                    await asyncio.sleep(RETRY_PAUSE_S)
        except BaseException as error:
            unanswered = [send for _, send in batch if not send.done.done()]
            if isinstance(error, NO_ANSWER):
                log.error("the database did not answer for %d s, %d sends are unknown", GIVE_UP_S, len(unanswered))
            else:
                log.exception("a batch of sends failed")
            for lane, _ in batch:
                lane.is_stale = True
            for send in unanswered:
                send.done.set_exception(OutcomeUnknown())
            self.counts.unknown += len(unanswered)
            if isinstance(error, asyncio.CancelledError):
                raise

    def _place(self, sends: Iterable[tuple[Lane, Send]]) -> list[Placed]:
        """Give each send its place behind the known end of its chat's log; refuse those that may not be written."""
        placed: list[Placed] = []
        now_s = time.monotonic()
        ends: dict[int, tuple[int, int, int]] = {}
        now_us = self._clock.now_us()
        for lane, send in sends:
            chat = lane.chat
            if chat.is_deleted or send.sender.id not in chat.members:
                self.counts.refused += 1
                if not send.done.done():
                    send.done.set_exception(ChatUnknown() if chat.is_deleted else NotAMember())
                continue
            seq, count, sent_us = ends.get(chat.id) or (chat.last_seq, chat.last_count, chat.last_sent_us)
            if seq + 1 >= SEQ_SPAN:
                self.counts.refused += 1
                if not send.done.done():
                    send.done.set_exception(BadField("The chat is full"))
                continue
            seq, count, sent_us = ends[chat.id] = seq + 1, count + 1, max(now_us, sent_us + 1)
            entry = Entry(
                message_id(chat.id, seq),
                EntryKind.MESSAGE,
                count,
                send.sender.id,
                sent_us,
                send.text,
                send.reply_to[0].id if send.reply_to else None,
                send.client_id,
                content_type=send.content_type,
            )
            placed.append(Placed(lane, send, entry, now_s))
        return placed

    def _stored(self, placed: Sequence[Placed]) -> None:
        published: list[events.Event] = []
        for lane, send, entry, placed_at_s in placed:
            chat = lane.chat
            reading = reading_of(chat, entry.sender_id, entry.seq - 1)
            fold(chat, entry)
            chat.current_at_s = placed_at_s
            self._checkpoints.note(chat, entry.sender_id)
            published.append(events.MessageSent(chat, entry, send.sender, send.reply_to, reading, origin=send.origin))
            if not send.done.done():
                send.done.set_result(Sent(entry, False))
        if published:
            self.counts.stored += len(published)
            if self.others is not None:
                chats: dict[int, tuple[Chat, list[Entry]]] = {}
                for lane, _, entry, _ in placed:
                    chats.setdefault(lane.chat.id, (lane.chat, []))[1].append(entry)
                for chat, entries in chats.values():
                    self.others.announce(chat, entries)
            self._bus.publish(*published)

    async def _resolve(self, todo: list[Placed], conflict: Conflict) -> list[Placed]:
        """Another entry stands where the first of ``todo`` was to go, or its client id was used before."""
        lane, send, entry, _ = todo[0]
        if conflict is Conflict.SEQ and await self._hear(lane, entry.seq):
            pass  # by another process, for it has told of it
        elif await self._messages.find_write_id(entry.id) == send.write_id:
            self._stored(todo[:1])  # by an attempt whose answer was lost
            return todo[1:]
        elif conflict is Conflict.SEQ:
            if lane.is_stale or lane.chat.last_seq < entry.seq:
                await self._catch_up(lane)
        else:
            assert send.client_id is not None
            first = await self._messages.find_repeat(send.sender.id, send.client_id)
            if first is not None:
                same = is_repeat(first, lane.chat, send.text)
                self.counts.repeated += same
                self.counts.refused += not same
                if not send.done.done():
                    if same:
                        send.done.set_result(Sent(first, True))
                    else:
                        send.done.set_exception(RepeatMismatch())
                todo = todo[1:]
        for waiting in {placed.lane.chat.id: placed.lane for placed in todo if placed.lane.announced}.values():
            self._take_waiting(waiting)
        return self._place((placed.lane, placed.send) for placed in todo)

    async def _hear(self, lane: Lane, seq: int) -> bool:
        """Whether another process tells soon what it has written to a chat, up to that place at least."""
        chat = lane.chat
        if self.others is None or not self.others.are_heard(chat):
            return False
        self._take_waiting(lane)
        if chat.last_seq < seq and not lane.is_stale:
            self.others.ask_turn(chat)
            lane.heard = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(ANNOUNCED_WITHIN_S):
                    while chat.last_seq < seq and not lane.is_stale and not lane.is_behind:
                        lane.heard.clear()
                        await lane.heard.wait()
                        self._take_waiting(lane)
            lane.heard = None
        return chat.last_seq >= seq and not lane.is_stale

    async def _catch_up(self, lane: Lane) -> None:
        """Take in what others have written to a chat, and tell of it here."""
        chat = lane.chat
        news = await self._chats.read_news(chat)
        # Everything is read before anything is folded in: a failure leaves all of it to the next attempt.
        users = {user_id for entry in news.entries for user_id in (entry.sender_id, entry.user_id) if user_id}
        users |= set(news.members or ())  # read behind the entries, they may hold somebody who came after these
        if news.newest is not None:
            users.add(news.newest.sender_id)
        readings = _readings(chat, news.entries)
        told: list[tuple[bool, list[Entry], list[events.Event]]] = []
        for is_own, run in groupby(news.entries, lambda entry: news.write_ids[entry.id] >> WRITER_BITS == self._writer):
            entries = list(run)
            told.append((is_own, entries, await self._events.of(chat, entries, users, readings=readings)))
        self._chats.take_in(chat, news)
        self.counts.gaps_repaired += bool(news.entries)
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

    # What other processes write

    def take_announced(self, chat: Chat, last_seq: int, entries: Sequence[Entry] | None) -> None:
        """Another process has written to a chat; take that in, and tell of it here.

        Args:
            chat: as the chat cache has it.
            last_seq: how far it has written.
            entries: in a row, up to there: messages without files that answer none; None: they are to be read.
        """
        if last_seq <= chat.last_seq or chat.is_deleted:
            return
        if entries is None:
            self.mark_behind(chat)
            return
        lane = self._lanes.get(chat.id)
        if lane is None:
            lane = Lane(chat, announced=list(entries))
            self._take_waiting(lane)
            if lane.is_stale:
                self._lanes[chat.id] = lane
                self._release(lane)
            return
        if lane.announced is None:
            lane.announced = []
        lane.announced += entries
        if not lane.is_busy:
            self._take_waiting(lane)
        elif lane.heard is not None:
            lane.heard.set()

    def _take_waiting(self, lane: Lane) -> None:
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

    def loosen(self, chat_id: int) -> None:
        """The chat is not kept in memory any more."""
        self._checkpoints.loosen(chat_id)

    def mark_behind(self, chat: Chat) -> None:
        """Somebody else has written to a chat: read its log as soon as nothing is under way in it."""
        lane = self._lanes.get(chat.id)
        if lane is None:
            lane = self._lanes[chat.id] = Lane(chat, is_stale=True)
            self._release(lane)
        elif lane.is_busy:
            lane.is_behind = True
            if lane.heard is not None:
                lane.heard.set()
        else:
            lane.is_stale = True

    def when_current(self, chat: Chat, work: Callable[[], None]) -> None:
        """Do something when what is known to be in a chat's log was taken in; at once, if that is so."""
        lane = self._lanes.get(chat.id)
        if lane is None or not (lane.is_stale or lane.is_behind or lane.announced):
            work()
        elif lane.later is None:
            lane.later = [work]
        else:
            lane.later.append(work)

    async def catch_up(self, chats: Iterable[Chat]) -> None:
        """Read the logs of chats to their ends, and tell what is new."""
        some = list(chats)
        for chat in some:
            self.mark_behind(chat)
        await self.wait_current(some)

    async def wait_current(self, chats: Iterable[Chat]) -> None:
        """Return when what is known to be in the chats' logs was taken in."""
        for chat in chats:
            current = asyncio.Event()
            self.when_current(chat, current.set)
            await current.wait()

    async def events_since(self, chat: Chat, after_seq: int, until_seq: int) -> list[events.Event]:
        """What the entries of a part of a chat's log are told as."""
        entries = [entry async for entry in self._messages.read_log(chat.id, after_seq) if entry.seq <= until_seq]
        return await self._events.of(chat, entries)

    async def told_since(self, chat: Chat, after_seq: int) -> list[events.Event]:
        """What the log behind a place, which may not be known here yet, is told as; to the chat's end on return."""
        if chat.last_seq < after_seq:
            await self.catch_up([chat])
        told: list[events.Event] = []
        while chat.last_seq > after_seq:
            until_seq = chat.last_seq
            told += await self.events_since(chat, after_seq, until_seq)
            after_seq = until_seq
        return told

    # Changes

    async def _run_change(self, lane: Lane, change: Change | Send) -> None:
        assert isinstance(change, Change)
        try:
            entries, readings = await self._write_change(lane, change.planner)
            try:
                await self._chats.restore_last_message(lane.chat)
            except NO_ANSWER:
                lane.is_stale = True  # the change is stored and must be told; the newest message is looked up later
            self._bus.publish(*change.before)
            if self.others is not None:
                self.others.announce(lane.chat, entries)
            self._bus.publish(*await self._events.of(lane.chat, entries, origin=change.origin, readings=readings))
            if not change.done.done():
                change.done.set_result(entries)
        except BaseException as error:
            if not change.done.done():
                change.done.set_exception(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._release(lane)

    async def _write_change(self, lane: Lane, planner: Planner) -> tuple[list[Entry], Mapping[int, Reading | None]]:
        chat = lane.chat
        for _ in range(CHANGE_ATTEMPTS):
            if lane.is_stale:
                await self._catch_up(lane)
            if chat.is_deleted:
                raise ChatUnknown
            plan = planner(chat)
            if not plan.drafts:
                return [], {}
            entries = self._entries(chat, plan.drafts)
            write_ids = [self._take_write_id() for _ in entries]
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
                    await self._catch_up(lane)
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
            except (ConnectionFailure, OperationFailure) as error:
                lane.is_stale = True
                log.warning("the outcome of a change of chat %d is unknown: %s", chat.id, type(error).__name__)
                raise OutcomeUnknown from error
            readings: dict[int, Reading | None] = {}
            for entry in entries:
                self.counts.stored += entry.kind is EntryKind.MESSAGE
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
            await self._messages.append(entries, [self._take_write_id() for _ in entries], session)
            await documents(session, entries)

        begun_at_s = time.monotonic()
        with self._chats.making(chat):
            try:
                await self._store.database.transaction(write)
            except (ConnectionFailure, OperationFailure) as error:
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

    async def close(self) -> None:
        """Finish what was accepted, and store the cursors."""
        self._is_closing = True
        self.turns.end()
        for task in self._recoveries:
            task.cancel()
        await asyncio.gather(*self._recoveries, return_exceptions=True)
        await self.settle()
        await self._checkpoints.close()

    async def settle(self) -> None:
        """Return when nothing that was accepted is under way."""
        while self._committer is not None or self._changes or self.turns.is_anybody_waiting:
            self.turns.end()
            tasks = [task for task in (self._committer, *self._changes) if task is not None]
            await asyncio.wait(tasks)


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
