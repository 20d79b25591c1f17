"""Searching a chat's messages by time and sender; rules that are asked before a message is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from nova_message_filters.handlers import FilterHandler
from nova_message_filters.held import HELD_MESSAGES
from nova_message_filters.moderator import Moderator
from nova_message_filters.mutes import CHAT_MUTES
from nova_message_filters.rule_handlers import routes
from nova_message_filters.rulebook import MESSAGE_RULES
from nova_message_filters.server_rules import read_server_rules
from nova_tornado.api import (
    ClientModule,
    CollectionSpec,
    MessageFilter,
    Nova,
    PluginOption,
    Route,
    Subscriber,
    hookimpl,
)


def _moderator(nova: Nova) -> Moderator:
    return Moderator(nova, nova.settings.get("server_rules", ()))


@hookimpl
def nova_settings() -> Sequence[PluginOption]:
    """The rules of the server; they may be long, and are not repeated in messages."""
    return [PluginOption("server_rules", (), read_server_rules, is_secret=True)]


@hookimpl
def nova_collections() -> Sequence[CollectionSpec]:
    """Where rules, held messages and mutes are kept."""
    return [MESSAGE_RULES, HELD_MESSAGES, CHAT_MUTES]


@hookimpl
def nova_message_filters(nova: Nova) -> Sequence[MessageFilter]:
    """The rules."""
    return [nova.shared(_moderator)]


@hookimpl
def nova_routes(nova: Nova) -> Sequence[Route]:
    """The endpoints below /chat/<id>."""
    return [(r"/chat/([0-9]+)/filter", FilterHandler), *routes(nova, nova.shared(_moderator))]


@hookimpl
def nova_subscribers(nova: Nova) -> Sequence[Subscriber]:
    """Rules, held messages and mutes go when what they are about goes."""
    return [nova.shared(_moderator)]


@hookimpl
def nova_client_modules() -> Sequence[ClientModule]:
    """Searching and the rules in the browser client."""
    return [ClientModule(Path(__file__).parent / "client", messages="messages", stylesheet="filters.css")]


@hookimpl
def nova_lifespan(nova: Nova) -> Sequence[AbstractAsyncContextManager[Any]]:
    """Which chats have rules and who is muted is known before anybody is served."""

    @asynccontextmanager
    async def moderating(moderator: Moderator) -> AsyncIterator[None]:
        await moderator.open()
        try:
            yield
        finally:
            await moderator.close()

    return [moderating(nova.shared(_moderator))]
