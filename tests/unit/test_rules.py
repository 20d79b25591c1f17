"""Rules on single values. Source: contract "actions" section 2; contract "protocols" sections 0.2, 0.3, 0.6, 0.7."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_tornado.domain import rules
from nova_tornado.domain.errors import BadField

NAMED = "abcXYZ019-_()@."
NO_STRINGS = [None, True, False, 0, 1, 1.5, [], ["x"], {}, {"$ne": None}, b"x"]


def check_title(value):
    return rules.check_chat_title(value)


STRINGS = {
    # rule: (shortest length, longest length)
    rules.check_friend_group_name: (1, 50),
    rules.check_nickname: (0, 100),
    rules.check_comment: (0, 500),
    check_title: (1, 60),
    rules.check_text: (1, 20_000),
    rules.check_first_name: (1, 50),
    rules.check_last_name: (0, 50),
    rules.check_content_type: (1, 64),
}
CHECKS = [
    rules.check_user_name,
    rules.check_sign_in_name,
    rules.check_password,
    rules.check_email,
    rules.check_address,
    rules.check_phone,
    rules.check_avatar_url,
    rules.check_photo,
    rules.check_file_name,
    *STRINGS,
]


def refuses(check, value):
    """Whether a rule refuses a value, with a text for a person."""
    try:
        check(value)
    except BadField as error:
        return 0 < len(error.message) < 200
    return False


# Every rule


@pytest.mark.parametrize("check", CHECKS)
def test_only_strings_pass(check):
    for value in NO_STRINGS:
        assert refuses(check, value), value


@pytest.mark.parametrize("check", CHECKS)
def test_nul_never_passes(check):
    for value in ("\0", "a\0b", "secret\0", "a@b.c\0", "15912345678\0", "http://a\0"):
        assert refuses(check, value), value


@pytest.mark.parametrize("check", CHECKS)
@given(
    value=st.text()
    | st.none()
    | st.integers()
    | st.floats()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
)
def test_whatever_comes_passes_unchanged_or_is_refused(check, value):
    with suppress(BadField):
        assert check(value) == value and isinstance(value, str)


@pytest.mark.parametrize("check", STRINGS)
def test_texts_pass_from_the_shortest_to_the_longest_counted_in_characters(check):
    shortest, longest = STRINGS[check]
    for letter in ("x", " ", "\n", "ä", "😀", "\u202e"):
        for length in {shortest, 1, longest}:
            assert check(letter * length) == letter * length
        assert refuses(check, letter * (longest + 1))
        assert refuses(check, letter * 1_000_000)
    assert refuses(check, "") == (shortest == 1)


# Names, passwords


def test_user_names_have_1_to_32_of_the_allowed_characters():
    for name in (*NAMED, "x" * 32, NAMED, "__proto__", "..."):
        assert rules.check_user_name(name) == name
    for name in ("", "x" * 33, "#SYSTEM", "#DELETED", "a b", " a", "a ", "a\n", "\na", "a\t", "a+b", "a/b", "a\\b"):
        assert refuses(rules.check_user_name, name), name
    for character in map(chr, (*range(0x20, 0x180), 0x200B, 0x2024, 0x4E00, 0x1F600, 0xFF21)):
        allowed = character.isascii() and (character.isalnum() or character in "-_()@.")
        assert refuses(rules.check_user_name, f"a{character}") is not allowed, character


def test_texts_on_names_and_passwords_hold_the_words_that_clients_look_for():
    for name in ("", "x" * 33, "a b"):
        with pytest.raises(BadField, match="Username"):
            rules.check_user_name(name)
    for password in (None, 1, "", "12345", "with space", "x" * 257, "sec\0ret"):
        for key in ("password", "new_password"):
            with pytest.raises(BadField, match="password"):
                rules.check_password(password, key)


def test_passwords_have_6_to_256_characters_and_no_space():
    for password in (
        "123456",
        *("x" * length for length in (71, 72, 73, 256)),
        "ä" * 256,
        "😀" * 6,
        "😀" * 256,
        "tab\tpasses",
        "\n\r\u00a0\u3000xy",
        "\"'\\$%x",
    ):
        assert rules.check_password(password) == password
    for password in ("", "12345", "😀" * 5, "x" * 257, "😀" * 257, "x" * 10**6, "sec ret", " secret", "secret "):
        assert refuses(rules.check_password, password), password


def test_people_sign_in_by_name_or_address():
    for name in ("alice", "x" * 32, "a@b", "a@b.c", "o'neil+ä@example.org", "x" * 88 + "@example.org"):
        assert rules.check_sign_in_name(name) == name
    for name in (
        "",
        "x" * 33,
        "#SYSTEM",
        "#DELETED",
        "a b",
        "a+b",
        "a+b@c",
        "a b@c.d",
        "a@b.c\n",
        "x" * 89 + "@example.org",
    ):
        assert refuses(rules.check_sign_in_name, name), name


def test_user_names_are_made_of_the_local_part_of_an_address():
    for email, name in {
        "ann.lee@example.org": "ann.lee",
        "Ann+Lee@example.org": "AnnLee",
        "ä!#$%@example.org": "user",
        "(a)_b-c@example.org": "(a)_b-c",
        f"{'x' * 80}@example.org": "x" * 24,
        f"{'ä' * 30}{'y' * 30}@example.org": "y" * 24,
    }.items():
        assert rules.user_name_of(email, 1) == name
        assert rules.user_name_of(email, 2) == f"{name}-2"
        assert rules.check_user_name(rules.user_name_of(email, 9_999_999))


# Addresses, phones, avatars


def test_addresses():
    for email in (
        *("", "a@b.c", "A@B.C", "a@b.c.d.e", "_@-.-", "1@2.3", "a_b.c+d-e@x--y.com"),
        *("+-..+-.+-.-+..++-+.-.+.123asd6+.-@gmail.com", "+++++++++++@gmail--.com.abc", "a" * 88 + "@example.com"),
    ):
        assert rules.check_email(email) == email
    for email in (
        *(" ", "a", "@", "a@", "@b.c", "@gmail.com", "a@b", "a@.b", "a@b.", "a@b..c", "a@@b.c", "a@b@c.d", "a b@c.d"),
        *("a@b .c", " a@b.c", "a@b.c ", "a@b.c\n", "\na@b.c", "a@b.c\r\nBcc: x@y.z", "a,b@c.d", "a@b,c.d", "<a@b.c>"),
        *("ä@b.c", "a@ä.c", "a@b.１", 'a"b@c.d', "a@b_c.d", "a" * 89 + "@example.com"),
    ):
        assert refuses(rules.check_email, email), email


def test_addresses_of_all_protocols_may_hold_more_than_the_native_ones():
    for email in (
        *("a@b.c", "o'neil@example.org", "ä@b.c", "a@ä.c", "a@b_c.d", "名@例.jp", "a!#$%&*/=?^`{|}~b@c.d", "😀@b.c"),
        *("a" * 88 + "@example.com", ".a.@b.c", "+@b.c.d.e"),
    ):
        assert rules.check_address(email) == email
    for email in (
        *("", " ", "a", "@", "a@", "@b.c", "a@b", "a@.b", "a@b.", "a@b..c", "a@.b.c", "a@@b.c", "a@b@c.d", "a.b@c"),
        *("a b@c.d", "a@b .c", " a@b.c", "a@b.c ", "a\t@b.c", "a\u00a0@b.c", "a\u3000@b.c", "a\u200b@b.c", "a,b@c.d"),
        *(
            "a@b,c.d",
            "a@b.c,d@e.f",
            "a@b.c\n",
            "\na@b.c",
            "a@b.c\r\nBcc: x@y.z",
            "a@b.c\x0b",
            "a@b.c\x85",
            "a\u2028@b.c",
        ),
        *("a\x1b@b.c", "a\x7f@b.c", "a" * 89 + "@example.com", "a@b.c" * 10**5),
    ):
        assert refuses(rules.check_address, email), email


def test_addresses_are_compared_without_regard_to_case():
    assert rules.email_key("Ab@C.De") == rules.email_key("aB@c.dE") != rules.email_key("ab@c.df")


def test_phones_have_11_ascii_digits_and_start_with_1():
    for phone in ("", "10000000000", "15912345678"):
        assert rules.check_phone(phone) == phone
    for phone in (" ", "1", "05912345678", "25912345678", "1591234567", "159123456789", "1591234567x", "15912345678\n"):
        assert refuses(rules.check_phone, phone), phone
    for phone in ("１5912345678", "1٥912345678", "+15912345678", "159 1234567", "1.591234567", 15912345678):
        assert refuses(rules.check_phone, phone), phone


def test_avatars_are_http_urls_of_at_most_490_characters():
    for url in (
        "",
        "http://a",
        "https://a",
        "https://example.com/a.png?b=c&d=%20#e",
        "http://" + "x" * 483,
        "https://ä.example/ö",
    ):
        assert rules.check_avatar_url(url) == url
    for url in (
        *(
            " ",
            "a",
            "//a",
            "http:/a",
            "http://",
            "https://",
            "ftp://a",
            "file:///a",
            "javascript:alert(1)",
            " http://a",
        ),
        *("http://a b", "http://a\n", 'http://a"onerror=x', "http://<script>", "http://a\\b", "http://" + "x" * 484),
        *("data:image/png;base64,AAAA", "data:text/html,x", "xhttp://a", "https//a", "HTTPS:a"),
    ):
        assert refuses(rules.check_avatar_url, url), url


def photo(data, kind="png"):
    return f"data:image/{kind};base64,{data}"


def test_photos_are_urls_or_pictures_in_strict_base64():
    longest = "A" * ((100_000 - len(photo(""))) // 4 * 4)
    for url in (
        *("", "http://a", "https://example.com/a.png", "https://" + "x" * 482, photo(longest)),
        *(photo("QUJD", kind) for kind in ("png", "jpeg", "gif", "webp")),
        *(photo(data) for data in ("QQ==", "QUI=", "+/+/")),
    ):
        assert rules.check_photo(url) == url
    for url in (
        *(" ", "a", "ftp://a", "http://", "javascript:alert(1)", "https://" + "x" * 483, "//a", "http://a b"),
        *(photo("QUJD", kind) for kind in ("svg+xml", "bmp", "jpg", "PNG", "", "png;charset=utf-8", "*")),
        *(photo(data) for data in ("", "Q", "QQ", "QUI", "QQ=", "QQ===", "QUJD=", "=", "====", "QQ==QQ==", "Q=Q=")),
        *(photo(data) for data in ("QU JD", "QUJD\n", "QU\nJD", "QU-_", "QUJ\u00c4", "%51UJD", "QUJD,", photo("QUJD"))),
        *(photo(longest + "AAAA"), "data:text/html,x", "data:,", "data:image/png,QUJD", "DATA:image/png;base64,QUJD"),
    ):
        assert refuses(rules.check_photo, url), url[:50]


# Files


def test_file_names_have_1_to_255_characters_without_slashes_and_control_characters():
    for name in ("x", "x" * 255, "😀" * 255, "..", "a b.txt", 'Übung "1"; <b>.pdf', "a\u00a0b", "%2f"):
        assert rules.check_file_name(name) == name
    for name in ("", "x" * 256, "/", "a/b", "a\\b", "../a", "a\n", "\ra", "a\tb", "a\x1bb", "a\x7f", "a\x85", "\x9f"):
        assert refuses(rules.check_file_name, name), name


# Ids


def test_integers_are_ids_or_name_nothing():
    for value, checked in {
        1: 1,
        7: 7,
        2**53: 2**53,
        0: 0,
        -1: 0,
        2**53 + 1: 0,
        2**63: 0,
        2**64 - 1: 0,
        -(2**63): 0,
    }.items():
        assert rules.check_id(value, "id") == checked and type(rules.check_id(value, "id")) is int, value
    for value in (float(2**64), 1e30, -1e30, 1e300):  # what the JSON reader makes of integers beyond 64 bits
        assert rules.check_id(value, "id") == rules.NO_ID, value


def test_what_is_no_integer_is_no_id():
    for value in (
        None,
        True,
        False,
        1.0,
        1.5,
        -0.0,
        2.0**53,
        float("nan"),
        float("inf"),
        "1",
        "",
        [],
        [1],
        {},
        {"$gt": 0},
    ):
        assert refuses(lambda value: rules.check_id(value, "id"), value), value
    with pytest.raises(BadField, match="chat_id"):
        rules.check_id(None, "chat_id")


@given(st.integers() | st.floats() | st.booleans() | st.text() | st.none())
def test_checked_ids_fit_into_json_and_the_database(value):
    try:
        checked = rules.check_id(value, "id")
    except BadField:
        assert type(value) is not int
    else:
        assert type(checked) is int and 0 <= checked <= 2**53 and checked in (value, rules.NO_ID)


def test_client_message_ids_have_1_to_64_characters_or_are_not_given():
    assert rules.check_client_message_id(None) is None
    for value in ("x", "x" * 64, "😀" * 64, " "):
        assert rules.check_client_message_id(value) == value
    for value in ("", "x" * 65, "a\0", 1, True, [], {}):
        assert refuses(rules.check_client_message_id, value), value
