"""M4: the last 100 messages of a chat, asked for again and again."""

from __future__ import annotations

from benchmarks.harness.client import MARK, Connection, message_body, now_ns
from benchmarks.harness.processes import Meter, machine_lock
from benchmarks.harness.results import Figures, percentile_ms
from benchmarks.works.work import Work

_PAGE = 100
_FILL_WINDOW = 50


class History(Work):
    """Some clients, each with one request under way."""

    name = "history"
    title = "History: the last 100 messages"
    cost = "server_cpu_ms"
    cost_title = "server CPU ms per request"
    columns = (
        ("per_s", "requests/s"),
        ("p50_ms", "p50 ms"),
        ("p99_ms", "p99 ms"),
        ("bytes", "bytes"),
        ("messages", "messages in the chat"),
    )

    def prepare(self) -> None:
        """Fill the chat over the wire, then connect those who ask."""
        self.peer.prepare(self.name, self.options.clients)
        self._fill(self.options.history)
        self._connections = [self.peer.history_connection(i, self.hub) for i in range(self.options.clients)]
        self.hub.drain(1, 10)
        for connection in self._connections:
            connection.on_data = self._on_data
        self._run(min(1.0, self.options.run_s))

    def _fill(self, messages: int) -> None:
        hub = self.hub
        author = self.peer.enter(0, hub)
        hub.drain(0.5, 5)
        hub.reset()
        sent = 0
        while hub.marks < messages:
            for _ in range(min(messages - sent, _FILL_WINDOW - (sent - hub.marks))):
                author.send(self.peer.group_message(message_body()))
                sent += 1
            hub.poll(1)
        hub.drop(author)

    def _ask(self, connection: Connection) -> None:
        connection.held = b""
        connection.asked_ns = now_ns()
        connection.send(self.peer.history_request())

    def _on_data(self, connection: Connection, data: bytes) -> None:
        connection.held += data
        if not self.peer.history_complete(connection.held):
            return
        self._latencies_ns.append(now_ns() - connection.asked_ns)
        if (found := connection.held.count(MARK)) != _PAGE:
            raise ConnectionError(f"{found} messages instead of {_PAGE}: {connection.held[:600]!r}")
        self._bytes = len(connection.held)
        if self._stopping:
            self._under_way -= 1
        else:
            self._ask(connection)

    def measure(self) -> Figures:
        """One run."""
        return self._run(self.options.run_s)

    def _run(self, run_s: float) -> Figures:
        self._latencies_ns: list[int] = []
        self._bytes = 0
        self._stopping, self._under_way = False, len(self._connections)
        with machine_lock():
            meter = Meter(self.peer.roots)
            for connection in self._connections:
                self._ask(connection)
            end = now_ns() + int(run_s * 1e9)
            while now_ns() < end:
                self.hub.poll(0.2)
            self._stopping = True
            self.hub.poll_until(lambda: self._under_way <= 0, 60)
            meter.stop()
        requests = max(1, len(self._latencies_ns))
        return {
            "clients": self.options.clients,
            "messages": self.options.history,
            "requests": requests,
            "wall_s": round(meter.wall_s, 3),
            "per_s": round(requests / meter.wall_s, 1),
            "server_cpu_s": round(meter.server_s, 3),
            "server_cpu_ms": round(meter.server_s / requests * 1e3, 4),
            "client_cpu_percent": round(100 * meter.client_s / meter.wall_s, 1),
            "others_cpu_percent": round(100 * meter.others_share, 1),
            "bytes": self._bytes,
            "p50_ms": percentile_ms(self._latencies_ns, 0.5),
            "p99_ms": percentile_ms(self._latencies_ns, 0.99),
        }
