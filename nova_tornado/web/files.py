"""Handing files out to whoever knows their URL, in a way that no browser ever runs what is in them.

Source: contract "protocols" section 1.4 (File); RFC 6266 and RFC 8187 (names in headers); RFC 9110 section 14 (ranges).
"""

from __future__ import annotations

import re
from urllib.parse import quote

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from nova_tornado.domain.models import File
from nova_tornado.services.content_types import is_shown
from nova_tornado.web.base import BaseHandler

CACHE_S = 24 * 3600
"""A file never changes, but it may be removed: who has it asks again after a day."""
SECURITY_POLICY = "default-src 'none'; sandbox"
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 !#$&+.^_`|~(),;@=\[\]{}-]")


def disposition(name: str, is_attachment: bool) -> str:
    """The header ``Content-Disposition`` for a file.

    The name stands in it twice: for old clients, with ``_`` for what is not plain, and as it is, percent-encoded.
    """
    kind = "attachment" if is_attachment else "inline"
    return f"{kind}; filename=\"{_NOT_PLAIN.sub('_', name)}\"; filename*=UTF-8''{quote(name, safe='')}"


class FileDownload(BaseHandler):
    """/files/<key>/<name>: a file's bytes, without credentials. A protocol's handler says how refusals look."""

    needs_session = False

    @classmethod
    def allowed_methods(cls) -> list[str]:
        """The methods of this URL."""
        return ["GET", "HEAD", "OPTIONS"]

    def _is_origin_allowed(self) -> bool:
        return True  # neither method changes anything

    async def get(self, key: str) -> None:
        """The bytes; all of them, or one range."""
        file = await self.services.files.find(key)
        if file is None:
            raise HTTPError(404)
        self._describe(file)
        if self.check_etag_header():
            self.set_status(304)
            self.clear_header("Content-Type")
            return
        start, end = self._range(file.size_bytes)
        if start > end:
            self.set_status(416)
            self.set_header("Content-Range", f"bytes */{file.size_bytes}")
            return
        self.set_header("Content-Length", str(end - start))
        if self.request.method == "HEAD":
            return
        try:
            async for piece in self.services.files.read(file, start, end):
                self.write(piece)
                await self.flush()  # waits for a slow reader
                start += len(piece)
        except StreamClosedError:
            return  # the reader has gone away
        if start < end:  # it was removed meanwhile; what came is not to look like all of it
            self._break_off()

    head = get

    def _describe(self, file: File) -> None:
        self.set_header("Content-Type", file.content_type)
        self.set_header("Content-Disposition", disposition(file.name, not is_shown(file.content_type)))
        self.set_header("Content-Security-Policy", SECURITY_POLICY)
        self.set_header("Cache-Control", f"private, max-age={CACHE_S}, immutable")
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Etag", f'"{file.id}"')

    def _range(self, size_bytes: int) -> tuple[int, int]:
        """Which bytes are asked for: the first, and the one after the last; the first is beyond it if there are none.

        What is not one well-formed range means all.
        """
        match = _RANGE.fullmatch(self.request.headers.get("Range", ""))
        if match is None or self.request.headers.get("If-Range", self._headers["Etag"]) != self._headers["Etag"]:
            return 0, size_bytes
        first, last = match.groups()
        if (not first and not last) or (first and last and int(last) < int(first)):
            return 0, size_bytes
        if first:
            start, end = int(first), min(int(last or size_bytes) + 1, size_bytes)
        else:
            start, end = max(0, size_bytes - int(last)), size_bytes
        if start >= end:
            return 1, 0
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {start}-{end - 1}/{size_bytes}")
        return start, end

    def _break_off(self) -> None:
        connection = self.request.connection
        assert connection is not None
        connection.stream.close()  # type: ignore[attr-defined]

    def read_body(self) -> None:
        """None is looked at."""
