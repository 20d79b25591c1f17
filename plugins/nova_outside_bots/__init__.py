"""Bots from outside: programs with a token of limited scope, incoming and outgoing webhooks, ``nova bots``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import click

from nova_outside_bots.commands import bots
from nova_outside_bots.handlers import PATH, HookHandler
from nova_outside_bots.incoming import HOOKS
from nova_outside_bots.keeper import Keeper
from nova_outside_bots.registry import REVOCATIONS
from nova_outside_bots.settings import OPTIONS
from nova_outside_bots.webhooks import DELIVERIES, WEBHOOKS
from nova_tornado.api import CollectionSpec, Nova, PluginOption, Route, Subscriber, hookimpl


@hookimpl
def nova_settings() -> Sequence[PluginOption]:
    """Where outgoing webhooks may lead."""
    return OPTIONS


@hookimpl
def nova_collections() -> Sequence[CollectionSpec]:
    """Webhooks, what is to be delivered, and what was revoked."""
    return [HOOKS, WEBHOOKS, DELIVERIES, REVOCATIONS]


@hookimpl
def nova_routes(nova: Nova) -> Sequence[Route]:
    """POST /hooks/<secret>."""
    return [(PATH, HookHandler, {"hooks": nova.shared(Keeper).registry.hooks})]


@hookimpl
def nova_subscribers(nova: Nova) -> Sequence[Subscriber]:
    """Webhooks are told, bots befriended."""
    return [nova.shared(Keeper)]


@hookimpl
def nova_lifespan(nova: Nova) -> Sequence[AbstractAsyncContextManager[Any]]:
    """Delivers, and closes what was revoked."""
    return [nova.shared(Keeper)]


@hookimpl
def nova_cli() -> Sequence[click.Command]:
    """``nova bots``."""
    return [bots]
