"""Chats: who is in them, and who may do what with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nova_tornado.domain.errors import AlreadyMember, BadField, ChatUnknown, NoRight, NotAMember, Unavailable
from nova_tornado.domain.events import Event
from nova_tornado.domain.models import Chat, ChatKind, Entry, EntryKind, JoinPolicy, Membership, Origin, Role, User
from nova_tornado.domain.rules import ID_MAX, check_chat_title
from nova_tornado.realtime.chats import ChatCache
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.freshness import Freshness
from nova_tornado.realtime.lanes import Draft
from nova_tornado.realtime.log import ChatLog
from nova_tornado.services.bot_scopes import Ability, check_scope, sees_history
from nova_tornado.services.chat_plans import ChatPlans, MoreDocuments, Permit
from nova_tornado.services.group_edits import Edited, GroupEdit
from nova_tornado.services.new_members import check_accounts, check_friends, check_list
from nova_tornado.services.purges import Purges
from nova_tornado.storage.database import DuplicateKeyError, MongoSession
from nova_tornado.storage.store import Store

OPEN_ATTEMPTS = 5
"""How often a private chat is looked for and made: two may open it, and one delete it, at the same time."""


class ChatService:
    """Makes, changes and deletes chats.

    Args:
        store, chats, log, directory, clock: the parts it works with.
        purges: remove what deleted chats leave behind.
        freshness: brings a chat in memory to the end of its log.
    """

    def __init__(
        self,
        store: Store,
        chats: ChatCache,
        log: ChatLog,
        directory: UserDirectory,
        clock: Clock,
        purges: Purges,
        freshness: Freshness,
    ) -> None:
        self._store = store
        self._chats = chats
        self._log = log
        self._directory = directory
        self._clock = clock
        self._purges = purges
        self._freshness = freshness
        self._plans = ChatPlans(store, directory)

    # Reading

    async def get(self, chat_id: int) -> Chat:
        """A chat, whoever asks.

        Raises:
            ChatUnknown: there is none with that id.
        """
        chat = await self._chats.find(chat_id) if 0 < chat_id <= ID_MAX else None
        if chat is None:
            raise ChatUnknown
        return chat

    async def list_told_since(self, chat: Chat, seq: int) -> list[Event]:
        """What was told of a chat behind a place in its log, up to ``chat.last_seq`` as it is on return.

        Args:
            chat: as ``get`` gives it.
        """
        return await self._log.told_since(chat, seq)

    async def get_for(self, user_id: int, chat_id: int) -> Chat:
        """A chat that the user is a member of.

        Raises:
            ChatUnknown: there is none with that id.
            NotAMember: he is not in it.
        """
        chat = await self.get(chat_id)
        if not await self.has_member(chat, user_id):
            raise NotAMember
        return chat

    async def has_member(self, chat: Chat, user_id: int) -> bool:
        """Whether a user is a member of a chat.

        Another process may have taken him in, and told him so, a moment before this one hears of it. So nobody is
        refused before the end of the chat's log was looked at.
        """
        if user_id not in chat.members:
            await self._freshness.ensure((chat,))
        return user_id in chat.members

    async def list_of(self, user_id: int) -> list[Chat]:
        """A user's chats in the order of his joining."""
        chats = await self._chats.find_many(await self._store.memberships.list_chat_ids(user_id))
        return [chat for chat in chats.values() if user_id in chat.members]

    async def list_open(self) -> list[Chat]:
        """All open groups, by id."""
        return list((await self._chats.find_many(await self._store.chats.list_open())).values())

    async def find_private(self, one_id: int, other_id: int) -> Chat | None:
        """The private chat of two users."""
        chat_id = await self._store.chats.find_pair(one_id, other_id)
        return await self._chats.find(chat_id) if chat_id else None

    async def last_message_for(self, chat: Chat, user_id: int) -> Entry | None:
        """The newest message that is neither recalled nor deleted for that member, if he sees the history at all."""
        message = chat.last_message
        viewer = self._directory.peek(user_id) or await self._directory.get(user_id)
        if not sees_history(viewer, chat):
            return None
        if message is not None and user_id in message.hidden_for:
            return await self._store.messages.find_newest(chat.id, user_id)
        return message

    # Making

    async def open_private(self, user: User, other_id: int, *, origin: Origin | None = None) -> tuple[Chat, bool]:
        """Find or make the private chat of two users, who need not be friends; there is no system message in it.

        Args:
            user: the caller.
            other_id: the other one.
            origin: where it was asked for.

        Returns:
            The chat, and whether it is new.

        Raises:
            BadField: the caller himself.
            UserUnknown: there is no such account.
            Unavailable: it was made and deleted by others all the time.

        Source: contract "protocols" section 0.5.
        """
        if other_id == user.id:
            raise BadField("You cannot have a private chat with yourself")
        await check_accounts(self._directory, [other_id])
        for _ in range(OPEN_ATTEMPTS):
            chat = await self.find_private(user.id, other_id)
            if chat is not None:
                return chat, False
            check_scope(user, Ability.CHANGE_CHATS)
            try:
                return await self._create(ChatKind.PRIVATE, "", [user.id, other_id], origin=origin), True
            except DuplicateKeyError:
                continue  # the other one was faster
        raise Unavailable

    async def create_private(
        self,
        owner_id: int,
        other_id: int,
        text: str,
        documents: MoreDocuments,
        before: Sequence[Event],
    ) -> Chat:
        """Make the private chat of two new friends, with a system message.

        Args:
            owner_id, other_id: the two; a private chat's owner has no powers.
            text: of the system message.
            documents: writes more, in the same transaction.
            before: what is published before the news of the chat.

        Raises:
            DuplicateKeyError: they have one already, or what ``documents`` met.
        """
        drafts = [self.system_draft(text)]
        return await self._create(ChatKind.PRIVATE, "", [owner_id, other_id], drafts, documents, before)

    async def create_group(
        self,
        creator: User,
        title: str,
        member_ids: Sequence[int],
        *,
        policy: JoinPolicy = JoinPolicy.CLOSED,
        origin: Origin | None = None,
    ) -> Chat:
        """Make a group with anybody; there is no system message in it.

        Args:
            creator: the caller, who owns it and is in it whether he is named or not.
            title: checked by ``rules.check_chat_title``, or "" for none.
            member_ids: the others, in order; ids given twice count once.
            policy: how others become members.
            origin: where it was asked for.

        Raises:
            UserUnknown: one of them has no account.

        Source: contract "protocols" section 0.5.
        """
        check_scope(creator, Ability.CHANGE_CHATS)
        ids = [user_id for user_id in dict.fromkeys(member_ids) if user_id != creator.id]
        await check_accounts(self._directory, ids)
        return await self._create(ChatKind.GROUP, title, [creator.id, *ids], policy=policy, origin=origin)

    async def create_group_of_friends(self, creator: User, title: object, members: object) -> Chat:
        """Make a group with friends of the creator, who owns it and is in it whether he is named or not.

        Args:
            creator: the caller.
            title: 1–60 characters.
            members: a list of user ids; ids given twice count once.

        Raises:
            BadField: a bad title, or members that are no list of ids of friends.

        Source: contract "actions" section 5, POST /chat/new.
        """
        check_scope(creator, Ability.CHANGE_CHATS)
        listed = check_list(members, "chat_members")
        checked_title = check_chat_title(title, "name")  # the key that clients of the original know
        ids = await check_friends(self._store, creator.id, listed, "chat_members")
        users = await self._directory.load(ids)
        names = ", ".join([creator.name, *(users[user_id].name for user_id in ids)])
        text = f"Group {checked_title} created by {creator.name} with {names}"
        return await self._create(ChatKind.GROUP, checked_title, [creator.id, *ids], [self.system_draft(text)])

    async def _create(
        self,
        kind: ChatKind,
        title: str,
        user_ids: list[int],
        drafts: Sequence[Draft] = (),
        documents: MoreDocuments | None = None,
        before: Sequence[Event] = (),
        *,
        policy: JoinPolicy = JoinPolicy.CLOSED,
        origin: Origin | None = None,
    ) -> Chat:
        chat_id = await self._store.counters.next_id("chat")
        chat = Chat(chat_id, kind, title, self._clock.now_us(), policy=policy)
        ids = await self._store.counters.next_ids("membership", len(user_ids))
        for membership_id, user_id in zip(ids, user_ids, strict=True):
            role = Role.OWNER if user_id == user_ids[0] else Role.MEMBER
            chat.members[user_id] = Membership(membership_id, user_id, role, 0, 0, 0)

        async def write(session: MongoSession, _entries: Sequence[Entry]) -> None:
            if documents is not None:
                await documents(session)

        await self._log.changes.create(chat, drafts, write, before, actor_id=user_ids[0], origin=origin)
        return chat

    def system_draft(self, text: str) -> Draft:
        """A message of the system user."""
        return self._plans.system_draft(text)

    # Title and members, without system messages

    async def edit(
        self,
        actor: User,
        chat_id: int,
        *,
        title: str | None = None,
        add_ids: Iterable[int] = (),
        remove_ids: Iterable[int] = (),
        origin: Origin | None = None,
    ) -> Edited:
        """Change a group's title and members, all or nothing: first who goes, then the title, then who comes.

        Those who are to be added and are members, or to be removed and are none, are skipped. If the owner removes
        himself, the longest-standing admin, else the longest-standing member becomes owner; if nobody is left, the
        group is deleted.

        Args:
            actor: the caller. Owner and admins may rename and add; the owner may remove anyone, an admin plain
                members, everybody himself.
            title: checked by ``rules.check_chat_title``, or "" for none; None: it stays.
            add_ids, remove_ids: user ids, in order; given twice they count once.
            origin: where it was asked for.

        Raises:
            BadField: an id in both lists.
            UserUnknown: somebody has no account.
            ChatUnknown, NotAMember, PrivateChat, NoRight: not possible.
            NothingToChange: nothing is left to do.

        Source: contract "protocols" section 0.5.
        """
        check_scope(actor, Ability.CHANGE_CHATS)
        added, removed = list(dict.fromkeys(add_ids)), list(dict.fromkeys(remove_ids))
        if not set(added).isdisjoint(removed):
            raise BadField("The same user cannot be added and removed at once")
        await check_accounts(self._directory, [*added, *removed])
        chat = await self.get(chat_id)
        ids = await self._store.counters.next_ids("membership", len(added)) if added else []
        edit = GroupEdit(actor.id, title, dict(zip(added, ids, strict=True)), removed)
        entries = await self._log.change(chat, lambda chat: edit.plan(self._store, chat), origin=origin)
        self._purge_if_deleted(chat)
        return Edited(
            chat,
            tuple(entry.user_id or 0 for entry in entries if entry.kind is EntryKind.MEMBER_ADDED),
            tuple(entry.user_id or 0 for entry in entries if entry.kind is EntryKind.MEMBER_REMOVED),
        )

    async def join(self, user: User, chat_id: int, *, origin: Origin | None = None) -> bool:
        """Become a member of an open group.

        Returns:
            False if he was one already.

        Raises:
            ChatUnknown: there is none with that id.
            NoRight: it is no open group.

        Source: contract "protocols" section 3.7.
        """
        check_scope(user, Ability.CHANGE_CHATS)
        chat = await self.get(chat_id)
        if user.id in chat.members:
            return False
        if chat.policy is not JoinPolicy.OPEN:
            raise NoRight("The group is not open")
        membership_id = await self._store.counters.next_id("membership")
        try:
            await self._log.change(chat, self._plans.join(user, membership_id), origin=origin)
        except AlreadyMember:
            return False
        return True

    # Title, members and roles as the actions protocol changes them

    async def add_member(self, chat: Chat, actor: User, user: User, text: str, allow: Permit) -> None:
        """Take a user into a group, and say so with a system message.

        Args:
            allow: called with the chat as it is when the change is written; raises to refuse.

        Raises:
            PrivateChat, AlreadyMember: not possible.
        """
        check_scope(actor, Ability.CHANGE_CHATS)
        membership_id = await self._store.counters.next_id("membership")
        await self._log.change(chat, self._plans.add(actor, user, membership_id, text, allow))

    async def leave(self, user: User, chat_id: int) -> None:
        """Leave a group; the owner's leaving deletes it.

        Raises:
            ChatUnknown: no such chat, or he is not in it.
            PrivateChat: private chats end with the friendship.

        Source: actions document, DELETE /chat/<chat_id>; contract "actions" section 5.
        """
        check_scope(user, Ability.CHANGE_CHATS)
        chat = await self.get(chat_id)
        await self._log.change(chat, self._plans.leave(user))
        self._purge_if_deleted(chat)

    async def remove_member(self, actor: User, chat_id: int, user_id: int) -> None:
        """Remove another member from a group.

        Raises:
            ChatUnknown, PrivateChat, NoRight, UserUnknown: not possible.

        Source: contract "actions" section 5, DELETE /chat/<id>/<member> (order of checks).
        """
        check_scope(actor, Ability.CHANGE_CHATS)
        chat = await self.get(chat_id)
        user = await self._directory.get(user_id)
        await self._log.change(chat, self._plans.remove(actor, user_id, user))

    async def remove_silently(self, chat: Chat, user_id: int) -> None:
        """A member's account is being deleted: he leaves without a word; a group that is his by now goes with him."""
        await self._log.change(chat, self._plans.remove_silently(user_id))
        self._purge_if_deleted(chat)

    async def rename(self, actor: User, chat_id: int, title: str) -> Chat:
        """Give a group another title.

        Args:
            title: checked by ``rules.check_chat_title``.

        Raises:
            ChatUnknown: no such chat, or he is not in it.
            PrivateChat, NoRight: not possible.

        Source: contract "actions" section 8; contract "protocols" section 0.5.
        """
        check_scope(actor, Ability.CHANGE_CHATS)
        chat = await self.get(chat_id)
        await self._log.change(chat, self._plans.rename(actor, title))
        return chat

    async def set_admin(self, actor: User, chat_id: int, user_id: int, is_admin: bool) -> None:
        """Make a member an admin, or an admin a plain member.

        Raises:
            ChatUnknown, PrivateChat, NoRight, UserUnknown, BadField, NothingToChange: not possible.

        Source: contract "actions" section 5, POST /chat/<id>/<member>/admin (order of checks).
        """
        check_scope(actor, Ability.CHANGE_CHATS)
        await self._log.change(await self.get(chat_id), self._plans.set_admin(actor, user_id, is_admin))

    async def set_owner(self, actor: User, chat_id: int, user_id: int) -> None:
        """Hand a group over to another member; the old owner becomes an admin.

        Raises:
            ChatUnknown, PrivateChat, NoRight, UserUnknown, NothingToChange: not possible.

        Source: contract "actions" section 5, POST /chat/<id>/set_owner (order of checks and packets).
        """
        check_scope(actor, Ability.CHANGE_CHATS)
        await self._log.change(await self.get(chat_id), self._plans.set_owner(actor, user_id))

    # Deleting

    async def delete(self, chat: Chat, documents: MoreDocuments | None = None) -> None:
        """Delete a chat with all its messages, for everybody.

        Args:
            documents: writes more, in the same transaction.
        """
        await self._log.change(chat, self._plans.delete(documents))
        self._purge_if_deleted(chat)

    async def delete_for(self, actor: User, chat_id: int, *, origin: Origin | None = None) -> None:
        """Delete a chat with all its messages, for everybody, as either member of a private chat or a group's owner.

        Raises:
            ChatUnknown, NotAMember, NoRight: not possible.

        Source: contract "protocols" section 0.5.
        """
        check_scope(actor, Ability.CHANGE_CHATS)
        chat = await self.get(chat_id)
        await self._log.change(chat, self._plans.delete_for(actor), origin=origin)
        self._purge_if_deleted(chat)

    def _purge_if_deleted(self, chat: Chat) -> None:
        if chat.is_deleted:
            self._purges.add(chat.id)
