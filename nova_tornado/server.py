"""The life of the server's process: start, signals, draining, the watch over the embedded database, end.

This is a server of one process; one of several is the matter of supervisor.py and worker.py, which share what is
public in here.

The order of the start is chosen for its time: mongod is started before anything heavy is imported, and comes up
meanwhile. So this module imports only what is light at its top.
"""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Coroutine, Mapping
from contextlib import closing
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from nova_tornado.logs import set_up
from nova_tornado.mongod_watch import MongodWatch
from nova_tornado.settings import DATABASE, Settings, database_of
from nova_tornado.storage.embedded import EmbeddedError, EmbeddedMongo

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer

    from nova_tornado.app import NovaApp

log = logging.getLogger(__name__)

EXIT_STOPPED = 0
EXIT_FAILED = 1
EXIT_AT_ONCE = 130

DRAIN_LIMIT_S = 4.5
"""How long requests that were accepted may take to finish after SIGTERM."""

CLOSE_LIMIT_S = 1.0
"""How long connections, and then the storage, may take to close."""

DATABASE_STOP_LIMIT_S = 7.0
"""When in a stop the embedded mongod is killed if it is still there. One that hangs blocks the driver's threads, which
no time limit of ours reaches; nothing acknowledged is lost by it, because the journal has it."""

STOP_LIMIT_S = 9.5
"""The whole stop must end within 10 s: after this the process ends, whatever still runs in it (a thread may hang)."""

WATCH_S = 0.1
"""How often the embedded mongod is looked after. Requests fail while it is away, so it is often; a look costs 2 µs."""


class ServerError(Exception):
    """The server cannot start, or cannot go on; `str()` is one clear line."""


def run(settings: Settings, environ: Mapping[str, str] = os.environ) -> int:
    """Serves until told to stop by SIGTERM or SIGINT.

    Must be called from the main thread, which signals and the embedded database need.

    Args:
        settings: all settings.
        environ: where NOVA_MONGOD is looked up.

    Returns:
        The exit code of the process: 0 after a stop that was asked for, 1 after a failure, which is told on stderr.
    """
    set_up(settings.log_format)
    raise_file_limit()
    embedded = EmbeddedMongo(settings.data, environ) if settings.mongo is None else None
    stop = StopRequest(embedded)
    stop.install()
    try:
        if embedded is not None:
            embedded.launch()
        return _run_loop(settings, embedded, stop)
    except (ServerError, EmbeddedError) as error:
        tell_failure(error)
        return EXIT_FAILED
    except KeyboardInterrupt:
        # A signal before there was anything to drain, see StopRequest.
        return EXIT_STOPPED
    finally:
        if embedded is not None:
            embedded.stop()


class StopRequest:
    """What SIGTERM and SIGINT do: the first asks for a clean stop; Ctrl-C during that stop ends the process at once."""

    def __init__(self, embedded: EmbeddedMongo | None) -> None:
        self.asked = asyncio.Event()
        self._embedded = embedded
        self._loop: asyncio.AbstractEventLoop | None = None
        self._count = 0

    def install(self) -> None:
        """Takes the signals over, also where a shell made a process in the background ignore SIGINT."""
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From here on, a signal sets `asked` instead of raising KeyboardInterrupt."""
        self._loop = loop

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            if number == signal.SIGINT:
                self.end_process(EXIT_AT_ONCE)
            return
        if self._loop is None:
            raise KeyboardInterrupt
        # The loop is closed where the server is ending by itself: then there is nothing left to ask for.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.asked.set)

    def set_time_limits(self) -> None:
        """Makes sure that the process ends in time, also if a thread hangs in a call that does not return."""
        timers = [threading.Timer(STOP_LIMIT_S, self.end_process, (EXIT_FAILED,))]
        if self._embedded is not None:
            timers.append(threading.Timer(DATABASE_STOP_LIMIT_S, self._embedded.kill))
        for timer in timers:
            timer.daemon = True
            timer.start()

    def end_process(self, code: int) -> None:
        """Ends the process now; mongod closes its files by itself."""
        if self._embedded is not None:
            self._embedded.terminate()
        os._exit(code)


def tell_ready(settings: Settings) -> None:
    """Prints the one line that stdout gets."""
    print(f"Nova is ready on {settings.url_of(settings.host)}", flush=True)  # noqa: T201


def tell_failure(error: Exception) -> None:
    """Prints the one line that says why the process ends."""
    print(f"nova: {' '.join(str(error).split())}", file=sys.stderr, flush=True)  # noqa: T201


def raise_file_limit() -> None:
    """Allows as many open files as the system grants: each connection is one, and the usual default is 1,024."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            # macOS names a hard limit that it does not grant.
            log.debug("the limit of open files stays at %d", soft)


def _run_loop(settings: Settings, embedded: EmbeddedMongo | None, stop: StopRequest) -> int:
    """Imports the rest, binds the port, waits for the database, and runs the event loop to its end.

    Raises:
        ServerError: the port cannot be had, or Nova cannot be opened.
        EmbeddedError: the embedded database did not come up.
    """
    from nova_tornado.app import StartError

    sockets = bind(settings.host, settings.port)
    settings = with_real_address(settings, sockets)
    if embedded is not None:
        embedded.wait_ready()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(settings, embedded, sockets, stop))
    except StartError as error:
        raise ServerError(str(error)) from None


def loop_factory() -> Any:
    """uvloop's event loop where it is installed; it takes less time per message than asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def bind(host: str, port: int, *, is_shared: bool = False) -> list[socket.socket]:
    """Listens; on several sockets where the host's name has several addresses.

    Args:
        host, port: where.
        is_shared: others may listen on the same port (SO_REUSEPORT), if they do it that way, too.

    Raises:
        ServerError: the port cannot be had.
    """
    from tornado.netutil import bind_sockets

    try:
        return bind_sockets(port, address=host, reuse_port=is_shared)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"port {port} of {host} is in use by another program (--port takes another, 0 any free one)"
            ) from None
        raise ServerError(f"cannot listen on port {port} of {host}: {error.strerror or error}") from None


def with_real_address(settings: Settings, sockets: list[socket.socket]) -> Settings:
    """The settings with the port that was found, and with what links begin with."""
    settings = replace(settings, port=sockets[0].getsockname()[1])
    if settings.base_url:
        return settings
    if settings.host in ("0.0.0.0", "::"):
        # A place to listen everywhere is no address that a link could lead to.
        here = "127.0.0.1" if settings.host == "0.0.0.0" else "::1"
        log.warning("links will lead to this machine only; --base-url says how others reach it")
        return replace(settings, base_url=settings.url_of(here))
    return replace(settings, base_url=settings.url_of(settings.host))


async def _serve(
    settings: Settings, embedded: EmbeddedMongo | None, sockets: list[socket.socket], stop: StopRequest
) -> int:
    stop.attach(asyncio.get_running_loop())
    asked = asyncio.create_task(stop.asked.wait(), name="stop-request")
    nova = await _open(settings, embedded, asked)
    if nova is None:
        return EXIT_STOPPED
    http = nova.http_server()
    http.add_sockets(sockets)
    tell_ready(settings)
    tasks: set[asyncio.Task[Any]] = {asked}
    if embedded is not None:
        tasks.add(asyncio.create_task(_watch(embedded), name="embedded-mongod"))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set_time_limits()
    await drain(nova, http)
    # The database is watched until here: what was accepted needs it.
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    await close(nova, http)
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return EXIT_STOPPED


async def drain(nova: "NovaApp", http: "HTTPServer") -> None:
    """Accepts nothing more, and finishes what was accepted."""
    log.info("stopping")
    http.stop()
    await _within(DRAIN_LIMIT_S + 0.5, "draining", nova.drain(DRAIN_LIMIT_S))


async def close(nova: "NovaApp", http: "HTTPServer") -> None:
    """Closes connections and storage."""
    await _within(CLOSE_LIMIT_S, "closing connections", http.close_all_connections())
    await _within(CLOSE_LIMIT_S, "closing", nova.close())


async def _open(settings: Settings, embedded: EmbeddedMongo | None, asked: asyncio.Task[Any]) -> "NovaApp | None":
    """Opens Nova; None if it was told to stop meanwhile.

    Raises:
        nova_tornado.app.StartError: it cannot be opened.
    """
    from nova_tornado.app import open_nova

    if embedded is not None:
        uri, database = embedded.uri, DATABASE
    else:
        assert settings.mongo is not None
        uri, database = settings.mongo, database_of(settings.mongo)
    is_sole_writer = embedded is not None and settings.redis is None and settings.workers == 1
    opening = asyncio.create_task(
        open_nova(settings, uri, database=database, is_sole_writer=is_sole_writer), name="open-nova"
    )
    await asyncio.wait({opening, asked}, return_when=asyncio.FIRST_COMPLETED)
    if opening.done():
        return opening.result()
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    return None


async def _watch(embedded: EmbeddedMongo) -> None:
    """Starts the embedded mongod again whenever it dies.

    Raises:
        EmbeddedError: it keeps dying, cannot be started any more, or does not come up.
    """
    with closing(MongodWatch(embedded)) as watch:
        while True:
            await asyncio.sleep(WATCH_S)
            watch.look(is_started=True)


async def _within(limit_s: float, what: str, work: Coroutine[Any, Any, None]) -> None:
    """Awaits one step of the end. Whatever goes wrong with it, the next step must still be done."""
    try:
        await asyncio.wait_for(work, limit_s)
    except TimeoutError:
        log.warning("%s took more than %.1f s, going on", what, limit_s)
    except Exception:
        log.exception("%s failed, going on", what)
