"""The same on a small screen that is touched: one pane at a time."""

import pytest
from browser_client import PHONE
from playwright.async_api import expect

SMALLEST_TARGET_PX = 40

TOO_WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"

SMALL_TARGETS = """(least) => [...document.querySelectorAll("button, a[href], input, select, textarea, [role=button]")]
  .filter((element) => element.checkVisibility({visibilityProperty: true, opacityProperty: true}))
  // What lies in running text, and what only a keyboard reaches, is no target for a finger; a label is its control's.
  .filter((element) => !element.closest("p, .message-body, .visually-hidden, .skip-link"))
  .map((element) => [element, (element.closest("label, .field-box, .search-field") ?? element).getBoundingClientRect()])
  .filter(([, box]) => box.height && (box.height < least || box.width < least))
  .map(([element, box]) => `${element.outerHTML.slice(0, 120)} ${box.width}x${box.height}`)
"""


@pytest.fixture
def open_phone(open_client):
    """Opens the client as phones do."""

    def open_one(person, path="/", **more):
        return open_client(person, path, viewport=PHONE, is_mobile=True, has_touch=True, **more)

    return open_one


async def expect_fitting(client):
    assert not await client.page.evaluate(TOO_WIDE), "the page can be scrolled sideways"
    assert await client.page.evaluate(SMALL_TARGETS, SMALLEST_TARGET_PX) == []


async def test_one_pane_at_a_time_with_a_way_back(open_phone, open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    await bob.say(await alice.new_group(bob, name="Garden"), "A *very*" + " long" * 60 + " story", "x" * 500)
    client, at_bob = await open_phone(alice), await open_client(bob)
    await expect_fitting(client)
    await client.row(bob.name).tap()
    await expect(client.log).to_be_visible()
    await expect(client.page.get_by_role("list", name="Chats")).not_to_be_visible()
    await expect_fitting(client)
    # The keyboard of a phone has one Enter, for new lines: the button sends.
    await client.composer.tap()
    await client.composer.press_sequentially("Two")
    await client.composer.press("Enter")
    await client.composer.press_sequentially("lines")
    await client.button("Send").tap()
    await expect(client.message("Two")).to_contain_text("lines")
    await expect(at_bob.row(alice.name)).to_contain_text("Two lines")
    await client.button("More about this chat").tap()
    await client.page.get_by_role("menuitem", name="Profile").tap()
    await expect(client.details).to_be_visible()
    await expect_fitting(client)
    await client.page.go_back()
    await expect(client.details).to_have_count(0)
    await client.button("Back").tap()
    await expect(client.page.get_by_role("list", name="Chats")).to_be_visible()
    await expect(client.row(bob.name)).to_be_focused()
    await client.row("Garden").tap()
    await expect(client.message("story")).to_be_visible()
    await expect_fitting(client)
    await client.page.go_back()
    await expect(client.row("Garden")).to_be_visible()


async def test_every_view_fits(open_phone, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    await alice.befriend(bob)
    await carol.post("/friend/invite", {"id": alice.id, "comment": "Long " * 60, "source": "search"})
    chat_id = await alice.new_group(bob, name="A group whose name is as long as names of groups may be, 60")
    client = await open_phone(alice)
    places = ["friends", f"friends/{bob.id}", "notifications", "settings", f"chats/{chat_id}"]
    places += [f"settings/{page}" for page in ("profile", "account", "appearance", "notifications", "about")]
    places += [f"chats/{chat_id}/panel/{panel}" for panel in ("details", "search", "rules")]
    for place in places:
        await client.page.evaluate("place => { location.hash = `#/${place}`; }", place)
        await expect(client.page.get_by_role("main").or_(client.page.get_by_role("region")).first).to_be_visible()
        await expect(client.page.locator(".skeletons")).to_have_count(0)
        await expect_fitting(client)


async def test_finger_that_rests_on_a_message_opens_its_menu(open_phone, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    await bob.say(chat_id, "Press me")
    client = await open_phone(alice, f"/#/chats/{chat_id}")
    box = await client.message("Press me").get_by_text("Press me").bounding_box()
    point = [{"x": box["x"] + 5, "y": box["y"] + 5}]
    touch = await client.context.new_cdp_session(client.page)
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": point})
    await expect(client.log.locator(".message-pressed")).to_have_count(1)
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await client.page.get_by_role("menuitem", name="Reply").tap()
    await client.composer.fill("Pressed")
    await client.button("Send").tap()
    await expect(client.message("Pressed").get_by_role("button", name="Press me")).to_be_visible()
