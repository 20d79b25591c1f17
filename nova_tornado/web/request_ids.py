"""Each request gets an id, which the log names and the answer bears as `X-Request-ID`."""

from __future__ import annotations

import re
import secrets

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from nova_tornado.logs import SCOPE, Scope
from nova_tornado.web.client_address import ClientAddresses

HEADER = "X-Request-ID"
ACCEPTED = re.compile(r"[A-Za-z0-9._:=+/-]{1,64}")
"""What is taken over from a proxy: the usual forms, and nothing that could look like more than one field of a log."""


def begin_request(request: HTTPServerRequest, addresses: ClientAddresses) -> Scope:
    """Give a request its id: the one that a trusted proxy has given it, or a new one."""
    given = request.headers.get(HEADER, "")
    is_taken = ACCEPTED.fullmatch(given) is not None and addresses.is_proxy(request.remote_ip or "")
    is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
    scope = Scope(given if is_taken else secrets.token_hex(8), is_socket)
    SCOPE.set(scope)
    return scope


class NamesRequest(OutputTransform):
    """Tells the client the id of its request (Tornado makes one for each)."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        scope = SCOPE.get()
        self._id = scope.id if scope is not None else ""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the header (called by Tornado)."""
        if self._id:
            headers[HEADER] = self._id
        return status_code, headers, chunk
