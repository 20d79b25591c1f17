"""The texts of the browser client: all three languages say everything, and nothing else."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "ru", "zh")
PLURALS = {"en": {"one", "other"}, "ru": {"one", "few", "many", "other"}, "zh": {"other"}}
"""The CLDR categories of whole numbers, each language's."""

CLIENT = [ROOT / "static" / "client", ROOT / "static" / "messages"]
PARTS = [[path, path / "messages"] for path in sorted(ROOT.glob("plugins/*/client"))]
ALL = [pytest.param(*pair, id=pair[0].parts[-2]) for pair in (CLIENT, *PARTS)]

KEY = re.compile(r'"((?:[a-z_]+\.)+[a-z_0-9]+)"')
"""What looks as a key; a text of another meaning has blanks, capitals or no dot."""
CALL = re.compile(r'\bt\(\s*(?:"([^"]+)"|`([^`$]*)\$\{)')
TERNARY = re.compile(r'\bt\([^"`)]*\?\s*"([^"]+)"\s*:\s*"([^"]+)"')
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def read(folder):
    return {code: json.loads((folder / f"{code}.json").read_text(encoding="utf-8")) for code in LANGUAGES}


def source(folder):
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.js")))


def texts(entry):
    return list(entry.values()) if isinstance(entry, dict) else [entry]


@pytest.mark.parametrize(("code", "messages"), ALL)
def test_no_text_is_missing_in_any_language(code, messages):
    languages = read(messages)
    for language in LANGUAGES:
        assert sorted(languages[language]) == sorted(languages["en"]), language


@pytest.mark.parametrize(("code", "messages"), ALL)
def test_every_text_that_is_used_is_there(code, messages):
    known = set(read(messages)["en"]) | set(read(CLIENT[1])["en"])
    text = source(code)
    used = {key for call in CALL.findall(text) if (key := call[0])} | {
        key for keys in TERNARY.findall(text) for key in keys
    }
    assert sorted(used - known) == []
    for _, prefix in CALL.findall(text):
        assert not prefix or any(key.startswith(prefix) for key in known), prefix


@pytest.mark.parametrize(("code", "messages"), ALL)
def test_every_text_is_used(code, messages):
    text = source(code)
    literal = set(KEY.findall(text))
    prefixes = tuple(prefix for _, prefix in CALL.findall(text) if prefix)
    unused = [key for key in read(messages)["en"] if key not in literal and not (prefixes and key.startswith(prefixes))]
    assert unused == []


@pytest.mark.parametrize(("code", "messages"), ALL)
def test_plurals_and_placeholders_fit(code, messages):
    languages = read(messages)
    for key, english in languages["en"].items():
        wanted = {name for text in texts(english) for name in PLACEHOLDER.findall(text)}
        for language in LANGUAGES:
            entry = languages[language][key]
            assert isinstance(entry, dict) == isinstance(english, dict), (language, key)
            if isinstance(entry, dict):
                assert set(entry) == PLURALS[language], (language, key)
                assert "count" in wanted or wanted == set(), (language, key)
            for text in texts(entry):
                assert text.strip() == text and text, (language, key)
                assert set(PLACEHOLDER.findall(text)) <= wanted, (language, key)
            found = {name for text in texts(entry) for name in PLACEHOLDER.findall(text)}
            assert wanted - {"count"} <= found, (language, key)


@pytest.mark.parametrize(("code", "messages"), ALL)
def test_texts_are_sorted_and_stand_once(code, messages):
    for language in LANGUAGES:
        pairs = json.loads((messages / f"{language}.json").read_text(encoding="utf-8"), object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        assert keys == sorted(set(keys)), language
