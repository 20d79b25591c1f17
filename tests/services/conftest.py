"""Fixtures of the tests of the services, without any protocol in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from services.recorder import Recorder

from nova_tornado.app import NovaApp
from nova_tornado.services.accounts import AccountService
from nova_tornado.settings import Settings


@pytest.fixture
def start_nova(start_nova: Callable[..., NovaApp]) -> Callable[..., NovaApp]:
    """Starts Novas without bots, so that the accounts of a test are all there are."""

    def start(settings: Settings, **options: Any) -> NovaApp:
        return start_nova(replace(settings, plugins_off=(*settings.plugins_off, "nova_bot_chat")), **options)

    return start


@pytest.fixture
def accounts(nova: NovaApp) -> AccountService:
    """The accounts of the Nova under test."""
    return nova.services.accounts


@pytest.fixture
def happened(nova: NovaApp) -> Recorder:
    """What is published from the beginning of the test."""
    return Recorder(nova)
