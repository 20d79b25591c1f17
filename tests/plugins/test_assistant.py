"""What the built-in assistant does with texts alone: reading commands, folding, summaries, small talk."""

import random
import time
import unicodedata
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nova_bot_chat.assistant_talk import READ_CHARACTERS, Talk, find_intent
from nova_bot_chat.assistant_texts import ELLIPSIS, counted, cut, duration, fold, matches, one_line, snippet
from nova_bot_chat.commands import BadUsage
from nova_bot_chat.commands_dice import DICE_MAX_COUNT, MODIFIER_MAX, SIDES_MAX, Roll, parse_roll, throw
from nova_bot_chat.commands_lookup import SEARCH_WORDS_MAX, SEARCH_WORDS_MAX_CHARACTERS, parse_words
from nova_bot_chat.commands_time import CITIES, NAME_MAX_CHARACTERS, Zones, ZoneUnknown
from nova_bot_chat.polls import OPTION_MAX_CHARACTERS, QUESTION_MAX_CHARACTERS, parse_poll, parse_vote, render
from nova_bot_chat.reminders import DELAY_MAX_S, DELAY_MIN_S, TEXT_MAX_CHARACTERS, parse_duration, parse_wish
from nova_bot_chat.summaries import SENTENCES_COUNT, Said, pick, split_sentences, summarise

LONG_S = 20.0
"""A busy machine takes a second; what grows faster than the text takes minutes."""
"""Nothing that a single message asks for may take so long."""

# Texts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Élan", "elan"),
        ("ЁЛКА", "елка"),
        ("Straße", "STRASSE"),
        ("ℍello", "hello"),
        ("İstanbul", "i̇stanbul"),
        ("ﬁn", "FIN"),
    ],
)
def test_texts_are_the_same_without_case_and_accents(one, other):
    assert fold(one) == fold(other)


@given(st.text(max_size=40))
def test_folding_is_the_same_however_a_text_is_composed_and_folds_once(text):
    assert fold(unicodedata.normalize("NFC", text)) == fold(unicodedata.normalize("NFD", text))
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=400), st.text(min_size=1, max_size=8), st.text(max_size=400))
def test_a_snippet_is_short_and_comes_from_the_text(before, word, after):
    text = before + word + after
    words = fold(word).split()
    shown = snippet(text, words, 50)
    assert len(shown) <= 52 and shown.strip(ELLIPSIS) in one_line(text).replace(ELLIPSIS, "") + one_line(text)


def test_a_snippet_shows_what_was_found():
    text = "a " * 300 + "Das ist die Straße nach Élan, weit weg. " + "b " * 300
    for word in ("élan", "STRASSE"):
        shown = snippet(text, [fold(word)])
        assert matches(shown, [fold(word)]) and shown.startswith(ELLIPSIS) and shown.endswith(ELLIPSIS)
    assert snippet("short\n and  plain", ["plain"]) == "short and plain"


def test_numbers_and_durations_are_told_in_words():
    assert (counted(1, "vote"), counted(0, "vote"), counted(1200, "vote")) == ("1 vote", "0 votes", "1,200 votes")
    assert [duration(s) for s in (0, 59, 90, 3600, 5400, 90061, 604_800)] == [
        "0s", "59s", "1m 30s", "1h", "1h 30m", "1d 1h", "1w",
    ]  # fmt: skip
    assert cut("abcdef", 4) == "abc…" and cut("abc", 4) == "abc"


# /remind


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("10s", 10),
        ("10m", 600),
        ("1h30m", 5400),
        ("1H30M", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("52w1d", 31_536_000),
    ],
)
def test_durations_are_read(text, expected_s):
    assert parse_duration(text) == expected_s
    assert parse_wish(f" {text}\n tea  time ").delay_s == expected_s
    assert parse_wish(f" {text}\n tea  time ").text == "tea time"


@pytest.mark.parametrize("text", ["", "10", "m", "10x", "-10m", "1.5h", "10m!", "١٠m", "1" * 10 + "s", "1s" * 30])
def test_what_is_no_duration_is_none(text):
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ("", "When"),
        ("tomorrow tea", "tomorrow"),
        ("10m", "Of what"),
        (f"{DELAY_MIN_S - 1}s tea", "earliest"),
        (f"{DELAY_MAX_S + 1}s tea", "latest"),
        ("10m " + "x" * (TEXT_MAX_CHARACTERS + 1), "characters"),
    ],
)
def test_bad_wishes_are_refused(arguments, part):
    with pytest.raises(BadUsage, match=part):
        parse_wish(arguments)


def test_bounds_of_wishes_are_allowed():
    assert parse_wish(f"{DELAY_MIN_S}s tea").delay_s == DELAY_MIN_S
    assert parse_wish(f"{DELAY_MAX_S}s {'x' * TEXT_MAX_CHARACTERS}").delay_s == DELAY_MAX_S


# /poll, /vote


def test_polls_are_read_and_shown():
    question = parse_poll(" Where to  eat? | Pizza |Sushi |\nSoup ")
    assert (question.text, question.options) == ("Where to eat?", ("Pizza", "Sushi", "Soup"))
    shown = render(7, question.text, question.options, [1, 1, 0])
    assert shown.splitlines()[:4] == [
        "Poll 7: Where to eat?",
        "1. Pizza – 1 vote",
        "2. Sushi – 2 votes",
        "3. Soup – 0 votes",
    ]
    assert "/vote 7" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        "", "What?", "What? | a", "| a | b", "What? | a | ", "What? | a | Á", "q |" + "|".join(map(str, range(11))),
        "x" * (QUESTION_MAX_CHARACTERS + 1) + " | a | b", "q | a | " + "x" * (OPTION_MAX_CHARACTERS + 1),
    ],
)  # fmt: skip
def test_bad_polls_are_refused(arguments):
    with pytest.raises(BadUsage):
        parse_poll(arguments)


def test_a_poll_may_have_two_to_ten_options():
    assert len(parse_poll("q | a | b").options) == 2
    assert len(parse_poll("q |" + "|".join(map(str, range(10)))).options) == 10


def test_votes_are_read():
    assert parse_vote(" 2 ") == (None, 2) and parse_vote("17 2") == (17, 2) and parse_vote("#17 #2") == (17, 2)
    for bad in ("", "a", "1 2 3", "-1", "²", "1" * 16):
        with pytest.raises(BadUsage):
            parse_vote(bad)


# /roll


@pytest.mark.parametrize(
    ("arguments", "roll"),
    [
        ("", Roll(1, 6, 0)),
        ("20", Roll(1, 20, 0)),
        ("2d6+1", Roll(2, 6, 1)),
        ("D8", Roll(1, 8, 0)),
        ("3 d 6 - 2", Roll(3, 6, -2)),
    ],
)
def test_rolls_are_read_and_stay_in_their_bounds(arguments, roll):
    assert parse_roll(arguments) == roll
    chance = random.Random(1)
    low, high = roll.count + roll.modifier, roll.count * roll.sides + roll.modifier
    totals = {int(throw(roll, chance).split()[2]) for _ in range(500)}
    assert all(low <= total <= high for total in totals) and len(totals) > 1


@pytest.mark.parametrize(
    "arguments",
    [
        "1",
        "0",
        "x",
        "2d",
        "2d1",
        "0d6",
        f"{DICE_MAX_COUNT + 1}d6",
        f"{SIDES_MAX + 1}",
        f"1d6+{MODIFIER_MAX + 1}",
        "1d6+",
        "2d6*2",
        "9" * 400,
    ],
)
def test_bad_rolls_are_refused(arguments):
    with pytest.raises(BadUsage):
        parse_roll(arguments)


def test_many_dice_are_told_as_a_sum():
    assert " + " not in throw(Roll(DICE_MAX_COUNT, 6), random.Random(1))
    assert len(throw(Roll(DICE_MAX_COUNT, SIDES_MAX, MODIFIER_MAX), random.Random(1))) < 100


# /time


@pytest.fixture(scope="module")
def zones():
    return Zones(zoneinfo.available_timezones())


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("BERLIN", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("New_York", "America/New_York"),
        ("São Paulo", "America/Sao_Paulo"),
        ("San Francisco", "America/Los_Angeles"),
        ("Москва", "Europe/Moscow"),
        ("utc", "UTC"),
        ("GMT", "UTC"),
    ],
)
def test_zones_are_found_by_name_and_by_city(zones, name, zone):
    assert zones.find(name) == zone


def test_every_city_has_a_zone(zones):
    assert {zones.find(city) for city in CITIES} <= zoneinfo.available_timezones()


def test_near_misses_get_suggestions(zones):
    with pytest.raises(ZoneUnknown, match="Berlin"):
        zones.find("Berln")
    with pytest.raises(ZoneUnknown, match="San Francisco"):
        zones.find("san fransisco")
    with pytest.raises(ZoneUnknown, match="Try a zone"):
        zones.find("qqqqqqqq")
    for bad in ("../../etc/passwd", "/etc/localtime", "x" * (NAME_MAX_CHARACTERS + 1)):
        with pytest.raises(ZoneUnknown):
            zones.find(bad)


def test_without_zone_data_it_says_so():
    with pytest.raises(ZoneUnknown, match="no time zone data"):
        Zones(()).find("Berlin")
    assert Zones(()).find("UTC") == "UTC"


# /search


def test_words_are_read():
    assert parse_words(" Élan  ELAN tea ") == ["elan", "tea"]
    for bad in ("", "  ", "a " * SEARCH_WORDS_MAX_CHARACTERS, " ".join(map(str, range(SEARCH_WORDS_MAX + 1)))):
        with pytest.raises(BadUsage):
            parse_words(bad)


# /summary

TALK = [
    Said("alice", "Hello! The release of the server is planned for Friday."),
    Said("bob", "Thanks. My cat ate my shoes this morning."),
    Said("bob", "Before the release the database of the server must be moved."),
    Said("carol", "Yes!"),
    Said("alice", "I will move the database on Thursday, so the release on Friday is safe."),
]


def test_a_summary_holds_what_it_was_about_and_who_said_how_much():
    lines = summarise(TALK, 2).splitlines()
    assert len(lines) == 3 and all("release" in line for line in lines[:2]) and not any("cat" in line for line in lines)
    assert lines[-1] == "Messages: alice (2), bob (2), carol (1)."


def test_a_summary_keeps_the_order_and_says_nothing_twice():
    sentences = split_sentences([*TALK, *TALK])
    assert len(sentences) == len(split_sentences(TALK))
    places = [sentences.index(sentence) for sentence in pick(sentences, 3)]
    assert places == sorted(places) and len(set(places)) == 3


def test_russian_is_summarised_too():
    said = [
        Said("аня", "Выпуск сервера назначен на пятницу."),
        Said("боря", "А у меня кот съел ботинки, вот и всё."),
        Said("боря", "Перед выпуском сервера надо перенести базу данных сервера."),
    ]
    assert "сервера" in summarise(said, 1) and "кот" not in summarise(said, 1)


def test_too_little_is_no_summary():
    assert summarise([]) is None and summarise([Said("a", "Hi!"), Said("b", "and the of to it")]) is None


@settings(deadline=None)
@given(st.lists(st.builds(Said, st.sampled_from(["a", "b"]), st.text(max_size=200)), max_size=20))
def test_any_talk_can_be_summarised(said):
    summary = summarise(said)
    assert summary is None or len(summary.splitlines()) <= SENTENCES_COUNT + 1


def test_long_talk_is_summarised_in_short_time():
    chance = random.Random(1)
    words = [f"word{number}" for number in range(3_000)]
    said = [Said("a", ". ".join(" ".join(chance.choices(words, k=3)) for _ in range(2_000))) for _ in range(200)]
    began_s = time.perf_counter()
    assert len(summarise(said).splitlines()) == SENTENCES_COUNT + 1
    assert time.perf_counter() - began_s < LONG_S


# Small talk


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Hi!", "Hello, Al"),
        ("hello nova", "Hello, Al"),
        ("Good morning", "Hello, Al"),
        ("How are you?", "I am fine"),
        ("thanks a lot!", "welcome"),
        ("Who are you?", "I am nova"),
        ("bye", "Goodbye"),
        ("Привет!", "Привет, Al"),
        ("Как дела?", "Всё хорошо"),
        ("Спасибо", "Пожалуйста"),
        ("Кто ты?", "Я nova"),
        ("пока", "До свидания"),
        ("what is Nova?", "self-hosted"),
        ("Что такое Nova?", "чат-сервер"),
        ("How do I create a group?", "owns it"),
        ("как добавить друга", "заявку"),
        ("I forgot my password", "profile"),
        ("do you read my messages?", "only at what you may read"),
        ("Which protocols do you speak?", "opcodes"),
        ("help", "/help"),
    ],
)
def test_small_talk_and_questions_about_nova_are_answered(text, part):
    assert part in Talk("nova").answer(text, "Al")


@pytest.mark.parametrize(
    "text", ["", "?", "xyzzy", "hi there is a problem with my order", "пока не знаю", "hello " * 100]
)
def test_what_is_not_understood_is_none(text):
    assert Talk("nova").answer(text, "Al") is None


def test_names_are_not_read_as_patterns_or_places():
    talk = Talk("nova(1).x")
    assert talk.answer("hi nova(1).x", "{bot}") is not None
    assert "{bot}" in talk.answer("hi", "{bot}")


def test_plain_words_can_mean_a_command():
    assert find_intent("What time is it in New York?") == ("time", "new york")
    assert find_intent("который час?") == ("time", "")
    assert find_intent("did I miss anything?") == ("unread", "")
    assert find_intent("please roll the dice") == ("roll", "")
    assert find_intent("hello") is None


@pytest.mark.parametrize("text", ["hello " * 50, "what " * 60, "a" * READ_CHARACTERS, "hi" + " there" * 49])
def test_no_text_keeps_the_patterns_busy(text):
    began_s = time.perf_counter()
    Talk("nova").answer(text[:READ_CHARACTERS], "Al")
    find_intent(text[:READ_CHARACTERS])
    assert time.perf_counter() - began_s < LONG_S
