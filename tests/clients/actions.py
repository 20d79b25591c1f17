"""A client of the actions protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clients.base import ProtocolClient


class ActionsClient(ProtocolClient):
    """Signs in with its token at the handshake."""

    path = "/ws/"
    _barriers = 10**9

    async def open(self, headers: Mapping[str, str] | None = None) -> None:
        """Shake hands."""
        token = {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}
        await super().open({**token, **(headers or {})})

    def barrier(self) -> Any:
        """A ping with a number that no test uses."""
        self._barriers += 1
        return {"action": "ping", "request_id": self._barriers}

    def is_barrier(self, packet: Any) -> bool:
        """Whether it is the answer to the last ``barrier``."""
        return packet is not None and packet["request_id"] == self._barriers

    async def act(self, action: str, data: Any = None) -> None:
        """Send a packet."""
        await self.send({"action": action, "data": data})
