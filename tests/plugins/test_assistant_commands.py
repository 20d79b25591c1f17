"""The assistant's commands on real chats: what they answer, and what they never show."""

import asyncio
import re
from pathlib import Path

import nova_bot_chat
import pytest
from nova_bot_chat import commands_lookup, commands_time, polls
from plugins.assistant_desk import Desk, FakeClock

from nova_tornado.api import events
from nova_tornado.settings import Settings

SECRET = "xylophone"
"""A word that only those in its chat may see."""


@pytest.fixture
def settings():
    return Settings(bcrypt_rounds=4, rate_limits=False, plugins_off=("nova_bot_chat",))


@pytest.fixture
def desk(start_nova, settings, io_loop):
    nova = start_nova(settings, clock=FakeClock())
    return io_loop.run_sync(lambda: Desk().open(nova))


# Talk and /help


@pytest.mark.gen_test
async def test_the_assistant_talks_helps_and_says_when_it_does_not_understand(desk):
    chat = await desk.private("alice")
    assert "Hello, alice" in await desk.ask("alice", chat, "Hello!")
    assert await desk.ask("alice", chat, "xyzzy plugh") == "I did not understand that. Try /help."
    assert "/remind" in await desk.ask("alice", chat, "/rmeind 10m tea")
    assert "/help" in await desk.ask("alice", chat, "/qqqqq")
    shown = await desk.ask("alice", chat, "/help")
    assert [line.split()[0] for line in shown.splitlines()[1:]] == sorted(
        f"/{each.name}" for each in desk.facade.commands
    )
    assert (await desk.ask("alice", chat, "/help /Roll")).startswith("/roll [sides | NdM+K] – ")
    assert "no command" in await desk.ask("alice", chat, "/help nothing")


@pytest.mark.gen_test
async def test_plain_words_reach_the_commands(desk):
    chat = await desk.private("alice")
    assert await desk.ask("alice", chat, "What time is it in Tokyo?") == (
        "It is 17:00 in Asia/Tokyo, Friday, 2027-01-15 (UTC+09:00)."
    )
    assert await desk.ask("alice", chat, "did I miss anything?") == "You have read everything."
    assert re.fullmatch(r"You rolled [1-6] \(1–6\)\.", await desk.ask("alice", chat, "roll the dice"))


@pytest.mark.gen_test
async def test_roll_and_time_answer_and_tell_their_usage(desk, monkeypatch):
    chat = await desk.private("alice")
    assert re.fullmatch(r"You rolled \d+ \(2d6\+1 = \d \+ \d \+ 1\)\.", await desk.ask("alice", chat, "/roll 2d6+1"))
    assert (await desk.ask("alice", chat, "/roll 2x")).endswith("\nUsage: /roll [sides | NdM+K]")
    assert (await desk.ask("alice", chat, "/time")).startswith("It is 08:00 UTC, Friday, 2027-01-15.")
    assert "(UTC-08:00)" in await desk.ask("alice", chat, "/time san francisco")
    assert "Did you mean" in await desk.ask("alice", chat, "/time Berln")
    monkeypatch.setattr(commands_time.zoneinfo, "available_timezones", set)
    bare = next(each for each in commands_time.commands_time(desk.clock))
    desk.facade._offers.commands[:] = [bare]
    assert "no time zone data" in await desk.ask("alice", chat, "/time Berlin")


@pytest.mark.gen_test
async def test_the_readme_tells_of_every_command(desk):
    text = (Path(nova_bot_chat.__file__).parent / "README.md").read_text()
    for each in desk.facade.commands:
        assert f"| `/{each.name}" in text, each.name


# /unread


@pytest.mark.gen_test
async def test_unread_counts_the_askers_own_chats(desk):
    chat = await desk.private("alice")
    tea = await desk.group("bob", "alice", title="Tea")
    plain = await desk.group("bob", "alice", title="")
    hidden = await desk.group("bob", "carol", title=SECRET)
    private, _ = await desk.services.chats.open_private(desk["carol"], desk["alice"].id)
    await desk.say("bob", tea, "one", "two", "three")
    await desk.say("carol", private, "psst")
    await desk.say("bob", plain, "hi")
    await desk.say("bob", hidden, "nothing for alice")
    answer = await desk.converse("alice", chat, "/unread")
    assert answer.splitlines() == ["5 unread messages in 3 chats:", "• bob, alice, nova: 1", "• carol: 1", "• Tea: 3"]
    await desk.services.messages.mark_read(desk["alice"], tea.id)
    assert "Tea" not in await desk.converse("alice", chat, "/unread")
    assert SECRET not in answer


@pytest.mark.gen_test
async def test_unread_shows_so_many_chats(desk, monkeypatch):
    monkeypatch.setattr(commands_lookup, "UNREAD_CHATS_SHOWN", 2)
    chat = await desk.private("alice")
    for title in "abcd":
        await desk.say("bob", await desk.group("bob", "alice", title=title), "hi")
    lines = (await desk.ask("alice", chat, "/unread")).splitlines()
    assert lines == ["4 unread messages in 4 chats:", "• d: 1", "• c: 1", "and 2 chats more"]


# Privacy


@pytest.mark.gen_test
async def test_in_a_group_nothing_of_other_chats_is_answered(desk):
    tea = await desk.group("bob", "alice")
    other = await desk.group("alice", title="Other")
    await desk.say("alice", other, f"the {SECRET} is green", "the second word", "the third word here")
    for text in ("/unread", "/summary Other", f"/summary {other.id}", f"/search {SECRET}", "did I miss anything"):
        answer = await desk.ask("alice", tea, text)
        assert "green" not in answer and "Other" not in answer, text
        assert ("in our private chat" in answer) == ("/search" not in text), text


@pytest.mark.gen_test
async def test_chats_of_others_are_as_good_as_unknown(desk):
    chat = await desk.private("alice")
    hidden = await desk.group("bob", "carol", title="Hidden")
    await desk.say("bob", hidden, f"the {SECRET} is green", "the second word", "the third word here")
    await desk.say("bob", await desk.private("bob"), f"my own {SECRET}")
    assert await desk.ask("alice", chat, f"/search {SECRET}") == "I found nothing."
    for name in (str(hidden.id), "Hidden", "Nowhere"):
        answer = await desk.ask("alice", chat, f"/summary {name}")
        assert answer.splitlines()[0] == f"You have no chat “{name}”."


@pytest.mark.gen_test
async def test_who_was_removed_finds_nothing_there_any_more(desk):
    chat = await desk.private("alice")
    tea = await desk.group("bob", "alice")
    await desk.say("bob", tea, f"the {SECRET} is green")
    assert "green" in await desk.ask("alice", chat, f"/search {SECRET}")
    await desk.services.chats.edit(desk["bob"], tea.id, remove_ids=[desk["alice"].id])
    assert await desk.ask("alice", chat, f"/search {SECRET}") == "I found nothing."
    assert "not in that chat" in await desk.answer("alice", tea, f"/search {SECRET}")
    assert "not in that chat" in await desk.answer("alice", tea, "/summary")


# /search


@pytest.mark.gen_test
async def test_search_finds_folded_words_in_all_chats_newest_first(desk):
    chat = await desk.private("alice")
    tea = await desk.group("bob", "alice", title="Tea")
    private, _ = await desk.services.chats.open_private(desk["carol"], desk["alice"].id)
    await desk.say("bob", tea, "Élan vital", "nothing", "/search elan", "@nova /search elan")
    await desk.say("carol", private, "her ELAN is vital too")
    await desk.converse("alice", chat, "/search elan")
    assert (await desk.converse("alice", chat, "/search  ÉLAN   vital")).splitlines() == [
        "I found 2 messages:",
        "• carol, carol, 2027-01-15 08:00 UTC: her ELAN is vital too",
        "• Tea, bob, 2027-01-15 08:00 UTC: Élan vital",
    ]
    assert (await desk.ask("alice", tea, "/search elan")).splitlines() == [
        "I found 1 message:",
        "• bob, 2027-01-15 08:00 UTC: Élan vital",
    ]
    assert (await desk.ask("alice", chat, "/search")).endswith("Usage: /search words")


@pytest.mark.gen_test
async def test_recalled_and_hidden_messages_are_not_found_and_edited_ones_as_they_are(desk):
    chat = await desk.private("alice")
    tea = await desk.group("bob", "alice")
    recalled, hidden, edited = await desk.say("bob", tea, "word one", "word two", "word three")
    await desk.services.messages.recall(desk["bob"], recalled.id)
    await desk.services.messages.hide(desk["alice"], hidden.id)
    await desk.services.messages.edit(desk["bob"], edited.id, "word four")
    answer = await desk.ask("alice", chat, "/search word")
    assert "word four" in answer and len(answer.splitlines()) == 2
    assert "word two" in await desk.ask("bob", await desk.private("bob"), "/search word")


@pytest.mark.gen_test
async def test_search_keeps_its_bounds_and_says_so(desk, monkeypatch):
    monkeypatch.setattr(commands_lookup, "SEARCH_CHATS_MAX", 2)
    monkeypatch.setattr(commands_lookup, "SEARCH_MESSAGES_MAX", 5)
    monkeypatch.setattr(commands_lookup, "SEARCH_RESULTS_COUNT", 3)
    chat = await desk.private("alice")
    for title in ("old", "new"):
        await desk.say("bob", await desk.group("bob", "alice", title=title), *(f"word {number}" for number in range(7)))
    answer = await desk.ask("alice", chat, "/search word")
    lines = answer.splitlines()
    assert lines[0] == "I found 5 messages, the newest 3:" and "there may be more" in lines[-1]
    assert [line[-6:] for line in lines[1:-1]] == ["word 6", "word 5", "word 4"] and "old" not in answer
    monkeypatch.setattr(commands_lookup, "SEARCH_CHARACTERS_MAX", 0)
    assert "there may be more" in await desk.ask("alice", chat, "/search word")


# /summary


@pytest.mark.gen_test
async def test_summary_of_the_group_and_of_a_chat_by_name_or_id(desk):
    chat = await desk.private("alice")
    tea = await desk.group("bob", "alice", title="Tea Time")
    await desk.say("bob", tea, "The kettle is broken again.", "Somebody must buy a new kettle today.")
    assert "too little" in await desk.ask("alice", tea, "/summary")
    await desk.say("alice", tea, "I can buy the kettle after work.", "ok")
    await desk.converse("bob", tea, "/roll")
    lines = (await desk.ask("alice", tea, "/summary")).splitlines()
    assert lines[0].startswith("“Tea Time”, the last 4 messages (2027-01-15 08:00 UTC – ")
    assert lines[1:] == [
        "• bob: The kettle is broken again.",
        "• bob: Somebody must buy a new kettle today.",
        "• alice: I can buy the kettle after work.",
        "Messages: bob (2), alice (2).",
    ]
    for name in ("tea time", "TEA", "time", str(tea.id)):
        assert (await desk.ask("alice", chat, f"/summary {name}")).splitlines() == lines
    assert "Which chat" in await desk.ask("alice", chat, "/summary")
    await desk.group("alice", title="Teapots")
    assert "Tea Time (id " in await desk.ask("alice", chat, "/summary tea")


# /poll, /vote


@pytest.mark.gen_test
async def test_a_poll_counts_one_changeable_vote_a_member_in_its_message(desk):
    tea = await desk.group("bob", "alice", "carol")
    poll = await desk.converse("bob", tea, "/poll Where? | Pizza | Sushi")
    number = int(re.match(r"Poll (\d+): Where\?\n1\. Pizza – 0 votes\n2\. Sushi – 0 votes\n", poll)[1])
    assert "is “Sushi”" in await desk.converse("alice", tea, "/vote 2")
    assert "is “Pizza”" in await desk.converse("carol", tea, f"/vote {number} 1")
    assert "already" in await desk.converse("carol", tea, "/vote 1")
    assert "is now “Sushi”" in await desk.converse("carol", tea, "/vote 2")
    (shown,) = [text for text in await desk.texts(tea, desk.bot) if text.startswith("Poll")]
    assert shown.splitlines()[:3] == [f"Poll {number}: Where?", "1. Pizza – 0 votes", "2. Sushi – 2 votes"]
    for bad in ("/vote", "/vote 3", "/vote 0", f"/vote {number + 1} 1", "/vote x"):
        assert "Usage: /vote" in await desk.ask("bob", tea, bad), bad
    assert "Usage: /poll" in await desk.ask("bob", tea, "/poll Where?")


@pytest.mark.gen_test
async def test_votes_go_to_the_latest_poll_of_the_chat_and_never_to_another_chats(desk):
    tea, other = await desk.group("bob", "alice"), await desk.group("bob", "carol")
    first = await desk.converse("bob", tea, "/poll One? | a | b")
    await desk.converse("bob", tea, "/poll Two? | c | d")
    hidden = await desk.converse("bob", other, "/poll Hidden? | e | f")
    number = int(re.match(r"Poll (\d+)", hidden)[1])
    assert "“d”" in await desk.converse("alice", tea, "/vote 2")
    assert f"no poll {number} here" in await desk.converse("alice", tea, f"/vote {number} 1")
    assert "“a”" in await desk.converse("alice", tea, f"/vote {re.match(r'Poll ([0-9]+)', first)[1]} 1")
    assert "2. d – 1 vote" in "\n".join(await desk.texts(tea, desk.bot))
    assert "1 vote\n" not in "\n".join(await desk.texts(other, desk.bot))


@pytest.mark.gen_test
async def test_votes_of_the_same_moment_are_all_shown(desk):
    tea = await desk.group("bob", "alice", "carol")
    await desk.converse("bob", tea, "/poll Where? | a | b")
    questions = [(name, (await desk.say(name, tea, "/vote 1"))[0].id) for name in ("alice", "bob", "carol")]
    await asyncio.gather(*(desk.answer(name, tea, "/vote 1", question) for name, question in questions))
    assert any("1. a – 3 votes" in text for text in await desk.texts(tea, desk.bot))


@pytest.mark.gen_test
async def test_a_poll_asked_again_after_a_crash_is_the_same_and_one_without_a_message_gets_one(desk):
    tea = await desk.group("bob", "alice")
    question = (await desk.say("bob", tea, "/poll Where? | a | b"))[0]
    poll = await desk.answer("bob", tea, "/poll Where? | a | b", question.id)
    assert await desk.answer("bob", tea, "/poll Where? | a | b", question.id) == poll
    # The answer was never sent: the answer to the vote is the poll, and is kept up to date from then on.
    shown = await desk.converse("alice", tea, "/vote 1")
    assert shown.splitlines()[1] == "1. a – 1 vote"
    await desk.converse("bob", tea, "/vote 1")
    assert any("1. a – 2 votes" in text for text in await desk.texts(tea, desk.bot))


@pytest.mark.gen_test
async def test_old_polls_and_those_of_deleted_chats_go(desk, database, monkeypatch):
    monkeypatch.setattr(polls, "POLLS_PER_CHAT_MAX", 3)
    tea = await desk.group("bob", "alice")
    for number in range(5):
        await desk.ask("bob", tea, f"/poll {number}? | a | b")
    assert database.bot_chat_polls.count_documents({}) == 3
    await desk.cleaner.on_event(events.ChatDeleted(tea, {}))
    assert database.bot_chat_polls.count_documents({}) == 0
