"""How JSON is read."""

import json

import pytest

from nova_tornado.domain import rules
from nova_tornado.domain.errors import Malformed
from nova_tornado.web.jsons import CONTAINERS_MAX_COUNT, NESTING_MAX_LEVELS, dumps, dumps_exact, loads, loads_exact

BROKEN = [
    *("", " ", "{", "}", "[", "[1,]", "[,1]", "{'a': 1}", '{"a": 1,}', '{"a"}', '{"a": }', "{a: 1}", '"open', "nul"),
    *("None", "True", "undefined", "NaN", "[NaN]", "Infinity", "-Infinity", '{"a": -Infinity}', "+1", "01", "1.", ".5"),
    *("1e", "0x10", "1 2", "{} {}", "[] x", "// comment", "/* */ 1", '"\n"', '"\t"', '"\0"', '"\\x41"', '"\\u12"'),
    *('"\\ud800"', '"\\udc00"', '"\\ud800x"', '"\\udc00\\ud800"', '{"\\ud800": 1}', "\ufeff{}"),
]


def nested(levels, opening="[", closing="]", core=""):
    return opening * levels + core + closing * levels


@pytest.mark.parametrize("form", [str, str.encode])
def test_what_is_no_json_is_malformed(form):
    for text in BROKEN:
        with pytest.raises(Malformed):
            print(repr(text), "was read as", loads(form(text)))


def test_what_is_no_utf_8_is_malformed():
    for body in (
        b'"\xff"',
        b'"\xc3"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        '"ä"'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
    ):
        with pytest.raises(Malformed):
            print(body, "was read as", loads(body))


def test_json_is_read_with_its_types():
    for text, value in {
        "null": None,
        "true": True,
        " [1, -0, 2.5, 1e3]\r\n\t": [1, 0, 2.5, 1000.0],
        '{"a": {"b": []}}': {"a": {"b": []}},
        '"\\u0000\\ud83d\\ude00\\/ \U0001f600"': "\0\U0001f600/ \U0001f600",
        '{"a": 1, "a": 2}': {"a": 2},
        str(2**63 - 1): 2**63 - 1,
        str(2**64 - 1): 2**64 - 1,
        str(-(2**63)): -(2**63),
    }.items():
        for form in (text, text.encode()):
            read = loads(form)
            assert read == value and type(read) is type(value), text


def test_integers_beyond_64_bits_are_read_as_whole_floats():
    for number in (2**64, -(2**63) - 1, 10**30, 10**300):
        read = loads(str(number))
        assert type(read) is float and read == float(number), number


def test_numbers_beyond_all_floats_are_malformed_or_finite():
    for text in ("1" * 400, "1" * 5000, "1e400", "-1e400", "1e999999999"):
        with pytest.raises(Malformed):
            print(text[:20], "was read as", loads(text))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ('[1,"[",', "]")])
def test_64_levels_are_read_and_65_are_malformed(opening, closing):
    levels_each = opening.replace('"["', "").count("[") + opening.count("{")
    levels = NESTING_MAX_LEVELS // levels_each
    loads(nested(levels, opening, closing, core="0"))
    loads(nested(levels, opening, closing, core="0").encode())
    for core in ("[]", "{}", '["x"]'):
        for text in (nested(levels, opening, closing, core), f'{{"b":{nested(levels, opening, closing, "0")}}}'):
            with pytest.raises(Malformed):
                print(core, "was read as", loads(text))
            with pytest.raises(Malformed):
                print(core, "was read as", loads(text.encode()))


def test_endless_nesting_is_malformed():
    for text in ("[" * 100_000, nested(100_000), nested(100_000, '{"a":', "}", "1"), nested(1_100)):
        with pytest.raises(Malformed):
            print(text[:20], "was read as", loads(text))


def test_brackets_beside_one_another_and_in_strings_are_no_nesting():
    assert len(loads("[" + "[]," * 10_000 + "{}]")) == 10_001
    assert loads('"' + "[{" * 10_000 + '"') == "[{" * 10_000
    assert loads('{"' + "[" * 1_000 + '": [' + '"{",' * 1_000 + "1]}")


def test_messages_of_refusals_show_nothing_of_the_input():
    with pytest.raises(Malformed, match=r"^Malformed JSON$"):
        loads('{"password": "secret1", }')


def test_what_is_written_can_be_read_again():
    value = {"a": [1, 2.5, None, True, "ä😀\0\u2028</script>"], "": {}}
    assert isinstance(dumps(value), bytes) and loads(dumps(value)) == value


# Exactly


def test_what_is_handed_back_is_unchanged():
    for text in (
        '{"a":1}',
        "12345678901234567890123",
        "-9223372036854775809",
        '[18446744073709551616,"\u00e4"]',
        "1.5",
        "true",
        "null",
        '"\u2028"',
        '{"":[{}]}',
        '"\\u0000"',
    ):
        value = loads_exact(text)
        assert loads_exact(dumps_exact(value)) == value == json.loads(text)
    assert dumps_exact(loads_exact("12345678901234567890123")) == b"12345678901234567890123"


@pytest.mark.parametrize("form", [str, str.encode])
def test_what_is_no_json_is_malformed_exactly(form):
    for text in [text for text in BROKEN if "\\ud" not in text]:
        with pytest.raises(Malformed):
            print(repr(text), "was read as", loads_exact(form(text)))


def test_lone_surrogates_are_read_and_never_written():
    assert loads_exact('{"a": "\\ud800"}') == {"a": "\ud800"}
    for value in ("\ud800", ["x\udfff"], {"\udc00": 1}, [10**30, "\ud800"]):
        with pytest.raises(TypeError):
            dumps_exact(value)


def test_nesting_is_bounded_exactly():
    levels = NESTING_MAX_LEVELS
    assert loads_exact(nested(levels)) is not None
    for text in (nested(levels + 1), nested(levels + 1, '{"a":', "}", "1"), nested(100_000), "1" * 5_000):
        with pytest.raises(Malformed):
            loads_exact(text)


@pytest.mark.parametrize("read", [loads, loads_exact])
def test_the_number_of_lists_and_objects_is_bounded(read):
    assert len(read(f"[{'[],' * (CONTAINERS_MAX_COUNT - 2)}[]]")) == CONTAINERS_MAX_COUNT - 1
    for text in (f"[{'[],' * CONTAINERS_MAX_COUNT}[]]", f"[{'{},' * CONTAINERS_MAX_COUNT}1]"):
        with pytest.raises(Malformed):
            read(text)


def test_floats_beyond_64_bits_are_malformed():
    for text in ("1e999", "[-1e400]"):
        with pytest.raises(Malformed):
            loads_exact(text)


def test_a_whole_float_is_no_integer_where_integers_keep_their_digits():
    assert [rules.is_integer(value) for value in loads_exact("[1, 1.0, 1e300, 18446744073709551616, -1E2, true]")] == [
        *(True, False, False, True),
        *(False, False),
    ]
    assert dumps_exact(loads_exact('{"a":[1.5,1e+300,-0.0]}')) in (
        b'{"a":[1.5,1e+300,-0.0]}',
        b'{"a":[1.5,1e300,-0.0]}',
    )
