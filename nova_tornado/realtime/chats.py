"""The chats in memory: the fold of their documents and their logs."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol
from weakref import WeakValueDictionary

from nova_tornado.domain.errors import Unavailable
from nova_tornado.domain.models import Chat, Entry, EntryKind, Membership, Reading, Role
from nova_tornado.storage.gathered import Gathered
from nova_tornado.storage.store import Store

CACHED_CHATS = 20_000
MEMBER_KINDS = frozenset(
    (EntryKind.MEMBER_ADDED, EntryKind.MEMBER_REMOVED, EntryKind.ADMIN_CHANGED, EntryKind.OWNER_CHANGED)
)
"""Entries that change members."""


def fold(chat: Chat, entry: Entry) -> None:
    """Bring a chat up to one more entry of its log. Applying an entry's consequences twice changes nothing."""
    chat.last_seq, chat.last_count, chat.last_sent_us = entry.seq, entry.count, entry.sent_us
    if chat.tail is not None:
        chat.tail.take_in(entry)
    match entry.kind:
        case EntryKind.MESSAGE:
            if not entry.is_recalled:
                chat.last_message = entry
            member = chat.members.get(entry.sender_id)
            if member is not None and member.read_seq < entry.seq:
                member.read_seq, member.read_count = entry.seq, entry.count
        case EntryKind.EDITED | EntryKind.RECALLED:
            if chat.last_message is not None and chat.last_message.id == entry.target:
                chat.last_message = None
        case EntryKind.HIDDEN:
            last = chat.last_message
            if last is not None and last.id == entry.target and entry.sender_id not in last.hidden_for:
                last.hidden_for += (entry.sender_id,)
        case EntryKind.RENAMED:
            chat.title = entry.text
        case EntryKind.MEMBER_ADDED:
            assert entry.user_id is not None
            chat.members[entry.user_id] = joined_by(entry)
        case EntryKind.MEMBER_REMOVED:
            assert entry.user_id is not None
            chat.members.pop(entry.user_id, None)
        case EntryKind.ADMIN_CHANGED:
            assert entry.user_id is not None
            if entry.user_id in chat.members:
                chat.members[entry.user_id].role = Role.ADMIN if entry.is_admin else Role.MEMBER
        case EntryKind.OWNER_CHANGED:
            for member in chat.members.values():
                if member.role is Role.OWNER:
                    member.role = Role.MEMBER
            if entry.user_id in chat.members:
                chat.members[entry.user_id].role = Role.OWNER
        case EntryKind.CHAT_DELETED:
            chat.is_deleted = True


def joined_by(entry: Entry) -> Membership:
    """The membership that an entry of kind ``MEMBER_ADDED`` has begun.

    He joins at the log's end just before that entry, so that reading moves his cursor even if nothing follows it.
    """
    assert entry.user_id is not None and entry.membership_id is not None
    return Membership(
        entry.membership_id, entry.user_id, Role.MEMBER, entry.seq - 1, entry.seq - 1, read_count=entry.count
    )


def cursor_of(member: Membership) -> int:
    """Up to which place of the log a member has read; 0 if he has read nothing since he joined."""
    return member.read_seq if member.read_seq > member.joined_seq else 0


def reading_of(chat: Chat, user_id: int, up_to_seq: int) -> Reading | None:
    """What a member reads by moving his cursor up to a place of the log; to be asked before it is moved.

    Returns:
        None if he has read that far already, or is no member.
    """
    reader = chat.members.get(user_id)
    if reader is None or (after_seq := cursor_of(reader)) >= up_to_seq:
        return None
    first = second = (0, 0)
    second_seq = 0  # this runs for each send, over all members
    for member in chat.members.values():
        if (seq := member.read_seq) > second_seq and seq > member.joined_seq and member is not reader:
            if seq > first[0]:
                first, second = (seq, member.user_id), first
            else:
                second = (seq, member.user_id)
            second_seq = second[0]
    return Reading(after_seq, up_to_seq, (first, second) if second_seq else (first,) if first[0] else ())


class News(NamedTuple):
    """What a chat's log holds behind the end that is known here.

    Attributes:
        read_at_s: when it was read, by the process's monotonic clock.
        entries: in order.
        write_ids: by the id of each, the number by which its writer recognises it.
        members: as they are by now; None if the entries do not change them.
        newest: the newest message that is not recalled, where the one known may be recalled or edited.
    """

    read_at_s: float
    entries: list[Entry]
    write_ids: dict[int, int]
    members: dict[int, Membership] | None
    newest: Entry | None


class Sharing(Protocol):
    """What keeps chats in memory in step with what other processes write, where there are any."""

    def is_kept(self, chat_id: int) -> bool:
        """Whether this process is told what others write to a chat."""

    async def refresh(self, chats: Sequence[Chat]) -> None:
        """Bring chats up to date of which it is not told."""


class ChatCache:
    """A bounded cache of chats, loaded when they are first needed.

    There is never more than one object for a chat: one that was dropped from the cache while somebody still holds it
    is found again.

    Args:
        store: where they come from.
        note_sender: told of the sender of each message that was read from the log: his cursor may be stored by nobody,
            if he sent it before a crash or through another process.

    Attributes:
        sharing: None: this process is alone, and what is in memory is as new as can be.
    """

    def __init__(self, store: Store, note_sender: Callable[[Chat, int], None] = lambda _chat, _sender_id: None) -> None:
        self._store = store
        self.note_sender = note_sender
        self._chats: OrderedDict[int, Chat] = OrderedDict()
        self._alive: WeakValueDictionary[int, Chat] = WeakValueDictionary()
        self._loading: dict[int, asyncio.Future[Sequence[Chat]]] = {}
        self._stored = Gathered(self._load)
        self.sharing: Sharing | None = None

    def peek(self, chat_id: int) -> Chat | None:
        """The chat, if it is in memory and as new as what other processes have told."""
        if self.sharing is not None and not self.sharing.is_kept(chat_id):
            return None
        return self._peek(chat_id)

    def _peek(self, chat_id: int) -> Chat | None:
        chat = self._chats.get(chat_id)
        if chat is not None:
            self._chats.move_to_end(chat_id)
            return chat
        chat = self._alive.get(chat_id)
        if chat is not None:
            self.put(chat)
        return chat

    async def find(self, chat_id: int) -> Chat | None:
        """The chat with that id, or None if there is none (any more)."""
        return self.peek(chat_id) or (await self.find_many((chat_id,))).get(chat_id)

    async def find_many(self, chat_ids: Sequence[int]) -> dict[int, Chat]:
        """The chats with those ids, in that order; unknown ones are left out."""
        if self.sharing is not None:
            # Nobody tells this process what happens in these.
            known = [
                chat for chat_id in chat_ids if not self.sharing.is_kept(chat_id) and (chat := self._peek(chat_id))
            ]
            await self.sharing.refresh(known)
        missing = [chat_id for chat_id in chat_ids if self._peek(chat_id) is None]
        waiting = {self._loading[chat_id] for chat_id in missing if chat_id in self._loading}
        missing = [chat_id for chat_id in missing if chat_id not in self._loading]
        loaded: list[Chat] = []
        if missing:
            done: asyncio.Future[Sequence[Chat]] = asyncio.get_running_loop().create_future()
            self._loading.update(dict.fromkeys(missing, done))
            try:
                loaded += (await self._stored.find_many(missing)).values()
            except BaseException as error:
                done.set_exception(error if isinstance(error, Exception) else Unavailable())
                done.exception()  # it is raised here as well; nobody else may be waiting
                raise
            finally:
                for chat_id in missing:
                    del self._loading[chat_id]
            for chat in loaded:
                self.put(chat)
            done.set_result(loaded)
        for other in waiting:
            loaded += await asyncio.shield(other)  # held, for the cache may not keep them
        found = {}
        for chat_id in chat_ids:
            loaded_chat = self._peek(chat_id)
            if loaded_chat is not None and not loaded_chat.is_deleted:
                found[chat_id] = loaded_chat
        return found

    def is_loading(self, chat_id: int) -> bool:
        """Whether a chat is on its way into memory."""
        return chat_id in self._loading

    def loosen(self, chat_id: int) -> None:
        """Keep a chat no longer than somebody works with it."""
        self._chats.pop(chat_id, None)

    @contextmanager
    def making(self, chat: Chat) -> Iterator[None]:
        """Around the storing of a new chat, which is to be ``put`` in there.

        It can be found in the database before this process knows that it is stored; who looks for it then waits,
        instead of loading a second object.
        """
        done: asyncio.Future[Sequence[Chat]] = asyncio.get_running_loop().create_future()
        self._loading[chat.id] = done
        try:
            yield
            done.set_result((chat,))
        except BaseException:
            done.set_exception(Unavailable())
            done.exception()  # maybe nobody waits
            raise
        finally:
            del self._loading[chat.id]

    def put(self, chat: Chat) -> None:
        """Take in a chat."""
        self._alive[chat.id] = chat
        if self.sharing is not None and not self.sharing.is_kept(chat.id):
            return
        self._chats[chat.id] = chat
        if len(self._chats) > CACHED_CHATS:
            self._chats.popitem(last=False)

    def forget(self, chat_id: int) -> None:
        """The chat is gone."""
        self._chats.pop(chat_id, None)
        self._alive.pop(chat_id, None)

    async def _load(self, chat_ids: list[int]) -> dict[int, Chat]:
        # The end of the log is read before the members: a change in between is then applied to members who show it
        # already, which does no harm, instead of being missed.
        read_at_s = time.monotonic()
        found = await self._store.chats.list_checkpoints(chat_ids)
        tails = await self._store.messages.read_tails([start for _, start in found])
        members = await self._store.memberships.list_of_chats([chat.id for chat, _ in found])
        chats = {}
        for chat, _ in found:
            checkpoint_seq = chat.last_seq
            chat.current_at_s = read_at_s
            chat.members = {member.user_id: member for member in members[chat.id]}
            for entry in tails.get(chat.id, ()):
                if entry.seq <= chat.last_seq:
                    if entry.kind is EntryKind.MESSAGE and not entry.is_recalled:
                        chat.last_message = entry
                else:
                    self._refold(chat, entry)
            if chat.last_message is None and chat.last_count:
                chat.last_message = await self._store.messages.find_newest(chat.id)
            if chat.members and not chat.is_deleted:
                chats[chat.id] = chat
                self._note_senders(chat, [entry for entry in tails.get(chat.id, ()) if entry.seq > checkpoint_seq])
        return chats

    @staticmethod
    def _refold(chat: Chat, entry: Entry) -> None:
        """Fold an entry into a chat whose members are as their documents say, at least as new as the entry."""
        if entry.kind not in MEMBER_KINDS:
            fold(chat, entry)
        else:
            chat.last_seq, chat.last_count, chat.last_sent_us = entry.seq, entry.count, entry.sent_us

    def _note_senders(self, chat: Chat, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.kind is EntryKind.MESSAGE:
                self.note_sender(chat, entry.sender_id)

    async def read_news(self, chat: Chat) -> News:
        """Read what others have written to a chat; it stays as it is, see ``take_in``."""
        read_at_s = time.monotonic()
        found_log = [pair async for pair in self._store.messages.read_written(chat.id, chat.last_seq)]
        entries = [entry for entry, _ in found_log]
        kinds = {entry.kind for entry in entries}
        members = None
        # A deleted chat has no members any more; those known here are to be told.
        if kinds & MEMBER_KINDS and EntryKind.CHAT_DELETED not in kinds:
            found = await self._store.memberships.list_of_chats([chat.id])
            members = {member.user_id: member for member in found[chat.id]}
        newest = None
        if chat.last_message is None or kinds & {EntryKind.EDITED, EntryKind.RECALLED}:
            newest = await self._store.messages.find_newest(chat.id)
        return News(read_at_s, entries, {entry.id: write_id for entry, write_id in found_log}, members, newest)

    def take_in(self, chat: Chat, news: News) -> None:
        """Bring a chat up to date; nothing may have been folded into it since ``news`` was read."""
        if news.members is not None:
            for member in news.members.values():
                known = chat.members.get(member.user_id)
                if known is not None and known.read_seq > member.read_seq:
                    member.read_seq, member.read_count = known.read_seq, known.read_count
            chat.members = news.members
        for entry in news.entries:
            self._refold(chat, entry)
        chat.current_at_s = news.read_at_s
        if chat.last_message is None:
            chat.last_message = news.newest
        if chat.is_deleted:
            self.forget(chat.id)
        else:
            self._note_senders(chat, news.entries)

    async def restore_last_message(self, chat: Chat) -> None:
        """Find the newest message again after the one known was recalled."""
        if chat.last_message is None and chat.last_count and not chat.is_deleted:
            chat.last_message = await self._store.messages.find_newest(chat.id)
