"""Frames byte by byte, as a client sends them, or as no client should."""

from __future__ import annotations

MASK = b"\x12\x9a\xfe\x55"


def client_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    is_final: bool = True,
    reserved: int = 0,
    is_masked: bool = True,
    size: int | None = None,
) -> bytes:
    """One frame.

    Args:
        size: what its header says, if that is not the payload's own.
    """
    size = len(payload) if size is None else size
    head = bytes((is_final << 7 | reserved << 4 | opcode,))
    bit = 0x80 if is_masked else 0
    if size < 126:
        head += bytes((bit | size,))
    elif size < 65536:
        head += bytes((bit | 126,)) + size.to_bytes(2, "big")
    else:
        head += bytes((bit | 127,)) + size.to_bytes(8, "big")
    if not is_masked:
        return head + payload
    masked = int.from_bytes(payload, "big") ^ int.from_bytes((MASK * (len(payload) // 4 + 1))[: len(payload)], "big")
    return head + MASK + masked.to_bytes(len(payload), "big")
