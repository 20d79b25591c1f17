"""A client of the opcodes protocol."""

from __future__ import annotations

from typing import Any

from nova_tornado.clients import protocols


class OpcodesClient(protocols.OpcodesClient):
    """Carries out operations in one line."""

    async def expect_online(self, *user_ids: int) -> None:
        """Sooner or later exactly these are said to be online; nothing else comes before that."""
        while self.online[-1] != sorted(user_ids):
            packet = await self.receive_any()
            assert packet is not None and (packet["op"], packet["t"]) == (2, 1), packet
            self.online.append(packet["d"]["user_ids"])

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
