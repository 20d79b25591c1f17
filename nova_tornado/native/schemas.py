"""What comes in: the bodies of the actions protocol's requests.

Fields are checked in the order of their definition, and the first that is wrong is answered. Null counts as missing.
"""

from __future__ import annotations

from typing import Any

from nova_tornado.domain.errors import BadField, Malformed
from nova_tornado.domain.rules import check_chat_title, check_id, check_string
from nova_tornado.web.schemas import Checked, Request


def anything(value: Any, _key: str) -> Any:
    """A field that the service checks in its place among other checks."""
    return value


class Credentials(Request):
    """POST /user/register, /user/login, /user/token."""

    user_name = Checked(anything)
    password = Checked(anything)


class UserName(Request):
    """A part of a user's name, or an id: POST /friend/find."""

    name_contains = Checked(check_string)


class UserId(Request):
    """POST /chat/<id>/invite."""

    user_id = Checked(check_id)


class GroupName(Request):
    """POST /friend/group/add, PATCH /friend/group/<id>."""

    group_name = Checked(check_string)


class NewChat(Request):
    """POST /chat/new."""

    chat_members = Checked(anything)
    chat_name = Checked(anything)


class ChatName(Request):
    """PATCH /chat/<id>."""

    chat_name = Checked(check_chat_title)


class NewOwner(Request):
    """POST /chat/<id>/set_owner."""

    chat_owner = Checked(check_id)


class AnyFields(Request):
    """A request whose fields the service checks in the order that the contract names."""

    def read(self, body: Any) -> dict[str, Any]:
        """All fields, unchecked.

        Raises:
            Malformed: the body is missing or no object.
        """
        if not isinstance(body, dict):
            raise Malformed("The body must be a JSON object")
        return body


def read_boolean(body: Any) -> bool:
    """A body that is just ``true`` or ``false``.

    Raises:
        BadField: anything else.
    """
    if not isinstance(body, bool):
        raise BadField("The body must be true or false")
    return body
