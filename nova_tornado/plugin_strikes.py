"""Failures of plugins in a running server: counted, and written where ``nova plugins`` finds them."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

STRIKES_MAX_COUNT = 3
"""After so many failures a part of a plugin that is asked before something happens is not asked any more."""
STRIKES_FILE = "plugin-strikes.json"
"""In the data folder; it speaks of the server that runs, or ran last."""
WORKERS_STRIKES_FILES = "plugin-strikes-*.json"
"""Where a server has several workers each has a file of its own, with its number."""


class Strikes:
    """Counts failures by plugin and by its part; nothing is written before ``begin``."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._counts: dict[str, dict[str, int]] = {}
        self._last_errors: dict[tuple[str, str], str] = {}
        self._out: set[tuple[str, str]] = set()

    def begin(self, folder: Path, worker: int | None = None) -> None:
        """A server starts: what an earlier one has written in its data folder is over, and from now on this one writes.

        Args:
            folder: the data folder.
            worker: the number of this process among several, which leaves the others' strikes alone; None if it is the
                only one.
        """
        if worker is None:
            forget_strikes(folder)
            self._path = folder / STRIKES_FILE
        else:
            self._path = folder / WORKERS_STRIKES_FILES.replace("*", str(worker))
            _unlink(self._path)

    def add(self, plugin: str, part: str, error: str) -> bool:
        """Count a failure of a part that is out after ``STRIKES_MAX_COUNT`` of them.

        Args:
            part: of the plugin, such as a filter's name.
            error: the exception's class.

        Returns:
            Whether the part is out from now on.
        """
        count = self._count(plugin, part, error)
        if count == STRIKES_MAX_COUNT:
            self._out.add((plugin, part))
        if count <= STRIKES_MAX_COUNT:
            self._write()
        return count == STRIKES_MAX_COUNT

    def note(self, plugin: str, part: str, error: str) -> None:
        """Count a failure of a part that is never out."""
        count = self._count(plugin, part, error)
        if count & (count - 1) == 0:  # 1, 2, 4, 8 …: one that always fails must not keep the disk busy
            self._write()

    def _count(self, plugin: str, part: str, error: str) -> int:
        counts = self._counts.setdefault(plugin, {})
        counts[part] = counts.get(part, 0) + 1
        self._last_errors[plugin, part] = error
        return counts[part]

    def totals(self) -> dict[str, int]:
        """How often each plugin has failed; those that have not are left out."""
        return {plugin: sum(counts.values()) for plugin, counts in self._counts.items()}

    def is_out(self, plugin: str, part: str) -> bool:
        """Whether a part has failed too often."""
        return (plugin, part) in self._out

    def _write(self) -> None:
        if self._path is None:
            return
        strikes = {
            plugin: {
                part: {"count": count, "error": self._last_errors[plugin, part], "is_out": self.is_out(plugin, part)}
                for part, count in counts.items()
            }
            for plugin, counts in self._counts.items()
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps(strikes))
            os.replace(temporary, self._path)
        except OSError:
            pass  # the log has it


def forget_strikes(folder: Path) -> None:
    """What an earlier server has written is over."""
    for path in _files(folder):
        _unlink(path)


def read_strikes(folder: Path) -> dict[str, list[str]]:
    """The failures that the running server has written, one line a part, by plugin; those of all workers together."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for path in _files(folder):
        try:
            for plugin, parts in json.loads(path.read_text()).items():
                for part, said in parts.items():
                    so_far = found.setdefault(plugin, {}).setdefault(part, {"count": 0, "error": "", "is_out": False})
                    so_far["count"] += said["count"]
                    so_far["error"] = said["error"]
                    so_far["is_out"] |= said["is_out"]
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            continue
    return {plugin: [_line(part, **said) for part, said in parts.items()] for plugin, parts in found.items()}


def _files(folder: Path) -> list[Path]:
    return [folder / STRIKES_FILE, *sorted(folder.glob(WORKERS_STRIKES_FILES))]


def _unlink(path: Path) -> None:
    with suppress(OSError):  # then it cannot be written either
        path.unlink(missing_ok=True)


def _line(part: str, count: int, error: str, is_out: bool) -> str:
    # Beyond the first ones only some failures are written.
    more = "+" if count > STRIKES_MAX_COUNT else ""
    return f"{part} {count}{more} {error}{' (off)' if is_out else ''}"
