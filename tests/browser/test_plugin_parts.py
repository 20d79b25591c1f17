"""What plugins add to the client: proposals of members, searching, rules and what comes of them, bots."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

ALL_OFF = ("nova_chat_invitations", "nova_message_filters", "nova_bot_chat")


async def group(people, *names, title="Market"):
    """A group of people, the first of whom owns it: `alice, bob, chat_id = await group(people, "alice", "bob")`."""
    members = [await people(name) for name in names]
    for friend in members[1:]:
        await members[0].befriend(friend)
    return *members, await members[0].new_group(*members[1:], name=title)


async def rule(owner, chat_id, **fields):
    """Makes a rule from another program."""
    given = {"name": "Offers", "kind": "words", "words": ["for sale"], "action": "hold"} | fields
    return (await owner.post(f"/chat/{chat_id}/rules", given)).data


async def send_checked(client, text, expected):
    """Writes where there are rules. A machine that is busy may be too slow to check them in time, and says so."""
    await client.send(text)
    late = client.log.get_by_role("article").filter(has_text="The message cannot be checked at the moment.")
    await expect(expected.or_(late)).to_be_visible()
    while await late.count():
        await late.get_by_role("button", name="Try again").click()
        await expect(expected.or_(late)).to_be_visible()


# Proposals


async def test_proposals_of_two_are_one_and_all_managers_see_the_same(open_client, people):
    alice, bob, carol, chat_id = await group(people, "alice", "bob", "carol")
    dave = await people("dave")
    for friend in (bob, carol):
        await friend.befriend(dave)
    await alice.post(f"/chat/{chat_id}/{carol.id}/admin", True)
    panel = f"/#/chats/{chat_id}/panel/details"
    at_alice, at_carol = await open_client(alice, panel), await open_client(carol, panel)
    at_bob = await open_client(bob, panel)
    waiting = at_alice.details.get_by_role("region", name="Waiting for approval")
    await bob.post(f"/chat/{chat_id}/invite", {"user_id": dave.id})
    await expect(waiting).to_contain_text(f"proposed by {bob.name}")
    await carol.post(f"/chat/{chat_id}/invite", {"user_id": dave.id})
    await expect(waiting).to_contain_text(f"proposed by {bob.name} and {carol.name}")
    await expect(at_carol.details).to_contain_text(f"proposed by {bob.name} and you")
    await expect(at_bob.details.get_by_text("proposed by")).to_have_count(0)

    # Declining answers both of them.
    await at_alice.button(f"Decline {dave.name}").click()
    await expect(at_alice.toast(f"Declined: {dave.name}")).to_be_visible()
    await expect(waiting).to_have_count(0)
    assert (await alice.get(f"/chat/{chat_id}/invitation")).data == []


@pytest.mark.expects_console("status of 400")
async def test_what_another_manager_has_declined_is_told_and_goes(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    carol = await people("carol")
    await bob.befriend(carol)
    at_alice = await open_client(alice, "/#/notifications")
    await bob.post(f"/chat/{chat_id}/invite", {"user_id": carol.id})
    await expect(at_alice.button(f"Approve {carol.name}")).to_be_visible()
    await alice.delete(f"/chat/{chat_id}/invitation/{carol.id}")
    await at_alice.button(f"Approve {carol.name}").click()
    await expect(at_alice.toast("Somebody has answered this already.")).to_be_visible()
    await expect(at_alice.button(f"Approve {carol.name}")).to_have_count(0)


@pytest.mark.expects_console("ERR_INTERNET_DISCONNECTED")
async def test_proposals_that_came_while_offline_are_there_afterwards(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    carol = await people("carol")
    await bob.befriend(carol)
    at_alice = await open_client(alice)
    await at_alice.context.set_offline(True)
    await expect(at_alice.page.get_by_text("You are offline.")).to_be_visible()
    await bob.post(f"/chat/{chat_id}/invite", {"user_id": carol.id})
    await at_alice.context.set_offline(False)
    await expect(at_alice.page.get_by_role("link", name="1 waits for you")).to_be_visible()
    # Who becomes a manager sees what waits.
    at_bob = await open_client(bob)
    await alice.post(f"/chat/{chat_id}/{bob.id}/admin", True)
    await expect(at_bob.page.get_by_role("link", name="1 waits for you")).to_be_visible()
    await alice.post(f"/chat/{chat_id}/{bob.id}/admin", False)
    await expect(at_bob.page.get_by_role("link", name="waits for you")).to_have_count(0)


# Searching


async def test_words_are_found_marked_and_lead_into_the_history(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    await alice.say(chat_id, "The **lighthouse** keeper", *[f"Nothing of interest {n}" for n in range(120)])
    await bob.say(chat_id, "A keeper of bees")
    at_alice = await open_client(alice, f"/#/chats/{chat_id}")
    await at_alice.button("Search").click()
    field = at_alice.details.get_by_role("searchbox", name="Search for words")
    await expect(field).to_be_focused()
    await field.fill("keeper")
    results = at_alice.details.get_by_role("listitem")
    await expect(results).to_have_count(2)
    await expect(results.first).to_contain_text(bob.name)
    await expect(results.first.locator("mark")).to_have_text("keeper")
    await field.fill("KEEPER light")
    await expect(results).to_have_count(1)
    assert await results.locator("mark").all_inner_texts() == ["light", "keeper"]
    await field.press("ArrowDown")
    await results.get_by_role("link").click()
    await expect(at_alice.message("The lighthouse keeper")).to_be_in_viewport()
    # Where there is room for both, the results stay.
    await expect(results).to_have_count(1)

    await field.fill("nothing like this")
    await expect(at_alice.details.get_by_role("heading", name="Nothing found")).to_be_visible()
    await at_alice.button("Start over").click()
    await expect(at_alice.details.get_by_role("heading", name="Search this chat")).to_be_visible()


async def test_senders_and_days_are_chosen(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    await alice.say(chat_id, "Said by Alice")
    await bob.say(chat_id, "Said by Bob")
    at_alice = await open_client(alice, f"/#/chats/{chat_id}/panel/search", timezone_id="UTC")
    details = at_alice.details
    results = details.get_by_role("list").get_by_role("link")
    await details.get_by_role("button", name="Senders: Anyone").click()
    await at_alice.page.get_by_role("checkbox", name=bob.name).check()
    await expect(results).to_have_count(1)
    await expect(results).to_contain_text("Said by Bob")
    await at_alice.page.keyboard.press("Escape")  # closes the list, not the panel
    await expect(details.get_by_role("button", name=f"Senders: {bob.name}")).to_be_focused()

    await details.get_by_role("combobox", name="Time").select_option("Days…")
    today = datetime.now(UTC).date()
    tomorrow, yesterday = str(today + timedelta(days=1)), str(today - timedelta(days=1))
    await details.get_by_label("From", exact=True).fill(yesterday)
    await expect(results).to_have_count(1)
    await details.get_by_label("To", exact=True).fill(str(today - timedelta(days=2)))
    await expect(details.get_by_role("alert")).to_contain_text("The first day is after the last one.")
    await details.get_by_label("To", exact=True).fill(yesterday)
    await expect(details.get_by_text("There are no such messages in this time.")).to_be_visible()
    await details.get_by_label("To", exact=True).fill(tomorrow)
    await expect(results).to_have_count(1)


async def test_results_follow_what_becomes_of_the_messages(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    kept, gone = await bob.say(chat_id, "A secret to keep", "A secret to forget")
    at_alice = await open_client(alice, f"/#/chats/{chat_id}/panel/search")
    await at_alice.details.get_by_role("searchbox").fill("secret")
    results = at_alice.details.get_by_role("listitem")
    await expect(results).to_have_count(2)
    await bob.act("recall_message", {"message_id": gone, "delete": False})
    await expect(results).to_have_count(1)
    await bob.act("edit_message", {"message_id": kept, "content": "A secret for all"})
    await expect(results).to_contain_text("A secret for all")


@pytest.mark.expects_console("status of 503")
async def test_search_that_fails_can_be_tried_again(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    await bob.say(chat_id, "Here I am")
    at_alice = await open_client(alice, f"/#/chats/{chat_id}/panel/search")
    answer = {"ok": False, "error": "Service temporarily unavailable, try again later"}
    await at_alice.page.route("**/filter", lambda route: route.fulfill(status=503, json=answer))
    await at_alice.details.get_by_role("searchbox").fill("here")
    await expect(at_alice.details.get_by_role("alert")).to_be_visible()
    await at_alice.page.unroute("**/filter")
    await at_alice.button("Try again").click()
    await expect(at_alice.details.get_by_role("listitem")).to_contain_text("Here I am")


# Rules


async def test_rule_is_written_tried_and_in_force_for_who_is_writing(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    await bob.say(chat_id, "That darn cat!", "A fine dog")
    at_alice, at_bob = await open_client(alice, f"/#/chats/{chat_id}"), await open_client(bob, f"/#/chats/{chat_id}")
    await at_alice.button("Rules").click()
    await at_alice.button("New rule", at_alice.details).click()
    form = at_alice.dialog
    await at_alice.button("Save", form).click()
    await expect(form.get_by_text("Give the rule a name.")).to_be_visible()
    await expect(form.get_by_role("textbox", name="Name")).to_be_focused()
    await form.get_by_role("textbox", name="Name").fill("Swearing")
    await form.get_by_role("textbox", name="Words and phrases").fill("darn\n\nson of a gun\ndarn")
    await expect(form.get_by_text("One in each line. 2 of 10,000.")).to_be_visible()
    await form.get_by_role("combobox", name="What happens").select_option("Hide the words")
    await at_alice.button("Try it on past messages", form).click()
    await expect(form.get_by_text("1 message would have been hit. Looked at 3.")).to_be_visible()
    await expect(form.get_by_text("That darn cat!")).to_be_visible()
    await at_alice.confirm("Save")
    await expect(at_alice.toast("The rule is saved.")).to_be_visible()

    await send_checked(at_bob, "Dárn, again", at_bob.message("••••, again"))
    await expect(at_alice.message("••••, again")).to_be_visible()
    await at_alice.details.get_by_role("switch", name="Rule Swearing is on").press("Space")
    await expect(at_alice.details.get_by_role("switch", name="Rule Swearing is on")).not_to_be_checked()
    await expect(at_alice.details.get_by_role("switch")).to_be_enabled()
    await at_bob.send("Darn once more")
    await expect(at_alice.message("Darn once more")).to_be_visible()

    # A stored rule is tried, too; what it would have hit leads there.
    await at_alice.menu("More for the rule Swearing", "Try it out")
    await expect(at_alice.dialog.get_by_text("2 messages would have been hit.")).to_be_visible()
    await at_alice.dialog.get_by_role("link").filter(has_text="That darn cat!").click()
    await expect(at_alice.dialog).to_have_count(0)
    await at_alice.menu("More for the rule Swearing", "Delete")
    await at_alice.confirm("Delete")
    await expect(at_alice.details.get_by_role("heading", name="No rules yet")).to_be_visible()


KINDS = {
    "Pattern": ({"Regular expression": r"(?i)\d+ euros"}, {"kind": "pattern", "pattern": r"(?i)\d+ euros"}),
    "Links": (
        {"Allowed domains": "example.org\nwikipedia.org"},
        {"kind": "links", "allowed_domains": ["example.org", "wikipedia.org"]},
    ),
    "Too many messages": ({"Messages": "7", "In": "90"}, {"kind": "rate", "messages": 7, "window_s": 5400}),
    "Repetitions": ({"Times": "2", "In": "30"}, {"kind": "repeat", "times": 2, "window_s": 1800}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_rule_is_written_and_changed(open_client, people, kind):
    texts, fields = KINDS[kind]
    alice, chat_id = await group(people, "alice")
    at_alice = await open_client(alice, f"/#/chats/{chat_id}/panel/rules")
    await at_alice.button("New rule").click()
    form = at_alice.dialog
    await form.get_by_role("textbox", name="Name").fill("Mine")
    await form.get_by_role("combobox", name="Looks for").select_option(kind)
    for label, text in texts.items():
        await form.get_by_role("textbox", name=label, exact=True).fill(text)
    await form.get_by_role("combobox", name="What happens").select_option("Refuse, and mute the author")
    await form.get_by_role("textbox", name="Mute for").fill("2")
    await form.get_by_role("combobox", name="Unit: Mute for").select_option("hours")
    await form.get_by_role("textbox", name="Reason").fill("Not here")
    await form.get_by_role("switch", name="Does not hold for the owner and admins").press("Space")
    await at_alice.confirm("Save")
    await expect(at_alice.details.get_by_text("mutes for 2 hr")).to_be_visible()
    shared = {"name": "Mine", "action": "mute", "mute_s": 7200, "reason": "Not here", "exempt_managers": True}
    [stored] = (await alice.get(f"/chat/{chat_id}/rules")).data
    assert {key: stored[key] for key in (shared | fields)} == shared | fields

    await at_alice.button("Edit the rule Mine").click()
    for label, text in texts.items():
        await expect(form.get_by_role("textbox", name=label, exact=True)).not_to_have_value("")
        await form.get_by_role("textbox", name=label, exact=True).fill(text)
    await form.get_by_role("combobox", name="What happens").select_option("Refuse the message")
    await form.get_by_role("switch", name="On").press("Space")
    await at_alice.confirm("Save")
    [stored] = (await alice.get(f"/chat/{chat_id}/rules")).data
    assert stored["action"] == "refuse" and not stored["enabled"] and {key: stored[key] for key in fields} == fields


@pytest.mark.expects_console("status of 400")
async def test_what_is_wrong_in_a_rule_stands_beside_the_field(open_client, people):
    alice, chat_id = await group(people, "alice")
    at_alice = await open_client(alice, f"/#/chats/{chat_id}/panel/rules")
    await at_alice.button("New rule").click()
    form = at_alice.dialog
    await form.get_by_role("textbox", name="Name").fill("Prices")
    await form.get_by_role("combobox", name="Looks for").select_option("Pattern")
    pattern = form.get_by_role("textbox", name="Regular expression")
    await pattern.fill("(")
    await at_alice.button("Save", form).click()  # only the server knows what can be used
    await expect(form.get_by_role("alert")).to_contain_text("The pattern cannot be used: missing ): (")
    await expect(pattern).to_be_focused()
    await form.get_by_role("combobox", name="Looks for").select_option("Repetitions")
    await form.get_by_role("textbox", name="Times").fill("11")
    await form.get_by_role("textbox", name="In", exact=True).fill("25")
    await form.get_by_role("combobox", name="Unit: In").select_option("hours")
    await at_alice.button("Save", form).click()
    await expect(form.get_by_text("A whole number from 1 to 10.")).to_be_visible()
    await expect(form.get_by_text("From 1 second to 24 hours.")).to_be_visible()
    # What was written is not lost by a slip.
    await at_alice.page.keyboard.press("Escape")
    await at_alice.button("Cancel", at_alice.page.get_by_role("dialog", name="Discard your changes?")).click()
    await expect(form.get_by_role("textbox", name="Name")).to_have_value("Prices")
    await at_alice.page.keyboard.press("Escape")
    await at_alice.button("Discard").click()
    await expect(form).to_have_count(0)


async def test_rules_are_for_managers_only(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    at_bob = await open_client(bob, f"/#/chats/{chat_id}")
    await expect(at_bob.button("Search")).to_be_visible()
    await expect(at_bob.button("Rules")).to_have_count(0)
    await alice.post(f"/chat/{chat_id}/{bob.id}/admin", True)
    await at_bob.button("Rules").click()
    await expect(at_bob.details.get_by_role("heading", name="No rules yet")).to_be_visible()
    await alice.post(f"/chat/{chat_id}/{bob.id}/admin", False)
    await expect(at_bob.details).to_have_count(0)


# Held messages


async def test_held_message_is_approved_and_another_declined(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    await rule(alice, chat_id)
    at_alice, at_bob = await open_client(alice, "/#/notifications"), await open_client(bob, f"/#/chats/{chat_id}")
    for text in ("Bike for sale", "Car for sale"):
        await send_checked(
            at_bob, text, at_bob.message(text).get_by_text("waits for approval by the owner or an admin")
        )
    await expect(at_alice.page.get_by_role("link", name="2 wait for you")).to_be_visible()
    held = at_alice.page.get_by_role("region", name="Messages for approval").get_by_role("listitem")
    await expect(held.first).to_contain_text("Bike for sale")
    await expect(held.first).to_contain_text("Offers")
    await held.first.get_by_role("button", name="Approve").click()
    await expect(held).to_have_count(1)
    await expect(at_bob.toast("Your message in “Market” was approved.")).to_be_visible()
    await expect(at_bob.message("Bike for sale")).not_to_contain_text("waits for approval")
    await expect(at_alice.button(f"Decline the message of {bob.name}")).to_be_focused()
    await held.get_by_role("button", name="Decline").click()
    await expect(at_bob.toast("Your message in “Market” was declined.")).to_be_visible()
    await expect(at_bob.message("Car for sale")).to_contain_text("The message was not approved.")
    await at_alice.toast("is sent.").get_by_role("button", name="Show").click()
    await expect(at_alice.message("Bike for sale")).to_be_visible()


async def test_what_waits_is_in_the_panel_and_goes_when_another_manager_approves(open_client, people):
    alice, bob, chat_id = await group(people, "alice", "bob")
    await rule(alice, chat_id)
    at_bob = await open_client(bob, f"/#/chats/{chat_id}")
    await send_checked(
        at_bob, "Bike for sale", at_bob.message("Bike for sale").get_by_text("waits for approval by the owner")
    )
    at_alice = await open_client(alice, f"/#/chats/{chat_id}/panel/rules")
    tab = at_alice.details.get_by_role("tab", name="Waiting")
    await tab.click()
    await expect(at_alice.details.get_by_role("listitem")).to_contain_text("Bike for sale")
    await expect(tab).to_contain_text("1")
    [held] = (await alice.get(f"/chat/{chat_id}/held")).data
    await alice.post(f"/chat/{chat_id}/held/{held['held_id']}")
    await expect(at_alice.details.get_by_role("heading", name="Nothing waits")).to_be_visible()
    await expect(at_alice.message("Bike for sale")).to_be_visible()


# Mutes


async def test_muted_members_are_listed_and_given_back_their_voice(open_client, people):
    alice, bob, carol, chat_id = await group(people, "alice", "bob", "carol")
    await rule(alice, chat_id, name="Peace", words=["war"], action="mute", mute_s=600)
    at_alice = await open_client(alice, f"/#/chats/{chat_id}/panel/rules")
    at_bob, at_carol = await open_client(bob, f"/#/chats/{chat_id}"), await open_client(carol, f"/#/chats/{chat_id}")
    for client in (at_bob, at_carol):
        await send_checked(client, "War!", client.message("War!").get_by_text("You are muted in this chat for 10 min"))
    await at_alice.details.get_by_role("tab", name="Muted").click()
    of_bob = at_alice.details.get_by_role("listitem").filter(has_text=bob.name)
    await expect(of_bob).to_contain_text(re.compile(r"(10|9) min( \d+ sec)? left"))
    await expect(of_bob).to_contain_text("Rule: Peace")
    await at_alice.button(f"Unmute {bob.name}").click()
    await expect(at_alice.toast(f"{bob.name} can write again.")).to_be_visible()
    await expect(of_bob).to_have_count(0)
    await at_bob.send("Peace!")
    await expect(at_alice.message("Peace!")).to_be_visible()

    await send_checked(at_bob, "And war", at_bob.message("And war").get_by_text("You are muted"))
    await at_alice.details.get_by_role("tab", name="Rules").click()
    await at_alice.details.get_by_role("tab", name="Muted").click()
    await at_alice.button("Unmute everyone").click()
    await at_alice.button("Unmute everyone", at_alice.dialog).click()
    await expect(at_alice.details.get_by_role("heading", name="Nobody is muted")).to_be_visible()
    await at_carol.send("Peace, too!")
    await expect(at_alice.message("Peace, too!")).to_be_visible()


# Bots


async def test_bots_are_found_and_their_commands_offered(open_client, people):
    alice = await people("alice")
    at_alice = await open_client(alice)
    await at_alice.button("Talk to the assistant").click()
    await expect(at_alice.message("are friends now")).to_be_visible()
    await at_alice.composer.press_sequentially("/ro")
    await expect(at_alice.page.get_by_role("option")).to_contain_text("/roll [sides | NdM+K]")
    await at_alice.composer.press("Tab")
    await expect(at_alice.composer).to_have_value("/roll ")
    await at_alice.composer.press_sequentially("2d6")
    await at_alice.composer.press("Enter")
    await expect(at_alice.message("You rolled")).to_be_visible()

    # One that knows no commands is not offered any.
    await at_alice.go("Friends")
    await expect(at_alice.page.get_by_role("heading", name="Bots")).to_be_visible()
    await at_alice.button("Chat with echo").click()
    await expect(at_alice.page.get_by_role("log", name="Messages: echo")).to_be_visible()
    await at_alice.composer.press_sequentially("/")
    await at_alice.send("/ hello")
    await expect(at_alice.message("/ hello")).to_have_count(2)
    await expect(at_alice.page.get_by_role("option")).to_have_count(0)
    # Who is a friend already is gone to.
    await at_alice.go("Friends")
    await at_alice.button("Chat with nova").click()
    await expect(at_alice.message("You rolled")).to_be_visible()


async def test_commands_are_offered_in_groups_with_the_assistant_and_in_ones_language(open_client, people):
    alice = await people("alice")
    at_alice = await open_client(alice)
    await at_alice.button("Talk to the assistant").click()
    await expect(at_alice.message("are friends now")).to_be_visible()
    bots = (await alice.get("/bots")).data["bots"]
    body = {"chat_name": "With a bot", "chat_members": [bots[0]["user"]["id"]]}
    with_bot = (await alice.post("/chat/new", body)).data["chat_id"]
    await alice.new_group(name="People")
    await at_alice.open_chat("People")
    await at_alice.composer.press_sequentially("/")
    await at_alice.open_chat("With a bot")
    await expect(at_alice.page.get_by_role("option")).to_have_count(0)
    await at_alice.composer.press_sequentially("/")
    await expect(at_alice.page.get_by_role("option").first).to_contain_text("/help [command]")

    in_russian = await open_client(alice, path=None, locale="ru-RU")
    in_russian.person = None  # whom the fixture would wait for in English
    await in_russian.open(f"/#/chats/{with_bot}")
    await in_russian.page.get_by_role("textbox", name="Сообщение", exact=True).press_sequentially("/")
    options = in_russian.page.get_by_role("option")
    await expect(options.first).to_contain_text("/help [команда]")
    for option in await options.all_inner_texts():
        assert re.search("[а-я]{3}", option), option


async def test_all_that_bots_say_of_themselves_is_known_to_the_client(people):
    """The server's words are the keys of the client's texts: neither may be changed without the other."""
    alice = await people("alice")
    answer = (await alice.get("/bots")).data
    source = (await alice.get(await address(alice, "nova_bot_chat", "server_texts.js"))).body.decode()
    known = {json.loads(text) for text in re.findall(r'^  ("(?:[^"\\]|\\.)*"):', source, re.MULTILINE)}
    said = {bot["help"] for bot in answer["bots"]}
    said |= {text for command in answer["commands"] for text in (command["usage"], command["help"]) if text}
    assert said <= known
    assert known - said == {"Answers questions and talks about anything."}  # of the bot that needs an outside service


async def address(person, plugin, name):
    """Where a file of a plugin's part is served."""
    page = (await person.get("/")).body.decode()
    return re.search(rf'"(/static/[^"]*/plugins/{plugin}/)[^"]*"', page)[1] + name


async def test_answer_that_grows_has_a_caret_and_one_that_broke_off_says_so(open_client, people):
    alice = await people("alice")
    at_alice = await open_client(alice, path=None)
    await at_alice.context.clock.install()
    await at_alice.open("/#/friends")
    await at_alice.button("Chat with echo").click()
    await at_alice.send("**Once** upon a time …", "The end … (interrupted)")
    answers = at_alice.log.get_by_role("article").filter(has_text="echo").filter(has_not_text="are friends now")
    growing = at_alice.log.locator("[aria-busy=true]")
    await expect(growing).to_have_text("Once upon a time")
    await expect(answers.filter(has_text="The answer broke off.")).to_have_count(1)
    await expect(at_alice.message("(interrupted)")).to_have_count(1)  # as it was said oneself
    # What stands still for longer than a bot may take is whole.
    await at_alice.context.clock.fast_forward(40_000)
    await expect(growing).to_have_count(0)
    await expect(at_alice.message("Once upon a time …")).to_have_count(2)


# Without the plugins


async def test_the_parts_go_with_their_plugins(open_client, people, start_server):
    server = start_server(*(flag for name in ALL_OFF for flag in ("--plugin-off", name)))
    alice, bob = await people("alice", server), await people("bob", server)
    await alice.befriend(bob)
    chat_id = await alice.new_group(bob, name="Market")
    at_alice = await open_client(alice, f"/#/chats/{chat_id}", on=server)
    await at_alice.send("/roll")
    await expect(at_alice.message("/roll")).to_be_visible()
    await at_alice.composer.press_sequentially("/")
    for name in ("Search", "Rules"):
        await expect(at_alice.button(name)).to_have_count(0)
    await at_alice.button("Group details").first.click()
    await expect(at_alice.details.get_by_text("2 members")).to_be_visible()
    await expect(at_alice.button("Invite a friend")).to_have_count(0)
    await expect(at_alice.page.get_by_role("option")).to_have_count(0)
    await at_alice.go("Friends")
    await expect(at_alice.page.get_by_role("link", name=bob.name)).to_be_visible()
    await expect(at_alice.page.get_by_role("heading", name="Bots")).to_have_count(0)
    # Addresses that belong to them lead to the chat.
    await at_alice.page.goto(f"{server.url}/#/chats/{chat_id}/panel/search")
    await expect(at_alice.message("/roll")).to_be_visible()
    await expect(at_alice.details).to_have_count(0)
    # No request to what is not there: it would stand in the console.
