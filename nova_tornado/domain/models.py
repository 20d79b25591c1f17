"""What Nova knows: users, friends, chats, log entries. Times are integer microseconds since 1970 (UTC), in ``_us``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

SEQ_SPAN = 10**8
"""A message id is ``chat_id · SEQ_SPAN + seq``: at most this many entries a chat."""

SYSTEM_USER_NAME = "#SYSTEM"
DELETED_USER_NAME = "#DELETED"


def message_id(chat_id: int, seq: int) -> int:
    """The public id of entry ``seq`` of a chat's log."""
    return chat_id * SEQ_SPAN + seq


def chat_of(message: int) -> int:
    """The chat that a message id belongs to."""
    return message // SEQ_SPAN


def seq_of(message: int) -> int:
    """The place of a message id in its chat's log."""
    return message % SEQ_SPAN


class BotScope(StrEnum):
    """What a bot from outside may do with its token."""

    READ = "read"
    INVOKED = "invoked"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class User:
    """An account, or one of the two system users (``is_system``). Replaced as a whole when it changes.

    Attributes:
        is_bot: nobody signs in to it by a password; a plugin or a program from outside speaks for it.
        bot_scope: what the program from outside may do; None for people and for the plugins' own bots.
    """

    id: int
    name: str
    avatar_url: str
    email: str = ""
    phone: str = ""
    is_system: bool = False
    first_name: str = ""
    last_name: str = ""
    is_bot: bool = False
    bot_scope: BotScope | None = None

    @property
    def shown_first_name(self) -> str:
        """The first name; without one, the user name (contract "protocols", section 0.3)."""
        return self.first_name or self.name


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change was asked for, so that the answer there can differ from what everybody else is told.

    Attributes:
        outbox: the way out through that socket (``realtime.connection.Outbox``).
        key: what the request wants to find again in its answer.
    """

    outbox: Any
    key: Any = None


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in: a browser's cookie or a token. ``id`` is the SHA-256 of the secret, which is kept nowhere."""

    id: bytes
    user_id: int


@dataclass(frozen=True, slots=True)
class FriendGroup:
    """A user's own folder of friends; the default one has the name ""."""

    id: int
    owner_id: int
    name: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Friendship:
    """One direction of a friendship: how ``user_id`` keeps ``friend_id``."""

    id: int
    user_id: int
    friend_id: int
    nickname: str
    group_id: int


@dataclass(frozen=True, slots=True)
class FriendInvitation:
    """A pending request for friendship; ``source`` is "search" or the id of a chat that both are in."""

    id: int
    sender_id: int
    receiver_id: int
    comment: str
    source: int | str


@dataclass(frozen=True, slots=True)
class ReceivedInvitation:
    """A pending invitation with the two it concerns."""

    invitation: FriendInvitation
    sender: User
    receiver: User


class ChatKind(StrEnum):
    """Private chats have exactly two members and no title; groups have an owner."""

    PRIVATE = "private"
    GROUP = "group"


class JoinPolicy(StrEnum):
    """How one becomes a member of a group, whatever door is used.

    In a closed group the owner and the admins take people in; what the others can do is propose somebody, for their
    approval. An open group is seen and entered by every user.
    """

    CLOSED = "closed"
    OPEN = "open"


class Role(StrEnum):
    """What a member may do."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


@dataclass(slots=True)
class Membership:
    """A member of a chat.

    Attributes:
        id: grows with each joining; a user's chats are listed by it.
        joined_seq: the end of the log when he joined.
        read_seq, read_count: the read cursor: the last entry read, and how many messages the log held up to it.
    """

    id: int
    user_id: int
    role: Role
    joined_seq: int
    read_seq: int
    read_count: int
    nickname: str = ""


class EntryKind(StrEnum):
    """What an entry of a chat's log says."""

    MESSAGE = "message"
    EDITED = "edited"
    RECALLED = "recalled"
    HIDDEN = "hidden"
    RENAMED = "renamed"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"
    ADMIN_CHANGED = "admin_changed"
    OWNER_CHANGED = "owner_changed"
    CHAT_DELETED = "chat_deleted"


@dataclass(frozen=True, slots=True)
class File:
    """A file that was uploaded; ``url`` is absolute, and whoever knows it may read the file."""

    id: int
    name: str
    url: str
    size_bytes: int
    content_type: str
    created_us: int


CONTENT_TEXT = "text"
"""The content type of messages, unless their sender names another."""


@dataclass(slots=True)
class Entry:
    """One entry of a chat's append-only log.

    Attributes:
        id: ``message_id(chat, seq)``; the primary key, and the public id of a message.
        count: how many messages the log holds up to and including this entry.
        sender_id: who wrote the message, or who did what the entry says.
        sent_us: strictly increasing within a chat.
        text: of a message ("" once it is recalled), or the chat's new title.
        reply_to: the id of the message that is answered.
        client_id: the sender's own id of the send.
        user_id: whom a membership entry is about.
        membership_id: of the membership that an entry has begun.
        target: the message that an edit, a recall or a deletion for oneself is about.
        is_admin: what an admin entry sets.
        edited_us: when the message's text was last replaced by its sender; None if never.
        is_recalled: the message was recalled by its sender.
        hidden_for: users who have deleted the message for themselves.
        content_type: what its sender calls the message's content.
        files: what is attached to the message (nothing any more once it is recalled).
    """

    id: int
    kind: EntryKind
    count: int
    sender_id: int
    sent_us: int
    text: str = ""
    reply_to: int | None = None
    client_id: str | None = None
    user_id: int | None = None
    membership_id: int | None = None
    target: int | None = None
    is_admin: bool = False
    edited_us: int | None = None
    is_recalled: bool = False
    hidden_for: tuple[int, ...] = ()
    content_type: str = CONTENT_TEXT
    files: tuple[File, ...] = ()

    @property
    def plain_text(self) -> str:
        """The message for those who know only text: its text, then a line with the URL of each file.

        Source: contract "protocols", section 0.6.
        """
        if not self.files:
            return self.text
        return "\n".join([*([self.text] if self.text else []), *(file.url for file in self.files)])

    @property
    def chat_id(self) -> int:
        """The chat whose log this is."""
        return self.id // SEQ_SPAN

    @property
    def seq(self) -> int:
        """The place in the log: 1, 2, 3 … without gaps."""
        return self.id % SEQ_SPAN


DISPLAY_NAME_MAX_CHARACTERS = 60


@dataclass(slots=True, weakref_slot=True, eq=False)
class Chat:
    """A chat with its members and the end of its log: the fold of its documents and its log.

    Attributes:
        title: of a group, "" if it has none; private chats have none.
        members: by user id, in order of joining.
        last_seq, last_count, last_sent_us: of the log's last entry.
        last_message: the newest message that is not recalled, if any.
        current_at_s: when this was last known to be all that the log holds, by the process's monotonic clock.
        tail: the newest messages, while somebody reads them (``realtime.tails.Tail``).
    """

    id: int
    kind: ChatKind
    title: str
    created_us: int
    members: dict[int, Membership] = field(default_factory=dict)
    last_seq: int = 0
    last_count: int = 0
    last_sent_us: int = 0
    last_message: Entry | None = None
    is_deleted: bool = False
    current_at_s: float = 0.0
    tail: Any = None
    policy: JoinPolicy = JoinPolicy.CLOSED

    def display_name(self, users: Mapping[int, User], viewer_id: int = 0) -> str:
        """What the chat is called: its title, else by its members.

        Args:
            users: at least the members.
            viewer_id: for whom; a private chat is called after the other one.

        Source: contract "protocols", section 0.5.
        """
        if self.title:
            return self.title
        names = [users[user_id].name for user_id in self.members if not self.is_private or user_id != viewer_id]
        return ", ".join(names)[:DISPLAY_NAME_MAX_CHARACTERS]

    @property
    def is_private(self) -> bool:
        """Whether this is a chat of exactly two, without owner's powers."""
        return self.kind is ChatKind.PRIVATE

    @property
    def owner_id(self) -> int:
        """The owner's user id (0 while there is none)."""
        return next((m.user_id for m in self.members.values() if m.role is Role.OWNER), 0)

    @property
    def admin_ids(self) -> list[int]:
        """The admins' user ids, ascending; the owner is none of them."""
        return sorted(m.user_id for m in self.members.values() if m.role is Role.ADMIN)

    @property
    def manager_ids(self) -> list[int]:
        """The user ids of owner and admins, ascending."""
        return sorted(m.user_id for m in self.members.values() if m.role is not Role.MEMBER)

    def unread_count(self, user_id: int) -> int:
        """How many messages came after the member's read cursor."""
        return self.last_count - self.members[user_id].read_count


class Reading(NamedTuple):
    """A member's cursor has moved.

    Attributes:
        after_seq, up_to_seq: from where to where in the log; what lies between is read by him now.
        others: the furthest two cursors of the other members then, as (seq, user id), the furthest first.
    """

    after_seq: int
    up_to_seq: int
    others: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Readers:
    """The members who have read a message, by id. Messages with the same readers share one object."""

    users: Sequence[User]


NO_READERS = Readers(())


class MessageDetails(NamedTuple):
    """A message with all that is told about it.

    Attributes:
        reply_to: the message it answers, if any.
        replies: the messages that answer it, by id.
        readers: the members who have read it.
    """

    message: Entry
    sender: User
    reply_to: tuple[Entry, User] | None
    replies: Sequence[tuple[Entry, User]]
    readers: Readers
