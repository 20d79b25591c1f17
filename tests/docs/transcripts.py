"""The examples of the documentation: read out of Markdown, carried out against a running Nova, and compared.

A block ``transcript`` of a page in docs/protocols holds steps. Each begins with a name and an arrow, and goes on over
the lines that are indented::

    alice → POST /chat/new {"chat_name": "Books"}       a request; [Header: value] may stand before the body
    alice ← 200 {"ok": true, "data": {…}}               its answer; [Header: value] must be among its headers
    alice → POST /files file "list.txt" "Tea, milk"     a request with a file as multipart/form-data
    alice → GET /ws/                                    a handshake, answered by 101; [Header: value] may follow
    alice → /ws/ {"action": "ping"}                     a packet to the server
    alice ← /ws/ {"action": "pong", …}                  a packet from it
    alice ← /ws/ closed 1000                            the end of the socket

A name has at most one socket at each path of ``SOCKETS``; for another device of the same user take another name.
What a name is shown to get at a socket is all that it gets there by that block, in this order.

A packet, an answer or a file that is no JSON is compared as text. ``…`` stands for what is left out (``"…": "…"`` for
further fields). In what is sent::

    <alice's token>     the last token that alice was given, by an answer or in a packet
    <alice's file>      the path of the last file that alice was told of
    <alice's time>      the last time (one that is written as text) that alice was told of
    <alice's link>      the path of the link in the last mail to the address with which she registered
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from people import NOTHING, WAIT_S, Person
from storage.rooms import settle
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

ROOT = Path(__file__).parents[2]
ELLIPSIS = "…"
"""Stands for what an example leaves out: a whole value, a part of a text, further fields, the rest of a list."""
TIMES = (
    "send_time",
    "created_at",
    "edited_at",
    "changed_at",
    "held_at",
    "updated_at",
    "timestamp",
    "content_time",
    "last_message_time",
    "last_message_timestamp",
)
TIME_TOLERANCE_S = 120
ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z")

STEP = re.compile(r"([\w-]+) ([→←]) (.*)", re.DOTALL)
SOCKETS = ("/ws/chat/", "/ws/modes/", "/ws/opcodes/", "/socket", "/ws/")
"""Where the WebSockets are."""
HANDSHAKE = re.compile(rf"GET ({'|'.join(SOCKETS)})(\?\S*)?((?: \[[^\]]+\])*)")
FRAME = re.compile(rf"({'|'.join(SOCKETS)})\s(.*)", re.DOTALL)
REQUEST = re.compile(r"([A-Z]+) (/\S*)((?: \[[^\]]+\])*)(?:\s(.*))?", re.DOTALL)
ANSWER = re.compile(r"([0-9]{3})((?: \[[^\]]+\])*)(?:\s(.*))?", re.DOTALL)
HEADER = re.compile(r"\[([\w-]+): ([^\]]+)\]")
FILE = re.compile(r'file ("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*")')
PLACEHOLDER = re.compile(r"<([\w-]+)'s (token|file|time|link)>")
LINK = re.compile(r"https?://[^/\s]+(/http/register/\S+)")
BOUNDARY = "end-of-part"
UNKNOWN_T = 10**9
"""No operation of opcodes."""

Barrier = tuple[Callable[[int], Any], Callable[[Any, int], bool]]
"""A request that is answered at once whatever the socket's state, and does nothing; and how its answer is known."""
BARRIERS: dict[str, Barrier] = {
    "/ws/": (
        lambda number: {"action": "ping", "request_id": 10**9 + number},
        lambda packet, number: packet["request_id"] == 10**9 + number,
    ),
    "/ws/chat/": (
        lambda number: {"method": "no such method", "args": {"event_response_key": f"barrier {number}"}},
        lambda packet, number: packet["data"].get("event_response_key") == f"barrier {number}",
    ),
    "/ws/modes/": (
        lambda number: {"mode": f"barrier {number}"},
        lambda packet, number: packet["mode"] == f"barrier {number}",
    ),
    "/socket": (
        lambda number: {"chat_type": f"barrier {number}"},
        lambda packet, number: packet.get("chat_type") == f"barrier {number}",
    ),
    "/ws/opcodes/": (
        lambda number: {"op": 11, "t": UNKNOWN_T + number},
        lambda packet, number: packet["t"] == UNKNOWN_T + number,
    ),
}


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
        if ISO_TIME.fullmatch(expected) and key.rpartition(".")[2] in TIMES:
            is_now = ISO_TIME.fullmatch(actual) and _is_now(datetime.fromisoformat(actual).timestamp())
            return "" if is_now else f"{key}: {actual} is not now"
        return "" if text_matches(expected, actual) else f"{key}: {actual!r} instead of {expected!r}"
    if isinstance(actual, float) and key.rpartition(".")[2] in TIMES:
        return "" if _is_now(actual) else f"{key}: {actual} is not now"
    return "" if expected == actual else f"{key}: {actual!r} instead of {expected!r}"


def _is_now(time_s: float) -> bool:
    return abs(time_s - time.time()) < TIME_TOLERANCE_S


def in_one_line(text: str) -> str:
    """A JSON value without its line breaks; what is no JSON stays as it is, to show how that is refused."""
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text


def fields_of(value: object) -> Iterator[tuple[str, object]]:
    """All fields of a JSON value, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from fields_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner)


class Runner:
    """Carries transcripts out, one after the other, against a Nova with an empty database.

    Args:
        port: where it listens.
        mail_dir: the folder of its mails.
    """

    def __init__(self, port: int, mail_dir: Path | None = None) -> None:
        self._port = port
        self._mail_dir = mail_dir
        self._persons: dict[str, Person] = {}
        self._sockets: dict[tuple[str, str], WebSocketClientConnection] = {}
        self._received: dict[tuple[str, str], list[Any]] = {}
        self._answer: tuple[int, dict[str, list[str]], bytes] | None = None
        self._known: dict[tuple[str, str], str] = {}
        self._last_token = ""
        self._addresses: dict[str, str] = {}
        self._barriers = 0
        self.problems: list[str] = []

    async def run(self, block: Block) -> None:
        """Carry a block out; what is not as written goes to ``problems``."""
        for socket in list(self._sockets):
            await self._catch_up(socket)
        self._received = {socket: [] for socket in self._sockets}
        shown = set()
        for line, name, arrow, what in steps(block):
            try:
                if arrow == "→":
                    await self._do(name, await self._fill_in(what))
                else:
                    if frame := FRAME.fullmatch(what):
                        shown.add((name, frame[1]))
                    await self._compare(name, what)
            except Exception as error:
                self._note(block, line, f"{type(error).__name__}: {error}")
        for socket in shown & self._sockets.keys():
            await self._catch_up(socket)
            for packet in self._received[socket]:
                more = f"{socket[0]} got more at {socket[1]} than is shown: {json.dumps(packet)}"
                self._note(block, block.line, more)

    async def close(self) -> None:
        """Close all sockets."""
        for connection in self._sockets.values():
            connection.close()

    def _note(self, block: Block, line: int, problem: str) -> None:
        self.problems.append(f"{block.path.name}:{line}: {problem}")

    # Placeholders

    async def _fill_in(self, what: str) -> str:
        for name, kind in PLACEHOLDER.findall(what):
            value = await self._find_link(name) if kind == "link" else self._known[name, kind]
            what = what.replace(f"<{name}'s {kind}>", value)
        return what

    def _learn(self, name: str, value: object) -> None:
        """Keep what a name was told."""
        for key, inner in fields_of(value):
            if key == "token" and isinstance(inner, str):
                self._known[name, "token"] = self._last_token = inner
            elif key in ("file", "url") and isinstance(inner, str):
                self._known[name, "file"] = urlsplit(inner).path
            elif key in TIMES and isinstance(inner, str):
                self._known[name, "time"] = inner

    async def _find_link(self, name: str) -> str:
        """The path of the link in the newest mail to a name; it may still be under way."""
        return await settle(lambda: self._newest_link(name))

    def _newest_link(self, name: str) -> str | None:
        assert self._mail_dir is not None
        for path in sorted(self._mail_dir.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns, reverse=True):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = mail.get_body(("plain",))
            if self._addresses[name] in str(mail["To"]) and body and (link := LINK.search(body.get_content())):
                return link[1]
        return None

    # Sockets

    async def _receive(self, socket: tuple[str, str]) -> Any:
        async with asyncio.timeout(WAIT_S):
            message = await self._sockets[socket].read_message()
        packet = None if message is None else json.loads(message)
        self._learn(socket[0], packet)
        return packet

    async def _send(self, socket: tuple[str, str], text: str) -> None:
        await self._sockets[socket].write_message(text)

    async def _catch_up(self, socket: tuple[str, str]) -> None:
        """Receive what was sent up to now: all that comes before the answer to a barrier."""
        self._barriers += 1
        barrier, is_barrier = BARRIERS[socket[1]]
        await self._send(socket, json.dumps(barrier(self._barriers)))
        while (packet := await self._receive(socket)) is not None:
            if is_barrier(packet, self._barriers):
                return
            self._received.setdefault(socket, []).append(packet)
        self._sockets.pop(socket).close()

    async def _shake_hands(self, person: Person, path: str, query: str, headers: dict[str, str]) -> None:
        lines = {"Cookie": f"sessionid={person.cookie}"} if person.cookie is not None else {}
        url = f"ws://127.0.0.1:{self._port}{path}{query}"
        try:
            connection = await websocket_connect(HTTPRequest(url, headers=lines | headers))
        except HTTPClientError as error:
            self._answer = (error.code, {}, error.response.body if error.response else b"")
            return
        self._sockets[person.name, path] = connection
        self._received[person.name, path] = []
        self._answer = (101, {}, b"")

    # Steps

    async def _do(self, name: str, what: str) -> None:
        person = self._persons.setdefault(name, Person(self._port, name))
        if frame := FRAME.fullmatch(what):
            await self._send((name, frame[1]), in_one_line(frame[2]))
        elif handshake := HANDSHAKE.fullmatch(what):
            path, query, headers = handshake.groups()
            await self._shake_hands(person, path, query or "", dict(HEADER.findall(headers)))
        else:
            request = REQUEST.fullmatch(what)
            assert request, f"{what!r} is no request"
            await self._request(person, *request.groups())

    async def _request(self, person: Person, method: str, path: str, headers: str, body: str | None) -> None:
        given = {header: value.replace(ELLIPSIS, self._last_token) for header, value in HEADER.findall(headers)}
        if body and (file := FILE.fullmatch(body)):
            given["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
            head = f'Content-Disposition: form-data; name="file"; filename={file[1]}\r\n\r\n'
            raw_body = f"--{BOUNDARY}\r\n{head}{json.loads(file[2])}\r\n--{BOUNDARY}--\r\n".encode()
            answer = await person.request(method, path, raw_body=raw_body, headers=given)
        else:
            json_body = json.loads(body) if body else NOTHING
            if isinstance(json_body, dict) and "email" in json_body:
                self._addresses[person.name] = json_body["email"]
            answer = await person.request(method, path, json_body, headers=given)
        self._answer = (answer.status, {key: answer.headers.get_list(key) for key in answer.headers}, answer.body)
        if answer.headers.get("Content-Type", "").startswith("application/json") and answer.body:
            self._learn(person.name, answer.json)

    async def _compare(self, name: str, what: str) -> None:
        if frame := FRAME.fullmatch(what):
            await self._compare_packet((name, frame[1]), frame[2])
            return
        answer = ANSWER.fullmatch(what)
        assert answer and self._answer, f"{what!r} is no answer"
        status, headers, body = self._answer
        shown = body.decode()
        assert status == int(answer[1]), f"{status} {shown}"
        for header, value in HEADER.findall(answer[2]):
            assert any(text_matches(value, each) for each in headers.get(header, [])), f"{header}: {headers}"
        if answer[3] is None:
            assert status == 101 or not body, shown
        elif answer[3].startswith("{"):
            problem = difference(json.loads(answer[3]), json.loads(body))
            assert not problem, f"{problem}\n    {shown}"
        else:
            assert text_matches(answer[3], shown), shown

    async def _compare_packet(self, socket: tuple[str, str], what: str) -> None:
        packet = self._received[socket].pop(0) if self._received[socket] else await self._receive(socket)
        if what.startswith("closed "):
            assert packet is None, f"not closed, but got {packet}"
            connection = self._sockets.pop(socket)
            connection.close()
            assert connection.close_code == int(what.split()[-1]), connection.close_code
        else:
            problem = difference(json.loads(what), packet)
            assert not problem, f"{problem}\n    {json.dumps(packet)}"
