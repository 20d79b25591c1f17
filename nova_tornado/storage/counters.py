"""Ids: one growing counter for each kind of thing; a number is never given out twice."""

from __future__ import annotations

from pymongo import ReturnDocument

from nova_tornado.storage.database import CollectionSpec, Database, MongoSession

COUNTERS = CollectionSpec("counters")


class Counters:
    """The collection ``counters``: ``{_id: kind, last: int}``."""

    def __init__(self, database: Database) -> None:
        self._collection = database.collection(COUNTERS)

    async def next_ids(self, kind: str, number: int = 1, session: MongoSession | None = None) -> range:
        """Take ``number`` fresh ids of a kind, ascending; those of a failed change are lost, never reused."""
        document = await self._collection.find_one_and_update(
            {"_id": kind},
            {"$inc": {"last": number}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        last: int = document["last"]
        return range(last - number + 1, last + 1)

    async def next_id(self, kind: str) -> int:
        """Take one fresh id of a kind."""
        return (await self.next_ids(kind))[0]
