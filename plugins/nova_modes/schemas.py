"""What comes in: the fields of the modes. Source: modes document; contract "protocols" sections 2.1 to 2.4."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from nova_tornado.api import Checked, Request, errors, optional, path_id, rules


class ContactMode(StrEnum):
    """How a request names users."""

    ID = "id"
    USERNAME = "username"


Contact = int | str
"""A user as a request names him: an id or a user name."""


def check_mode(value: object) -> str:
    """The name of a mode, known or not; it is one that can be handed back.

    Raises:
        BadField: missing, no string, or with a lone surrogate.
    """
    if not isinstance(value, str) or not rules.is_unicode(value):
        raise errors.BadField("Field mode must be a string")
    return value


def check_whole_number(value: object, key: str) -> int:
    """Any integer at all."""
    if type(value) is not int:
        raise errors.BadField(f"Data type error for key {key}")
    return value


def check_contact_mode(value: object, key: str) -> ContactMode:
    """``"id"`` or ``"username"``."""
    try:
        return ContactMode(rules.check_string(value, key))
    except ValueError:
        raise errors.BadField(f'Field {key} must be "id" or "username"') from None


def check_list(value: object, key: str) -> list[Any]:
    """A list of whatever."""
    if value is None:
        raise errors.BadField(f"Field {key} is missing")
    if not isinstance(value, list):
        raise errors.BadField(f"Data type error for key {key}")
    return value


class Nothing(Request):
    """Modes that need no fields, but maybe a token."""


class Credentials(Request):
    """``auth``; that the two can be somebody's at all is checked where they are compared."""

    username = Checked(rules.check_string)
    password = Checked(rules.check_string)


class Registration(Request):
    """``register``."""

    username = Checked(rules.check_user_name)
    password = Checked(rules.check_password)
    email = Checked(rules.check_address)


class NewUserName(Request):
    """``changeUsername``."""

    username = Checked(rules.check_user_name)


class NewEmail(Request):
    """``changeEmail``; whatever the password is, it is the right one or not."""

    email = Checked(rules.check_address)
    password = Checked(rules.check_string)


class NewPhoto(Request):
    """``setProfilePhoto``."""

    photo = Checked(rules.check_photo)


class PrivateChat(Request):
    """``createChat``; ``contact_value`` becomes a ``Contact``."""

    contact_mode = Checked(check_contact_mode)
    contact_value = Checked(lambda value, _key: value)

    def read(self, body: Any) -> dict[str, Any]:
        """The checked fields."""
        fields = super().read(body)
        value, key = fields["contact_value"], "contact_value"
        if fields["contact_mode"] is ContactMode.USERNAME:
            rules.check_string(value, key)
        elif isinstance(value, str) and value.isascii() and value.isdigit():
            fields[key] = path_id(value)
        else:
            fields[key] = rules.check_id(value, key)
        return fields


class NewGroup(Request):
    """``createGroupChat``; ``chat_members`` become ``Contact``s."""

    chat_name = Checked(rules.check_chat_title)
    contact_mode = Checked(optional(check_contact_mode))
    chat_members = Checked(check_list)

    def read(self, body: Any) -> dict[str, Any]:
        """The checked fields."""
        fields = super().read(body)
        check = rules.check_string if fields["contact_mode"] is ContactMode.USERNAME else rules.check_id
        fields["chat_members"] = [check(member, "chat_members") for member in fields["chat_members"]]
        return fields


class GroupEdit(Request):
    """``editGroupChat``."""

    chat_id = Checked(rules.check_id)
    chat_name = Checked(optional(rules.check_chat_title))
    add_members = Checked(optional(rules.check_ids))
    remove_members = Checked(optional(rules.check_ids))

    def read(self, body: Any) -> dict[str, Any]:
        """The checked fields."""
        fields = super().read(body)
        if all(fields[key] is None for key in ("chat_name", "add_members", "remove_members")):
            raise errors.BadField("One of chat_name, add_members and remove_members is needed")
        return fields


class ChatId(Request):
    """``deleteChat``, ``deleteGroupChat``."""

    chat_id = Checked(rules.check_id)


class History(Request):
    """``getMessages``."""

    chat_id = Checked(rules.check_id)
    min_message_id = Checked(optional(check_whole_number))


class NewMessage(Request):
    """``sendMessage``, ``sendGroupMessage``."""

    chat_id = Checked(rules.check_id)
    content = Checked(rules.check_text)
    content_type = Checked(rules.check_content_type)
    client_message_id = Checked(rules.check_client_message_id)
