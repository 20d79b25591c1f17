"""The collection ``sessions``: sign-ins by cookie and by token, one store for all protocols.

``{_id, secret_hash, user, kind, issuer?, slot?, created_us, expires_at}``. Only the SHA-256 of a secret is kept;
``_id`` stays when the secret is renewed, so that what is connected through the session stays bound to it. ``issuer``
names the protocol that counts its sign-ins; ``slot`` numbers the live ones of one issuer and user.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import time
from datetime import datetime, timedelta
from enum import StrEnum

from nova_tornado.domain.errors import TooManyTokens
from nova_tornado.domain.models import Session
from nova_tornado.storage.database import CollectionSpec, Database, Document, DuplicateKeyError, Index, MongoSession
from nova_tornado.storage.gathered import Gathered

COOKIE_LIFETIME_S = 14 * 24 * 3600
TOKEN_LIFETIME_S = 90 * 24 * 3600
SECRET_BYTES = 32
SECRET_MAX_CHARACTERS = 256
"""Longer strings are no secrets of ours; they are not even hashed."""
TRUSTED_S = 0.5
"""So long what was found is not looked up again. What ends here is forgotten at once; what another process ends is
known here as soon as the bus tells of it, and without a word after this time."""
TRUSTED_MAX_COUNT = 10_000

SESSIONS = CollectionSpec(
    "sessions",
    (
        Index((("secret_hash", 1),), "who is it that asks", unique=True),
        Index((("user", 1),), "end all sessions of a user"),
        Index(
            (("user", 1), ("issuer", 1), ("slot", 1)),
            "how many sessions an issuer has given a user; sign-ins at the same time take different slots",
            unique=True,
            where={"issuer": {"$exists": True}},
        ),
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
        self._database = database
        self._collection = database.collection(SESSIONS)
        self._documents = Gathered(self._find_documents)
        self._trusted: dict[bytes, tuple[Session, datetime, float]] = {}
        self._forgotten_count = 0

    def forget_found(self) -> None:
        """Look everything up again: some session has ended, or has another secret."""
        self._trusted.clear()
        self._forgotten_count += 1

    async def create(
        self,
        user_id: int,
        kind: SessionKind,
        now: datetime,
        *,
        issuer: str = "",
        limit: int | None = None,
        lifetime_s: int | None = None,
    ) -> str:
        """Begin a session and return its secret (ASCII letters, digits, ``-`` and ``_``).

        Args:
            issuer: who issues it, if he counts what he issues.
            limit: how many live sessions of that issuer the user may have, this one included.
            lifetime_s: None: that of its kind.

        Raises:
            TooManyTokens: the user has so many already.
        """
        assert issuer or limit is None
        secret = secrets.token_urlsafe(SECRET_BYTES)
        document: Document = {
            "_id": secrets.token_bytes(16),
            "secret_hash": _hash(secret),
            "user": user_id,
            "kind": kind.value,
            "created_us": int(now.timestamp() * 1e6),
            "expires_at": now + timedelta(seconds=LIFETIME_S[kind] if lifetime_s is None else lifetime_s),
        }
        if not issuer:
            await self._collection.insert_one(document)
            return secret
        while True:
            slot = await self._find_free_slot(user_id, issuer, limit, now)
            try:
                await self._collection.insert_one({**document, "issuer": issuer, "slot": slot})
                return secret
            except DuplicateKeyError:
                continue  # another sign-in was faster

    async def _find_free_slot(self, user_id: int, issuer: str, limit: int | None, now: datetime) -> int:
        """The lowest slot that is free: below the limit, wherever fewer sessions than that are live."""
        issued = {"user": user_id, "issuer": issuer}
        await self._collection.delete_many({**issued, "expires_at": {"$lte": now}})  # MongoDB itself takes its time
        cursor = self._collection.find(issued, {"slot": 1})
        taken = {document["slot"] for document in await cursor.to_list(None)}
        if limit is not None and len(taken) >= limit:
            raise TooManyTokens
        return next(slot for slot in itertools.count() if slot not in taken)

    async def find(self, secret: str, now: datetime) -> Session | None:
        """The session with that secret, if it is live at the time ``now``."""
        if not 0 < len(secret) <= SECRET_MAX_CHARACTERS or not secret.isascii():
            return None
        secret_hash = _hash(secret)
        begun_at_s = time.monotonic()
        session, expires_at, found_at_s = self._trusted.get(secret_hash, (None, now, 0.0))
        if session is None or begun_at_s - found_at_s >= TRUSTED_S:
            forgotten_count = self._forgotten_count
            document = await self._documents.find(secret_hash)
            if document is None:
                return None
            session, expires_at = Session(id=document["_id"], user_id=document["user"]), document["expires_at"]
            if self._forgotten_count == forgotten_count:  # else it may have ended meanwhile
                if len(self._trusted) >= TRUSTED_MAX_COUNT:
                    self._trusted.clear()
                self._trusted[secret_hash] = session, expires_at, begun_at_s
        return session if expires_at > now else None

    async def _find_documents(self, secret_hashes: list[bytes]) -> dict[bytes, Document]:
        documents = await self._database.find(SESSIONS, {"secret_hash": {"$in": secret_hashes}})
        return {document["secret_hash"]: document for document in documents}

    async def list_ends(self, user_id: int, issuer: str, now: datetime) -> list[datetime]:
        """When the user's sessions by an issuer that are live at the time ``now`` end, the first one first."""
        issued = {"user": user_id, "issuer": issuer, "expires_at": {"$gt": now}}
        cursor = self._collection.find(issued, {"expires_at": 1}).sort("expires_at", 1)
        return [document["expires_at"] for document in await cursor.to_list(None)]

    async def has_token(self, user_id: int, now: datetime) -> bool:
        """Whether the user has a token that is live at the time ``now``."""
        token = {"user": user_id, "kind": SessionKind.TOKEN.value, "expires_at": {"$gt": now}}
        return await self._collection.find_one(token, {"_id": 1}) is not None

    async def list_missing(self, session_ids: list[bytes]) -> set[bytes]:
        """Which of those sessions are not there any more."""
        cursor = self._collection.find({"_id": {"$in": session_ids}}, {"_id": 1})
        return set(session_ids).difference([document["_id"] for document in await cursor.to_list(None)])

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
        self.forget_found()
        return secret if result.matched_count else None

    async def delete(self, session_id: bytes) -> bool:
        """End one session; whether it was there."""
        result = await self._collection.delete_one({"_id": session_id})
        self.forget_found()
        return result.deleted_count == 1

    async def delete_others(self, user_id: int, kept: bytes | None, session: MongoSession | None = None) -> list[bytes]:
        """End all sessions of a user but one (None: all); returns the ids of those ended."""
        cursor = self._collection.find({"user": user_id, "_id": {"$ne": kept}}, {"_id": 1}, session=session)
        ended = [document["_id"] for document in await cursor.to_list(None)]
        await self._collection.delete_many({"_id": {"$in": ended}}, session=session)
        self.forget_found()
        return ended

    async def delete_all(self, user_id: int) -> None:
        """End all sessions of a user."""
        await self._collection.delete_many({"user": user_id})
        self.forget_found()
