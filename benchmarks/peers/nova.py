"""Nova itself, over its native protocol or over methods, with its embedded database."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus

from benchmarks.harness.client import Connection, Hub
from benchmarks.harness.peer import Peer
from benchmarks.harness.processes import RUN, Servers, empty_folder, unpin
from benchmarks.harness.wire import Response, masked_frame, read_until, tcp_connect, websocket_connect
from benchmarks.peers.nova_api import Account, NovaApi

ROOT = Path(__file__).resolve().parent.parent.parent
READY = re.compile(r"^Nova is ready on http://127\.0\.0\.1:(\d+)$", re.MULTILINE)
PAGE_MESSAGES = 100
SEQ_SPAN = 10**8
"""A message's id is the chat's id times this, and the message's place in the chat."""
OLDER_STEP_MESSAGES = 317
"""From one page of `older` to the next; they overlap seldom."""
ANSWER_LIMIT_S = 60.0
SHORT_AVATAR = "http://localhost/a.png"
WORKERS = re.compile(r"workers-([1-9][0-9]?)")
VARIANTS = ("short-avatars", "resume", "older", "methods", "workers-N")


def _name(index: int) -> str:
    return f"u{index}"


@dataclass(slots=True)
class _Made:
    """What `prepare` has made for one work, with the data folder of a server that was stopped."""

    folder: Path
    accounts: list[Account]
    pair_chats: list[int] = field(default_factory=list)
    group: int = 0


_MADE: dict[tuple[str, int, bool], _Made] = {}
"""By work, number of users, and whether avatars are short."""


class Nova(Peer):
    """`nova`, or `nova:VARIANT` with `short-avatars`, `resume`, `older`, `methods` or `workers-N`, joined by `+`.

    A registered user gets an avatar in the form of a data: URI, which stands in every message of his. The variant
    `short-avatars` gives each user a short URL instead, which makes a message about as long as the prototype's.
    `resume` reads the last messages over the WebSocket, as a client that missed them. `older` reads messages before
    those, here and there, which are not in memory. `methods` has all connections speak that protocol. `workers-N` is a
    server of N workers, on the same CPU; the kernel spreads the connections.
    """

    works = Peer.works | {"chat_list", "growth", "memory_history", "filters", "storm"}
    durable = "MongoDB's journal (majority)"

    def __init__(self, variant: str) -> None:
        super().__init__(f"nova:{variant}" if variant else "nova")
        extras = set(variant.split("+")) if variant else set()
        workers = {extra: int(found[1]) for extra in extras if (found := WORKERS.fullmatch(extra))}
        if not extras <= {"short-avatars", "resume", "older", "methods", *workers} or len(workers) > 1:
            raise ValueError(f"no variant {variant!r} of nova: {', '.join(VARIANTS)}")
        self._has_short_avatars = "short-avatars" in extras
        self._reads_by_resume = "resume" in extras
        self._reads_older = "older" in extras
        self._speaks_methods = "methods" in extras
        self._workers = next(iter(workers.values()), 1)
        if self._workers > 1:  # most works of Nova alone look at one process
            self.works = Peer.works | {"storm"}
        if self._speaks_methods:  # that protocol has no histories in pages
            self.works = Peer.works - {"history"}
        self._cursor = 0
        self._steps = itertools.count(0, OLDER_STEP_MESSAGES)
        self._name = re.sub("[:+]", "-", self.name)
        self._data = RUN / self._name
        self._accounts: list[Account] = []
        self._tokens: list[str] = []
        self._pair_chats: list[int] = []
        self._group = 0
        self._long_chats: tuple[int, int] | None = None

    def start(self) -> None:
        """Start it on an empty data folder."""
        empty_folder(self._name)
        self._serve()

    def restart(self) -> None:
        """Stop it and start it again on the same data, so that nothing is in its memory."""
        self.servers.stop()
        self.servers = Servers()
        self._serve()

    def _serve(self) -> None:
        beside = Path(sys.executable).with_name("nova")
        program = beside if beside.exists() else ROOT / ".venv" / "bin" / "nova"
        flags = ["--host", "127.0.0.1", "--port", "0", "--data", self._data, "--bcrypt-rounds", "4"]
        flags += ["--rate-limits", "off", "--workers", self._workers]
        process = self.servers.spawn([program, "serve", *flags], self._name, environ={"PYTHONUNBUFFERED": "1"}, cwd=RUN)
        self.roots = [process.pid]
        log = RUN / f"{self._name}.log"
        self.servers.wait_for(lambda: bool(READY.search(log.read_text())), "Nova's ready line")
        ready = READY.search(log.read_text())
        assert ready
        self.port = int(ready[1])
        self.api = NovaApi(self.port)

    @property
    def mongo_uri(self) -> str:
        """Where its database listens."""
        return f"mongodb://{quote_plus(os.fspath(self._data / 'run' / 'mongod.sock'))}/?directConnection=true"

    def prepare(self, work: str, users: int) -> None:
        """Register the users; a group for `fanout` and `history`, friendships of two for `pair` and `idle`.

        That takes a while, so it is done once: the next peers of this run get a copy of the data. All start anew on it.
        """
        made = _MADE.get((work, users, self._has_short_avatars))
        if made is None:
            made = _MADE[work, users, self._has_short_avatars] = self._make(work, users)
            self.servers.stop()
            shutil.copytree(self._data, made.folder, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
        else:
            self.servers.stop()
            shutil.rmtree(self._data)
            shutil.copytree(made.folder, self._data)
        self.restart()
        self._accounts, self._pair_chats, self._group = made.accounts, made.pair_chats, made.group
        if work == "idle":  # or what is read for the first time would be counted as memory of connections
            self.api.each(self.api.chat_ids, self._accounts)
        if self._speaks_methods:
            self._tokens = self.api.each(self.api.new_token, map(_name, range(users)))

    def _make(self, work: str, users: int) -> _Made:
        unpin(self.roots)  # it is stopped afterwards
        made = _Made(RUN / f"made-{len(_MADE)}", self.register(users))
        accounts = made.accounts
        if work in ("pair", "idle"):
            self.api.each(lambda k: self.api.befriend(accounts[k], accounts[k + 1]), range(0, users - 1, 2))
        if work == "pair":
            made.pair_chats = [chats[0] for chats in self.api.each(self.api.chat_ids, accounts[::2])]
        if work in ("fanout", "history"):
            made.group = self.new_group(accounts)
        return made

    def register(self, count: int) -> list[Account]:
        """New users u0, u1, …"""
        accounts = self.api.each(self.api.register, map(_name, range(count)))
        if self._has_short_avatars:
            change = {"avatar_url": SHORT_AVATAR}
            self.api.each(lambda account: self.api.call("PATCH", "/user", change, account), accounts)
        return accounts

    def new_group(self, accounts: list[Account]) -> int:
        """The chat id of a group of these users; the first one owns it and becomes everyone's friend."""
        owner, *members = accounts
        self.api.each(lambda member: self.api.befriend(owner, member), members)
        return self.api.new_group(owner, "Benchmark", members)

    def long_chats(self, members: int, lengths: tuple[int, int]) -> tuple[int, int]:
        """The chat ids of two groups of the same members with so many messages, made at the first call.

        The server has been restarted after that; users 0 … members - 1 are the members.
        """
        if self._long_chats is None:
            from benchmarks.peers.nova_fill import fill_chat  # it needs Nova's storage; the other works do not

            accounts = self._accounts = self.register(members)
            chats = self.new_group(accounts), self.api.new_group(accounts[0], "Long", accounts[1:])
            for chat_id, messages in zip(chats, lengths, strict=True):
                fill_chat(self.mongo_uri, chat_id, messages, [account.id for account in accounts])
            self.restart()
            self._long_chats = chats
        return self._long_chats

    def account(self, index: int) -> Account:
        """The user with that number."""
        return self._accounts[index]

    def connect(self, index: int) -> Connection:
        """A WebSocket of this user."""
        if not self._speaks_methods:
            return self.connect_as(self._accounts[index], index)
        connection = websocket_connect(self.port, "/ws/chat/")
        connection.sendall(masked_frame(b'{"method":"auth","access_token":"%s"}' % self._tokens[index].encode()))
        read_until(connection, b'"authenticated"')
        return Connection(connection, index)

    def connect_as(self, account: Account, index: int) -> Connection:
        """A WebSocket of an account."""
        return Connection(websocket_connect(self.port, "/ws/", f"Cookie: sessionid={account.cookie}\r\n"), index)

    def come_back(self, index: int) -> Connection:
        """A WebSocket of one of the users of `pair`, who has been told what he has missed of his chat."""
        connection = self.connect(index)
        chat_id = self._pair_chats[index // 2]
        connection.sock.settimeout(ANSWER_LIMIT_S)
        request = b'{"action":"resume","request_id":1,"data":{"chats":[{"chat_id":%d,"cursor":%d}]}}'
        connection.sock.sendall(masked_frame(request % (chat_id, chat_id * SEQ_SPAN)))
        read_until(connection.sock, b'"more":false}')
        return connection

    def message(self, chat_id: int, body: bytes) -> bytes:
        """A message to a chat."""
        if self._speaks_methods:
            head = b'{"method":"send_message","args":{"chat":%d,"text":"' % chat_id
            return masked_frame(head + body + b'"}}')
        head = b'{"action":"send_message","data":{"chat_id":%d,"content":"' % chat_id
        return masked_frame(head + body + b'"}}')

    def mark_read(self, chat_id: int) -> bytes:
        """The packet that marks a chat as read."""
        return masked_frame(b'{"action":"messages_read","data":{"chat_id":%d}}' % chat_id)

    def group_message(self, body: bytes) -> bytes:
        """A message to the group."""
        return self.message(self._group, body)

    def pair_message(self, to_index: int, body: bytes) -> bytes:
        """A message to the pair's private chat."""
        return self.message(self._pair_chats[to_index // 2], body)

    def http_connection(self, index: int, hub: Hub) -> Connection:
        """A connection for requests."""
        connection = Connection(tcp_connect(self.port), index)
        hub.add(connection)
        return connection

    def history_connection(self, index: int, hub: Hub) -> Connection:
        """An HTTP connection, or a WebSocket."""
        if not self._cursor:
            newest = self.api.call("GET", f"/chat/{self._group}/messages?limit=1", account=self._accounts[0])
            self._cursor = newest[0]["message_id"] - PAGE_MESSAGES
        if not self._reads_by_resume:
            return self.http_connection(index, hub)
        connection = self.connect(index)
        hub.add(connection)
        return connection

    def get(self, path: str, account: Account) -> bytes:
        """The bytes of a GET request of this user."""
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={account.cookie}\r\n\r\n".encode()

    def history_request(self) -> bytes:
        """The last 100 messages of the group."""
        if self._reads_by_resume:
            request = b'{"action":"resume","request_id":1,"data":{"chats":[{"chat_id":%d,"cursor":%d}]}}'
            return masked_frame(request % (self._group, self._cursor))
        path = f"/chat/{self._group}/messages?limit={PAGE_MESSAGES}"
        if self._reads_older:
            seq = self._cursor % SEQ_SPAN
            path += f"&before={self._cursor - next(self._steps) % max(1, seq - 2 * PAGE_MESSAGES)}"
        return self.get(path, self._accounts[0])

    def history_complete(self, buffer: bytes) -> bool:
        """Whether the response is whole."""
        if self._reads_by_resume:
            return buffer.endswith(b'"more":false}}')
        return Response().feed(buffer)
