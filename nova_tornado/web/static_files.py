"""The files of the browser client and of the plugins' parts of it, at ``/static/<version>/<path>``.

They are read once, at the start: what is served fits together for the whole life of the process, whatever happens to
the folders meanwhile. The version is a hash over all of them, so an address never changes its content, and browsers
keep it for good.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tornado.web import HTTPError

from nova_tornado.web.content import Content, ContentHandler
from nova_tornado.web.module_pack import FIRST, NotPackableError, pack_modules, resolve

log = logging.getLogger(__name__)

STATIC_PATH = r"/static/([^/]+)/(.+)"
PLUGINS_FOLDER = "plugins"
PACKED_FOLDER = "packed"
"""Where files lie that were made of others at the start."""
VERSION_DIGITS = 12

CONTENT_TYPES = {
    ".css": "text/css; charset=UTF-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=UTF-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""By suffix. Files of other kinds are not served."""

_CSS_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*\*/\n*")
_CSS_REFERENCE = re.compile(r"\burl\(|@import\b|@charset\b")
"""What means something else in another place."""

PACKAGE = Path(__file__).resolve().parents[1]

_IMPORT = re.compile(r'(?:\bfrom|^import)\s*"([^"\n]+)"', re.MULTILINE)


def own_folder(name: str) -> Path:
    """Where files of ours lie that are no modules: in the package when it is installed, beside it in a checkout.

    Raises:
        FileNotFoundError: neither is there.
    """
    for parent in (PACKAGE, PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"the folder {name} is missing in {PACKAGE}")


class StaticFiles:
    """All of them.

    Args:
        plugins: the folders of the plugins' parts, by name.
    """

    def __init__(self, plugins: Mapping[str, Path]) -> None:
        self._contents = dict(_read(own_folder("static")))
        for name, folder in plugins.items():
            self._contents.update((f"{PLUGINS_FOLDER}/{name}/{path}", each) for path, each in _read(folder))
        self._version = ""

    @property
    def version(self) -> str:
        """Changes with every change of any file; asked for when all are there."""
        if not self._version:
            digest = hashlib.sha256()
            for path, content in sorted(self._contents.items()):
                digest.update(f"{path} {content.etag}\n".encode())
            self._version = digest.hexdigest()[:VERSION_DIGITS]
        return self._version

    def pack_modules(self, folder: str, entry: str, public: str) -> str:
        """Put modules together; see ``module_pack``.

        Args:
            folder: where they lie; what they import by relative paths lies there, too.
            entry, public: paths in that folder: the module that is to run, and the one whose exports the pack has.

        Returns:
            The path of the module to load: the pack, or the entry itself where it cannot be packed.
        """
        sources = {
            path.removeprefix(f"{folder}/"): self._contents[path].body.decode()
            for path in self.paths(f"{folder}/")
            if path.endswith(".js")
        }
        try:
            packs = pack_modules(sources, entry, public, PACKED_FOLDER)
        except NotPackableError as error:
            log.info("the modules of %s are served one by one: %s", folder, error)
            return f"{folder}/{entry}"
        for name, pack in packs.items():
            self._contents[f"{folder}/{PACKED_FOLDER}/{name}"] = Content(pack.text.encode(), CONTENT_TYPES[".js"])
        return f"{folder}/{PACKED_FOLDER}/{FIRST}"

    def pack_stylesheets(self, paths: list[str]) -> list[str]:
        """Put style sheets together in their order.

        Returns:
            The path of the one made of them, and of those that refer to other files and so must stay where they are.
        """
        texts = {path: content.body.decode() for path in paths if (content := self.find(path)) is not None}
        apart = [path for path, text in texts.items() if _CSS_REFERENCE.search(text)]
        joined = "".join(_CSS_COMMENT.sub("", text) for path, text in texts.items() if path not in apart)
        packed = f"{PACKED_FOLDER}/client.css"
        self._contents[packed] = Content(joined.encode(), CONTENT_TYPES[".css"])
        return [packed, *apart]

    def find(self, path: str) -> Content | None:
        """The file of a path below the version, None if there is none."""
        return self._contents.get(path)

    def paths(self, prefix: str) -> list[str]:
        """The paths that begin so."""
        return sorted(path for path in self._contents if path.startswith(prefix))

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"/static/{self.version}/{path}"

    def needed_by(self, entries: list[str], imports: Mapping[str, str]) -> list[str]:
        """Modules, and those that they import at once, in the order in which they are met.

        Args:
            entries: paths of modules.
            imports: the paths behind bare names.
        """
        found: dict[str, None] = {}
        waiting = list(entries)
        while waiting:
            path = waiting.pop(0)
            content = self.find(path)
            if content is None or path in found:
                continue
            found[path] = None
            for name in _IMPORT.findall(content.body.decode()):
                waiting.append(resolve(path, name) if name.startswith(".") else imports.get(name, ""))
        return list(found)


def _read(folder: Path) -> Iterator[tuple[str, Content]]:
    # pathlib would take twice the time, and every start waits for this.
    for parent, _, names in os.walk(folder):
        prefix = os.path.relpath(parent, folder).replace(os.sep, "/") + "/"
        for name in names:
            content_type = CONTENT_TYPES.get(os.path.splitext(name)[1])
            if content_type is not None:
                with open(os.path.join(parent, name), "rb") as file:
                    yield prefix.removeprefix("./") + name, Content(file.read(), content_type)


class StaticHandler(ContentHandler):
    """/static/<version>/<path>."""

    cache_control = "public, max-age=31536000, immutable"

    async def get(self, version: str, path: str) -> None:
        """Send a file."""
        files = self.services.pages.files
        content = files.find(path) if version == files.version else None
        if content is None:
            raise HTTPError(404)
        await self.answer(content, {"Cross-Origin-Resource-Policy": "same-origin"})

    head = get
