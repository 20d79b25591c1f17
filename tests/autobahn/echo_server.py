"""A server whose sockets send back what they get, on Nova's own connections: what Autobahn's cases are run against.

    python tests/autobahn/echo_server.py [PORT]

Source: CONTRIBUTING.md, "Autobahn's cases".
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from types import SimpleNamespace

from tornado.httpserver import HTTPServer

from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.frames import text_frame
from nova_tornado.realtime.hub import Hub, WireProtocol
from nova_tornado.realtime.keep_alive import KeepAlive
from nova_tornado.web.application import NovaApplication
from nova_tornado.web.base import BaseHandler
from nova_tornado.web.client_address import ClientAddresses
from nova_tornado.web.limits import RequestLimits
from nova_tornado.web.origin import OriginPolicy
from nova_tornado.web.socket import BaseSocket

BINARY_HEADER = 0x82
PORT = 9001


class Echo(WireProtocol):
    """Tells of nothing."""

    name = "echo"


class EchoSocket(BaseSocket):
    """Sends back what comes, at the reader's pace."""

    def receive(self, message: str | bytes) -> Awaitable[None] | None:
        """Send it back."""
        assert self.outbox is not None
        if isinstance(message, str):
            frame = text_frame(message.encode())
        else:
            frame = bytes((BINARY_HEADER,)) + text_frame(message)[1:]
        return self.outbox.reply(frame)


def make_application() -> NovaApplication:
    """The application; ``/`` is the socket."""
    services = SimpleNamespace(
        hub=Hub(None),  # type: ignore[arg-type]
        keep_alive=KeepAlive(),
        request_limits=RequestLimits(Clock(), False),
        origins=OriginPolicy((), "http://127.0.0.1"),
        client_addresses=ClientAddresses(()),
    )
    return NovaApplication([("/", EchoSocket, {"services": services, "protocol": Echo()})], BaseHandler, services)


async def main(port: int) -> None:
    """Serve until it is stopped."""
    HTTPServer(make_application()).listen(port, "127.0.0.1")
    print(f"echo server on ws://127.0.0.1:{port}/", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    loop_factory = None
    if "--uvloop" in sys.argv:
        import uvloop

        loop_factory = uvloop.new_event_loop
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main(*numbers or [PORT]))
