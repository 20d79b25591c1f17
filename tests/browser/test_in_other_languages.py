"""Russian and Chinese all through."""

import re

import pytest
from playwright.async_api import expect

TEXTS = """() => {
  const isShown = (element) => element.checkVisibility({visibilityProperty: true});
  const found = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (isShown(walker.currentNode.parentElement)) found.push(walker.currentNode.data);
  for (const element of document.body.querySelectorAll("[aria-label], [title], [placeholder], [alt]")) {
    for (const name of ["aria-label", "title", "placeholder", "alt"]) found.push(element.getAttribute(name) ?? "");
  }
  return found.filter((text) => text.trim());
}"""

WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][a-z]{2,}(?![A-Za-z0-9])")
KEY = re.compile(r"^[a-z]+(\.[a-z_]+)+$")
KNOWN = {"Nova", "English", "https", "mail", "help"}
KEYS = {"Enter", "Ctrl", "Esc", "Shift", "Alt", "Caps", "Lock", "Tab", "Backspace", "Delete"}


@pytest.mark.parametrize(("locale", "code"), [("ru-RU", "ru"), ("zh-CN", "zh")])
async def test_no_english_is_left_over(open_client, people, locale, code):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    await alice.befriend(bob)
    await carol.post("/friend/invite", {"id": alice.id, "comment": "", "source": "search"})
    chat_id = await alice.new_group(bob, name="123")
    await bob.act("typing", {"chat_id": chat_id})
    guest = await open_client(locale=locale)
    await expect(guest.page.locator("html")).to_have_attribute("lang", code)
    await expect_no_english(guest, set())
    client = await open_client(alice, locale=locale)
    page = client.page
    names = {word for person in (alice, bob, carol) for word in WORD.findall(person.name)} | {"nova", "echo"}
    await expect(page.locator("html")).to_have_attribute("lang", code)
    places = ["chats", "friends", f"friends/{bob.id}", "notifications", f"chats/{chat_id}"]
    places += [f"settings/{each}" for each in ("profile", "account", "appearance", "notifications", "about")]
    places += [f"chats/{chat_id}/panel/{each}" for each in ("details", "search", "rules")]
    for place in places:
        await page.evaluate("place => { location.hash = `#/${place}`; }", place)
        await expect(page.locator("main")).to_be_visible()
        await expect(page.locator(".skeletons")).to_have_count(0)
        await expect_no_english(client, names)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect_no_english(client, names)


async def expect_no_english(client, names):
    texts = await client.page.evaluate(TEXTS)
    assert [text for text in texts if KEY.match(text.strip())] == []
    left = {word for text in texts for word in WORD.findall(text) if word not in KNOWN | KEYS | names}
    assert left == set(), [text for text in texts if left & set(WORD.findall(text))]
