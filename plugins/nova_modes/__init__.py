"""The wire protocol "modes": JSON frames over one WebSocket, each signed with a token."""

from __future__ import annotations

from collections.abc import Sequence

from nova_modes.handlers import ROUTES
from nova_modes.packets import ModesProtocol
from nova_tornado.api import MountedProtocol, Nova, hookimpl


@hookimpl
def nova_protocols(nova: Nova) -> Sequence[MountedProtocol]:
    """The protocol and its socket, /ws/modes/."""
    return [MountedProtocol(ModesProtocol(nova.clock), ROUTES)]
