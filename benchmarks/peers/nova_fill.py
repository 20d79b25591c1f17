"""A long chat without sending it: log entries written through Nova's own storage, beside the running server.

The server has the end of the chat's log in memory and must be restarted afterwards; so must nobody send meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools

from benchmarks.harness.client import message_body
from nova_tornado.domain.models import Chat, ChatKind, Entry, EntryKind, message_id
from nova_tornado.storage.chats import Chats
from nova_tornado.storage.database import Database
from nova_tornado.storage.messages import Messages

DATABASE = "nova"
BATCH_ENTRIES = 5000


def fill_chat(mongo_uri: str, chat_id: int, messages: int, sender_ids: list[int]) -> None:
    """Append messages, sent by each in turn, until the chat holds so many."""
    asyncio.run(_fill(mongo_uri, chat_id, messages, sender_ids))


async def _fill(mongo_uri: str, chat_id: int, messages: int, sender_ids: list[int]) -> None:
    database = Database(mongo_uri, DATABASE)
    try:
        log = Messages(database)
        # A new group's log holds few entries, at least the message about its making.
        last = [entry async for entry in log.read_log(chat_id, 0)][-1]
        senders = itertools.cycle(sender_ids)
        while last.count < messages:
            size = min(BATCH_ENTRIES, messages - last.count)
            batch = [_after(last, step, next(senders)) for step in range(1, size + 1)]
            appended = await log.append(batch, [entry.seq for entry in batch])
            assert appended.stored == size, "somebody else writes in this chat"
            last = batch[-1]
        # The checkpoint is where a server starts to read; it may lie behind the log's end, but not a million entries.
        end = Chat(
            chat_id,
            ChatKind.GROUP,
            "",
            created_us=0,
            last_seq=last.seq,
            last_count=last.count,
            last_sent_us=last.sent_us,
            last_message=last,
        )
        await Chats(database).store_checkpoints([end])
    finally:
        database.close()


def _after(last: Entry, step: int, sender_id: int) -> Entry:
    return Entry(
        id=message_id(last.chat_id, last.seq + step),
        kind=EntryKind.MESSAGE,
        count=last.count + step,
        sender_id=sender_id,
        sent_us=last.sent_us + step,
        text=message_body().decode(),
    )
