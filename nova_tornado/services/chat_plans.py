"""What changes of a chat come to: who may make them, and what they write.

A planner is called with the chat as it is when the change gets its place in the log; rights are looked at then.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from nova_tornado.domain.errors import (
    AlreadyMember,
    BadField,
    ChatUnknown,
    NoRight,
    NotAMember,
    NothingToChange,
    PrivateChat,
    UserUnknown,
)
from nova_tornado.domain.models import Chat, Entry, EntryKind, JoinPolicy, Role, User
from nova_tornado.realtime.chats import joined_by
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.lanes import Draft, Plan, Planner
from nova_tornado.storage.database import MongoSession
from nova_tornado.storage.store import Store

MoreDocuments = Callable[[MongoSession], Coroutine[Any, Any, None]]
"""Writes further documents in the transaction that it is called in."""
Permit = Callable[[Chat], None]
"""Raises to refuse a change of the chat as it is then."""


class ChatPlans:
    """Makes the planners of changes that concern one member, the title, or the whole chat.

    Args:
        store, directory: the parts it works with.
    """

    def __init__(self, store: Store, directory: UserDirectory) -> None:
        self._store = store
        self._directory = directory

    def system_draft(self, text: str) -> Draft:
        """A message of the system user."""
        return Draft(EntryKind.MESSAGE, self._directory.system.id, text)

    # Members

    def add(self, actor: User, user: User, membership_id: int, text: str, permit: Permit) -> Planner:
        """See ``ChatService.add_member``."""

        def plan(chat: Chat) -> Plan:
            permit(chat)
            if chat.is_private:
                raise PrivateChat
            if user.id in chat.members:
                raise AlreadyMember
            return self._added(chat, actor.id, user.id, membership_id, [self.system_draft(text)])

        return plan

    def join(self, user: User, membership_id: int) -> Planner:
        """See ``ChatService.join``; a member is refused with ``AlreadyMember``."""

        def plan(chat: Chat) -> Plan:
            if user.id in chat.members:
                raise AlreadyMember
            if chat.policy is not JoinPolicy.OPEN:
                raise NoRight("The group is not open")
            return self._added(chat, user.id, user.id, membership_id, ())

        return plan

    def _added(self, chat: Chat, actor_id: int, user_id: int, membership_id: int, then: Sequence[Draft]) -> Plan:
        added = Draft(EntryKind.MEMBER_ADDED, actor_id, user_id=user_id, membership_id=membership_id)

        async def documents(session: MongoSession, entries: Sequence[Entry]) -> None:
            await self._store.memberships.insert(chat.id, [joined_by(entries[0])], session)

        return Plan([added, *then], documents)

    def leave(self, user: User) -> Planner:
        """See ``ChatService.leave``."""

        def plan(chat: Chat) -> Plan:
            member = chat.members.get(user.id)
            if member is None:
                raise ChatUnknown
            if chat.is_private:
                raise PrivateChat
            if member.role is Role.OWNER:
                return self._deleted(chat, user.id)
            return self._removed(chat, user.id, user.id, f"{user.name} left the chat")

        return plan

    def remove(self, actor: User, user_id: int, user: User) -> Planner:
        """See ``ChatService.remove_member``."""

        def plan(chat: Chat) -> Plan:
            if chat.is_private:
                raise PrivateChat
            caller = chat.members.get(actor.id)
            if caller is None or caller.role is Role.MEMBER:
                raise NoRight("Only the owner and admins can remove members")
            target = chat.members.get(user_id)
            if target is None:
                raise UserUnknown("User is not in the chat")
            if target.role is Role.OWNER:
                raise NoRight("The owner cannot be removed")
            if target.role is Role.ADMIN and caller.role is not Role.OWNER:
                raise NoRight("Only the owner can remove an admin")
            return self._removed(chat, actor.id, user_id, f"{actor.name} removed {user.name} from the group")

        return plan

    def remove_silently(self, user_id: int) -> Planner:
        """See ``ChatService.remove_silently``."""

        def plan(chat: Chat) -> Plan:
            member = chat.members.get(user_id)
            if member is None:
                return Plan([])
            if member.role is Role.OWNER:
                return self._deleted(chat, user_id)
            return self._removed(chat, user_id, user_id, None)

        return plan

    def _removed(self, chat: Chat, actor_id: int, user_id: int, text: str | None) -> Plan:
        drafts = []
        if text is not None and chat.members[user_id].role is Role.ADMIN:
            drafts.append(Draft(EntryKind.ADMIN_CHANGED, actor_id, user_id=user_id, is_admin=False))
        drafts.append(Draft(EntryKind.MEMBER_REMOVED, actor_id, user_id=user_id))
        if text is not None:
            drafts.append(self.system_draft(text))

        async def documents(session: MongoSession, entries: Sequence[Entry]) -> None:
            left = next(entry for entry in entries if entry.kind is EntryKind.MEMBER_REMOVED)
            await self._store.memberships.set_left(chat.id, user_id, left.seq, session)

        return Plan(drafts, documents)

    # Title and roles

    def rename(self, actor: User, title: str) -> Planner:
        """See ``ChatService.rename``."""

        def plan(chat: Chat) -> Plan:
            caller = chat.members.get(actor.id)
            if caller is None:
                raise ChatUnknown
            if chat.is_private:
                raise PrivateChat
            if caller.role is Role.MEMBER:
                raise NoRight("Only the owner and admins can rename the group")

            async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
                await self._store.chats.rename(chat.id, title, session)

            return Plan([Draft(EntryKind.RENAMED, actor.id, title)], documents)

        return plan

    def set_admin(self, actor: User, user_id: int, is_admin: bool) -> Planner:
        """See ``ChatService.set_admin``."""

        def plan(chat: Chat) -> Plan:
            self._check_owner(chat, actor)
            target = chat.members.get(user_id)
            if target is None:
                raise UserUnknown("User is not in the chat")
            if target.role is Role.OWNER:
                raise BadField("The owner cannot be made an admin")
            role = Role.ADMIN if is_admin else Role.MEMBER
            if target.role is role:
                raise NothingToChange("User is already an admin" if is_admin else "User is not an admin")

            async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
                await self._store.memberships.set_role(chat.id, user_id, role, session)

            return Plan([Draft(EntryKind.ADMIN_CHANGED, actor.id, user_id=user_id, is_admin=is_admin)], documents)

        return plan

    def set_owner(self, actor: User, user_id: int) -> Planner:
        """See ``ChatService.set_owner``."""

        def plan(chat: Chat) -> Plan:
            self._check_owner(chat, actor)
            target = chat.members.get(user_id)
            if target is None:
                raise UserUnknown("User is not in the chat")
            if user_id == actor.id:
                raise NothingToChange("You are already the owner")
            drafts = []
            if target.role is Role.ADMIN:
                drafts.append(Draft(EntryKind.ADMIN_CHANGED, actor.id, user_id=user_id, is_admin=False))
            drafts.append(Draft(EntryKind.OWNER_CHANGED, actor.id, user_id=user_id))
            drafts.append(Draft(EntryKind.ADMIN_CHANGED, actor.id, user_id=actor.id, is_admin=True))

            async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
                await self._store.memberships.set_role(chat.id, user_id, Role.OWNER, session)
                await self._store.memberships.set_role(chat.id, actor.id, Role.ADMIN, session)

            return Plan(drafts, documents)

        return plan

    @staticmethod
    def _check_owner(chat: Chat, actor: User) -> None:
        if chat.is_private:
            raise PrivateChat
        caller = chat.members.get(actor.id)
        if caller is None or caller.role is not Role.OWNER:
            raise NoRight("Only the owner can do this")

    # The whole chat

    def delete(self, documents: MoreDocuments | None = None) -> Planner:
        """See ``ChatService.delete``."""
        return lambda chat: self._deleted(chat, chat.owner_id, documents)

    def delete_for(self, actor: User) -> Planner:
        """See ``ChatService.delete_for``."""

        def plan(chat: Chat) -> Plan:
            caller = chat.members.get(actor.id)
            if caller is None:
                raise NotAMember
            if not chat.is_private and caller.role is not Role.OWNER:
                raise NoRight("Only the owner can delete the group")
            return self._deleted(chat, actor.id)

        return plan

    def _deleted(self, chat: Chat, actor_id: int, more: MoreDocuments | None = None) -> Plan:
        async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
            await self._store.chats.delete(chat.id, session)
            await self._store.memberships.delete_all(chat.id, session)
            if more is not None:
                await more(session)

        return Plan([Draft(EntryKind.CHAT_DELETED, actor_id)], documents)
