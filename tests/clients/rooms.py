"""A client of the rooms protocol: its HTTP calls and its socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from people import NOTHING, Person, exchange

from nova_tornado.clients import protocols

FIELDS = {
    "init": {"user_id"},
    "error": {"code", "message", "chat_type"},
    "room_chat_message": {"user_id", "chat_room_id", "message", "timestamp", "message_id", "other_user_id"},
    "group_chat_message": {"user_id", "chat_group_id", "message", "timestamp", "message_id"},
    "bot_chat_message": {"messages"},
    "room_chat_message_update": {"user_id", "chat_room_id", "message", "timestamp", "message_id"},
    "group_chat_message_update": {"user_id", "chat_group_id", "message", "timestamp", "message_id"},
    "room_chat_message_delete": {"chat_room_id", "message_id"},
    "group_chat_message_delete": {"chat_group_id", "message_id"},
    "room_chat_remove": {"chat_room_id"},
    "group_chat_remove": {"chat_group_id"},
    "group_chat_update": {"chat_group_id", "name", "owner_id"},
    "group_chat_activitity": {"message", "chat_group_id", "user_id", "is_enter"},
    "user_update": {"user_id", "first_name", "last_name"},
    "user_activity": {"user_id", "login"},
}
"""What packets of each type hold besides ``type``."""


class RoomsAnswer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The whole body."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The data of a success."""
        assert self.status == 200, (self.status, self.body[:500])
        answer = self.json
        assert answer.keys() - {"token"} == {"status", "data"} and answer["status"] is True, answer
        return answer["data"]

    def refused(self, status: int) -> str:
        """The reason of a refusal with that status."""
        assert self.status == status, (self.status, self.body[:500])
        answer = self.json
        assert answer.keys() == {"status", "data"} and answer["status"] is False, answer
        assert isinstance(answer["data"], str) and answer["data"]
        return answer["data"]


class RoomsClient(protocols.RoomsClient):
    """Calls HTTP with its token, too; checks the shape of all that comes.

    Attributes:
        person: whose it is, if it was made with ``of``.
    """

    person: Person

    @classmethod
    async def of(cls, person: Person) -> Self:
        """A client of a person on a token of its own; its socket ends with the person's."""
        client = await super().of(person)
        client.person = person
        return client

    async def receive(self) -> Any:
        """The next packet; None when the socket is closed."""
        packet = await super().receive()
        assert packet is None or packet.keys() - {"type"} == FIELDS[packet["type"]], packet
        return packet

    async def expect(self, *types: str) -> list[Any]:
        """The next packets, which must be of these types, in this order."""
        packets = [await self.receive() for _ in types]
        assert [packet and packet["type"] for packet in packets] == list(types), packets
        return packets

    async def refused(self, frame: Any, code: int) -> str:
        """Send a frame that is refused with that code and nothing else; returns the reason."""
        packet = await self.request(frame)
        assert packet["type"] == "error" and packet["code"] == code, packet
        chat_type = frame.get("chat_type") if isinstance(frame, dict) else None
        assert packet["chat_type"] == (chat_type if isinstance(chat_type, str) else None), packet
        assert isinstance(packet["message"], str) and packet["message"]
        return packet["message"]

    async def say(self, other_id: int, text: str, **more: Any) -> Any:
        """Send a message to a user; returns what comes back."""
        frame = {"chat_type": "room", "other_user_id": other_id, "message": text, **more}
        return await self._send_and_expect(frame, "room_chat_message")

    async def say_to_group(self, group_id: int, text: str, **more: Any) -> Any:
        """Send a message to a group; returns what comes back."""
        frame = {"chat_type": "group", "chat_group_id": group_id, "message": text, **more}
        return await self._send_and_expect(frame, "group_chat_message")

    async def _send_and_expect(self, frame: Any, type_: str) -> Any:
        packet = await self.request(frame)
        assert packet["type"] == type_, packet
        return packet

    async def http(
        self,
        method: str,
        path: str,
        body: Any = NOTHING,
        *,
        raw: bytes = b"",
        headers: Mapping[str, str] | None = None,
        with_token: bool = True,
    ) -> RoomsAnswer:
        """Call /http.

        Args:
            path: behind /http.
            body: sent as JSON, without a Content-Type.
            raw: sent as it is, instead.
        """
        content = raw if body is NOTHING else json.dumps(body).encode()
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"}
        if self.token is not None and with_token:
            lines["authentication"] = self.token
        if content:
            lines["Content-Length"] = str(len(content))
        lines.update(headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        answer = await exchange(self.port, f"{method} /http{path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        return RoomsAnswer(*answer)

    async def get(self, path: str, body: Any = NOTHING, **more: Any) -> RoomsAnswer:
        """GET."""
        return await self.http("GET", path, body, **more)

    async def post(self, path: str, body: Any = NOTHING, **more: Any) -> RoomsAnswer:
        """POST."""
        return await self.http("POST", path, body, **more)

    async def put(self, path: str, body: Any = NOTHING, **more: Any) -> RoomsAnswer:
        """PUT."""
        return await self.http("PUT", path, body, **more)

    async def new_group(self, name: str = "Open", *, is_entered: bool = True) -> int:
        """Make an open group and enter it; returns its id."""
        group_id: int = (await self.post("/chat_groups", {"name": name})).data["chat_group_id"]
        await self.expect("group_chat_update")
        if is_entered:
            await self.enter(group_id)
        return group_id

    async def enter(self, group_id: int) -> None:
        """Enter a group; what comes of it is taken off."""
        assert (await self.post(f"/chat_groups/{group_id}", {"is_enter": True})).data is None
        await self.drain()
