"""The assistant in a running Nova, asked over the native protocol."""

import re

import pytest
from nova_bot_chat import reminders

from nova_tornado.realtime.clock import Clock


class MovedClock(Clock):
    """The machine's clock and then some."""

    ahead_us = 0

    def now_us(self):
        return super().now_us() + self.ahead_us


@pytest.fixture
def clock():
    return MovedClock()


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


class Talker:
    """A user with a socket, in one chat."""

    def __init__(self, person, socket, chat_id):
        self.person, self.socket, self.chat_id = person, socket, chat_id

    async def send(self, text):
        await self.socket.send("send_message", {"chat_id": self.chat_id, "content": text})

    async def hear(self, pattern):
        """The next message that fits."""
        while True:
            packet = await self.socket.receive()
            if packet["action"] == "new_message" and packet["data"]["message"]["chat_id"] == self.chat_id:
                text = packet["data"]["message"]["message"]
                if re.search(pattern, text):
                    return text

    async def ask(self, text, pattern):
        await self.send(text)
        return await self.hear(pattern)


async def private_with_bot(nova, person):
    user = await nova.services.directory.get(person.id)
    chat, _ = await nova.services.chats.open_private(user, nova.services.bots.default.id)
    return Talker(person, await person.socket(), chat.id)


@pytest.mark.gen_test
async def test_the_assistant_answers_in_a_private_chat(nova, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    talker = await private_with_bot(nova, alice)
    await (await bob.socket()).send("send_message", {"chat_id": chat_id, "content": "the kettle is broken"})
    await Talker(alice, talker.socket, chat_id).hear("kettle")
    assert "Hello" in await talker.ask("Hello!", "alice")
    shown = await talker.ask("/help", "I know these")
    assert all(
        f"\n/{name}" in shown for name in ("unread", "search", "summary", "remind", "poll", "vote", "roll", "time")
    )
    assert "bob: " in await talker.ask("/unread", "unread message")
    assert "the kettle is broken" in await talker.ask("/search KETTLE", "I found")
    assert await talker.ask("what now", "understand") == "I did not understand that. Try /help."


@pytest.mark.gen_test
async def test_a_poll_in_a_group_grows_by_votes(nova, people):
    alice, bob = await people("alice"), await people("bob")
    users = [await nova.services.directory.get(person.id) for person in (alice, bob)]
    chat = await nova.services.chats.create_group(users[0], "Tea", [bob.id, nova.services.bots.default.id])
    talkers = [Talker(person, await person.socket(), chat.id) for person in (alice, bob)]
    await talkers[0].ask("/poll Where? | Pizza | Sushi", r"^Poll \d+: Where")
    await talkers[1].ask("/vote 2", "“Sushi”")
    await talkers[0].ask("@nova /vote 1", "“Pizza”")
    page = await nova.services.messages.history(chat, alice.id, limit=50)
    poll = next(message.text for message in page if message.text.startswith("Poll"))
    assert "1. Pizza – 1 vote\n2. Sushi – 1 vote\n" in poll
    assert "in our private chat" in await talkers[1].ask("/unread", "private")


@pytest.mark.gen_test
async def test_a_reminder_comes_by_itself(nova, people, clock, monkeypatch):
    monkeypatch.setattr(reminders, "POLL_S", 0.05)
    talker = await private_with_bot(nova, await people("alice"))
    await talker.ask("/remind 1h drink tea", "I will remind you at")
    clock.ahead_us = 3_600_000_000
    assert "drink tea" in await talker.hear("^Reminder")
