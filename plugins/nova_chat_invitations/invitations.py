"""The rules of chat invitations, and their collection.

``chat_invitations {_id, chat, user, inviter, created_us}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nova_tornado.api import (
    Ability,
    CollectionSpec,
    Document,
    DuplicateKeyError,
    Event,
    Index,
    Nova,
    check_scope,
    errors,
    events,
    models,
)

CHAT_INVITATIONS = CollectionSpec(
    "chat_invitations",
    (
        Index((("chat", 1), ("user", 1), ("inviter", 1)), "one pending invitation an inviter", unique=True),
        Index((("user", 1),), "drop those of a deleted account"),
        Index((("inviter", 1),), "drop those by a deleted account"),
    ),
)


@dataclass(frozen=True, slots=True)
class ChatInvitation:
    """A member's wish that a user be taken into the chat."""

    id: int
    chat_id: int
    user: models.User
    inviter: models.User
    created_us: int


class ChatInvitations:
    """Invites, lists, approves and declines."""

    event_types = (events.ChatDeleted, events.MemberAdded, events.AccountDeleted)

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._services = nova.services
        self._collection = nova.collection(CHAT_INVITATIONS)

    async def invite(self, inviter: models.User, chat_id: int, user_id: int) -> tuple[ChatInvitation, list[int]]:
        """Propose a friend as a new member; an earlier proposal of the same two is replaced.

        Returns:
            The invitation, and the ids of the owner and the admins, who decide on it.

        Raises:
            BadField, UserUnknown, ChatUnknown, PrivateChat, NotAMember, AlreadyMember: nothing was changed.

        Source: contract "actions" section 5, POST /chat/<id>/invite (order of checks).
        """
        check_scope(inviter, Ability.CHANGE_CHATS)
        if user_id == inviter.id:
            raise errors.BadField("You cannot invite yourself")
        if not user_id or not await self._services.friends.are_friends(inviter.id, user_id):
            raise errors.UserUnknown("User is not your friend")
        chat = await self._services.chats.get(chat_id)
        if chat.is_private:
            raise errors.PrivateChat
        if inviter.id not in chat.members:
            raise errors.NotAMember
        if user_id in chat.members:
            raise errors.AlreadyMember
        user = await self._services.directory.get(user_id)
        invitation = ChatInvitation(
            await self._nova.next_id("chat_invitation"), chat.id, user, inviter, self._nova.clock.now_us()
        )
        key = {"chat": chat.id, "user": user.id, "inviter": inviter.id}
        await self._collection.delete_one(key)
        try:
            await self._collection.insert_one({"_id": invitation.id, **key, "created_us": invitation.created_us})
        except DuplicateKeyError:
            raise errors.NothingToChange("User is invited already") from None  # by another request at the same moment
        return invitation, chat.manager_ids

    async def list_of(self, caller: models.User, chat_id: int) -> list[ChatInvitation]:
        """The pending invitations of a chat, by id.

        Raises:
            ChatUnknown, NoRight: not for the caller.
        """
        chat = await self._get_managed(caller, chat_id)
        documents = [each async for each in self._collection.find({"chat": chat.id}).sort("_id", 1)]
        ids = {user_id for each in documents for user_id in (each["user"], each["inviter"])}
        users = await self._services.directory.load(ids)
        return [
            self._invitation(each, users)
            for each in documents
            if all(users[each[key]].id == each[key] for key in ("user", "inviter")) and each["user"] not in chat.members
        ]

    @staticmethod
    def _invitation(document: Document, users: Mapping[int, models.User]) -> ChatInvitation:
        return ChatInvitation(
            document["_id"],
            document["chat"],
            users[document["user"]],
            users[document["inviter"]],
            document["created_us"],
        )

    async def _get_managed(self, caller: models.User, chat_id: int) -> models.Chat:
        chat = await self._services.chats.get(chat_id)
        self._check_manager(chat, caller)
        return chat

    @staticmethod
    def _check_manager(chat: models.Chat, caller: models.User) -> None:
        if caller.id not in chat.manager_ids:
            raise errors.NoRight("Only the owner and admins can see and answer invitations")

    async def _get_oldest(self, caller: models.User, chat_id: int, user_id: int) -> ChatInvitation:
        for invitation in await self.list_of(caller, chat_id):
            if invitation.user.id == user_id:
                return invitation
        raise errors.InvitationUnknown

    async def approve(self, caller: models.User, chat_id: int, user_id: int) -> None:
        """Take an invited user in; all invitations of that user to the chat are settled.

        Raises:
            ChatUnknown, NoRight, InvitationUnknown: nothing was changed.
        """
        check_scope(caller, Ability.CHANGE_CHATS)
        invitation = await self._get_oldest(caller, chat_id, user_id)
        chat = await self._services.chats.get(chat_id)
        text = f"{caller.name} approved {invitation.user.name} to join the group, invited by {invitation.inviter.name}"
        try:
            await self._services.chats.add_member(
                chat, caller, invitation.user, text, allow=lambda chat: self._check_manager(chat, caller)
            )
        except errors.AlreadyMember:
            raise errors.InvitationUnknown from None
        finally:
            if user_id in chat.members:
                await self._collection.delete_many({"chat": chat_id, "user": user_id})

    async def decline(self, caller: models.User, chat_id: int, user_id: int) -> None:
        """Drop the oldest invitation of a user.

        Raises:
            ChatUnknown, NoRight, InvitationUnknown: nothing was changed.
        """
        check_scope(caller, Ability.CHANGE_CHATS)
        invitation = await self._get_oldest(caller, chat_id, user_id)
        if not (await self._collection.delete_one({"_id": invitation.id})).deleted_count:
            raise errors.InvitationUnknown

    async def on_event(self, event: Event) -> None:
        """Invitations go when what they are about goes."""
        match event:
            case events.ChatDeleted(chat):
                await self._collection.delete_many({"chat": chat.id})
            case events.MemberAdded(chat, user_id):
                await self._collection.delete_many({"chat": chat.id, "user": user_id})
            case events.AccountDeleted(user_id):
                await self._collection.delete_many({"$or": [{"user": user_id}, {"inviter": user_id}]})
