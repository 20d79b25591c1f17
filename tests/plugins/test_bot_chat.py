"""Bots that can be chatted with: who is asked, in which order, how much, and what becomes of answers.

Source: DESIGN, section 6; contract "protocols" section 3.6.
"""

import asyncio

import pytest
from bots import HandClock, Pieces, Room, ScriptedBot, plugins_with
from nova_bot_chat import answers, limits, runner
from nova_bot_chat.answers import CUT, NOTHING_TO_SAY, SORRY, fit, tidy
from nova_bot_chat.chat_reader import HISTORY_MAX_MESSAGES
from nova_bot_chat.limits import QuestionLimits
from nova_bot_chat.questions import BotAccount, split_command
from nova_bot_chat.runner import TOO_MANY_QUESTIONS, TOO_MANY_WAITING
from storage.rooms import make_users

from nova_tornado.api import Command, errors, events, models


@pytest.fixture
def bot():
    return ScriptedBot()


@pytest.fixture
def clock():
    return HandClock()


async def run_berate(conversation):
    return f"carried out {conversation.command} for {conversation.arguments}"


@pytest.fixture
def nova(start_nova, settings, monkeypatch, bot, clock):
    commands = [Command("berate", "somebody", "For tests.", run_berate)]
    plugins = plugins_with(monkeypatch, bot, ScriptedBot("other"), default=bot.name, nova_commands=lambda: commands)
    return start_nova(settings, plugins=plugins, clock=clock)


@pytest.fixture
def room(nova, bot, io_loop):
    async def make():
        [alice] = await make_users(nova, "alice")
        return await Room.open(nova, bot, alice)

    return io_loop.run_sync(make)


# Private chats


@pytest.mark.gen_test
async def test_every_message_of_a_private_chat_is_answered_in_order(room):
    texts = [f"question {number}" for number in range(5)]
    for text in texts:
        await room.say(text)
    assert [(await room.ear.answer()).text for _ in texts] == [text.upper() for text in texts]
    assert [conversation.text for conversation in room.bot.asked] == texts
    assert room.chat.unread_count(room.account.id) == 0


@pytest.mark.gen_test
async def test_the_bot_is_shown_what_was_said_before(room, clock):
    for number in range(HISTORY_MAX_MESSAGES):
        await room.say(f"n{number}")
        await room.ear.answer()
    clock.move(61)
    recalled = await room.say("recalled")
    await room.ear.answer()
    await room.services.messages.recall(room.user, recalled.id)
    await room.say(" /Weather  in Oslo \n")
    await room.ear.answer()
    asked = room.bot.asked[-1]
    assert (asked.bot, asked.user, asked.chat_id, asked.is_private) == (room.account, room.user, room.chat.id, True)
    assert (asked.text, asked.command, asked.arguments) == (" /Weather  in Oslo \n", "weather", "in Oslo")
    assert len(asked.history) == HISTORY_MAX_MESSAGES
    assert [(user.name, text) for user, text in asked.history[-3:]] == [
        *(("alice", "n19"), (room.account.name, "N19")),
        (room.account.name, "RECALLED"),
    ]


@pytest.mark.gen_test
async def test_edits_system_messages_and_bots_are_not_answered(room):
    question = await room.say("first")
    await room.ear.answer()
    await room.services.messages.edit(room.user, question.id, "second")
    other = await room.services.accounts.find_account_by_name("other")
    group = await room.services.chats.create_group(room.user, "Tea", [room.account.id, other.id])
    await room.say(f"@{room.account.name} hi", other, group)
    assert (await room.ear.answer()).sender_id == other.id
    await room.services.friends.invite(room.user, {"id": room.account.id, "comment": "", "source": "search"})
    await room.ear.next(events.FriendshipCreated)  # a system message says so in the chat
    await room.say("last")
    assert (await room.ear.answer()).text == "LAST"
    assert [conversation.text for conversation in room.bot.asked] == ["first", "last"]


@pytest.mark.gen_test
async def test_a_question_that_is_recalled_while_it_waits_is_not_answered(room):
    gate = asyncio.Event()

    async def wait(_):
        await gate.wait()
        return "done"

    room.bot.script["slow"] = wait
    await room.say("slow")
    second = await room.say("second")
    await room.services.messages.recall(room.user, second.id)
    await room.say("third")
    gate.set()
    assert [(await room.ear.answer()).text for _ in range(2)] == ["done", "THIRD"]


@pytest.mark.gen_test
async def test_chats_do_not_wait_for_one_another(room):
    gate = asyncio.Event()

    async def wait(_):
        await gate.wait()
        return "done"

    room.bot.script["slow"] = wait
    [bob] = await make_users(room.nova, "bob")
    other, _ = await room.services.chats.open_private(bob, room.account.id)
    await room.say("slow")
    await room.say("quick", bob, other)
    assert (await room.ear.answer()).text == "QUICK"
    gate.set()
    assert (await room.ear.answer()).text == "done"


@pytest.mark.gen_test
async def test_friendship_is_accepted_at_once_and_nobody_signs_in_as_a_bot(room, people):
    carol = await people("carol")
    socket = await carol.socket()
    invited = await carol.post("/friend/invite", {"id": room.account.id, "comment": "", "source": "search"})
    assert invited.data is None
    created, _ = await socket.expect("friend_created", "new_message")
    assert created["friend"]["id"] == room.account.id and created["friend"]["is_bot"] is True
    for password in ("", "secret1", None):
        answer = await carol.post("/user/login", {"user_name": room.account.name, "password": password})
        assert answer.status in (400, 403)


# What may go wrong


@pytest.mark.expects_log("bot robbie failed: RuntimeError at ", "bot robbie failed: TypeError at ")
@pytest.mark.gen_test
async def test_a_bot_that_fails_says_a_plain_sentence(room, caplog):
    async def fail(_):
        raise RuntimeError("secret text")

    room.bot.script.update(fail=fail, nothing=5)
    for text in ("fail", "nothing"):
        await room.say(text)
        assert (await room.ear.answer()).text == SORRY
    await room.say("again")
    assert (await room.ear.answer()).text == "AGAIN"
    assert "secret text" not in caplog.text


@pytest.mark.expects_log("bot robbie took longer than")
@pytest.mark.parametrize("is_stubborn", [False, True])
@pytest.mark.gen_test
async def test_a_bot_that_takes_too_long_says_a_plain_sentence(room, monkeypatch, is_stubborn):
    monkeypatch.setattr(answers, "ANSWER_LIMIT_S", 0.05)
    monkeypatch.setattr(answers, "CANCEL_LIMIT_S", 0.05)
    end = asyncio.Event()

    async def hang(_):
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                if not is_stubborn:
                    raise
        return "late"

    room.bot.script["hang"] = hang
    await room.say("hang")
    assert (await room.ear.answer()).text == SORRY
    await room.say("again")
    assert (await room.ear.answer()).text == "AGAIN"
    end.set()


@pytest.mark.gen_test
async def test_answers_are_made_such_that_they_can_be_stored(room):
    room.bot.script.update(empty=" \n", long="x" * 20_001, broken="a\0b\ud800c\ud83d\ude00")
    for text, expected in (
        ("empty", NOTHING_TO_SAY),
        ("long", "x" * (20_000 - len(CUT)) + CUT),
        ("broken", "a\ufffdb\ufffdc\U0001f600"),
    ):
        await room.say(text)
        assert (await room.ear.answer()).text == expected


def test_texts_are_cut_with_their_mark():
    assert fit("abc", " …") == "abc …" and fit("x" * 20_000, "") == "x" * 20_000
    assert fit("x" * 20_000, " …") == "x" * 19_998 + " …" and len(fit("x" * 30_000, "")) == 20_000
    assert tidy("plain \U0001f600") == "plain \U0001f600"


@pytest.mark.gen_test
async def test_a_bot_that_is_removed_or_whose_chat_is_gone_says_nothing(room):
    gate = asyncio.Event()
    entered = asyncio.Event()

    async def wait(_):
        entered.set()
        await gate.wait()
        return "done"

    room.bot.script["slow"] = wait
    await room.say("slow")
    await room.say("next")
    await entered.wait()
    await room.services.chats.delete_for(room.user, room.chat.id)
    gate.set()
    chat, _ = await room.services.chats.open_private(room.user, room.account.id)
    await room.say("new", chat=chat)
    assert (await room.ear.answer()).text == "NEW"


# Limits


@pytest.mark.gen_test
async def test_who_asks_too_much_is_told_once(room, monkeypatch, clock):
    monkeypatch.setattr(limits, "QUESTIONS_PER_MINUTE", 2)
    for _ in range(2):
        for text in ("a", "b", "c", "d"):
            await room.say(text)
        said = [(await room.ear.answer()).text for _ in range(3)]
        assert sorted(said) == ["A", "B", TOO_MANY_QUESTIONS]
        clock.move(61)
    await room.say("e")
    assert (await room.ear.answer()).text == "E"


@pytest.mark.gen_test
async def test_who_fills_a_chats_queue_is_told_once(room, monkeypatch):
    monkeypatch.setattr(runner, "WAITING_MAX_COUNT", 2)
    gate = asyncio.Event()
    entered = asyncio.Event()

    async def wait(_):
        entered.set()
        await gate.wait()
        return "done"

    room.bot.script["slow"] = wait
    await room.say("slow")
    await entered.wait()
    for text in ("a", "b", "c", "d"):
        await room.say(text)
    assert (await room.ear.answer()).text == TOO_MANY_WAITING
    gate.set()
    assert [(await room.ear.answer()).text for _ in range(3)] == ["done", "A", "B"]
    await room.say("e")
    assert (await room.ear.answer()).text == "E"


def test_questions_are_counted_by_user_and_forgotten(clock, monkeypatch):
    monkeypatch.setattr(limits, "QUESTIONS_PER_MINUTE", 2)
    counted = QuestionLimits(clock)
    assert [counted.take(1), counted.take(1), counted.take(1), counted.take(2)] == [True, True, False, True]
    assert counted.is_exceeded(1) and not counted.is_exceeded(2)
    assert [counted.tell(1), counted.tell(1)] == [True, False]
    clock.move(61)
    assert not counted.is_exceeded(1) and counted._users == {}


# Groups


@pytest.mark.gen_test
async def test_in_a_group_a_bot_answers_when_it_is_mentioned(room):
    [bob] = await make_users(room.nova, "bob")
    other = await room.services.accounts.find_account_by_name("other")
    group = await room.services.chats.create_group(room.user, "Tea", [bob.id, room.account.id, other.id])
    await room.say("nothing for bots, robbie", chat=group)
    await room.say("me@robbie.example and @robbie-2", chat=group)
    question = await room.say("hello, @ROBBIE!", bob, group)
    answer = await room.ear.answer()
    assert (answer.text, answer.sender_id, answer.reply_to) == ("HELLO!", room.account.id, question.id)
    asked = room.bot.asked[-1]
    assert (asked.user, asked.is_private, asked.text) == (bob, False, "hello!")
    assert [text for _, text in asked.history] == ["nothing for bots, robbie", "me@robbie.example and @robbie-2"]
    await room.say("@robbie and @other: both", chat=group)
    both = [await room.ear.answer() for _ in range(2)]
    assert sorted(answer.text for answer in both) == ["@ROBBIE AND BOTH", "AND @OTHER: BOTH"]


@pytest.mark.gen_test
async def test_commands_are_answered_by_the_default_bot(room):
    group = await room.services.chats.create_group(room.user, "Tea", [room.account.id])
    without = await room.services.chats.create_group(room.user, "Coffee", [])
    await room.say("/berate nobody", chat=without)
    await room.say("/unheard of", chat=group)
    await room.say("please /berate nobody", chat=group)
    await room.say("/BERATE me ", chat=group)
    answer = await room.ear.answer()
    assert (answer.chat_id, answer.text) == (group.id, "carried out berate for me")
    await room.say("@robbie /berate me", chat=group)
    assert (await room.ear.answer()).text == "carried out berate for me"
    other = await room.services.accounts.find_account_by_name("other")
    private, _ = await room.services.chats.open_private(room.user, other.id)
    await room.say("/berate me", chat=private)
    assert (await room.ear.answer()).text == "/BERATE ME"  # a bot of its own mind
    assert room.bot.asked == []
    await room.say("/unheard of")
    assert (await room.ear.answer()).text == "/UNHEARD OF"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("@nova hi", "hi"),
        ("@Nova, hi", "hi"),
        ("@nova: /roll 2d6", "/roll 2d6"),
        ("hi @NOVA", "hi"),
        ("what do you think, @nova?", "what do you think?"),
        ("hey @nova tell me", "hey tell me"),
        ("(@nova) hi", "() hi"),
        ("first\n@nova second", "first\nsecond"),
        ("@nova", ""),
        ("hi @nova.", "hi."),
        ("hi @nova...", "hi..."),
        ("@nova hi @nova", "hi"),
    ],
)
def test_mentions_are_whole_words(text, rest):
    account = BotAccount.of(models.User(1, "nova", ""), None)
    assert account.is_mentioned(text) and account.without_mention(text) == rest


@pytest.mark.parametrize("text", ["nova", "me@nova", "@nova2", "@nova-2", "@nova.org", "@@nova", "@nová", "@nova(2)"])
def test_other_names_are_no_mention(text):
    account = BotAccount.of(models.User(1, "nova", ""), None)
    assert not account.is_mentioned(text) and account.without_mention(text) == text


def test_a_command_stands_at_the_beginning():
    assert split_command("/poll a | b\nc") == ("poll", "a | b\nc")
    assert split_command(" /Help") == ("help", "")
    assert [split_command(text) for text in ("", "/", "a /b", "/1", "/a/b", "//a", "/usr/bin")] == [(None, "")] * 7


# The desk


@pytest.mark.gen_test
async def test_the_desk_asks_and_waits_for_the_whole_answer(room):
    question, answer = await room.services.bots.ask(room.user, "hello", "id 1")
    assert (question.text, answer.text) == ("hello", "HELLO")
    assert (await room.services.bots.ask(room.user, "hello", "id 1")) == (question, answer)
    pieces = Pieces()
    room.bot.script["slowly"] = pieces
    asked = asyncio.create_task(room.services.bots.ask(room.user, "slowly"))
    pieces.give("one")
    await room.ear.next(events.MessageSent, where=lambda event: event.message.text == f"one{answers.GROWING}")
    pieces.give(" two", None)
    assert (await asked)[1].text == "one two"
    assert await room.history() == ["hello", "HELLO", "slowly", "one two"]


@pytest.mark.gen_test
async def test_the_desk_refuses_who_asks_too_much_and_stores_nothing(room, monkeypatch):
    monkeypatch.setattr(limits, "QUESTIONS_PER_MINUTE", 1)
    await room.services.bots.ask(room.user, "hello")
    with pytest.raises(errors.TooManyRequests):
        await room.services.bots.ask(room.user, "again")
    assert await room.history() == ["hello", "HELLO"]
