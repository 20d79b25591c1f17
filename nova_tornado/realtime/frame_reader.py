"""Reads a client's WebSocket frames: bytes in, messages and control frames out (RFC 6455). Knows no socket."""

from __future__ import annotations

import codecs
from typing import Final, NamedTuple

from tornado.util import _websocket_mask as apply_mask

from nova_tornado.realtime.frames import is_utf8, is_valid_close_code

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FINAL_BIT = 0x80
RESERVED_BITS = 0x70
OPCODE_BITS = 0x0F
MASK_BIT = 0x80
SIZE_BITS = 0x7F
SIZE_IN_2_BYTES = 126
SIZE_IN_8_BYTES = 127
MASK_BYTES = 4
CONTROL_MAX_BYTES = 125

CLOSE_PROTOCOL_ERROR = 1002
CLOSE_NOT_UTF8 = 1007
CLOSE_TOO_BIG = 1009

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class BadFrame(Exception):
    """The client broke the rules; nothing that comes behind can be understood.

    Attributes:
        code, reason: for the close frame.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Frame(NamedTuple):
    """What has come.

    Attributes:
        opcode: ``TEXT`` or ``BINARY`` for a whole message, however many frames it came in; ``CLOSE``, ``PING`` or
            ``PONG``.
        data: a text as ``str``, everything else as ``bytes``.
    """

    opcode: int
    data: str | bytes


class FrameReader:
    """Takes the stream apart. How it was cut into pieces on its way changes nothing in what comes out.

    Args:
        max_bytes: of a message.
    """

    __slots__ = ("_buffer", "_decoder", "_max_bytes", "_opcode", "_parts", "_position")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer: bytes | bytearray = b""
        self._position = 0
        self._opcode = 0  # of the message whose fragments are coming
        self._parts: bytearray | None = None
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        if not self._buffer:
            self._buffer = data
        elif isinstance(self._buffer, bytearray):
            self._buffer += data
        else:
            # A bytearray grows without being copied each time: a large frame comes in hundreds of pieces.
            self._buffer = bytearray(memoryview(self._buffer)[self._position :])
            self._buffer += data
            self._position = 0

    def next_frame(self) -> Frame | None:
        """The next message or control frame; None if more must come first.

        Raises:
            BadFrame: at the first frame that is against the rules, as soon as its header tells.
        """
        while True:
            buffer, start = self._buffer, self._position
            available = len(buffer) - start
            if available < 2:
                break
            first, size = buffer[start], buffer[start + 1] & SIZE_BITS
            opcode = first & OPCODE_BITS
            self._check_header(first, opcode, buffer[start + 1], size)
            body = start + 2 + MASK_BYTES
            if size >= SIZE_IN_2_BYTES:
                width = 2 if size == SIZE_IN_2_BYTES else 8
                if available < 2 + width:
                    break
                size = int.from_bytes(buffer[start + 2 : start + 2 + width], "big")
                body += width
            if opcode < CLOSE and size + len(self._parts or b"") > self._max_bytes:
                raise BadFrame(CLOSE_TOO_BIG, f"a message has at most {self._max_bytes} bytes")
            end = body + size
            if len(buffer) < end:
                break
            payload = apply_mask(bytes(buffer[body - MASK_BYTES : body]), bytes(buffer[body:end]))
            if end == len(buffer):
                self._buffer, self._position = b"", 0
            else:
                self._position = end
            if opcode == TEXT and first & FINAL_BIT:
                try:
                    return Frame(TEXT, payload.decode())
                except UnicodeDecodeError:
                    raise BadFrame(CLOSE_NOT_UTF8, "a text is not UTF-8") from None
            if opcode >= CLOSE:
                if opcode == CLOSE:
                    _check_close(payload)
                return Frame(opcode, payload)
            if opcode == BINARY and first & FINAL_BIT:
                return Frame(BINARY, payload)
            whole = self._add_fragment(opcode, payload, bool(first & FINAL_BIT))
            if whole is not None:
                return whole
        if start:
            # Not before: cutting the beginning off after each frame would copy the rest each time.
            self._buffer = buffer[start:]
            self._position = 0
        return None

    def _check_header(self, first: int, opcode: int, second: int, size: int) -> None:
        if first & RESERVED_BITS:
            raise BadFrame(CLOSE_PROTOCOL_ERROR, "reserved bits are set")
        if opcode in (TEXT, BINARY):
            if self._opcode:
                raise BadFrame(CLOSE_PROTOCOL_ERROR, "the message before is not complete")
        elif opcode == CONTINUATION:
            if not self._opcode:
                raise BadFrame(CLOSE_PROTOCOL_ERROR, "there is nothing to continue")
        elif opcode not in (CLOSE, PING, PONG):
            raise BadFrame(CLOSE_PROTOCOL_ERROR, "the opcode is unknown")
        elif not first & FINAL_BIT or size > CONTROL_MAX_BYTES:
            raise BadFrame(CLOSE_PROTOCOL_ERROR, "a control frame is too large or fragmented")
        if not second & MASK_BIT:
            raise BadFrame(CLOSE_PROTOCOL_ERROR, "a frame is not masked")

    def _add_fragment(self, opcode: int, payload: bytes, is_last: bool) -> Frame | None:
        if self._parts is None:
            self._opcode, self._parts = opcode, bytearray()
            self._decoder = _Utf8Decoder() if opcode == TEXT else None
        self._parts += payload
        if self._decoder is not None:
            try:
                self._decoder.decode(payload, is_last)  # a bad text ends the connection before the rest of it comes
            except UnicodeDecodeError:
                raise BadFrame(CLOSE_NOT_UTF8, "a text is not UTF-8") from None
        if not is_last:
            return None
        whole = Frame(TEXT, self._parts.decode()) if self._opcode == TEXT else Frame(BINARY, bytes(self._parts))
        self._opcode, self._parts, self._decoder = 0, None, None
        return whole


def _check_close(payload: bytes) -> None:
    """A close frame has nothing in it, or a code that a peer may send, and a reason (RFC 6455, sections 5.5.1, 7.4)."""
    if payload and (len(payload) < 2 or not is_valid_close_code(int.from_bytes(payload[:2], "big"))):
        raise BadFrame(CLOSE_PROTOCOL_ERROR, "the close code is not valid")
    if not is_utf8(payload[2:]):
        raise BadFrame(CLOSE_NOT_UTF8, "the reason of the close is not UTF-8")
