"""How each protocol says what the people of a drill say: packets to send, and what packets that come mean."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from nova_tornado.domain import errors
from nova_tornado.drill.history import Outcome

MAYBE = tuple(
    error.default_message
    for error in (errors.Unavailable, errors.OutcomeUnknown, errors.Internal, errors.TooManyRequests)
)
"""Refusals after which it is asked again, where a protocol has no code for them."""
NOT_MINE = frozenset(error.default_message for error in (errors.ChatUnknown, errors.NotAMember))
"""Refusals of who is not in the chat, likewise."""


@dataclass(frozen=True, slots=True)
class Room:
    """A chat of the drill.

    Attributes:
        members: with whom it began.
    """

    id: int
    is_private: bool
    members: tuple[int, ...]


class Said(NamedTuple):
    """A message came."""

    message_id: int
    sender: int
    text: str


class Reply(NamedTuple):
    """The answer to a request.

    Attributes:
        key: to which one, as the seat has numbered it; None where the protocol does not say.
        packet: what came.
    """

    key: object
    outcome: Outcome
    message_id: int = 0
    reason: str = ""
    packet: Any = None


class Resumed(NamedTuple):
    """What was missed of a chat; the packet of a ``Reply``.

    Attributes:
        cursor: to go on with; 0: the same one.
        is_gone: the chat is the user's no more.
        is_over: there is no more.
    """

    message_ids: Sequence[int]
    cursor: int
    is_gone: bool
    is_over: bool


class Gone(NamedTuple):
    """A chat is the user's no more."""

    chat: int


class Came(NamedTuple):
    """A chat is the user's, or may be."""

    chat: int


News: TypeAlias = Said | Reply | Gone | Came
Packets: TypeAlias = Sequence[Any]


class Seat:
    """What one connection says and hears.

    Args:
        user: whose it is.
        token: with which it is signed in.
    """

    protocol: str
    can_edit = False
    can_manage = False
    """Whether it can make groups, and take in and remove members."""
    has_histories = False
    can_resume = False

    def __init__(self, user: int, token: str) -> None:
        self.user = user
        self.token = token
        self._keys = 0

    def new_key(self) -> int:
        """A number for a request."""
        self._keys += 2
        return self._keys

    def send(self, room: Room, text: str, client_id: str, key: int) -> Packets:
        """Say something."""
        raise NotImplementedError

    def read(self, room: Room, key: int) -> Packets:
        """Mark all as read; nothing where the protocol cannot."""
        return ()

    def edit(self, room: Room, message_id: int, text: str, key: int) -> Packets:
        """Replace a text."""
        raise NotImplementedError

    def recall(self, room: Room, message_id: int, key: int) -> Packets:
        """Take a message back."""
        raise NotImplementedError

    def make_room(self, members: Sequence[int], title: str | None, key: int) -> Packets:
        """Make a group, or without a title the private chat with one other."""
        raise NotImplementedError

    def resume(self, chat: int, cursor: int, key: int) -> Packets:
        """Ask what was missed of a chat behind a message."""
        raise NotImplementedError

    def made_room(self, packet: Any) -> int:
        """Which chat was made, as the answer says."""
        raise NotImplementedError

    def change_members(self, room: Room, user: int, is_coming: bool, key: int) -> Packets:
        """Take somebody in, or remove him."""
        raise NotImplementedError

    def history(self, room: Room, key: int) -> Packets:
        """Ask for the whole history."""
        raise NotImplementedError

    def understand(self, packet: Any) -> Iterable[News]:
        """What a packet means."""
        raise NotImplementedError


class ActionsSeat(Seat):
    """Actions: what changes is answered by its event; a ping behind it tells that it is done."""

    protocol = "actions"
    can_edit = True
    can_resume = True

    def send(self, room: Room, text: str, client_id: str, key: int) -> Packets:
        data = {"chat_id": room.id, "content": text, "client_message_id": client_id}
        return [{"action": "send_message", "request_id": key, "data": data}]

    def _with_ping(self, action: str, data: Any, key: int) -> Packets:
        return [
            {"action": action, "request_id": key, "data": data},
            {"action": "ping", "request_id": key + 1},
        ]

    def read(self, room: Room, key: int) -> Packets:
        return self._with_ping("messages_read", {"chat_id": room.id}, key)

    def edit(self, room: Room, message_id: int, text: str, key: int) -> Packets:
        return self._with_ping("edit_message", {"message_id": message_id, "content": text}, key)

    def recall(self, room: Room, message_id: int, key: int) -> Packets:
        return self._with_ping("recall_message", {"message_id": message_id}, key)

    def resume(self, chat: int, cursor: int, key: int) -> Packets:
        data = {"chats": [{"chat_id": chat, "cursor": cursor}]}
        return [{"action": "resume", "request_id": key, "data": data}]

    def understand(self, packet: Any) -> Iterator[News]:
        data = packet.get("data")
        match packet["action"]:
            case "resumed":
                chats = data["chats"]
                ids = [message["message_id"] for chat in chats for message in chat.get("messages", ())]
                cursor = next((chat["cursor"] for chat in chats if "cursor" in chat), 0)
                resumed = Resumed(ids, cursor, bool(data["gone"]), not data["more"])
                outcome = Outcome.ODD if any("reset" in chat for chat in chats) else Outcome.DONE
                yield Reply(packet["request_id"], outcome, packet=resumed)
            case "new_message":
                message = data["message"]
                sender = message["sender"]["id"]
                yield Said(message["message_id"], sender, message["message"])
                if sender == self.user and "client_message_id" in data:
                    yield Reply(data["client_message_id"], Outcome.DONE, message["message_id"])
            case "pong":
                yield Reply(packet["request_id"] - 1, Outcome.DONE)
            case "error":
                code = packet["code"]
                yield Reply(packet["request_id"], _outcome(packet["error"], code >= 429), reason=packet["error"])
            case "member_deleted" if data["user_id"] == self.user:
                yield Gone(data["chat_id"])
            case "new_group_chat":
                yield Came(data["chat_id"])


class MethodsSeat(Seat):
    """Methods: an answer repeats the request's key."""

    protocol = "methods"
    can_manage = True

    def _ask(self, method: str, key: int, **args: Any) -> Packets:
        return [{"method": method, "args": {**args, "event_response_key": key}}]

    def send(self, room: Room, text: str, client_id: str, key: int) -> Packets:
        return self._ask("send_message", key, chat=room.id, text=text, client_message_id=client_id)

    def read(self, room: Room, key: int) -> Packets:
        return self._ask("read_messages", key, chat=room.id)

    def make_room(self, members: Sequence[int], title: str | None, key: int) -> Packets:
        return self._ask("create_chat", key, users=list(members), title=title)

    def made_room(self, packet: Any) -> int:
        return int(packet["data"]["chat"]["id"])

    def change_members(self, room: Room, user: int, is_coming: bool, key: int) -> Packets:
        return self._ask("add_to_chat" if is_coming else "remove_from_chat", key, chat=room.id, users=[user])

    def understand(self, packet: Any) -> Iterator[News]:
        data = packet["data"]
        key = data.get("event_response_key")
        match packet["type"]:
            case "message_created" | "new_message":
                message = data["message"]
                yield Said(message["id"], message["user"]["pk"], message["text"])
                if key is not None:
                    yield Reply(key, Outcome.DONE, message["id"])
            case "error":
                is_maybe = data["type"] == "system_error"
                is_mine = data["type"] != "access_error"
                yield Reply(key, _outcome(data["detail"], is_maybe, is_mine), reason=data["detail"])
            case "chat_removed":
                yield Gone(data["chat"]["id"])
            case "new_chat":
                yield Came(data["chat"]["id"])
            case _ if key is not None:
                yield Reply(key, Outcome.DONE, packet=packet)


class ModesSeat(Seat):
    """Modes: replies come in the order of the requests, under the same mode."""

    protocol = "modes"
    can_manage = True
    has_histories = True
    _LIVE = frozenset(
        ("newMessage", "messageEdited", "messageDeleted", "messagesRead", "chatCreated", "chatUpdated", "chatDeleted")
    )

    def _ask(self, mode: str, **fields: Any) -> Packets:
        return [{"mode": mode, "timestamp": time.time(), "token": self.token, **fields}]

    def send(self, room: Room, text: str, client_id: str, key: int) -> Packets:
        fields = {"chat_id": room.id, "content": text, "content_type": "text", "client_message_id": client_id}
        return self._ask("sendMessage", **fields)

    def read(self, room: Room, key: int) -> Packets:
        return self._ask("getMessages", chat_id=room.id, min_message_id=10**15)

    def history(self, room: Room, key: int) -> Packets:
        return self._ask("getMessages", chat_id=room.id)

    def make_room(self, members: Sequence[int], title: str | None, key: int) -> Packets:
        if title is None:
            return self._ask("createChat", contact_mode="id", contact_value=members[0])
        return self._ask("createGroupChat", chat_name=title, chat_members=list(members))

    def made_room(self, packet: Any) -> int:
        return int(packet["chat_id"])

    def change_members(self, room: Room, user: int, is_coming: bool, key: int) -> Packets:
        return self._ask("editGroupChat", chat_id=room.id, **{"add_members" if is_coming else "remove_members": [user]})

    def understand(self, packet: Any) -> Iterator[News]:
        match packet["mode"]:
            case "newMessage":
                message = packet["message"]
                yield Said(message["message_id"], message["from_id"], message["content"])
            case "chatCreated":
                yield Came(packet["chat"]["chat_id"])
            case "chatDeleted":
                yield Gone(packet["chat_id"])
            case mode if mode not in self._LIVE:
                status = packet["status"]
                if status == "200":
                    yield Reply(None, Outcome.DONE, packet.get("message_id", 0), packet=packet)
                else:
                    outcome = _outcome(packet["detail"], status >= "429" and status != "501", status != "423")
                    yield Reply(None, outcome, reason=packet["detail"])


class RoomsSeat(Seat):
    """Rooms: a send is answered by its own message."""

    protocol = "rooms"
    has_histories = True

    def send(self, room: Room, text: str, client_id: str, key: int) -> Packets:
        if room.is_private:
            [other] = [member for member in room.members if member != self.user]
            place: dict[str, Any] = {"chat_type": "room", "other_user_id": other}
        else:
            place = {"chat_type": "group", "chat_group_id": room.id}
        return [{**place, "message": text, "client_message_id": client_id}]

    def understand(self, packet: Any) -> Iterator[News]:
        match packet["type"]:
            case "room_chat_message" | "group_chat_message":
                yield Said(packet["message_id"], packet["user_id"], packet["message"])
                if packet["user_id"] == self.user:
                    yield Reply(packet["message"].partition(" ")[0], Outcome.DONE, packet["message_id"])
            case "error":
                code = packet["code"]
                yield Reply(
                    None, _outcome(packet["message"], code >= 429, code not in (403, 404)), reason=packet["message"]
                )
            case "group_chat_remove":
                yield Gone(packet["chat_group_id"])
            case "group_chat_update":
                yield Came(packet["chat_group_id"])


class OpcodesSeat(Seat):
    """Opcodes: an answer has a status, news have none; requests are answered in their order."""

    protocol = "opcodes"
    can_edit = True
    can_manage = True

    def _ask(self, op: int, t: int, **fields: Any) -> Packets:
        return [{"op": op, "t": t, "d": fields}]

    def send(self, room: Room, text: str, client_id: str, key: int) -> Packets:
        return self._ask(11, 1 if room.is_private else 2, chat_id=room.id, message=text, client_message_id=client_id)

    def edit(self, room: Room, message_id: int, text: str, key: int) -> Packets:
        return self._ask(11, 6, chat_id=room.id, message_id=message_id, message=text)

    def recall(self, room: Room, message_id: int, key: int) -> Packets:
        return self._ask(11, 7, chat_id=room.id, message_id=message_id)

    def make_room(self, members: Sequence[int], title: str | None, key: int) -> Packets:
        return self._ask(13, 1, user_ids=list(members), type=1 if title is None else 2)

    def made_room(self, packet: Any) -> int:
        return int(packet["d"]["chat_id"])

    def change_members(self, room: Room, user: int, is_coming: bool, key: int) -> Packets:
        return self._ask(13, 2, chat_id=room.id, **{"add_users" if is_coming else "remove_users": [user]})

    def understand(self, packet: Any) -> Iterator[News]:
        d = packet["d"]
        match packet["op"], packet["t"], d.get("status"):
            case _, _, "success":
                yield Reply(None, Outcome.DONE, d.get("message_id", 0), packet=packet)
            case _, _, "error":
                yield Reply(None, _outcome(d["message"], d["message"].startswith(MAYBE)), reason=d["message"])
            case 12, (1 | 2), None:
                yield Said(d["message_id"], d["sender_id"], d["message"])
            case 14, 1, None:
                yield Came(d["chat_id"])
            case 14, 2, None:
                yield Came(d["chat_id"]) if self.user in d["users"] else Gone(d["chat_id"])
            case 14, 3, None:
                yield Gone(d["chat_id"])


def _outcome(reason: str, is_maybe: bool, is_mine: bool = True) -> Outcome:
    if is_maybe:
        return Outcome.UNKNOWN
    return Outcome.ODD if is_mine and reason not in NOT_MINE else Outcome.REFUSED


SEATS: dict[str, type[Seat]] = {
    seat.protocol: seat for seat in (ActionsSeat, MethodsSeat, ModesSeat, RoomsSeat, OpcodesSeat)
}
"""By the name of the protocol."""
