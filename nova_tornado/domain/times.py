"""Times as text; everywhere else they are integer microseconds since 1970 (UTC)."""

from __future__ import annotations

from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (UTC, like all our times; "Z" is appended)


def iso_time(time_us: int) -> str:
    """A time in ISO 8601, UTC, exact to the microsecond (contract "protocols", section 0.8)."""
    return f"{(EPOCH + timedelta(microseconds=time_us)).isoformat(timespec='microseconds')}Z"
