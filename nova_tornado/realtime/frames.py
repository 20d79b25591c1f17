"""WebSocket frames as a server sends them (RFC 6455, section 5.2): built once, written to many."""

from __future__ import annotations

TEXT_HEADER = 0x81
"""FIN and opcode 1."""
CLOSE_HEADER = 0x88
PONG_HEADER = 0x8A
PING_FRAME = b"\x89\x00"
REASON_MAX_BYTES = 123


def text_frame(payload: bytes) -> bytes:
    """One unmasked text frame around a payload of UTF-8."""
    size = len(payload)
    if size < 126:
        return bytes((TEXT_HEADER, size)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def is_valid_close_code(code: int) -> bool:
    """Whether a peer may send that code in a close frame (RFC 6455, section 7.4; the registry of codes after it)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def is_utf8(payload: bytes) -> bool:
    """Whether that is text."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def close_frame(code: int | None, reason: str = "") -> bytes:
    """One close frame.

    Args:
        code: why; None says nothing.
        reason: in at most 123 bytes of UTF-8; what is beyond is cut off.
    """
    payload = b"" if code is None else code.to_bytes(2, "big") + reason.encode()[:REASON_MAX_BYTES]
    return bytes((CLOSE_HEADER, len(payload))) + payload


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping."""
    return bytes((PONG_HEADER, len(payload))) + payload


def frame_end(frames: bytes, position: int) -> int:
    """Where the frame ends that byte ``position`` lies in or right behind.

    Args:
        frames: complete frames, one after the other, as ``text_frame`` makes them.
        position: how many bytes were sent.
    """
    end = 0
    while end < position:
        size = frames[end + 1]
        start = end + 2
        if size == 126:
            size, start = int.from_bytes(frames[end + 2 : end + 4], "big"), end + 4
        elif size == 127:
            size, start = int.from_bytes(frames[end + 2 : end + 10], "big"), end + 10
        end = start + size
    return end
