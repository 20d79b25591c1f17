"""Friends: found, asked, answered, sorted, lost."""

import pytest
from playwright.async_api import expect


async def find(client, text):
    await client.button("Find people").first.click()
    await client.dialog.get_by_role("searchbox", name="Name or ID").fill(text)


async def test_asking_with_a_word_and_accepting_opens_a_chat_for_both(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    at_alice, at_bob = await open_client(alice), await open_client(bob)
    await find(at_alice, bob.name[1:])
    await at_alice.button(f"Add {bob.name} as a friend").click()
    await at_alice.dialog.get_by_role("textbox", name="A few words (optional)").fill("We met at the pool")
    await at_alice.button("Send invitation").click()
    await expect(at_alice.toast(f"Your invitation to {bob.name} is on its way.")).to_be_visible()
    await expect(at_alice.dialog.get_by_text("Invited")).to_be_visible()
    await at_alice.button("Close", at_alice.dialog).click()

    await expect(at_bob.page.get_by_role("link", name="1 waits for you")).to_be_visible()
    await at_bob.go("Activity")
    card = at_bob.page.get_by_role("listitem").filter(has_text=alice.name)
    await expect(card).to_contain_text("We met at the pool")
    await expect(card).to_contain_text("Found you by search")
    await at_bob.button(f"Accept the invitation of {alice.name}").click()
    toast = at_bob.toast(f"You and {alice.name} are friends now.")
    await expect(at_bob.page.get_by_role("heading", name="All caught up")).to_be_visible()
    await toast.get_by_role("button", name="Message").click()
    await expect(at_bob.message("are friends now")).to_be_visible()

    await at_alice.open_chat(bob.name)
    await at_alice.send("Hello Bob")
    await expect(at_bob.message("Hello Bob")).to_be_visible()
    await at_alice.go("Friends")
    await expect(at_alice.page.get_by_role("link", name=f"Online {bob.name}")).to_be_visible()


async def test_declining_is_not_told_and_one_may_ask_again(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    at_alice, at_bob = await open_client(alice), await open_client(bob, "/#/notifications")
    for comment in ("Please", "Pretty please"):
        await alice.post("/friend/invite", {"id": bob.id, "comment": comment, "source": "search"})
        await expect(at_bob.page.get_by_text(comment, exact=True)).to_be_visible()
        await at_bob.button(f"Decline the invitation of {alice.name}").click()
        await expect(at_bob.page.get_by_role("heading", name="All caught up")).to_be_visible()
    await expect(at_alice.page.get_by_role("heading", name="No chats yet")).to_be_visible()


async def test_asking_who_has_asked_makes_friends_and_the_answer_is_seen_on_all_devices(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.post("/friend/invite", {"id": bob.id, "comment": "", "source": "search"})
    at_bob, phone_of_bob = await open_client(bob), await open_client(await bob.again(), "/#/notifications")
    await expect(phone_of_bob.page.get_by_text("wants to be your friend")).to_be_visible()
    await find(at_bob, str(alice.id))
    await at_bob.button(f"Accept the invitation of {alice.name}").click()
    await expect(at_bob.toast(f"You and {alice.name} are friends now.")).to_be_visible()
    await expect(phone_of_bob.page.get_by_role("heading", name="All caught up")).to_be_visible()


async def test_nobody_found_is_said(open_client, people):
    alice = await people("alice")
    client = await open_client(alice, "/#/friends/find")
    await client.dialog.get_by_role("searchbox").fill("nobody-has-this-name")
    await expect(client.dialog.get_by_role("heading", name="Nobody found for “nobody-has-this-name”")).to_be_visible()
    await client.dialog.get_by_role("searchbox").fill(alice.name)
    await expect(client.dialog.get_by_role("heading", name=f"Nobody found for “{alice.name}”")).to_be_visible()
    await client.page.keyboard.press("Escape")  # empties the field first
    await expect(client.dialog.get_by_role("searchbox")).to_have_value("")
    await client.page.keyboard.press("Escape")
    await expect(client.dialog).to_have_count(0)


async def test_friends_have_nicknames_and_groups_that_all_tabs_know(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    await alice.befriend(bob)
    await alice.befriend(carol)
    client = await open_client(alice, "/#/friends")
    other = await client.tab()
    page = client.page
    await page.bring_to_front()
    await client.menu(f"More for {bob.name}", "Nickname")
    await client.dialog.get_by_role("textbox", name="Nickname").fill("Bobby Brown")
    await client.confirm("Save")
    await expect(page.get_by_role("link", name="Bobby Brown")).to_contain_text(bob.name)
    await expect(other.row("Bobby Brown")).to_be_visible()

    await client.menu("Sort and group", "New friend group")
    await client.dialog.get_by_role("textbox", name="Name of the friend group").fill("Swimmers")
    await client.confirm("Create")
    swimmers = page.get_by_role("region", name="Swimmers")
    await expect(swimmers).to_contain_text("Nobody in it yet")
    await client.menu("More for Bobby Brown", "Move to another group")
    await client.dialog.get_by_role("radio", name="Swimmers").check()
    await client.confirm("Move")
    await expect(swimmers.get_by_role("link", name="Bobby Brown")).to_be_visible()
    await expect(page.get_by_role("region", name="My friends").get_by_role("link", name=carol.name)).to_be_visible()

    await client.menu("More for Swimmers", "Rename")
    await client.dialog.get_by_role("textbox").fill("Divers")
    await client.confirm("Save")
    await expect(page.get_by_role("region", name="Divers").get_by_role("link", name="Bobby Brown")).to_be_visible()
    await client.menu("More for Divers", "Delete friend group")
    await expect(client.dialog).to_contain_text("1 friend moves to “My friends”")
    await client.confirm("Delete")
    await expect(page.get_by_role("region", name="My friends").get_by_role("link", name="Bobby Brown")).to_be_visible()

    # A nickname is taken back by an empty one.
    await client.menu("More for Bobby Brown", "Nickname")
    await client.dialog.get_by_role("textbox", name="Nickname").fill("")
    await client.confirm("Save")
    await expect(other.row(bob.name)).to_be_visible()


async def test_friends_are_found_in_the_list_and_shown_with_what_they_tell(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    await alice.befriend(bob)
    await alice.befriend(carol)
    await alice.new_group(bob, name="Rowing club")
    changes = {"old_password": bob.password, "email": f"{bob.name}@example.org", "phone": "15912345678"}
    await bob.patch("/user", changes)
    client = await open_client(alice, "/#/friends")
    page = client.page
    await page.get_by_role("searchbox", name="Search friends").fill("bob")
    await expect(page.get_by_role("link", name=carol.name)).to_have_count(0)
    await page.get_by_role("searchbox", name="Search friends").press("Enter")
    main = page.get_by_role("main")
    await expect(main.get_by_role("link", name=f"{bob.name}@example.org")).to_be_visible()
    await expect(main.get_by_role("link", name="15912345678")).to_be_visible()
    await main.get_by_role("link", name="Rowing club").click()
    await expect(page.get_by_role("log", name="Messages: Rowing club")).to_be_visible()


async def test_end_of_a_friendship_takes_the_chat_from_both(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    at_alice, at_bob = await open_client(alice, "/#/friends"), await open_client(bob)
    await at_bob.open_chat(alice.name)
    await at_alice.menu(f"More for {bob.name}", "Remove from friends")
    await expect(at_alice.dialog).to_contain_text("all its messages will be deleted, for both of you")
    await at_alice.confirm("Cancel")
    await at_alice.menu(f"More for {bob.name}", "Remove from friends")
    await at_alice.confirm("Remove")
    await expect(at_alice.page.get_by_role("heading", name="No friends yet")).to_be_visible()
    await expect(at_bob.toast(f"You and {alice.name} are no longer friends.")).to_be_visible()
    await expect(at_bob.page.get_by_role("heading", name="No chats yet")).to_be_visible()


@pytest.mark.expects_console("status of 400")
async def test_what_somebody_else_has_answered_meanwhile_is_told(open_client, people):
    """The invitation is taken back by its sender's account being deleted, unseen by a client that was asleep."""
    alice, bob = await people("alice"), await people("bob")
    await alice.post("/friend/invite", {"id": bob.id, "comment": "", "source": "search"})
    client = await open_client(bob, "/#/notifications")
    await expect(client.button("Accept the invitation of " + alice.name)).to_be_visible()
    await client.page.route("**/friend/invitation/*", answer_too_late)
    await client.button("Accept the invitation of " + alice.name).click()
    await expect(client.toast("The invitation is gone.")).to_be_visible()


async def answer_too_late(route):
    await route.fulfill(status=400, json={"ok": False, "error": "Invitation not found"})
