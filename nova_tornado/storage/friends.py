"""The collections ``friend_groups``, ``friendships`` (two directed records each) and ``friend_invitations``.

``friend_groups {_id, owner, name, is_default}``; ``friendships {_id, user, friend, nickname, group}``;
``friend_invitations {_id, sender, receiver, comment, source}``.
"""

from __future__ import annotations

from typing import Any

from nova_tornado.domain.models import FriendGroup, FriendInvitation, Friendship
from nova_tornado.storage.database import CollectionSpec, Database, Document, Index, MongoSession

FRIEND_GROUPS = CollectionSpec(
    "friend_groups",
    (
        Index((("owner", 1), ("_id", 1)), "a user's groups by id"),
        Index((("owner", 1),), "one default group a user", unique=True, where={"is_default": True}),
    ),
)
FRIENDSHIPS = CollectionSpec(
    "friendships",
    (
        Index((("user", 1), ("friend", 1)), "are the two friends; once only", unique=True),
        Index((("user", 1), ("_id", 1)), "a user's friends in the order in which they were made"),
        Index((("group", 1),), "the friends in a group"),
    ),
)
FRIEND_INVITATIONS = CollectionSpec(
    "friend_invitations",
    (
        Index((("sender", 1), ("receiver", 1)), "one pending invitation a direction", unique=True),
        Index((("receiver", 1), ("_id", 1)), "what a user was asked, by id"),
    ),
)


def _group(document: Document) -> FriendGroup:
    return FriendGroup(document["_id"], document["owner"], document["name"], document["is_default"])


def _friendship(document: Document) -> Friendship:
    return Friendship(document["_id"], document["user"], document["friend"], document["nickname"], document["group"])


def _invitation(document: Document) -> FriendInvitation:
    return FriendInvitation(
        document["_id"], document["sender"], document["receiver"], document["comment"], document["source"]
    )


class FriendGroups:
    """The users' own folders of friends."""

    def __init__(self, database: Database) -> None:
        self._collection = database.collection(FRIEND_GROUPS)

    async def insert(self, group: FriendGroup, session: MongoSession | None = None) -> None:
        """Store a new group."""
        await self._collection.insert_one(
            {"_id": group.id, "owner": group.owner_id, "name": group.name, "is_default": group.is_default},
            session=session,
        )

    async def find(self, group_id: int) -> FriendGroup | None:
        """The group with that id."""
        document = await self._collection.find_one({"_id": group_id})
        return _group(document) if document else None

    async def find_default(self, user_id: int) -> FriendGroup | None:
        """The user's default group."""
        document = await self._collection.find_one({"owner": user_id, "is_default": True})
        return _group(document) if document else None

    async def list_of(self, user_id: int) -> list[FriendGroup]:
        """The user's groups by id; the default one was made first."""
        cursor = self._collection.find({"owner": user_id}).sort("_id", 1)
        return [_group(document) for document in await cursor.to_list(None)]

    async def rename(self, group_id: int, name: str) -> None:
        """Give a group another name."""
        await self._collection.update_one({"_id": group_id}, {"$set": {"name": name}})

    async def delete(self, group_id: int, session: MongoSession | None = None) -> None:
        """Remove a group."""
        await self._collection.delete_one({"_id": group_id}, session=session)

    async def delete_all(self, user_id: int) -> None:
        """Remove all groups of a user."""
        await self._collection.delete_many({"owner": user_id})


class Friendships:
    """Who is whose friend."""

    def __init__(self, database: Database) -> None:
        self._collection = database.collection(FRIENDSHIPS)

    async def insert(self, friendships: list[Friendship], session: MongoSession) -> None:
        """Store records of new friendships.

        Raises:
            DuplicateKeyError: they are friends already.
        """
        for f in friendships:
            await self._collection.insert_one(
                {"_id": f.id, "user": f.user_id, "friend": f.friend_id, "nickname": f.nickname, "group": f.group_id},
                session=session,
            )

    async def find(self, user_id: int, friend_id: int) -> Friendship | None:
        """How ``user_id`` keeps ``friend_id``, if they are friends."""
        document = await self._collection.find_one({"user": user_id, "friend": friend_id})
        return _friendship(document) if document else None

    async def list_of(self, user_id: int) -> list[Friendship]:
        """The user's friends in the order in which the friendships were made."""
        cursor = self._collection.find({"user": user_id}).sort("_id", 1)
        return [_friendship(document) for document in await cursor.to_list(None)]

    async def list_among(self, user_id: int, friend_ids: list[int]) -> set[int]:
        """Those of ``friend_ids`` who are friends of the user."""
        cursor = self._collection.find({"user": user_id, "friend": {"$in": friend_ids}}, {"friend": 1})
        return {document["friend"] for document in await cursor.to_list(None)}

    async def update(self, friendship_id: int, changes: dict[str, Any]) -> None:
        """Set ``nickname`` and/or ``group``."""
        await self._collection.update_one({"_id": friendship_id}, {"$set": changes})

    async def move_all(self, from_group: int, to_group: int, session: MongoSession) -> None:
        """Put all friends of one group into another."""
        await self._collection.update_many({"group": from_group}, {"$set": {"group": to_group}}, session=session)

    async def delete_pair(self, user_id: int, friend_id: int, session: MongoSession | None = None) -> bool:
        """Remove both directions; whether they were friends."""
        result = await self._collection.delete_many(
            {"$or": [{"user": user_id, "friend": friend_id}, {"user": friend_id, "friend": user_id}]},
            session=session,
        )
        return result.deleted_count > 0


class FriendInvitations:
    """Pending requests for friendship."""

    def __init__(self, database: Database) -> None:
        self._collection = database.collection(FRIEND_INVITATIONS)

    async def replace(self, invitation: FriendInvitation, session: MongoSession) -> FriendInvitation | None:
        """Store an invitation in place of an earlier one of the same two, which is returned if there was one."""
        pair = {"sender": invitation.sender_id, "receiver": invitation.receiver_id}
        replaced = await self._collection.find_one_and_delete(pair, session=session)
        await self._collection.insert_one(
            {"_id": invitation.id, **pair, "comment": invitation.comment, "source": invitation.source},
            session=session,
        )
        return _invitation(replaced) if replaced else None

    async def find(self, invitation_id: int) -> FriendInvitation | None:
        """The pending invitation with that id."""
        document = await self._collection.find_one({"_id": invitation_id})
        return _invitation(document) if document else None

    async def find_from(self, sender_id: int, receiver_id: int) -> FriendInvitation | None:
        """The pending invitation of one user to another."""
        document = await self._collection.find_one({"sender": sender_id, "receiver": receiver_id})
        return _invitation(document) if document else None

    async def list_received(self, user_id: int) -> list[FriendInvitation]:
        """What the user was asked, by id."""
        cursor = self._collection.find({"receiver": user_id}).sort("_id", 1)
        return [_invitation(document) for document in await cursor.to_list(None)]

    async def delete(self, invitation_id: int) -> bool:
        """Remove an invitation; whether it was there."""
        return (await self._collection.delete_one({"_id": invitation_id})).deleted_count == 1

    async def take_between(self, one_id: int, other_id: int, session: MongoSession) -> list[FriendInvitation]:
        """Remove what the two have asked each other; returns what there was."""
        taken = []
        for sender_id, receiver_id in ((one_id, other_id), (other_id, one_id)):
            pair = {"sender": sender_id, "receiver": receiver_id}
            document = await self._collection.find_one_and_delete(pair, session=session)
            if document is not None:
                taken.append(_invitation(document))
        return taken

    async def list_of(self, user_id: int) -> list[FriendInvitation]:
        """What the user has asked and was asked, by id."""
        cursor = self._collection.find({"$or": [{"sender": user_id}, {"receiver": user_id}]}).sort("_id", 1)
        return [_invitation(document) for document in await cursor.to_list(None)]
