"""Figures of runs: kept as JSON lines, shown as Markdown."""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.harness.processes import WORK

Figures = dict[str, float | int | str | None]


def percentile_ms(times_ns: Sequence[int], share: float) -> float | None:
    """The percentile of times in ns, in ms; None if there are none."""
    if not times_ns:
        return None
    ordered = sorted(times_ns)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6, 3)


def record(figures: Figures) -> None:
    """Append one run to the results file (BENCH_OUT)."""
    path = Path(os.environ.get("BENCH_OUT") or WORK / "results.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({"t": round(time.time()), **figures}) + "\n")


def say(text: str) -> None:
    """Progress, on stderr: stdout holds the tables alone."""
    print(f"# {text}", file=sys.stderr, flush=True)


def numbers(runs: Iterable[Figures], key: str) -> list[float]:
    """The values of one figure in all runs that have it."""
    return [float(value) for run in runs if isinstance(value := run.get(key), int | float)]


def median(runs: Iterable[Figures], key: str) -> float:
    """The median of one figure over the runs; NaN if no run has it."""
    values = numbers(runs, key)
    return statistics.median(values) if values else math.nan


def shown(value: float) -> str:
    """A number with three or so digits that say something."""
    if math.isnan(value):
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(runs: Iterable[Figures], key: str) -> str:
    """Median (lowest–highest) of one figure."""
    values = numbers(runs, key)
    if not values:
        return "–"
    middle, lowest, highest = (shown(value) for value in (statistics.median(values), min(values), max(values)))
    return middle if lowest == highest else f"{middle} ({lowest}–{highest})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
