"""Finds places and messages in the logs of chats."""

from __future__ import annotations

from collections.abc import Sequence

from nova_tornado.domain.models import SEQ_SPAN, Chat, Reading, chat_of, seq_of
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.storage.database import Document
from nova_tornado.storage.messages import shown_to
from nova_tornado.storage.store import Store

PAGE_IDS = 5_000
"""How many ids are read at once."""


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

    async def list_newly_read(self, chat_id: int, reader_id: int, reading: Reading) -> list[int]:
        """See ``MessageService.list_newly_read``."""
        first_seq, first_id = reading.others[0] if reading.others else (0, 0)
        second_seq = reading.others[1][0] if len(reading.others) > 1 else 0
        # Up to the second cursor, two others have read everything, so at least one who is not the author; from there
        # up to the first one, only one has: what he has written himself was read by nobody.
        after_seq = max(reading.after_seq, second_seq)
        middle_seq = min(max(after_seq, first_seq), reading.up_to_seq)
        found = await self._list_ids(chat_id, after_seq, middle_seq, {"sender": first_id})
        found += await self._list_ids(chat_id, middle_seq, reading.up_to_seq, {"sender": {"$ne": reader_id}})
        return found

    async def _list_ids(self, chat_id: int, after_seq: int, up_to_seq: int, senders: Document) -> list[int]:
        condition = {**senders, **shown_to(None)}
        found: list[int] = []
        while after_seq < up_to_seq:
            page = await self._messages.list_ids(
                chat_id, after_seq=after_seq, before_seq=up_to_seq + 1, limit=PAGE_IDS, condition=condition
            )
            found += page
            if len(page) < PAGE_IDS:
                break
            after_seq = seq_of(page[-1])
        return found


def seq_bound(chat_id: int, message_id: int) -> int:
    """A message id as a place in a chat's log; an id of another chat lies before or behind all of it."""
    if chat_of(message_id) != chat_id:
        return 0 if chat_of(message_id) < chat_id else SEQ_SPAN
    return seq_of(message_id)
