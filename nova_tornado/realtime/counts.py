"""What the parts of the hot path count of themselves: plain numbers, which `/metrics` reads when it is asked.

Each part owns its numbers (``hub.counts``, ``log.counts``, ``bus.counts``) and adds to them where something happens: an
addition costs nothing worth naming there, a metric object of a library would.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nova_tornado.domain.errors import NovaError, OutcomeUnknown

BATCH_SIZE_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
COMMIT_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
"""The last one is the log's ``GIVE_UP_S``."""


class Histogram:
    """How often values were seen, by size.

    Args:
        bounds: the upper ends of the buckets, inclusive, ascending; what is larger has a bucket of its own.

    Attributes:
        bounds: as given.
        counts: of each bucket, and of what is larger than all.
        total: the sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """A value was seen."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class HubCounts:
    """What the hub and its sockets count.

    Attributes:
        deliveries: frames times connections that they were handed to.
        slow_readers: sockets that were closed because their reader was too far behind.
        resumes: clients that came back and were told what they had missed.
        resumes_refused: those that had to load everything anew.
    """

    __slots__ = ("deliveries", "resumes", "resumes_refused", "slow_readers")

    def __init__(self) -> None:
        self.deliveries = 0
        self.slow_readers = 0
        self.resumes = 0
        self.resumes_refused = 0


class LogCounts:
    """What the write path counts.

    Attributes:
        stored: messages that got their place in a log.
        repeated: sends that had been stored before under the same client id.
        refused: sends that were not stored, for a reason that the sender was told.
        unknown: sends whose outcome the sender was told to be unknown.
        gaps_repaired: how often entries that others had written were read from a log, because they were not known here.
        batch_sizes: messages that were gathered into one insert.
        commit_s: seconds from the moment when a batch is gathered until each of its sends has its answer.
    """

    __slots__ = ("batch_sizes", "commit_s", "gaps_repaired", "refused", "repeated", "stored", "unknown")

    def __init__(self) -> None:
        self.stored = 0
        self.repeated = 0
        self.refused = 0
        self.unknown = 0
        self.gaps_repaired = 0
        self.batch_sizes = Histogram(BATCH_SIZE_BOUNDS)
        self.commit_s = Histogram(COMMIT_BOUNDS_S)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Count a send that does not get past what is done in here."""
        try:
            yield
        except OutcomeUnknown:
            self.unknown += 1
            raise
        except NovaError:
            self.refused += 1
            raise


class BusCounts:
    """What the bus between processes counts; it stays as it is where there is one process.

    Attributes:
        is_connected: whether the bus reaches the others; None: there are none to reach.
        sent, received: messages to other processes, and from them.
    """

    __slots__ = ("is_connected", "received", "sent")

    def __init__(self) -> None:
        self.is_connected: bool | None = None
        self.sent = 0
        self.received = 0
