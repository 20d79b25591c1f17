"""/metrics: what the server counts of itself, in the form of Prometheus.

Nothing here runs when a message is sent: the numbers lie in the parts that they are about (``realtime/counts.py``), and
are put into that form when somebody asks.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextvars import Context
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from tornado.web import HTTPError

from nova_tornado import __version__
from nova_tornado.domain.errors import NovaError, TooManyRequests
from nova_tornado.logs import Scope
from nova_tornado.plugin_strikes import Strikes
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.counts import Histogram
from nova_tornado.realtime.hub import Hub
from nova_tornado.realtime.log import ChatLog
from nova_tornado.web.base import BaseHandler
from nova_tornado.web.content import is_of_browser
from nova_tornado.web.jsons import dumps

if TYPE_CHECKING:
    from nova_tornado.web.services import Services

METRICS_PATH = "/metrics"

LAG_INTERVAL_S = 0.25
"""How often the loop's lag is measured: each time costs some microseconds."""
LAG_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
COUNTED_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""What else a client may write as its method is counted as ``other``: it must not make up new labels."""
FORWARDING_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
"""A request with one of them has come through a proxy, whoever that may be."""
MONGOD_LOCK = Path("mongodb", "mongod.lock")
"""In the data folder: where the embedded mongod leaves the number of its process."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class HttpCounts:
    """What is counted of HTTP.

    Attributes:
        answered: answers by method and class of status, such as ``("GET", "2xx")``.
        in_flight: requests whose answer is not complete. One whose client has gone leaves by itself.
    """

    def __init__(self) -> None:
        self.answered: dict[tuple[str, str], int] = {}
        self.in_flight: WeakSet[Scope] = WeakSet()

    def note_answer(self, method: str | None, status: int, scope: Scope | None) -> None:
        """A request was answered."""
        key = (method if method in COUNTED_METHODS else "other", f"{status // 100}xx")
        self.answered[key] = self.answered.get(key, 0) + 1
        if scope is not None:
            self.in_flight.discard(scope)


class LoopLag:
    """Measures how much later than asked for the event loop comes to what it was asked for.

    Attributes:
        lags_s: what was measured.
    """

    def __init__(self) -> None:
        self.lags_s = Histogram(LAG_BOUNDS_S)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure from now on."""
        loop = asyncio.get_running_loop()
        due_s = time.monotonic() + LAG_INTERVAL_S  # uvloop's own clock is coarser
        self._timer = loop.call_later(LAG_INTERVAL_S, self._look, due_s, context=Context())

    def _look(self, due_s: float) -> None:
        self.lags_s.observe(max(0.0, time.monotonic() - due_s))
        self.start()

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()


class ServerCollector(Collector):
    """Puts the numbers of this process into the form of Prometheus, each with the label ``worker``.

    Args:
        hub, log, bus, strikes, http, lag: the parts that count.
        worker: which process this is of those that share the port.
        data: the data folder of the embedded database; None: there is no such database.
    """

    def __init__(
        self,
        hub: Hub,
        log: ChatLog,
        bus: Bus,
        strikes: Strikes,
        http: HttpCounts,
        lag: LoopLag,
        worker: str,
        data: Path | None,
    ) -> None:
        self._hub = hub
        self._log = log
        self._bus = bus
        self._strikes = strikes
        self._http = http
        self._lag = lag
        self._worker = worker
        self._data = data
        self._process = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Metric]:
        """All families (called by the registry)."""
        for family in self._families():
            family.samples = [
                sample._replace(labels={**sample.labels, "worker": self._worker}) for sample in family.samples
            ]
            yield family

    def _families(self) -> Iterator[Metric]:
        hub, counts, bus, http = self._hub, self._log.counts, self._bus.counts, self._http
        yield _gauge("nova_info", "The release that runs.", {__version__: 1}, "version")
        yield _gauge("nova_connections", "Signed-in connections.", hub.count_by_protocol(), "protocol")
        yield _gauge("nova_signed_in_users", "Users with a connection.", hub.user_count)
        sends = {
            "stored": counts.stored,
            "repeated": counts.repeated,
            "refused": counts.refused,
            "unknown": counts.unknown,
        }
        yield _counter("nova_sends", "Sends of messages, by what became of them.", sends, "outcome")
        yield _counter("nova_deliveries", "Frames times their receivers.", hub.counts.deliveries)
        yield _histogram("nova_batch_messages", "Messages that were stored together.", counts.batch_sizes)
        yield _histogram("nova_commit_seconds", "Seconds until a batch was in the journal.", counts.commit_s)
        yield _gauge("nova_outbox_waiting_bytes", "Bytes that readers have not taken yet.", hub.waiting_bytes)
        yield _counter("nova_slow_readers", "Sockets closed because of a slow reader.", hub.counts.slow_readers)
        resumes = {"caught_up": hub.counts.resumes, "refused": hub.counts.resumes_refused}
        yield _counter("nova_resumes", "Clients that came back for what they had missed.", resumes, "outcome")
        yield _counter("nova_gaps_repaired", "Reads of what other processes wrote.", counts.gaps_repaired)
        if bus.is_connected is not None:
            yield _gauge("nova_bus_connected", "Whether the bus can be reached.", bus.is_connected)
        messages = {"in": bus.received, "out": bus.sent}
        yield _counter("nova_bus_messages", "Messages from and to other processes.", messages, "direction")
        yield _counter("nova_plugin_strikes", "Failures of plugins.", self._strikes.totals(), "plugin")
        yield _counter("nova_http_requests", "Answers to requests.", http.answered, "method", "status")
        yield _gauge("nova_http_in_flight", "Requests without a complete answer.", len(http.in_flight))
        yield _histogram("nova_event_loop_lag_seconds", "Seconds that the event loop is late.", self._lag.lags_s)
        yield from self._process.collect()
        if self._data is not None and (usage := mongod_usage(self._data)) is not None:
            cpu_s, resident_bytes = usage
            yield _counter("nova_mongod_cpu_seconds", "CPU seconds of the embedded mongod.", cpu_s)
            yield _gauge("nova_mongod_resident_memory_bytes", "Memory of the embedded mongod.", resident_bytes)


Values = float | Mapping[Any, float]
"""One value, or one for each label, or for each tuple of labels."""


def _gauge(name: str, text: str, values: Values, *labels: str) -> Metric:
    return _fill(GaugeMetricFamily(name, text, labels=labels), values)


def _counter(name: str, text: str, values: Values, *labels: str) -> Metric:
    return _fill(CounterMetricFamily(name, text, labels=labels), values)


def _fill(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Metric:
    if isinstance(values, Mapping):
        for label, value in values.items():
            family.add_metric((label,) if isinstance(label, str) else label, value)
    else:
        family.add_metric((), values)
    return family


def _histogram(name: str, text: str, seen: Histogram) -> Metric:
    buckets: list[tuple[str, float]] = []
    count = 0
    for bound, more in zip((*seen.bounds, math.inf), seen.counts, strict=True):
        count += more
        buckets.append(("+Inf" if bound == math.inf else str(float(bound)), count))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=seen.total)


def mongod_usage(data: Path) -> tuple[float, int] | None:
    """What the embedded mongod uses.

    Args:
        data: the data folder.

    Returns:
        CPU seconds and bytes of memory; None where that cannot be told: it does not run, or there is no ``/proc``.
    """
    try:
        folder = Path("/proc", (data / MONGOD_LOCK).read_text().strip())
        name, _, fields = (folder / "stat").read_text().rpartition(")")
        values = fields.split()
        if not name.endswith("(mongod"):
            return None  # the number has gone to another process
        # Source: man 5 proc; utime, stime and rss are the fields 14, 15 and 24, the state is the third.
        return (int(values[11]) + int(values[12])) / TICKS_PER_S, int(values[21]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


class MetricsHandler(BaseHandler):
    """/metrics, for those who may read it; for everybody else there is nothing here.

    Who asks from this machine may, and who brings the token of the setting ``metrics_token``. A session does not help.
    """

    needs_session = False

    def initialize(self, services: Services, registry: CollectorRegistry, token: str | None) -> None:  # type: ignore[override]
        """Take the parts (called by Tornado)."""
        super().initialize(services)
        self._registry = registry
        self._token = token

    async def prepare(self) -> None:
        """Check who asks (called by Tornado)."""
        if not self.services.request_limits.take_request(self.remote_address):
            raise TooManyRequests
        if not self._is_allowed():
            raise HTTPError(404)
        if self.request.method not in self.allowed_methods():
            raise HTTPError(405)

    def _is_allowed(self) -> bool:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if self._token is not None and scheme.lower() == "bearer":
            return hmac.compare_digest(token.strip().encode(), self._token.encode())
        return self._is_local()

    def _is_local(self) -> bool:
        """Whether it is somebody on this machine, and not somebody whom a proxy on this machine speaks for."""
        headers = self.request.headers
        if any(name in headers for name in FORWARDING_HEADERS) and not self._is_of_trusted_proxy():
            return False
        try:
            return ip_address(self.remote_address).is_loopback
        except ValueError:
            return False  # a unix socket, or a proxy that says nothing usable

    def _is_of_trusted_proxy(self) -> bool:
        is_proxy = self.services.client_addresses.is_proxy(self.request.remote_ip or "")
        return is_proxy and "X-Forwarded-For" in self.request.headers

    def get(self) -> None:
        """Answer with all metrics, in the form that was asked for."""
        encode, content_type = choose_encoder(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", content_type)
        self.finish(encode(self._registry))

    def answer_error(self, error: NovaError) -> None:
        """Answer a refusal."""
        self.set_status(429 if isinstance(error, TooManyRequests) else 500)
        self.finish(dumps({"ok": False, "error": error.message}))

    def answer_http_error(self, status: int) -> None:
        """Answer as where nothing is; or a wrong method."""
        if status == 404 and is_of_browser(self):
            self.services.pages.show(self, "not_found.html", status=404)
            return
        self.set_status(status)
        error = f"{self.request.path} not found on this server" if status == 404 else "Method not allowed"
        self.finish(dumps({"ok": False, "error": error}))
