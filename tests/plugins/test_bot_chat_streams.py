"""Answers that grow, and what a restart finds of them. Source: DESIGN, section 6."""

import asyncio

import pytest
from bots import HandClock, Pieces, Room, ScriptedBot, plugins_with
from nova_bot_chat import answers, runner
from nova_bot_chat.answers import CUT, GROWING, INTERRUPTED, SORRY
from nova_bot_chat.notes import BOT_ANSWERS
from people import WAIT_S
from storage.rooms import make_users

from nova_tornado.api import errors, events


@pytest.fixture
def bot():
    return ScriptedBot()


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def filters():
    return []


@pytest.fixture
def start(start_nova, settings, monkeypatch, bot, clock, filters):
    """Starts a Nova with the bot; again and again on the same database."""
    plugins = plugins_with(monkeypatch, bot, default=bot.name, nova_message_filters=lambda: filters)
    return lambda: start_nova(settings, plugins=plugins, clock=clock)


@pytest.fixture
def room(start, bot, io_loop):
    nova = start()

    async def make():
        [alice] = await make_users(nova, "alice")
        return await Room.open(nova, bot, alice)

    return io_loop.run_sync(make)


@pytest.fixture
def pieces(bot):
    bot.script["go"] = Pieces()
    return bot.script["go"]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(answers, "EDIT_INTERVAL_S", 0.001)


async def left_over(nova):
    """The questions that are noted as not answered."""
    running = nova.services.bots._responder
    while running is not None and running._tasks:
        await asyncio.wait(running._tasks, timeout=WAIT_S)
    return [note["question"] async for note in nova.store.database.collection(BOT_ANSWERS).find()]


@pytest.mark.usefixtures("quick")
@pytest.mark.gen_test
async def test_an_answer_grows_by_edits_and_loses_its_mark_in_the_end(room, pieces):
    await room.say("go")
    pieces.give(" \n", "one")
    answer = await room.ear.answer()
    assert answer.text == f" \none{GROWING}"
    pieces.give(" two")
    assert await room.ear.edit() == f" \none two{GROWING}"
    pieces.give(" three", None)
    while (text := await room.ear.edit()).endswith(GROWING):
        pass
    assert text == " \none two three"
    told = await room.ear.next(events.BotAnswered)
    assert (told.question.text, told.answer.id, told.answer.text) == ("go", answer.id, text)
    assert await room.history() == ["go", text]
    assert await left_over(room.nova) == []


@pytest.mark.gen_test
async def test_there_are_at_most_four_edits_a_second(room, pieces, monkeypatch):
    pauses = []
    paused, go_on = asyncio.Queue(), asyncio.Queue()

    async def pause(seconds):
        pauses.append(seconds)
        paused.put_nowait(None)
        await go_on.get()

    monkeypatch.setattr(answers, "pause", pause)
    assert answers.EDIT_INTERVAL_S * 4 >= 1
    await room.say("go")
    for number in range(3):
        pieces.give(*["x"] * 50)
        async with asyncio.timeout(WAIT_S):
            await paused.get()
        pieces.give(*["y"] * 50)
        if number == 2:
            pieces.give(None)
        await pieces.taken()
        go_on.put_nowait(None)
    # Each writing was followed by a pause, the last one was preceded by one.
    told = await room.ear.next(events.BotAnswered)
    assert len(told.answer.text) == 300 and pauses == [answers.EDIT_INTERVAL_S] * len(pauses) and len(pauses) <= 4
    edits = [entry async for entry in room.nova.store.messages.read_log(room.chat.id, 0) if entry.target is not None]
    assert len(edits) == len(pauses)


@pytest.mark.usefixtures("quick")
@pytest.mark.expects_log("bot robbie failed: RuntimeError")
@pytest.mark.gen_test
async def test_a_failure_in_the_middle_is_marked(room, pieces):
    await room.say("go")
    pieces.give("one")
    await room.ear.answer()
    pieces.give(RuntimeError("broken"))
    assert await room.ear.edit() == f"one{INTERRUPTED}"
    assert await left_over(room.nova) == []


@pytest.mark.usefixtures("quick")
@pytest.mark.expects_log("bot robbie took longer than")
@pytest.mark.gen_test
async def test_the_limit_of_time_holds_to_the_end(room, pieces, monkeypatch):
    monkeypatch.setattr(answers, "ANSWER_LIMIT_S", 0.2)
    await room.say("go")
    pieces.give("one")
    await room.ear.answer()
    assert await room.ear.edit() == f"one{INTERRUPTED}"


@pytest.mark.expects_log("bot robbie failed: RuntimeError")
@pytest.mark.gen_test
async def test_a_failure_before_the_first_piece_is_a_plain_sentence(room, pieces):
    await room.say("go")
    pieces.give(RuntimeError("broken"))
    assert (await room.ear.answer()).text == SORRY


@pytest.mark.usefixtures("quick")
@pytest.mark.gen_test
async def test_an_answer_that_does_not_end_is_cut(room, pieces):
    await room.say("go")
    pieces.give("x" * 15_000)
    await room.ear.answer()
    pieces.give("y" * 15_000, "z")
    while not (text := await room.ear.edit()).endswith(CUT):
        pass
    assert text == "x" * 15_000 + "y" * (5_000 - len(CUT)) + CUT


# The end of the server, and the next start


@pytest.mark.usefixtures("quick")
@pytest.mark.gen_test
async def test_at_the_end_of_the_server_answers_under_way_are_marked_and_the_others_wait(room, pieces, bot):
    started = asyncio.Event()

    async def hang(_):
        started.set()
        await asyncio.get_running_loop().create_future()

    bot.script["hang"] = hang
    await room.say("go")
    waiting = [await room.say("one"), await room.say("two")]
    pieces.give("half")
    answer = await room.ear.answer()
    [bob] = await make_users(room.nova, "bob")
    other, _ = await room.services.chats.open_private(bob, room.account.id)
    waiting.append(await room.say("hang", bob, other))
    await started.wait()
    asked = asyncio.create_task(room.services.bots.ask(room.user, "three"))
    waiting.append((await room.ear.next(events.MessageSent, where=lambda event: event.message.text == "three")).message)
    await room.nova.plugins_told()
    await room.nova.drain(1)
    with pytest.raises(errors.Unavailable):
        await asked
    stored = await room.nova.store.messages.find(answer.id)
    assert stored.text == f"half{INTERRUPTED}"
    with pytest.raises(errors.UserUnknown):
        await room.services.bots.ask(room.user, "four")
    assert sorted(await left_over(room.nova)) == sorted(message.id for message in waiting)


async def crash(room, pieces):
    """The server dies when an answer is half there and a question waits, with all that its tasks would still do."""
    await room.say("go")
    await room.say("one")
    pieces.give("ha")
    await room.ear.answer()
    pieces.give("lf")
    await room.ear.edit()  # so the first writing is noted by now
    running = room.services.bots._responder
    await asyncio.gather(*(noted for _, noted in running._chats[room.chat.id].waiting))
    tasks = list(running._tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await room.history() == ["go", "one", f"half{GROWING}"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("is_noted", [True, False])
def test_the_next_start_answers_what_waited_and_marks_what_was_half_there(
    room, start, pieces, io_loop, is_noted, database
):
    io_loop.run_sync(lambda: crash(room, pieces))
    io_loop.run_sync(room.nova.close)
    assert database.bot_answers.count_documents({}) == 2
    if not is_noted:  # it died between the message and the note
        assert database.bot_answers.update_one(
            {"message": {"$exists": True}}, {"$unset": {"message": ""}}
        ).matched_count

    async def look():
        again = await Room.open(start_again, room.bot, room.user)
        await again.say("two")
        while (await again.ear.answer()).text != "TWO":
            pass
        history = [text for text in await again.history() if text != "two"]
        assert history == ["go", "one", f"half{INTERRUPTED}", "ONE", "TWO"]
        assert await left_over(start_again) == []

    start_again = start()
    io_loop.run_sync(look)


@pytest.mark.usefixtures("quick")
def test_what_has_waited_for_too_long_is_not_answered_any_more(room, start, pieces, io_loop, clock, database):
    io_loop.run_sync(lambda: crash(room, pieces))
    io_loop.run_sync(room.nova.close)
    clock.move(runner.QUESTION_MAX_AGE_S + 1)
    start_again = start()
    assert database.bot_answers.count_documents({}) == 0

    async def look():
        again = await Room.open(start_again, room.bot, room.user)
        assert await again.history() == ["go", "one", f"half{INTERRUPTED}"]

    io_loop.run_sync(look)


def test_a_friendship_that_was_asked_for_meanwhile_is_accepted_at_the_start(room, start, io_loop):
    io_loop.run_sync(lambda: room.nova.drain(1))

    async def ask():
        request = {"id": room.account.id, "comment": "", "source": "search"}
        assert await room.services.friends.invite(room.user, request) is None

    io_loop.run_sync(ask)
    io_loop.run_sync(room.nova.close)
    again = start()
    assert io_loop.run_sync(lambda: again.services.friends.are_friends(room.user.id, room.account.id))


# Filters


class Refusing:
    """Refuses what has a word in it."""

    name = "refusing"
    fails_open = True

    def concerns(self, chat, sender):
        return True

    async def check(self, message):
        if "bad" in message.text:
            raise errors.MessageRefused("bad")
        return message.text.replace("dull", "****")


class TestFiltered:
    @pytest.fixture
    def filters(self):
        return [Refusing()]

    @pytest.mark.expects_log("bot robbie failed: MessageRefused")
    @pytest.mark.gen_test
    async def test_an_answer_that_is_refused_is_a_plain_sentence(self, room):
        room.bot.script["go"] = "bad"
        await room.say("go")
        assert (await room.ear.answer()).text == SORRY

    @pytest.mark.usefixtures("quick")
    @pytest.mark.expects_log("bot robbie failed: MessageRefused")
    @pytest.mark.gen_test
    async def test_an_answer_that_is_refused_in_the_middle_is_marked(self, room, pieces):
        await room.say("go")
        pieces.give("dull")
        assert (await room.ear.answer()).text == f"****{GROWING}"
        pieces.give(" and bad")
        assert await room.ear.edit() == f"****{INTERRUPTED}"
        told = await room.ear.next(events.BotAnswered)
        assert told.answer.text == f"****{INTERRUPTED}"
