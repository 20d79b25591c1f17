"""Regular expressions and links: both are searched by RE2, whose time is linear in the length of the text.

Linear is not always little: a pattern's size is bounded, and one that takes long on the texts that it is tried on is
refused. What may take longer than a moment on one text runs in a thread of its own (RE2 lets the others run).
"""

from __future__ import annotations

import random
import re
import string
import time
from collections.abc import Collection, Iterator

import re2

from nova_message_filters.words import Span, Text
from nova_tornado.api import errors, rules

PATTERN_MAX_CHARACTERS = 500
PROGRAM_MAX_STEPS = 2_500
"""Of one pattern, as RE2 counts its compiled form: a character is about 1, ``\\pL`` is 1,200."""
PROGRAM_MEMORY_MAX_BYTES = 1 << 20
MATCHES_MAX_COUNT = 200
"""So many matches of one pattern are told apart; what follows counts as one. To find all would not be linear."""
TRIAL_MAX_S = 0.05
"""CPU time for one text of the greatest length; 2 ms is usual."""
DOMAIN_MAX_CHARACTERS = 253
REASON_MAX_CHARACTERS = 80
"""Of what RE2 says of a pattern, which may repeat it."""

_SEED = 1
_RANDOM = random.Random(_SEED)
_RANDOM_TEXT = "".join(_RANDOM.choices(string.ascii_letters + string.digits + "  .,-é", k=rules.TEXT_MAX_CHARACTERS))


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = PROGRAM_MEMORY_MAX_BYTES
    return options


class Pattern:
    """A regular expression.

    Args:
        pattern: in RE2's syntax.

    Attributes:
        step_count: the size of its compiled form.

    Raises:
        BadField: it is none, or is too large.
    """

    def __init__(self, pattern: str) -> None:
        try:
            self._compiled = re2.compile(pattern, _options())
        except re2.error as error:
            reason = error.args[0] if error.args else ""
            reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise errors.BadField(f"The pattern cannot be used: {reason[:REASON_MAX_CHARACTERS]}") from None
        self.step_count: int = max(self._compiled.programsize, self._compiled.reverseprogramsize)
        if self.step_count > PROGRAM_MAX_STEPS:
            raise errors.BadField(
                f"The pattern is too large: it comes to {self.step_count} steps, {PROGRAM_MAX_STEPS} are allowed"
            )

    def try_out(self, pattern: str) -> None:
        """Run it on long texts, before it is taken in.

        Args:
            pattern: as it was written.

        Raises:
            BadField: it matches where there is nothing, or takes too long.
        """
        if self._compiled.search("") is not None:
            raise errors.BadField("The pattern must not match the empty text")
        own = re.sub(r"[^\w ]", "", pattern) or "a"
        for text in (_RANDOM_TEXT, own[0] * rules.TEXT_MAX_CHARACTERS, own * rules.TEXT_MAX_CHARACTERS):
            begin_s = time.thread_time()
            self._compiled.search(text[: rules.TEXT_MAX_CHARACTERS])
            if time.thread_time() - begin_s > TRIAL_MAX_S:
                raise errors.BadField("The pattern takes too long: make its repetitions shorter")

    def is_in(self, text: Text) -> bool:
        """Whether a text has a match."""
        return self._compiled.search(text.text) is not None

    def spans(self, text: Text) -> list[Span]:
        """Where the matches are."""
        return list(_bounded(self._compiled, text.text))


def _bounded(compiled: re2._Regexp, text: str) -> Iterator[Span]:
    for number, match in enumerate(compiled.finditer(text), 1):
        if number > MATCHES_MAX_COUNT:
            yield match.start(), len(text)
            return
        if match.start() < match.end():
            yield match.span()


# Links

_LABEL = r"[a-z0-9_\-\x{80}-\x{1fff}\x{2c00}-\x{2fff}\x{3003}-\x{10ffff}]"
_LINKS = re2.compile(
    rf"(?i)(?:[a-z][a-z0-9+.\-]*:[/\\]+|www\.)[^\s<>\"]+|(?:{_LABEL}+\.)+{_LABEL}+(?:/[^\s<>\"]*)?", _options()
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:[/\\]+", re.IGNORECASE)
_HOST = re.compile(r"[\w.-]+")
_PORT = re.compile(r":[0-9]*\Z")
USUAL_TOP_LEVELS = frozenset(
    (
        *("com", "org", "net", "info", "biz", "edu", "gov", "mil", "dev", "io", "ai", "co", "tv", "xyz"),
        *("de", "ch", "fr", "es", "nl", "pl", "cz", "se", "fi", "dk", "eu", "uk", "ie", "pt", "ru", "ua", "su", "tr"),
        *("gr", "ca", "mx", "br", "ar", "au", "nz", "jp", "cn", "kr", "za"),
    )
)
"""A name such as ``example.com`` counts as a link without anything before or behind it only if it ends so: those that
are words too ("it", "me", "top") would take every forgotten blank behind a full stop for a link."""
_TRAILING = ".,;:!?)]}'\""


class Links:
    """Finds links: addresses with ``scheme://`` or ``www.``, and bare names of hosts where they look like one.

    Args:
        allowed_domains: as ``domain_of`` makes them; links to these and to what lies below them are let through.
    """

    step_count = 0

    def __init__(self, allowed_domains: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed_domains)

    def is_in(self, text: Text) -> bool:
        """Whether a text has a link that is not allowed."""
        return next(self._find(text.text), None) is not None

    def spans(self, text: Text) -> list[Span]:
        """Where such links stand."""
        return list(self._find(text.text))

    def _find(self, text: str) -> Iterator[Span]:
        for number, match in enumerate(_LINKS.finditer(text), 1):
            if number > MATCHES_MAX_COUNT:
                yield match.start(), len(text)
                return
            link = match.group().rstrip(_TRAILING)
            is_mail = text[max(0, match.start() - 1) : match.start()] == "@"
            if link and _is_link(link, is_mail=is_mail) and not self._is_allowed(link):
                yield match.start(), match.start() + len(link)

    def _is_allowed(self, link: str) -> bool:
        host = _host_of(link)
        while host:
            if host in self._allowed:
                return True
            host = host.partition(".")[2]
        return False


def _is_link(link: str, *, is_mail: bool) -> bool:
    if _SCHEME.match(link) or link[:4].casefold() == "www.":
        return True
    host, slash, _ = link.partition("/")
    top_level = host.rpartition(".")[2]
    if slash:
        return len(top_level) > 1 and not any(each.isdigit() for each in top_level)
    return top_level.casefold() in USUAL_TOP_LEVELS and not is_mail


def _host_of(link: str) -> str:
    """The host that a link leads to, as ``domain_of`` makes it; "" where that is not beyond doubt."""
    begin = _SCHEME.match(link)
    authority = re.split(r"[/?#]", link[begin.end() :] if begin else link, maxsplit=1)[0]
    # Browsers and other readers do not agree on what a backslash or a second @ means.
    if "\\" in link or authority.count("@") > 1:
        return ""
    return domain_of(_PORT.sub("", authority.rpartition("@")[2])) or ""


def domain_of(name: str) -> str | None:
    """The name of a host in the form in which names are compared; None if it is none."""
    name = name.strip().rstrip(".").casefold()
    if not name or len(name) > DOMAIN_MAX_CHARACTERS or not _HOST.fullmatch(name) or ".." in name or name[0] == ".":
        return None
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return None
