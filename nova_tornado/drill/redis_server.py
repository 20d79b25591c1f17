"""The Redis that joins the servers of a drill: its own, or one that is there."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

from nova_tornado.drill.ground import GoneError, GroundError, free_port, resume, tied_to_this_process

AUTO = "auto"
AWAY_S = 1.0
"""How long it stays away when it was killed."""
NAMES = ("redis-server", "redis-check-rdb")
"""The server is one program under several names, by which it knows what to be; Debian's redis-tools has the second."""
START_LIMIT_S = 30.0
LOOK_S = 0.02


class RedisServer:
    """A redis-server without anything on disk.

    Args:
        folder: where it works.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        self.uri = f"redis://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Its process.

        Raises:
            GoneError: it is not running.
        """
        if self._process is None or self._process.returncode is not None:
            raise GoneError("Redis")
        return self._process.pid

    async def open(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            GroundError: it is not installed, or does not start.
        """
        found = next((path for name in NAMES if (path := shutil.which(name)) is not None), None)
        if found is None:
            raise GroundError("there is no redis-server on the PATH; --redis URI names a Redis that runs")
        program = self._folder / NAMES[0]
        program.unlink(missing_ok=True)
        program.symlink_to(found)
        self._process = await asyncio.create_subprocess_exec(
            *tied_to_this_process(),
            *(str(program), "--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--appendonly", "no"),
            cwd=self._folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_LIMIT_S):
                while not await self._answers():
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise GroundError("redis-server does not start") from None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        return True

    async def kill(self) -> None:
        """kill -9; it is started again a moment later, and knows of nothing."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        await self._process.wait()
        await asyncio.sleep(AWAY_S)
        await self.open()

    async def close(self) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            resume(self._process.pid)
            self._process.kill()
            await self._process.wait()
