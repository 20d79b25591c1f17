"""``/time``: what time it is somewhere."""

from __future__ import annotations

import asyncio
import difflib
import zoneinfo
from collections.abc import Collection, Mapping

from nova_bot_chat.assistant_texts import fold, one_line
from nova_bot_chat.commands import BadUsage, command
from nova_tornado.api import Clock, Command, Conversation

USAGE = "[zone or city]"
NAME_MAX_CHARACTERS = 60
SUGGESTIONS_COUNT = 3
SIMILARITY_MIN = 0.7
"""How like a name must be to be suggested (1: the same)."""
NO_ZONE_DATA = "This server has no time zone data, so I know UTC only (an administrator can install tzdata)."

CITIES: Mapping[str, str] = {
    "abu dhabi": "Asia/Dubai",
    "bangalore": "Asia/Kolkata",
    "barcelona": "Europe/Madrid",
    "beijing": "Asia/Shanghai",
    "bern": "Europe/Zurich",
    "birmingham": "Europe/London",
    "boston": "America/New_York",
    "brasilia": "America/Sao_Paulo",
    "california": "America/Los_Angeles",
    "canberra": "Australia/Sydney",
    "cape town": "Africa/Johannesburg",
    "chennai": "Asia/Kolkata",
    "cologne": "Europe/Berlin",
    "dallas": "America/Chicago",
    "delhi": "Asia/Kolkata",
    "edinburgh": "Europe/London",
    "frankfurt": "Europe/Berlin",
    "geneva": "Europe/Zurich",
    "guangzhou": "Asia/Shanghai",
    "hamburg": "Europe/Berlin",
    "hanoi": "Asia/Ho_Chi_Minh",
    "houston": "America/Chicago",
    "hyderabad": "Asia/Kolkata",
    "islamabad": "Asia/Karachi",
    "kazan": "Europe/Moscow",
    "krakow": "Europe/Warsaw",
    "kyiv": "Europe/Kiev",
    "las vegas": "America/Los_Angeles",
    "lyon": "Europe/Paris",
    "marseille": "Europe/Paris",
    "miami": "America/New_York",
    "milan": "Europe/Rome",
    "montreal": "America/Toronto",
    "mumbai": "Asia/Kolkata",
    "munich": "Europe/Berlin",
    "naples": "Europe/Rome",
    "new delhi": "Asia/Kolkata",
    "osaka": "Asia/Tokyo",
    "ottawa": "America/Toronto",
    "philadelphia": "America/New_York",
    "porto": "Europe/Lisbon",
    "pretoria": "Africa/Johannesburg",
    "rio de janeiro": "America/Sao_Paulo",
    "saint petersburg": "Europe/Moscow",
    "san diego": "America/Los_Angeles",
    "san francisco": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "shenzhen": "Asia/Shanghai",
    "st petersburg": "Europe/Moscow",
    "tel aviv": "Asia/Jerusalem",
    "the hague": "Europe/Amsterdam",
    "washington": "America/New_York",
    "wellington": "Pacific/Auckland",
    "берлин": "Europe/Berlin",
    "владивосток": "Asia/Vladivostok",
    "екатеринбург": "Asia/Yekaterinburg",
    "казань": "Europe/Moscow",
    "киев": "Europe/Kiev",
    "лондон": "Europe/London",
    "минск": "Europe/Minsk",
    "москва": "Europe/Moscow",
    "новосибирск": "Asia/Novosibirsk",
    "нью-йорк": "America/New_York",
    "париж": "Europe/Paris",
    "самара": "Europe/Samara",
    "санкт-петербург": "Europe/Moscow",
    "токио": "Asia/Tokyo",
}
"""Cities that no zone is called after, and some by their Russian names."""


class ZoneUnknown(BadUsage):
    """No zone and no known city; the text may suggest what was meant."""


def _key(name: str) -> str:
    return fold(one_line(name.replace("_", " "))).rstrip("?!.,")


class Zones:
    """Finds zones by their names and by cities.

    Args:
        names: of all zones that there are.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._known: dict[str, str] = {}
        for name in sorted(names):
            self._known.setdefault(_key(name.rpartition("/")[2]), name)
        self._known.update({_key(city): zone for city, zone in CITIES.items() if zone in names})
        self._known.update({_key(name): name for name in names})

    def find(self, name: str) -> str:
        """The zone of that name or of that city, without regard to case, accents and ``_``.

        Raises:
            ZoneUnknown: there is none.
        """
        key = _key(name)
        if not self._known and key not in ("utc", "gmt"):
            raise ZoneUnknown(NO_ZONE_DATA)
        if key in ("utc", "gmt"):
            return "UTC"
        if len(name) > NAME_MAX_CHARACTERS:
            raise ZoneUnknown("That name is too long for a place.")
        found = self._known.get(key)
        if found is None:
            near = difflib.get_close_matches(key, self._known, SUGGESTIONS_COUNT, SIMILARITY_MIN)
            names = list(dict.fromkeys(self._shown(each) for each in near))
            hint = f" Did you mean {' or '.join(names)}?" if names else " Try a zone such as Europe/Berlin, or a city."
            raise ZoneUnknown(f"I know no zone or city “{one_line(name)}”.{hint}")
        return found

    def _shown(self, key: str) -> str:
        zone = self._known[key]
        return zone if key == _key(zone) else f"{key.title()} ({zone})"


def commands_time(clock: Clock) -> list[Command]:
    """The command.

    Args:
        clock: what time it is.
    """
    zones: list[Zones] = []  # read from the disk when it is first asked for

    async def tell(conversation: Conversation) -> str:
        name = one_line(conversation.arguments)
        now = clock.now()
        if not name:
            return f"It is {now:%H:%M} UTC, {now:%A, %Y-%m-%d}. For a place, ask /time {USAGE}."
        if not zones:
            zones.append(Zones(await asyncio.to_thread(zoneinfo.available_timezones)))
        zone = zones[0].find(name)
        try:
            local = now if zone == "UTC" else now.astimezone(await asyncio.to_thread(zoneinfo.ZoneInfo, zone))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ZoneUnknown(NO_ZONE_DATA) from None
        offset = f"{local:%z}"
        return f"It is {local:%H:%M} in {zone}, {local:%A, %Y-%m-%d} (UTC{offset[:3]}:{offset[3:]})."

    return [command("time", USAGE, "What time it is in a time zone or a city.", tell)]
