"""Results as Markdown, and the targets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.harness.results import median, numbers, shown, spread, table
from benchmarks.runner import Results
from benchmarks.works.work import Work


def ratios(results: Results, key: str, peer: str, other: str) -> list[float]:
    """One figure of a peer as a share of another's, round by round."""
    pairs = zip(numbers(results.get(peer, []), key), numbers(results.get(other, []), key), strict=False)
    return [ours / theirs for ours, theirs in pairs if theirs]


def work_table(work: type[Work], results: Results) -> str:
    """A table of one work, cheapest first; the ratios are to the first peer of the results, round by round."""
    first = next(iter(results))
    compares = len(results) > 1
    head = ["server", work.cost_title, *([f"ratio to {first}"] if compares else []), *(c for _, c in work.columns)]
    rows = []
    for name in sorted(results, key=lambda name: (math.isnan(m := median(results[name], work.cost)), m)):
        runs = results[name]
        if not runs:
            rows.append([name, "failed", *[""] * (len(head) - 2)])
            continue
        ratio = []
        if compares:
            found = ratios(results, work.cost, name, first)
            ratio = [shown(statistics.median(found)) if found else "–"]
        rows.append([name, spread(runs, work.cost), *ratio, *(spread(runs, key) for key, _ in work.columns)])
    return f"### {work.title}\n\n{table(head, rows)}\n"


AllResults = Mapping[str, Results]
"""By the tables' keys: the works' names, and `fanout_100`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one peer in one table."""

    key: str
    name: str
    peer: str = "nova"


@dataclass(frozen=True, slots=True)
class Target:
    """What Nova is to reach, as one number of one run.

    Attributes:
        text: what is compared.
        limit: what it may be at most, or has to be at least.
        figure: what is looked at.
        other: of whom it is taken as a share of the same figure, round by round; None: it is taken as it is.
        is_least: whether `limit` is the least.
    """

    text: str
    limit: float
    figure: Figure
    other: str | None = None
    is_least: bool = False

    def is_asked_for(self, results: AllResults) -> bool:
        """Whether this run has measured it, or tried to."""
        peers = results.get(self.figure.key, {})
        return self.figure.peer in peers and (self.other is None or self.other in peers)

    def find(self, results: AllResults) -> float:
        """The number; NaN if something failed."""
        figure = self.figure
        if self.other is None:
            return median(results[figure.key][figure.peer], figure.name)
        found = ratios(results[figure.key], figure.name, figure.peer, self.other)
        return statistics.median(found) if found else math.nan

    def row(self, results: AllResults) -> list[str]:
        """A row of the table of targets."""
        value = self.find(results)
        is_reached = value >= self.limit if self.is_least else value <= self.limit  # False for NaN
        sign = "≥" if self.is_least else "≤"
        show = _share if self.limit < 0.5 else shown
        return [self.text, f"{sign} {show(self.limit)}", show(value), "reached" if is_reached else "**missed**"]


def _cpu(key: str, peer: str = "nova") -> Figure:
    names = {"pair": "server_cpu_ms", "history": "server_cpu_ms"}
    return Figure(key, names.get(key, "server_cpu_s_per_million"), peer)


_PACED = Figure("fanout", "paced_server_cpu_s_per_million")
TARGETS = (
    Target("fan-out: CPU ÷ the joined broadcast in C", 1.3, _cpu("fanout"), "baseline:c-tick"),
    Target("fan-out: CPU ÷ ejabberd's", 1 / 20, _cpu("fanout"), "ejabberd"),
    Target("fan-out: CPU ÷ Node's", 1 / 6, _cpu("fanout"), "baseline:node-ws"),
    Target("fan-out: deliveries/s", 500_000, Figure("fanout", "per_s"), is_least=True),
    Target("fan-out to 100: CPU ÷ single sends in C", 0.6, _cpu("fanout_100"), "baseline:c-send"),
    Target("fan-out to 100: CPU ÷ ejabberd's", 1 / 12, _cpu("fanout_100"), "ejabberd"),
    Target("fan-out, paced: CPU ÷ ejabberd's", 1 / 3, _PACED, "ejabberd"),
    Target("fan-out, paced: p99 ÷ single sends in C", 1.3, Figure("fanout", "paced_p99_ms"), "baseline:c-send"),
    Target("pairs: messages/s ÷ ejabberd's", 45, Figure("pair", "per_s"), "ejabberd", is_least=True),
    Target("pairs: CPU ÷ ejabberd's", 1 / 30, _cpu("pair"), "ejabberd"),
    Target("pairs: p99 ÷ ejabberd's", 1 / 20, Figure("pair", "p99_ms"), "ejabberd"),
    Target("idle: KiB PSS per connection", 3, Figure("idle", "pss_kib_per_connection")),
    Target("history over WebSocket: CPU ÷ ejabberd's", 1 / 150, _cpu("history", "nova:resume"), "ejabberd"),
    Target("history over HTTP: CPU ÷ ejabberd's", 1 / 40, _cpu("history"), "ejabberd"),
    Target("fan-out: CPU of two workers ÷ of one", 1.25, _cpu("fanout", "nova:workers-2"), "nova"),
    Target("fan-out to 100: CPU of two workers ÷ of one", 1.25, _cpu("fanout_100", "nova:workers-2"), "nova"),
    Target("pairs: CPU of two workers ÷ of one", 1.25, _cpu("pair", "nova:workers-2"), "nova"),
    Target(
        "fan-out by methods: CPU of two workers ÷ of one",
        1.25,
        _cpu("fanout", "nova:methods+workers-2"),
        "nova:methods",
    ),
    Target(
        "pairs by methods: CPU of two workers ÷ of one", 1.25, _cpu("pair", "nova:methods+workers-2"), "nova:methods"
    ),
    Target("GET /chat: median ms", 50, Figure("chat_list", "p50_ms")),
    Target("a send to a long chat ÷ to a short one (CPU; 1 but for noise)", 1.15, Figure("growth", "ratio")),
    Target("reading the long chat: Nova's peak RSS grows by MiB", 32, Figure("memory_history", "nova_growth_mib")),
)


def _share(value: float) -> str:
    """A small ratio as what people say: 1/150."""
    return f"1/{shown(1 / value)}" if 0 < value < 0.5 else shown(value)


def target_table(results: AllResults) -> str:
    """All targets that this run can show, with what was reached; a peer that failed makes its targets missed."""
    rows = [target.row(results) for target in TARGETS if target.is_asked_for(results)]
    return f"### Targets\n\n{table(['figure', 'target', 'measured', ''], rows)}\n"
