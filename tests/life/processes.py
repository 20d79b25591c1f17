"""Real server processes for the tests of this folder: started, watched and ended, each wait with a deadline."""

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote_plus

from pymongo import MongoClient

from nova_tornado.storage.embedded import MONGOD_SOCKET

LIMIT_S = 90.0
"""No step of these tests takes longer, on however busy a machine."""

NOVA = str(Path(sys.executable).with_name("nova"))
READY = re.compile(r"Nova is ready on (https?://\S+:[0-9]+)\n")


def wait_until(condition, limit_s=LIMIT_S):
    """Waits until `condition()` is true, and returns what it returned."""
    end = time.monotonic() + limit_s
    pause = threading.Event()
    while not (result := condition()):
        assert time.monotonic() < end, f"not so within {limit_s} s"
        pause.wait(0.02)
    return result


def keep_mongod_from_finding_itself(data, start):
    """Starts an embedded mongod again, which cannot connect to itself meanwhile, as one may not on a busy machine."""
    sockets = [data / "run" / name for name in ("mongod.sock", MONGOD_SOCKET)]
    log = data / "mongod.log"
    begin = log.stat().st_size
    for socket in sockets:
        socket.unlink()
    start()
    for socket in sockets:
        wait_until(socket.exists)
        socket.rename(socket.with_suffix(".hidden"))
    # MongoDB's number for "does not have a valid entry for the current node".
    wait_until(lambda: b'"id":21405,' in log.read_bytes()[begin:])
    for socket in sockets:
        socket.with_suffix(".hidden").rename(socket)


def wait_for_end_of(pid, limit_s=LIMIT_S):
    """Waits for the end of any process, and returns how long that took, in seconds."""
    begin = time.monotonic()
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return 0.0
    try:
        readable, _, _ = select.select([descriptor], [], [], limit_s)
    finally:
        os.close(descriptor)
    assert readable, f"process {pid} still lives after {limit_s} s"
    return time.monotonic() - begin


def children_of(pid):
    """The pids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid):
    """A process's short name; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def clean_environ(**more):
    """The environment for a server: without the NOVA_ variables of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOVA_")}
    return kept | {"NOVA_BCRYPT_ROUNDS": "4", **more}


def run_nova(*arguments, folder, **environ):
    """Runs `nova` to its end; returns the exit code, the text on stdout and the text on stderr."""
    done = subprocess.run(
        [NOVA, *arguments],
        cwd=folder,
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


class Server:
    """One `nova serve` on a data folder, at any free port."""

    def __init__(self, data, *flags, **environ):
        self.data = Path(data)
        self.data.parent.mkdir(exist_ok=True)
        self._stderr_path = self.data.parent / f"stderr-{os.urandom(4).hex()}"
        self._stderr_path.touch()
        begin = time.monotonic()
        with open(self._stderr_path, "ab") as stderr:
            self.process = subprocess.Popen(
                [NOVA, "--port", "0", "--data", str(data), *flags],
                cwd=self.data.parent,
                env=clean_environ(**environ),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._children = set()
        line = self._first_line()
        self.start_s = time.monotonic() - begin
        match = READY.fullmatch(line)
        if not match:
            self.close()
            raise AssertionError(f"{line!r} is no ready line; stderr: {self.stderr}")
        self.url = match[1]
        self._children.update(children_of(self.process.pid))

    @property
    def stderr(self):
        """All that it has written there so far."""
        return self._stderr_path.read_text()

    @property
    def mongod(self):
        """The pid of the embedded mongod."""
        (pid,) = [child for child in children_of(self.process.pid) if not name_of(child).startswith("nova worker")]
        self._children.add(pid)
        return pid

    @property
    def workers(self):
        """The pids of its workers, by their numbers; of one that is being replaced the newest."""
        named = {child: name_of(child) for child in children_of(self.process.pid)}
        found = {int(name.split()[-1]): child for child, name in named.items() if name.startswith("nova worker")}
        self._children.update(found.values())
        return found

    def count(self):
        """Adds a document to the embedded database, past the server, and returns how many there are."""
        order = Path(f"/proc/{self.mongod}/cmdline").read_text().split("\0")
        socket = quote_plus(order[order.index("--bind_ip") + 1])
        with closing(MongoClient(f"mongodb://{socket}/?directConnection=true")) as client:
            client.life.test.insert_one({})
            return client.life.test.count_documents({})

    def get(self, path):
        """The status of a GET."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def stop(self, number=signal.SIGTERM):
        """Sends a signal; returns the exit code and how long the end took, in seconds."""
        begin = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(LIMIT_S)
        return code, time.monotonic() - begin

    def close(self):
        """Ends all that is left of it."""
        if self.process.poll() is None:
            self._children.update(children_of(self.process.pid))
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for pid in self._children:
            # The kernel has told it to end, which one that a test has halted learns when it goes on.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            wait_for_end_of(pid)

    def _first_line(self):
        watchdog = threading.Timer(LIMIT_S, self.process.kill)
        watchdog.start()
        try:
            return self.process.stdout.readline()
        finally:
            watchdog.cancel()
