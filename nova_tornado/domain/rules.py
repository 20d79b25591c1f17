"""Rules on single values: what a user name, a password, a text … may be.

Each ``check_`` function takes whatever a client sent, returns it typed, or raises ``BadField``. The same rules hold
in every protocol. Source: actions document, register and PATCH /user; contract "actions" section 2; contract
"protocols" section 0.3, 0.6, 0.7.
"""

from __future__ import annotations

import re
from typing import Any

from nova_tornado.domain.errors import BadField

USER_NAME_MAX_CHARACTERS = 32
PASSWORD_MIN_CHARACTERS = 6
PASSWORD_MAX_BYTES = 72
"""bcrypt looks at no more than 72 bytes; a longer password would be cut without a word."""
EMAIL_MAX_CHARACTERS = 100
AVATAR_URL_MAX_CHARACTERS = 490
FRIEND_GROUP_NAME_MAX_CHARACTERS = 50
FRIEND_NICKNAME_MAX_CHARACTERS = 100
INVITATION_COMMENT_MAX_CHARACTERS = 500
CHAT_TITLE_MAX_CHARACTERS = 60
TEXT_MAX_CHARACTERS = 20_000
CLIENT_MESSAGE_ID_MAX_CHARACTERS = 64
ID_MAX = 2**53
"""Ids above this are not exact in JavaScript; none is ever given out, so they name nothing."""
NO_ID = 0
"""An id that never names anything."""

_USER_NAME = re.compile(r"[a-zA-Z0-9\-_()@.]+")
_EMAIL = re.compile(r"[a-zA-Z0-9_.+\-]+@[a-zA-Z0-9\-]+(?:\.[a-zA-Z0-9\-]+)+")
_PHONE = re.compile(r"1[0-9]{10}")
_AVATAR_URL = re.compile(r"https?://[^\x00-\x20\x7f\"<>\\]+")


def is_integer(value: object) -> bool:
    """Whether a JSON value is an integer (a boolean is not; an integer beyond 64 bits arrives as a whole float)."""
    return type(value) is int or (type(value) is float and value.is_integer() and abs(value) >= 2**63)


def known_id(value: float) -> int:
    """An integer as an id: itself, or ``NO_ID`` where it can name nothing (0, negative, beyond 2^53)."""
    return int(value) if 0 < value <= ID_MAX else NO_ID


def check_id(value: object, key: str) -> int:
    """An id from a client.

    Args:
        value: what the client sent.
        key: the field's name, for the message.

    Returns:
        The id, or ``NO_ID`` for an integer that names nothing.

    Raises:
        BadField: missing, null or not an integer.
    """
    if value is None:
        raise BadField(f"Field {key} is missing")
    if not is_integer(value):
        raise BadField(f"Data type error for key {key}")
    return known_id(value)  # type: ignore[arg-type]


def check_string(value: object, key: str) -> str:
    """A string that can be stored: present, a string, without U+0000.

    Raises:
        BadField: missing, null, another type, or with U+0000. (Lone surrogates never get past the JSON reader.)
    """
    if value is None:
        raise BadField(f"Field {key} is missing")
    if not isinstance(value, str):
        raise BadField(f"Data type error for key {key}")
    if "\0" in value:
        raise BadField(f"Field {key} must not contain the character U+0000")
    return value


def _check_length(value: str, maximum: int, what: str) -> str:
    if len(value) > maximum:
        raise BadField(f"{what} cannot be longer than {maximum} characters")
    return value


def check_user_name(value: object) -> str:
    """1–32 characters out of ``a-z A-Z 0-9 - _ ( ) @ .``; so no system user's name can be taken."""
    name = check_string(value, "user_name")
    if not name:
        raise BadField("Username cannot be empty")
    _check_length(name, USER_NAME_MAX_CHARACTERS, "Username")
    if not _USER_NAME.fullmatch(name):
        raise BadField("Username is invalid. Only a-z A-Z 0-9 - _ ( ) @ . are allowed.")
    return name


def check_sign_in_name(value: object) -> str:
    """What somebody signs in with: a user name, or an e-mail address."""
    name = check_string(value, "user_name")
    if "@" in name and len(name) <= EMAIL_MAX_CHARACTERS and _EMAIL.fullmatch(name):
        return name
    return check_user_name(name)


def check_password(value: object, key: str = "password") -> str:
    """At least 6 characters, at most 72 bytes of UTF-8, no space character (U+0020)."""
    password = check_string(value, key)
    if len(password) < PASSWORD_MIN_CHARACTERS:
        raise BadField(f"Invalid password. Password should be at least {PASSWORD_MIN_CHARACTERS} characters long")
    if " " in password:
        raise BadField("Invalid password. Password cannot contain spaces")
    if len(password.encode()) > PASSWORD_MAX_BYTES:
        raise BadField(f"Invalid password. Password cannot be longer than {PASSWORD_MAX_BYTES} bytes in UTF-8")
    return password


def check_email(value: object) -> str:
    """An address of at most 100 characters, or the empty string."""
    email = check_string(value, "email")
    if email:
        _check_length(email, EMAIL_MAX_CHARACTERS, "Email")
        if not _EMAIL.fullmatch(email):
            raise BadField("Invalid email")
    return email


def email_key(email: str) -> str:
    """The form in which addresses are compared: without regard to case."""
    return email.casefold()


def check_phone(value: object) -> str:
    """Exactly 11 ASCII digits that start with 1, or the empty string."""
    phone = check_string(value, "phone")
    if phone and not _PHONE.fullmatch(phone):
        raise BadField("Invalid phone number")
    return phone


def check_avatar_url(value: object) -> str:
    """An http(s) URL of at most 490 characters, or the empty string (a new random avatar)."""
    url = check_string(value, "avatar_url")
    if url:
        _check_length(url, AVATAR_URL_MAX_CHARACTERS, "Avatar URL")
        if not _AVATAR_URL.fullmatch(url):
            raise BadField("Invalid avatar URL: it must start with http:// or https://")
    return url


def check_friend_group_name(value: object) -> str:
    """1–50 characters; blanks alone pass."""
    name = check_string(value, "group_name")
    if not name:
        raise BadField("Group name cannot be empty")
    return _check_length(name, FRIEND_GROUP_NAME_MAX_CHARACTERS, "Group name")


def check_nickname(value: object) -> str:
    """0–100 characters."""
    return _check_length(check_string(value, "nickname"), FRIEND_NICKNAME_MAX_CHARACTERS, "Nickname")


def check_comment(value: object) -> str:
    """0–500 characters."""
    return _check_length(check_string(value, "comment"), INVITATION_COMMENT_MAX_CHARACTERS, "Comment")


def check_chat_title(value: object, key: str = "chat_name") -> str:
    """1–60 characters."""
    title = check_string(value, key)
    if not title:
        raise BadField("Chat name cannot be empty")
    return _check_length(title, CHAT_TITLE_MAX_CHARACTERS, "Chat name")


def check_text(value: object, key: str = "content") -> str:
    """The text of a message: 1–20 000 characters, white space kept."""
    text = check_string(value, key)
    if not text:
        raise BadField("Message cannot be empty")
    return _check_length(text, TEXT_MAX_CHARACTERS, "Message")


def check_client_message_id(value: Any) -> str | None:
    """The client's own id of a send, 1–64 characters; None where the client gave none."""
    if value is None:
        return None
    client_id = check_string(value, "client_message_id")
    if not client_id:
        raise BadField("client_message_id cannot be empty")
    return _check_length(client_id, CLIENT_MESSAGE_ID_MAX_CHARACTERS, "client_message_id")
