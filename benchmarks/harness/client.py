"""The load client: many connections in one epoll, deliveries counted by a marker.

Every message body starts with MARK and the sixteen hex digits of the time when it was sent. The client counts MARK in
whatever the server sends, so counting works for every protocol and costs about a microsecond per read. Two bytes are
needed: a single one also turns up in the length of a WebSocket frame. `|~` cannot: a length byte 0x7C is followed by
the payload, which starts with `{`, and a frame of 0x7C7E bytes (31,870) is longer than any message here. Base64 (in
avatars) has neither of the two, and neither XML nor JSON escapes them.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

MARK = b"|~"
MARK_FIRST, MARK_SECOND = MARK[:1], MARK[1]
STAMP_BYTES = 16
BODY_BYTES = 100
PING = b"\x89\x00"
"""An empty WebSocket ping, as Nova sends it now and then; no text has these bytes."""
PING_FIRST = PING[:1]
PONG = b"\x8a\x80\x00\x00\x00\x00"
"""Its answer, masked with zeros."""
now_ns = time.perf_counter_ns


def message_body(tag: bytes = b"") -> bytes:
    """100 bytes: MARK, the time, the tag, filling."""
    return (MARK + b"%016x" % now_ns() + tag).ljust(BODY_BYTES, b"x")


class Connection:
    """One client connection.

    Attributes:
        index: number of the user it belongs to.
        on_data: takes what was read instead of the counting of marks.
        held: bytes that a handler keeps for the next read.
    """

    __slots__ = ("asked_ns", "fd", "half_mark", "held", "index", "on_data", "sock")

    def __init__(self, sock: socket.socket, index: int) -> None:
        self.sock, self.index = sock, index
        self.fd = sock.fileno()
        self.on_data: Callable[[Connection, bytes], None] | None = None
        self.held = b""
        self.half_mark = False  # the last read ended with the marker's first byte
        self.asked_ns = 0

    def send(self, data: bytes) -> None:
        """Send all of it, waiting if the server does not read."""
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.sock.setblocking(True)
            self.sock.sendall(data[sent:])
            self.sock.setblocking(False)


class Hub:
    """The connections of one peer, read in turn.

    Attributes:
        marks: marks seen since the last `reset`; so are `reads`, `received_bytes` and `latencies_ns`.
        sampled: descriptors of the connections whose messages are timed.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._buffer = bytearray(1 << 20)
        self._view = memoryview(self._buffer)
        self.sampled: set[int] = set()
        self.reset()

    def reset(self) -> None:
        """Count from zero."""
        self.marks = self.reads = self.received_bytes = 0
        self.latencies_ns: list[int] = []

    def add(self, connection: Connection) -> None:
        """Read this connection from now on."""
        connection.sock.setblocking(False)
        self._connections[connection.fd] = connection
        self._epoll.register(connection.fd, select.EPOLLIN)

    def drop(self, connection: Connection) -> None:
        """Close a connection."""
        if self._connections.pop(connection.fd, None):
            self._epoll.unregister(connection.fd)
        connection.sock.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._connections.values()):
            self.drop(connection)
        self._epoll.close()

    def poll(self, timeout_s: float) -> int:
        """Read once from every connection that has something; returns how many had.

        Raises:
            ConnectionError: the server closed a connection.
        """
        buffer = self._buffer
        events = self._epoll.poll(timeout_s, 4096)
        for fd, _ in events:
            connection = self._connections.get(fd)
            if connection is None:
                continue
            try:
                size = connection.sock.recv_into(buffer)
            except BlockingIOError:
                continue
            if size == 0:
                raise ConnectionError(f"the server closed the connection of user {connection.index}")
            self.reads += 1
            self.received_bytes += size
            # A single byte is looked for at the speed of memory, two of them at a byte a nanosecond: with frames of
            # 700 bytes, several in a read, that would be half of what this client does.
            if buffer.find(PING_FIRST, 0, size) >= 0 and buffer.find(PING, 0, size) >= 0:
                connection.send(PONG)
            if connection.on_data is not None:
                connection.on_data(connection, bytes(self._view[:size]))
                continue
            marks = int(connection.half_mark and buffer[0] == MARK_SECOND)
            position = buffer.find(MARK_FIRST, 0, size)
            while 0 <= position < size - 1:
                marks += buffer[position + 1] == MARK_SECOND
                position = buffer.find(MARK_FIRST, position + 1, size)
            connection.half_mark = position >= 0  # it is the last byte
            self.marks += marks
            if marks and fd in self.sampled:
                self._take_latencies(size)
        return len(events)

    def _take_latencies(self, size: int) -> None:
        """A stamp that is cut by the end of the read is left out: it is a sample."""
        now, position = now_ns(), 0
        while (position := self._buffer.find(MARK, position, size)) >= 0:
            position += len(MARK)
            stamp = bytes(self._buffer[position : position + STAMP_BYTES])
            if position + STAMP_BYTES > size:
                return
            self.latencies_ns.append(now - int(stamp, 16))

    def answer_pings(self) -> None:
        """Read what lies there from connections that are not measured now: a server ends those that keep silent."""
        while self.poll(0):
            pass

    def drain(self, quiet_s: float, timeout_s: float) -> None:
        """Read until nothing came for `quiet_s`, at most for `timeout_s`."""
        last = time.monotonic()
        end = last + timeout_s
        while time.monotonic() < min(end, last + quiet_s):
            if self.poll(0.05):
                last = time.monotonic()

    def poll_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Read until `done()`; False if that took longer than `timeout_s`."""
        end = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > end:
                return False
            self.poll(0.2)
        return True
