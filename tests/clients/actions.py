"""A client of the actions protocol."""

from __future__ import annotations

from typing import Any

from nova_tornado.clients import protocols


class ActionsClient(protocols.ActionsClient):
    """Says what is asked for in one line."""

    async def act(self, action: str, data: Any = None) -> None:
        """Send a packet."""
        await self.send({"action": action, "data": data})
