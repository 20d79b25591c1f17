"""Everything without a mouse."""

from playwright.async_api import expect


async def tab_to(client, locator, limit=40, key="Tab"):
    """Presses Tab until something has the focus; it must be seen that it has."""
    for _ in range(limit):
        if await locator.evaluate("element => element === document.activeElement"):
            assert await locator.evaluate(HAS_RING), "the focus cannot be seen"
            return
        await client.page.keyboard.press(key)
    raise AssertionError(f"{locator} is not reached")


HAS_RING = """(element) => {
  const ring = (one) => {
    const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(one);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
  };
  return ring(element) || (element.closest(".field-box, .composer-field, .search-field") && true)
    || (element.parentElement && ring(element.parentElement));
}"""


async def test_from_signing_in_to_signing_out_without_a_mouse(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await alice.new_group(bob, name="Keyboards")
    await bob.say(chat_id, "One", "Two", "Three")
    client, at_bob = await open_client(), await open_client(bob, f"/#/chats/{chat_id}")
    page, keys = client.page, client.page.keyboard
    await expect(page.get_by_role("textbox", name="User name or e-mail")).to_be_focused()
    await keys.type(alice.name)
    await tab_to(client, page.get_by_label("Password", exact=True))
    await keys.type(alice.password)
    await keys.press("Enter")
    await client.expect_ready()

    # The first stop leads past the navigation.
    await page.reload()
    await client.expect_ready()
    await keys.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await keys.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()

    search = page.get_by_role("searchbox", name="Search chats")
    await keys.press("Control+Shift+f")
    await expect(search).to_be_focused()
    await keys.press("ArrowDown")
    await expect(client.row("Keyboards")).to_be_focused()
    await keys.press("ArrowDown")
    await expect(client.row(bob.name)).to_be_focused()
    await keys.press("Home")
    await keys.press("Enter")
    await expect(client.composer).to_be_focused()
    await keys.type("Hello")
    await keys.press("Enter")
    await expect(at_bob.message("Hello")).to_be_visible()

    # To the messages and back; what can be done with one of them.
    await tab_to(client, client.log, key="Shift+Tab")
    await keys.press("ArrowUp")
    await expect(client.message("Hello")).to_be_focused()
    await keys.press("ArrowUp")
    await expect(client.message("Three")).to_be_focused()
    await keys.press("r")
    await expect(client.composer).to_be_focused()
    await keys.type("To the third")
    await keys.press("Enter")
    await expect(at_bob.message("To the third")).to_contain_text("Three")
    await tab_to(client, client.log, key="Shift+Tab")
    await keys.press("ArrowUp")
    await keys.press("Enter")
    await expect(page.get_by_role("menuitem", name="Reply")).to_be_focused()
    await keys.press("End")
    await keys.press("Enter")
    await expect(client.dialog).to_contain_text("Recall this message?")
    await expect(client.button("Cancel", client.dialog)).to_be_focused()  # what cannot be undone wants one key more
    await tab_to(client, client.button("Recall", client.dialog))
    await keys.press("Enter")
    await expect(at_bob.message("Message recalled")).to_be_visible()
    await expect(client.message("Message recalled")).to_be_focused()
    await keys.press("Escape")
    await expect(client.composer).to_be_focused()

    # Panels and dialogs take the focus in, and give it back.
    details = client.button("Group details").last
    await tab_to(client, details, key="Shift+Tab")
    await keys.press("Enter")
    await expect(client.details).to_be_visible()
    assert await client.details.evaluate("element => element.contains(document.activeElement)")
    await keys.press("Escape")
    await expect(client.details).to_have_count(0)
    await expect(details).to_be_focused()
    await keys.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await keys.press("Escape")
    await expect(client.dialog).to_have_count(0)
    await expect(details).to_be_focused()
    await keys.press("Control+k")
    await expect(page.get_by_role("combobox", name="Go to a chat or action")).to_be_focused()
    await keys.type("new group")
    await keys.press("Enter")
    await expect(client.dialog.get_by_role("textbox", name="Name of the group")).to_be_focused()
    await keys.type("Typed")
    await keys.press("Tab")
    await keys.type("bob")
    await keys.press("Enter")
    await tab_to(client, client.button("Create group of 2"))
    await keys.press("Enter")
    await expect(page.get_by_role("log", name="Messages: Typed")).to_be_visible()

    account = client.button(f"Account menu of {alice.name}")
    await tab_to(client, account, key="Shift+Tab")
    await keys.press("Enter")
    await expect(page.get_by_role("menuitem").first).to_be_focused()
    await keys.press("End")
    await expect(page.get_by_role("menuitem", name="Sign out")).to_be_focused()
    await keys.press("Enter")
    await expect(page.get_by_text("You have signed out.")).to_be_visible()


async def test_focus_stays_in_a_dialog(open_client, people):
    alice = await people("alice")
    client = await open_client(alice)
    await client.button("New group").focus()
    await client.page.keyboard.press("Enter")
    await expect(client.dialog).to_be_visible()
    for _ in range(12):
        await client.page.keyboard.press("Tab")
        inside = "() => document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        assert await client.page.evaluate(inside)
    await client.page.keyboard.press("Escape")
    await expect(client.dialog).to_have_count(0)
    await expect(client.button("New group")).to_be_focused()
