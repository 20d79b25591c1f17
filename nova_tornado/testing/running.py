"""A Nova that runs for a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from click.testing import CliRunner
from tornado.netutil import bind_sockets

from nova_tornado import app
from nova_tornado.api import Nova
from nova_tornado.plugin.commands import OPENER
from nova_tornado.plugin.loader import Plugins
from nova_tornado.realtime.clock import Clock
from nova_tornado.settings import GivenValue, Settings
from nova_tornado.testing.people import Person

DATABASE = "nova_test"
BCRYPT_ROUNDS = 4
"""Passwords of tests need not be safe, but quick."""
TEST_LIMIT_S = 60.0
"""No test takes this long: a hang is a failure."""
STOP_LIMIT_S = 5.0

_Result = TypeVar("_Result")


class FakeClock(Clock):
    """The machine's clock, and a hand that moves it."""

    def __init__(self) -> None:
        self._ahead_us = 0

    def now_us(self) -> int:
        """Microseconds since 1970 (UTC), as far as Nova knows."""
        return super().now_us() + self._ahead_us

    def move(self, seconds: float) -> None:
        """Let time pass at once. Who sleeps is not woken: only what looks at the clock notices."""
        self._ahead_us += int(seconds * 1_000_000)


class RunningNova:
    """A Nova on a port of its own, with the plugins of the test alone.

    Attributes:
        port: where it listens, on 127.0.0.1.
        clock: its time.
        facade: what the first of the plugins gets as ``nova``.
    """

    def __init__(
        self,
        runner: asyncio.Runner,
        mongo_uri: str,
        plugins: Plugins,
        plugin_settings: Mapping[str, Mapping[str, object]],
        data: Path,
    ) -> None:
        self.clock = FakeClock()
        self.port = 0
        self.facade: Nova
        self._runner = runner
        self._mongo_uri = mongo_uri
        self._plugins = plugins
        given = {
            plugin: {name: GivenValue(value, f"plugin_settings: {plugin}.{name}") for name, value in values.items()}
            for plugin, values in plugin_settings.items()
        }
        self._settings = Settings(data=data, bcrypt_rounds=BCRYPT_ROUNDS, rate_limits=False, of_plugins=given)
        self._app: app.NovaApp
        self._people: list[Person] = []

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine where this Nova runs, from a test or fixture that is no coroutine itself."""
        return self._runner.run(_limited(work))

    async def start(self) -> None:
        """Begin to serve."""
        self._app = await app.open_nova(
            self._settings, self._mongo_uri, database=DATABASE, clock=self.clock, plugins=self._plugins
        )
        self.facade = self._app.facade_of(self._plugins.infos[0].name)
        self._http = self._app.http_server()
        sockets = bind_sockets(0, address="127.0.0.1")
        self._http.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End it, as a server ends."""
        for person in self._people:
            await person.close()
        self._http.stop()
        await self._app.drain(STOP_LIMIT_S)
        await self._http.close_all_connections()
        await self._app.close()

    async def person(self, name: str, password: str = "secret1") -> Person:
        """A new user who is signed in; ends with the test."""
        person = Person(self.port, name, password)
        self._people.append(person)
        await person.register()
        return person

    async def guest(self) -> Person:
        """Someone who is not signed in."""
        person = Person(self.port, "guest")
        self._people.append(person)
        return person

    async def told(self) -> None:
        """Return when subscribers were told of everything that has happened so far."""
        await self._app.plugins_told()

    async def run_command(self, command: click.Command, *arguments: str) -> str:
        """Run a command of ``nova_cli`` beside this Nova, as an operator would.

        Returns:
            What it has written.

        Raises:
            AssertionError: it ended with another exit code than 0; the text has what it has written.
        """

        def opener(_settings: Settings) -> AbstractAsyncContextManager[Nova]:
            return self._open_for_command()

        @click.group()
        @click.pass_context
        def nova(context: click.Context) -> None:
            context.meta[OPENER] = opener

        nova.add_command(command)
        # In a thread: the command has an event loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, nova, [str(command.name), *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    @asynccontextmanager
    async def _open_for_command(self) -> AsyncIterator[Nova]:
        name = self._plugins.infos[0].name
        async with app.open_for_command(self._settings, self._mongo_uri, DATABASE, name, self._plugins) as nova:
            yield nova


async def _limited(work: Coroutine[Any, Any, _Result]) -> _Result:
    async with asyncio.timeout(TEST_LIMIT_S):
        return await work
