"""Writer processes for the tests of this folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from storage.rooms import Ack

from nova_tornado.services import purges as purges_module


class Writer:
    """A process that writes, see ``writer.py``."""

    def __init__(self, uri: str, database: str, order: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("writer.py")), uri, database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.acks: list[Ack] = []
        self.is_done = False
        self._say(json.dumps(order))

    def _say(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_ready(self) -> None:
        """Wait until it could begin."""
        assert json.loads(self.process.stdout.readline()) == "ready"

    def begin(self) -> None:
        """Let it begin."""
        self._say("")

    def read_acks(self, number: int | None = None) -> None:
        """Read so many acknowledgements; all there will be, by default."""
        while number is None or len(self.acks) < number:
            line = self.process.stdout.readline()
            if not line.endswith("\n"):
                return
            found = json.loads(line)
            if found == "done":
                self.is_done = True
                return
            self.acks.append(Ack(*found))

    def kill(self) -> None:
        """Kill it in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End what is left of it."""
        self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def start_writer() -> Iterator[Callable[..., Writer]]:
    """Starts writers, ``start_writer(uri, database, order)``, that end with the test."""
    writers: list[Writer] = []

    def start(*arguments: Any) -> Writer:
        writers.append(Writer(*arguments))
        return writers[-1]

    yield start
    for writer in writers:
        writer.close()


@pytest.fixture(autouse=True)
def prompt_purges(monkeypatch):
    """The logs of deleted chats are removed at once."""
    monkeypatch.setattr(purges_module, "PURGE_DELAY_S", 0)
