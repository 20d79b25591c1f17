"""Reminders on a real database: asked for, kept over restarts, told exactly once whatever is killed when."""

import asyncio
import re

import pytest
from nova_bot_chat import reminders
from nova_bot_chat.reminders import PENDING_MAX, Reminders, reminder_clock
from plugins.assistant_desk import START_US, Desk, FakeClock
from storage.rooms import Heard, settle

from nova_tornado.api import Nova, Offers, errors, events
from nova_tornado.settings import Settings


@pytest.fixture
def settings():
    return Settings(bcrypt_rounds=4, rate_limits=False, plugins_off=("nova_bot_chat",))


@pytest.fixture
def desk(start_nova, settings, io_loop):
    nova = start_nova(settings, clock=FakeClock())
    return io_loop.run_sync(lambda: Desk().open(nova))


class Killed(Exception):
    """Stands for the end of the process at that point."""


def told(texts):
    return [text for text in texts if "Reminder" in text]


async def count(desk):
    return await desk.facade.collection(reminders.REMINDERS).count_documents({})


@pytest.mark.gen_test
async def test_a_reminder_is_told_when_it_is_due_and_once(desk):
    chat = await desk.private("alice")
    answer = await desk.ask("alice", chat, "/remind 1h30m drink\n tea")
    assert answer == "I will remind you at 2027-01-15 09:30 UTC, in 1h 30m (reminder 1)."
    clock = Reminders(desk.facade)
    desk.clock.move(5_399)
    await clock.deliver_due()
    assert told(await desk.texts(chat)) == []
    desk.clock.move(1)
    for _ in range(3):
        await clock.deliver_due()
    assert told(await desk.texts(chat, desk.bot)) == ["Reminder: drink tea"]
    assert await count(desk) == 0


@pytest.mark.gen_test
async def test_in_a_group_the_user_is_mentioned(desk):
    tea = await desk.group("bob", "alice")
    await desk.ask("alice", tea, "/remind 10m tea")
    desk.clock.move(600)
    await Reminders(desk.facade).deliver_due()
    assert "@alice Reminder" in told(await desk.texts(tea, desk.bot))[0]


@pytest.mark.gen_test
async def test_reminders_are_listed_and_cancelled_by_their_owner_alone(desk):
    chat, tea = await desk.private("alice"), await desk.group("bob", "alice")
    assert await desk.ask("alice", chat, "/remind list") == "No reminder is waiting."
    await desk.ask("alice", chat, "/remind 2h secret thing")
    await desk.ask("alice", tea, "/remind 1h tea")
    lines = (await desk.ask("alice", chat, "/remind list")).splitlines()
    assert lines[0] == "2 reminders:" and lines[1].startswith("• 2: 2027-01-15 09:00 UTC, in 59m 59s: tea")
    in_group = await desk.ask("alice", tea, "/remind LIST")
    assert "tea" in in_group and "secret" not in in_group
    assert await desk.ask("bob", tea, "/remind list") == "No reminder of yours is waiting here."
    assert await desk.ask("bob", tea, "/remind cancel 1") == "You have no reminder 1 waiting."
    assert "Usage" in await desk.ask("alice", chat, "/remind cancel") and await count(desk) == 2
    assert await desk.ask("alice", chat, "/remind cancel 1") == "Reminder 1 is cancelled."
    assert await desk.ask("alice", chat, "/remind cancel 1") == "You have no reminder 1 waiting."
    desk.clock.move(10_000)
    await Reminders(desk.facade).deliver_due()
    assert told(await desk.texts(chat, desk.bot)) == [] and len(told(await desk.texts(tea, desk.bot))) == 1


@pytest.mark.gen_test
async def test_nobody_has_more_than_so_many_reminders_not_even_at_the_same_moment(desk, monkeypatch):
    monkeypatch.setattr(reminders, "PENDING_MAX", 5)
    assert PENDING_MAX == 50
    chat = await desk.private("alice")
    answers = await asyncio.gather(*(desk.answer("alice", chat, f"/remind 10m {number}") for number in range(9)))
    assert len([answer for answer in answers if "I will remind" in answer]) == 5 == await count(desk)
    assert len([answer for answer in answers if "cancel one first" in answer]) == 4
    numbers = {re.search(r"reminder (\d)", answer)[1] for answer in answers if "I will" in answer}
    assert numbers == set("12345")
    assert "I will remind" in await desk.ask("bob", await desk.private("bob"), "/remind 10m tea")


@pytest.mark.gen_test
async def test_a_question_asked_again_after_a_crash_makes_no_second_reminder(desk):
    chat = await desk.private("alice")
    clock = Reminders(desk.facade)
    (question,) = await desk.say("alice", chat, "/remind 10m tea")
    first = await desk.answer("alice", chat, "/remind 10m tea", question.id)
    desk.clock.move(30)
    assert await desk.answer("alice", chat, "/remind 10m tea", question.id) == first and await count(desk) == 1
    desk.clock.move(600)
    await clock.deliver_due()
    # Even after it was told and removed.
    await desk.answer("alice", chat, "/remind 10m tea", question.id)
    desk.clock.move(600)
    await clock.deliver_due()
    assert told(await desk.texts(chat, desk.bot)) == ["Reminder: tea"] and await count(desk) == 0


# Restarts and crashes


@pytest.mark.gen_test
async def test_what_was_missed_is_told_at_once_after_a_restart_and_called_late(desk):
    chat = await desk.private("alice")
    await desk.ask("alice", chat, "/remind 10m missed")
    await desk.ask("alice", chat, "/remind 1h later")
    desk.clock.move(605)  # nothing ran meanwhile
    again = Reminders(desk.facade)
    await again.deliver_due()
    assert told(await desk.texts(chat, desk.bot)) == ["Reminder (late): missed"]
    desk.clock.move(3_000)
    await again.deliver_due()
    assert told(await desk.texts(chat, desk.bot))[1:] == ["Reminder: later"]


def test_reminders_survive_a_restart_of_the_server(start_nova, settings, io_loop):
    clock = FakeClock()

    async def before(nova):
        desk = await Desk().open(nova)
        await desk.ask("alice", await desk.private("alice"), "/remind 10m tea")
        await nova.close()

    async def after(nova):
        heard = Heard(nova)
        async with reminder_clock(Nova(nova.services, {}, nova.store, Offers())):
            await settle(lambda: heard.of(events.MessageSent))
        return [event.message.text for event in heard.of(events.MessageSent)]

    nova = start_nova(settings, clock=clock)
    io_loop.run_sync(lambda: before(nova))
    clock.move(700)
    nova = start_nova(settings, clock=clock)
    assert io_loop.run_sync(lambda: after(nova)) == ["Reminder (late): tea"]


@pytest.mark.parametrize("point", ["mark", "before send", "after send", "before remove"])
@pytest.mark.parametrize("down_s", [0, 1_000])
@pytest.mark.gen_test
async def test_a_crash_at_any_point_neither_loses_nor_doubles_it(desk, monkeypatch, point, down_s):
    chat = await desk.private("alice")
    await desk.ask("alice", chat, "/remind 10m tea")
    crashing = Reminders(desk.facade)
    desk.clock.move(600)
    messages = desk.services.messages
    send, mark, collection = type(messages).send, crashing._mark, crashing._collection

    async def killed(*_arguments, **_more):
        raise Killed

    async def killed_behind(*arguments, **more):
        await send(*arguments, **more)
        raise Killed

    async def killed_behind_mark(*arguments):
        await mark(*arguments)
        raise Killed

    class Dying:
        def __getattr__(self, name):
            return killed if name == "delete_one" else getattr(collection, name)

    with monkeypatch.context() as patch:
        match point:
            case "mark":
                patch.setattr(crashing, "_mark", killed_behind_mark)
            case "before send":
                patch.setattr(type(messages), "send", killed)
            case "after send":
                patch.setattr(type(messages), "send", killed_behind)
            case "before remove":
                patch.setattr(crashing, "_collection", Dying())
        with pytest.raises(Killed):
            await crashing.deliver_due()
    assert await count(desk) == 1
    desk.clock.move(down_s)
    again = Reminders(desk.facade)
    for _ in range(2):
        await again.deliver_due()
    assert told(await desk.texts(chat, desk.bot)) == ["Reminder: tea"] and await count(desk) == 0


@pytest.mark.gen_test
async def test_two_servers_tell_it_once(desk):
    chat = await desk.private("alice")
    for number in range(20):
        await desk.ask("alice", chat, f"/remind 10m {number}.")
    desk.clock.move(700)
    ones, others = Reminders(desk.facade), Reminders(desk.facade)
    await asyncio.gather(ones.deliver_due(), others.deliver_due(), ones.deliver_due())
    await ones.deliver_due()
    assert len(told(await desk.texts(chat, desk.bot))) == 20 and await count(desk) == 0


@pytest.mark.gen_test
async def test_what_is_being_told_cannot_be_cancelled(desk):
    chat = await desk.private("alice")
    await desk.ask("alice", chat, "/remind 10m tea")
    desk.clock.move(600)
    await desk.facade.collection(reminders.REMINDERS).update_one({}, {"$set": {"message": "Reminder: tea"}})
    assert "no reminder 1" in await desk.ask("alice", chat, "/remind cancel 1")
    assert "No reminder" in await desk.ask("alice", chat, "/remind list")
    await Reminders(desk.facade).deliver_due()
    assert told(await desk.texts(chat, desk.bot)) == ["Reminder: tea"]


# Where it is told when things have changed


@pytest.mark.gen_test
async def test_who_has_left_the_group_is_reminded_in_private(desk):
    tea, gone, botless = [await desk.group("bob", "alice", title=title) for title in ("Tea", "Gone", "Botless")]
    clock = Reminders(desk.facade)
    for chat in (tea, gone, botless):
        await desk.ask("alice", chat, f"/remind 10m {chat.title}")
    await desk.services.chats.edit(desk["bob"], tea.id, remove_ids=[desk["alice"].id])
    await desk.services.chats.edit(desk["bob"], botless.id, remove_ids=[desk.bot.id])
    await desk.services.chats.delete(gone)
    desk.clock.move(600)
    await clock.deliver_due()
    texts = await desk.texts(await desk.private("alice"))
    assert sorted(texts) == [f"@alice Reminder: {title}" for title in ("Botless", "Gone", "Tea")]
    assert told(await desk.texts(tea, desk.bot)) == [] == told(await desk.texts(botless, desk.bot))


@pytest.mark.gen_test
async def test_reminders_of_deleted_accounts_go(desk):
    for name in ("alice", "bob"):
        await desk.ask(name, await desk.private(name), "/remind 10m tea")
    await desk.cleaner.on_event(events.AccountDeleted(desk["alice"].id))
    assert await count(desk) == 1
    await desk.nova.store.users._collection.delete_one({"_id": desk["bob"].id})  # the event was lost
    desk.services.directory.forget(desk["bob"].id)
    desk.clock.move(600)
    await Reminders(desk.facade).deliver_due()
    assert await count(desk) == 0


@pytest.mark.gen_test
async def test_a_filter_that_refuses_the_text_is_told_of(desk, monkeypatch):
    chat = await desk.private("alice")
    await desk.ask("alice", chat, "/remind 10m rude word")
    desk.clock.move(600)
    send = type(desk.services.messages).send

    async def filtered(service, user, chat_id, text, *, is_filtered=True, **more):
        if is_filtered and "rude" in text:
            raise errors.MessageRefused("rude words are not welcome")
        return await send(service, user, chat_id, text, is_filtered=is_filtered, **more)

    monkeypatch.setattr(type(desk.services.messages), "send", filtered)
    for _ in range(2):
        await Reminders(desk.facade).deliver_due()
    assert await desk.texts(chat, desk.bot) == ["I could not tell you reminder 1: rude words are not welcome"]
    assert await count(desk) == 0


@pytest.mark.expects_log("is given up")
@pytest.mark.gen_test
async def test_one_that_cannot_be_told_hinders_no_other_and_is_given_up(desk, monkeypatch):
    chat = await desk.private("alice")
    await desk.ask("alice", chat, "/remind 10m broken")
    await desk.ask("alice", chat, "/remind 10m tea")
    desk.clock.move(600)
    send = type(desk.services.messages).send
    tries = []

    async def failing(service, user, chat_id, text, **more):
        if "broken" in text:
            tries.append(text)
            raise errors.BadField("The chat is full")
        return await send(service, user, chat_id, text, **more)

    monkeypatch.setattr(type(desk.services.messages), "send", failing)
    clock = Reminders(desk.facade)
    for _ in range(reminders.ATTEMPTS_MAX + 2):
        await clock.deliver_due()
        await clock.deliver_due()
        desk.clock.move(reminders.RETRY_PAUSE_S)
    assert told(await desk.texts(chat, desk.bot)) == ["Reminder: tea"]
    assert len(tries) == reminders.ATTEMPTS_MAX and await count(desk) == 0


@pytest.mark.expects_log("reminders could not be told")
@pytest.mark.gen_test
async def test_the_clock_goes_on_after_a_fault(desk, monkeypatch):
    monkeypatch.setattr(reminders, "FAULT_PAUSE_S", 0.001)
    monkeypatch.setattr(reminders, "POLL_S", 0.001)
    chat = await desk.private("alice")
    await desk.ask("alice", chat, "/remind 10m tea")
    send = type(desk.services.messages).send
    faults = [errors.Unavailable(), errors.OutcomeUnknown(), RuntimeError("a fault")]

    async def failing(*arguments, **more):
        if faults:
            raise faults.pop()
        return await send(*arguments, **more)

    monkeypatch.setattr(type(desk.services.messages), "send", failing)
    heard = Heard(desk.nova)
    async with reminder_clock(desk.facade):
        desk.clock.move(600)
        await settle(lambda: heard.of(events.MessageSent))
    assert told(await desk.texts(chat, desk.bot)) == ["Reminder: tea"] and not faults


@pytest.mark.gen_test
async def test_the_clock_sleeps_until_the_next_one_but_never_longer_than_it_may(desk):
    clock = Reminders(desk.facade)
    assert desk.clock.now_us() >= START_US and await clock.next_wait_s() == reminders.POLL_S < reminders.DELAY_MIN_S
    chat = await desk.private("alice")
    await desk.ask("alice", chat, "/remind 10s tea")
    assert await clock.next_wait_s() == reminders.POLL_S
    desk.clock.move(7)
    assert await clock.next_wait_s() == 3
    desk.clock.move(70)
    assert await clock.next_wait_s() == reminders.WAIT_MIN_S
