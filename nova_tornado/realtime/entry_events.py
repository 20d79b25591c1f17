"""What the entries of a chat's log are told as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from nova_tornado.domain import events
from nova_tornado.domain.models import Chat, Entry, EntryKind, Origin, Reading
from nova_tornado.realtime.chats import MEMBER_KINDS
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.message_details import MessageDetailer
from nova_tornado.storage.messages import Messages

CHANGE_KINDS = MEMBER_KINDS | {EntryKind.RENAMED}
NO_READINGS: Mapping[int, Reading | None] = MappingProxyType({})


class EntryEvents:
    """Makes events of entries, with all that their rendering needs.

    Args:
        messages, directory: where that is found.
    """

    def __init__(self, messages: Messages, directory: UserDirectory) -> None:
        self._messages = messages
        self._directory = directory
        self._details = MessageDetailer(messages, directory)

    async def of(
        self,
        chat: Chat,
        entries: Sequence[Entry],
        user_ids: Iterable[int] = (),
        *,
        origin: Origin | None = None,
        readings: Mapping[int, Reading | None] = NO_READINGS,
    ) -> list[events.Event]:
        """The events of entries that were written one after the other.

        Args:
            chat: their chat, before or after they are folded into it.
            user_ids: who may be a member by the entries' time, besides those known.
            origin: where they were asked for.
            readings: by the id of a message, what its sender has thereby read.
        """
        told: list[events.Event] = []
        for run in _runs(entries):
            for entry in run:
                told += await self._of_one(chat, entry, user_ids, origin, readings)
            if (updated := await self._updated(chat, run, user_ids, origin)) is not None:
                told.append(updated)
        return told

    async def _updated(
        self, chat: Chat, run: Sequence[Entry], user_ids: Iterable[int], origin: Origin | None
    ) -> events.ChatUpdated | None:
        """What changes of title and members come to."""
        added = tuple(e.user_id for e in run if e.kind is EntryKind.MEMBER_ADDED and e.user_id)
        removed = tuple(e.user_id for e in run if e.kind is EntryKind.MEMBER_REMOVED and e.user_id)
        is_renamed = any(entry.kind is EntryKind.RENAMED for entry in run)
        if not (added or removed or is_renamed):
            return None
        last = chat.last_message
        own_lasts = {
            user_id: await self._messages.find_newest(chat.id, user_id)
            for user_id in (last.hidden_for if last is not None else ())
            if user_id in chat.members
        }
        authors = {message.sender_id for message in (last, *own_lasts.values()) if message is not None}
        users = await self._directory.load({*chat.members, *added, *removed, *user_ids, *authors})
        return events.ChatUpdated(
            chat, run[0].sender_id, users, is_renamed, added, removed, own_last_messages=own_lasts, origin=origin
        )

    async def _of_one(
        self,
        chat: Chat,
        entry: Entry,
        user_ids: Iterable[int],
        origin: Origin | None,
        readings: Mapping[int, Reading | None],
    ) -> list[events.Event]:
        match entry.kind:
            case EntryKind.MESSAGE:
                answered = await self._messages.find(entry.reply_to) if entry.reply_to else None
                users = await self._directory.load(
                    (entry.sender_id, answered.sender_id) if answered else (entry.sender_id,)
                )
                reply_to = (answered, users[answered.sender_id]) if answered else None
                sender, reading = users[entry.sender_id], readings.get(entry.id)
                return [events.MessageSent(chat, entry, sender, reply_to, reading, origin=origin)]
            case EntryKind.EDITED:
                assert entry.target is not None
                edited = await self._messages.find(entry.target)
                if edited is None:
                    return []
                return [events.MessageEdited(chat, (await self._details.of(chat, [edited]))[0], origin=origin)]
            case EntryKind.RENAMED:
                return []  # told by the sum
            case EntryKind.RECALLED:
                assert entry.target is not None
                return [events.MessageRecalled(chat, entry.target, entry.sender_id, origin=origin)]
            case EntryKind.HIDDEN:
                assert entry.target is not None
                return [events.MessageHidden(entry.sender_id, entry.target)]
            case EntryKind.MEMBER_ADDED:
                assert entry.user_id is not None
                return [events.MemberAdded(chat, entry.user_id, origin=origin)]
            case EntryKind.MEMBER_REMOVED:
                assert entry.user_id is not None
                return [events.MemberRemoved(chat, entry.user_id, origin=origin)]
            case EntryKind.ADMIN_CHANGED:
                assert entry.user_id is not None
                return [events.AdminChanged(chat, entry.user_id, entry.is_admin, origin=origin)]
            case EntryKind.OWNER_CHANGED:
                assert entry.user_id is not None
                return [events.OwnerChanged(chat, entry.user_id, origin=origin)]
            case EntryKind.CHAT_DELETED:
                senders = {chat.last_message.sender_id} if chat.last_message else set()
                users = await self._directory.load(senders.union(chat.members, user_ids))
                return [events.ChatDeleted(chat, users, origin=origin)]


def _runs(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Cut entries where what one user has changed at once ends."""
    run: list[Entry] = []
    for entry in entries:
        is_change = entry.kind in CHANGE_KINDS
        if run and not (is_change and run[-1].kind in CHANGE_KINDS and entry.sender_id == run[-1].sender_id):
            yield run
            run = []
        run.append(entry)
    if run:
        yield run
