"""A Nova whose assistant is asked directly: the conversations are made by the tests, the time is theirs."""

from nova_bot_chat.assistant import COLLECTIONS, Assistant, commands, subscribers
from storage.rooms import make_users

from nova_tornado.api import Conversation, Nova, Offers
from nova_tornado.realtime.clock import Clock

START_US = 1_800_000_000_000_000
"""2027-01-15 08:00 UTC."""


class FakeClock(Clock):
    """Stands still unless it is moved."""

    def __init__(self):
        self.at_us = START_US

    def now_us(self):
        return self.at_us

    def move(self, seconds):
        self.at_us += round(seconds * 1_000_000)


class Desk:
    """The assistant of a Nova in which the plugin itself is switched off, so that nothing else tells reminders."""

    async def open(self, nova, names=("alice", "bob", "carol")):
        self.nova, self.services, self.clock = nova, nova.services, nova.services.clock
        self.facade = Nova(nova.services, {}, nova.store, Offers())
        await nova.store.database.prepare(tuple(COLLECTIONS))
        self.facade._offers.commands.extend(commands(self.facade))
        self.assistant = Assistant(self.facade)
        self.cleaner = subscribers(self.facade)[0]
        self.bot = await nova.services.accounts.ensure_bot("assistant", "nova")
        self.users = dict(zip(names, await make_users(nova, *names), strict=True))
        return self

    def __getitem__(self, name):
        return self.users[name]

    async def private(self, name):
        """The private chat of a user with the bot."""
        chat, _ = await self.services.chats.open_private(self[name], self.bot.id)
        return chat

    async def group(self, owner, *others, title="Tea", with_bot=True):
        ids = [self[other].id for other in others] + ([self.bot.id] if with_bot else [])
        return await self.services.chats.create_group(self[owner], title, ids)

    async def say(self, name, chat, *texts):
        """Send messages; the clock moves on by a second each."""
        sent = []
        for text in texts:
            self.clock.move(1)
            sent.append((await self.services.messages.send(self[name], chat.id, text)).message)
        return sent

    async def ask(self, name, chat, text):
        """Ask as if the answer were sent by somebody else: the question is stored, the answer is not."""
        question = (await self.say(name, chat, text))[0]
        return await self.answer(name, chat, text, question.id)

    async def answer(self, name, chat, text, question_id=0):
        """The answer to a question that is stored already, or nowhere."""
        command, _, arguments = text.removeprefix("/").partition(" ") if text.startswith("/") else (None, "", "")
        conversation = Conversation(
            self.bot, self[name], chat.id, chat.is_private, text, command, arguments.strip(), (), question_id
        )
        found = next((each for each in self.facade.commands if each.name == command), None)
        return await (found.run if found else self.assistant.reply)(conversation)

    async def converse(self, name, chat, text):
        """Ask, and send the answer."""
        answer = await self.ask(name, chat, text)
        self.clock.move(1)
        await self.services.messages.send(self.bot, chat.id, answer)
        return answer

    async def texts(self, chat, sender=None):
        """The texts in a chat, in order; of one sender."""
        page = await self.services.messages.history(chat, 0, limit=1_000)
        return [message.text for message in page if sender is None or message.sender_id == sender.id]
