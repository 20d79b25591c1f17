"""Plain broadcast servers: no accounts, nothing stored. They are limits, not chat servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.harness.client import Connection
from benchmarks.harness.peer import Peer
from benchmarks.harness.processes import RUN, free_port
from benchmarks.harness.wire import masked_frame, websocket_connect

SERVERS = Path(__file__).resolve().parent.parent / "servers"
VARIANTS = ("c-send", "c-tick", "tornado-naive", "tornado-frame", "tornado-sock", "tornado-tick")


class Baseline(Peer):
    """`baseline:VARIANT`; a Tornado variant may end with `+uvloop`."""

    works = frozenset({"fanout", "idle"})

    def __init__(self, variant: str) -> None:
        super().__init__(f"baseline:{variant}")
        if variant.removesuffix("+uvloop") not in VARIANTS:
            raise ValueError(f"no baseline {variant!r}: {', '.join(VARIANTS)}")
        self._kind, _, self._mode = variant.partition("-")

    def start(self) -> None:
        """Compile it if it is C, and start it."""
        self._port = free_port()
        command: list[object]
        if self._kind == "c":
            binary = RUN / "broadcast"
            subprocess.run(["gcc", "-O2", "-o", binary, SERVERS / "broadcast.c"], check=True)
            command = [binary]
        else:
            command = [sys.executable, SERVERS / "tornado_broadcast.py"]
        process = self.servers.spawn([*command, self._port, self._mode], self.name.replace(":", "-"))
        self.roots = [process.pid]
        self.servers.wait_for_port(self._port)

    def connect(self, index: int) -> Connection:
        """A member; there is nothing to sign in to."""
        return Connection(websocket_connect(self._port, "/ws"), index)

    def group_message(self, body: bytes) -> bytes:
        """The server sends back to all what it gets."""
        return masked_frame(b'{"action":"new_message","data":"' + body + b'"}')
