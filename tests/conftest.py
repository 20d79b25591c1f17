"""What all tests share: a real MongoDB, a running Nova, people who use it, and an eye on the log."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from people import Person
from pymongo import MongoClient
from redis import Redis
from redis.exceptions import RedisError

from nova_tornado.app import NovaApp, open_nova
from nova_tornado.logs import JsonFormatter
from nova_tornado.settings import Settings
from nova_tornado.storage.embedded import EmbeddedMongo
from nova_tornado.testing import empty
from nova_tornado.testing.running import DATABASE

REDIS_START_LIMIT_S = 20.0


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


@pytest.fixture
def start_nova(io_loop: Any, mongo: EmbeddedMongo, database: Any, tmp_path: Path) -> Iterator[Callable[..., NovaApp]]:
    """Starts Novas on the test's database: ``start_nova(settings, **options of open_nova)``."""
    started: list[NovaApp] = []

    def start(settings: Settings, **options: Any) -> NovaApp:
        if settings.data == Settings().data:
            settings = replace(settings, data=tmp_path / "nova-data")
        nova = io_loop.run_sync(lambda: open_nova(settings, mongo.uri, database=DATABASE, **options))
        started.append(nova)
        return nova

    yield start
    for nova in started:
        io_loop.run_sync(nova.close)


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
