"""Requests that the server makes to other hosts, guarded: what users may name must not open the inside of a network.

A host is resolved here, every address that it has is judged, and the connection goes to one of exactly those: a name
that means another address a moment later gains nothing. Redirects are not followed, proxies of the environment are not
used, nothing is remembered between two requests (no cookies, no connections), and time and size have bounds.

Source: RFC 9110 (HTTP), RFC 3986 (URLs), the IANA special-purpose address registries (RFC 6890).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import httpcore

import nova_tornado
from nova_tornado.web.jsons import dumps
from nova_tornado.web.outbound_targets import OutboundError, Target, is_allowed, parse_url, refusal

CONNECT_TIMEOUT_S = 5.0
"""For finding, reaching and greeting a host."""
SILENCE_TIMEOUT_S = 10.0
"""How long a host may say nothing while it is waited for."""
TOTAL_TIMEOUT_S = 15.0
"""For a request with its whole answer, unless the client was made with another."""
ANSWER_MAX_BYTES = 1024 * 1024
USER_AGENT = f"Nova/{nova_tornado.__version__}"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a host, as text, for a port."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host has answered.

    Attributes:
        headers: by name in small letters.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the host has done what it was asked for."""
        return 200 <= self.status < 300


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, by the system's resolver (which reads forms like 127.1, too).

    Raises:
        OSError: it knows none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class OutboundClient:
    """Makes requests to other hosts.

    Safe to use from many tasks at once; each request has a connection of its own.

    Args:
        allow_private: whether ``PRIVATE_NETWORKS`` may be asked.
        connect_timeout_s: for resolving, connecting and TLS.
        silence_timeout_s: how long to wait for the next bytes.
        total_timeout_s: for everything, the answer included.
        answer_max_bytes: the largest body of an answer.
        resolve: finds the addresses of a host.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        silence_timeout_s: float = SILENCE_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        answer_max_bytes: int = ANSWER_MAX_BYTES,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        self._allow_private = allow_private
        self._timeouts = {"connect": connect_timeout_s, "read": silence_timeout_s, "write": silence_timeout_s}
        self._total_timeout_s = total_timeout_s
        self._answer_max_bytes = answer_max_bytes
        self._resolve = resolve

    @staticmethod
    def check_url(url: str) -> None:
        """Say early whether a URL can be asked at all; its host is judged with every request.

        Raises:
            OutboundError: it cannot.
        """
        parse_url(url)

    async def post_json(self, url: str, body: Any, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        """Send JSON and take the whole answer, whatever its status, if it is no redirect.

        Args:
            url: see ``parse_url``.
            body: any JSON value; bytes are sent as they are (they may be signed).
            headers: further ones.

        Raises:
            OutboundError: there is no answer, or it is a redirect, compressed, or too large.
        """
        async with self.stream_lines(url, body, headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    @asynccontextmanager
    async def stream_lines(
        self, url: str, body: Any, headers: Mapping[str, str] = NO_HEADERS, *, timeout_s: float | None = None
    ) -> AsyncIterator[AnswerStream]:
        """Send JSON and read the answer while it comes; leaving the context closes the connection.

        Args:
            url, body, headers: as of ``post_json``.
            timeout_s: for everything, if it is to be another than the client's.

        Raises:
            OutboundError: as of ``post_json``, also while the answer is read.
        """
        target = parse_url(url)
        content = body if isinstance(body, bytes) else dumps(body)
        deadline_s = asyncio.get_running_loop().time() + (self._total_timeout_s if timeout_s is None else timeout_s)
        backend = _PinnedBackend(self._resolve, self._allow_private)
        try:
            with _plain_errors(target.host):
                request = self._request(target, content, headers)
                connection = httpcore.AsyncHTTPConnection(
                    request.url.origin,
                    ssl_context=_tls() if target.scheme == "https" else None,
                    network_backend=backend,
                )
                async with asyncio.timeout_at(deadline_s):
                    response = await connection.handle_async_request(request)
            yield AnswerStream(target.host, response, deadline_s, self._answer_max_bytes)
        finally:
            await backend.close()

    def _request(self, target: Target, content: bytes, headers: Mapping[str, str]) -> httpcore.Request:
        own = {
            "Host": target.authority,
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": USER_AGENT,
        }
        for name, value in headers.items():
            # The library's error would repeat the value, which may be a secret.
            if (
                not name.isascii()
                or not name.replace("-", "").isalnum()
                or not (value.isascii() and value.isprintable())
            ):
                raise refusal("A header of the request is not printable ASCII")
        return httpcore.Request(
            "POST",
            httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
            headers=[*own.items(), *headers.items()],
            content=content,
            extensions={"timeout": self._timeouts},
        )


class AnswerStream:
    """An answer whose body is still to be read, once, by ``lines`` or by ``read``.

    Attributes:
        status: of HTTP; never a redirect's.
        headers: by name in small letters.

    Raises:
        OutboundError: it is a redirect, or compressed.
    """

    def __init__(self, host: str, response: httpcore.Response, deadline_s: float, answer_max_bytes: int) -> None:
        self.status = response.status
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        self._host = host
        self._response = response
        self._deadline_s = deadline_s
        self._answer_max_bytes = answer_max_bytes
        if 300 <= self.status < 400 or self.status == 101:
            raise refusal(f"{host} answered with a redirect, which Nova does not follow")
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise refusal(f"{host} answered in a compressed form, which Nova did not ask for")

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            OutboundError: it broke off, took too long, or is too large.
        """
        return b"".join([chunk async for chunk in self._chunks()])

    async def lines(self) -> AsyncGenerator[str, None]:
        """The body's lines as they come, without their ends (LF, CR LF or CR).

        What is no UTF-8 is replaced. What stands behind the last end of a line is a line, too.

        Raises:
            OutboundError: as of ``read``.
        """
        splitter = LineSplitter()
        async for chunk in self._chunks():
            for line in splitter.feed(chunk):
                yield line
        if rest := splitter.finish():
            yield rest

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        chunks = self._response.aiter_stream()
        left_bytes = self._answer_max_bytes
        while True:
            with _plain_errors(self._host):
                try:
                    async with asyncio.timeout_at(self._deadline_s):
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise refusal(f"{self._host} answered with more than {self._answer_max_bytes} bytes")
            yield chunk


class LineSplitter:
    """Makes lines out of bytes that come in pieces cut anywhere."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._ended_in_cr = False

    def feed(self, piece: bytes) -> list[str]:
        """The lines that this piece completes."""
        if self._ended_in_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._ended_in_cr = piece.endswith(b"\r")
        lines = []
        for part in piece.splitlines(keepends=True):
            self._rest += part
            if part.endswith((b"\n", b"\r")):
                lines.append(self._rest.rstrip(b"\r\n").decode(errors="replace"))
                self._rest.clear()
        return lines

    def finish(self) -> str:
        """What has come since the last end of a line."""
        return self._rest.decode(errors="replace")


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects one request to an address that was judged; keeps its socket to close it, whatever happens."""

    def __init__(self, resolve: Resolve, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._backend = httpcore.AnyIOBackend()
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, connect: to the first of the addresses that answers."""
        async with asyncio.timeout(timeout):
            addresses = await self._judged(host, port)
            for address in addresses[:-1]:
                try:
                    return await self._connect(address, port, local_address, socket_options)
                except httpcore.ConnectError:
                    continue
            return await self._connect(addresses[-1], port, local_address, socket_options)

    async def _connect(
        self, address: str, port: int, local_address: str | None, socket_options: Any
    ) -> httpcore.AsyncNetworkStream:
        self._stream = await self._backend.connect_tcp(
            address, port, local_address=local_address, socket_options=socket_options
        )
        return self._stream

    async def _judged(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = ()
        if not addresses:
            raise OutboundError(f"{host} is not known")
        if not all(is_allowed(address, allow_private=self._allow_private) for address in addresses):
            raise refusal(f"{host} is not on the public Internet, and Nova does not ask private addresses")
        return addresses

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._stream is not None:
            await self._stream.aclose()


@cache
def _tls() -> ssl.SSLContext:
    """The system's certificate authorities (or those of ``SSL_CERT_FILE``); reading them takes a while."""
    return ssl.create_default_context()


@contextmanager
def _plain_errors(host: str) -> Iterator[None]:
    """Say in a plain sentence what went wrong; the libraries' own texts may hold parts of the request."""
    try:
        yield
    except (TimeoutError, httpcore.TimeoutException):
        raise OutboundError(f"{host} did not answer in time") from None
    except httpcore.ConnectError as error:
        if isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError):
            raise OutboundError(f"The certificate of {host} cannot be trusted") from None
        raise OutboundError(f"{host} cannot be reached") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
        raise OutboundError(f"The connection to {host} broke off") from None
