"""Tests for plugins: a running Nova with just your plugin, and people who use it.

Put ``pytest_plugins = ["nova_tornado.testing"]`` into the ``conftest.py`` beside your ``pyproject.toml``, install
``nova-tornado[embedded]`` and pytest, and write::

    async def test_greets(nova):
        alice = await nova.person("alice")
        assert (await alice.get("/hello")).data == "hello"

A test that is a coroutine runs where its ``nova`` runs. The plugin is the one of your ``pyproject.toml``; a fixture
``nova_plugins`` of yours may return others, and a fixture ``plugin_settings`` what stands in ``nova.toml``.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern

from nova_tornado.clients.http import Answer
from nova_tornado.clients.protocols import ProtocolClient
from nova_tornado.clients.sockets import WAIT_S, JsonClient
from nova_tornado.plugin.loader import Plugins
from nova_tornado.settings import PLUGIN_ENTRY_POINTS
from nova_tornado.storage.embedded import EmbeddedMongo
from nova_tornado.testing.people import NOTHING, Person, Socket
from nova_tornado.testing.running import DATABASE, FakeClock, RunningNova

__all__ = [
    "NOTHING",
    "WAIT_S",
    "Answer",
    "FakeClock",
    "JsonClient",
    "Person",
    "ProtocolClient",
    "RunningNova",
    "Socket",
    "empty",
    "nova",
    "nova_mongo",
    "nova_plugins",
    "plugin_settings",
]

NOTHING_HASHED = hashlib.md5(b"", usedforsecurity=False).hexdigest()
"""What MongoDB's dbHash says of a collection without documents."""


@pytest.fixture(scope="session")
def nova_mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a real MongoDB of this test process's own."""
    embedded = EmbeddedMongo(Path(tmp_path_factory.mktemp("mongo")), os.environ)
    embedded.launch()
    try:
        embedded.wait_ready()
        yield embedded.uri
    finally:
        embedded.stop()


@pytest.fixture
def nova_plugins(request: pytest.FixtureRequest) -> Sequence[EntryPoint]:
    """The plugins that the Nova of a test has: those of the project's ``pyproject.toml``, installed or not."""
    path = request.config.rootpath / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    points = project.get("project", {}).get("entry-points", {}).get(PLUGIN_ENTRY_POINTS, {})
    if not points:
        pytest.fail(
            f"{path} has no [project.entry-points.{PLUGIN_ENTRY_POINTS!r}]; a fixture nova_plugins may say more"
        )
    return [EntryPoint(name, value, PLUGIN_ENTRY_POINTS) for name, value in points.items()]


@pytest.fixture
def plugin_settings() -> Mapping[str, Mapping[str, object]]:
    """What the tables of plugins in ``nova.toml`` hold, such as ``{"nova_weather": {"unit": "F"}}``."""
    return {}


@pytest.fixture
def nova(
    nova_plugins: Sequence[EntryPoint],
    plugin_settings: Mapping[str, Mapping[str, object]],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[RunningNova]:
    """A Nova that serves with just these plugins, on an empty database."""
    uri = request.getfixturevalue("nova_mongo")  # not before it is known that there are plugins: it takes seconds
    with MongoClient[dict[str, Any]](uri) as client:
        empty(client[DATABASE])
    with asyncio.Runner() as runner:
        running = RunningNova(runner, uri, Plugins(found=nova_plugins), plugin_settings, tmp_path / "nova-data")
        running.run(running.start())
        yield running
        running.run(running.stop())


def empty(database: Any) -> None:
    """Remove all documents of a database; its collections and indexes stay, which saves a second a test."""
    for name in filled(database):
        unhurried(database)[name].delete_many({})


def filled(database: Any) -> list[str]:
    """The names of the collections that hold documents."""
    hashes = database.command("dbHash")["collections"]  # one command for all of them
    return [name for name, value in hashes.items() if value != NOTHING_HASHED]


def unhurried(database: Any) -> Any:
    """The database for writes that need not outlive a crash."""
    return database.with_options(write_concern=WriteConcern(w=1, j=False))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine where its ``nova`` runs."""
    running = pyfuncitem.funcargs.get("nova")
    if not isinstance(running, RunningNova) or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    running.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
