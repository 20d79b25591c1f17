"""How much one user may ask."""

from __future__ import annotations

from dataclasses import dataclass, field

from nova_tornado.api import Clock

QUESTIONS_PER_MINUTE = 20
"""More than anybody types; a program that asks in a loop is stopped."""
MINUTE_US = 60_000_000


@dataclass(slots=True)
class _Asked:
    """When a user has asked within the last minute, and whether he was told that it is too much."""

    times_us: list[int] = field(default_factory=list)
    is_told: bool = False


class QuestionLimits:
    """Counts the questions of each user in the last minute.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._users: dict[int, _Asked] = {}  # whoever has asked last stands last

    def is_exceeded(self, user_id: int) -> bool:
        """Whether another question would be too many."""
        return len(self._present(user_id).times_us) >= QUESTIONS_PER_MINUTE

    def take(self, user_id: int) -> bool:
        """Count a question; False if it is one too many, which then does not count."""
        asked = self._present(user_id)
        if len(asked.times_us) >= QUESTIONS_PER_MINUTE:
            return False
        asked.times_us.append(self._clock.now_us())
        asked.is_told = False
        self._users.pop(user_id, None)
        self._users[user_id] = asked
        return True

    def tell(self, user_id: int) -> bool:
        """Whether the user is to be told that it is too much: only once, until a question was taken again."""
        asked = self._present(user_id)
        is_first, asked.is_told = not asked.is_told, True
        return is_first

    def _present(self, user_id: int) -> _Asked:
        since_us = self._clock.now_us() - MINUTE_US
        for other_id, asked in list(self._users.items()):
            if asked.times_us[-1] > since_us:
                break
            del self._users[other_id]
        asked = self._users.get(user_id) or _Asked()
        asked.times_us = [time_us for time_us in asked.times_us if time_us > since_us]
        return asked
