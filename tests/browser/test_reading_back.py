"""Long histories: where one stopped, days, searching, scrolling."""

import re

import pytest
from playwright.async_api import expect

DAY_US = 86_400 * 1_000_000
LOADED_MAX_MESSAGES = 500


async def test_reading_begins_where_one_has_stopped(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    await bob.act("messages_read", {"chat_id": chat_id})
    await bob.say(chat_id, *(f"Old {number}" for number in range(60)))
    await alice.act("messages_read", {"chat_id": chat_id})
    await bob.say(chat_id, *(f"New {number}" for number in range(60)))
    client = await open_client(alice)
    await expect(client.row(bob.name)).to_contain_text("60 unread messages")
    await client.open_chat(bob.name)
    mark = client.page.get_by_role("separator").filter(has_text="New messages")
    await expect(mark).to_be_in_viewport()
    await expect(client.message("New 0")).to_be_in_viewport()
    await expect(client.row(bob.name)).to_contain_text("60 unread messages")
    await client.button("To the newest message, 60 unread").click()
    await expect(client.message("New 59")).to_be_in_viewport()
    await expect(client.row(bob.name)).not_to_contain_text("unread")


async def test_place_is_kept_when_one_looks_elsewhere(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    chat_id = await alice.befriend(bob)
    await alice.befriend(carol)
    await alice.say(chat_id, *(f"Line {number:03}" for number in range(200)))
    client = await open_client(alice)
    await client.open_chat(bob.name)
    await scroll_up_to(client, "Line 110")
    await client.open_chat(carol.name)
    await client.open_chat(bob.name)
    await expect(client.message("Line 110")).to_be_in_viewport()


async def scroll_up_to(client, text, limit=500):
    """Turns the wheel until a message is in sight."""
    await client.log.hover()
    for _ in range(limit):
        if await client.log.evaluate(IS_IN_SIGHT, text):
            return
        await client.page.mouse.wheel(0, -WHEEL_PX)
        await client.page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => resolve()))")
    raise AssertionError(f"{text!r} did not come")


WHEEL_PX = 500
"""Less than what is in sight at a time, or a message could be passed."""

IS_IN_SIGHT = """(log, text) => {
  const around = log.getBoundingClientRect();
  return [...log.querySelectorAll("article")].some((element) => {
    const box = element.getBoundingClientRect();
    return element.textContent.includes(text) && box.top >= around.top && box.bottom <= around.bottom;
  });
}"""


async def test_thousands_of_messages_come_while_one_scrolls_and_few_are_kept(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    await alice.say(chat_id, *(f"Line {number:04}" for number in range(2000)))
    client = await open_client(alice)
    await client.open_chat(bob.name)
    await expect(client.message("Line 1999")).to_be_in_viewport()
    await scroll_up_to(client, "Line 1300")
    assert await client.log.get_by_role("article").count() <= LOADED_MAX_MESSAGES
    texts = await client.log.get_by_role("article").all_inner_texts()
    numbers = [int(found[1]) for text in texts if (found := re.search(r"Line (\d+)", text))]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a gap, or something twice"
    # What is said meanwhile does not move what one reads.
    place = await client.message("Line 1300").bounding_box()
    await bob.say(chat_id, "News")
    await expect(client.button("To the newest message, 1 unread")).to_be_visible()
    assert (await client.message("Line 1300").bounding_box())["y"] == place["y"]
    await client.button("To the newest message, 1 unread").click()
    await expect(client.message("News")).to_be_in_viewport()
    await client.log.focus()
    await expect(client.message("Line 1999")).to_be_visible()


async def test_address_of_an_old_message_opens_the_history_around_it(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    ids = await alice.say(chat_id, *(f"Line {number:03}" for number in range(400)))
    client = await open_client(alice, f"/#/chats/{chat_id}/messages/{ids[100]}")
    await expect(client.message("Line 100")).to_be_in_viewport()
    await expect(client.page).to_have_url(re.compile(rf"#/chats/{chat_id}$"))
    await client.button("To the newest message").click()
    await expect(client.message("Line 399")).to_be_in_viewport()
    await client.page.goto(f"{client.url}/#/chats/{chat_id}/messages/{ids[0] + 100_000}")
    await expect(client.toast("This message is not there any more")).to_be_visible()


async def test_days_stand_between_the_messages_of_different_days(open_client, people, mongo_client):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    ids = await alice.say(chat_id, "Long ago", "Last week", "Yesterday's", "Today's")
    messages = mongo_client["nova_browser"].messages
    for message_id, days in zip(ids, (400, 3, 1, 0), strict=True):
        messages.update_one({"_id": message_id}, {"$inc": {"sent_us": -days * DAY_US}})
    client = await open_client(alice, f"/#/chats/{chat_id}")
    headings = client.log.get_by_role("heading")
    await expect(headings.nth(-1)).to_have_text("Today")
    await expect(headings.nth(-2)).to_have_text("Yesterday")
    await expect(headings.nth(-3)).to_have_text(re.compile("^(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day$"))
    await expect(headings.nth(-4)).to_have_text(re.compile(r"^\w+ \d+, 20\d\d$"))


async def test_chat_is_searched_by_words_and_a_hit_leads_to_its_place(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    texts = [f"Line {number:03}" for number in range(300)]
    texts[20] = "Where is the *golden* Teapot?"
    texts[280] = "The teapot is here"
    await alice.say(chat_id, *texts)
    client = await open_client(alice, f"/#/chats/{chat_id}")
    await client.button("Search").click()
    await client.details.get_by_role("searchbox", name="Search for words").fill("teapot")
    hits = client.details.get_by_role("link")
    await expect(hits).to_have_count(2)
    await expect(hits.first.get_by_text("teapot", exact=True)).to_be_visible()
    await hits.nth(1).click()
    await expect(client.message("Teapot?")).to_be_in_viewport()
    await client.details.get_by_role("searchbox", name="Search for words").fill("nothing of the kind")
    await expect(client.details.get_by_role("heading", name="Nothing found")).to_be_visible()
    await client.button("Close", client.details).click()
    await expect(client.details).to_have_count(0)


async def test_chats_are_found_by_title_and_by_the_quick_switcher(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    for name in ("Allotment", "Bakery", "Cinema"):
        await alice.new_group(name=name)
    client = await open_client(alice)
    search = client.page.get_by_role("searchbox", name="Search chats")
    await search.fill("bak")
    await expect(client.page.get_by_role("list", name="Chats").get_by_role("link")).to_have_count(1)
    await search.press("Enter")
    await expect(client.page.get_by_role("log", name="Messages: Bakery")).to_be_visible()
    await client.page.keyboard.press("Control+k")
    switcher = client.page.get_by_role("combobox", name="Go to a chat or action")
    await switcher.fill("cnm")
    await switcher.press("Enter")
    await expect(client.page.get_by_role("log", name="Messages: Cinema")).to_be_visible()
    await client.page.keyboard.press("Control+k")
    await switcher.fill("dark")
    await switcher.press("Enter")
    await expect(client.page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.expects_console("status of 500")
async def test_history_that_cannot_be_had_says_so_and_is_asked_for_again(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.say(await alice.befriend(bob), "Here I am")
    client = await open_client(alice)
    broken = {"ok": False, "error": "Internal error 4f"}
    await client.page.route("**/messages?*", lambda route: route.fulfill(status=500, json=broken))
    await client.row(bob.name).click()
    trouble = client.page.get_by_role("alert")
    await expect(trouble).to_contain_text("Something went wrong on the server (4f).")
    await client.page.unroute("**/messages?*")
    await client.button("Try again", trouble).click()
    await expect(client.message("Here I am")).to_be_visible()
