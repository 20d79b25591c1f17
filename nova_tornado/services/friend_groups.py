"""A user's own folders of friends."""

from __future__ import annotations

from nova_tornado.domain.errors import BadField, FriendGroupUnknown, NoRight
from nova_tornado.domain.models import FriendGroup, User
from nova_tornado.domain.rules import check_friend_group_name, check_string
from nova_tornado.services.bot_scopes import Ability, check_scope
from nova_tornado.storage.database import MongoSession
from nova_tornado.storage.store import Store


class FriendGroupService:
    """Makes, changes and deletes friend groups. Every user has a default one, named "", that stays as it is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._groups = store.friend_groups

    async def create(self, user: User, name: object) -> FriendGroup:
        """Make a group; names may repeat.

        Raises:
            BadField: a bad name.
        """
        check_scope(user, Ability.KEEP_FRIENDS)
        checked_name = check_friend_group_name(name)
        group = FriendGroup(await self._store.counters.next_id("friend_group"), user.id, checked_name, False)
        await self._groups.insert(group)
        return group

    async def get(self, user: User, group_id: int) -> FriendGroup:
        """One of the user's own groups.

        Raises:
            FriendGroupUnknown: there is none with that id.
            NoRight: it is someone else's.
        """
        group = await self._groups.find(group_id) if group_id else None
        if group is None:
            raise FriendGroupUnknown
        if group.owner_id != user.id:
            raise NoRight("The group belongs to another user")
        return group

    async def list_of(self, user: User) -> list[FriendGroup]:
        """The user's groups, the default one first."""
        return await self._groups.list_of(user.id)

    async def rename(self, user: User, group_id: int, name: object) -> FriendGroup:
        """Give a group another name.

        Raises:
            BadField: a bad name, or the default group.
            FriendGroupUnknown, NoRight: as for ``get``.

        Source: contract "actions" section 3 (order of checks).
        """
        check_scope(user, Ability.KEEP_FRIENDS)
        check_string(name, "group_name")
        group = await self.get(user, group_id)
        if group.is_default:
            raise BadField("The default group cannot be renamed")
        renamed = FriendGroup(group.id, group.owner_id, check_friend_group_name(name), False)
        await self._groups.rename(group.id, renamed.name)
        return renamed

    async def delete(self, user: User, group_id: int) -> None:
        """Delete a group; its friends move to the default one.

        Raises:
            BadField: the default group.
            FriendGroupUnknown, NoRight: as for ``get``.
        """
        check_scope(user, Ability.KEEP_FRIENDS)
        group = await self.get(user, group_id)
        if group.is_default:
            raise BadField("The default group cannot be deleted")
        default = await self.get_default(user.id)

        async def write(session: MongoSession) -> None:
            await self._store.friendships.move_all(group.id, default.id, session)
            await self._groups.delete(group.id, session)

        await self._store.database.transaction(write)

    async def get_default(self, user_id: int) -> FriendGroup:
        """The group that new friends come into.

        Raises:
            FriendGroupUnknown: the account is gone.
        """
        group = await self._groups.find_default(user_id)
        if group is None:
            raise FriendGroupUnknown
        return group
