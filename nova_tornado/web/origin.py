"""Which web pages may talk to this server (RFC 6454; WHATWG Fetch, CORS protocol)."""

from __future__ import annotations

from urllib.parse import urlsplit


class OriginPolicy:
    """Pages of this server and of those that the operator named may; programs send no ``Origin`` and may, too.

    Args:
        allowed: further origins, as ``scheme://host[:port]``.
        base_url: under which the server is reached.
    """

    def __init__(self, allowed: tuple[str, ...], base_url: str) -> None:
        self._allowed = frozenset(origin.lower() for origin in allowed)
        parts = urlsplit(base_url)
        self._own = f"{parts.scheme}://{parts.netloc}".lower()

    def is_allowed(self, origin: str | None, host: str) -> bool:
        """Whether a page of ``origin`` may.

        Args:
            origin: the ``Origin`` header, None if there is none.
            host: the ``Host`` header.
        """
        if origin is None:
            return True
        origin = origin.lower()
        if origin == self._own or origin in self._allowed:
            return True
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and bool(parts.netloc) and origin == f"{parts.scheme}://{host.lower()}"

    def is_foreign_but_allowed(self, origin: str | None) -> bool:
        """Whether the answer must say that the page may read it."""
        return origin is not None and origin.lower() in self._allowed
