"""Who may be named as a member of a chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nova_tornado.domain.errors import BadField, UserUnknown
from nova_tornado.domain.rules import ID_MAX
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.storage.store import Store

USERS_PER_QUERY = 1_000
"""How many user ids are looked up at once: a request can name a million that do not exist."""


async def check_accounts(directory: UserDirectory, user_ids: Sequence[int]) -> None:
    """Make sure that all of the users have accounts.

    Raises:
        UserUnknown: one has none, or is a system user.

    Source: contract "protocols" sections 0.3 and 0.5.
    """
    for first in range(0, len(user_ids), USERS_PER_QUERY):
        ids = user_ids[first : first + USERS_PER_QUERY]
        if not all(0 < user_id <= ID_MAX for user_id in ids):
            raise UserUnknown
        found = await directory.load(ids)
        # #DELETED stands in for those that there are not.
        if any(found[user_id].id != user_id or found[user_id].is_system for user_id in ids):
            raise UserUnknown


def check_list(value: object, key: str) -> list[Any]:
    """A list of whatever.

    Raises:
        BadField: missing, null or no list.
    """
    if value is None:
        raise BadField(f"Field {key} is missing")
    if not isinstance(value, list):
        raise BadField(f"Data type error for key {key}")
    return value


async def check_friends(store: Store, user_id: int, values: list[Any], key: str) -> list[int]:
    """The ids of some of a user's friends, each once, in order; his own is left out.

    Raises:
        BadField: something else than a friend's id.
    """
    ids: dict[int, None] = {}
    for value in values:
        if type(value) is not int:
            raise BadField(f"Data type error for key {key}")
        if value != user_id:
            ids[value] = None
    in_range = [friend_id for friend_id in ids if 0 < friend_id < ID_MAX]
    if len(await store.friendships.list_among(user_id, in_range)) < len(ids):
        raise BadField("Every member must be a friend of yours")
    return list(ids)
