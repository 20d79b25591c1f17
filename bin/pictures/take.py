"""Takes the pictures in docs/img: runs a Nova on an empty database, lets people talk, and photographs Maya's screen.

Usage: bin/screenshots [NAME...]. The talk has taken some days and ends on a Tuesday at 14:32, as the browser's clock
says, too; what is drawn is drawn by Chromium itself. So runs differ little, if the fonts are the same: on Debian,
fonts-inter, fonts-noto-color-emoji and fonts-noto-cjk.
"""

import asyncio
import importlib.util
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType

from playwright.async_api import Browser, Page, async_playwright, expect
from small_png import smaller
from world import NOW, World

from nova_tornado.plugin.loader import Plugins
from nova_tornado.storage.embedded import EmbeddedMongo
from nova_tornado.testing.running import RunningNova

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "img"

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
PHONE_SCALE = 2

FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<alias binding="strong"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
<alias binding="strong"><family>sans</family><prefer><family>Inter</family></prefer></alias>
</fontconfig>
"""
"""The client takes the system's own font, which is another one on each system; this one looks like most of them."""


class Camera:
    """Photographs Maya's screen.

    Args:
        darkroom: a page to work on pictures in.
        url: of the server.
        cookie: Maya's.
    """

    def __init__(self, browser: Browser, darkroom: Page, url: str, cookie: str, world: World) -> None:
        self._browser = browser
        self._darkroom = darkroom
        self._url = url
        self._cookie = cookie
        self.world = world

    async def open(self, *, theme: str = "light", is_phone: bool = False, is_signed_in: bool = True) -> Page:
        """A browser at the made-up time."""
        size = PHONE if is_phone else DESKTOP
        context = await self._browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            device_scale_factor=PHONE_SCALE if is_phone else 1,
            color_scheme="dark" if theme == "dark" else "light",
            locale="en-GB",
            timezone_id="UTC",
            reduced_motion="reduce",
            is_mobile=is_phone,
            has_touch=is_phone,
            service_workers="block",
        )
        if is_signed_in:
            await context.add_cookies([{"name": "sessionid", "value": self._cookie, "url": self._url}])
        page = await context.new_page()
        await page.clock.set_fixed_time(NOW)
        await page.goto(self._url)
        ready = page.locator(".shell" if is_signed_in else ".sign-in form")
        await expect(ready).to_be_visible()
        await expect(page.locator(".skeletons")).to_have_count(0)
        return page

    async def go(self, page: Page, place: str) -> None:
        """To a place of the client."""
        await page.evaluate("place => { location.hash = place; }", f"#/{place}")
        await expect(page.locator(".skeletons, [aria-busy=true]")).to_have_count(0)

    async def chat(self, page: Page, key: str, more: str = "") -> None:
        """To a chat, with all of its pictures there."""
        await self.go(page, f"chats/{self.world.chats[key]}{more}")
        await expect(page.get_by_role("log")).to_be_visible()
        await page.evaluate("() => Promise.all([...document.images].map((image) => image.decode()))")

    async def take(self, page: Page, name: str) -> None:
        """Photograph, and close the browser."""
        await page.evaluate("document.fonts.ready")
        await page.mouse.move(0, 0)
        path = FOLDER / f"{name}.png"
        data = await page.screenshot(animations="disabled", caret="hide")
        path.write_bytes(await smaller(self._darkroom, data))
        await page.context.close()
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} kB")


async def conversation(camera: Camera) -> None:
    """A group, in the light theme, while somebody writes."""
    page = await camera.open()
    await camera.chat(page, "hike")
    await camera.world.act("priya", "typing", {"chat_id": camera.world.chats["hike"]})
    await expect(page.locator(".typing-notice")).to_be_visible()
    await camera.take(page, "conversation")


async def dark(camera: Camera) -> None:
    """Another chat, in the dark theme."""
    page = await camera.open(theme="dark")
    await camera.chat(page, "design")
    await camera.take(page, "dark")


async def group(camera: Camera) -> None:
    """Who is in a group, beside its messages."""
    page = await camera.open()
    await camera.chat(page, "hike", "/panel/details")
    await camera.take(page, "group")


async def assistant(camera: Camera) -> None:
    """The talk with the built-in bot, and the choice of commands."""
    page = await camera.open()
    await camera.chat(page, "nova")
    await page.get_by_role("textbox", name="Message", exact=True).press_sequentially("/r")
    await expect(page.get_by_role("listbox")).to_be_visible()
    await camera.take(page, "assistant")


async def friends(camera: Camera) -> None:
    """Friends in their groups."""
    page = await camera.open()
    await camera.go(page, f"friends/{camera.world.people['jonas'].id}")
    await camera.take(page, "friends")


async def settings(camera: Camera) -> None:
    """The settings."""
    page = await camera.open()
    await camera.go(page, "settings/profile")
    await camera.take(page, "settings")


async def sign_in(camera: Camera) -> None:
    """The first page of all."""
    page = await camera.open(is_signed_in=False)
    await page.evaluate("document.activeElement.blur()")
    await camera.take(page, "sign-in")


async def phone_chats(camera: Camera) -> None:
    """The list of chats on a phone."""
    await camera.take(await camera.open(is_phone=True), "phone-chats")


async def phone_conversation(camera: Camera) -> None:
    """A chat on a phone."""
    page = await camera.open(is_phone=True)
    await camera.chat(page, "hike")
    await camera.take(page, "phone-conversation")


async def phone_dark(camera: Camera) -> None:
    """A chat on a phone, in the dark theme."""
    page = await camera.open(theme="dark", is_phone=True)
    await camera.chat(page, "maya-priya")
    await camera.take(page, "phone-dark")


SHOTS: dict[str, Callable[[Camera], Awaitable[None]]] = {
    "conversation": conversation,
    "dark": dark,
    "group": group,
    "assistant": assistant,
    "friends": friends,
    "settings": settings,
    "sign-in": sign_in,
    "phone-chats": phone_chats,
    "phone-conversation": phone_conversation,
    "phone-dark": phone_dark,
}


def load_setup() -> ModuleType:
    """bin/browser.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("browser_setup", ROOT / "bin" / "browser.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["browser_setup"] = module
    spec.loader.exec_module(module)
    return module


async def photograph(nova: RunningNova, names: list[str], fonts_conf: Path) -> None:
    """Make the world, and take the pictures."""
    environ: dict[str, str | float | bool] = {**os.environ, "FONTCONFIG_FILE": str(fonts_conf)}
    setup = load_setup()
    found = setup.browser()
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = found.node
    async with async_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"]
        browser = await playwright.chromium.launch(executable_path=found.chromium, args=flags, env=environ)
        world = World(nova, await browser.new_context())
        await world.build()
        maya = world.people["maya"]
        assert maya.cookie is not None
        darkroom = await (await browser.new_context()).new_page()
        camera = Camera(browser, darkroom, f"http://127.0.0.1:{nova.port}", maya.cookie, world)
        for name in names:
            await SHOTS[name](camera)
        await browser.close()


def main() -> None:
    """Take the pictures that the command line names.

    Raises:
        SystemExit: there is no picture of such a name.
    """
    names = sys.argv[1:] or list(SHOTS)
    if unknown := [name for name in names if name not in SHOTS]:
        raise SystemExit(f"nova: no picture {unknown[0]!r}; there are {', '.join(SHOTS)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        embedded = EmbeddedMongo(Path(folder) / "mongo")
        embedded.launch()
        try:
            embedded.wait_ready()
            (Path(folder) / "fonts.conf").write_text(FONTS_CONF)
            nova = RunningNova(runner, embedded.uri, Plugins(), {}, Path(folder) / "data")
            nova.run(nova.start())
            runner.run(photograph(nova, names, Path(folder) / "fonts.conf"))
            nova.run(nova.stop())
        finally:
            embedded.stop()


if __name__ == "__main__":
    main()
