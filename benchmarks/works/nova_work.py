"""What the works share that only Nova is measured at."""

from __future__ import annotations

import socket

from benchmarks.harness.client import MARK, now_ns
from benchmarks.harness.peer import Peer
from benchmarks.harness.wire import Response, tcp_connect
from benchmarks.peers.nova import Nova
from benchmarks.peers.nova_api import Account
from benchmarks.works.work import Options, Work

_READ_LIMIT_S = 120
_READ_BYTES = 1 << 20


class NovaWork(Work):
    """A work of Nova's own interface."""

    def __init__(self, peer: Peer, options: Options) -> None:
        super().__init__(peer, options)
        if not isinstance(peer, Nova):
            raise TypeError(f"{self.name} is for nova alone")
        self.nova = peer


class Reader:
    """One kept HTTP connection of one user; answers are read, not kept.

    Attributes:
        size: bytes of the last answer.
        marks: marks in it.
    """

    def __init__(self, nova: Nova, account: Account) -> None:
        self._nova, self._account = nova, account
        self._socket: socket.socket = tcp_connect(nova.port)
        self._socket.settimeout(_READ_LIMIT_S)
        self.size = self.marks = 0

    def get(self, path: str) -> int:
        """Ask and read the answer to its end; how long that took, in ns.

        Raises:
            ConnectionError: the server refused or closed.
        """
        start = now_ns()
        self._socket.sendall(self._nova.get(path, self._account))
        self.size = self.marks = 0
        response, complete, seam = Response(), False, b""
        while not complete:
            data = self._socket.recv(_READ_BYTES)
            if not data:
                raise ConnectionError(f"GET {path}: closed after {self.size} bytes")
            self.size += len(data)
            self.marks += data.count(MARK) + (seam + data[:1] == MARK)
            seam = data[-1:]
            complete = response.feed(data)
        if response.status != 200:
            raise ConnectionError(f"GET {path}: {response.status}")
        return now_ns() - start

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
