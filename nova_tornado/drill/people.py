"""What the people of a drill do, each by his protocol: send, edit, recall, read, take in and remove, try doors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import TypeAlias

from nova_tornado.drill.history import Answer, Call, Outcome, Probe, Recorder, What, newest, seq_of, text_of
from nova_tornado.drill.link import Link, LinkLostError
from nova_tornado.drill.seats import Packets, Reply, Room

AGAIN_S = 0.1
"""Before something is asked again that has no answer yet."""
OWN_KEPT = 20
"""How many of his newest messages somebody remembers, to edit and recall them."""
WEIGHTS = {"send": 70, "repeat": 6, "edit": 6, "recall": 4, "read": 8, "members": 4, "probe": 2}
"""How often somebody does what, where his protocol can."""

Asked: TypeAlias = Callable[[int], Packets]
"""Makes the packets of a request from its key."""


class Person:
    """Somebody with a connection.

    Args:
        link: his connection, which is kept elsewhere.
        rooms: all chats.
        dice: what he does.
        recorder: is told of all calls and answers.
        pause_s: how long he waits between two things on average.
    """

    def __init__(
        self, link: Link, rooms: Mapping[int, Room], dice: random.Random, recorder: Recorder, pause_s: float
    ) -> None:
        self.link = link
        self.owned: dict[int, set[int]] = {}
        self._rooms = rooms
        self._dice = dice
        self._recorder = recorder
        self._pause_s = pause_s
        self._sent: list[tuple[str, int, int]] = []
        self._count = 0
        self._versions: dict[str, int] = {}

    @property
    def user(self) -> int:
        """Who he is."""
        return self.link.user

    async def live(self, is_over: asyncio.Event) -> None:
        """Do one thing after the other; what is begun is brought to its end."""
        while not is_over.is_set():
            await self.link.is_ready.wait()
            kinds = [kind for kind in WEIGHTS if self._can(kind)]
            if kinds:
                [kind] = self._dice.choices(kinds, [WEIGHTS[kind] for kind in kinds])
                await getattr(self, f"_{kind}")()
            await asyncio.sleep(self._dice.expovariate(1 / self._pause_s))

    def _can(self, kind: str) -> bool:
        match kind:
            case "send" | "read":
                return bool(self.link.mine) and (kind == "send" or self.link.seat.protocol != "opcodes")
            case "edit" | "recall":
                return bool(self._sent) and self.link.seat.can_edit
            case "repeat":
                return bool(self._sent)
            case "members":
                return bool(self.owned)
        return True

    def _room(self) -> Room:
        return self._rooms[self._dice.choice(sorted(self.link.mine))]

    # One thing each

    async def _send(self) -> None:
        self._count += 1
        await self.say(self._room(), f"d{self.user}-{self._count}")

    async def say(self, room: Room, client_id: str) -> Reply:
        """Send a message, until there is a final answer."""
        seat = self.link.seat
        reply = await self._ask(
            What.SEND,
            room,
            client_id,
            client_id=client_id,
            packets=lambda key: seat.send(room, text_of(client_id), client_id, key),
        )
        if reply.outcome is Outcome.DONE:
            self._sent = [*self._sent[-OWN_KEPT:], (client_id, reply.message_id, room.id)]
        elif reply.outcome is Outcome.REFUSED:
            self.link.forget(room.id)  # he was removed, and is told when he is taken in again
        return reply

    async def _repeat(self) -> None:
        """Send something again whose answer is there: nothing may come of it."""
        client_id, _, chat = self._dice.choice(self._sent)
        if chat in self.link.mine:
            room, seat = self._rooms[chat], self.link.seat
            await self._ask(
                What.SEND,
                room,
                client_id,
                client_id=client_id,
                packets=lambda key: seat.send(room, text_of(client_id), client_id, key),
                is_repeat=True,
            )

    async def _edit(self) -> None:
        client_id, message_id, chat = self._dice.choice(self._sent)
        version = self._versions[client_id] = self._versions.get(client_id, 0) + 1
        room, seat = self._rooms[chat], self.link.seat
        text = text_of(client_id, version)
        await self._ask(
            What.EDIT,
            room,
            f"{client_id}/{version}",
            client_id=client_id,
            version=version,
            packets=lambda key: seat.edit(room, message_id, text, key),
        )

    async def _recall(self) -> None:
        own = self._dice.choice(self._sent)
        self._sent.remove(own)
        client_id, message_id, chat = own
        room, seat = self._rooms[chat], self.link.seat
        await self._ask(
            What.RECALL,
            room,
            f"{client_id}/recall",
            client_id=client_id,
            packets=lambda key: seat.recall(room, message_id, key),
        )

    async def _read(self) -> None:
        room = self._room()
        if self.link.seat.protocol == "rooms":
            await self._read_by_http(room)
            return
        self._count += 1
        seq = seq_of(newest(self.link.known.get(room.id, ())))
        packets = self.link.seat.read
        await self._ask(What.READ, room, f"r{self.user}-{self._count}", seq=seq, packets=lambda key: packets(room, key))

    async def _read_by_http(self, room: Room) -> None:
        if not room.is_private:
            return
        try:
            await self.link.http("PUT", "/http/notifications", {"chat_room_id": room.id})
        except Exception:  # whatever breaks while servers die
            self.link.drop()

    async def _members(self) -> None:
        """Remove somebody from an own group, or take him in again."""
        chat = self._dice.choice(sorted(self.owned))
        room, outside = self._rooms[chat], self.owned[chat]
        user = self._dice.choice([member for member in room.members if member != self.user])
        is_coming = user in outside
        self._count += 1
        seat = self.link.seat
        reply = await self._ask(
            What.MEMBERS,
            room,
            f"m{self.user}-{self._count}",
            packets=lambda key: seat.change_members(room, user, is_coming, key),
        )
        # Refused: an attempt without an answer had done it.
        if reply.outcome is not Outcome.UNKNOWN:
            (outside.discard if is_coming else outside.add)(user)

    async def _probe(self) -> None:
        """Try to read, and to write in, a chat that never was his."""
        foreign = [room for room in self._rooms.values() if self.user not in room.members]
        if not foreign:
            return
        room, seat = self._dice.choice(foreign), self.link.seat
        try:
            status, _ = await self.link.http("GET", f"/chat/{room.id}/messages?limit=1")
            self._recorder.add(Probe(self.user, "actions", room.id, status == 200))
            if not (room.is_private and seat.protocol == "rooms"):  # which names the other one, and not the chat
                key = seat.new_key()
                reply = await self.link.ask(seat.send(room, "let me in", f"p{self.user}", key), key)
                self._recorder.add(Probe(self.user, seat.protocol, room.id, reply.outcome is Outcome.DONE))
        except Exception:  # likewise
            self.link.drop()

    # Asking until there is an answer

    async def _ask(
        self,
        what: What,
        room: Room,
        call: str,
        *,
        packets: Asked,
        client_id: str = "",
        version: int = 0,
        seq: int = 0,
        is_repeat: bool = False,
    ) -> Reply:
        seat, recorder = self.link.seat, self._recorder
        while True:
            await self.link.is_ready.wait()
            key = seat.new_key()
            recorder.add(Call(recorder.now_s(), call, self.user, seat.protocol, what, room.id, client_id, version, seq))
            try:
                reply = await self.link.ask(packets(key), key, client_id, is_repeat=is_repeat)
            except LinkLostError:
                reply = Reply(key, Outcome.UNKNOWN, reason="no answer")
            if reply.outcome is Outcome.ODD and (is_repeat or what is not What.SEND):
                # What an attempt without an answer has done already is refused, and so is what others have undone.
                reply = reply._replace(outcome=Outcome.REFUSED)
            recorder.add(Answer(recorder.now_s(), call, self.user, reply.outcome, reply.message_id, reply.reason))
            if reply.outcome is not Outcome.UNKNOWN:
                return reply
            is_repeat = True
            await asyncio.sleep(AGAIN_S)
