"""Which faults come when: all of it follows from the seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

PAUSES_S = (1.0, 3.0)
"""Between two steps, with everything whole: at least and at most."""
STEP_S = 6.0
"""What a step takes, roughly, with its pause: so many fit into the time that was asked for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One or two faults at once.

    Attributes:
        pause_s: how long everything is whole before it.
        faults: by name.
        seed: of what the faults themselves choose.
    """

    pause_s: float
    faults: tuple[str, ...]
    seed: int


def make_plan(seed: int, faults: Sequence[str], seconds: float) -> list[Step]:
    """Every fault once, in a random order, then pairs of them until the time is over.

    Args:
        seed: the same one gives the same plan.
        faults: the names to choose from.
        seconds: how long the steps may take together, roughly; each fault comes once in any case.
    """
    dice = random.Random(f"plan {seed}")
    chosen: list[tuple[str, ...]] = [(fault,) for fault in dice.sample(sorted(faults), len(faults))]
    for _ in range(round(seconds / STEP_S) - len(chosen)):
        chosen.append(tuple(dice.sample(sorted(faults), min(2, len(faults)))))
    return [Step(dice.uniform(*PAUSES_S), names, dice.randrange(2**32)) for names in chosen]
