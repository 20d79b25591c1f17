"""The transport between the workers of one machine: a socket pair for each two of them, and nobody in between.

Every message goes to every other worker, which drops what it has not subscribed. So a subscription holds from the
moment it is made, and needs no message of its own. A message is a kind, the lengths of its channel and its payload, and
these two.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Callable, Iterable
from socket import socket

log = logging.getLogger(__name__)

WAITING_MAX_BYTES = 4 * 1024 * 1024
"""What may wait for a worker that does not read, besides what the kernel holds; the rest is lost to it."""
MESSAGE_MAX_BYTES = 1024 * 1024
"""A larger message is lost to everybody."""
PIECE_BYTES = 256 * 1024
"""Messages of one turn of the event loop go out together, up to about this; as much is read at once."""
CLOSE_LIMIT_S = 0.5
"""How long what was published last may take to leave."""

_HEAD = struct.Struct("!BHI")
_MESSAGE = 0
_LOST = 1
"""Something was lost before this place."""
_GOODBYE = 2
"""The other side ends, and has sent all that it had to say."""

Receive = Callable[[str, bytes], None]
Recovered = Callable[[], None]


class RelayTransport:
    """A ``Transport`` over links to each of the other workers.

    A worker that hangs costs the others ``WAITING_MAX_BYTES`` each and none of their time. When it goes on it learns
    that it has missed something; so do all when a worker ends without a goodbye.

    Args:
        links: one connected stream socket to each of the workers that are there already.

    Attributes:
        is_connected: whether it is open.
    """

    def __init__(self, links: Iterable[socket] = ()) -> None:
        self.is_connected = False
        self._new = list(links)
        self._links: set[_Link] = set()
        self._channels: set[bytes] = set()
        self._pushed: list[bytes] = []
        self._pushed_bytes = 0
        self._receive: Receive = lambda _channel, _payload: None
        self._recovered: Recovered = lambda: None

    async def open(self, receive: Receive, recovered: Recovered) -> None:
        """Begin.

        Args:
            receive: called with the channel and the payload of each message of another worker, of subscribed channels.
            recovered: called when anything may have been missed.
        """
        self._receive, self._recovered = receive, recovered
        self.is_connected = True
        while self._new:
            self.add_link(self._new.pop())

    def add_link(self, link: socket) -> None:
        """Another worker was started; this is the way to it."""
        if self.is_connected:
            self._links.add(_Link(link, asyncio.get_running_loop(), self._take, self._tell_recovered, self._drop))
        else:
            self._new.append(link)

    def subscribe(self, channels: Iterable[str]) -> None:
        """Hear of these channels, too."""
        self._channels.update(channel.encode() for channel in channels)

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Hear no more of these channels."""
        self._channels.difference_update(channel.encode() for channel in channels)

    def publish(self, channel: str, payload: bytes) -> None:
        """Send a message with the others of this turn of the event loop. Never blocks, never raises; it may be lost."""
        if not self.is_connected or not self._links:
            return
        name = channel.encode()
        if len(name) + len(payload) > MESSAGE_MAX_BYTES or len(name) > 0xFFFF:
            log.warning("a message of %d bytes is too large for the other workers", len(payload))
            self._flush()
            for link in self._links:
                link.lose()
            return
        if not self._pushed:
            asyncio.get_running_loop().call_soon(self._flush)
        message = b"".join((_HEAD.pack(_MESSAGE, len(name), len(payload)), name, payload))
        self._pushed.append(message)
        self._pushed_bytes += len(message)
        if self._pushed_bytes >= PIECE_BYTES:
            self._flush()

    async def close(self) -> None:
        """Send what was published, say goodbye, and end."""
        self._flush()
        self.is_connected = False
        links = list(self._links)
        goodbyes = [asyncio.create_task(link.say_goodbye()) for link in links]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=CLOSE_LIMIT_S)
        for goodbye, link in zip(goodbyes, links, strict=True):
            goodbye.cancel()
            link.close()
        self._links.clear()
        for link_socket in self._new:
            link_socket.close()
        self._new.clear()

    def _flush(self) -> None:
        if not self._pushed:
            return
        data = b"".join(self._pushed)
        self._pushed.clear()
        self._pushed_bytes = 0
        for link in list(self._links):
            link.push(data)

    def _take(self, channel: bytes, payload: bytes) -> None:
        if channel in self._channels:
            try:
                self._receive(channel.decode(), payload)
            except Exception:
                log.exception("a message of another worker cannot be taken")

    def _tell_recovered(self) -> None:
        if not self.is_connected:
            return
        try:
            self._recovered()
        except Exception:
            log.exception("what was missed of another worker cannot be made up for")

    def _drop(self, link: _Link) -> None:
        self._links.discard(link)


class _Link:
    """The way to and from one other worker."""

    def __init__(
        self,
        link: socket,
        loop: asyncio.AbstractEventLoop,
        take: Callable[[bytes, bytes], None],
        recovered: Recovered,
        gone: Callable[[_Link], None],
    ) -> None:
        link.setblocking(False)
        self._socket = link
        self._loop = loop
        self._take = take
        self._recovered = recovered
        self._gone = gone
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._has_lost = False
        self._said_goodbye = False
        self._is_closed = False
        self._is_broken = False
        self._sent = asyncio.Event()
        self._sent.set()
        self._received = bytearray()
        loop.add_reader(link.fileno(), self._read)

    def push(self, data: bytes) -> None:
        """Send complete messages, or lose them all."""
        if self._is_closed or self._is_broken or self._has_lost:
            return
        if self._waiting_bytes + len(data) > WAITING_MAX_BYTES:
            self._has_lost = True  # told when what waits is through: it must come behind it
            return
        sent = 0
        if not self._waiting:
            sent = self._send(data)
            if sent == len(data) or self._is_broken:
                return
            self._loop.add_writer(self._socket.fileno(), self._write)
            self._sent.clear()
        self._waiting.append(memoryview(data)[sent:])
        self._waiting_bytes += len(data) - sent

    def lose(self) -> None:
        """Tell the other side that it has missed something."""
        if self._waiting:
            self._has_lost = True
        else:
            self.push(_HEAD.pack(_LOST, 0, 0))

    async def say_goodbye(self) -> None:
        """Return when all is sent."""
        await self._sent.wait()
        self.push(_HEAD.pack(_GOODBYE, 0, 0))
        await self._sent.wait()

    def close(self) -> None:
        """End it."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._waiting.clear()
            self._sent.set()

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            # The other side is gone; what it has said before is still to be read, and then its end.
            self._is_broken = True
            return 0

    def _write(self) -> None:
        while self._waiting and not self._is_broken:
            first = self._waiting[0]
            sent = self._send(first)
            self._waiting_bytes -= sent
            if sent == len(first):
                self._waiting.popleft()
            elif not self._is_broken:
                self._waiting[0] = first[sent:]
                return
        self._waiting.clear()
        self._waiting_bytes = 0
        self._loop.remove_writer(self._socket.fileno())
        self._sent.set()
        if self._has_lost:
            self._has_lost = False
            self.lose()

    def _read(self) -> None:
        try:
            data = self._socket.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        received = self._received
        received += data
        at, size = 0, len(received)
        while size - at >= _HEAD.size and not self._is_closed:
            kind, name_bytes, payload_bytes = _HEAD.unpack_from(received, at)
            name_at = at + _HEAD.size
            payload_at = name_at + name_bytes
            end = payload_at + payload_bytes
            if end > size:
                break
            at = end
            if kind == _MESSAGE:
                self._take(bytes(received[name_at:payload_at]), bytes(received[payload_at:end]))
            elif kind == _LOST:
                self._recovered()
            else:
                self._said_goodbye = True
        del received[:at]

    def _end(self) -> None:
        """The other side is gone."""
        if self._is_closed:
            return
        self.close()
        self._gone(self)
        if not self._said_goodbye:
            self._recovered()
