"""What an installed Nova consists of: a forgotten line of setup.cfg is invisible in a checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from processes import LIMIT_S, clean_environ

ROOT = Path(__file__).parents[2]
PARTS = ("LICENSE", "README.md", "MANIFEST.in", "pyproject.toml", "setup.cfg", "nova_tornado", "plugins")
FOLDERS = {"static": "nova_tornado/static", "templates": "nova_tornado/templates"}
"""Folders of the checkout that lie elsewhere in the package."""
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
OPEN = """
import nova_tornado
from nova_tornado.settings import Settings
from nova_tornado.web.pages import Pages
pages = Pages()
pages.open({}, [], {})
print(nova_tornado.__file__, pages.files.version, len(pages.clients[None].body))
"""


def run(code, *arguments, cwd, **environ):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    source, built, unpacked = folder / "source", folder / "built", folder / "unpacked"
    source.mkdir()
    built.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in (*PARTS, *FOLDERS):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    name = run(BUILD, str(built), cwd=source)[-1]
    with zipfile.ZipFile(built / name) as file:
        file.extractall(unpacked)
    return unpacked


def test_the_wheel_has_every_file_of_the_checkout(wheel):
    expected = set()
    for top, target in (("nova_tornado", "nova_tornado"), ("plugins", ""), *FOLDERS.items()):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add((Path(target) / path.relative_to(ROOT / top)).as_posix())
    found = {path.relative_to(wheel).as_posix() for path in wheel.rglob("*") if path.is_file()}
    metadata = {path for path in found if ".dist-info/" in path}
    assert found - metadata == expected


def test_an_installed_nova_serves_the_same_files(wheel, tmp_path):
    place, version, size = run(OPEN, cwd=tmp_path, PYTHONPATH=str(wheel))
    assert Path(place).is_relative_to(wheel)
    here, *same = run(OPEN, cwd=tmp_path, PYTHONPATH=os.fspath(ROOT))
    assert Path(here).is_relative_to(ROOT)
    assert [version, size] == same
