"""What a rule is, and how one is read: from a client's JSON, from the operator's file, from the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from nova_message_filters.patterns import (
    PATTERN_MAX_CHARACTERS,
    Links,
    Pattern,
    domain_of,
)
from nova_message_filters.words import WordSet, tokens_of
from nova_tornado.api import errors, rules

NAME_MAX_CHARACTERS = 60
REASON_MAX_CHARACTERS = 200
WORDS_MAX_COUNT = 10_000
WORD_MAX_CHARACTERS = 100
DOMAINS_MAX_COUNT = 1_000
RATE_MAX_MESSAGES = 100
WINDOW_MAX_S = 86_400
REPEAT_MAX_TIMES = 10
MUTE_MAX_S = 30 * 86_400


class Kind(StrEnum):
    """What a rule looks at."""

    WORDS = "words"
    PATTERN = "pattern"
    LINKS = "links"
    RATE = "rate"
    REPEAT = "repeat"


class Action(StrEnum):
    """What a rule does with a message that it hits; where several hit, the last of these in this order is done."""

    MASK = "mask"
    HOLD = "hold"
    REFUSE = "refuse"
    MUTE = "mute"


COUNTING_KINDS = frozenset((Kind.RATE, Kind.REPEAT))
"""These look at what the user has sent before, and at no part of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule; fields that its kind or action does not have are as they are by default.

    Attributes:
        reason: what the sender is told; "" for a sentence of Nova's own.
        is_enabled: whether it is asked at all.
        exempts_managers: whether owner and admins may do what it stops.
        mute_s: for how long (action ``MUTE``).
        words: words and phrases (``WORDS``).
        pattern: in RE2's syntax (``PATTERN``).
        allowed_domains: links to them are fine (``LINKS``).
        message_count: so many in ``window_s`` pass (``RATE``).
        times: so often the same text passes in ``window_s`` (``REPEAT``).
    """

    name: str
    kind: Kind
    action: Action
    reason: str = ""
    is_enabled: bool = True
    exempts_managers: bool = False
    mute_s: int = 0
    words: tuple[str, ...] = ()
    pattern: str = ""
    allowed_domains: tuple[str, ...] = ()
    message_count: int = 0
    times: int = 0
    window_s: int = 0

    def why(self) -> str:
        """What the sender is told."""
        return self.reason or f"it breaks the rule “{self.name}”"


WIRE_NAMES = {"is_enabled": "enabled", "exempts_managers": "exempt_managers", "message_count": "messages"}
"""Where a field is called otherwise by clients and in files."""
FIELDS_OF_KIND: Mapping[Kind, tuple[str, ...]] = {
    Kind.WORDS: ("words",),
    Kind.PATTERN: ("pattern",),
    Kind.LINKS: ("allowed_domains",),
    Kind.RATE: ("message_count", "window_s"),
    Kind.REPEAT: ("times", "window_s"),
}


def fields_of(kind: Kind, action: Action) -> list[str]:
    """The fields that a rule of this kind and action has, in the order in which they are checked."""
    muting = ["mute_s"] if action is Action.MUTE else []
    return ["name", "kind", *FIELDS_OF_KIND[kind], "action", *muting, "reason", "exempts_managers", "is_enabled"]


def wire_form(rule: Rule) -> dict[str, Any]:
    """A rule as clients see it; the form can be read again."""
    form = {}
    for name in fields_of(rule.kind, rule.action):
        value = getattr(rule, name)
        form[WIRE_NAMES.get(name, name)] = list(value) if isinstance(value, tuple) else value
    return form


def _text(key: str, value: object, maximum: int) -> str:
    text = rules.check_string(value, key).strip()
    if len(text) > maximum:
        raise errors.BadField(f"Field {key} cannot be longer than {maximum} characters")
    return text


def _name(key: str, value: object) -> str:
    name = _text(key, value, NAME_MAX_CHARACTERS)
    if not name or not name.isprintable():
        raise errors.BadField("A rule needs a name that can be shown")
    return name


def _reason(key: str, value: object) -> str:
    return "" if value is None else _text(key, value, REASON_MAX_CHARACTERS)


def _flag(default: bool) -> Callable[[str, object], bool]:
    def check(key: str, value: object) -> bool:
        if value is None:
            return default
        if not isinstance(value, bool):
            raise errors.BadField(f"Data type error for key {key}")
        return value

    return check


def _number(lowest: int, highest: int, default: int | None = None) -> Callable[[str, object], int]:
    def check(key: str, value: object) -> int:
        if value is None and default is not None:
            return default
        if value is None:
            raise errors.BadField(f"Field {key} is missing")
        if type(value) is not int:
            raise errors.BadField(f"Data type error for key {key}")
        if not lowest <= value <= highest:
            raise errors.BadField(f"Field {key} must be from {lowest} to {highest}")
        return value

    return check


def _strings(key: str, value: object, maximum_count: int, maximum_characters: int) -> list[str]:
    if not isinstance(value, list | tuple):
        raise errors.BadField(f"Field {key} is missing" if value is None else f"Data type error for key {key}")
    if len(value) > maximum_count:
        raise errors.BadField(f"Field {key} cannot have more than {maximum_count} items")
    return [_text(key, item, maximum_characters) for item in value]


def _words(key: str, value: object) -> tuple[str, ...]:
    words = _strings(key, value, WORDS_MAX_COUNT, WORD_MAX_CHARACTERS)
    if not words:
        raise errors.BadField("A rule of words needs at least one")
    for word in words:
        if not tokens_of(word):
            raise errors.BadField(f"There is no word in {word[:40]!r}")
    return tuple(dict.fromkeys(words))


def _pattern(key: str, value: object) -> str:
    pattern = rules.check_string(value, key)
    if not pattern:
        raise errors.BadField("A pattern cannot be empty")
    if len(pattern) > PATTERN_MAX_CHARACTERS:
        raise errors.BadField(f"A pattern cannot be longer than {PATTERN_MAX_CHARACTERS} characters")
    return pattern


def _domains(key: str, value: object) -> tuple[str, ...]:
    found = []
    for name in _strings(key, [] if value is None else value, DOMAINS_MAX_COUNT, 2 * WORD_MAX_CHARACTERS):
        domain = domain_of(name)
        if domain is None or "." not in domain:
            raise errors.BadField(f"{name[:40]!r} is no domain such as example.org")
        found.append(domain)
    return tuple(dict.fromkeys(found))


def _kind(key: str, value: object) -> Kind:
    try:
        return Kind(rules.check_string(value, key))
    except ValueError:
        raise errors.BadField(f"Field {key} must be one of {', '.join(Kind)}") from None


def _action(key: str, value: object) -> Action:
    try:
        return Action(rules.check_string(value, key))
    except ValueError:
        raise errors.BadField(f"Field {key} must be one of {', '.join(Action)}") from None


CHECKS: Mapping[str, Callable[[str, object], Any]] = {
    "name": _name,
    "kind": _kind,
    "words": _words,
    "pattern": _pattern,
    "allowed_domains": _domains,
    "message_count": _number(1, RATE_MAX_MESSAGES),
    "times": _number(1, REPEAT_MAX_TIMES, default=1),
    "window_s": _number(1, WINDOW_MAX_S),
    "action": _action,
    "mute_s": _number(1, MUTE_MAX_S),
    "reason": _reason,
    "exempts_managers": _flag(default=False),
    "is_enabled": _flag(default=True),
}


def read_rule(given: object) -> Rule:
    """A rule from what somebody has written; fields that it does not have are ignored.

    Raises:
        BadField: the first field that is wrong, in the order of ``fields_of``. Whether a pattern can be compiled
            shows in ``compile_rule``.
    """
    if not isinstance(given, Mapping):
        raise errors.BadField("A rule must be an object")
    values: dict[str, Any] = {}

    def read(name: str) -> Any:
        key = WIRE_NAMES.get(name, name)
        values[name] = CHECKS[name](key, given.get(key))
        return values[name]

    read("name")
    kind = read("kind")
    for name in FIELDS_OF_KIND[kind]:
        read(name)
    action = read("action")
    if action is Action.MASK and kind in COUNTING_KINDS:
        raise errors.BadField(f"A rule of the kind {kind} has nothing to mask")
    for name in fields_of(kind, action):
        if name not in values:
            read(name)
    return Rule(**values)


def change_rule(rule: Rule, given: object) -> Rule:
    """A rule with some of its fields replaced, all of it checked again.

    Raises:
        BadField: as for ``read_rule``.
    """
    if not isinstance(given, Mapping):
        raise errors.BadField("A rule must be an object")
    return read_rule({**wire_form(rule), **{key: value for key, value in given.items() if value is not None}})


def stored_form(rule: Rule) -> dict[str, Any]:
    """A rule as a document."""
    return {name: getattr(rule, name) for name in fields_of(rule.kind, rule.action)}


def from_stored(document: Mapping[str, Any]) -> Rule:
    """The rule of a document."""
    known = {field.name: document[field.name] for field in fields(Rule) if field.name in document}
    for name in ("words", "allowed_domains"):
        if name in known:
            known[name] = tuple(known[name])
    known["kind"], known["action"] = Kind(known["kind"]), Action(known["action"])
    return Rule(**known)


Matcher = WordSet | Pattern | Links


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule that is ready to be asked.

    Attributes:
        key: by which what users have sent is counted: the rule's id, of the server's rules its name.
        matcher: None for the kinds that count.
    """

    key: int | str
    rule: Rule
    matcher: Matcher | None


def compile_rule(key: int | str, rule: Rule, *, is_new: bool = False) -> CompiledRule:
    """Make a rule ready. May take a while where it has thousands of words, so it runs in a thread.

    Args:
        is_new: it is about to be taken in; a pattern is then tried out.

    Raises:
        BadField: its pattern cannot be used.
    """
    matcher: Matcher | None = None
    match rule.kind:
        case Kind.WORDS:
            matcher = WordSet(rule.words)
        case Kind.PATTERN:
            matcher = Pattern(rule.pattern)
            if is_new:
                matcher.try_out(rule.pattern)
        case Kind.LINKS:
            matcher = Links(rule.allowed_domains)
    light = replace(rule, words=())  # the automaton has them
    return CompiledRule(key, light, matcher)
