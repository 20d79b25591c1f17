"""Avatars: what may be uploaded as one, and for those who have chosen none an identicon, drawn from the name."""

from __future__ import annotations

import base64
import colorsys
import hashlib
import secrets
import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType

AVATAR_MAX_BYTES = 256 * 1024
"""How large an uploaded avatar may be: it is shown small, and to many."""
AVATAR_NAMES: Mapping[str, str] = MappingProxyType(
    {"image/png": "avatar.png", "image/jpeg": "avatar.jpg", "image/gif": "avatar.gif", "image/webp": "avatar.webp"}
)
"""What an uploaded avatar may be, by its first bytes, and what it is called then."""

CELLS = 8
CELL_PIXELS = 32
"""8 × 8 cells of 32 pixels: a picture of 256 × 256."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _colour(lightness: float) -> bytes:
    rgb = colorsys.hls_to_rgb(secrets.randbelow(360) / 360, lightness, 0.55)
    return bytes(round(255 * part) for part in rgb)


def identicon(name: str) -> str:
    """A ``data:`` URI of a small PNG in random colours.

    The pattern is the name's SHA-512 (one bit a cell, the right half mirrors the left); the colours are random.
    Source: contract "actions" section 2, register; the file format is PNG (W3C, third edition): two colours, one bit
    a pixel.
    """
    digest = hashlib.sha512(name.encode()).digest()
    rows = []
    for row in range(CELLS):
        left = [digest[row] >> bit & 1 for bit in range(CELLS // 2)]
        bits = "".join(str(cell) * CELL_PIXELS for cell in left + left[::-1])
        rows.append((b"\0" + int(bits, 2).to_bytes(CELLS * CELL_PIXELS // 8, "big")) * CELL_PIXELS)
    side = CELLS * CELL_PIXELS
    png = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 3, 0, 0, 0))
        + _chunk(b"PLTE", _colour(0.92) + _colour(0.45))
        + _chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
        + _chunk(b"IEND", b"")
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()
