"""The world that the tests of all protocols share."""

import pytest
from stored import snapshot_of_all
from together.world import NEVER_S, World

from nova_tornado.realtime import checkpoints, presence
from nova_tornado.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(bcrypt_rounds=4, rate_limits=False, mail_dir=tmp_path / "mail")


@pytest.fixture
def world(nova, http_server, http_port, settings):
    """Nobody is there yet."""
    world = World(nova, http_port)
    world.more["mail_dir"] = settings.mail_dir
    yield world
    world.close()


@pytest.fixture
def no_presence(monkeypatch):
    """Nobody is told who is online."""
    monkeypatch.setattr(presence, "GATHER_S", NEVER_S)


@pytest.fixture
def stored(database, monkeypatch):
    """What is stored; nothing of it comes later, as read cursors do."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_INTERVAL_S", NEVER_S)
    return lambda: snapshot_of_all(database)
