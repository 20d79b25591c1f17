"""The structs of the rooms protocol, its codes of refusals, and its packets: domain events → what goes out.

Source: rooms document; contract "protocols" sections 0.10 and 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nova_rooms.entered import Entered, GroupActivity, GroupCaughtUp
from nova_tornado.api import BotDesk, ErrorCode, Event, Packet, WireProtocol, dumps, events, iso_time, models

NAME = "rooms"

Struct = dict[str, Any]

CODE: dict[ErrorCode, int] = {
    ErrorCode.MALFORMED: 400,
    ErrorCode.BAD_FIELD: 400,
    ErrorCode.NOTHING_TO_CHANGE: 400,
    ErrorCode.NOT_SIGNED_IN: 401,
    ErrorCode.WRONG_CREDENTIALS: 401,
    ErrorCode.WRONG_PASSWORD: 401,
    ErrorCode.ORIGIN_REFUSED: 403,
    ErrorCode.USER_UNKNOWN: 404,
    ErrorCode.FRIEND_GROUP_UNKNOWN: 404,
    ErrorCode.FRIEND_UNKNOWN: 404,
    ErrorCode.INVITATION_UNKNOWN: 404,
    ErrorCode.CHAT_UNKNOWN: 404,
    ErrorCode.MESSAGE_UNKNOWN: 404,
    ErrorCode.NOT_A_MEMBER: 403,
    ErrorCode.NO_RIGHT: 403,
    ErrorCode.PRIVATE_CHAT: 404,
    ErrorCode.NAME_TAKEN: 409,
    ErrorCode.EMAIL_TAKEN: 409,
    ErrorCode.ALREADY_FRIENDS: 409,
    ErrorCode.ALREADY_MEMBER: 409,
    ErrorCode.MESSAGE_REFUSED: 403,
    ErrorCode.REPEAT_MISMATCH: 400,
    ErrorCode.TOO_MANY_TOKENS: 403,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.OUTCOME_UNKNOWN: 503,
    ErrorCode.INTERNAL: 500,
}
"""The HTTP status of each refusal, and the ``code`` of an error packet."""


@dataclass(frozen=True, slots=True)
class ProfileSaved(Event):
    """A user has changed his profile by this protocol, and his names have stayed."""

    user: models.User


# Structs


def names(user: models.User) -> Struct:
    """What a user is called."""
    return {"first_name": user.shown_first_name, "last_name": user.last_name}


def user_struct(user: models.User, is_online: bool) -> Struct:
    """A user in the lists of users."""
    return {"user_id": user.id, **names(user), "is_online": is_online}


def profile(user: models.User) -> Struct:
    """One's own account."""
    return {"user_id": user.id, **names(user), "email": user.email, "user_name": user.name}


def room(chat: models.Chat, other: models.User, last_message: models.Entry | None) -> Struct:
    """A private chat as one of the two sees it."""
    return {
        "chat_room_id": chat.id,
        "other_user_id": other.id,
        **names(other),
        "last_message_timestamp": iso_time(last_message.sent_us) if last_message is not None else None,
    }


def group(chat: models.Chat, users: Mapping[int, models.User]) -> Struct:
    """A group.

    Args:
        users: at least the members, if it has no title.
    """
    return {"chat_group_id": chat.id, "name": chat.display_name(users), "owner_id": chat.owner_id}


def notification(chat: models.Chat, latest: models.Entry, reader_id: int) -> Struct:
    """What the other one wrote last in a private chat, and whether it was read."""
    return {
        "sender_id": latest.sender_id,
        "chat_room_id": chat.id,
        "is_read": latest.seq <= chat.members[reader_id].read_seq,
        "timestamp": iso_time(latest.sent_us),
    }


def message(entry: models.Entry, sender_id: int) -> Struct:
    """A message in a history.

    Args:
        sender_id: the id of ``#DELETED`` where the author's account is gone.
    """
    return {
        "message_id": entry.id,
        "user_id": sender_id,
        "message": entry.plain_text,
        "timestamp": iso_time(entry.sent_us),
    }


def bot_item(entry: models.Entry, is_user: bool) -> Struct:
    """A message of the dialogue with the bot."""
    return {"is_user": is_user, "message": entry.plain_text, "timestamp": iso_time(entry.sent_us)}


def other_of(chat: models.Chat, user_id: int) -> int:
    """The other one of a private chat."""
    return next(member_id for member_id in chat.members if member_id != user_id)


# Packets


def init(user_id: int) -> Struct:
    """The answer to a token."""
    return {"type": "init", "user_id": user_id}


def error(code: ErrorCode, text: str, chat_type: str | None) -> Struct:
    """A refusal."""
    return {"type": "error", "code": CODE[code], "message": text, "chat_type": chat_type}


def room_message(chat: models.Chat, entry: models.Entry, receiver_id: int) -> Struct:
    """A message in a private chat."""
    sent = message(entry, entry.sender_id)
    return {"type": "room_chat_message", "chat_room_id": chat.id, "other_user_id": receiver_id, **sent}


def group_message(chat: models.Chat, entry: models.Entry) -> Struct:
    """A message in a group."""
    return {"type": "group_chat_message", "chat_group_id": chat.id, **message(entry, entry.sender_id)}


def bot_message(question: models.Entry, answer: models.Entry) -> Struct:
    """A question to the bot, with its answer."""
    return {"type": "bot_chat_message", "messages": [bot_item(question, True), bot_item(answer, False)]}


def user_update(user: models.User) -> bytes:
    """The packet that tells what a user is called."""
    return dumps({"type": "user_update", "user_id": user.id, **names(user)})


def user_activity(user_id: int, is_login: bool) -> bytes:
    """The packet that tells of a login or logout."""
    return dumps({"type": "user_activity", "user_id": user_id, "login": is_login})


class RoomsProtocol(WireProtocol):
    """Renders events as packets of the rooms protocol.

    Args:
        entered: who is in which group; those are told what is said there.
        bots: knows which chats are dialogues with the bot, which are no rooms here.
    """

    name = NAME

    def __init__(self, entered: Entered, bots: BotDesk) -> None:
        self.entered = entered
        self._bots = bots

    def render(self, event: Event) -> Iterable[Packet]:
        """The packets of an event, in the order in which they are sent."""
        match event:
            case events.BotAnswered(chat, question, answer):
                if self._bots.is_dialogue(chat):
                    yield Packet(dumps(bot_message(question, answer)), user_ids=(question.sender_id,))
            case events.ChatEvent(chat) if self._bots.is_dialogue(chat):
                pass
            case events.MessageSent(chat, entry):
                yield from self._sent(chat, entry)
            case events.MessageEdited(chat, details):
                edited = message(details.message, details.sender.id)
                yield self._of_message(chat, details.message.sender_id, "chat_message_update", edited)
            case events.MessageRecalled(chat, message_id, sender_id):
                yield self._of_message(chat, sender_id, "chat_message_delete", {"message_id": message_id})
            case events.ChatCreated(chat, _, users) if not chat.is_private:
                yield self._updated(chat, users)
            case events.ChatUpdated():
                yield from self._changed(event)
            case events.ChatDeleted(chat):
                yield self._removed(chat)
            case events.AccountCreated(user) | ProfileSaved(user) if not user.is_bot:
                yield Packet(user_update(user), to_everybody=True)
            case events.ProfileChanged(user, are_names_changed) if are_names_changed and not user.is_bot:
                yield Packet(user_update(user), to_everybody=True)
            case events.SignedIn(user_id):
                yield Packet(user_activity(user_id, True), to_everybody=True)
            case events.SignedOut(user_id):
                yield Packet(user_activity(user_id, False), to_everybody=True)
            case GroupActivity():
                yield self._activity(event)
            case GroupCaughtUp():
                yield from self._missed(event)

    def _missed(self, event: GroupCaughtUp) -> Iterable[Packet]:
        """What was told of a group; of what he has written himself he knows."""
        for missed in event.missed:
            match missed:
                case events.MessageSent(_, entry):
                    author_id = entry.sender_id
                case events.MessageEdited(_, details):
                    author_id = details.message.sender_id
                case events.MessageRecalled(_, _, author_id):
                    pass
                case _:
                    continue
            if author_id != event.user_id:
                yield from (packet._replace(user_ids=(event.user_id,)) for packet in self.render(missed))

    def _listeners(self, chat: models.Chat, author_id: int, seq: int | None = None) -> list[int]:
        """Who is told of a group's message: who has entered, and its author."""
        listeners = self.entered.list_in(chat, seq)
        return [*listeners, author_id] if author_id in chat.members and author_id not in listeners else listeners

    def _sent(self, chat: models.Chat, entry: models.Entry) -> Iterable[Packet]:
        if not chat.is_private:
            yield Packet(dumps(group_message(chat, entry)), user_ids=self._listeners(chat, entry.sender_id, entry.seq))
        elif entry.sender_id in chat.members:
            yield Packet(dumps(room_message(chat, entry, other_of(chat, entry.sender_id))), chat.id)
        else:  # the system user speaks to both
            for user_id in chat.members:
                yield Packet(dumps(room_message(chat, entry, user_id)), user_ids=(user_id,))

    def _of_message(self, chat: models.Chat, author_id: int, what: str, fields: Struct) -> Packet:
        """What has become of a message, told to those who are told of the chat's messages."""
        if chat.is_private:
            return Packet(dumps({"type": f"room_{what}", "chat_room_id": chat.id, **fields}), chat.id)
        packet = {"type": f"group_{what}", "chat_group_id": chat.id, **fields}
        return Packet(dumps(packet), user_ids=self._listeners(chat, author_id))

    @staticmethod
    def _updated(chat: models.Chat, users: Mapping[int, models.User], user_ids: Iterable[int] | None = None) -> Packet:
        """How a group is now: for those users, or for all who may see it."""
        payload = dumps({"type": "group_chat_update", **group(chat, users)})
        if user_ids is not None:
            return Packet(payload, user_ids=user_ids)
        return Packet(payload, to_everybody=True) if chat.policy is models.JoinPolicy.OPEN else Packet(payload, chat.id)

    def _changed(self, event: events.ChatUpdated) -> Iterable[Packet]:
        chat = event.chat
        # Somebody may have gone and come again in changes that are told as one.
        removed = [user_id for user_id in event.removed_ids if user_id not in chat.members]
        added = [user_id for user_id in event.added_ids if user_id in chat.members]
        if removed and chat.policy is models.JoinPolicy.CLOSED:
            yield Packet(dumps({"type": "group_chat_remove", "chat_group_id": chat.id}), user_ids=removed)
        if event.is_renamed:
            yield self._updated(chat, event.users)  # those who were added hear it, too
        elif added:
            yield self._updated(chat, event.users, added)

    @staticmethod
    def _removed(chat: models.Chat) -> Packet:
        if chat.is_private:
            return Packet(dumps({"type": "room_chat_remove", "chat_room_id": chat.id}), chat.id)
        payload = dumps({"type": "group_chat_remove", "chat_group_id": chat.id})
        return Packet(payload, to_everybody=True) if chat.policy is models.JoinPolicy.OPEN else Packet(payload, chat.id)

    @staticmethod
    def _activity(event: GroupActivity) -> Packet:
        done = "entered" if event.is_enter else "left"
        packet = {
            "type": "group_chat_activitity",  # the document's spelling
            "message": f"{event.user.shown_first_name} has {done} the group",
            "chat_group_id": event.chat_id,
            "user_id": event.user.id,
            "is_enter": event.is_enter,
        }
        return Packet(dumps(packet), user_ids=event.user_ids)
