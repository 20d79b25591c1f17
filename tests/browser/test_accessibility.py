"""What axe-core finds on every screen, in both themes."""

import pytest
from axe_playwright_python.async_playwright import Axe
from browser_client import PHONE
from playwright.async_api import expect
from test_files_in_chats import picture

FORBIDDEN = ("serious", "critical")
ONLY_COLORS = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}
"""In the second theme nothing else is another thing."""


async def expect_accessible(client, where, found):
    """Looks at the page in both themes, and adds what is wrong."""
    for theme, options in (("light", {"resultTypes": ["violations"]}), ("dark", ONLY_COLORS)):
        await client.page.emulate_media(color_scheme=theme)
        result = await Axe().run(client.page, options=options)
        for violation in result.response["violations"]:
            if violation["impact"] in FORBIDDEN:
                nodes = [f"{node['target']} {node['failureSummary']}" for node in violation["nodes"][:3]]
                found.append(f"{where}, {theme}: {violation['id']} ({violation['impact']}): {nodes}")


@pytest.fixture
def world(people):
    """A person in the middle of things: (alice, the id of a group with messages of all kinds, a friend)."""

    async def make():
        alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
        await alice.befriend(bob)
        await carol.post("/friend/invite", {"id": alice.id, "comment": "Hello", "source": "search"})
        chat_id = await alice.new_group(bob, name="Everything")
        [first] = await bob.say(
            chat_id, "# Heading\n**bold** `code` https://example.org\n\n> quote\n\n```js\nlet x\n```"
        )
        [own] = await alice.say(chat_id, "An answer 😀", reply_to=first)
        await alice.act("edit_message", {"message_id": own, "content": "An answer, edited"})
        [gone] = await bob.say(chat_id, "Gone")
        await bob.act("recall_message", {"message_id": gone})
        await alice.say(chat_id, "A picture", files=[await upload(alice, "red.png", picture(40, 30, 255, 0, 0))])
        await alice.say(chat_id, "A file", files=[await upload(alice, "notes.txt", b"Dear diary")])
        await alice.act("messages_read", {"chat_id": chat_id})
        await bob.say(chat_id, f"Unread, @{alice.name}", "| a | b |\n|---|---|\n| 1 | 2 |", "👍")
        return alice, chat_id, bob

    return make


async def upload(person, name, data):
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await person.request("POST", "/files", raw_body=head + data + b"\r\n--b--\r\n", headers=headers)
    return answer.data["id"]


async def test_pages_of_who_is_not_signed_in(open_client):
    found = []
    client = await open_client()
    await client.button("Sign in").click()
    await expect(client.page.get_by_text("Enter your user name.")).to_be_visible()
    await expect_accessible(client, "sign in", found)
    await client.button("Create account").click()
    await expect_accessible(client, "register", found)
    await client.page.goto(client.url + "/about")
    await expect_accessible(client, "about", found)
    assert found == []


async def test_conversation_and_what_lies_over_it(open_client, world):
    alice, chat_id, _ = await world()
    found = []
    client = await open_client(alice)
    page = client.page
    await expect_accessible(client, "chats", found)
    await client.open_chat("Everything")
    await expect(client.message("Unread")).to_be_visible()
    await expect_accessible(client, "conversation", found)
    await client.message("Unread").click(button="right")
    await expect(page.get_by_role("menuitem", name="Reply")).to_be_visible()
    await expect_accessible(client, "menu of a message", found)
    await page.get_by_role("menuitem", name="Reply").click()
    await client.composer.fill("@")
    await expect(page.get_by_role("listbox", name="Members")).to_be_visible()
    await expect_accessible(client, "reply with a choice of members", found)
    for panel in ("details", "search", "rules"):
        await page.evaluate("([id, panel]) => { location.hash = `#/chats/${id}/panel/${panel}`; }", [chat_id, panel])
        await expect(client.details.get_by_role("heading").first).to_be_visible()
        await expect_accessible(client, f"panel {panel}", found)
    await client.button("Picture red.png: show it large").click()
    await expect_accessible(client, "picture", found)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await expect_accessible(client, "quick switcher", found)
    assert found == []


async def test_people_and_settings(open_client, world):
    alice, _, bob = await world()
    found = []
    client = await open_client(alice)
    page = client.page
    places = [f"friends/{bob.id}", "notifications"]
    places += [f"settings/{each}" for each in ("profile", "account", "appearance", "notifications", "about")]
    for place in places:
        await page.evaluate("place => { location.hash = `#/${place}`; }", place)
        await expect(page.get_by_role("main").get_by_role("heading").first).to_be_visible()
        await expect(page.locator(".skeletons")).to_have_count(0)
        await expect_accessible(client, place, found)
    await client.go("Chats")
    await client.button("Find people").click()
    await client.dialog.get_by_role("searchbox").fill("bob")
    await expect(client.dialog.get_by_text(bob.name, exact=True)).to_be_visible()
    await expect_accessible(client, "find people", found)
    await client.button("Close", client.dialog).click()
    await client.button("New group").click()
    await expect_accessible(client, "new group", found)
    assert found == []


async def test_phone(open_client, world):
    alice, chat_id, _ = await world()
    found = []
    client = await open_client(alice, viewport=PHONE, is_mobile=True, has_touch=True)
    await expect_accessible(client, "chats", found)
    await client.row("Everything").tap()
    await expect(client.message("Unread")).to_be_visible()
    await expect_accessible(client, "conversation", found)
    await client.page.evaluate("id => { location.hash = `#/chats/${id}/panel/details`; }", chat_id)
    await expect(client.details).to_be_visible()
    await expect_accessible(client, "details", found)
    assert found == []
