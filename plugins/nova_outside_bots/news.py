"""What outgoing webhooks tell: which events there are, and their JSON."""

from __future__ import annotations

from typing import Any

from nova_tornado.api import Event, events, models, native_packets

MESSAGE_SENT = "message_sent"
MESSAGE_EDITED = "message_edited"
MESSAGE_RECALLED = "message_recalled"
MEMBER_ADDED = "member_added"
MEMBER_REMOVED = "member_removed"
CHAT_RENAMED = "chat_renamed"
CHAT_DELETED = "chat_deleted"

ALL_EVENTS = (
    *(MESSAGE_SENT, MESSAGE_EDITED, MESSAGE_RECALLED),
    *(MEMBER_ADDED, MEMBER_REMOVED, CHAT_RENAMED, CHAT_DELETED),
)
EVENTS_OF_SCOPE = {
    models.BotScope.READ: ALL_EVENTS,
    models.BotScope.INVOKED: (MESSAGE_SENT,),
    models.BotScope.WRITE: ALL_EVENTS,
}
"""What a bot can be told of; a bot of the scope ``INVOKED`` of those messages alone that invoke it."""


def describe(event: Event) -> tuple[str, dict[str, Any], int] | None:
    """What a webhook is told of an event.

    Returns:
        The event's name, its fields, and the id of the user who did it (0: not known); None for what webhooks are not
        told of.
    """
    match event:
        case events.MessageSent(_, message, sender):
            return MESSAGE_SENT, {"message": native_packets.message_basic(message, sender)}, sender.id
        case events.MessageEdited(_, details) if not details.message.is_recalled:
            struct = native_packets.message_basic(details.message, details.sender)
            return MESSAGE_EDITED, {"message": struct}, details.sender.id
        case events.MessageRecalled(_, message_id, sender_id):
            return MESSAGE_RECALLED, {"message_id": message_id, "user_id": sender_id}, sender_id
        case events.MemberAdded(_, user_id):
            return MEMBER_ADDED, {"user_id": user_id}, 0
        case events.MemberRemoved(_, user_id):
            return MEMBER_REMOVED, {"user_id": user_id}, 0
        case events.ChatUpdated(_, actor_id) if event.is_renamed:
            return CHAT_RENAMED, {"user_id": actor_id}, actor_id
        case events.ChatDeleted():
            return CHAT_DELETED, {}, 0
    return None


def concerns(event: events.ChatEvent, user_id: int) -> bool:
    """Whether a user was in the chat of an event when it happened."""
    membership = event.chat.members.get(user_id)
    if membership is not None:  # by now; he may have come later
        return not isinstance(event, events.MessageSent) or event.message.seq > membership.joined_seq
    return isinstance(event, events.MemberRemoved) and event.user_id == user_id


def chat_struct(chat: models.Chat) -> dict[str, Any]:
    """The chat of an event; ``chat_name`` is a group's title, "" for none."""
    return {"chat_id": chat.id, "chat_name": chat.title, "is_private": chat.is_private}
