"""``/roll``: dice."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from nova_bot_chat.commands import BadUsage, command
from nova_tornado.api import Command, Conversation

SIDES_DEFAULT = 6
SIDES_MIN = 2
SIDES_MAX = 1_000_000
DICE_MAX_COUNT = 100
MODIFIER_MAX = 1_000_000
SHOWN_DICE = 20
"""So many dice are told one by one; of more only the sum."""
USAGE = "[sides | NdM+K]"

_SIDES = re.compile(r"[0-9]{1,9}")
_ROLL = re.compile(r"([0-9]{0,9})d([0-9]{1,9})(?:([+-])([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Roll:
    """``count`` dice of ``sides`` sides, and a number that is added to their sum."""

    count: int = 1
    sides: int = SIDES_DEFAULT
    modifier: int = 0


def parse_roll(arguments: str) -> Roll:
    """Read ``""``, ``"20"`` or ``"2d6+1"``.

    Raises:
        BadUsage: anything else, or beyond the bounds.
    """
    text = "".join(arguments.split()).lower()
    if not text:
        return Roll()
    if _SIDES.fullmatch(text):
        roll = Roll(sides=int(text))
    elif found := _ROLL.fullmatch(text):
        count, sides, sign, modifier = found.groups()
        roll = Roll(int(count or 1), int(sides), int(f"{sign}{modifier}") if sign else 0)
    else:
        raise BadUsage("I can roll 20 or 2d6+1, but not that.")
    if not SIDES_MIN <= roll.sides <= SIDES_MAX:
        raise BadUsage(f"A die has {SIDES_MIN} to {SIDES_MAX:,} sides.")
    if not 1 <= roll.count <= DICE_MAX_COUNT:
        raise BadUsage(f"I roll 1 to {DICE_MAX_COUNT} dice at once.")
    if abs(roll.modifier) > MODIFIER_MAX:
        raise BadUsage(f"I add {MODIFIER_MAX:,} at most.")
    return roll


def throw(roll: Roll, chance: random.Random) -> str:
    """Roll the dice and tell what came."""
    thrown = [chance.randint(1, roll.sides) for _ in range(roll.count)]
    total = sum(thrown) + roll.modifier
    modifier = f" {'+' if roll.modifier > 0 else '-'} {abs(roll.modifier)}" if roll.modifier else ""
    if roll.count == 1 and not modifier:
        return f"You rolled {total} (1–{roll.sides})."
    name = f"{roll.count}d{roll.sides}{modifier.replace(' ', '')}"
    dice = f" = {' + '.join(map(str, thrown))}{modifier}" if roll.count <= SHOWN_DICE else ""
    return f"You rolled {total} ({name}{dice})."


def commands_dice(chance: random.Random | None = None) -> list[Command]:
    """The command.

    Args:
        chance: by default the system's.
    """
    source = chance or random.SystemRandom()

    async def roll(conversation: Conversation) -> str:
        return throw(parse_roll(conversation.arguments), source)

    return [command("roll", USAGE, "Roll dice: 1–6, one die of that many sides, or N dice of M sides plus K.", roll)]
