"""Bots of the tests: they say what a test has laid out, and a test hears what comes of it."""

import asyncio
import sys
import types
from importlib.metadata import EntryPoint, entry_points

from nova_bot_chat import runner
from people import WAIT_S

from nova_tornado.api import events, hookimpl
from nova_tornado.plugin.hookspecs import ENTRY_POINT_GROUP
from nova_tornado.plugin.loader import Plugins
from nova_tornado.realtime.clock import Clock


class HandClock(Clock):
    """The machine's clock, moved on by hand."""

    ahead_us = 0

    def now_us(self):
        return super().now_us() + self.ahead_us

    def move(self, seconds):
        self.ahead_us += round(seconds * 1_000_000)


class ScriptedBot:
    """Answers by ``script`` (an answer, or a coroutine function that gives one), else with the text in capitals.

    Attributes:
        asked: the conversations it was shown.
    """

    avatar_url = ""
    help = "For tests."

    def __init__(self, name="robbie"):
        self.name = name
        self.script = {}
        self.asked = []

    async def reply(self, conversation):
        self.asked.append(conversation)
        answer = self.script.get(conversation.text, conversation.text.upper())
        return await answer(conversation) if callable(answer) else answer


class Pieces:
    """An answer that comes piece by piece, each when the test says so."""

    def __init__(self):
        self._queue = asyncio.Queue()
        self._is_begun = False

    def give(self, *pieces):
        """More pieces; None ends the answer, an exception is raised."""
        for piece in pieces:
            self._queue.put_nowait(piece)

    async def taken(self):
        """Return when all pieces were asked for, and one more."""
        async with asyncio.timeout(WAIT_S):
            await self._queue.join()

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._is_begun:
            self._queue.task_done()
        self._is_begun = True
        piece = await self._queue.get()
        if piece is None or isinstance(piece, Exception):
            self._queue.task_done()
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, Exception):
            raise piece
        return piece


class Ear:
    """Hears every event of a Nova, from its making on."""

    def __init__(self, nova):
        self._events = []
        self._news = asyncio.Event()
        nova.bus.add_sink(self._hear)

    def _hear(self, happened):
        self._events.extend(happened)
        self._news.set()

    async def next(self, *kinds, where=lambda event: True):
        """The next event of those kinds; those before it are dropped."""
        async with asyncio.timeout(WAIT_S):
            while True:
                while self._events:
                    event = self._events.pop(0)
                    if isinstance(event, kinds) and where(event):
                        return event
                self._news.clear()
                await self._news.wait()

    async def answer(self):
        """The next message of a bot."""
        return (await self.next(events.MessageSent, where=lambda event: event.sender.is_bot)).message

    async def edit(self):
        """The text of the next edit."""
        return (await self.next(events.MessageEdited)).details.message.text

    def texts(self):
        """What bots have said up to now, edits too."""
        found = [
            event.message.text
            if isinstance(event, events.MessageSent) and event.sender.is_bot
            else event.details.message.text
            for event in self._events
            if (isinstance(event, events.MessageSent) and event.sender.is_bot)
            or isinstance(event, events.MessageEdited)
        ]
        self._events.clear()
        return found


def plugins_with(monkeypatch, *bots, default=None, **hooks):
    """The installed plugins and one with those bots; ``default`` is the name of the default bot."""
    module = types.ModuleType("sample_bots")
    for name, function in {"nova_bots": lambda: bots, **hooks}.items():
        setattr(module, name, hookimpl(function))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    if default is not None:
        monkeypatch.setattr(runner, "DEFAULT_BOT_NAME", default)
    points = [*entry_points(group=ENTRY_POINT_GROUP), EntryPoint("sample_bots", module.__name__, ENTRY_POINT_GROUP)]
    return Plugins(found=points)


class Room:
    """Alice and Robbie in their private chat, by the services."""

    def __init__(self, nova, bot, user, account, chat):
        self.nova, self.bot, self.user, self.account, self.chat = nova, bot, user, account, chat
        self.services = nova.services
        self.ear = Ear(nova)

    @classmethod
    async def open(cls, nova, bot, user):
        account = await nova.services.accounts.find_account_by_name(bot.name)
        chat, _ = await nova.services.chats.open_private(user, account.id)
        return cls(nova, bot, user, account, chat)

    async def say(self, text, user=None, chat=None):
        """Send a message, and have it heard; returns it."""
        sent = await self.services.messages.send(user or self.user, (chat or self.chat).id, text)
        await self.nova.plugins_told()
        return sent.message

    async def history(self, chat=None):
        """All texts of the chat."""
        chat = chat or self.chat
        return [entry.text for entry in await self.services.messages.history(chat, self.user.id, limit=1000)]
