"""What is asked before a message is stored, and how it is kept from doing harm."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from nova_tornado.domain.errors import MessageRefused, NovaError
from nova_tornado.domain.models import CONTENT_TEXT, Chat, User
from nova_tornado.domain.rules import check_text
from nova_tornado.plugin_strikes import Strikes

log = logging.getLogger(__name__)

FILTER_TIMEOUT_S = 1.0
"""A busy server must not refuse what nothing is wrong with; nobody waits longer than this for a filter that hangs."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message, or a new text for one, before it is stored.

    Attributes:
        chat, sender: where, and by whom.
        text: the text; "" if there are only files.
        is_edit: it replaces the text of a message.
        client_id: the sender's own id of the send, if he gave one.
        reply_to: the id of the message that it answers.
        content_type: what the sender calls the content.
        file_count: how many files come with it.
    """

    chat: Chat
    sender: User
    text: str
    is_edit: bool = False
    client_id: str | None = None
    reply_to: int | None = None
    content_type: str = CONTENT_TEXT
    file_count: int = 0


class MessageFilter(Protocol):
    """Is asked before a message is stored.

    Attributes:
        name: what it is called in the log.
        fails_open: whether a message passes where the filter fails or takes longer than ``FILTER_TIMEOUT_S``.
    """

    name: str
    fails_open: bool

    def concerns(self, chat: Chat, sender: User) -> bool:
        """Whether it is to be asked at all; must answer at once. Where nobody is concerned, sends take the fast way."""

    async def check(self, message: OutgoingMessage) -> str | None:
        """Let a message pass (None), or say what is stored instead.

        Raises:
            MessageRefused: it must not be stored; the text says why.
        """


class Filters:
    """Asks the filters of all plugins, in order.

    A filter that fails is handled as it declares, and after ``STRIKES_MAX_COUNT`` failures it is not asked any more
    until the next start.

    Args:
        strikes: where failures are counted.
    """

    def __init__(self, strikes: Strikes) -> None:
        self._strikes = strikes
        self._filters: Sequence[tuple[str, MessageFilter]] = ()

    def set(self, filters: Sequence[tuple[str, MessageFilter]]) -> None:
        """Take the filters, each with its plugin's name."""
        self._filters = filters

    def concern(self, chat: Chat, sender: User) -> bool:
        """Whether a message must be checked."""
        for plugin, each in self._filters:
            if self._strikes.is_out(plugin, each.name):
                continue
            try:
                if each.concerns(chat, sender):
                    return True
            except Exception:
                return True  # ``check`` meets it again, and counts it
        return False

    async def check(self, message: OutgoingMessage) -> str:
        """Ask the filters.

        Returns:
            The text to store.

        Raises:
            MessageRefused: it must not be stored.
        """
        text = message.text
        for plugin, message_filter in self._filters:
            if self._strikes.is_out(plugin, message_filter.name):
                continue
            asked = replace(message, text=text)
            try:
                if not message_filter.concerns(message.chat, message.sender):
                    continue
                async with asyncio.timeout(FILTER_TIMEOUT_S):
                    changed = await message_filter.check(asked)
                if changed is not None and changed != text:
                    text = check_text(changed)
            except MessageRefused:
                raise
            except Exception as error:
                self._note(plugin, message_filter, error)
                if not message_filter.fails_open:
                    raise MessageRefused("The message cannot be checked at the moment, try again later") from None
        return text

    def _note(self, plugin: str, message_filter: MessageFilter, error: Exception) -> None:
        if isinstance(error, NovaError):
            log.warning("filter %s of plugin %s failed: %s", message_filter.name, plugin, error.message)
        else:
            log.error("filter %s of plugin %s failed", message_filter.name, plugin, exc_info=error)
        if self._strikes.add(plugin, message_filter.name, type(error).__name__):
            log.error("filter %s of plugin %s is switched off until the next start", message_filter.name, plugin)
