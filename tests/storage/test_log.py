"""The log of a chat: one order without gap or double, however many write at the same time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pymongo.errors import AutoReconnect
from storage.rooms import Heard, check_log, log_of, make_group, make_users, outcome, settle

from nova_tornado.app import open_nova
from nova_tornado.domain.errors import ChatUnknown, NoRight, NotAMember, OutcomeUnknown, RepeatMismatch, Unavailable
from nova_tornado.domain.events import ChatCreated, ChatDeleted, MemberRemoved, MessageRecalled, MessageSent
from nova_tornado.domain.models import seq_of
from nova_tornado.realtime import checkpoints
from nova_tornado.realtime import log as log_module
from nova_tornado.realtime.lanes import Plan, Sent
from nova_tornado.services import purges as purges_module
from nova_tornado.storage.database import DuplicateKeyError
from nova_tornado.storage.gathered import Gathered
from nova_tornado.storage.messages import UnknownOutcomeError

NOVAS, SENDERS, CHATS = 3, 3, 2


def send(nova, chat, user, text, **more):
    return nova.log.send(chat, user, text, **more)


class Appends:
    """The inserts of a Nova's log: what each was given, and a gate that can hold them up."""

    def __init__(self, nova):
        self.batches = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._append = nova.store.messages.append
        nova.store.messages.append = self._count

    async def _count(self, entries, write_ids, session=None):
        self.batches.append([entry.text for entry in entries])
        await self.gate.wait()
        return await self._append(entries, write_ids, session)


# Many writers


@pytest.mark.parametrize("has_client_ids", [False, True])
def test_senders_in_several_novas_write_one_log_without_gap_or_double(
    start_nova, settings, io_loop, database, has_client_ids
):
    novas = [start_nova(settings) for _ in range(NOVAS)]
    users = io_loop.run_sync(lambda: make_users(novas[0], "ann", "bob", "cid"))
    ids = [user.id for user in users]

    async def run(program):
        made = [await make_group(novas[0], *users) for _ in range(CHATS)]
        chats = [[await nova.services.chats.get(chat.id) for chat in made] for nova in novas]
        numbers, sends, futures = {}, [], []
        for nova, sender, chat, is_pause in program:
            # A sender is one person at one device: he has one process.
            key = (nova, sender)
            numbers[key] = numbers.get(key, 0) + 1
            text = f"{nova}-{sender}-{chat}:{numbers[key]}"
            client_id = f"{made[0].id}-{text}" if has_client_ids else None
            sends.append((chat, text))
            futures.append(send(novas[nova], chats[nova][chat], users[sender], text, client_id=client_id))
            if is_pause:
                await asyncio.sleep(0)
        results = [await outcome(future) for future in futures]
        for (chat, text), result in zip(sends, results, strict=True):
            assert isinstance(result, Sent) and not result.is_repeat
            document = database.messages.find_one({"_id": result.message.id})
            found = (document["text"], document["count"], document["sent_us"], document["sender"])
            message = result.message
            assert found == (text, message.count, message.sent_us, message.sender_id)
            assert message.chat_id == made[chat].id
        for chat in made:
            texts = check_log(database, chat.id, ids)
            assert sorted(texts) == sorted(text for index, text in sends if made[index] is chat)

    steps = st.tuples(st.integers(0, NOVAS - 1), st.integers(0, SENDERS - 1), st.integers(0, CHATS - 1), st.booleans())

    @examples(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(st.lists(steps, min_size=1, max_size=60))
    def check(program):
        io_loop.run_sync(lambda: run(program))

    check()


def test_senders_in_several_processes_write_one_log_without_gap_or_double(
    start_writer, start_nova, settings, io_loop, database, mongo
):
    nova = start_nova(settings)
    users = io_loop.run_sync(lambda: make_users(nova, "ann", "bob"))
    chats = [io_loop.run_sync(lambda: make_group(nova, *users)) for _ in range(2)]
    writers = [
        start_writer(
            mongo.uri,
            database.name,
            {
                "pipeline": 20,
                "jobs": [
                    {"user": user.id, "chat": chat.id, "name": f"p{process}-{user.name}-{chat.id}", "number": 100}
                    for user in users
                    for chat in chats
                ],
            },
        )
        for process in range(2)
    ]
    for writer in writers:
        writer.wait_ready()
    for writer in writers:
        writer.begin()
    for writer in writers:
        writer.read_acks()
        assert writer.is_done and len(writer.acks) == 400
    for chat in chats:
        acks = [ack for writer in writers for ack in writer.acks if ack.message_id // 10**8 == chat.id]
        assert len(check_log(database, chat.id, [user.id for user in users], acks)) == len(acks) == 400


def test_removed_members_message_never_stands_behind_his_removal(start_nova, settings, io_loop, database):
    one, two = start_nova(settings), start_nova(settings)
    ann, bob, cid = io_loop.run_sync(lambda: make_users(one, "ann", "bob", "cid"))

    async def run(before, after, removes_here):
        chat = await make_group(one, ann, bob, cid)
        here, there = await one.services.chats.get(chat.id), await two.services.chats.get(chat.id)
        remover = one if removes_here else two
        sends = [send(two, there, bob, f"bob:{number}") for number in range(before)]
        removal = asyncio.ensure_future(remover.services.chats.remove_member(ann, chat.id, bob.id))
        others = [send(one, here, cid, f"cid:{number}") for number in range(5)]
        for number in range(before, before + after):
            sends.append(send(two, there, bob, f"bob:{number}"))
            await asyncio.sleep(0)
        assert await outcome(removal) is None
        results = [await outcome(future) for future in sends]
        last = await outcome(send(two, await two.services.chats.get(chat.id), bob, "bob:999"))
        assert isinstance(last, NotAMember)
        assert all([isinstance(await outcome(future), Sent) for future in others])
        texts = check_log(database, chat.id, [ann.id, bob.id, cid.id])
        stored = [f"bob:{number}" for number, result in enumerate(results) if isinstance(result, Sent)]
        assert [text for text in texts if text.startswith("bob")] == stored
        assert all(isinstance(result, Sent | NotAMember) for result in results)

    @examples(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, 10), st.integers(0, 10), st.booleans())
    def check(before, after, removes_here):
        io_loop.run_sync(lambda: run(before, after, removes_here))

    check()


def test_members_added_and_removed_by_several_novas_at_once_leave_one_consistent_log(
    start_nova, settings, io_loop, database
):
    novas = [start_nova(settings) for _ in range(2)]

    async def run():
        ann, bob, cid = await make_users(novas[0], "ann", "bob", "cid")
        chat = await make_group(novas[0], ann, bob)

        async def come_and_go(nova, number):
            known = await nova.services.chats.get(chat.id)
            for step in range(4):
                await outcome(nova.services.chats.add_member(known, ann, cid, "welcome", lambda _: None))
                await outcome(send(nova, known, cid, f"cid{number}:{step}"))
                await outcome(nova.services.chats.remove_member(ann, chat.id, cid.id))

        await asyncio.gather(*(come_and_go(nova, number) for number, nova in enumerate(novas)))
        check_log(database, chat.id, [ann.id, bob.id])
        present = set()
        for entry in log_of(database, chat.id):
            if entry["kind"] == "member_added":
                present.add(entry["user"])
            elif entry["kind"] == "member_removed":
                present.discard(entry["user"])
        stored = database.memberships.find_one({"chat": chat.id, "user": cid.id, "left_seq": {"$exists": False}})
        assert (stored is not None) == (cid.id in present)

    io_loop.run_sync(run)


@pytest.mark.gen_test
async def test_client_id_repeated_through_two_novas_at_once_gives_one_message(nova, start_nova, settings, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    other = await open_other(settings, nova)
    try:
        there = await other.services.chats.get(chat.id)
        for number in range(10):
            sends = [
                send(place, known, ann, f"ann:{number}", client_id=f"id{number}")
                for place, known in ((nova, chat), (other, there))
                for _ in range(2)
            ]
            results = [await outcome(future) for future in sends]
            assert len({result.message.id for result in results}) == 1
            assert [result.is_repeat for result in results].count(False) == 1
        assert check_log(database, chat.id, [ann.id, bob.id]) == [f"ann:{number}" for number in range(10)]
    finally:
        await other.close()


async def open_other(settings, nova):
    """Another Nova on the same database, from within a running test."""
    return await open_nova(settings, nova.test_uri, database=nova.store.database.mongo.name)


@pytest.fixture
def nova(start_nova, settings, mongo):
    nova = start_nova(settings)
    nova.test_uri = mongo.uri
    return nova


@pytest.mark.gen_test
async def test_client_id_is_the_senders_own_and_stands_for_one_text_in_one_chat(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat, second = await make_group(nova, ann, bob), await make_group(nova, ann, bob)
    first = await send(nova, chat, ann, "one", client_id="x")
    assert (await send(nova, chat, ann, "one", client_id="x")) == Sent(first.message, True)
    with pytest.raises(RepeatMismatch):
        await send(nova, chat, ann, "two", client_id="x")
    with pytest.raises(RepeatMismatch):
        await send(nova, second, ann, "one", client_id="x")
    assert not (await send(nova, chat, bob, "one", client_id="x")).is_repeat
    sends = [send(nova, chat, ann, text, client_id=text) for text in ("a", "b", "a", "c")]
    results = [await outcome(future) for future in sends]
    assert [result.is_repeat for result in results] == [False, False, True, False]
    assert [entry["text"] for entry in log_of(database, chat.id)][1:] == ["one", "one", "a", "b", "c"]


# Group commit


@pytest.mark.gen_test
async def test_lone_send_starts_at_once_and_what_comes_meanwhile_is_one_batch(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chats = [await make_group(nova, ann, bob) for _ in range(2)]
    appends = Appends(nova)
    appends.gate.clear()
    first = send(nova, chats[0], ann, "ann:0")
    await asyncio.sleep(0)
    assert appends.batches == [["ann:0"]], "a lone send waits for nobody"
    rest = [send(nova, chats[number % 2], ann, f"ann:{number}") for number in range(1, 51)]
    await asyncio.sleep(0)
    assert len(appends.batches) == 1, "one batch at a time"
    appends.gate.set()
    results = [await outcome(future) for future in (first, *rest)]
    assert appends.batches[1:] == [[f"ann:{number}" for number in range(1, 51)]], "in the order in which they came"
    times = [result.message.sent_us for result in results]
    assert times == sorted(times)
    for chat in chats:
        check_log(database, chat.id, [ann.id, bob.id])


@pytest.mark.gen_test
async def test_batch_is_bounded_and_nothing_is_left_behind(nova, database, monkeypatch):
    monkeypatch.setattr(log_module, "BATCH_MAX_ENTRIES", 10)
    ann, bob = await make_users(nova, "ann", "bob")
    chats = [await make_group(nova, ann, bob) for _ in range(3)]
    appends = Appends(nova)
    futures = [send(nova, chats[number % 3], ann, f"ann:{number}") for number in range(55)]
    for future in futures:
        assert isinstance(await outcome(future), Sent)
    assert max(map(len, appends.batches)) <= 10
    assert sum(map(len, appends.batches)) == 55
    for chat in chats:
        check_log(database, chat.id, [ann.id, bob.id])
    await nova.log.settle()
    assert not nova.log._lanes and not nova.log._ready and nova.log._committer is None


@pytest.mark.parametrize(("many", "waits"), [(2, True), (3, False)])
@pytest.mark.gen_test
async def test_where_many_are_told_a_batch_waits_for_what_they_answer(nova, database, monkeypatch, many, waits):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    await outcome(send(nova, chat, ann, "ann:1"))
    await nova.log.settle()
    monkeypatch.setattr(log_module, "GATHER_MIN_MEMBERS", many)
    monkeypatch.setattr(log_module, "GATHER_MIN_S", 0.5)
    monkeypatch.setattr(log_module, "GATHER_MAX_S", 0.5)
    appends = Appends(nova)
    first = send(nova, chat, ann, "ann:2")
    assert isinstance(await outcome(first), Sent)
    answers = []
    for number in range(3):
        for _ in range(log_module.GATHER_TURNS + 1):
            await asyncio.sleep(0)
        answers.append(send(nova, chat, bob, f"bob:{number}"))
    for answer in answers:
        assert isinstance(await outcome(answer), Sent)
    assert appends.batches[0] == ["ann:2"]  # nothing was under way: at once
    assert (appends.batches[1] == ["bob:0", "bob:1", "bob:2"]) is waits
    check_log(database, chat.id, [ann.id, bob.id])


@pytest.mark.gen_test
async def test_send_behind_a_change_is_judged_after_it(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    early = send(nova, chat, bob, "bob:1")
    removal = asyncio.ensure_future(nova.services.chats.remove_member(ann, chat.id, bob.id))
    await asyncio.sleep(0)
    late = send(nova, chat, bob, "bob:2")
    assert isinstance(await outcome(early), Sent)
    assert await outcome(removal) is None
    assert isinstance(await outcome(late), NotAMember)
    kinds = [entry["kind"] for entry in log_of(database, chat.id)]
    assert kinds == ["message", "message", "member_removed", "message"]


@pytest.mark.gen_test
async def test_sends_behind_the_deletion_of_their_chat_are_refused(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    deletion = asyncio.ensure_future(nova.services.chats.leave(ann, chat.id))
    await asyncio.sleep(0)
    late = [send(nova, chat, bob, f"bob:{number}") for number in range(3)]
    assert await outcome(deletion) is None
    assert all([isinstance(await outcome(future), ChatUnknown) for future in late])
    await settle(lambda: not nova.log._lanes)
    await asyncio.gather(*nova.purges.tasks)
    assert [entry["kind"] for entry in log_of(database, chat.id)] == ["chat_deleted"]


@pytest.mark.gen_test
async def test_sender_who_gives_up_waiting_holds_nobody_up(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    appends = Appends(nova)
    appends.gate.clear()
    gone = asyncio.create_task(nova.services.messages.send(ann, chat.id, "ann:0"))
    await settle(lambda: appends.batches)
    removal = asyncio.create_task(nova.services.chats.remove_member(ann, chat.id, bob.id))
    await asyncio.sleep(0)
    last = send(nova, chat, ann, "ann:1")
    gone.cancel()
    removal.cancel()
    await asyncio.wait((gone, removal))
    appends.gate.set()
    assert isinstance(await outcome(last), Sent)
    assert check_log(database, chat.id, [ann.id, bob.id]) == ["ann:0", "ann:1"]
    assert chat.last_seq == len(log_of(database, chat.id)) and bob.id not in chat.members
    await settle(lambda: not nova.log._lanes)


@pytest.mark.expects_log("a batch of sends failed")
@pytest.mark.gen_test
async def test_fault_in_a_batch_answers_its_senders_and_leaves_no_lane_busy(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chats = [await make_group(nova, ann, bob) for _ in range(2)]
    append = nova.store.messages.append

    async def fail(*_args, **_more):
        nova.store.messages.append = append
        raise RuntimeError("not foreseen")

    nova.store.messages.append = fail
    results = [await outcome(send(nova, chat, ann, "ann:1")) for chat in (chats[0],)]
    assert all(isinstance(result, OutcomeUnknown) for result in results)
    for chat in chats:
        assert isinstance(await outcome(send(nova, chat, ann, "ann:2")), Sent)
    await settle(lambda: not nova.log._lanes)
    assert check_log(database, chats[0].id, [ann.id, bob.id]) == ["ann:2"]


@pytest.mark.gen_test
async def test_change_that_is_refused_or_fails_leaves_the_lane_free(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)

    def refuse(_chat):
        raise NoRight

    def fail(_chat):
        raise RuntimeError("not foreseen")

    async def fail_in_transaction(_session, _entries):
        raise RuntimeError("not foreseen")

    with pytest.raises(NoRight):
        await nova.log.change(chat, refuse)
    with pytest.raises(RuntimeError):
        await nova.log.change(chat, fail)
    draft = nova.services.chats.system_draft("never stored")
    with pytest.raises(RuntimeError):
        await nova.log.change(chat, lambda _: Plan([draft], fail_in_transaction))
    assert isinstance(await outcome(send(nova, chat, ann, "ann:1")), Sent)
    assert len(log_of(database, chat.id)) == 2


# Outcomes that are not known


@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.gen_test
async def test_insert_whose_answer_is_lost_is_tried_again_and_stored_once(nova, database, is_stored):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    heard = Heard(nova)
    append, losses = nova.store.messages.append, [1, 2, 3]

    async def lose(entries, write_ids, session=None):
        if not losses:
            return await append(entries, write_ids, session)
        # The first one of a batch arrives, the others do not: as when the database dies in the middle.
        part = losses.pop()
        if is_stored:
            await append(entries[:part], write_ids[:part], session)
        raise UnknownOutcomeError

    nova.store.messages.append = lose
    futures = [send(nova, chat, ann, f"ann:{number}") for number in range(8)]
    results = [await outcome(future) for future in futures]
    assert [seq_of(result.message.id) for result in results] == list(range(2, 10))
    assert not any(result.is_repeat for result in results)
    assert check_log(database, chat.id, [ann.id, bob.id]) == [f"ann:{number}" for number in range(8)]
    assert [event.message.text for event in heard.of(MessageSent)] == [f"ann:{number}" for number in range(8)]
    assert chat.last_seq == 9 and chat.last_count == 9


@pytest.mark.expects_log("the database did not answer")
@pytest.mark.gen_test
async def test_message_stored_after_all_is_told_though_nobody_writes_again(nova, database, monkeypatch):
    monkeypatch.setattr(log_module, "GIVE_UP_S", 0)
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    heard = Heard(nova)
    append, read_log = nova.store.messages.append, nova.store.messages.read_log

    async def lose(entries, write_ids, session=None):
        await append(entries, write_ids, session)
        await asyncio.sleep(0.01)  # beyond GIVE_UP_S
        raise UnknownOutcomeError

    nova.store.messages.append = lose
    first, second = send(nova, chat, ann, "ann:1", client_id="x"), send(nova, chat, ann, "ann:2")
    assert isinstance(await outcome(first), OutcomeUnknown)
    assert isinstance(await outcome(second), OutcomeUnknown)
    nova.store.messages.append = append
    await settle(lambda: len(heard.of(MessageSent)) == 2)
    assert [event.message.text for event in heard.of(MessageSent)] == ["ann:1", "ann:2"]
    assert chat.last_message.text == "ann:2" and chat.unread_count(bob.id) == 3
    repeat = await outcome(send(nova, chat, ann, "ann:1", client_id="x"))
    assert repeat.is_repeat and repeat.message.text == "ann:1"
    await settle(lambda: not nova.log._lanes and not nova.log._recoveries)
    assert nova.store.messages.read_log == read_log


@pytest.mark.expects_log("the outcome of a change")
@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.gen_test
async def test_removal_without_an_answer_takes_effect_in_memory_if_it_is_stored(nova, is_stored):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    heard = Heard(nova)
    transaction = nova.store.database.transaction

    async def lose(work):
        nova.store.database.transaction = transaction
        if is_stored:
            await transaction(work)
        raise AutoReconnect("connection closed")

    nova.store.database.transaction = lose
    assert isinstance(await outcome(nova.services.chats.remove_member(ann, chat.id, bob.id)), OutcomeUnknown)
    await settle(lambda: not nova.log._lanes)
    assert (bob.id in chat.members) == (not is_stored)
    assert [event.user_id for event in heard.of(MemberRemoved)] == [bob.id] * is_stored
    assert len(heard.of(MessageSent)) == is_stored


@pytest.mark.gen_test
async def test_write_concern_that_fails_is_no_acknowledgement(nova):
    messages = nova.store.messages

    async def insert_in_order(_spec, _documents):
        # The first was inserted on one node, the second refused; the journals of a majority have neither.
        refused = {"index": 1, "code": 11000, "keyPattern": {"_id": 1}}
        return {"ok": 1, "n": 1, "writeErrors": [refused], "writeConcernError": {"code": 91}}

    nova.store.database.insert_in_order = insert_in_order
    with pytest.raises(UnknownOutcomeError):
        await messages.append([], [])


@pytest.mark.gen_test
async def test_change_is_told_though_the_newest_message_cannot_be_looked_up(nova):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    sent = await send(nova, chat, ann, "ann:1")
    heard = Heard(nova)
    find_newest = nova.store.messages.find_newest

    async def fail(*_args):
        nova.store.messages.find_newest = find_newest
        raise AutoReconnect("connection closed")

    nova.store.messages.find_newest = fail
    assert await outcome(nova.services.messages.recall(ann, sent.message.id)) is None
    assert [event.message_id for event in heard.of(MessageRecalled)] == [sent.message.id]
    await settle(lambda: chat.last_message is not None)
    assert seq_of(chat.last_message.id) == 1


# Several Novas, one chat in the memory of each


@pytest.mark.gen_test
async def test_what_another_nova_wrote_is_told_once_and_in_order(nova, settings, database):
    ann, bob, cid = await make_users(nova, "ann", "bob", "cid")
    chat = await make_group(nova, ann, bob, cid)
    other = await open_other(settings, nova)
    try:
        there = await other.services.chats.get(chat.id)
        heard = Heard(other)
        await send(nova, chat, ann, "ann:1")
        await nova.services.chats.remove_member(ann, chat.id, cid.id)
        gone = await send(nova, chat, ann, "ann:2")
        await nova.services.messages.recall(ann, gone.message.id)
        find = other.store.messages.read_log
        failures = [1]

        def fail_once(*arguments):
            if failures.pop():
                other.store.messages.read_log = find
            raise AutoReconnect("connection closed")

        other.store.messages.read_log = fail_once
        assert isinstance(await outcome(send(other, there, bob, "bob:1")), Sent)
        told = [
            event.message.text if isinstance(event, MessageSent) else type(event).__name__ for event in heard.events
        ]
        said = "ann removed cid from the group"
        assert told == ["ann:1", "MemberRemoved", "ChatUpdated", said, "", "MessageRecalled", "bob:1"]
        assert set(there.members) == {ann.id, bob.id}
        assert (there.last_seq, there.last_count) == (seq_of(there.last_message.id), there.last_message.count)
        check_log(database, chat.id, [ann.id, bob.id, cid.id])
    finally:
        await other.close()


@pytest.mark.gen_test
async def test_deletion_by_another_nova_is_told_with_the_chat_as_it_was(nova, settings):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    other = await open_other(settings, nova)
    try:
        there = await other.services.chats.get(chat.id)
        heard = Heard(other)
        await nova.services.chats.leave(ann, chat.id)
        await asyncio.gather(*nova.purges.tasks)
        assert isinstance(await outcome(send(other, there, bob, "bob:1")), ChatUnknown)
        (told,) = heard.of(ChatDeleted)
        assert set(told.chat.members) == {ann.id, bob.id} and told.chat.owner_id == ann.id
        assert {ann.id, bob.id} <= set(told.users)
    finally:
        await other.close()


@pytest.mark.gen_test
async def test_deletion_stops_a_writer_who_is_far_behind(nova, settings, database, monkeypatch):
    # The log is removed when everybody who knew the chat must have looked at it again.
    assert purges_module.PURGE_DELAY_S == 0 and log_module.CURRENT_FOR_S > 0
    monkeypatch.setattr(log_module, "CURRENT_FOR_S", 0)
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    other = await open_other(settings, nova)
    try:
        there = await other.services.chats.get(chat.id)
        await send(nova, chat, ann, "ann:1")
        await nova.services.chats.leave(ann, chat.id)
        await asyncio.gather(*nova.purges.tasks)
        assert isinstance(await outcome(send(other, there, bob, "bob:1")), ChatUnknown)
        assert [entry["kind"] for entry in log_of(database, chat.id)] == ["chat_deleted"]
    finally:
        await other.close()


@pytest.mark.gen_test
async def test_chat_looked_up_while_it_is_being_made_is_one_object(nova):
    ann, bob = await make_users(nova, "ann", "bob")
    transaction = nova.store.database.transaction
    found = []

    async def look_before_the_answer(work):
        result = await transaction(work)
        ids = await nova.store.memberships.list_chat_ids(bob.id)
        found.append(asyncio.create_task(nova.services.chats.get(ids[-1])))
        await nova.store.memberships.list_chat_ids(bob.id)  # time enough for the look-up, if it does not wait
        return result

    nova.store.database.transaction = look_before_the_answer
    heard = Heard(nova)
    chat = await make_group(nova, ann, bob)
    assert await found[0] is chat is await nova.services.chats.get(chat.id)
    await send(nova, chat, ann, "ann:1")
    assert [type(event) for event in heard.events] == [ChatCreated, MessageSent, MessageSent]


@pytest.mark.gen_test
async def test_one_who_gives_up_looking_for_a_chat_disturbs_no_other(nova, settings):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    other = await open_other(settings, nova)
    try:
        load, gate = other.chat_cache._load, asyncio.Event()

        async def slow(chat_ids):
            await gate.wait()
            return await load(chat_ids)

        other.chat_cache._load = slow
        looking = [asyncio.create_task(other.services.chats.get(chat.id)) for _ in range(4)]
        await asyncio.sleep(0)
        looking[1].cancel()
        await asyncio.wait(looking[1:2])
        gate.set()
        results = await asyncio.gather(*looking, return_exceptions=True)
        assert isinstance(results[1], asyncio.CancelledError)
        assert results[0] is results[2] is results[3] and results[0].id == chat.id
    finally:
        await other.close()


@pytest.mark.gen_test
async def test_chat_that_cannot_be_loaded_is_not_called_unknown(nova, settings):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    other = await open_other(settings, nova)
    try:
        stored = other.chat_cache._stored

        async def fail(_chat_ids):
            await asyncio.sleep(0)
            raise Unavailable

        other.chat_cache._stored = Gathered(fail)
        looking = [asyncio.create_task(other.services.chats.get(chat.id)) for _ in range(3)]
        results = await asyncio.gather(*looking, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 3
        other.chat_cache._stored = stored
        assert (await other.services.chats.get(chat.id)).id == chat.id
    finally:
        await other.close()


@pytest.mark.gen_test
async def test_read_cursor_of_one_who_sent_before_a_crash_survives_the_next_senders_checkpoint(
    nova, settings, monkeypatch
):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "CHECKPOINT_INTERVAL_S", 1e6)
        crashed = await open_other(settings, nova)
        await send(crashed, await crashed.services.chats.get(chat.id), bob, "bob:1")
        crashed.log._checkpoints._noted.clear()  # the crash: its cursor is in the log only
    second = await open_other(settings, nova)
    await send(second, await second.services.chats.get(chat.id), ann, "ann:1")
    await second.close()
    third = await open_other(settings, nova)
    try:
        found = await third.services.chats.get(chat.id)
        assert found.unread_count(bob.id) == 1, "bob has not read what ann wrote, and nothing else"
        assert found.unread_count(ann.id) == 0
        assert found.members[bob.id].read_seq == 2
    finally:
        await third.close()
        await crashed.close()


@pytest.mark.gen_test
async def test_second_private_chat_of_a_pair_is_refused_and_leaves_nothing(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")

    async def nothing(_session):
        pass

    first = await nova.services.chats.create_private(ann.id, bob.id, "friends", nothing, ())
    with pytest.raises(DuplicateKeyError):
        await nova.services.chats.create_private(bob.id, ann.id, "friends", nothing, ())
    assert [chat["_id"] for chat in database.chats.find()] == [first.id]
    assert database.memberships.count_documents({}) == 2 and database.messages.count_documents({}) == 1
