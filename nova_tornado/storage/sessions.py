"""The collection ``sessions``: sign-ins by cookie and by token, one store for all protocols.

``{_id, secret_hash, user, kind, created_us, expires_at}``. Only the SHA-256 of a secret is kept; ``_id`` stays when
the secret is renewed, so that what is connected through the session stays bound to it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from nova_tornado.domain.models import Session
from nova_tornado.storage.database import CollectionSpec, Database, Index

COOKIE_LIFETIME_S = 14 * 24 * 3600
TOKEN_LIFETIME_S = 90 * 24 * 3600
SECRET_BYTES = 32
SECRET_MAX_CHARACTERS = 256
"""Longer strings are no secrets of ours; they are not even hashed."""

SESSIONS = CollectionSpec(
    "sessions",
    (
        Index((("secret_hash", 1),), "who is it that asks", unique=True),
        Index((("user", 1),), "end all sessions of a user"),
        Index((("expires_at", 1),), "old sessions go by themselves", expire_after_s=0),
    ),
)


class SessionKind(StrEnum):
    """How the secret travels."""

    COOKIE = "cookie"
    TOKEN = "token"


LIFETIME_S = {SessionKind.COOKIE: COOKIE_LIFETIME_S, SessionKind.TOKEN: TOKEN_LIFETIME_S}


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class Sessions:
    """The sign-ins."""

    def __init__(self, database: Database) -> None:
        self._collection = database.collection(SESSIONS)

    async def create(self, user_id: int, kind: SessionKind, now: datetime) -> str:
        """Begin a session and return its secret (ASCII letters, digits, ``-`` and ``_``)."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        await self._collection.insert_one(
            {
                "_id": secrets.token_bytes(16),
                "secret_hash": _hash(secret),
                "user": user_id,
                "kind": kind.value,
                "created_us": int(now.timestamp() * 1e6),
                "expires_at": now + timedelta(seconds=LIFETIME_S[kind]),
            }
        )
        return secret

    async def find(self, secret: str, now: datetime) -> Session | None:
        """The session with that secret, if it is live at the time ``now``."""
        if not 0 < len(secret) <= SECRET_MAX_CHARACTERS or not secret.isascii():
            return None
        document = await self._collection.find_one({"secret_hash": _hash(secret)})
        if document is None or document["expires_at"] <= now:
            return None
        return Session(id=document["_id"], user_id=document["user"])

    async def renew(self, session_id: bytes, now: datetime) -> str | None:
        """Give a cookie session a new secret and a full lifetime; the old secret is void.

        Returns:
            The new secret; None for a token, which stays as it is.
        """
        secret = secrets.token_urlsafe(SECRET_BYTES)
        result = await self._collection.update_one(
            {"_id": session_id, "kind": SessionKind.COOKIE.value},
            {
                "$set": {
                    "secret_hash": _hash(secret),
                    "expires_at": now + timedelta(seconds=LIFETIME_S[SessionKind.COOKIE]),
                }
            },
        )
        return secret if result.matched_count else None

    async def delete(self, session_id: bytes) -> bool:
        """End one session; whether it was there."""
        return (await self._collection.delete_one({"_id": session_id})).deleted_count == 1

    async def delete_others(self, user_id: int, kept: bytes) -> list[bytes]:
        """End all sessions of a user but one; returns the ids of those ended."""
        ended = [
            document["_id"]
            async for document in self._collection.find({"user": user_id, "_id": {"$ne": kept}}, {"_id": 1})
        ]
        await self._collection.delete_many({"_id": {"$in": ended}})
        return ended

    async def delete_all(self, user_id: int) -> None:
        """End all sessions of a user."""
        await self._collection.delete_many({"user": user_id})
