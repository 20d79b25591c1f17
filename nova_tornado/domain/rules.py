"""Rules on single values: what a user name, a password, a text … may be.

Each ``check_`` function takes whatever a client sent, returns it typed, or raises ``BadField``. The same rules hold
in every protocol. Source: actions document, register and PATCH /user; contract "actions" section 2; contract
"protocols" sections 0.2, 0.3, 0.6, 0.7, 1.5, 2.2, 2.3.
"""

from __future__ import annotations

import re

from nova_tornado.domain.errors import BadField

USER_NAME_MAX_CHARACTERS = 32
PASSWORD_MIN_CHARACTERS = 6
PASSWORD_MAX_CHARACTERS = 256
EMAIL_MAX_CHARACTERS = 100
FIRST_NAME_MAX_CHARACTERS = 50
LAST_NAME_MAX_CHARACTERS = 50
AVATAR_URL_MAX_CHARACTERS = 490
PHOTO_MAX_CHARACTERS = 100_000
"""Of a photo that is handed over as a ``data:`` URL."""
FRIEND_GROUP_NAME_MAX_CHARACTERS = 50
FRIEND_NICKNAME_MAX_CHARACTERS = 100
INVITATION_COMMENT_MAX_CHARACTERS = 500
CHAT_TITLE_MAX_CHARACTERS = 60
TEXT_MAX_CHARACTERS = 20_000
CLIENT_MESSAGE_ID_MAX_CHARACTERS = 64
CONTENT_TYPE_MAX_CHARACTERS = 64
FILE_NAME_MAX_CHARACTERS = 255
MADE_NAME_MAX_CHARACTERS = 24
"""Of a user name that is made from an address; the rest of the 32 is for ``-2``, ``-3`` …"""
MADE_NAME_DEFAULT = "user"
ID_MAX = 2**53
"""Ids above this are not exact in JavaScript; none is ever given out, so they name nothing."""
IDS_MAX_COUNT = 10_000
"""Ids in one list: a frame has room for millions, and looking through them would hold everybody else up."""
NO_ID = 0
"""An id that never names anything."""

_USER_NAME = re.compile(r"[a-zA-Z0-9\-_()@.]+")
_NOT_IN_USER_NAME = re.compile(r"[^a-zA-Z0-9\-_()@.]")
_EMAIL = re.compile(r"[a-zA-Z0-9_.+\-]+@[a-zA-Z0-9\-]+(?:\.[a-zA-Z0-9\-]+)+")
_ADDRESS = re.compile(r"[^@\s,]+@[^@\s,.]+(?:\.[^@\s,.]+)+")
_PHONE = re.compile(r"1[0-9]{10}")
_AVATAR_URL = re.compile(r"https?://[^\x00-\x20\x7f\"<>\\]+")
# Python's own strict reading of base64 takes "QUJD=" for whole.
_PHOTO_DATA = re.compile(
    r"data:image/(?:png|jpeg|gif|webp);base64,(?=.)"
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
)
_NOT_IN_FILE_NAME = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")


def is_integer(value: object) -> bool:
    """Whether a JSON value is an integer (a boolean is not; an integer beyond 64 bits may arrive as a whole float)."""
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


def check_ids(value: object, key: str) -> list[int]:
    """A list of ids from a client, as ``check_id`` gives them; those given twice count once.

    Raises:
        BadField: missing, no list of integers, or more than ``IDS_MAX_COUNT``.
    """
    if value is None:
        raise BadField(f"Field {key} is missing")
    if not isinstance(value, list):
        raise BadField(f"Data type error for key {key}")
    if len(value) > IDS_MAX_COUNT:
        raise BadField(f"Field {key} cannot name more than {IDS_MAX_COUNT}")
    return list(dict.fromkeys(check_id(each, key) for each in value))


def check_string(value: object, key: str) -> str:
    """A string that can be stored: present, a string, without U+0000 and lone surrogates.

    Raises:
        BadField: missing, null, another type, or with such a character.
    """
    if value is None:
        raise BadField(f"Field {key} is missing")
    if not isinstance(value, str):
        raise BadField(f"Data type error for key {key}")
    if "\0" in value:
        raise BadField(f"Field {key} must not contain the character U+0000")
    if not is_unicode(value):
        raise BadField(f"Field {key} must not contain lone surrogates")
    return value


def is_unicode(text: str) -> bool:
    """Whether a string can be sent out: one from JSON may hold lone surrogates, which no encoding has."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_length(value: str, maximum: int, what: str) -> str:
    if len(value) > maximum:
        raise BadField(f"{what} cannot be longer than {maximum} characters")
    return value


def check_user_name(value: object, key: str = "user_name") -> str:
    """1–32 characters out of ``a-z A-Z 0-9 - _ ( ) @ .``; so no system user's name can be taken."""
    name = check_string(value, key)
    if not name:
        raise BadField("Username cannot be empty")
    _check_length(name, USER_NAME_MAX_CHARACTERS, "Username")
    if not _USER_NAME.fullmatch(name):
        raise BadField("Username is invalid. Only a-z A-Z 0-9 - _ ( ) @ . are allowed.")
    return name


def check_sign_in_name(value: object, key: str = "user_name") -> str:
    """What somebody signs in with: a user name, or an e-mail address."""
    name = check_string(value, key)
    return name if _is_address(name) else check_user_name(name, key)


def user_name_of(email: str, number: int) -> str:
    """A user name for an account that was made with an address alone.

    Args:
        number: 1 for the first choice, 2, 3 … for those after it.

    Source: contract "protocols" section 0.3.
    """
    reduced = _NOT_IN_USER_NAME.sub("", email.partition("@")[0])[:MADE_NAME_MAX_CHARACTERS] or MADE_NAME_DEFAULT
    return numbered_name(reduced, number)


def numbered_name(name: str, number: int) -> str:
    """A user name, or for 2, 3 … what is tried where it is taken."""
    if number == 1:
        return name
    return f"{name[: USER_NAME_MAX_CHARACTERS - len(str(number)) - 1]}-{number}"


def check_password(value: object, key: str = "password") -> str:
    """6–256 characters, no space character (U+0020)."""
    password = check_string(value, key)
    if len(password) < PASSWORD_MIN_CHARACTERS:
        raise BadField(f"Invalid password. Password should be at least {PASSWORD_MIN_CHARACTERS} characters long")
    if " " in password:
        raise BadField("Invalid password. Password cannot contain spaces")
    return _check_length(password, PASSWORD_MAX_CHARACTERS, "Invalid password. Password")


def check_first_name(value: object, key: str = "first_name") -> str:
    """1–50 characters."""
    name = check_string(value, key)
    if not name:
        raise BadField("First name cannot be empty")
    return _check_length(name, FIRST_NAME_MAX_CHARACTERS, "First name")


def check_last_name(value: object, key: str = "last_name") -> str:
    """0–50 characters."""
    return _check_length(check_string(value, key), LAST_NAME_MAX_CHARACTERS, "Last name")


def _is_address(text: str) -> bool:
    # What cannot be printed is control characters, blanks and line breaks of every kind, and what shows as nothing.
    return len(text) <= EMAIL_MAX_CHARACTERS and text.isprintable() and _ADDRESS.fullmatch(text) is not None


def check_address(value: object, key: str = "email") -> str:
    """An e-mail address ``local@host.tld`` of at most 100 characters.

    No blanks, commas or control characters; one ``@``, and at least one dot right of it. This is what an account may
    have by every protocol; the native one takes less (``check_email``).
    """
    address = check_string(value, key)
    _check_length(address, EMAIL_MAX_CHARACTERS, "Email")
    if not _is_address(address):
        raise BadField("Invalid email")
    return address


def check_email(value: object, key: str = "email") -> str:
    """The native rule on addresses: letters, digits and a few signs, at most 100 characters, or the empty string."""
    email = check_string(value, key)
    if email:
        _check_length(email, EMAIL_MAX_CHARACTERS, "Email")
        if not _EMAIL.fullmatch(email):
            raise BadField("Invalid email")
    return email


def email_key(email: str) -> str:
    """The form in which addresses are compared: without regard to case."""
    return email.casefold()


def check_phone(value: object, key: str = "phone") -> str:
    """Exactly 11 ASCII digits that start with 1, or the empty string."""
    phone = check_string(value, key)
    if phone and not _PHONE.fullmatch(phone):
        raise BadField("Invalid phone number")
    return phone


def check_avatar_url(value: object, key: str = "avatar_url") -> str:
    """An http(s) URL of at most 490 characters, or the empty string (a new random avatar)."""
    url = check_string(value, key)
    if url:
        _check_length(url, AVATAR_URL_MAX_CHARACTERS, "Avatar URL")
        if not _AVATAR_URL.fullmatch(url):
            raise BadField("Invalid avatar URL: it must start with http:// or https://")
    return url


def check_photo(value: object, key: str = "photo") -> str:
    """A profile photo: an http(s) URL, a ``data:`` URL of a picture, or the empty string (the generated avatar).

    The first has at most 490 characters, the second (PNG, JPEG, GIF or WebP in strict base64) at most 100,000.
    """
    photo = check_string(value, key)
    if not photo.startswith("data:"):
        return check_avatar_url(photo, key)
    _check_length(photo, PHOTO_MAX_CHARACTERS, "Photo")
    if not _PHOTO_DATA.fullmatch(photo):
        raise BadField("Invalid photo: it must be a PNG, JPEG, GIF or WebP in base64")
    return photo


def check_friend_group_name(value: object, key: str = "group_name") -> str:
    """1–50 characters; blanks alone pass."""
    name = check_string(value, key)
    if not name:
        raise BadField("Group name cannot be empty")
    return _check_length(name, FRIEND_GROUP_NAME_MAX_CHARACTERS, "Group name")


def check_nickname(value: object, key: str = "nickname") -> str:
    """0–100 characters."""
    return _check_length(check_string(value, key), FRIEND_NICKNAME_MAX_CHARACTERS, "Nickname")


def check_comment(value: object, key: str = "comment") -> str:
    """0–500 characters."""
    return _check_length(check_string(value, key), INVITATION_COMMENT_MAX_CHARACTERS, "Comment")


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


def check_client_message_id(value: object, key: str = "client_message_id") -> str | None:
    """The client's own id of a send, 1–64 characters; None where the client gave none."""
    if value is None:
        return None
    client_id = check_string(value, key)
    if not client_id:
        raise BadField(f"{key} cannot be empty")
    return _check_length(client_id, CLIENT_MESSAGE_ID_MAX_CHARACTERS, key)


def check_content_type(value: object, key: str = "content_type") -> str:
    """What a sender calls his message's content: 1–64 characters."""
    content_type = check_string(value, key)
    if not content_type:
        raise BadField(f"Field {key} cannot be empty")
    return _check_length(content_type, CONTENT_TYPE_MAX_CHARACTERS, f"Field {key}")


def check_file_name(value: object, key: str = "name") -> str:
    """1–255 characters without slashes, backslashes and control characters."""
    name = check_string(value, key)
    if not name:
        raise BadField("File name cannot be empty")
    if _NOT_IN_FILE_NAME.search(name):
        raise BadField("File name cannot contain slashes, backslashes and control characters")
    return _check_length(name, FILE_NAME_MAX_CHARACTERS, "File name")
