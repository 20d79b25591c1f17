"""The rooms protocol: HTTP under /http, WebSocket at /socket."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from nova_rooms.entered import Entered, EnteredKeeper
from nova_rooms.handlers import LOGOUT_PATH, OTHER_PATHS, ROUTES, LogoutHandler, UnknownPathHandler
from nova_rooms.packets import RoomsProtocol
from nova_rooms.socket import RoomsSocket
from nova_tornado.api import MountedProtocol, Nova, Subscriber, hookimpl

_ENTERED: WeakKeyDictionary[object, Entered] = WeakKeyDictionary()
"""Both hooks of one server work with the same state; it goes with the server."""


def _entered_of(nova: Nova) -> Entered:
    return _ENTERED.setdefault(nova.services.hub, Entered())


@hookimpl
def nova_protocols(nova: Nova) -> Sequence[MountedProtocol]:
    """The protocol and its paths."""
    entered = _entered_of(nova)
    keeper = EnteredKeeper(entered, nova.services)
    return [
        MountedProtocol(
            RoomsProtocol(entered),
            [
                *ROUTES,
                (LOGOUT_PATH, LogoutHandler, {"keeper": keeper}),
                (OTHER_PATHS, UnknownPathHandler),
                ("/socket", RoomsSocket),
            ],
        )
    ]


@hookimpl
def nova_subscribers(nova: Nova) -> Sequence[Subscriber]:
    """Being in a group ends with the last token, the membership, the group, the account."""
    return [EnteredKeeper(_entered_of(nova), nova.services)]
