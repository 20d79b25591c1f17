"""Finds places and messages in the logs of chats."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from operator import eq, ne

from nova_tornado.domain.models import SEQ_SPAN, Chat, Reading, chat_of, seq_of
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.storage.database import Document
from nova_tornado.storage.messages import joined_ranges
from nova_tornado.storage.store import Store


class MessageFinder:
    """Looks into the logs.

    Args:
        store, directory: the parts it works with.
    """

    def __init__(self, store: Store, directory: UserDirectory) -> None:
        self._store = store
        self._messages = store.messages
        self._directory = directory

    async def first_seq_at(self, chat: Chat, sent_us: int) -> int:
        """The place of the first entry sent at or after a time; times grow along a log, so it is found by halving."""
        low, high = 1, chat.last_seq + 1
        while low < high:
            middle = (low + high) // 2
            found_us = await self._messages.find_sent_us(chat.id, middle)
            if found_us is None or found_us >= sent_us:
                high = middle
            else:
                low = middle + 1
        return low

    async def sender_condition(self, chat: Chat, sender_ids: Sequence[int] | None) -> Document | None:
        """The condition that messages are shown under the name of one of those users; None: of anybody."""
        if sender_ids is None:
            return None
        ids = set(sender_ids)
        condition: Document = {"sender": {"$in": sorted(ids)}, "recalled": {"$exists": False}}
        if self._directory.deleted.id not in ids:
            return condition
        # What #DELETED stands for: recalled messages, and those of users without an account.
        former = await self._store.memberships.list_former(chat.id)
        users = await self._directory.load(former)
        gone = [user_id for user_id in former if users[user_id].id != user_id]
        return {"$or": [condition, {"recalled": True}, {"sender": {"$in": gone}}]}

    async def list_newly_read(self, chat_id: int, readings: Sequence[tuple[int, Reading]]) -> list[int]:
        """See ``MessageService.list_newly_read``."""
        parts: list[tuple[int, int, Callable[[int], bool]]] = []
        for reader_id, reading in readings:
            first_seq, first_id = reading.others[0] if reading.others else (0, 0)
            second_seq = reading.others[1][0] if len(reading.others) > 1 else 0
            # Up to the second cursor, two others have read everything, so at least one who is not the author; from
            # there up to the first one, only one has: what he has written himself was read by nobody.
            after_seq = max(reading.after_seq, second_seq)
            middle_seq = min(max(after_seq, first_seq), reading.up_to_seq)
            parts.append((after_seq, middle_seq, partial(eq, first_id)))
            parts.append((middle_seq, reading.up_to_seq, partial(ne, reader_id)))
        parts = [part for part in parts if part[0] < part[1]]
        found: set[int] = set()
        for after_seq, up_to_seq in joined_ranges((after_seq, up_to_seq) for after_seq, up_to_seq, _ in parts):
            async for page in self._messages.iterate_authors(chat_id, after_seq, up_to_seq):
                seqs = [seq_of(message_id) for message_id, _ in page]
                for after, up_to, is_author in parts:
                    within = page[bisect_right(seqs, after) : bisect_right(seqs, up_to)]
                    found.update(message_id for message_id, author_id in within if is_author(author_id))
        return sorted(found)


def seq_bound(chat_id: int, message_id: int) -> int:
    """A message id as a place in a chat's log; an id of another chat lies before or behind all of it."""
    if chat_of(message_id) != chat_id:
        return 0 if chat_of(message_id) < chat_id else SEQ_SPAN
    return seq_of(message_id)
