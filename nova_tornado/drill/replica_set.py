"""Three mongods that are one replica set, for faults that one alone cannot have."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nova_tornado.drill.ground import GoneError, GroundError, free_port, resume, tied_to_this_process
from nova_tornado.storage import embedded

NAME = "drill"
NODES = 3
HEARTBEAT_MS = 500
ELECTION_TIMEOUT_MS = 2_000
"""After which the others elect; MongoDB's default is 10 s, which on one machine is long."""
START_LIMIT_S = 120.0
LOOK_S = 0.05
AWAY_S = 1.0
"""How long a member that was killed stays away, so that the others notice."""
STEP_DOWN_S = 10
CACHE_GIGABYTES = "0.25"


class ReplicaSet:
    """Three mongods on ports of 127.0.0.1.

    Args:
        folder: for their data and logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = [free_port() for _ in range(NODES)]
        self._processes: list[asyncio.subprocess.Process | None] = [None] * NODES
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        self.uri = f"mongodb://{hosts}/?replicaSet={NAME}"
        self.flags: Sequence[str] = ("--mongo", self.uri)
        self._primary = 0

    async def open(self) -> None:
        """Start them, and wait until there is a primary.

        Raises:
            GroundError: there is none in time.
        """
        for node in range(NODES):
            await self._spawn(node)
        members = [{"_id": node, "host": f"127.0.0.1:{port}"} for node, port in enumerate(self._ports)]
        settings = {"heartbeatIntervalMillis": HEARTBEAT_MS, "electionTimeoutMillis": ELECTION_TIMEOUT_MS}
        config = {"_id": NAME, "members": members, "settings": settings}
        reason = "the first of them does not answer"
        try:
            async with asyncio.timeout(START_LIMIT_S):
                # Refused until the others answer, too.
                while (answer := await self._command(0, {"replSetInitiate": config})) is None or answer.get("ok") != 1:
                    reason = reason if answer is None else str(answer.get("errmsg"))
                    await asyncio.sleep(LOOK_S)
                await self.find_primary()
        except TimeoutError:
            raise GroundError(f"the replica set cannot be made: {reason}") from None

    async def _spawn(self, node: int) -> None:
        data = self._folder / f"mongod-{node}"
        data.mkdir(exist_ok=True)
        mongod = embedded.find_mongod(os.environ)
        curl_folders = embedded.lent_curl_folders(data.parent) if sys.platform == "linux" else ""
        order = [*tied_to_this_process(curl_folders), mongod]
        order += ["--dbpath", str(data), "--logpath", str(self._folder / f"mongod-{node}.log"), "--logappend"]
        order += ["--bind_ip", "127.0.0.1", "--port", str(self._ports[node]), "--replSet", NAME, "--quiet"]
        order += ["--oplogSize", str(embedded.OPLOG_MEGABYTES), "--wiredTigerCacheSizeGB", CACHE_GIGABYTES]
        order += ["--wiredTigerEngineConfigString", embedded.JOURNAL_CONFIG, "--nounixsocket"]
        order += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        self._processes[node] = await asyncio.create_subprocess_exec(
            *order,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    async def _command(self, node: int, command: dict[str, Any]) -> dict[str, Any] | None:
        """A command to one of them; None if it does not answer."""
        return await asyncio.to_thread(_run_command, self._ports[node], command)

    async def find_primary(self) -> int:
        """Which of them takes the writes; waits until there is one.

        Raises:
            TimeoutError: there is none.
        """
        async with asyncio.timeout(START_LIMIT_S):
            while True:
                for node in range(NODES):
                    hello = await self._command(node, {"hello": 1})
                    if hello is not None and hello.get("isWritablePrimary"):
                        self._primary = node
                        return node
                await asyncio.sleep(LOOK_S)

    def pid(self) -> int:
        """The primary that was last found.

        Raises:
            GoneError: it is not running.
        """
        process = self._processes[self._primary]
        if process is None or process.returncode is not None:
            raise GoneError("the primary")
        return process.pid

    async def kill(self) -> str:
        """kill -9 of the primary; it is started again a moment later."""
        node = await self.find_primary()
        process = self._processes[node]
        assert process is not None
        await self.restart(process.pid)
        return "the primary of three killed"

    async def restart(self, pid: int) -> None:
        """kill -9 of one of them; it is started again a moment later."""
        for node, process in enumerate(self._processes):
            if process is not None and process.pid == pid:
                os.kill(pid, signal.SIGKILL)
                await process.wait()
                await asyncio.sleep(AWAY_S)
                await self._spawn(node)

    async def step_down(self) -> None:
        """Make the primary hand over."""
        node = await self.find_primary()
        await self._command(node, {"replSetStepDown": STEP_DOWN_S, "secondaryCatchUpPeriodSecs": 1, "force": True})

    async def close(self) -> None:
        """End them."""
        for process in self._processes:
            if process is not None and process.returncode is None:
                resume(process.pid)
                process.kill()  # their data goes with the folder
                await process.wait()


def _run_command(port: int, command: dict[str, Any]) -> dict[str, Any] | None:
    from pymongo import MongoClient
    from pymongo.errors import OperationFailure, PyMongoError

    uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    try:
        with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=1_000, socketTimeoutMS=5_000) as client:
            return client.admin.command(command)
    except OperationFailure as error:
        return dict(error.details or {"ok": 0, "errmsg": str(error)})
    except PyMongoError:
        return None
