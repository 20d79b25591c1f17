"""The connection to MongoDB: collections and indexes as data, transactions, driver errors made ours.

Every operation has a time limit and every write is acknowledged by the journals of a majority.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import IndexModel, WriteConcern
from pymongo.errors import CollectionInvalid, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from nova_tornado.domain.errors import NovaError, Unavailable
from nova_tornado.storage.mongo_wire import Document, MongoWire, is_plain

log = logging.getLogger(__name__)

OPERATION_TIMEOUT_MS = 5_000
"""The driver waits for ever without a limit; a stopped mongod must not hold requests longer than a person waits."""
SERVER_SELECTION_TIMEOUT_MS = 3_000
"""A restart of mongod takes about 2 s; what arrives meanwhile waits for it."""
TRANSACTION_LIMIT_S = 10.0
"""How long a transaction is begun again, or its commit repeated (the driver's own loop would take 120 s)."""
POOL_MAX_CONNECTIONS = 32
WRITE_CONCERN = WriteConcern("majority", j=True)
READ_RETRY_PAUSE_S = 0.05
FIRST_BATCH_MAX_DOCUMENTS = 100_000
"""So much that it is all: a second batch is for what is more than 16 MB."""
NAMESPACE_EXISTS = 48
TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
ERROR_MAX_CHARACTERS = 300

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
            write_concern=WRITE_CONCERN,
            read_preference=ReadPreference.PRIMARY,
        )

        self._name = name
        # Reads do not keep the log waiting for a connection.
        self._wire_reads = self._wire_writes = None
        if is_plain(uri):
            self._wire_reads = MongoWire(self.client, limit=POOL_MAX_CONNECTIONS, timeout_ms=OPERATION_TIMEOUT_MS)
            self._wire_writes = MongoWire(self.client, limit=1, timeout_ms=OPERATION_TIMEOUT_MS)

    def collection(self, spec: CollectionSpec) -> MongoCollection:
        """The collection that ``spec`` describes."""
        return self.mongo[spec.name]

    async def insert_in_order(self, spec: CollectionSpec, documents: Sequence[bytes]) -> Document:
        """Insert encoded documents; what follows a refused one is not tried. Nothing is tried twice.

        Returns:
            The reply: ``writeErrors`` has the one that was refused, ``writeConcernError`` says that they may not last.

        Raises:
            ConnectionFailure: what became of them is unknown.
            OperationFailure: it was refused altogether.
        """
        command: Document = {
            "insert": spec.name,
            "ordered": True,
            "writeConcern": WRITE_CONCERN.document,
            "maxTimeMS": OPERATION_TIMEOUT_MS,
        }
        if self._wire_writes is not None:
            return await self._wire_writes.command({**command, "$db": self._name}, documents)
        return await self.mongo.command({**command, "documents": list(map(RawBSONDocument, documents))})

    async def find(
        self,
        spec: CollectionSpec,
        condition: Document,
        projection: Document | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[Document]:
        """The documents that match a condition (``limit`` of them at most; 0: all).

        Raises:
            ConnectionFailure, OperationFailure: those of the driver.
        """
        if self._wire_reads is None:
            cursor = self.mongo[spec.name].find(condition, projection, sort=list(sort) or None, limit=limit)
            return await cursor.to_list(None)
        command: Document = {"find": spec.name, "filter": condition}
        if projection is not None:
            command["projection"] = projection
        if sort:
            command["sort"] = dict(sort)
        if limit:
            command["limit"] = limit
        return await self._read({**command, "batchSize": limit or FIRST_BATCH_MAX_DOCUMENTS})

    async def aggregate(self, spec: CollectionSpec, pipeline: Sequence[Document]) -> list[Document]:
        """All that a pipeline gives.

        Raises:
            ConnectionFailure, OperationFailure: those of the driver.
        """
        if self._wire_reads is None:
            return await self.mongo[spec.name].aggregate(pipeline).to_list(None)
        return await self._read(
            {"aggregate": spec.name, "pipeline": pipeline, "cursor": {"batchSize": FIRST_BATCH_MAX_DOCUMENTS}}
        )

    async def _read(self, command: Document) -> list[Document]:
        """Read until there is a primary that answers, as the driver does with what changes nothing.

        From the beginning each time: a batch whose reply was lost is not given again.
        """
        give_up_at_s = time.monotonic() + SERVER_SELECTION_TIMEOUT_MS / 1000
        while True:
            try:
                return await self._read_once(command)
            except ConnectionFailure:
                if time.monotonic() > give_up_at_s:
                    raise
            await asyncio.sleep(READ_RETRY_PAUSE_S)

    async def _read_once(self, command: Document) -> list[Document]:
        wire = self._wire_reads
        assert wire is not None
        reply = await wire.command({**command, "maxTimeMS": OPERATION_TIMEOUT_MS, "$db": self._name})
        documents: list[Document] = reply["cursor"]["firstBatch"]
        collection = next(iter(command.values()))
        while cursor_id := reply["cursor"]["id"]:
            reply = await wire.command({"getMore": cursor_id, "collection": collection, "$db": self._name})
            documents += reply["cursor"]["nextBatch"]
        return documents

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
                        write_concern=WRITE_CONCERN,
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

    async def close(self) -> None:
        """Close all connections."""
        for wire in (self._wire_reads, self._wire_writes):
            if wire is not None:
                await wire.close()
        self.client.close()
