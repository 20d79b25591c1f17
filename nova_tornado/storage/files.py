"""The files that users send, in GridFS's layout: the collections ``uploads.files`` and ``uploads.chunks``.

``uploads.files {_id, filename, length, chunkSize, uploadDate, metadata}`` with ``metadata {uploader, created_us,
content_type, key?, expires_us?, chat?, message?, avatar_of?}``: ``key`` is the unguessable part of the file's URL,
there from the upload's end on; ``expires_us`` is when the sweep removes the file, not there once a message has it or
it is somebody's avatar, 0 if it is to be removed at once. ``uploads.chunks {_id, files_id, n, data}``.

Chunks are written and read here one by one: the driver's GridFS bucket gathers up to 32 MB before it writes and reads
16 MB at once, which is far more than a transfer may hold of the server's memory.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bson import Int64

from nova_tornado.domain.errors import Unavailable
from nova_tornado.domain.models import File
from nova_tornado.storage.counters import Counters
from nova_tornado.storage.database import CollectionSpec, Database, Document, Index, MongoSession

CHUNK_BYTES = 255 * 1024
"""GridFS's usual size: a chunk's document stays below a power of two."""
KEY_BYTES = 24
KEY_MAX_CHARACTERS = 64
"""Longer strings are no keys of ours; they are not even looked up."""
PENDING_LIFETIME_S = 3600
"""How long an upload waits for a message to take it (contract "actions", section 8)."""
NAME_IN_URL_MAX_CHARACTERS = 50
"""Of a file's name so many characters end its URL, the last ones, because they tell what kind of file it is."""
IDS_PER_QUERY = 500
FILES_PATH = "/files/"

FILES = CollectionSpec(
    "uploads.files",
    (
        Index((("metadata.key", 1),), "a file by its URL", unique=True, where={"metadata.key": {"$exists": True}}),
        Index((("metadata.expires_us", 1),), "the sweep", where={"metadata.expires_us": {"$exists": True}}),
        Index(
            (("metadata.uploader", 1), ("metadata.expires_us", 1)),
            "what a user has uploaded and not sent",
            where={"metadata.expires_us": {"$exists": True}},
        ),
        Index((("metadata.chat", 1),), "the files of a deleted chat", where={"metadata.chat": {"$exists": True}}),
        Index((("metadata.avatar_of", 1),), "a user's avatar", where={"metadata.avatar_of": {"$exists": True}}),
    ),
)
FILE_CHUNKS = CollectionSpec(
    "uploads.chunks", (Index((("files_id", 1), ("n", 1)), "a file's bytes in order", unique=True),)
)


def file_url(base_url: str, key: str, name: str) -> str:
    """The URL of a file; its last part is there for people and for clients that look at endings, and not looked at.

    Args:
        base_url: what links begin with, without a slash at its end.
        key: the file's.
        name: the file's.
    """
    shown = name[-NAME_IN_URL_MAX_CHARACTERS:]
    # Clients take "." and ".." out of paths.
    return f"{base_url}{FILES_PATH}{key}" + ("" if shown in (".", "..") else f"/{quote(shown, safe='')}")


def file_document(file: File) -> Document:
    """A file as part of another document, see ``file_of``."""
    return {
        "id": file.id,
        "key": file.url.rpartition(FILES_PATH)[2].partition("/")[0],
        "name": file.name,
        "size": file.size_bytes,
        "content_type": file.content_type,
        "created_us": file.created_us,
    }


def file_of(document: Document, base_url: str) -> File:
    """The file that ``file_document`` has made a document of."""
    return File(
        id=document["id"],
        name=document["name"],
        url=file_url(base_url, document["key"], document["name"]),
        size_bytes=document["size"],
        content_type=document["content_type"],
        created_us=document["created_us"],
    )


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file with where it belongs.

    Attributes:
        chat_id, message_id: of the message that it is attached to; None while it is pending.
    """

    file: File
    chat_id: int | None
    message_id: int | None


class FileWriter:
    """A file that is being uploaded; made by ``Files.begin``. Nobody finds it before ``finish``.

    What is neither finished nor aborted (a crash) is swept when its hour is over.

    Attributes:
        id: of the file that it becomes.
        size_bytes: what was written so far.
    """

    def __init__(self, files: Files, file_id: int, name: str, created_us: int) -> None:
        self.id = file_id
        self.size_bytes = 0
        self._files = files
        self._name = name
        self._created_us = created_us
        self._buffer = bytearray()
        self._chunk_count = 0
        self._is_open = True
        self._is_certain = True
        # An abort must not overtake the write of a chunk, which nobody would remove then.
        self._turn = asyncio.Lock()

    async def write(self, data: bytes) -> None:
        """Append to the file; at most one chunk of it is kept in memory."""
        async with self._turn:
            if not self._is_open:
                return
            self._buffer += data
            self.size_bytes += len(data)
            while len(self._buffer) >= CHUNK_BYTES:
                await self._write_chunk()

    async def _write_chunk(self) -> None:
        data = bytes(self._buffer[:CHUNK_BYTES])
        del self._buffer[:CHUNK_BYTES]
        self._is_certain = False
        await self._files.chunks.insert_one({"files_id": self.id, "n": self._chunk_count, "data": data})
        self._is_certain = True
        self._chunk_count += 1

    async def finish(self, content_type: str, name: str | None = None) -> File:
        """Store what is left and make the file one that can be found, pending.

        Args:
            content_type: of the file.
            name: what it is called after all; None leaves it.

        Raises:
            Unavailable: the upload took longer than its file may wait.
        """
        async with self._turn:
            if self._buffer:
                await self._write_chunk()
            self._is_open = False
            key = secrets.token_urlsafe(KEY_BYTES)
            self._name = name or self._name
            changes = {
                "filename": self._name,
                "length": Int64(self.size_bytes),
                "metadata.key": key,
                "metadata.content_type": content_type,
            }
            found = await self._files.collection.update_one(
                {"_id": self.id, "metadata.expires_us": {"$gt": self._created_us}}, {"$set": changes}
            )
            if not found.matched_count:  # it took so long that the sweep came
                raise Unavailable
            url = file_url(self._files.base_url, key, self._name)
            return File(self.id, self._name, url, self.size_bytes, content_type, self._created_us)

    async def abort(self) -> None:
        """Remove what was written."""
        async with self._turn:
            self._is_open = False
            if self._is_certain:
                await self._files.delete((self.id,))
            else:  # the chunk that the database did not answer for may be stored yet: the sweep comes later
                await self._files.forget({"_id": self.id})


class Files:
    """The uploaded files.

    Args:
        database: where they lie.
        base_url: what their URLs begin with, without a slash at its end.
    """

    def __init__(self, database: Database, base_url: str = "") -> None:
        self.base_url = base_url
        self.collection = database.collection(FILES)
        self.chunks = database.collection(FILE_CHUNKS)
        self._counters = Counters(database)

    async def begin(self, uploader_id: int, name: str, reserved_bytes: int, now_us: int) -> FileWriter:
        """Begin to write a file.

        Args:
            uploader_id: whose it is.
            name: checked.
            reserved_bytes: how much of the uploader's allowance it takes until its size is known.
            now_us: the time.
        """
        writer = FileWriter(self, await self._counters.next_id("file"), name, now_us)
        await self.collection.insert_one(
            {
                "_id": writer.id,
                "filename": name,
                "length": Int64(reserved_bytes),
                "chunkSize": CHUNK_BYTES,
                "uploadDate": datetime.fromtimestamp(now_us / 1e6, UTC),
                "metadata": {
                    "uploader": uploader_id,
                    "created_us": now_us,
                    "expires_us": now_us + PENDING_LIFETIME_S * 1_000_000,
                },
            }
        )
        return writer

    async def measure_pending(self, uploader_id: int, now_us: int) -> tuple[int, int]:
        """How many files a user has that no message has taken yet, uploads under way included, and their bytes."""
        of_user = {"metadata.uploader": uploader_id, "metadata.expires_us": {"$gt": now_us}}
        total = {"_id": None, "count": {"$sum": 1}, "bytes": {"$sum": "$length"}}
        [found] = await self.collection.aggregate([{"$match": of_user}, {"$group": total}]).to_list(1) or [{}]
        return found.get("count", 0), found.get("bytes", 0)

    async def find_pending(
        self, file_ids: Sequence[int], uploader_id: int, now_us: int, session: MongoSession | None = None
    ) -> tuple[File, ...] | None:
        """Files that a message can take.

        Args:
            file_ids: each one once.
            uploader_id: who sends the message.
            now_us: the time.
            session: of a transaction.

        Returns:
            The files in the order of their ids; None if one is unknown, another's, attached, or older than an hour.
        """
        query = {
            "_id": {"$in": list(file_ids)},
            "metadata.uploader": uploader_id,
            "metadata.key": {"$exists": True},
            "metadata.expires_us": {"$gt": now_us},
        }
        found = {
            document["_id"]: self._stored(document).file
            async for document in self.collection.find(query, session=session)
        }
        return tuple(found[file_id] for file_id in file_ids) if len(found) == len(file_ids) else None

    async def attach(
        self,
        file_ids: Sequence[int],
        uploader_id: int,
        chat_id: int,
        message_id: int,
        now_us: int,
        session: MongoSession,
    ) -> tuple[File, ...] | None:
        """Give files to a message, for good: ``find_pending`` in a transaction; with None nothing is changed."""
        files = await self.find_pending(file_ids, uploader_id, now_us, session)
        if files:
            await self.collection.update_many(
                {"_id": {"$in": list(file_ids)}},
                {
                    "$set": {"metadata.chat": chat_id, "metadata.message": message_id},
                    "$unset": {"metadata.expires_us": 1},
                },
                session=session,
            )
        return files

    async def make_avatar(self, file: File, user_id: int, now_us: int, session: MongoSession) -> bool:
        """Keep a pending file as its uploader's avatar, for good, in a transaction.

        Returns:
            False if it is not pending any more.
        """
        pending = {
            "_id": file.id,
            "metadata.uploader": user_id,
            "metadata.key": {"$exists": True},
            "metadata.expires_us": {"$gt": now_us},
        }
        change = {"$set": {"metadata.avatar_of": user_id}, "$unset": {"metadata.expires_us": 1}}
        return (await self.collection.update_one(pending, change, session=session)).matched_count == 1

    async def forget_avatars(self, user_id: int, session: MongoSession, *, but: str = "") -> None:
        """Make sure, in a transaction, that a user's uploaded avatars cannot be found any more; the next sweep removes
        them.

        Args:
            but: the URL of the one that stays.
        """
        prefix = self.base_url + FILES_PATH
        key = but.removeprefix(prefix).partition("/")[0] if but.startswith(prefix) else ""
        await self.forget({"metadata.avatar_of": user_id, "metadata.key": {"$ne": key}}, session)

    async def find_by_key(self, key: str, now_us: int) -> StoredFile | None:
        """The file whose URL has that key; None if there is none, or if it was pending for too long."""
        if len(key) > KEY_MAX_CHARACTERS or not key.isascii():
            return None
        document = await self.collection.find_one({"metadata.key": key})
        if document is None or document["metadata"].get("expires_us", now_us + 1) <= now_us:
            return None
        return self._stored(document)

    def _stored(self, document: Document) -> StoredFile:
        metadata = document["metadata"]
        file = File(
            id=document["_id"],
            name=document["filename"],
            url=file_url(self.base_url, metadata["key"], document["filename"]),
            size_bytes=int(document["length"]),
            content_type=metadata["content_type"],
            created_us=metadata["created_us"],
        )
        return StoredFile(file, metadata.get("chat"), metadata.get("message"))

    async def read(self, file_id: int, start: int, end: int) -> AsyncIterator[bytes]:
        """A file's bytes from ``start`` to ``end`` (exclusive), in pieces; they end early if it is removed meanwhile.

        Nothing is held between two pieces, so that a slow reader costs the database nothing.
        """
        while start < end:
            number, skipped = divmod(start, CHUNK_BYTES)
            document = await self.chunks.find_one({"files_id": file_id, "n": number}, {"data": 1})
            if document is None:
                return
            piece = bytes(document["data"][skipped : skipped + end - start])
            if not piece:
                return
            start += len(piece)
            yield piece

    async def delete(self, file_ids: Iterable[int], session: MongoSession | None = None) -> None:
        """Remove files.

        Args:
            file_ids: those that are gone already do not matter.
            session: of a transaction; then they cannot be found from its end on, and the next sweep removes them.
        """
        for part in _in_parts(list(file_ids)):
            await self.forget({"_id": {"$in": part}}, session)
            if session is None:
                await self._remove(part)

    async def delete_of_chat(self, chat_id: int) -> None:
        """Remove all files of a chat's messages."""
        while found := await self._list_ids({"metadata.chat": chat_id}):
            await self.delete(found)

    async def discard(self, file_ids: Iterable[int]) -> None:
        """Remove those of some files that no message has taken."""
        for part in _in_parts(list(file_ids)):
            await self._remove_where({"_id": {"$in": part}, "metadata.expires_us": {"$exists": True}})

    async def sweep(self, now_us: int) -> int:
        """Remove the files whose time is over; returns how many there were."""
        count = 0
        is_over = {"metadata.expires_us": {"$lte": now_us}}
        while found := await self._list_ids(is_over):
            count += await self._remove_where({"_id": {"$in": found}, **is_over})
        return count

    async def _remove_where(self, query: Document) -> int:
        """Remove files by a query that does not match what a message has taken at this very moment."""
        found = await self._list_ids(query)
        await self.forget({"$and": [query, {"_id": {"$in": found}}]})
        gone = await self._list_ids({"_id": {"$in": found}, "metadata.expires_us": 0})
        await self._remove(gone)
        return len(gone)

    async def _list_ids(self, query: Document) -> list[int]:
        documents = await self.collection.find(query, {"_id": 1}).to_list(IDS_PER_QUERY)
        return [document["_id"] for document in documents]

    async def forget(self, query: Document, session: MongoSession | None = None) -> None:
        """Make sure that files cannot be found any more, and that the next sweep removes them, whatever happens now."""
        change: dict[str, Any] = {"$set": {"metadata.expires_us": 0}, "$unset": {"metadata.key": 1}}
        await self.collection.update_many(query, change, session=session)

    async def _remove(self, file_ids: list[int]) -> None:
        for file_id in file_ids:  # one by one: a thousand large files at once would take longer than one operation may
            await self.chunks.delete_many({"files_id": file_id})
            await self.collection.delete_one({"_id": file_id})


def _in_parts(ids: list[int]) -> list[list[int]]:
    return [ids[first : first + IDS_PER_QUERY] for first in range(0, len(ids), IDS_PER_QUERY)]
