"""The life of one worker: a process that a supervisor has forked, and that serves on sockets it was given.

It hears from its supervisor by its control socket: `link` comes with the socket of another worker, `retire` means that
a successor serves already. It says `ready` once, or `failed:` and why; from then on `alive`, as long as its event loop
turns. When the supervisor ends, so does it.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nova_tornado.logs import set_up
from nova_tornado.realtime.relay_transport import RelayTransport
from nova_tornado.server import (
    DRAIN_LIMIT_S,
    EXIT_FAILED,
    EXIT_STOPPED,
    ServerError,
    StopRequest,
    close,
    drain,
    loop_factory,
)
from nova_tornado.settings import DATABASE, Settings, database_of
from nova_tornado.storage.embedded import EmbeddedError, EmbeddedMongo
from nova_tornado.storage.embedded_child import tie_to_parent

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer

    from nova_tornado.app import NovaApp

log = logging.getLogger(__name__)

RETIRE_LIMIT_S = 30.0
"""How long a worker that has a successor serves on the HTTP connections it has. Each is closed with its next answer;
one that idles for so long is closed without, as it is after `app.IDLE_HTTP_TIMEOUT_S`."""
RETIRE_LOOK_S = 0.1

ALIVE_EVERY_S = 2.0
"""Much more often than the supervisor loses patience (`supervisor.HANG_LIMIT_S`)."""

PR_SET_NAME = 15
"""prctl's order to name the process, in 15 bytes. Source: man 2 prctl."""

CONTROL_BYTES = 4096
LINKS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is given.

    Attributes:
        number: its place among the workers, from 1 on.
        parent_pid: of its supervisor.
        settings: all of them, with the real port.
        listening: where it accepts connections.
        control: its end of the way to the supervisor.
        links: the ways to the other workers.
        is_prepared: another worker with the same settings has set the database up.
    """

    number: int
    parent_pid: int
    settings: Settings
    listening: Sequence[socket.socket]
    control: socket.socket
    links: Sequence[socket.socket]
    is_prepared: bool


def run(order: Order, first_signals: set[signal.Signals]) -> int:
    """Serves until told to stop, in a process that was just forked; returns its exit code.

    Args:
        order: what to do.
        first_signals: those that were held back since before the fork; they are let through when they have handlers.
    """
    tie_to_parent(order.parent_pid, signal.SIGKILL)
    _name_process(f"nova worker {order.number}")
    faulthandler.enable()  # the supervisor's SIGABRT to one that hangs: stderr then holds where
    set_up(order.settings.log_format, str(order.number))
    stop = StopRequest(None)
    stop.install()
    # The terminal sends Ctrl-C to all processes; the supervisor alone decides what follows from it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Loaded by the supervisor already, before it forked.
    from nova_tornado.app import StartError

    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, first_signals)
        _wait_for_database(order.settings)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(order, stop))
    except (StartError, EmbeddedError, ServerError) as error:
        order.control.setblocking(True)
        order.control.send(f"failed:{' '.join(str(error).split())}\n".encode())
        return EXIT_FAILED
    except KeyboardInterrupt:
        # A signal before there was anything to drain, see StopRequest.
        return EXIT_STOPPED


def _name_process(name: str) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15])


def _wait_for_database(settings: Settings) -> None:
    """Waits for the supervisor's mongod, and sets it up where it is new.

    Raises:
        EmbeddedError: it did not come up.
    """
    if settings.mongo is None:
        embedded = EmbeddedMongo(settings.data)
        embedded.attach()
        embedded.wait_ready()


async def _serve(order: Order, stop: StopRequest) -> int:
    from nova_tornado.app import open_nova

    stop.attach(asyncio.get_running_loop())
    asked = asyncio.create_task(stop.asked.wait(), name="stop-request")
    # Redis reaches the workers of all machines, these among them.
    transport = RelayTransport(order.links) if order.settings.redis is None else None
    control = _Control(order.control, transport, stop)
    if order.settings.mongo is not None:
        uri, database = order.settings.mongo, database_of(order.settings.mongo)
    else:
        embedded = EmbeddedMongo(order.settings.data)
        embedded.attach()
        uri, database = embedded.uri, DATABASE
    opening = asyncio.create_task(
        open_nova(
            order.settings,
            uri,
            database=database,
            transport=transport,
            worker=order.number,
            is_prepared=order.is_prepared,
        ),
        name="open-nova",
    )
    await asyncio.wait({opening, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        return EXIT_STOPPED
    nova = opening.result()
    http = nova.http_server()
    http.add_sockets(order.listening)
    control.tell_ready()
    retired = asyncio.create_task(control.is_retired.wait(), name="retirement")
    await asyncio.wait({asked, retired}, return_when=asyncio.FIRST_COMPLETED)
    if not asked.done():
        await _retire(nova, http, asked)
    stop.set_time_limits()
    await drain(nova, http)
    retired.cancel()
    await close(nova, http)
    return EXIT_STOPPED


async def _retire(nova: NovaApp, http: HTTPServer, asked: asyncio.Task[Any]) -> None:
    """Hands over to a successor, which accepts connections on the same sockets already."""
    log.info("retiring")
    http.stop()
    http.conn_params.no_keep_alive = True
    await nova.move_clients(DRAIN_LIMIT_S)
    end = asyncio.get_running_loop().time() + RETIRE_LIMIT_S
    while http._connections and asyncio.get_running_loop().time() < end:  # Tornado counts them and does not tell
        if (await asyncio.wait({asked}, timeout=RETIRE_LOOK_S))[0]:
            return
        nova.hub.close_all()  # a socket may have been opened meanwhile, by a connection that was accepted before


class _Control:
    """A worker's end of the way to its supervisor."""

    def __init__(self, control: socket.socket, transport: RelayTransport | None, stop: StopRequest) -> None:
        self.is_retired = asyncio.Event()
        self._control = control
        self._transport = transport
        self._stop = stop
        self._received = b""
        control.setblocking(False)
        asyncio.get_running_loop().add_reader(control.fileno(), self._read)

    def tell_ready(self) -> None:
        """Says that connections are served, and from now on that it lives."""
        self._control.send(b"ready\n")
        asyncio.get_running_loop().call_later(ALIVE_EVERY_S, self._tell_alive)

    def _tell_alive(self) -> None:
        with suppress(OSError):  # a supervisor that is halted reads nothing; of its end `_read` hears
            self._control.send(b"alive\n")
        asyncio.get_running_loop().call_later(ALIVE_EVERY_S, self._tell_alive)

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, CONTROL_BYTES, LINKS_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            if self._transport is not None:
                self._transport.add_link(socket.socket(fileno=descriptor))
        if not data:
            # Where the kernel does not end us (macOS): the supervisor is gone, and with it the database.
            log.error("the supervisor is gone")
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._stop.asked.set()
            return
        *words, self._received = (self._received + data).split(b"\n")
        if b"retire" in words:
            self.is_retired.set()
