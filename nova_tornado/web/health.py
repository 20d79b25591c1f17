"""/healthz and /readyz, for whoever watches over the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado.web import RequestHandler


class HealthHandler(RequestHandler):
    """/healthz: the process lives. /readyz: it can serve.

    Args:
        check: whether to answer 200 or 503.
    """

    def initialize(self, check: Callable[[], bool]) -> None:
        """Take the check (called by Tornado)."""
        self._check = check

    def set_default_headers(self) -> None:
        """Headers of every answer (called by Tornado)."""
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")

    def get(self) -> None:
        """Answer 200 or 503."""
        is_fine = self._check()
        self.set_status(200 if is_fine else 503)
        self.finish(b'{"ok":true}' if is_fine else b'{"ok":false}')

    head = get

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer a wrong method (called by Tornado)."""
        self.set_header("Allow", "GET, HEAD")
        self.finish(b'{"ok":false,"error":"Method not allowed"}')
