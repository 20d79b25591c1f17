"""The tests' client of the protocol "modes"."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from people import Person

from nova_tornado.clients import protocols

LIVE_MODES = frozenset(
    (
        *("newMessage", "messageEdited", "messageDeleted", "messagesRead"),
        *("chatCreated", "chatUpdated", "chatDeleted"),
    )
)
NO_IDS = (None, "1", "", True, False, 1.0, 1.5, [], {}, [1], {"$ne": None})
"""What is no id at all."""
UNKNOWN_IDS = (0, -1, 2**53 + 1, 2**63, 10**30, 10**9)
NO_STRINGS = (None, 5, 1.5, True, [], {}, ["a"], {"$ne": None}, {"$gt": ""})
BROKEN_STRINGS = ("a\0b", "\ud800", "x\udfffy", "\udc00\ud800")


def is_live(packet: Any) -> bool:
    return packet is not None and packet["mode"] in LIVE_MODES and packet["status"] == "200"


class ModesClient(protocols.ModesClient):
    """Signs its requests with ``token``. Every frame that comes is looked at."""

    def __init__(self, port: int, token: str | None) -> None:
        super().__init__(port, token)
        self._early: list[Any] = []

    async def receive(self) -> Any:
        packet = self._early.pop(0) if self._early else await super().receive()
        if packet is not None:
            assert {"mode", "timestamp", "status"} <= packet.keys(), packet
            assert isinstance(packet["timestamp"], float) and abs(packet["timestamp"] - time.time()) < 3600, packet
            assert isinstance(packet["status"], str) and len(packet["status"]) == 3 and packet["status"].isdigit()
        return packet

    async def reply(self, mode: str, **fields: Any) -> Any:
        """The reply to a request; live frames that come before it are kept for ``receive`` and ``drain``.

        Args:
            fields: of the request, besides ``timestamp`` and, unless it is given (None: without), the client's token.
        """
        request = {"mode": mode, "timestamp": time.time(), "token": self.token, **fields}
        if request["token"] is None:
            del request["token"]
        await self.send(request)
        early = []
        while is_live(packet := await self.receive()):
            early.append(packet)
        self._early = early + self._early
        assert packet is not None, f"closed with {self.connection.close_code}"
        assert packet["mode"] == mode, packet
        return packet

    async def ask(self, mode: str, **fields: Any) -> Any:
        """The reply to a request that is carried out."""
        reply = await self.reply(mode, **fields)
        assert reply["status"] == "200" and "detail" not in reply, reply
        return reply

    async def refused(self, mode: str, **fields: Any) -> str:
        """The status of the reply to a request that is refused."""
        reply = await self.reply(mode, **fields)
        assert reply.keys() == {"mode", "timestamp", "status", "detail"}, reply
        assert isinstance(reply["detail"], str) and reply["detail"] and reply["status"] != "200"
        return reply["status"]

    async def live(self) -> list[Any]:
        """The live frames that came up to now, without ``timestamp`` and ``status``."""
        return [
            {key: value for key, value in packet.items() if key not in ("timestamp", "status")}
            for packet in await self.drain()
        ]


class Member(ModesClient):
    """A user of the tests on a connection of his own.

    Attributes:
        person: the same user, by the native protocol.
    """

    person: Person

    @property
    def id(self) -> int:
        return self.person.id

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def struct(self) -> dict[str, Any]:
        """The user among a chat's members."""
        return {"id": self.id, "username": self.name}

    async def chats(self) -> Any:
        """The user's chats by id, in the order of the list."""
        return {item["chat_id"]: item for item in (await self.ask("getChats"))["chats"]}

    async def messages(self, chat_id: int, **fields: Any) -> Any:
        return (await self.ask("getMessages", chat_id=chat_id, **fields))["messages"]

    async def say(self, chat_id: int, content: str, **fields: Any) -> int:
        """Send a message; returns its id."""
        fields = {"content_type": "text", **fields}
        return (await self.ask("sendMessage", chat_id=chat_id, content=content, **fields))["message_id"]

    async def chat_with(self, other: Member) -> int:
        """The private chat with another user."""
        return (await self.ask("createChat", contact_mode="id", contact_value=other.id))["chat_id"]

    async def group_with(self, *others: Member, name: str = "Group") -> int:
        return (await self.ask("createGroupChat", chat_name=name, chat_members=[each.id for each in others]))["chat_id"]


async def new_token(person: Person) -> str:
    """A token that the native protocol gives a person."""
    return await person.new_token()


async def come(person: Person, *, is_subscribed: bool = False) -> Member:
    """A person's client; its connection ends with the test."""
    member = Member(person.port, await new_token(person))
    member.person = person
    await member.open()
    person.keep(member)
    if is_subscribed:
        await member.sign_in()
    return member


class Party:
    """alice, bob, carol and dave, who subscribe to everything. They are no friends."""

    async def open(self, people: Callable[[str], Awaitable[Person]]) -> Party:
        names = ("alice", "bob", "carol", "dave")
        self.all = [await come(await people(name), is_subscribed=True) for name in names]
        self.alice, self.bob, self.carol, self.dave = self.all
        return self

    async def expect_silence(self) -> None:
        for member in self.all:
            assert await member.live() == []
