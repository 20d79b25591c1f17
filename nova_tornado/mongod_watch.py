"""A supervisor's watch over the embedded mongod, without waiting, threads or a driver."""

from __future__ import annotations

import logging
import time
from collections import deque

from nova_tornado.server import RESTART_LIMIT, RESTART_WINDOW_S, ServerError
from nova_tornado.storage.embedded import START_LIMIT_S, EmbeddedError, EmbeddedMongo

log = logging.getLogger(__name__)


class MongodWatch:
    """Starts an embedded mongod again whenever it dies.

    Args:
        embedded: the mongod.
    """

    def __init__(self, embedded: EmbeddedMongo) -> None:
        self._embedded = embedded
        self._restarts: deque[float] = deque(maxlen=RESTART_LIMIT)
        self._away_since: float | None = None

    @property
    def is_away(self) -> bool:
        """Whether it was started again and takes no connections yet."""
        return self._away_since is not None

    def look(self, is_started: bool) -> None:
        """Does what there is to do now.

        Args:
            is_started: whether the server serves; before that, a mongod that ends is not mended by another start.

        Raises:
            ServerError: it keeps dying.
            EmbeddedError: it cannot be started, or does not come up.
        """
        now = time.monotonic()
        if self._embedded.exit_code() is not None:
            reason = self._embedded.describe_exit()
            if not is_started:
                raise EmbeddedError(reason)
            if len(self._restarts) == RESTART_LIMIT and now - self._restarts[0] < RESTART_WINDOW_S:
                raise ServerError(f"the embedded database keeps ending: {reason}")
            log.error("the embedded database ended, starting it again: %s", reason)
            self._restarts.append(now)
            self._away_since = now
            self._embedded.relaunch()
        elif self._away_since is not None:
            if self._embedded.accepts():
                log.info("the embedded database is back after %.1f s", now - self._away_since)
                self._away_since = None
            elif now - self._away_since > START_LIMIT_S:
                raise EmbeddedError(f"the database did not come up in time; see {self._embedded.log}")
