"""What comes in: ``d`` of each operation.

Source: opcodes document; contract "protocols" section 4.3.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from nova_tornado.api import Checked, Request, errors, optional, rules


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


class NewMessage(Request):
    """11/1 and 11/2."""

    chat_id = Checked(rules.check_id)
    message = Checked(rules.check_text)
    client_message_id = Checked(rules.check_client_message_id)


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

    user_ids = Checked(rules.check_ids)
    type = Checked(check_chat_type)


class ChangedChat(Request):
    """13/2."""

    chat_id = Checked(rules.check_id)
    chat = Checked(optional(rules.check_chat_title))
    add_users = Checked(optional(rules.check_ids))
    remove_users = Checked(optional(rules.check_ids))


class NewFriend(Request):
    """16/1."""

    user_id = Checked(rules.check_id)


class AnsweredFriend(Request):
    """16/2."""

    user_id = Checked(rules.check_id)
    type = Checked(check_friend_answer)
