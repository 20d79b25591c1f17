"""The write path that Nova was designed after, and nothing else: prototype.py PORT DATA_FOLDER RECEIVE.

Tornado and Motor, group commit, the frame encoded once, one send per member and loop turn. No accounts: the
connection's URL says who it is and which chats it is in (`/ws?user=3&chat=g`).

RECEIVE is one of
    handler  Tornado's WebSocketHandler
    raw      after Tornado's handshake the socket leaves Tornado; a bare reader callback parses the frames
and may end with "+uvloop".
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Protocol

import orjson
import tornado.iostream
import tornado.web
import tornado.websocket
from motor.motor_asyncio import AsyncIOMotorClient

from nova_tornado.storage.embedded import EmbeddedMongo

PAGE = 100
ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
Document = dict[str, Any]


def encode_frame(payload: bytes) -> bytes:
    """A server's text frame."""
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    if len(payload) < 65536:
        return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload
    return b"\x81\x7f" + len(payload).to_bytes(8, "big") + payload


def render(document: Document) -> Document:
    """A stored message as clients see it."""
    sender = document["sender"]
    return {
        "message_id": document["_id"],
        "chat_id": document["chat"],
        "message": document["message"],
        "send_time": document["time"],
        "sender": {"id": sender, "user_name": f"u{sender}", "avatar_url": ""},
        "reply_to_id": document["reply_to"],
        "deleted": document["deleted"],
    }


class Member(Protocol):
    """A connection, whichever way it receives."""

    user: int
    chat: str

    def push(self, data: bytes) -> None:
        """Send it, now if the socket takes it."""


class Chats:
    """Members, the store, and the newest messages of each chat."""

    def __init__(self, uri: str) -> None:
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(uri, w="majority", journal=True, maxPoolSize=20)
        self._messages = client["prototype"]["messages"]
        self._members: dict[str, set[Member]] = {}
        self._newest: dict[str, deque[bytes]] = {}
        self._last_id = 0
        self._pending: list[Document] = []
        self._wake = asyncio.Event()

    def join(self, member: Member) -> None:
        """Deliver to this connection from now on."""
        self._members.setdefault(member.chat, set()).add(member)

    def leave(self, member: Member) -> None:
        """Deliver to it no more."""
        self._members[member.chat].discard(member)
        if not self._members[member.chat]:
            del self._members[member.chat]

    def receive(self, member: Member, text: str | bytes) -> None:
        """Take one packet of a client."""
        packet = orjson.loads(text)
        data = packet["data"]
        if packet["action"] != "send_message" or data["chat_id"] != member.chat or not isinstance(data["content"], str):
            return
        self._last_id += 1
        self._pending.append(
            {
                "_id": self._last_id,
                "chat": member.chat,
                "sender": member.user,
                "message": data["content"],
                "time": time.time(),
                "reply_to": None,
                "deleted": False,
            }
        )
        self._wake.set()

    async def commit(self) -> None:
        """Store what came while the last batch was under way, as one batch, and deliver it."""
        await self._messages.create_index([("chat", 1), ("_id", -1)])
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._pending = self._pending, []
            await self._messages.insert_many(batch, ordered=False)
            self._deliver(batch)

    def _deliver(self, batch: list[Document]) -> None:
        frames: dict[str, list[bytes]] = {}
        for document in batch:
            message = orjson.dumps(render(document))
            self._newest.setdefault(document["chat"], deque(maxlen=PAGE)).append(message)
            packet = b'{"action":"new_message","ok":true,"request_id":0,"data":' + message + b"}"
            frames.setdefault(document["chat"], []).append(encode_frame(packet))
        for chat, of_chat in frames.items():
            data = b"".join(of_chat)
            for member in tuple(self._members.get(chat, ())):
                member.push(data)

    async def history(self, chat: str, *, from_memory: bool) -> bytes:
        """The last messages, newest first, as JSON."""
        if from_memory:
            return b"[" + b",".join(reversed(self._newest[chat])) + b"]"
        documents = await self._messages.find({"chat": chat}).sort("_id", -1).limit(PAGE).to_list(PAGE)
        return orjson.dumps([render(document) for document in documents])


class HandlerSocket(tornado.websocket.WebSocketHandler):
    """RECEIVE = handler."""

    def initialize(self, chats: Chats) -> None:
        """Take the chats from the routing table."""
        self._chats = chats

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Join the chat of the URL."""
        self.set_nodelay(True)
        assert self.ws_connection is not None
        assert self.ws_connection.stream is not None
        self._stream = self.ws_connection.stream
        self.user, self.chat = int(self.get_argument("user")), self.get_argument("chat")
        self._chats.join(self)

    def on_close(self) -> None:
        """Leave it."""
        self._chats.leave(self)

    def on_message(self, message: str | bytes) -> None:
        """Take one packet."""
        self._chats.receive(self, message)

    def push(self, data: bytes) -> None:
        """The socket itself as long as it takes all; Tornado's queue otherwise."""
        if self._stream.closed():
            return
        sent = 0
        if not self._stream.writing():
            try:
                sent = self._stream.socket.send(data)
            except BlockingIOError:
                pass
            except OSError:
                return
        if sent < len(data):
            self._stream.write(data[sent:])


class RawSocket:
    """RECEIVE = raw: a connection outside Tornado, about 1 KiB when idle; no fragments, pings or limits."""

    __slots__ = ("__weakref__", "_chats", "_input", "_loop", "_output", "_socket", "chat", "user")

    def __init__(self, sock: socket.socket, chats: Chats, user: int, chat: str) -> None:
        self._socket, self._chats, self.user, self.chat = sock, chats, user, chat
        self._input = self._output = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)
        chats.join(self)

    def _close(self) -> None:
        self._chats.leave(self)
        self._loop.remove_reader(self._socket)
        if self._output:
            self._loop.remove_writer(self._socket)
        self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        buffer = self._input + data if self._input else data
        done = 0
        while len(buffer) - done >= 6:
            size, head = buffer[done + 1] & 127, 2
            if size == 126:
                if len(buffer) - done < 8:
                    break
                size, head = buffer[done + 2] << 8 | buffer[done + 3], 4
            start = done + head + 4
            if len(buffer) < start + size:
                break
            opcode, done = buffer[done] & 15, start + size
            if opcode == 8:
                self._close()
                return
            mask = (buffer[start - 4 : start] * (size // 4 + 1))[:size]
            plain = int.from_bytes(buffer[start:done], "little") ^ int.from_bytes(mask, "little")
            self._chats.receive(self, plain.to_bytes(size, "little"))
        self._input = buffer[done:]

    def push(self, data: bytes) -> None:
        """The socket as long as it takes all; an own buffer otherwise."""
        if self._output:
            self._output += data
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return
        if sent < len(data):
            self._output = data[sent:]
            self._loop.add_writer(self._socket, self._write)

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._output)
        except OSError:
            return
        self._output = self._output[sent:]
        if not self._output:
            self._loop.remove_writer(self._socket)


class RawHandshake(tornado.web.RequestHandler):
    """Upgrades by hand, then takes the socket away from Tornado."""

    def initialize(self, chats: Chats) -> None:
        """Take the chats from the routing table."""
        self._chats = chats

    async def get(self) -> None:
        """Answer the handshake."""
        key = self.request.headers["Sec-WebSocket-Key"].encode()
        accept_key = base64.b64encode(hashlib.sha1(key + ACCEPT_SUFFIX).digest())
        user, chat = int(self.get_argument("user")), self.get_argument("chat")
        stream: Any = self.detach()
        await stream.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key + b"\r\n\r\n"
        )
        sock: socket.socket = stream.socket
        stream.io_loop.remove_handler(stream.fileno())
        stream.socket = stream._state = None  # else closing the stream would close the socket
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        RawSocket(sock, self._chats, user, chat)


class History(tornado.web.RequestHandler):
    """GET /chat/<chat>/messages, from the database or (`?from=memory`) from the encoded newest messages."""

    def initialize(self, chats: Chats) -> None:
        """Take the chats from the routing table."""
        self._chats = chats

    async def get(self, chat: str) -> None:
        """Answer with JSON."""
        self.set_header("Content-Type", "application/json")
        self.finish(await self._chats.history(chat, from_memory=self.get_argument("from", "") == "memory"))


async def serve(port: int, uri: str, receive: str) -> None:
    """Serve for ever."""
    chats = Chats(uri)
    parts = {"chats": chats}
    application = tornado.web.Application(
        [
            ("/ws", RawHandshake if receive == "raw" else HandlerSocket, parts),
            (r"/chat/(\w+)/messages", History, parts),
        ],
        log_function=lambda _: None,
    )
    application.listen(port, "127.0.0.1", backlog=4096)
    await chats.commit()


def main(port: int, data: Path, mode: str) -> None:
    """Start the database, then serve."""
    database = EmbeddedMongo(data)
    database.launch()
    database.wait_ready()
    receive, _, loop = mode.partition("+")
    if loop == "uvloop":
        import uvloop

        uvloop.run(serve(port, database.uri, receive))
    else:
        asyncio.run(serve(port, database.uri, receive))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
