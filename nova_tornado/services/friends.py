"""Friendships and the invitations to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from nova_tornado.domain.errors import (
    AlreadyFriends,
    BadField,
    FriendGroupUnknown,
    FriendUnknown,
    InvitationUnknown,
    NoRight,
    NovaError,
    UserUnknown,
)
from nova_tornado.domain.events import (
    Event,
    FriendDeclined,
    FriendInvitationAdded,
    FriendInvitationRemoved,
    FriendRequested,
    FriendshipCreated,
    FriendshipDeleted,
)
from nova_tornado.domain.models import Chat, FriendGroup, FriendInvitation, Friendship, ReceivedInvitation, User
from nova_tornado.domain.rules import check_comment, check_id, check_nickname, is_integer, known_id
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.connection import Connection, Topic
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.lanes import Plan
from nova_tornado.realtime.log import ChatLog
from nova_tornado.services.bot_scopes import Ability, check_scope
from nova_tornado.services.chats import ChatService
from nova_tornado.services.friend_groups import FriendGroupService
from nova_tornado.storage.database import DuplicateKeyError, MongoSession
from nova_tornado.storage.store import Store

SOURCE_SEARCH = "search"
BEFRIEND_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Friend:
    """A friend as one user keeps him."""

    user: User
    nickname: str
    group: FriendGroup


class FriendService:
    """Invites, befriends, keeps and removes friends.

    Args:
        store, directory, bus, log: the parts it works with.
        chats: the private chats that come and go with friendships.
        groups: where new friends come into.
    """

    def __init__(
        self,
        store: Store,
        directory: UserDirectory,
        bus: Bus,
        log: ChatLog,
        chats: ChatService,
        groups: FriendGroupService,
    ) -> None:
        self._store = store
        self._friendships = store.friendships
        self._invitations = store.friend_invitations
        self._directory = directory
        self._bus = bus
        self._log = log
        self._chats = chats
        self._groups = groups
        self._turns: WeakValueDictionary[frozenset[int], asyncio.Lock] = WeakValueDictionary()
        self._told_count = 0

    # Invitations

    def _turn(self, one_id: int, other_id: int) -> asyncio.Lock:
        """What changes the invitations of two users waits for its turn.

        So what happens to an invitation is told in the order in which it is stored.
        """
        pair = frozenset((one_id, other_id))
        turn = self._turns.get(pair)
        if turn is None:
            turn = self._turns[pair] = asyncio.Lock()
        return turn

    def _tell(self, *happened: Event) -> None:
        """Tell of invitations that have come or gone."""
        self._told_count += 1
        self._bus.publish(*happened)

    def _tell_removed(self, removed: Iterable[FriendInvitation]) -> None:
        self._tell(*(FriendInvitationRemoved(each.id, each.receiver_id) for each in removed))

    async def invite(self, user: User, request: Mapping[str, Any]) -> Friend | None:
        """Ask another user for friendship, or accept what he has asked.

        What was asked before and is still pending is replaced, without a word to the other one.

        Args:
            user: the caller.
            request: ``id`` (of the user asked), ``comment`` (0–500 characters), ``source`` ("search" or the id of a
                chat that both are in).

        Returns:
            The new friend where his own invitation was pending, else None.

        Raises:
            BadField, UserUnknown, AlreadyFriends: nothing was changed.

        Source: contract "actions" section 4, POST /friend/invite (order of checks).
        """
        check_scope(user, Ability.BEFRIEND)
        other_id = check_id(request.get("id"), "id")
        comment = check_comment(request.get("comment"))
        other = await self._directory.get(other_id) if other_id else None
        if other is None or other.id != other_id or other.is_system:
            raise UserUnknown
        if other.id == user.id:
            raise BadField("You cannot add yourself as a friend")
        async with self._turn(user.id, other.id):
            if await self.are_friends(user.id, other.id):
                raise AlreadyFriends
            if await self._invitations.find_from(other.id, user.id) is not None:
                return await self._befriend(accepter=user, inviter=other)
            await self._ask(user, other, comment, await self._check_source(user, other, request.get("source")))
        return None

    async def _ask(self, user: User, other: User, comment: str, source: int | str) -> None:
        invitation = FriendInvitation(
            await self._store.counters.next_id("friend_invitation"), user.id, other.id, comment, source
        )

        async def write(session: MongoSession) -> FriendInvitation | None:
            return await self._invitations.replace(invitation, session)

        replaced = await self._store.database.transaction(write)
        if replaced is not None:
            self._tell_removed([replaced])
        if await self.are_friends(user.id, other.id):  # by another process, at the same moment
            await self._invitations.delete(invitation.id)
            raise AlreadyFriends
        self._tell(FriendInvitationAdded(ReceivedInvitation(invitation, user, other)))
        if replaced is None:
            self._bus.publish(FriendRequested(user, other))

    async def _check_source(self, user: User, other: User, source: object) -> int | str:
        if source == SOURCE_SEARCH:
            return SOURCE_SEARCH
        if source is None:
            raise BadField("Field source is missing")
        if not is_integer(source):
            raise BadField("Field source must be 'search' or the id of a chat")
        try:
            chat = await self._chats.get_for(user.id, known_id(source))  # type: ignore[arg-type]
        except NovaError:
            raise BadField("Both must be in the chat that is named as source") from None
        if other.id not in chat.members:
            raise BadField("Both must be in the chat that is named as source")
        return chat.id

    async def list_received(self, user: User) -> list[ReceivedInvitation]:
        """The pending invitations to a user, by id."""
        invitations = await self._invitations.list_received(user.id)
        senders = await self._directory.load(invitation.sender_id for invitation in invitations)
        return [
            ReceivedInvitation(invitation, senders[invitation.sender_id], user)
            for invitation in invitations
            if senders[invitation.sender_id].id == invitation.sender_id
        ]

    async def watch_received(self, user: User, connection: Connection) -> list[ReceivedInvitation]:
        """From now on tell a connection which invitations to its user come and go.

        Returns:
            Those that are pending now, by id. What is told after it has happened after it, or is in it already.
        """
        while True:
            told_count = self._told_count
            invitations = await self.list_received(user)
            if self._told_count == told_count:  # or it might hold one that is gone, which would never be told
                connection.watch(Topic.FRIEND_INVITATIONS)
                return invitations

    async def withdraw_all(self, user_id: int) -> None:
        """Remove all that a user has asked and was asked, because his account goes."""
        for invitation in await self._invitations.list_of(user_id):
            async with self._turn(invitation.sender_id, invitation.receiver_id):
                if await self._invitations.delete(invitation.id):
                    self._tell_removed([invitation])

    async def _get_invitation(self, user: User, invitation_id: int) -> FriendInvitation:
        invitation = await self._invitations.find(invitation_id) if invitation_id else None
        if invitation is None:
            raise InvitationUnknown
        if invitation.receiver_id != user.id:
            raise NoRight("The invitation was sent to another user")
        return invitation

    async def accept(self, user: User, invitation_id: int) -> Friend:
        """Accept an invitation to oneself.

        Raises:
            InvitationUnknown: there is none with that id.
            NoRight: someone else was invited.
        """
        check_scope(user, Ability.BEFRIEND)
        invitation = await self._get_invitation(user, invitation_id)
        inviter = await self._directory.get(invitation.sender_id)
        if inviter.id != invitation.sender_id:
            raise InvitationUnknown
        async with self._turn(user.id, inviter.id):
            return await self._befriend(accepter=user, inviter=inviter)

    async def reject(self, user: User, invitation_id: int) -> None:
        """Reject an invitation to oneself.

        Raises:
            InvitationUnknown, NoRight: as for ``accept``.
        """
        check_scope(user, Ability.BEFRIEND)
        await self._decline(user, await self._get_invitation(user, invitation_id))

    async def answer(self, user: User, asker_id: int, is_accepted: bool) -> Friend | None:
        """Accept or decline what a user has asked.

        Returns:
            The new friend, if accepted.

        Raises:
            InvitationUnknown: he has asked nothing that is pending.

        Source: contract "protocols" section 4.3, 16/2.
        """
        check_scope(user, Ability.BEFRIEND)
        invitation = await self._invitations.find_from(asker_id, user.id) if asker_id else None
        if invitation is None:
            raise InvitationUnknown
        if is_accepted:
            return await self.accept(user, invitation.id)
        await self._decline(user, invitation)
        return None

    async def _decline(self, user: User, invitation: FriendInvitation) -> None:
        asker = await self._directory.get(invitation.sender_id)
        async with self._turn(user.id, invitation.sender_id):
            if not await self._invitations.delete(invitation.id):
                raise InvitationUnknown
            self._tell_removed([invitation])
        if asker.id == invitation.sender_id:
            self._bus.publish(FriendDeclined(user, asker))

    async def _befriend(self, accepter: User, inviter: User) -> Friend:
        """Two become friends: both records, the private chat and its first message, in one transaction."""
        groups = {user.id: await self._groups.get_default(user.id) for user in (accepter, inviter)}
        ids = await self._store.counters.next_ids("friendship", 2)
        records = [
            Friendship(ids[0], accepter.id, inviter.id, "", groups[accepter.id].id),
            Friendship(ids[1], inviter.id, accepter.id, "", groups[inviter.id].id),
        ]
        text = f"{accepter.name} added {inviter.name} as a friend"
        happened = (FriendshipCreated(accepter, inviter),)
        answered: list[FriendInvitation] = []

        async def documents(session: MongoSession) -> None:
            answered[:] = await self._invitations.take_between(accepter.id, inviter.id, session)
            if not answered:
                raise InvitationUnknown  # it was withdrawn or answered in between
            await self._friendships.insert(records, session)

        for _ in range(BEFRIEND_ATTEMPTS):
            try:
                chat = await self._chats.find_private(accepter.id, inviter.id)
                if chat is None:
                    await self._chats.create_private(accepter.id, inviter.id, text, documents, happened)
                else:
                    # A chat that another protocol made without a friendship.
                    plan = Plan([self._chats.system_draft(text)], lambda session, _: documents(session))
                    await self._log.change(chat, lambda _: plan, happened)  # noqa: B023 (called before the next turn)
                self._tell_removed(answered)
                return Friend(inviter, "", groups[accepter.id])
            except DuplicateKeyError as error:
                if "pair" not in (error.details or {}).get("keyPattern", {}):
                    raise AlreadyFriends from None
        raise AlreadyFriends

    # Friends

    async def are_friends(self, one_id: int, other_id: int) -> bool:
        """Whether two users are friends."""
        return await self._friendships.find(one_id, other_id) is not None

    async def list_of(self, user: User) -> list[Friend]:
        """A user's friends in the order in which the friendships were made."""
        friendships = await self._friendships.list_of(user.id)
        users = await self._directory.load(friendship.friend_id for friendship in friendships)
        groups = await self._groups.list_of(user)
        group_by_id = {group.id: group for group in groups}
        return [
            # A group may just have been deleted by another request: then the friend is in the default one.
            Friend(users[friendship.friend_id], friendship.nickname, group_by_id.get(friendship.group_id, groups[0]))
            for friendship in friendships
            if groups  # there are none when the account is being deleted
        ]

    async def list_friend_ids(self, user_id: int) -> list[int]:
        """The ids of a user's friends, ascending."""
        return sorted(friendship.friend_id for friendship in await self._friendships.list_of(user_id))

    async def get(self, user: User, friend_id: int) -> Friend:
        """One friend.

        Raises:
            FriendUnknown: that user is not a friend.
        """
        friendship = await self._find(user, friend_id)
        try:
            group = await self._groups.get(user, friendship.group_id)
        except FriendGroupUnknown:  # deleted by another request: the friend is in the default one
            group = await self._groups.get_default(user.id)
        return Friend(await self._directory.get(friend_id), friendship.nickname, group)

    async def _find(self, user: User, friend_id: int) -> Friendship:
        friendship = await self._friendships.find(user.id, friend_id) if friend_id else None
        if friendship is None:
            raise FriendUnknown
        return friendship

    async def update(self, user: User, friend_id: int, request: Mapping[str, Any]) -> Friend:
        """Change how one keeps a friend, all or nothing.

        Args:
            request: ``nickname`` (0–100 characters) and/or ``group_id`` (one of one's own groups).

        Raises:
            FriendUnknown: that user is not a friend.
            BadField, FriendGroupUnknown, NoRight: a bad nickname or group.
        """
        check_scope(user, Ability.KEEP_FRIENDS)
        friendship = await self._find(user, friend_id)
        changes: dict[str, Any] = {}
        if "nickname" in request:
            changes["nickname"] = check_nickname(request["nickname"])
        if "group_id" in request:
            group = await self._groups.get(user, check_id(request["group_id"], "group_id"))
            changes["group"] = group.id
        if changes:
            await self._friendships.update(friendship.id, changes)
        return await self.get(user, friend_id)

    async def delete(self, user: User, friend_id: int) -> None:
        """End a friendship, with the private chat; the other one is told.

        Raises:
            FriendUnknown: that user is not a friend.
        """
        check_scope(user, Ability.KEEP_FRIENDS)
        await self._find(user, friend_id)
        friend = await self._directory.get(friend_id)

        async def documents(session: MongoSession) -> None:
            if not await self._friendships.delete_pair(user.id, friend_id, session):
                raise FriendUnknown

        chat: Chat | None = await self._chats.find_private(user.id, friend_id)
        if chat is not None:
            await self._chats.delete(chat, documents)
        else:
            await self._store.database.transaction(documents)
        self._bus.publish(FriendshipDeleted(user, friend))
