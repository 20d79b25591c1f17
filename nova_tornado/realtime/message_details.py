"""All that is told about messages besides their texts: authors, answers, readers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

from nova_tornado.domain.models import Chat, Entry, MessageDetails, Readers, User
from nova_tornado.realtime.chats import cursor_of
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.storage.messages import Messages


class MessageDetailer:
    """Looks up what is told about messages.

    Args:
        messages, directory: where it is found.
    """

    def __init__(self, messages: Messages, directory: UserDirectory) -> None:
        self._messages = messages
        self._directory = directory

    async def of(self, chat: Chat, messages: Sequence[Entry]) -> list[MessageDetails]:
        """All that is told about messages of a chat.

        Args:
            chat: theirs.
            messages: in the order in which they are returned.
        """
        replies = await self._messages.list_replies([message.id for message in messages])
        answered = {
            message.id: message
            for message in await self._messages.list_by_ids(
                message.reply_to for message in messages if message.reply_to is not None
            )
        }
        users = await self._directory.load(list_user_ids(chat, (*messages, *replies, *answered.values())))
        return assemble(chat, messages, replies, answered, users, self._directory.deleted)


def list_user_ids(chat: Chat, messages: Iterable[Entry]) -> set[int]:
    """Who is told of with messages of a chat: its members and their senders."""
    return {*chat.members, *(message.sender_id for message in messages)}


def assemble(
    chat: Chat,
    messages: Sequence[Entry],
    replies: Iterable[Entry],
    answered: Mapping[int, Entry],
    users: Mapping[int, User],
    deleted: User,
) -> list[MessageDetails]:
    """All that is told about messages of a chat.

    Args:
        chat: theirs.
        messages: in the order in which they are returned.
        replies: what answers them, by id; there may be others among them.
        answered: what they answer, by id.
        users: those of ``list_user_ids``.
        deleted: the user ``#DELETED``.
    """

    def sender(message: Entry) -> User:
        return deleted if message.is_recalled else users[message.sender_id]

    replies_to: dict[int, list[tuple[Entry, User]]] = {}
    for reply in replies:
        assert reply.reply_to is not None
        replies_to.setdefault(reply.reply_to, []).append((reply, sender(reply)))
    find_readers = _reader_finder(chat, users)
    details = []
    for message in messages:
        target = answered.get(message.reply_to) if message.reply_to is not None else None
        details.append(
            MessageDetails(
                message,
                sender(message),
                (target, sender(target)) if target is not None else None,
                replies_to.get(message.id, ()),
                find_readers(message.seq),
            )
        )
    return details


def _reader_finder(chat: Chat, users: Mapping[int, User]) -> Callable[[int], Readers]:
    """A function from a place in the log to those who have read it."""
    cursors = sorted((cursor, member.user_id) for member in chat.members.values() if (cursor := cursor_of(member)))
    found: dict[int, Readers] = {}

    def find(seq: int) -> Readers:
        first = bisect_left(cursors, (seq, 0))
        readers = found.get(first)
        if readers is None:
            ids = sorted(user_id for _, user_id in cursors[first:] if user_id in users)
            readers = found[first] = Readers([users[user_id] for user_id in ids])
        return readers

    return find
