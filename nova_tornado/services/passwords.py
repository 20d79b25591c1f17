"""Passwords: hashed with bcrypt in a bounded pool of threads.

bcrypt looks at no more than 72 bytes. What is longer goes through SHA-256 first (HMAC under a label of our own) and is
marked with a byte that no text in UTF-8 holds: so no short password, whatever it is, reads like a long one.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from nova_tornado.domain.errors import TooManyRequests
from nova_tornado.domain.rules import PASSWORD_MAX_CHARACTERS

T = TypeVar("T")

BCRYPT_MAX_BYTES = 72
LONG_PASSWORD_LABEL = b"nova: a password of more than 72 bytes"
LONG_PASSWORD_MARK = b"\xff"
WAITING_MAX = 256
"""Hashes that may wait for a thread; at 12 rounds a thread does about four a second."""


def _bcrypt_input(password: str) -> bytes:
    encoded = password.encode()
    if len(encoded) <= BCRYPT_MAX_BYTES:
        return encoded
    return LONG_PASSWORD_MARK + base64.b64encode(hmac.digest(LONG_PASSWORD_LABEL, encoded, "sha256"))


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
            password: as ``rules.check_password`` allows it.

        Raises:
            TooManyRequests: too many hashes are waiting.
        """
        return await self._run(self._hash, _bcrypt_input(password))

    async def check(self, password: str, hashed: bytes | None) -> bool:
        """Whether a password fits a hash. Without a hash the answer is False, after the same time.

        Raises:
            TooManyRequests: too many hashes are waiting.
        """
        if len(password) > PASSWORD_MAX_CHARACTERS or "\0" in password:
            return False  # nobody has such a password
        if hashed is None:
            await self._run(self._hash, _bcrypt_input(password))
            return False
        return await self._run(bcrypt.checkpw, _bcrypt_input(password), hashed)

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
