"""A bot that speaks through any service with OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from nova_bot_chat.openai_settings import OPTIONS as OPTIONS
from nova_bot_chat.openai_stream import BrokenStream, read_pieces
from nova_tornado.api import Conversation, Nova, NovaError, OutboundClient, OutboundError, errors, loads_exact

log = logging.getLogger(__name__)

ATTEMPTS = 3
BACK_OFF_S = 0.5
"""Before the second attempt at most; twice as much before each further one."""
RETRY_AFTER_MAX_S = 10.0
"""A service that wants to be left alone for longer is not asked again."""
STREAM_MAX_BYTES = 4 * 1024 * 1024
"""Of the events of an answer; each of their few characters comes in some 200 bytes."""
ANSWER_MAX_CHARACTERS = 16_000
"""Of an answer; a message holds a little more."""
TOO_LONG = "\n\n[cut off: the answer is too long for a message]"

SUCCESS = 200
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500

BUSY = "The assistant is busy at the moment, please try again later."
AWAY = "The assistant cannot be reached at the moment, please try again later."
WRONGLY_SET = "The assistant is not set up properly; its operator finds the reason in the log."


class _Retryable(Exception):
    """An attempt that failed in a way that another one may not.

    Attributes:
        reason: for the log.
        answer: what the user is told if it was the last one.
        wait_s: what the service wants one to wait, if it said so.
    """

    def __init__(self, reason: str, answer: str = AWAY, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.answer = answer
        self.wait_s = wait_s


class _Around(NamedTuple):
    """Time and chance, which tests replace."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class OpenAIBot:
    """The bot; it knows of a conversation what is in ``conversation`` and sends nothing else to the service.

    Raises:
        ValueError: the settings do not fit together; the text says how.
    """

    avatar_url = ""
    help = "Answers questions and talks about anything."

    def __init__(self, nova: Nova, around: _Around | None = None) -> None:
        settings = nova.settings
        self.name: str = settings["openai_name"]
        self._url = f"{settings['openai_url']}/chat/completions"
        self._model: str = settings["openai_model"]
        self._key: str = settings["openai_key"]
        self._system: str = settings["openai_system"]
        self._context_max_characters: int = settings["openai_max_context_characters"]
        self._timeout_s: float = settings["openai_timeout_s"]
        allow_private: bool = settings["openai_allow_private"]
        if not self._model:
            raise ValueError("openai_url is set, but openai_model is not")
        if self._key and self._url.startswith("http:") and not allow_private:
            raise ValueError("openai_url must begin with https://, or everybody on the way could read openai_key")
        self._client = OutboundClient(
            allow_private=allow_private,
            connect_timeout_s=settings["openai_connect_timeout_s"],
            silence_timeout_s=self._timeout_s,
            total_timeout_s=self._timeout_s,
            answer_max_bytes=STREAM_MAX_BYTES,
        )
        self._clock = nova.clock
        self._around = _Around() if around is None else around

    async def reply(self, conversation: Conversation) -> AsyncIterator[str]:
        """Answer piece by piece.

        Raises:
            Unavailable: while the pieces are taken, the service failed; the message is one for the user.
        """
        return self._bounded(self._build_request(conversation))

    async def _bounded(self, request: dict[str, Any]) -> AsyncGenerator[str, None]:
        left_characters = ANSWER_MAX_CHARACTERS
        async with aclosing(self._attempt_until_done(request)) as pieces:
            async for piece in pieces:
                if len(piece) > left_characters:
                    yield piece[:left_characters] + TOO_LONG
                    return
                yield piece
                left_characters -= len(piece)
        if left_characters == ANSWER_MAX_CHARACTERS:
            log.warning("bot %s: the service gave an empty answer", self.name)
            raise errors.Unavailable(AWAY)

    async def _attempt_until_done(self, request: dict[str, Any]) -> AsyncGenerator[str, None]:
        """Ask, and ask again as long as nothing of an answer has come."""
        deadline_s = asyncio.get_running_loop().time() + self._timeout_s
        is_begun = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with aclosing(self._ask_once(request, deadline_s)) as pieces:
                    async for piece in pieces:
                        is_begun = True
                        yield piece
                return
            except _Retryable as failure:
                delay_s = self._delay_s(attempt, failure)
                is_late = asyncio.get_running_loop().time() + delay_s >= deadline_s
                if is_begun or attempt == ATTEMPTS or (failure.wait_s or 0) > RETRY_AFTER_MAX_S or is_late:
                    log.warning("bot %s: gave up after attempt %d: %s", self.name, attempt, failure.reason)
                    raise errors.Unavailable(failure.answer) from None
                log.info("bot %s: attempt %d failed: %s", self.name, attempt, failure.reason)
                await self._around.sleep(delay_s)

    def _delay_s(self, attempt: int, failure: _Retryable) -> float:
        """How long to wait; never less than the service wants, and never for all who wait the same."""
        back_off_s = BACK_OFF_S * 2.0 ** (attempt - 1) * self._around.random()
        return back_off_s if failure.wait_s is None else failure.wait_s + back_off_s

    async def _ask_once(self, request: dict[str, Any], deadline_s: float) -> AsyncGenerator[str, None]:
        headers = {"Accept": "text/event-stream"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        left_s = max(0.0, deadline_s - asyncio.get_running_loop().time())
        try:
            async with self._client.stream_lines(self._url, request, headers, timeout_s=left_s) as answer:
                if answer.status == TOO_MANY_REQUESTS or answer.status >= SERVER_ERROR:
                    is_busy = answer.status == TOO_MANY_REQUESTS
                    wait_s = parse_retry_after(answer.headers.get("retry-after", ""), self._clock.now())
                    raise _Retryable(f"status {answer.status}", BUSY if is_busy else AWAY, wait_s)
                if answer.status != SUCCESS:
                    self._refuse(f"status {answer.status} {_error_code(await answer.read())}")
                async with aclosing(answer.lines()) as lines, aclosing(read_pieces(lines)) as pieces:
                    async for piece in pieces:
                        yield piece
        except OutboundError as error:
            if error.is_refused:
                self._refuse(error.message)
            raise _Retryable(error.message) from None
        except BrokenStream as error:
            raise _Retryable(str(error)) from None

    def _refuse(self, reason: str) -> None:
        log.warning("bot %s: %s", self.name, reason.strip())
        raise errors.Unavailable(WRONGLY_SET)

    def _build_request(self, conversation: Conversation) -> dict[str, Any]:
        """What the service is asked: the question, before it the newest part of the history that fits."""
        question = f"{conversation.user.name}: {conversation.text}"
        messages = [{"role": "user", "content": question[: self._context_max_characters]}]
        left_characters = self._context_max_characters - len(question)
        for author, text in reversed(conversation.history):
            is_own = author.id == conversation.bot.id
            content = text if is_own else f"{author.name}: {text}"
            left_characters -= len(content)
            if left_characters < 0:
                break
            messages.append({"role": "assistant" if is_own else "user", "content": content})
        if self._system:
            messages.append({"role": "system", "content": self._system})
        return {"model": self._model, "messages": messages[::-1], "stream": True}


def parse_retry_after(value: str, now: datetime) -> float | None:
    """The seconds that a service wants to be left alone; None if it did not say so in a way that can be read.

    Source: RFC 9110, section 10.2.3.
    """
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _error_code(body: bytes) -> str:
    """The short name of an error; its text stays out of the log, because services repeat keys and questions there."""
    try:
        error = loads_exact(body)["error"]
        code = error.get("code") or error.get("type")
    except (NovaError, LookupError, TypeError, AttributeError):
        return ""
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code) else ""
