"""The prototype of Nova's write path (servers/prototype.py), with an embedded database as Nova has it."""

from __future__ import annotations

import sys

from benchmarks.harness.client import Connection, Hub
from benchmarks.harness.peer import Peer
from benchmarks.harness.processes import empty_folder, free_port
from benchmarks.harness.wire import Response, masked_frame, tcp_connect, websocket_connect
from benchmarks.peers.baseline import SERVERS

GROUP = "group"


class Prototype(Peer):
    """`prototype:RECEIVE`, RECEIVE `handler` or `raw`, with `+uvloop` and `+memory` (history from memory) if wanted."""

    durable = "MongoDB's journal (majority)"

    def __init__(self, variant: str) -> None:
        variant = variant or "handler"
        super().__init__(f"prototype:{variant}")
        receive, *extras = variant.split("+")
        if receive not in ("handler", "raw") or not {*extras} <= {"uvloop", "memory"}:
            raise ValueError(f"no prototype {variant!r}")
        self._receive = "+".join([receive, *(extra for extra in extras if extra == "uvloop")])
        self._query = "?from=memory" if "memory" in extras else ""
        self._work = ""

    def start(self) -> None:
        """Start the server, which starts its database."""
        log_name = self.name.replace(":", "-")
        self._port = free_port()
        server = self.servers.spawn(
            [sys.executable, SERVERS / "prototype.py", self._port, empty_folder(log_name), self._receive], log_name
        )
        self.roots = [server.pid]
        self.servers.wait_for_port(self._port)

    def prepare(self, work: str, users: int) -> None:
        """Users and chats exist by being named."""
        self._work = work

    def connect(self, index: int) -> Connection:
        """A member of the group, of its pair, or of a chat of its own."""
        chat = {"pair": f"pair{index // 2}", "idle": f"own{index}"}.get(self._work, GROUP)
        return Connection(websocket_connect(self._port, f"/ws?user={index}&chat={chat}"), index)

    def _message(self, chat: str, body: bytes) -> bytes:
        head = b'{"action":"send_message","request_id":1,"data":{"chat_id":"%s","content":"' % chat.encode()
        return masked_frame(head + body + b'"}}')

    def group_message(self, body: bytes) -> bytes:
        """A message to the group."""
        return self._message(GROUP, body)

    def pair_message(self, to_index: int, body: bytes) -> bytes:
        """A message to the pair's chat."""
        return self._message(f"pair{to_index // 2}", body)

    def history_connection(self, index: int, hub: Hub) -> Connection:
        """An HTTP connection."""
        connection = Connection(tcp_connect(self._port), index)
        hub.add(connection)
        return connection

    def history_request(self) -> bytes:
        """The last 100."""
        return f"GET /chat/{GROUP}/messages{self._query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    def history_complete(self, buffer: bytes) -> bool:
        """Whether the response is whole."""
        return Response().feed(buffer)
