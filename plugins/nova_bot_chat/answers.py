"""One answer: how it is read from the bot and written into the chat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from nova_bot_chat.chat_reader import ChatReader
from nova_bot_chat.notes import Notes
from nova_bot_chat.questions import Question
from nova_tornado.api import BotReply, Nova, errors, models, rules

ANSWER_LIMIT_S = 30.0
"""How long a bot may take, to the last piece."""
EDIT_INTERVAL_S = 0.25
"""The pause after each writing of an answer that grows: at most four edits a second."""
CANCEL_LIMIT_S = 1.0
"""How long a bot is waited for that is told to stop; then it is left alone."""

GROWING = " …"
"""What an answer ends with as long as more may come."""
INTERRUPTED = " … (interrupted)"
CUT = " … (cut)"
SORRY = "Sorry, I could not answer that. Please try again later."
NOTHING_TO_SAY = "I have nothing to say to that."


pause = asyncio.sleep


class BotTimeout(Exception):
    """The bot took too long."""


class Stopped(Exception):
    """The server stops."""


class AlreadyAnswered(Exception):
    """There is an answer to the question: it was begun before."""


class ReplyReader:
    """Runs a bot in a task of its own and gathers what it says.

    Args:
        start: asks the bot.

    Attributes:
        text: what it has said so far.
    """

    def __init__(self, start: Callable[[], Awaitable[BotReply]], name: str) -> None:
        self.text = ""
        self._start = start
        self._news = asyncio.Event()
        self._stopped = False
        self._task = asyncio.create_task(self._run(), name=name)

    async def _run(self) -> None:
        try:
            reply = await self._start()
            if isinstance(reply, str):
                self.text = reply
                return
            if not isinstance(reply, AsyncIterator):
                raise TypeError(f"a bot answers with text or an async iterator of text, not {type(reply).__name__}")
            try:
                async for piece in reply:
                    self.text += piece
                    self._news.set()
                    if len(self.text) > rules.TEXT_MAX_CHARACTERS:
                        return
            finally:
                close = getattr(reply, "aclose", None)
                if close is not None:
                    await close()
        finally:
            self._news.set()

    def stop(self) -> None:
        """The server stops: what has come so far is all."""
        self._stopped = True
        self._task.cancel()
        self._news.set()

    async def wait(self, deadline_s: float) -> bool:
        """Wait for more.

        Args:
            deadline_s: by the time of the event loop.

        Returns:
            Whether more may follow; False: the answer is complete.

        Raises:
            BotTimeout, Stopped: there will be no more.
            Exception: what the bot has raised.
        """
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._news.wait()
        except TimeoutError:
            raise BotTimeout from None
        self._news.clear()
        if self._stopped and (not self._task.done() or self._task.cancelled() or self._task.exception() is not None):
            raise Stopped
        if not self._task.done():
            return True
        if self._task.cancelled():
            raise RuntimeError("the bot has cancelled itself")
        self._task.result()
        return False

    async def close(self) -> None:
        """Make an end of the bot."""
        self._task.cancel()
        await asyncio.wait([self._task], timeout=CANCEL_LIMIT_S)
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # it was raised by ``wait``, or does not matter any more


class AnswerWriter:
    """Writes the answer to one question: at once, or as a message that grows.

    Args:
        nova: the server.
        chats: reads the answer as it is stored.
        notes: where it is noted that the answer was begun.
        question: what is answered.

    Attributes:
        answer_id: the message; None as long as nothing is written.
    """

    def __init__(self, nova: Nova, chats: ChatReader, notes: Notes, question: Question) -> None:
        self._nova = nova
        self._chats = chats
        self._notes = notes
        self._question = question
        self.answer_id: int | None = None

    async def write(self, reader: ReplyReader) -> models.Entry:
        """Write what a bot says, until it has said all.

        Returns:
            The answer as it is stored in the end.

        Raises:
            AlreadyAnswered: nothing was written.
            Exception: what the bot has raised, ``BotTimeout``, ``Stopped``, or what kept the answer from being stored.
        """
        deadline_s = asyncio.get_running_loop().time() + ANSWER_LIMIT_S
        written = ""
        while await reader.wait(deadline_s):
            text = tidy(reader.text).rstrip()
            if text != written:
                written = text
                await self._put(text, GROWING, is_complete=False)
                await pause(EDIT_INTERVAL_S)
        return await self.finish(tidy(reader.text).rstrip() or NOTHING_TO_SAY)

    async def finish(self, text: str, mark: str = "") -> models.Entry:
        """Write an answer that does not grow any more.

        Args:
            text: in Unicode, not blank.
            mark: what it is to end with.
        """
        await self._put(text, mark, is_complete=True)
        assert self.answer_id is not None
        answer = await self._chats.find_message(self._question, self.answer_id)
        if answer is None:
            raise errors.MessageUnknown
        return answer

    async def _put(self, text: str, mark: str, *, is_complete: bool) -> None:
        messages, bot = self._nova.services.messages, self._question.account.user
        text = fit(text, mark)
        if self.answer_id is not None:
            await messages.edit(bot, self.answer_id, text)
            return
        try:
            sent = await messages.send(
                bot,
                self._question.chat_id,
                text,
                reply_to=None if self._question.is_private else self._question.message.id,
                client_id=self._question.answer_client_id,
            )
        except errors.RepeatMismatch:
            raise AlreadyAnswered from None
        if sent.is_repeat:
            raise AlreadyAnswered
        self.answer_id = sent.message.id
        if not is_complete:
            await self._notes.set_answer(self._question, sent.message.id)


def fit(text: str, mark: str) -> str:
    """A text with a mark at its end, in the length that a message may have."""
    if len(text) + len(mark) <= rules.TEXT_MAX_CHARACTERS:
        return text + mark
    mark = mark or CUT
    return text[: rules.TEXT_MAX_CHARACTERS - len(mark)] + mark


def tidy(text: str) -> str:
    """A text that can be stored: surrogates joined where they are pairs, else replaced, as U+0000 is."""
    if not rules.is_unicode(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\ufffd")
