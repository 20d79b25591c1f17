"""The structs of the actions protocol, and its packets: domain events → what goes out.

Source: actions document, Structs and Server to Client packets; contract "actions" sections 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from nova_tornado.domain import events
from nova_tornado.domain.events import Event
from nova_tornado.domain.models import (
    NO_READERS,
    Chat,
    Entry,
    File,
    FriendGroup,
    MessageDetails,
    Readers,
    ReceivedInvitation,
    User,
)
from nova_tornado.realtime.connection import CLOSE_NORMAL, Connection, Topic
from nova_tornado.realtime.frames import text_frame
from nova_tornado.realtime.hub import Packet, WireProtocol
from nova_tornado.services.friends import Friend
from nova_tornado.web.jsons import dumps

NAME = "actions"
RECALLED_TEXT = "Message recalled"
CACHED_USER_STRUCTS = 20_000
CACHED_READERS = 64

Struct = dict[str, Any]

# Structs


@lru_cache(CACHED_USER_STRUCTS)
def user_basic(user: User) -> orjson.Fragment:
    """User.Basic, encoded once as long as the user stays the same."""
    struct = {"id": user.id, "user_name": user.name, "avatar_url": user.avatar_url}
    return orjson.Fragment(dumps({**struct, "is_bot": True} if user.is_bot else struct))


def user_detailed(user: User) -> Struct:
    """User.Detailed."""
    struct = {
        "id": user.id,
        "user_name": user.name,
        "avatar_url": user.avatar_url,
        "email": user.email,
        "phone": user.phone,
    }
    return {**struct, "is_bot": True} if user.is_bot else struct


def friend_group(group: FriendGroup) -> Struct:
    """FriendGroup."""
    return {"group_id": group.id, "group_name": group.name}


def friend(friend: Friend) -> Struct:
    """Friend."""
    return {
        "friend": user_detailed(friend.user),
        "nickname": friend.nickname,
        "group": friend_group(friend.group),
    }


def friend_invitation(received: ReceivedInvitation) -> Struct:
    """FriendInvitation."""
    return {
        "id": received.invitation.id,
        "sender": user_basic(received.sender),
        "receiver": user_basic(received.receiver),
        "comment": received.invitation.comment,
        "source": received.invitation.source,
    }


def chat_struct(chat: Chat, users: Mapping[int, User], last_message: Struct | str) -> Struct:
    """Chat.

    Args:
        users: at least the members.
        last_message: ChatMessage.Basic or "".
    """
    return {
        "chat_id": chat.id,
        "chat_name": "" if chat.is_private else chat.display_name(users),
        "chat_owner": user_basic(users[chat.owner_id]) if chat.owner_id else None,
        "chat_admins": [user_basic(users[user_id]) for user_id in chat.admin_ids],
        "chat_members": [user_basic(users[user_id]) for user_id in sorted(chat.members)],
        "last_message": last_message,
    }


def relation_struct(chat: Chat, users: Mapping[int, User], last: Entry | None, viewer_id: int) -> Struct:
    """UserChatRelation.

    Args:
        users: at least the members and the last message's sender.
        last: the newest message that the viewer is shown.
        viewer_id: a member.
    """
    last_message = message_basic(last, users[last.sender_id], viewer_id) if last is not None else ""
    return {
        "chat": chat_struct(chat, users, last_message),
        "nickname": chat.members[viewer_id].nickname,
        "unread_count": chat.unread_count(viewer_id),
    }


def message_basic(message: Entry, sender: User, viewer_id: int | None = None) -> Struct:
    """ChatMessage.Basic.

    Args:
        sender: ``#DELETED`` where the message is recalled or the author's account is gone.
        viewer_id: for whom; None: for everybody.
    """
    struct = {
        "message_id": message.id,
        "chat_id": message.chat_id,
        "message": RECALLED_TEXT if message.is_recalled else message.plain_text,
        "send_time": message.sent_us / 1e6,
        "sender": user_basic(sender),
        "reply_to_id": message.reply_to,
        "deleted": message.is_recalled or viewer_id in message.hidden_for,
    }
    if message.edited_us is not None and not message.is_recalled:
        struct["edited_at"] = message.edited_us / 1e6
    if message.files:
        struct["files"] = [file_struct(file) for file in message.files]
    return struct


def file_struct(file: File) -> Struct:
    """A file that was uploaded."""
    return {
        "id": file.id,
        "name": file.name,
        "url": file.url,
        "size": file.size_bytes,
        "content_type": file.content_type,
        "created_at": file.created_us / 1e6,
    }


@lru_cache(CACHED_READERS)
def read_users(readers: Readers) -> orjson.Fragment:
    """The list read_users, encoded once for all messages that share it."""
    return orjson.Fragment(dumps([user_basic(user) for user in readers.users]))


def message_detailed(details: MessageDetails, viewer_id: int | None = None) -> Struct:
    """ChatMessage.Detailed."""
    message, sender, reply_to, replies, readers = details
    struct = message_basic(message, sender, viewer_id)
    struct["read_users"] = read_users(readers)
    struct["reply_to"] = message_basic(*reply_to, viewer_id) if reply_to else None
    struct["replied_by"] = [message_basic(*reply, viewer_id) for reply in replies] if replies else []
    return struct


# Packets


def pong(request_id: int) -> bytes:
    """The answer to a ping."""
    return dumps({"action": "pong", "request_id": request_id, "ok": True, "data": None})


def error(code: int, message: str, request_id: int = 0) -> bytes:
    """An error packet."""
    return dumps({"action": "error", "request_id": request_id, "ok": False, "code": code, "error": message})


def notification(action: str, data: Any = None) -> bytes:
    """A notification packet."""
    return dumps({"action": action, "request_id": 0, "ok": True, "data": data})


def new_message(details: MessageDetails, viewer_id: int | None = None) -> bytes:
    """The packet of a message that was sent, under its sender's own id if it has one.

    Args:
        viewer_id: for whom; None: for everybody.
    """
    data: Struct = {"message": message_detailed(details, viewer_id)}
    if details.message.client_id is not None:
        data["client_message_id"] = details.message.client_id
    return notification("new_message", data)


class ActionsProtocol(WireProtocol):
    """Renders events as packets of the actions protocol."""

    name = NAME

    def render(self, event: Event) -> Iterable[Packet]:
        """The packets of an event, in the order in which they are sent."""
        news: Struct
        match event:
            case events.MessageSent(chat, message, sender, reply_to):
                yield Packet(new_message(MessageDetails(message, sender, reply_to, (), NO_READERS)), chat.id)
                if not sender.is_system:
                    read = {"chat_id": chat.id, "user_id": sender.id}
                    yield Packet(notification("messages_read", read), chat.id)
            case events.ChatRead(chat, user_id):
                read = {"chat_id": chat.id, "user_id": user_id}
                yield Packet(notification("messages_read", read), chat.id)
            case events.MessageEdited(chat, details):
                news = {"message": message_detailed(details)}
                yield Packet(notification("message_edited", news), chat.id)
            case events.ChatUpdated(chat, _, users, is_renamed) if is_renamed:
                news = {"chat_id": chat.id, "chat_name": chat.display_name(users)}
                yield Packet(notification("chat_renamed", news), chat.id)
            case events.Typing(chat, user_id):
                news = {"chat_id": chat.id, "user_id": user_id}
                yield Packet(notification("typing", news), chat.id, except_user_id=user_id)
            case events.MessageRecalled(chat, message_id):
                yield Packet(notification("message_recalled", {"message_id": message_id}), chat.id)
            case events.MessageHidden(user_id, message_id):
                yield Packet(notification("message_deleted", {"message_id": message_id}), user_ids=(user_id,))
            case events.ChatCreated(chat) if not chat.is_private:
                yield Packet(notification("new_group_chat", {"chat_id": chat.id}), chat.id)
            case events.MemberAdded(chat, user_id):
                yield Packet(notification("new_group_chat", {"chat_id": chat.id}), user_ids=(user_id,))
                yield Packet(notification("member_added", {"chat_id": chat.id, "user_id": user_id}), chat.id)
            case events.MemberRemoved(chat, user_id):
                yield Packet(notification("member_deleted", {"chat_id": chat.id, "user_id": user_id}), chat.id)
            case events.AdminChanged(chat, user_id, is_admin):
                change = {"chat_id": chat.id, "user_id": user_id, "is_admin": is_admin}
                yield Packet(notification("admin_state_change", change), chat.id)
            case events.OwnerChanged(chat, owner_id):
                yield Packet(notification("owner_state_change", {"chat_id": chat.id, "owner_id": owner_id}), chat.id)
            case events.ChatDeleted(chat, users) if not chat.is_private:
                last = chat.last_message
                struct = chat_struct(chat, users, message_basic(last, users[last.sender_id]) if last else "")
                yield Packet(notification("chat_deleted", {"chat": struct}), chat.id)
            case events.FriendshipCreated(accepter, inviter):
                for user, other in ((accepter, inviter), (inviter, accepter)):
                    news = {"friend": user_detailed(other)}
                    yield Packet(notification("friend_created", news), user_ids=(user.id,))
            case events.FriendshipDeleted(user, friend, account_deleted):
                news = {"friend": user_detailed(user)}
                yield Packet(notification("friend_deleted", news), user_ids=(friend.id,))
                if account_deleted:
                    news = {"friend": user_detailed(friend)}
                    yield Packet(notification("friend_deleted", news), user_ids=(user.id,))
            case events.ProfileChanged(user):
                yield Packet(notification("profile_change"), user_ids=(user.id,))
            case events.PresenceChanged(user_id, is_online, chat_ids):
                news = {"user_id": user_id, "online": is_online}
                packet = notification("presence", news)
                yield Packet(packet, in_chats=chat_ids, topic=Topic.PRESENCE, except_user_id=user_id)
            case events.FriendInvitationAdded(received):
                packet = notification("friend_invitation", {"invitation": friend_invitation(received)})
                yield Packet(packet, user_ids=(received.receiver.id,), topic=Topic.FRIEND_INVITATIONS)
            case events.FriendInvitationRemoved(invitation_id, receiver_id):
                packet = notification("friend_invitation_gone", {"invitation_id": invitation_id})
                yield Packet(packet, user_ids=(receiver_id,), topic=Topic.FRIEND_INVITATIONS)
            case events.Notice(user_ids, action, data):
                yield Packet(notification(action, data), user_ids=user_ids)

    def end_session(self, connection: Connection) -> None:
        """Say ``logout`` and close."""
        connection.push(text_frame(notification("logout")))
        connection.close(CLOSE_NORMAL)
