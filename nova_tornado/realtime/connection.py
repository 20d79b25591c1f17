"""Live connections, and the bounded outbox of each socket."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING

from nova_tornado.realtime.frames import frame_end

if TYPE_CHECKING:
    from nova_tornado.realtime.hub import Hub, UserLinks, WireProtocol
    from nova_tornado.realtime.wire import Receiver, Wire

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


class Outbox:
    """The way out through one socket.

    Frames pushed in one turn of the event loop go out in one system call. When the socket is full, the wire keeps the
    rest, up to ``OUTBOX_MAX_BYTES``. One frame that is larger by itself may come on top of that for a
    reader who has taken everything before it: he is not behind.

    Attributes:
        protocol: the wire protocol that the socket speaks.
        frames: complete frames pushed in this turn of the event loop; not empty while the hub knows to flush it.
        is_shared: several users are connected through the socket; what is told to more than one of them goes out once.
        is_closing: a close frame was sent; nothing more will be.
        is_held: what is pushed waits for ``release``.
    """

    __slots__ = (
        "_hub",
        "_large_bytes",
        "_reply_bytes",
        "_sender",
        "_wire",
        "frames",
        "is_closing",
        "is_held",
        "is_shared",
        "protocol",
    )

    def __init__(self, hub: Hub, protocol: WireProtocol, wire: Wire) -> None:
        self._hub = hub
        self.protocol = protocol
        self._wire = wire
        self._sender = wire.sender  # at hand, because every delivery goes through it
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
    def receiver(self) -> Receiver:
        """Who answers what comes in: the protocol's socket."""
        return self._wire.receiver

    @property
    def waiting_bytes(self) -> int:
        """What waits until the reader takes it."""
        return self._wire.waiting_bytes + sum(map(len, self.frames))

    def push(self, frames: bytes) -> None:
        """Send complete frames with the others of this turn."""
        if not self.frames:
            self._hub.flush_later(self)
        self.frames.append(frames)

    async def reply(self, frames: bytes) -> None:
        """Send what was asked for, however much it is, at the reader's pace: it does not count as his being behind."""
        self.flush()
        if self.is_closing:
            return
        self._reply_bytes += len(frames)
        try:
            await self._wire.write_all(frames)
        finally:
            self._reply_bytes -= len(frames)

    def flush(self, joined: bytes | None = None) -> None:
        """Write what was pushed; a reader who is too far behind is closed.

        Args:
            joined: ``frames`` as one piece, where the caller has it.
        """
        frames = self.frames
        if not frames or self.is_held:
            return
        if self.is_shared:
            data = b"".join({id(frame): frame for frame in frames}.values())
        else:
            data = b"".join(frames) if joined is None else joined
        size = len(data)
        largest_bytes = max(map(len, frames)) if size > OUTBOX_MAX_BYTES else 0
        frames.clear()
        if self.is_closing:
            return
        wire = self._wire
        waiting, sent = wire.waiting_bytes, 0
        if not waiting:
            try:
                sent = self._sender.send(data)
                if sent == size:
                    return
            except BlockingIOError:
                pass
            except OSError:
                return  # the reader notices by itself
            self._large_bytes = largest_bytes
        if waiting + size - sent <= OUTBOX_MAX_BYTES + self._reply_bytes + self._large_bytes:
            wire.queue(data[sent:])
            return
        if cut := data[sent : frame_end(data, sent)]:
            wire.queue(cut)  # the frame that was begun, so that the close frame can be understood
        self._hub.counts.slow_readers += 1
        log.info("a socket is read too slowly and was closed")
        self.close(CLOSE_TRY_AGAIN_LATER, "too slow, come back")

    def close(self, code: int | None, reason: str = "") -> None:
        """Send what was pushed, then a close frame."""
        if not self.is_closing:
            self.flush()
            if not self.is_closing:  # he may have been too slow
                self.is_closing = True
                self._wire.close(code, reason)


class Connection:
    """A signed-in user's connection through a socket.

    Attributes:
        user_id, session_id: who is connected, through which sign-in.
        outbox: the socket's way out.
        links: what the hub keeps of the user; None where it does not know the connection.
        protocol: the wire protocol that the socket speaks.
        frames: those of the outbox; the same list, for the hub's sake.
        topics: what it has asked to be told besides.
    """

    __slots__ = ("frames", "links", "outbox", "protocol", "session_id", "topics", "user_id")

    def __init__(self, outbox: Outbox, user_id: int, session_id: bytes, links: UserLinks | None = None) -> None:
        self.protocol = outbox.protocol
        self.user_id = user_id
        self.session_id = session_id
        self.outbox = outbox
        self.frames = outbox.frames
        self.topics = NO_TOPICS
        self.links = links

    def watch(self, topic: Topic) -> None:
        """Be told that, too, from now on."""
        self.topics |= {topic}

    def push(self, frames: bytes) -> None:
        """Send complete frames with the others of this turn."""
        self.outbox.push(frames)

    def close(self, code: int, reason: str = "") -> None:
        """Close the socket."""
        self.outbox.close(code, reason)
