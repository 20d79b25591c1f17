"""The base of all WebSocket handlers: handshake, sign-in, the way into and out of the hub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from nova_tornado.domain.errors import ErrorCode, Malformed, NotSignedIn, NovaError, OriginRefused, TooManyRequests
from nova_tornado.domain.models import Session, User
from nova_tornado.logs import note_user
from nova_tornado.realtime.connection import CLOSE_TRY_AGAIN_LATER, Connection, Outbox
from nova_tornado.realtime.frames import is_utf8, is_valid_close, text_frame
from nova_tornado.realtime.hub import UserLinks, WireProtocol
from nova_tornado.services.bot_scopes import hearing_of
from nova_tornado.web.base import BODY_MAX_BYTES, BaseHandler, log_fault
from nova_tornado.web.jsons import dumps, dumps_exact, loads_exact

if TYPE_CHECKING:
    from nova_tornado.web.services import Services

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
HANDSHAKE_STATUS = {
    ErrorCode.MALFORMED: 400,
    ErrorCode.NOT_SIGNED_IN: 401,
    ErrorCode.ORIGIN_REFUSED: 403,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.UNAVAILABLE: 503,
}
"""The HTTP status of a refused handshake (contract "protocols", section 4.1)."""


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
    """A WebSocket with its way into and out of the hub.

    A protocol's socket answers frames in ``receive``.

    Attributes:
        protocol: what it speaks.
        outbox: the way out, None before the handshake is done.
    """

    protocol: WireProtocol
    outbox: Outbox | None = None
    _is_counted = False
    _frame_count = 0

    def initialize(self, services: Services, protocol: WireProtocol | None = None) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services)
        assert protocol is not None
        self.protocol = protocol
        self._links: dict[Connection, UserLinks] = {}

    @classmethod
    def allowed_methods(cls) -> list[str]:
        """The methods of this URL."""
        return ["GET", "OPTIONS"]

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
        """Shake hands."""
        try:
            await super().get(*args, **kwargs)
        finally:
            if self.outbox is None:
                self._release()

    def open(self, *_args: str, **_kwargs: str) -> Awaitable[None] | None:
        """The handshake is done (called by Tornado, which waits for what is returned before it reads a frame)."""
        self.set_nodelay(True)
        assert self.ws_connection is not None
        stream = self.ws_connection.stream
        assert stream is not None
        self.outbox = Outbox(self.services.hub, self.protocol, stream, self)
        return None

    async def connect(self, session: Session, user: User) -> Connection | None:
        """Connect a user: from the return on the socket is told what concerns him.

        Returns:
            None if the socket was closed meanwhile.
        """
        links = await self.services.hub.link(user.id, hearing_of(user))
        if self.outbox is None or self.outbox.is_closing or self.close_code is not None or not self._is_counted:
            self.services.hub.unlink(links)
            return None
        return self._connect(links, session)

    def _connect(self, links: UserLinks, session: Session) -> Connection:
        assert self.outbox is not None
        note_user(links.user_id)
        connection = Connection(self.outbox, links.user_id, session.id)
        self._links[connection] = links
        self.services.hub.add(links, connection)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Tell the socket no more of what concerns that connection's user."""
        links = self._links.pop(connection, None)
        if links is not None:
            self.services.hub.remove(links, connection)
            self.services.hub.unlink(links)

    def on_close(self) -> None:
        """The socket is gone (called by Tornado)."""
        for connection in list(self._links):
            self.disconnect(connection)
        self._release()

    def _release(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self.services.request_limits.give_connection(self.remote_address)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """A frame came (called by Tornado, which waits for what is returned before it reads the next one)."""
        if self.outbox is None or self.outbox.is_closing or self.services.hub.is_leaving:
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

    def answer_error(self, error: NovaError) -> None:
        """Refuse the handshake."""
        self.set_status(HANDSHAKE_STATUS.get(error.code, 500))
        self.finish(dumps({"error": error.message}))

    def answer_http_error(self, status: int) -> None:
        """Answer a wrong method and the like."""
        self.set_status(status)
        self.finish(dumps({"error": "This is a WebSocket endpoint"}))


class SignedInSocket(BaseSocket):
    """A WebSocket that is authenticated at its handshake; its user misses nothing from the handshake on.

    Attributes:
        connection: the user's, None where the handshake of somebody without a sign-in is let through.
        lets_strangers_in: whether it is; then ``refuse`` is called. Otherwise the handshake is answered with an error.
    """

    connection: Connection | None = None
    lets_strangers_in: ClassVar[bool] = False
    _user_links: UserLinks | None = None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Sign in and shake hands."""
        try:
            found = await self.find_session()
            if found is not None:
                self.session, self.user = found
                self._user_links = await self.services.hub.link(self.user.id, hearing_of(self.user))
            elif not self.lets_strangers_in:
                raise NotSignedIn
            await super().get(*args, **kwargs)
        finally:
            if self._user_links is not None:
                self.services.hub.unlink(self._user_links)
            if self.outbox is None:
                self._release()

    async def open(self, *_args: str, **_kwargs: str) -> None:
        """The handshake is done (called by Tornado)."""
        super().open()
        assert self.outbox is not None
        links, self._user_links = self._user_links, None
        if links is None:
            self.refuse()
            return
        self.outbox.hold()
        self.connection = self._connect(links, self.session)
        try:
            greeting = await self.greet()
        except Exception as error:
            log_fault(error)
            self.outbox.close(CLOSE_TRY_AGAIN_LATER, "try again later")
        else:
            self.outbox.release(b"".join(map(text_frame, greeting)))

    async def greet(self) -> Sequence[bytes]:
        """What the user is told first, as payloads of frames: nothing, unless the protocol has a word for it.

        He is connected already. What he is told of meanwhile comes behind it, and his own frames are read after it.
        """
        return ()

    def refuse(self) -> None:
        """Tell a socket without a valid sign-in so, and close it."""
        raise NotImplementedError


class JsonSocket(BaseSocket):
    """A WebSocket whose frames are JSON objects, answered one after the other."""

    def receive(self, message: str | bytes) -> Awaitable[None]:
        """Answer a frame."""
        return self._answer(message)

    async def _answer(self, message: str | bytes) -> None:
        frame: dict[str, Any] | None = None
        try:
            frame = self._read(message)
            await self.answer(frame)
        except Exception as error:
            try:
                self.refuse_frame(self.as_refusal(error), frame)
            except Exception:
                log.exception("a refusal cannot be answered")

    @staticmethod
    def _read(message: str | bytes) -> dict[str, Any]:
        if isinstance(message, bytes):
            raise Malformed("Binary frames are not supported")
        value = loads_exact(message)
        if not isinstance(value, dict):
            raise Malformed("A frame must be a JSON object")
        return value

    def send(self, packet: Any) -> None:
        """Send one frame with what was pushed before it."""
        if self.outbox is not None:
            self.outbox.push(text_frame(dumps_exact(packet)))

    async def send_large(self, packet: Any) -> None:
        """Send one frame of any size at the reader's pace."""
        if self.outbox is not None:
            await self.outbox.reply(text_frame(dumps_exact(packet)))

    async def answer(self, frame: dict[str, Any]) -> None:
        """Carry out one frame's request and answer it.

        Raises:
            NovaError: what ``refuse_frame`` then answers.
        """
        raise NotImplementedError

    def refuse_frame(self, error: NovaError, frame: dict[str, Any] | None) -> None:
        """Answer a refusal.

        Args:
            frame: None if it could not be read.
        """
        raise NotImplementedError
