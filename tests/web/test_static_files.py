"""/static/: the files of the client and of plugins. Source: RFC 9110 (validators, content codings), RFC 8246."""

import gzip
import hashlib
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from people import exchange

from nova_tornado.api import ClientModule, hookimpl
from nova_tornado.plugin.hookspecs import ENTRY_POINT_GROUP
from nova_tornado.plugin.loader import Plugins
from nova_tornado.settings import Settings
from nova_tornado.web import static_files
from nova_tornado.web.limits import REQUESTS_BURST
from nova_tornado.web.static_files import StaticFiles

STATIC = Path(__file__).parents[2] / "static"
FOREVER = "public, max-age=31536000, immutable"
PREACT = "vendor/preact/preact.js"


@pytest.fixture
def url(nova):
    return nova.services.pages.files.url


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of static files of the test's own: ``folder("a/b.js", "content")`` writes one."""
    monkeypatch.setattr(static_files, "PACKAGE", tmp_path / "nova_tornado")
    (tmp_path / "static").mkdir()

    def write(path, content="", root="static"):
        file = tmp_path / root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return tmp_path / root

    return write


@pytest.mark.gen_test
async def test_a_file_is_served_as_it_is_and_kept_for_good(guest, url):
    for path, content_type in (
        (PREACT, "text/javascript; charset=UTF-8"),
        ("styles/base.css", "text/css; charset=UTF-8"),
        ("icons/icon.svg", "image/svg+xml"),
        ("icons/icon-192.png", "image/png"),
        ("vendor/emoji-picker-element-data/ru.json", "application/json"),
    ):
        answer = await guest.get(url(path))
        assert (answer.status, answer.body) == (200, (STATIC / path).read_bytes()), path
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["Cache-Control"] == FOREVER
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not answer.headers.get_list("Set-Cookie") and "Server" not in answer.headers


@pytest.mark.gen_test
async def test_texts_come_compressed_to_whom_takes_it(guest, url):
    for path, is_compressed in ((PREACT, True), ("icons/icon-192.png", False)):
        raw = await exchange(guest.port, f"GET {url(path)} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        packed = await exchange(
            guest.port, f"GET {url(path)} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br, gzip\r\n\r\n".encode()
        )
        content = (STATIC / path).read_bytes()
        assert raw.body == content and "Content-Encoding" not in raw.headers
        assert packed.headers.get("Content-Encoding") == ("gzip" if is_compressed else None)
        assert (gzip.decompress(packed.body) if is_compressed else packed.body) == content
        assert raw.headers.get("Vary") == packed.headers.get("Vary") == ("Accept-Encoding" if is_compressed else None)
        assert raw.headers["Etag"] == packed.headers["Etag"]
        assert not is_compressed or len(packed.body) < len(content) / 2


@pytest.mark.gen_test
async def test_what_a_browser_has_is_not_sent_again(guest, url):
    etag = (await guest.get(url(PREACT))).headers["Etag"]
    assert etag == f'W/"{hashlib.sha256((STATIC / PREACT).read_bytes()).hexdigest()[:16]}"'
    for header, status in ((etag, 304), (f'"other", {etag}', 304), ("*", 304), ('"other"', 200)):
        answer = await guest.get(url(PREACT), headers={"If-None-Match": header})
        assert (answer.status, bool(answer.body)) == (status, status == 200)
        assert (answer.headers["Etag"], answer.headers["Cache-Control"]) == (etag, FOREVER)


@pytest.mark.gen_test
async def test_head_tells_the_size_and_other_methods_are_405(guest, url):
    answer = await guest.request("HEAD", url(PREACT))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str((STATIC / PREACT).stat().st_size)
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await guest.request(method, url(PREACT))
        assert (answer.status, answer.headers["Allow"], answer.error) == (405, "GET, HEAD", "Method not allowed")
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.gen_test
async def test_no_other_version_and_no_other_file_is_served(guest, nova, url):
    version = nova.services.pages.files.version
    secret = "nova_tornado/__init__.py"
    for path in (
        f"/static/0123456789ab/{PREACT}",
        f"/static/{version.upper()}x/{PREACT}",
        f"/static/{PREACT}",
        "/static/",
        "/static",
        *(url(each) for each in ("", "nothing.js", "vendor", "vendor/preact/", "vendor/README.md", f"../{secret}")),
        *(url(each) for each in (f"%2e%2e/{secret}", f"..%2f{secret}", f"vendor/../../{secret}", "vendor/%00", "//")),
        url("client//../vendor/preact/preact.js"),
        url("/etc/passwd"),
    ):
        answer = await exchange(guest.port, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store"), path
        assert answer.headers["Content-Type"] == "application/json" and answer.error


def test_the_version_changes_with_every_file_and_every_name(folder):
    versions = []
    for path, content, root in (
        ("a.js", "1", "static"),
        ("a.js", "2", "static"),
        ("b/a.js", "2", "static"),
        ("main.js", "3", "part"),
        ("main.js", "4", "part"),
        ("messages/en.json", "{}", "part"),
    ):
        root_folder = folder(path, content, root)
        plugins = {"sample": root_folder} if root == "part" else {}
        versions += [StaticFiles(plugins).version, StaticFiles(plugins).version]
    assert versions[::2] == versions[1::2]
    assert len(set(versions)) == 6 and all(len(version) == 12 for version in versions)


def test_only_files_that_a_page_can_use_are_read(folder):
    for path in ("a.js", "b/c.css", "README.md", "secret.py", "LICENSE", ".hidden", "d.js~", "e.js/x.map"):
        folder(path, path)
    assert StaticFiles({}).paths("") == ["a.js", "b/c.css"]


def test_what_is_changed_while_it_runs_is_served_as_it_was(folder):
    folder("a.js", "old")
    files = StaticFiles({})
    folder("a.js", "new")
    assert files.find("a.js").body == b"old"


def test_modules_that_are_needed_at_once_are_found(folder):
    folder("client/main.js", 'import { a } from "./store/a.js";\nimport "./b.js";\nimport {\n  c,\n} from "lib";\n')
    folder("client/store/a.js", 'export * from "../b.js";\nconst later = () => import("./later.js");\n')
    folder("client/b.js", '/** @type {import("./later.js").Later} */\nimport { gone } from "./gone.js";\n')
    folder("client/later.js")
    folder("lib.js", 'import{a as b}from"./other.js";var c;')
    folder("other.js")
    found = StaticFiles({}).needed_by(["client/main.js"], {"lib": "lib.js"})
    assert found == ["client/main.js", "client/store/a.js", "client/b.js", "lib.js", "other.js"]


class TestParts:
    """Of plugins."""

    @pytest.fixture
    def nova(self, start_nova, settings, tmp_path, monkeypatch):
        part = tmp_path / "part"
        (part / "texts").mkdir(parents=True)
        (part / "main.js").write_text("export default () => {};\n")
        (part / "texts" / "en.json").write_text("{}")
        (part / "secret.py").write_text("")
        module = types.ModuleType("sample_part")
        module.nova_client_modules = hookimpl(lambda: [ClientModule(part, messages="texts")])
        monkeypatch.setitem(sys.modules, "sample_part", module)
        plugins = Plugins(found=[EntryPoint("sample", "sample_part", ENTRY_POINT_GROUP)])
        return start_nova(settings, plugins=plugins)

    @pytest.mark.gen_test
    async def test_their_files_are_served_below_their_name(self, guest, url):
        for path, status in (("main.js", 200), ("texts/en.json", 200), ("secret.py", 404), ("../../a", 404)):
            assert (await guest.get(url(f"plugins/sample/{path}"))).status == status, path
        assert (await guest.get(url("plugins/sample/main.js"))).body == b"export default () => {};\n"
        assert (await guest.get(url("plugins/other/main.js"))).status == 404


class TestLimits:
    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=True)

    @pytest.mark.gen_test
    async def test_files_and_pages_are_not_counted_as_requests(self, guest, url, nova):
        for _ in range(REQUESTS_BURST // 2):
            for path in ("/", url("styles/base.css"), "/sw.js"):
                assert (await guest.request("HEAD", path)).status == 200
        assert nova.services.request_limits._buckets == {}
