"""Whose request it is: the client's address, also behind reverse proxies."""

from __future__ import annotations

from ipaddress import ip_address, ip_network


class ClientAddresses:
    """Finds the address that limits are counted by.

    Args:
        trusted_proxies: addresses or networks whose ``X-Forwarded-For`` is believed.
    """

    def __init__(self, trusted_proxies: tuple[str, ...]) -> None:
        self._trusted = [ip_network(network) for network in trusted_proxies]

    def find(self, peer: str, forwarded_for: str | None) -> str:
        """The client's address.

        Each proxy appends the address that it was called from, so the list is read from its end, as far as it was
        written by trusted ones; what stands before that anybody could have made up.

        Args:
            peer: who has opened the connection.
            forwarded_for: the header ``X-Forwarded-For``.
        """
        client = peer
        for hop in reversed((forwarded_for or "").split(",")):
            if not self.is_proxy(client):
                break
            try:
                client = str(ip_address(hop.strip()))
            except ValueError:
                break
        return client

    def is_proxy(self, address: str) -> bool:
        """Whether a trusted proxy has that address."""
        if not self._trusted:
            return False
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)
