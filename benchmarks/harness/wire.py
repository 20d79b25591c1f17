"""WebSocket and HTTP as a client needs them, on blocking sockets, from the standard library alone."""

from __future__ import annotations

import base64
import os
import re
import socket
import struct

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


def masked_frame(payload: bytes) -> bytes:
    """A client's text frame; its mask is zero, so that the bytes stay as they are."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x81, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x81, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x81, 0xFF, size)
    return head + b"\0\0\0\0" + payload


def read_until(connection: socket.socket, *patterns: bytes, timeout_s: float = 30) -> bytes:
    """Read until one of the patterns was seen; the answer holds all that was read.

    Raises:
        ConnectionError: the server closed first.
        TimeoutError: nothing came for `timeout_s`.
    """
    connection.settimeout(timeout_s)
    buffer = b""
    while not any(pattern in buffer for pattern in patterns):
        data = connection.recv(65536)
        if not data:
            raise ConnectionError(f"closed while waiting for {patterns!r}: {buffer[-300:]!r}")
        buffer += data
    return buffer


def tcp_connect(port: int) -> socket.socket:
    """A connection to a local server, without Nagle's delay."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def websocket_connect(port: int, path: str, headers: str = "") -> socket.socket:
    """A WebSocket after its handshake; each header line ends with CRLF.

    Raises:
        ConnectionError: the server refused.
    """
    connection = tcp_connect(port)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n".encode()
    )
    answer = read_until(connection, b"\r\n\r\n")
    if b" 101 " not in answer[:20]:
        connection.close()
        raise ConnectionError(f"no WebSocket at {path}: {answer[:300]!r}")
    return connection


class Response:
    """An HTTP response as it comes in: its head is kept, the rest only counted.

    Attributes:
        status: 0 until the head is there.
    """

    def __init__(self) -> None:
        self.status = 0
        self._head = self._tail = b""
        self._missing_bytes: int | None = None  # None: chunked

    def feed(self, data: bytes) -> bool:
        """Take what was read; whether the response is complete.

        Raises:
            ConnectionError: the head does not tell where the response ends.
        """
        if not self.status:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.status = int(self._head.split(b" ", 2)[1])
            data = self._head[end + 4 :]
            if length := _LENGTH.search(self._head, 0, end):
                self._missing_bytes = int(length[1])
            elif not _CHUNKED.search(self._head, 0, end):
                raise ConnectionError(f"an answer of unknown length: {self._head[:300]!r}")
        if self._missing_bytes is not None:
            self._missing_bytes -= len(data)
            return self._missing_bytes <= 0
        # JSON has no CR LF inside, so this end is the last chunk's.
        self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        return self._tail == _LAST_CHUNK
