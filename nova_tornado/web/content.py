"""Answers whose bytes are known beforehand: files and pages that are the same for everybody."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.web import RequestHandler

from nova_tornado.web.accept import accepts_gzip, prefers_html
from nova_tornado.web.jsons import dumps

if TYPE_CHECKING:
    from nova_tornado.web.services import Services

GZIP_MIN_BYTES = 512
"""Below, compression saves no packet."""
COMPRESSED_TYPES = ("text/", "application/json", "application/manifest+json", "image/svg+xml")

HTML_TYPE = "text/html; charset=UTF-8"
NO_CACHE = "no-cache"
"""Kept, and asked about before each use: the answer is mostly 304."""


ERRORS = {404: "Not found", 405: "Method not allowed"}


class Content:
    """Bytes and their type.

    Attributes:
        body: the bytes.
        content_type: with its charset.
        etag: of these bytes; weak, for it is the same when they are sent compressed.
    """

    __slots__ = ("_gzipped", "body", "content_type", "etag")

    def __init__(self, body: bytes, content_type: str) -> None:
        self.body = body
        self.content_type = content_type
        self.etag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
        self._gzipped: bytes | None = None

    @property
    def is_compressible(self) -> bool:
        """Whether compression makes it smaller."""
        return len(self.body) >= GZIP_MIN_BYTES and self.content_type.startswith(COMPRESSED_TYPES)

    async def gzipped(self) -> bytes:
        """The bytes, compressed; the work is done once, and nobody waits behind it."""
        if self._gzipped is None:
            self._gzipped = await asyncio.to_thread(gzip.compress, self.body, mtime=0)
        return self._gzipped


class ContentHandler(RequestHandler):
    """Answers GET and HEAD with content that is the same for everybody.

    It needs no sign-in and is not counted by the limits: an answer out of memory costs no more than a refusal would,
    and many people may share an address.
    """

    cache_control: ClassVar[str] = NO_CACHE

    def initialize(self, services: Services) -> None:
        """Take the parts (called by Tornado)."""
        self.services = services

    def set_default_headers(self) -> None:
        """Headers of every answer (called by Tornado)."""
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    async def answer(self, content: Content, headers: Mapping[str, str]) -> None:
        """Send content, or say that the client has it."""
        for name, value in headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", content.content_type)
        self.set_header("Cache-Control", self.cache_control)
        self.set_header("ETag", content.etag)
        if content.is_compressible:
            self.add_header("Vary", "Accept-Encoding")
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
            return
        body = content.body
        if content.is_compressible and accepts_gzip(self.request.headers.get("Accept-Encoding", "")):
            self.set_header("Content-Encoding", "gzip")
            body = await content.gzipped()
        self.finish(body)

    def compute_etag(self) -> None:
        """It is set already; spare the hash."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an unknown file or a wrong method (called by Tornado)."""
        if status_code == 404 and is_of_browser(self):
            self.services.pages.show(self, "not_found.html", status=404)
            return
        if status_code == 405:
            self.set_header("Allow", "GET, HEAD")
        self.finish(dumps({"ok": False, "error": ERRORS.get(status_code, "Request failed")}))


def is_of_browser(handler: RequestHandler) -> bool:
    """Whether somebody looks at the answer in a browser."""
    return handler.request.method in ("GET", "HEAD") and prefers_html(handler.request.headers.get("Accept", ""))
