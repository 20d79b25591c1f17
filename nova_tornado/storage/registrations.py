"""The collection ``registrations``: accounts to be, which wait for the link in a mail to be opened.

``{_id, token_hash, email, email_key, password_hash?, first_name, last_name, created_us, expires_at}``.
Only the SHA-256 of a token is kept. A confirmed one stays until it expires, without its password's hash, so that who
opens the link again can be told so.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nova_tornado.domain.rules import email_key
from nova_tornado.storage.database import CollectionSpec, Database, Index

LIFETIME_S = 3600
"""How long a link is good (contract "protocols", section 3.2)."""
TOKEN_BYTES = 32
TOKEN_MAX_CHARACTERS = 128
"""Longer strings are no tokens of ours; they are not even hashed."""

REGISTRATIONS = CollectionSpec(
    "registrations",
    (
        Index((("token_hash", 1),), "whose link is it", unique=True),
        Index((("email_key", 1), ("created_us", 1)), "all of one address, and how many mails it got of late"),
        Index((("expires_at", 1),), "old registrations go by themselves", expire_after_s=0),
    ),
)


@dataclass(frozen=True, slots=True)
class Registration:
    """An account to be.

    Attributes:
        password_hash: None once it is confirmed.
    """

    id: Any
    email: str
    password_hash: bytes | None
    first_name: str
    last_name: str


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Registrations:
    """The registrations."""

    def __init__(self, database: Database) -> None:
        self._collection = database.collection(REGISTRATIONS)

    async def create(
        self, email: str, password_hash: bytes, first_name: str, last_name: str, now: datetime
    ) -> tuple[Any, str]:
        """Store a registration; returns its id and its token (ASCII letters, digits, ``-`` and ``_``)."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        inserted = await self._collection.insert_one(
            {
                "token_hash": _hash(token),
                "email": email,
                "email_key": email_key(email),
                "password_hash": password_hash,
                "first_name": first_name,
                "last_name": last_name,
                "created_us": int(now.timestamp() * 1e6),
                "expires_at": now + timedelta(seconds=LIFETIME_S),
            }
        )
        return inserted.inserted_id, token

    async def count(self, email: str, since_us: int) -> int:
        """How many registrations an address has that were made after ``since_us``."""
        return await self._collection.count_documents({"email_key": email_key(email), "created_us": {"$gt": since_us}})

    async def find(self, token: str, now: datetime) -> Registration | None:
        """The registration with that token, if it is not expired at the time ``now``."""
        if not 0 < len(token) <= TOKEN_MAX_CHARACTERS or not token.isascii():
            return None
        document = await self._collection.find_one({"token_hash": _hash(token)})
        if document is None or document["expires_at"] <= now:
            return None
        return Registration(
            id=document["_id"],
            email=document["email"],
            password_hash=document.get("password_hash"),
            first_name=document["first_name"],
            last_name=document["last_name"],
        )

    async def confirm_all(self, email: str) -> None:
        """An account has the address now: no registration of it up to now is good for another one."""
        await self._collection.update_many({"email_key": email_key(email)}, {"$unset": {"password_hash": ""}})

    async def delete(self, registration_id: Any) -> None:
        """Remove a registration."""
        await self._collection.delete_one({"_id": registration_id})
