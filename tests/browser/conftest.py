"""What the tests in a browser share: one server, one Chromium, and people who sit in front of it.

The tests are coroutines: they and Playwright run in one event loop of this folder's own, which stands still between
them. (Playwright's other API, the synchronous one, would leave a loop running behind the other tests' backs.)
"""

import asyncio
import importlib.util
import inspect
import itertools
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from browser_client import DESKTOP, LIMIT_MS, BrowserPerson, Client
from browser_server import NovaServer
from playwright.async_api import async_playwright, expect

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
FAILURES = ROOT / "build" / "browser"
"""Where screenshots of failed tests are kept."""

TEST_LIMIT_S = 170.0
"""Shorter than pytest's own limit, which would end the event loop in the middle of something."""

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    # A process for each page costs half a second of CPU.
    *("--process-per-site", "--renderer-process-limit=1"),
    # Not even a fault of the client can reach another host.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

expect.set_options(timeout=LIMIT_MS)


def load_setup():
    """bin/browser.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("browser_setup", ROOT / "bin" / "browser.py")
    module = sys.modules["browser_setup"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find_browser():
    """The browser, or the end of the run in one line."""
    setup = load_setup()
    try:
        return setup.browser()
    except setup.BrowserError as error:
        problem = f"nova: {error}"
    if "PYTEST_XDIST_WORKER" in os.environ:
        # What ends a process of pytest-xdist is told to nobody.
        return pytest.fail(problem, pytrace=False)
    return pytest.exit(problem, returncode=1)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs a test that is a coroutine where its browser runs."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    pyfuncitem.funcargs["run"](limited(pyfuncitem.obj(**arguments)))
    return True


async def limited(work):
    async with asyncio.timeout(TEST_LIMIT_S):
        return await work


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keeps what is to be seen when a test fails, until it passes."""
    report = yield
    clients = item.funcargs.get("clients")
    if call.when == "call" and clients:
        folder = FAILURES / re.sub(r"[^\w.-]+", "-", item.nodeid.removeprefix("tests/browser/")).strip("-")
        shutil.rmtree(folder, ignore_errors=True)
        if report.failed:
            item.funcargs["run"](keep(clients, folder))
            report.sections.append(("browser", f"What the pages showed is kept in {folder}"))
    return report


async def keep(clients, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for number, client in enumerate(clients, 1):
        name = f"{number}-{client.person.name if client.person else 'guest'}"
        (folder / f"{name}.console.txt").write_text("".join(f"{problem}\n" for problem in client.problems))
        try:
            await client.page.screenshot(path=folder / f"{name}.png", timeout=LIMIT_MS / 2)
            (folder / f"{name}.aria.yml").write_text(await client.page.locator("body").aria_snapshot())
            if is_tracing():
                await client.context.tracing.stop(path=folder / f"{name}.trace.zip")
        except Exception as error:
            # A page that crashed or hangs shows nothing; the test's own failure is what matters.
            (folder / f"{name}.failed.txt").write_text(str(error))


def is_tracing():
    return os.environ.get("NOVA_TEST_TRACE") == "on"


@pytest.fixture(scope="session")
def run():
    """Runs a coroutine in the event loop of the browser."""
    # With a factory, the runner leaves alone what other tests take for the current loop.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield runner.run


@pytest.fixture(scope="session")
def chromium(run):
    """The Chromium of this test process."""
    found = find_browser()
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = found.node
    playwright = run(async_playwright().start())
    chromium = run(playwright.chromium.launch(executable_path=found.chromium, args=list(FLAGS)))
    yield chromium
    run(chromium.close())
    run(playwright.stop())


@pytest.fixture(scope="session")
def shared_server(mongo, tmp_path_factory):
    """The server that most tests share."""
    server = NovaServer(tmp_path_factory.mktemp("nova"), mongo, "nova_browser")
    yield server
    server.close()


@pytest.fixture
def server(shared_server):
    """The server of the test; a module or class may override this fixture."""
    yield shared_server
    assert shared_server.errors() == []


@pytest.fixture
def start_server(mongo, tmp_path):
    """Starts servers of the test's own, `start_server(*flags, **environ)`, each on an empty database."""
    started = []

    def start(*flags, **environ):
        name = f"{tmp_path.name}_{len(started)}"[-60:]
        server = NovaServer(tmp_path / name, mongo, f"nova_{name}", *flags, **environ)
        started.append(server)
        return server

    yield start
    for server in started:
        errors = server.errors()
        server.close()
        assert errors == []


NUMBERS = itertools.count(1)


@pytest.fixture
def people(run, server):
    """Makes users with names of their own: `alice = await people("alice")` is alice-001, or such."""
    made = []

    async def register(name, on=None):
        person = BrowserPerson((on or server).port, f"{name}-{next(NUMBERS):03}")
        made.append(person)
        await person.register()
        return person

    yield register
    for person in made:
        run(person.close())


@pytest.fixture
def clients(run):
    """The clients that the test has opened."""
    opened = []
    yield opened
    for client in opened:
        run(client.context.close())


@pytest.fixture
def open_client(chromium, server, clients, request):
    """Opens a browser: `page = await open_client(alice)` is signed in, `await open_client()` is not.

    Args:
        path: what is opened; None opens nothing yet.
        worker: whether the service worker may be there.
        **options: of Playwright's contexts.
    """

    async def open_one(person=None, path="/", *, on=None, worker=False, **options):
        url = (on or server).url
        # What moves cannot be clicked: the tests ask for no animations, as people may.
        given = {"viewport": DESKTOP, "locale": "en-US", "reduced_motion": "reduce"} | options
        context = await chromium.new_context(service_workers="allow" if worker else "block", **given)
        client = Client(context, url, person)
        clients.append(client)
        if is_tracing():
            await context.tracing.start(screenshots=True, snapshots=True)
        if person is not None:
            await context.add_cookies([{"name": "sessionid", "value": person.cookie, "url": url, "httpOnly": True}])
        return client if path is None else await client.open(path)

    yield open_one
    expected, allowed = (marked(request, name) for name in ("expects_console", "allows_console"))
    problems = [problem for client in clients for problem in client.problems]
    unexpected = [problem for problem in problems if not any(part in problem for part in expected + allowed)]
    assert not unexpected, f"unexpected in the browser: {unexpected}"
    for part in expected:
        assert any(part in problem for problem in problems), f"expected in the browser: {part!r}; found: {problems}"


def marked(request, name):
    """What a marker of the test names."""
    return tuple(part for marker in request.node.iter_markers(name) for part in marker.args)


@pytest.fixture(autouse=True)
def _in_the_browsers_loop(run):
    """Every test of this folder may be a coroutine."""


def pytest_collection_modifyitems(items):
    """Leaves the tests of this folder out where that is wished."""
    if os.environ.get("NOVA_TEST_BROWSER") == "off":
        for item in items:
            if item.path.is_relative_to(FOLDER):
                item.add_marker(pytest.mark.skip(reason="NOVA_TEST_BROWSER is off"))
