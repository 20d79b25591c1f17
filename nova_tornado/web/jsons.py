"""JSON as it comes in and goes out (RFC 8259), strictly read."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import orjson

from nova_tornado.domain.errors import Malformed

NESTING_MAX_LEVELS = 64
CONTAINERS_MAX_COUNT = 200_000
"""Opening brackets and braces in one text: millions of little lists would keep everybody else waiting."""

dumps = orjson.dumps


def loads(text: bytes | str) -> Any:
    """Read one JSON value.

    Integers beyond 64 bits come as floats (see ``rules.is_integer``).

    Raises:
        Malformed: no JSON in UTF-8, ``NaN`` or ``Infinity``, a lone surrogate, or nested deeper than 64 levels.
    """
    opening_count = _count_opening(text)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Malformed("Malformed JSON") from None
    _check_nesting(opening_count, value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class WrittenFloat(float):
    """A number that was written as a float: no integer, however large and whole (see ``rules.is_integer``)."""


def _finite(digits: str) -> float:
    number = WrittenFloat(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large for a float")  # it could not be written again
    return number


def loads_exact(text: bytes | str) -> Any:
    """Read one JSON value such that it can be handed back unchanged: integers keep all digits.

    A string may hold a lone surrogate; ``rules.check_string`` refuses it as a bad field.

    Raises:
        Malformed: no JSON in UTF-8, ``NaN`` or ``Infinity``, a float beyond 64 bits, or nested deeper than 64 levels.
    """
    opening_count = _count_opening(text)
    try:
        value = json.loads(
            text if isinstance(text, str) else text.decode(), parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise Malformed("Malformed JSON") from None
    _check_nesting(opening_count, value)
    return value


def dumps_exact(value: Any) -> bytes:
    """Write a JSON value that ``loads_exact`` may have read.

    Raises:
        TypeError: it holds a lone surrogate, or is no JSON value.
    """
    try:
        return orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        except UnicodeEncodeError as error:
            raise TypeError(str(error)) from error


def _count_opening(text: bytes | str) -> int:
    """How many opening brackets and braces there are, those in strings included."""
    count = text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")
    if count > CONTAINERS_MAX_COUNT:
        raise Malformed(f"JSON holds more than {CONTAINERS_MAX_COUNT} lists and objects")
    return count


def _check_nesting(opening_count: int, value: Any) -> None:
    if opening_count > NESTING_MAX_LEVELS and _is_deeper(value, NESTING_MAX_LEVELS):
        raise Malformed(f"JSON is nested deeper than {NESTING_MAX_LEVELS} levels")


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
