"""Every hook that a plugin may implement.

Hooks are called once, at start-up, in the order of the plugins' names, and return objects; those run later. Mark an
implementation with ``@hookimpl`` (``nova_tornado.api``). A hook may be declared with fewer arguments than are
offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from nova_tornado.domain.events import Event
from nova_tornado.realtime.hub import WireProtocol
from nova_tornado.storage.database import CollectionSpec

if TYPE_CHECKING:
    from nova_tornado.api import Nova

PROJECT = "nova"
ENTRY_POINT_GROUP = "nova.plugins"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Route = tuple[str, type] | tuple[str, type, dict[str, Any]]
"""A path (a regular expression), its handler, and what the handler's ``initialize`` gets besides ``services``."""


class Subscriber(Protocol):
    """Is told of what has happened, after it is stored."""

    async def on_event(self, event: Event) -> None:
        """One thing that happened. What this raises is logged and harms nobody."""


@dataclass(frozen=True, slots=True)
class MountedProtocol:
    """A wire protocol and the paths at which it is spoken.

    Attributes:
        protocol: renders events; the ``initialize`` of the handlers gets it as ``protocol``.
        routes: the paths.
        subscribers: what of the protocol is told of events, apart from rendering them.
    """

    protocol: WireProtocol
    routes: Sequence[Route]
    subscribers: Sequence[Subscriber] = ()

    @property
    def name(self) -> str:
        """The protocol's name."""
        return self.protocol.name


@hookspec
def nova_collections() -> Sequence[CollectionSpec]:  # type: ignore[empty-body]
    """Collections of the plugin's own, with their indexes; their names begin with the plugin's name or a clear noun."""


@hookspec
def nova_routes(nova: Nova) -> Sequence[Route]:  # type: ignore[empty-body]
    """Paths that the plugin serves."""


@hookspec
def nova_subscribers(nova: Nova) -> Sequence[Subscriber]:  # type: ignore[empty-body]
    """Objects that are told of every event."""


@hookspec
def nova_protocols(nova: Nova) -> Sequence[MountedProtocol]:  # type: ignore[empty-body]
    """Wire protocols that the plugin adds."""
