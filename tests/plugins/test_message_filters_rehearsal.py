"""Rehearsing rules. Source: docs/protocols/actions.md, "Rules"."""

import pytest
from nova_message_filters import rehearsal
from plugins.moderated import HOLD, LINKS, MUTE, RATE, REPEAT, WORDS, Group, Refused
from stored import snapshot


@pytest.fixture
def group(people, io_loop):
    async def build():
        group = await Group().open(people)
        for person, text in (
            (group.alice, "Darn it"),
            (group.carol, "nothing here"),
            (group.carol, "see evil.com"),
            (group.dave, "what a dárn,\nlong day " + "x" * 200),
            (group.carol, "darn"),
            (group.carol, "DARN!"),
            (group.carol, "gone darn"),
        ):
            await group.say(person, text)
        assert await group.ask(group.carol, "recall_message", {"message_id": group.last_id})
        return group

    return io_loop.run_sync(build)


async def rehearse(group, rule, **more):
    """What a rule that is not stored would have hit."""
    return (await group.alice.post(f"{group.path}/rules/rehearse", {"rule": rule, **more})).data


def authors(data):
    return {each["user"]["user_name"]: each["hit_count"] for each in data["authors"]}


@pytest.mark.gen_test
async def test_a_rule_is_rehearsed_switched_on_and_enforced(group, database):
    rule_id = await group.rule(WORDS, enabled=False)
    for person in group.all:
        await group.packets(person)
    before = snapshot(database)
    data = (await group.bob.post(f"{group.path}/rules/{rule_id}/rehearse")).data
    assert snapshot(database) == before
    assert [await group.packets(person) for person in group.all] == [[]] * 4
    assert (data["looked_at"], data["complete"], data["hit_count"]) == (7, True, 4)
    assert authors(data) == {"carol": 2, "alice": 1, "dave": 1}
    assert [hit["snippet"] for hit in data["hits"]] == [
        "DARN!",
        "darn",
        "what a dárn, long day " + "x" * 29 + "…",
        "Darn it",
    ]
    history = (await group.alice.get(f"{group.path}/messages")).data
    of_hits = {message["message_id"]: message for message in history}
    for hit in data["hits"]:
        message = of_hits[hit["message_id"]]
        assert (hit["sender"], hit["send_time"]) == (message["sender"], message["send_time"])
    assert await group.say(group.dave, "darn") == "darn"
    await group.alice.patch(f"{group.path}/rules/{rule_id}", {"enabled": True})
    assert isinstance(await group.say(group.dave, "darn"), Refused)


@pytest.mark.gen_test
async def test_a_rule_can_be_rehearsed_without_being_stored(group, database):
    before = snapshot(database)
    assert authors(await rehearse(group, LINKS)) == {"carol": 1}
    assert authors(await rehearse(group, {**WORDS, "exempt_managers": True})) == {"carol": 2, "dave": 1}
    assert authors(await rehearse(group, MUTE)) == authors(await rehearse(group, HOLD))
    assert snapshot(database) == before


@pytest.mark.gen_test
async def test_a_stored_rule_can_be_rehearsed_with_changes(group):
    rule_id = await group.rule(WORDS, enabled=False)
    path = f"{group.path}/rules/{rule_id}/rehearse"
    data = (await group.alice.post(path, {"rule": {"words": ["nothing"]}})).data
    assert [hit["snippet"] for hit in data["hits"]] == ["nothing here"]
    assert (await group.alice.get(f"{group.path}/rules")).data[0]["words"] == WORDS["words"]
    assert (await group.alice.post(path, {"rule": {"kind": "rate"}})).error == "Field messages is missing"


@pytest.mark.gen_test
async def test_rules_that_count_are_rehearsed_as_if_they_had_been_there(group):
    data = await rehearse(group, RATE)
    assert authors(data) == {"carol": 2}
    assert [hit["snippet"] for hit in data["hits"]] == ["DARN!", "darn"]
    data = await rehearse(group, REPEAT)
    assert [hit["snippet"] for hit in data["hits"]] == ["DARN!"]


@pytest.mark.gen_test
async def test_only_so_many_of_the_newest_messages_are_looked_at(group, monkeypatch):
    for page in (1, 2, 3, 500):
        monkeypatch.setattr(rehearsal, "REHEARSED_AT_ONCE", page)
        assert (await rehearse(group, WORDS))["hit_count"] == 4
        data = await rehearse(group, WORDS, messages=3)
        assert (data["looked_at"], data["hit_count"], data["complete"]) == (3, 3, True)
    monkeypatch.setattr(rehearsal, "HITS_MAX_COUNT", 1)
    monkeypatch.setattr(rehearsal, "AUTHORS_MAX_COUNT", 1)
    data = await rehearse(group, WORDS)
    assert (data["hit_count"], len(data["hits"])) == (4, 1)


@pytest.mark.gen_test
async def test_when_its_time_is_over_it_answers_what_it_has(group, monkeypatch):
    monkeypatch.setattr(rehearsal, "REHEARSAL_LIMIT_S", -1)
    data = await rehearse(group, WORDS)
    assert (data["looked_at"], data["complete"], data["hits"]) == (0, False, [])


@pytest.mark.gen_test
async def test_what_is_no_rule_or_number_is_refused(group):
    path = f"{group.path}/rules/rehearse"
    for body in ({"rule": WORDS, "messages": 0}, {"rule": WORDS, "messages": 10_001}, {"rule": {"name": "x"}}, {}):
        assert (await group.alice.post(path, body)).status == 400
    for person in (group.carol, group.dave):
        assert (await person.post(path, {})).status == 403
