"""Results as Markdown, and the targets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
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
"""By the works' names."""


@dataclass(frozen=True, slots=True)
class Target:
    """What Nova is to reach, as one number of one run.

    Attributes:
        text: what is compared.
        find: the number (NaN if something failed).
        limit: what it may be at most, or has to be at least.
        is_least: which of the two.
    """

    text: str
    find: Callable[[AllResults], float]
    limit: float
    is_least: bool = False

    def row(self, results: AllResults) -> list[str]:
        """A row of the table of targets."""
        value = self.find(results)
        is_met = value >= self.limit if self.is_least else value <= self.limit  # False for NaN
        sign = "≥" if self.is_least else "≤"
        return [self.text, f"{sign} {shown(self.limit)}", shown(value), "yes" if is_met else "**no**"]


def _ratio(work: str, key: str, other: str) -> Callable[[AllResults], float]:
    def find(results: AllResults) -> float:
        found = ratios(results.get(work, {}), key, "nova", other)
        return statistics.median(found) if found else math.nan

    return find


def _median(work: str, key: str) -> Callable[[AllResults], float]:
    return lambda results: median(results.get(work, {}).get("nova", []), key)


TARGETS = (
    Target("fan-out: CPU per delivery ÷ ejabberd's", _ratio("fanout", "server_cpu_s_per_million", "ejabberd"), 0.1),
    Target(
        "fan-out: CPU per delivery ÷ the prototype's (handler)",
        _ratio("fanout", "server_cpu_s_per_million", "prototype:handler"),
        1.5,
    ),
    Target("pairs: messages/s ÷ ejabberd's", _ratio("pair", "per_s", "ejabberd"), 15, is_least=True),
    Target("GET /chat: median ms", _median("chat_list", "p50_ms"), 50),
    Target("a send to a long chat ÷ to a short one (CPU; 1 but for noise)", _median("growth", "ratio"), 1.15),
    Target("reading the long chat: Nova's peak RSS grows by MiB", _median("memory_history", "nova_growth_mib"), 32),
)


def target_table(results: AllResults) -> str:
    """All targets with what was reached."""
    rows = [target.row(results) for target in TARGETS]
    return f"### Targets\n\n{table(['figure', 'target', 'reached', 'met'], rows)}\n"
