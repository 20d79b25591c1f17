"""Limits on failed sign-ins, shared by all protocols."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from nova_tornado.domain.errors import TooManyRequests
from nova_tornado.domain.events import Event, SignInFailed
from nova_tornado.realtime.clock import Clock

WINDOW_S = 300
FAILURES_PER_ACCOUNT_AND_ADDRESS = 20
FAILURES_PER_ADDRESS = 100
FAILURES_PER_ACCOUNT = 100
"""Counts for addresses that the owner has not signed in from: a guesser elsewhere must not lock the owner out."""
REMEMBERED_KEYS = 100_000


class SignInLimits:
    """Counts failures per account, per address and per both, in windows of ``WINDOW_S``.

    Args:
        clock: tells the time.
        is_on: whether anything is limited at all.
    """

    def __init__(self, clock: Clock, is_on: bool) -> None:
        self._clock = clock
        self._is_on = is_on
        self._failures: dict[Hashable, tuple[int, int]] = {}
        self._known_addresses: dict[tuple[str, str], None] = {}

    def check(self, account: str, address: str) -> None:
        """Refuse to try, after too many failures.

        Raises:
            TooManyRequests: try again later.
        """
        if not self._is_on:
            return
        known = (account, address) in self._known_addresses
        if (
            self._count((account, address)) >= FAILURES_PER_ACCOUNT_AND_ADDRESS
            or self._count(("address", address)) >= FAILURES_PER_ADDRESS
            or (not known and self._count(("account", account)) >= FAILURES_PER_ACCOUNT)
        ):
            raise TooManyRequests("Too many failed sign-ins, try again later")

    def note_failure(self, account: str, address: str) -> None:
        """A name and password did not fit."""
        window = self._window()
        for key in ((account, address), ("address", address), ("account", account)):
            self._failures[key] = (window, self._count(key) + 1)
        while len(self._failures) > REMEMBERED_KEYS:
            del self._failures[next(iter(self._failures))]

    def hear(self, happened: Sequence[Event]) -> None:
        """Count what failed in other processes (a sink of the bus)."""
        for event in happened:
            if isinstance(event, SignInFailed):
                self.note_failure(event.account, event.address)

    def note_success(self, account: str, address: str) -> None:
        """The owner has signed in from that address."""
        self._failures.pop((account, address), None)
        self._known_addresses.pop((account, address), None)
        self._known_addresses[account, address] = None
        while len(self._known_addresses) > REMEMBERED_KEYS:
            del self._known_addresses[next(iter(self._known_addresses))]

    def _window(self) -> int:
        return self._clock.now_us() // (WINDOW_S * 1_000_000)

    def _count(self, key: Hashable) -> int:
        window, count = self._failures.get(key, (0, 0))
        return count if window == self._window() else 0
