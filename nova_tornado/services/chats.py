"""Chats: who is in them, and who may do what with them."""

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
from nova_tornado.domain.events import Event
from nova_tornado.domain.models import Chat, ChatKind, Entry, EntryKind, Membership, Role, User
from nova_tornado.domain.rules import check_chat_title
from nova_tornado.realtime.chats import ChatCache
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.lanes import Draft, Plan
from nova_tornado.realtime.log import ChatLog
from nova_tornado.services.purges import Purges
from nova_tornado.storage.database import MongoSession
from nova_tornado.storage.store import Store

MoreDocuments = Callable[[MongoSession], Coroutine[Any, Any, None]]
"""Writes further documents in the transaction that it is called in."""


class ChatService:
    """Makes, changes and deletes chats.

    Args:
        store, chats, log, directory, clock: the parts it works with.
        purges: remove what deleted chats leave behind.
    """

    def __init__(
        self,
        store: Store,
        chats: ChatCache,
        log: ChatLog,
        directory: UserDirectory,
        clock: Clock,
        purges: Purges,
    ) -> None:
        self._store = store
        self._chats = chats
        self._log = log
        self._directory = directory
        self._clock = clock
        self._purges = purges

    # Reading

    async def get(self, chat_id: int) -> Chat:
        """A chat, whoever asks.

        Raises:
            ChatUnknown: there is none with that id.
        """
        chat = await self._chats.find(chat_id) if chat_id else None
        if chat is None:
            raise ChatUnknown
        return chat

    async def get_for(self, user_id: int, chat_id: int) -> Chat:
        """A chat that the user is a member of.

        Raises:
            ChatUnknown: there is none with that id.
            NotAMember: he is not in it.
        """
        chat = await self.get(chat_id)
        if user_id not in chat.members:
            raise NotAMember
        return chat

    async def list_of(self, user_id: int) -> list[Chat]:
        """A user's chats in the order of his joining."""
        chats = await self._chats.find_many(await self._store.memberships.list_chat_ids(user_id))
        return [chat for chat in chats.values() if user_id in chat.members]

    async def find_private(self, one_id: int, other_id: int) -> Chat | None:
        """The private chat of two users."""
        chat_id = await self._store.chats.find_pair(one_id, other_id)
        return await self._chats.find(chat_id) if chat_id else None

    async def last_message_for(self, chat: Chat, user_id: int) -> Entry | None:
        """The newest message that is neither recalled nor deleted for that member."""
        message = chat.last_message
        if message is not None and user_id in message.hidden_for:
            return await self._store.messages.find_newest(chat.id, user_id)
        return message

    # Making

    async def create_group(self, creator: User, title: object, members: object) -> Chat:
        """Make a group with friends of the creator, who owns it and is in it whether he is named or not.

        Args:
            creator: the caller.
            title: 1–60 characters.
            members: a list of user ids; ids given twice count once.

        Raises:
            BadField: a bad title, or members that are no list of ids of friends.

        Source: contract "actions" section 5, POST /chat/new.
        """
        if not isinstance(members, list):
            raise BadField(
                "Field chat_members is missing" if members is None else "Data type error for key chat_members"
            )
        checked_title = check_chat_title(title, "name")  # the key that clients of the original know
        ids: dict[int, None] = {}
        for member in members:
            if type(member) is not int:
                raise BadField("Data type error for key chat_members")
            if member != creator.id:
                ids[member] = None
        in_range = [user_id for user_id in ids if 0 < user_id < 2**53]
        friends = await self._store.friendships.list_among(creator.id, in_range)
        if len(friends) < len(ids):
            raise BadField("Every member must be a friend of yours")
        users = await self._directory.load(ids)
        names = ", ".join([creator.name, *(users[user_id].name for user_id in ids)])
        return await self._create(
            ChatKind.GROUP,
            checked_title,
            [creator.id, *ids],
            f"Group {checked_title} created by {creator.name} with {names}",
        )

    async def create_private(
        self,
        owner_id: int,
        other_id: int,
        text: str,
        documents: MoreDocuments,
        before: Sequence[Event],
    ) -> Chat:
        """Make the private chat of two users, with a system message.

        Args:
            owner_id, other_id: the two; a private chat's owner has no powers.
            text: of the system message.
            documents: writes more, in the same transaction.
            before: what is published before the news of the chat.

        Raises:
            DuplicateKeyError: they have one already, or what ``documents`` met.
        """
        return await self._create(ChatKind.PRIVATE, "", [owner_id, other_id], text, documents, before)

    async def _create(
        self,
        kind: ChatKind,
        title: str,
        user_ids: list[int],
        text: str,
        documents: MoreDocuments | None = None,
        before: Sequence[Event] = (),
    ) -> Chat:
        chat = Chat(await self._store.counters.next_id("chat"), kind, title, self._clock.now_us())
        ids = await self._store.counters.next_ids("membership", len(user_ids))
        for membership_id, user_id in zip(ids, user_ids, strict=True):
            role = Role.OWNER if user_id == user_ids[0] else Role.MEMBER
            chat.members[user_id] = Membership(membership_id, user_id, role, 0, 0, 0)

        async def write(session: MongoSession, _entries: Sequence[Entry]) -> None:
            if documents is not None:
                await documents(session)

        await self._log.create(chat, [self.system_draft(text)], write, before)
        return chat

    def system_draft(self, text: str) -> Draft:
        """A message of the system user."""
        return Draft(EntryKind.MESSAGE, self._directory.system.id, text)

    # Members

    async def add_member(self, chat: Chat, actor: User, user: User, text: str, allow: Callable[[Chat], None]) -> None:
        """Take a user into a group, and say so with a system message.

        Args:
            allow: called with the chat as it is when the change is written; raises to refuse.

        Raises:
            PrivateChat, AlreadyMember: not possible.
        """
        membership_id = await self._store.counters.next_id("membership")

        def plan(chat: Chat) -> Plan:
            allow(chat)
            if chat.is_private:
                raise PrivateChat
            if user.id in chat.members:
                raise AlreadyMember
            added = Draft(EntryKind.MEMBER_ADDED, actor.id, user_id=user.id, membership_id=membership_id)

            async def documents(session: MongoSession, entries: Sequence[Entry]) -> None:
                entry = entries[0]
                member = Membership(membership_id, user.id, Role.MEMBER, entry.seq, entry.seq, entry.count)
                await self._store.memberships.insert(chat.id, [member], session)

            return Plan([added, self.system_draft(text)], documents)

        await self._log.change(chat, plan)

    async def leave(self, user: User, chat_id: int) -> None:
        """Leave a group; the owner's leaving deletes it.

        Raises:
            ChatUnknown: no such chat, or he is not in it.
            PrivateChat: private chats end with the friendship.

        Source: actions document, DELETE /chat/<chat_id>; contract "actions" section 5.
        """
        chat = await self.get(chat_id)

        def plan(chat: Chat) -> Plan:
            member = chat.members.get(user.id)
            if member is None:
                raise ChatUnknown
            if chat.is_private:
                raise PrivateChat
            if member.role is Role.OWNER:
                return self._plan_delete(chat)
            return self._plan_remove(chat, user.id, user.id, f"{user.name} left the chat")

        await self._log.change(chat, plan)
        self._purge_if_deleted(chat)

    async def remove_member(self, actor: User, chat_id: int, user_id: int) -> None:
        """Remove another member from a group.

        Raises:
            ChatUnknown, PrivateChat, NoRight, UserUnknown: not possible.

        Source: contract "actions" section 5, DELETE /chat/<id>/<member> (order of checks).
        """
        chat = await self.get(chat_id)
        user = await self._directory.get(user_id)

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
            return self._plan_remove(chat, actor.id, user_id, f"{actor.name} removed {user.name} from the group")

        await self._log.change(chat, plan)

    async def remove_silently(self, chat: Chat, user_id: int) -> None:
        """A member's account is being deleted: he leaves without a word."""

        def plan(chat: Chat) -> Plan:
            if user_id not in chat.members:
                return Plan([])
            return self._plan_remove(chat, user_id, user_id, None)

        await self._log.change(chat, plan)

    def _plan_remove(self, chat: Chat, actor_id: int, user_id: int, text: str | None) -> Plan:
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

    async def rename(self, actor: User, chat_id: int, title: str) -> Chat:
        """Give a group another title.

        Args:
            title: checked by ``rules.check_chat_title``.

        Raises:
            ChatUnknown: no such chat, or he is not in it.
            PrivateChat, NoRight: not possible.

        Source: contract "actions" section 8; contract "protocols" section 0.5.
        """
        chat = await self.get(chat_id)

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

        await self._log.change(chat, plan)
        return chat

    async def set_admin(self, actor: User, chat_id: int, user_id: int, is_admin: bool) -> None:
        """Make a member an admin, or an admin a plain member.

        Raises:
            ChatUnknown, PrivateChat, NoRight, UserUnknown, BadField, NothingToChange: not possible.

        Source: contract "actions" section 5, POST /chat/<id>/<member>/admin (order of checks).
        """
        chat = await self.get(chat_id)

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

        await self._log.change(chat, plan)

    async def set_owner(self, actor: User, chat_id: int, user_id: int) -> None:
        """Hand a group over to another member; the old owner becomes an admin.

        Raises:
            ChatUnknown, PrivateChat, NoRight, UserUnknown, NothingToChange: not possible.

        Source: contract "actions" section 5, POST /chat/<id>/set_owner (order of checks and packets).
        """
        chat = await self.get(chat_id)

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

        await self._log.change(chat, plan)

    @staticmethod
    def _check_owner(chat: Chat, actor: User) -> None:
        if chat.is_private:
            raise PrivateChat
        caller = chat.members.get(actor.id)
        if caller is None or caller.role is not Role.OWNER:
            raise NoRight("Only the owner can do this")

    # Deleting

    async def delete(self, chat: Chat, documents: MoreDocuments | None = None) -> None:
        """Delete a chat with all its messages, for everybody.

        Args:
            documents: writes more, in the same transaction.
        """
        await self._log.change(chat, lambda chat: self._plan_delete(chat, documents))
        self._purge_if_deleted(chat)

    def _plan_delete(self, chat: Chat, more: MoreDocuments | None = None) -> Plan:
        async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
            await self._store.chats.delete(chat.id, session)
            await self._store.memberships.delete_all(chat.id, session)
            if more is not None:
                await more(session)

        return Plan([Draft(EntryKind.CHAT_DELETED, chat.owner_id)], documents)

    def _purge_if_deleted(self, chat: Chat) -> None:
        if chat.is_deleted:
            self._purges.add(chat.id)
