"""What has happened. Events are published after the change is stored; each protocol renders them in its own shape.

Those of a chat are published in the order of its log. An event carries the models it speaks of, so that rendering it
needs no look-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_tornado.domain.models import Chat, Entry, MessageDetails, User


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened."""


@dataclass(frozen=True, slots=True)
class ChatEvent(Event):
    """Something that happened in a chat."""

    chat: Chat


@dataclass(frozen=True, slots=True)
class MessageSent(ChatEvent):
    """A message was stored. Its sender has thereby read the chat.

    Attributes:
        reply_to: the message answered, with its sender, if there is one.
    """

    message: Entry
    sender: User
    reply_to: tuple[Entry, User] | None = None


@dataclass(frozen=True, slots=True)
class MessageEdited(ChatEvent):
    """A sender has replaced the text of his message."""

    details: MessageDetails


@dataclass(frozen=True, slots=True)
class MessageRecalled(ChatEvent):
    """A message was taken back by its sender, for everybody."""

    message_id: int


@dataclass(frozen=True, slots=True)
class MessageHidden(Event):
    """A user deleted a message for himself."""

    user_id: int
    message_id: int


@dataclass(frozen=True, slots=True)
class ChatRead(ChatEvent):
    """A member has read everything in the chat."""

    user_id: int


@dataclass(frozen=True, slots=True)
class ChatCreated(ChatEvent):
    """A chat was made, with its first members."""


@dataclass(frozen=True, slots=True)
class MemberAdded(ChatEvent):
    """A user has become a member."""

    user_id: int


@dataclass(frozen=True, slots=True)
class MemberRemoved(ChatEvent):
    """A member has left or was removed; ``chat`` is without him. He hears this, and nothing after it."""

    user_id: int


@dataclass(frozen=True, slots=True)
class AdminChanged(ChatEvent):
    """A member has become an admin, or is one no more."""

    user_id: int
    is_admin: bool


@dataclass(frozen=True, slots=True)
class OwnerChanged(ChatEvent):
    """The chat has another owner."""

    owner_id: int


@dataclass(frozen=True, slots=True)
class ChatRenamed(ChatEvent):
    """The chat has another title."""


@dataclass(frozen=True, slots=True)
class Typing(ChatEvent):
    """A member is writing; not stored anywhere."""

    user_id: int


@dataclass(frozen=True, slots=True)
class ChatDeleted(ChatEvent):
    """The chat is gone. ``chat`` is as it was, ``users`` holds its members and the last message's sender."""

    users: Mapping[int, User]


@dataclass(frozen=True, slots=True)
class FriendshipCreated(Event):
    """Two users have become friends; ``accepter`` agreed to what ``inviter`` had asked."""

    accepter: User
    inviter: User


@dataclass(frozen=True, slots=True)
class FriendshipDeleted(Event):
    """``user`` ended the friendship with ``friend``.

    Attributes:
        account_deleted: it ended because the account of ``user`` is being deleted; then he is told of each friend too.
    """

    user: User
    friend: User
    account_deleted: bool = False


@dataclass(frozen=True, slots=True)
class ProfileChanged(Event):
    """A user changed his profile."""

    user: User


@dataclass(frozen=True, slots=True)
class PresenceChanged(Event):
    """A user has come online or gone offline, some time in the last second.

    Attributes:
        chat_ids: his chats; the members of any of them may know.
    """

    user_id: int
    is_online: bool
    chat_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class SessionsEnded(Event):
    """Sessions are no longer valid; what is connected through them is closed.

    Attributes:
        session_ids: those sessions of the user, or None: all of them.
    """

    user_id: int
    session_ids: frozenset[bytes] | None


@dataclass(frozen=True, slots=True)
class AccountDeleted(Event):
    """An account is gone; subscribers drop what they keep about it."""

    user_id: int


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """A plugin's own news for some users; the native protocol shows it as a notification ``action`` with ``data``."""

    user_ids: tuple[int, ...]
    action: str
    data: Any
