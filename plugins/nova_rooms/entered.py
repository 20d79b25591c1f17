"""Who is *in* which group: a state of this protocol alone, kept in memory.

Source: contract "protocols" section 3.7.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass

from nova_tornado.api import Event, Services, errors, events, models


@dataclass(frozen=True, slots=True)
class GroupActivity(Event):
    """A user has entered or left a group.

    Attributes:
        user_ids: who is in the group then.
        process: where it happened.
    """

    chat_id: int
    user: models.User
    is_enter: bool
    user_ids: tuple[int, ...]
    process: str = ""


class Entered:
    """Who has entered which group and not left it.

    Somebody who was removed from a group is not in it any more, whether or not he comes back as a member: what is kept
    is the membership by which he has entered.

    Attributes:
        process: a name for this process among others, which are told of what changes here.
    """

    def __init__(self) -> None:
        self.process = secrets.token_hex(8)
        self._memberships: dict[int, dict[int, int]] = {}  # chat id → user id → membership id

    def list_in(self, chat: models.Chat) -> list[int]:
        """The users in a group, in the order of their entering."""
        return [
            user_id
            for user_id, membership_id in self._memberships.get(chat.id, {}).items()
            if user_id in chat.members and chat.members[user_id].id == membership_id
        ]

    def add(self, chat: models.Chat, user_id: int) -> bool:
        """A member enters; False if he is in already."""
        if user_id in self.list_in(chat):
            return False
        entered = self._memberships.setdefault(chat.id, {})
        entered.pop(user_id, None)
        entered[user_id] = chat.members[user_id].id
        return True

    def remove(self, chat: models.Chat, user_id: int) -> bool:
        """A user leaves; False if he is not in."""
        was_in = user_id in self.list_in(chat)
        self._memberships.get(chat.id, {}).pop(user_id, None)
        self._drop_if_empty(chat.id)
        return was_in

    def remove_user(self, user_id: int) -> None:
        """A user is in no group any more."""
        for chat_id in [chat_id for chat_id, entered in self._memberships.items() if user_id in entered]:
            del self._memberships[chat_id][user_id]
            self._drop_if_empty(chat_id)

    def tidy(self, chat: models.Chat) -> None:
        """Forget those who are no members any more."""
        if chat.id in self._memberships:
            remaining = self.list_in(chat)
            entered = self._memberships[chat.id]
            self._memberships[chat.id] = {user_id: entered[user_id] for user_id in remaining}
            self._drop_if_empty(chat.id)

    def remove_chat(self, chat_id: int) -> None:
        """A group is gone."""
        self._memberships.pop(chat_id, None)

    def _drop_if_empty(self, chat_id: int) -> None:
        if not self._memberships.get(chat_id, True):
            del self._memberships[chat_id]


class EnteredKeeper:
    """Ends somebody's being in groups where the reason lies elsewhere, and follows other processes (a subscriber).

    Args:
        entered: who is in which group.
        services: tell whether somebody has a token left.
    """

    hears_other_processes = True

    def __init__(self, entered: Entered, services: Services) -> None:
        self._entered = entered
        self._services = services

    async def on_event(self, event: Event) -> None:
        """One thing that happened."""
        match event:
            case events.SessionsEnded(user_id) | events.SignedOut(user_id):
                await self.end_if_signed_out(user_id)
            case events.AccountDeleted(user_id):
                self._entered.remove_user(user_id)
            case events.MemberRemoved(chat):
                self._entered.tidy(chat)
            case events.ChatDeleted(chat):
                self._entered.remove_chat(chat.id)
            case GroupActivity(chat_id, user, is_enter) if event.process != self._entered.process:
                await self._follow(chat_id, user, is_enter=is_enter)

    async def _follow(self, chat_id: int, user: models.User, *, is_enter: bool) -> None:
        with suppress(errors.ChatUnknown):
            chat = await self._services.chats.get(chat_id)
            if not is_enter:
                self._entered.remove(chat, user.id)
            elif user.id in chat.members:
                self._entered.add(chat, user.id)

    async def end_if_signed_out(self, user_id: int) -> None:
        """Whoever has no token any more is in no group any more."""
        if not await self._services.accounts.has_token(user_id):
            self._entered.remove_user(user_id)
