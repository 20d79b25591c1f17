"""What goes out: the items, replies and live frames of the protocol "modes", and its statuses.

Source: modes document; contract "protocols" sections 0.10, 2.1, 2.2, 2.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from nova_tornado.api import (
    Clock,
    Connection,
    ErrorCode,
    Event,
    JsonSocket,
    Outbox,
    Packet,
    WireProtocol,
    dumps,
    events,
    models,
)

Struct = dict[str, Any]

DONE = "200"
UNKNOWN_MODE = "501"

STATUS: dict[ErrorCode, str] = {
    ErrorCode.MALFORMED: "400",
    ErrorCode.BAD_FIELD: "422",
    ErrorCode.NOTHING_TO_CHANGE: "422",
    ErrorCode.NOT_SIGNED_IN: "401",
    ErrorCode.WRONG_CREDENTIALS: "401",
    ErrorCode.WRONG_PASSWORD: "401",
    ErrorCode.ORIGIN_REFUSED: "403",
    ErrorCode.USER_UNKNOWN: "409",
    ErrorCode.FRIEND_GROUP_UNKNOWN: "409",
    ErrorCode.FRIEND_UNKNOWN: "409",
    ErrorCode.INVITATION_UNKNOWN: "409",
    ErrorCode.CHAT_UNKNOWN: "423",
    ErrorCode.MESSAGE_UNKNOWN: "423",
    ErrorCode.NOT_A_MEMBER: "423",
    ErrorCode.NO_RIGHT: "423",
    ErrorCode.PRIVATE_CHAT: "423",
    ErrorCode.NAME_TAKEN: "409",
    ErrorCode.EMAIL_TAKEN: "409",
    ErrorCode.ALREADY_FRIENDS: "409",
    ErrorCode.ALREADY_MEMBER: "422",
    ErrorCode.MESSAGE_REFUSED: "423",
    ErrorCode.REPEAT_MISMATCH: "422",
    ErrorCode.TOO_MANY_TOKENS: "403",
    ErrorCode.TOO_MANY_REQUESTS: "429",
    ErrorCode.TOO_LARGE: "413",
    ErrorCode.UNAVAILABLE: "503",
    ErrorCode.OUTCOME_UNKNOWN: "503",
    ErrorCode.INTERNAL: "500",
}
"""The status of each refusal. 413, 429 and 503 are Nova's: the document knows nothing of what they tell."""


def message_item(message: models.Entry, sender: models.User) -> Struct:
    """A message, as in ``getMessages``."""
    is_file = bool(message.files) and not message.text
    return {
        "message_id": message.id,
        "from_id": sender.id,
        "from_name": sender.name,
        "content": message.plain_text,
        "content_type": "file" if is_file else message.content_type,
        "content_time": message.sent_us / 1e6,
    }


def chat_item(
    chat: models.Chat, users: Mapping[int, models.User], viewer_id: int, last_message: models.Entry | None
) -> Struct:
    """A chat, as in ``getChats``.

    Args:
        users: at least the members and, in a group, the last message's author.
        viewer_id: who sees it.
        last_message: the newest that he sees.
    """
    last, author = last_message, None
    if last is not None and not chat.is_private:
        author = users.get(last.sender_id)
    return {
        "chat_id": chat.id,
        "chat_members": [{"id": user_id, "username": users[user_id].name} for user_id in chat.members],
        "chat_name": chat.display_name(users, viewer_id),
        "chat_type": "personal" if chat.is_private else "group",
        "last_message_time": last.sent_us / 1e6 if last is not None else None,
        "last_message_text": last.plain_text if last is not None else None,
        "last_message_sender": author.name if author is not None else None,
    }


class ModesProtocol(WireProtocol):
    """Makes replies, and renders events as live frames for the connections that have subscribed.

    Args:
        clock: the time.
    """

    name = "modes"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def frame(self, mode: str | None, status: str = DONE, **fields: Any) -> Struct:
        """A reply or a live frame, made now."""
        return {"mode": mode, "timestamp": self._clock.now_us() / 1e6, "status": status, **fields}

    def render(self, event: Event) -> Iterable[Packet]:
        """The live frames of an event; the connection that has asked for the change gets none of them."""
        if not isinstance(event, events.ChatEvent):
            return
        chat, origin = event.chat, self.own_origin(event)
        asker = origin.outbox if origin is not None else None
        match event:
            case events.MessageSent(_, message, sender, _, reading):
                yield self._to_all(chat, asker, "newMessage", message=message_item(message, sender))
                if reading is not None:
                    yield self._to_all(chat, asker, "messagesRead", user_id=sender.id)
            case events.MessageEdited(_, details):
                item = message_item(details.message, details.sender)
                if hidden_for := details.message.hidden_for:
                    news = dumps(self.frame("messageEdited", chat_id=chat.id, message=item))
                    yield Packet(news, user_ids=chat.members.keys() - set(hidden_for), except_outbox=asker)
                else:
                    yield self._to_all(chat, asker, "messageEdited", message=item)
            case events.MessageRecalled(_, message_id):
                yield self._to_all(chat, asker, "messageDeleted", message_id=message_id)
            case events.ChatRead(_, user_id):
                yield self._to_all(chat, asker, "messagesRead", user_id=user_id)
            case events.ChatCreated(_, _, users):
                yield from self._items("chatCreated", chat, users, chat.members, {}, asker)
            case events.ChatUpdated(_, _, users, _, added_ids, removed_ids):
                own_lasts = event.own_last_messages
                yield self._deleted(chat, removed_ids, asker)
                yield from self._items(
                    "chatUpdated", chat, users, chat.members.keys() - set(added_ids), own_lasts, asker
                )
                yield from self._items("chatCreated", chat, users, added_ids, own_lasts, asker)
            case events.ChatDeleted():
                yield self._deleted(chat, chat.members, asker)

    def _to_all(self, chat: models.Chat, asker: Outbox | None, mode: str, **fields: Any) -> Packet:
        return Packet(dumps(self.frame(mode, chat_id=chat.id, **fields)), chat.id, except_outbox=asker)

    def _deleted(self, chat: models.Chat, user_ids: Iterable[int], asker: Outbox | None) -> Packet:
        return Packet(dumps(self.frame("chatDeleted", chat_id=chat.id)), user_ids=user_ids, except_outbox=asker)

    def _items(
        self,
        mode: str,
        chat: models.Chat,
        users: Mapping[int, models.User],
        viewer_ids: Iterable[int],
        own_lasts: Mapping[int, models.Entry | None],
        asker: Outbox | None,
    ) -> Iterator[Packet]:
        """A chat as each viewer sees it: private chats have different names, and some may not see the last message."""
        alike = []
        for user_id in viewer_ids:
            if not chat.is_private and user_id not in own_lasts:
                alike.append(user_id)
                continue
            item = chat_item(chat, users, user_id, own_lasts.get(user_id, chat.last_message))
            yield Packet(dumps(self.frame(mode, chat=item)), user_ids=(user_id,), except_outbox=asker)
        if alike:
            item = chat_item(chat, users, 0, chat.last_message)
            yield Packet(dumps(self.frame(mode, chat=item)), user_ids=alike, except_outbox=asker)

    def end_session(self, connection: Connection) -> None:
        """The subscription ends; the socket, which may serve others too, stays open."""
        cast(JsonSocket, connection.outbox.receiver).disconnect(connection)
