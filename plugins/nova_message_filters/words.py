"""Words: how texts are folded and cut into words, and how words and phrases are found in them.

A text is folded character by character: to lower case, without accents, compatibility forms as what they stand for,
and without what shows as nothing. Words are runs of letters, digits and vowel signs; in scripts that are written
without blanks each character is a word, and so is each symbol (an emoji, a plus sign). Everything else only parts
words. So "BÄD" and "bad" are the same word, which is found in "a bad, bad day" and not in "badge".

Time and memory are linear in the length of the text, whatever the words are.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

MASK = "•"
"""Stands for each character that is hidden."""

Span = tuple[int, int]
"""A part of a text: where it begins, and where what follows it begins."""

_SINGLE_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x309F),  # Hiragana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Scripts without blanks between words."""
_VARIATION_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_SKIN_TONES = (0x1F3FB, 0x1F3FF)
_WORD_CATEGORIES = frozenset("LNM")
_SYMBOL_CATEGORIES = frozenset(("So", "Sm", "Sc"))


def _is_in(character: str, ranges: Iterable[Span]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


def _is_accent(character: str) -> bool:
    """Whether a combining mark is an accent or a point; vowel signs, nuktas and voicing marks make other letters."""
    combining = unicodedata.combining(character)
    return combining == 1 or 10 <= combining <= 36 or combining >= 200


def _bare(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not _is_accent(each))


def _fold_character(character: str) -> str:
    """What a character becomes: letters of a word, blanks where words part, or nothing."""
    pieces = []
    for each in unicodedata.normalize("NFC", _bare(_bare(character).casefold())):
        category = unicodedata.category(each)
        if category == "Cf" or _is_in(each, (*_VARIATION_SELECTORS, _SKIN_TONES)):
            continue
        if category in _SYMBOL_CATEGORIES or _is_in(each, _SINGLE_RANGES):
            pieces.append(f" {each} ")
        else:
            pieces.append(each if category[0] in _WORD_CATEGORIES else " ")
    return "".join(pieces)


class _Folding(dict[int, str]):
    """What each character becomes, found out when it is first met; it cannot outgrow Unicode."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_character(chr(code))
        return folded


_FOLDING = _Folding({code: _fold_character(chr(code)) for code in range(128)})


def tokens_of(text: str) -> list[str]:
    """The folded words of a text, in order."""
    return unicodedata.normalize("NFC", text).translate(_FOLDING).split()


class Text:
    """A text that rules look at; what several of them need is worked out once.

    Attributes:
        text: in Unicode's composed form (NFC); spans are of this.
    """

    def __init__(self, text: str) -> None:
        self.text = unicodedata.normalize("NFC", text)

    @cached_property
    def tokens(self) -> list[str]:
        """The folded words."""
        return self.text.translate(_FOLDING).split()

    @cached_property
    def token_spans(self) -> list[Span]:
        """Where each word stands; what folds to nothing right behind it belongs to it."""
        spans: list[Span] = []
        is_inside = is_behind = False  # a word that may go on; a word, whether it may go on or not
        for place, character in enumerate(self.text):
            folded = _FOLDING[ord(character)]
            if not folded:
                if is_behind:
                    spans[-1] = (spans[-1][0], place + 1)
                continue
            pieces = folded.split()
            if pieces and is_inside and folded[0] != " ":
                spans[-1] = (spans[-1][0], place + 1)
                del pieces[0]
            spans += [(place, place + 1)] * len(pieces)
            is_inside, is_behind = folded[-1] != " ", not folded.isspace()
        return spans

    @cached_property
    def sameness(self) -> int:
        """Equal for texts that fold to the same words; within one process."""
        return hash(" ".join(self.tokens) or "".join(self.text.split()))


def masked(text: str, spans: Iterable[Span]) -> str:
    """A text with parts hidden, as long as it was."""
    pieces = []
    end = 0
    for first, last in sorted(spans):
        first = max(first, end)
        if first < last:
            pieces += [text[end:first], MASK * (last - first)]
            end = last
    return "".join([*pieces, text[end:]])


class WordSet:
    """Finds words and phrases: an automaton (Aho and Corasick) over words.

    Args:
        phrases: each of one or more words.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._longest = [0]  # by state: how many words the longest phrase has that ends here
        for phrase in phrases:
            self._add(tokens_of(phrase))
        self._fall_back = self._link()
        root = self._next[0]
        self._single = frozenset(word for word, state in root.items() if self._longest[state] == 1)
        self._first = frozenset(word for word, state in root.items() if self._next[state])

    def _add(self, tokens: Sequence[str]) -> None:
        state = 0
        for token in tokens:
            following = self._next[state].get(token)
            if following is None:
                following = self._next[state][token] = len(self._next)
                self._next.append({})
                self._longest.append(0)
            state = following
        self._longest[state] = len(tokens)

    def _link(self) -> list[int]:
        """For each state where to go on when the next word does not: the longest end that is a beginning, too."""
        fall_back = [0] * len(self._next)
        waiting = deque(self._next[0].values())
        while waiting:
            state = waiting.popleft()
            for token, following in self._next[state].items():
                back = fall_back[state]
                while back and token not in self._next[back]:
                    back = fall_back[back]
                fall_back[following] = self._next[back].get(token, 0)
                self._longest[following] = max(self._longest[following], self._longest[fall_back[following]])
                waiting.append(following)
        return fall_back

    def is_in(self, text: Text) -> bool:
        """Whether a text holds one of the phrases."""
        tokens = text.tokens
        if not self._single.isdisjoint(tokens):
            return True
        return not self._first.isdisjoint(tokens) and next(self._ends(tokens), None) is not None

    def spans(self, text: Text) -> list[Span]:
        """Where the phrases stand; those that overlap may be told of as one."""
        places = text.token_spans
        return [(places[end - count][0], places[end - 1][1]) for end, count in self._ends(text.tokens)]

    def _ends(self, tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Behind which word a phrase ends, and how many words the longest one has that ends there."""
        state = 0
        for end, token in enumerate(tokens, 1):
            while state and token not in self._next[state]:
                state = self._fall_back[state]
            state = self._next[state].get(token, 0)
            if self._longest[state]:
                yield end, self._longest[state]
