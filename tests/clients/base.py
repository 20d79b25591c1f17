"""What the tests' clients of all protocols share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from people import WAIT_S
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect


class ProtocolClient:
    """A client of one protocol over a real WebSocket.

    A protocol's client says where its socket is (``path``), how it signs in (``sign_in``), and by which request it
    finds out that nothing else is coming (``barrier``).
    """

    path: ClassVar[str]

    def __init__(self, port: int, token: str | None) -> None:
        self.port = port
        self.token = token
        self.connection: WebSocketClientConnection

    @classmethod
    async def connect(cls, port: int, token: str | None, *, headers: Mapping[str, str] | None = None) -> Self:
        """A client that is signed in with a token (or not at all, with None) and is told of everything from now on."""
        client = cls(port, token)
        await client.open(headers)
        if token is not None:
            await client.sign_in()
        return client

    async def open(self, headers: Mapping[str, str] | None = None) -> None:
        """Shake hands."""
        request = HTTPRequest(f"ws://127.0.0.1:{self.port}{self.path}", headers=dict(headers or {}))
        self.connection = await websocket_connect(request, max_message_size=2**26)

    async def sign_in(self) -> None:
        """Authenticate with ``token``; answers are taken off."""

    def barrier(self) -> Any:
        """A request that changes nothing and is answered with a packet for which ``is_barrier`` holds."""
        raise NotImplementedError

    def is_barrier(self, packet: Any) -> bool:
        """Whether a packet is the answer to ``barrier``."""
        raise NotImplementedError

    async def send(self, packet: Any) -> None:
        """Send a frame: bytes as a binary one, str as it is, anything else as JSON."""
        message = packet if isinstance(packet, str | bytes) else json.dumps(packet)
        await self.connection.write_message(message, binary=isinstance(message, bytes))

    async def receive(self) -> Any:
        """The next packet; None when the socket is closed."""
        async with asyncio.timeout(WAIT_S):
            message = await self.connection.read_message()
        return None if message is None else json.loads(message)

    async def request(self, packet: Any) -> Any:
        """Send a packet and return the next one that comes."""
        await self.send(packet)
        return await self.receive()

    async def drain(self) -> list[Any]:
        """All that came up to now."""
        await self.send(self.barrier())
        packets = []
        while not self.is_barrier(packet := await self.receive()):
            assert packet is not None, f"closed with {self.connection.close_code} after {packets}"
            packets.append(packet)
        return packets

    async def expect_close(self, code: int) -> None:
        """The server closes the socket."""
        packet = await self.receive()
        assert packet is None, packet
        assert self.connection.close_code == code, self.connection.close_code

    def close(self) -> None:
        """Close the socket from this side."""
        self.connection.close()
