"""A real Redis for tests of several processes."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

REDIS_START_LIMIT_S = 20.0


class RedisServer:
    """A real redis-server on a unix socket, without anything on disk; it can be killed and started again.

    Args:
        folder: where the socket is to be.
        more: further arguments.
    """

    def __init__(self, folder: Path, *more: str) -> None:
        self._socket = folder / "redis.sock"
        self._more = more
        self.uri = f"unix://{self._socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")  # see bin/redis_server.py
        assert program is not None, "there is no redis-server on PATH: apt-get install redis-server"
        arguments = [
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            str(self._socket),
            "--save",
            "",
            "--appendonly",
            "no",
            *self._more,
        ]
        self.process = subprocess.Popen(arguments, executable=program, stdout=subprocess.DEVNULL)
        with Redis.from_url(self.uri) as client:
            end_s = time.monotonic() + REDIS_START_LIMIT_S
            while True:
                try:
                    client.ping()
                    return
                except RedisError:
                    assert time.monotonic() < end_s, "redis-server does not start"
                    time.sleep(0.02)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it with -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
