"""A client of the opcodes protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from clients.base import ProtocolClient
from people import Person

BARRIER_T = 10**9
"""No operation has this ``t``."""


class OpcodesClient(ProtocolClient):
    """Speaks at /ws/opcodes/.

    Attributes:
        lists: the ``d`` of the 1/1 that came first.
        online: the user ids of each 2/1 up to now; they come at any time and are taken off by ``receive``.
    """

    path = "/ws/opcodes/"

    def __init__(self, port: int, token: str | None) -> None:
        super().__init__(port, token)
        self.lists: dict[str, list[int]] = {}
        self.online: list[list[int]] = []

    @classmethod
    async def of(cls, person: Person) -> Self:
        """A connection of a person, with a token of its own; it ends with the test."""
        token = (await person.post("/user/token", {"user_name": person.name, "password": person.password})).data[
            "token"
        ]
        client = await cls.connect(person.port, token)
        person._sockets.append(client)
        return client

    async def open(self, headers: Mapping[str, str] | None = None) -> None:
        """Shake hands, with the token in the header."""
        authorization = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        await super().open({**authorization, **(headers or {})})

    async def sign_in(self) -> None:
        """Take off what comes first."""
        first, second = await self.receive_any(), await self.receive_any()
        assert (first["op"], first["t"], second["op"], second["t"]) == (1, 1, 2, 1), (first, second)
        self.lists = first["d"]
        self.online.append(second["d"]["user_ids"])

    async def receive_any(self) -> Any:
        """The next packet, who is online included."""
        packet = await super().receive()
        assert packet is None or (packet.keys() == {"op", "t", "d"} and isinstance(packet["d"], dict)), packet
        return packet

    async def receive(self) -> Any:
        """The next packet but 2/1; None when the socket is closed."""
        while (packet := await self.receive_any()) is not None and (packet["op"], packet["t"]) == (2, 1):
            self.online.append(packet["d"]["user_ids"])
        return packet

    async def expect_online(self, *user_ids: int) -> None:
        """Sooner or later exactly these are said to be online; nothing else comes before that."""
        while self.online[-1] != sorted(user_ids):
            packet = await self.receive_any()
            assert packet is not None and (packet["op"], packet["t"]) == (2, 1), packet
            self.online.append(packet["d"]["user_ids"])

    def barrier(self) -> Any:
        """A request that is refused."""
        return {"op": 11, "t": BARRIER_T}

    def is_barrier(self, packet: Any) -> bool:
        """Whether it is the refusal of ``barrier``."""
        return packet is not None and (packet["op"], packet["t"]) == (12, BARRIER_T)

    async def call(self, op: int, t: int, **d: Any) -> Any:
        """Carry out an operation; the ``d`` of its success, without ``status``."""
        packet = await self.request({"op": op, "t": t, "d": d})
        assert packet is not None and (packet["op"], packet["t"]) == (op + 1, t), packet
        assert packet["d"].pop("status", None) == "success", packet
        return packet["d"]

    async def refused(self, op: int, t: int, **d: Any) -> str:
        """Try an operation that must be refused; the refusal's text."""
        return await self.refused_frame({"op": op, "t": t, "d": d}, op + 1, t)

    async def refused_frame(self, frame: Any, op: int = 0, t: int = 0) -> str:
        """Send a frame that must be refused with that ``op`` and ``t``."""
        packet = await self.request(frame)
        assert packet is not None and (packet["op"], packet["t"]) == (op, t), packet
        assert packet["d"].keys() == {"status", "message"} and packet["d"]["status"] == "error", packet
        assert isinstance(packet["d"]["message"], str) and packet["d"]["message"]
        return packet["d"]["message"]

    async def expect(self, op: int, t: int, **d: Any) -> None:
        """The next packet is an event with exactly these fields."""
        packet = await self.receive()
        assert packet == {"op": op, "t": t, "d": d}, packet

    async def expect_nothing(self) -> None:
        """Nothing else came up to now."""
        assert (packets := await self.drain()) == [], packets
