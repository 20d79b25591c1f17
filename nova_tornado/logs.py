"""How the log is written: as lines of text, or as one JSON object a line, with the ids of what a line belongs to.

Only what is light is imported here: the server logs before anything heavy is loaded.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar
from typing import Any

LOG_FORMATS = ("text", "json")


class Scope:
    """The request or the connection that something happens in.

    Attributes:
        id: of the request; a WebSocket keeps that of its handshake.
        is_connection: whether it is a WebSocket.
        user_id: who is signed in, once that is known; 0 until then.
    """

    __slots__ = ("__weakref__", "id", "is_connection", "user_id")

    def __init__(self, scope_id: str, is_connection: bool) -> None:
        self.id = scope_id
        self.is_connection = is_connection
        self.user_id = 0


SCOPE: ContextVar[Scope | None] = ContextVar("nova_scope", default=None)
"""Where the running code is; None outside of all requests. Tasks inherit it: one that outlives the request and works
for others, too, is made with an empty context."""


def note_user(user_id: int) -> None:
    """It is known now who is signed in where the running code is."""
    scope = SCOPE.get()
    if scope is not None:
        scope.user_id = user_id


def ids() -> dict[str, str | int]:
    """The ids of what is running: of the request or the connection, and of its user."""
    scope = SCOPE.get()
    if scope is None:
        return {}
    found: dict[str, str | int] = {"connection" if scope.is_connection else "request": scope.id}
    if scope.user_id:
        found["user"] = scope.user_id
    return found


class TextFormatter(logging.Formatter):
    """Time, level, logger, the ids in brackets where there are any, and the message.

    Args:
        worker: named in each line; "" where there is one process only.
    """

    def __init__(self, worker: str = "") -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(ids)s%(message)s")
        self._worker = {"worker": worker} if worker else {}

    def format(self, record: logging.LogRecord) -> str:
        """The line (or lines, with a traceback)."""
        named = " ".join(f"{name}={value}" for name, value in {**self._worker, **ids()}.items())
        record.ids = f"[{named}] " if named else ""
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object: time, level, logger, message, ids, and an exception with its traceback as one string.

    Args:
        worker: named in each line; "" where there is one process only.
    """

    def __init__(self, worker: str = "") -> None:
        super().__init__()
        self._worker = {"worker": worker} if worker else {}

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._worker,
            **ids(),
        }
        if (fault_id := getattr(record, "fault_id", None)) is not None:
            said["fault"] = fault_id
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said)


def set_up(log_format: str, worker: str = "") -> None:
    """Log to stderr from here on.

    Args:
        log_format: one of ``LOG_FORMATS``.
        worker: the number of this process among those that share the port; "" where it is the only one.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(worker) if log_format == "json" else TextFormatter(worker))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # A line for each request would bury what matters; failed requests are warnings.
    logging.getLogger("tornado.access").setLevel(logging.WARNING)
