"""Texts as they are compared, cut and told: without regard to case and accents, in one line, in plain words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

SNIPPET_CHARACTERS = 120
"""How much of a message is shown around what was found in it."""
ELLIPSIS = "…"
UNITS_S = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
"""The units of durations, the longest first."""
SHOWN_UNITS = 2
"""A duration is told in so many units at most: "3d 4h"."""
BMP_END = 0x1_0000


def _fold_character(code: int) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", chr(code)).casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


class _Folding(dict[int, str]):
    """What each character becomes, found when it is first met (for ``str.translate``)."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(code)
        if code < BMP_END:  # the others are rare and many: keeping them would let strangers fill the memory
            self[code] = folded
        return folded


_FOLDING = _Folding()


def fold(text: str) -> str:
    """The form in which texts are compared: ``"Élan"`` and ``"elan"`` are the same, and so are ``"ё"`` and ``"е"``."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def one_line(text: str) -> str:
    """A text with every run of white space made one blank."""
    return " ".join(text.split())


def cut(text: str, characters: int) -> str:
    """The beginning of a text, marked if it goes on."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + ELLIPSIS


def matches(text: str, words: Sequence[str]) -> bool:
    """Whether a text holds all of these words (folded), as words or as parts of words."""
    folded = fold(text)
    return all(word in folded for word in words)


def snippet(text: str, words: Sequence[str], characters: int = SNIPPET_CHARACTERS) -> str:
    """The part of a text around the first of some words that is found in it.

    Args:
        words: folded.
        characters: of the part; the marks before and behind it are not counted.
    """
    text = one_line(text)
    if len(text) <= characters:
        return text
    pieces = [_FOLDING[ord(character)] for character in text]
    folded = "".join(pieces)
    found = [at for word in words if (at := folded.find(word)) >= 0]
    hit, folded_length = 0, 0
    for place, piece in enumerate(pieces):  # the place in the text of that place in its folded form
        if folded_length >= min(found, default=0):
            hit = place
            break
        folded_length += len(piece)
    start = max(0, min(hit - characters // 3, len(text) - characters))
    part = text[start : start + characters].strip()
    return f"{ELLIPSIS if start else ''}{part}{ELLIPSIS if start + characters < len(text) else ''}"


def counted(number: int, noun: str) -> str:
    """``"1 vote"``, ``"2 votes"``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: int) -> str:
    """A duration in its two largest units: ``"1h 30m"``."""
    parts = []
    for unit, unit_s in UNITS_S:
        number, seconds = divmod(seconds, unit_s)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:SHOWN_UNITS]) or "0s"
