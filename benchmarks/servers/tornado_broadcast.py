"""Plain Tornado WebSocket broadcasts, nothing stored: tornado_broadcast.py PORT MODE.

MODE is one of
    naive  write_message(str) per member, as most tutorials do
    frame  the frame encoded once, IOStream.write per member
    sock   the frame encoded once, socket.send per member, IOStream only while the socket is full
    tick   as sock, and all messages of one loop turn joined into one send per member
and may end with "+uvloop".
"""

from __future__ import annotations

import asyncio
import struct
import sys

import tornado.web
import tornado.websocket


def encode_frame(payload: bytes) -> bytes:
    """A server's text frame."""
    if len(payload) < 126:
        return struct.pack("!BB", 0x81, len(payload)) + payload
    return struct.pack("!BBH", 0x81, 126, len(payload)) + payload


class Room:
    """All members, and one of the four ways to reach them."""

    def __init__(self, mode: str) -> None:
        self.members: set[Member] = set()
        self.publish = {"naive": self._naive, "frame": self._frame, "sock": self._sock, "tick": self._tick}[mode]
        self._pending: list[bytes] = []

    def _naive(self, text: str) -> None:
        for member in self.members:
            member.write_message(text)

    def _frame(self, text: str) -> None:
        frame = encode_frame(text.encode())
        for member in self.members:
            member.stream.write(frame)

    def _sock(self, text: str) -> None:
        self._send_to_all(encode_frame(text.encode()))

    def _tick(self, text: str) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(encode_frame(text.encode()))

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        self._send_to_all(data)

    def _send_to_all(self, data: bytes) -> None:
        for member in self.members:
            stream = member.stream
            if stream.writing():
                stream.write(data)
                continue
            try:
                sent = stream.socket.send(data)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                stream.write(data[sent:])


class Member(tornado.websocket.WebSocketHandler):
    """One connection."""

    def initialize(self, room: Room) -> None:
        """Take the room from the routing table."""
        self._room = room

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Join."""
        self.set_nodelay(True)
        assert self.ws_connection is not None
        assert self.ws_connection.stream is not None
        self.stream = self.ws_connection.stream
        self._room.members.add(self)

    def on_close(self) -> None:
        """Leave."""
        self._room.members.discard(self)

    def on_message(self, message: str | bytes) -> None:
        """Send what came to all."""
        assert isinstance(message, str)
        self._room.publish(message)


async def main(port: int, mode: str) -> None:
    """Serve for ever."""
    application = tornado.web.Application([("/ws", Member, {"room": Room(mode)})], log_function=lambda _: None)
    application.listen(port, "127.0.0.1", backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    mode, _, loop = sys.argv[2].partition("+")
    if loop == "uvloop":
        import uvloop

        uvloop.run(main(int(sys.argv[1]), mode))
    else:
        asyncio.run(main(int(sys.argv[1]), mode))
