"""The rooms protocol: HTTP under /http, WebSocket at /socket."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from nova_rooms.entered import ROOMS_ENTERED, Entered
from nova_rooms.handlers import OTHER_PATHS, ROUTES, UnknownPathHandler
from nova_rooms.packets import RoomsProtocol
from nova_rooms.socket import RoomsSocket
from nova_tornado.api import CollectionSpec, MountedProtocol, Nova, Route, hookimpl


@hookimpl
def nova_collections() -> Sequence[CollectionSpec]:
    """Where it is kept who is in which group."""
    return [ROOMS_ENTERED]


@hookimpl
def nova_lifespan(nova: Nova) -> Sequence[AbstractAsyncContextManager[None]]:
    """While the server runs, what is known of that is kept true."""
    return [nova.shared(Entered).kept()]


@hookimpl
def nova_protocols(nova: Nova) -> Sequence[MountedProtocol]:
    """The protocol and its paths."""
    entered = nova.shared(Entered)
    routes: list[Route] = [
        *ROUTES,
        (OTHER_PATHS, UnknownPathHandler),
        ("/socket", RoomsSocket),
    ]
    return [MountedProtocol(RoomsProtocol(entered, nova.services.bots), routes, [entered])]
