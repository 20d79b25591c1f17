"""The opcodes protocol: numbered operations over one WebSocket, for users whom another protocol has given a token."""

from __future__ import annotations

from collections.abc import Sequence

from nova_opcodes.handlers import OpcodesSocket
from nova_opcodes.packets import OpcodesProtocol
from nova_tornado.api import MountedProtocol, hookimpl

PATH = r"/ws/opcodes/"


@hookimpl
def nova_protocols() -> Sequence[MountedProtocol]:
    """WebSocket /ws/opcodes/."""
    return [MountedProtocol(OpcodesProtocol(), [(PATH, OpcodesSocket)])]
