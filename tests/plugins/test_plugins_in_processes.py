"""Plugins in several processes: who acts acts once, and what is kept in memory is the same everywhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from nova_bot_chat.reminders import Reminders
from nova_message_filters import _moderator
from nova_outside_bots.webhooks import Webhooks
from realtime.buses import MemoryBus
from realtime.joined import Device
from storage.rooms import make_group, make_users, settle

from nova_tornado.domain.errors import MessageRefused, TooManyRequests
from nova_tornado.services.sign_in_limits import FAILURES_PER_ACCOUNT_AND_ADDRESS


@pytest.fixture
def bus():
    return MemoryBus()


@pytest.fixture
def novas(start_nova, settings, bus):
    settings = replace(settings, rate_limits=True)
    return [start_nova(settings, transport=bus.transport()) for _ in range(2)]


@pytest.mark.gen_test
async def test_a_bot_answers_once(novas, database):
    (ann,) = await make_users(novas[0], "ann")
    bot = novas[0].services.bots.default
    chat, _ = await novas[0].services.chats.open_private(ann, bot.id)
    devices = [await Device(nova, ann).open() for nova in novas]
    for n, nova in enumerate(novas * 2):
        await nova.services.messages.send(ann, chat.id, f"/echo {n}" if n else "/help")
    await settle(lambda: database.messages.count_documents({"sender": bot.id, "kind": "message"}) >= 4)
    await settle(lambda: database.bot_answers.count_documents({}) == 0)
    for nova in novas:
        await nova.plugins_told()
    assert database.messages.count_documents({"sender": bot.id, "kind": "message"}) == 4
    await settle(lambda: all(len(device.heard("sent")) == 8 for device in devices))


@pytest.mark.gen_test
async def test_a_reminder_is_told_once(novas, database):
    (ann,) = await make_users(novas[0], "ann")
    bot = novas[0].services.bots.default
    chat, _ = await novas[0].services.chats.open_private(ann, bot.id)
    reminder = {"_id": 5, "user": ann.id, "slot": 1, "bot": bot.id, "chat": chat.id, "is_private": True, "text": "tea"}
    database.bot_chat_reminders.insert_one({**reminder, "due_us": 1, "try_us": 1, "attempts": 0})
    reminders = [Reminders(nova.facade_of("nova_bot_chat")) for nova in novas]
    await asyncio.gather(*(each.deliver_due() for each in reminders * 3))
    found = [message["text"] for message in database.messages.find({"sender": bot.id})]
    assert len(found) == 1 and found[0].endswith(": tea")
    assert database.bot_chat_reminders.count_documents({}) == 0


@pytest.mark.gen_test
async def test_one_process_claims_an_attempt_of_a_webhook(novas, database):
    database.outside_bot_deliveries.insert_one(
        {"_id": 1, "webhook": 7, "event": "message", "body": b"{}", "created_us": 1, "attempts": 0, "next_us": 0}
    )
    webhooks = [Webhooks(nova.facade_of("nova_outside_bots")) for nova in novas]
    hook = type("Hook", (), {"id": 7})
    deliveries = [await each.find_next(hook) for each in webhooks]
    until_us = novas[0].services.clock.now_us() + 10**9
    pairs = list(zip(webhooks, deliveries, strict=True)) * 2
    assert sum([await each.claim(delivery, until_us) for each, delivery in pairs]) == 1
    await webhooks[0].postpone(deliveries[0], 0)
    assert not await webhooks[1].claim(deliveries[1], until_us)  # that attempt was made
    assert await webhooks[1].claim(await webhooks[1].find_next(hook), until_us)


@pytest.mark.gen_test
async def test_rules_and_mutes_hold_in_every_process_at_once(novas, bus):
    ann, bob = await make_users(novas[0], "ann", "bob")
    chat = await make_group(novas[0], ann, bob)
    moderators = [nova.facade_of("nova_message_filters").shared(_moderator) for nova in novas]
    await novas[1].services.messages.send(bob, chat.id, "a bad word")
    rule = {"name": "words", "kind": "words", "words": ["bad"], "action": "refuse"}
    await moderators[0].rules.add(ann, chat.id, rule)

    async def is_refused(text):
        try:
            await novas[1].services.messages.send(bob, chat.id, text)
        except MessageRefused:
            return True
        return False

    await settle(lambda: moderators[1].rules.has_rules(chat.id))
    assert await is_refused("a bad word") and not await is_refused("a good word")
    mutes = [each.mutes for each in moderators]
    kept = await novas[0].services.chats.get(chat.id)
    await mutes[0].mute(kept, bob, 600, "words")
    await settle(lambda: mutes[1].left_us(chat.id, bob.id) > 0)
    await mutes[1].lift(ann, chat.id, bob.id)
    await settle(lambda: mutes[0].left_us(chat.id, bob.id) == 0)
    # What nobody could be told of is looked up when the others can be heard again.
    bus.stop()
    await mutes[0].mute(kept, bob, 600, "words")
    await settle(lambda: mutes[1].left_us(chat.id, bob.id) > 0)
    bus.start()


@pytest.mark.gen_test
async def test_failed_sign_ins_are_counted_over_all_processes(novas):
    (ann,) = await make_users(novas[0], "ann")
    limits = [nova.services.accounts._limits for nova in novas]
    sign_ins = [nova.services.accounts for nova in novas]
    for n in range(FAILURES_PER_ACCOUNT_AND_ADDRESS):
        sign_ins[n % 2]._note_failure("ann", "192.0.2.1")
    for each in limits:

        def is_refused(each=each):
            try:
                each.check(ann.name, "192.0.2.1")
            except TooManyRequests:
                return True
            return False

        await settle(is_refused)
        each.check(ann.name, "192.0.2.2")
