"""Groups: made, named, filled, governed, left."""

import pytest
from playwright.async_api import expect


async def test_group_is_made_of_friends_and_all_of_them_see_it(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    await alice.befriend(bob)
    await alice.befriend(carol)
    at_alice, at_bob = await open_client(alice), await open_client(bob)
    await at_alice.button("New group").click()
    await at_alice.button("Create group", at_alice.dialog).click()
    name = at_alice.dialog.get_by_role("textbox", name="Name of the group")
    await expect(name).to_be_focused()
    await name.fill("Choir 🎵")
    search = at_alice.dialog.get_by_role("combobox", name="Members")
    await search.fill("bob")
    await search.press("Enter")
    await at_alice.dialog.get_by_role("option").filter(has_text=carol.name).click()
    await at_alice.button(f"Take {carol.name} off").click()
    await at_alice.button("Create group of 2", at_alice.dialog).click()
    await expect(at_alice.page.get_by_role("log", name="Messages: Choir 🎵")).to_be_visible()
    await at_alice.send("Tonight at eight?")

    await expect(at_bob.row("Choir 🎵")).to_contain_text("Tonight at eight?")
    await at_bob.open_chat("Choir 🎵")
    await expect(at_bob.message(f"{alice.name} created the group “Choir 🎵” with")).to_be_visible()
    await at_bob.send("Yes!")
    await expect(at_alice.message("Yes!")).to_be_visible()


async def test_owner_governs_and_everybody_sees_it_at_once(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    for friend in (bob, carol):
        await alice.befriend(friend)
    chat_id = await alice.new_group(bob, carol, name="Council")
    path = f"/#/chats/{chat_id}/panel/details"
    at_alice, at_bob = await open_client(alice, path), await open_client(bob, path)
    at_carol = await open_client(carol, f"/#/chats/{chat_id}")

    # A member may neither rename nor remove; an admin may.
    await expect(at_bob.details.get_by_role("listitem").filter(has_text=alice.name)).to_contain_text("owner")
    await expect(at_bob.button("Rename group")).to_have_count(0)
    await at_alice.menu(f"More for {bob.name}", "Make admin")
    await expect(at_alice.toast(f"{bob.name} is an admin now.")).to_be_visible()
    await at_bob.button("Rename group").click()
    await at_bob.dialog.get_by_role("textbox").fill("Grand council")
    await at_bob.confirm("Save")
    for client in (at_alice, at_bob, at_carol):
        await expect(client.row("Grand council")).to_be_visible()
        await expect(client.page.get_by_role("log", name="Messages: Grand council")).to_be_visible()

    await at_bob.menu(f"More for {carol.name}", "Remove from group")
    await at_bob.confirm("Remove")
    await expect(at_carol.toast("You are no longer in “Grand council”.")).to_be_visible()
    await expect(at_carol.row("Grand council")).to_have_count(0)
    await expect(at_alice.message(f"{bob.name} removed {carol.name} from the group")).to_be_visible()

    await at_alice.menu(f"More for {bob.name}", "Remove as admin")
    await expect(at_bob.button("Rename group")).to_have_count(0)
    await at_alice.menu(f"More for {bob.name}", "Hand over the group")
    await at_alice.confirm("Hand over")
    await expect(at_bob.button("Delete group", at_bob.details)).to_be_visible()
    await expect(at_alice.button("Leave group", at_alice.details)).to_be_visible()


@pytest.mark.allows_console("status of 400")  # it may ask for a chat that has just gone
async def test_members_leave_and_the_owners_leaving_deletes_the_group(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await alice.new_group(bob, name="Short-lived")
    at_alice = await open_client(alice, f"/#/chats/{chat_id}")
    at_bob = await open_client(bob, f"/#/chats/{chat_id}/panel/details")
    await at_bob.button("Leave group").click()
    await expect(at_bob.dialog).to_contain_text("What you wrote stays for the others.")
    await at_bob.confirm("Leave")
    await expect(at_bob.row("Short-lived")).to_have_count(0)
    await expect(at_alice.message(f"{bob.name} left the group")).to_be_visible()

    chat_id = await alice.new_group(bob, name="Doomed")
    await at_bob.open_chat("Doomed")
    await at_alice.open_chat("Doomed")
    await at_alice.button("Group details").first.click()
    await at_alice.button("Delete group").click()
    await expect(at_alice.dialog).to_contain_text("for all 2 members")
    await at_alice.dialog.get_by_role("textbox", name="Type “Doomed” to confirm").fill("Doomed")
    await at_alice.confirm("Delete for everybody")
    await expect(at_alice.row("Doomed")).to_have_count(0)
    await expect(at_bob.toast("“Doomed” was deleted.")).to_be_visible()
    await expect(at_bob.row("Doomed")).to_have_count(0)


async def test_members_propose_friends_and_the_owner_decides(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    dave, erin = await people("dave"), await people("erin")
    await alice.befriend(bob)
    for friend in (dave, erin):
        await bob.befriend(friend)
    chat_id = await alice.new_group(bob, name="Growing")
    at_bob = await open_client(bob, f"/#/chats/{chat_id}/panel/details")
    at_alice, at_dave = await open_client(alice, "/#/notifications"), await open_client(dave)
    await at_bob.button("Invite a friend").click()
    for friend in (dave, erin):
        await at_bob.dialog.get_by_role("checkbox", name=friend.name).check()
    await at_bob.confirm("Propose (2)")
    await expect(at_bob.toast("The owner or an admin decides.")).to_be_visible()

    await expect(at_alice.page.get_by_text(f"for Growing, proposed by {bob.name}").first).to_be_visible()
    await at_alice.button(f"Decline {erin.name}").click()
    await at_alice.button(f"Approve {dave.name}").click()
    await expect(at_alice.page.get_by_role("heading", name="All caught up")).to_be_visible()
    await expect(at_dave.row("Growing")).to_contain_text("1 unread message")
    await at_dave.open_chat("Growing")
    joined = at_dave.message(f"{dave.name} joined: invited by {bob.name}, approved by {alice.name}")
    await expect(joined).to_be_visible()
    await expect(at_bob.details.get_by_text("3 members")).to_be_visible()


async def test_owner_takes_friends_in_at_once(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await alice.new_group(name="Just me")
    at_alice, at_bob = await open_client(alice, f"/#/chats/{chat_id}/panel/details"), await open_client(bob)
    await at_alice.button("Invite a friend").click()
    await at_alice.dialog.get_by_role("checkbox", name=bob.name).check()
    await at_alice.confirm("Add (1)")
    await expect(at_bob.row("Just me")).to_be_visible()
    await expect(at_alice.details.get_by_role("listitem").filter(has_text=bob.name)).to_be_visible()


async def test_profile_of_a_member_leads_to_a_friendship(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    for friend in (bob, carol):
        await alice.befriend(friend)
    chat_id = await alice.new_group(bob, carol, name="Mixed")
    at_bob = await open_client(bob, f"/#/chats/{chat_id}/panel/details")
    at_carol = await open_client(carol, "/#/notifications")
    await at_bob.details.get_by_role("listitem").get_by_role("button", name=carol.name).first.click()
    await expect(at_bob.dialog).to_contain_text("1 group in common")
    await at_bob.button(f"Add {carol.name} as a friend").click()
    await at_bob.button("Send invitation").click()
    await expect(at_carol.page.get_by_text("From the group “Mixed”")).to_be_visible()
