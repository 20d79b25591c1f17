"""The documentation is true: its examples run, and nothing that it must tell of is missing."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from docs.transcripts import ROOT, STEP, Runner, blocks, difference, read, steps, text_matches
from life.processes import LIMIT_S, Server

from nova_tornado import app, cli
from nova_tornado.domain.errors import ErrorCode, NovaError
from nova_tornado.native.errors import HTTP_STATUS, SOCKET_CODE
from nova_tornado.native.socket import HANDLERS
from nova_tornado.plugin import hookspecs
from nova_tornado.realtime import connection, presence
from nova_tornado.settings import CONFIG_FILE, OPTIONS, Settings, load

ACTIONS = "docs/protocols/actions.md"
OPERATING = "docs/operating.md"
GUIDE = "docs/plugins.md"
OUTSIDE_BOTS = "docs/outside-bots.md"
SCALING = "docs/scaling.md"
INCOMING_WEBHOOKS = "/hooks/"
"""They are described there, and are no part of the native protocol."""
PROTOCOLS = "docs/protocols/README.md"
OWN_PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    ACTIONS,
    PROTOCOLS,
    OPERATING,
    GUIDE,
    OUTSIDE_BOTS,
    SCALING,
)
LINE_MAX_CHARACTERS = 120
END_OF_BLOCK = "-- end of block --"
NOTIFICATION = re.compile(r"""(?:notification\(|Notice\([^"]*)"([a-z_]+)\"""")
KEY_AND_NAME = "([A-Za-z0-9_-]+)(?:/[^/]*)?"
ANSWERS = re.compile(r'dumps\(\{"action": "([a-z_]+)"')


def table(path: str, *first_cells: str) -> list[list[str]]:
    """The rows of the Markdown table whose heading begins with these cells."""
    lines = iter(read(path).splitlines())
    for line in lines:
        if line.startswith("|") and cells(line)[: len(first_cells)] == list(first_cells):
            next(lines)
            rows = []
            for row in lines:
                if not row.startswith("|"):
                    break
                rows.append(cells(row))
            return rows
    raise AssertionError(f"{path} has no table of {first_cells}")


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def headings(path: str, level: int, part: str | None = None) -> list[str]:
    """The headings of a level, maybe only those within one part of level 2."""
    found = []
    current = None
    is_code = False
    for line in read(path).splitlines():
        if line.startswith("```"):
            is_code = not is_code
        match = re.fullmatch(r"(#+) (.*)", line)
        if not match or is_code:
            continue
        if len(match[1]) == 2:
            current = match[2]
        if len(match[1]) == level and part in (None, current):
            found.append(match[2].strip("`"))
    return found


def sources(*patterns: str) -> Iterator[str]:
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            yield path.read_text(encoding="utf-8")


# The README


def json_values(text: str) -> list[object]:
    """The JSON values that stand one after the other in a text."""
    decoder = json.JSONDecoder()
    values = []
    text = text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:].lstrip()
    return values


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's conversation needs curl")
def test_conversation_of_the_readme_goes_as_it_says(tmp_path):
    shown = blocks("README.md", "sh", "json", "text")
    first = next(index for index, block in enumerate(shown) if block.language == "sh")
    talk = [
        (block, answer)
        for block, answer in zip(shown[first:], shown[first + 1 :], strict=False)
        if block.language == "sh"
    ]
    assert len(talk) >= 4
    client = next(pair for pair in talk if "websocket_connect" in pair[0].text)
    talk.insert(talk.index(client) + 1, client)  # it says that the client may be run twice
    with closing(Server(tmp_path / "server" / "nova-data")) as server:
        script = f"\necho '{END_OF_BLOCK}'\n".join(block.text for block, _ in talk)
        assert "http://127.0.0.1:8000" in script
        assert ".venv/bin/python " in script
        script = script.replace("http://127.0.0.1:8000", server.url).replace(".venv/bin/python ", f"{sys.executable} ")
        done = subprocess.run(
            ["/bin/sh", "-eu"], input=script, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    outputs = done.stdout.split(f"{END_OF_BLOCK}\n")
    for (block, answer), output in zip(talk, outputs, strict=True):
        if answer.language == "json":
            problem = difference(json_values(answer.text), json_values(output))
        else:
            problem = "" if text_matches(answer.text.strip(), output.strip()) else repr(output)
        assert not problem, f"README.md:{block.line}: {problem}"


# The native protocol


@pytest.mark.gen_test(timeout=50)
async def test_examples_of_the_actions_protocol_run(http_server, http_port, monkeypatch):
    monkeypatch.setattr(presence, "GATHER_S", 0.0)  # or who came in one example might be told of in a later one
    runner = Runner(http_port)
    for block in blocks(ACTIONS, "transcript"):
        await runner.run(block)
    await runner.close()
    assert not runner.problems, "\n" + "\n".join(runner.problems)


def served(nova) -> set[str]:
    """All that is served of the native protocol, as ``METHOD /path``, numbers in the path as ``<>``."""
    plugin_routes = nova._plugins.call("nova_routes", nova=nova.facade_of)
    routes = [*app.NATIVE_ROUTES, *(route for _, route in plugin_routes)]
    return {
        f"{method} " + path.replace("([0-9]+)", "<>").replace(r"\)?", "").replace(KEY_AND_NAME, "<>/<>")
        for path, handler, *_ in routes
        for method in handler.allowed_methods()
        if method not in ("OPTIONS", "HEAD") and not path.startswith(INCOMING_WEBHOOKS)
    }


def test_every_endpoint_has_its_heading_and_an_example(nova):
    documented = {re.sub(r"<\w+>", "<>", heading) for heading in headings(ACTIONS, 3) if " /" in heading}
    assert documented == served(nova)
    shown = set()
    for block in blocks(ACTIONS, "transcript"):
        for _, _, arrow, what in steps(block):
            what = re.sub(r"<\w+'s file>", "/files/<>/<>", what)
            if arrow == "→" and (request := re.match(r"([A-Z]+ /[^\s?]*)", what)):
                shown.add(re.sub(r"/[0-9]+", "/<>", request[1]))
    assert documented <= shown


def test_every_packet_has_its_heading_and_an_example():
    code = "".join(sources("nova_tornado/native/*.py", "plugins/*/*.py"))
    from_server = set(NOTIFICATION.findall(code)) | set(ANSWERS.findall(code))
    assert {"pong", "error", "new_message", "chat_invitation", "logout"} <= from_server
    assert set(headings(ACTIONS, 3, "What the server sends")) == from_server
    assert set(headings(ACTIONS, 3, "What a client sends")) == set(HANDLERS)
    shown: dict[str, set[str]] = {"→": set(), "←": set()}
    for block in blocks(ACTIONS, "transcript"):
        for _, _, arrow, what in steps(block):
            if packet := re.match(r'/ws/ \{"action": "(\w+)"', what):
                shown[arrow].add(packet[1])
    assert set(HANDLERS) <= shown["→"]
    assert from_server <= shown["←"]


def test_every_refusal_is_in_the_table():
    messages = {kind.code: kind.default_message for kind in [NovaError, *subclasses(NovaError)]}
    rows = {row[0].strip("`"): row for row in table(ACTIONS, "kind", "status")}
    assert rows.keys() == {code.value for code in ErrorCode}
    for code in ErrorCode:
        expected = [str(HTTP_STATUS[code]), str(SOCKET_CODE[code]), messages[code]]
        assert rows[code.value][1:4] == expected, code


def subclasses(kind: type[NovaError]) -> list[type[NovaError]]:
    return [one for child in kind.__subclasses__() for one in (child, *subclasses(child))]


def test_every_close_code_is_in_the_table():
    codes = {value for name, value in vars(connection).items() if name.startswith("CLOSE_")}
    assert {str(code) for code in codes} <= {row[0] for row in table(ACTIONS, "code", "when")}


# Operating


def test_every_setting_has_its_row():
    rows = {row[2].strip("`"): row for row in table(OPERATING, "flag", "variable", "key")}
    assert list(rows) == [option.name for option in OPTIONS]
    for option in OPTIONS:
        row = rows[option.name]
        assert row[:2] == [f"`{option.flag}`", f"`{option.variable}`"]
        default = getattr(Settings(), option.name)
        if isinstance(default, bool):
            default = "on" if default else "off"
        if default not in (None, "", ()):
            assert row[3] == f"`{default}`", option.name


@pytest.mark.gen_test
async def test_every_metric_has_its_row(guest, nova):
    nova.bus.counts.is_connected = lambda: True
    rows = {row[0].strip("`"): row for row in table(OPERATING, "name", "type", "labels")}
    only_embedded = {name for name in rows if name.startswith("nova_mongod_")}
    assert len(only_embedded) == 2
    text = (await guest.get("/metrics")).body.decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    assert kinds.keys() == rows.keys() - only_embedded
    assert kinds == {name: rows[name][1] for name in kinds}
    for name, labels in re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?\{(.*)\} ", text, re.MULTILINE):
        told = set(re.findall(r"`(\w+)`", rows[name][2])) | {"worker", "le"}
        assert set(re.findall(r'(\w+)="', labels)) <= told, name


def test_settings_file_of_the_guide_can_be_used(tmp_path):
    [block] = blocks(OPERATING, "toml")
    (tmp_path / CONFIG_FILE).write_text(block.text)
    settings = load({}, {}, tmp_path)
    for key in tomllib.loads(block.text):
        assert f"`{key}`" in read(OPERATING)
    assert settings.base_url == "https://chat.example.org"
    assert "http://127.0.0.1:8000;" in read(OPERATING)  # nginx leads to the host and port of that file
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


def test_every_exit_code_is_in_the_table():
    codes = {value for name, value in vars(cli).items() if name.startswith("EXIT_")} | {0}
    assert {int(row[0]) for row in table(OPERATING, "exit code")} == codes


def ways_to_write(value: float) -> set[str]:
    """How a limit may be written in a table."""
    ways = {str(value), f"{value:,}".replace(",", " "), f"at least {value}"}
    if isinstance(value, int):
        ways |= {f"{value // 1024} KiB", f"{value // 1024**2} MiB", f"{value // 86400} days"}
    elif value.is_integer():
        ways.add(str(int(value)))
    return ways


@pytest.mark.parametrize("path", [ACTIONS, OPERATING])
def test_limits_are_those_of_the_code(path):
    rows = table(path, "what", "limit", "where")
    assert len(rows) > 10
    for _, limit, where in rows:
        file, name = re.fullmatch(r"`([\w/]+)\.py` `(\w+)`", where).groups()
        value = getattr(importlib.import_module(f"nova_tornado.{file.replace('/', '.')}"), name)
        number = re.match(r"(at least )?[0-9]([0-9 .]*[0-9])?", limit)[0]
        unit = limit.removeprefix(number).strip()
        assert {number, f"{number} {unit}"} & ways_to_write(value), f"{path}: {name} is {value}, not {limit}"


# Plugins


def hooks() -> list[str]:
    return [name for name, value in vars(hookspecs).items() if name.startswith("nova_") and callable(value)]


def test_every_hook_has_its_heading_and_a_test_that_fires_it():
    assert headings(GUIDE, 3, "The hooks") == hooks()
    tests = "".join(sources("tests/**/test_*.py"))
    for hook in hooks():
        assert re.search(rf"def test_\w*{hook}\w*\(", tests), hook


# All pages


def pages() -> list[Path]:
    return [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "plugins").rglob("*.md"),
        *(ROOT / "benchmarks").glob("*.md"),
    ]


def anchors(path: Path) -> set[str]:
    """The anchors that a page's headings get where Markdown is shown."""
    found: dict[str, int] = {}
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
        if found[anchor]:
            found[f"{anchor}-{found[anchor]}"] = 0
    return set(found)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert ROOT in there.parents or there == ROOT, target
        if anchor:
            assert anchor in anchors(there), target


@pytest.mark.parametrize("page", OWN_PAGES)
def test_lines_are_short_enough_to_read_in_a_terminal(page):
    long = [number for number, line in enumerate(read(page).splitlines(), 1) if len(line) > LINE_MAX_CHARACTERS]
    assert not long, long


@pytest.mark.parametrize("page", OWN_PAGES)
def test_blocks_are_in_languages_that_are_meant(page):
    known = {"transcript", "sh", "text", "json", "toml", "python", "nginx", "ini", ""}
    assert {block.language for block in blocks(page, *known)} <= known
    for block in blocks(page, "transcript"):
        assert all(STEP.fullmatch(f"{name} {arrow} {what}") for _, name, arrow, what in steps(block))
