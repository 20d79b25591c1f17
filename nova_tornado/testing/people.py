"""The people of tests: they speak the actions protocol over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from nova_tornado.clients.http import Answer, exchange
from nova_tornado.clients.protocols import CLIENTS, ProtocolClient
from nova_tornado.clients.sockets import WAIT_S, JsonClient, stream_of

NOTHING = object()


class Socket:
    """A WebSocket of a person."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self._stream = stream_of(connection)
        self._pings = 1_000_000

    async def send(self, action: str, data: Any = NOTHING, **more: Any) -> None:
        """Send a packet."""
        packet = {"action": action, **({} if data is NOTHING else {"data": data}), **more}
        await self.send_raw(json.dumps(packet))

    async def send_raw(self, message: str | bytes) -> None:
        """Send a frame: text for str, binary for bytes."""
        await self.connection.write_message(message, binary=isinstance(message, bytes))

    async def receive(self) -> Any:
        """The next packet; None when the socket is closed."""
        async with asyncio.timeout(WAIT_S):
            message = await self.connection.read_message()
        if message is None:
            return None
        packet = json.loads(message)
        if packet["ok"]:
            assert packet.keys() == {"action", "request_id", "ok", "data"}, packet
        else:
            assert packet.keys() == {"action", "request_id", "ok", "code", "error"} and packet["action"] == "error"
        return packet

    async def expect(self, *actions: str) -> list[Any]:
        """The data of the next packets, which must have these actions, in this order."""
        packets = [await self.receive() for _ in actions]
        assert [packet and packet["action"] for packet in packets] == list(actions), packets
        return [packet["data"] for packet in packets]

    async def expect_error(self, code: int = 400, request_id: int = 0) -> str:
        """The text of the next packet, which must be an error."""
        packet = await self.receive()
        assert packet["action"] == "error" and packet["code"] == code and packet["request_id"] == request_id, packet
        assert isinstance(packet["error"], str) and packet["error"]
        return packet["error"]

    async def expect_nothing(self) -> None:
        """Nothing else came up to now: the very next packet is the answer to a ping."""
        self._pings += 1
        await self.send("ping", request_id=self._pings)
        packet = await self.receive()
        assert packet == {"action": "pong", "request_id": self._pings, "ok": True, "data": None}, packet

    async def expect_close(self, code: int = 1000) -> None:
        """The socket is closed by the server."""
        assert await self.receive() is None
        assert self.connection.close_code == code, self.connection.close_code

    def close(self) -> None:
        """Close it from this side."""
        self.connection.close()

    def drop(self) -> None:
        """Let go of the connection at once, closed or not."""
        self._stream.close()


class Person:
    """A user (or someone who is none yet) with a cookie jar of one cookie."""

    def __init__(self, port: int, name: str, password: str = "secret1") -> None:
        self.port = port
        self.name = name
        self.password = password
        self.id = 0
        self.cookie: str | None = None
        self._sockets: list[Any] = []

    async def request(
        self,
        method: str,
        path: str,
        json_body: Any = NOTHING,
        *,
        raw_body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        with_cookie: bool = True,
    ) -> Answer:
        """Send a request.

        Args:
            json_body: sent as JSON with its Content-Type; by default there is neither body nor Content-Type.
            raw_body: sent as it is, instead.
            headers: further headers.
        """
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"}
        if self.cookie is not None and with_cookie:
            lines["Cookie"] = f"sessionid={self.cookie}"
        body = raw_body
        if json_body is not NOTHING:
            body = json.dumps(json_body).encode()
            lines["Content-Type"] = "application/json"
        if body is not None:
            lines["Content-Length"] = str(len(body))
        lines.update(headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        answer = await exchange(self.port, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))
        for cookie in answer.headers.get_list("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            if name == "sessionid" and with_cookie:
                self.cookie = value.strip('"') or None
        return answer

    async def get(self, path: str, **more: Any) -> Answer:
        """GET."""
        return await self.request("GET", path, **more)

    async def post(self, path: str, json_body: Any = NOTHING, **more: Any) -> Answer:
        """POST; without ``json_body`` there is no body and no Content-Type."""
        return await self.request("POST", path, json_body, **more)

    async def patch(self, path: str, json_body: Any = NOTHING, **more: Any) -> Answer:
        """PATCH."""
        return await self.request("PATCH", path, json_body, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        """DELETE, without a body."""
        return await self.request("DELETE", path, **more)

    async def register(self) -> None:
        """Become a user, signed in."""
        answer = await self.post("/user/register", {"user_name": self.name, "password": self.password})
        self.id = answer.data["id"]

    async def log_in(self) -> Answer:
        """Sign in (again)."""
        return await self.post("/user/login", {"user_name": self.name, "password": self.password})

    async def again(self) -> Person:
        """The same user on another device: a session of its own."""
        other = Person(self.port, self.name, self.password)
        other.id = (await other.log_in()).data["id"]
        self._sockets_of(other)
        return other

    def _sockets_of(self, other: Person) -> None:
        other._sockets = self._sockets  # closed with this one's

    async def socket(self, headers: Mapping[str, str] | None = None) -> Socket:
        """Connect to /ws/."""
        lines = dict(headers or {})
        if self.cookie is not None:
            lines.setdefault("Cookie", f"sessionid={self.cookie}")
        request = HTTPRequest(f"ws://127.0.0.1:{self.port}/ws/", headers=lines)
        socket = Socket(await websocket_connect(request))
        self._sockets.append(socket)
        return socket

    async def new_token(self) -> str:
        """A token, as clients without cookies have them."""
        answer = await self.post("/user/token", {"user_name": self.name, "password": self.password})
        token: str = answer.data["token"]
        return token

    async def connect(self, path: str, *, with_token: bool = False) -> JsonClient:
        """Connect to a socket of another protocol, which takes and sends JSON.

        Args:
            path: of the socket.
            with_token: send a token as ``Authorization: Bearer`` instead of the cookie.
        """
        headers = {"Authorization": f"Bearer {await self.new_token()}"} if with_token else {}
        if not with_token and self.cookie is not None:
            headers["Cookie"] = f"sessionid={self.cookie}"
        client = JsonClient(self.port, path)
        await client.open(headers)
        self.keep(client)
        return client

    async def speak(self, protocol: str) -> ProtocolClient:
        """Connect and sign in by one of Nova's protocols, with a new token.

        Args:
            protocol: actions, methods, modes, rooms or opcodes.

        Raises:
            ValueError: there is none of that name.
            LookupError: the running Nova is without the plugin of that protocol.
        """
        if protocol not in CLIENTS:
            raise ValueError(f"there is no protocol {protocol!r}, but {', '.join(CLIENTS)}")
        try:
            return await CLIENTS[protocol].of(self)
        except HTTPClientError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            raise LookupError(
                f"{protocol} is not spoken here: nova_{protocol} is not among the plugins; a fixture nova_plugins"
                " can add it"
            ) from None

    def keep(self, client: JsonClient) -> None:
        """Close a client with this person's other sockets."""
        self._sockets.append(client)

    async def befriend(self, other: Person) -> int:
        """Become friends (the other one accepts); returns the private chat's id. Sockets get the packets of it."""
        invited = await self.post("/friend/invite", {"id": other.id, "comment": "", "source": "search"})
        assert invited.data is None
        accepted = await other.post("/friend/invite", {"id": self.id, "comment": "", "source": "search"})
        assert accepted.data["friend"]["id"] == self.id
        chats = (await self.get("/chat")).data
        chat_id: int = max(chat["chat"]["chat_id"] for chat in chats if chat["chat"]["chat_name"] == "")
        return chat_id

    async def new_group(self, *members: Person, name: str = "Group") -> int:
        """Make a group with friends; returns its id."""
        answer = await self.post("/chat/new", {"chat_name": name, "chat_members": [member.id for member in members]})
        chat_id: int = answer.data["chat_id"]
        return chat_id

    async def close(self) -> None:
        """Close all sockets, and let go of them: the loop may end before the server's goodbyes come."""
        for socket in self._sockets:
            socket.close()
            socket.drop()
