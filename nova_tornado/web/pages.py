"""The pages that people see in a browser, and what belongs to the client's page: service worker, manifest, icon."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tornado.template import Loader
from tornado.web import HTTPError, RequestHandler

import nova_tornado
from nova_tornado.web.base import SESSION_COOKIE
from nova_tornado.web.content import HTML_TYPE, Content, ContentHandler
from nova_tornado.web.static_files import (
    PACKED_FOLDER,
    PLUGINS_FOLDER,
    STATIC_PATH,
    StaticFiles,
    StaticHandler,
    own_folder,
)

if TYPE_CHECKING:
    from nova_tornado.web.services import Services

IMPORTS = {
    "preact": "vendor/preact/preact.js",
    "preact/hooks": "vendor/preact/hooks.js",
    "@preact/signals-core": "vendor/signals-core/signals-core.js",
    "@preact/signals": "vendor/signals/signals.js",
    "htm": "vendor/htm/htm.js",
    "marked": "vendor/marked/marked.js",
    "dompurify": "vendor/dompurify/purify.js",
}
"""What modules of the client import by these names; those of plugins may import ``nova`` besides."""
CLIENT_FOLDER = "client"
MAIN_MODULE = "main.js"
PUBLIC_MODULE = "nova.js"
"""What plugins' parts import as ``nova``."""
FIRST_SCRIPT = "client/first_paint.js"
ICON = "icons/icon.svg"
STYLESHEETS = ("base", "boot", "ui", "shell", "conversation", "people")
"""In the order in which they are read."""

MADE_MAX_COUNT = 4
"""So many sets of parts are kept ready; a server has one."""

CLIENT_POLICY = (
    "default-src 'none'; script-src 'self' 'sha256-{}'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
WORKER_POLICY = "default-src 'none'; connect-src 'self'"

SHARED_HEADERS = {
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAGE_HEADERS = {
    **SHARED_HEADERS,
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "no-referrer",  # the address of a page may hold a token
}


@dataclass(frozen=True, slots=True)
class ClientPart:
    """A plugin's part of the browser client, as paths below the plugin's folder.

    Attributes:
        plugin: its name.
        entry: the module.
        messages: the folder of its texts, "" if it has none.
        stylesheet: "" if it has none.
    """

    plugin: str
    entry: str
    messages: str
    stylesheet: str

    def path(self, name: str) -> str:
        """The path of one of its files below the version."""
        return f"{PLUGINS_FOLDER}/{self.plugin}/{name}"


@dataclass(frozen=True, slots=True)
class SpokenProtocol:
    """A protocol, and where it is spoken."""

    name: str
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class About:
    """What the page about the server tells."""

    is_ready: Callable[[], bool]
    plugins: Sequence[str]
    protocols: Sequence[SpokenProtocol]


def script_json(value: object) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or begins a comment."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


class MadeModules(NamedTuple):
    """What the client's page refers to, as paths: ``files`` has all of them."""

    files: StaticFiles
    entries: Mapping[ClientPart, str]
    sheets: Sequence[str]
    main: str
    imports: Mapping[str, str]
    modules: Sequence[str]


@lru_cache(MADE_MAX_COUNT)
def make_modules(parts: tuple[ClientPart, ...], folders: tuple[tuple[str, Path], ...]) -> MadeModules:
    """Read all files and put modules and style sheets together.

    It takes more than half of a start, so it is done once for all Novas of one process, and of its forks.

    Args:
        parts: of plugins.
        folders: where the parts' files lie, by the plugin's name.
    """
    files = StaticFiles(dict(folders))
    own_sheets = [f"styles/{name}.css" for name in STYLESHEETS]
    sheets = files.pack_stylesheets(own_sheets + [part.path(part.stylesheet) for part in parts if part.stylesheet])
    main = files.pack_modules(CLIENT_FOLDER, MAIN_MODULE, PUBLIC_MODULE)
    is_packed = main != f"{CLIENT_FOLDER}/{MAIN_MODULE}"
    imports = {**IMPORTS, "nova": main if is_packed else f"{CLIENT_FOLDER}/{PUBLIC_MODULE}"}

    def entry_of(part: ClientPart) -> str:
        """The path of the module to load. Two parts may share modules, which must then not be there twice."""
        if sum(each.plugin == part.plugin for each in parts) > 1:
            return part.path(part.entry)
        return files.pack_modules(f"{PLUGINS_FOLDER}/{part.plugin}", part.entry, part.entry)

    entries = {part: entry_of(part) for part in parts}
    return MadeModules(files, entries, sheets, main, imports, files.needed_by([main, *entries.values()], imports))


@lru_cache
def _loader() -> Loader:
    """The templates, each of them compiled once."""
    return Loader(str(own_folder("templates")), whitespace="all")


class Pages:
    """Makes the pages; ``open`` comes before everything else.

    Attributes:
        files: those below ``/static/``.
        clients: the page of the client, by whether its reader has a session cookie; None where that is not known.
        worker: its service worker.
        manifest: what makes it installable.
    """

    files: StaticFiles
    clients: Mapping[bool | None, Content]
    worker: Content
    manifest: Content

    def open(self, config: Mapping[str, Any], parts: Sequence[ClientPart], folders: Mapping[str, Path]) -> None:
        """Read all files and make the client's page.

        Args:
            config: what the client is told of the server.
            parts: of plugins.
            folders: where the parts' files lie, by the plugin's name.
        """
        made = make_modules(tuple(parts), tuple(folders.items()))
        self.files = files = made.files
        self._entries, sheets, main, imports, modules = made.entries, made.sheets, made.main, made.imports, made.modules
        import_map = script_json({"imports": {name: files.url(path) for name, path in imports.items()}})
        self._client_policy = CLIENT_POLICY.format(
            base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
        )
        told = {"version": files.version, **config, "modules": [self._module(each) for each in parts]}

        def page(has_session: bool | None) -> Content:
            text = self.render(
                "client.html",
                import_map=import_map,
                config=script_json({**told, "has_session": has_session}),
                stylesheets=[files.url(path) for path in sheets],
                modules=[files.url(path) for path in modules],
                main=files.url(main),
            )
            return Content(text, HTML_TYPE)

        self.clients = {has_session: page(has_session) for has_session in (True, False, None)}
        kept = [FIRST_SCRIPT, *sheets, *modules, *imports.values(), ICON, *files.paths("messages/")]
        kept += files.paths(f"{CLIENT_FOLDER}/{PACKED_FOLDER}/")
        for part in parts:
            kept += files.paths(part.path(f"{PACKED_FOLDER}/"))
            kept += files.paths(part.path(f"{part.messages}/")) if part.messages else []
        kept = list(dict.fromkeys(kept))
        worker = self.render("sw.js", version=files.version, kept=script_json([files.url(path) for path in kept]))
        self.worker = Content(worker, "text/javascript; charset=UTF-8")
        self.manifest = Content(self.render("manifest.webmanifest"), "application/manifest+json")

    def _module(self, part: ClientPart) -> dict[str, str | None]:
        url = self.files.url
        messages = url(part.path(part.messages)) + "/" if part.messages else None
        return {"plugin": part.plugin, "entry": url(self._entries[part]), "messages": messages}

    @property
    def client_headers(self) -> dict[str, str]:
        """Headers of the client's page."""
        return {
            **SHARED_HEADERS,
            "Content-Security-Policy": self._client_policy,
            "Referrer-Policy": "same-origin",
        }

    def render(self, template: str, **values: object) -> bytes:
        """A template with its values; what they hold is escaped unless the template says otherwise."""
        return _loader().load(template).generate(url=self.files.url, nova_version=nova_tornado.__version__, **values)

    def show(self, handler: RequestHandler, template: str, *, status: int = 200, **values: object) -> None:
        """Answer with a page without scripts.

        Args:
            handler: whose answer it is.
            template: ``confirmation.html`` takes a ``heading`` and a ``sentence``.
            values: of the template.
        """
        handler.set_status(status)
        handler.set_header("Content-Type", HTML_TYPE)
        for name, value in PAGE_HEADERS.items():
            handler.set_header(name, value)
        handler.finish(self.render(template, **values))


class ClientHandler(ContentHandler):
    """/: the client. It tells whether a session cookie came: who has none need not be asked who he is."""

    async def get(self) -> None:
        """Send the page; ``/?kept`` is what the service worker keeps for whoever will read it."""
        pages = self.services.pages
        is_kept = self.get_query_argument("kept", None) is not None
        has_session = None if is_kept else self.get_cookie(SESSION_COOKIE) is not None
        await self.answer(pages.clients[has_session], {**pages.client_headers, "Vary": "Cookie"})

    head = get


class WorkerHandler(ContentHandler):
    """/sw.js: the client's service worker; here, because it may rule only what lies below its own path."""

    async def get(self) -> None:
        """Send the script."""
        await self.answer(self.services.pages.worker, {"Content-Security-Policy": WORKER_POLICY})

    head = get


class ManifestHandler(ContentHandler):
    """/manifest.webmanifest."""

    async def get(self) -> None:
        """Send the manifest."""
        await self.answer(self.services.pages.manifest, {})

    head = get


class IconHandler(ContentHandler):
    """/favicon.ico: for whoever asks without having read a page."""

    async def get(self) -> None:
        """Send the icon."""
        icon = self.services.pages.files.find("icons/favicon.ico")
        if icon is None:
            raise HTTPError(404)
        await self.answer(icon, {})

    head = get


class AboutHandler(ContentHandler):
    """/about: what this is, for whoever comes across it."""

    def initialize(self, services: Services, about: About | None = None) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services)
        assert about is not None
        self._about = about

    async def get(self) -> None:
        """Send the page."""
        page = self.services.pages.render("about.html", about=self._about)
        await self.answer(Content(page, HTML_TYPE), PAGE_HEADERS)

    head = get


ROUTES = [
    ("/", ClientHandler),
    ("/sw.js", WorkerHandler),
    ("/manifest.webmanifest", ManifestHandler),
    ("/favicon.ico", IconHandler),
    (STATIC_PATH, StaticHandler),
]
ABOUT_PATH = "/about"
