"""Extractive summaries: the sentences of a conversation that hold what it was most about.

A word counts by how many sentences use it; a sentence by the mean of its words, so that long ones do not win by their
length. Words that every text is full of are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nova_bot_chat.assistant_texts import counted, cut, fold, one_line

SENTENCES_COUNT = 5
SENTENCE_MIN_WORDS = 3
"""Shorter ones ("See you!") say nothing by themselves."""
SENTENCE_LENGTH_WORDS = 8
"""A sentence with fewer telling words than this counts less in proportion: one rare word is no topic."""
SENTENCE_SHOWN_CHARACTERS = 300
MESSAGE_READ_CHARACTERS = 2_000
"""Of each message."""
AUTHORS_SHOWN = 10

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_END = re.compile(r"(?<=[.!?…])\s+|\n+")

STOP_WORDS = frozenset(
    fold(each.group())
    for each in re.finditer(
        r"\S+",
        """
    a about above after again all also am an and any are as at be because been before being below between both but by
    can cannot could did do does doing done down during each few for from further get go got had has have having he her
    here hers him his how i if in into is it its itself just let like me more most my no nor not now of off on once one
    only or other our ours out over own please same she should so some such than that the their theirs them then there
    these they this those through to too under until up us very was we were what when where which while who whom why
    will with would yes you your yours ok okay i'm it's don't can't i'll we'll you're that's isn't didn't doesn't let's
    hello hi hey thanks thank
    а без более бы был была были было быть в вам вас весь во вот все всего всех всё вы где да даже для до его ее её если
    есть еще ещё же за здесь и из или им их к как ко когда кто ли либо мне много может мы на надо наш не него нее неё
    нет ни них но ну о об однако он она они оно от очень по под при с со спасибо так также такой там те тем то того тоже
    той только том ты у уже хотя чего чей чем что чтобы чьё эта эти это этого этой этом этот я меня мой моя тебя тебе
    вас нас нам будет привет пока пожалуйста просто можно нужно
    aber als am an auch auf aus bei bin bis das dass dein dem den der des die doch du ein eine einem einen einer er es
    für hat ich ihr im in ist ja kann mein mit nach nicht noch nur oder sein sich sie sind so und uns vom von vor war
    was wenn wer wie wir wird zu zum zur
    """,
    )
)
"""English, Russian and German, folded."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that somebody said."""

    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its author and the telling words in it (folded)."""

    author: str
    text: str
    words: tuple[str, ...]


def split_sentences(said: Sequence[Said]) -> list[Sentence]:
    """The sentences that are long enough to say something, in order; each text once."""
    sentences: dict[str, Sentence] = {}
    for each in said:
        for part in _END.split(each.text[:MESSAGE_READ_CHARACTERS]):
            text = one_line(part)
            words = [fold(word) for word in _WORD.findall(text)]
            telling = tuple(word for word in words if word not in STOP_WORDS and len(word) > 1)
            if len(words) >= SENTENCE_MIN_WORDS and telling:
                sentences.setdefault(fold(text), Sentence(each.author, text, telling))
    return list(sentences.values())


def pick(sentences: Sequence[Sentence], count: int = SENTENCES_COUNT) -> list[Sentence]:
    """The sentences that say most of what it was about, in the order in which they were said.

    After each choice the words that it holds count half: what was said once already is said.
    """
    frequency: dict[str, float] = dict(Counter(word for sentence in sentences for word in set(sentence.words)))
    chosen: list[int] = []
    while len(chosen) < min(count, len(sentences)):
        scores = {
            place: sum(frequency[word] for word in sentence.words) / max(len(sentence.words), SENTENCE_LENGTH_WORDS)
            for place, sentence in enumerate(sentences)
            if place not in chosen
        }
        best = max(scores, key=lambda place: (scores[place], -place))
        chosen.append(best)
        for word in set(sentences[best].words):
            frequency[word] /= 2
    return [sentences[place] for place in sorted(chosen)]


def summarise(said: Sequence[Said], count: int = SENTENCES_COUNT) -> str | None:
    """A summary of a conversation: what it was about, and who said how much.

    Args:
        said: in order.
        count: how many sentences at most.

    Returns:
        Lines of text; None if there is too little to say anything about it.
    """
    sentences = split_sentences(said)
    if not sentences:
        return None
    lines = [f"• {each.author}: {cut(each.text, SENTENCE_SHOWN_CHARACTERS)}" for each in pick(sentences, count)]
    numbers = Counter(each.author for each in said).most_common()
    authors = ", ".join(f"{author} ({number})" for author, number in numbers[:AUTHORS_SHOWN])
    more = len(numbers) - AUTHORS_SHOWN
    others = f" and {counted(more, 'other')}" if more > 0 else ""
    return "\n".join([*lines, f"Messages: {authors}{others}."])
