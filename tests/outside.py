"""Bots from outside for tests: the command line beside the Nova under test, and a receiver of webhooks."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from people import WAIT_S, Person

from nova_tornado.cli import nova as command_line

DATABASE = "nova_test"


class CommandLine:
    """Runs ``nova bots …`` on the test's database, as another process would."""

    def __init__(self, mongo_uri: str, data: Path) -> None:
        self._uri = re.sub(r"^(mongodb://[^/]+)/[^?]*", rf"\1/{DATABASE}", mongo_uri)
        self._data = data

    async def run(self, *arguments: str, exit_code: int = 0) -> list[str]:
        """The lines that ``nova bots`` has written."""
        given = ["bots", *arguments, "--mongo", self._uri, "--data", str(self._data)]
        # In a thread: the command has an event loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, command_line, given)
        assert result.exit_code == exit_code, (result.output, result.exception)
        return result.output.splitlines()

    async def token(self, name: str, scope: str) -> str:
        """The token of a new bot."""
        return (await self.run("create", name, "--scope", scope))[-1]


@dataclass
class Posted:
    """What a webhook has posted."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Receiver:
    """A real HTTP server that takes what webhooks post; it can be stopped, and started again on its port.

    Attributes:
        statuses: of the next answers; then it is 200.
    """

    def __init__(self) -> None:
        self.port = 0
        self.statuses: list[int] = []
        self.extra_head = ""
        self._posted: asyncio.Queue[Posted] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.port}/take?key=1"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *fields = head.rstrip().split("\r\n")
            assert line == "POST /take?key=1 HTTP/1.1", line
            headers = dict(field.split(": ", 1) for field in fields)
            body = await reader.readexactly(int(headers["Content-Length"]))
            status = self.statuses.pop(0) if self.statuses else 200
            writer.write(f"HTTP/1.1 {status} X\r\n{self.extra_head}Content-Length: 2\r\n\r\nok".encode())
            await writer.drain()
            self._posted.put_nowait(Posted(headers, body))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def next(self) -> Posted:
        """The next that was posted."""
        async with asyncio.timeout(WAIT_S):
            return await self._posted.get()

    @property
    def is_empty(self) -> bool:
        """Nothing more was posted up to now."""
        return self._posted.empty()


def bearer(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


async def bot_id(person: Person, token: str) -> int:
    """Whose token it is."""
    answer = await person.get("/user", headers=bearer(token), with_cookie=False)
    user_id: int = answer.data["id"]
    return user_id
