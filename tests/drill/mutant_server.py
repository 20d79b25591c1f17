"""Nova with one thing wrong with it: `python mutant_server.py MUTANT serve …` is `nova serve …` of that mutant.

Only its launcher is here; what shows that a drill turns red is in test_drill.py.
"""

from __future__ import annotations

import asyncio
import sys

import pymongo

from nova_tornado.cli import main
from nova_tornado.domain.events import MessageSent
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.lanes import Sent
from nova_tornado.realtime.log import ChatLog
from nova_tornado.storage import database, embedded, messages

SLOW_S = 0.3
"""How long each insert waits before it is made: time for the server to be killed in."""
JOURNAL_MS = 500
SECOND_US = 10**6


def slow_inserts():
    """Nothing is wrong, but each insert takes time: the control of those mutants that need it to be seen."""
    append = messages.Messages.append

    async def append_slowly(self, entries, write_ids, session=None):
        if session is None:
            await asyncio.sleep(SLOW_S)
        return await append(self, entries, write_ids, session)

    messages.Messages.append = append_slowly


def write_concern_of_one():
    """Acknowledged as soon as one mongod has it in its memory."""
    database.WriteConcern = lambda *_args, **_options: pymongo.WriteConcern(1)
    popen = embedded.subprocess.Popen
    embedded.subprocess.Popen = lambda order, **options: popen(
        [*order, "--journalCommitInterval", str(JOURNAL_MS)], **options
    )


def answer_before_insert():
    """The sender is answered once his message has its place, and before it is stored."""
    slow_inserts()
    place = ChatLog._place

    def place_and_answer(self, sends):
        placed = place(self, sends)
        for one in placed:
            if not one.send.done.done():
                one.send.done.set_result(Sent(one.entry, False))
        return placed

    ChatLog._place = place_and_answer


def publish_before_commit():
    """Everybody is told of a message once it has its place, and before it is stored."""
    slow_inserts()
    place, stored = ChatLog._place, ChatLog._stored

    def place_and_publish(self, sends):
        placed = place(self, sends)
        self._bus.publish(
            *(
                MessageSent(one.lane.chat, one.entry, one.send.sender, one.send.reply_to, None, origin=one.send.origin)
                for one in placed
            )
        )
        return placed

    def stored_in_silence(self, placed):
        bus, self._bus = self._bus, Bus()
        try:
            stored(self, placed)
        finally:
            self._bus = bus

    ChatLog._place, ChatLog._stored = place_and_publish, stored_in_silence


def no_unique_index():
    """A send that is repeated is not recognised."""
    prepare = database.Database._prepare_one

    async def prepare_without(self, spec, is_there):
        kept = tuple(index for index in spec.indexes if ("client_id", 1) not in index.keys)
        await prepare(self, database.CollectionSpec(spec.name, kept, spec.clustered), is_there)

    database.Database._prepare_one = prepare_without


def catch_up_by_timestamp():
    """Who was away is shown what is newer than the second of the last message that he has."""
    list_page = messages.Messages.list_page

    async def list_by_time(self, chat_id, *, after_seq=0, is_ascending=False, condition=None, **more):
        last_us = await self.find_sent_us(chat_id, after_seq) if is_ascending and after_seq else None
        if last_us is not None:
            after_seq = 0
            condition = {**(condition or {}), "sent_us": {"$gte": (last_us // SECOND_US + 1) * SECOND_US}}
        more = {"after_seq": after_seq, "is_ascending": is_ascending, "condition": condition, **more}
        return await list_page(self, chat_id, **more)

    messages.Messages.list_page = list_by_time


MUTANTS = {
    mutant.__name__: mutant
    for mutant in (
        slow_inserts,
        write_concern_of_one,
        answer_before_insert,
        publish_before_commit,
        no_unique_index,
        catch_up_by_timestamp,
    )
}

if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    main()
