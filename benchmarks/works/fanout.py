"""M1, fan-out: one group, all members online."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.harness.results import Figures, percentile_ms
from benchmarks.works.work import Options, Work, connect_all, send_to_chat


class Fanout(Work):
    """Ten senders; every message goes to every member, the sender included."""

    name = "fanout"
    title = "Fan-out"
    cost = "server_cpu_s_per_million"
    cost_title = "server CPU s per 1,000,000 deliveries"
    columns: tuple[tuple[str, str], ...] = (
        ("members", "members"),
        ("per_s", "deliveries/s"),
        ("p50_ms", "p50 ms"),
        ("p99_ms", "p99 ms"),
        ("reads_per_delivery", "reads per delivery"),
        ("bytes_per_delivery", "bytes per delivery"),
        ("lost", "lost"),
    )

    def prepare(self) -> None:
        """Fill the group with connected members; some twenty of them are timed."""
        members = self.options.members
        self.peer.prepare(self.name, members)
        self._connections = connect_all(self.peer, self.hub, members, join=True)
        self.hub.sampled = {c.fd for c in self._connections[:: max(1, members // 20)]}
        self._run(self.options, min(1.0, self.options.run_s))

    def measure(self) -> Figures:
        """One run, saturated or paced, or one of each: the figures of the second are named `paced_…`."""
        options = self.options
        figures = self._run(options, options.run_s)
        if options.paced_rate:
            paced = self._run(replace(options, rate=options.paced_rate), options.run_s)
            figures |= {f"paced_{name}": value for name, value in paced.items()}
        return figures

    def _run(self, options: Options, run_s: float) -> Figures:
        hub = self.hub
        sent = send_to_chat(
            self.peer,
            hub,
            self._connections[: options.senders],
            self.peer.group_message,
            members=options.members,
            options=options,
            run_s=run_s,
        )
        meter, deliveries = sent.meter, max(1, hub.marks)
        return {
            "members": options.members,
            "window": None if options.rate else options.window,
            "rate": options.rate or None,
            "messages": sent.messages,
            "deliveries": hub.marks,
            "lost": sent.expected - hub.marks,
            "wall_s": round(meter.wall_s, 3),
            "per_s": round(hub.marks / meter.wall_s),
            "server_cpu_s": round(meter.server_s, 3),
            "server_cpu_s_per_million": round(meter.server_s / deliveries * 1e6, 3),
            "client_cpu_percent": round(100 * meter.client_s / meter.wall_s, 1),
            "others_cpu_percent": round(100 * meter.others_share, 1),
            "reads_per_delivery": round(hub.reads / deliveries, 3),
            "bytes_per_delivery": round(hub.received_bytes / deliveries),
            "p50_ms": percentile_ms(hub.latencies_ns, 0.5),
            "p99_ms": percentile_ms(hub.latencies_ns, 0.99),
        }


class Fanout100(Fanout):
    """How `fanout` with a hundred members is shown beside that with more."""

    title = "Fan-out to 100 members"


class PacedFanout(Fanout):
    """How the second, paced part of each run of `fanout` is shown; measured it is there."""

    title = "Fan-out, paced"
    cost = "paced_server_cpu_s_per_million"
    columns = tuple((f"paced_{name}", heading) for name, heading in Fanout.columns)
