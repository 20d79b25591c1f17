"""What carries messages between the processes of one Nova."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol


class Transport(Protocol):
    """Carries small messages between the processes of one Nova: at most once, in the order of each sender; it may lose.

    Attributes:
        is_connected: whether what is published has a way out.
    """

    is_connected: bool

    async def open(self, receive: Callable[[str, bytes], None], recovered: Callable[[], None]) -> None:
        """Begin.

        Args:
            receive: called with the channel and the payload of messages of other processes only, of channels that were
                subscribed.
            recovered: the connection is back; anything may have been missed meanwhile.
        """

    def publish(self, channel: str, payload: bytes) -> None:
        """Send a message. Never blocks and never raises; it is lost if there is no connection (bounded buffer)."""

    def subscribe(self, channels: Iterable[str]) -> None:
        """Hear of these channels, too."""

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Hear no more of these channels."""

    async def close(self) -> None:
        """End."""
