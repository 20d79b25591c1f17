"""Clients of protocols that speak JSON over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.iostream import IOStream
from tornado.websocket import WebSocketClientConnection, websocket_connect

WAIT_S = 10.0
"""Nothing takes this long; a test that waits longer has failed."""


class JsonClient:
    """A client of whatever speaks JSON over a real WebSocket."""

    def __init__(self, port: int, path: str) -> None:
        self.port = port
        self.path = path
        self.connection: WebSocketClientConnection

    async def open(self, headers: Mapping[str, str] | None = None) -> None:
        """Shake hands."""
        request = HTTPRequest(f"ws://127.0.0.1:{self.port}{self.path}", headers=dict(headers or {}))
        self.connection = await websocket_connect(request, max_message_size=2**26)
        self._stream = stream_of(self.connection)

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

    async def expect_close(self, code: int) -> None:
        """The server closes the socket."""
        packet = await self.receive()
        assert packet is None, packet
        assert self.connection.close_code == code, self.connection.close_code

    def close(self) -> None:
        """Close the socket from this side."""
        self.connection.close()

    def drop(self) -> None:
        """Let go of the connection at once, closed or not."""
        self._stream.close()


def stream_of(connection: WebSocketClientConnection) -> IOStream:
    """What an open connection runs over."""
    stream = connection.protocol.stream if connection.protocol is not None else None
    assert stream is not None
    return stream
