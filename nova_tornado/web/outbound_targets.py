"""Whom the server asks: URLs and addresses, judged before anything is sent.

Source: RFC 3986 (URLs), the IANA special-purpose address registries (RFC 6890).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

URL_MAX_CHARACTERS = 2_048
PORTS = {"http": 80, "https": 443}
PRIVATE_NETWORKS = tuple(
    ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        *("::1/128", "fc00::/7"),
    )
)
"""What a setting may allow. Link-local addresses stay refused: clouds serve machines' credentials there."""
GLOBAL_UNICAST = ip_network("2000::/3")
NAT64 = ip_network("64:ff9b::/96")
"""IPv4 as seen through a translator (RFC 6052): such an address is what it ends with."""


class OutboundError(Exception):
    """A request could not be made, or its answer cannot be used.

    Attributes:
        message: one sentence for a person; it names the host and nothing else of the request.
        is_refused: it was Nova that refused; repeating the request changes nothing.
    """

    def __init__(self, message: str, *, is_refused: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_refused = is_refused


def refusal(message: str) -> OutboundError:
    """The error of what Nova itself refuses."""
    return OutboundError(message, is_refused=True)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was checked, in its parts."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the header ``Host`` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> Target:
    """Take apart the URL of an outbound request.

    Raises:
        OutboundError: it is none that Nova asks: only http and https, a host, no user and password, nothing but
            printable ASCII.
    """
    if len(url) > URL_MAX_CHARACTERS:
        raise refusal(f"The URL is longer than {URL_MAX_CHARACTERS} characters")
    # Parsers differ in what they make of these, and a check is worth nothing if it reads another host.
    if not url.isascii() or not url.isprintable() or any(character in url for character in ' \\"<>^`{|}'):
        raise refusal("The URL has characters that must be percent-encoded (hosts: in their xn-- form)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise refusal("The URL is malformed") from None
    if parts.scheme not in PORTS:
        raise refusal("The URL begins neither with https:// nor with http://")
    if "@" in parts.netloc:
        raise refusal("The URL must not hold a user or password")
    if not host or "%" in host or port == 0:
        raise refusal("The URL names no host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, PORTS[parts.scheme] if port is None else port, path)


def is_allowed(address: str, *, allow_private: bool = False) -> bool:
    """Whether Nova connects to an address: to public ones, and to those of ``PRIVATE_NETWORKS`` where that is set."""
    try:
        parsed = ip_address(address)
    except ValueError:  # such as an IPv6 address with a zone, which is link-local
        return False
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return False  # no resolver gives these: somebody tries to hide an address
        if parsed in NAT64:
            return _is_public(IPv4Address(int(parsed) & 0xFFFFFFFF))
    return _is_public(parsed) or (allow_private and any(parsed in network for network in PRIVATE_NETWORKS))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, IPv4Address):
        return True
    return address in GLOBAL_UNICAST and (address.sixtofour is None or _is_public(address.sixtofour))
