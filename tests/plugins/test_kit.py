"""The kit for writers of plugins: `nova plugin new`, `nova_tornado.testing`, and plugins that others bring."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from life.processes import LIMIT_S, Server, clean_environ, run_nova

from nova_tornado.plugin.template import NAME_MAX_CHARACTERS, TemplateError, write_plugin
from nova_tornado.plugin_strikes import STRIKES_FILE, Strikes

NAME = "nova_weather"
ONLY_WHAT_AUTHORS_HAVE = ("-p", "no:tornado", "-p", "no:xdist", "-p", "no:timeout", "-p", "no:cacheprovider")
"""The kit needs pytest alone, none of the plugins that Nova's own tests use."""

COMMANDS = '''
import asyncio

import click

from nova_tornado.api import CollectionSpec, errors, hookimpl, open_for_command, with_settings

SIGHTINGS = CollectionSpec("sightings")


async def count(settings, name):
    async with open_for_command(settings) as nova:
        await nova.services.accounts.register(name, "secret1", "127.0.0.1")
        await nova.collection(SIGHTINGS).insert_one({"_id": await nova.next_id("sighting")})
        return await nova.collection(SIGHTINGS).count_documents({})


@click.group("weather")
def weather():
    """What is known of the weather."""


@weather.command()
@click.argument("name")
@click.option("--loudly", is_flag=True)
@with_settings
def see(settings, name, loudly):
    """Note that it was seen."""
    line = f"seen {asyncio.run(count(settings, name))} times"
    click.echo(line.upper() if loudly else line)


@hookimpl
def nova_collections():
    return [SIGHTINGS]


@hookimpl
def nova_cli():
    return [weather]
'''

TESTS_OF_THE_KIT = """
import pytest

from nova_weather import weather


async def test_commands_run_beside_nova(nova):
    alice = await nova.person("alice")
    assert await nova.run_command(weather, "see", "bob", "--loudly") == "SEEN 1 TIMES\\n"
    assert (await alice.get("/user")).status == 200
    with pytest.raises(AssertionError, match="Username already exists"):
        await nova.run_command(weather, "see", "alice")


async def test_time_passes_at_once(nova):
    before_us = nova.facade.clock.now_us()
    nova.clock.move(3600)
    assert nova.facade.clock.now_us() - before_us >= 3600e6


async def test_every_test_begins_with_an_empty_database(nova):
    alice = await nova.person("alice")
    assert (await (await nova.guest()).get("/user")).status == 403
    socket = await alice.connect("/ws/", with_token=True)
    assert (await socket.request({"action": "ping"}))["action"] == "pong"
    await nova.told()


def test_without_a_coroutine(nova):
    assert nova.run(nova.person("alice")).id > 0


class TestWithOtherPlugins:
    @pytest.fixture
    def nova_plugins(self):
        from importlib.metadata import EntryPoint

        return [EntryPoint(name, name, "nova.plugins") for name in ("sample_greeting", "nova_weather")]

    @pytest.fixture
    def plugin_settings(self):
        return {"sample_greeting": {"greeting": "Good day"}}

    async def test_settings_are_given(self, nova):
        assert nova.facade.settings == {"greeting": "Good day"}
"""

TESTS_OF_PROTOCOLS = """
import json
import time
from importlib.metadata import EntryPoint

import pytest

NAMES = ("actions", "methods", "modes", "rooms", "opcodes")


@pytest.fixture
def nova_plugins(nova_plugins):
    names = [f"nova_{name}" for name in NAMES[1:]]
    return [*nova_plugins, *(EntryPoint(name, name, "nova.plugins") for name in names)]


def message(protocol, chat_id, reader, token):
    text = f"said by {protocol}"
    match protocol:
        case "actions":
            return {"action": "send_message", "data": {"chat_id": chat_id, "content": text}}
        case "methods":
            return {"method": "send_message", "args": {"chat": chat_id, "text": text}}
        case "modes":
            head = {"mode": "sendMessage", "timestamp": time.time(), "token": token}
            return {**head, "chat_id": chat_id, "content_type": "text", "content": text}
        case "rooms":
            return {"chat_type": "room", "other_user_id": reader.id, "message": text}
        case "opcodes":
            return {"op": 11, "t": 1, "d": {"chat_id": chat_id, "message": text}}


async def test_every_protocol_is_spoken(nova):
    alice, bob = await nova.person("alice"), await nova.person("bob")
    chat_id = await alice.befriend(bob)
    readers = {name: await bob.speak(name) for name in NAMES}
    for name in NAMES:
        writer = await alice.speak(name)
        await writer.send(message(name, chat_id, bob, writer.token))
        assert await writer.drain() != []
        await nova.told()
        for reader in readers.values():
            assert f"said by {name}" in json.dumps(await reader.drain()), (name, reader)


@pytest.mark.parametrize("name", NAMES)
async def test_an_answer_is_the_next_that_comes(nova, name):
    alice = await nova.person("alice")
    client = await alice.speak(name)
    assert client.is_barrier(await client.request(client.barrier()))
    other = await alice.speak(name)
    assert other.token != client.token
    await alice.close()
    while await client.receive() is not None:
        pass


async def test_a_name_that_there_is_not(nova):
    alice = await nova.person("alice")
    with pytest.raises(ValueError, match="no protocol 'smoke', but actions, methods, modes, rooms, opcodes"):
        await alice.speak("smoke")


class TestWithOnePluginAlone:
    @pytest.fixture
    def nova_plugins(self):
        return [EntryPoint("nova_weather", "nova_weather", "nova.plugins")]

    async def test_a_protocol_without_its_plugin(self, nova):
        alice = await nova.person("alice")
        assert await (await alice.speak("actions")).drain() == []
        for name in NAMES[1:]:
            with pytest.raises(LookupError, match=f"{name} is not spoken here: nova_{name} is not among the plugins"):
                await alice.speak(name)
"""

GREETING = """
from nova_tornado.api import PluginOption, hookimpl


@hookimpl
def nova_settings():
    return [PluginOption("greeting", "Hello")]
"""


def run_pytest(folder, *arguments):
    """Runs pytest as an author does; returns its last line and all that it has written."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *ONLY_WHAT_AUTHORS_HAVE, *arguments],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
        check=False,
    )
    text = done.stdout + done.stderr
    return text.strip().splitlines()[-1], text


def install(project, target):
    """Installs a project into a folder, as pip does it for everybody; returns what a Python needs to find it."""
    order = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, "--no-deps", "--no-build-isolation"]
    subprocess.run([*order, project], check=True, timeout=2 * LIMIT_S, env=clean_environ(PIP_NO_INDEX="1"))
    return {"PYTHONPATH": str(target)}


# nova plugin new


def test_a_new_plugin_is_complete_and_its_tests_pass(tmp_path):
    code, out, errors = run_nova("plugin", "new", NAME, folder=tmp_path)
    assert (code, errors) == (0, "")
    project = tmp_path / NAME
    files = sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    assert files == [
        *("README.md", "conftest.py", f"{NAME}/__init__.py", "pyproject.toml", f"tests/test_{NAME}.py"),
    ]
    assert all(f"  {path}\n" in out for path in files)
    assert f"-m pip install --editable '{NAME}[test]'" in out and f"-m pytest {NAME}" in out
    last, text = run_pytest(tmp_path, NAME)
    assert last.startswith("2 passed"), text
    last, text = run_pytest(project)
    assert last.startswith("2 passed"), text
    assert not any("$" in (project / path).read_text().replace("$$", "") for path in files if "test" not in path)


def test_a_folder_that_is_there_is_never_written_over(tmp_path):
    (tmp_path / NAME).mkdir()
    for arguments in ((NAME,), (NAME, "--folder", "a/b"), (NAME, "--folder", NAME), (NAME, "--folder", "file")):
        (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=True)
        (tmp_path / "file").write_text("kept")
        code, out, errors = run_nova("plugin", "new", *arguments, folder=tmp_path)
        assert (code, out, errors.count("\n")) == (1, "", 1)
        assert errors.startswith("nova: ") and "is there already" in errors
    assert list((tmp_path / NAME).iterdir()) == list((tmp_path / "a" / "b").iterdir()) == []
    assert (tmp_path / "file").read_text() == "kept"
    code, out, _ = run_nova("plugin", "new", NAME, "--folder", "new/place", folder=tmp_path)
    assert code == 0 and "new/place" in out and (tmp_path / "new" / "place" / "pyproject.toml").exists()
    with pytest.raises(TemplateError, match=r"^cannot write .*file"):
        write_plugin(NAME, tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *[
            (name, "is no name for a plugin")
            for name in ("", "weather", "nova_", "nova_Weather", "nova-weather", "nova_1", "nova_a__b", "nova_a/b")
        ],
        ("nova_../../x", "is no name for a plugin"),
        ("nova_" + "x" * NAME_MAX_CHARACTERS, "is no name for a plugin"),
        ("nova_rooms", "is installed already"),
        ("nova_tornado", "is the name of a Python module already"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_line(tmp_path, name, part):
    with pytest.raises(TemplateError) as caught:
        write_plugin(name, tmp_path / "new")
    assert part in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


# nova_tornado.testing


def test_the_kit_runs_tests_of_a_plugin(tmp_path):
    project = write_plugin(NAME, tmp_path / NAME).folder
    (project / NAME / "__init__.py").write_text(COMMANDS)
    (project / "sample_greeting.py").write_text(GREETING)
    (project / "tests" / f"test_{NAME}.py").write_text(TESTS_OF_THE_KIT)
    last, text = run_pytest(project)
    assert last.startswith("5 passed"), text


def test_people_speak_every_protocol(tmp_path):
    project = write_plugin(NAME, tmp_path / NAME).folder
    (project / "tests" / f"test_{NAME}.py").write_text(TESTS_OF_PROTOCOLS)
    last, text = run_pytest(project)
    assert last.startswith("8 passed"), text


def test_the_kit_says_what_is_missing(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["nova_tornado.testing"]\n')
    (tmp_path / "test_it.py").write_text("async def test_it(nova):\n    pass\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    last, text = run_pytest(tmp_path)
    assert "1 error" in last and "has no [project.entry-points.'nova.plugins']" in text


def test_no_test_of_nova_is_needed_by_the_kit():
    package = Path(write_plugin.__code__.co_filename).parents[2] / "testing"
    for path in package.glob("*.py"):
        for line in path.read_text().splitlines():
            module = line.split()[1] if line.startswith(("import ", "from ")) else "nova_tornado"
            root = module.partition(".")[0]
            assert root in {"nova_tornado", "pytest", "click", "tornado", "pymongo", *sys.stdlib_module_names}, line


# Plugins that others bring


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The environment of a Nova with a plugin that was installed from its own folder."""
    folder = tmp_path_factory.mktemp("other")
    project = write_plugin(NAME, folder / "project").folder
    (project / NAME / "__init__.py").write_text(COMMANDS)
    return install(project, folder / "target")


def test_a_plugin_that_was_installed_from_its_folder_is_found(installed, tmp_path):
    code, out, errors = run_nova("plugins", folder=tmp_path, **installed)
    assert (code, errors) == (0, "")
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert rows[NAME] == [NAME, "0.1.0", "on", "nova-weather", "nova_cli", "nova_collections"]
    assert "nova_rooms" in rows
    assert NAME not in run_nova("plugins", folder=tmp_path)[1]
    _, out, _ = run_nova("plugins", folder=tmp_path, **installed, NOVA_PLUGINS_OFF=NAME)
    assert [line.split()[2] for line in out.splitlines() if line.startswith(NAME)] == ["off"]


def test_its_commands_work_with_and_without_a_running_server(installed, tmp_path):
    data = tmp_path / "data"

    def see(name, *more, **environ):
        code, out, errors = run_nova("weather", "see", name, *more, folder=tmp_path, **installed, **environ)
        return code, out or errors

    assert "weather" in run_nova("--help", folder=tmp_path, **installed)[1]
    assert see("alice", "--data", str(data)) == (0, "seen 1 times\n")
    with closing(Server(data, **installed)) as server:
        assert see("bob", NOVA_DATA=str(data)) == (0, "seen 2 times\n")
        assert see("bob", "--data", str(data)) == (1, "nova: Username already exists\n")
        uri = f"mongodb://{str(data / 'run' / 'mongod.sock').replace('/', '%2F')}/nova?directConnection=true"
        assert see("carol", "--loudly", "--mongo", uri) == (0, "SEEN 3 TIMES\n")
        assert server.get("/readyz") == 200
        assert server.mongod > 0
        assert server.stop()[0] == 0
    assert see("dave", "--data", str(data)) == (0, "seen 4 times\n")
    code, text = see("eve", "--data", str(data), "--plugin-off", NAME)
    assert (code, text) == (1, f"nova: plugin {NAME} is switched off\n")


def test_strikes_of_the_running_server_are_shown(tmp_path):
    def table():
        code, out, errors = run_nova("plugins", "--data", "data", folder=tmp_path)
        assert (code, errors) == (0, "")
        return out.splitlines()

    assert "STRIKES" not in table()[0]
    (tmp_path / "data").mkdir()
    strikes = Strikes()
    strikes.add("nova_rooms", "unwritten", "ValueError")
    assert not (tmp_path / "data" / STRIKES_FILE).exists()
    strikes.begin(tmp_path / "data")
    outcomes = [strikes.add("nova_message_filters", "words", "TimeoutError") for _ in range(3)]
    assert outcomes == [False, False, True]
    for _ in range(5):
        strikes.note("nova_rooms", "Rooms", "KeyError")
    heading, *rows = table()
    begin, end = heading.index("STRIKES"), heading.index("HOOKS")
    shown = {row.split()[0]: row[begin:end].strip() for row in rows}
    assert shown["nova_message_filters"] == "words 3 TimeoutError (off)"
    assert shown["nova_rooms"] == "unwritten 1 ValueError, Rooms 4+ KeyError"
    assert shown["nova_modes"] == ""
    for text in ("", "[]", '{"a": 1}', '{"a": {"b": {}}}'):
        (tmp_path / "data" / STRIKES_FILE).write_text(text)
        assert "STRIKES" not in table()[0]
    Strikes().begin(tmp_path / "data")
    assert not os.path.exists(tmp_path / "data" / STRIKES_FILE)
