"""M3: memory of signed-in connections that say nothing."""

from __future__ import annotations

import time

from benchmarks.harness.processes import Meter, machine_lock, tree_memory_kib
from benchmarks.harness.results import Figures
from benchmarks.works.work import Work, connect_all

_WARM_CONNECTIONS = 20
_SETTLE_S = 3  # for allocators and collectors to come to rest
_WATCH_S = 4


class Idle(Work):
    """Proportional set size of the whole tree, database included, before and with the connections."""

    name = "idle"
    title = "Idle connections"
    cost = "pss_kib_per_connection"
    cost_title = "KiB PSS per connection"
    columns = (
        ("connections", "connections"),
        ("rss_kib_per_connection", "KiB RSS per connection"),
        ("base_pss_mib", "MiB PSS without"),
        ("idle_cpu_percent", "idle CPU %"),
    )
    alone = True

    def prepare(self) -> None:
        """Make the users; a few connections come and go, so that code paths are loaded."""
        self.peer.prepare(self.name, self.options.idle)
        for connection in connect_all(self.peer, self.hub, _WARM_CONNECTIONS, join=False):
            self.hub.drop(connection)
        time.sleep(_SETTLE_S)

    def measure(self) -> Figures:
        """Connect all and compare."""
        count = self.options.idle
        with machine_lock():
            base_pss, base_rss = tree_memory_kib(self.peer.roots)
            connect_all(self.peer, self.hub, count, join=False)
            time.sleep(_SETTLE_S)
            self.hub.drain(0.2, 3)
            pss, rss = tree_memory_kib(self.peer.roots)
            meter = Meter(self.peer.roots)
            end = time.monotonic() + _WATCH_S
            while time.monotonic() < end:
                self.hub.poll(0.5)
            meter.stop()
        return {
            "connections": count,
            "base_pss_mib": round(base_pss / 1024, 1),
            "pss_mib": round(pss / 1024, 1),
            "pss_kib_per_connection": round((pss - base_pss) / count, 2),
            "rss_kib_per_connection": round((rss - base_rss) / count, 2),
            "idle_cpu_percent": round(100 * meter.server_s / meter.wall_s, 2),
        }
