"""Calling somebody in a group: ``@name`` anywhere in a text, or ``/name`` at its beginning."""

from __future__ import annotations

import re
from functools import lru_cache

CACHED_NAMES = 1_000

_END = r"(?![\w@(]|[.)-]+[\w@(])"
"""What goes on in letters, digits or what else names are made of is another name: ``@nova-2``, ``me@nova.example``.
Dots, brackets and hyphens with nothing of a name behind them end a phrase."""


@lru_cache(CACHED_NAMES)
def mention_of(name: str) -> re.Pattern[str]:
    """Finds ``@name`` as a whole word, in capitals or small letters."""
    return re.compile(rf"(?<![\w@-])@{re.escape(name)}{_END}", re.IGNORECASE)


@lru_cache(CACHED_NAMES)
def _call(name: str) -> re.Pattern[str]:
    return re.compile(rf"{mention_of(name).pattern}|\A/{re.escape(name)}{_END}", re.IGNORECASE)


def is_called(name: str, text: str) -> bool:
    """Whether a text calls somebody by his user name, in capitals or small letters."""
    return _call(name).search(text) is not None
