"""What has happened. Events are published after the change is stored; each protocol renders them in its own shape.

Those of a chat are published in the order of its log. An event carries the models it speaks of, so that rendering it
needs no look-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nova_tornado.domain.models import Chat, Entry, MessageDetails, Origin, Reading, ReceivedInvitation, User


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened.

    Attributes:
        is_relayed: other processes are told of it; False where each one finds out for itself.
    """

    is_relayed: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class ChatEvent(Event):
    """Something that happened in a chat.

    Attributes:
        chat: as it is after the change.
        origin: where it was asked for, if that is a socket whose protocol wants to know.
    """

    chat: Chat
    origin: Origin | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class MessageSent(ChatEvent):
    """A message was stored. Its sender has thereby read the chat.

    Attributes:
        reply_to: the message answered, with its sender, if there is one.
        reading: what the sender has thereby read; None if there was nothing new for him.
    """

    message: Entry
    sender: User
    reply_to: tuple[Entry, User] | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class BotAnswered(ChatEvent):
    """A bot has answered a question in a private chat; the answer is complete (it was told of as a message, too)."""

    question: Entry
    answer: Entry


@dataclass(frozen=True, slots=True)
class MessageEdited(ChatEvent):
    """A sender has replaced the text of his message."""

    details: MessageDetails


@dataclass(frozen=True, slots=True)
class MessageRecalled(ChatEvent):
    """A message was taken back by its sender, for everybody."""

    message_id: int
    sender_id: int


@dataclass(frozen=True, slots=True)
class MessageHidden(Event):
    """A user deleted a message for himself."""

    user_id: int
    message_id: int


@dataclass(frozen=True, slots=True)
class ChatRead(ChatEvent):
    """A member has read everything in the chat; ``reading`` is None if there was nothing new for him."""

    user_id: int
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class ChatCreated(ChatEvent):
    """A chat was made by ``actor_id``; ``users`` are its members and the author of its first message, if it has one."""

    actor_id: int
    users: Mapping[int, User]


@dataclass(frozen=True, slots=True)
class ChatUpdated(ChatEvent):
    """Title or members of a group have changed: the sum of one request.

    Who has come or gone was told before, one by one (``MemberAdded``, ``MemberRemoved``); a protocol renders either
    those or this.

    Attributes:
        actor_id: who has changed it.
        users: the members, those who were removed, and the authors of the newest messages.
        is_renamed: whether the title was set.
        added_ids, removed_ids: who has come and who has gone, in the order of the request.
        own_last_messages: by the id of each member who has deleted the chat's newest message for himself, the newest
            that he sees.
    """

    actor_id: int
    users: Mapping[int, User]
    is_renamed: bool
    added_ids: tuple[int, ...]
    removed_ids: tuple[int, ...]
    own_last_messages: Mapping[int, Entry | None] = field(default_factory=dict, kw_only=True)


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
class Typing(ChatEvent):
    """A member is writing; not stored anywhere."""

    user_id: int


@dataclass(frozen=True, slots=True)
class ChatDeleted(ChatEvent):
    """The chat is gone. ``chat`` is as it was, ``users`` holds its members and the last message's sender."""

    users: Mapping[int, User]


@dataclass(frozen=True, slots=True)
class FriendRequested(Event):
    """``asker`` has asked ``asked`` for friendship; nothing was pending before."""

    asker: User
    asked: User


@dataclass(frozen=True, slots=True)
class FriendDeclined(Event):
    """``decliner`` has declined what ``asker`` had asked."""

    decliner: User
    asker: User


@dataclass(frozen=True, slots=True)
class FriendInvitationAdded(Event):
    """An invitation waits for its receiver's answer; told of each one, also of one that replaces another."""

    received: ReceivedInvitation


@dataclass(frozen=True, slots=True)
class FriendInvitationRemoved(Event):
    """An invitation waits no more: accepted, declined, replaced, or gone with the account of one of the two.

    Told of once, and after the ``FriendInvitationAdded`` of the same invitation.
    """

    invitation_id: int
    receiver_id: int


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
    """A user changed his profile; ``are_names_changed`` if he is shown by other names now."""

    user: User
    are_names_changed: bool = False


@dataclass(frozen=True, slots=True)
class AccountCreated(Event):
    """There is a new account."""

    user: User


@dataclass(frozen=True, slots=True)
class SignedIn(Event):
    """A user has signed in by a call that says so to others."""

    user_id: int


@dataclass(frozen=True, slots=True)
class SignInFailed(Event):
    """A password did not fit; told to nobody, but counted in all processes.

    Attributes:
        account: the user name, or what was given for one.
        address: from which it came.
    """

    account: str
    address: str


@dataclass(frozen=True, slots=True)
class SignedOut(Event):
    """A user has signed out."""

    user_id: int


@dataclass(frozen=True, slots=True)
class OnlineChanged(Event):
    """The set of users who are online has changed, some time in the last second.

    Attributes:
        user_ids: all who are online now, ascending.
    """

    is_relayed: ClassVar[bool] = False

    user_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PresenceChanged(Event):
    """A user has come online or gone offline, some time in the last second.

    Attributes:
        chat_ids: his chats; the members of any of them may know.
    """

    is_relayed: ClassVar[bool] = False

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


@dataclass(frozen=True, slots=True)
class NewsMissed(Event):
    """Something that other processes have told may not have arrived here; what is not in a chat's log, that is.

    Whatever is kept in memory of such things is to be looked up again.
    """

    is_relayed: ClassVar[bool] = False
