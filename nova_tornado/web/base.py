"""The base of all HTTP handlers: the order of the checks, sign-in, JSON bodies, errors."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from nova_tornado.domain.errors import (
    Internal,
    Malformed,
    NotSignedIn,
    NovaError,
    OriginRefused,
    TooManyRequests,
)
from nova_tornado.domain.models import Session, User
from nova_tornado.logs import note_user
from nova_tornado.storage.database import as_nova_error
from nova_tornado.storage.sessions import COOKIE_LIFETIME_S
from nova_tornado.web.jsons import dumps, loads

if TYPE_CHECKING:
    from nova_tornado.web.services import Services

log = logging.getLogger(__name__)

SESSION_COOKIE = "sessionid"
JSON_TYPE = "application/json"
BODY_MAX_BYTES = 16 * 1024 * 1024
METHODS = ("get", "post", "put", "patch", "delete")


def log_fault(error: BaseException) -> NovaError:
    """What an exception is answered as; a fault of ours is logged here, once, under an id that the answer names."""
    known = as_nova_error(error)
    if known is not None:
        if known is not error:
            log.warning("the database did not answer: %s", type(error).__name__)
        return known
    fault_id = secrets.token_hex(4)
    log.error("internal error %s", fault_id, exc_info=error, extra={"fault_id": fault_id})
    return Internal(f"Internal error {fault_id}")


class BaseHandler(RequestHandler):
    """Checks every request in this order: method, limits, origin, session, body; then the method runs.

    A protocol's own base sets the shape of errors. A handler reads ``self.user``, ``self.body``, calls one service
    method and replies.

    Attributes:
        needs_session: whether the caller must be signed in.
        reads_body_of_get: whether a GET may have a body.
        body_too_large: the answer to a body beyond ``BODY_MAX_BYTES``, which is given before any check.
        request_headers: those that a page of an allowed site may send.
        user, session: who asks, through which sign-in (if ``needs_session``).
        body: the JSON value of the request's body; None if it came without a Content-Type.
    """

    needs_session: ClassVar[bool] = True
    reads_body_of_get: ClassVar[bool] = False
    body_too_large: ClassVar[bytes] = b'{"ok":false,"error":"Request body is too large"}'
    request_headers: ClassVar[str] = "Content-Type, Authorization"
    user: User
    session: Session

    def initialize(self, services: Services) -> None:
        """Take the parts (called by Tornado)."""
        self.services = services
        self.body: Any = None

    @classmethod
    def allowed_methods(cls) -> list[str]:
        """The methods of this URL in the order of their definition, OPTIONS last."""
        defined = [name.upper() for name in vars(cls) if name in METHODS]
        return [*defined, "OPTIONS"]

    async def prepare(self) -> None:
        """Run the checks (called by Tornado before the method)."""
        if self.request.method not in self.allowed_methods():
            raise HTTPError(405)
        if self.request.method == "OPTIONS":
            return
        if not self.services.request_limits.take_request(self.remote_address):
            raise TooManyRequests
        if self.request.method != "GET" and not self._is_origin_allowed():
            raise OriginRefused
        if self.needs_session:
            found = await self.find_session()
            if found is None:
                raise NotSignedIn
            self.session, self.user = found
            note_user(self.user.id)
        if self.request.method != "GET" or self.reads_body_of_get:
            self.body = self.read_body()

    @property
    def remote_address(self) -> str:
        """The client's address."""
        forwarded_for = self.request.headers.get("X-Forwarded-For")
        return self.services.client_addresses.find(self.request.remote_ip or "", forwarded_for)

    def _is_origin_allowed(self) -> bool:
        return self.services.origins.is_allowed(self.request.headers.get("Origin"), self.request.host)

    def read_body(self) -> Any:
        """The JSON value of the request's body.

        Raises:
            Malformed: it is none.
        """
        content_type = self.request.headers.get("Content-Type")
        if content_type is None:
            return None
        if content_type.partition(";")[0].strip().lower() != JSON_TYPE:
            raise Malformed("Content-Type must be application/json")
        return loads(self.request.body)

    async def find_session(self) -> tuple[Session, User] | None:
        """Who asks: by ``Authorization: Bearer``, else by the session cookie; None if neither is valid."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            found = await self.services.accounts.find_session(token.strip())
            if found is not None:
                return found
        return await self.find_cookie_session()

    async def find_cookie_session(self) -> tuple[Session, User] | None:
        """Whose cookie came with the request."""
        return await self.services.accounts.find_session(self.get_cookie(SESSION_COOKIE))

    def set_session_cookie(self, secret: str) -> None:
        """Hand the browser its session."""
        self.set_cookie(
            SESSION_COOKIE,
            secret,
            max_age=COOKIE_LIFETIME_S,
            httponly=True,
            samesite="Lax",
            secure=self.services.is_https,
        )

    async def write_list(self, opening: bytes, pages: AsyncIterator[Iterable[Any]], closing: bytes) -> None:
        """Answer with a list that is read from the database page by page, so that memory stays flat.

        Args:
            opening, closing: the JSON before and behind the list's items.
        """
        separator = opening
        try:
            async for page in pages:
                for item in page:
                    self.write(separator + dumps(item))
                    separator = b","
                await self.flush()  # waits for a slow reader
            self.finish(closing if separator == b"," else opening + closing)
        except StreamClosedError:
            pass  # the reader has gone away

    def options(self, *_args: str) -> None:
        """Say which methods there are."""
        self.set_status(200)
        self.set_allow()
        if "Origin" in self.request.headers:
            self.set_header("Access-Control-Allow-Methods", ", ".join(self.allowed_methods()))
            self.set_header("Access-Control-Allow-Headers", self.request_headers)
        self.finish()

    def set_allow(self) -> None:
        """Name the methods that this URL knows."""
        self.set_header("Allow", ", ".join(self.allowed_methods()))

    def set_default_headers(self) -> None:
        """Headers of every answer (called by Tornado)."""
        self.clear_header("Server")
        self.set_header("Content-Type", JSON_TYPE)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        services = self.application.settings.get("services")
        origin = self.request.headers.get("Origin")
        if services is not None and services.origins.is_foreign_but_allowed(origin):
            self.set_header("Access-Control-Allow-Origin", origin or "")
            self.set_header("Access-Control-Allow-Credentials", "true")
            self.set_header("Vary", "Origin")

    def compute_etag(self) -> None:
        """Answers are not cached; spare the hash."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an exception in the protocol's shape (called by Tornado)."""
        error: BaseException = kwargs["exc_info"][1] if "exc_info" in kwargs else HTTPError(status_code)
        if isinstance(error, HTTPError):
            if error.status_code == 405:
                self.set_allow()
            self.answer_http_error(error.status_code)
        else:
            self.answer_error(log_fault(error))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Faults are logged where they are answered; an answer that was under way already is logged here."""
        if self._headers_written:
            log.error("an answer broke off", exc_info=(typ, value, tb))

    def answer_error(self, error: NovaError) -> None:
        """Answer a refusal; the protocol's own base says how."""
        raise NotImplementedError

    def answer_http_error(self, status: int) -> None:
        """Answer an unknown path, a wrong method …; the protocol's own base says how."""
        raise NotImplementedError
