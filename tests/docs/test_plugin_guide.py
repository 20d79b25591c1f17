"""The plugins of docs/plugins.md, as they are written there, installed and used."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint

import pytest
from clients.base import ProtocolClient
from docs.transcripts import ROOT, blocks
from life.processes import LIMIT_S, clean_environ
from tornado.httpclient import HTTPClientError

from nova_tornado.api import Conversation
from nova_tornado.plugin.hookspecs import ENTRY_POINT_GROUP
from nova_tornado.plugin.loader import Plugins
from nova_tornado.plugin.template import write_plugin
from nova_tornado.settings import GivenValue, Settings
from nova_tornado.testing import RunningNova

GUIDE = "docs/plugins.md"
NAME = "nova_chat_notes"


def code_of(language: str) -> str:
    """All blocks of a language, which are one module."""
    return "\n\n".join(block.text for block in blocks(GUIDE, language))


def write_client(folder):
    """The part of the browser client, beside the plugin's module."""
    (folder / "client" / "messages").mkdir(parents=True)
    (folder / "client" / "main.js").write_text(code_of("js"))
    (folder / "client" / "messages" / "en.json").write_text(code_of("json"))


@pytest.fixture
def guide_plugin(tmp_path, monkeypatch):
    """Makes a plugin of the guide the only one that is installed: ``guide_plugin("ticker")``, or "" for the notes."""
    names = []

    def make(title=""):
        name = f"nova_{title}" if title else NAME
        names.append(name)
        (tmp_path / f"{name}.py").write_text(code_of(f"python {title}".strip()))
        if not title:
            write_client(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
        return Plugins(found=[EntryPoint(name, name, ENTRY_POINT_GROUP)])

    yield make
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def title():
    """The plugin of the guide that is installed."""
    return ""


@pytest.fixture
def nova(start_nova, settings, guide_plugin, title):
    return start_nova(settings, plugins=guide_plugin(title))


@pytest.fixture
def facade(nova):
    """What the plugin gets of the server."""
    return nova.facade_of(nova._plugins.infos[0].name)


# The tutorial


def test_the_tutorial_goes_as_it_says(tmp_path):
    project = write_plugin(NAME, tmp_path / NAME)
    (tmp_path / NAME / NAME / "__init__.py").write_text(code_of("python"))
    write_client(tmp_path / NAME / NAME)
    (tmp_path / NAME / "tests" / f"test_{NAME}.py").write_text(code_of("python test"))
    spoken = code_of("python fixtures") + "\n\n" + code_of("python spoken")
    (tmp_path / NAME / "tests" / "test_spoken.py").write_text(spoken)
    [tree] = [block.text for block in blocks(GUIDE, "text") if block.text.startswith(NAME)]
    assert {line.split()[0] for line in tree.splitlines()[1:]} == set(project.files)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", NAME],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S * 2,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_all_hooks_of_the_notes_are_listed(guide_plugin):
    [info] = guide_plugin().infos
    assert (info.name, info.state) == (NAME, "on")
    assert info.hooks == (
        *("nova_cli", "nova_client_modules", "nova_collections", "nova_commands"),
        *("nova_routes", "nova_settings", "nova_subscribers"),
    )


@pytest.mark.parametrize("title", ["", "ticker", "quiet", "parrot", "starts"])
def test_examples_import_the_api_alone(guide_plugin, title):
    text = code_of(f"python {title}".strip())
    guide_plugin(title)
    module = importlib.import_module(f"nova_{title}" if title else NAME)
    api = importlib.import_module("nova_tornado.api")
    assert "from nova_tornado.api import" in text
    assert text.count("nova_tornado") == text.count("from nova_tornado.api import")
    of_nova = [name for name in vars(module) if name in api.__all__]
    assert of_nova
    assert all(getattr(module, name) is getattr(api, name) for name in of_nova)


def test_fixtures_of_the_guide_are_those_of_the_kit():
    names: dict = {}
    exec(code_of("python fixtures"), names)
    kit = importlib.import_module("nova_tornado.testing")
    assert {name for name in names if name in ("nova_plugins", "plugin_settings")} <= set(kit.__all__)
    shown = "".join(line for line in open_guide().splitlines(True) if line.startswith("| `"))
    for name in ("person", "told", "run_command"):
        assert f"nova.{name}(" in shown and callable(getattr(RunningNova, name))
    for name in ("get", "post", "patch", "delete", "request", "befriend", "new_group", "socket", "speak", "connect"):
        assert callable(getattr(kit.Person, name))


def open_guide():
    return (blocks(GUIDE, "python")[0].path).read_text(encoding="utf-8")


# The hooks


def test_nova_settings_are_read(start_nova, settings, guide_plugin):
    [table] = [item for item in tomllib.loads(code_of("toml")).items() if item[0] == NAME]
    given = {table[0]: {name: GivenValue(value, "nova.toml") for name, value in table[1].items()}}
    nova = start_nova(Settings(bcrypt_rounds=4, of_plugins=given), plugins=guide_plugin())
    assert nova.facade_of(NAME).settings == {"max_characters": 200}


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
    await nova.plugins_told()
    assert list(database.chat_notes.find()) == [{"_id": kept, "text": "Bring cake"}]


@pytest.mark.gen_test
async def test_nova_commands_are_carried_out(nova, people, facade):
    alice = await people("alice")
    chat_id = await alice.new_group()
    user = await nova.directory.get(alice.id)
    [command] = facade.commands
    assert (command.name, command.usage) == ("note", "[text]")

    async def note(arguments=""):
        return await command.run(Conversation(user, user, chat_id, True, "", "note", arguments))

    assert [await note(), await note("Bring cake"), await note()] == ["Nothing is noted.", "Noted.", "Bring cake"]


@pytest.mark.gen_test
async def test_nova_client_modules_are_loaded_by_the_page(guest):
    page = (await guest.get("/")).body.decode()
    [module] = json.loads(re.search(r'id="nova-config">(.*?)</script>', page)[1])["modules"]
    assert module["plugin"] == NAME
    assert "register" in (await guest.get(module["entry"])).body.decode()
    texts = (await guest.get(f"{module['messages']}en.json")).json
    assert set(re.findall(r't\("([^"]+)"\)', code_of("js"))) == texts.keys()
    imported = re.search(r"^import \{ (.*) \} from \"nova\";$", code_of("js"), re.MULTILINE)[1].split(", ")
    exports = (ROOT / "static" / "client" / "nova.js").read_text()
    exports += (ROOT / "static" / "client" / "html.js").read_text()
    assert [name for name in imported if not re.search(rf"\b{name}\b", exports)] == []


def test_package_data_of_the_guide_takes_all_files_along(tmp_path):
    write_client(tmp_path)
    patterns = tomllib.loads(code_of("toml"))["tool"]["setuptools"]["package-data"][NAME]
    found = {path for pattern in patterns for path in tmp_path.glob(pattern)}
    assert found == {path for path in tmp_path.rglob("*") if path.is_file()}


def test_nova_cli_has_its_command(tmp_path):
    write_plugin(NAME, tmp_path / NAME)
    (tmp_path / NAME / NAME / "__init__.py").write_text(code_of("python"))
    write_client(tmp_path / NAME / NAME)
    (tmp_path / NAME / "tests" / f"test_{NAME}.py").write_text(
        f"from {NAME} import NOTES, chat_notes\n\n"
        "async def test_counts(nova):\n"
        "    await nova.facade.collection(NOTES).insert_one({'_id': 1})\n"
        "    assert await nova.run_command(chat_notes) == '1 notes\\n'\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", NAME],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S * 2,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


class TestTicker:
    @pytest.fixture
    def title(self):
        return "ticker"

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


class TestQuiet:
    @pytest.fixture
    def title(self):
        return "quiet"

    @pytest.mark.gen_test
    async def test_nova_message_filters_are_asked(self, people):
        alice = await people("alice")
        chat_id = await alice.new_group()
        socket = await alice.socket()
        for said, stored in (("HELLO THERE", "Hello there"), ("Hi", "Hi")):
            await socket.send("send_message", {"chat_id": chat_id, "content": said})
            news, _ = await socket.expect("new_message", "messages_read")
            assert news["message"]["message"] == stored
        await socket.send("send_message", {"chat_id": chat_id, "content": "@everybody come"})
        assert await socket.expect_error() == "Nobody calls everybody here"


class TestParrot:
    @pytest.fixture
    def title(self):
        return "parrot"

    @pytest.mark.gen_test
    async def test_nova_bots_answer(self, nova, people, facade):
        user = await nova.directory.get((await people("alice")).id)
        [parrot] = facade.bots
        answer = await parrot.reply(Conversation(user, user, 1, True, "Hello there"))
        assert [piece async for piece in answer] == ["Hello ", "there "]


class TestStarts:
    def test_nova_lifespan_is_entered_and_left(self, start_nova, settings, guide_plugin, database, io_loop):
        nova = start_nova(settings, plugins=guide_plugin("starts"))
        [run] = database.runs.find()
        assert run["_id"] == 1 and run["began_us"] > 0 and "ended_us" not in run
        io_loop.run_sync(nova.close)
        [run] = database.runs.find()
        assert run["ended_us"] >= run["began_us"]
