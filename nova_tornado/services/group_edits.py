"""The edit of a group: title, new and removed members in one change, without system messages.

Source: contract "protocols" section 0.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nova_tornado.domain.errors import NoRight, NotAMember, NothingToChange, PrivateChat
from nova_tornado.domain.models import Chat, Entry, EntryKind, Membership, Role
from nova_tornado.realtime.chats import joined_by
from nova_tornado.realtime.lanes import Draft, Plan
from nova_tornado.storage.database import MongoSession
from nova_tornado.storage.store import Store


class Edited(NamedTuple):
    """What an edit came to.

    Attributes:
        chat: as it is then; ``is_deleted`` if nobody was left.
        added_ids, removed_ids: who has really come and gone, in the order given.
    """

    chat: Chat
    added_ids: tuple[int, ...]
    removed_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GroupEdit:
    """What one request wants to change of a group.

    Attributes:
        actor_id: who asks.
        title: the new one, "" for none; None: it stays.
        membership_ids: by the id of each user to be added, that of the membership that would begin; in order.
        remove_ids: who is to be removed, in order.
    """

    actor_id: int
    title: str | None
    membership_ids: Mapping[int, int]
    remove_ids: Sequence[int]

    def plan(self, store: Store, chat: Chat) -> Plan:
        """What it comes to with the chat as it is now.

        Raises:
            NotAMember, PrivateChat, NoRight: not for the one who asks.
            NothingToChange: who is to be added is a member, who is to be removed is none, and there is no title.
        """
        self._check_rights(chat)
        removed_ids = [user_id for user_id in self.remove_ids if user_id in chat.members]
        added_ids = [user_id for user_id in self.membership_ids if user_id not in chat.members]
        if not removed_ids and not added_ids and self.title is None:
            raise NothingToChange
        remaining = [member for member in chat.members.values() if member.user_id not in removed_ids]
        if not remaining and not added_ids:
            return self._plan_last_leaving(store, chat, removed_ids)
        drafts: list[Draft] = []
        heir_id = 0
        if chat.owner_id in removed_ids:
            heir = _longest_standing(remaining)
            heir_id = heir.user_id if heir is not None else added_ids[0]
            if heir is not None:
                # Before the owner goes, so that at no time a chat is seen whose owner is no member.
                drafts += self._inherited(heir)
        drafts += self._removed(chat, removed_ids)
        if self.title is not None:
            drafts.append(Draft(EntryKind.RENAMED, self.actor_id, self.title))
        for user_id in added_ids:
            membership_id = self.membership_ids[user_id]
            drafts.append(Draft(EntryKind.MEMBER_ADDED, self.actor_id, user_id=user_id, membership_id=membership_id))
        if heir_id in added_ids:
            drafts.append(Draft(EntryKind.OWNER_CHANGED, self.actor_id, user_id=heir_id))

        async def documents(session: MongoSession, entries: Sequence[Entry]) -> None:
            for entry in entries:
                if entry.kind is EntryKind.MEMBER_REMOVED:
                    assert entry.user_id is not None
                    await store.memberships.set_left(chat.id, entry.user_id, entry.seq, session)
            if self.title is not None:
                await store.chats.rename(chat.id, self.title, session)
            joined = [joined_by(entry) for entry in entries if entry.kind is EntryKind.MEMBER_ADDED]
            if joined:
                await store.memberships.insert(chat.id, joined, session)
            if heir_id:
                await store.memberships.set_role(chat.id, heir_id, Role.OWNER, session)

        return Plan(drafts, documents)

    def _check_rights(self, chat: Chat) -> None:
        caller = chat.members.get(self.actor_id)
        if caller is None:
            raise NotAMember
        if chat.is_private:
            raise PrivateChat
        if (self.title is not None or self.membership_ids) and caller.role is Role.MEMBER:
            raise NoRight("Only the owner and admins can rename the group and add members")
        for user_id in self.remove_ids:
            if user_id == self.actor_id:
                continue
            if caller.role is Role.MEMBER:
                raise NoRight("Only the owner and admins can remove others")
            target = chat.members.get(user_id)
            if target is not None and target.role is not Role.MEMBER and caller.role is not Role.OWNER:
                raise NoRight("Only the owner can remove an admin, and nobody else the owner")

    def _inherited(self, heir: Membership) -> Iterable[Draft]:
        if heir.role is Role.ADMIN:
            yield Draft(EntryKind.ADMIN_CHANGED, self.actor_id, user_id=heir.user_id, is_admin=False)
        yield Draft(EntryKind.OWNER_CHANGED, self.actor_id, user_id=heir.user_id)

    def _removed(self, chat: Chat, user_ids: Sequence[int]) -> Iterable[Draft]:
        for user_id in user_ids:
            if chat.members[user_id].role is Role.ADMIN:
                yield Draft(EntryKind.ADMIN_CHANGED, self.actor_id, user_id=user_id, is_admin=False)
            yield Draft(EntryKind.MEMBER_REMOVED, self.actor_id, user_id=user_id)

    def _plan_last_leaving(self, store: Store, chat: Chat, removed_ids: Sequence[int]) -> Plan:
        """Nobody is left: the chat is deleted, after those who go have been told that they go."""

        async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
            await store.chats.delete(chat.id, session)
            await store.memberships.delete_all(chat.id, session)

        return Plan([*self._removed(chat, removed_ids), Draft(EntryKind.CHAT_DELETED, self.actor_id)], documents)


def _longest_standing(members: Iterable[Membership]) -> Membership | None:
    """Who becomes owner: the longest-standing admin, else the longest-standing member; None if there is nobody."""
    return min(members, key=lambda member: (member.role is not Role.ADMIN, member.id), default=None)
