"""Deleting an account: its owner leaves everybody and everything, and what fails is tried again."""

from __future__ import annotations

import asyncio
import logging

from nova_tornado.domain.errors import NotSignedIn
from nova_tornado.domain.events import AccountDeleted, FriendshipDeleted, SessionsEnded
from nova_tornado.domain.models import Role, User
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.services.chats import ChatService
from nova_tornado.services.friends import FriendService
from nova_tornado.storage.database import MongoSession
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

DELETION_RETRY_S = 5.0


class AccountDeletion:
    """Deletes accounts, with all that hangs on them.

    Args:
        store, directory, bus: the parts it works with.
        chats: to leave them.
        friends: to withdraw what he has asked.
    """

    def __init__(
        self, store: Store, directory: UserDirectory, bus: Bus, chats: ChatService, friends: FriendService
    ) -> None:
        self._store = store
        self._users = store.users
        self._sessions = store.sessions
        self._directory = directory
        self._bus = bus
        self._chats = chats
        self._friends = friends
        self._deletions: set[asyncio.Task[None]] = set()

    async def delete(self, user: User) -> None:
        """Delete an account; what a failure leaves undone is tried again in the background.

        Raises:
            NotSignedIn: another request is deleting it already.
        """
        if not await self._users.mark_leaving(user.id):
            raise NotSignedIn
        try:
            await self._sessions.delete_all(user.id)
            await self._delete(user)
        except Exception:
            self._try_again(user)
            raise

    async def finish(self) -> None:
        """Finish deletions that a crash has interrupted; one that fails is tried again in the background.

        Another process may be at the same one: it is either alive and deletes, or was the one that crashed.
        """
        for user in await self._users.list_leaving():
            log.info("finishing the deletion of user %d", user.id)
            try:
                await self._delete(user)
            except Exception as error:
                log.warning("the deletion of user %d failed: %s", user.id, type(error).__name__)
                self._try_again(user)

    def _try_again(self, user: User) -> None:
        task = asyncio.create_task(self._delete_later(user), name=f"deletion of user {user.id}")
        self._deletions.add(task)
        task.add_done_callback(self._deletions.discard)

    async def close(self) -> None:
        """Leave deletions that still fail to the next start."""
        for task in self._deletions:
            task.cancel()
        await asyncio.gather(*self._deletions, return_exceptions=True)

    async def _delete_later(self, user: User) -> None:
        while True:
            await asyncio.sleep(DELETION_RETRY_S)
            try:
                await self._sessions.delete_all(user.id)
                await self._delete(user)
                return
            except Exception as error:
                log.warning("the deletion of user %d failed again: %s", user.id, type(error).__name__)

    async def _delete(self, user: User) -> None:
        await self._leave_everybody(user)
        await self._store.friend_groups.delete_all(user.id)
        await self._leave_everybody(user)  # somebody may have invited him, befriended him or taken him in meanwhile
        self._bus.publish(SessionsEnded(user.id, None))
        await self._sessions.delete_all(user.id)  # a sign-in may have been under way
        await self._leave_everybody(user)  # a request of his own may have been

        was_there = False

        async def write(session: MongoSession) -> None:
            nonlocal was_there
            was_there = await self._users.delete(user.id, session)
            await self._store.files.forget_avatars(user.id, session)

        await self._store.database.transaction(write)
        self._directory.forget(user.id)
        if was_there:
            self._bus.publish(AccountDeleted(user.id))

    async def _leave_everybody(self, user: User) -> None:
        await self._friends.withdraw_all(user.id)
        friendships = await self._store.friendships.list_of(user.id)
        friends = await self._directory.load(friendship.friend_id for friendship in friendships)
        # Another process may be finishing the same deletion: each end is told once.
        ended = [each for each in friendships if await self._store.friendships.delete_pair(user.id, each.friend_id)]
        for friendship in ended:
            self._bus.publish(FriendshipDeleted(user, friends[friendship.friend_id], account_deleted=True))
        chats = await self._chats.list_of(user.id)
        for chat in chats:
            if chat.is_private:
                await self._chats.delete(chat)
        for chat in chats:
            if not chat.is_private and user.id in chat.members and chat.members[user.id].role is Role.OWNER:
                await self._chats.delete(chat)
        for chat in chats:
            if not chat.is_private and user.id in chat.members and not chat.is_deleted:
                await self._chats.remove_silently(chat, user.id)
