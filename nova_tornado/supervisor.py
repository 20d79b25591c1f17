"""The life of a server of several workers: the supervisor starts them, replaces them, and ends with them.

It serves nothing itself. It keeps what must outlive a worker: the listening sockets (one for each worker, so that
connections spread, and those that wait in the queue of a dead worker are served by the next one), the embedded mongod
and the locks of the data folder. It has loaded the application and has neither threads nor an event loop, so a worker
is a fork of it and serves within a fraction of a second.
"""

from __future__ import annotations

import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from nova_tornado import worker
from nova_tornado.logs import set_up
from nova_tornado.mongod_watch import MongodWatch
from nova_tornado.pid_file import PidFile
from nova_tornado.plugin_strikes import forget_strikes
from nova_tornado.server import (
    EXIT_AT_ONCE,
    EXIT_FAILED,
    EXIT_STOPPED,
    ServerError,
    bind,
    loop_factory,
    raise_file_limit,
    tell_failure,
    tell_ready,
    with_real_address,
)
from nova_tornado.settings import Settings, SettingsError
from nova_tornado.storage.embedded import EmbeddedError, EmbeddedMongo

log = logging.getLogger(__name__)

DEATHS_MAX_COUNT = 5
DEATHS_WINDOW_S = 30.0
"""Workers of which so many die in this time will not be mended by others."""

READY_LIMIT_S = 60.0
"""How long a worker may take to be ready: longer than the database may take to come up."""

RETRY_PAUSE_S = 10.0
"""After a worker that could not start, and said why (the database is away), while others serve. Longer than
`DEATHS_WINDOW_S / DEATHS_MAX_COUNT`: it is no crash loop."""

HANG_LIMIT_S = 20.0
"""A worker that serves and has not been heard of for so long hangs. Nothing that it may do takes its event loop so
long; its clients are told nothing meanwhile, and do not go elsewhere."""

TRACE_LIMIT_S = 2.0
"""A worker that is to be killed has so long to write down where it hangs."""

PAUSE_S = 5.0
"""The supervisor looks at time limits far more often. Where it did not for so long, it was halted itself (a debugger,
the terminal), and so, maybe, were the workers."""

LEAVE_LIMIT_S = 60.0
"""A retired worker that is still there is killed; it is longer than `worker.RETIRE_LIMIT_S` and its stop together."""

WORKERS_STOP_LIMIT_S = 7.0
"""When in a stop the workers that are left are killed."""

STOP_LIMIT_S = 9.0
"""When in a stop the embedded mongod is killed at the latest; the whole takes less than 10 s."""

LOOK_S = 0.5
"""How often time limits are looked at. What happens to workers and mongod wakes the supervisor by itself."""

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}

CONTROL_BYTES = 4096

NOT_RELOADED = ("host", "port", "data", "mongo", "redis", "workers")
"""Settings that a reload leaves as they are: all processes must agree on them."""

ReadSettings = Callable[[], Settings]


def run(settings: Settings, read_settings: ReadSettings, environ: Mapping[str, str] = os.environ) -> int:
    """Serves with several workers until told to stop by SIGTERM or SIGINT.

    Must be called from the main thread, before there are others.

    Args:
        settings: all settings.
        read_settings: reads them again, for a reload; raises `SettingsError`.
        environ: where NOVA_MONGOD is looked up.

    Returns:
        The exit code of the process: 0 after a stop that was asked for, 1 after a failure, which is told on stderr.
    """
    set_up(settings.log_format)
    raise_file_limit()
    supervisor = Supervisor(settings, read_settings, environ)
    try:
        return supervisor.run()
    except (ServerError, EmbeddedError) as error:
        supervisor.stop()
        tell_failure(error)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_STOPPED
    finally:
        supervisor.stop()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@dataclass(eq=False, slots=True)
class _Worker:
    """A worker process.

    Attributes:
        number: of its slot.
        control: the supervisor's end of the way to it; None when it has closed its own.
        is_ready: it serves.
        failure: why it could not start, in its own words.
        settings: those it was started with.
        deadline: when it must be ready, must have been heard of again, or, where it is retired, be gone.
        is_aborted: it was asked to write down where it hangs, and to end.
    """

    number: int
    pid: int
    control: socket.socket | None
    settings: Settings
    deadline: float
    is_ready: bool = False
    is_aborted: bool = False
    failure: str = ""
    received: bytes = b""


@dataclass(eq=False, slots=True)
class _Slot:
    """The place of a worker.

    Attributes:
        listening: what each worker of this place accepts connections from.
        current: the worker that serves, or is to.
        successor: the one that is to take its place.
        start_at: when a worker is to be started, where there is none.
    """

    number: int
    listening: list[socket.socket]
    current: _Worker | None = None
    successor: _Worker | None = None
    start_at: float = 0.0


@dataclass(slots=True)
class _Reload:
    """A reload under way.

    Attributes:
        former: the settings before it.
        slots: those whose workers are still to be replaced.
        again: another one was asked for meanwhile.
    """

    former: Settings
    slots: deque[_Slot]
    has_replaced: bool = False
    again: bool = False


class Supervisor:
    """Starts and replaces workers, watches over the embedded mongod, and follows signals.

    Args:
        settings: all settings.
        read_settings: reads them again.
        environ: where NOVA_MONGOD is looked up.
    """

    def __init__(self, settings: Settings, read_settings: ReadSettings, environ: Mapping[str, str]) -> None:
        self._given = settings
        self._settings = settings
        self._read_settings = read_settings
        self._embedded = EmbeddedMongo(settings.data, environ) if settings.mongo is None else None
        self._mongod = MongodWatch(self._embedded) if self._embedded is not None else None
        self._selector = selectors.DefaultSelector()
        self._wakeups, self._wakeup = socket.socketpair()
        self._slots: list[_Slot] = []
        self._leaving: list[_Worker] = []
        self._deaths: deque[float] = deque(maxlen=DEATHS_MAX_COUNT)
        self._looked_at_s = time.monotonic()
        self._reload: _Reload | None = None
        self._pid_file = PidFile(settings.data)
        self._is_started = False
        self._prepared: Settings | None = None  # those with which a worker has set the database up
        self._is_stopping = False
        self._stop_signals = 0

    def run(self) -> int:
        """Serves until told to stop.

        Raises:
            ServerError: it cannot start, or cannot go on.
            EmbeddedError: the embedded database did not come up.
            KeyboardInterrupt: it was told to stop before it had started a worker.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _interrupt)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if self._embedded is not None:
            self._embedded.launch()
        self._pid_file.take()
        forget_strikes(self._settings.data)
        # Loaded while mongod comes up, once for all workers.
        self._load()
        self._listen()
        self._take_signals()
        while not self._stop_signals:
            self._start_missing()
            self._wait(LOOK_S)
            self._reap()
            if self._mongod is not None:
                self._mongod.look(self._is_started)
            self._check_deadlines()
            self._go_on_reloading()
        return self.stop()

    # Start

    def _take_signals(self) -> None:
        for end in (self._wakeups, self._wakeup):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(self._wakeups, selectors.EVENT_READ)

    def _load(self) -> None:
        from nova_tornado.app import StartError, load_for_workers

        try:
            load_for_workers(self._settings)
        except StartError as error:
            raise ServerError(str(error)) from None
        loop_factory()
        gc.collect()
        gc.freeze()  # what is there now stays shared between all processes

    def _listen(self) -> None:
        """Binds the port, once for each worker."""
        # First as one who does not share: another program's sharing would go unnoticed.
        listening = bind(self._settings.host, self._settings.port)
        self._settings = with_real_address(self._settings, listening)
        numbers = range(1, self._settings.workers + 1)
        if not hasattr(socket, "SO_REUSEPORT"):
            self._slots = [_Slot(number, listening) for number in numbers]
            return
        for one in listening:
            one.close()
        host, port = self._settings.host, self._settings.port
        self._slots = [_Slot(number, bind(host, port, is_shared=True)) for number in numbers]

    # Workers

    def _workers(self) -> Iterator[_Worker]:
        for slot in self._slots:
            yield from (each for each in (slot.current, slot.successor) if each is not None)
        yield from self._leaving

    def _start_missing(self) -> None:
        """Starts workers where there are none. The very first one goes ahead: it sets the database up for all."""
        now = time.monotonic()
        for slot in self._slots:
            if slot.current is None and slot.start_at <= now:
                slot.current = self._fork(slot)
            if not self._is_started and slot.current is not None and not slot.current.is_ready and slot.number == 1:
                return

    def _fork(self, slot: _Slot) -> _Worker:
        own, its = socket.socketpair()
        links = self._link_to_all() if self._settings.redis is None else []
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        parent_pid = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            raise ServerError(f"cannot start a worker: {error.strerror}") from None
        if pid == 0:
            order = worker.Order(
                slot.number, parent_pid, self._settings, slot.listening, its, links, self._prepared is self._settings
            )
            self._become_worker(order)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for one in (its, *links):
            one.close()
        own.setblocking(False)
        started = _Worker(slot.number, pid, own, self._settings, time.monotonic() + READY_LIMIT_S)
        self._selector.register(own, selectors.EVENT_READ, started)
        return started

    def _link_to_all(self) -> list[socket.socket]:
        """Makes a way from a new worker to each of the others; returns its ends of them."""
        links = []
        for other in self._workers():
            if other.control is None:
                continue
            its, others = socket.socketpair()
            try:
                socket.send_fds(other.control, [b"link\n"], [others.fileno()])
                links.append(its)
            except OSError as error:
                # It ends, or has hung for so long that nothing more goes in.
                log.warning("worker %d cannot be told of another one: %s", other.number, error.strerror)
                its.close()
            finally:
                others.close()
        return links

    def _become_worker(self, order: worker.Order) -> None:
        """Goes on as a worker, in the process that was just forked; does not return."""
        code = EXIT_FAILED
        try:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            kept = {one.fileno() for one in order.listening}
            ends = [each.control for each in self._workers() if each.control is not None]
            ends += [one for slot in self._slots for one in slot.listening if one.fileno() not in kept]
            for end in (*ends, self._wakeup, self._wakeups):
                end.close()
            if self._embedded is not None:
                self._embedded.leave_to_parent()
            self._pid_file.close()
            code = worker.run(order, SIGNALS)
        except BaseException:
            log.exception("the worker failed")
        finally:
            with suppress(Exception):
                logging.shutdown()
            os._exit(code)

    def _wait(self, limit_s: float) -> None:
        """Waits until something happens, and takes in signals and what workers say."""
        for key, _ in self._selector.select(limit_s):
            if key.data is None:
                with suppress(BlockingIOError):
                    for number in self._wakeups.recv(CONTROL_BYTES):
                        self._take_signal(number)
            else:
                self._hear(key.data)

    def _take_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop_signals += 1
            if self._stop_signals > 1 and number == signal.SIGINT:
                self._end_at_once()
        elif number == signal.SIGHUP and not self._is_stopping:
            self._begin_reload()

    def _end_at_once(self) -> None:
        """Ends the process now; mongod closes its files by itself."""
        for each in self._workers():
            os.kill(each.pid, signal.SIGKILL)
        if self._embedded is not None:
            self._embedded.terminate()
        os._exit(EXIT_AT_ONCE)

    def _hear(self, speaker: _Worker) -> None:
        assert speaker.control is not None
        try:
            data = speaker.control.recv(CONTROL_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close_control(speaker)
            return
        *lines, speaker.received = (speaker.received + data).split(b"\n")
        for line in lines:
            if line == b"ready":
                self._note_ready(speaker)
            elif line == b"alive":
                if speaker not in self._leaving and not speaker.is_aborted:
                    speaker.deadline = time.monotonic() + HANG_LIMIT_S
            else:
                speaker.failure = line.removeprefix(b"failed:").decode()

    def _close_control(self, ended: _Worker) -> None:
        if ended.control is not None:
            self._selector.unregister(ended.control)
            ended.control.close()
            ended.control = None

    def _note_ready(self, ready: _Worker) -> None:
        if self._is_stopping:
            return
        ready.is_ready = True
        self._prepared = ready.settings
        ready.deadline = time.monotonic() + HANG_LIMIT_S
        slot = self._slots[ready.number - 1]
        if slot.successor is ready:
            self._hand_over(slot)
        elif self._is_started:
            log.info("worker %d is ready", ready.number)
        elif all(each.current is not None and each.current.is_ready for each in self._slots):
            self._is_started = True
            tell_ready(self._settings)

    def _reap(self) -> None:
        """Takes in which workers have ended."""
        for each in list(self._workers()):
            pid, status = os.waitpid(each.pid, os.WNOHANG)
            if pid:
                while each.control is not None:  # its last words
                    self._hear_last(each)
                self._note_end(each, os.waitstatus_to_exitcode(status))

    def _hear_last(self, ended: _Worker) -> None:
        """Takes in what an ended worker has said, up to the end."""
        assert ended.control is not None
        ended.control.setblocking(True)
        self._hear(ended)

    def _note_end(self, ended: _Worker, code: int) -> None:
        if ended in self._leaving:
            self._leaving.remove(ended)
            if code != EXIT_STOPPED:
                log.warning("worker %d, which was retired, ended with %d", ended.number, code)
            return
        slot = self._slots[ended.number - 1]
        reason = ended.failure or f"ended with {code}"
        if slot.successor is ended:
            slot.successor = None
            self._give_up_reload(f"the new worker {ended.number} could not start: {reason}")
            return
        slot.current, slot.successor = slot.successor, None
        if not self._is_started:
            raise ServerError(ended.failure or f"worker {ended.number} ended with {code} before it was ready")
        if ended.failure:
            if not any(each.is_ready for each in self._workers()):
                raise ServerError(ended.failure)
            log.error("worker %d could not start, trying again in %.0f s: %s", ended.number, RETRY_PAUSE_S, reason)
            slot.start_at = time.monotonic() + RETRY_PAUSE_S
            return
        now = time.monotonic()
        self._deaths.append(now)
        if len(self._deaths) == DEATHS_MAX_COUNT and now - self._deaths[0] < DEATHS_WINDOW_S:
            raise ServerError(
                f"workers keep ending ({DEATHS_MAX_COUNT} within {DEATHS_WINDOW_S:.0f} s): "
                f"worker {ended.number} {reason}; the log says more"
            )
        log.error("worker %d (process %d) %s, starting another", ended.number, ended.pid, reason)
        slot.start_at = now

    def _check_deadlines(self) -> None:
        """Ends workers that hang. They are first asked to say where, which one that is halted cannot."""
        now = time.monotonic()
        paused_s, self._looked_at_s = now - self._looked_at_s, now
        for each in self._workers():
            if paused_s > PAUSE_S:
                each.deadline = max(each.deadline, now + HANG_LIMIT_S)
            if now > each.deadline and not each.is_aborted:
                log.error("worker %d (process %d) hangs and is killed", each.number, each.pid)
                each.is_aborted = True
                each.deadline = now + TRACE_LIMIT_S
                os.kill(each.pid, signal.SIGABRT)
            elif now > each.deadline:
                each.deadline = float("inf")
                os.kill(each.pid, signal.SIGKILL)

    # Reload

    def _begin_reload(self) -> None:
        if not self._is_started:
            log.warning("not reloaded: not all workers are ready yet")
            return
        if self._reload is not None:
            self._reload.again = True
            return
        from nova_tornado.app import StartError, describe_plugins

        try:
            settings = self._read_settings()
            describe_plugins(settings)
        except (SettingsError, StartError) as error:
            log.error("not reloaded, the workers go on as they are: %s", error)
            return
        self._reload = _Reload(self._settings, deque(self._slots))
        self._settings = self._with_what_stays(settings)
        log.info("reloading")

    def _with_what_stays(self, settings: Settings) -> Settings:
        """New settings, with the old ones where they cannot be changed in a running server."""
        old = {name: getattr(self._given, name) for name in NOT_RELOADED}
        for name, value in old.items():
            if getattr(settings, name) != value:
                log.warning("the setting %s was changed, which takes effect at the next start", name)
        return with_real_address(replace(settings, **old), self._slots[0].listening)

    def _go_on_reloading(self) -> None:
        """Starts the next successor, if no other is on its way."""
        if self._reload is None or any(slot.successor is not None for slot in self._slots):
            return
        while self._reload.slots:
            slot = self._reload.slots.popleft()
            if slot.current is not None:  # a worker that is started anew has the new settings anyway
                slot.successor = self._fork(slot)
                return
        again, self._reload = self._reload.again, None
        log.info("reloaded")
        if again:
            self._begin_reload()

    def _hand_over(self, slot: _Slot) -> None:
        """The successor serves: its predecessor may go."""
        old, slot.current, slot.successor = slot.current, slot.successor, None
        if self._reload is not None:
            self._reload.has_replaced = True
        if old is None:
            return
        self._leaving.append(old)
        old.deadline = time.monotonic() + LEAVE_LIMIT_S
        try:
            assert old.control is not None
            old.control.send(b"retire\n")
        except (OSError, AssertionError):
            os.kill(old.pid, signal.SIGTERM)

    def _give_up_reload(self, reason: str) -> None:
        assert self._reload is not None
        if not self._reload.has_replaced:
            self._settings = self._reload.former
        self._reload = None
        log.error("not reloaded, the workers go on as they are: %s", reason)

    # End

    def stop(self) -> int:
        """Ends the workers, which finish what they have accepted, then the database; does nothing if that is done.

        Returns:
            The exit code after a stop that was asked for.
        """
        self._is_stopping = True
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is _interrupt:  # nobody takes them yet
                signal.signal(number, signal.SIG_IGN)
        begin = time.monotonic()
        for each in self._workers():
            os.kill(each.pid, signal.SIGTERM)
        if self._is_started and any(self._workers()):
            log.info("stopping")
        # As they were: one more that starts now would not be stopped.
        end = begin + WORKERS_STOP_LIMIT_S
        while any(self._workers()):
            if time.monotonic() > end:
                for each in self._workers():
                    log.warning("worker %d (process %d) did not stop in time", each.number, each.pid)
                    os.kill(each.pid, signal.SIGKILL)
                end = float("inf")
            self._wait(min(LOOK_S, max(0.0, end - time.monotonic())))
            self._forget_ended()
        if self._mongod is not None:
            self._mongod.close()
        if self._embedded is not None:
            self._embedded.stop(max(0.5, begin + STOP_LIMIT_S - time.monotonic()))
        self._pid_file.close()
        return EXIT_STOPPED

    def _forget_ended(self) -> None:
        for each in list(self._workers()):
            if os.waitpid(each.pid, os.WNOHANG)[0]:
                self._close_control(each)
                slot = self._slots[each.number - 1]
                if each in self._leaving:
                    self._leaving.remove(each)
                elif slot.current is each:
                    slot.current = None
                else:
                    slot.successor = None
