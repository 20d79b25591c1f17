"""The base of all WebSocket handlers: handshake, sign-in, the way into and out of the hub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from nova_tornado.domain.errors import Malformed, NovaError, OriginRefused, TooManyRequests
from nova_tornado.realtime.connection import Connection
from nova_tornado.realtime.frames import is_utf8, is_valid_close
from nova_tornado.realtime.hub import UserLinks, WireProtocol
from nova_tornado.web.base import BODY_MAX_BYTES, BaseHandler, log_fault

log = logging.getLogger(__name__)

FRAME_MAX_BYTES = BODY_MAX_BYTES
FRAMES_PER_TURN = 32
"""Then the others have their turn: frames that lie in the socket already are read without giving way."""
OPCODE_TEXT = 0x1
OPCODE_BINARY = 0x2
OPCODE_CLOSE = 0x8
CLOSE_PROTOCOL_ERROR = 1002
CLOSE_NOT_UTF8 = 1007
CLOSE_TOO_BIG = 1009
LINGER_S = 5
"""How long the rest of a frame that is too large is read and dropped."""
DROPPED_CHUNK_BYTES = 64 * 1024
PING_INTERVAL_S = 30
PING_TIMEOUT_S = 30


class CheckedProtocol(WebSocketProtocol13):
    """Tornado's framing, stricter with the peer's close frame and kinder to the sender of too large a frame."""

    _is_too_big = False

    def _handle_message(self, opcode: int, data: bytes) -> asyncio.Future[None] | None:
        # Tornado would echo a code that no peer may send (RFC 6455, sections 5.5.1 and 7.4).
        if opcode == OPCODE_CLOSE and not is_valid_close(data):
            data = CLOSE_PROTOCOL_ERROR.to_bytes(2, "big")
        # Tornado would drop the connection without a word (section 8.1).
        if opcode == OPCODE_TEXT and not is_utf8(data):
            self.close(CLOSE_NOT_UTF8)
            return None
        if self.server_terminated and opcode in (OPCODE_TEXT, OPCODE_BINARY):
            return None  # what was under way when this side said goodbye
        return super()._handle_message(opcode, data)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close."""
        self._is_too_big |= code == CLOSE_TOO_BIG and not self.client_terminated
        super().close(code, reason)

    def _abort(self) -> None:
        if self._is_too_big:
            self.client_terminated = self.server_terminated = True
        else:
            super()._abort()

    async def _receive_frame_loop(self) -> None:
        await super()._receive_frame_loop()
        if self._is_too_big:
            # Closing with the frame still under way would reset the connection, and the peer might not learn why.
            with suppress(StreamClosedError, TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    while True:
                        await self.stream.read_bytes(DROPPED_CHUNK_BYTES, partial=True)
            self._is_too_big = False
            self._abort()


class BaseSocket(BaseHandler, WebSocketHandler):
    """A WebSocket that is authenticated at its handshake.

    A protocol's socket sets ``protocol`` and answers frames in ``receive``.

    Attributes:
        connection: the way out, None before the sign-in.
    """

    protocol: WireProtocol
    connection: Connection | None = None
    _links: UserLinks | None = None
    _is_counted = False
    _frame_count = 0

    async def prepare(self) -> None:
        """Check what comes before the handshake (called by Tornado)."""
        if self.request.method not in self.allowed_methods():
            raise HTTPError(405)
        if self.request.method == "OPTIONS":
            return
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise Malformed("This is a WebSocket endpoint")
        if not self._is_origin_allowed():
            raise OriginRefused
        limits = self.services.request_limits
        if not limits.take_request(self.remote_address) or not limits.take_connection(self.remote_address):
            raise TooManyRequests
        self._is_counted = True

    def check_origin(self, origin: str) -> bool:
        """Checked already (called by Tornado)."""
        return True

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """The framing (called by Tornado)."""
        protocol = super().get_websocket_protocol()
        return CheckedProtocol(self, False, protocol.params) if isinstance(protocol, WebSocketProtocol13) else protocol

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Shake hands. Who is signed in misses nothing from the handshake on."""
        found = await self.find_session()
        try:
            if found is not None:
                self.session, self.user = found
                self._links = await self.services.hub.link(self.user.id)
            await super().get(*args, **kwargs)
        finally:
            if self.connection is None:
                self._release()

    def open(self, *_args: str, **_kwargs: str) -> None:
        """The handshake is done (called by Tornado)."""
        self.set_nodelay(True)
        if self._links is None:
            self.refuse()
            return
        assert self.ws_connection is not None
        stream = self.ws_connection.stream
        assert stream is not None
        self.connection = Connection(
            self.services.hub, self.protocol, self.user.id, self.session.id, stream, closer=self
        )
        self.services.hub.add(self._links, self.connection)

    def refuse(self) -> None:
        """Tell a socket without a valid sign-in so, and close it."""
        raise NotImplementedError

    def on_close(self) -> None:
        """The socket is gone (called by Tornado)."""
        if self.connection is not None and self._links is not None:
            self.services.hub.remove(self._links, self.connection)
            self._release()

    def _release(self) -> None:
        links, self._links = self._links, None
        if links is not None:
            self.services.hub.unlink(links)
        if self._is_counted:
            self._is_counted = False
            self.services.request_limits.give_connection(self.remote_address)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """A frame came (called by Tornado, which waits for what is returned before it reads the next one)."""
        if self.connection is None or self.connection.is_closing:
            return None
        work = self.receive(message)
        self._frame_count += 1
        return work if self._frame_count % FRAMES_PER_TURN else self._give_way(work)

    @staticmethod
    async def _give_way(work: Awaitable[None] | None) -> None:
        if work is not None:
            await work
        await asyncio.sleep(0)

    def receive(self, message: str | bytes) -> Awaitable[None] | None:
        """Answer a frame: at once, or by what is returned. Must not raise."""
        raise NotImplementedError

    @staticmethod
    def as_refusal(error: BaseException) -> NovaError:
        """What an exception is answered as; our own faults are logged."""
        return log_fault(error)
