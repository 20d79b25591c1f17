"""What a drill breaks: a real `nova serve`, with the embedded database or with a set of three, all of it its own."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from nova_tornado.clients.http import exchange
from nova_tornado.settings import TEST_VARIABLES
from nova_tornado.storage import embedded_child
from nova_tornado.storage.embedded import EmbeddedMongo

LAUNCHER = (sys.executable, "-c", "from nova_tornado.cli import main; main()")
"""How Nova is started, whatever is on PATH."""
READY_LIMIT_S = 120.0
"""A start takes a second or two; a machine that is busy with other things may need far more."""
STOP_LIMIT_S = 20.0
PORTS = (20_000, 32_000)
"""Below those that the system gives to outgoing connections."""
_READY = re.compile(rb"Nova is ready on (\S+)\s*")


class GroundError(Exception):
    """The drill cannot go on; `str()` is one clear line."""


class GoneError(Exception):
    """A process is not there just now: another fault has ended it."""


class DatabaseGround(Protocol):
    """The database under the server."""

    @property
    def uri(self) -> str:
        """Where it is."""

    async def open(self) -> None:
        """Start what does not come with the server."""

    async def close(self) -> None:
        """End it."""

    def pid(self) -> int:
        """The mongod that takes the writes."""

    async def kill(self) -> str:
        """kill -9 that mongod, and see to it that it comes back; says what was done."""


class Server:
    """A `nova serve` that is started again whenever it ends, as a supervisor would.

    Args:
        folder: for its data and its log.
        flags: of its command line, besides port and data.
        launcher: how Nova is started.
        environ: further variables.

    Attributes:
        port: always the same one.
        ends: what was wrong each time it ended without being asked to.
        may_end: whether it may, because of what is done to it.
    """

    def __init__(self, folder: Path, flags: Sequence[str], launcher: Sequence[str], environ: Mapping[str, str]) -> None:
        self.port = free_port()
        self.folder = folder
        self.data = folder / "nova-data"
        self.log = folder / "server.log"
        self.ends: list[str] = []
        self._flags = flags
        self._launcher = launcher
        self._environ = {**clean_environ(os.environ), **environ}
        self.may_end = False
        self._process: asyncio.subprocess.Process | None = None
        self._is_up = asyncio.Event()
        self._is_expected_to_end = False
        self._losses_at_s: list[float] = []
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The server's process.

        Raises:
            GoneError: there is none just now.
        """
        if self._process is None or self._process.returncode is not None:
            raise GoneError("the server")
        return self._process.pid

    async def open(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            GroundError: it does not.
        """
        self._keeper = asyncio.create_task(self._keep(), name="server keeper")
        waiting = asyncio.create_task(self._is_up.wait())
        done, _ = await asyncio.wait(
            {self._keeper, waiting}, timeout=READY_LIMIT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if waiting not in done:
            waiting.cancel()
            raise GroundError(f"the server does not start; see {self.log}")

    async def _keep(self) -> None:
        while True:
            await self._start()
            assert self._process is not None
            code = await self._process.wait()
            self._is_up.clear()
            if not self._is_expected_to_end and not self.may_end:
                self.ends.append(f"the server ended by itself with {code}")
            self._is_expected_to_end = False

    async def _start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tied_to_this_process(),
                *self._launcher,
                *("serve", "--port", str(self.port), "--data", str(self.data)),
                *("--bcrypt-rounds", "4", "--rate-limits", "off"),
                *self._flags,
                cwd=self.folder,
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        if _READY.fullmatch(await self._process.stdout.readline()):
            self._is_up.set()

    def workers(self) -> list[int]:
        """The processes that serve, where there are several.

        Raises:
            GoneError: the server is not running just now.
        """
        return [child for child in children_of(self.pid) if name_of(child).startswith("nova worker")]

    def may_lose_worker(self) -> bool:
        """Whether it bears another death of a worker; which then counts."""
        from nova_tornado.supervisor import DEATHS_MAX_COUNT, DEATHS_WINDOW_S

        now_s = time.monotonic()
        self._losses_at_s = [at_s for at_s in self._losses_at_s if now_s - at_s < DEATHS_WINDOW_S + 1]
        if len(self._losses_at_s) >= DEATHS_MAX_COUNT - 1:
            return False
        self._losses_at_s.append(now_s)
        return True

    async def wait_up(self) -> None:
        """Wait until the process that runs now has said that it serves.

        Raises:
            TimeoutError: it takes too long.
        """
        async with asyncio.timeout(READY_LIMIT_S):
            await self._is_up.wait()

    def kill(self) -> None:
        """kill -9; it is started again."""
        pid = self.pid
        self._is_expected_to_end = True
        self._is_up.clear()
        os.kill(pid, signal.SIGKILL)

    async def close(self) -> None:
        """End it, cleanly if it can."""
        if self._keeper is None:
            return
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            resume(*children_of(self._process.pid), self._process.pid)
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_LIMIT_S)
            except TimeoutError:
                kill(*children_of(self._process.pid), self._process.pid)
                await self._process.wait()

    def resident_bytes(self) -> int:
        """How much memory it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class EmbeddedGround:
    """The mongod that the server starts."""

    flags: Sequence[str] = ()

    def __init__(self, server: Server) -> None:
        self._server = server
        self._kills_at_s: list[float] = []

    @property
    def uri(self) -> str:
        """Of a server that is up."""
        mongo = EmbeddedMongo(self._server.data)
        mongo.attach()
        return mongo.uri

    async def open(self) -> None:
        """Nothing: it comes with the server."""

    async def close(self) -> None:
        """Nothing: it goes with the server."""

    def pid(self) -> int:
        """The server's child that is a mongod.

        Raises:
            GoneError: there is none just now.
        """
        for child in children_of(self._server.pid):
            if name_of(child) == "mongod":
                return child
        raise GoneError("the embedded mongod")

    def note_restarts(self) -> None:
        """The server may have started it again as often as it will just now."""
        from nova_tornado.mongod_watch import RESTART_LIMIT

        self._kills_at_s = [time.monotonic()] * RESTART_LIMIT

    async def kill(self) -> str:
        """kill -9; the server starts it again, but not more than three times a minute."""
        from nova_tornado.mongod_watch import RESTART_LIMIT, RESTART_WINDOW_S

        now_s = time.monotonic()
        self._kills_at_s = [at_s for at_s in self._kills_at_s if now_s - at_s < RESTART_WINDOW_S + 1]
        if len(self._kills_at_s) == RESTART_LIMIT:
            return "left out: a server gives up on an embedded database that ends too often"
        self._kills_at_s.append(now_s)
        os.kill(self.pid(), signal.SIGKILL)
        return "mongod killed"


def tied_to_this_process(lent_folders: str = "") -> list[str]:
    """What to put before a program so that the kernel ends it with this process, however that ends.

    Args:
        lent_folders: where mongod finds a libcurl, if this system has none.
    """
    return [sys.executable, "-I", "-S", embedded_child.__file__, str(os.getpid()), lent_folders]


def free_port() -> int:
    """A port that nobody listens on, and that no outgoing connection gets while the server is away."""
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings: the operator's are no business of a drill's."""
    kept = ("NOVA_MONGOD",)
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("NOVA_") or name in kept or name.startswith(TEST_VARIABLES)
    }


def children_of(pid: int) -> list[int]:
    """The processes that a process has started; none if it is gone."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The name may hold anything, brackets included. Source: man 5 proc.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid:
                    found.append(int(entry.name))
    return sorted(found)


def name_of(pid: int) -> str:
    """What a process calls itself; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def resume(*pids: int) -> None:
    """Let halted processes go on; those that are gone are left out."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def kill(*pids: int) -> None:
    """kill -9; those that are gone are left out."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def is_ready(port: int) -> bool:
    """Whether a server says that it can serve."""
    try:
        answer = await exchange(port, b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    except (OSError, EOFError, TimeoutError):
        return False
    return answer.status == 200
