"""One work of one peer, and what the works share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.harness.client import Connection, Hub, message_body, now_ns
from benchmarks.harness.peer import Peer
from benchmarks.harness.processes import Meter, machine_lock
from benchmarks.harness.results import Figures


@dataclass(frozen=True, slots=True)
class Options:
    """The sizes of the works.

    Attributes:
        run_s: length of one measured run.
        members: of the group of `fanout`, all online.
        senders: how many of them send.
        window: messages that are always under way in a saturated run.
        rate: messages per second of `fanout`; 0 = saturated.
        paced_rate: messages per second of a second, paced part of each run of `fanout`; 0 = there is none.
        pairs: of `pair`.
        idle: connections of `idle`.
        clients: who ask for the history at the same time.
        history: messages of the chat of `history`.
        chats: of the user of `chat_list`.
        short_chat: messages of the short chat of `growth`.
        long_chat: messages of the long one, which `memory_history` reads.
        words: of the rule of `filters`.
        storm: clients that come back at once.
    """

    run_s: float = 3.0
    members: int = 1000
    senders: int = 10
    window: int = 10
    rate: float = 0.0
    paced_rate: float = 0.0
    pairs: int = 200
    idle: int = 5000
    clients: int = 10
    history: int = 10_000
    chats: int = 1000
    short_chat: int = 1000
    long_chat: int = 1_000_000
    words: int = 1000
    storm: int = 2000


class Work(ABC):
    """One work of one peer: `prepare` once, `measure` once a round, `close` at the end.

    Attributes:
        name: what it is called on the command line.
        cost: the figure that resists noise and is compared.
        columns: further figures of its table, with their headings.
        alone: whether peers are started one after the other and measured once, instead of being taken in turn.
    """

    name: str
    title: str
    cost: str
    cost_title: str
    columns: tuple[tuple[str, str], ...] = ()
    alone = False

    def __init__(self, peer: Peer, options: Options) -> None:
        self.peer = peer
        self.options = options
        self.hub = Hub()
        self.resources = ExitStack()
        self.resources.callback(self.hub.close)

    @abstractmethod
    def prepare(self) -> None:
        """Make users, chats and connections, and warm the server up."""

    @abstractmethod
    def measure(self) -> Figures:
        """One measured run."""

    def close(self) -> None:
        """Close the connections and what else `resources` holds."""
        self.resources.close()


def connect_all(peer: Peer, hub: Hub, count: int, *, join: bool) -> list[Connection]:
    """Connect users 0 … count - 1, reading along so that no server has to wait for this client."""
    connections = []
    for index in range(count):
        if join:
            connections.append(peer.enter(index, hub))
        else:
            connections.append(peer.connect(index))
            hub.add(connections[-1])
        if index % 25 == 0:
            hub.drain(0.001, 5)
    hub.drain(0.5 if count < 500 else 1.5, 120)
    return connections


@dataclass(frozen=True, slots=True)
class Sent:
    """A run of sends to one chat: how many, and what they cost."""

    messages: int
    expected: int
    meter: Meter


def send_to_chat(
    peer: Peer,
    hub: Hub,
    senders: Sequence[Connection],
    render: Callable[[bytes], bytes],
    *,
    members: int,
    options: Options,
    run_s: float,
) -> Sent:
    """Send to a chat whose `members` are all on this hub, in turn, until the time is over and all is delivered.

    Saturated (`rate` 0): `window` messages are always under way. Paced: one message at each due time.
    The hub's counters are those of the run.
    """
    hub.drain(0.2, 10)
    hub.reset()
    window, rate = options.window, options.rate
    messages = 0
    with machine_lock():
        meter = Meter(peer.roots)
        start = now_ns()
        end = start + int(run_s * 1e9)
        while (now := now_ns()) < end:
            wait_s = 1.0
            if rate:
                due = start + int(messages * 1e9 / rate)
                room = int(now >= due)
                wait_s = max(0, due - now) / 1e9
            else:
                room = window - (messages - hub.marks // members)
            for _ in range(room):
                senders[messages % len(senders)].send(render(message_body()))
                messages += 1
            if not (rate and room):
                hub.poll(wait_s)
        hub.poll_until(lambda: hub.marks >= messages * members, 60)
        meter.stop()
    return Sent(messages, messages * members, meter)
