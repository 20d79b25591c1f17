"""The plugin of docs/plugins.md, as it is written there, installed and used."""

from __future__ import annotations

import importlib
import sys
import tomllib
from importlib.metadata import EntryPoint

import pytest
from clients.base import ProtocolClient
from docs.transcripts import blocks
from tornado.httpclient import HTTPClientError

from nova_tornado.plugin.hookspecs import ENTRY_POINT_GROUP
from nova_tornado.plugin.loader import Plugins

GUIDE = "docs/plugins.md"
NAME = "nova_chat_notes"


@pytest.fixture
def guide_plugin(tmp_path, monkeypatch):
    """The plugin of the guide as the only one that is installed."""
    (tmp_path / f"{NAME}.py").write_text("\n\n".join(block.text for block in blocks(GUIDE, "python")))
    monkeypatch.syspath_prepend(tmp_path)
    yield Plugins(found=[EntryPoint(NAME, NAME, ENTRY_POINT_GROUP)])
    sys.modules.pop(NAME, None)


TICKER = "nova_ticker"


@pytest.fixture
def ticker_plugin(tmp_path, monkeypatch):
    """The guide's protocol as the only plugin that is installed."""
    [block] = blocks(GUIDE, "python ticker")
    (tmp_path / f"{TICKER}.py").write_text(block.text)
    monkeypatch.syspath_prepend(tmp_path)
    yield Plugins(found=[EntryPoint(TICKER, TICKER, ENTRY_POINT_GROUP)])
    sys.modules.pop(TICKER, None)


class TestTicker:
    @pytest.fixture
    def nova(self, start_nova, settings, ticker_plugin):
        return start_nova(settings, plugins=ticker_plugin)

    @pytest.mark.gen_test
    async def test_nova_protocols_are_spoken(self, people):
        alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
        await alice.befriend(bob)
        chat_id = await alice.new_group(bob)
        listeners = []
        for person in (bob, carol):
            headers = {"Cookie": f"sessionid={person.cookie}"}
            listeners.append(await TickerClient.connect(person.port, None, headers=headers))
        socket = await alice.socket()
        await socket.send("send_message", {"chat_id": chat_id, "content": "Bring cake"})
        await socket.expect("new_message", "messages_read")
        assert await listeners[0].drain() == [{"chat": chat_id, "from": "alice", "text": "Bring cake"}]
        assert await listeners[1].drain() == []
        assert (await alice.get("/ws/ticker/")).status == 400
        with pytest.raises(HTTPClientError) as refused:
            await TickerClient.connect(alice.port, None)
        assert refused.value.code == 401
        for listener in listeners:
            listener.close()


class TickerClient(ProtocolClient):
    path = "/ws/ticker/"

    def barrier(self):
        return {}

    def is_barrier(self, packet):
        return packet == {"error": "This socket only listens"}


@pytest.fixture
def nova(start_nova, settings, guide_plugin):
    return start_nova(settings, plugins=guide_plugin)


def test_its_package_is_found_by_its_entry_point():
    [block] = blocks(GUIDE, "toml")
    project = tomllib.loads(block.text)
    assert project["project"]["entry-points"][ENTRY_POINT_GROUP] == {NAME: NAME}
    assert project["tool"]["setuptools"]["py-modules"] == [NAME]


def test_all_hooks_are_listed(guide_plugin):
    [info] = guide_plugin.infos
    assert (info.name, info.state) == (NAME, "on")
    assert info.hooks == ("nova_collections", "nova_routes", "nova_subscribers")


def test_it_imports_the_api_alone(guide_plugin):
    module = importlib.import_module(NAME)
    api = importlib.import_module("nova_tornado.api")
    text = "".join(block.text for block in blocks(GUIDE, "python"))
    imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert imports
    assert all(line.startswith("from nova_tornado.api import ") for line in imports)
    names = [name.strip() for line in imports for name in line.partition(" import ")[2].split(",")]
    assert set(names) <= set(api.__all__)
    assert all(getattr(module, name) is getattr(api, name) for name in names)


def test_nova_collections_are_made_with_their_indexes(nova, database):
    assert "chat_notes" in database.list_collection_names()
    assert [("author", 1)] in [index["key"] for index in database.chat_notes.index_information().values()]


@pytest.mark.gen_test
async def test_nova_routes_are_served(people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    await alice.befriend(bob)
    chat_id = await alice.new_group(bob)
    path = f"/chat/{chat_id}/note"
    assert (await bob.get(path)).data == ""
    assert (await alice.request("PUT", path, {"text": "Bring cake"})).data is None
    assert (await bob.get(path)).data == "Bring cake"
    assert (await bob.request("PUT", path, {"text": "x" * 1001})).status == 400
    assert (await bob.request("PUT", path, {})).status == 400
    assert (await carol.get(path)).status == 403
    assert (await carol.request("OPTIONS", path)).headers["Allow"] == "GET, PUT, OPTIONS"
    alice.cookie = None
    assert (await alice.get(path)).status == 403


@pytest.mark.gen_test
async def test_nova_subscribers_are_told_of_what_has_happened(nova, people, database):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    kept, gone = await alice.new_group(bob), await alice.new_group(bob)
    for chat_id in (kept, gone):
        await bob.request("PUT", f"/chat/{chat_id}/note", {"text": "Bring cake"})
    assert (await alice.delete(f"/chat/{gone}")).data is None
    assert (await bob.delete("/user")).data is None
    await nova._dispatcher.drained()
    assert list(database.chat_notes.find()) == [{"_id": kept, "text": "Bring cake"}]
