"""What comes in: ``d`` of each operation.

Source: opcodes document; contract "protocols" section 4.3.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from nova_tornado.api import Checked, Request, errors, rules


class ChatType(IntEnum):
    """``type`` of operation 13/1."""

    PRIVATE = 1
    GROUP = 2


class FriendAnswer(IntEnum):
    """``type`` of operation 16/2."""

    ACCEPT = 1
    DENY = 2


def check_chat_type(value: Any, key: str) -> ChatType:
    """1 or 2."""
    if type(value) is not int or value not in tuple(ChatType):
        raise errors.BadField(f"Field {key} must be 1 (private) or 2 (group)")
    return ChatType(value)


def check_friend_answer(value: Any, key: str) -> FriendAnswer:
    """1 or 2."""
    if type(value) is not int or value not in tuple(FriendAnswer):
        raise errors.BadField(f"Field {key} must be 1 (accept) or 2 (deny)")
    return FriendAnswer(value)


def check_user_ids(value: Any, key: str) -> list[int]:
    """A list of ids, each once; those that name nothing become ``rules.NO_ID``."""
    if value is None:
        raise errors.BadField(f"Field {key} is missing")
    # A frame has room for millions of them: their types are looked at all at once.
    if not isinstance(value, list) or set(map(type, value)) - {int}:
        raise errors.BadField(f"Field {key} must be a list of integers")
    return [rules.known_id(user_id) for user_id in dict.fromkeys(value)]


def check_more_user_ids(value: Any, key: str) -> list[int]:
    """The same, and nobody where there is no list."""
    return [] if value is None else check_user_ids(value, key)


def check_new_title(value: Any, key: str) -> str | None:
    """1–60 characters; None leaves the title as it is."""
    return None if value is None else rules.check_chat_title(value, key)


def check_client_message_id(value: Any, _key: str) -> str | None:
    """The client's own id of a send, if it gives one."""
    return rules.check_client_message_id(value)


class NewMessage(Request):
    """11/1 and 11/2."""

    chat_id = Checked(rules.check_id)
    message = Checked(rules.check_text)
    client_message_id = Checked(check_client_message_id)


class EditedMessage(Request):
    """11/6."""

    chat_id = Checked(rules.check_id)
    message_id = Checked(rules.check_id)
    message = Checked(rules.check_text)


class DeletedMessage(Request):
    """11/7."""

    chat_id = Checked(rules.check_id)
    message_id = Checked(rules.check_id)


class NewChat(Request):
    """13/1."""

    user_ids = Checked(check_user_ids)
    type = Checked(check_chat_type)


class ChangedChat(Request):
    """13/2."""

    chat_id = Checked(rules.check_id)
    chat = Checked(check_new_title)
    add_users = Checked(check_more_user_ids)
    remove_users = Checked(check_more_user_ids)


class NewFriend(Request):
    """16/1."""

    user_id = Checked(rules.check_id)


class AnsweredFriend(Request):
    """16/2."""

    user_id = Checked(rules.check_id)
    type = Checked(check_friend_answer)
