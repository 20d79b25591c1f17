"""The collection ``users``: accounts and the two system users.

``{_id, name, password_hash, avatar_url, email, email_key?, phone, first_name?, last_name?, created_us, is_system?,
is_bot?, bot_scope?, bot_key?, is_leaving?}``; ``is_leaving`` marks an account whose deletion is under way (it cannot
sign in any more). An ``avatar_url`` that begins with a slash is that of a file of this server, without the base URL.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from nova_tornado.domain.errors import EmailTaken, NameTaken, NothingToChange
from nova_tornado.domain.models import BotScope, User
from nova_tornado.domain.rules import NO_ID, USER_NAME_MAX_CHARACTERS, email_key
from nova_tornado.storage.database import CollectionSpec, Database, Document, DuplicateKeyError, Index, MongoSession
from nova_tornado.storage.files import FILES_PATH
from nova_tornado.storage.gathered import Gathered

USERS = CollectionSpec(
    "users",
    (
        Index((("name", 1),), "sign-in by name; names are unique", unique=True),
        Index(
            (("email_key", 1),),
            "addresses are unique without regard to case",
            unique=True,
            where={"email_key": {"$exists": True}},
        ),
        Index((("bot_key", 1),), "a bot's account", unique=True, where={"bot_key": {"$exists": True}}),
        Index((("is_leaving", 1),), "deletions to be finished", where={"is_leaving": True}),
    ),
)

PAGE_USERS = 500

_PUBLIC = {"password_hash": 0}


def _taken(error: DuplicateKeyError) -> NameTaken | EmailTaken | NothingToChange:
    if "bot_key" in (error.details or {}).get("keyPattern", {}):
        return NothingToChange("The bot has an account already")
    return EmailTaken() if "email_key" in (error.details or {}).get("keyPattern", {}) else NameTaken()


class Users:
    """The accounts.

    Args:
        database: where they are.
        base_url: what the URLs of files begin with, without a slash at its end.
    """

    def __init__(self, database: Database, base_url: str = "") -> None:
        self._database = database
        self._collection = database.collection(USERS)
        self._by_id = Gathered(self._find_by_id)
        self._base_url = base_url

    def _user(self, document: Document) -> User:
        avatar_url = document["avatar_url"]
        return User(
            id=document["_id"],
            name=document["name"],
            avatar_url=self._base_url + avatar_url if avatar_url.startswith("/") else avatar_url,
            email=document.get("email", ""),
            phone=document.get("phone", ""),
            is_system=document.get("is_system", False),
            first_name=document.get("first_name", ""),
            last_name=document.get("last_name", ""),
            is_bot=document.get("is_bot", False),
            bot_scope=BotScope(document["bot_scope"]) if "bot_scope" in document else None,
        )

    async def insert(
        self,
        user: User,
        password_hash: bytes | None,
        created_us: int,
        session: MongoSession | None = None,
        *,
        bot_key: str = "",
    ) -> None:
        """Store a new account.

        Args:
            bot_key: by which a bot's account is found again, whatever its name.

        Raises:
            NameTaken, EmailTaken: another account has that name or address.
        """
        document: Document = {
            "_id": user.id,
            "name": user.name,
            "avatar_url": user.avatar_url,
            "email": user.email,
            "phone": user.phone,
            "created_us": created_us,
        }
        if user.email:
            document["email_key"] = email_key(user.email)
        if user.first_name:
            document["first_name"] = user.first_name
        if user.last_name:
            document["last_name"] = user.last_name
        if user.is_system:
            document["is_system"] = True
        if user.is_bot:
            document["is_bot"] = True
        if user.bot_scope is not None:
            document["bot_scope"] = user.bot_scope.value
        if bot_key:
            document["bot_key"] = bot_key
        if password_hash is not None:
            document["password_hash"] = password_hash
        try:
            await self._collection.insert_one(document, session=session)
        except DuplicateKeyError as error:
            raise _taken(error) from None

    async def update(self, user_id: int, changes: dict[str, Any], session: MongoSession | None = None) -> User | None:
        """Set fields of an account, all or none.

        Args:
            changes: any of ``name, email, phone, avatar_url, password_hash, first_name, last_name``.

        Returns:
            The account as it is now, or None if there is none.

        Raises:
            NameTaken, EmailTaken: another account has that name or address.
        """
        update: Document = {"$set": dict(changes)}
        if changes.get("avatar_url", "").startswith(self._base_url + FILES_PATH):
            update["$set"]["avatar_url"] = changes["avatar_url"].removeprefix(self._base_url)
        if "email" in changes:
            if changes["email"]:
                update["$set"]["email_key"] = email_key(changes["email"])
            else:
                update["$unset"] = {"email_key": ""}
        try:
            document = await self._collection.find_one_and_update(
                {"_id": user_id}, update, projection=_PUBLIC, return_document=True, session=session
            )
        except DuplicateKeyError as error:
            raise _taken(error) from None
        return self._user(document) if document else None

    async def find_bot(self, bot_key: str) -> User | None:
        """The account of a bot."""
        document = await self._collection.find_one({"bot_key": bot_key}, _PUBLIC)
        return self._user(document) if document else None

    async def list_bots(self) -> list[tuple[str, User]]:
        """The accounts of bots from outside, by id, each with its key."""
        condition = {"bot_key": {"$exists": True}, "bot_scope": {"$exists": True}}
        cursor = self._collection.find(condition, _PUBLIC).sort("_id", 1)
        return [(document["bot_key"], self._user(document)) for document in await cursor.to_list(None)]

    async def find(self, user_id: int) -> User | None:
        """The account with that id, system users included."""
        document = await self._collection.find_one({"_id": user_id}, _PUBLIC)
        return self._user(document) if document else None

    async def find_many(self, user_ids: Iterable[int]) -> list[User]:
        """The accounts with those ids; unknown ids are left out."""
        return list((await self._by_id.find_many(user_ids)).values())

    async def _find_by_id(self, user_ids: list[int]) -> dict[int, User]:
        documents = await self._database.find(USERS, {"_id": {"$in": user_ids}}, _PUBLIC)
        return {document["_id"]: self._user(document) for document in documents}

    async def find_by_name(self, name: str) -> User | None:
        """The account with exactly that name."""
        document = await self._collection.find_one({"name": name}, _PUBLIC)
        return self._user(document) if document else None

    async def list_taken_names(self, names: Sequence[str]) -> set[str]:
        """Those of some names that an account has."""
        cursor = self._collection.find({"name": {"$in": names}}, {"name": 1})
        return {document["name"] for document in await cursor.to_list(None)}

    async def is_email_taken(self, email: str, user_id: int = NO_ID) -> bool:
        """Whether an account (other than ``user_id``) has that address."""
        return await self._collection.find_one({"email_key": email_key(email), "_id": {"$ne": user_id}}) is not None

    async def list_for_sign_in(self, name_or_email: str) -> list[tuple[User, bytes]]:
        """The accounts that may sign in by that: the one of that name, then the one of that address.

        Returns:
            Each with the hash of its password.
        """
        found = []
        for key in ({"name": name_or_email}, {"email_key": email_key(name_or_email)}):
            document = await self._collection.find_one({**key, "is_leaving": {"$exists": False}})
            if document is not None and "password_hash" in document:
                found.append((self._user(document), document["password_hash"]))
            if "@" not in name_or_email:
                break
        return found

    async def find_password_hash(self, user_id: int) -> bytes | None:
        """The hash of an account's password."""
        document = await self._collection.find_one({"_id": user_id}, {"password_hash": 1})
        return document.get("password_hash") if document else None

    async def search_by_name(self, part: str) -> AsyncIterator[list[User]]:
        """All accounts whose name contains ``part`` (case-sensitive, literal), by id, in pages; no system users."""
        if len(part) > USER_NAME_MAX_CHARACTERS:
            return  # in no name; MongoDB refuses very long patterns
        condition: Document = {"is_system": {"$exists": False}, "is_leaving": {"$exists": False}}
        if part:
            condition["name"] = {"$regex": re.escape(part)}
        last_id = 0
        while True:
            found = (
                self._collection.find({**condition, "_id": {"$gt": last_id}}, _PUBLIC).sort("_id", 1).limit(PAGE_USERS)
            )
            page = [self._user(document) for document in await found.to_list(PAGE_USERS)]
            if page:
                yield page
                last_id = page[-1].id
            if len(page) < PAGE_USERS:
                return

    async def mark_leaving(self, user_id: int) -> bool:
        """Note that the account's deletion is under way; False if it was already, or is done."""
        result = await self._collection.update_one({"_id": user_id}, {"$set": {"is_leaving": True}})
        return result.modified_count == 1

    async def list_leaving(self) -> list[User]:
        """The accounts whose deletion is under way."""
        cursor = self._collection.find({"is_leaving": True}, _PUBLIC)
        return [self._user(document) for document in await cursor.to_list(None)]

    async def delete(self, user_id: int, session: MongoSession | None = None) -> bool:
        """Remove the account; its name is free again. Whether it was there."""
        return (await self._collection.delete_one({"_id": user_id}, session=session)).deleted_count == 1
