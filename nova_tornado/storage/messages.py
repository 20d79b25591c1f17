"""The collection ``messages``: the chats' logs, clustered on the message id, which is the sequencer.

``{_id, kind, count, sender, sent_us, write_id, text?, reply_to?, client_id?, content_type?, files?, user?, membership?,
target?, is_admin?, edited_us?, recalled?, hidden_for?}``. ``files`` is a list of what ``files.file_document`` makes.

A clustered collection answers ranges and single ids of ``_id`` with a seek, but scans the whole collection for
``$in`` and for ``$expr`` (seen with MongoDB 6.0): every query here bounds ``_id`` from both sides.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import bson
from pymongo.errors import ConnectionFailure, OperationFailure

from nova_tornado.domain.models import CONTENT_TEXT, SEQ_SPAN, Entry, EntryKind, message_id, seq_of
from nova_tornado.storage.database import CollectionSpec, Database, Document, Index, MongoSession
from nova_tornado.storage.files import file_document, file_of
from nova_tornado.storage.gathered import Gathered

DUPLICATE_KEY = 11000
PAGE_MESSAGES = 500
"""How many messages are fetched at once when a long history is read."""
PAGE_AUTHORS = 5_000
"""How many messages' ids and authors are fetched at once."""
SEEKS_PER_QUERY = 200
GATHERED_MAX_ENTRIES = 100
"""Who reads more of the log does so in a query of his own: it is not the query that costs."""
SPARSE_FACTOR = 4
"""Messages of which there is less than one to so many places of the log are looked up one by one."""
PLAIN_FIELDS = 7
"""Of a message that is a text and nothing else, as ``_document`` makes it."""
APPEND_MAX_BYTES = 16_000_000
"""MongoDB takes messages of 48 MB."""
PURGE_ENTRIES = 20_000
"""How many entries of a deleted chat are removed at once."""

MESSAGES = CollectionSpec(
    "messages",
    (
        Index(
            (("sender", 1), ("client_id", 1)),
            "a repeated send is recognised, for ever",
            unique=True,
            where={"client_id": {"$exists": True}},
        ),
        Index((("reply_to", 1),), "what a message was answered with", where={"reply_to": {"$exists": True}}),
    ),
    clustered=True,
)


def joined_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that overlap as one: many may have missed the same part of a log."""
    joined: list[tuple[int, int]] = []
    for after, up_to in sorted(ranges):
        if joined and after <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(up_to, joined[-1][1])
        else:
            joined.append((after, up_to))
    return joined


class Conflict(StrEnum):
    """Why an entry was refused."""

    SEQ = "seq"
    CLIENT_ID = "client_id"


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of entries: the first ``stored`` are in the log; ``conflict`` refused the next one, if any.

    Without a conflict the others were not tried: it was more than goes at once.
    """

    stored: int
    conflict: Conflict | None = None


class UnknownOutcomeError(Exception):
    """The database did not answer in time; the entries may have been stored or may be stored yet."""


NO_ANSWER = (UnknownOutcomeError, ConnectionFailure, OperationFailure)
"""What storage raises while the database does not answer."""


def _document(entry: Entry, write_id: int) -> Document:
    document: Document = {
        "_id": entry.id,
        "kind": entry.kind.value,
        "count": entry.count,
        "sender": entry.sender_id,
        "sent_us": entry.sent_us,
        "write_id": write_id,
    }
    if entry.text:
        document["text"] = entry.text
    if entry.reply_to is not None:
        document["reply_to"] = entry.reply_to
    if entry.client_id is not None:
        document["client_id"] = entry.client_id
    if entry.content_type != CONTENT_TEXT:
        document["content_type"] = entry.content_type
    if entry.files:
        document["files"] = [file_document(file) for file in entry.files]
    if entry.kind is not EntryKind.MESSAGE:
        if entry.user_id is not None:
            document["user"] = entry.user_id
        if entry.membership_id is not None:
            document["membership"] = entry.membership_id
        if entry.target is not None:
            document["target"] = entry.target
        if entry.is_admin:
            document["is_admin"] = True
    return document


def _between(chat_id: int, after_seq: int = 0, before_seq: int = SEQ_SPAN) -> Document:
    return {"$gt": message_id(chat_id, after_seq), "$lt": message_id(chat_id, before_seq)}


def shown_to(viewer_id: int | None) -> Document:
    """The condition that a message is neither recalled nor deleted for the viewer (None: for nobody in particular)."""
    condition: Document = {"recalled": {"$exists": False}}
    if viewer_id is not None:
        condition["hidden_for"] = {"$ne": viewer_id}
    return condition


class Messages:
    """The logs of all chats.

    Args:
        database: where they are.
        base_url: what the URLs of files begin with, without a slash at its end.
    """

    def __init__(self, database: Database, base_url: str = "") -> None:
        self._database = database
        self._collection = database.collection(MESSAGES)
        self._base_url = base_url
        self._ranges = Gathered(self._find_ranges)

    def _entry(self, document: Document) -> Entry:
        if len(document) == PLAIN_FIELDS and document["kind"] == "message" and "text" in document:
            # Nearly all of them; looking for each field that there may be costs five times as much.
            return Entry(
                document["_id"],
                EntryKind.MESSAGE,
                document["count"],
                document["sender"],
                document["sent_us"],
                document["text"],
            )
        files = document.get("files")
        return Entry(
            id=document["_id"],
            kind=EntryKind(document["kind"]),
            count=document["count"],
            sender_id=document["sender"],
            sent_us=document["sent_us"],
            text=document.get("text", ""),
            reply_to=document.get("reply_to"),
            client_id=document.get("client_id"),
            user_id=document.get("user"),
            membership_id=document.get("membership"),
            target=document.get("target"),
            is_admin=document.get("is_admin", False),
            edited_us=document.get("edited_us"),
            is_recalled=document.get("recalled", False),
            hidden_for=tuple(document.get("hidden_for", ())),
            content_type=document.get("content_type", CONTENT_TEXT),
            files=tuple(file_of(file, self._base_url) for file in files) if files else (),
        )

    async def append(
        self, entries: Sequence[Entry], write_ids: Sequence[int], session: MongoSession | None = None
    ) -> Appended:
        """Insert entries in order; what follows a refused one is not tried, nor what is too much for one message.

        Args:
            entries: with their final ids.
            write_ids: one number a entry by which its writer recognises it.
            session: of a transaction; then a conflict raises ``DuplicateKeyError`` or a transient error.

        Raises:
            UnknownOutcomeError: no answer in time (outside a transaction only).
        """
        pairs = zip(entries, write_ids, strict=True)
        if session is not None:
            for entry, write_id in pairs:
                await self._collection.insert_one(_document(entry, write_id), session=session)
            return Appended(len(entries))
        documents: list[bytes] = []
        room_bytes = APPEND_MAX_BYTES
        for entry, write_id in pairs:
            document = bson.encode(_document(entry, write_id))
            room_bytes -= len(document)
            if room_bytes < 0:
                break
            documents.append(document)
        try:
            reply = await self._database.insert_in_order(MESSAGES, documents)
        except (ConnectionFailure, OperationFailure) as error:
            raise UnknownOutcomeError from error
        failures = reply.get("writeErrors", ())
        # A write concern that failed means that what was inserted before the refused entry may not last.
        if "writeConcernError" in reply or (failures and failures[0]["code"] != DUPLICATE_KEY):
            raise UnknownOutcomeError(str(reply))
        if not failures:
            return Appended(len(documents))
        is_repeat = "client_id" in failures[0].get("keyPattern", {})
        return Appended(failures[0]["index"], Conflict.CLIENT_ID if is_repeat else Conflict.SEQ)

    async def find(self, message: int) -> Entry | None:
        """The entry with that id."""
        document = await self._collection.find_one({"_id": message})
        return self._entry(document) if document else None

    async def find_write_id(self, message: int) -> int | None:
        """By which number the writer of that entry recognises it."""
        document = await self._collection.find_one({"_id": message}, {"write_id": 1})
        return document["write_id"] if document else None

    async def find_repeat(self, sender_id: int, client_id: str) -> Entry | None:
        """What a user has sent under his own id."""
        document = await self._collection.find_one({"sender": sender_id, "client_id": client_id})
        return self._entry(document) if document else None

    async def find_newest(
        self, chat_id: int, viewer_id: int | None = None, sender_id: int | None = None
    ) -> Entry | None:
        """The newest message that is neither recalled nor deleted for the viewer, by anybody or by one sender."""
        condition: Document = {"_id": _between(chat_id), "kind": "message", **shown_to(viewer_id)}
        if sender_id is not None:
            condition["sender"] = sender_id
        document = await self._collection.find_one(condition, sort=[("_id", -1)])
        return self._entry(document) if document else None

    async def read_log(self, chat_id: int, after_seq: int) -> AsyncIterator[Entry]:
        """All entries after a place in the log, in order."""
        async for entry, _ in self.read_written(chat_id, after_seq):
            yield entry

    async def read_written(self, chat_id: int, after_seq: int) -> AsyncIterator[tuple[Entry, int]]:
        """As ``read_log``, each with the number by which its writer recognises it."""
        async for document in self._collection.find({"_id": _between(chat_id, after_seq)}).sort("_id", 1):
            yield self._entry(document), document["write_id"]

    async def list_ends(self, chat_ids: Sequence[int]) -> dict[int, int]:
        """The ends of many logs: by chat, the place of its last entry; chats without any are left out."""
        ends: dict[int, int] = {}
        for first in range(0, len(chat_ids), SEEKS_PER_QUERY):
            seeks: list[list[Document]] = [
                [
                    {"$match": {"_id": _between(chat_id)}},
                    {"$sort": {"_id": -1}},
                    {"$limit": 1},
                    {"$project": {"_id": 1}},
                ]
                for chat_id in chat_ids[first : first + SEEKS_PER_QUERY]
            ]
            more = [{"$unionWith": {"coll": MESSAGES.name, "pipeline": seek}} for seek in seeks[1:]]
            for document in await self._database.aggregate(MESSAGES, [*seeks[0], *more]):
                ends[document["_id"] // SEQ_SPAN] = document["_id"] % SEQ_SPAN
        return ends

    async def read_tails(self, starts: Sequence[int]) -> dict[int, list[Entry]]:
        """The ends of many logs.

        Args:
            starts: the message id from which on (inclusive) each chat's log is read.

        Returns:
            By chat, its entries in order; chats without any are left out.
        """
        tails: dict[int, list[Entry]] = {}
        ranges = [{"$gte": start, "$lt": (start // SEQ_SPAN + 1) * SEQ_SPAN} for start in starts]
        async for entry in self._union(ranges):
            tails.setdefault(entry.chat_id, []).append(entry)
        for tail in tails.values():
            tail.sort(key=lambda entry: entry.id)
        return tails

    async def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[Entry]:
        """Parts of many logs.

        Args:
            ranges: the message ids between which entries are wanted, the first exclusive, the second inclusive.

        Returns:
            All their entries, by id.
        """
        few = sum(up_to - after for after, up_to in ranges) <= GATHERED_MAX_ENTRIES
        found = await (self._ranges.find_many(ranges) if few else self._find_ranges(ranges))
        return sorted((entry for entries in found.values() for entry in entries), key=lambda entry: entry.id)

    async def _find_ranges(self, ranges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[Entry]]:
        matches = [{"$gt": after, "$lte": up_to} for after, up_to in joined_ranges(ranges)]
        entries = sorted([entry async for entry in self._union(matches)], key=lambda entry: entry.id)
        ids = [entry.id for entry in entries]
        return {(after, up_to): entries[bisect_right(ids, after) : bisect_right(ids, up_to)] for after, up_to in ranges}

    async def find_ends(self, chat_ids: Sequence[int]) -> dict[int, int]:
        """The place of the last entry of many logs; those without any are left out."""
        newest: list[Document] = [{"$sort": {"_id": -1}}, {"$limit": 1}, {"$project": {"_id": 1}}]
        pipelines = [[{"$match": {"_id": _between(chat_id)}}, *newest] for chat_id in chat_ids]
        return {document["_id"] // SEQ_SPAN: document["_id"] % SEQ_SPAN async for document in self._join(pipelines)}

    async def _union(self, ids: Sequence[object]) -> AsyncIterator[Entry]:
        """The entries that match one of many conditions on ``_id``, each of them one seek, in few round trips."""
        async for document in self._join([[{"$match": {"_id": match}}] for match in ids]):
            yield self._entry(document)

    async def _join(self, pipelines: Sequence[list[Document]]) -> AsyncIterator[Document]:
        """What many pipelines, of which each begins with a ``$match``, find in few round trips."""
        if len(pipelines) == 1 and len(pipelines[0]) == 1:
            # The plain query costs MongoDB half of what a pipeline does.
            for document in await self._database.find(MESSAGES, pipelines[0][0]["$match"]):
                yield document
            return
        for first in range(0, len(pipelines), SEEKS_PER_QUERY):
            start, *others = pipelines[first : first + SEEKS_PER_QUERY]
            more = [{"$unionWith": {"coll": MESSAGES.name, "pipeline": pipeline}} for pipeline in others]
            for document in await self._database.aggregate(MESSAGES, [*start, *more]):
                yield document

    async def list_page(
        self,
        chat_id: int,
        *,
        after_seq: int = 0,
        before_seq: int = SEQ_SPAN,
        limit: int,
        is_ascending: bool = False,
        condition: Document | None = None,
    ) -> list[Entry]:
        """A page of a chat's messages between two places of the log, both exclusive.

        Args:
            limit: how many at most.
            is_ascending: the oldest ones in ascending order instead of the newest in descending order.
            condition: what the messages must match besides.
        """
        query = {"_id": _between(chat_id, after_seq, before_seq), "kind": "message", **(condition or {})}
        order = 1 if is_ascending else -1
        return list(map(self._entry, await self._database.find(MESSAGES, query, sort=[("_id", order)], limit=limit)))

    async def iterate_authors(
        self, chat_id: int, after_seq: int, up_to_seq: int
    ) -> AsyncIterator[list[tuple[int, int]]]:
        """The messages that are not recalled of a part of a log, in order: pages of their ids, each with its author.

        Args:
            after_seq, up_to_seq: the part's ends, the first exclusive, the second inclusive.
        """
        if up_to_seq - after_seq <= GATHERED_MAX_ENTRIES:
            part = message_id(chat_id, after_seq), message_id(chat_id, up_to_seq)
            entries = await self.read_ranges([part])
            yield [
                (entry.id, entry.sender_id)
                for entry in entries
                if entry.kind is EntryKind.MESSAGE and not entry.is_recalled
            ]
            return
        condition: Document = {"kind": "message", **shown_to(None)}
        while after_seq < up_to_seq:
            documents = await self._database.find(
                MESSAGES,
                {"_id": _between(chat_id, after_seq, up_to_seq + 1), **condition},
                {"sender": 1},
                sort=[("_id", 1)],
                limit=PAGE_AUTHORS,
            )
            yield [(document["_id"], document["sender"]) for document in documents]
            if len(documents) < PAGE_AUTHORS:
                return
            after_seq = seq_of(documents[-1]["_id"])

    async def list_replies(self, message_ids: Collection[int]) -> list[Entry]:
        """The messages that answer one of those, by id; maybe with some that answer others between them."""
        if not message_ids:
            return []
        first, last = min(message_ids), max(message_ids)
        # One range is one seek, where a list is one for each id.
        is_range = last - first < SPARSE_FACTOR * len(message_ids)
        condition: Document = {"$gte": first, "$lte": last} if is_range else {"$in": list(message_ids)}
        documents = await self._database.find(MESSAGES, {"reply_to": condition})
        return sorted(map(self._entry, documents), key=lambda entry: entry.id)

    async def list_by_ids(self, message_ids: Iterable[int]) -> list[Entry]:
        """Entries by their ids, in no particular order; unknown ones are left out."""
        return [entry async for entry in self._union(sorted(set(message_ids)))]

    async def find_sent_us(self, chat_id: int, seq: int) -> int | None:
        """When the entry at that place of the log was written."""
        document = await self._collection.find_one({"_id": message_id(chat_id, seq)}, {"sent_us": 1})
        return document["sent_us"] if document else None

    async def recall(self, message: int, session: MongoSession) -> bool:
        """Take a message's content away for good; whether it was there still."""
        result = await self._collection.update_one(
            {"_id": message, "recalled": {"$exists": False}},
            {"$set": {"recalled": True}, "$unset": {"text": "", "reply_to": "", "files": ""}},
            session=session,
        )
        return result.modified_count == 1

    async def edit(self, message: int, text: str, edited_us: int, session: MongoSession) -> bool:
        """Replace a message's text; False if it is recalled."""
        result = await self._collection.update_one(
            {"_id": message, "recalled": {"$exists": False}},
            {"$set": {"text": text, "edited_us": edited_us}},
            session=session,
        )
        return result.matched_count == 1

    async def hide(self, message: int, user_id: int, session: MongoSession) -> bool:
        """Note that a user has deleted a message for himself; False if he had before."""
        result = await self._collection.update_one(
            {"_id": message, "hidden_for": {"$ne": user_id}}, {"$push": {"hidden_for": user_id}}, session=session
        )
        return result.modified_count == 1

    async def purge(self, chat_id: int) -> None:
        """Remove a deleted chat's log except its last entry, which stops whoever would still append to it."""
        last = await self._collection.find_one({"_id": _between(chat_id)}, {"_id": 1}, sort=[("_id", -1)])
        if last is None:
            return
        end: int = last["_id"]
        for start in range(chat_id * SEQ_SPAN, end, PURGE_ENTRIES):
            await self._collection.delete_many({"_id": {"$gte": start, "$lt": min(start + PURGE_ENTRIES, end)}})
