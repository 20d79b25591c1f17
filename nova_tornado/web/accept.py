"""What a client says it would like to get (RFC 9110, section 12.5)."""

from __future__ import annotations

import re

_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")


def _qualities(header: str) -> dict[str, float]:
    qualities: dict[str, float] = {}
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        matches = [match for each in parameters if (match := _QUALITY.fullmatch(each))]
        qualities[name] = float(matches[0][1]) if matches else 1.0
    return qualities


def prefers_html(accept: str) -> bool:
    """Whether a request's Accept header ranks ``text/html`` above ``application/json`` (section 12.5.1)."""
    qualities = _qualities(accept)
    anything = qualities.get("*/*", 0.0)
    html = qualities.get("text/html", qualities.get("text/*", anything))
    json = qualities.get("application/json", qualities.get("application/*", anything))
    return html > json


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a request's Accept-Encoding header names gzip (section 12.5.3)."""
    qualities = _qualities(accept_encoding)
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0
