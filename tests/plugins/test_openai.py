"""The bot that speaks through an OpenAI-compatible service, against a real HTTP server that speaks its frames."""

import asyncio
import json
import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from completions import DONE, STREAM, completion, event
from nova_bot_chat import openai
from nova_bot_chat.openai import OPTIONS, OpenAIBot, parse_retry_after
from scripted_host import CUT, LAST_CHUNK, answer_head, chunks, serving, whole

from nova_tornado.api import Conversation, OutboundClient, errors
from nova_tornado.domain.models import User
from nova_tornado.realtime.clock import Clock

KEY = "sk-s3cr3t-k3y"
BOT, ANN, BOB = User(1, "assistant", "", is_bot=True), User(2, "ann", ""), User(3, "bob", "")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def service(io_loop):
    context = serving()
    yield io_loop.run_sync(context.__aenter__)
    io_loop.run_sync(lambda: context.__aexit__(None, None, None))


class FixedClock(Clock):
    def now_us(self):
        return int(NOW.timestamp() * 1e6)


class Waits(list):
    """Takes the waits of the bot instead of the clock; each has its full length, without chance."""

    async def sleep(self, seconds):
        self.append(seconds)

    def random(self):
        return 1.0


def make_bot(service, waits=None, **given):
    """A bot with its settings read as from the settings file."""
    given = {"openai_url": f"{service.url}/v1", "openai_model": "small", "openai_key": KEY} | given
    given = {"openai_allow_private": True} | given
    settings = {
        option.name: option.parse(given[option.name]) if option.name in given else option.default for option in OPTIONS
    }
    return OpenAIBot(SimpleNamespace(settings=settings, clock=FixedClock()), waits if waits is not None else Waits())


def talk(text="hi", history=(), user=ANN):
    return Conversation(BOT, user, 7, True, text, None, "", history)


async def take(bot, conversation=None):
    """All pieces of an answer."""
    return [piece async for piece in await bot.reply(conversation or talk())]


async def failure(bot):
    """What came before the bot failed, and what it says of it."""
    pieces = []

    async def gather():
        async for piece in await bot.reply(talk()):
            pieces.append(piece)

    with pytest.raises(errors.Unavailable) as caught:
        await gather()
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return "".join(pieces), caught.value.message


# What is asked


@pytest.mark.gen_test
async def test_the_service_gets_the_conversation_and_nothing_else(service):
    service.answer(*completion("ok"))
    history = [(ANN, "one"), (BOT, "two"), (BOB, "three")]
    assert await take(make_bot(service, openai_system="Be kind."), talk("four", history)) == ["ok"]
    [seen] = service.seen
    assert seen.line == "POST /v1/chat/completions HTTP/1.1"
    assert seen.headers["authorization"] == f"Bearer {KEY}" and seen.headers["accept"] == "text/event-stream"
    assert seen.json == {
        "model": "small",
        "stream": True,
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "ann: one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "bob: three"},
            {"role": "user", "content": "ann: four"},
        ],
    }


@pytest.mark.gen_test
async def test_without_key_and_system_prompt_there_are_none(service):
    service.answer(*completion("ok"))
    await take(make_bot(service, openai_key="", openai_system=""))
    assert "authorization" not in service.seen[0].headers
    assert service.seen[0].json["messages"] == [{"role": "user", "content": "ann: hi"}]


@pytest.mark.parametrize(
    ("budget", "kept"),
    [(1000, ["a", "b", "c"]), (136, ["a", "b", "c"]), (135, ["b", "c"]), (115, ["c"]), (100, [])],
)
@pytest.mark.gen_test
async def test_context_is_trimmed_from_the_oldest(service, budget, kept):
    service.answer(*completion("ok"))
    # Each message of the history counts 5 + 6, or 14 of the bot itself; the question 100.
    history = [(ANN, "a" * 6), (BOT, "b" * 14), (BOB, "c" * 6)]
    question = "q" * 95
    await take(make_bot(service, openai_max_context_characters=budget, openai_system=""), talk(question, history))
    contents = [
        message["content"].removeprefix("ann: ").removeprefix("bob: ") for message in service.seen[0].json["messages"]
    ]
    assert [content[0] for content in contents] == [*kept, "q"] and contents[-1] == question


@pytest.mark.gen_test
async def test_question_beyond_the_budget_is_cut(service):
    service.answer(*completion("ok"))
    await take(make_bot(service, openai_max_context_characters=100), talk("q" * 5000, [(BOB, "x")]))
    assert [message["content"] for message in service.seen[0].json["messages"][1:]] == ["ann: " + "q" * 95]


# How answers come


@pytest.mark.gen_test
async def test_pieces_come_while_the_service_still_writes(service):
    more, end = asyncio.Event(), asyncio.Event()
    first, second = chunks(event("Hel"), 99), chunks(event("lo"), 99)
    service.answer(STREAM, first, more, second, end, chunks(event(finish_reason="stop") + DONE, 99), LAST_CHUNK)
    pieces = await make_bot(service).reply(talk())
    assert await anext(pieces) == "Hel"
    more.set()
    assert await anext(pieces) == "lo"
    end.set()
    assert [piece async for piece in pieces] == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.gen_test
async def test_events_may_be_split_anywhere(service, size, newline):
    data = (
        "\ufeff: hello\n\nevent: x\nid: 1\n".encode()
        + event("Grüße ")
        + b": ping\n\n"
        + event("🎉\n")
        + event("", role="x")
    )
    data += event("end") + event(finish_reason="stop") + DONE
    service.answer(STREAM, chunks(data.replace(b"\n", newline), size), LAST_CHUNK)
    assert "".join(await take(make_bot(service))) == "Grüße 🎉\nend"


@pytest.mark.gen_test
async def test_forms_that_other_services_use_are_understood(service):
    data = b'data:{"choices":[{"delta":{"content":"a"}}]}\n\n'  # no space, no index, no reason
    data += b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"b"}}]}\n\n'  # two lines of data
    data += b'data: {"choices":[]}\n\ndata: {"usage":{"total_tokens":1}}\n\n'
    data += b'data: {"choices":[{"index":1,"delta":{"content":"other"}}]}\n\n'
    data += b'data: {"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"hm"}}]}\n\n'
    data += b'data: {"choices":[{"index":0,"delta":{"content":"c\\u0000\\u0007\\td"},"finish_reason":"stop"}]}\n\n'
    service.answer(answer_head(), data)  # no [DONE], no length
    assert "".join(await take(make_bot(service))) == "abc\td"


@pytest.mark.gen_test
async def test_nothing_is_read_after_the_end(service):
    service.answer(STREAM, chunks(event("a") + DONE + event("b"), 4096), asyncio.Event())
    assert await take(make_bot(service)) == ["a"]
    await service.wait_left()


@pytest.mark.parametrize(
    ("reason", "mark"), [("length", "longer than the service allows"), ("content_filter", "content filter")]
)
@pytest.mark.gen_test
async def test_answer_that_the_service_cuts_off_is_marked(service, reason, mark):
    service.answer(STREAM, chunks(event("Once") + event(finish_reason=reason) + DONE, 4096), LAST_CHUNK)
    once, end = await take(make_bot(service))
    assert once == "Once" and mark in end


@pytest.mark.gen_test
async def test_huge_answer_is_cut_off_and_left(service):
    service.answer(STREAM, *[chunks(event("x" * 1000), 65536)] * 10_000)
    text = "".join(await take(make_bot(service)))
    assert text == "x" * openai.ANSWER_MAX_CHARACTERS + openai.TOO_LONG
    await service.wait_left()


@pytest.mark.gen_test
async def test_answer_of_just_the_bound_is_whole(service):
    service.answer(*completion("x" * openai.ANSWER_MAX_CHARACTERS))
    assert await take(make_bot(service)) == ["x" * openai.ANSWER_MAX_CHARACTERS]


@pytest.mark.gen_test
async def test_whoever_stops_listening_leaves_the_service(service):
    service.answer(STREAM, chunks(event("a"), 99), asyncio.Event())
    pieces = await make_bot(service).reply(talk())
    assert await anext(pieces) == "a"
    await pieces.aclose()
    await service.wait_left()


# What goes wrong, and is tried again


@pytest.mark.parametrize(
    "first",
    [
        (whole("500 Internal Server Error", b"oops"),),
        (whole("503 Service Unavailable"),),
        (whole("529 Overloaded"),),
        (whole("429 Too Many Requests", b"{}"),),
        (CUT,),
        (STREAM, CUT),
        (STREAM, chunks(b": ping\n\n" + event(""), 99), CUT),
        (STREAM, LAST_CHUNK),
        (STREAM, chunks(b'data: {"error":{"message":"overloaded"}}\n\n', 99), LAST_CHUNK),
    ],
)
@pytest.mark.gen_test
async def test_what_fails_before_anything_was_said_is_tried_again(service, first):
    waits = Waits()
    service.answer(*first)
    service.answer(*completion("ok"))
    assert await take(make_bot(service, waits)) == ["ok"]
    assert waits == [openai.BACK_OFF_S] and service.seen[0].json == service.seen[1].json


@pytest.mark.expects_log("gave up after attempt 3: status 500")
@pytest.mark.gen_test
async def test_waits_grow_and_attempts_end(service):
    waits = Waits()
    for _ in range(5):
        service.answer(whole("500 Internal Server Error"))
    assert await failure(make_bot(service, waits)) == ("", openai.AWAY)
    assert waits == [0.5, 1.0] and len(service.seen) == 3


@pytest.mark.gen_test
async def test_waits_are_spread_by_chance(service):
    waits = Waits()
    waits.random = lambda: 0.25
    service.answer(whole("500 Internal Server Error"))
    service.answer(whole("429 Too Many Requests", Retry_After="2"))
    service.answer(*completion("ok"))
    await take(make_bot(service, waits))
    assert waits == [0.125, 2.25]


@pytest.mark.parametrize("value", ["3", format_datetime(NOW + timedelta(seconds=3), usegmt=True)])
@pytest.mark.gen_test
async def test_retry_after_is_honoured(service, value):
    waits = Waits()
    service.answer(whole("429 Too Many Requests", Retry_After=value))
    service.answer(*completion("ok"))
    assert await take(make_bot(service, waits)) == ["ok"]
    assert waits == [3.5]


@pytest.mark.parametrize("value", ["11", "86400", format_datetime(NOW + timedelta(hours=1), usegmt=True)])
@pytest.mark.expects_log("gave up after attempt 1: status 429")
@pytest.mark.gen_test
async def test_service_that_wants_a_long_rest_is_not_asked_again(service, value):
    waits = Waits()
    service.answer(whole("429 Too Many Requests", Retry_After=value))
    assert await failure(make_bot(service, waits)) == ("", openai.BUSY)
    assert waits == [] and len(service.seen) == 1


@pytest.mark.expects_log("gave up after attempt 1: status 429")
@pytest.mark.gen_test
async def test_no_wait_goes_beyond_the_time_limit(service):
    waits = Waits()
    service.answer(whole("429 Too Many Requests", Retry_After="4"))
    assert await failure(make_bot(service, waits, openai_timeout_s=3)) == ("", openai.BUSY)
    assert waits == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("0", 0),
        ("1.5", 1.5),
        ("-5", 0),
        ("nan", None),
        ("1e999", None),
        ("2026-11-20", None),
        ("Fri, 20 Nov 2026 11:59:00 GMT", 0),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60),
        ("Fri, 20 Nov 2026 12:01:00 -0000", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value, seconds):
    assert parse_retry_after(value, NOW) == seconds


# What goes wrong, and is not


@pytest.mark.parametrize(
    "rest",
    [
        (CUT,),
        (LAST_CHUNK,),
        (chunks(b"data: {broken\n\n", 99), LAST_CHUNK),
        (chunks(b'data: {"error":"x"}\n\n', 99), LAST_CHUNK),
    ],
)
@pytest.mark.expects_log("gave up after attempt 1")
@pytest.mark.gen_test
async def test_answer_that_breaks_off_in_the_middle_is_an_error(service, rest):
    service.answer(STREAM, chunks(event("Once upon"), 99), *rest)
    assert await failure(make_bot(service)) == ("Once upon", openai.AWAY)
    assert len(service.seen) == 1


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found"])
@pytest.mark.expects_log("status 40")
@pytest.mark.gen_test
async def test_refusals_are_final_and_logged_without_what_they_repeat(service, caplog, status):
    error = {"message": f"Incorrect API key provided: {KEY}; you said: hi", "type": "x", "code": "invalid_api_key"}
    service.answer(whole(status, json.dumps({"error": error}).encode()))
    assert await failure(make_bot(service)) == ("", openai.WRONGLY_SET)
    assert len(service.seen) == 1
    assert "invalid_api_key" in caplog.text and KEY not in caplog.text and "you said" not in caplog.text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error":"x"}', b'{"error":{"code":5}}', b'{"error":{"code":"X y"}}']
)
@pytest.mark.expects_log("bot assistant: status 400")
@pytest.mark.gen_test
async def test_refusals_of_any_form_are_understood(service, body):
    service.answer(whole("400 Bad Request", body))
    assert await failure(make_bot(service)) == ("", openai.WRONGLY_SET)


@pytest.mark.expects_log("did not answer in time")
@pytest.mark.gen_test
async def test_service_that_falls_silent_ends_in_time(service):
    bot = make_bot(service)
    bot._timeout_s = 0.05
    service.answer(STREAM, chunks(event("Once"), 99), asyncio.Event())
    assert await failure(bot) == ("Once", openai.AWAY)
    service.answer(asyncio.Event())
    assert await failure(bot) == ("", openai.AWAY)


@pytest.mark.expects_log("cannot be reached")
@pytest.mark.gen_test
async def test_service_that_is_not_there(service):
    waits = Waits()
    bot = make_bot(service, waits, openai_url="http://127.255.255.254:9/v1")
    assert await failure(bot) == ("", openai.AWAY)
    assert len(waits) == 2


@pytest.mark.expects_log("empty answer")
@pytest.mark.gen_test
async def test_empty_answer_is_an_error(service):
    service.answer(*completion())
    assert await failure(make_bot(service)) == ("", openai.AWAY)


@pytest.mark.expects_log("redirect")
@pytest.mark.gen_test
async def test_redirect_is_refused(service):
    service.answer(whole("307 Temporary Redirect", Location="http://169.254.169.254/v1/chat/completions"))
    assert await failure(make_bot(service)) == ("", openai.WRONGLY_SET)
    assert len(service.seen) == 1


@pytest.mark.expects_log("private addresses")
@pytest.mark.gen_test
async def test_private_addresses_are_refused_unless_allowed(service):
    bot = make_bot(service, openai_allow_private=False, openai_key="")
    assert await failure(bot) == ("", openai.WRONGLY_SET)

    async def resolve(_name, _port):
        return ["127.0.0.1"]

    bot._url = f"http://inside.example:{service.port}/v1/chat/completions"
    bot._client = OutboundClient(resolve=resolve)
    assert await failure(bot) == ("", openai.WRONGLY_SET)
    assert service.seen == []


@pytest.mark.expects_log("gave up")
@pytest.mark.gen_test
async def test_the_key_is_in_no_log_and_no_repr(service, caplog):
    caplog.set_level(logging.DEBUG)
    bot = make_bot(service)
    service.answer(*completion("ok"))
    await take(bot)
    for _ in range(openai.ATTEMPTS):
        service.answer(CUT)
    await failure(bot)
    assert "httpcore" in caplog.text and KEY not in caplog.text and KEY not in repr(bot)


# Settings


def test_settings_that_do_not_fit_together_are_refused(service):
    with pytest.raises(ValueError, match="openai_model is not"):
        make_bot(service, openai_model="")
    with pytest.raises(ValueError, match="https://"):
        make_bot(service, openai_url="http://api.example/v1", openai_allow_private=False)
    make_bot(service, openai_url="https://api.example/v1", openai_allow_private=False)
