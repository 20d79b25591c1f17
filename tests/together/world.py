"""Four users, each connected by all five protocols, and the one socket on which something is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from clients.actions import ActionsClient
from clients.base import ProtocolClient
from clients.methods import MethodsClient
from clients.modes import ModesClient
from clients.opcodes import OpcodesClient
from clients.rooms import RoomsClient
from people import Person
from together.changes import ASKER, LETTERS, PROTOCOLS, Change
from together.matching import Facts

from nova_tornado.app import NovaApp
from nova_tornado.domain.models import JoinPolicy, User

CLIENTS: dict[str, type[ProtocolClient]] = {
    "actions": ActionsClient,
    "methods": MethodsClient,
    "modes": ModesClient,
    "rooms": RoomsClient,
    "opcodes": OpcodesClient,
}
NAMES = {"A": "anna", "B": "bert", "C": "cleo", "X": "xeno"}
TEXT = "Hello, wörld 🌍"
OLD_TEXT = "what was said before"
OLD_TITLE = "Readers"
NEVER_S = 3600.0
"""For how long who is online is gathered, where nothing is to be told of it."""
Make = Callable[..., Awaitable[Person]]


async def new_token(person: Person) -> str:
    """A token by the actions protocol."""
    credentials = {"user_name": person.name, "password": person.password}
    token = (await person.post("/user/token", credentials, with_cookie=False)).data["token"]
    assert isinstance(token, str)
    return token


class World:
    """Users and their connections.

    Attributes:
        nova: the server, to make what is there before and to wait for its plugins.
        persons, tokens: by letter.
        clients: by letter and protocol.
        asker: the socket for requests, of the actor, in the sender's protocol; the same as ``clients`` hold is not.
        facts: what is known by name (see ``shapes``).
        actor: the letter of the one who asks.
    """

    asker: Any

    def __init__(self, nova: NovaApp, port: int) -> None:
        self.nova = nova
        self.port = port
        self.persons: dict[str, Person] = {}
        self.tokens: dict[str, str] = {}
        self.clients: dict[tuple[str, str], ProtocolClient] = {}
        self.facts: Facts = {"text": TEXT, "old text": OLD_TEXT, "key": {"n": 1}, "title": OLD_TITLE, "name": OLD_TITLE}
        self.facts["S.name"] = "#SYSTEM"
        self.facts |= dict.fromkeys(("last time", "last text", "last sender"))
        self.actor = "A"
        self.more: dict[str, Any] = {}
        self._others: list[ProtocolClient] = []

    async def populate(self, people: Make) -> None:
        """Register everybody."""
        for letter, name in NAMES.items():
            person = self.persons[letter] = await people(name)
            self.facts[letter] = person.id
            self.facts[f"{letter}.name"] = name
        tokens = await asyncio.gather(*(new_token(self.persons[letter]) for letter in LETTERS))
        self.tokens = dict(zip(LETTERS, tokens, strict=True))

    async def connect(self, letters: str, sender: str | None) -> None:
        """Connect users by all protocols, and the asking socket in the sender's (None: it asks over HTTP)."""
        keys = [(letter, protocol) for letter in letters for protocol in PROTOCOLS]
        if sender is not None:
            keys.append((ASKER, sender))
        clients = await asyncio.gather(
            *(
                CLIENTS[protocol].connect(self.port, self.tokens[self.actor if letter == ASKER else letter])
                for letter, protocol in keys
            )
        )
        for key, client in zip(keys, clients, strict=True):
            self.clients[key] = client
        if sender is not None:
            self.asker = self.clients[ASKER, sender]

    async def another(self, letter: str, protocol: str) -> Any:
        """One more connection of a user, which is not drained with the others."""
        client = await CLIENTS[protocol].connect(self.port, self.tokens[letter])
        self._others.append(client)
        return client

    async def settle(self) -> None:
        """Wait until the plugins' subscribers have done their part of what has happened."""
        assert self.nova._dispatcher is not None
        await self.nova._dispatcher.drained()

    async def drain(self) -> dict[tuple[str, str], list[Any]]:
        """All that came to each connection up to now; first of all that its own requests are done with."""
        asked = [key for key in self.clients if key[0] == ASKER]
        received = {key: await self.clients[key].drain() for key in asked}
        await self.settle()
        keys = list(self.clients)
        for key, packets in zip(keys, await asyncio.gather(*(self.clients[key].drain() for key in keys)), strict=True):
            received[key] = received.get(key, []) + packets
        return received

    def close(self) -> None:
        """Close all sockets."""
        for client in (*self.clients.values(), *self._others):
            client.close()

    def expect_system_message(self, text: str) -> None:
        """The change brings a message of the system user with it, which is then the chat's last one."""
        self.facts["system text"] = self.facts["last text"] = text
        self.facts["last sender"] = "#SYSTEM"
        del self.facts["last time"]  # the first one to tell it makes it known

    # For what is there before, past all protocols

    async def user(self, letter: str) -> User:
        """A user's model."""
        return await self.nova.directory.get(self.facts[letter])

    async def group(self, members: str, policy: JoinPolicy = JoinPolicy.CLOSED) -> None:
        """A group of these, the first one its owner."""
        owner, *others = [await self.user(letter) for letter in members.split()]
        chat = await self.nova.services.chats.create_group(owner, OLD_TITLE, [one.id for one in others], policy=policy)
        self.facts["chat"] = chat.id

    async def enter(self, letter: str) -> None:
        """Somebody enters the group by rooms."""
        await self.http(letter, "POST", f"/http/chat_groups/{self.facts['chat']}", {"is_enter": True})

    async def say(self, letter: str) -> None:
        """Somebody has said something."""
        sent = await self.nova.services.messages.send(await self.user(letter), self.facts["chat"], OLD_TEXT)
        self.facts["old"] = sent.message.id

    async def ask_for_friendship(self, asker: str, asked: str) -> None:
        """Somebody asks somebody."""
        request = {"id": self.facts[asked], "comment": "", "source": "search"}
        await self.nova.services.friends.invite(await self.user(asker), request)

    async def befriend(self, one: str, other: str) -> None:
        """Two are friends, and have a private chat."""
        await self.ask_for_friendship(one, other)
        await self.ask_for_friendship(other, one)
        chat = await self.nova.services.chats.find_private(self.facts[one], self.facts[other])
        assert chat is not None
        self.facts["chat"] = chat.id

    async def http(self, letter: str, method: str, path: str, body: Any, token: str | None = None) -> Any:
        """A request of rooms over HTTP, which must succeed; its data."""
        headers = {"authentication": token or self.tokens[letter]}
        answer = await self.persons[letter].request(method, path, body, headers=headers, with_cookie=False)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json["data"]


async def _private(world: World, other: str = "B") -> None:
    chat, _ = await world.nova.services.chats.open_private(await world.user("A"), world.facts[other])
    world.facts["chat"] = chat.id


async def _group(world: World) -> None:
    await world.group("A B C")
    await world.enter("B")


async def _open_group(world: World) -> None:
    await world.group("A B C", JoinPolicy.OPEN)
    await world.enter("B")


async def _small_group(world: World) -> None:
    await world.befriend("A", "C")  # natively only friends can be proposed
    await world.group("A B")
    await world.enter("B")


async def _small_open_group(world: World) -> None:
    await world.group("A B", JoinPolicy.OPEN)
    await world.enter("B")


async def _friends(world: World) -> None:
    await world.befriend("A", "B")
    await world.befriend("A", "C")
    del world.facts["chat"]  # the one that will be made is another


async def _proposed(world: World) -> None:
    path = f"/chat/{world.facts['chat']}/invite"
    assert (await world.persons["A"].post(path, {"user_id": world.facts["C"]})).data is None


async def _admin(world: World) -> None:
    await world.nova.services.chats.set_admin(await world.user("A"), world.facts["chat"], world.facts["B"], True)


async def _read(world: World) -> None:
    await world.nova.services.messages.mark_read(await world.user("A"), world.facts["chat"])


async def _another_session(world: World) -> None:
    world.more["person"] = await world.persons["A"].again()
    world.more["token"] = await new_token(world.persons["A"])


async def _watch(world: World) -> None:
    world.more["watches"] = True


BEFORE: dict[str, Callable[[World], Awaitable[None]]] = {
    "private": _private,
    "private chat of A and C": lambda world: _private(world, "C"),
    "group": _group,
    "open group": _open_group,
    "small group": _small_group,
    "small open group": _small_open_group,
    "group of A and C": lambda world: world.group("A C"),
    "group of C and A": lambda world: world.group("C A"),
    "group of A and X": lambda world: world.group("A X"),
    "friends": _friends,
    "friendship": lambda world: world.befriend("A", "C"),
    "A has written": lambda world: world.say("A"),
    "B has written": lambda world: world.say("B"),
    "A has read": _read,
    "C has entered": lambda world: world.enter("C"),
    "C is proposed": _proposed,
    "B is admin": _admin,
    "A has asked C": lambda world: world.ask_for_friendship("A", "C"),
    "C has asked A": lambda world: world.ask_for_friendship("C", "A"),
    "A has another session": _another_session,
    "A watches": _watch,
}
"""What can be there before a change."""


async def prepare(world: World, change: Change, people: Make) -> None:
    """Make what is there before a change; nobody is connected yet."""
    await world.populate(people)
    world.actor = change.actor
    for step in change.before:
        await BEFORE[step](world)
    await world.settle()
