"""`nova top`: what `/metrics` of a running server says, in the terminal."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

INTERVAL_S = 2.0
ANSWER_LIMIT_S = 5.0
ANSWER_MAX_BYTES = 4 * 1024 * 1024
"""Metrics of a hundred workers are smaller; what is larger comes from something else."""
COLUMN = 22

BOLD, DIM, RED = "1", "2", "31"
ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"

Labels = frozenset[tuple[str, str]]


class TopError(Exception):
    """The metrics cannot be read; the text is one clear line."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token is for the host that was named, and no other."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class Reading:
    """What the server said at one moment.

    Args:
        text: in Prometheus' form.
        at_s: when, as ``time.time()`` tells it.

    Raises:
        ValueError: it is in another form.
    """

    def __init__(self, text: str, at_s: float) -> None:
        self.at_s = at_s
        self._samples: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value

    def of(self, name: str) -> dict[Labels, float]:
        """All values of a metric."""
        return self._samples.get(name, {})

    def sum(self, name: str) -> float:
        """The sum over all workers and labels."""
        return sum(self.of(name).values())

    @property
    def workers(self) -> tuple[str, ...]:
        """Which processes it tells of: of several that share a port, the one that was reached."""
        return tuple(self.label("nova_signed_in_users", "worker"))

    def label(self, name: str, label: str) -> list[str]:
        """The values that a label of a metric has, in order."""
        return sorted({dict(labels).get(label, "") for labels in self.of(name)})


class Span:
    """What happened between two readings, or up to one since the server's start.

    Args:
        then: the earlier one; None for the start.
        now: the later one.
    """

    def __init__(self, then: Reading | None, now: Reading) -> None:
        self.now = now
        self._then = then
        begun_at_s = then.at_s if then is not None else min(now.of("process_start_time_seconds").values(), default=0.0)
        self.length_s = max(now.at_s - begun_at_s, 0.001)

    def _more(self, name: str, labels: Labels, value: float) -> float:
        before = self._then.of(name).get(labels, 0.0) if self._then is not None else 0.0
        return value - before if value >= before else value  # a process that was started anew counts from 0

    def count(self, name: str, **wanted: str) -> float:
        """How much a counter has grown, over all workers."""
        return sum(
            self._more(name, labels, value)
            for labels, value in self.now.of(name).items()
            if wanted.items() <= dict(labels).items()
        )

    def rate(self, name: str, **wanted: str) -> float:
        """How much a counter has grown, a second."""
        return self.count(name, **wanted) / self.length_s

    def quantile(self, name: str, share: float) -> float | None:
        """Below what a share of a histogram's values lies, by a straight line within its bucket; None: no values."""
        buckets: dict[float, float] = {}
        for labels, value in self.now.of(f"{name}_bucket").items():
            bound = float(dict(labels)["le"])
            buckets[bound] = buckets.get(bound, 0.0) + self._more(f"{name}_bucket", labels, value)
        bounds = sorted(buckets)
        total = buckets[bounds[-1]] if bounds else 0.0
        if not total:
            return None
        rank, low, below = share * total, 0.0, 0.0
        for bound in bounds:
            if buckets[bound] >= rank:
                if bound == float("inf"):
                    return low  # it is known only that it is larger
                return low + (bound - low) * (rank - below) / ((buckets[bound] - below) or 1.0)
            low, below = bound, buckets[bound]
        return low


def read_metrics(url: str, token: str | None) -> Reading:
    """Ask a server for its metrics.

    Args:
        url: of the server, without a path.
        token: the setting ``metrics_token``, if it is needed.

    Raises:
        TopError: it does not give them.
    """
    request = urllib.request.Request(f"{url}/metrics", headers={"Accept": "text/plain"})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
    try:
        with opener.open(request, timeout=ANSWER_LIMIT_S) as answer:
            text = answer.read(ANSWER_MAX_BYTES).decode()
    except urllib.error.HTTPError as error:
        if error.code in (403, 404):
            raise TopError(
                f"{url} shows its metrics only to the machine it runs on, or to who brings its metrics_token (--token)"
            ) from None
        raise TopError(f"{url} answers {error.code} instead of its metrics") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise TopError(f"there is no Nova to be reached on {url}: {said}") from None
    try:
        reading = Reading(text, time.time())
    except ValueError:
        reading = Reading("", 0.0)
    if not reading.of("nova_info"):
        raise TopError(f"{url} answers, but not with the metrics of a Nova")
    return reading


def checked_url(text: str) -> str:
    """A server's URL without what may stand behind its host and port.

    Raises:
        TopError: it is none.
    """
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        is_server = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        if is_server and parts.port != 0:  # a port that is no number raises ValueError
            return f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        pass
    raise TopError(f"{text!r} is not the URL of a server, such as http://127.0.0.1:8000")


# The screen


def screen(span: Span, url: str, is_first: bool, paint: bool) -> list[str]:
    """The lines to show.

    Args:
        span: what happened.
        url: where.
        is_first: the span is the whole life of the server.
        paint: whether with bold and colours.
    """

    def styled(text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if paint else text

    def warned(text: str, is_bad: bool) -> str:
        return styled(text, RED) if is_bad else text

    now = span.now
    begun_s = min(now.of("process_start_time_seconds").values(), default=now.at_s)
    workers = ", ".join(now.workers)
    lines = [
        styled(f"Nova {', '.join(now.label('nova_info', 'version'))}", BOLD)
        + f" on {url}, up {_duration(now.at_s - begun_s)}"
        + (f", worker {workers}" if workers != "0" else ""),
        styled("since the start" if is_first else f"in the last {span.length_s:.1f} s", DIM),
        "",
    ]
    usage = [
        ("nova", span.rate("process_cpu_seconds_total"), now.sum("process_resident_memory_bytes")),
        (
            "mongod",
            # All workers tell of the same one.
            span.rate("nova_mongod_cpu_seconds_total") / max(1, len(now.of("nova_mongod_cpu_seconds_total"))),
            max(now.of("nova_mongod_resident_memory_bytes").values(), default=0.0),
        ),
    ]
    lines.append(styled(f"{'':{COLUMN}}{'CPU':>12}{'memory':>14}", BOLD))
    lines += [f"{name:{COLUMN}}{cpu:>11.1%} {_bytes(memory):>13}" for name, cpu, memory in usage if memory]
    waiting = now.sum("nova_outbox_waiting_bytes")
    lines += [
        "",
        styled(f"{'connections':{COLUMN}}{_count(now.sum('nova_connections')):>12}", BOLD)
        + f"   of {_count(now.sum('nova_signed_in_users'))} users, {_bytes(waiting)} on the way to them",
    ]
    for protocol in now.label("nova_connections", "protocol"):
        connected = sum(
            value for labels, value in now.of("nova_connections").items() if ("protocol", protocol) in labels
        )
        lines.append(f"  {protocol:{COLUMN - 2}}{_count(connected):>12}")
    lines += ["", styled(f"{'':{COLUMN}}{'a second':>12}{'in all':>14}", BOLD)]

    def rates(title: str, name: str, is_bad: bool = False, **wanted: str) -> None:
        total = sum(value for labels, value in now.of(name).items() if wanted.items() <= dict(labels).items())
        line = f"{title:{COLUMN}}{span.rate(name, **wanted):>12,.1f}{_count(total):>14}"
        lines.append(warned(line, is_bad and span.count(name, **wanted) > 0))

    rates("sends stored", "nova_sends_total", outcome="stored")
    rates("  repeated", "nova_sends_total", outcome="repeated")
    rates("  refused", "nova_sends_total", outcome="refused")
    rates("  unknown", "nova_sends_total", is_bad=True, outcome="unknown")
    rates("deliveries", "nova_deliveries_total")
    rates("HTTP answers", "nova_http_requests_total")
    for status in now.label("nova_http_requests_total", "status"):
        rates(f"  {status}", "nova_http_requests_total", is_bad=status == "5xx", status=status)
    rates("slow readers closed", "nova_slow_readers_total", is_bad=True)
    rates("resumes", "nova_resumes_total")
    rates("gaps repaired", "nova_gaps_repaired_total")
    if now.of("nova_bus_connected"):
        rates("bus, in", "nova_bus_messages_total", direction="in")
        rates("  out", "nova_bus_messages_total", direction="out")
        if not all(now.of("nova_bus_connected").values()):
            lines.append(styled("  the bus cannot be reached", RED))

    lines += ["", styled(f"{'':{COLUMN}}{'p50':>12}{'p99':>14}", BOLD)]
    for title, name, shown in (
        ("messages in a batch", "nova_batch_messages", lambda value: f"{value:,.0f}"),
        ("commit", "nova_commit_seconds", _milliseconds),
        ("event loop's lag", "nova_event_loop_lag_seconds", _milliseconds),
    ):
        values = [span.quantile(name, share) for share in (0.5, 0.99)]
        half, most = ("–" if value is None else shown(value) for value in values)
        lines.append(f"{title:{COLUMN}}{half:>12}{most:>14}")
    lines.append(f"{'HTTP under way':{COLUMN}}{_count(now.sum('nova_http_in_flight')):>12}")
    struck = [
        f"{dict(labels)['plugin']} {value:.0f}"
        for labels, value in now.of("nova_plugin_strikes_total").items()
        if value
    ]
    if struck:
        lines += ["", styled(f"failures of plugins: {', '.join(sorted(struck))}", RED)]
    return lines


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _milliseconds(value_s: float) -> str:
    return f"{value_s * 1000:,.1f} ms"


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}"
        value /= 1024
    return f"{value:,.1f} GiB"


def _duration(seconds: float) -> str:
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds) % 60} s" if minutes else f"{max(0, int(seconds))} s"


# The terminal


def run(url: str, token: str | None, is_once: bool) -> None:
    """Show the metrics, again and again until q or Ctrl-C, or once.

    Raises:
        TopError: there is nothing to show. A server that goes away while it is watched may come back.
    """
    url = checked_url(url)
    now = read_metrics(url, token)
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    paint = is_terminal and not os.environ.get("NO_COLOR")
    lines = screen(Span(None, now), url, True, paint)
    if is_once:
        _write("\n".join(lines) + "\n")
        return
    seen = {now.workers: now}
    with _keys(is_terminal) as has_keys:
        try:
            if is_terminal:
                _write(ENTER_SCREEN)
            while True:
                _show(lines, is_terminal)
                if _is_ended(has_keys):
                    return
                try:
                    now = read_metrics(url, token)
                    then = seen.get(now.workers)  # the last look may have reached another process
                    seen[now.workers] = now
                    lines = screen(Span(then, now), url, then is None, paint)
                except TopError as error:
                    lines[1] = str(error)
        finally:
            if is_terminal:
                _write(LEAVE_SCREEN)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _show(lines: Sequence[str], is_terminal: bool) -> None:
    if not is_terminal:
        _write("\n".join(lines) + "\n\n")
        return
    height = shutil.get_terminal_size().lines
    shown = [*lines, "", "q ends"] if len(lines) + 2 <= height else lines[: max(1, height)]
    _write(HOME + "\n".join(line + END_OF_LINE for line in shown) + END_OF_SCREEN)


def _is_ended(has_keys: bool) -> bool:
    """Wait for the next look; True if q was pressed before it."""
    end = time.monotonic() + INTERVAL_S
    while (left_s := end - time.monotonic()) > 0:
        if not has_keys:
            time.sleep(left_s)
        elif select.select([sys.stdin], [], [], left_s)[0]:
            pressed = os.read(sys.stdin.fileno(), 64)
            if not pressed or b"q" in pressed.lower():
                return True
    return False


@contextmanager
def _keys(is_terminal: bool) -> Iterator[bool]:
    """Read single keys while inside, if this is a terminal, and leave it as it was, also after SIGTERM."""
    signal.signal(signal.SIGTERM, _stop)
    if not (is_terminal and sys.stdin.isatty()):
        yield False
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield True
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
