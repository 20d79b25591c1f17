"""Who is there, and what is told while one looks elsewhere."""

import re

import pytest
from playwright.async_api import expect

RECORD_NOTICES = """
Object.defineProperty(document, "hidden", {get: () => window.isAway === true});
window.goAway = (isAway) => {
  window.isAway = isAway;
  document.dispatchEvent(new Event("visibilitychange"));
};
window.notices = [];
window.Notification = class extends Notification {
  constructor(title, options) {
    super(title, options);
    window.notices.push({title, body: options.body, tag: options.tag, notice: this});
  }
};
"""


async def test_who_is_there_is_shown_and_who_goes_is_gone(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    client = await open_client(alice, f"/#/chats/{chat_id}")
    header = client.page.get_by_role("main").get_by_role("banner").or_(client.page.locator(".chat-header"))
    await expect(header).to_contain_text("Offline")
    at_bob = await open_client(bob)
    await expect(header).to_contain_text("Online")
    await expect(client.row(bob.name).get_by_role("img", name="Online")).to_be_visible()
    phone = await open_client(await bob.again())
    await at_bob.context.close()
    await expect(phone.row(alice.name).get_by_role("img", name="Online")).to_be_visible()
    await expect(header).to_contain_text("Online")
    await phone.context.close()
    await expect(header).to_contain_text("Offline")


async def test_title_and_list_count_what_is_unread(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    first, second = await alice.befriend(bob), await alice.befriend(carol)
    for chat_id in (first, second):
        await alice.act("messages_read", {"chat_id": chat_id})
    client = await open_client(alice)
    await expect(client.page).to_have_title("Chats · Nova")
    await bob.say(first, "One", "Two")
    await carol.say(second, "Three")
    await expect(client.page).to_have_title("(3) Chats · Nova")
    await expect(client.page.get_by_role("list", name="Chats").get_by_role("link").first).to_contain_text("Three")
    await client.page.keyboard.press("Alt+u")
    await expect(client.message("Three")).to_be_visible()
    await expect(client.page).to_have_title(f"(2) {carol.name} · Nova")
    # What is read on one device is read on all.
    phone = await open_client(await alice.again(), f"/#/chats/{first}")
    await expect(phone.message("Two")).to_be_visible()
    await expect(client.page).to_have_title(f"{carol.name} · Nova")


async def test_desktop_notification_comes_while_the_page_is_hidden_and_leads_to_the_chat(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    client = await open_client(alice, None, permissions=["notifications"])
    await client.context.add_init_script(RECORD_NOTICES)
    await client.open("/#/settings/notifications")
    page = client.page
    if await page.evaluate("Notification.permission") != "granted":
        pytest.skip("this Chromium knows no notifications: it is a headless shell")
    await page.get_by_role("switch", name="Desktop notifications").check(force=True)
    await bob.say(chat_id, "While you look")
    await expect(page).to_have_title(re.compile(r"^\(2\)"))
    assert await page.evaluate("window.notices.length") == 0
    await page.evaluate("goAway(true)")
    await bob.say(chat_id, "Look **here**")
    await client.until("window.notices.length === 1")
    notice = await page.evaluate("window.notices[0]")
    assert notice["title"] == bob.name and notice["body"].startswith("Look")
    await page.evaluate("window.notices[0].notice.onclick()")
    await page.evaluate("goAway(false)")
    await expect(client.message("Look here")).to_be_visible()


async def test_without_a_wish_for_them_there_are_no_notifications(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    client = await open_client(alice, None, permissions=["notifications"])
    await client.context.add_init_script(RECORD_NOTICES)
    await client.open()
    await client.page.evaluate("goAway(true)")
    await bob.say(chat_id, "Nobody hears")
    await expect(client.page).to_have_title(re.compile(r"^\(2\)"))
    assert await client.page.evaluate("window.notices.length") == 0
