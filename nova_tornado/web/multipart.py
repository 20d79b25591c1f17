"""The one file in a ``multipart/form-data`` body, read as it comes in (RFC 7578; WHATWG HTML, multipart form data).

The parser is python-multipart's: it reads piece by piece, where Tornado's own needs the whole body in memory.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from nova_tornado.domain.errors import BadField, Malformed

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MULTIPART_TYPE = b"multipart/form-data"
DISPOSITION = b"content-disposition"

# It warns of every malformed body, which is the client's affair and answered to the client.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class MultipartFile:
    """Finds a file in the parts of a body; other parts are skipped.

    Args:
        content_type: the request's header.
        field: the name of the part that holds the file.

    Attributes:
        name: what the client calls the file; None before its part has begun.

    Raises:
        Malformed: this is no multipart body.
    """

    def __init__(self, content_type: str | None, field: str) -> None:
        kind, options = _parse(content_type.encode("latin-1", "replace") if content_type else b"")
        boundary = options.get(b"boundary", b"")
        if kind != MULTIPART_TYPE or not boundary:
            raise Malformed("The body must be multipart/form-data with a boundary")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._take_header_name,
            "on_header_value": self._take_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._take_data,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError:
            raise Malformed from None
        self.name: str | None = None
        self._field = field.encode()
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._is_inside = False
        self._has_ended = False
        self._pieces: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """Read on.

        Returns:
            What of the file's bytes is in there.

        Raises:
            Malformed: this is no multipart body.
            BadField: the file has no name, or there is a second one.
        """
        self._pieces = []
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise Malformed from None
        return self._pieces

    def close(self) -> None:
        """The body is over.

        Raises:
            Malformed: it broke off.
            BadField: there was no file in it.
        """
        if not self._has_ended:
            raise Malformed
        if self.name is None:
            raise BadField(f"Field {self._field.decode()} is missing")

    def _begin_part(self) -> None:
        self._is_inside = False
        self._header_name = self._header_value = self._disposition = b""

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == DISPOSITION:
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        kind, options = _parse(self._disposition)
        if kind != b"form-data" or options.get(b"name") != self._field:
            return
        if self.name is not None:
            raise BadField(f"Only one {self._field.decode()} can be sent at a time")
        if b"filename" not in options:
            raise BadField(f"Field {self._field.decode()} is no file")
        try:
            self.name = options[b"filename"].decode()
        except UnicodeDecodeError:
            raise BadField("The file's name is not UTF-8") from None
        # This much browsers escape, and nothing else, not even the percent sign.
        for escaped, character in (("%22", '"'), ("%0D", "\r"), ("%0A", "\n")):
            self.name = self.name.replace(escaped, character)
        self._is_inside = True

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_inside:
            self._pieces.append(data[start:end])

    def _end(self) -> None:
        self._has_ended = True


def _parse(header: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    try:
        return parse_options_header(header)
    except ValueError:  # a parameter with a lone surrogate or the like
        return b"", {}
