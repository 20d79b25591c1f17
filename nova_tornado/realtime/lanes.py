"""What is on its way into the chats' logs."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nova_tornado.domain import events
from nova_tornado.domain.models import CONTENT_TEXT, Chat, Entry, EntryKind, File, Origin, User
from nova_tornado.storage.database import MongoSession

WRITER_BITS = 30
"""The numbers by which a process recognises its entries differ from those of others above so many bits."""


class WriteIds:
    """The numbers by which a process recognises the entries that it has written."""

    def __init__(self) -> None:
        self._last = int.from_bytes(os.urandom(4), "big") << WRITER_BITS
        self._writer = self._last >> WRITER_BITS

    def take(self) -> int:
        """One more, larger than those before."""
        self._last += 1
        return self._last

    def is_own(self, write_id: int) -> bool:
        """Whether it was taken here."""
        return write_id >> WRITER_BITS == self._writer


class Sent(NamedTuple):
    """A stored message; ``is_repeat`` if it had been sent before under the same client id."""

    message: Entry
    is_repeat: bool


def is_repeat(first: Entry, chat: Chat, text: str) -> bool:
    """Whether a send under a client id that was used before repeats the first one.

    What the text was is not known any more once it was edited or recalled.
    """
    return first.chat_id == chat.id and (first.is_recalled or first.edited_us is not None or first.text == text)


@dataclass(slots=True)
class Send:
    """A message on its way; ``write_id`` is the number by which its writer recognises it."""

    sender: User
    text: str
    reply_to: tuple[Entry, User] | None
    client_id: str | None
    done: asyncio.Future[Sent]
    write_id: int
    content_type: str = CONTENT_TEXT
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its place in the log; the fields are those of ``Entry``."""

    kind: EntryKind
    sender_id: int
    text: str = ""
    user_id: int | None = None
    membership_id: int | None = None
    target: int | None = None
    is_admin: bool = False
    reply_to: int | None = None
    client_id: str | None = None
    content_type: str = CONTENT_TEXT
    files: tuple[File, ...] = ()


Documents = Callable[[MongoSession, Sequence[Entry]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change comes to.

    Attributes:
        drafts: its entries, in order.
        documents: writes the other documents, in the same transaction.
    """

    drafts: Sequence[Draft]
    documents: Documents | None = None


Planner = Callable[[Chat], Plan]


@dataclass(slots=True)
class Change:
    """A change on its way."""

    planner: Planner
    before: Sequence[events.Event]
    done: asyncio.Future[list[Entry]]
    origin: Origin | None = None


@dataclass(slots=True)
class Lane:
    """What waits to be written to one chat, in order.

    Attributes:
        is_busy: something of it is under way.
        has_turn: it has waited for other processes, and does not do so again.
        is_stale: the chat may not be at the end of its log, and must catch up before anything is written.
        is_behind: as soon as what is under way is done, the lane is stale.
        announced: entries of other processes that came while something was under way.
        heard: set when more of them have come; None: nobody waits for them.
        later: what waits until the chat is at the end of its log.
    """

    chat: Chat
    queue: deque[Send | Change] = field(default_factory=deque)
    is_busy: bool = False
    has_turn: bool = False
    is_stale: bool = False
    is_behind: bool = False
    announced: list[Entry] | None = None
    heard: asyncio.Event | None = None
    later: list[Callable[[], None]] | None = None


class Placed(NamedTuple):
    """A send with the entry that it is to become."""

    lane: Lane
    send: Send
    entry: Entry
    placed_at_s: float
