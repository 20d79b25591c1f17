"""A small disk of the drill's own, that can be full: a tmpfs, which takes root to mount."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

SIZE_MIB = 1024
"""Memory is taken only for what is written; a fault fills all of it for some seconds."""
CHUNK_BYTES = 2**20


class Disk:
    """A tmpfs.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filler = folder / "filler"
        self._is_mounted = False

    def mount(self) -> bool:
        """Make it; False if this process may not."""
        if os.geteuid() != 0:
            return False
        self._folder.mkdir(mode=0o700)
        order = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=700", "nova-drill", str(self._folder)]
        try:
            self._is_mounted = subprocess.run(order, capture_output=True).returncode == 0
        except FileNotFoundError:
            self._is_mounted = False
        return self._is_mounted

    def fill(self) -> None:
        """Leave no room."""
        try:
            with self._filler.open("ab", buffering=0) as filler:
                while True:
                    filler.write(bytes(CHUNK_BYTES))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def clear(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take it away, with all that is on it."""
        if self._is_mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], capture_output=True)
            self._is_mounted = False
