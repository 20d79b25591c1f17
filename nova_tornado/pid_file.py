"""The file by which `nova reload` finds the supervisor of a data folder."""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import IO

from nova_tornado.server import ServerError

PID_FILE = "nova.pid"
"""In the data folder; holds the supervisor's pid, and is locked as long as it lives."""


class ReloadError(Exception):
    """There is no server that could be told to reload; `str()` is one clear line."""


class PidFile:
    """The supervisor's own.

    Args:
        data: the data folder.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Writes the pid of this process.

        Raises:
            ServerError: another supervisor has the data folder, or it cannot be written.
        """
        path = self._data / PID_FILE
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = open(path, "a", encoding="ascii")  # noqa: SIM115 (held until the end)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()
        except BlockingIOError:
            raise ServerError(f"another server already uses {self._data}") from None
        except OSError as error:
            raise ServerError(f"cannot write {path}: {error.strerror}") from None

    def close(self) -> None:
        """Lets go of it; in a process that was forked the lock stays with the supervisor."""
        if self._file is not None:
            self._file.close()


def tell_to_reload(data: Path) -> None:
    """Tells the server that runs on a data folder to replace its workers, one after the other.

    Raises:
        ReloadError: none runs, or it has one worker only.
    """
    path = data / PID_FILE
    try:
        with open(path, encoding="ascii") as file:
            if not _is_locked(file):
                raise FileNotFoundError
            os.kill(int(file.read()), signal.SIGHUP)
    except (FileNotFoundError, ProcessLookupError):
        with suppress(OSError), open(data / "nova.lock", "rb") as lock:
            if _is_locked(lock):
                raise ReloadError(
                    f"the server on {data} has one worker only, which nobody could stand in for: restart it"
                ) from None
        raise ReloadError(f"no server with several workers runs on {data}") from None
    except PermissionError:
        raise ReloadError(f"the server on {data} is another user's") from None
    except (OSError, ValueError) as error:
        raise ReloadError(f"{path} cannot be used: {error}") from None


def _is_locked(file: IO[str] | IO[bytes]) -> bool:
    """Whether another process holds the lock of an open file."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
