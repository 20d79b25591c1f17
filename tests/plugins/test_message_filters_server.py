"""The rules of the server. Source: plugins/nova_message_filters/README.md."""

import json
import re
import tomllib
from dataclasses import replace

import pytest
from docs.transcripts import blocks, read
from nova_message_filters import held, patterns, rehearsal, rule, rulebook
from nova_message_filters.server_rules import read_server_rules
from plugins.moderated import HOLD, MUTE, REPEAT, WORDS, Group, Refused

from nova_tornado.app import StartError, open_nova
from nova_tornado.settings import CONFIG_FILE, GivenValue, load

TOML = """
[[rules]]
name = "Swearing"
kind = "words"
words = ["darn"]
action = "refuse"

[[rules]]
name = "Off"
kind = "words"
words = ["heck"]
action = "refuse"
enabled = false
"""


class TestRunning:
    @pytest.fixture
    def settings(self, settings):
        rules = [WORDS, {**HOLD, "words": ["hold"], "name": "H"}, {**MUTE, "words": ["mute"], "name": "M"}]
        rules += [{**REPEAT, "action": "refuse"}]
        given = {"server_rules": GivenValue(rules, "test")}
        return replace(settings, of_plugins={"nova_message_filters": given})

    @pytest.fixture
    def group(self, people, io_loop):
        return io_loop.run_sync(lambda: Group().open(people))

    @pytest.mark.gen_test
    async def test_they_hold_in_every_chat(self, group):
        chats = {each["chat"]["chat_id"]: each["chat"]["chat_name"] for each in (await group.carol.get("/chat")).data}
        private_id = next(chat_id for chat_id, name in chats.items() if name == "")
        for chat_id in (group.id, private_id):
            assert isinstance(await group.say(group.carol, "darn", chat_id), Refused)
            assert await group.say(group.carol, f"hi {chat_id}", chat_id) == f"hi {chat_id}"
        # Nobody could approve it there.
        assert (await group.say(group.carol, "hold", private_id)).startswith("The message was refused")
        assert "muted" in await group.say(group.carol, "mute", private_id)
        assert "muted" in await group.say(group.carol, "hi", private_id)
        assert await group.say(group.carol, "hi") == "hi"

    @pytest.mark.gen_test
    async def test_they_count_over_all_chats(self, group):
        other_id = await group.alice.new_group(group.carol)
        assert await group.say(group.carol, "Buy now") == "Buy now"
        assert isinstance(await group.say(group.carol, "buy NOW!", other_id), Refused)

    @pytest.mark.gen_test
    async def test_what_they_hold_waits_for_the_groups_managers(self, group):
        assert "waits for approval" in await group.say(group.carol, "hold")
        [waiting] = await group.held(group.bob)
        assert waiting["rule_name"] == "H"
        assert (await group.bob.post(f"{group.path}/held/{waiting['held_id']}")).status == 200
        assert await group.texts() == ["hold"]

    @pytest.mark.gen_test
    async def test_groups_may_add_to_them(self, group):
        await group.rule(WORDS, words=["heck"])
        assert isinstance(await group.say(group.carol, "darn"), Refused)
        assert isinstance(await group.say(group.carol, "heck"), Refused)
        assert [each["words"] for each in (await group.alice.get(f"{group.path}/rules")).data] == [["heck"]]


def test_they_are_read_from_files(tmp_path, monkeypatch):
    (tmp_path / "rules.toml").write_text(TOML)
    (tmp_path / "list.json").write_text(json.dumps([WORDS]))
    (tmp_path / "object.json").write_text(json.dumps({"rules": [WORDS]}))
    monkeypatch.chdir(tmp_path)
    for name in ("rules.toml", "list.json", "object.json", str(tmp_path / "list.json")):
        [read_rule] = read_server_rules(name)
        assert read_rule.rule.name == "Swearing"
    assert read_server_rules([]) == read_server_rules({}) == ()
    [read_rule] = read_server_rules({"By name": {"kind": "links", "action": "refuse"}})
    assert (read_rule.rule.name, read_rule.key) == ("By name", "server: By name")


def test_they_can_stand_in_the_settings_file(tmp_path):
    tables = TOML.replace("[[rules]]", "[[nova_message_filters.server_rules]]")
    (tmp_path / CONFIG_FILE).write_text(tables)
    given = load({}, {}, tmp_path).of_plugins["nova_message_filters"]["server_rules"]
    assert [each.rule.name for each in read_server_rules(given.value)] == ["Swearing"]


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("a.toml", "rules = 1\n", "neither the path"),
        ("a.toml", "[[rule]]\n", "no list of rules"),
        ("a.toml", "[[rules]\n", "not valid TOML"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", "[1]", "number 1 (no table): A rule must be an object"),
        ("a.toml", TOML.replace('"words"', '"word"'), "number 1 (Swearing): Field kind must be one of"),
        ("a.toml", TOML.replace("Off", "Swearing"), "number 2 (Swearing): there is another one of that name"),
        ("a.toml", TOML.replace("enabled = false", "enabled = 0"), "number 2 (Off): Data type error for key enabled"),
        ("a.json", json.dumps([{**WORDS, "kind": "pattern", "pattern": "("}]), "The pattern cannot be used"),
        ("a.json", json.dumps([WORDS] * 101), "more than 100 rules"),
        ("a.toml", "\xff", "not in UTF-8"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, name, text, part):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=re.escape(part)) as caught:
        read_server_rules(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_and_other_values_are_refused():
    for value, part in (("/nowhere.toml", "cannot be read: No such file"), (5, "neither"), ({"x": 1}, "no table")):
        with pytest.raises(ValueError, match=part):
            read_server_rules(value)


@pytest.mark.gen_test
async def test_a_bad_one_stops_the_start_with_one_line(settings, mongo, database):
    given = {"server_rules": GivenValue([{**WORDS, "words": []}], "nova.toml: nova_message_filters.server_rules")}
    settings = replace(settings, of_plugins={"nova_message_filters": given})
    with pytest.raises(StartError) as caught:
        await open_nova(settings, mongo.uri, database=database.name)
    assert str(caught.value) == (
        "nova.toml: nova_message_filters.server_rules: the value holds a bad rule, number 1 (Swearing): "
        "A rule of words needs at least one"
    )


# What is written about rules


def test_the_example_of_the_readme_can_be_used(tmp_path):
    setting, example = blocks("plugins/nova_message_filters/README.md", "toml")
    assert tomllib.loads(setting.text) == {"nova_message_filters": {"server_rules": "/etc/nova/rules.toml"}}
    (tmp_path / "rules.toml").write_text(example.text)
    assert [each.rule.kind for each in read_server_rules(str(tmp_path / "rules.toml"))] == ["words", "rate"]


def test_bounds_in_the_reference_are_those_of_the_code():
    text = " ".join(read("docs/protocols/actions.md").split())
    for part in (
        f"1 to {rule.WORDS_MAX_COUNT // 1000} 000 words and phrases of up to {rule.WORD_MAX_CHARACTERS} characters",
        f"`pattern`: up to {patterns.PATTERN_MAX_CHARACTERS} characters",
        f"`allowed_domains`: up to {rule.DOMAINS_MAX_COUNT // 1000} 000",
        f"`messages`: 1 to {rule.RATE_MAX_MESSAGES}, `window_s`: 1 to {rule.WINDOW_MAX_S // 1000} 400",
        f"`times`: 1 to {rule.REPEAT_MAX_TIMES}",
        f"1 to {rule.MUTE_MAX_S:,}".replace(",", " "),
        f"up to {rulebook.RULES_MAX_PER_CHAT} rules with up to {rulebook.WORDS_MAX_PER_CHAT // 1000} 000 words",
        f"1 to {rule.NAME_MAX_CHARACTERS} characters",
        f"up to {rule.REASON_MAX_CHARACTERS} characters",
        f"Up to {held.HELD_MAX_PER_CHAT} messages of a group wait, up to {held.HELD_MAX_PER_SENDER} of one sender",
        f"1 to {rehearsal.REHEARSED_MAX_MESSAGES // 1000} 000; 1 000 if it is missing",
        f"more than {rehearsal.REHEARSAL_LIMIT_S:.0f} seconds",
    ):
        assert part in text, part
