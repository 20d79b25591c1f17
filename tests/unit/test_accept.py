"""What clients say they would like to get. Source: RFC 9110, section 12.5."""

import pytest

from nova_tornado.web.accept import accepts_gzip, prefers_html

OF_CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (OF_CHROMIUM, True),
        ("text/html", True),
        ("TEXT/HTML; q=0.9, application/json;q=0.8", True),
        ("text/*, */*;q=0.1", True),
        ("text/html;level=1;q=0.2, application/*;q=0.1", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("text/html;q=0.5, */*", False),
        ("text/html;q=0, application/json;q=0", False),
        ("q=;,;q=x", False),
        ("text/plain", False),
    ],
)
def test_a_page_is_shown_to_whom_prefers_it(accept, expected):
    assert prefers_html(accept) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip, deflate, br, zstd", True),
        ("GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0, *", False),
        ("identity", False),
    ],
)
def test_gzip_is_sent_to_whom_takes_it(header, expected):
    assert accepts_gzip(header) is expected
