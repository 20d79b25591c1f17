"""Lookups of many callers, asked for together: reading's counterpart of the group commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import Context
from typing import Generic, TypeVar

from nova_tornado.domain.errors import Unavailable

Key = TypeVar("Key")
Value = TypeVar("Value")

UNDER_WAY_MAX = 2
"""How many queries of a kind are under way before further lookups gather: with one, everybody would wait for whoever
looks up something large; with many, hardly anything would gather."""
KEYS_MAX_COUNT = 500
"""A query that has so many keys is not given more: what it brings is taken in without a pause."""


class _Batch(Generic[Key, Value]):
    """Keys that are looked up together, in the order in which they were asked for."""

    def __init__(self) -> None:
        self.keys: dict[Key, None] = {}
        self.found: asyncio.Future[Mapping[Key, Value]] = asyncio.get_running_loop().create_future()


class Gathered(Generic[Key, Value]):
    """Looks values up by keys. What is asked for while queries are under way goes into one query that follows.

    When many clients come at the same time (after a restart all of them do), most of what a lookup costs is the query
    itself, in the driver and in the database, and not what it brings. A lone lookup starts at once. A query begins
    after it was asked for, so its answer is never older than the question.

    Args:
        find: one query for many keys; unknown ones are left out of what it returns. Callers that have asked for the
            same key get the same value.
    """

    def __init__(self, find: Callable[[list[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        self._find = find
        self._waiting: deque[_Batch[Key, Value]] = deque()
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, key: Key) -> Value | None:
        """The value of one key, or None; raises what the query raises."""
        return (await self.find_many((key,))).get(key)

    async def find_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """The values of those keys, in that order; unknown ones are left out. Raises what the query raises."""
        wanted = list(keys)
        if not wanted:
            return {}
        if not self._waiting or len(self._waiting[-1].keys) >= KEYS_MAX_COUNT:
            self._waiting.append(_Batch())
            if self._under_way < UNDER_WAY_MAX:
                self._under_way += 1
                task = asyncio.create_task(self._run(), name="gathered lookup", context=Context())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        batch = self._waiting[-1]
        batch.keys.update(dict.fromkeys(wanted))
        found = await asyncio.shield(batch.found)
        return {key: found[key] for key in wanted if key in found}

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._waiting.popleft())
        finally:
            # At once, not when the task is done: who asks in between must find either a task that goes on, or room.
            self._under_way -= 1

    async def _answer(self, batch: _Batch[Key, Value]) -> None:
        try:
            batch.found.set_result(await self._find(list(batch.keys)))
        except BaseException as error:
            batch.found.set_exception(error if isinstance(error, Exception) else Unavailable())
            batch.found.exception()  # all who have asked may have gone
            if not isinstance(error, Exception):
                raise
