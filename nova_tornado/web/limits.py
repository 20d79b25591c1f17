"""Limits on the number of requests and connections of one client address."""

from __future__ import annotations

from nova_tornado.realtime.clock import Clock

REQUESTS_PER_S = 200
REQUESTS_BURST = 400
CONNECTIONS_PER_ADDRESS = 1_000
REMEMBERED_ADDRESSES = 50_000


class RequestLimits:
    """A token bucket a client address, and a count of its open sockets.

    Args:
        clock: tells the time.
        is_on: whether anything is limited at all.
    """

    def __init__(self, clock: Clock, is_on: bool) -> None:
        self._clock = clock
        self._is_on = is_on
        self._buckets: dict[str, tuple[int, float]] = {}
        self._connections: dict[str, int] = {}

    def take_request(self, address: str) -> bool:
        """Count one request; False if the address has none left."""
        if not self._is_on:
            return True
        now_us = self._clock.now_us()
        then_us, left = self._buckets.pop(address, (now_us, float(REQUESTS_BURST)))
        left = min(REQUESTS_BURST, left + max(0, now_us - then_us) / 1e6 * REQUESTS_PER_S)
        allowed = left >= 1
        self._buckets[address] = (now_us, left - allowed)
        if len(self._buckets) > REMEMBERED_ADDRESSES:
            del self._buckets[next(iter(self._buckets))]
        return allowed

    def take_connection(self, address: str) -> bool:
        """Count one more socket; False (and not counted) if the address has too many."""
        count = self._connections.get(address, 0)
        if self._is_on and count >= CONNECTIONS_PER_ADDRESS:
            return False
        self._connections[address] = count + 1
        return True

    def give_connection(self, address: str) -> None:
        """A counted socket is closed."""
        self._connections[address] -= 1
        if not self._connections[address]:
            del self._connections[address]
