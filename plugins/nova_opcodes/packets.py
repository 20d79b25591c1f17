"""What goes out: the frames ``{"op", "t", "d"}`` of the opcodes protocol.

Source: opcodes document; contract "protocols" sections 0.10 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from nova_opcodes.schemas import FriendAnswer
from nova_tornado.api import ErrorCode, Event, NovaError, Packet, WireProtocol, dumps, errors, events, models

NAME = "opcodes"


class Opcode(NamedTuple):
    """What a frame is about: the operation and its type."""

    op: int
    t: int

    @property
    def answer(self) -> Opcode:
        """That of the answer to a request, and of what the others are told of it."""
        return Opcode(self.op + 1, self.t)


LISTS = Opcode(1, 1)
ONLINE = Opcode(2, 1)
PRIVATE_MESSAGE = Opcode(11, 1)
GROUP_MESSAGE = Opcode(11, 2)
EDIT_MESSAGE = Opcode(11, 6)
DELETE_MESSAGE = Opcode(11, 7)
CREATE_CHAT = Opcode(13, 1)
CHANGE_CHAT = Opcode(13, 2)
CHAT_DELETED = Opcode(14, 3)
ADD_FRIEND = Opcode(16, 1)
ANSWER_FRIEND = Opcode(16, 2)
REQUEST_OPS = frozenset((PRIVATE_MESSAGE.op, CREATE_CHAT.op, ADD_FRIEND.op))
UNREADABLE = Opcode(0, 0)
"""Of the answer to what is no request at all."""


def opcode_of(frame: dict[str, Any] | None) -> Opcode | None:
    """What a client's frame is about; None if it has no op of a request, or no t.

    Source: contract "protocols" section 4.2.
    """
    if frame is None:
        return None
    op, t = frame.get("op"), frame.get("t")
    return Opcode(op, t) if type(op) is int and type(t) is int and op in REQUEST_OPS else None


# Answers


def success(request: Opcode, fields: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request that was carried out."""
    op, t = request.answer
    return {"op": op, "t": t, "d": {"status": "success", **fields}}


def refusal(request: Opcode | None, error: NovaError) -> dict[str, Any]:
    """The answer to a request that was refused; None: it has no opcode."""
    op, t = UNREADABLE if request is None else request.answer
    message = REFUSAL[error.code] or error.message
    return {"op": op, "t": t, "d": {"status": "error", "message": message}}


REFUSAL: dict[ErrorCode, str | None] = {
    **dict.fromkeys(ErrorCode),
    # Whoever is not in a chat is not told whether there is one with that id.
    ErrorCode.NOT_A_MEMBER: errors.ChatUnknown.default_message,
}
"""The ``message`` of each refusal; None: the error's own. They have no codes here."""


# Events


def frame(opcode: Opcode, fields: dict[str, Any]) -> bytes:
    """One frame."""
    return dumps({"op": opcode.op, "t": opcode.t, "d": fields})


def lists(chat_ids: Sequence[int], friend_ids: Sequence[int]) -> bytes:
    """1/1: the chats and friends of whoever has just connected, ascending."""
    return frame(LISTS, {"chat_ids": chat_ids, "friend_ids": friend_ids})


def online(user_ids: Sequence[int]) -> bytes:
    """2/1: who is online, ascending."""
    return frame(ONLINE, {"user_ids": user_ids})


def friend_answered(user: models.User, answer: FriendAnswer) -> bytes:
    """17/2: ``user`` has answered what the receiver asked."""
    return frame(ANSWER_FRIEND.answer, {"user_id": user.id, "type": answer})


class OpcodesProtocol(WireProtocol):
    """Renders events.

    Source: contract "protocols" section 0.10, column opcodes.
    """

    name = NAME

    def render(self, event: Event) -> Iterable[Packet]:
        """The packets that tell of an event."""
        match event:
            case events.MessageSent(chat, message):
                kind = PRIVATE_MESSAGE if chat.is_private else GROUP_MESSAGE
                fields = {
                    "chat_id": chat.id,
                    "message_id": message.id,
                    "sender_id": message.sender_id,
                    "message": message.plain_text,
                }
                return [Packet(frame(kind.answer, fields), chat.id, except_user_id=message.sender_id)]
            case events.MessageEdited(chat, details):
                message = details.message
                fields = {"chat_id": chat.id, "message_id": message.id, "message": message.plain_text}
                return [Packet(frame(EDIT_MESSAGE.answer, fields), chat.id, except_user_id=message.sender_id)]
            case events.MessageRecalled(chat, message_id, sender_id):
                fields = {"chat_id": chat.id, "message_id": message_id}
                return [Packet(frame(DELETE_MESSAGE.answer, fields), chat.id, except_user_id=sender_id)]
            case events.ChatCreated(chat):
                own = self.own_origin(event)
                payload = frame(CREATE_CHAT.answer, {"chat_id": chat.id})
                return [Packet(payload, chat.id, except_outbox=own.outbox if own else None)]
            case events.ChatUpdated():
                return self._chat_updated(event)
            case events.ChatDeleted(chat):
                return [Packet(frame(CHAT_DELETED, {"chat_id": chat.id}), chat.id)]
            case events.FriendRequested(asker, asked):
                return [Packet(frame(ADD_FRIEND.answer, {"user_id": asker.id}), user_ids=(asked.id,))]
            case events.FriendshipCreated(accepter, inviter):
                return [Packet(friend_answered(accepter, FriendAnswer.ACCEPT), user_ids=(inviter.id,))]
            case events.FriendDeclined(decliner, asker):
                return [Packet(friend_answered(decliner, FriendAnswer.DENY), user_ids=(asker.id,))]
            case events.OnlineChanged(user_ids):
                return [Packet(online(user_ids), to_everybody=True)]
        return ()

    def _chat_updated(self, event: events.ChatUpdated) -> list[Packet]:
        """14/2 to the members and to those who were removed; who has asked for it gets it as his answer."""
        chat, own = event.chat, self.own_origin(event)
        # A group without a title has no name any more once the last one has left.
        fields = {"chat_id": chat.id, "chat": chat.display_name(event.users), "users": sorted(chat.members)}
        payload = frame(CHANGE_CHAT.answer, fields)
        gone = [user_id for user_id in event.removed_ids if user_id not in chat.members]
        outbox = own.outbox if own else None
        packets = [Packet(payload, chat.id, except_outbox=outbox), Packet(payload, user_ids=gone, except_outbox=outbox)]
        if own is not None:
            # As the chat is at this moment: after it, others may change it before the handler has its turn.
            packets.append(Packet(dumps(success(CHANGE_CHAT, fields)), outbox=outbox))
        return packets
