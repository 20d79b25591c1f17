"""Rehearsing a rule: what it would have hit in a chat's history. Nothing is changed, and nobody is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from nova_message_filters.counts import Counts
from nova_message_filters.managed import get_managed
from nova_message_filters.rule import COUNTING_KINDS, CompiledRule, Rule, compile_rule
from nova_message_filters.words import Text
from nova_tornado.api import Nova, models

REHEARSED_MAX_MESSAGES = 10_000
REHEARSED_DEFAULT_MESSAGES = 1_000
REHEARSED_AT_ONCE = 500
REHEARSAL_LIMIT_S = 5.0
"""Then it answers with what it has found."""
HITS_MAX_COUNT = 100
AUTHORS_MAX_COUNT = 100
AROUND_CHARACTERS = 40
"""Shown before and behind what was hit."""
HIT_MAX_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class RehearsedHit:
    """A message that the rule would have hit; ``snippet`` is the part of it that shows why."""

    message_id: int
    sender_id: int
    sent_us: int
    snippet: str


@dataclass(slots=True)
class Rehearsal:
    """What came of it.

    Attributes:
        looked_at_count: how many messages were looked at.
        is_complete: whether these are all that were asked for; else the time was over, and the older ones are missing.
        hits: the newest ones, newest first, at most ``HITS_MAX_COUNT``.
        author_counts: how many messages of whom; of all hits.
        users: the authors.
    """

    looked_at_count: int = 0
    is_complete: bool = True
    hits: list[RehearsedHit] = field(default_factory=list)
    author_counts: Counter[int] = field(default_factory=Counter)
    users: dict[int, models.User] = field(default_factory=dict)


class Rehearsals:
    """Runs one rehearsal at a time; the others wait."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._turn = asyncio.Semaphore(1)

    async def check_right(self, caller: models.User, chat_id: int) -> None:
        """Raises what ``run`` would raise for lack of the right to it."""
        await get_managed(self._nova, caller, chat_id)

    async def run(self, caller: models.User, chat_id: int, rule: Rule, message_count: int) -> Rehearsal:
        """Ask a rule about a chat's newest messages, as if it had been there; whether it is enabled does not matter.

        Messages of the system, recalled ones, and those that the caller has deleted for himself are left out. Edits
        are not told apart: a message counts with the text that it has now.

        Raises:
            ChatUnknown, PrivateChat, NoRight, BadField: in this order.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        async with self._turn:
            compiled = await asyncio.to_thread(compile_rule, 0, rule, is_new=True)
            exempt = set(chat.manager_ids) if rule.exempts_managers else set()
            exempt.add(self._nova.services.directory.system.id)
            rehearsal = Rehearsal()
            found: list[RehearsedHit] = []
            sent: list[tuple[RehearsedHit, int]] = []
            end_s = asyncio.get_running_loop().time() + REHEARSAL_LIMIT_S
            before_us: int | None = None
            while rehearsal.looked_at_count < message_count:
                limit = min(REHEARSED_AT_ONCE, message_count - rehearsal.looked_at_count)
                page = await self._nova.services.messages.history(
                    chat, caller.id, before_us=before_us, limit=limit, newest=True
                )
                if not page:
                    break
                if asyncio.get_running_loop().time() > end_s:
                    rehearsal.is_complete = False
                    break
                rehearsal.looked_at_count += len(page)
                before_us = page[0].sent_us
                concerned = [entry for entry in reversed(page) if entry.sender_id not in exempt]
                if rule.kind in COUNTING_KINDS:
                    sent += await asyncio.to_thread(_prepare, concerned)
                else:
                    found += await asyncio.to_thread(_find, compiled, concerned)
            if rule.kind in COUNTING_KINDS:
                found = _count(compiled, sent)
        rehearsal.hits = found[:HITS_MAX_COUNT]
        rehearsal.author_counts.update(hit.sender_id for hit in found)
        rehearsal.users = dict(await self._nova.services.directory.load(rehearsal.author_counts))
        return rehearsal


def _hit(entry: models.Entry, snippet: str) -> RehearsedHit:
    return RehearsedHit(entry.id, entry.sender_id, entry.sent_us, snippet)


def _find(compiled: CompiledRule, entries: Sequence[models.Entry]) -> list[RehearsedHit]:
    """The messages that a rule on texts hits, in their order."""
    assert compiled.matcher is not None
    found = []
    for entry in entries:
        text = Text(entry.text)
        if compiled.matcher.is_in(text):
            spans = compiled.matcher.spans(text)
            found.append(_hit(entry, _snippet(text.text, *min(spans, default=(0, 0)))))
    return found


def _prepare(entries: Sequence[models.Entry]) -> list[tuple[RehearsedHit, int]]:
    return [(_hit(entry, _snippet(entry.text, 0, 0)), Text(entry.text).sameness) for entry in entries]


def _count(compiled: CompiledRule, sent: Sequence[tuple[RehearsedHit, int]]) -> list[RehearsedHit]:
    """The messages that a rule that counts hits, newest first; those given are in this order, too."""
    counts = Counts()
    found = []
    for hit, sameness in reversed(sent):
        asked = (hit.sender_id, hit.sent_us, sameness, None)
        if (hit.snippet or compiled.rule.message_count) and counts.is_hit(compiled, *asked):
            found.append(hit)
        else:
            counts.note([compiled], *asked)
    return found[::-1]


def _snippet(text: str, begin: int, end: int) -> str:
    """What was hit, with a little of what stands around it, in one line."""
    first = max(0, begin - AROUND_CHARACTERS)
    last = min(len(text), min(end, begin + HIT_MAX_CHARACTERS) + AROUND_CHARACTERS)
    shown = " ".join(text[first:last].split())
    return f"{'…' if first else ''}{shown}{'…' if last < len(text) else ''}"
