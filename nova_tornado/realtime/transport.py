"""What carries messages between the processes of one Nova: the workers of one machine, or several machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

Receive = Callable[[str, bytes], None]
Recovered = Callable[[], None]


class Transport(Protocol):
    """Carries small messages between the processes of one Nova: at most once, in the order of each sender.

    It may lose any of them: who listens notices that, and reads what he missed from the database.

    Attributes:
        is_connected: whether what is published now is carried, as far as is known.
    """

    is_connected: bool

    async def open(self, receive: Receive, recovered: Recovered) -> None:
        """Begin to carry. Returns even if nothing can be reached yet; then it goes on trying.

        Args:
            receive: called with the channel and the payload of each message of other processes, on channels that were
                subscribed to.
            recovered: called when the connection is back; anything may have been missed meanwhile.
        """

    def publish(self, channel: str, payload: bytes) -> None:
        """Send to all other processes that have subscribed to a channel. Never waits, never raises."""

    def subscribe(self, channels: Iterable[str]) -> None:
        """Receive what is sent on those channels from a moment soon on."""

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Receive it no more."""

    async def close(self) -> None:
        """Send what was published, then let go of everything."""
