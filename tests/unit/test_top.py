"""What `nova top` makes of two looks at the metrics."""

import pytest

from nova_tornado.top import Reading, Span, TopError, checked_url, screen

BEFORE = """
nova_info{version="1.2.3",worker="1"} 1
process_start_time_seconds{worker="1"} 1000
nova_connections{protocol="actions",worker="1"} 3
nova_signed_in_users{worker="1"} 2
nova_sends_total{outcome="stored",worker="1"} 100
nova_sends_total{outcome="stored",worker="2"} 50
nova_commit_seconds_bucket{le="0.01",worker="1"} 10
nova_commit_seconds_bucket{le="0.02",worker="1"} 10
nova_commit_seconds_bucket{le="+Inf",worker="1"} 10
"""
AFTER = """
nova_info{version="1.2.3",worker="1"} 1
process_start_time_seconds{worker="1"} 1000
nova_connections{protocol="actions",worker="1"} 3
nova_connections{protocol="actions",worker="2"} 1500
nova_signed_in_users{worker="1"} 2
nova_signed_in_users{worker="2"} 1500
nova_sends_total{outcome="stored",worker="1"} 120
nova_sends_total{outcome="stored",worker="2"} 4
nova_sends_total{outcome="unknown",worker="1"} 0
nova_commit_seconds_bucket{le="0.01",worker="1"} 10
nova_commit_seconds_bucket{le="0.02",worker="1"} 20
nova_commit_seconds_bucket{le="+Inf",worker="1"} 20
nova_plugin_strikes_total{plugin="nova_weather",worker="1"} 2
process_resident_memory_bytes{worker="1"} 1048576
process_resident_memory_bytes{worker="2"} 1048576
"""


@pytest.fixture
def span():
    return Span(Reading(BEFORE, 1100.0), Reading(AFTER, 1102.0))


def test_rates_are_summed_over_workers_and_one_that_was_replaced_counts_from_zero(span):
    assert span.count("nova_sends_total", outcome="stored") == 20 + 4
    assert span.rate("nova_sends_total") == 12.0
    assert span.rate("nova_of_nothing_total") == 0.0


def test_quantiles_are_those_of_the_span(span):
    assert span.quantile("nova_commit_seconds", 0.5) == pytest.approx(0.015)
    assert span.quantile("nova_commit_seconds", 0.99) == pytest.approx(0.0199)
    assert span.quantile("nova_batch_messages", 0.5) is None
    whole = Span(None, span.now)
    assert whole.length_s == 102.0
    assert whole.quantile("nova_commit_seconds", 0.5) == pytest.approx(0.01)


def test_a_quantile_beyond_the_last_bound_is_that_bound():
    beyond = Reading('h_bucket{le="1.0"} 0\nh_bucket{le="+Inf"} 5\n', 10.0)
    assert Span(None, beyond).quantile("h", 0.99) == 1.0


def test_the_screen_tells_of_it(span):
    text = "\n".join(screen(span, "http://127.0.0.1:8000", is_first=False, paint=False))
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0] == "Nova 1.2.3 on http://127.0.0.1:8000, up 1 min 42 s, worker 1, 2"
    rows = [line.split() for line in lines]
    assert ["nova", "0.0%", "2", "MiB"] in rows
    assert ["actions", "1,503"] in rows
    assert ["sends", "stored", "12.0", "124"] in rows
    assert ["commit", "15.0", "ms", "19.9", "ms"] in rows
    assert "failures of plugins: nova_weather 2" in lines
    assert "\x1b[31m" in "\n".join(screen(span, "http://127.0.0.1:8000", is_first=False, paint=True))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://chat.example.org/some/path?x", "https://chat.example.org"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_urls_may_lack_a_scheme_and_have_a_path(given, url):
    assert checked_url(given) == url


@pytest.mark.parametrize("given", ["", "ftp://example.org", "http://", "http://me:secret@example.org", "http://a:b"])
def test_what_is_no_url_of_a_server_is_refused(given):
    with pytest.raises(TopError, match="is not the URL"):
        checked_url(given)
