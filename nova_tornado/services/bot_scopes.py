"""What bots from outside may do: the one place that says so, whichever protocol a bot speaks.

Each method of the services that changes something begins with ``check_scope``; what shows messages asks
``check_reading``; what is told to a socket goes through ``hearing_of``. A plugin that changes something of its own for
a user calls ``check_scope`` as well. People and the plugins' own bots have no scope, and pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType

from nova_tornado.domain.errors import NoRight
from nova_tornado.domain.events import Event, MessageSent
from nova_tornado.domain.mentions import is_called
from nova_tornado.domain.models import BotScope, Chat, Entry, User
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.services.message_finder import MessageFinder
from nova_tornado.storage.database import Document
from nova_tornado.storage.messages import shown_to
from nova_tornado.storage.store import Store

INVOKED_FOR_S = 600
"""How long after it was invoked in a chat a bot of the scope ``INVOKED`` may send there."""
PAGE_CALLS = 100


class Ability(StrEnum):
    """What changes something."""

    SEND = "send"
    UPLOAD = "upload"
    """Files that nobody sees before they are sent."""
    CHANGE_MESSAGES = "change_messages"
    """Editing, taking back, hiding; and saying that one is typing."""
    CHANGE_CHATS = "change_chats"
    """Making, renaming, deleting chats; who is in them, and what else there is to set in them."""
    KEEP_FRIENDS = "keep_friends"
    """Nicknames, groups, ending a friendship."""
    BEFRIEND = "befriend"
    """Asking for friendship and answering."""
    CHANGE_ACCOUNT = "change_account"


ABILITIES: Mapping[BotScope, frozenset[Ability]] = MappingProxyType(
    {
        BotScope.READ: frozenset(),
        BotScope.INVOKED: frozenset((Ability.SEND, Ability.UPLOAD)),
        BotScope.WRITE: frozenset(Ability) - {Ability.BEFRIEND, Ability.CHANGE_ACCOUNT},
    }
)
REFUSAL: Mapping[BotScope, str] = MappingProxyType(
    {
        BotScope.READ: "This bot may only read",
        BotScope.INVOKED: "This bot may only answer where it was invoked",
        BotScope.WRITE: "Bots can neither change their accounts nor ask for friendship",
    }
)
INVOKED_READS = "This bot reads only what invokes it"
OWN_CHATS_ONLY = "This bot reads only the chats that it is in"

Hears = Callable[[Event], bool]


def check_scope(user: User, ability: Ability) -> None:
    """Make sure that a user may do that at all; what the chat allows him is asked besides.

    Raises:
        NoRight: he is a bot from outside, and its scope does not reach so far.
    """
    if user.bot_scope is not None and ability not in ABILITIES[user.bot_scope]:
        raise NoRight(REFUSAL[user.bot_scope])


def check_reading(user: User, chat: Chat) -> None:
    """Make sure that a user may read a chat's history; that he is in it is asked besides.

    Raises:
        NoRight: he is a bot from outside, and its scope does not reach so far.
    """
    if user.bot_scope in (None, BotScope.WRITE):
        return
    if user.id not in chat.members:
        raise NoRight(OWN_CHATS_ONLY)
    if not sees_history(user, chat):
        raise NoRight(INVOKED_READS)


def sees_history(user: User, chat: Chat) -> bool:
    """Whether a member's scope lets him see what was said to others."""
    return user.bot_scope is not BotScope.INVOKED or chat.is_private


def hearing_of(user: User) -> Hears | None:
    """Which events a user's sockets are told of; None: of all that concern him."""
    if user.bot_scope is not BotScope.INVOKED:
        return None
    return lambda event: isinstance(event, MessageSent) and _is_for(user, event.chat, event.message, event.sender)


def _is_for(bot: User, chat: Chat, message: Entry, sender: User) -> bool:
    """Whether a message invokes a bot of the scope ``INVOKED``, or is its own."""
    return sender.id == bot.id or chat.is_private or invokes(bot, chat, message, sender)


def invokes(bot: User, chat: Chat, message: Entry, sender: User) -> bool:
    """Whether somebody has called a bot by that message: in a private chat by any, in a group by its name."""
    if sender.is_system or sender.id == bot.id:
        return False
    return chat.is_private or is_called(bot.name, message.text)


def unbound(bot: User) -> User:
    """The bot as the server itself acts for it: the scope binds what comes with its token."""
    return replace(bot, bot_scope=None)


class Invocations:
    """Looks up whether a bot was invoked lately; the chats' logs know, so a restart forgets nothing.

    Args:
        store, directory, clock: the parts it works with.
        finder: finds places in logs.
    """

    def __init__(self, store: Store, directory: UserDirectory, clock: Clock, finder: MessageFinder) -> None:
        self._messages = store.messages
        self._directory = directory
        self._clock = clock
        self._finder = finder

    async def check(self, bot: User, chat: Chat, answered: tuple[Entry, User] | None) -> None:
        """Make sure that a bot of the scope ``INVOKED`` may send now.

        Args:
            answered: the message that it answers, if it names one, with its author: it must not be shown by that what
                it does not see.

        Raises:
            NoRight: it was not invoked in this chat in the last ``INVOKED_FOR_S``, or answers what was said to others.
        """
        if answered is not None and not _is_for(bot, chat, *answered):
            raise NoRight(INVOKED_READS)
        since_us = self._clock.now_us() - INVOKED_FOR_S * 1_000_000
        if chat.last_sent_us < since_us or not await self._was_invoked(bot, chat, since_us):
            raise NoRight(REFUSAL[BotScope.INVOKED])

    async def _was_invoked(self, bot: User, chat: Chat, since_us: int) -> bool:
        condition: Document = {"sender": {"$nin": [bot.id, self._directory.system.id]}, **shown_to(bot.id)}
        if not chat.is_private:
            condition["text"] = {"$regex": re.escape(bot.name), "$options": "i"}  # most of what cannot be a call
        after_seq, before_seq = await self._finder.first_seq_at(chat, since_us) - 1, chat.last_seq + 1
        while before_seq > after_seq + 1:
            page = await self._messages.list_page(
                chat.id, after_seq=after_seq, before_seq=before_seq, limit=PAGE_CALLS, condition=condition
            )
            if any(chat.is_private or is_called(bot.name, message.text) for message in page):
                return True
            if len(page) < PAGE_CALLS:
                return False
            before_seq = page[-1].seq
        return False
