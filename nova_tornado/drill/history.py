"""What is recorded in a drill. Texts are not: each text names the send that it is of, and its version."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

from nova_tornado.domain.models import SEQ_SPAN

_TEXT = re.compile(r"(d[0-9]+-[0-9]+) ([0-9]+)")


class What(StrEnum):
    """What is asked for."""

    SEND = "send"
    EDIT = "edit"
    RECALL = "recall"
    READ = "read"
    MEMBERS = "members"


class Outcome(StrEnum):
    """How a call was answered.

    ``UNKNOWN``: not at all, or by "maybe"; it is asked again. ``ODD``: refused for a reason that there should not be.
    """

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    ODD = "odd"


@dataclass(frozen=True, slots=True)
class ChatMade:
    """A chat, with whom it began."""

    chat: int
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody asks for something, maybe again.

    Attributes:
        id: of a send the client's own id; the same at each attempt.
        seq: how far the caller has seen the chat; what a read reads at least.
    """

    at_s: float
    id: str
    user: int
    protocol: str
    what: What
    chat: int
    client_id: str = ""
    version: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt of a call ended."""

    at_s: float
    call: str
    user: int
    outcome: Outcome
    message_id: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message was told on a connection.

    Attributes:
        client_id: of the send, as its text says; "" where it has none.
        is_repeat: it may be the answer to a repeated send, which comes again, and out of order.
    """

    at_s: float
    user: int
    protocol: str
    connection: int
    message_id: int
    client_id: str
    is_repeat: bool = False


class Item(NamedTuple):
    """A message in a history; without client id if its text is none of a drill's."""

    message_id: int
    client_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Fresh:
    """A whole history as it was shown at the end, oldest first.

    Attributes:
        shows_recalled: whether this protocol shows that there was a message.
    """

    user: int
    protocol: str
    chat: int
    items: tuple[Item, ...]
    shows_recalled: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The messages that a client has at the end, from what it was told and what it caught up with."""

    user: int
    protocol: str
    chat: int
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """How many messages a member is said not to have read."""

    user: int
    chat: int
    count: int


@dataclass(frozen=True, slots=True)
class Readers:
    """Who is said to have read a message."""

    message_id: int
    users: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """Somebody has tried to read, or to write in, a chat that is not his."""

    user: int
    protocol: str
    chat: int
    was_let_in: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody did not come back in time."""

    user: int
    protocol: str
    reason: str


Record: TypeAlias = ChatMade | Call | Answer | Heard | Fresh | Known | Unread | Readers | Probe | Lost


class Recorder:
    """Keeps the records, in their order.

    Args:
        path: of a file that gets each as one line of JSON, too.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.records: list[Record] = []
        self._begin_s = time.monotonic()
        self._file: IO[str] | None = path.open("w", encoding="utf-8") if path is not None else None
        self._sends: dict[str, float] = {}
        self._waiters: list[tuple[float, asyncio.Future[float]]] = []

    def now_s(self) -> float:
        """Seconds since the drill began."""
        return time.monotonic() - self._begin_s

    def add(self, record: Record) -> None:
        """Note something."""
        self.records.append(record)
        if self._file is not None:
            self._file.write(json.dumps({"record": type(record).__name__, **asdict(record)}) + "\n")
        if isinstance(record, Call) and record.what is What.SEND:
            self._sends[record.id] = record.at_s
        elif isinstance(record, Answer):
            called_at_s = self._sends.pop(record.call, None)
            if called_at_s is not None and record.outcome is Outcome.DONE:
                self._tell(called_at_s, record.at_s)

    def _tell(self, called_at_s: float, at_s: float) -> None:
        for since_s, waiter in self._waiters:
            if called_at_s >= since_s and not waiter.done():
                waiter.set_result(at_s)
        self._waiters = [pair for pair in self._waiters if not pair[1].done()]

    async def next_send(self, since_s: float) -> float:
        """Wait for the answer to a send that is asked for after a moment; when it came."""
        waiter: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiters.append((since_s, waiter))
        return await waiter

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def text_of(client_id: str, version: int = 0) -> str:
    """What is said."""
    return f"{client_id} {version}"


def send_of(text: str) -> tuple[str, int]:
    """Of which send a text is, and of which version; ("", 0) if it is none of a drill's."""
    match = _TEXT.fullmatch(text)
    return (match[1], int(match[2])) if match else ("", 0)


def chat_of(message_id: int) -> int:
    """The chat of a message."""
    return message_id // SEQ_SPAN


def seq_of(message_id: int) -> int:
    """A message's place in its chat's log."""
    return message_id % SEQ_SPAN


def newest(message_ids: Iterable[int]) -> int:
    """The newest message of some; 0 if there is none."""
    return max(message_ids, default=0)
