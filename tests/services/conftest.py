"""Fixtures of the tests of the services, without any protocol in between."""

from __future__ import annotations

import pytest
from services.recorder import Recorder

from nova_tornado.app import NovaApp
from nova_tornado.services.accounts import AccountService


@pytest.fixture
def accounts(nova: NovaApp) -> AccountService:
    """The accounts of the Nova under test."""
    return nova.services.accounts


@pytest.fixture
def happened(nova: NovaApp) -> Recorder:
    """What is published from the beginning of the test."""
    return Recorder(nova)
