"""A group with rules, and people who write to it by the native protocol."""

from __future__ import annotations

from typing import Any

from people import Person, Socket

WORDS = {"name": "Swearing", "kind": "words", "words": ["darn", "son of a gun"], "action": "refuse"}
MASK = {**WORDS, "action": "mask"}
HOLD = {**WORDS, "action": "hold"}
MUTE = {**WORDS, "action": "mute", "mute_s": 600}
RATE = {"name": "Slowly", "kind": "rate", "messages": 2, "window_s": 60, "action": "refuse"}
REPEAT = {"name": "Once", "kind": "repeat", "window_s": 60, "action": "refuse"}
LINKS = {"name": "No links", "kind": "links", "allowed_domains": ["example.org"], "action": "refuse"}
PATTERN = {"name": "Cards", "kind": "pattern", "pattern": r"\b(?:\d{4} ?){3}\d{4}\b", "action": "mask"}


class Refused(str):
    """What a sender is told instead."""


class Group:
    """A group of alice (owner), bob (admin), carol and dave (members)."""

    async def open(self, people: Any) -> Group:
        names = ("alice", "bob", "carol", "dave")
        self.all = [await people(name) for name in names]
        self.alice, self.bob, self.carol, self.dave = self.all
        for person in self.all[1:]:
            await self.alice.befriend(person)
        self.id = await self.alice.new_group(*self.all[1:])
        assert (await self.alice.post(f"/chat/{self.id}/{self.bob.id}/admin", True)).data is None
        self.sockets: dict[Person, Socket] = {person: await person.socket() for person in self.all}
        self._number = 0
        return self

    @property
    def path(self) -> str:
        return f"/chat/{self.id}"

    async def rule(self, rule: dict[str, Any], **more: Any) -> int:
        """Make a rule; its id."""
        return (await self.alice.post(f"{self.path}/rules", {**rule, **more})).data["rule_id"]

    async def packets(self, person: Person) -> list[Any]:
        """All that came to a person up to now."""
        self._number += 1
        socket = self.sockets[person]
        await socket.send("ping", request_id=self._number)
        found = []
        while (packet := await socket.receive())["action"] != "pong":
            found.append(packet)
        return found

    async def news(self, person: Person, *actions: str) -> list[Any]:
        """The data of all packets of these kinds that came to a person up to now."""
        return [each["data"] for each in await self.packets(person) if each["action"] in actions]

    async def ask(self, person: Person, action: str, data: Any) -> list[Any] | Refused:
        """Send a packet; all that came up to its end, or the refusal."""
        await self.packets(person)
        await self.sockets[person].send(action, data)
        packets = await self.packets(person)
        errors = [packet["error"] for packet in packets if packet["action"] == "error"]
        return Refused(errors[0]) if errors else packets

    async def say(self, person: Person, text: str, chat_id: int | None = None, **more: Any) -> str:
        """Send a message; its text as it is stored, or the refusal."""
        answer = await self.ask(person, "send_message", {"chat_id": chat_id or self.id, "content": text, **more})
        if isinstance(answer, Refused):
            return answer
        [message] = [packet["data"]["message"] for packet in answer if packet["action"] == "new_message"]
        self.last_id = message["message_id"]
        return message["message"]

    async def edit(self, person: Person, message_id: int, text: str) -> str:
        """Edit a message; its text as it is stored, or the refusal."""
        answer = await self.ask(person, "edit_message", {"message_id": message_id, "content": text})
        if isinstance(answer, Refused):
            return answer
        [message] = [packet["data"]["message"] for packet in answer if packet["action"] == "message_edited"]
        return message["message"]

    async def texts(self) -> list[str]:
        """What people have said, oldest first."""
        history = (await self.alice.get(f"{self.path}/messages")).data
        return [each["message"] for each in history if each["sender"]["user_name"] != "#SYSTEM"][::-1]

    async def held(self, person: Person | None = None) -> list[Any]:
        """What waits."""
        return (await (person or self.alice).get(f"{self.path}/held")).data
