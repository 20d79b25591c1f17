"""JSON as it comes in and goes out (RFC 8259), strictly read."""

from __future__ import annotations

from typing import Any

import orjson

from nova_tornado.domain.errors import Malformed

NESTING_MAX_LEVELS = 64

dumps = orjson.dumps


def loads(text: bytes | str) -> Any:
    """Read one JSON value.

    Integers beyond 64 bits come as floats (see ``rules.is_integer``).

    Raises:
        Malformed: no JSON in UTF-8, ``NaN`` or ``Infinity``, a lone surrogate, or nested deeper than 64 levels.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Malformed("Malformed JSON") from None
    opening = text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")
    if opening > NESTING_MAX_LEVELS and _is_deeper(value, NESTING_MAX_LEVELS):
        raise Malformed(f"JSON is nested deeper than {NESTING_MAX_LEVELS} levels")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether there are more than ``levels`` lists and objects inside one another."""
    layer = [value] if isinstance(value, list | dict) else []
    for _ in range(levels):
        layer = [
            child
            for parent in layer
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, list | dict)
        ]
    return bool(layer)
