"""The collection ``memberships``: who is in which chat, with which role, and how far he has read.

``{_id, chat, user, role, nickname, joined_seq, read_seq, read_count, left_seq?}``. One who has left keeps his record
(``left_seq``), so that it is known who may have written in a chat.
"""

from __future__ import annotations

from collections.abc import Iterable

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from nova_tornado.domain.models import Membership, Role
from nova_tornado.storage.database import CollectionSpec, Database, Document, DuplicateKeyError, Index, MongoSession
from nova_tornado.storage.gathered import Gathered

MEMBERSHIPS = CollectionSpec(
    "memberships",
    (
        Index((("chat", 1), ("user", 1)), "a chat's members; one record a member", unique=True),
        Index((("user", 1), ("_id", 1)), "a user's chats in the order of joining"),
    ),
)

_PRESENT = {"left_seq": {"$exists": False}}


def _membership(document: Document) -> Membership:
    return Membership(
        id=document["_id"],
        user_id=document["user"],
        role=Role(document["role"]),
        joined_seq=document["joined_seq"],
        read_seq=document["read_seq"],
        read_count=document["read_count"],
        nickname=document["nickname"],
    )


class Memberships:
    """Who is in which chat."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collection = database.collection(MEMBERSHIPS)
        self._chat_ids = Gathered(self.list_chat_ids_of)

    async def insert(self, chat_id: int, members: Iterable[Membership], session: MongoSession) -> None:
        """Store new members; the record of an earlier membership makes way.

        Raises:
            DuplicateKeyError: one is a member already.
        """
        documents = [
            {
                "_id": member.id,
                "chat": chat_id,
                "user": member.user_id,
                "role": member.role.value,
                "nickname": member.nickname,
                "joined_seq": member.joined_seq,
                "read_seq": member.read_seq,
                "read_count": member.read_count,
            }
            for member in members
        ]
        users = [document["user"] for document in documents]
        await self._collection.delete_many(
            {"chat": chat_id, "user": {"$in": users}, "left_seq": {"$exists": True}}, session=session
        )
        try:
            await self._collection.insert_many(documents, session=session)
        except BulkWriteError as error:
            for failure in (error.details or {}).get("writeErrors", ()):
                raise DuplicateKeyError(failure["errmsg"], failure["code"], failure) from error
            raise

    async def list_of_chats(self, chat_ids: list[int]) -> dict[int, list[Membership]]:
        """The present members of chats, in order of joining."""
        members: dict[int, list[Membership]] = {chat_id: [] for chat_id in chat_ids}
        condition = {"chat": {"$in": chat_ids}, **_PRESENT}
        for document in await self._database.find(MEMBERSHIPS, condition, sort=[("_id", 1)]):
            members[document["chat"]].append(_membership(document))
        return members

    async def list_chat_ids(self, user_id: int) -> list[int]:
        """The chats that a user is in, in the order of his joining."""
        return await self._chat_ids.find(user_id) or []

    async def list_chat_ids_of(self, user_ids: list[int]) -> dict[int, list[int]]:
        """The chats that each of many users is in, in the order of his joining."""
        chat_ids: dict[int, list[int]] = {user_id: [] for user_id in user_ids}
        # In the order of the index, or mongod would sort.
        condition = {"user": {"$in": user_ids}, **_PRESENT}
        order = [("user", 1), ("_id", 1)]
        for document in await self._database.find(MEMBERSHIPS, condition, {"user": 1, "chat": 1}, sort=order):
            chat_ids[document["user"]].append(document["chat"])
        return chat_ids

    async def list_former(self, chat_id: int) -> list[int]:
        """The users who were in a chat and have left."""
        cursor = self._collection.find({"chat": chat_id, "left_seq": {"$exists": True}}, {"user": 1})
        return [document["user"] for document in await cursor.to_list(None)]

    async def set_role(self, chat_id: int, user_id: int, role: Role, session: MongoSession) -> None:
        """Give a member another role."""
        await self._collection.update_one(
            {"chat": chat_id, "user": user_id}, {"$set": {"role": role.value}}, session=session
        )

    async def set_left(self, chat_id: int, user_id: int, left_seq: int, session: MongoSession) -> None:
        """Note that a member has left with that entry of the log."""
        await self._collection.update_one(
            {"chat": chat_id, "user": user_id},
            {"$set": {"left_seq": left_seq, "role": Role.MEMBER.value}},
            session=session,
        )

    async def move_cursors(self, cursors: Iterable[tuple[int, int, int, int]]) -> None:
        """Move read cursors forward, never back.

        Args:
            cursors: ``(chat_id, user_id, read_seq, read_count)`` each.
        """
        updates = [
            UpdateOne({"chat": chat, "user": user}, {"$max": {"read_seq": seq, "read_count": count}})
            for chat, user, seq, count in cursors
        ]
        if updates:
            await self._collection.bulk_write(updates, ordered=False)

    async def delete_all(self, chat_id: int, session: MongoSession) -> None:
        """Remove all records of a chat."""
        await self._collection.delete_many({"chat": chat_id}, session=session)
