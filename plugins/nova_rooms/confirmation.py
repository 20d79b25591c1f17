"""The page that a browser is shown when the link in a registration's mail is opened."""

from __future__ import annotations

import re

HEADERS = {
    "Content-Type": "text/html; charset=UTF-8",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the page's own address holds the link's token
}

SENTENCES = {
    200: ("Welcome to Nova", "Your account is ready. You can sign in now."),
    400: ("This link does not work", "It is unknown or has expired. Please register again."),
    409: ("There is an account already", "This address belongs to an account. You can sign in."),
}
"""Heading and sentence by status. Nothing that came in is shown."""
OTHER_SENTENCES = ("That did not work", "Please open the link again later.")

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{heading}</title>
</head>
<body>
<h1>{heading}</h1>
<p>{sentence}</p>
</body>
</html>
"""

_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")


def page(status: int) -> str:
    """The page for an answer of that status."""
    heading, sentence = SENTENCES.get(status, OTHER_SENTENCES)
    return PAGE.format(heading=heading, sentence=sentence)


def prefers_html(accept: str) -> bool:
    """Whether a request's Accept header ranks ``text/html`` above ``application/json`` (RFC 9110, section 12.5.1)."""
    qualities: dict[str, float] = {}
    for item in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in item.split(";"))
        matches = [match for each in parameters if (match := _QUALITY.fullmatch(each))]
        qualities[media_range] = float(matches[0][1]) if matches else 1.0
    anything = qualities.get("*/*", 0.0)
    html = qualities.get("text/html", qualities.get("text/*", anything))
    json = qualities.get("application/json", qualities.get("application/*", anything))
    return html > json
