"""/healthz and /readyz, for whoever watches over the process."""

from __future__ import annotations

from collections.abc import Callable

from tornado.web import RequestHandler


class HealthHandler(RequestHandler):
    """/healthz: the process lives. /readyz: it can serve.

    Args:
        check: whether to answer 200 or 503.
    """

    def initialize(self, check: Callable[[], bool]) -> None:
        """Take the check (called by Tornado)."""
        self._check = check

    def get(self) -> None:
        """Answer 200 or 503."""
        is_fine = self._check()
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.set_status(200 if is_fine else 503)
        self.finish(b'{"ok":true}' if is_fine else b'{"ok":false}')
