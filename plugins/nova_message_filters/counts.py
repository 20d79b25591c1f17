"""What users have sent lately, for the rules that count: in memory, bounded, and gone with a restart."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import NamedTuple

from nova_message_filters.rule import CompiledRule, Kind

REMEMBERED_COUNT = 20_000
"""Users by rule; who has sent nothing for the longest time is forgotten first."""
REPEAT_REMEMBERED_COUNT = 100
"""Texts of one user that are compared."""


class _Seen(NamedTuple):
    at_us: int
    sameness: int
    client_id: str | None


class Counts:
    """Counts what has passed, by rule and user."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[int | str, int], deque[_Seen]] = OrderedDict()

    def is_hit(self, compiled: CompiledRule, user_id: int, now_us: int, sameness: int, client_id: str | None) -> bool:
        """Whether one more message is too much.

        Args:
            sameness: of its text; the same for equal ones.
            client_id: the sender's own id of the send. What has passed under it passes again: it is the same message.
        """
        rule = compiled.rule
        seen = self._seen.get((compiled.key, user_id), ())
        recent = [each for each in seen if now_us - each.at_us < rule.window_s * 1_000_000]
        if client_id is not None and any(each.client_id == client_id for each in recent):
            return False
        if rule.kind is Kind.RATE:
            return len(recent) >= rule.message_count
        return sum(each.sameness == sameness for each in recent) >= rule.times

    def note(
        self, counting: Iterable[CompiledRule], user_id: int, now_us: int, sameness: int, client_id: str | None
    ) -> None:
        """A message passes; the arguments are those of ``is_hit``."""
        for compiled in counting:
            key = (compiled.key, user_id)
            maximum = compiled.rule.message_count or REPEAT_REMEMBERED_COUNT
            seen = self._seen.get(key)
            if seen is None or seen.maxlen != maximum:
                seen = self._seen[key] = deque(seen or (), maxlen=maximum)
            if client_id is None or all(each.client_id != client_id for each in seen):
                seen.append(_Seen(now_us, sameness, client_id))
            self._seen.move_to_end(key)
            if len(self._seen) > REMEMBERED_COUNT:
                self._seen.popitem(last=False)
