"""The chats of a drill and the people in them, from their beginning to the last look at everything."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nova_tornado.clients.http import exchange
from nova_tornado.clients.protocols import CLIENTS, MethodsClient
from nova_tornado.drill.ground import GroundError
from nova_tornado.drill.history import (
    ChatMade,
    Fresh,
    Item,
    Known,
    Lost,
    Outcome,
    Probe,
    Readers,
    Recorder,
    Unread,
    send_of,
)
from nova_tornado.drill.link import Link, LinkLostError
from nova_tornado.drill.people import Person
from nova_tornado.drill.seats import SEATS, Room

PASSWORD = "drill-drill"
QUIET_LIMIT_S = 90.0
"""When everything that was begun must have its answer, and everybody must be back, with nothing broken any more."""
SETTLE_LIMIT_S = 20.0
"""How long what is late may take to come to everybody (several processes tell one another of news)."""
LOOK_S = 0.2
GROUP_MEMBERS = (4, 12)
"""How many are in a group: at least and at most."""
PRIVATE_SHARE = 0.2
FOREIGN_LOOKS = 2
MARKS_LOOKED_AT = 50
ROOMS_PAGE_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class Size:
    """How large a drill is.

    Attributes:
        people: who are watched; a fifth by each protocol.
        chats: in which they talk.
        pause_s: how long somebody waits between two things on average.
        crowd, readers, loud_texts, frames: see ``Crowd``.
    """

    people: int
    chats: int
    pause_s: float
    crowd: int
    readers: int
    loud_texts: int
    frames: int


class World:
    """People and chats.

    Args:
        size: how many.
        seed: of what the people do.
        port: of the server, past the proxy.
        proxy_port: where the people connect.
        recorder: is told of everything.
    """

    def __init__(self, size: Size, seed: int, port: int, proxy_port: int, recorder: Recorder) -> None:
        self.rooms: dict[int, Room] = {}
        self.people: list[Person] = []
        self._size = size
        self._port = port
        self._proxy_port = proxy_port
        self._recorder = recorder
        self._seed = seed
        self._dice = random.Random(f"world {seed}")
        self._is_over = asyncio.Event()
        self._links: list[asyncio.Task[None]] = []
        self._lives: list[asyncio.Task[None]] = []
        self._settled_at_s = 0.0

    # The beginning

    async def make(self) -> None:
        """Make all accounts and chats, while nothing is broken yet."""
        protocols = itertools.cycle(CLIENTS)
        for number in range(self._size.people):
            user, token = await self.register(f"drill-{number}")
            link = Link(next(protocols), user, token, self._proxy_port, self.rooms, self._recorder)
            dice = random.Random(f"person {self._seed} {number}")
            self.people.append(Person(link, self.rooms, dice, self._recorder, self._size.pause_s))
            self._links.append(asyncio.create_task(link.keep(), name=f"link of {user}"))
        async with asyncio.timeout(QUIET_LIMIT_S):
            await asyncio.gather(*(person.link.is_ready.wait() for person in self.people))
        makers = [person for person in self.people if person.link.seat.can_manage]
        for number in range(self._size.chats):
            await self._make_room(self._dice.choice(makers), number)

    async def register(self, name: str) -> tuple[int, str]:
        """Make an account; its id and a token."""
        account = {"user_name": name, "password": PASSWORD}
        user = (await self._post("/user/register", account))["data"]["id"]
        token = (await self._post("/user/token", account))["data"]["token"]
        return user, token

    async def _post(self, path: str, body: Any) -> Any:
        content = json.dumps(body).encode()
        head = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n"
        return (
            await exchange(self._port, f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode() + content)
        ).json

    async def _make_room(self, maker: Person, number: int) -> None:
        others = [person for person in self.people if person is not maker]
        is_private = self._dice.random() < PRIVATE_SHARE
        count = 1 if is_private else min(len(others), self._dice.randint(*GROUP_MEMBERS) - 1)
        members = self._dice.sample(others, count)
        seat = maker.link.seat
        key = seat.new_key()
        title = None if is_private else f"Drill {number}"
        try:
            reply = await maker.link.ask(seat.make_room([member.user for member in members], title, key), key)
        except LinkLostError:
            return  # on a very busy machine; a chat less does no harm
        if reply.outcome is not Outcome.DONE:
            return  # such a private chat is there already
        room = Room(seat.made_room(reply.packet), is_private, (maker.user, *(member.user for member in members)))
        if room.id in self.rooms:
            return
        self.rooms[room.id] = room
        self._recorder.add(ChatMade(room.id, room.members))
        if not is_private:
            maker.owned[room.id] = set()
        await asyncio.gather(*(person.link.take_in(room.id) for person in (maker, *members)))

    async def make_loud_room(self, tokens: Sequence[str], users: Sequence[int]) -> int:
        """The group of those who are not watched."""
        client = MethodsClient(self._port, tokens[0])
        await client.open()
        await client.sign_in()
        seat = SEATS["methods"](users[0], tokens[0])
        [packet] = seat.make_room(users[1:], "Loud", 1)
        chat = seat.made_room(await client.request(packet))
        client.close()
        return chat

    # The middle

    def begin(self) -> None:
        """Everybody does what he does."""
        for person in self.people:
            self._lives.append(asyncio.create_task(person.live(self._is_over), name=f"life of {person.user}"))

    def check_lives(self) -> None:
        """Raise what went wrong with somebody's life, which is a fault of the drill's own."""
        for task in (*self._lives, *self._links):
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    # The end

    async def end(self) -> None:
        """Everybody brings to its end what he has begun, and comes back."""
        self._is_over.set()
        if self._lives:
            _, late = await asyncio.wait(self._lives, timeout=QUIET_LIMIT_S)
            for task in late:
                task.cancel()
        self.check_lives()
        await asyncio.gather(*(self._settle(person) for person in self.people))

    async def _settle(self, person: Person) -> None:
        link = person.link
        try:
            async with asyncio.timeout(QUIET_LIMIT_S):
                await link.settle()
        except TimeoutError:
            self._recorder.add(Lost(person.user, link.seat.protocol, link.last_error))

    async def look(self) -> None:
        """What everybody has, and what he is shown afresh."""
        self._settled_at_s = asyncio.get_running_loop().time() + SETTLE_LIMIT_S
        # First, because a history read by modes marks all of it as read.
        for person in self.people:
            for chat in sorted(person.link.mine):
                if (own := await self._read_by_own(person, self.rooms[chat])) is not None:
                    self._recorder.add(own)
        for person in self.people:
            await self._look_of(person)

    async def _look_of(self, person: Person) -> None:
        link, add = person.link, self._recorder.add
        answer = await self._get(link, "/chat")
        shown = {item["chat"]["chat_id"]: item for item in answer["data"]}
        for chat in self.rooms.keys() & shown.keys():
            fresh, marks = await self._read(person, chat)
            add(fresh)
            for mark in marks:
                add(mark)
            await self._wait_for(person, fresh)
            add(Known(person.user, link.seat.protocol, chat, tuple(sorted(link.known.get(chat, ())))))
            add(Unread(person.user, chat, shown[chat]["unread_count"]))
        foreign = sorted(self.rooms.keys() - shown.keys())
        gone = [chat for chat in foreign if person.user in self.rooms[chat].members]
        for chat in {*gone, *self._dice.sample(foreign, min(len(foreign), FOREIGN_LOOKS))}:
            status, _ = await self._try(link, f"/chat/{chat}/messages?limit=1")
            add(Probe(person.user, "actions", chat, status == 200))

    async def _wait_for(self, person: Person, fresh: Fresh) -> None:
        """News that are on their way from another process may be late."""
        shown = {item.message_id for item in fresh.items}
        try:
            async with asyncio.timeout_at(self._settled_at_s):
                while not shown <= person.link.known.get(fresh.chat, set()):
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            return  # the checker says what is missing

    async def _read(self, person: Person, chat: int) -> tuple[Fresh, list[Readers]]:
        answer = await self._get(person.link, f"/chat/{chat}/messages")
        messages = answer["data"][::-1]
        items = tuple(_item(message["message_id"], message["message"]) for message in messages)
        marks = [
            Readers(message["message_id"], tuple(user["id"] for user in message["read_users"]))
            for message in messages[-MARKS_LOOKED_AT:]
        ]
        return Fresh(person.user, "actions", chat, items, True), marks

    async def _read_by_own(self, person: Person, room: Room) -> Fresh | None:
        """The same by the protocol that he speaks, if it has histories."""
        link = person.link
        match link.seat.protocol:
            case "modes":
                key = link.seat.new_key()
                try:
                    reply = await link.ask(link.seat.history(room, key), key)
                except LinkLostError:
                    return None
                if reply.outcome is not Outcome.DONE:
                    return None  # he was removed, and is not told yet
                items = tuple(_item(each["message_id"], each["content"]) for each in reply.packet["messages"])
            case "rooms":
                items = tuple(await self._read_rooms(link, room))
            case _:
                return None
        return Fresh(person.user, link.seat.protocol, room.id, items, False)

    async def _read_rooms(self, link: Link, room: Room) -> list[Item]:
        path = f"/http/chat_{'rooms' if room.is_private else 'groups'}/{room.id}"
        items: list[Item] = []
        query = ""
        while True:
            answer = await self._get(link, path + query)
            page = answer["data"]
            items = [*(_item(each["message_id"], each["message"]) for each in page), *items]
            if len(page) < ROOMS_PAGE_MESSAGES:
                return items
            query = f"?timestamp={page[0]['timestamp']}&before=true"

    async def _get(self, link: Link, path: str) -> Any:
        status, answer = await self._try(link, path)
        if status != 200:
            raise GroundError(f"user {link.user} is answered {status} when he looks at what is his")
        return answer

    async def _try(self, link: Link, path: str) -> tuple[int, Any]:
        """Ask, past the proxy; again where there is no answer, which may be on a busy machine."""
        try:
            async with asyncio.timeout(QUIET_LIMIT_S):
                while True:
                    with suppress(OSError, EOFError, TimeoutError):
                        status, answer = await link.http("GET", path, port=self._port)
                        if status < 500:
                            return status, answer
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise GroundError("the server does not answer when all is over") from None

    async def close(self) -> None:
        """Let go of everybody."""
        for task in (*self._lives, *self._links):
            task.cancel()
        await asyncio.gather(*self._lives, *self._links, return_exceptions=True)


def _item(message_id: int, text: str) -> Item:
    return Item(message_id, *send_of(text))
