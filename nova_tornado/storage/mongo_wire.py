"""Plain commands to MongoDB, without what the driver does around each of them (docs/decisions/0017).

The driver keeps finding out which node is the primary, and does all that is rare: transactions, changes, cursors that
are read slowly. What a chat server does all day goes over connections of our own: a write of the log, a lookup. Such a
command costs a fifth of the CPU, and is answered in half the time.

A message of the wire protocol is ``OP_MSG`` (the MongoDB Wire Protocol): a header of four 32-bit numbers (length, id,
the id that is answered, operation), flags, a section with the command, and maybe one with its documents.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import bson
from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import (
    AutoReconnect,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
)
from pymongo.uri_parser import parse_uri

OP_MSG = 2013
HEADER = struct.Struct("<iiii")
BEFORE_COMMAND_BYTES = HEADER.size + 4 + 1
"""In front of the command of a reply: the header, the flags, the kind of the section."""
MESSAGE_MAX_BYTES = 48_000_000
"""``maxMessageSizeBytes`` of every MongoDB: no reply is longer."""
NOT_PRIMARY_CODES = frozenset({91, 189, 10058, 10107, 11600, 11602, 13435, 13436})
"""The node is not primary, not any more, or about to go (Server Discovery And Monitoring, "node is recovering" and
"not primary" errors)."""
TIME_EXCEEDED_CODE = 50
KEEP_ALIVE = {"TCP_KEEPIDLE": 120, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 9}
"""So that a router on the way does not forget a connection that is idle; seconds, seconds, probes."""
MORE_THAN_COMMANDS = frozenset({"tls", "authmechanism", "loadbalanced"})
"""Options of a URI, in small letters, with which a connection takes more than commands."""

Document: TypeAlias = dict[str, Any]
DECODED = CodecOptions[Document](tz_aware=True)


def is_plain(uri: str) -> bool:
    """Whether connections to that MongoDB need nothing but commands: no TLS, no sign-in.

    Args:
        uri: one that the driver takes.
    """
    if not uri.startswith("mongodb://"):
        return False  # the other scheme means TLS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the driver has warned of options that it does not know
        parsed = parse_uri(uri, warn=True)
    given = {name.lower() for name, value in parsed["options"].items() if value}
    return parsed["username"] is None and given.isdisjoint(MORE_THAN_COMMANDS)


class _Connection(asyncio.Protocol):
    """One connection; one command at a time is under way on it."""

    def __init__(self) -> None:
        self.is_lost = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._reply: asyncio.Future[bytes] | None = None
        self._last_id = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEP_ALIVE.items():
                if hasattr(socket, option):  # not every system has all of them
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if len(received) < HEADER.size:
            return
        length, _, answered, operation = HEADER.unpack_from(received)
        if operation != OP_MSG or answered != self._last_id or not BEFORE_COMMAND_BYTES < length <= MESSAGE_MAX_BYTES:
            self.abort()
        elif len(received) >= length:
            if len(received) > length or self._reply is None or self._reply.done():
                self.abort()  # what nobody has asked for
                return
            self._reply.set_result(bytes(memoryview(received)[BEFORE_COMMAND_BYTES:]))
            self._received = bytearray()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self.closed.set_result(None)
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(AutoReconnect("the connection to MongoDB was closed"))

    def abort(self) -> None:
        """End it, whatever is under way."""
        self.is_lost = True
        if self._transport is not None:
            self._transport.abort()

    async def ask(self, sections: bytes) -> bytes:
        """Send a command and return the reply's document."""
        assert self._transport is not None
        self._last_id += 1
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._reply = reply
        self._transport.write(
            b"".join((HEADER.pack(HEADER.size + 4 + len(sections), self._last_id, 0, OP_MSG), bytes(4), sections))
        )
        return await reply


class MongoWire:
    """Carries commands to the primary of a replica set, or to a router of a cluster.

    Args:
        client: knows which node that is.
        limit: how many commands are under way at once, at most.
        timeout_ms: after so long a command without an answer fails.
    """

    def __init__(self, client: AsyncIOMotorClient[Document], *, limit: int, timeout_ms: int) -> None:
        self._client = client
        self._timeout_ms = timeout_ms
        self._free = asyncio.Semaphore(limit)
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self._is_closed = False
        # Of several routers each process uses one, which has the cursors, too.
        self._choice = os.getpid()

    async def command(self, command: Document, documents: Sequence[bytes] | None = None) -> Document:
        """Have a command done by the primary.

        Args:
            command: with ``$db``; its first key is its name. (The server is told of a time limit by ``maxTimeMS``.)
            documents: what its field ``documents`` is to hold, encoded.

        Returns:
            The reply.

        Raises:
            ConnectionFailure: no primary, or no answer in time; what became of the command is unknown.
            OperationFailure: it was refused.
            InvalidOperation: this is closed.
        """
        sections = b"\0" + bson.encode(command)
        if documents is not None:
            content = b"".join((b"documents\0", *documents))
            sections = b"".join((sections, b"\1", (4 + len(content)).to_bytes(4, "little"), content))
        try:
            async with self._free, asyncio.timeout(self._timeout_ms / 1000):
                reply = bson.decode(await self._ask(sections), DECODED)
        except TimeoutError:
            raise NetworkTimeout("MongoDB did not answer in time") from None
        except OSError as error:
            raise AutoReconnect(f"MongoDB cannot be reached: {error.strerror}") from error
        if not reply["ok"]:
            self._fail(reply)
        return reply

    async def _ask(self, sections: bytes) -> bytes:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_lost:
                break
        else:
            connection = await self._connect()
        try:
            reply = await connection.ask(sections)
        except BaseException:
            connection.abort()  # its answer may still come
            self._drop_idle()  # those are of the same node, and probably no better
            raise
        self._idle.append(connection)
        return reply

    async def _connect(self) -> _Connection:
        if self._is_closed:
            raise InvalidOperation("the database is closed")
        loop = asyncio.get_running_loop()
        driver = self._client.delegate
        if not driver.topology_description.has_writable_server():
            await self._client.admin.command("ping")  # the driver looks for a primary, and waits for one
        address = driver.primary
        if address is None:  # the nodes are routers, or the one that the URI asks for
            nodes = sorted(driver.nodes)
            if not nodes:
                raise AutoReconnect("no MongoDB is known")
            address = nodes[self._choice % len(nodes)]
        host, port = address
        if host.endswith(".sock"):
            _, connection = await loop.create_unix_connection(_Connection, host)
        else:
            _, connection = await loop.create_connection(_Connection, host, port)
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _closed: self._open.discard(connection))
        return connection

    def _fail(self, reply: Mapping[str, Any]) -> None:
        code, text = reply.get("code"), str(reply.get("errmsg", ""))
        if code in NOT_PRIMARY_CODES:
            self._drop_idle()
            raise NotPrimaryError(text, reply)
        if code == TIME_EXCEEDED_CODE:
            raise ExecutionTimeout(text, code, reply)
        raise OperationFailure(text, code, reply)

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().abort()

    async def close(self) -> None:
        """Close the connections; what is under way fails."""
        self._is_closed = True
        for connection in self._open:
            connection.abort()
        await asyncio.gather(*(connection.closed for connection in self._open))
