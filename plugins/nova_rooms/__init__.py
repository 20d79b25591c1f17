"""The rooms protocol: HTTP under /http, WebSocket at /socket."""

from __future__ import annotations

from collections.abc import Sequence

from nova_rooms.entered import Entered, EnteredKeeper
from nova_rooms.handlers import LOGOUT_PATH, OTHER_PATHS, ROUTES, LogoutHandler, UnknownPathHandler
from nova_rooms.packets import RoomsProtocol
from nova_rooms.socket import RoomsSocket
from nova_tornado.api import MountedProtocol, Nova, Route, hookimpl


@hookimpl
def nova_protocols(nova: Nova) -> Sequence[MountedProtocol]:
    """The protocol and its paths."""
    entered = Entered()
    keeper = EnteredKeeper(entered, nova.services)
    routes: list[Route] = [
        *ROUTES,
        (LOGOUT_PATH, LogoutHandler, {"keeper": keeper}),
        (OTHER_PATHS, UnknownPathHandler),
        ("/socket", RoomsSocket),
    ]
    return [MountedProtocol(RoomsProtocol(entered, nova.services.bots), routes, [keeper])]
