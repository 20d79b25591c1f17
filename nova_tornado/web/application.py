"""Tornado's application with what differs for us: bodies are JSON, and every answer has our shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler, stream_request_body

from nova_tornado.logs import SCOPE
from nova_tornado.web.base import BODY_MAX_BYTES, BaseHandler
from nova_tornado.web.metrics import HttpCounts
from nova_tornado.web.request_ids import NamesRequest, begin_request

if TYPE_CHECKING:
    from nova_tornado.web.services import Services

DROPPED_MAX_BYTES = 4 * BODY_MAX_BYTES
"""Of a body that is refused; whoever sends more finds the connection closed."""


class NovaApplication(Application):
    """Routes requests.

    Args:
        handlers: Tornado URL specs.
        not_found: answers every path that none of them knows.
        services: handed to every handler of ours.
        counts: counts requests.
        settings: of Tornado.
    """

    def __init__(
        self, handlers: list[Any], not_found: type[BaseHandler], services: Services, counts: HttpCounts, **settings: Any
    ) -> None:
        self._services = services
        self._counts = counts
        super().__init__(
            handlers,
            default_handler_class=not_found,
            default_handler_args={"services": services},
            services=services,
            log_function=self._note_answer,
            **settings,
        )
        self.add_transform(NamesRequest)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """The handler of a request."""
        self._counts.in_flight.add(begin_request(request, self._services.client_addresses))
        # Tornado would parse form bodies before any handler runs, and answer broken ones itself, in HTML.
        request._parse_body = lambda: None  # type: ignore[method-assign]
        length = request.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > BODY_MAX_BYTES:
            found = super().find_handler(request, **kwargs)
            if getattr(found, "stream_request_body", False):
                return found  # has a limit of its own
            answer = getattr(getattr(found, "handler_class", None), "body_too_large", BaseHandler.body_too_large)
            return self.get_handler_delegate(request, BodyTooLarge, {"answer": answer})
        return super().find_handler(request, **kwargs)

    def _note_answer(self, handler: RequestHandler) -> None:
        self._counts.note_answer(handler.request.method, handler.get_status(), SCOPE.get())


@stream_request_body
class BodyTooLarge(RequestHandler):
    """Answers a request whose body is beyond the limit before reading it, and closes the connection.

    What is still coming is dropped first: closing at once would reset the connection, and a client that sends all
    before it reads would never see the answer.
    """

    def initialize(self, answer: bytes) -> None:
        """Take the body of the answer, which has the shape of the path's protocol (called by Tornado)."""
        self._body = answer

    async def prepare(self) -> None:
        """Answer at once (called by Tornado)."""
        self._answer()
        await self.flush()
        if int(self.request.headers["Content-Length"]) > DROPPED_MAX_BYTES:
            self.finish()
        else:
            self.request.connection.set_max_body_size(DROPPED_MAX_BYTES)  # type: ignore[union-attr]

    def _answer(self) -> None:
        self.clear_header("Server")
        self.set_status(413)
        self.set_header("Content-Type", "application/json")
        self.set_header("Content-Length", str(len(self._body)))
        self.set_header("Connection", "close")
        self.write(self._body)

    def data_received(self, chunk: bytes) -> None:
        """Drop what is still coming."""

    def _close(self) -> None:
        self.finish()

    get = head = post = put = patch = delete = options = _close

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer the same to a method that nobody knows (called by Tornado)."""
        self._answer()
        self.finish()
