"""The collections ``chats`` and ``purges``.

``chats {_id, kind, title, pair?, policy?, created_us, checkpoint {seq, count, sent_us, message}}``: the checkpoint says
up to which entry of the log the read cursors that follow from sending are stored in ``memberships``; it is written
behind (what comes after it is read from the log). ``message`` is the place of the newest message then. ``policy`` is
there if the chat is not closed. ``purges {_id: chat id}``: deleted chats whose log is still to be removed.
"""

from __future__ import annotations

from collections.abc import Iterable

from pymongo import UpdateOne

from nova_tornado.domain.models import Chat, ChatKind, JoinPolicy, message_id
from nova_tornado.storage.database import CollectionSpec, Database, Document, Index, MongoSession

CHATS = CollectionSpec(
    "chats",
    (
        Index((("pair", 1),), "one private chat a pair of users", unique=True, where={"pair": {"$exists": True}}),
        Index((("policy", 1), ("_id", 1)), "the open groups, by id", where={"policy": {"$exists": True}}),
    ),
)
PURGES = CollectionSpec("purges")


def pair_key(one_id: int, other_id: int) -> str:
    """What two users' private chat is found by."""
    return f"{min(one_id, other_id)}:{max(one_id, other_id)}"


class Chats:
    """The chats, without members and messages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collection = database.collection(CHATS)
        self._purges = database.collection(PURGES)

    async def insert(self, chat: Chat, session: MongoSession) -> None:
        """Store a new chat.

        Raises:
            DuplicateKeyError: the two have a private chat already.
        """
        document: Document = {
            "_id": chat.id,
            "kind": chat.kind.value,
            "title": chat.title,
            "created_us": chat.created_us,
            "checkpoint": {"seq": 0, "count": 0, "sent_us": chat.created_us, "message": 0},
        }
        if chat.is_private:
            document["pair"] = pair_key(*chat.members)
        if chat.policy is not JoinPolicy.CLOSED:
            document["policy"] = chat.policy.value
        await self._collection.insert_one(document, session=session)

    async def find_pair(self, one_id: int, other_id: int) -> int | None:
        """The id of two users' private chat."""
        document = await self._collection.find_one({"pair": pair_key(one_id, other_id)}, {"_id": 1})
        return document["_id"] if document else None

    async def list_open(self) -> list[int]:
        """The ids of all open groups, ascending."""
        cursor = self._collection.find({"policy": JoinPolicy.OPEN.value}, {"_id": 1}).sort("_id", 1)
        return [document["_id"] for document in await cursor.to_list(None)]

    async def list_checkpoints(self, chat_ids: list[int]) -> list[tuple[Chat, int]]:
        """Chats as of their checkpoints, without members, each with the message id from which its log is to be read."""
        chats = []
        for document in await self._database.find(CHATS, {"_id": {"$in": chat_ids}}):
            checkpoint = document["checkpoint"]
            chat = Chat(
                id=document["_id"],
                kind=ChatKind(document["kind"]),
                title=document["title"],
                created_us=document["created_us"],
                last_seq=checkpoint["seq"],
                last_count=checkpoint["count"],
                last_sent_us=checkpoint["sent_us"],
                policy=JoinPolicy(document.get("policy", JoinPolicy.CLOSED)),
            )
            chats.append((chat, message_id(chat.id, checkpoint["message"] or checkpoint["seq"] + 1)))
        return chats

    async def store_checkpoints(self, chats: Iterable[Chat]) -> None:
        """Note how far the logs' consequences are stored; never goes back."""
        updates = [
            UpdateOne(
                {"_id": chat.id, "checkpoint.seq": {"$lt": chat.last_seq}},
                {
                    "$set": {
                        "checkpoint": {
                            "seq": chat.last_seq,
                            "count": chat.last_count,
                            "sent_us": chat.last_sent_us,
                            "message": chat.last_message.seq if chat.last_message else 0,
                        }
                    }
                },
            )
            for chat in chats
        ]
        if updates:
            await self._collection.bulk_write(updates, ordered=False)

    async def rename(self, chat_id: int, title: str, session: MongoSession) -> None:
        """Give a chat another title."""
        await self._collection.update_one({"_id": chat_id}, {"$set": {"title": title}}, session=session)

    async def delete(self, chat_id: int, session: MongoSession) -> None:
        """Remove a chat and note that its log is to be removed."""
        await self._collection.delete_one({"_id": chat_id}, session=session)
        await self._purges.insert_one({"_id": chat_id}, session=session)

    async def list_purges(self) -> list[int]:
        """Deleted chats whose log is still to be removed."""
        return [document["_id"] for document in await self._purges.find().to_list(None)]

    async def end_purge(self, chat_id: int) -> None:
        """Note that a deleted chat's log is removed."""
        await self._purges.delete_one({"_id": chat_id})
