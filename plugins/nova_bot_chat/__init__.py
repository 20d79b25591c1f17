"""Bots that can be chatted with: the built-in assistant, an echo, any OpenAI-like service, those of other plugins."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from nova_bot_chat import assistant
from nova_bot_chat.assistant import Assistant
from nova_bot_chat.echo import Echo
from nova_bot_chat.handlers import ROUTES
from nova_bot_chat.notes import BOT_ANSWERS
from nova_bot_chat.openai import OPTIONS, OpenAIBot
from nova_bot_chat.runner import BotRunner
from nova_tornado.api import Bot, ClientModule, CollectionSpec, Command, Nova, PluginOption, Route, Subscriber, hookimpl


@hookimpl
def nova_settings() -> Sequence[PluginOption]:
    """What can be set of the outside service."""
    return OPTIONS


@hookimpl
def nova_collections() -> Sequence[CollectionSpec]:
    """What is being answered, and what the assistant keeps."""
    return [BOT_ANSWERS, *assistant.COLLECTIONS]


@hookimpl
def nova_routes(nova: Nova) -> Sequence[Route]:
    """The list of bots and commands."""
    return [(path, handler, {"runner": nova.shared(BotRunner)}) for path, handler in ROUTES]


@hookimpl
def nova_bots(nova: Nova) -> Sequence[Bot]:
    """The assistant, the echo, and the one that speaks through an outside service, if one is set."""
    return [Assistant(nova), Echo(), *([OpenAIBot(nova)] if nova.settings["openai_url"] else [])]


@hookimpl
def nova_commands(nova: Nova) -> Sequence[Command]:
    """The assistant's commands."""
    return assistant.commands(nova)


@hookimpl
def nova_subscribers(nova: Nova) -> Sequence[Subscriber]:
    """Who hears what is said to bots."""
    return [nova.shared(BotRunner), *assistant.subscribers(nova)]


@hookimpl
def nova_client_modules() -> Sequence[ClientModule]:
    """Bots and their answers in the browser client."""
    return [ClientModule(Path(__file__).parent / "client", messages="messages", stylesheet="bots.css")]


@hookimpl
def nova_lifespan(nova: Nova) -> Sequence[AbstractAsyncContextManager[Any]]:
    """Bots answer while the server runs, and remind."""
    return [nova.shared(BotRunner), assistant.reminder_clock(nova)]
