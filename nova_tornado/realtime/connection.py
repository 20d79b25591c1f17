"""One live connection with its bounded outbox."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from nova_tornado.realtime.frames import frame_end

if TYPE_CHECKING:
    from socket import socket

    from tornado.iostream import IOStream

    from nova_tornado.realtime.hub import Hub, WireProtocol

log = logging.getLogger(__name__)

OUTBOX_MAX_BYTES = 1024 * 1024
"""What may wait for a reader; who is further behind is closed and comes back."""

CLOSE_NORMAL = 1000
CLOSE_SERVICE_RESTART = 1012
"""The server goes down; come back (registered after RFC 6455)."""
CLOSE_TRY_AGAIN_LATER = 1013
"""The reader was too slow; come back and catch up."""


class Closer(Protocol):
    """What ends a connection on the wire."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Send a close frame."""


class Connection:
    """A connected socket of a signed-in user.

    Frames pushed in one turn of the event loop go out in one system call. When the socket is full, the stream's own
    queue takes the rest, up to ``OUTBOX_MAX_BYTES``.

    Attributes:
        user_id, session_id: who is connected, through which sign-in.
        protocol: the wire protocol it speaks.
        outbox: complete frames pushed in this turn of the event loop; not empty while the hub knows to flush it.
        watches_presence: it asked to be told who comes and goes.
        is_closing: a close frame was sent; nothing more will be.
    """

    __slots__ = (
        "_closer",
        "_hub",
        "_socket",
        "_stream",
        "is_closing",
        "outbox",
        "protocol",
        "session_id",
        "user_id",
        "watches_presence",
    )

    def __init__(
        self, hub: Hub, protocol: WireProtocol, user_id: int, session_id: bytes, stream: IOStream, closer: Closer
    ) -> None:
        self._hub = hub
        self.protocol = protocol
        self.user_id = user_id
        self.session_id = session_id
        self._stream = stream
        self._socket: socket = stream.socket
        self._closer = closer
        self.outbox: list[bytes] = []
        self.watches_presence = False
        self.is_closing = False

    def push(self, frames: bytes) -> None:
        """Send complete frames with the others of this turn."""
        if not self.outbox:
            self._hub.flush_later(self)
        self.outbox.append(frames)

    def flush(self) -> None:
        """Write what was pushed; a reader who is too far behind is closed."""
        outbox = self.outbox
        if not outbox:
            return
        data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
        self.outbox = []
        stream = self._stream
        if self.is_closing or stream.closed():
            return
        if stream.writing():
            waiting, sent = len(stream._write_buffer), 0  # Tornado counts it and does not tell
        else:
            waiting = 0
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # the stream notices by itself
            if sent == len(data):
                return
        if waiting + len(data) - sent <= OUTBOX_MAX_BYTES:
            stream.write(data[sent:])
            return
        if cut := data[sent : frame_end(data, sent)]:
            stream.write(cut)  # the frame that was begun, so that the close frame can be understood
        log.info("user %d reads too slowly, connection closed", self.user_id)
        self.close(CLOSE_TRY_AGAIN_LATER, "too slow, come back")

    def close(self, code: int, reason: str = "") -> None:
        """Send what was pushed, then a close frame."""
        if not self.is_closing:
            self.flush()
            self.is_closing = True
            self._closer.close(code, reason)
