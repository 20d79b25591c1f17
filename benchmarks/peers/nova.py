"""Nova itself, over its native protocol, with its embedded database."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from urllib.parse import quote_plus

from benchmarks.harness.client import Connection, Hub
from benchmarks.harness.peer import Peer
from benchmarks.harness.processes import RUN, Servers, empty_folder
from benchmarks.harness.wire import Response, masked_frame, tcp_connect, websocket_connect
from benchmarks.peers.nova_api import Account, NovaApi

ROOT = Path(__file__).resolve().parent.parent.parent
READY = re.compile(r"^Nova is ready on http://127\.0\.0\.1:(\d+)$", re.MULTILINE)
PAGE_MESSAGES = 100
SHORT_AVATAR = "http://localhost/a.png"


class Nova(Peer):
    """`nova`, `nova:short-avatars` or `nova:resume`.

    A registered user gets an avatar in the form of a data: URI, which stands in every message of his. The variant
    `short-avatars` gives each user a short URL instead, which makes a message about as long as the prototype's.
    `resume` reads the last messages over the WebSocket, as a client that missed them.
    """

    works = Peer.works | {"chat_list", "growth", "memory_history", "filters"}
    durable = "MongoDB's journal (majority)"

    def __init__(self, variant: str) -> None:
        super().__init__(f"nova:{variant}" if variant else "nova")
        if variant not in ("", "short-avatars", "resume"):
            raise ValueError(f"no variant {variant!r} of nova: short-avatars, resume")
        self._has_short_avatars = variant == "short-avatars"
        self._reads_by_resume = variant == "resume"
        self._cursor = 0
        self._name = self.name.replace(":", "-")
        self._data = RUN / self._name
        self._accounts: list[Account] = []
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
        process = self.servers.spawn(
            [program, "serve", *flags, "--rate-limits", "off"], self._name, environ={"PYTHONUNBUFFERED": "1"}, cwd=RUN
        )
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
        """Register the users; a group for `fanout` and `history`, friendships of two for `pair` and `idle`."""
        accounts = self._accounts = self.register(users)
        if work in ("pair", "idle"):
            self.api.each(lambda k: self.api.befriend(accounts[k], accounts[k + 1]), range(0, users - 1, 2))
        if work == "pair":
            self._pair_chats = [chats[0] for chats in self.api.each(self.api.chat_ids, accounts[::2])]
        if work in ("fanout", "history"):
            self._group = self.new_group(accounts)

    def register(self, count: int) -> list[Account]:
        """New users u0, u1, …"""
        accounts = self.api.each(self.api.register, (f"u{index}" for index in range(count)))
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
        return self.connect_as(self._accounts[index], index)

    def connect_as(self, account: Account, index: int) -> Connection:
        """A WebSocket of an account."""
        return Connection(websocket_connect(self.port, "/ws/", f"Cookie: sessionid={account.cookie}\r\n"), index)

    def message(self, chat_id: int, body: bytes) -> bytes:
        """A message to a chat."""
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
        if not self._reads_by_resume:
            return self.http_connection(index, hub)
        if not self._cursor:
            newest = self.api.call("GET", f"/chat/{self._group}/messages?limit=1", account=self._accounts[0])
            self._cursor = newest[0]["message_id"] - PAGE_MESSAGES
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
        return self.get(f"/chat/{self._group}/messages?limit=100", self._accounts[0])

    def history_complete(self, buffer: bytes) -> bool:
        """Whether the response is whole."""
        if self._reads_by_resume:
            return buffer.endswith(b'"more":false}}')
        return Response().feed(buffer)
