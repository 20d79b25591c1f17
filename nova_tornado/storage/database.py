"""The connection to MongoDB: collections and indexes as data, transactions, driver errors made ours.

Every operation has a time limit and every write is acknowledged by the journals of a majority.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from bson.codec_options import CodecOptions
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import IndexModel, WriteConcern
from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from nova_tornado.domain.errors import NovaError, Unavailable

log = logging.getLogger(__name__)

OPERATION_TIMEOUT_MS = 5_000
"""The driver waits for ever without a limit; a stopped mongod must not hold requests longer than a person waits."""
SERVER_SELECTION_TIMEOUT_MS = 3_000
"""A restart of mongod takes about 2 s; what arrives meanwhile waits for it."""
TRANSACTION_LIMIT_S = 10.0
"""How long a transaction is begun again, or its commit repeated (the driver's own loop would take 120 s)."""
POOL_MAX_CONNECTIONS = 32
NAMESPACE_EXISTS = 48
TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
ERROR_MAX_CHARACTERS = 300

Document: TypeAlias = dict[str, Any]
MongoSession: TypeAlias = AsyncIOMotorClientSession
MongoCollection: TypeAlias = AsyncIOMotorCollection[Document]
T = TypeVar("T")

__all__ = [
    "CollectionSpec",
    "Database",
    "DatabaseUnusableError",
    "Document",
    "DuplicateKeyError",
    "Index",
    "MongoCollection",
    "MongoSession",
    "as_nova_error",
]


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a collection.

    Attributes:
        keys: field and direction, in order.
        serves: the query that needs it.
        unique: whether two documents may not share the keys.
        where: index only the documents that match this (a partial index).
        expire_after_s: remove documents that many seconds after the date in the key.
    """

    keys: tuple[tuple[str, int], ...]
    serves: str
    unique: bool = False
    where: Document | None = None
    expire_after_s: int | None = None

    def options(self) -> Document:
        """The keyword arguments of ``create_index``."""
        options: Document = {}
        if self.unique:
            options["unique"] = True
        if self.where is not None:
            options["partialFilterExpression"] = self.where
        if self.expire_after_s is not None:
            options["expireAfterSeconds"] = self.expire_after_s
        return options


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """A collection: its name, its indexes, and whether it is clustered on ``_id``."""

    name: str
    indexes: tuple[Index, ...] = ()
    clustered: bool = False


class DatabaseUnusableError(Exception):
    """The database cannot be reached, or is none that Nova can work with; the text is one clear line."""


def as_nova_error(error: BaseException) -> NovaError | None:
    """What a failure of the driver means to a caller; None if it is no failure of the driver."""
    if isinstance(error, NovaError):
        return error
    if isinstance(error, PyMongoError) and (
        error.timeout or not isinstance(error, OperationFailure) or error.has_error_label(TRANSIENT)
    ):
        return Unavailable()
    return None


class Database:
    """One MongoDB database.

    Args:
        uri: a MongoDB URI of a replica set (a single node is enough).
        name: the database's name.

    Create it inside the running loop.

    Raises:
        DatabaseUnusableError: a bad URI.
    """

    def __init__(self, uri: str, name: str) -> None:
        try:
            self.client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
                uri,
                timeoutMS=OPERATION_TIMEOUT_MS,
                serverSelectionTimeoutMS=SERVER_SELECTION_TIMEOUT_MS,
                maxPoolSize=POOL_MAX_CONNECTIONS,
                retryWrites=True,
            )
        except PyMongoError as error:
            raise DatabaseUnusableError(f"the MongoDB URI cannot be used: {error}") from error
        if self.client.delegate.options.direct_connection:
            # The driver opens connections to a node that is not ready yet, and goes on using them without transactions.
            log.warning(
                "the MongoDB URI has directConnection=true: once the database was away, Nova may need a restart; "
                "name the replica set instead (replicaSet=)"
            )
        self.mongo: AsyncIOMotorDatabase[Document] = self.client.get_database(
            name,
            codec_options=CodecOptions(tz_aware=True),
            write_concern=WriteConcern("majority", j=True),
            read_preference=ReadPreference.PRIMARY,
        )

    def collection(self, spec: CollectionSpec) -> MongoCollection:
        """The collection that ``spec`` describes."""
        return self.mongo[spec.name]

    async def prepare(self, specs: tuple[CollectionSpec, ...]) -> None:
        """Make the collections and indexes that are not there yet."""
        existing = set(await self.mongo.list_collection_names())
        # Side by side: one after the other, the round trips would be felt at each start.
        await asyncio.gather(*(self._prepare_one(spec, spec.name in existing) for spec in specs))

    async def _prepare_one(self, spec: CollectionSpec, is_there: bool) -> None:
        if not is_there:
            options: Document = {"clusteredIndex": {"key": {"_id": 1}, "unique": True}} if spec.clustered else {}
            try:
                await self.mongo.create_collection(spec.name, **options)
            except CollectionInvalid:
                pass  # another process made it in between
            except OperationFailure as error:
                if error.code != NAMESPACE_EXISTS:
                    raise
        if spec.indexes:
            models = [IndexModel(list(index.keys), **index.options()) for index in spec.indexes]
            await self.mongo[spec.name].create_indexes(models)

    async def transaction(self, work: Callable[[MongoSession], Coroutine[Any, Any, T]]) -> T:
        """Run ``work`` in a transaction: all of its writes or none.

        Args:
            work: called with the session that its operations must be given; called again on a transient conflict.

        Returns:
            What ``work`` returned.

        Raises:
            DuplicateKeyError: a unique index refused a write.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + TRANSACTION_LIMIT_S
        async with await self.client.start_session() as session:
            while True:
                try:
                    async with session.start_transaction(
                        read_concern=ReadConcern("snapshot"),
                        write_concern=WriteConcern("majority", j=True),
                        read_preference=ReadPreference.PRIMARY,
                    ):
                        result = await work(session)
                        while True:
                            try:
                                await session.commit_transaction()
                                return result
                            except PyMongoError as error:
                                # Repeating it tells what became of it; the commit itself happens once.
                                if not error.has_error_label(UNKNOWN_COMMIT) or loop.time() > give_up_at:
                                    raise
                except PyMongoError as error:
                    if not error.has_error_label(TRANSIENT) or loop.time() > give_up_at:
                        raise

    async def check(self) -> None:
        """Make sure that the database answers and can do what Nova needs.

        Raises:
            DatabaseUnusableError: it cannot; the text is one clear line.
        """
        try:
            hello = await self.client.admin.command("hello")
            await self.mongo.list_collection_names()
        except PyMongoError as error:
            raise DatabaseUnusableError(
                f"the MongoDB server cannot be used: {' '.join(str(error).split())[:ERROR_MAX_CHARACTERS]}"
            ) from error
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise DatabaseUnusableError(
                "the MongoDB server is no replica set (a single node is enough: start it with --replSet)"
            )

    def close(self) -> None:
        """Close all connections."""
        self.client.close()
