"""Begins what plugins run beside the server's life, and ends it; one that fails at the end harms nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

log = logging.getLogger(__name__)

BEGIN_TIMEOUT_S = 30.0
"""How long a lifespan may take to begin."""
END_TIMEOUT_S = 2.0
"""How long all of them together may take to end."""

Lifespan = AbstractAsyncContextManager[Any]


class LifespanError(Exception):
    """A lifespan did not begin; the text names its plugin."""


class Lifespans:
    """Enters context managers in order, and leaves them in the reverse order.

    Each lives in a task of its own, because many a context manager (of task groups and time limits) must be left by
    the task that entered it.
    """

    def __init__(self) -> None:
        self._begun: list[_RunningLifespan] = []

    async def begin(self, lifespans: Iterable[tuple[str, Lifespan]]) -> None:
        """Enter them, each with its plugin's name.

        Raises:
            LifespanError: one raised or took longer than ``BEGIN_TIMEOUT_S``; those before it go on until ``end``.
        """
        for plugin, lifespan in lifespans:
            running = _RunningLifespan(plugin, lifespan)
            self._begun.append(running)
            await running.begin()

    async def end(self) -> None:
        """Leave what was entered; what is not over in time is cancelled. Does nothing if that is done already."""
        deadline = asyncio.get_running_loop().time() + END_TIMEOUT_S
        while self._begun:
            await self._begun.pop().end(deadline)


class _RunningLifespan:
    """One lifespan with its task."""

    def __init__(self, plugin: str, lifespan: Lifespan) -> None:
        self._plugin = plugin
        self._lifespan = lifespan
        self._is_entered = asyncio.Event()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._live(), name=f"lifespan of {plugin}")

    async def _live(self) -> None:
        async with self._lifespan:
            self._is_entered.set()
            await self._stop.wait()

    async def begin(self) -> None:
        entering = asyncio.create_task(self._is_entered.wait())
        try:
            await asyncio.wait({self._task, entering}, timeout=BEGIN_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            entering.cancel()
        if self._is_entered.is_set():
            self._task.add_done_callback(self._note_end)
            return
        reason = f"took more than {BEGIN_TIMEOUT_S:.0f} s"
        if self._task.done():
            error = None if self._task.cancelled() else self._task.exception()
            log.error("plugin %s cannot begin", self._plugin, exc_info=error)
            reason = type(error).__name__ if error is not None else "it ended at once"
        raise LifespanError(f"plugin {self._plugin}: nova_lifespan failed: {reason}")

    async def end(self, deadline: float) -> None:
        self._stop.set()
        await asyncio.wait({self._task}, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        if not self._task.done():
            if self._is_entered.is_set():
                log.error("plugin %s did not end in time", self._plugin)
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.1)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Log what a lifespan raised when it was left, or in between."""
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            when = "end" if self._stop.is_set() else "go on"
            log.error("plugin %s: its lifespan could not %s", self._plugin, when, exc_info=error)
        elif not self._stop.is_set():
            log.error("plugin %s: its lifespan ended by itself", self._plugin)
