"""The time, as a part that tests can replace."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since 1970 (UTC)."""
        return time.time_ns() // 1000

    def now(self) -> datetime:
        """The same as an aware datetime."""
        return datetime.fromtimestamp(self.now_us() / 1e6, UTC)
