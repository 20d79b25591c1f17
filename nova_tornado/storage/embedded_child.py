"""Becomes the embedded mongod: the first code of the child process that storage.embedded starts.

Run as a script, by its path: `embedded_child.py PARENT_PID CURL_FOLDERS MONGOD ARGUMENTS...`. It imports nothing of
Nova.

It is a script, and not the `preexec_fn` of subprocess, because a restart forks a process that has threads by then, and
Python code between fork and exec could find a lock taken for ever. Its price is some 20 ms.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl's order to send this process a signal when the thread that started it ends. Source: man 2 prctl."""


def tie_to_parent(parent_pid: int, number: int = signal.SIGTERM) -> None:
    """Makes the kernel end this process, by that signal, when the server ends, however it ends. Linux only."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    # The server may have ended before the line above took effect; then nobody would send the signal.
    if os.getppid() != parent_pid:
        sys.exit(1)


def environment(curl_folders: str) -> dict[str, str]:
    """The environment for mongod: one that finds a libcurl, where this system has none but `curl_folders` do."""
    environ = dict(os.environ)
    try:
        ctypes.CDLL("libcurl.so.4")
    except OSError:
        if curl_folders:
            paths = [curl_folders, environ.get("LD_LIBRARY_PATH", "")]
            environ["LD_LIBRARY_PATH"] = ":".join(filter(None, paths))
    return environ


if __name__ == "__main__":
    tie_to_parent(int(sys.argv[1]))
    environ = environment(sys.argv[2]) if sys.platform == "linux" else dict(os.environ)
    try:
        os.execve(sys.argv[3], sys.argv[3:], environ)
    except OSError as error:
        sys.exit(f"{sys.argv[3]}: {error.strerror}")
