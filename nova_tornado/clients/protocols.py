"""Clients of the five protocols that come with Nova, each with its protocol's own sign-in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from nova_tornado.clients.sockets import JsonClient

if TYPE_CHECKING:
    from nova_tornado.testing.people import Person

FIRST_UNUSED_NUMBER = 10**9
"""Requests of tests have smaller numbers."""
NO_OPERATION_T = 10**9
"""No operation of opcodes has this ``t``."""


class ProtocolClient(JsonClient):
    """A client of one protocol.

    A protocol's client says where its socket is (``path``), how it signs in (``sign_in``), and by which request it
    finds out that nothing else is coming (``barrier``).

    Attributes:
        token: what it signs in with; None for nobody's.
    """

    path: str

    def __init__(self, port: int, token: str | None) -> None:
        super().__init__(port, self.path)
        self.token = token

    @classmethod
    async def connect(cls, port: int, token: str | None, *, headers: Mapping[str, str] | None = None) -> Self:
        """A client that is signed in with a token (or not at all, with None) and is told of everything from now on."""
        client = cls(port, token)
        await client.open(headers)
        if token is not None:
            await client.sign_in()
        return client

    @classmethod
    async def of(cls, person: Person) -> Self:
        """A client that is signed in with a new token of a person; it is closed with the person's other sockets."""
        client = cls(person.port, await person.new_token())
        await client.open()
        person.keep(client)
        await client.sign_in()
        return client

    async def sign_in(self) -> None:
        """Authenticate with ``token``; answers are taken off."""

    def barrier(self) -> Any:
        """A request that changes nothing and is answered with a packet for which ``is_barrier`` holds."""
        raise NotImplementedError

    def is_barrier(self, packet: Any) -> bool:
        """Whether a packet is the answer to ``barrier``."""
        raise NotImplementedError

    async def drain(self) -> list[Any]:
        """All that came up to now."""
        await self.send(self.barrier())
        packets: list[Any] = []
        while not self.is_barrier(packet := await self.receive()):
            assert packet is not None, f"closed with {self.connection.close_code} after {packets}"
            packets.append(packet)
        return packets


class BearerClient(ProtocolClient):
    """A client of a protocol that wants the token at the handshake."""

    async def open(self, headers: Mapping[str, str] | None = None) -> None:
        """Shake hands, with the token in the header."""
        authorization = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        await super().open({**authorization, **(headers or {})})


class ActionsClient(BearerClient):
    """Speaks the actions protocol."""

    path = "/ws/"
    _barriers = FIRST_UNUSED_NUMBER

    def barrier(self) -> Any:
        """A ping with a number that no test uses."""
        self._barriers += 1
        return {"action": "ping", "request_id": self._barriers}

    def is_barrier(self, packet: Any) -> bool:
        """Whether it is the answer to the last ``barrier``."""
        return packet is not None and bool(packet["request_id"] == self._barriers)


class MethodsClient(ProtocolClient):
    """Speaks the methods protocol; authorises its channel with ``auth``."""

    path = "/ws/chat/"
    _barriers = 0

    async def sign_in(self) -> None:
        """Authorise the channel."""
        frame = {"method": "auth", "args": {"event_response_key": "sign in"}, "access_token": self.token}
        packet = await self.request(frame)
        assert packet == {"type": "authenticated", "data": {"event_response_key": "sign in"}}, packet

    def barrier(self) -> Any:
        """``auth`` once more, with a key that no test uses; needs an authorised channel."""
        self._barriers += 1
        return {"method": "auth", "args": {"event_response_key": ["barrier", self._barriers]}}

    def is_barrier(self, packet: Any) -> bool:
        """Whether it is the answer to the last ``barrier``."""
        key = ["barrier", self._barriers]
        return bool(packet == {"type": "authenticated", "data": {"event_response_key": key}})


class ModesClient(ProtocolClient):
    """Speaks the modes protocol, where every request carries ``token``; signing in is subscribing."""

    path = "/ws/modes/"

    async def sign_in(self) -> None:
        """Subscribe."""
        packet = await self.request({"mode": "subscribe", "timestamp": time.time(), "token": self.token})
        assert packet is not None and packet.keys() == {"mode", "timestamp", "status"}, packet
        assert (packet["mode"], packet["status"]) == ("subscribe", "200"), packet

    def barrier(self) -> Any:
        """A check of the connection, which tests make in no other way."""
        return {"mode": "checkConnection", "timestamp": "barrier"}

    def is_barrier(self, packet: Any) -> bool:
        """Whether it is the answer to ``barrier``."""
        return packet is not None and bool(packet["mode"] == "checkConnection")


class RoomsClient(ProtocolClient):
    """Speaks the rooms protocol; signs in with its token in the first frame.

    ``user_activity``, which tells who comes and goes, may come at any time.

    Attributes:
        user_id: of whom the server has taken it for.
    """

    path = "/socket"
    user_id = 0
    _barriers = 0

    async def sign_in(self) -> None:
        """Send the token."""
        packet = await self.request({"token": self.token})
        assert packet is not None and packet["type"] == "init", packet
        self.user_id = packet["user_id"]

    def barrier(self) -> Any:
        """A frame of a type that there is not."""
        self._barriers += 1
        return {"chat_type": f"barrier {self._barriers}"}

    def is_barrier(self, packet: Any) -> bool:
        """Whether it is the answer to the last ``barrier``."""
        return bool(packet and packet["type"] == "error" and packet["chat_type"] == f"barrier {self._barriers}")


class OpcodesClient(BearerClient):
    """Speaks the opcodes protocol.

    Attributes:
        lists: the ``d`` of the 1/1 that came first.
        online: the user ids of each 2/1 up to now; they come at any time and are taken off by ``receive``.
    """

    path = "/ws/opcodes/"

    def __init__(self, port: int, token: str | None) -> None:
        super().__init__(port, token)
        self.lists: dict[str, list[int]] = {}
        self.online: list[list[int]] = []

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

    def barrier(self) -> Any:
        """A request that is refused."""
        return {"op": 11, "t": NO_OPERATION_T}

    def is_barrier(self, packet: Any) -> bool:
        """Whether it is the refusal of ``barrier``."""
        return packet is not None and (packet["op"], packet["t"]) == (12, NO_OPERATION_T)


CLIENTS: Mapping[str, type[ProtocolClient]] = {
    "actions": ActionsClient,
    "methods": MethodsClient,
    "modes": ModesClient,
    "rooms": RoomsClient,
    "opcodes": OpcodesClient,
}
"""By the name of the protocol."""
