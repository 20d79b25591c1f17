"""The chats in memory: the fold of their documents and their logs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakValueDictionary

from nova_tornado.domain.errors import Unavailable
from nova_tornado.domain.models import Chat, Entry, EntryKind, Membership, Role
from nova_tornado.storage.store import Store

CACHED_CHATS = 20_000
MEMBER_KINDS = frozenset(
    (EntryKind.MEMBER_ADDED, EntryKind.MEMBER_REMOVED, EntryKind.ADMIN_CHANGED, EntryKind.OWNER_CHANGED)
)
"""Entries that change members."""


def fold(chat: Chat, entry: Entry) -> None:
    """Bring a chat up to one more entry of its log. Applying an entry's consequences twice changes nothing."""
    chat.last_seq, chat.last_count, chat.last_sent_us = entry.seq, entry.count, entry.sent_us
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
        case EntryKind.RENAMED:
            chat.title = entry.text
        case EntryKind.MEMBER_ADDED:
            assert entry.user_id is not None and entry.membership_id is not None
            chat.members[entry.user_id] = Membership(
                entry.membership_id, entry.user_id, Role.MEMBER, entry.seq, entry.seq, entry.count
            )
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


class ChatCache:
    """A bounded cache of chats, loaded when they are first needed.

    There is never more than one object for a chat: one that was dropped from the cache while somebody still holds it
    is found again.

    Args:
        store: where they come from.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chats: OrderedDict[int, Chat] = OrderedDict()
        self._alive: WeakValueDictionary[int, Chat] = WeakValueDictionary()
        self._loading: dict[int, asyncio.Future[None]] = {}

    def peek(self, chat_id: int) -> Chat | None:
        """The chat, if it is in memory."""
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
        missing = [chat_id for chat_id in chat_ids if self.peek(chat_id) is None]
        waiting = {self._loading[chat_id] for chat_id in missing if chat_id in self._loading}
        missing = [chat_id for chat_id in missing if chat_id not in self._loading]
        loaded = []
        if missing:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._loading.update(dict.fromkeys(missing, done))
            try:
                loaded = await self._load(missing)
            except BaseException as error:
                done.set_exception(error if isinstance(error, Exception) else Unavailable())
                done.exception()  # it is raised here as well; nobody else may be waiting
                raise
            finally:
                for chat_id in missing:
                    del self._loading[chat_id]
            for chat in loaded:
                self.put(chat)
            done.set_result(None)
        for other in waiting:
            await asyncio.shield(other)
        found = {}
        for chat_id in chat_ids:
            known = self.peek(chat_id)
            if known is not None and not known.is_deleted:
                found[chat_id] = known
        return found

    def put(self, chat: Chat) -> None:
        """Take in a chat."""
        self._chats[chat.id] = chat
        self._alive[chat.id] = chat
        if len(self._chats) > CACHED_CHATS:
            self._chats.popitem(last=False)

    def forget(self, chat_id: int) -> None:
        """The chat is gone."""
        self._chats.pop(chat_id, None)
        self._alive.pop(chat_id, None)

    async def _load(self, chat_ids: list[int]) -> list[Chat]:
        # The end of the log is read before the members: a change in between is then applied to members who show it
        # already, which does no harm, instead of being missed.
        found = await self._store.chats.list_checkpoints(chat_ids)
        tails = await self._store.messages.read_tails([start for _, start in found])
        members = await self._store.memberships.list_of_chats([chat.id for chat, _ in found])
        chats = []
        for chat, _ in found:
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
                chats.append(chat)
        return chats

    @staticmethod
    def _refold(chat: Chat, entry: Entry) -> None:
        """Fold an entry into a chat whose members are as their documents say, at least as new as the entry."""
        if entry.kind not in MEMBER_KINDS:
            fold(chat, entry)
        else:
            chat.last_seq, chat.last_count, chat.last_sent_us = entry.seq, entry.count, entry.sent_us

    async def catch_up(self, chat: Chat) -> list[Entry]:
        """Bring a chat up to the end of its log, which another process has written to.

        Returns:
            The entries that were new.
        """
        entries = [entry async for entry in self._store.messages.read_log(chat.id, chat.last_seq)]
        if any(entry.kind in MEMBER_KINDS for entry in entries):
            members = await self._store.memberships.list_of_chats([chat.id])
            for member in members[chat.id]:
                known = chat.members.get(member.user_id)
                if known is not None and known.read_seq > member.read_seq:
                    member.read_seq, member.read_count = known.read_seq, known.read_count
            chat.members = {member.user_id: member for member in members[chat.id]}
        for entry in entries:
            self._refold(chat, entry)
        await self.restore_last_message(chat)
        if chat.is_deleted:
            self.forget(chat.id)
        return entries

    async def restore_last_message(self, chat: Chat) -> None:
        """Find the newest message again after the one known was recalled."""
        if chat.last_message is None and chat.last_count and not chat.is_deleted:
            chat.last_message = await self._store.messages.find_newest(chat.id)
