"""What the database holds: the logs and the read cursors, read past Nova."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_tornado.drill.history import chat_of, send_of

READ_LIMIT_MS = 30_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a chat's log.

    Attributes:
        client_id, version: of the send that the text is of.
        stored_client_id: under which it is stored; "" if under none.
        user: whom a change of members is about.
    """

    id: int
    kind: str
    count: int
    sender: int
    client_id: str = ""
    version: int = 0
    stored_client_id: str = ""
    is_recalled: bool = False
    has_text: bool = True
    user: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a member has read, as it is stored."""

    read_seq: int
    joined_seq: int


@dataclass(frozen=True, slots=True)
class Truth:
    """All of it: each chat's log in order, each present member's cursor by chat and user."""

    logs: Mapping[int, list[LogEntry]]
    cursors: Mapping[tuple[int, int], Cursor] = field(default_factory=dict)


def read_truth(uri: str, database: str) -> Truth:
    """Read it (blocks).

    Args:
        uri: of the MongoDB.
        database: the database's name.
    """
    # Here and not at the top: the command line imports this package to list its commands.
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=READ_LIMIT_MS) as client:
        nova = client[database]
        logs = _logs(nova.messages.find().sort("_id", 1))
        cursors = {
            (found["chat"], found["user"]): Cursor(found["read_seq"], found["joined_seq"])
            for found in nova.memberships.find({"left_seq": {"$exists": False}})
        }
    return Truth(logs, cursors)


def _logs(documents: Iterable[Mapping[str, Any]]) -> dict[int, list[LogEntry]]:
    logs: dict[int, list[LogEntry]] = {}
    for document in documents:
        client_id, version = send_of(document.get("text", ""))
        entry = LogEntry(
            id=document["_id"],
            kind=document["kind"],
            count=document["count"],
            sender=document["sender"],
            client_id=client_id,
            version=version,
            stored_client_id=document.get("client_id", ""),
            is_recalled=document.get("recalled", False),
            has_text="text" in document,
            user=document.get("user", 0),
        )
        logs.setdefault(chat_of(entry.id), []).append(entry)
    return logs
