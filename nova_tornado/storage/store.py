"""All collections behind one name, with the schema's version and the steps between versions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nova_tornado.storage.chats import CHATS, PURGES, Chats
from nova_tornado.storage.counters import COUNTERS, Counters
from nova_tornado.storage.database import CollectionSpec, Database
from nova_tornado.storage.files import FILE_CHUNKS, FILES, Files
from nova_tornado.storage.friends import (
    FRIEND_GROUPS,
    FRIEND_INVITATIONS,
    FRIENDSHIPS,
    FriendGroups,
    FriendInvitations,
    Friendships,
)
from nova_tornado.storage.memberships import MEMBERSHIPS, Memberships
from nova_tornado.storage.messages import MESSAGES, Messages
from nova_tornado.storage.registrations import REGISTRATIONS, Registrations
from nova_tornado.storage.sessions import SESSIONS, Sessions
from nova_tornado.storage.users import USERS, Users

META = CollectionSpec("meta")
COLLECTIONS = (
    META,
    COUNTERS,
    USERS,
    SESSIONS,
    REGISTRATIONS,
    FRIEND_GROUPS,
    FRIENDSHIPS,
    FRIEND_INVITATIONS,
    CHATS,
    PURGES,
    MEMBERSHIPS,
    MESSAGES,
    FILES,
    FILE_CHUNKS,
)

Migration = Callable[[Database], Awaitable[None]]
MIGRATIONS: tuple[Migration, ...] = ()
"""Step ``i`` takes the schema from version ``i + 1`` to ``i + 2``; it may be run again after a crash in its middle."""


class SchemaTooNewError(Exception):
    """The database was written by a newer Nova."""


class Store:
    """The collections, one facade a noun.

    Args:
        database: where they are.
        base_url: what links to files, uploaded avatars among them, begin with, without a slash at its end.
    """

    def __init__(self, database: Database, base_url: str = "") -> None:
        self.database = database
        self.counters = Counters(database)
        self.users = Users(database, base_url)
        self.sessions = Sessions(database)
        self.registrations = Registrations(database)
        self.friend_groups = FriendGroups(database)
        self.friendships = Friendships(database)
        self.friend_invitations = FriendInvitations(database)
        self.chats = Chats(database)
        self.memberships = Memberships(database)
        self.files = Files(database, base_url)
        self.messages = Messages(database, base_url)

    async def prepare(
        self, more: tuple[CollectionSpec, ...] = (), migrations: tuple[Migration, ...] = MIGRATIONS
    ) -> None:
        """Bring the schema up to date and make what is missing.

        Args:
            more: the plugins' collections.
            migrations: the steps between versions.

        Raises:
            SchemaTooNewError: the database was written by a newer Nova.
        """
        meta = self.database.collection(META)
        newest = len(migrations) + 1
        document = await meta.find_one({"_id": "schema"})
        version: int = document["version"] if document else newest
        if version > newest:
            raise SchemaTooNewError(f"the database has schema version {version}, this Nova knows {newest}")
        for step in range(version, newest):
            await migrations[step - 1](self.database)
            await meta.update_one({"_id": "schema"}, {"$set": {"version": step + 1}})
        await self.database.prepare(COLLECTIONS + more)
        if document is None:
            await meta.update_one({"_id": "schema"}, {"$setOnInsert": {"version": newest}}, upsert=True)
