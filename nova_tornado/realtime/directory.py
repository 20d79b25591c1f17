"""The users that this process has met lately, so that showing a message's sender needs no look-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nova_tornado.domain.models import DELETED_USER_NAME, SYSTEM_USER_NAME, User
from nova_tornado.storage.users import Users

CACHED_USERS = 50_000


class UserDirectory:
    """A bounded cache of users; ids without an account stand for the system user ``#DELETED``.

    Attributes:
        system: the user ``#SYSTEM``, who tells what happened in a chat.
        deleted: the user ``#DELETED``, who stands for authors without an account.
        changes: how often somebody was taken in or forgotten.
    """

    system: User
    deleted: User
    changes = 0

    def __init__(self, users: Users) -> None:
        self._storage = users
        self._users: dict[int, User] = {}
        self._forgotten_count = 0

    async def open(self, system: User, deleted: User) -> None:
        """Take in the two system users."""
        assert (system.name, deleted.name) == (SYSTEM_USER_NAME, DELETED_USER_NAME)
        self.system, self.deleted = system, deleted

    def peek(self, user_id: int) -> User | None:
        """The user, if he is at hand."""
        if user_id == self.system.id:
            return self.system
        return self._users.get(user_id)

    async def load(self, user_ids: Iterable[int]) -> Mapping[int, User]:
        """The users with those ids; ``#DELETED`` stands in for unknown ones. One query at most."""
        found = {}
        missing = []
        for user_id in set(user_ids):
            user = self.peek(user_id)
            if user is None:
                missing.append(user_id)
            else:
                found[user_id] = user
        if missing:
            forgotten_count = self._forgotten_count
            for user in await self._storage.find_many(missing):
                if self._forgotten_count == forgotten_count:  # else he may be another one by now
                    self.put(user)
                found[user.id] = user
            for user_id in missing:
                found.setdefault(user_id, self.deleted)
        return found

    async def get(self, user_id: int) -> User:
        """One user; ``#DELETED`` if there is none."""
        return (await self.load((user_id,)))[user_id]

    def put(self, user: User) -> None:
        """Take in the user as he is now."""
        self.changes += 1
        self._users.pop(user.id, None)
        self._users[user.id] = user
        if len(self._users) > CACHED_USERS:
            del self._users[next(iter(self._users))]

    def forget(self, user_id: int) -> None:
        """The account is gone, or was changed by another process."""
        self.changes += 1
        self._users.pop(user_id, None)
        self._forgotten_count += 1

    def forget_all(self) -> None:
        """Other processes may have changed any."""
        self.changes += 1
        self._users.clear()
        self._forgotten_count += 1
