"""Which URLs and addresses the server asks. Source: RFC 3986, RFC 6890."""

import pytest

from nova_tornado.web.outbound import OutboundClient, OutboundError
from nova_tornado.web.outbound_targets import is_allowed, parse_url

# Addresses


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_public_addresses_are_asked(address):
    assert is_allowed(address) and is_allowed(address, allow_private=True)


PRIVATE = ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"]
PRIVATE += ["::1", "fc00::1", "fd12:3456::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_asked_where_that_is_set(address):
    assert not is_allowed(address) and is_allowed(address, allow_private=True)


NEVER = ["0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255"]
NEVER += ["192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"]
NEVER += ["::", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "100::1", "4000::1"]
NEVER += ["::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "2002:7f00:1::", "2002:a00:1::1"]
NEVER += ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2001::1", "", "localhost", "1.2.3"]


@pytest.mark.parametrize("address", NEVER)
def test_other_addresses_are_never_asked(address):
    assert not is_allowed(address) and not is_allowed(address, allow_private=True)


# URLs


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://example.org", "example.org", "/"),
        ("HTTPS://Example.ORG:443/a%20b?c=d&e#f", "example.org", "/a%20b?c=d&e"),
        ("http://example.org:8080?x", "example.org:8080", "/?x"),
        ("http://[2606:4700::1111]:81/", "[2606:4700::1111]:81", "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
    ],
)
def test_urls_are_taken_apart(url, authority, path):
    assert (parse_url(url).authority, parse_url(url).path) == (authority, path)


BAD_URLS = ["", "example.org", "//example.org", "ftp://example.org", "file:///etc/passwd", "gopher://example.org:70/_"]
BAD_URLS += ["http://", "http:///x", "http://:80/", "http://example.org:0", "http://example.org:99999", "http://[::1"]
BAD_URLS += [
    "http://a@example.org",
    "http://a:b@example.org",
    "http://@example.org",
    "http://example.org\\@evil.example",
]
BAD_URLS += ["http://exa mple.org", "http://example.org/\r\nX: y", "http://example.org/\t", "\thttp://example.org"]
BAD_URLS += [
    "http://bücher.example",
    "http://example.org/é",
    "http://[fe80::1%25eth0]/",
    "http://example.org/" + "a" * 2048,
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_other_urls_are_refused(url):
    with pytest.raises(OutboundError) as caught:
        OutboundClient.check_url(url)
    assert caught.value.is_refused and "evil" not in caught.value.message
