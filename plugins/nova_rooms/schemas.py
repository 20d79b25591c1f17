"""What comes in: the bodies of the rooms protocol's requests, and the frames of its socket.

Fields are checked in the order of their definition, and the first that is wrong is answered. Null counts as missing.
Source: rooms document; contract "protocols" sections 3.1 to 3.8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nova_tornado.api import Checked, Request, errors, optional, rules

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_BOOLEANS_IN_QUERY = {"true": True, "1": True, "false": False, "0": False}


def check_boolean(value: Any, key: str) -> bool:
    """``true`` or ``false``.

    Raises:
        BadField: missing, null or anything else.
    """
    if value is None:
        raise errors.BadField(f"Field {key} is missing")
    if not isinstance(value, bool):
        raise errors.BadField(f"Data type error for key {key}")
    return value


def check_optional_boolean(value: Any, key: str) -> bool:
    """``true`` or ``false``, which it also is if missing."""
    return False if value is None else check_boolean(value, key)


def check_optional_time(value: Any, key: str) -> int | None:
    """A time in ISO 8601, in microseconds since 1970; None if missing.

    With ``Z``, an offset, or none, which means UTC; the fraction may be left out. Digits behind the microseconds are
    cut off.

    Raises:
        BadField: it is none.
    """
    if value is None:
        return None
    text = rules.check_string(value, key)
    if not _TIME.fullmatch(text):
        raise errors.BadField(f"Field {key} must be a time like 2025-11-20T11:08:00.123456Z")
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise errors.BadField(f"Field {key} is a time that does not exist") from None
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND


class Registration(Request):
    """POST /http/register."""

    email = Checked(rules.check_address)
    password = Checked(rules.check_password)
    first_name = Checked(rules.check_first_name)
    last_name = Checked(rules.check_last_name)


class Credentials(Request):
    """POST /http/login; ``email`` takes a user name as well. Whether they can be anybody's is not looked at here."""

    email = Checked(rules.check_string)
    password = Checked(rules.check_string)


class ProfileChange(Request):
    """PUT /http/users/profile."""

    first_name = Checked(optional(rules.check_first_name))
    last_name = Checked(optional(rules.check_last_name))
    password = Checked(optional(rules.check_password))

    def read(self, body: Any) -> dict[str, Any]:
        """The checked fields.

        Raises:
            Malformed: the body is no object.
            BadField: a field is wrong, or there is none.
        """
        changes = super().read(body)
        if all(value is None for value in changes.values()):
            raise errors.BadField("One of first_name, last_name and password is needed")
        return changes


class RoomId(Request):
    """PUT /http/notifications."""

    chat_room_id = Checked(rules.check_id)


class GroupName(Request):
    """POST /http/chat_groups, PUT /http/chat_groups/<id>."""

    name = Checked(rules.check_chat_title)


class GroupRename(Request):
    """PUT /http/chat_groups."""

    group_id = Checked(rules.check_id)
    name = Checked(rules.check_chat_title)


class Entering(Request):
    """POST /http/chat_groups/<id>."""

    is_enter = Checked(check_boolean)


class HistoryPart(Request):
    """Which part of a history is wanted: GET /http/chat_rooms/<id>, /http/chat_groups/<id>, /http/chat_bot."""

    timestamp = Checked(check_optional_time)
    before = Checked(check_optional_boolean)

    @staticmethod
    def from_query(arguments: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
        """The fields as a URL's query has them, such as a JSON body would have them."""
        fields: dict[str, Any] = {}
        if "timestamp" in arguments:
            # A plus sign that was not encoded stands for a blank there, and no time has a blank.
            fields["timestamp"] = arguments["timestamp"][-1].decode(errors="replace").replace(" ", "+")
        if "before" in arguments:
            text = arguments["before"][-1].decode(errors="replace")
            fields["before"] = _BOOLEANS_IN_QUERY.get(text.lower(), text)
        return fields


class RoomMessage(Request):
    """A frame with the chat_type ``room``."""

    other_user_id = Checked(rules.check_id)
    message = Checked(rules.check_text)
    client_message_id = Checked(rules.check_client_message_id)


class GroupMessage(Request):
    """A frame with the chat_type ``group``."""

    chat_group_id = Checked(rules.check_id)
    message = Checked(rules.check_text)
    client_message_id = Checked(rules.check_client_message_id)


class BotMessage(Request):
    """A frame with the chat_type ``bot``."""

    message = Checked(rules.check_text)
    client_message_id = Checked(rules.check_client_message_id)
