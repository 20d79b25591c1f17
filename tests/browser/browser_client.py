"""The browser of one person, and what it may not do: errors, reports, requests to other hosts."""

import re
import secrets
from urllib.parse import urlsplit

from playwright.async_api import expect

from nova_tornado.testing.people import Person

LIMIT_MS = 25_000
"""Nothing takes this long; what is waited for longer is not coming."""

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}

SENT = re.compile("^(Sent|Read|Read by some)$")
"""What is written at an own message that was stored."""

NO_NEWS = (
    # Most tests do without the service worker, which Playwright says in the console.
    re.compile(r"Service Worker registration blocked by Playwright"),
)


class BrowserPerson(Person):
    """A person of the tests who also has hands outside of the browser."""

    async def say(self, chat_id, *texts, **more):
        """Sends messages from another program; returns their ids. `more`: `reply_to`, `files`."""
        client = await self.speak("actions")
        try:
            sent = [secrets.token_hex(8) for _ in texts]
            for text, key in zip(texts, sent, strict=True):
                data = {"chat_id": chat_id, "content": text, "client_message_id": key}
                await client.send({"action": "send_message", "data": data | more})
            ids = {}
            while len(ids) < len(texts):
                packet = await client.receive()
                assert packet["ok"], packet
                if packet["action"] == "new_message" and (key := packet["data"].get("client_message_id")):
                    ids[key] = packet["data"]["message"]["message_id"]
            return [ids[key] for key in sent]
        finally:
            client.close()

    async def act(self, action, data):
        """Sends one packet from another program, and waits until the server has answered all of it."""
        client = await self.speak("actions")
        try:
            await client.send({"action": action, "data": data})
            for packet in await client.drain():
                assert packet["ok"], packet
        finally:
            client.close()


class Client:
    """A page in a browser context of its own, as on one device, and what people do with it.

    Attributes:
        person: who uses it, None for nobody yet.
        page: Playwright's page.
        problems: what was wrong in the console and on the wire.
    """

    def __init__(self, context, url, person=None):
        self.context = context
        self.person = person
        self.url = url
        self.problems = []
        self.page = None
        context.set_default_timeout(LIMIT_MS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.problems.append(f"page error: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._request_failed)
        context.on("dialog", self._dialog)

    async def open(self, path="/"):
        """Opens the page; who is signed in waits until everything is there."""
        self.page = await self.context.new_page()
        await self.page.goto(self.url + path)
        if self.person is not None:
            await self.expect_ready()
        return self

    async def expect_ready(self):
        """The client is signed in and has caught up."""
        await expect(self.page.locator(".shell")).to_be_attached()
        await expect(self.page.locator(".skeletons")).to_have_count(0)

    async def until(self, condition):
        """Waits for something that nothing on the page shows: an expression of JavaScript.

        Playwright's own `wait_for_function` evaluates it again and again, which the page's content policy forbids.
        """
        look = f"() => ({condition}) ? resolve() : requestAnimationFrame(look)"
        await self.page.evaluate(f"() => new Promise((resolve) => {{ const look = {look}; look(); }})")

    async def tab(self, path="/"):
        """Another tab of the same browser; it shares the session and the storage."""
        other = Client.__new__(Client)
        other.__dict__.update(self.__dict__)
        return await other.open(path)

    @property
    def log(self):
        """The messages of the open chat."""
        return self.page.get_by_role("log")

    @property
    def composer(self):
        """Where one writes."""
        return self.page.get_by_role("textbox", name="Message", exact=True)

    @property
    def dialog(self):
        """The dialog that is open."""
        return self.page.get_by_role("dialog")

    @property
    def details(self):
        """The panel beside the messages."""
        return self.page.get_by_role("complementary")

    def message(self, text):
        """The messages that have a text in them."""
        return self.log.get_by_role("article").filter(has_text=text)

    def row(self, title):
        """The row of a chat in the list."""
        rows = self.page.get_by_role("list", name="Chats").get_by_role("link")
        return rows.filter(has=self.page.get_by_text(title, exact=True))

    def button(self, name, within=None):
        """A button."""
        return (within or self.page).get_by_role("button", name=name, exact=True)

    def toast(self, text):
        """Something that is told in passing."""
        return self.page.locator(".toast").filter(has_text=text)

    async def go(self, view):
        """To one of the views: Chats, Friends, Activity, Settings."""
        link = self.page.get_by_role("navigation", name="Main navigation").get_by_role("link", name=view)
        await link.click()
        await expect(link).to_have_attribute("aria-current", "page")

    async def open_chat(self, title):
        """Opens a chat by its row."""
        await self.row(title).click()
        await expect(self.page.get_by_role("log", name=f"Messages: {title}")).to_have_attribute("aria-busy", "false")

    async def send(self, *texts):
        """Writes messages."""
        for text in texts:
            await self.composer.fill(text)
            await self.composer.press("Enter")
            await expect(self.composer).to_have_value("")

    async def expect_sent(self, text):
        """An own message with a text in it was stored: it can be edited from now on."""
        await expect(self.message(text).get_by_title(SENT)).to_be_attached()

    async def choose(self, message, action):
        """Chooses something from a message's menu."""
        await message.click(button="right")
        await self.page.get_by_role("menuitem", name=action).click()

    async def menu(self, button, item):
        """Chooses something from the menu of a button."""
        await self.button(button).click()
        await self.page.get_by_role("menuitem", name=item, exact=True).click()

    async def confirm(self, answer):
        """Answers a question."""
        await self.button(answer, self.dialog).click()
        await expect(self.dialog).to_have_count(0)

    def _console(self, message):
        if message.type not in ("error", "warning"):
            return
        text = f"{message.type}: {message.text} ({message.location['url']})"
        if not any(pattern.search(text) for pattern in NO_NEWS):
            self.problems.append(text)

    def _request(self, request):
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.url).netloc:
            self.problems.append(f"request to another host: {request.url}")

    def _request_failed(self, request):
        # Aborted are requests of pages that went away, and those that the client itself has ended.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed request: {request.failure} ({request.url})")

    async def _dialog(self, dialog):
        self.problems.append(f"dialog: {dialog.type} {dialog.message!r}")
        await dialog.dismiss()
