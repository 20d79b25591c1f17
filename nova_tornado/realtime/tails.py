"""The ends of logs in memory: the newest messages of chats that are being read, and what was made of them.

A tail is read from the database once, then follows the log: ``fold`` hands it every entry. A new message is taken in;
whatever else changes a message (an edit, a recall, a deletion for oneself) ends the tail, and the next reader makes
another. It is used only while it has seen every entry that the chat has, so a way into the chat that forgot to tell it
costs time, never truth. What can change without an entry (read cursors, names) is looked at whenever the tail is used.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

from nova_tornado.domain.models import Chat, Entry, EntryKind, MessageDetails, User
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.freshness import Freshness
from nova_tornado.realtime.message_details import assemble, list_user_ids
from nova_tornado.storage.messages import Messages

TAIL_MESSAGES = 100
"""How many messages a tail answers with at most."""
UNREAD_MAX_MESSAGES = 200
"""A tail that has taken in so many messages since somebody used it is given up."""
TAIL_MAX_BYTES = 2 * 1024**2
"""A chat whose newest messages need more is read from the database."""
TAILS_MAX_BYTES = 64 * 1024**2
"""All tails together; the ones that were not used for the longest time make way."""
ANSWERS_MAX_COUNT = 4
"""How many encoded answers are kept of a tail, for so many sizes of a page."""
RUNS_MAX_COUNT = 8
"""How many encoded runs of messages are kept of a tail, for so many places where clients have stopped."""
ENTRY_BYTES = 700
"""What an entry needs in memory besides its text, at most, roughly."""

CHANGE_KINDS = frozenset((EntryKind.EDITED, EntryKind.RECALLED, EntryKind.HIDDEN, EntryKind.CHAT_DELETED))
"""Entries that change or end what was said before."""

Encode = Callable[[Sequence[MessageDetails], int | None], bytes]
"""Makes an answer of messages, newest first, for a viewer (None: for whoever has deleted none of them for himself)."""


def _size_bytes(message: Entry) -> int:
    return ENTRY_BYTES + 4 * len(message.text) + ENTRY_BYTES * len(message.files)


class _Answer(NamedTuple):
    """An encoded answer with what it was made of besides the messages."""

    encoded: bytes
    cursors: list[tuple[int, int]]
    users: Mapping[int, User]
    directory_changes: int


class Run(NamedTuple):
    """What a protocol has made of all messages behind a place of the log, and of which users."""

    encoded: bytes
    users: Mapping[int, User]
    directory_changes: int


class Tail:
    """The newest messages of a chat.

    Attributes:
        messages: ascending.
        answered: messages before those, which some of them answer, by id.
        hiders: users who have deleted one of them for themselves.
        end_seq: up to which place of the log it knows.
        is_filled: it was read from the database.
        is_over: it is of no use any more.
        size_bytes: roughly, with its answers.
        parts: what a protocol has made of single messages, by id, with the users that it was made of.
        runs: the same of all messages behind a place of the log, by that.
    """

    __slots__ = (
        "_answers",
        "_arrived",
        "_owner",
        "_unread",
        "answered",
        "chat",
        "end_seq",
        "hiders",
        "is_filled",
        "is_over",
        "is_whole",
        "messages",
        "parts",
        "runs",
        "size_bytes",
    )

    def __init__(self, owner: Tails, chat: Chat) -> None:
        self._owner = owner
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._arrived: list[Entry] = []
        self._unread = 0
        self.chat = chat
        self.messages: list[Entry] = []
        self.answered: dict[int, Entry] = {}
        self.hiders: set[int] = set()
        self.end_seq = chat.last_seq
        self.is_filled = False
        self.is_over = False
        self.is_whole = False
        self.size_bytes = 0
        self.parts: dict[int, tuple[bytes, User, User | None]] = {}
        self.runs: dict[int, Run] = {}

    def keep_part(self, message_id: int, part: bytes, sender: User, answered_sender: User | None) -> None:
        """Keep what was made of a message for all who have deleted nothing here for themselves."""
        if not self.is_over:
            old = self.parts.get(message_id)
            self.parts[message_id] = part, sender, answered_sender
            self._owner.resize(self, len(part) - (len(old[0]) if old is not None else 0))

    def keep_run(self, after_seq: int, encoded: bytes, users: Mapping[int, User], directory: UserDirectory) -> None:
        """Keep what was made of all messages behind a place of the log."""
        if self.is_over or len(self.runs) >= RUNS_MAX_COUNT:
            return
        self.runs[after_seq] = Run(encoded, users, directory.changes)
        self._owner.resize(self, len(encoded))

    def find_run(self, after_seq: int, directory: UserDirectory) -> bytes | None:
        """What was made of all messages behind a place of the log, if everybody is called as then."""
        run = self.runs.get(after_seq)
        if run is None:
            return None
        if run.directory_changes != directory.changes:
            if not all(directory.peek(user_id) is user for user_id, user in run.users.items()):
                self._forget_answers()
                return None
            self.runs[after_seq] = run._replace(directory_changes=directory.changes)
        return run.encoded

    def take_in(self, entry: Entry) -> None:
        """The chat has one more entry."""
        if entry.seq != self.end_seq + 1 or entry.kind in CHANGE_KINDS:
            self._owner.give_up(self)
            return
        self.end_seq = entry.seq
        if entry.kind is not EntryKind.MESSAGE:
            return
        if not self.is_filled:
            self._arrived.append(entry)
            return
        self._append(entry)

    def _append(self, message: Entry) -> None:
        if self.messages and message.id <= self.messages[-1].id:
            return  # it was there already when the tail was read
        self._unread += 1
        if self._unread > UNREAD_MAX_MESSAGES or not self._knows(message.reply_to):
            self._owner.give_up(self)
            return
        self.messages.append(message)
        self._forget_answers()
        self._owner.resize(self, _size_bytes(message))

    def _knows(self, message_id: int | None) -> bool:
        return (
            message_id is None
            or (bool(self.messages) and message_id >= self.messages[0].id)
            or message_id in self.answered
        )

    def find(self, message_id: int) -> Entry | None:
        """A message that is here, or is answered by one that is."""
        if message_id in self.answered:
            return self.answered[message_id]
        at = bisect_left(self.messages, message_id, key=lambda message: message.id)
        return self.messages[at] if at < len(self.messages) and self.messages[at].id == message_id else None

    def _forget_answers(self) -> None:
        if self._answers or self.runs:
            size_bytes = sum(len(answer.encoded) for answer in self._answers.values())
            size_bytes += sum(len(run.encoded) for run in self.runs.values())
            self._answers.clear()
            self.runs.clear()
            self._owner.resize(self, -size_bytes)

    def fill(self, messages: list[Entry], answered: Mapping[int, Entry], *, is_whole: bool) -> None:
        """Take what was read from the database, and what has arrived since.

        Args:
            messages: ascending.
            answered: what they answer, by id.
            is_whole: there are no older ones.
        """
        self.messages, self.answered = messages, dict(answered)
        self.is_filled, self.is_whole = True, is_whole
        self.hiders = {user_id for each in (*messages, *answered.values()) for user_id in each.hidden_for}
        self._owner.resize(self, sum(map(_size_bytes, (*messages, *answered.values()))))
        for entry in self._arrived:
            if not self.is_over:
                self._append(entry)
        self._arrived.clear()

    def _trim(self) -> None:
        """Let go of what is older than the newest ``TAIL_MESSAGES``."""
        self._unread = 0
        surplus = len(self.messages) - TAIL_MESSAGES
        if surplus <= 0:
            return
        gone, self.messages = self.messages[:surplus], self.messages[surplus:]
        self.is_whole = False
        wanted = {message.reply_to for message in self.messages}
        known = {**self.answered, **{message.id: message for message in gone}}
        self.answered = {message_id: known[message_id] for message_id in known.keys() & wanted}
        self._forget_answers()
        self.parts.clear()
        size_bytes = sum(map(_size_bytes, (*self.messages, *self.answered.values())))
        self._owner.resize(self, size_bytes - self.size_bytes)

    def holds(self, limit: int) -> bool:
        """Whether the newest so many messages are all here."""
        return self.is_whole or limit <= len(self.messages)

    def list_after(self, seq: int) -> list[Entry] | None:
        """The entries behind a place of the log, if all of them are messages and here."""
        missed = self.end_seq - seq
        found = self.messages[-missed:] if missed else []
        return found if len(found) == missed and (not found or found[0].seq == seq + 1) else None

    async def answer(
        self, key: Hashable, limit: int, viewer_id: int, encode: Encode, directory: UserDirectory
    ) -> bytes:
        """An encoded page of the newest messages.

        Args:
            key: names ``encode``.
            limit: how many, at most what the tail ``holds``.
            viewer_id: for whom.
            encode: how.
            directory: who everybody is.
        """
        self._trim()
        is_own = viewer_id in self.hiders
        if not is_own and (known := self._find_answer((key, limit), directory)) is not None:
            return known
        page = self.messages[-limit:][::-1]
        answered = {**self.answered, **{message.id: message for message in self.messages}}
        replies = [message for message in self.messages if message.reply_to is not None]
        changes = directory.changes
        users = await directory.load(list_user_ids(self.chat, (*page, *replies, *answered.values())))
        # From here on nothing is waited for: cursors and users are of one moment.
        cursors = _cursors(self.chat)
        details = assemble(self.chat, page, replies, answered, users, directory.deleted)
        encoded = encode(details, viewer_id if is_own else None)
        is_current = not self.is_over and self.messages[-limit:][::-1] == page
        if not is_own and is_current and all(directory.peek(user_id) is user for user_id, user in users.items()):
            self._keep((key, limit), _Answer(encoded, cursors, users, max(changes, directory.changes)))
        return encoded

    def _find_answer(self, key: Hashable, directory: UserDirectory) -> bytes | None:
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.directory_changes != directory.changes:
            peek = directory.peek
            if not all(peek(user_id) is user for user_id, user in answer.users.items()):
                return None
            self._answers[key] = answer = answer._replace(directory_changes=directory.changes)
        return answer.encoded if answer.cursors == _cursors(self.chat) else None

    def _keep(self, key: Hashable, answer: _Answer) -> None:
        old = self._answers.pop(key, None)
        if old is None and len(self._answers) >= ANSWERS_MAX_COUNT:
            _, old = self._answers.popitem(last=False)
        self._answers[key] = answer
        self._owner.resize(self, len(answer.encoded) - (len(old.encoded) if old is not None else 0))


def _cursors(chat: Chat) -> list[tuple[int, int]]:
    """What of the members decides who has read what; a membership never changes its user, nor where it began."""
    return [(member.id, member.read_seq) for member in chat.members.values()]


class Tails:
    """The tails of the chats that are being read, bounded in bytes.

    Args:
        messages: where they are read from.
        freshness: tells whether a chat in memory is at the end of its log.
    """

    def __init__(self, messages: Messages, freshness: Freshness) -> None:
        self._messages = messages
        self._freshness = freshness
        self._used: OrderedDict[int, Tail] = OrderedDict()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """What all of them need, roughly."""
        return self._size_bytes

    async def find(self, chat: Chat) -> Tail | None:
        """The tail of a chat, at least as new as this call; None where the database must be asked.

        One that is not there is read.
        """
        await self._freshness.ensure((chat,))
        tail = self.peek(chat)
        if tail is not None:
            return tail
        if chat.tail is not None and not chat.tail.is_filled:
            return None  # somebody reads it at this moment
        return await self._read(chat)

    def peek(self, chat: Chat) -> Tail | None:
        """The tail of a chat, if it has one that knows all that the chat in memory knows."""
        tail: Tail | None = chat.tail
        if tail is None or not tail.is_filled:
            return None
        if tail.end_seq != chat.last_seq:
            self.give_up(tail)
            return None
        self._used.move_to_end(chat.id)
        return tail

    async def _read(self, chat: Chat) -> Tail | None:
        if chat.tail is not None:
            self.give_up(chat.tail)
        tail = chat.tail = Tail(self, chat)  # from now on it is told of what comes
        try:
            found = await self._messages.list_page(chat.id, limit=TAIL_MESSAGES)
            messages = found[::-1]
            ids = {message.id for message in messages}
            outside = {message.reply_to for message in messages if message.reply_to is not None} - ids
            answered = {message.id: message for message in await self._messages.list_by_ids(outside)}
        except BaseException:
            self.give_up(tail)
            raise
        if tail.is_over:
            return None
        self._used[chat.id] = tail
        tail.fill(messages, answered, is_whole=len(messages) < TAIL_MESSAGES)
        return None if tail.is_over else tail

    def resize(self, tail: Tail, by_bytes: int) -> None:
        """A tail has grown or shrunk; what is too large makes way."""
        if tail.is_over:
            return
        tail.size_bytes += by_bytes
        self._size_bytes += by_bytes
        if tail.size_bytes > TAIL_MAX_BYTES:
            self.give_up(tail)
        while self._size_bytes > TAILS_MAX_BYTES:
            self.give_up(next(iter(self._used.values())))

    def give_up(self, tail: Tail) -> None:
        """A tail is of no use any more."""
        if tail.is_over:
            return
        tail.is_over = True
        self._size_bytes -= tail.size_bytes
        if tail.chat.tail is tail:
            tail.chat.tail = None
        if self._used.get(tail.chat.id) is tail:
            del self._used[tail.chat.id]
