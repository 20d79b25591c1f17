"""What a browser is shown when the link in a registration's mail is opened."""

from __future__ import annotations

SENTENCES = {
    200: ("Welcome to Nova", "Your account is ready. You can sign in now."),
    400: ("This link does not work", "It is unknown or has expired. Please register again."),
    409: ("There is an account already", "This address belongs to an account. You can sign in."),
}
"""Heading and sentence by status. Nothing that came in is shown."""
OTHER_SENTENCES = ("That did not work", "Please open the link again later.")


def sentences(status: int) -> tuple[str, str]:
    """Heading and sentence of the page for an answer of that status."""
    return SENTENCES.get(status, OTHER_SENTENCES)
