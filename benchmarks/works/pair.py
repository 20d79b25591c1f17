"""M2, one-to-one: pairs in ping-pong."""

from __future__ import annotations

from benchmarks.harness.client import MARK, STAMP_BYTES, Connection, message_body, now_ns
from benchmarks.harness.processes import Meter, machine_lock
from benchmarks.harness.results import Figures, percentile_ms
from benchmarks.works.work import Work, connect_all

_TAKEN_BYTES = len(MARK) + STAMP_BYTES + 1  # marker, time, side


class Pair(Work):
    """Each pair has one message under way: whoever gets the other's answers it.

    Users 2k and 2k + 1 are a pair; a letter after the time says whose message it is, because servers may echo.
    """

    name = "pair"
    title = "One-to-one"
    cost = "server_cpu_ms"
    cost_title = "server CPU ms per message"
    columns = (("per_s", "messages/s"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("lost", "lost"))

    def prepare(self) -> None:
        """Make and connect the pairs."""
        users = 2 * self.options.pairs
        self.peer.prepare(self.name, users)
        self._connections = connect_all(self.peer, self.hub, users, join=False)
        for connection in self._connections:
            connection.on_data = self._on_data
        self._latencies_ns: list[int] = []
        self._run(min(1.5, self.options.run_s))

    def _on_data(self, connection: Connection, data: bytes) -> None:
        now = now_ns()
        data = connection.held + data
        side = b"BA"[connection.index % 2]  # the other one's letter
        position = 0
        while (position := data.find(MARK, position)) >= 0:
            end = position + _TAKEN_BYTES
            if end > len(data):
                connection.held = data[position:]
                return
            if data[end - 1] == side:
                self._on_message(connection, now - int(data[position + len(MARK) : end - 1], 16))
            position = end
        connection.held = data[-1:] if data[-1] == MARK[0] else b""

    def _on_message(self, connection: Connection, latency_ns: int) -> None:
        self._latencies_ns.append(latency_ns)
        if self._stopping:
            self._under_way -= 1
        else:
            self._send(connection)

    def _send(self, connection: Connection) -> None:
        side = b"AB"[connection.index % 2 :][:1]
        connection.send(self.peer.pair_message(connection.index ^ 1, message_body(side)))

    def measure(self) -> Figures:
        """One run; every pair starts with a message of its first user."""
        return self._run(self.options.run_s)

    def _run(self, run_s: float) -> Figures:
        self._stopping, self._under_way = False, self.options.pairs
        self._latencies_ns = []
        with machine_lock():
            meter = Meter(self.peer.roots)
            for connection in self._connections[::2]:
                self._send(connection)
            end = now_ns() + int(run_s * 1e9)
            while now_ns() < end:
                self.hub.poll(0.2)
            meter.stop()
            latencies = self._latencies_ns[:]
            self._stopping = True
            self.hub.poll_until(lambda: self._under_way <= 0, 60)
        self.hub.drain(0.1, 3)
        return {
            "pairs": self.options.pairs,
            "messages": len(latencies),
            "lost": self._under_way,
            "wall_s": round(meter.wall_s, 3),
            "per_s": round(len(latencies) / meter.wall_s, 1),
            "server_cpu_s": round(meter.server_s, 3),
            "server_cpu_ms": round(meter.server_s / max(1, len(latencies)) * 1e3, 4),
            "client_cpu_percent": round(100 * meter.client_s / meter.wall_s, 1),
            "others_cpu_percent": round(100 * meter.others_share, 1),
            "p50_ms": percentile_ms(latencies, 0.5),
            "p99_ms": percentile_ms(latencies, 0.99),
        }
