"""The links between the people and the server, which can be broken: a TCP proxy on a port of its own."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

CHUNK_BYTES = 65_536
LINGER_NOT = struct.pack("ii", 1, 0)
"""Closing a socket with this option sends a reset. Source: man 7 socket, SO_LINGER."""


class Wire:
    """One connection through the proxy.

    Attributes:
        delay_s: before each piece is passed on, in both directions.
        may_go, may_come: whether anything is passed on to the server, and back from it.
    """

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.delay_s = 0.0
        self.may_go = asyncio.Event()
        self.may_come = asyncio.Event()
        self.may_go.set()
        self.may_come.set()
        self._ends = (near, far)

    def reset(self) -> None:
        """Break it: both ends get a reset, and what was held back is passed on to nobody."""
        self.may_go.set()
        self.may_come.set()
        for end in self._ends:
            if (sock := end.get_extra_info("socket")) is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            end.transport.abort()


class Proxy:
    """Passes connections on to the servers, in turns.

    Attributes:
        port: where it listens on 127.0.0.1.
        delay_s: of connections to come.
    """

    def __init__(self, target_ports: Sequence[int]) -> None:
        self.port = 0
        self.delay_s = 0.0
        self._targets = itertools.cycle(target_ports)
        self._wires: set[Wire] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Break all, and listen no more."""
        if self._server is None:
            return
        self._server.close()
        for wire in list(self._wires):
            wire.reset()
        await self._server.wait_closed()

    def some(self, share: float, dice: random.Random) -> Sequence[Wire]:
        """A share of the connections that there are, at least one."""
        wires = list(self._wires)
        return dice.sample(wires, min(len(wires), max(1, round(share * len(wires)))))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", next(self._targets))
        except OSError:
            writer.transport.abort()
            return
        wire = Wire(writer, far_writer)
        wire.delay_s = self.delay_s
        self._wires.add(wire)
        pumps = [
            asyncio.create_task(self._pump(wire, wire.may_go, reader, far_writer)),
            asyncio.create_task(self._pump(wire, wire.may_come, far_reader, writer)),
        ]
        try:
            await asyncio.gather(*pumps)
        except (OSError, asyncio.CancelledError):
            pass  # broken at one end, and so at the other
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._wires.discard(wire)
            writer.close()
            far_writer.close()

    @staticmethod
    async def _pump(
        wire: Wire, may_pass: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if wire.delay_s:
                await asyncio.sleep(wire.delay_s)
            await may_pass.wait()
            writer.write(chunk)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()
