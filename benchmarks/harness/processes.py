"""Server processes: started on the servers' CPU, accounted as a tree, stopped by their ids."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

WORK = Path(os.environ.get("BENCH_WORK") or Path(tempfile.gettempdir()) / "nova-bench")
RUN = WORK / f"run-{os.getpid()}"
"""Data and logs of the servers of this run, which may not be alone; kept until the next run."""
LOCK = Path(os.environ.get("BENCH_LOCK") or Path(tempfile.gettempdir()) / "bench.lock")
SERVER_CPUS = os.environ.get("BENCH_SERVER_CPU", "0").split(",")
CLIENT_CPU = int(os.environ.get("BENCH_CLIENT_CPU", "1"))
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def _parent_and_cpu_s(pid: int) -> tuple[int, float] | None:
    """Parent and CPU seconds (own and of reaped children) of a process; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()  # the name may hold blanks and brackets
    return int(fields[1]), sum(int(x) for x in fields[11:15]) / TICKS_PER_S


def tree(roots: Sequence[int]) -> list[int]:
    """The processes `roots` and all their descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _parent_and_cpu_s(int(entry))):
            children.setdefault(stat[0], []).append(int(entry))
    found: list[int] = []
    todo = list(roots)
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.append(pid)
            todo += children.get(pid, [])
    return found


def unpin(roots: Sequence[int]) -> None:
    """Let all threads of the trees run on any CPU, for work that is not measured."""
    for pid in tree(roots):
        with suppress(OSError):  # it, or a thread of it, has ended meanwhile
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), range(os.cpu_count() or 1))


def tree_cpu_s(roots: Sequence[int]) -> float:
    """CPU seconds of the trees so far, in ticks of 10 ms."""
    return sum((_parent_and_cpu_s(pid) or (0, 0.0))[1] for pid in tree(roots))


def tree_memory_kib(roots: Sequence[int]) -> tuple[int, int]:
    """(PSS, RSS) of the trees in KiB."""
    sums = {"Pss:": 0, "Rss:": 0}
    for pid in tree(roots):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            key, *rest = line.split()
            if key in sums:
                sums[key] += int(rest[0])
    return sums["Pss:"], sums["Rss:"]


def reset_peak_rss(pid: int) -> None:
    """Let the kernel count the process's peak RSS anew from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_rss_kib(pid: int) -> int:
    """Peak RSS of one process in KiB since its start or the last reset."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def command_of(pid: int) -> str:
    """Base name of the program that a process runs ("" if it is gone)."""
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:
        return ""


def _busy_s() -> float:
    """Seconds that the servers' CPUs were busy with whatever since boot."""
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *rest = line.split()
        if name.startswith("cpu") and name.removeprefix("cpu") in SERVER_CPUS:
            ticks = [int(x) for x in rest]
            busy += sum(ticks) - ticks[3] - ticks[4]  # less idle and iowait
    return busy / TICKS_PER_S


class Meter:
    """Wall time and CPU between `__init__` and `stop`.

    Attributes:
        wall_s: wall time.
        server_s: CPU of the server tree.
        client_s: CPU of this process.
        others_share: share of the servers' CPUs that something else used: the noise of the run.
    """

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = list(roots)
        self.wall_s = self.server_s = self.client_s = self.others_share = 0.0
        self._server0_s, self._busy0_s = tree_cpu_s(roots), _busy_s()
        self._client0_s, self._start_s = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        """End of the measured section."""
        self.wall_s = time.perf_counter() - self._start_s
        self.client_s = time.process_time() - self._client0_s
        self.server_s = tree_cpu_s(self._roots) - self._server0_s
        self.others_share = max(0.0, (_busy_s() - self._busy0_s - self.server_s) / self.wall_s)


@contextmanager
def machine_lock() -> Iterator[None]:
    """Keep other users of these tools on this machine from measuring at the same time."""
    with LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


class ServerError(Exception):
    """A server did not start, or ended by itself."""


class Servers:
    """The processes of one peer."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def spawn(
        self,
        command: Sequence[object],
        log_name: str,
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process on the servers' CPUs; its output goes to RUN/<log_name>.log, which starts empty.

        It gets SIGTERM if this process dies, so that a killed benchmark leaves nothing behind.
        """
        pinned = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", ",".join(SERVER_CPUS), *map(str, command)]
        with (RUN / f"{log_name}.log").open("wb") as log:
            process = subprocess.Popen(
                pinned,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cwd,
                env={**os.environ, **(environ or {})},
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def wait_for(self, ready: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
        """Wait until `ready()`.

        Raises:
            ServerError: a process ended, or the time is over.
        """
        end = time.monotonic() + timeout_s
        while not ready():
            for process in self._started:
                if process.poll() is not None:
                    raise ServerError(f"{what}: a process ended with {process.returncode} (logs are in {RUN})")
            if time.monotonic() > end:
                raise ServerError(f"{what}: not there after {timeout_s:.0f} s (logs are in {RUN})")
            time.sleep(0.05)

    def wait_for_port(self, port: int, timeout_s: float = 60) -> None:
        """Wait until something accepts connections on the port (Raises: ServerError)."""
        self.wait_for(lambda: _accepts(port), f"port {port}", timeout_s)

    def stop(self, timeout_s: float = 15) -> None:
        """Stop everything that was started, newest first (so a database goes after its server)."""
        for process in reversed(self._started):
            if process.poll() is not None:
                continue
            members = tree([process.pid])
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pid in members[1:]:
                _wait_or_kill(pid, timeout_s)
        self._started.clear()


def _wait_or_kill(pid: int, timeout_s: float) -> None:
    """A descendant outlives its parent for a moment (a database writes its checkpoint) but not for ever."""
    end = time.monotonic() + timeout_s
    while _parent_and_cpu_s(pid):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def prepare_folders() -> None:
    """Make RUN, and remove those of runs that have ended."""
    for folder in WORK.glob("run-*"):
        if not Path("/proc", folder.name.removeprefix("run-")).exists():
            shutil.rmtree(folder, ignore_errors=True)
    RUN.mkdir(parents=True, exist_ok=True)


def empty_folder(name: str) -> Path:
    """RUN/<name>, emptied."""
    folder = RUN / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
