"""What a client that was away has missed. Source: contract "actions" section 8; decision 12."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nova_tornado.domain import events
from nova_tornado.domain.errors import ChatUnknown
from nova_tornado.domain.events import Event
from nova_tornado.domain.models import Chat, Entry, EntryKind, User, message_id
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.freshness import Freshness
from nova_tornado.realtime.message_details import list_user_ids
from nova_tornado.realtime.tails import Tail, Tails
from nova_tornado.services.bot_scopes import check_reading, sees_history
from nova_tornado.storage.store import Store

PAGE_MAX_ENTRIES = 1_000
"""How many entries of logs are looked at for one page."""

STATE_EVENTS = frozenset(
    (
        events.ChatCreated,
        events.ChatDeleted,
        events.MemberAdded,
        events.MemberRemoved,
        events.FriendshipCreated,
        events.FriendshipDeleted,
        events.FriendInvitationAdded,
        events.FriendInvitationRemoved,
        events.ProfileChanged,
    )
)
"""Events that change what is compared as a whole: somebody's profile, friends, invitations and list of chats."""
TAIL_WORTH_ENTRIES = 50
"""Who has missed so much of a chat is hardly the only one: the chat's newest messages are taken into memory."""


@dataclass(slots=True)
class Missed:
    """What a member has missed in a chat.

    Attributes:
        chat: as it is in memory.
        after_seq: the place of the log up to which he knew it; None: he begins now.
        up_to_seq: the place up to which he knows it with this.
        is_unknown: the log has no such place.
        messages: the new ones, and those that were edited, recalled or deleted for himself, as they are now, each with
            the place of the entry for which it is told and the message that it answers.
        own_last: the newest message that he is shown, where it is not the chat's newest.
        changes: how many entries the log held that are no messages.
        tail: where the messages come from; None: from the database.
        encoded: all of them as they were told before, in place of ``messages``.
    """

    chat: Chat
    after_seq: int | None
    up_to_seq: int
    is_unknown: bool = False
    messages: list[tuple[int, Entry, Entry | None]] = field(default_factory=list)
    own_last: Entry | None = None
    changes: int = 0
    tail: Tail | None = None
    encoded: bytes | None = None

    @property
    def is_current(self) -> bool:
        """Whether nothing that was told before was changed while this was read: then it may be told now."""
        return not self.chat.is_deleted and self.chat.last_seq - self.chat.last_count == self.changes

    def last_for(self, user: User) -> Entry | None:
        """The newest message that is neither recalled nor deleted for that member, if he sees the history at all."""
        if not sees_history(user, self.chat):
            return None
        last = self.chat.last_message
        return self.own_last if last is None or user.id in last.hidden_for else last


class ResumeService:
    """Tells what was missed.

    Args:
        store, cache, directory, freshness, tails, bus: the parts it works with.

    Attributes:
        state_changes: how many events have told of changes to what is compared as a whole.
    """

    def __init__(
        self,
        store: Store,
        cache: ChatCache,
        directory: UserDirectory,
        freshness: Freshness,
        tails: Tails,
        bus: Bus,
    ) -> None:
        self._store = store
        self._messages = store.messages
        self._cache = cache
        self._directory = directory
        self._freshness = freshness
        self._tails = tails
        self.state_changes = 0
        bus.add_sink(self._count)

    def _count(self, happened: Sequence[Event]) -> None:
        for event in happened:
            if type(event) in STATE_EVENTS:
                self.state_changes += 1

    async def find_chats(self, user: User, chat_ids: Iterable[int]) -> dict[int, Chat]:
        """Those of the chats that a user is in, at the ends of their logs; others are as good as unknown."""
        found: dict[int, Chat] = {}
        missing = []
        for chat_id in chat_ids:
            chat = self._cache.peek(chat_id)
            if chat is None or user.id not in chat.members:
                missing.append(chat_id)
            else:
                found[chat_id] = chat
        if missing:
            # One whom another process has just taken in is in the database; what is not there is not looked at.
            own_ids = set(await self._store.memberships.list_chat_ids(user.id))
            found.update(await self._cache.find_many([chat_id for chat_id in missing if chat_id in own_ids]))
        await self._freshness.ensure(found.values())
        return {chat_id: chat for chat_id, chat in found.items() if not chat.is_deleted and user.id in chat.members}

    async def list_chat_ids(self, user: User) -> list[int]:
        """A user's chats in the order of his joining."""
        return await self._store.memberships.list_chat_ids(user.id)

    async def missed(self, user: User, known: Sequence[tuple[Chat, int | None]]) -> list[Missed]:
        """What a member has missed in chats: a page of it.

        Args:
            user: the member.
            known: the chats, each with the place of its log up to which he knows it; None: he begins now.

        Returns:
            As many of the chats, in order, as fit in ``PAGE_MAX_ENTRIES``; the last one maybe not to its end.

        Raises:
            ChatUnknown: a chat was deleted meanwhile.
            NoRight: he is a bot, and does not see the history of one of them.
        """
        page: list[Missed] = []
        reads: list[Missed] = []
        room = PAGE_MAX_ENTRIES
        for chat, after_seq in known:
            if chat.is_deleted:
                raise ChatUnknown
            if after_seq is not None:
                check_reading(user, chat)
            end = chat.last_seq
            each = Missed(chat, after_seq, end, changes=end - chat.last_count)
            page.append(each)
            if after_seq is None or after_seq == end:
                continue
            if after_seq > end:
                each.is_unknown = True
                continue
            each.up_to_seq = min(end, after_seq + room)
            room -= each.up_to_seq - after_seq
            if each.up_to_seq - after_seq >= TAIL_WORTH_ENTRIES and self._tails.peek(chat) is None:
                await self._tails.find(chat)
            if not self._read_tail(user, each):
                reads.append(each)
            if room == 0:
                break
        if reads:
            await self._read_logs(user, reads)
        for each in page:
            last = each.chat.last_message
            if user.id in last.hidden_for if last is not None else each.chat.last_count:
                each.own_last = await self._messages.find_newest(each.chat.id, user.id)
        return page

    def _read_tail(self, user: User, missed: Missed) -> bool:
        """Whether all that was missed are messages in memory; then it is told."""
        tail = self._tails.peek(missed.chat)
        if tail is not None and user.id not in tail.hiders and missed.up_to_seq == tail.end_seq:
            missed.encoded = tail.find_run(missed.after_seq or 0, self._directory)
            if missed.encoded is not None:
                return True
        found = tail.list_after(missed.after_seq or 0) if tail is not None else None
        if tail is None or found is None:
            return False
        missed.tail = tail
        seqs = range((missed.after_seq or 0) + 1, missed.up_to_seq + 1)
        missed.messages = [
            (seq, message, tail.find(message.reply_to) if message.reply_to is not None else None)
            for seq, message in zip(seqs, found, strict=False)
        ]
        return True

    async def _read_logs(self, user: User, reads: Sequence[Missed]) -> None:
        ranges = [
            (message_id(each.chat.id, each.after_seq or 0), message_id(each.chat.id, each.up_to_seq)) for each in reads
        ]
        entries = await self._messages.read_ranges(ranges)
        known = {entry.id: entry for entry in entries if entry.kind is EntryKind.MESSAGE}
        await self._know(known, (entry.target for entry in entries if _concerns(user, entry)))
        await self._know(known, (message.reply_to for message in list(known.values())))
        by_chat = {each.chat.id: each for each in reads}
        told: set[int] = set()
        for entry in entries:
            told_id = entry.id if entry.kind is EntryKind.MESSAGE else entry.target
            if told_id is None or told_id in told or not _concerns(user, entry) or told_id not in known:
                continue
            told.add(told_id)
            message = known[told_id]
            answered = known.get(message.reply_to) if message.reply_to is not None else None
            by_chat[entry.chat_id].messages.append((entry.seq, message, answered))

    async def _know(self, known: dict[int, Entry], message_ids: Iterable[int | None]) -> None:
        wanted = {each for each in message_ids if each is not None} - known.keys()
        if wanted:
            known.update({message.id: message for message in await self._messages.list_by_ids(wanted)})

    async def load_users(self, page: Iterable[Missed], compared: Container[int]) -> Mapping[int, User]:
        """All users who are told of with what was missed.

        Args:
            page: that.
            compared: the chats of which the members are told of, too.
        """
        wanted: set[int] = set()
        for each in page:
            for _, message, answered in each.messages:
                wanted.add(message.sender_id)
                if answered is not None:
                    wanted.add(answered.sender_id)
            if each.chat.id in compared:
                lasts = [message for message in (each.own_last, each.chat.last_message) if message is not None]
                wanted |= list_user_ids(each.chat, lasts)
        return await self._directory.load(wanted)


def _concerns(user: User, entry: Entry) -> bool:
    """Whether a user is to be told of a message because of that entry."""
    if entry.kind is EntryKind.HIDDEN:
        return entry.sender_id == user.id
    return entry.kind in (EntryKind.MESSAGE, EntryKind.EDITED, EntryKind.RECALLED)
