"""The shape of a driver: how to start one server and speak to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from benchmarks.harness.client import Connection, Hub
from benchmarks.harness.processes import Servers


class Peer(ABC):
    """One server of the comparison.

    The order of calls: `start`, `prepare`, then `connect` (and `join`) for user 0, 1, 2 …

    Attributes:
        name: as it was asked for, with its variant.
        works: what it can be measured at.
        durable: where a message is stored when it is delivered; "" if nowhere.
        roots: process ids of its trees, once started.
    """

    works: frozenset[str] = frozenset({"fanout", "pair", "idle", "history"})
    durable = ""

    def __init__(self, name: str) -> None:
        self.name = name
        self.servers = Servers()
        self.roots: Sequence[int] = ()

    @abstractmethod
    def start(self) -> None:
        """Start the server and set `roots`."""

    def stop(self) -> None:
        """Stop what `start` started."""
        self.servers.stop()

    def prepare(self, work: str, users: int) -> None:
        """Make the users and chats of a work; nothing to do for a server without accounts."""
        return

    @abstractmethod
    def connect(self, index: int) -> Connection:
        """A signed-in connection of this user."""

    def join(self, connection: Connection, hub: Hub) -> None:
        """Enter the group with this connection; nothing to do where the group's members were set before."""
        return

    @abstractmethod
    def group_message(self, body: bytes) -> bytes:
        """The bytes that send a message to the group."""

    def pair_message(self, to_index: int, body: bytes) -> bytes:
        """The bytes that send a message to the other one of a pair (users 2k and 2k + 1)."""
        raise NotImplementedError

    def enter(self, index: int, hub: Hub) -> Connection:
        """Connect and join the group."""
        connection = self.connect(index)
        hub.add(connection)
        self.join(connection, hub)
        return connection

    def history_connection(self, index: int, hub: Hub) -> Connection:
        """A connection that may ask for the group's history."""
        return self.enter(index, hub)

    def history_request(self) -> bytes:
        """The bytes that ask for the last 100 messages."""
        raise NotImplementedError

    def history_complete(self, buffer: bytes) -> bool:
        """Whether the bytes since the request hold the whole answer."""
        raise NotImplementedError
