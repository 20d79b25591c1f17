"""A client that was away knows after ``resume`` what a fresh one reads, whatever happened by whatever protocol.

Source: contract "actions" section 8; decision 12.
"""

import itertools
import random
from contextlib import suppress

import pytest
from resumed import Device
from together.changes import PROTOCOLS
from together.test_repeats import frame

from nova_tornado.domain.errors import NovaError
from nova_tornado.native import resume as native_resume
from nova_tornado.services import resume

LETTERS = "ABC"
STEPS = 60
SEEDS = (1, 2)
WEIGHTS = {
    "send": 26,
    "reply": 6,
    "edit": 6,
    "recall": 4,
    "hide": 5,
    "read": 8,
    "rename chat": 2,
    "add": 5,
    "leave": 2,
    "remove": 3,
    "admin": 3,
    "owner": 2,
    "delete chat": 1,
    "new chat": 3,
    "ask for friendship": 4,
    "answer": 3,
    "unfriend": 1,
    "nickname": 1,
    "rename user": 1,
    "away": 8,
    "back": 8,
}


class History:
    """A random history of three people, of whom each has a device that keeps what it knows."""

    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self.people = {letter: world.persons[letter] for letter in LETTERS}
        self.devices = {letter: Device(self.people[letter]) for letter in LETTERS}
        self.askers = {}
        self.numbers = itertools.count()
        self.chat_ids = []

    async def begin(self):
        await self.world.befriend("A", "B")
        self.chat_ids.append(self.world.facts["chat"])
        await self.world.group("A B C")
        self.chat_ids.append(self.world.facts["chat"])
        for letter in LETTERS:
            await self.devices[letter].connect()

    async def asker(self, letter, protocol):
        if (letter, protocol) not in self.askers:
            self.askers[letter, protocol] = await self.world.another(letter, protocol)
        return self.askers[letter, protocol]

    async def act(self, letter, action, **data):
        """Something natively, done when this returns, refused or not."""
        asker = await self.asker(letter, "actions")
        await asker.act(action, data)
        await asker.drain()

    async def chats(self, letter):
        return [each["chat"] for each in (await self.people[letter].get("/chat")).data]

    async def step(self, kind):
        rng, letter = self.rng, self.rng.choice(LETTERS)
        person, device = self.people[letter], self.devices[letter]
        other = self.people[rng.choice(LETTERS)]
        chats = await self.chats(letter)
        match kind:
            case "away":
                if device.socket is not None:
                    await device.disconnect()
                return
            case "back":
                if device.socket is None:
                    await device.connect()
                return
            case "ask for friendship":
                await person.post("/friend/invite", {"id": other.id, "comment": kind, "source": "search"})
                return
            case "answer":
                for invitation in (await person.get("/friend/invitation")).data:
                    path = f"/friend/invitation/{invitation['id']}"
                    await (person.post(path) if rng.random() < 0.7 else person.delete(path))
                return
            case "unfriend":
                await person.delete(f"/friend/{other.id}")
                return
            case "nickname":
                await person.patch(f"/friend/{other.id}", {"nickname": f"nick {next(self.numbers)}"})
                return
            case "rename user":
                await person.patch("/user", {"user_name": f"{letter.lower()}{next(self.numbers)}"})
                return
            case "new chat":
                owner = await self.world.user(letter)
                title = f"Chat {next(self.numbers)}"
                chat = await self.world.nova.services.chats.create_group(owner, title, [other.id])
                self.chat_ids.append(chat.id)
                return
        if not chats:
            return
        chat = rng.choice(chats)
        chat_id = chat["chat_id"]
        messages = (await person.get(f"/chat/{chat_id}/messages")).data
        message = rng.choice(messages)["message_id"] if messages else 0
        person_user = await self.world.user(letter)
        match kind:
            case "send":
                await self.send(letter, chat, f"text {next(self.numbers)}")
            case "reply":
                await self.act(letter, "send_message", chat_id=chat_id, content="a reply", reply_to=message)
            case "edit":
                await self.act(letter, "edit_message", message_id=message, content=f"edited {next(self.numbers)}")
            case "recall":
                await self.act(letter, "recall_message", message_id=message)
            case "hide":
                await self.act(letter, "recall_message", message_id=message, delete=True)
            case "read":
                await self.act(letter, "messages_read", chat_id=chat_id)
            case "rename chat":
                await person.patch(f"/chat/{chat_id}", {"chat_name": f"Title {next(self.numbers)}"})
            case "add":
                with suppress(NovaError):
                    await self.world.nova.services.chats.edit(person_user, chat_id, add_ids=[other.id])
            case "leave":
                if person.id != chat["chat_owner"]["id"]:
                    await person.delete(f"/chat/{chat_id}")
            case "remove":
                await person.delete(f"/chat/{chat_id}/{other.id}")
            case "admin":
                await person.post(f"/chat/{chat_id}/{other.id}/admin", rng.random() < 0.6)
            case "owner":
                await person.post(f"/chat/{chat_id}/set_owner", {"chat_owner": other.id})
            case "delete chat":
                await person.delete(f"/chat/{chat_id}")

    async def send(self, letter, chat, text):
        """Send by a random protocol; by rooms one enters the group first."""
        self.world.facts["chat"] = chat["chat_id"]
        is_private = not chat["chat_name"]
        protocol = self.rng.choice(PROTOCOLS)
        if protocol == "rooms" and (is_private or len(chat["chat_members"]) < 2):
            protocol = "actions"
        if protocol == "rooms":
            await self.world.enter(letter)
        asker = await self.asker(letter, protocol)
        kind = "private" if is_private else "group"
        await asker.send(frame(protocol, self.world, kind, text, f"{text} of {letter}", letter=letter))
        await asker.drain()

    async def end(self):
        """Everybody comes back, and knows what is so."""
        for device in self.devices.values():
            if device.socket is None:
                await device.connect()
            else:
                await device.take_live()
                await device.catch_up()
            await device.check()


@pytest.fixture
def small_pages(monkeypatch):
    """So that histories of a few dozens of entries take several pages."""
    monkeypatch.setattr(resume, "PAGE_MAX_ENTRIES", 7)
    monkeypatch.setattr(native_resume, "PAGE_MAX_BYTES", 6_000)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.gen_test(timeout=200)
async def test_a_resumed_state_is_the_fresh_state(world, people, no_presence, small_pages, seed):
    rng = random.Random(seed)
    print("seed", seed)
    await world.populate(people)
    history = History(world, rng)
    await history.begin()
    kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=STEPS)
    for number, kind in enumerate(kinds):
        await history.step(kind)
        if number % 30 == 29:
            await history.end()
    await history.end()
    assert sum(device.resumes for device in history.devices.values()) > 12
