"""The embedded MongoDB: a mongod of our own as a child process, for a server that was given no URI.

Its life is tied to the server's. It listens on a unix socket in the data folder, which nobody else may enter, and on no
port. Two locks keep a data folder to one server, see `EmbeddedMongo.launch`; both vanish with the processes that hold
them, so nothing is left to clean up after a crash.

The data folder holds `mongodb/` (the database), `mongod.log`, `nova.lock` and `run/` (the socket and what only lives as
long as the process).
"""

import fcntl
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote_plus

REPLICA_SET = "nova"

OPLOG_MEGABYTES = 64
"""Change streams and the write concern `majority` need an oplog; a set of one member needs little of it."""

CACHE_GIGABYTES = 0.25
"""MongoDB would take half of the memory; this is the least it accepts. A large server has a MongoDB of its own."""

JOURNAL_CONFIG = "log=(prealloc=false,file_max=16MB)"
"""Without this an empty database occupies 300 MB of disk, and writing them doubles the time to start."""

START_LIMIT_S = 30.0
"""Recovery after a crash replays at most a minute's journal; who needs longer than this has another problem."""

PREDECESSOR_LIMIT_S = 10.0
"""How long to wait for the mongod of a server that was killed: it ends by itself, in 1 to 2 s on an idle machine."""

STOP_LIMIT_S = 2.5
"""After this a mongod that does not end is killed. Nothing acknowledged is lost by it: the journal has it."""

POLL_S = 0.01

MONGOD_SOCKET = "mongodb-27017.sock"
"""The socket that mongod makes beside ours, under a name of its own choice. It serves the same."""

SOCKET_PATH_BYTES = 107
"""The longest path of a unix socket, without the NUL at its end. Source: man 7 unix, sun_path."""
SOCKET_PATH = re.compile(r"[a-z0-9/._-]+")
"""A replica set calls its member by this path as if it were the name of a host: the driver makes small letters of
large ones, and a colon begins a port."""
SHARED_TMP = "/tmp"

LOG_KEEP_BYTES = 8 * 1024 * 1024
"""A log larger than this is put aside at the next start, as mongod.log.1."""

MONGOD_DATABASE_IN_USE = 100
"""Exit code of mongod when it cannot have its files."""

NOT_YET_INITIALIZED = 94
"""MongoDB's error code of a replica set that was never set up."""

LEFT_OUT = 93
"""MongoDB's error code of a member that does not find itself in its replica set."""

STILL_AT_WORK = frozenset({23, 109})
"""MongoDB's error codes for a replica set that is just being read from disk, or just being changed."""


class EmbeddedError(Exception):
    """The embedded database cannot be had; `str()` is one clear line."""


class DataFolderInUseError(EmbeddedError):
    """A server runs on this data folder."""


def find_mongod(environ: Mapping[str, str]) -> str:
    """Finds a mongod to run: NOVA_MONGOD, else the one of the extra `embedded`, else the one on PATH.

    Raises:
        EmbeddedError: there is none.
    """
    if named := environ.get("NOVA_MONGOD"):
        path = shutil.which(named)
        if path is None:
            raise EmbeddedError(f"NOVA_MONGOD={named} is not a program that can be run")
        return os.path.abspath(path)
    # Looked up by its folder: importing the package would run whatever else calls itself fiftyone.
    package = importlib.util.find_spec("fiftyone")
    for folder in (package.submodule_search_locations if package else None) or ():
        wheel = Path(folder, "db", "bin", "mongod")
        if os.access(wheel, os.X_OK):
            return str(wheel)
    if path := shutil.which("mongod"):
        return os.path.abspath(path)
    raise EmbeddedError(
        "found no MongoDB: looked for NOVA_MONGO or --mongo (the URI of one that runs), NOVA_MONGOD (a program), "
        "the package of the extra `embedded` (pip install 'nova-tornado[embedded]'), and mongod on PATH"
    )


class EmbeddedMongo:
    """One mongod on one data folder.

    `launch` and `relaunch` must be called from the main thread: the kernel ties the child to the life of the thread
    that started it, so a mongod started by a worker thread would end with that thread.

    Attributes:
        data: the data folder, absolute.
        log: the path of mongod's log.
    """

    def __init__(self, data: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.data = Path(os.path.abspath(data))
        self.log = self.data / "mongod.log"
        self._environ = environ
        self._run = self.data / "run"
        self._socket = ""
        self._log_begin_bytes = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._locks: list[IO[bytes]] = []

    @property
    def uri(self) -> str:
        """Where clients connect to, once `launch` was called; it stays the same over restarts of mongod.

        It names the replica set, so the driver waits for a mongod that comes up. With `directConnection` it would open
        connections before that, which can never run a transaction, and would go on using them.
        """
        return f"{self._address}?replicaSet={REPLICA_SET}"

    @property
    def _address(self) -> str:
        return f"mongodb://{quote_plus(self._socket)}/"

    def launch(self) -> None:
        """Locks the data folder and starts mongod; returns before mongod can be used, see `wait_ready`.

        Raises:
            DataFolderInUseError: another server uses the folder.
            EmbeddedError: it cannot be written, or there is no mongod.
        """
        mongod = find_mongod(self._environ)
        try:
            self._prepare_folders()
            # The first lock is the server's alone: whoever finds it taken knows that a server lives, and need not wait.
            in_use = DataFolderInUseError(f"another server already uses {self.data}")
            self._lock(self.data / "nova.lock", 0.0, in_use)
            # The second is inherited by mongod: a server that was killed lets go of the first at once, but its mongod
            # still writes its last checkpoint. Without this lock we could connect to that dying mongod.
            late = f"the database of an earlier server still uses {self.data}; try again in a moment"
            self._lock(self._run / "mongod.lock", PREDECESSOR_LIMIT_S, EmbeddedError(late))
            self._socket = self._socket_path()
            if self.log.exists() and self.log.stat().st_size > LOG_KEEP_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
            self._spawn(mongod)
        except OSError as error:
            self.stop()
            raise EmbeddedError(
                f"cannot use {error.filename or self.data} for the database: {error.strerror}"
            ) from None
        except EmbeddedError:
            self.stop()
            raise

    def relaunch(self) -> None:
        """Starts mongod again after it died, on the same socket.

        Raises:
            EmbeddedError: it cannot be started.
        """
        try:
            self._spawn(find_mongod(self._environ))
        except OSError as error:
            raise EmbeddedError(f"cannot start the database again: {error.strerror}") from None

    def attach(self) -> None:
        """Uses the mongod of the server that runs on the data folder, for which `launch` was refused; `stop` leaves it
        running.
        """
        self._socket = self._socket_path()

    def leave_to_parent(self) -> None:
        """Lets go of mongod and the folder's locks in a process that was forked; the parent keeps them."""
        self._process = None
        while self._locks:
            self._locks.pop().close()

    def exit_code(self) -> int | None:
        """How mongod ended (negative: by that signal), None while it runs."""
        return None if self._process is None else self._process.poll()

    def wait_ready(self, limit_s: float = START_LIMIT_S) -> None:
        """Waits until mongod takes writes; sets its replica set up where it is new, or was moved. Any thread may call.

        Raises:
            EmbeddedError: mongod ended, or did not come up in time.
        """
        # Not at the top: this takes a tenth of a second, in which mongod comes up.
        from pymongo import MongoClient
        from pymongo.errors import PyMongoError

        end = time.monotonic() + limit_s
        # Not the driver: after a failed attempt it pauses for half a second.
        while not self.accepts():
            self._check_alive(end)
        try:
            limit_ms = int(limit_s * 1000)
            direct = f"{self._address}?directConnection=true"
            with MongoClient[dict[str, Any]](direct, serverSelectionTimeoutMS=limit_ms) as client:
                while not client.admin.command("hello").get("isWritablePrimary"):
                    self._make_primary(client)
                    self._check_alive(end)
        except PyMongoError as error:
            self._check_alive(end)
            raise EmbeddedError(f"the database does not work: {error}; see {self.log}") from None

    def start_waiting(self) -> subprocess.Popen[str]:
        """Starts a process that waits for mongod, for who has no time to; see `storage.embedded_ready`."""
        order = [sys.executable, "-P", "-m", "nova_tornado.storage.embedded_ready", str(self.data)]
        return subprocess.Popen(order, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def describe_exit(self) -> str:
        """Says why mongod ended, as far as it can be told, in one line."""
        code = self.exit_code()
        if code == -signal.SIGILL:
            return "this processor lacks what MongoDB needs (AVX, or ARM v8.2): name a MongoDB elsewhere by --mongo"
        if code == MONGOD_DATABASE_IN_USE and "DBPathInUse" in _tail(self.log, self._log_begin_bytes):
            return f"another mongod already uses {self.data}"
        for line in _tail(self._run / "mongod.err").splitlines():
            if "error while loading shared libraries" in line or "version `GLIBC" in line:
                reason = line.split(": ", 1)[-1].strip()
                return (
                    f"mongod cannot run on this system: {reason} (Debian/Ubuntu: apt-get install libcurl4; or --mongo)"
                )
        return f"mongod ended with {code}{self._last_complaint()}; see {self.log}"

    def terminate(self) -> None:
        """Tells mongod to end, and does not wait for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Ends mongod at once, hanging or not, and does not wait for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Ends mongod and lets go of the data folder; does nothing if that is done already."""
        if self._process is not None:
            self.terminate()
            try:
                self._process.wait(limit_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            if self._run not in Path(self._socket).parents:
                shutil.rmtree(Path(self._socket).parent, ignore_errors=True)
        while self._locks:
            self._locks.pop().close()

    def _prepare_folders(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.data / "mongodb", self._run):
            folder.mkdir(mode=0o700, exist_ok=True)

    def _lock(self, path: Path, limit_s: float, refusal: EmbeddedError) -> None:
        end = time.monotonic() + limit_s
        lock = open(path, "ab")  # noqa: SIM115 (held until stop)
        self._locks.append(lock)
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise refusal from None
                time.sleep(POLL_S)

    def _socket_path(self) -> str:
        """Where mongod listens: in `run/`, or in a temporary folder if that path cannot be a replica set's address."""
        if _can_be_address(self._run):
            return str(self._run / "mongod.sock")
        # A link remembers the folder, so that a server that is killed again and again does not fill /tmp with them.
        link = self._run / "sockets"
        if not _is_private_folder(link):
            link.unlink(missing_ok=True)
            temporary = tempfile.gettempdir()
            is_usable = _can_be_address(os.path.join(temporary, "nova-xxxxxxxx"))
            link.symlink_to(tempfile.mkdtemp(prefix="nova-", dir=temporary if is_usable else SHARED_TMP))
        return os.path.join(os.readlink(link), "mongod.sock")

    def _spawn(self, mongod: str) -> None:
        for left in Path(self._socket).parent.glob("*.sock"):
            left.unlink()
        # What an earlier run complained of is no reason for the end of this one.
        self._log_begin_bytes = self.log.stat().st_size if self.log.exists() else 0
        curl_folders = lent_curl_folders(self._run) if sys.platform == "linux" else ""
        child = Path(__file__).with_name("embedded_child.py")
        order = [sys.executable, "-I", "-S", str(child), str(os.getpid()), curl_folders, mongod]
        order += ["--dbpath", str(self.data / "mongodb"), "--logpath", str(self.log), "--logappend", "--quiet"]
        order += ["--logRotate", "reopen", "--bind_ip", self._socket]
        order += ["--unixSocketPrefix", str(Path(self._socket).parent)]
        order += ["--replSet", REPLICA_SET, "--oplogSize", str(OPLOG_MEGABYTES)]
        order += ["--wiredTigerCacheSizeGB", str(CACHE_GIGABYTES), "--wiredTigerEngineConfigString", JOURNAL_CONFIG]
        # Diagnostics are written every second, for MongoDB's makers.
        order += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        with open(self._run / "mongod.err", "wb") as errors:
            # A session of its own: Ctrl-C goes to all processes of the terminal, but the server must drain first.
            self._process = subprocess.Popen(
                order,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
                pass_fds=[self._locks[-1].fileno()],
            )

    def accepts(self) -> bool:
        """Whether mongod takes connections."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self._socket)
            except OSError:
                return False
        return True

    def _check_alive(self, end: float) -> None:
        if self.exit_code() is not None:
            raise EmbeddedError(self.describe_exit())
        if time.monotonic() > end:
            raise EmbeddedError(f"the database did not come up in time; see {self.log}")
        time.sleep(POLL_S)

    def _make_primary(self, client: Any) -> None:
        """Sets the replica set up, or tells mongod an address under which it finds itself.

        When mongod starts it connects to the address that the replica set has for it. The folder may have been moved
        since; and on a busy machine that happens a moment before it listens. Then it waits for ever to be taken in
        again, and looks for itself anew only at another address.
        """
        from pymongo.errors import OperationFailure

        addresses = (self._socket, os.path.join(os.path.dirname(self._socket), MONGOD_SOCKET))
        try:
            config = self._replica_set_config(client)
            if config is None:
                members = [{"_id": 0, "host": addresses[0]}]
                client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
                return
            member = config["members"][0]
            if member["host"] not in addresses or self._is_left_out(client):
                member["host"] = addresses[member["host"] == addresses[0]]
                config["version"] += 1
                client.admin.command({"replSetReconfig": config, "force": True})
        except OperationFailure as error:
            if error.code not in STILL_AT_WORK:
                raise

    @staticmethod
    def _is_left_out(client: Any) -> bool:
        from pymongo.errors import OperationFailure

        try:
            client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            if error.code == LEFT_OUT:
                return True
            raise
        return False

    @staticmethod
    def _replica_set_config(client: Any) -> Any:
        from pymongo.errors import OperationFailure

        try:
            return client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code == NOT_YET_INITIALIZED:
                return None
            raise

    def _last_complaint(self) -> str:
        """The last error that mongod told since it was started, as ` (text)`; "" if there is none."""
        complaint = ""
        for line in [
            *_tail(self._run / "mongod.err").splitlines(),
            *_tail(self.log, self._log_begin_bytes).splitlines(),
        ]:
            try:
                entry = json.loads(line)
            except ValueError:
                complaint = line
                continue
            if entry.get("s") in ("F", "E"):
                complaint = str(entry.get("attr", {}).get("error", entry.get("msg")))
        return f" ({' '.join(complaint.split())[:300]})" if complaint else ""


def _tail(path: Path, begin_bytes: int = 0, limit_bytes: int = 65536) -> str:
    """The end of a text file, from `begin_bytes` on at most; "" if it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(max(begin_bytes, path.stat().st_size - limit_bytes))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _can_be_address(folder: str | Path) -> bool:
    """Whether the path of a socket in that folder can be the address of a mongod."""
    path = os.path.join(folder, MONGOD_SOCKET)
    return len(path) <= SOCKET_PATH_BYTES and SOCKET_PATH.fullmatch(path) is not None


def _is_private_folder(link: Path) -> bool:
    """Tells whether a link leads to a folder that is ours alone.

    /tmp is everyone's: after its cleaning, another user may have made a folder of that name.
    """
    try:
        found = os.lstat(os.readlink(link))
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700


def lent_curl_folders(run: Path) -> str:
    """Folders, as in LD_LIBRARY_PATH, in which mongod finds pycurl's libcurl; "" if pycurl carries none.

    mongod wants libcurl.so.4, which minimal systems lack. pycurl's wheel brings one under another name, so it gets a
    link.
    """
    wheel = Path(sysconfig.get_path("platlib"), "pycurl.libs")
    found = sorted(wheel.glob("libcurl-*.so.4*"))
    if not found:
        return ""
    folder = run / "lib"
    folder.mkdir(exist_ok=True)
    link = folder / "libcurl.so.4"
    # The environment may have been moved or made anew since the last start.
    if not link.is_symlink() or os.readlink(link) != str(found[0]):
        link.unlink(missing_ok=True)
        link.symlink_to(found[0])
    return f"{folder}:{wheel}"
