"""Live connections, and the bounded outbox of each socket."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from tornado.iostream import StreamClosedError

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
CLOSE_SESSION_ENDED = 4401
"""The token or session was revoked (contract "protocols", section 0.4)."""
CLOSE_TRY_AGAIN_LATER = 1013
"""The reader was too slow; come back and catch up."""


class Topic(StrEnum):
    """News that only those connections are told that have asked for them."""

    PRESENCE = "presence"
    FRIEND_INVITATIONS = "friend_invitations"


NO_TOPICS: frozenset[Topic] = frozenset()


class Closer(Protocol):
    """What ends a connection on the wire."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Send a close frame."""


class Outbox:
    """The way out through one socket.

    Frames pushed in one turn of the event loop go out in one system call. When the socket is full, the stream's own
    queue takes the rest, up to ``OUTBOX_MAX_BYTES``. One frame that is larger by itself may come on top of that for a
    reader who has taken everything before it: he is not behind.

    Attributes:
        protocol: the wire protocol that the socket speaks.
        frames: complete frames pushed in this turn of the event loop; not empty while the hub knows to flush it.
        is_shared: several users are connected through the socket; what is told to more than one of them goes out once.
        is_closing: a close frame was sent; nothing more will be.
        is_held: what is pushed waits for ``release``.
    """

    __slots__ = (
        "_closer",
        "_hub",
        "_large_bytes",
        "_reply_bytes",
        "_socket",
        "_stream",
        "frames",
        "is_closing",
        "is_held",
        "is_shared",
        "protocol",
    )

    def __init__(self, hub: Hub, protocol: WireProtocol, stream: IOStream, closer: Closer) -> None:
        self._hub = hub
        self.protocol = protocol
        self._stream = stream
        self._socket: socket = stream.socket
        self._closer = closer
        self._reply_bytes = 0
        self._large_bytes = 0
        self.frames: list[bytes] = []
        self.is_shared = False
        self.is_closing = False
        self.is_held = False

    def hold(self) -> None:
        """Keep back what is pushed until ``release``."""
        self.is_held = True

    def release(self, first: bytes) -> None:
        """Send complete frames, and behind them what was held back."""
        self.is_held = False
        if first:
            self.frames.insert(0, first)
        self.flush()

    @property
    def closer(self) -> Closer:
        """What ends the connection on the wire: the socket's handler."""
        return self._closer

    @property
    def waiting_bytes(self) -> int:
        """How much was handed to the socket and not taken by the reader yet."""
        waiting = 0 if self._stream.closed() else len(self._stream._write_buffer)  # Tornado counts it and does not tell
        return waiting + sum(map(len, self.frames))

    def push(self, frames: bytes) -> None:
        """Send complete frames with the others of this turn."""
        if not self.frames:
            self._hub.flush_later(self)
        self.frames.append(frames)

    async def reply(self, frames: bytes) -> None:
        """Send what was asked for, however much it is, at the reader's pace: it does not count as his being behind."""
        self.flush()
        if self.is_closing or self._stream.closed():
            return
        self._reply_bytes += len(frames)
        try:
            await self._stream.write(frames)
        except StreamClosedError:
            pass
        finally:
            self._reply_bytes -= len(frames)

    def flush(self) -> None:
        """Write what was pushed; a reader who is too far behind is closed."""
        frames = self.frames
        if not frames or self.is_held:
            return
        if len(frames) == 1:
            data = frames[0]
        elif self.is_shared:
            data = b"".join({id(frame): frame for frame in frames}.values())
        else:
            data = b"".join(frames)
        size = len(data)
        largest_bytes = max(map(len, frames)) if size > OUTBOX_MAX_BYTES else 0
        frames.clear()
        stream = self._stream
        if self.is_closing or stream.closed():
            return
        if stream.writing():
            waiting, sent = len(stream._write_buffer), 0  # Tornado counts it and does not tell
        else:
            waiting = 0
            try:
                sent = self._socket.send(data)
                if sent == size:
                    return
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # the stream notices by itself
            self._large_bytes = largest_bytes
        if waiting + size - sent <= OUTBOX_MAX_BYTES + self._reply_bytes + self._large_bytes:
            stream.write(data[sent:])
            return
        if cut := data[sent : frame_end(data, sent)]:
            stream.write(cut)  # the frame that was begun, so that the close frame can be understood
        self._hub.counts.slow_readers += 1
        log.info("a socket is read too slowly and was closed")
        self.close(CLOSE_TRY_AGAIN_LATER, "too slow, come back")

    def close(self, code: int, reason: str = "") -> None:
        """Send what was pushed, then a close frame."""
        if not self.is_closing:
            self.flush()
            self.is_closing = True
            self._closer.close(code, reason)


class Connection:
    """A signed-in user's connection through a socket.

    Attributes:
        user_id, session_id: who is connected, through which sign-in.
        outbox: the socket's way out.
        protocol: the wire protocol that the socket speaks.
        frames: those of the outbox; the same list, for the hub's sake.
        topics: what it has asked to be told besides.
    """

    __slots__ = ("frames", "outbox", "protocol", "session_id", "topics", "user_id")

    def __init__(self, outbox: Outbox, user_id: int, session_id: bytes) -> None:
        self.protocol = outbox.protocol
        self.user_id = user_id
        self.session_id = session_id
        self.outbox = outbox
        self.frames = outbox.frames
        self.topics = NO_TOPICS

    def watch(self, topic: Topic) -> None:
        """Be told that, too, from now on."""
        self.topics |= {topic}

    def push(self, frames: bytes) -> None:
        """Send complete frames with the others of this turn."""
        self.outbox.push(frames)

    def close(self, code: int, reason: str = "") -> None:
        """Close the socket."""
        self.outbox.close(code, reason)
