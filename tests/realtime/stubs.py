"""A connection without a network: what is written to it is kept, and it takes as much as a test lets it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nova_tornado.realtime.connection import Connection, Outbox
from nova_tornado.realtime.hub import Hub, Packet, WireProtocol


class StubSocket:
    """Takes what ``room`` says, call by call: so many bytes, None for all, or an exception."""

    def __init__(self, room: Iterable[Any] = ()) -> None:
        self.room = list(room)
        self.calls: list[bytes] = []

    def send(self, data: bytes) -> int:
        """Take a part of the data."""
        room = self.room.pop(0) if self.room else None
        if isinstance(room, Exception):
            raise room
        taken = data if room is None else data[:room]
        self.calls.append(bytes(taken))
        return len(taken)


class StubWire:
    """Keeps what waits until a test lets it go, and notes how it was closed."""

    receiver = None

    def __init__(self, sender: StubSocket) -> None:
        self.sender = sender
        self.waiting = b""
        self.closes: list[tuple[int | None, str]] = []

    @property
    def waiting_bytes(self) -> int:
        """How much waits."""
        return len(self.waiting)

    def queue(self, data: bytes) -> None:
        """Let data wait."""
        self.waiting += data

    def drain(self, number: int | None = None) -> None:
        """The socket takes some of what waits."""
        taken, self.waiting = self.waiting[:number], self.waiting[len(self.waiting[:number]) :]
        self.sender.calls.append(taken)

    def close(self, code: int | None, reason: str = "") -> None:
        """Note it."""
        self.closes.append((code, reason))


class StubProtocol(WireProtocol):
    """Renders an event as what a test says."""

    def __init__(self, name: str = "stub", render: Any = None) -> None:
        self.name = name
        self._render = render or (lambda event: [Packet(type(event).__name__.encode(), event.chat.id)])
        self.ended: list[Connection] = []

    def render(self, event: Any) -> Iterable[Packet]:
        """The packets."""
        return self._render(event)

    def end_session(self, connection: Connection) -> None:
        """Note it."""
        self.ended.append(connection)


def connect(hub: Hub, user_id: int = 1, protocol: Any = None, room: Iterable[Any] = ()) -> Connection:
    """A connection with stubs around it."""
    outbox = Outbox(hub, protocol or StubProtocol(), StubWire(StubSocket(room)))
    return Connection(outbox, user_id, b"session")


def sent(connection: Connection) -> bytes:
    """All that its socket took."""
    return b"".join(connection.outbox._sender.calls)


def payloads(frames: bytes) -> list[bytes]:
    """The payloads of unmasked text frames; the last frame must be complete."""
    found = []
    while frames:
        assert frames[0] == 0x81, frames[:2]
        size, start = frames[1], 2
        if size == 126:
            size, start = int.from_bytes(frames[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(frames[2:10], "big"), 10
        assert len(frames) >= start + size, "a frame is cut off"
        found.append(frames[start : start + size])
        frames = frames[start + size :]
    return found
