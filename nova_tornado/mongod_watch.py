"""A server's watch over its embedded mongod, without waiting, threads or a driver."""

from __future__ import annotations

import logging
import subprocess
import time
from collections import deque

from nova_tornado.storage.embedded import EmbeddedError, EmbeddedMongo

log = logging.getLogger(__name__)

RESTART_LIMIT = 3
RESTART_WINDOW_S = 60.0
"""A mongod that dies more than `RESTART_LIMIT` times in this time will not be mended by another start."""


class MongodWatch:
    """Starts an embedded mongod again whenever it dies.

    Args:
        embedded: the mongod.
    """

    def __init__(self, embedded: EmbeddedMongo) -> None:
        self._embedded = embedded
        self._restarts: deque[float] = deque(maxlen=RESTART_LIMIT)
        self._waiting: subprocess.Popen[str] | None = None

    def look(self, is_started: bool) -> None:
        """Does what there is to do now.

        Args:
            is_started: whether the server serves; before that, a mongod that ends is not mended by another start.

        Raises:
            EmbeddedError: it keeps dying, cannot be started, or does not come up.
        """
        now = time.monotonic()
        if self._embedded.exit_code() is not None:
            reason = self._embedded.describe_exit()
            if not is_started:
                raise EmbeddedError(reason)
            if len(self._restarts) == RESTART_LIMIT and now - self._restarts[0] < RESTART_WINDOW_S:
                raise EmbeddedError(f"the embedded database keeps ending: {reason}")
            log.error("the embedded database ended, starting it again: %s", reason)
            self._restarts.append(now)
            self.close()
            self._embedded.relaunch()
            self._waiting = self._embedded.start_waiting()
        elif self._waiting is not None and self._waiting.poll() is not None:
            failure = self._waiting.communicate()[1].strip()
            code, self._waiting = self._waiting.returncode, None
            if code != 0:
                raise EmbeddedError(failure.rpartition("\n")[2] or f"waiting for the database ended with {code}")
            log.info("the embedded database is back after %.1f s", now - self._restarts[-1])

    def close(self) -> None:
        """Ends the wait for a mongod that was started again."""
        if self._waiting is not None:
            self._waiting.kill()
            self._waiting.communicate()
            self._waiting = None
