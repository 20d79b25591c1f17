"""What the tests' clients of all protocols share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from nova_tornado.testing.clients import JsonClient


class ProtocolClient(JsonClient):
    """A client of one protocol.

    A protocol's client says where its socket is (``path``), how it signs in (``sign_in``), and by which request it
    finds out that nothing else is coming (``barrier``).
    """

    path: ClassVar[str]  # type: ignore[misc]

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
        packets = []
        while not self.is_barrier(packet := await self.receive()):
            assert packet is not None, f"closed with {self.connection.close_code} after {packets}"
            packets.append(packet)
        return packets
