"""What `nova plugin new` writes: a complete little plugin with its test, to begin with."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from string import Template

from nova_tornado.settings import PLUGIN_ENTRY_POINTS

PREFIX = "nova_"
"""What the names of plugins begin with; what follows begins the names of their settings' variables."""
NAME_MAX_CHARACTERS = 50

PROJECT_FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "conftest.py": "conftest.py.txt",
    "$name/__init__.py": "plugin.py.txt",
    "tests/test_$name.py": "test.py.txt",
}
"""The files of the project, and the templates (in `project/`) that they are made of."""


class TemplateError(Exception):
    """The plugin cannot be written; the text is one clear line."""


@dataclass(frozen=True, slots=True)
class WrittenProject:
    """What was written.

    Attributes:
        name: the plugin's name.
        folder: where.
        files: paths within the folder.
        next_steps: what to type next, in a shell.
    """

    name: str
    folder: Path
    files: Sequence[str]
    next_steps: Sequence[str]


def write_plugin(name: str, folder: Path | None = None) -> WrittenProject:
    """Write the project of a new plugin.

    Args:
        name: the plugin's name.
        folder: a new one to write into; by default one of the plugin's name in the working folder.

    Raises:
        TemplateError: the name cannot be used, the folder is there already, or it cannot be written.
    """
    _check_name(name)
    folder = folder or Path(name)
    words = {"name": name, "package": name.replace("_", "-"), "group": PLUGIN_ENTRY_POINTS}
    templates = files(__name__) / "project"
    written = []
    try:
        folder.mkdir(parents=True)
        for path, template in PROJECT_FILES.items():
            target = folder / Template(path).substitute(words)
            target.parent.mkdir(exist_ok=True)
            text = (templates / template).read_text(encoding="utf-8")
            target.write_text(Template(text).substitute(words), encoding="utf-8")
            written.append(str(target.relative_to(folder)))
    except FileExistsError:
        raise TemplateError(
            f"{folder} is there already, and nothing is written over (--folder names another)"
        ) from None
    except OSError as error:
        raise TemplateError(f"cannot write {error.filename or folder}: {error.strerror}") from None
    return WrittenProject(name, folder, written, _next_steps(folder))


def _next_steps(folder: Path) -> list[str]:
    # Named by their paths: Nova is mostly run by bin/nova, whose environment is not the shell's.
    python, nova = sys.executable, str(Path(sys.executable).with_name("nova"))
    orders = [[python, "-m", "pip", "install", "--editable", f"{folder}[test]"], [python, "-m", "pytest", str(folder)]]
    return [shlex.join(order) for order in [*orders, [nova, "plugins"]]]


def _check_name(name: str) -> None:
    """Raises `TemplateError` unless a new plugin can have that name."""
    if not re.fullmatch(rf"{PREFIX}[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > NAME_MAX_CHARACTERS:
        raise TemplateError(
            f"{name!r} is no name for a plugin: it is {PREFIX} and small letters, digits and single underscores, "
            f"at most {NAME_MAX_CHARACTERS} characters, such as nova_weather"
        )
    if any(point.name == name for point in entry_points(group=PLUGIN_ENTRY_POINTS)):
        raise TemplateError(f"a plugin {name} is installed already")
    if importlib.util.find_spec(name) is not None:
        raise TemplateError(f"{name} is the name of a Python module already")
