"""The pages: the client's, about, not found. Source: CSP 3, HTML (import maps, script elements), Web App Manifest."""

import base64
import hashlib
import html
import json
import re
import sys
import types
from html.parser import HTMLParser
from importlib.metadata import EntryPoint

import pytest

import nova_tornado
from nova_tornado.api import ClientModule, hookimpl
from nova_tornado.plugin.hookspecs import ENTRY_POINT_GROUP
from nova_tornado.plugin.loader import Plugins
from nova_tornado.settings import Settings
from nova_tornado.web.pages import IMPORTS, STYLESHEETS, script_json
from nova_tornado.web.static_files import own_folder

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ON_EVERY_PAGE = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Page(HTMLParser):
    """What a page consists of: its elements with their attributes, and the texts of scripts."""

    def __init__(self, answer):
        super().__init__()
        self.elements = []
        self.scripts = []
        self.feed(answer.body.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script" and self.lasttag == "script":
            self.scripts[-1] += data

    def all(self, tag, **attributes):
        return [each for name, each in self.elements if name == tag and attributes.items() <= each.items()]

    def script(self, **attributes):
        """The text of the one script with these attributes."""
        [script] = self.all("script", **attributes)
        return self.scripts[self.all("script").index(script)].strip()


def policy(answer):
    """Directives and their values."""
    directives = (each.split() for each in answer.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in directives}


# The client's page


@pytest.mark.gen_test
async def test_the_client_is_served_under_a_strict_policy(guest):
    answer = await guest.get("/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert answer.headers["Cache-Control"] == "no-cache" and answer.headers["Referrer-Policy"] == "same-origin"
    assert ON_EVERY_PAGE.items() <= dict(answer.headers.get_all()).items()
    import_map = Page(answer).script(type="importmap")
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    assert policy(answer) == {
        "default-src": ["'none'"],
        "script-src": ["'self'", f"'sha256-{digest}'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "worker-src": ["'self'"],
        "font-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
    assert answer.headers.get_list("Vary") == ["Cookie", "Accept-Encoding"]
    again = await guest.get("/", headers={"If-None-Match": answer.headers["Etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.gen_test
async def test_everything_that_the_page_names_is_there_and_on_this_server(guest):
    page = Page(await guest.get("/"))
    imports = json.loads(page.script(type="importmap"))["imports"]
    assert imports.keys() == {*IMPORTS, "nova"}
    [sheet] = [each["href"] for each in page.all("link", rel="stylesheet")]
    joined = (await guest.get(sheet)).body.decode()
    assert "/*" not in joined
    sources = [(own_folder("static") / f"styles/{name}.css").read_text() for name in STYLESHEETS]
    places = [joined.index(re.search(r"^\.[^{]*\{", source, re.MULTILINE)[0]) for source in sources]
    assert places == sorted(places)
    modules = [each["href"] for each in page.all("link", rel="modulepreload")]
    [main] = page.all("script", type="module")
    assert modules[0] == main["src"] == imports["nova"] and len(set(modules)) == len(modules)
    assert 5 < len(modules) < 20, "a first visit costs a few requests"
    for path in {*imports.values(), *(each["href"] for each in page.all("link")), main["src"]}:
        assert path.startswith("/") and not path.startswith("//")
        assert (await guest.get(path)).status == 200, path
    # Nothing that the policy would forbid.
    assert not page.all("style") and not any("style" in each for _, each in page.elements)
    assert not any(name.startswith("on") for _, each in page.elements for name in each)


@pytest.mark.gen_test
async def test_the_page_knows_whether_a_session_cookie_came(guest, people):
    alice = await people("alice")
    for person, path, expected in ((guest, "/", False), (alice, "/", True), (alice, "/?kept", None)):
        page = Page(await person.get(path))
        assert json.loads(page.script(id="nova-config"))["has_session"] is expected


class TestConfig:
    """What the client is told of the server."""

    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False, base_url="https://chat.example.org", file_max_mib=3)

    @pytest.fixture
    def nova(self, start_nova, settings, tmp_path, monkeypatch):
        part = tmp_path / "</script><script>alert(1)"
        (part / "texts").mkdir(parents=True)
        for name in ("main.js", "other.js", "part.css", "texts/en.json"):
            (part / name).write_text("")
        module = types.ModuleType("sample_part")
        modules = [ClientModule(part, messages="texts"), ClientModule(part, "other.js", stylesheet="part.css")]
        module.nova_client_modules = hookimpl(lambda: modules)
        monkeypatch.setitem(sys.modules, "sample_part", module)
        plugins = Plugins(found=[EntryPoint("</script><!--<script>", "sample_part", ENTRY_POINT_GROUP)])
        return start_nova(settings, plugins=plugins)

    @pytest.mark.gen_test
    async def test_the_page_tells_it_and_nothing_in_it_breaks_out(self, guest, nova):
        answer = await guest.get("/")
        page = Page(answer)
        prefix = nova.services.pages.files.url("plugins/</script><!--<script>/")
        config = page.script(id="nova-config")
        assert "<" not in config
        assert json.loads(config) == {
            "version": nova.services.pages.files.version,
            "base_url": "https://chat.example.org",
            "file_max_bytes": 3 * 1024**2,
            "has_session": False,
            "modules": [
                {"plugin": "</script><!--<script>", "entry": f"{prefix}main.js", "messages": f"{prefix}texts/"},
                {"plugin": "</script><!--<script>", "entry": f"{prefix}other.js", "messages": None},
            ],
        }
        preloaded = {each["href"] for each in page.all("link", rel="modulepreload")}
        assert {f"{prefix}main.js", f"{prefix}other.js"} <= preloaded
        assert len(page.all("script")) == 4


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "]]>", "\u2028", '"\\"', "<\\/script"])
def test_json_in_a_script_element_stays_in_it(text):
    written = script_json({"text": text})
    assert "<" not in written and json.loads(written) == {"text": text}


@pytest.mark.gen_test
async def test_pages_take_get_and_head_alone_and_touch_no_session(guest, people):
    alice = await people("alice")
    for path in ("/", "/about", "/sw.js", "/manifest.webmanifest", "/favicon.ico"):
        answer = await alice.get(path)
        head = await alice.request("HEAD", path)
        assert (answer.status, head.status, head.body) == (200, 200, b""), path
        assert answer.body and head.headers["Content-Length"] == str(len(answer.body))
        assert not head.headers.get_list("Set-Cookie")
        for method in ("POST", "DELETE", "OPTIONS"):
            answer = await guest.request(method, path)
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
            assert answer.error == "Method not allowed"


# What makes it installable


@pytest.mark.gen_test
async def test_the_service_worker_is_of_this_version_and_keeps_the_clients_files(guest, nova):
    files = nova.services.pages.files
    answer = await guest.get("/sw.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=UTF-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert policy(answer) == {"default-src": ["'none'"], "connect-src": ["'self'"]}
    text = answer.body.decode()
    assert f'const VERSION = "{files.version}";' in text
    kept = json.loads(re.search(r"^const KEPT = (.*);$", text, re.MULTILINE)[1])
    page = Page(await guest.get("/"))
    needed = [*page.all("link", rel="stylesheet"), *page.all("link", rel="modulepreload")]
    assert {each["href"] for each in needed} <= set(kept)
    assert {files.url(f"messages/{language}.json") for language in ("en", "ru", "zh")} <= set(kept)
    assert len(set(kept)) == len(kept) and not any("vendor/emoji" in path for path in kept)
    for path in kept:
        assert (await guest.get(path)).status == 200, path


@pytest.mark.gen_test
async def test_the_manifest_has_what_installing_needs(guest):
    answer = await guest.get("/manifest.webmanifest")
    assert answer.headers["Content-Type"] == "application/manifest+json"
    manifest = answer.json
    assert (manifest["name"], manifest["start_url"], manifest["display"]) == ("Nova", "/", "standalone")
    sizes = {}
    for icon in manifest["icons"]:
        image = await guest.get(icon["src"])
        assert (image.status, image.headers["Content-Type"]) == (200, icon["type"])
        sizes[icon["sizes"], icon.get("purpose", "any")] = image.body
    for (size, _), body in sizes.items():
        if size != "any":
            width, height = (int.from_bytes(body[at : at + 4], "big") for at in (16, 20))
            assert f"{width}x{height}" == size
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= sizes.keys()


# The other pages


@pytest.mark.gen_test
async def test_pages_without_scripts_allow_none(guest):
    for path, status in (("/about", 200), ("/nothing", 404), ("/static/0/nothing", 404)):
        answer = await guest.get(path, headers=BROWSER)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=UTF-8")
        assert ON_EVERY_PAGE.items() <= dict(answer.headers.get_all()).items()
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert policy(answer)["default-src"] == ["'none'"] and "script-src" not in policy(answer)
        page = Page(answer)
        assert not page.all("script") and not page.all("style")
        for link in (*page.all("link"), *page.all("a"), *page.all("img")):
            link = link.get("href") or link["src"]
            assert (await guest.get(link)).status == 200, link


@pytest.mark.gen_test
async def test_the_page_about_the_server_tells_what_it_speaks(guest, nova):
    text = html.unescape(re.sub(r"<[^>]+>", "", (await guest.get("/about")).body.decode()))
    for part in (
        nova_tornado.__version__,
        "is ready",
        "nova_bot_chat",
        "actions",
        "/user, /friend, /chat, /files, /ws/",
    ):
        assert part in text, part
    for path in ("/ws/chat/", "/ws/modes/", "/ws/opcodes/", "/http, /socket"):
        assert path in text, path
    await nova.drain(5)
    assert "is stopping" in (await guest.get("/about")).body.decode()


@pytest.mark.gen_test
async def test_a_path_that_is_not_there_is_a_page_for_browsers_and_json_for_everybody_else(guest):
    for path in ("/nothing", "/chat/x", "/<script>alert(1)</script>"):
        page = await guest.get(path, headers=BROWSER)
        assert page.status == 404 and page.body.startswith(b"<!DOCTYPE html>") and b"alert" not in page.body
        assert page.headers["Cache-Control"] == "no-store"
        for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json, text/html"}):
            answer = await guest.get(path, headers=accept)
            assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
            assert answer.error == f"{path} not found on this server"
        answer = await guest.request("POST", path, headers=BROWSER)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")


class TestWithoutPlugins:
    @pytest.fixture
    def nova(self, start_nova, settings):
        return start_nova(settings, plugins=Plugins(found=[]))

    @pytest.mark.gen_test
    async def test_the_client_and_the_pages_are_there(self, guest):
        config = json.loads(Page(await guest.get("/")).script(id="nova-config"))
        assert config["modules"] == []
        text = (await guest.get("/about")).body.decode()
        assert "Plugins" not in text and text.count("<tr>") == 1
