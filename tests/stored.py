"""What is stored, to show that nothing has changed."""

from __future__ import annotations

from typing import Any

COUNTERS = {"counters"}
"""A refused request may leave a gap in the ids."""

SIGNED_IN = {"sessions", "counters"}
"""One that is refused behind the sign-in may have touched the session, too."""


def snapshot(database: Any, left_out: set[str] = COUNTERS) -> dict[str, Any]:
    """What all documents of all collections come to, by collection; without what is written behind, in its own time."""
    hashes = database.command("dbHash")["collections"]
    chats = list(database["chats"].find({}, {"checkpoint": 0}).sort("_id", 1))
    return {name: hashes[name] for name in hashes.keys() - left_out} | {"chats": chats}
