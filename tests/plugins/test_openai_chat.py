"""Talking to the bot of an OpenAI-compatible service: a whole Nova, a real chat, a real HTTP server."""

import asyncio

import pytest
from completions import STREAM, completion, event
from nova_bot_chat import answers
from people import WAIT_S
from scripted_host import CUT, chunks, serving, whole

from nova_tornado.api import events
from nova_tornado.settings import GivenValue, Settings


@pytest.fixture
def service(io_loop):
    context = serving()
    yield io_loop.run_sync(context.__aenter__)
    io_loop.run_sync(lambda: context.__aexit__(None, None, None))


@pytest.fixture
def settings(service):
    given = {"openai_url": f"{service.url}/v1", "openai_model": "small", "openai_allow_private": "on"}
    of_plugins = {"nova_bot_chat": {name: GivenValue(value, "test") for name, value in given.items()}}
    return Settings(bcrypt_rounds=4, rate_limits=False, of_plugins=of_plugins)


class Dialogue:
    """What the bot writes, in order; the first text is a message, the others its edits."""

    def __init__(self, nova):
        self._nova = nova
        self._texts = asyncio.Queue()
        nova.bus.add_sink(self._take)

    def _take(self, told):
        for each in told:
            if isinstance(each, events.MessageSent) and each.sender.is_bot:
                self._texts.put_nowait(each.message.text)
            elif isinstance(each, events.MessageEdited) and each.details.sender.is_bot:
                self._texts.put_nowait(each.details.message.text)

    async def say(self, text):
        accounts = self._nova.services.accounts
        user = await accounts.register("ann", "secret1", "127.0.0.1")
        bot = await accounts.find_account_by_name("assistant")
        assert bot.is_bot
        await self._nova.services.messages.send_private(user, bot.id, text)

    async def hear(self):
        async with asyncio.timeout(WAIT_S):
            return await self._texts.get()

    async def hear_all(self):
        while (text := await self.hear()).endswith(answers.GROWING):
            pass
        return text


@pytest.fixture
def dialogue(nova):
    return Dialogue(nova)


@pytest.mark.gen_test
async def test_answer_grows_in_the_chat_while_the_service_writes(dialogue, service):
    more = asyncio.Event()
    service.answer(STREAM, chunks(event("Good"), 99), more, *completion(" morning")[1:])
    await dialogue.say("hello")
    assert await dialogue.hear() == f"Good{answers.GROWING}"
    more.set()
    assert await dialogue.hear_all() == "Good morning"
    assert service.seen[0].json["messages"][1:] == [{"role": "user", "content": "ann: hello"}]


@pytest.mark.expects_log("gave up after attempt 1", "bot assistant failed")
@pytest.mark.gen_test
async def test_answer_that_breaks_off_is_marked_as_interrupted(dialogue, service):
    cut = asyncio.Event()
    service.answer(STREAM, chunks(event("Good"), 99), cut, CUT)
    await dialogue.say("hello")
    assert await dialogue.hear() == f"Good{answers.GROWING}"
    cut.set()
    assert await dialogue.hear_all() == f"Good{answers.INTERRUPTED}"


@pytest.mark.expects_log("status 401", "bot assistant failed")
@pytest.mark.gen_test
async def test_failure_is_told_in_a_plain_sentence(dialogue, service):
    service.answer(whole("401 Unauthorized", b"{}"))
    await dialogue.say("hello")
    answer = await dialogue.hear_all()
    assert answer.endswith(".") and "401" not in answer
