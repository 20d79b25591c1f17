"""What is stored, to show that nothing has changed."""

from __future__ import annotations

from typing import Any

MOVING = {"chats": {"checkpoint": 0}}
"""What is written behind, in its own time."""


def snapshot(database: Any) -> dict[str, list[str]]:
    """All documents of all collections; without the counters, as a refused request may leave a gap in the ids."""
    names = sorted(set(database.list_collection_names()) - {"counters"})
    return {name: sorted(map(repr, database[name].find({}, MOVING.get(name)))) for name in names}
