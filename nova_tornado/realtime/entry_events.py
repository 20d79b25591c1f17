"""What the entries of a chat's log are told as."""

from __future__ import annotations

from collections.abc import Iterable

from nova_tornado.domain import events
from nova_tornado.domain.models import Chat, Entry, EntryKind
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.message_details import MessageDetailer
from nova_tornado.storage.messages import Messages


class EntryEvents:
    """Makes events of entries, with all that their rendering needs.

    Args:
        messages, directory: where that is found.
    """

    def __init__(self, messages: Messages, directory: UserDirectory) -> None:
        self._messages = messages
        self._directory = directory
        self._details = MessageDetailer(messages, directory)

    async def of(self, chat: Chat, entry: Entry, user_ids: Iterable[int] = ()) -> list[events.Event]:
        """The events of one entry.

        Args:
            chat: its chat, before or after the entry is folded into it.
            user_ids: who may be a member by the entry's time, besides those known.
        """
        match entry.kind:
            case EntryKind.MESSAGE:
                answered = await self._messages.find(entry.reply_to) if entry.reply_to else None
                users = await self._directory.load(
                    (entry.sender_id, answered.sender_id) if answered else (entry.sender_id,)
                )
                reply_to = (answered, users[answered.sender_id]) if answered else None
                return [events.MessageSent(chat, entry, users[entry.sender_id], reply_to)]
            case EntryKind.EDITED:
                assert entry.target is not None
                edited = await self._messages.find(entry.target)
                if edited is None:
                    return []
                return [events.MessageEdited(chat, (await self._details.of(chat, [edited]))[0])]
            case EntryKind.RENAMED:
                return [events.ChatRenamed(chat)]
            case EntryKind.RECALLED:
                assert entry.target is not None
                return [events.MessageRecalled(chat, entry.target)]
            case EntryKind.MEMBER_ADDED:
                assert entry.user_id is not None
                return [events.MemberAdded(chat, entry.user_id)]
            case EntryKind.MEMBER_REMOVED:
                assert entry.user_id is not None
                return [events.MemberRemoved(chat, entry.user_id)]
            case EntryKind.ADMIN_CHANGED:
                assert entry.user_id is not None
                return [events.AdminChanged(chat, entry.user_id, entry.is_admin)]
            case EntryKind.OWNER_CHANGED:
                assert entry.user_id is not None
                return [events.OwnerChanged(chat, entry.user_id)]
            case EntryKind.CHAT_DELETED:
                senders = {chat.last_message.sender_id} if chat.last_message else set()
                return [events.ChatDeleted(chat, await self._directory.load(senders.union(chat.members, user_ids)))]
