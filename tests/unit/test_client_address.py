"""Whose request it is, behind proxies and without."""

import pytest

from nova_tornado.web.client_address import ClientAddresses

CASES = [
    # trusted, peer, X-Forwarded-For, client
    ((), "203.0.113.9", None, "203.0.113.9"),
    ((), "127.0.0.1", "198.51.100.7", "127.0.0.1"),
    (("127.0.0.1/32",), "127.0.0.1", "198.51.100.7", "198.51.100.7"),
    (("127.0.0.1/32",), "203.0.113.9", "198.51.100.7", "203.0.113.9"),
    (("127.0.0.1/32",), "127.0.0.1", "1.2.3.4, 198.51.100.7", "198.51.100.7"),
    (("127.0.0.0/8", "10.0.0.0/8"), "127.0.0.1", "1.2.3.4, 198.51.100.7 , 10.1.1.1", "198.51.100.7"),
    (("127.0.0.0/8", "10.0.0.0/8"), "127.0.0.1", "10.2.2.2, 10.1.1.1", "10.2.2.2"),
    (("127.0.0.1/32",), "127.0.0.1", None, "127.0.0.1"),
    (("127.0.0.1/32",), "127.0.0.1", "", "127.0.0.1"),
    (("127.0.0.1/32",), "127.0.0.1", "1.2.3.4, nonsense", "127.0.0.1"),
    (("::1/128",), "::1", "2001:DB8::7", "2001:db8::7"),
    (("::1/128",), "", "1.2.3.4", ""),
]


@pytest.mark.parametrize(("trusted", "peer", "forwarded_for", "client"), CASES)
def test_the_client_is_the_last_hop_that_no_trusted_proxy_is(trusted, peer, forwarded_for, client):
    assert ClientAddresses(trusted).find(peer, forwarded_for) == client
