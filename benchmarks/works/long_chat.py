"""What a chat of a million messages costs, against one of a thousand. Nova alone.

Both chats have the same members. They are written through Nova's storage, then the server is restarted.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.harness.client import Connection
from benchmarks.harness.processes import Meter, command_of, machine_lock, peak_rss_kib, reset_peak_rss, tree
from benchmarks.harness.results import Figures, percentile_ms
from benchmarks.works.nova_work import NovaWork, Reader
from benchmarks.works.work import connect_all, send_to_chat

MEMBERS = 10


class _LongChatWork(NovaWork):
    """Finds the two chats, or makes them if this is the first work of this server that needs them."""

    def prepare(self) -> None:
        """Make the chats."""
        self.short_chat, self.long_chat = self.nova.long_chats(
            MEMBERS, (self.options.short_chat, self.options.long_chat)
        )


@dataclass(slots=True)
class _Cost:
    """What the sends to one chat cost."""

    messages: int = 0
    server_cpu_s: float = 0.0
    lost: int = 0
    latencies_ns: list[int] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        return self.server_cpu_s / self.messages * 1e3


class Growth(_LongChatWork):
    """Sends to both chats in turn, saturated, within each run."""

    name = "growth"
    title = "Growth: a send to a long chat against one to a short chat"
    cost = "ratio"
    cost_title = "server CPU of a send, long to short"
    columns = (
        ("short_cpu_ms", "short: CPU ms per send"),
        ("long_cpu_ms", "long: CPU ms per send"),
        ("short_p50_ms", "short: p50 ms"),
        ("long_p50_ms", "long: p50 ms"),
        ("lost", "lost"),
        ("long_chat", "messages in the long chat"),
    )

    def prepare(self) -> None:
        """Connect all members."""
        super().prepare()
        self._connections: list[Connection] = connect_all(self.peer, self.hub, MEMBERS, join=False)
        self.hub.sampled = {self._connections[0].fd}
        for chat_id in (self.short_chat, self.long_chat):
            self._send([chat_id], min(1.0, self.options.run_s))

    def _send(self, order: Sequence[int], slice_s: float) -> dict[int, _Cost]:
        """Send to the chats in that order; what each of them cost, all its slices together."""
        costs = {chat_id: _Cost() for chat_id in order}
        for chat_id in order:
            sent = send_to_chat(
                self.peer,
                self.hub,
                self._connections,
                functools.partial(self.nova.message, chat_id),
                members=MEMBERS,
                options=self.options,
                run_s=slice_s,
            )
            cost = costs[chat_id]
            cost.messages += sent.messages
            cost.server_cpu_s += sent.meter.server_s
            cost.lost += sent.expected - self.hub.marks
            cost.latencies_ns += self.hub.latencies_ns
        return costs

    def measure(self) -> Figures:
        """One run: short, long, long, short, so that a trend of the machine hits both alike."""
        order = [self.short_chat, self.long_chat, self.long_chat, self.short_chat]
        costs = self._send(order, self.options.run_s / 2)
        short, long = costs[self.short_chat], costs[self.long_chat]
        return {
            "short_chat": self.options.short_chat,
            "long_chat": self.options.long_chat,
            "short_cpu_ms": round(short.cpu_ms, 4),
            "long_cpu_ms": round(long.cpu_ms, 4),
            "short_p50_ms": percentile_ms(short.latencies_ns, 0.5),
            "long_p50_ms": percentile_ms(long.latencies_ns, 0.5),
            "ratio": round(long.cpu_ms / short.cpu_ms, 3),
            "lost": short.lost + long.lost,
        }


class MemoryHistory(_LongChatWork):
    """Peak RSS of Nova's own processes and of its mongod while one client reads the whole long chat."""

    name = "memory_history"
    title = "Memory: GET /chat/<id>/messages of the whole long chat"
    cost = "nova_growth_mib"
    cost_title = "peak RSS above the one before, MiB (Nova)"
    columns = (
        ("nova_before_mib", "Nova before, MiB"),
        ("nova_peak_mib", "Nova peak, MiB"),
        ("mongod_growth_mib", "mongod's growth, MiB"),
        ("messages", "messages"),
        ("answer_mib", "MiB read"),
        ("wall_s", "s"),
        ("server_cpu_s", "server CPU s"),
    )
    alone = True

    def prepare(self) -> None:
        """Let all members have read all messages; read the short chat, so that code paths are loaded."""
        super().prepare()
        for connection in connect_all(self.peer, self.hub, MEMBERS, join=False):
            for chat_id in (self.short_chat, self.long_chat):
                connection.send(self.nova.mark_read(chat_id))
        self.hub.drain(0.5, 10)
        self._reader = Reader(self.nova, self.nova.account(0))
        self.resources.callback(self._reader.close)
        self._reader.get(f"/chat/{self.short_chat}/messages")

    def measure(self) -> Figures:
        """Read the long chat once."""
        processes = tree(self.peer.roots)
        mongods = [pid for pid in processes if command_of(pid) == "mongod"]
        novas = [pid for pid in processes if pid not in mongods]
        with machine_lock():
            for pid in processes:
                reset_peak_rss(pid)  # the peak is then what it uses now
            nova_before, mongod_before = _peaks_mib(novas), _peaks_mib(mongods)
            meter = Meter(self.peer.roots)
            self._reader.get(f"/chat/{self.long_chat}/messages")
            meter.stop()
            if self._reader.marks < self.options.long_chat - 1:  # one message is about the group's making
                raise ConnectionError(f"only {self._reader.marks} messages came")
            nova_peak, mongod_peak = _peaks_mib(novas), _peaks_mib(mongods)
        return {
            "nova_before_mib": nova_before,
            "nova_peak_mib": nova_peak,
            "nova_growth_mib": round(nova_peak - nova_before, 1),
            "mongod_before_mib": mongod_before,
            "mongod_growth_mib": round(mongod_peak - mongod_before, 1),
            "messages": self._reader.marks,
            "long_chat": self.options.long_chat,
            "answer_mib": round(self._reader.size / 2**20, 1),
            "wall_s": round(meter.wall_s, 2),
            "server_cpu_s": round(meter.server_s, 2),
        }


def _peaks_mib(pids: list[int]) -> float:
    return round(sum(map(peak_rss_kib, pids)) / 1024, 1)
