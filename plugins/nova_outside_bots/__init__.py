"""Bots from outside: programs with a token of limited scope, incoming and outgoing webhooks, ``nova bots``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from weakref import WeakValueDictionary

import click

from nova_outside_bots.commands import bots
from nova_outside_bots.handlers import PATH, HookHandler
from nova_outside_bots.incoming import HOOKS
from nova_outside_bots.keeper import Keeper
from nova_outside_bots.registry import REVOCATIONS
from nova_outside_bots.settings import OPTIONS
from nova_outside_bots.webhooks import DELIVERIES, WEBHOOKS
from nova_tornado.api import CollectionSpec, Nova, PluginOption, Route, Subscriber, hookimpl

_keepers: WeakValueDictionary[int, Keeper] = WeakValueDictionary()
"""One for each server in this process, by the identity of its services; it lives as long as it is subscribed."""


def _keeper_of(nova: Nova) -> Keeper:
    keeper = _keepers.get(id(nova.services))
    if keeper is None:
        keeper = _keepers[id(nova.services)] = Keeper(nova)
    return keeper


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
    return [(PATH, HookHandler, {"hooks": _keeper_of(nova).registry.hooks})]


@hookimpl
def nova_subscribers(nova: Nova) -> Sequence[Subscriber]:
    """Webhooks are told, bots befriended."""
    return [_keeper_of(nova)]


@hookimpl
def nova_lifespan(nova: Nova) -> Sequence[AbstractAsyncContextManager[Any]]:
    """Delivers, and closes what was revoked."""
    return [_keeper_of(nova)]


@hookimpl
def nova_cli() -> Sequence[click.Command]:
    """``nova bots``."""
    return [bots]
