"""Passwords: hashed with bcrypt in a bounded pool of threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from nova_tornado.domain.errors import TooManyRequests
from nova_tornado.domain.rules import PASSWORD_MAX_BYTES

T = TypeVar("T")

WAITING_MAX = 256
"""Hashes that may wait for a thread; at 12 rounds a thread does about four a second."""


class PasswordHasher:
    """Makes and checks hashes without holding up the event loop (bcrypt lets other threads run).

    Args:
        rounds: the cost, as a power of two.
    """

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._pool = ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1)), thread_name_prefix="bcrypt")
        self._waiting = 0

    async def hash(self, password: str) -> bytes:
        """The hash to be stored.

        Args:
            password: at most 72 bytes of UTF-8.

        Raises:
            TooManyRequests: too many hashes are waiting.
        """
        return await self._run(self._hash, password.encode())

    async def check(self, password: str, hashed: bytes | None) -> bool:
        """Whether a password fits a hash. Without a hash the answer is False, after the same time.

        Raises:
            TooManyRequests: too many hashes are waiting.
        """
        encoded = password.encode()
        if len(encoded) > PASSWORD_MAX_BYTES or b"\0" in encoded:
            return False
        if hashed is None:
            await self._run(self._hash, encoded)
            return False
        return await self._run(bcrypt.checkpw, encoded, hashed)

    def _hash(self, encoded: bytes) -> bytes:
        return bcrypt.hashpw(encoded, bcrypt.gensalt(self._rounds))

    async def _run(self, work: Callable[..., T], *args: bytes) -> T:
        if self._waiting >= WAITING_MAX:
            raise TooManyRequests
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
