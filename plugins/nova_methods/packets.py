"""The structs of the methods protocol, its events, and its errors: domain events → what goes out.

Source: methods document, Events and Data Types; contract "protocols" sections 0.10 and 1.3 to 1.6.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import orjson

from nova_tornado.api import ErrorCode, Event, Packet, WireProtocol, dumps, events, iso_time, models

NAME = "methods"
CACHED_USER_STRUCTS = 20_000
CACHED_PHOTO_MAX_CHARACTERS = 2_000
"""Users with a larger photo are encoded each time: 20,000 photos of 100,000 characters would not fit into memory."""
UPDATES_PER_PACKET = 1_000
"""How many messages one ``messages_updated`` tells of."""
GOLDEN_RATIO = 0.618033988749895
COLOR_LIGHTNESS, COLOR_SATURATION = 0.45, 0.6
"""Dark enough for white letters on it."""

Struct = dict[str, Any]

SYSTEM_ERROR = "system_error"
ACCESS_ERROR = "access_error"
AUTHORIZATION_ERROR = "authorization_error"
FIELD_ERROR = "field_error"
CHAT_DUPLICATION_ERROR = "chat_duplication_error"

ERROR_TYPES: dict[ErrorCode, str] = {
    ErrorCode.MALFORMED: SYSTEM_ERROR,
    ErrorCode.BAD_FIELD: FIELD_ERROR,
    ErrorCode.NOTHING_TO_CHANGE: FIELD_ERROR,
    ErrorCode.NOT_SIGNED_IN: AUTHORIZATION_ERROR,
    ErrorCode.WRONG_CREDENTIALS: AUTHORIZATION_ERROR,
    ErrorCode.WRONG_PASSWORD: AUTHORIZATION_ERROR,
    ErrorCode.ORIGIN_REFUSED: AUTHORIZATION_ERROR,
    ErrorCode.USER_UNKNOWN: FIELD_ERROR,
    ErrorCode.FRIEND_GROUP_UNKNOWN: FIELD_ERROR,
    ErrorCode.FRIEND_UNKNOWN: FIELD_ERROR,
    ErrorCode.INVITATION_UNKNOWN: FIELD_ERROR,
    ErrorCode.CHAT_UNKNOWN: ACCESS_ERROR,
    ErrorCode.MESSAGE_UNKNOWN: FIELD_ERROR,
    ErrorCode.NOT_A_MEMBER: ACCESS_ERROR,
    ErrorCode.NO_RIGHT: ACCESS_ERROR,
    ErrorCode.PRIVATE_CHAT: ACCESS_ERROR,
    ErrorCode.NAME_TAKEN: FIELD_ERROR,
    ErrorCode.EMAIL_TAKEN: FIELD_ERROR,
    ErrorCode.ALREADY_FRIENDS: FIELD_ERROR,
    ErrorCode.ALREADY_MEMBER: FIELD_ERROR,
    ErrorCode.MESSAGE_REFUSED: ACCESS_ERROR,
    ErrorCode.REPEAT_MISMATCH: FIELD_ERROR,
    ErrorCode.TOO_MANY_TOKENS: SYSTEM_ERROR,
    ErrorCode.TOO_MANY_REQUESTS: SYSTEM_ERROR,
    ErrorCode.TOO_LARGE: FIELD_ERROR,
    ErrorCode.UNAVAILABLE: SYSTEM_ERROR,
    ErrorCode.OUTCOME_UNKNOWN: SYSTEM_ERROR,
    ErrorCode.INTERNAL: SYSTEM_ERROR,
}
"""The ``data.type`` of each refusal (contract "protocols", section 1.3)."""

ROLES = {models.Role.OWNER: "Owner", models.Role.ADMIN: "Admin", models.Role.MEMBER: "Member"}

# Structs


def color(user_id: int) -> str:
    """The color of a user, ``#rrggbb``: always the same one, and far from those of the ids next to it."""
    rgb = colorsys.hls_to_rgb(user_id * GOLDEN_RATIO % 1, COLOR_LIGHTNESS, COLOR_SATURATION)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def _encode_user(user: models.User, role: models.Role) -> orjson.Fragment:
    struct = {
        "pk": user.id,
        "email": user.email,
        "first_name": user.shown_first_name,
        "last_name": user.last_name,
        "photo": user.avatar_url,
        "color": color(user.id),
        "role": ROLES[role],
    }
    return orjson.Fragment(dumps(struct))


_cached_user = lru_cache(CACHED_USER_STRUCTS)(_encode_user)


def user_struct(user: models.User, chat: models.Chat, member_id: int) -> orjson.Fragment:
    """User, with his role in a chat.

    Args:
        member_id: the user's id, also where ``#DELETED`` stands for him.
    """
    member = chat.members.get(member_id)
    role = models.Role.MEMBER if member is None or chat.is_private else member.role
    is_small = len(user.avatar_url) <= CACHED_PHOTO_MAX_CHARACTERS
    return _cached_user(user, role) if is_small else _encode_user(user, role)


def chat_struct(chat: models.Chat, users: Mapping[int, models.User]) -> orjson.Fragment:
    """Chat.

    Args:
        users: at least the members.
    """
    struct = {
        "id": chat.id,
        "users": [user_struct(users[user_id], chat, user_id) for user_id in chat.members],
        "title": chat.title or None,
        "created_at": iso_time(chat.created_us),
        "updated_at": iso_time(max(chat.created_us, chat.last_sent_us)),
    }
    return orjson.Fragment(dumps(struct))


def file_struct(file: models.File) -> Struct:
    """File."""
    return {"id": file.id, "name": file.name, "file": file.url, "created_at": iso_time(file.created_us)}


def message_struct(
    message: models.Entry, sender: models.User, chat: models.Chat, is_read: bool = False
) -> orjson.Fragment:
    """Message.

    Args:
        sender: its author; ``#DELETED`` if his account is gone.
        is_read: whether a member who is not its author has read it.
    """
    struct = {
        "id": message.id,
        "chat": chat.id,
        "user": user_struct(sender, chat, message.sender_id),
        "attached_files": [file_struct(file) for file in message.files],
        "text": message.text,
        "created_at": iso_time(message.sent_us),
        "updated_at": iso_time(message.edited_us or message.sent_us),
        "is_read": is_read,
        "is_deleted": message.is_recalled,
    }
    return orjson.Fragment(dumps(struct))


# Events


def event_struct(event_type: str, data: Struct) -> Struct:
    """What every event looks like."""
    return {"type": event_type, "data": data}


def authenticated(key: orjson.Fragment) -> Struct:
    """The answer to ``auth``."""
    return event_struct("authenticated", {"event_response_key": key})


def error(error_type: str, detail: str, key: orjson.Fragment | None, **more: Any) -> Struct:
    """A refusal."""
    return event_struct("error", {"type": error_type, "detail": detail, "event_response_key": key, **more})


def message_created(message: orjson.Fragment, key: orjson.Fragment) -> Struct:
    """The answer to ``send_message`` where the message had been sent before."""
    return event_struct("message_created", {"message": message, "event_response_key": key})


def messages_updated(updates: Sequence[tuple[int, Struct]]) -> bytes:
    """The packet of changed fields, each with the message's id."""
    return dumps(event_struct("messages_updated", {"updates": [{"id": id_, "fields": f} for id_, f in updates]}))


@dataclass(frozen=True, slots=True)
class MessagesBecameRead(events.ChatEvent):
    """The first member who is not their author has read these messages; this plugin's own event.

    Each process finds out for itself, where somebody wants to know.
    """

    is_relayed: ClassVar[bool] = False

    message_ids: Sequence[int]


class MethodsProtocol(WireProtocol):
    """Renders events as those of the methods protocol.

    What goes to the one who made a change goes to all of his connections, with his ``event_response_key`` on that by
    which he asked for it; so that is its answer.
    """

    name = NAME

    def render(self, event: Event) -> Iterable[Packet]:
        """The packets of an event, in the order in which they are sent."""
        match event:
            case events.MessageSent(chat, message, sender):
                news = {"message": message_struct(message, sender, chat)}
                yield from self._to_initiator(event, sender.id, "message_created", news)
                yield Packet(dumps(event_struct("new_message", news)), chat.id, except_user_id=sender.id)
            case events.MessageEdited(chat, details) if not details.message.is_recalled:
                message = details.message
                fields = {"text": message.text, "updated_at": iso_time(message.edited_us or message.sent_us)}
                yield Packet(messages_updated([(message.id, fields)]), chat.id)
            case events.MessageRecalled(chat, message_id):
                yield Packet(messages_updated([(message_id, {"is_deleted": True, "text": ""})]), chat.id)
            case MessagesBecameRead(chat, message_ids):
                for first in range(0, len(message_ids), UPDATES_PER_PACKET):
                    ids = message_ids[first : first + UPDATES_PER_PACKET]
                    yield Packet(messages_updated([(message_id, {"is_read": True}) for message_id in ids]), chat.id)
            case events.ChatRead(chat, user_id):
                yield from self._to_initiator(event, user_id, "messages_read", {"chat": chat.id})
            case events.ChatCreated(chat, actor_id, users):
                news = {"chat": chat_struct(chat, users)}
                yield from self._to_initiator(event, actor_id, "chat_created", news)
                yield Packet(dumps(event_struct("new_chat", news)), chat.id, except_user_id=actor_id)
            case events.ChatUpdated():
                yield from self._chat_updated(event)
            case events.ChatDeleted(chat, users):
                yield Packet(dumps(event_struct("chat_removed", {"chat": chat_struct(chat, users)})), chat.id)

    def _to_initiator(self, event: events.ChatEvent, user_id: int, event_type: str, data: Struct) -> Iterable[Packet]:
        origin = self.own_origin(event)
        if origin is not None:
            answer = event_struct(event_type, {**data, "event_response_key": origin.key})
            yield Packet(dumps(answer), outbox=origin.outbox)
        news = event_struct(event_type, {**data, "event_response_key": None})
        yield Packet(dumps(news), user_ids=(user_id,), except_outbox=origin.outbox if origin is not None else None)

    def _chat_updated(self, event: events.ChatUpdated) -> Iterable[Packet]:
        """One event for each of: members removed, members added, renamed (contract "protocols", section 0.10)."""
        chat, actor_id = event.chat, event.actor_id
        news: Struct = {"chat": chat_struct(chat, event.users)}
        # Who was in the chat before and still is: not those who have just come.
        remaining = [user_id for user_id in chat.members if user_id != actor_id and user_id not in event.added_ids]
        if event.removed_ids:
            removed = {"user_ids": event.removed_ids, **news}
            yield from self._to_initiator(event, actor_id, "user_removed_successful", removed)
            yield Packet(dumps(event_struct("user_removed", removed)), user_ids=remaining)
            # They are no members any more, so that only this still reaches them.
            yield Packet(dumps(event_struct("chat_removed", news)), user_ids=event.removed_ids)
        if event.added_ids:
            added = {"user_ids": event.added_ids, **news}
            yield from self._to_initiator(event, actor_id, "user_added_successful", added)
            yield Packet(dumps(event_struct("user_added", added)), user_ids=remaining)
            # "Not by the user itself": who has entered an open group has been told as its initiator.
            others = [user_id for user_id in event.added_ids if user_id != actor_id]
            yield Packet(dumps(event_struct("new_chat", news)), user_ids=others)
        if event.is_renamed:
            yield from self._to_initiator(event, actor_id, "chat_updated", news)
            yield Packet(dumps(event_struct("chat_updated", news)), chat.id, except_user_id=actor_id)
