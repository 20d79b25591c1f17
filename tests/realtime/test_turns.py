"""Processes that write to one chat at the same time let each other go first."""

from __future__ import annotations

import asyncio

import pytest
from realtime.joined import Device, check_order
from storage.rooms import WAIT_S, check_log, make_group, make_users, settle

from nova_tornado.realtime import hub as hub_module
from nova_tornado.realtime import log_news
from nova_tornado.realtime import turns as turns_module
from nova_tornado.realtime.turns import Turns

SENDERS = 4
ROUNDS = 15


@pytest.fixture
def three_novas(novas, start_nova, settings, bus):
    return [*novas, start_nova(settings, transport=bus.transport())]


@pytest.mark.gen_test
async def test_who_has_asked_is_let_go_first():
    went = []
    turns = Turns(went.append)
    assert not turns.wait(1)
    turns.note_asked(1, "one")
    turns.note_asked(1, "two")
    assert turns.wait(1) and not turns.wait(2)
    turns.note_written(1, "one")
    turns.note_written(1, "one")
    turns.note_written(2, "two")
    assert not went and turns.is_anybody_waiting
    turns.note_written(1, "two")
    assert went == [1] and not turns.is_anybody_waiting
    assert not turns.wait(1)


@pytest.mark.gen_test
async def test_who_asks_while_one_waits_is_let_go_the_next_time():
    went = []
    turns = Turns(went.append)
    turns.note_asked(1, "one")
    turns.note_asked(1, "two")
    assert turns.wait(1)
    turns.note_written(1, "one")
    turns.note_asked(1, "one")
    turns.note_written(1, "two")
    assert went == [1]
    assert turns.wait(1)
    turns.note_written(1, "one")
    assert went == [1, 1]


@pytest.mark.gen_test
async def test_nobody_waits_for_one_who_never_writes():
    went = asyncio.Event()
    turns = Turns(lambda _chat_id: went.set())
    turns.note_asked(1, "gone")
    assert turns.wait(1)
    async with asyncio.timeout(WAIT_S):
        await went.wait()
    assert not turns.wait(1)


@pytest.mark.gen_test
async def test_the_end_of_waiting_lets_everything_go():
    went = []
    turns = Turns(went.append)
    for chat_id in (1, 2):
        turns.note_asked(chat_id, "one")
        turns.note_asked(chat_id, "two")
    assert turns.wait(1) and turns.wait(2)
    turns.end()
    assert sorted(went) == [1, 2] and not turns.wait(1)


async def talk(novas, chat_id, users):
    """All write all the time, each on his own process."""

    async def one(nova, user, name):
        for n in range(ROUNDS):
            await nova.services.messages.send(user, chat_id, f"{name}:{n}")

    await asyncio.gather(
        *(one(nova, user, f"{user.name}{k}") for nova, user in zip(novas, users, strict=True) for k in range(SENDERS))
    )


def note_appends(novas, monkeypatch):
    """Whether each insert was refused because another process was faster, and which chats' logs were read for it."""
    refused, read = [], []
    for nova in novas:
        append, read_news = nova.store.messages.append, nova.chat_cache.read_news

        async def appending(*args, append=append):
            appended = await append(*args)
            refused.append(appended.conflict is not None)
            return appended

        async def reading(chat, read_news=read_news):
            read.append(chat.id)
            return await read_news(chat)

        monkeypatch.setattr(nova.store.messages, "append", appending)
        monkeypatch.setattr(nova.chat_cache, "read_news", reading)
    return refused, read


@pytest.mark.gen_test
async def test_two_writers_take_turns_and_read_nothing(novas, database, monkeypatch):
    monkeypatch.setattr(turns_module, "TURN_MAX_S", WAIT_S)  # they never give up, however busy the machine is
    monkeypatch.setattr(log_news, "ANNOUNCED_WITHIN_S", WAIT_S)
    users = await make_users(novas[0], "ann", "bob")
    chat = await make_group(novas[0], *users)
    devices = [await Device(nova, user).open() for nova, user in zip(novas, users, strict=True)]
    # Behind it nothing is on its way any more that would make a process look the users up again.
    await devices[1].hears("presence", users[0].id, True)
    for nova in novas:
        await nova.directory.load([user.id for user in users])
    refused, read = note_appends(novas, monkeypatch)
    await talk(novas, chat.id, users)
    await settle(lambda: all(len(device.texts(chat.id)) >= 2 * SENDERS * ROUNDS for device in devices))
    assert len(check_order(devices, chat.id)) == 2 * SENDERS * ROUNDS
    check_log(database, chat.id, [user.id for user in users])
    assert not read
    assert len(refused) >= 2 * ROUNDS
    assert sum(refused) < len(refused) / 4, refused


@pytest.mark.gen_test
async def test_of_three_writers_none_waits_for_one_who_waits_for_him(three_novas, database, monkeypatch):
    novas = three_novas
    monkeypatch.setattr(turns_module, "TURN_MAX_S", 10 * WAIT_S)  # a wait that ends by itself alone ends the test
    monkeypatch.setattr(log_news, "ANNOUNCED_WITHIN_S", WAIT_S)
    users = await make_users(novas[0], "ann", "bob", "cat")
    chat = await make_group(novas[0], *users)
    devices = [await Device(nova, user).open() for nova, user in zip(novas, users, strict=True)]
    await devices[1].hears("presence", users[2].id, True)
    async with asyncio.timeout(3 * WAIT_S):
        await talk(novas, chat.id, users)
    await settle(lambda: all(len(device.texts(chat.id)) >= 3 * SENDERS * ROUNDS for device in devices))
    assert len(check_order(devices, chat.id)) == 3 * SENDERS * ROUNDS
    check_log(database, chat.id, [user.id for user in users])


@pytest.mark.gen_test
async def test_what_is_heard_before_an_own_message_is_delivered_with_it(novas, monkeypatch):
    monkeypatch.setattr(turns_module, "TURN_MAX_S", WAIT_S)
    monkeypatch.setattr(hub_module, "HOLD_MAX_S", WAIT_S)
    users = await make_users(novas[0], "ann", "bob")
    chat = await make_group(novas[0], *users)
    ann, bob = [await Device(nova, user).open() for nova, user in zip(novas, users, strict=True)]
    await bob.hears("presence", users[0].id, True)
    await novas[1].directory.load([user.id for user in users])
    await novas[1].services.messages.send(users[1], chat.id, "zeroth")  # the log was read to its end
    await settle(lambda: bob.texts(chat.id) == ["zeroth"])
    novas[1].log.turns.note_asked(chat.id, novas[0].hub.keeper._channels.process)
    waiting = asyncio.create_task(novas[1].services.messages.send(users[1], chat.id, "second"))
    await settle(lambda: novas[1].log.turns.is_anybody_waiting)
    before = len(bob.connection.outbox._sender.calls)
    first = asyncio.create_task(novas[0].services.messages.send(users[0], chat.id, "first"))
    await settle(lambda: novas[0].log.turns.is_anybody_waiting)
    novas[0].log.turns.end()  # it was asked, too, but here it is the one that writes
    await asyncio.gather(first, waiting)
    await settle(lambda: all(device.texts(chat.id)[-2:] == ["first", "second"] for device in (ann, bob)))
    assert len(bob.connection.outbox._sender.calls) == before + 1


@pytest.mark.gen_test
async def test_a_writer_whose_words_are_lost_holds_nobody_up(novas, bus, database, monkeypatch):
    monkeypatch.setattr(turns_module, "TURN_MAX_S", 0.02)
    monkeypatch.setattr(log_news, "ANNOUNCED_WITHIN_S", 0.02)
    users = await make_users(novas[0], "ann", "bob")
    chat = await make_group(novas[0], *users)
    devices = [await Device(nova, user).open() for nova, user in zip(novas, users, strict=True)]
    bus.loss = 0.5
    await talk(novas, chat.id, users)
    bus.loss = 0.0
    await settle(lambda: all(len(device.texts(chat.id)) >= 2 * SENDERS * ROUNDS for device in devices))
    assert bus.lost_count
    check_order(devices, chat.id)
    check_log(database, chat.id, [user.id for user in users])


@pytest.mark.gen_test
async def test_what_waits_for_its_turn_is_stored_before_the_end(novas, monkeypatch):
    monkeypatch.setattr(turns_module, "TURN_MAX_S", WAIT_S)
    users = await make_users(novas[0], "ann", "bob")
    chat = await make_group(novas[0], *users)
    await Device(novas[0], users[0]).open()
    novas[0].log.turns.note_asked(chat.id, "another process")
    sends = [asyncio.create_task(novas[0].services.messages.send(users[0], chat.id, f"m{n}")) for n in range(3)]
    await settle(lambda: novas[0].log.turns.is_anybody_waiting)
    assert not any(each.done() for each in sends)
    await novas[0].log.settle()
    assert [(await each).message.text for each in sends] == ["m0", "m1", "m2"]
