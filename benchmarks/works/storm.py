"""All clients lose the server and come back at once, to one that has nothing in memory. Nova alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from benchmarks.harness.client import Connection
from benchmarks.harness.processes import Meter, machine_lock
from benchmarks.harness.results import Figures
from benchmarks.works.nova_work import NovaWork

AT_ONCE = 64
"""How many clients are on their way back at the same time; each waits for its answer."""


class Storm(NovaWork):
    """Users with one private chat each; a client signs in by its cookie and asks by `resume` what it has missed."""

    name = "storm"
    title = "Coming back: all clients at once, after a restart"
    cost = "server_cpu_ms"
    cost_title = "server CPU ms per client"
    columns = (("took_s", "s until all are back"), ("clients", "clients"))

    def prepare(self) -> None:
        """Make the users."""
        self.nova.prepare("pair", self.options.storm)

    def measure(self) -> Figures:
        """Restart the server, and let all of them come."""
        self.nova.restart()
        clients = range(self.options.storm)
        with machine_lock(), ThreadPoolExecutor(AT_ONCE) as pool:
            meter = Meter(self.peer.roots)
            connections: list[Connection] = list(pool.map(self.nova.come_back, clients))
            meter.stop()
        for connection in connections:
            connection.sock.close()
        return {
            "clients": len(clients),
            "took_s": round(meter.wall_s, 2),
            "server_cpu_ms": round(meter.server_s / len(clients) * 1e3, 3),
            "client_cpu_percent": round(100 * meter.client_s / meter.wall_s, 1),
            "others_cpu_percent": round(100 * meter.others_share, 1),
        }
