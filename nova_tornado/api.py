"""All that a plugin may import.

A plugin is a module (or object) behind an entry point of the group ``nova.plugins``; what it can hook into stands in
``nova_tornado.plugin.hookspecs``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nova_tornado.domain import errors, events, models, rules
from nova_tornado.domain.errors import ErrorCode, NovaError
from nova_tornado.domain.events import Event
from nova_tornado.domain.mentions import mention_of
from nova_tornado.domain.times import iso_time
from nova_tornado.native import packets as native_packets
from nova_tornado.native.base import ActionsHandler, path_id
from nova_tornado.native.chat_handlers import HistoryHandler
from nova_tornado.native.schemas import AnyFields, UserId
from nova_tornado.plugin.commands import open_for_command, with_settings
from nova_tornado.plugin.conversations import Conversation
from nova_tornado.plugin.hookspecs import (
    BatchSubscriber,
    Bot,
    BotReply,
    ClientModule,
    Command,
    MountedProtocol,
    PluginOption,
    Route,
    Subscriber,
    hookimpl,
)
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.connection import Connection, Outbox
from nova_tornado.realtime.hub import Packet, WireProtocol
from nova_tornado.services.bot_scopes import Ability, check_scope, hearing_of, unbound
from nova_tornado.services.bots import BotDesk
from nova_tornado.services.filters import MessageFilter, OutgoingMessage
from nova_tornado.services.messages import MessageSearch
from nova_tornado.storage.database import CollectionSpec, Document, DuplicateKeyError, Index, MongoCollection
from nova_tornado.storage.sessions import SessionKind
from nova_tornado.storage.store import Store
from nova_tornado.web.accept import prefers_html
from nova_tornado.web.base import BaseHandler
from nova_tornado.web.jsons import dumps, dumps_exact, loads_exact
from nova_tornado.web.outbound import Answer, OutboundClient
from nova_tornado.web.outbound_targets import OutboundError
from nova_tornado.web.schemas import Checked, Request, optional
from nova_tornado.web.services import Services
from nova_tornado.web.socket import JsonSocket, SignedInSocket

__all__ = [
    "Ability",
    "ActionsHandler",
    "Answer",
    "AnyFields",
    "BaseHandler",
    "BatchSubscriber",
    "Bot",
    "BotDesk",
    "BotReply",
    "Checked",
    "ClientModule",
    "Clock",
    "CollectionSpec",
    "Command",
    "Connection",
    "Conversation",
    "Document",
    "DuplicateKeyError",
    "ErrorCode",
    "Event",
    "HistoryHandler",
    "Index",
    "JsonSocket",
    "MessageFilter",
    "MessageSearch",
    "MongoCollection",
    "MountedProtocol",
    "Nova",
    "NovaError",
    "OutboundClient",
    "OutboundError",
    "Outbox",
    "OutgoingMessage",
    "Packet",
    "PluginOption",
    "Request",
    "Route",
    "Services",
    "SessionKind",
    "SignedInSocket",
    "Subscriber",
    "UserId",
    "WireProtocol",
    "check_scope",
    "dumps",
    "dumps_exact",
    "errors",
    "events",
    "hearing_of",
    "hookimpl",
    "iso_time",
    "loads_exact",
    "mention_of",
    "models",
    "native_packets",
    "open_for_command",
    "optional",
    "path_id",
    "prefers_html",
    "rules",
    "unbound",
    "with_settings",
]


T = TypeVar("T")


@dataclass(slots=True)
class Offers:
    """What plugins give for others to use; complete when the lifespans begin."""

    bots: list[Bot] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Nova:
    """What a plugin gets of the server.

    Attributes:
        services: the rules, one service a noun.
        settings: the plugin's own ones.
        is_alone: no other process serves this database, as far as it was set up; else what is to be done once, and not
            once in each process, must be claimed in the database first.
    """

    services: Services
    settings: Mapping[str, Any]
    _store: Store
    _offers: Offers
    _shared: dict[Callable[[Nova], Any], Any] = field(default_factory=dict)
    is_alone: bool = True

    def shared(self, make: Callable[[Nova], T]) -> T:
        """What several hooks of the plugin work with: made once for each server.

        Args:
            make: makes it of this facade; a class, or a function at a module's top.
        """
        if make not in self._shared:
            self._shared[make] = make(self)
        made: T = self._shared[make]
        return made

    @property
    def bots(self) -> Sequence[Bot]:
        """The bots of all plugins; complete when the lifespans begin."""
        return self._offers.bots

    @property
    def commands(self) -> Sequence[Command]:
        """The slash commands of all plugins; complete when the lifespans begin."""
        return self._offers.commands

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.services.clock

    def collection(self, spec: CollectionSpec) -> MongoCollection:
        """One of the plugin's own collections (as given to ``nova_collections``)."""
        return self._store.database.collection(spec)

    async def next_id(self, kind: str) -> int:
        """A fresh id of a kind of the plugin's own: an integer that grows and is never given out twice."""
        return await self._store.counters.next_id(kind)

    def publish(self, event: Event) -> None:
        """Tell of something that has happened and is stored."""
        self.services.bus.publish(event)
