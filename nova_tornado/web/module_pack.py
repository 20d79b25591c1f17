"""Many small ES modules in two files, so that a first visit costs a few requests instead of more than a hundred.

Each module becomes a scope of its own that hands out what it exports; the scopes run in the order in which imports ask
for them. That is what the modules themselves would do, under two conditions, which are checked: no circle of imports,
and imports and exports in their usual forms, each at the beginning of a line. What is imported only by ``import("…")``
goes into the second file, which is fetched when the first such import runs. Comments are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

FIRST = "first.js"
LATER = "later.js"

_COMMENTS = re.compile(r"^[ \t]*(?:/\*(?:[^*]|\*(?!/))*\*/|//[^\n]*)[ \t]*\n", re.MULTILINE)
_IMPORT = re.compile(
    r"^import (?:(?P<default>[\w$]+)|\* as (?P<all>[\w$]+)|\{(?P<names>[^{}]*)\})"
    r' from "(?P<path>[^"\n]+)";',
    re.MULTILINE,
)
_IMPORT_ONLY = re.compile(r'^import "(?P<path>[^"\n]+)";', re.MULTILINE)
_IMPORT_LATER = re.compile(r'\bimport\("(?P<path>\.[^"\n]+)"\)')
_REEXPORT = re.compile(r'^export (?:(?P<all>\*)|\{(?P<names>[^{}]*)\}) from "(?P<path>[^"\n]+)";', re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{(?P<names>[^{}]*)\};", re.MULTILINE)
_EXPORT_ONE = re.compile(
    r"^export (?P<default>default )?(?P<kind>const|class|(?:async )?function\*?) (?P<name>[\w$]+)", re.MULTILINE
)
_LEFT_OVER = re.compile(r"^(?:import\b(?! *[.(])|export\b|await\b)[^\n]*", re.MULTILINE)


class NotPackableError(Exception):
    """The modules are not as they must be to be packed."""


class Pack(NamedTuple):
    """Modules in one file.

    Attributes:
        text: the file.
        externals: the bare names that it imports.
    """

    text: str
    externals: list[str]


@dataclass(slots=True)
class _Module:
    """One module, taken apart.

    Attributes:
        body: its text, with imports and exports rewritten.
        imports: paths of other modules, in their order.
        later: paths of modules that it imports when they are needed.
        externals: the bare names that it imports.
        exports: the names that it exports, and what each one is within.
        passed_on: paths of modules whose exports are all passed on.
    """

    body: str = ""
    imports: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    externals: list[str] = field(default_factory=list)
    exports: dict[str, str] = field(default_factory=dict)
    passed_on: list[str] = field(default_factory=list)


def pack_modules(sources: Mapping[str, str], entry: str, public: str, folder: str) -> dict[str, Pack]:
    """Put a module and all that it imports by relative paths into one file, and what it may need later into another.

    Args:
        sources: all modules by their paths.
        entry: the path of the one that is to run.
        public: the path of the one whose exports are those of the file.
        folder: where the files will lie, as a path beside those of the modules.

    Returns:
        By their names in the folder ``FIRST`` and, if there is anything in it, ``LATER``.

    Raises:
        NotPackableError: it cannot be done.
    """
    modules = _Modules(sources, folder)
    first = modules.order([public, entry], known=())
    later = modules.order(modules.imported_later(first), known=first)
    while more := modules.order(modules.imported_later(later), known=[*first, *later]):
        later += more
    exports = modules.exports(public)
    given = ", ".join(f"{name}: $e{index}" for index, name in enumerate(exports))
    taken = ", ".join(["$m as $modules", *(f"$e{index} as {name}" for index, name in enumerate(exports))])
    head, tail = "const $m = {};", f"const {{ {given} }} = {_scope(public)};\nexport {{ {taken} }};\n"
    packs = {FIRST: modules.pack(first, head, tail)}
    if later:
        packs[LATER] = modules.pack(later, f'import {{ $modules as $m }} from "./{FIRST}";')
    return packs


class _Modules:
    def __init__(self, sources: Mapping[str, str], folder: str) -> None:
        self._sources = sources
        self._up = "../" * len(PurePosixPath(folder).parts)
        self._known: dict[str, _Module] = {}

    def _get(self, path: str) -> _Module:
        if path not in self._known:
            if path not in self._sources:
                raise NotPackableError(f"there is no module {path}")
            self._known[path] = self._take_apart(path)
        return self._known[path]

    def order(self, paths: Iterable[str], known: Iterable[str]) -> list[str]:
        """Those modules and all that they import, each behind all that it imports, without the known ones."""
        ordered: dict[str, None] = {}
        done, under_way = set(known), set[str]()

        def add(path: str) -> None:
            if path in done:
                return
            if path in under_way:
                raise NotPackableError(f"{path} imports itself in a circle")
            under_way.add(path)
            for imported in self._get(path).imports:
                add(imported)
            done.add(path)
            ordered[path] = None

        for path in paths:
            add(path)
        return list(ordered)

    def imported_later(self, paths: Iterable[str]) -> list[str]:
        """What those modules import when it is needed."""
        return [later for path in paths for later in self._get(path).later]

    def exports(self, path: str) -> dict[str, str]:
        """What a module exports, and what each is within its scope."""
        module = self._get(path)
        passed_on = {name: f"{_scope(each)}.{name}" for each in module.passed_on for name in self.exports(each)}
        return {**passed_on, **module.exports}

    def pack(self, paths: list[str], head: str, tail: str = "") -> Pack:
        """Modules in one file."""
        externals = list(dict.fromkeys(name for path in paths for name in self._get(path).externals))
        lines = [f'import * as {_external(name)} from "{name}";' for name in externals]
        lines.append(head)
        for path in paths:
            exports = ", ".join(f"{name}: {local}" for name, local in self.exports(path).items())
            body = self._get(path).body
            lines.append(f"{_scope(path)} = (() => {{ // {path}\n{body}\nreturn {{ {exports} }};\n}})();")
        return Pack("\n".join([*lines, tail]), externals)

    def _take_apart(self, path: str) -> _Module:
        module = _Module()

        def source_of(name: str) -> str:
            if not name.startswith("."):
                module.externals.append(name)
                return _external(name)
            module.imports.append(resolve(path, name))
            return _scope(module.imports[-1])

        def take_import(match: re.Match[str]) -> str:
            source = source_of(match["path"])
            if match["all"]:
                return f"const {match['all']} = {source};"
            if match["default"]:
                return f"const {{ default: {match['default']} }} = {source};"
            return f"const {{ {', '.join(f'{name}: {local}' for name, local in _pairs(match['names']))} }} = {source};"

        def take_import_only(match: re.Match[str]) -> str:
            source_of(match["path"])
            return ""

        def take_import_later(match: re.Match[str]) -> str:
            module.later.append(resolve(path, match["path"]))
            return f'import("./{LATER}").then(() => {_scope(module.later[-1])})'

        def take_reexport(match: re.Match[str]) -> str:
            source = source_of(match["path"])
            if not match["all"]:
                module.exports.update((public, f"{source}.{name}") for name, public in _pairs(match["names"]))
            elif match["path"].startswith("."):
                module.passed_on.append(module.imports[-1])
            else:
                raise NotPackableError(f"{path} passes on all of {match['path']}")
            return ""

        def take_list(match: re.Match[str]) -> str:
            module.exports.update((public, name) for name, public in _pairs(match["names"]))
            return ""

        def take_one(match: re.Match[str]) -> str:
            module.exports["default" if match["default"] else match["name"]] = match["name"]
            return f"{match['kind']} {match['name']}"

        body = _COMMENTS.sub("", self._sources[path])
        for pattern, take in (
            (_IMPORT, take_import),
            (_IMPORT_ONLY, take_import_only),
            (_IMPORT_LATER, take_import_later),
            (_REEXPORT, take_reexport),
            (_EXPORT_LIST, take_list),
            (_EXPORT_ONE, take_one),
        ):
            body = pattern.sub(take, body)
        if found := _LEFT_OVER.search(body):
            raise NotPackableError(f"{path} has a form that is not known: {found[0]}")
        module.body = body.replace("import.meta.url", f'new URL("{self._up}{path}", import.meta.url).href').strip()
        return module


def _scope(path: str) -> str:
    """What the exports of a module are found by, in both files."""
    return f"$m[{json.dumps(path)}]"


def _external(name: str) -> str:
    return "$x_" + re.sub(r"\W", "_", name)


def resolve(path: str, name: str) -> str:
    """The path that a module at ``path`` means by the relative ``name``."""
    parts: list[str] = []
    for part in (PurePosixPath(path).parent / name).parts:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    return "/".join(parts)


def _pairs(listed: str) -> list[tuple[str, str]]:
    """The pairs ``a as b`` of a list in braces; ``a`` alone stands for both."""
    pairs = []
    for item in filter(None, (each.strip() for each in listed.split(","))):
        name, _, other = (part.strip() for part in item.partition(" as "))
        pairs.append((name, other or name))
    return pairs
