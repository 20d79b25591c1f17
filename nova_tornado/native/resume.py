"""The action ``resume``: what a client of the actions protocol has missed, in pages.

An answer is a picture of one moment of the connection: what was told before it is in it, and what is told after it
comes on top. So everything is looked up first; then, without waiting for anything in between, what has changed
meanwhile is left out (the client asks again) and the rest is put together and sent.

Source: contract "actions" section 8; decision 12.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from nova_tornado.domain.errors import BadField, ChatUnknown
from nova_tornado.domain.models import Chat, Entry, User, chat_of, message_id, seq_of
from nova_tornado.domain.rules import check_id, check_string
from nova_tornado.native import packets
from nova_tornado.realtime.chats import cursor_of
from nova_tornado.services.resume import Missed
from nova_tornado.web.jsons import dumps
from nova_tornado.web.services import Services

PAGE_MAX_BYTES = 256 * 1024
"""An answer ends with the message or the chat that reaches this size."""
CHATS_MAX_COUNT = 10_000
"""How many chats a request may name."""
USERS_MAX_COUNT = 1_000
"""How many users a request may name."""
STATE_ATTEMPTS = 3
"""How often what is compared as a whole is read again because it has changed while it was read."""
DIGEST_BYTES = 8
UNKNOWN_CURSOR = "unknown_cursor"

State = Callable[[Services, User], Awaitable[Any]]


async def _user(services: Services, user: User) -> Any:
    return packets.user_detailed(await services.directory.get(user.id))


async def _friends(services: Services, user: User) -> Any:
    return [packets.friend(friend) for friend in await services.friends.list_of(user)]


async def _friend_groups(services: Services, user: User) -> Any:
    return [packets.friend_group(group) for group in await services.friend_groups.list_of(user)]


async def _friend_invitations(services: Services, user: User) -> Any:
    return [packets.friend_invitation(received) for received in await services.friends.list_received(user)]


async def _chats(services: Services, user: User) -> Any:
    return await services.resume.list_chat_ids(user)


STATES: Mapping[str, State] = {
    "user": _user,
    "friends": _friends,
    "friend_groups": _friend_groups,
    "friend_invitations": _friend_invitations,
    "chats": _chats,
}
"""What is compared as a whole, as its own GET answers it (``chats``: the ids alone)."""


@dataclass(frozen=True, slots=True)
class KnownChat:
    """What a client knows of a chat.

    Attributes:
        seq: up to which place of its log; None: nothing yet.
        is_compared: whether he wants to know what the chat is like now …
        digest: … unless it is like that.
    """

    chat_id: int
    seq: int | None
    is_compared: bool
    digest: str | None


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """What a client knows.

    Attributes:
        chats: by id.
        states: digests by the names of ``STATES``, of those that the client wants.
        user_ids: of whom he wants to know who they are now.
    """

    chats: dict[int, KnownChat]
    states: dict[str, str | None]
    user_ids: list[int]


def read_request(data: Any) -> ResumeRequest:
    """Check a request.

    Raises:
        BadField: something is not as it should be.
    """
    fields = {} if data is None else data
    if not isinstance(fields, dict):
        raise BadField("data must be a JSON object")
    chats: dict[int, KnownChat] = {}
    for item in _list(fields.get("chats"), "chats", CHATS_MAX_COUNT):
        chat = _known_chat(item)
        chats[chat.chat_id] = chat
    states = {} if fields.get("state") is None else fields["state"]
    if not isinstance(states, dict) or not states.keys() <= STATES.keys():
        raise BadField(f"state must be an object with some of {', '.join(STATES)}")
    users = [check_id(user_id, "users") for user_id in _list(fields.get("users"), "users", USERS_MAX_COUNT)]
    return ResumeRequest(chats, {name: _digest_field(states[name]) for name in states}, users)


def _list(value: Any, name: str, max_count: int) -> list[Any]:
    items = value if value is not None else []
    if not isinstance(items, list):
        raise BadField(f"{name} must be a list")
    if len(items) > max_count:
        raise BadField(f"{name} cannot name more than {max_count}")
    return items


def _digest_field(value: Any) -> str | None:
    return None if value is None else check_string(value, "digest")


def _known_chat(item: Any) -> KnownChat:
    if not isinstance(item, dict):
        raise BadField("chats must be a list of objects")
    chat_id = check_id(item.get("chat_id"), "chat_id")
    cursor = item.get("cursor")
    if cursor is not None and chat_of(check_id(cursor, "cursor")) != chat_id:
        raise BadField("The cursor is of another chat")
    seq = None if cursor is None else seq_of(cursor)
    return KnownChat(chat_id, seq, "digest" in item, _digest_field(item.get("digest")))


class Resume:
    """Makes one answer.

    Args:
        services: where it is found.
        user: who asks.
        request: what his client knows.
    """

    def __init__(self, services: Services, user: User, request: ResumeRequest) -> None:
        self._services = services
        self._user = user
        self._request = request
        self._more = False
        self._room = PAGE_MAX_BYTES

    async def answer(self, request_id: int) -> bytes:
        """The answer, which is to be sent at once."""
        known, gone = await self._find_known()
        page = await self._read(known)
        compared = {each.chat.id for each in page if self._is_compared(each.chat.id)}
        users = await self._services.resume.load_users(page, compared) if page else {}
        named = await self._services.directory.load(self._request.user_ids) if self._request.user_ids else {}
        states = await self._read_states()
        # From here on nothing is waited for.
        data: packets.Struct = {"chats": [], "gone": gone, "state": states}
        if named:
            data["users"] = [
                {"user_id": user_id, "user": packets.user_basic(named[user_id])} for user_id in self._request.user_ids
            ]
        for missed in page:
            if self._room <= 0:
                self._more = True
                break
            if self._user.id not in missed.chat.members or not missed.is_current:
                self._more = True
                continue
            if (struct := self._chat(missed, users)) is not None:
                data["chats"].append(struct)
        data["more"] = self._more
        return dumps({"action": "resumed", "request_id": request_id, "ok": True, "data": data})

    async def _find_known(self) -> tuple[list[tuple[Chat, int | None]], list[int]]:
        """The chats of the request and those that it asks for, with what is known of them; and those that are gone."""
        wanted = list(self._request.chats)
        if "chats" in self._request.states:
            own_ids = await self._services.resume.list_chat_ids(self._user)
            wanted += [chat_id for chat_id in own_ids if chat_id not in self._request.chats]
        found = await self._services.resume.find_chats(self._user, wanted)
        gone = [chat_id for chat_id in self._request.chats if chat_id not in found]
        known = []
        for chat_id in wanted:
            if (chat := found.get(chat_id)) is not None:
                before = self._request.chats.get(chat_id)
                known.append((chat, before.seq if before is not None else None))
        return known, gone

    async def _read(self, known: list[tuple[Chat, int | None]]) -> list[Missed]:
        try:
            page = await self._services.resume.missed(self._user, known)
        except ChatUnknown:
            page = []  # deleted at this moment: the next request is told so
        if len(page) < len(known):
            self._more = True
        return page

    async def _read_states(self) -> packets.Struct:
        """What differs from what the client knows; nothing is told of it between this and the answer."""
        for _ in range(STATE_ATTEMPTS):
            changes = self._services.resume.state_changes
            read = {name: dumps(await STATES[name](self._services, self._user)) for name in self._request.states}
            if self._services.resume.state_changes == changes:
                break
        else:
            self._more = True
            return {}
        states: packets.Struct = {}
        for name, value in read.items():
            digest = _digest(value)
            if digest != self._request.states[name]:
                states[name] = {"digest": digest, "value": orjson.Fragment(value)}
                self._room -= len(value)
        return states

    def _is_compared(self, chat_id: int) -> bool:
        before = self._request.chats.get(chat_id)
        return before is None or before.is_compared

    def _chat(self, missed: Missed, users: Mapping[int, User]) -> packets.Struct | None:
        """What is told of a chat; None if there is nothing."""
        chat = missed.chat
        before = self._request.chats.get(chat.id)
        struct: packets.Struct = {"chat_id": chat.id}
        if self._is_compared(chat.id):
            value = self._state_of(missed, users)
            digest = _digest(value)
            if before is None or digest != before.digest:
                struct["digest"] = digest
                struct["state"] = orjson.Fragment(value)
                self._room -= len(value)
        up_to_seq = missed.up_to_seq
        if missed.is_unknown:
            struct["reset"] = UNKNOWN_CURSOR
        elif missed.encoded is not None:
            struct["messages"] = orjson.Fragment(missed.encoded)
            self._room -= len(missed.encoded)
        elif missed.messages:
            messages, up_to_seq = self._messages(missed, users)
            struct["messages"] = messages
        if up_to_seq < chat.last_seq:
            self._more = True
        if missed.after_seq != up_to_seq:
            struct["cursor"] = message_id(chat.id, up_to_seq)
        return struct if len(struct) > 1 else None

    def _state_of(self, missed: Missed, users: Mapping[int, User]) -> bytes:
        """What a chat is like, as ``GET /chat/<id>`` says it, and how far everybody has read."""
        chat = missed.chat
        last = missed.last_for(self._user)
        cursors = [
            [member.user_id, message_id(chat.id, cursor)]
            for member in chat.members.values()
            if (cursor := cursor_of(member))
        ]
        everybody = {**users, **self._newer(chat, last, users)}
        relation = packets.relation_struct(chat, everybody, last, self._user.id)
        return dumps({**relation, "read_cursors": cursors})

    def _newer(self, chat: Chat, last: Entry | None, users: Mapping[int, User]) -> Mapping[int, User]:
        """Who has come since the users were loaded."""
        directory = self._services.directory
        wanted = {*chat.members, *([last.sender_id] if last is not None else [])} - users.keys()
        return {user_id: directory.peek(user_id) or directory.deleted for user_id in wanted}

    def _messages(self, missed: Missed, users: Mapping[int, User]) -> tuple[orjson.Fragment, int]:
        """The messages that fit, and the place of the log up to which they tell what was missed."""
        tail = missed.tail if missed.tail is not None and self._user.id not in missed.tail.hiders else None
        known = tail.parts if tail is not None else {}
        deleted = self._services.directory.deleted
        found: list[bytes] = []
        room = self._room
        up_to_seq = missed.up_to_seq
        for seq, message, answered in missed.messages:
            if room <= 0 and found:
                up_to_seq = seq - 1
                break
            sender = deleted if message.is_recalled else users[message.sender_id]
            other = None
            if answered is not None:
                other = deleted if answered.is_recalled else users[answered.sender_id]
            kept = known.get(message.id)
            if kept is not None and kept[1] is sender and kept[2] is other:
                part = kept[0]
            else:
                part = _encode(message, sender, answered, other, self._user.id)
                if tail is not None:
                    tail.keep_part(message.id, part, sender, other)
            found.append(part)
            room -= len(part)
        self._room = room
        encoded = b"[" + b",".join(found) + b"]"
        if tail is not None and len(found) == len(missed.messages) and up_to_seq == tail.end_seq:
            shown = (each for _, *both in missed.messages for each in both if each is not None)
            everybody = {message.sender_id: users[message.sender_id] for message in shown}
            if all(user.id == user_id for user_id, user in everybody.items()):
                tail.keep_run(missed.after_seq or 0, encoded, everybody, self._services.directory)
        return orjson.Fragment(encoded), up_to_seq


def _encode(message: Entry, sender: User, answered: Entry | None, other: User | None, viewer_id: int) -> bytes:
    """A message that was missed: ChatMessage.Basic with ``reply_to``."""
    struct = packets.message_basic(message, sender, viewer_id)
    struct["reply_to"] = None
    if answered is not None and other is not None:
        struct["reply_to"] = packets.message_basic(answered, other, viewer_id)
    return dumps(struct)


def _digest(value: bytes) -> str:
    return blake2b(value, digest_size=DIGEST_BYTES).hexdigest()
