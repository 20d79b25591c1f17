"""A WebSocket connection after its handshake: frames in and out of a socket (RFC 6455), without a task or a buffer
while nothing happens.

``SocketWire`` works on the bare socket; ``StreamWire`` on Tornado's stream, for TLS. What a client sees is the same.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from socket import SHUT_WR, socket
from typing import Protocol

from tornado.iostream import IOStream, StreamClosedError

from nova_tornado.realtime.frame_reader import BINARY, CLOSE, PING, BadFrame, FrameReader
from nova_tornado.realtime.frames import PING_FRAME, close_frame, pong_frame
from nova_tornado.realtime.keep_alive import KeepAlive

log = logging.getLogger(__name__)

FRAME_MAX_BYTES = 16 * 1024 * 1024
"""A message of a client, in however many frames."""
FRAMES_PER_TURN = 32
"""Then the others have their turn: frames that lie in the socket already are read without giving way."""
READ_MAX_BYTES = 64 * 1024
JOINED_MAX_BYTES = 64 * 1024
"""Smaller pieces that wait are joined, so that a socket that has room again gets them with few calls."""

PONGS_MAX_WAITING_BYTES = 64 * 1024
"""Whoever pings and does not read gets no answer beyond this; not every ping needs one (RFC 6455, section 5.5.3)."""


class Receiver(Protocol):
    """What is told of the frames that come."""

    def on_frame(self, message: str | bytes) -> Awaitable[None] | None:
        """A message came; the next one is looked at when what is returned is done. Must not raise."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Send what is left to say, then call the wire's ``close``."""

    def on_gone(self) -> None:
        """Nothing more comes, and nothing more can be told. Called once."""


class Sender(Protocol):
    """What takes bytes at once, as a non-blocking socket does."""

    def send(self, data: bytes, /) -> int:
        """How many bytes were taken. Raises ``BlockingIOError`` if none can be now."""


class Backlog:
    """What waits until a socket has room.

    Attributes:
        size: in bytes.
    """

    __slots__ = ("_chunks", "_offset", "_taken", "_waiting", "size")

    def __init__(self) -> None:
        self._chunks: deque[bytes | bytearray | memoryview] = deque()
        self._offset = 0
        self._taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.size = 0

    def append(self, data: bytes | memoryview) -> None:
        """Let more wait behind the rest."""
        chunks = self._chunks
        self.size += len(data)
        if chunks and isinstance(last := chunks[-1], bytearray) and len(last) + len(data) <= JOINED_MAX_BYTES:
            last += data
        else:
            chunks.append(bytearray(data) if len(data) < JOINED_MAX_BYTES else data)

    def head(self) -> bytes:
        """What is to be written next."""
        return bytes(memoryview(self._chunks[0])[self._offset : self._offset + 4 * JOINED_MAX_BYTES])

    def take(self, count: int) -> None:
        """So many bytes of the head were written."""
        self._offset += count
        self._taken += count
        self.size -= count
        if self._offset == len(self._chunks[0]):
            self._chunks.popleft()
            self._offset = 0
        while self._waiting and self._waiting[0][0] <= self._taken:
            _resolve(self._waiting.popleft()[1])

    def written(self) -> asyncio.Future[None]:
        """Done when all that is in here now was written, or dropped."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._taken + self.size, future))
        return future

    def drop(self) -> None:
        """Nobody will read it."""
        for _, future in self._waiting:
            _resolve(future)
        self._waiting.clear()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Wire(ABC):
    """The rules of the protocol, whatever carries the bytes.

    Attributes:
        receiver: told of what comes.
        sender: takes bytes at once while nothing waits (``waiting_bytes`` is 0).
        is_closed: the socket is gone.
    """

    __slots__ = (
        "__weakref__",
        "_backlog",
        "_frame_count",
        "_frames",
        "_has_heard_close",
        "_has_sent_close",
        "_is_broken",
        "_is_dropping",
        "_is_gone",
        "_is_heard",
        "_is_pinged",
        "_keep_alive",
        "_work",
        "is_closed",
        "receiver",
        "sender",
        "watch_slot",
    )

    def __init__(self, sender: Sender, keep_alive: KeepAlive, receiver: Receiver) -> None:
        self.sender = sender
        self.receiver = receiver
        self.is_closed = False
        self.watch_slot = -1
        self._keep_alive = keep_alive
        self._frames = FrameReader(FRAME_MAX_BYTES)
        self._frame_count = 0
        self._backlog: Backlog | None = None
        self._work: asyncio.Task[None] | None = None
        self._has_sent_close = False
        self._has_heard_close = False
        self._is_dropping = False  # what comes is not looked at any more
        self._is_broken = False  # nothing can be written any more
        self._is_gone = False  # the receiver knows
        self._is_heard = True
        self._is_pinged = False
        keep_alive.add(self)

    # What carries the bytes

    @abstractmethod
    def start(self) -> None:
        """Begin to read."""

    @abstractmethod
    def _write_backlog(self) -> None:
        """Begin to write what waits, whenever there is room."""

    @abstractmethod
    def _go_on_reading(self) -> None:
        """What has come was worked through."""

    @abstractmethod
    def _end_writing(self) -> None:
        """Tell the client that nothing more comes, and go on reading."""

    @abstractmethod
    def _let_go(self) -> None:
        """Close the socket."""

    # In

    def _take(self, data: bytes) -> None:
        """Bytes have come, and no work is under way."""
        self._is_heard = True
        if self._is_dropping:
            return
        self._frames.feed(data)
        work = self._answer_frames()
        if work is not None:
            self._work = asyncio.create_task(self._work_through(work), name="frames of a socket")

    def _answer_frames(self) -> Awaitable[None] | None:
        """Hand frames on, up to one that must be waited for, or until it is the others' turn."""
        frames, receiver = self._frames, self.receiver
        try:
            while not (self._has_heard_close or self.is_closed) and (frame := frames.next_frame()) is not None:
                opcode, data = frame
                if opcode <= BINARY:
                    if self._has_sent_close:
                        continue  # it was under way when this side said goodbye
                    self._frame_count += 1
                    work = receiver.on_frame(data)
                    if not self._frame_count % FRAMES_PER_TURN:
                        return _give_way(work)
                    if work is not None:
                        return work
                else:
                    assert isinstance(data, bytes)
                    self._answer_control(opcode, data)
        except BadFrame as error:
            self._fail(error)
        return None

    async def _work_through(self, work: Awaitable[None] | None) -> None:
        try:
            while work is not None:
                await work
                work = self._answer_frames()
        except Exception:
            log.exception("a frame cannot be answered")
            self.abort()
        finally:
            self._work = None
            if not self.is_closed:
                self._go_on_reading()

    def _answer_control(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self._has_heard_close = True
            self.receiver.close(int.from_bytes(payload[:2], "big") if payload else None)
            self._end_if_done()
        elif opcode == PING and not self._has_sent_close and self.waiting_bytes <= PONGS_MAX_WAITING_BYTES:
            self.write(pong_frame(payload))

    def _fail(self, error: BadFrame) -> None:
        """Say what was wrong, and drop what is still coming.

        Closing at once would reset the connection, and the client might not learn why.
        """
        self._is_dropping = True
        self.receiver.close(error.code, error.reason)
        self._tell_gone()
        self._end_if_done()

    # Out

    @property
    def waiting_bytes(self) -> int:
        """What waits until the socket has room."""
        return 0 if self._backlog is None else self._backlog.size

    def write(self, data: bytes) -> None:
        """Send, behind what waits."""
        sent = 0
        if self._backlog is None:
            with suppress(OSError):  # full, or broken, which the reader notices by itself
                sent = self.sender.send(data)
        if sent < len(data):
            self.queue(data[sent:])

    def queue(self, data: bytes | memoryview) -> None:
        """Let wait what the socket did not take."""
        if self.is_closed or self._is_broken:
            return
        if self._backlog is None:
            self._backlog = Backlog()
            self._backlog.append(data)
            self._write_backlog()
        else:
            self._backlog.append(data)

    async def write_all(self, data: bytes) -> None:
        """Send, and return when the socket has taken all of it, or is gone."""
        self.write(data)
        if self._backlog is not None:
            await self._backlog.written()

    def _written(self, count: int) -> None:
        """Room was found for a part of what waited."""
        assert self._backlog is not None
        self._is_heard = True  # whoever reads is alive
        self._backlog.take(count)
        if not self._backlog.size:
            self._backlog = None
            self._end_if_done()

    def _break(self) -> None:
        """Nothing can be written any more; what has come is still worked through, the reader finds the end."""
        self._is_broken = True
        self._drop_backlog()

    def _drop_backlog(self) -> None:
        backlog, self._backlog = self._backlog, None
        if backlog is not None:
            backlog.drop()

    # The end

    def close(self, code: int | None, reason: str = "") -> None:
        """Say goodbye behind what waits, and let the client say it, too; its time is limited."""
        if not self._has_sent_close and not self.is_closed:
            self._has_sent_close = True
            self._keep_alive.end_soon(self)
            self.write(close_frame(code, reason))

    def _end_if_done(self) -> None:
        if not self._has_sent_close or self._backlog is not None or self.is_closed:
            return
        if self._has_heard_close:
            self.abort()
        elif self._is_dropping:
            self._end_writing()

    def _tell_gone(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            self.receiver.on_gone()

    def abort(self) -> None:
        """End at once."""
        if not self.is_closed:
            self.is_closed = True
            self._keep_alive.remove(self)
            self._let_go()
            self._drop_backlog()
            self._tell_gone()

    def check_alive(self) -> None:
        """Ping whoever has said something since the last time; end what was silent since its ping."""
        if self._work is not None and self._backlog is None:
            self._is_heard = True  # it waits for us
        if self._is_pinged and not self._is_heard:
            self.abort()
            return
        self._is_pinged, self._is_heard = True, False
        if self._backlog is None and not self._has_sent_close:
            self.write(PING_FRAME)


async def _give_way(work: Awaitable[None] | None) -> None:
    if work is not None:
        await work
    await asyncio.sleep(0)


class SocketWire(Wire):
    """On the bare socket, which the event loop watches."""

    __slots__ = ("_is_reading", "_socket")

    def __init__(self, sock: socket, first: bytes, keep_alive: KeepAlive, receiver: Receiver) -> None:
        super().__init__(sock, keep_alive, receiver)
        self._socket = sock
        self._is_reading = False
        self._frames.feed(first)

    def start(self) -> None:
        """Begin to read."""
        if not self.is_closed:
            self._take(b"")
            if self._work is None:
                self._go_on_reading()

    def _go_on_reading(self) -> None:
        if not self._is_reading and not self.is_closed:
            self._is_reading = True
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._on_readable)

    def _stop_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def _on_readable(self) -> None:
        if self._work is not None:
            self._stop_reading()  # only now: most work is done before more comes
            return
        try:
            data = self._socket.recv(READ_MAX_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(data)
        else:
            self.abort()

    def _write_backlog(self) -> None:
        asyncio.get_running_loop().add_writer(self._socket.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        try:
            while self._backlog is not None:
                head = self._backlog.head()
                sent = self._socket.send(head)
                if sent == self._backlog.size:
                    asyncio.get_running_loop().remove_writer(self._socket.fileno())
                self._written(sent)
                if sent < len(head):
                    break
        except BlockingIOError:
            pass
        except OSError:
            self._break()

    def _drop_backlog(self) -> None:
        if self._backlog is not None and self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_writer(self._socket.fileno())
        super()._drop_backlog()

    def _end_writing(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(SHUT_WR)

    def _let_go(self) -> None:
        self._stop_reading()
        self._drop_backlog()
        self._socket.close()


class StreamWire(Wire):
    """On Tornado's stream: TLS wants more than a socket's own calls."""

    __slots__ = ("_reading", "_stream", "_writing")

    def __init__(self, stream: IOStream, keep_alive: KeepAlive, receiver: Receiver) -> None:
        super().__init__(self, keep_alive, receiver)
        self._stream = stream
        self._reading: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    def send(self, data: bytes) -> int:
        """Take pieces until one of them waits in the stream."""
        sent = 0
        while sent < len(data) and not self._stream.writing():
            piece = data[sent : sent + JOINED_MAX_BYTES]
            self._write(piece)
            sent += len(piece)
        return sent

    def _write(self, data: bytes) -> asyncio.Future[None]:
        try:
            written = self._stream.write(data)
        except StreamClosedError:
            raise BrokenPipeError from None
        written.add_done_callback(lambda done: done.cancelled() or done.exception())  # the reader notices
        return written

    def start(self) -> None:
        """Begin to read."""
        if not self.is_closed:
            self._reading = asyncio.create_task(self._read(), name="reader of a TLS socket")

    async def _read(self) -> None:
        try:
            while not self.is_closed:
                self._take(await self._stream.read_bytes(READ_MAX_BYTES, partial=True))
                while self._work is not None:
                    await asyncio.wait([self._work])
        except StreamClosedError:
            self.abort()

    def _go_on_reading(self) -> None:
        """The reader waits for the end of the work by itself."""

    def _write_backlog(self) -> None:
        self._writing = asyncio.create_task(self._write_all(), name="writer of a TLS socket")

    async def _write_all(self) -> None:
        try:
            while self._backlog is not None:
                head = self._backlog.head()
                await self._write(head)
                if self._backlog is not None:
                    self._written(len(head))
        except (StreamClosedError, OSError):
            self._break()

    def _end_writing(self) -> None:
        """TLS has no such half of an end; the time limit ends it."""

    def _let_go(self) -> None:
        self._stream.close()
