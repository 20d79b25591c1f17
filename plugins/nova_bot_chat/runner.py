"""Hears what is said to bots, and has them answer.

Questions of one chat are answered in order, those of several chats at once. Each is noted in the database until its
answer is complete: what a crash has left is taken up at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from nova_bot_chat import answers
from nova_bot_chat.answers import AlreadyAnswered, AnswerWriter, BotTimeout, ReplyReader, Stopped
from nova_bot_chat.chat_reader import GONE, ChatReader
from nova_bot_chat.limits import QuestionLimits
from nova_bot_chat.notes import RENEW_S, Note, Notes
from nova_bot_chat.questions import BotAccount, Question, find_asked
from nova_tornado.api import BotReply, Command, Conversation, Event, Nova, NovaError, errors, events, models

log = logging.getLogger(__name__)

DEFAULT_BOT_NAME = "nova"
"""The bot of that name knows the commands, and is the one that protocols with a single bot talk to."""
WAITING_MAX_COUNT = 10
"""How many questions of one chat wait at most."""
CHATS_AT_ONCE = 32
"""In so many chats bots answer at the same time."""
QUESTION_MAX_AGE_S = 600
"""An older question that a crash has left is not answered any more: nobody waits for that answer."""
ANSWER_MARGIN_S = 5.0
"""How much longer than a bot may take its answer is waited for: it is to be written, too."""
STOP_LIMIT_S = 1.5
"""How long answers under way may take to be given their mark when the server stops."""

TOO_MANY_QUESTIONS = "You ask faster than I may answer. Please wait a minute."
TOO_MANY_WAITING = "I am still busy with what was asked here before. Please wait for those answers, then ask again."


class _Chat:
    """The questions of one chat that wait."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Question, asyncio.Task[bool]]] = deque()
        self.is_told = False


class BotRunner:
    """The subscriber, the lifespan, and what stands behind ``services.bots``.

    Args:
        nova: the server.
    """

    event_types = (events.MessageSent, events.FriendRequested, events.ChatDeleted, events.AccountDeleted)

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._services = nova.services
        self._notes = Notes(nova)
        self._reader = ChatReader(nova)
        self._limits = QuestionLimits(nova.clock)
        self._accounts: dict[int, BotAccount] = {}
        self._commands: dict[str, Command] = {}
        self._default: BotAccount | None = None
        self._chats: dict[int, _Chat] = {}
        self._slots = asyncio.Semaphore(CHATS_AT_ONCE)
        self._readers: set[ReplyReader] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._awaited: dict[int, list[asyncio.Future[models.Entry]]] = {}
        self._is_stopping = False
        self._renewing: asyncio.Task[None] | None = None

    @property
    def accounts(self) -> Sequence[BotAccount]:
        """The bots, the one that knows the commands first, the others by id; none before the lifespan has begun."""
        return sorted(self._accounts.values(), key=lambda each: (each is not self._default, each.user.id))

    @property
    def commands(self) -> Sequence[Command]:
        """The slash commands of all plugins, by name."""
        return sorted(self._commands.values(), key=lambda each: each.name)

    # Life

    async def __aenter__(self) -> Self:
        """Make the bots' accounts, and take up what was left."""
        self._commands = {command.name: command for command in self._nova.commands}
        for bot in self._nova.bots:
            user = await self._services.accounts.ensure_bot(f"plugin:{bot.name}", bot.name, bot.avatar_url)
            account = self._accounts[user.id] = BotAccount.of(user, bot)
            if self._default is None or bot.name == DEFAULT_BOT_NAME:
                self._default = account
        if self._default is not None:
            self._services.bots.open(self._default.user, self)
        for account in self._accounts.values():
            for received in await self._services.friends.list_received(account.user):
                await self._befriend(account.user, received.sender)
        await self._take_up_all()
        if not self._nova.is_alone:
            self._renewing = asyncio.create_task(self._renew(), name="bots: what other processes leave")
        return self

    async def _take_up_all(self) -> None:
        for note in await self._notes.claim_left():
            try:
                await self._take_up(note)
            except Exception:
                log.exception("what a bot was asked before the start cannot be taken up")

    async def _renew(self) -> None:
        """Keep what is being answered here from other processes, and take up what those have left."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._notes.renew()
                await self._take_up_all()
            except Exception as error:
                log.warning("what is asked of bots cannot be looked up: %s", type(error).__name__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Mark answers under way as interrupted; what waits is answered after the next start."""
        self._is_stopping = True
        if self._renewing is not None:
            self._renewing.cancel()
        self._services.bots.close()
        for reader in self._readers:
            reader.stop()
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_LIMIT_S)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for futures in self._awaited.values():
            for future in futures:
                if not future.done():
                    future.set_exception(errors.Unavailable())
        self._awaited.clear()
        await self._notes.release()

    async def _take_up(self, note: Note) -> None:
        """Go on with a question that was there before the start."""
        question = await self._reader.find_question(note, self._accounts)
        if question is None:
            await self._notes.remove(note.key)
            return
        answer = await self._reader.find_answer(question, note.answer_id)
        if answer is not None:
            if answer.text.endswith(answers.GROWING):
                text = answers.fit(answer.text.removesuffix(answers.GROWING), answers.INTERRUPTED)
                await self._services.messages.edit(question.account.user, answer.id, text)
            await self._notes.remove(note.key)
        elif self._is_old(question.message):
            await self._notes.remove(note.key)
        else:
            self._enqueue(question, is_noted=True)

    # Hearing

    async def on_event(self, event: Event) -> None:
        """One thing that happened (as a subscriber): what comes of it is done elsewhere."""
        match event:
            case events.MessageSent(chat, message, sender):
                if sender.id in self._accounts or self._is_old(message):
                    return
                asked = find_asked(chat, sender, message.plain_text, self._accounts, self._default, self._commands)
                for account in asked:
                    question = Question(message, sender, account, chat.is_private)
                    if self._is_stopping:
                        await self._notes.add(question)  # for the next start
                    else:
                        self._ask(question)
            case events.FriendRequested(asker, asked_user):
                if asked_user.id in self._accounts and not self._is_stopping:
                    self._spawn(self._befriend(self._accounts[asked_user.id].user, asker), "bot's friendship")
            case events.ChatDeleted(chat):
                if chat.id in self._chats:
                    self._chats[chat.id].waiting.clear()
                if not self._is_stopping and any(user_id in chat.members for user_id in self._accounts):
                    self._spawn(self._notes.remove_chat(chat.id), "end of a chat with a bot")
            case events.AccountDeleted(user_id):
                if not self._is_stopping:
                    self._spawn(self._notes.remove_user(user_id), "end of an account")

    def _is_old(self, message: models.Entry) -> bool:
        return self._nova.clock.now_us() - message.sent_us > QUESTION_MAX_AGE_S * 1_000_000

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def _befriend(self, bot: models.User, asker: models.User) -> None:
        with suppress(errors.InvitationUnknown, errors.AlreadyFriends):  # withdrawn, or answered already
            await self._services.friends.answer(bot, asker.id, True)

    def _ask(self, question: Question) -> None:
        """Put a question behind those of its chat, unless it is too much."""
        chat = self._chats.get(question.chat_id)
        if not self._limits.take(question.user.id):
            self._refuse(question, TOO_MANY_QUESTIONS if self._limits.tell(question.user.id) else None)
        elif chat is not None and len(chat.waiting) >= WAITING_MAX_COUNT:
            self._refuse(question, None if chat.is_told else TOO_MANY_WAITING)
            chat.is_told = True
        else:
            self._enqueue(question)

    def _refuse(self, question: Question, sentence: str | None) -> None:
        if sentence is not None:
            self._spawn(self._say_once(question, sentence), "bot's refusal")
        else:
            self._give_up(question, errors.TooManyRequests())

    async def _say_once(self, question: Question, sentence: str) -> None:
        try:
            await self._tell_answered(
                question, await AnswerWriter(self._nova, self._reader, self._notes, question).finish(sentence)
            )
        except (AlreadyAnswered, NovaError):
            self._give_up(question, errors.TooManyRequests())

    def _give_up(self, question: Question, error: NovaError) -> None:
        """Nobody needs to wait for an answer any more."""
        for future in self._awaited.pop(question.message.id, ()):
            if not future.done():
                future.set_exception(error)

    def _enqueue(self, question: Question, *, is_noted: bool = False) -> None:
        noted = self._spawn(self._is_first(question, is_noted), "note of a question")
        chat = self._chats.get(question.chat_id)
        if chat is None:
            chat = self._chats[question.chat_id] = _Chat()
            self._spawn(self._answer_all(question.chat_id, chat), "bot's answers")
        chat.waiting.append((question, noted))

    async def _is_first(self, question: Question, is_noted: bool) -> bool:
        return is_noted or await self._notes.add(question)

    # Answering

    async def _answer_all(self, chat_id: int, chat: _Chat) -> None:
        """Answer a chat's questions, one after the other, until there are none."""
        try:
            while chat.waiting and not self._is_stopping:
                async with self._slots:
                    if self._is_stopping:
                        return
                    question, noted = chat.waiting.popleft()
                    try:
                        if await noted:
                            await self._answer(question)
                    except Exception as error:
                        _log_failure(question, error)
                        self._give_up(question, errors.Unavailable())
                chat.is_told = chat.is_told and len(chat.waiting) >= WAITING_MAX_COUNT - 1
        finally:
            if self._chats.get(chat_id) is chat:
                del self._chats[chat_id]

    async def _answer(self, question: Question) -> None:
        """Have a bot answer, and take care of what may go wrong."""
        writer = AnswerWriter(self._nova, self._reader, self._notes, question)
        answer: models.Entry | None = None
        try:
            try:
                answer = await self._try_to_answer(question, writer)
            except Stopped:
                if writer.answer_id is None:
                    return  # it is still noted, and asked again after the next start
                answer = await self._interrupt(question, writer)
        except AlreadyAnswered:
            answer = await self._reader.find_answer(question)
        except GONE:
            pass
        except errors.MessageRefused:
            log.warning("an answer of bot %s was refused by a filter", question.account.user.name)
        if answer is not None:
            await self._tell_answered(question, answer)
        else:
            self._give_up(question, errors.Unavailable())
        await self._notes.remove(question.key)

    async def _try_to_answer(self, question: Question, writer: AnswerWriter) -> models.Entry | None:
        conversation = await self._reader.converse(question)
        if conversation is None:
            return None
        reader = ReplyReader(lambda: self._start(question, conversation), f"bot {question.account.user.name}")
        self._readers.add(reader)
        try:
            return await writer.write(reader)
        except (Stopped, AlreadyAnswered, *GONE):
            raise
        except Exception as error:
            _log_failure(question, error)
        finally:
            self._readers.discard(reader)
            await reader.close()
        if writer.answer_id is None:
            return await writer.finish(answers.SORRY)
        return await self._interrupt(question, writer)

    async def _interrupt(self, question: Question, writer: AnswerWriter) -> models.Entry | None:
        """Mark an answer that does not go on."""
        assert writer.answer_id is not None
        answer = await self._reader.find_message(question, writer.answer_id)
        if answer is None:
            return None
        text = answer.text.removesuffix(answers.GROWING)
        try:
            return await writer.finish(text, answers.INTERRUPTED)
        except errors.MessageRefused:  # what the bot has said so far is refused by now
            return await writer.finish(answers.SORRY)

    def _start(self, question: Question, conversation: Conversation) -> Awaitable[BotReply]:
        """Ask the bot, or carry out a command."""
        if question.account is self._default and conversation.command is not None:
            command = self._commands.get(conversation.command)
            if command is not None:
                return command.run(conversation)
        return question.account.bot.reply(conversation)

    async def _tell_answered(self, question: Question, answer: models.Entry) -> None:
        for future in self._awaited.pop(question.message.id, ()):
            if not future.done():
                future.set_result(answer)
        if question.is_private:
            with suppress(*GONE):
                chat = await self._services.chats.get(question.chat_id)
                self._nova.publish(events.BotAnswered(chat, question.message, answer))

    # For services.bots

    async def tell(self, user: models.User, text: str, client_id: str | None) -> tuple[models.Entry, bool]:
        """Store a question to the default bot.

        Returns:
            The question, and whether it was there before.

        Raises:
            TooManyRequests: the user has asked too much; nothing was stored.
            NovaError: what ``MessageService.send_private`` raises.
        """
        assert self._default is not None
        if self._limits.is_exceeded(user.id):
            raise errors.TooManyRequests(TOO_MANY_QUESTIONS)
        sent = await self._services.messages.send_private(user, self._default.user.id, text, client_id=client_id)
        return sent.message, sent.is_repeat

    async def find_answer(self, user: models.User, message: models.Entry) -> models.Entry | None:
        """The complete answer to a question to the default bot, if there is one."""
        assert self._default is not None
        answer = await self._reader.find_answer(Question(message, user, self._default, is_private=True))
        return answer if answer is not None and not answer.text.endswith(answers.GROWING) else None

    async def wait_for_answer(self, message: models.Entry) -> models.Entry:
        """The complete answer to a question that was just stored.

        Raises:
            Unavailable, TooManyRequests: there will be none.
        """
        future: asyncio.Future[models.Entry] = asyncio.get_running_loop().create_future()
        futures = self._awaited.setdefault(message.id, [])
        futures.append(future)
        try:
            async with asyncio.timeout(answers.ANSWER_LIMIT_S + ANSWER_MARGIN_S):
                return await future
        except TimeoutError:
            raise errors.Unavailable from None
        finally:
            futures.remove(future)
            if not futures and self._awaited.get(message.id) is futures:
                del self._awaited[message.id]


def _log_failure(question: Question, error: Exception) -> None:
    """Say which bot has failed and where, and nothing of what was said."""
    name = question.account.user.name
    if isinstance(error, BotTimeout):
        log.warning("bot %s took longer than %d s", name, answers.ANSWER_LIMIT_S)
        return
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else "?"
    log.error("bot %s failed: %s at %s", name, type(error).__name__, place)
