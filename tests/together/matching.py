"""What packets are expected to be: JSON values with placeholders, which mean the same thing wherever they stand.

A ``Fact`` is a value that is known beforehand (a user's id) or that the first packet with it tells (a new chat's id);
in all further packets, to whomever and in whatever protocol, it must be the same. A ``Time`` is a fact that protocols
write differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MISSING = object()
Facts = dict[str, Any]
ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}Z")


class Anything:
    """A placeholder; this one takes any value of some type."""

    def __init__(self, *types: type) -> None:
        self._types = types

    def difference(self, actual: Any, facts: Facts) -> str:
        """What is not as expected; "" if all is."""
        return "" if not self._types or type(actual) in self._types else f"{actual!r} is not {self._types}"


@dataclass(frozen=True)
class Fact(Anything):
    """A value that is the same everywhere."""

    name: str

    def difference(self, actual: Any, facts: Facts) -> str:
        """What is not as expected; "" if all is. What is not known yet is known then."""
        known = facts.setdefault(self.name, actual)
        is_same = type(known) is type(actual) and known == actual
        return "" if is_same else f"{self.name} is {actual!r} instead of {known!r}"


@dataclass(frozen=True)
class Time(Anything):
    """A time that is the same everywhere.

    Attributes:
        name: of the fact, which is kept in microseconds.
        shape: ``float`` for seconds since 1970, ``str`` for ISO 8601.
    """

    name: str
    shape: type

    def difference(self, actual: Any, facts: Facts) -> str:
        """What is not as expected; "" if all is."""
        if type(actual) is not self.shape:
            return f"{actual!r} is no {self.shape.__name__}"
        if isinstance(actual, str):
            if not ISO_TIME.fullmatch(actual):
                return f"{actual!r} is no time in UTC with a fraction"
            actual = datetime.fromisoformat(actual).timestamp()
        return Fact(self.name).difference(round(actual * 1e6), facts)


@dataclass(frozen=True)
class Text(Anything):
    """A text of some form."""

    pattern: str

    def difference(self, actual: Any, facts: Facts) -> str:
        """What is not as expected; "" if all is."""
        is_fit = isinstance(actual, str) and re.fullmatch(self.pattern, actual, re.DOTALL)
        return "" if is_fit else f"{actual!r} does not match {self.pattern!r}"


@dataclass(frozen=True)
class Lines(Anything):
    """A text whose lines are these, each a str or a placeholder."""

    lines: tuple[Any, ...]

    def difference(self, actual: Any, facts: Facts) -> str:
        """What is not as expected; "" if all is."""
        if not isinstance(actual, str):
            return f"{actual!r} is no text"
        return difference(list(self.lines), actual.split("\n"), facts)


@dataclass(frozen=True)
class Members(Anything):
    """A list in any order."""

    items: tuple[Any, ...] = field(default=())

    def difference(self, actual: Any, facts: Facts) -> str:
        """What is not as expected; "" if all is."""
        if not isinstance(actual, list) or len(actual) != len(self.items):
            return f"{actual!r} has not {len(self.items)} items"
        return difference(sorted(facts[item.name] for item in self.items), sorted(actual), facts)


def difference(expected: Any, actual: Any, facts: Facts, path: str = "") -> str:
    """What is not as expected in a JSON value; "" if all is."""
    if isinstance(expected, Anything):
        problem = expected.difference(actual, facts)
        return f"{path}: {problem}" if problem else ""
    if type(expected) is not type(actual):
        return f"{path}: {actual!r} instead of {expected!r}"
    if isinstance(expected, Mapping):
        if expected.keys() != actual.keys():
            return f"{path}: the fields are {sorted(actual)} instead of {sorted(expected)}"
        return _first(difference(expected[key], actual[key], facts, f"{path}.{key}") for key in expected)
    if isinstance(expected, list):
        if len(expected) != len(actual):
            return f"{path}: {len(actual)} items instead of {len(expected)}"
        pairs = enumerate(zip(expected, actual, strict=True))
        return _first(difference(one, other, facts, f"{path}[{index}]") for index, (one, other) in pairs)
    return "" if expected == actual else f"{path}: {actual!r} instead of {expected!r}"


def _first(problems: Iterable[str]) -> str:
    return next(filter(None, problems), "")


@dataclass(frozen=True)
class Maybe:
    """A packet that may come or not: the contract leaves it free."""

    packet: Any


def compare(expected: Sequence[Any], actual: Sequence[Any], facts: Facts) -> str:
    """What is not as expected in the packets that one connection got; "" if all is.

    A packet that is expected and differs is told with how it differs; facts that it would have told stay unknown.
    """
    rest = list(actual)
    for packet in expected:
        wanted = packet.packet if isinstance(packet, Maybe) else packet
        if not rest:
            if isinstance(packet, Maybe):
                continue
            return f"did not come: {wanted}"
        trial = dict(facts)
        problem = difference(wanted, rest[0], trial)
        if not problem:
            facts.update(trial)
            rest.pop(0)
        elif not isinstance(packet, Maybe):
            return f"{problem}\n      came: {rest}"
    return f"came besides: {rest}" if rest else ""
