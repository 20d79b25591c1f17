"""Every hook that a plugin may implement.

Hooks are called once, at start-up, in the order of the plugins' names, and return objects; those run later. Mark an
implementation with ``@hookimpl`` (``nova_tornado.api``). A hook may be declared with fewer arguments than are
offered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from nova_tornado.domain.events import Event
from nova_tornado.realtime.hub import WireProtocol
from nova_tornado.services.filters import MessageFilter
from nova_tornado.settings import PLUGIN_ENTRY_POINTS
from nova_tornado.storage.database import CollectionSpec

if TYPE_CHECKING:
    import click

    from nova_tornado.api import Nova
    from nova_tornado.plugin.conversations import Conversation

PROJECT = "nova"
ENTRY_POINT_GROUP = PLUGIN_ENTRY_POINTS

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Route = tuple[str, type] | tuple[str, type, dict[str, Any]]
"""A path (a regular expression), its handler, and what the handler's ``initialize`` gets besides ``services``."""


class Subscriber(Protocol):
    """Is told of what has happened, after it is stored.

    A subscriber is told of what happened in its own process, so that among several processes one of them acts. One that
    keeps something in memory in step with the events has an attribute ``hears_other_processes = True``: it is told of
    everything in every process that has users concerned, and may be told that it has missed something
    (``events.NewsMissed``). It must not act: send, call, or count.

    One that has an attribute ``event_types``, a tuple of classes, is told of those events alone; nothing has to be done
    for the others, which are most of them where people talk.
    """

    async def on_event(self, event: Event) -> None:
        """One thing that happened. What this raises is logged and harms nobody."""


class BatchSubscriber(Protocol):
    """As ``Subscriber``, for one that does less work for many events together than for each by itself."""

    async def on_events(self, events: Sequence[Event]) -> None:
        """All that has happened since the last call, in order; one event where little does."""


def parse_text(value: object) -> str:
    """The usual check of a setting: text.

    Raises:
        ValueError: it is none; the text completes a sentence that begins with the value.
    """
    if not isinstance(value, str):
        raise ValueError("is not text in quotes")
    return value


@dataclass(frozen=True, slots=True)
class PluginOption:
    """A setting of a plugin.

    Attributes:
        name: the key in the plugin's table of ``nova.toml``.
        default: its value where none is given.
        parse: makes the value out of what TOML holds, or of a variable's text; raises ``ValueError``.
        is_secret: whether it is kept out of messages.
    """

    name: str
    default: Any
    parse: Callable[[object], Any] = parse_text
    is_secret: bool = False


BotReply = str | AsyncIterator[str]
"""What a bot says: at once, or piece by piece."""


class Bot(Protocol):
    """Somebody to chat with who is a program.

    Attributes:
        name: the user name.
        avatar_url: "" for a generated one.
        help: one sentence on what it can do.
    """

    name: str
    avatar_url: str
    help: str

    async def reply(self, conversation: Conversation) -> BotReply:
        """Answer what was said last. Whatever this raises is told to the user as a plain sentence."""


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command.

    Attributes:
        name: without the slash.
        usage: what stands behind it, such as ``question | a | b``.
        help: one sentence.
        run: carries it out; the conversation has its ``arguments``.
    """

    name: str
    usage: str
    help: str
    run: Callable[[Conversation], Awaitable[BotReply]]


@dataclass(frozen=True, slots=True)
class MountedProtocol:
    """A wire protocol and the paths at which it is spoken.

    Attributes:
        protocol: renders events; the ``initialize`` of the handlers gets it as ``protocol``.
        routes: the paths.
        subscribers: what of the protocol is told of events, apart from rendering them.
    """

    protocol: WireProtocol
    routes: Sequence[Route]
    subscribers: Sequence[Subscriber | BatchSubscriber] = ()

    @property
    def name(self) -> str:
        """The protocol's name."""
        return self.protocol.name


@dataclass(frozen=True, slots=True)
class ClientModule:
    """A plugin's part of the browser client: a module, and what it needs.

    All files of the folder that a page can use are served below ``/static/<version>/plugins/<plugin>/``, where anybody
    may read them.

    Attributes:
        folder: where they lie, inside the plugin's package.
        entry: the module's path in the folder; its default export is called with what ``nova`` exports.
        messages: the folder in it that holds the module's texts, one ``<language>.json`` each; "" if there is none.
        stylesheet: its path in the folder; "" if there is none.
    """

    folder: Path
    entry: str = "main.js"
    messages: str = ""
    stylesheet: str = ""


@hookspec
def nova_settings() -> Sequence[PluginOption]:  # type: ignore[empty-body]
    """Settings of the plugin's own; it finds their values in ``nova.settings``."""


@hookspec
def nova_collections() -> Sequence[CollectionSpec]:  # type: ignore[empty-body]
    """Collections of the plugin's own, with their indexes; their names begin with the plugin's name or a clear noun."""


@hookspec
def nova_routes(nova: Nova) -> Sequence[Route]:  # type: ignore[empty-body]
    """Paths that the plugin serves."""


@hookspec
def nova_subscribers(nova: Nova) -> Sequence[Subscriber | BatchSubscriber]:  # type: ignore[empty-body]
    """Objects that are told of every event."""


@hookspec
def nova_protocols(nova: Nova) -> Sequence[MountedProtocol]:  # type: ignore[empty-body]
    """Wire protocols that the plugin adds."""


@hookspec
def nova_message_filters(nova: Nova) -> Sequence[MessageFilter]:  # type: ignore[empty-body]
    """Objects that are asked before a message is stored."""


@hookspec
def nova_bots(nova: Nova) -> Sequence[Bot]:  # type: ignore[empty-body]
    """Bots that can be chatted with."""


@hookspec
def nova_commands(nova: Nova) -> Sequence[Command]:  # type: ignore[empty-body]
    """Slash commands, which the bots know."""


@hookspec
def nova_client_modules() -> Sequence[ClientModule]:  # type: ignore[empty-body]
    """Parts of the browser client."""


@hookspec
def nova_cli() -> Sequence[click.Command]:  # type: ignore[empty-body]
    """Commands of the command line."""


@hookspec
def nova_lifespan(nova: Nova) -> Sequence[AbstractAsyncContextManager[Any]]:  # type: ignore[empty-body]
    """Context managers around the server's life: entered before it serves, left when it stops."""
