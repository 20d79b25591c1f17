"""A client of the methods protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from people import Person

from nova_tornado.clients import protocols


async def token_of(person: Person) -> str:
    """A new token of a person."""
    return await person.new_token()


class MethodsClient(protocols.MethodsClient):
    """Checks the shape of all that comes."""

    async def receive(self) -> Any:
        """The next event; None when the socket is closed."""
        packet = await super().receive()
        assert packet is None or (packet.keys() == {"type", "data"} and isinstance(packet["data"], dict)), packet
        return packet

    async def do(self, method: str, args: Any = None, *, key: Any = None, **more: Any) -> None:
        """Send a request.

        Args:
            args: of the method.
            key: its ``event_response_key``; None leaves it out.
            more: further fields of the frame.
        """
        given = dict(args or {})
        if key is not None:
            given["event_response_key"] = key
        await self.send({"method": method, "args": given, **more})

    async def call(self, method: str, args: Any = None, *, key: Any = None, **more: Any) -> Any:
        """Send a request and return the next event."""
        await self.do(method, args, key=key, **more)
        return await self.receive()

    async def expect(self, *types: str) -> list[Any]:
        """The data of the next events, which must be of these types, in this order."""
        packets = [await self.receive() for _ in types]
        assert [packet and packet["type"] for packet in packets] == list(types), packets
        return [packet["data"] for packet in packets]

    async def expect_error(self, error_type: str, key: Any = None) -> dict[str, Any]:
        """The data of the next event, which must be a refusal of that type with that key."""
        packet = await self.receive()
        assert packet is not None and packet["type"] == "error", packet
        data: dict[str, Any] = packet["data"]
        more = {"chat_id"} if error_type == "chat_duplication_error" else set()
        assert data.keys() == {"type", "detail", "event_response_key"} | more, data
        assert data["type"] == error_type and data["event_response_key"] == key, data
        assert isinstance(data["detail"], str) and data["detail"], data
        return data

    async def refused(self, error_type: str, method: str, args: Any = None, *, key: Any = None, **more: Any) -> Any:
        """Send a request that must be refused so; the refusal's data."""
        await self.do(method, args, key=key, **more)
        return await self.expect_error(error_type, key)

    @classmethod
    async def stranger(cls, person: Person, headers: Mapping[str, str] | None = None) -> Self:
        """A channel of a person that is not authorised; it is closed with the person's other sockets."""
        client = cls(person.port, None)
        await client.open(headers)
        person.keep(client)
        return client
