"""What is stored, to show that nothing has changed."""

from __future__ import annotations

from typing import Any


def snapshot(database: Any) -> dict[str, Any]:
    """What all documents of all collections come to, by collection; without what is written behind, in its own time.

    Without the counters too: a refused request may leave a gap in the ids.
    """
    chats = list(database["chats"].find({}, {"checkpoint": 0}).sort("_id", 1))
    return _hashes(database, {"counters"}) | {"chats": chats}


def snapshot_of_all(database: Any) -> dict[str, Any]:
    """The same with that, for tests in which nothing is written behind; but a refused request may touch its session."""
    return _hashes(database, {"counters", "sessions"})


def _hashes(database: Any, left_out: set[str]) -> dict[str, Any]:
    hashes = database.command("dbHash")["collections"]
    return {name: hashes[name] for name in hashes.keys() - left_out}
