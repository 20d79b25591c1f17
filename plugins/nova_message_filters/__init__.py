"""Searching a chat's messages by time and sender."""

from __future__ import annotations

from collections.abc import Sequence

from nova_message_filters.handlers import FilterHandler
from nova_tornado.api import Route, hookimpl


@hookimpl
def nova_routes() -> Sequence[Route]:
    """POST /chat/<id>/filter."""
    return [(r"/chat/([0-9]+)/filter", FilterHandler)]
