"""The examples of the documentation: read out of Markdown, carried out against a running Nova, and compared.

A block ``transcript`` of docs/protocols/actions.md holds steps. Each begins with a name and an arrow, and goes on over
the lines that are indented::

    alice → POST /chat/new {"chat_name": "Books"}       a request; [Header: value] may stand before the body
    alice ← 200 {"ok": true, "data": {…}}               its answer; [Header: value] must be among its headers
    alice → GET /ws/                                    a handshake, answered by 101
    alice → /ws/ {"action": "ping"}                     a packet to the server
    alice ← /ws/ {"action": "pong", …}                  a packet from it
    alice ← /ws/ closed 1000                            the end of the socket

Packets that a name is shown to get are all that it gets by that block, in this order.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

from people import NOTHING, Person, Socket

ROOT = Path(__file__).parents[2]
ELLIPSIS = "…"
"""Stands for what an example leaves out: a whole value, a part of a text, further fields, the rest of a list."""
TIMES = ("send_time", "created_at", "edited_at")
TIME_TOLERANCE_S = 120

STEP = re.compile(r"([\w-]+) ([→←]) (.*)", re.DOTALL)
REQUEST = re.compile(r"([A-Z]+) (/\S*)((?: \[[^\]]+\])*)(?:\s(.*))?", re.DOTALL)
ANSWER = re.compile(r"([0-9]{3})((?: \[[^\]]+\])*)(?:\s(.*))?", re.DOTALL)
HEADER = re.compile(r"\[([\w-]+): ([^\]]+)\]")


@dataclass(frozen=True)
class Block:
    """A fenced block of a Markdown file; ``line`` is its first."""

    path: Path
    line: int
    language: str
    text: str


def read(path: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path: str, *languages: str) -> list[Block]:
    """The fenced blocks of a Markdown file that are in one of these languages."""
    found = []
    language, start, lines = None, 0, []
    for number, line in enumerate(read(path).splitlines(), 1):
        fence = re.fullmatch(r"```(.*)", line)
        if fence and language is None:
            language, start, lines = fence[1].strip(), number + 1, []
        elif fence:
            found.append(Block(ROOT / path, start, language, "\n".join(lines) + "\n"))
            language = None
        elif language is not None:
            lines.append(line)
    assert language is None, f"{path}: the block of line {start} does not end"
    return [block for block in found if block.language in languages]


def steps(block: Block) -> list[tuple[int, str, str, str]]:
    """The steps of a transcript: line, name, arrow, what."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line[:1].isspace():
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line.strip()}")
        elif line:
            found.append((number, line))
    parsed = []
    for number, text in found:
        step = STEP.fullmatch(text)
        assert step, f"{block.path.name}:{number}: {text!r} is no step"
        parsed.append((number, *step.groups()))
    return parsed


def text_matches(expected: str, actual: str) -> bool:
    """Whether a text is as expected, which may leave parts out."""
    return re.fullmatch(".*".join(map(re.escape, expected.split(ELLIPSIS))), actual, re.DOTALL) is not None


def difference(expected: object, actual: object, key: str = "") -> str:
    """What is not as expected in a JSON value; "" if all is."""
    if expected == ELLIPSIS:
        return ""
    if type(expected) is not type(actual):
        return f"{key}: {actual!r} instead of {expected!r}"
    if isinstance(expected, dict) and isinstance(actual, dict):
        shown = expected.keys() - {ELLIPSIS}
        if shown != actual.keys() and (ELLIPSIS not in expected or not shown <= actual.keys()):
            return f"{key}: the fields are {sorted(actual)} instead of {sorted(expected)}"
        parts = [difference(expected[name], actual[name], f"{key}.{name}") for name in shown]
        return "; ".join(part for part in parts if part)
    if isinstance(expected, list) and isinstance(actual, list):
        shown_items = expected[:-1] if expected and expected[-1] == ELLIPSIS else expected
        if len(shown_items) > len(actual) or (shown_items is expected and len(expected) != len(actual)):
            return f"{key}: {len(actual)} items instead of {len(expected)}"
        parts = [
            difference(one, other, f"{key}[{index}]")
            for index, (one, other) in enumerate(zip(shown_items, actual, strict=False))
        ]
        return "; ".join(part for part in parts if part)
    if isinstance(expected, str) and isinstance(actual, str):
        return "" if text_matches(expected, actual) else f"{key}: {actual!r} instead of {expected!r}"
    if isinstance(actual, float) and key.rpartition(".")[2] in TIMES:
        return "" if abs(actual - time.time()) < TIME_TOLERANCE_S else f"{key}: {actual} is not now"
    return "" if expected == actual else f"{key}: {actual!r} instead of {expected!r}"


class Runner:
    """Carries transcripts out, one after the other, against a Nova with an empty database."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._persons: dict[str, Person] = {}
        self._sockets: dict[str, Socket] = {}
        self._received: dict[str, list[object]] = {}
        self._answer: tuple[int, dict[str, list[str]], bytes] | None = None
        self._token = ""
        self._pings = 0
        self.problems: list[str] = []

    async def run(self, block: Block) -> None:
        """Carry a block out; what is not as written goes to ``problems``."""
        for name in list(self._sockets):
            await self._catch_up(name)
        self._received = {name: [] for name in self._sockets}
        shown = set()
        for line, name, arrow, what in steps(block):
            try:
                if arrow == "→":
                    await self._do(name, what)
                else:
                    await self._compare(name, what)
                    if what.startswith("/ws/"):
                        shown.add(name)
            except Exception as error:
                self._note(block, line, f"{type(error).__name__}: {error}")
        for name in shown & self._sockets.keys():
            await self._catch_up(name)
            for packet in self._received[name]:
                self._note(block, block.line, f"{name} got more than is shown: {json.dumps(packet)}")

    async def close(self) -> None:
        """Close all sockets."""
        for person in self._persons.values():
            await person.close()

    def _note(self, block: Block, line: int, problem: str) -> None:
        self.problems.append(f"{block.path.name}:{line}: {problem}")

    async def _catch_up(self, name: str) -> None:
        """Receive what was sent up to now: all that comes before the answer to a ping."""
        self._pings += 1
        await self._sockets[name].send("ping", request_id=10**9 + self._pings)
        while (packet := await self._sockets[name].receive()) is not None:
            if packet["request_id"] == 10**9 + self._pings:
                return
            self._received.setdefault(name, []).append(packet)
        del self._sockets[name]

    async def _do(self, name: str, what: str) -> None:
        person = self._persons.setdefault(name, Person(self._port, name))
        if what.startswith("/ws/"):
            await self._sockets[name].send_raw(json.dumps(json.loads(what.removeprefix("/ws/"))))
        elif what == "GET /ws/":
            self._sockets[name] = await person.socket()
            self._received[name] = []
            self._answer = (101, {}, b"")
        else:
            request = REQUEST.fullmatch(what)
            assert request, f"{what!r} is no request"
            method, path, headers, body = request.groups()
            given = {header: value.replace(ELLIPSIS, self._token) for header, value in HEADER.findall(headers)}
            answer = await person.request(method, path, json.loads(body) if body else NOTHING, headers=given)
            self._answer = (answer.status, {key: answer.headers.get_list(key) for key in answer.headers}, answer.body)

    async def _compare(self, name: str, what: str) -> None:
        if what.startswith("/ws/ closed "):
            socket = self._sockets.pop(name)
            assert (packet := await socket.receive()) is None, f"not closed, but got {packet}"
            assert socket.connection.close_code == int(what.split()[-1]), socket.connection.close_code
        elif what.startswith("/ws/"):
            if self._received[name]:
                packet = self._received[name].pop(0)
            else:
                packet = await self._sockets[name].receive()
            problem = difference(json.loads(what.removeprefix("/ws/")), packet)
            assert not problem, f"{problem}\n    {json.dumps(packet)}"
        else:
            answer = ANSWER.fullmatch(what)
            assert answer and self._answer, f"{what!r} is no answer"
            status, headers, body = self._answer
            shown = body.decode()
            assert status == int(answer[1]), f"{status} {shown}"
            for header, value in HEADER.findall(answer[2]):
                assert any(text_matches(value, each) for each in headers.get(header, [])), f"{header}: {headers}"
            if answer[3] is None:
                assert status == 101 or not body, shown
                return
            actual = json.loads(body)
            problem = difference(json.loads(answer[3]), actual)
            assert not problem, f"{problem}\n    {shown}"
            if isinstance(actual.get("data"), dict):
                self._token = actual["data"].get("token", self._token)
