"""Rules of groups: what each kind and action does to messages and edits, and how rules are kept.

Source: docs/protocols/actions.md, "Rules".
"""

import asyncio
import threading

import pytest
from nova_message_filters import moderator, rule, rulebook
from people import WAIT_S
from plugins.moderated import HOLD, LINKS, MASK, MUTE, PATTERN, RATE, REPEAT, WORDS, Group, Refused

from nova_tornado.app import open_nova
from nova_tornado.domain.errors import MessageRefused
from nova_tornado.testing.running import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


@pytest.fixture
def group(people, io_loop):
    return io_loop.run_sync(lambda: Group().open(people))


# Kinds and actions


@pytest.mark.gen_test
async def test_words_are_refused_with_the_reason_and_nobody_hears_of_it(group):
    await group.rule(WORDS, reason="Mind your language")
    for text in ("DARN!", "so dárn good", "Son  of a… gun"):
        for person in group.all:
            await group.packets(person)
        assert await group.say(group.carol, text) == "The message was refused: Mind your language"
        assert isinstance(await group.say(group.carol, text), Refused)
        assert await group.packets(group.alice) == [] == await group.packets(group.dave)
    assert await group.say(group.carol, "darned sonofagun") == "darned sonofagun"
    assert await group.texts() == ["darned sonofagun"]


@pytest.mark.gen_test
async def test_without_a_reason_the_rule_is_named(group):
    await group.rule(WORDS)
    assert await group.say(group.carol, "darn") == "The message was refused: it breaks the rule “Swearing”"


@pytest.mark.gen_test
async def test_matches_are_masked_for_everybody(group):
    await group.rule(MASK)
    await group.rule(PATTERN)
    await group.rule(LINKS, action="mask")
    said = "Darn, 4111 1111 1111 1111 at http://evil.example or example.org"
    shown = "••••, ••••••••••••••••••• at ••••••••••••••••••• or example.org"
    assert await group.say(group.carol, said) == shown
    assert await group.texts() == [shown]
    [news] = await group.news(group.dave, "new_message")
    assert news["message"]["message"] == shown


@pytest.mark.gen_test
async def test_links_but_to_allowed_domains_are_refused(group):
    await group.rule(LINKS)
    assert isinstance(await group.say(group.carol, "see evil.com"), Refused)
    assert isinstance(await group.say(group.carol, "https://example.org@evil.com"), Refused)
    assert await group.say(group.carol, "https://www.example.org/x") == "https://www.example.org/x"


@pytest.mark.gen_test
async def test_rate_counts_what_passed_by_user_and_window(group, clock):
    await group.rule(RATE)
    for _ in range(2):
        assert await group.say(group.carol, "x") == "x"
    assert await group.say(group.carol, "x") == "The message was refused: it breaks the rule “Slowly”"
    assert await group.say(group.dave, "x") == "x"
    clock.move(59)
    assert isinstance(await group.say(group.carol, "x"), Refused)
    clock.move(2)
    assert await group.say(group.carol, "x") == "x"


@pytest.mark.gen_test
async def test_of_many_at_the_same_moment_no_more_pass_than_the_rate_allows(group):
    await group.rule(RATE)
    for _ in range(10):
        await group.sockets[group.carol].send("send_message", {"chat_id": group.id, "content": "x"})
    other = await group.carol.socket()
    for _ in range(10):
        await other.send("send_message", {"chat_id": group.id, "content": "x"})
    await other.send("ping", request_id=1)
    while (await other.receive())["action"] != "pong":
        pass
    await group.packets(group.carol)
    assert await group.texts() == ["x", "x"]


@pytest.mark.gen_test
async def test_repeated_texts_are_compared_folded(group, clock):
    await group.rule(REPEAT)
    assert await group.say(group.carol, "Buy now!") == "Buy now!"
    for text in ("buy NOW", "büy... now", "Buy\nnow"):
        assert isinstance(await group.say(group.carol, text), Refused)
    assert await group.say(group.carol, "Buy later") == "Buy later"
    assert await group.say(group.dave, "Buy now!") == "Buy now!"
    assert await group.say(group.carol, "?!") == "?!"
    assert await group.say(group.carol, "!?") == "!?"
    assert isinstance(await group.say(group.carol, "!?"), Refused)
    clock.move(61)
    assert await group.say(group.carol, "buy now") == "buy now"


@pytest.mark.gen_test
async def test_a_send_that_is_repeated_with_its_client_id_is_no_second_message(group):
    await group.rule(REPEAT)
    await group.rule(RATE, messages=1)
    await group.rule(MASK)
    for _ in range(3):
        assert await group.say(group.carol, "oh darn", client_message_id="one") == "oh ••••"
    assert isinstance(await group.say(group.carol, "oh no", client_message_id="two"), Refused)
    assert await group.texts() == ["oh ••••"]


@pytest.mark.gen_test
async def test_who_is_muted_hears_for_how_long_and_may_speak_again_then(group, clock):
    await group.rule(MUTE, reason="Calm down")
    assert await group.say(group.carol, "darn") == "You are muted in this chat for 10 min: Calm down"
    clock.move(60)
    answer = await group.say(group.carol, "sorry")
    assert answer.startswith("You are muted in this chat for another 8 min 5") or answer.endswith(" 9 min")
    assert isinstance(answer, Refused)
    assert await group.say(group.dave, "hello") == "hello"
    clock.move(540)
    assert await group.say(group.carol, "sorry") == "sorry"


@pytest.mark.gen_test
async def test_the_hardest_action_is_taken(group):
    await group.rule(MASK, words=["one"])
    await group.rule(HOLD, words=["two"])
    await group.rule(WORDS, words=["three"])
    await group.rule(MUTE, words=["four"])
    assert await group.say(group.carol, "one") == "•••"
    assert "waits for approval" in await group.say(group.carol, "two one")
    assert (await group.held())[0]["message"] == "two one"
    assert "refused" in await group.say(group.carol, "one two three")
    assert len(await group.held()) == 1
    assert "muted" in await group.say(group.carol, "four three two one")
    assert await group.texts() == ["•••"]


@pytest.mark.gen_test
async def test_managers_are_exempt_only_where_the_rule_says_so(group):
    await group.rule(WORDS, exempt_managers=True)
    assert await group.say(group.alice, "darn") == await group.say(group.bob, "darn") == "darn"
    assert isinstance(await group.say(group.carol, "darn"), Refused)
    await group.rule(WORDS, words=["heck"])
    assert isinstance(await group.say(group.alice, "heck"), Refused)
    assert (await group.alice.post(f"{group.path}/{group.bob.id}/admin", False)).data is None
    assert isinstance(await group.say(group.bob, "darn"), Refused)


# Edits


@pytest.mark.gen_test
async def test_edits_are_filtered_and_leave_the_message_as_it_was(group):
    await group.say(group.carol, "nice")
    message_id = group.last_id
    await group.rule(WORDS)
    await group.rule(MASK, words=["heck"])
    await group.rule(HOLD, words=["hmm"])
    assert isinstance(await group.edit(group.carol, message_id, "darn"), Refused)
    assert await group.texts() == ["nice"]
    assert await group.edit(group.carol, message_id, "what the heck") == "what the ••••"
    assert "would need approval" in await group.edit(group.carol, message_id, "hmm")
    assert await group.held() == []
    assert await group.texts() == ["what the ••••"]


@pytest.mark.gen_test
async def test_rates_and_repetitions_do_not_count_edits(group):
    await group.rule(RATE)
    await group.rule(REPEAT)
    await group.say(group.carol, "one")
    for text in ("two", "one", "one", "two"):
        assert await group.edit(group.carol, group.last_id, text) == text
    assert await group.say(group.carol, "two") == "two"


@pytest.mark.gen_test
async def test_edits_of_who_is_muted_are_refused(group):
    await group.say(group.carol, "nice")
    message_id = group.last_id
    await group.rule(MUTE)
    assert "muted" in await group.edit(group.carol, message_id, "darn")
    assert "muted" in await group.edit(group.carol, message_id, "nice again")


@pytest.mark.gen_test
async def test_messages_of_the_system_pass(group, people):
    await group.rule(WORDS, words=["renamed", "left", "the", "added", "created"])
    assert (await group.dave.delete(group.path)).data is None
    history = (await group.alice.get(f"{group.path}/messages")).data
    assert history[0]["message"] == "dave left the chat"


# Rules as such


@pytest.mark.gen_test
async def test_rules_are_made_listed_changed_and_taken_away(group):
    made = (await group.bob.post(f"{group.path}/rules", {**MUTE, "reason": "No"})).data
    assert isinstance(made.pop("changed_at"), float)
    expected = {**MUTE, "rule_id": made["rule_id"], "reason": "No", "exempt_managers": False, "enabled": True}
    assert made == expected
    other_id = await group.rule(REPEAT)
    [first, second] = (await group.alice.get(f"{group.path}/rules")).data
    assert (first["rule_id"], second["rule_id"]) == (made["rule_id"], other_id)
    assert (second["times"], second["window_s"]) == (1, 60)
    changed = (
        await group.bob.patch(f"{group.path}/rules/{made['rule_id']}", {"action": "refuse", "words": ["x"]})
    ).data
    assert changed["action"] == "refuse" and changed["words"] == ["x"] and "mute_s" not in changed
    assert await group.say(group.carol, "darn") == "darn"
    assert isinstance(await group.say(group.carol, "x"), Refused)
    changed = (await group.bob.patch(f"{group.path}/rules/{made['rule_id']}", LINKS)).data
    assert changed["kind"] == "links" and "words" not in changed
    assert (await group.bob.delete(f"{group.path}/rules/{made['rule_id']}")).data is None
    assert [each["rule_id"] for each in (await group.alice.get(f"{group.path}/rules")).data] == [other_id]
    assert await group.say(group.carol, "evil.com x") == "evil.com x"


@pytest.mark.gen_test
async def test_a_rule_that_is_switched_off_does_nothing(group, nova):
    rule_id = await group.rule(WORDS, enabled=False)
    assert await group.say(group.carol, "darn") == "darn"
    for is_enabled in (True, False):
        await group.alice.patch(f"{group.path}/rules/{rule_id}", {"enabled": is_enabled})
        assert isinstance(await group.say(group.carol, "darn"), Refused) is is_enabled
    chat = await nova.services.chats.get(group.id)
    assert not nova.services.messages._filters.concern(chat, await nova.directory.get(group.carol.id))


@pytest.mark.gen_test
async def test_where_there_are_no_rules_sends_take_the_fast_way(group, nova):
    await group.rule(WORDS)
    other_id = await group.alice.new_group(group.carol)
    filters = nova.services.messages._filters
    carol = await nova.directory.get(group.carol.id)
    assert filters.concern(await nova.services.chats.get(group.id), carol)
    assert not filters.concern(await nova.services.chats.get(other_id), carol)
    assert await group.say(group.carol, "darn", other_id) == "darn"


@pytest.mark.gen_test
async def test_rules_are_of_their_group_alone(group):
    rule_id = await group.rule(WORDS)
    other_id = await group.alice.new_group(group.carol)
    for method, more in (("PATCH", {"name": "x"}), ("DELETE", {})):
        answer = await group.alice.request(method, f"/chat/{other_id}/rules/{rule_id}", more)
        assert (answer.status, answer.error) == (400, "Rule not found")
    assert (await group.alice.get(f"/chat/{other_id}/rules")).data == []


@pytest.mark.gen_test
async def test_bounds_on_the_rules_of_a_group_hold_for_all_together(group, monkeypatch):
    monkeypatch.setattr(rulebook, "RULES_MAX_PER_CHAT", 3)
    monkeypatch.setattr(rulebook, "WORDS_MAX_PER_CHAT", 4)
    monkeypatch.setattr(rulebook, "STEPS_MAX_PER_CHAT", 1500)
    first = await group.rule(WORDS, words=["a", "b", "c"])
    await group.rule({**PATTERN, "pattern": r"\pL+\d"})
    for bad, part in (({**WORDS, "words": ["d", "e"]}, "words"), ({**PATTERN, "pattern": r"\pL+\d"}, "steps")):
        assert part in (await group.alice.post(f"{group.path}/rules", bad)).error
    assert (await group.alice.patch(f"{group.path}/rules/{first}", {"words": list("abcde")})).status == 400
    assert (await group.alice.patch(f"{group.path}/rules/{first}", {"words": list("abcd")})).status == 200
    answers = await asyncio.gather(*(group.alice.post(f"{group.path}/rules", LINKS) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400, 400]
    assert len((await group.alice.get(f"{group.path}/rules")).data) == 3


@pytest.mark.gen_test
async def test_ten_thousand_words_are_taken(group):
    words = [f"wörd{number}" for number in range(rule.WORDS_MAX_COUNT)]
    await group.rule(WORDS, words=words)
    assert isinstance(await group.say(group.carol, "a WORD9999 b"), Refused)
    assert await group.say(group.carol, "word10000") == "word10000"


@pytest.mark.gen_test
async def test_rules_and_mutes_are_there_after_a_restart(group, nova, settings, clock, mongo, database):
    await group.rule(WORDS)
    await group.rule(MUTE, words=["heck"])
    assert "muted" in await group.say(group.carol, "heck")
    await nova.close()

    async def try_again(person, text):
        again = await open_nova(settings, mongo.uri, database=database.name, clock=clock)
        try:
            sender = await again.directory.get(person.id)
            return (await again.services.messages.send(sender, group.id, text)).message.text
        except MessageRefused as error:
            return Refused(error.message)
        finally:
            await again.close()

    assert "muted in this chat for another" in await try_again(group.carol, "hello")
    assert isinstance(await try_again(group.dave, "darn"), Refused)
    assert await try_again(group.dave, "hello") == "hello"
    clock.move(601)
    assert await try_again(group.carol, "hello") == "hello"
    assert database.chat_mutes.count_documents({}) == 0


@pytest.mark.gen_test
async def test_rules_that_left_the_memory_are_loaded_again(group, monkeypatch):
    monkeypatch.setattr(rulebook, "CACHED_WORDS", 1)
    other_id = await group.alice.new_group(group.carol)
    await group.rule(WORDS)
    await group.alice.post(f"/chat/{other_id}/rules", {**WORDS, "words": ["heck"]})
    for _ in range(2):
        assert isinstance(await group.say(group.carol, "darn"), Refused)
        assert isinstance(await group.say(group.carol, "heck", other_id), Refused)
        assert await group.say(group.carol, "heck") == "heck"


@pytest.mark.gen_test
async def test_what_cannot_be_checked_in_time_is_refused_without_a_strike(group, nova, monkeypatch):
    await group.rule(PATTERN)
    monkeypatch.setattr(moderator, "INLINE_MAX_STEPS", 0)
    assert await group.say(group.carol, "4111111111111111") == "•" * 16
    gate, find_hits = threading.Event(), moderator.find_hits

    def stuck(rules, text):
        assert not rules or gate.wait(WAIT_S)
        return find_hits(rules, text)

    monkeypatch.setattr(moderator, "find_hits", stuck)
    monkeypatch.setattr(moderator, "CHECK_LIMIT_S", 0.01)
    for _ in range(4):
        assert await group.say(group.carol, "x") == moderator.TOO_SLOW
    gate.set()
    monkeypatch.undo()
    assert await group.say(group.carol, "4111111111111111") == "•" * 16


# Mutes


@pytest.mark.gen_test
async def test_mutes_are_listed_and_lifted(group, clock):
    await group.rule(MUTE)
    await group.rule(MUTE, words=["heck"], mute_s=60, name="Short")
    for person, text in ((group.carol, "darn"), (group.dave, "heck"), (group.alice, "heck")):
        assert "muted" in await group.say(person, text)
    mutes = (await group.bob.get(f"{group.path}/mutes")).data
    assert [(each["user"]["user_name"], each["rule_name"]) for each in mutes] == [
        ("dave", "Short"),
        ("alice", "Short"),
        ("carol", "Swearing"),
    ]
    assert all(each["until"] - each["muted_at"] in (pytest.approx(60), pytest.approx(600)) for each in mutes)
    assert (await group.bob.delete(f"{group.path}/mutes/{group.carol.id}")).data is None
    assert (await group.bob.delete(f"{group.path}/mutes/{group.carol.id}")).error == "User is not muted"
    assert await group.say(group.carol, "thanks") == "thanks"
    clock.move(61)
    assert (await group.bob.get(f"{group.path}/mutes")).data == []
    assert (await group.bob.delete(f"{group.path}/mutes/{group.dave.id}")).error == "User is not muted"
    assert "muted" in await group.say(group.dave, "darn")
    assert (await group.bob.delete(f"{group.path}/mutes")).data is None
    assert await group.say(group.dave, "thanks") == "thanks"


@pytest.mark.gen_test
async def test_leaving_and_coming_back_does_not_end_a_mute(group):
    await group.rule(MUTE)
    await group.say(group.carol, "darn")
    assert (await group.carol.delete(group.path)).data is None
    assert (await group.alice.post(f"{group.path}/invite", {"user_id": group.carol.id})).data is None
    assert (await group.bob.post(f"{group.path}/invitation/{group.carol.id}")).data is None
    assert "muted" in await group.say(group.carol, "hello")


# What goes when


@pytest.mark.gen_test
async def test_all_goes_with_the_chat_and_the_account(group, nova, database):
    await group.rule(MUTE)
    await group.rule(HOLD, words=["heck"])
    for person in (group.carol, group.dave):
        await group.say(person, "heck")
        await group.say(person, "darn")
    names = ("message_rules", "chat_mutes", "held_messages")
    assert [database[name].count_documents({}) for name in names] == [2, 2, 2]
    assert (await group.carol.delete("/user")).data is None
    await nova._dispatcher.drained()
    assert [database[name].count_documents({}) for name in names] == [2, 1, 1]
    assert (await group.alice.delete(group.path)).data is None
    await nova._dispatcher.drained()
    assert [database[name].count_documents({}) for name in names] == [0, 0, 0]
