"""The part of the set-up that can be tried without installing anything: bin/env.sh and bin/bootstrap.py."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import LIMIT_S

ROOT = Path(__file__).parents[2]
REAL = f'exec "{sys.executable}" "$@"'
# What Debian's python3 does without python3-venv.
NO_ENSUREPIP = f'case "$*" in *ensurepip*|*venv*) echo "No module named ensurepip" >&2; exit 1;; esac; {REAL}'
DEAD_SHIM = 'echo "pyenv: python3.12: command not found" >&2; exit 127'
TOO_OLD = "exit 1"


def programs(folder, **texts):
    """A folder with shell scripts, for PATH; a dot in a name is written as an underscore."""
    folder.mkdir()
    for name, text in texts.items():
        script = folder / name.replace("_", ".")
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    return folder


def run_shell(code, path, **environ):
    done = subprocess.run(
        ["/bin/sh", "-euc", code],
        env={"PATH": str(path), "root": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def found_python(path, **environ):
    return run_shell('. "$root/bin/env.sh"; nova_find_python; echo "$python"', path, **environ)


@pytest.fixture
def bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bin" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dead_shims_and_old_pythons_are_passed_over(tmp_path):
    path = programs(tmp_path / "bin", python3_13=DEAD_SHIM, python3_12=DEAD_SHIM, python3=TOO_OLD, python=REAL)
    assert found_python(path) == (0, "python\n", "")


def test_python_that_can_make_an_environment_is_preferred(tmp_path):
    path = programs(tmp_path / "bin", python3_13=NO_ENSUREPIP, python3=REAL)
    assert found_python(path) == (0, "python3\n", "")


def test_python_without_a_part_is_taken_where_there_is_no_other(tmp_path):
    path = programs(tmp_path / "bin", python3_13=TOO_OLD, python3=NO_ENSUREPIP)
    assert found_python(path) == (0, "python3\n", "")


def test_no_python_is_one_clear_line(tmp_path):
    code, out, errors = found_python(programs(tmp_path / "bin", python3=TOO_OLD))
    assert (code, out, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("nova: no Python of version 3.11 or newer runs here")


def test_named_python_is_taken_or_refused(tmp_path):
    path = programs(tmp_path / "bin", python3=REAL, mine=REAL, old=TOO_OLD)
    assert found_python(path, NOVA_PYTHON=f"{path}/mine") == (0, f"{path}/mine\n", "")
    code, _, errors = found_python(path, NOVA_PYTHON=f"{path}/old")
    assert (code, errors.count("\n")) == (1, 1)
    assert "NOVA_PYTHON=" in errors


def test_environment_that_is_ready_is_not_touched(tmp_path):
    # Without a Python on PATH nothing could be set up.
    path = programs(tmp_path / "bin", cksum="echo sums", cat='while read -r line; do echo "$line"; done < "$1"')
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    (venv / ".second").write_text(f"{ROOT} sums\n")
    code = '. "$root/bin/env.sh"; nova_env embedded .first .second; echo "$venv"'
    assert run_shell(code, path, NOVA_VENV=str(venv)) == (0, f"{venv}\n", "")
    # ... but one that was set up for another folder is set up again.
    (venv / ".second").write_text(f"{ROOT}/elsewhere sums\n")
    assert run_shell(code, path, NOVA_VENV=str(venv))[0] == 1


def test_python_without_ensurepip_is_one_clear_line(tmp_path, bootstrap, monkeypatch):
    path = programs(tmp_path / "bin", python3=NO_ENSUREPIP)
    monkeypatch.setattr(bootstrap.sys, "executable", str(path / "python3"))
    monkeypatch.setenv("PATH", str(path))
    with pytest.raises(SystemExit) as caught:
        bootstrap.make_venv(tmp_path / "venv")
    text = str(caught.value)
    assert text.startswith(f"nova: {path}/python3 cannot make a virtual environment: it came without pip (ensurepip)")
    assert "apt-get install python3-venv" in text
    assert "\n" not in text
    assert not (tmp_path / "venv").exists()


def test_environment_that_was_moved_is_not_used(tmp_path, bootstrap):
    (tmp_path / "venv").mkdir()
    bin_folder = programs(tmp_path / "venv" / "bin", python=REAL)
    (bin_folder / "pip").write_text(f"#!{bin_folder}/python\n")
    assert bootstrap.is_usable(tmp_path / "venv")
    os.rename(tmp_path / "venv", tmp_path / "moved")
    assert not bootstrap.is_usable(tmp_path / "moved")
    assert not bootstrap.is_usable(tmp_path / "venv")


def test_folder_that_is_no_environment_is_never_removed(tmp_path, bootstrap):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    with pytest.raises(SystemExit, match=r"exists and is no virtual environment"):
        bootstrap.make_venv(tmp_path / "home")
    assert (tmp_path / "home" / "letter").read_text() == "dear"
