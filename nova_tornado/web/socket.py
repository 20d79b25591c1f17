"""The base of all WebSocket handlers: handshake, sign-in, the way into and out of the hub."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from socket import socket
from sys import intern
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.iostream import IOStream
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from nova_tornado.domain.errors import ErrorCode, Malformed, NotSignedIn, NovaError, OriginRefused, TooManyRequests
from nova_tornado.domain.models import Session, User
from nova_tornado.logs import note_user
from nova_tornado.realtime.connection import CLOSE_TRY_AGAIN_LATER, Connection, Outbox
from nova_tornado.realtime.frames import text_frame
from nova_tornado.realtime.hub import UserLinks, WireProtocol
from nova_tornado.realtime.wire import SocketWire, StreamWire, Wire
from nova_tornado.services.bot_scopes import hearing_of
from nova_tornado.web.base import BaseHandler, log_fault
from nova_tornado.web.jsons import dumps, dumps_exact, loads_exact

if TYPE_CHECKING:
    from nova_tornado.web.services import Services

log = logging.getLogger(__name__)

HANDSHAKE_STATUS = {
    ErrorCode.MALFORMED: 400,
    ErrorCode.NOT_SIGNED_IN: 401,
    ErrorCode.ORIGIN_REFUSED: 403,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.UNAVAILABLE: 503,
}
"""The HTTP status of a refused handshake (contract "protocols", section 4.1)."""


_OF_TORNADO = frozenset(
    (
        *("application", "request", "ui", "ws_connection", "close_code", "close_reason", "body"),
        *("open_args", "open_kwargs", "path_args", "path_kwargs"),
        *("write", "redirect", "set_header", "set_cookie", "set_status", "flush", "finish"),
        *("_transforms", "_on_close_called", "_of_request"),
    )
)
"""What a handler keeps of its request, besides what it has from its beginning."""


class Handshake(WebSocketProtocol13):
    """Tornado's handshake; what comes after it is the work of a ``Wire``."""

    def start_pinging(self) -> None:
        """The wire does."""

    async def _receive_frame_loop(self) -> None:
        assert isinstance(self.handler, BaseSocket)
        self.handler.leave_tornado()

    def _abort(self) -> None:
        assert isinstance(self.handler, BaseSocket)
        self.handler.abort()
        super()._abort()


def take_socket(stream: IOStream) -> tuple[socket, bytes]:
    """Take a socket away from Tornado, with what was read from it already."""
    sock, first = stream.socket, bytes(stream._read_buffer)
    stream.io_loop.remove_handler(stream.fileno())
    stream.socket = stream._state = None  # type: ignore[assignment]  # else the stream's end would be the socket's
    return sock, first


class BaseSocket(BaseHandler, WebSocketHandler):
    """A WebSocket with its way into and out of the hub.

    A protocol's socket answers frames in ``receive``. After the handshake nothing is left of the HTTP request: what is
    needed of it later must be taken before (``find_session``) or in ``open``.

    Attributes:
        protocol: what it speaks.
        outbox: the way out, None before the handshake is done.
    """

    protocol: WireProtocol
    outbox: Outbox | None = None
    _address: str | None = None
    _wire: Wire | None = None
    _connections: tuple[Connection, ...] = ()
    _is_counted = False
    _auto_finish = False  # what Tornado still looks at when the handshake is done
    _prepared_future = None

    def initialize(self, services: Services, protocol: WireProtocol | None = None) -> None:
        """Take the parts (called by Tornado)."""
        self._of_request = frozenset(vars(self))
        super().initialize(services)
        assert protocol is not None
        self.protocol = protocol

    @property
    def remote_address(self) -> str:
        """The client's address, also after the handshake."""
        if self._address is None:
            self._address = intern(super().remote_address)
        return self._address

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
        """The handshake of our own (called by Tornado)."""
        protocol = super().get_websocket_protocol()
        return Handshake(self, False, protocol.params) if isinstance(protocol, WebSocketProtocol13) else protocol

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
        if type(stream) is IOStream and not stream.writing() and not stream.closed():
            self._wire = SocketWire(*take_socket(stream), self.services.keep_alive, self)
            self.ws_connection.stream = None
        else:
            self._wire = StreamWire(stream, self.services.keep_alive, self)
        self.outbox = Outbox(self.services.hub, self.protocol, self._wire)
        return None

    def leave_tornado(self) -> None:
        """Go on without Tornado: forget the request, and begin to read (called when the handshake is done)."""
        wire = self._wire
        assert wire is not None
        gone = self._of_request | _OF_TORNADO
        self.__dict__ = {name: value for name, value in vars(self).items() if name not in gone}
        wire.start()

    async def connect(self, session: Session, user: User) -> Connection | None:
        """Connect a user: from the return on the socket is told what concerns him.

        Returns:
            None if the socket was closed meanwhile.
        """
        links = await self.services.hub.link(user.id, hearing_of(user))
        if self.outbox is None or self.outbox.is_closing or not self._is_counted:
            self.services.hub.unlink(links)
            return None
        return self._connect(links, session)

    def _connect(self, links: UserLinks, session: Session) -> Connection:
        assert self.outbox is not None
        note_user(links.user_id)
        connection = Connection(self.outbox, links.user_id, session.id, links)
        self._connections = (*self._connections, connection)
        self.services.hub.add(links, connection)
        return connection

    def disconnect(self, connection: Connection) -> bool:
        """Tell the socket no more of what concerns that connection's user; False if that is so already."""
        if connection not in self._connections or connection.links is None:
            return False
        self._connections = tuple(each for each in self._connections if each is not connection)
        self.services.hub.remove(connection.links, connection)
        self.services.hub.unlink(connection.links)
        return True

    def on_close(self) -> None:
        """The client is gone, maybe before the handshake was done (called by Tornado, too)."""
        for connection in self._connections:
            self.disconnect(connection)
        self._release()

    def _release(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self.services.request_limits.give_connection(self.remote_address)

    def abort(self) -> None:
        """End at once what the handshake has begun."""
        if self._wire is not None:
            self._wire.abort()

    # What the wire tells

    def on_frame(self, message: str | bytes) -> Awaitable[None] | None:
        """A message came."""
        if self.outbox is None or self.outbox.is_closing or self.services.hub.is_leaving:
            return None
        return self.receive(message)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Send what was pushed, then a close frame."""
        if self.outbox is not None:
            self.outbox.close(code, reason or "")

    def on_gone(self) -> None:
        """The socket is gone."""
        self.on_close()

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
        # Not set to None: with an eleventh attribute, each idle socket would take 192 bytes more.
        links: UserLinks | None = vars(self).pop("_user_links", None)
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
