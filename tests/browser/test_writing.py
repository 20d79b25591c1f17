"""What people say to each other, and do with it afterwards."""

import re

from playwright.async_api import expect

TEXT_MAX_CHARACTERS = 20_000


async def pair(open_client, people, **options):
    """Two friends, each in front of their chat."""
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    path = f"/#/chats/{chat_id}"
    return await open_client(alice, path, **options), await open_client(bob, path, **options)


async def test_words_arrive_and_are_seen_to_be_read(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_bob.go("Friends")
    await at_alice.send("Are you there?")
    message = at_alice.message("Are you there?")
    await expect(message.get_by_title("Sent", exact=True)).to_be_visible()
    await expect(at_bob.page.get_by_role("link", name="1 unread message Chats")).to_be_visible()
    await expect(at_bob.page).to_have_title("(1) Friends · Nova")
    await at_bob.go("Chats")
    await at_bob.open_chat(at_alice.person.name)
    await expect(at_bob.message("Are you there?")).to_be_visible()
    await expect(message.get_by_role("button", name="Read", exact=True)).to_be_visible()
    await expect(at_bob.page).to_have_title(f"{at_alice.person.name} · Nova")


async def test_who_is_writing_is_shown_in_the_chat_and_in_the_list(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_bob.composer.press_sequentially("Well")
    await expect(at_alice.page.get_by_text(f"{at_bob.person.name} is typing…")).to_be_visible()
    await expect(at_alice.row(at_bob.person.name)).to_contain_text("typing…")
    await at_bob.composer.press("Enter")
    await expect(at_alice.message("Well")).to_be_visible()
    await expect(at_alice.page.get_by_text(f"{at_bob.person.name} is typing…")).to_have_count(0)


async def test_markdown_is_shown_and_no_more(open_client, people):
    at_alice, at_bob = await pair(open_client, people, permissions=["clipboard-read", "clipboard-write"])
    await at_alice.send(
        "# Plan\n**bold** *soft* ~~gone~~ `code`\n\n- one\n- two\n\n> quoted\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "https://example.org/x ![pic](https://example.org/p.png)\n\n```python\nprint(1)\n```"
    )
    message = at_bob.message("bold")
    for role, name in (
        ("heading", "Plan"),
        ("strong", None),
        ("emphasis", None),
        ("blockquote", None),
        ("table", None),
    ):
        await expect(message.get_by_role(role, name=name)).to_be_visible()
    await expect(message.get_by_role("listitem")).to_have_text(["one", "two"])
    link = message.get_by_role("link", name="https://example.org/x")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(link).to_have_attribute("target", "_blank")
    # A picture of another host would tell that host who looks at it.
    await expect(message.get_by_role("link", name="pic")).to_have_attribute("href", "https://example.org/p.png")
    await expect(message.locator(".message-markdown img")).to_have_count(0)
    await at_bob.button("Copy", message).click()
    assert await at_bob.page.evaluate("navigator.clipboard.readText()") == "print(1)"


async def test_answer_leads_back_to_what_it_answers(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_alice.send("Which book is first?")
    await at_alice.person.say(await chat_of(at_alice), *(f"Line {number}" for number in range(40)))
    question = at_bob.message("Which book is first?")
    await question.scroll_into_view_if_needed()
    await at_bob.choose(question, "Reply")
    await expect(at_bob.page.get_by_text(f"Reply to {at_alice.person.name}")).to_be_visible()
    await at_bob.send("The thin one")
    answer = at_alice.message("The thin one")
    await expect(answer.get_by_role("button", name="Which book is first?")).to_be_visible()
    await expect(at_alice.message("Which book is first?").first).not_to_be_in_viewport()
    await answer.get_by_role("button", name="Which book is first?").click()
    await expect(at_alice.message("Which book is first?").first).to_be_in_viewport()
    await at_alice.button("To the newest message").click()
    await expect(answer).to_be_in_viewport()


async def chat_of(client):
    return int(re.search(r"#/chats/([0-9]+)", client.page.url)[1])


async def test_own_message_is_edited_by_menu_and_by_the_arrow_key(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_alice.send("Teh plan")
    await at_alice.expect_sent("Teh plan")
    await at_alice.composer.press("ArrowUp")
    await expect(at_alice.composer).to_have_value("Teh plan")
    await at_alice.send("The plan")
    await expect(at_bob.message("The plan")).to_contain_text("edited")
    await at_alice.choose(at_alice.message("The plan"), "Edit")
    await at_alice.composer.fill("Another")
    await at_alice.composer.press("Escape")
    await expect(at_alice.composer).to_have_value("")
    await expect(at_alice.message("The plan")).to_be_visible()
    await at_bob.message("The plan").click(button="right")
    await expect(at_bob.page.get_by_role("menuitem", name="Reply")).to_be_visible()
    await expect(at_bob.page.get_by_role("menuitem", name="Edit")).to_have_count(0)


async def test_recalled_is_gone_for_all_and_deleted_for_oneself_only(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_alice.send("Secret", "Boring")
    await at_bob.choose(at_bob.message("Boring"), "Delete for me")
    await expect(at_bob.dialog).to_contain_text("The others will still see it.")
    await at_bob.confirm("Delete for me")
    await expect(at_bob.message("Boring")).to_have_count(0)
    await at_alice.choose(at_alice.message("Secret"), "Recall for everybody")
    await at_alice.confirm("Recall")
    for client in (at_alice, at_bob):
        await expect(client.message("Message recalled")).to_be_visible()
        await expect(client.message("Secret")).to_have_count(0)
    await expect(at_alice.message("Boring")).to_be_visible()
    await expect(at_bob.row(at_alice.person.name)).not_to_contain_text("Boring")
    await at_bob.page.reload()
    await expect(at_bob.message("Message recalled")).to_be_visible()
    await expect(at_bob.message("Boring")).to_have_count(0)


async def test_readers_of_a_message_are_told_by_name(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    for friend in (bob, carol):
        await alice.befriend(friend)
    chat_id = await alice.new_group(bob, carol, name="Readers")
    client, at_bob = await open_client(alice, f"/#/chats/{chat_id}"), await open_client(bob, f"/#/chats/{chat_id}")
    await client.send("Read me")
    await expect(at_bob.message("Read me")).to_be_visible()
    await client.message("Read me").get_by_role("button", name="Read by some").click()
    readers = client.page.get_by_role("dialog", name="Who has read it")
    await expect(readers.get_by_role("heading", name="Read by 1")).to_be_visible()
    await expect(readers.get_by_role("listitem")).to_have_text([bob.name, carol.name])
    await carol.act("messages_read", {"chat_id": chat_id})
    await expect(readers.get_by_role("heading", name="Read by 2")).to_be_visible()
    await expect(client.message("Read me").get_by_role("button", name="Read", exact=True)).to_be_visible()


async def test_text_of_a_message_can_be_copied_and_its_address_leads_to_it(open_client, people):
    at_alice, at_bob = await pair(open_client, people, permissions=["clipboard-read", "clipboard-write"])
    await at_alice.send("Copy *this*")
    await at_bob.choose(at_bob.message("Copy this"), "Copy text")
    assert await at_bob.page.evaluate("navigator.clipboard.readText()") == "Copy *this*"
    await at_bob.choose(at_bob.message("Copy this"), "Copy link")
    address = await at_bob.page.evaluate("navigator.clipboard.readText()")
    await at_bob.go("Friends")
    await at_bob.page.goto(address)
    await expect(at_bob.message("Copy this")).to_be_in_viewport()


async def test_draft_outlives_a_reload_and_stands_in_the_list(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_alice.composer.press_sequentially("Half a thought")
    await at_alice.go("Friends")
    await at_alice.go("Chats")
    await expect(at_alice.row(at_bob.person.name)).to_contain_text("Draft: Half a thought")
    await at_alice.page.reload()
    await at_alice.open_chat(at_bob.person.name)
    await expect(at_alice.composer).to_have_value("Half a thought")
    await at_alice.composer.press("Enter")
    await expect(at_bob.message("Half a thought")).to_be_visible()


async def test_keys_of_the_composer(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_alice.composer.press_sequentially("first")
    await at_alice.composer.press("Shift+Enter")
    await at_alice.composer.press_sequentially("second")
    await at_alice.composer.press("Enter")
    await expect(at_bob.message("first")).to_contain_text("second")
    await at_alice.page.evaluate("localStorage.setItem('nova.enter_sends', 'false')")
    await at_alice.page.reload()
    await at_alice.composer.press_sequentially("third")
    await at_alice.composer.press("Enter")
    await expect(at_alice.composer).to_have_value("third\n")
    await at_alice.composer.press("Control+Enter")
    await expect(at_bob.message("third")).to_be_visible()


async def test_blanks_are_not_sent_and_what_is_too_long_says_so(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_alice.composer.press_sequentially("  ")
    await at_alice.composer.press("Enter")
    await expect(at_alice.button("Send")).to_be_disabled()
    await at_alice.composer.fill("x" * (TEXT_MAX_CHARACTERS + 3))
    await expect(at_alice.page.get_by_role("alert")).to_have_text("3 characters too long")
    await expect(at_alice.button("Send")).to_be_disabled()
    long = "word " * (TEXT_MAX_CHARACTERS // 5)
    await at_alice.composer.fill(long[:TEXT_MAX_CHARACTERS])
    await at_alice.button("Send").click()
    await at_bob.button("Show more").click()
    await expect(at_bob.button("Show less")).to_be_visible()


async def test_emoji_are_picked_and_shown_large_when_alone(open_client, people):
    at_alice, at_bob = await pair(open_client, people)
    await at_alice.button("Emoji").click()
    picker = at_alice.page.get_by_role("dialog", name="Emoji")
    await picker.get_by_role("combobox", name="Search").fill("teapot")
    await picker.get_by_role("option").or_(picker.get_by_role("menuitem", name="teapot")).first.click()
    await expect(at_alice.composer).to_have_value("🫖")
    await expect(at_alice.composer).to_be_focused()
    await at_alice.composer.press("Enter")
    emoji = at_bob.log.get_by_text("🫖", exact=True)
    await expect(emoji).to_be_visible()
    assert await emoji.evaluate("element => parseFloat(getComputedStyle(element).fontSize)") > 24


async def test_members_are_mentioned_by_their_name(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await alice.new_group(bob, name="Mentions")
    client, at_bob = await open_client(alice, f"/#/chats/{chat_id}"), await open_client(bob, f"/#/chats/{chat_id}")
    await client.composer.press_sequentially("Hello @bo")
    await expect(client.page.get_by_role("listbox", name="Members").get_by_role("option")).to_have_count(1)
    await client.composer.press("Tab")
    await expect(client.composer).to_have_value(f"Hello @{bob.name} ")
    await client.composer.press("Enter")
    await expect(at_bob.message("Hello").locator(".mention-own")).to_have_text(f"@{bob.name}")
