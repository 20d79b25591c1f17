"""Plain broadcast servers: no accounts, nothing stored. They are limits, not chat servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.harness.client import Connection
from benchmarks.harness.peer import Peer
from benchmarks.harness.processes import RUN, WORK, ServerError, free_port
from benchmarks.harness.wire import masked_frame, websocket_connect

SERVERS = Path(__file__).resolve().parent.parent / "servers"
VARIANTS = ("c-send", "c-tick", "tornado-naive", "tornado-frame", "tornado-sock", "tornado-tick", "node-ws")
NODE_PACKAGE = "ws@8"
NPM_LIMIT_S = 120


class Baseline(Peer):
    """`baseline:VARIANT`; a Tornado variant may end with `+uvloop`."""

    works = frozenset({"fanout", "idle"})

    def __init__(self, variant: str) -> None:
        super().__init__(f"baseline:{variant}")
        if variant.removesuffix("+uvloop") not in VARIANTS:
            raise ValueError(f"no baseline {variant!r}: {', '.join(VARIANTS)}")
        self._kind, _, self._mode = variant.partition("-")

    def start(self) -> None:
        """Compile it if it is C, get its package if it is Node's, and start it."""
        self._port = free_port()
        command: list[object]
        environ: dict[str, str] = {}
        if self._kind == "c":
            binary = RUN / "broadcast"
            subprocess.run(["gcc", "-O2", "-o", binary, SERVERS / "broadcast.c"], check=True)
            command = [binary]
        elif self._kind == "node":
            environ = _node_environ()
            command = ["node", SERVERS / "node_broadcast.cjs"]
        else:
            command = [sys.executable, SERVERS / "tornado_broadcast.py"]
        log_name = self.name.replace(":", "-")
        process = self.servers.spawn([*command, self._port, self._mode], log_name, environ=environ)
        self.roots = [process.pid]
        self.servers.wait_for_port(self._port)

    def connect(self, index: int) -> Connection:
        """A member; there is nothing to sign in to."""
        return Connection(websocket_connect(self._port, "/ws"), index)

    def group_message(self, body: bytes) -> bytes:
        """The server sends back to all what it gets."""
        return masked_frame(b'{"action":"new_message","data":"' + body + b'"}')


def _node_environ() -> dict[str, str]:
    """What lets Node find the package ws: nothing where it does so by itself, else a folder of ours in BENCH_WORK.

    Raises:
        ServerError: there is no Node, or the package cannot be had.
    """
    if not shutil.which("node"):
        raise ServerError("there is no node on PATH (Debian: apt-get install nodejs npm)")
    found = subprocess.run(["node", "-e", "require.resolve('ws')"], cwd=SERVERS, capture_output=True, check=False)
    if found.returncode == 0:
        return {}
    folder = WORK / "node"
    if not (folder / "node_modules" / "ws").exists():
        npm = shutil.which("npm")
        if not npm:
            raise ServerError("Node has no package ws and there is no npm: name a folder that holds it in NODE_PATH")
        command = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", NODE_PACKAGE]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=NPM_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            raise ServerError(f"npm install {NODE_PACKAGE}: not done after {NPM_LIMIT_S} s") from None
        if done.returncode:
            raise ServerError(f"npm install {NODE_PACKAGE} failed: {' '.join(done.stderr.split())[:300]}")
    return {
        "NODE_PATH": os.pathsep.join(filter(None, (os.fspath(folder / "node_modules"), os.environ.get("NODE_PATH"))))
    }
