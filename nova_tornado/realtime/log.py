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
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context

from nova_tornado.domain import events
from nova_tornado.domain.errors import BadField, ChatUnknown, NotAMember, OutcomeUnknown, RepeatMismatch
from nova_tornado.domain.models import CONTENT_TEXT, SEQ_SPAN, Chat, Entry, EntryKind, Origin, User, message_id
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache, fold, reading_of
from nova_tornado.realtime.checkpoints import Checkpoints
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.counts import LogCounts
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.entry_events import EntryEvents
from nova_tornado.realtime.lanes import (
    Change,
    Lane,
    Placed,
    Planner,
    Send,
    Sent,
    WriteIds,
    is_repeat,
)
from nova_tornado.realtime.log_changes import LogChanges
from nova_tornado.realtime.log_news import LogNews
from nova_tornado.realtime.turns import Turns
from nova_tornado.storage.messages import NO_ANSWER, Conflict
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

BATCH_MAX_ENTRIES = 1_000
GATHER_TURNS = 3
"""What comes behind a batch waits so many turns of the event loop more: in these, what was told of the batch is written
to the sockets, and what came in meanwhile is read. It would miss the next batch by a hair and need one of its own."""
GATHER_SHARE = 1 / 8
"""The longest of these turns is that in which all who were told were written to; so much of that time is added: what
they answer would miss the batch, and cost each of them another write."""
GATHER_MIN_S, GATHER_MAX_S = 0.001, 0.005
"""The event loop cannot wait for less than the first, so that a shorter pause is none …"""
GATHER_MIN_MEMBERS = 20
"""… but where a chat with so many was told by the only process, it is that long at least."""
RETRY_PAUSE_S = 0.1
GIVE_UP_S = 15.0
"""How long a batch is tried again while the database does not answer; then its senders are told so."""
CURRENT_FOR_S = 30.0
"""A chat that was not read or written for so long catches up before it is written to. Another process may have deleted
it, and removes the log of a deleted chat after twice this time (``PURGE_DELAY_S``): who writes knows of it by then."""


class ChatLog:
    """Writes the logs of all chats for this process.

    Args:
        store, chats, directory, bus, clock: the parts it works with.

    Attributes:
        counts: what `/metrics` tells of it.
        turns: which of the other processes are to write first.
        changes: writes what is more than a send, new chats too; a change of a chat is begun by ``change``.
        news: what others have written.
    """

    def __init__(self, store: Store, chats: ChatCache, directory: UserDirectory, bus: Bus, clock: Clock) -> None:
        self.counts = LogCounts()
        self._messages = store.messages
        self._bus = bus
        self._clock = clock
        self._lanes: dict[int, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._committer: asyncio.Task[None] | None = None
        self._change_tasks: set[asyncio.Task[None]] = set()
        self._recoveries: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._is_gathering = False
        self._told_members = 0
        self._checkpoints = Checkpoints(store)
        chats.note_sender = self._checkpoints.note
        self._events = EntryEvents(store.messages, directory)
        self._write_ids = WriteIds()
        shared = (self._checkpoints, self._events, self.counts, self._write_ids)
        self.news = LogNews(chats, directory, bus, *shared)
        self.changes = LogChanges(store, chats, directory, bus, clock, self.news, *shared)
        self.turns = Turns(self._end_wait)

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
        self._enqueue(chat, Send(sender, text, reply_to, client_id, done, self._write_ids.take(), content_type, origin))
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
            self.news.take_waiting(lane)
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
                    await self.news.read(lane)
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
            while self._ready or self._is_gathering:
                if self._is_gathering:
                    await self._let_gather()
                batch, lanes = self._gather()
                try:
                    if batch:
                        gathered_at_s = time.monotonic()
                        await self._commit(batch)
                        self.counts.batch_sizes.observe(len(batch))
                        self.counts.commit_s.observe(time.monotonic() - gathered_at_s)
                        self._is_gathering = True
                finally:
                    for lane in lanes:
                        self._release(lane)
        finally:
            self._committer = None
            if self._ready:  # only after a fault: what came meanwhile must not wait for the next send
                self._committer = asyncio.create_task(self._commit_batches(), name="log committer", context=Context())

    async def _let_gather(self) -> None:
        """Wait for what comes because of what was just told."""
        longest_s, at_s = 0.0, time.monotonic()
        for _ in range(GATHER_TURNS):
            await asyncio.sleep(0)
            before_s, at_s = at_s, time.monotonic()
            longest_s = max(longest_s, at_s - before_s)
        wait_s = min(longest_s * GATHER_SHARE, GATHER_MAX_S)
        # Of several processes the others write meanwhile: the pause would only make their turns longer.
        if self._told_members >= GATHER_MIN_MEMBERS and self.news.others is None:
            wait_s = max(wait_s, GATHER_MIN_S)
        if wait_s >= GATHER_MIN_S:
            await asyncio.sleep(wait_s)
        self._is_gathering = False

    def _gather(self) -> tuple[list[tuple[Lane, Send]], list[Lane]]:
        batch: list[tuple[Lane, Send]] = []
        lanes: list[Lane] = []
        self._told_members = 0
        while self._ready and len(batch) < BATCH_MAX_ENTRIES:
            lane = self._ready.popleft()
            if not lane.has_turn and self.turns.wait(lane.chat.id):
                if self.news.others is not None:
                    self.news.others.ask_turn(lane.chat)
                continue
            lane.is_busy, lane.has_turn = True, False
            queue = lane.queue
            if isinstance(queue[0], Change):
                self._begin_change(lane, queue[0])
                continue
            lanes.append(lane)
            self._told_members = max(self._told_members, len(lane.chat.members))
            while queue and isinstance(queue[0], Send) and len(batch) < BATCH_MAX_ENTRIES:
                send = queue.popleft()
                assert isinstance(send, Send)
                batch.append((lane, send))
        batch.sort(key=lambda item: item[1].write_id)  # as they came, so that one sender's chats keep their order too
        return batch, lanes

    def _begin_change(self, lane: Lane, change: Change) -> None:
        lane.queue.popleft()
        task = asyncio.create_task(self._run_change(lane, change), name="log change")
        self._change_tasks.add(task)
        task.add_done_callback(self._change_tasks.discard)

    async def _run_change(self, lane: Lane, change: Change) -> None:
        try:
            await self.changes.run(lane, change)
        finally:
            self._release(lane)

    async def _commit(self, batch: list[tuple[Lane, Send]]) -> None:
        """Store a batch, whatever it takes; every send of it gets a final answer."""
        todo: list[Placed] | None = None
        give_up_at = asyncio.get_running_loop().time() + GIVE_UP_S
        try:
            while todo is None or todo:
                try:
                    for lane in {id(lane): lane for lane, _ in batch if lane.is_stale}.values():
                        await self.news.read(lane)
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
            if self.news.others is not None:
                chats: dict[int, tuple[Chat, list[Entry]]] = {}
                for lane, _, entry, _ in placed:
                    chats.setdefault(lane.chat.id, (lane.chat, []))[1].append(entry)
                for chat, entries in chats.values():
                    self.news.others.announce(chat, entries)
            self._bus.publish(*published)

    async def _resolve(self, todo: list[Placed], conflict: Conflict) -> list[Placed]:
        """Another entry stands where the first of ``todo`` was to go, or its client id was used before."""
        lane, send, entry, _ = todo[0]
        if conflict is Conflict.SEQ and await self.news.hear(lane, entry.seq):
            pass  # by another process, for it has told of it
        elif await self._messages.find_write_id(entry.id) == send.write_id:
            self._stored(todo[:1])  # by an attempt whose answer was lost
            return todo[1:]
        elif conflict is Conflict.SEQ:
            if lane.is_stale or lane.chat.last_seq < entry.seq:
                await self.news.read(lane)
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
            self.news.take_waiting(waiting)
        return self._place((placed.lane, placed.send) for placed in todo)

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
            self.news.take_waiting(lane)
            if lane.is_stale:
                self._lanes[chat.id] = lane
                self._release(lane)
            return
        if lane.announced is None:
            lane.announced = []
        lane.announced += entries
        if not lane.is_busy:
            self.news.take_waiting(lane)
        elif lane.heard is not None:
            lane.heard.set()

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
        while self._committer is not None or self._change_tasks or self.turns.is_anybody_waiting:
            self.turns.end()
            tasks = [task for task in (self._committer, *self._change_tasks) if task is not None]
            await asyncio.wait(tasks)
