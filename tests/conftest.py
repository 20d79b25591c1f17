"""What all tests share: a real MongoDB, a running Nova, people who use it, and an eye on the log."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from people import Person
from pymongo import MongoClient
from redis_servers import RedisServer

from nova_tornado.app import NovaApp, open_nova
from nova_tornado.logs import JsonFormatter
from nova_tornado.plugin.loader import Plugins
from nova_tornado.settings import Settings
from nova_tornado.storage.embedded import EmbeddedMongo
from nova_tornado.testing import empty, filled, unhurried
from nova_tornado.testing.running import DATABASE


class Opened(NamedTuple):
    """What the first Nova of a kind has left to those that follow, which saves them most of what a start takes.

    Attributes:
        plugins: as they were found.
        documents: what was stored when it had started, by collection: the accounts of the bots.
    """

    plugins: Plugins
    documents: dict[str, list[dict[str, Any]]]


OPENED: dict[tuple[str, ...], Opened] = {}
"""By the plugins that were switched off."""

CLOSING_TURNS = 3
"""A transport that is closed is told so in the next turn, and what wraps it in the one after."""

# Else the first loop of a test asks for the one before, which is then made, and never closed.
asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongo]:
    """A mongod of this test process's own."""
    embedded = EmbeddedMongo(Path(tmp_path_factory.mktemp("mongo")))
    embedded.launch()
    try:
        embedded.wait_ready()
        yield embedded
    finally:
        embedded.stop()


@pytest.fixture(scope="session")
def mongo_client(mongo: EmbeddedMongo) -> Iterator[MongoClient[dict[str, Any]]]:
    """A plain client, to look behind the scenes."""
    with MongoClient(mongo.uri, tz_aware=True) as client:
        yield client


@pytest.fixture
def database(mongo_client: MongoClient[dict[str, Any]]) -> Any:
    """The test's database, empty (its collections and indexes stay from test to test)."""
    database = mongo_client[DATABASE]
    empty(database)
    return database


def documents_of(database: Any) -> dict[str, list[dict[str, Any]]]:
    """All that is stored, by collection; without those that are empty."""
    return {name: list(database[name].find()) for name in filled(database)}


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of this test's own."""
    if os.environ.get("NOVA_TEST_REDIS") == "off":
        pytest.skip("NOVA_TEST_REDIS is off")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def settings() -> Settings:
    """The settings of the Nova under test; a module or class may override this fixture."""
    return Settings(bcrypt_rounds=4, rate_limits=False)


async def let_connections_end() -> None:
    """A connection that was closed ends in a later turn of the loop; one that never ends is complained of."""
    for _ in range(CLOSING_TURNS):
        await asyncio.sleep(0)


@pytest.fixture
def start_nova(io_loop: Any, mongo: EmbeddedMongo, database: Any, tmp_path: Path) -> Iterator[Callable[..., NovaApp]]:
    """Starts Novas on the test's database: ``start_nova(settings, **options of open_nova)``."""
    started: list[NovaApp] = []

    def start(settings: Settings, **options: Any) -> NovaApp:
        if settings.data == Settings().data:
            settings = replace(settings, data=tmp_path / "nova-data")
        is_first = "plugins" not in options and not filled(database)
        known = OPENED.get(settings.plugins_off)
        if "plugins" not in options:
            options["plugins"] = known.plugins if known else Plugins(settings.plugins_off)
            options["is_prepared"] = known is not None
        if known and is_first:
            for name, documents in known.documents.items():
                unhurried(database)[name].insert_many(documents)
        nova = io_loop.run_sync(lambda: open_nova(settings, mongo.uri, database=DATABASE, **options))
        if not known and is_first:
            OPENED[settings.plugins_off] = Opened(options["plugins"], documents_of(database))
        started.append(nova)
        return nova

    yield start
    for nova in started:
        io_loop.run_sync(nova.close)
    io_loop.run_sync(let_connections_end)


@pytest.fixture
def nova(start_nova: Callable[..., NovaApp], settings: Settings) -> NovaApp:
    """The Nova under test."""
    return start_nova(settings)


@pytest.fixture
def app(nova: NovaApp) -> Any:
    """What pytest-tornado serves."""
    return nova.application


@pytest.fixture
def http_server(nova: NovaApp, io_loop: Any, _unused_port: Any) -> Iterator[Any]:
    """The Nova under test on a port, with its own bounds (instead of pytest-tornado's plain server)."""
    server = nova.http_server()
    server.add_socket(_unused_port[0])
    yield server
    server.stop()
    io_loop.run_sync(server.close_all_connections)


@pytest.fixture
def people(http_server: Any, http_port: int, io_loop: Any) -> Iterator[Callable[..., Person]]:
    """Makes users: ``alice = await people("alice")``; their sockets end with the test."""
    made: list[Person] = []

    async def register(name: str, password: str = "secret1") -> Person:
        person = Person(http_port, name, password)
        made.append(person)
        await person.register()
        return person

    yield register
    for person in made:
        io_loop.run_sync(person.close)


@pytest.fixture
def guest(http_server: Any, http_port: int, io_loop: Any) -> Iterator[Person]:
    """Someone who is not signed in."""
    person = Person(http_port, "guest")
    yield person
    io_loop.run_sync(person.close)


@pytest.fixture
def json_log() -> Iterator[Callable[[], list[Any]]]:
    """What the server logs, as it does with ``log_format = "json"``; ``json_log()`` gives the lines so far."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    handler.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


@pytest.fixture(autouse=True)
def no_unexpected_logs(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A warning or error in the log fails the test, unless ``@pytest.mark.expects_log("part of it")`` names it."""
    caplog.set_level(logging.WARNING)
    yield
    marker = request.node.get_closest_marker("expects_log")
    expected = marker.args if marker else ()
    texts = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    unexpected = [text for text in texts if not any(part in text for part in expected)]
    assert not unexpected, f"unexpected log: {unexpected}"
    for part in expected:
        assert any(part in text for text in texts), f"expected in the log: {part!r}; found: {texts}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was left out, so that nobody takes the run for a whole one."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "tests/browser/" in report.nodeid]
    if skipped and os.environ.get("NOVA_TEST_BROWSER") == "off":
        terminalreporter.write_line(f"tests/browser: {len(skipped)} left out, because NOVA_TEST_BROWSER is off")
