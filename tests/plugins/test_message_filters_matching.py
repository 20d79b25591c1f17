"""What rules find in texts: folding, words and phrases against a brute-force matcher, patterns, links, masks."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nova_message_filters import patterns
from nova_message_filters.patterns import MATCHES_MAX_COUNT, Links, Pattern, domain_of
from nova_message_filters.words import Text, WordSet, masked, tokens_of

from nova_tornado.domain.errors import BadField
from nova_tornado.domain.rules import TEXT_MAX_CHARACTERS

HARM_S = 10.0
"""A busy machine takes a second; what is not linear takes minutes."""

LETTERS = st.sampled_from("aAbBäÄßéΣσς笨蛋か\u3099\u0301\u200b\u00ad +-_.'’\n👍🏽🏽ﬁ②Ёеİıक़ि\U0001d41a")
TEXTS = st.text(LETTERS | st.characters(codec="utf-8"), max_size=40)
PHRASES = st.lists(st.text(LETTERS, max_size=6).filter(tokens_of), max_size=8)


def found_by_force(phrases, text):
    """Where phrases stand, by looking at every place for every phrase."""
    tokens = tokens_of(text)
    wanted = [tokens_of(phrase) for phrase in phrases]
    return {
        (begin, begin + len(phrase))
        for begin in range(len(tokens))
        for phrase in wanted
        if tokens[begin : begin + len(phrase)] == phrase
    }


@settings(max_examples=400, deadline=None)
@given(PHRASES, TEXTS)
@example(["a b", "b"], "a b")
@example(["a b c", "b c", "b"], "x a b c")
@example(["a a b"], "a a a b")
@example(["②"], "½")
def test_phrases_are_found_where_brute_force_finds_them(phrases, text):
    words, looked_at = WordSet(phrases), Text(text)
    expected = found_by_force(phrases, text)
    assert words.is_in(looked_at) is bool(expected)
    hidden = {place for begin, end in expected for place in range(begin, end)}
    places = looked_at.token_spans
    shown = masked(looked_at.text, words.spans(looked_at))
    assert len(shown) == len(looked_at.text)
    # Several words may stand in one character: "½" is a 1 and a 2.
    hidden_places = {place for number in hidden for place in range(*places[number])}
    for begin, end in places:
        assert (set(shown[begin:end]) == {"•"}) is (hidden_places >= {*range(begin, end)}) or "•" in looked_at.text


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_words_stand_where_their_spans_say(text):
    looked_at = Text(text)
    assert len(looked_at.tokens) == len(looked_at.token_spans)
    assert sorted(looked_at.token_spans) == looked_at.token_spans
    for token, (begin, end) in zip(looked_at.tokens, looked_at.token_spans, strict=True):
        assert token in " ".join(tokens_of(looked_at.text[begin:end]))


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_folding_knows_neither_case_nor_form(text):
    for form in ("NFC", "NFD"):
        assert tokens_of(unicodedata.normalize(form, text)) == tokens_of(text)
    assert tokens_of(" ".join(tokens_of(text))) == tokens_of(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("BÄD bad bÀ\u0323d", ["bad", "bad", "bad"]),
        ("Straße STRASSE ﬁne ②", ["strasse", "strasse", "fine", "2"]),
        ("don't don’t", ["don", "t", "don", "t"]),
        ("_very_ **bad**", ["very", "bad"]),
        ("b\u200ba\u00add\u2060", ["bad"]),
        ("c++ 5€", ["c", "+", "+", "5", "€"]),
        ("你这个笨蛋", list("你这个笨蛋")),
        ("か が", ["か", "が"]),
        ("か\u3099", ["が"]),
        ("한국어", ["한국어"]),
        ("किताब", ["किताब"]),
        ("👍🏽👎", ["👍", "👎"]),
        ("Ёлка", ["елка"]),
        ("... \n -", []),
    ],
)
def test_texts_are_cut_into_folded_words(text, tokens):
    assert tokens_of(text) == tokens


@pytest.mark.parametrize(
    ("words", "text", "shown"),
    [
        (["bad"], "a BAD, b\u00e4d badge", "a •••, ••• badge"),
        (["bad"], "ba\u0308d!", "•••!"),
        (["bad"], "b\u200bad", "••••"),
        (["bad day"], "bad-day, bad  day, bad", "•••••••, ••••••••, bad"),
        (["strasse"], "Große Straße", "Große ••••••"),
        (["👍"], "👍🏽 x", "•• x"),
        (["笨蛋"], "你这个笨蛋啊", "你这个••啊"),
        (["t"], "don’t", "don’•"),
        (["x"], "", ""),
    ],
)
def test_words_are_masked_one_sign_a_character(words, text, shown):
    looked_at = Text(text)
    assert masked(looked_at.text, WordSet(words).spans(looked_at)) == shown


def test_time_is_linear_whatever_words_and_text_are():
    nested = WordSet([" ".join(["a"] * count) for count in range(1, 50)] + [" ".join(["a"] * 49 + ["b"])])
    text = Text(" ".join(["a"] * (TEXT_MAX_CHARACTERS // 2)))
    begin_s = time.thread_time()
    assert nested.is_in(text) and nested.spans(text)
    assert time.thread_time() - begin_s < HARM_S


# Patterns


def test_patterns_find_and_mask():
    text = Text("card 4111 1111 1111 1111 and 4222222222222222")
    cards = Pattern(r"\b(?:\d{4} ?){3}\d{4}\b")
    assert cards.is_in(text)
    assert masked(text.text, cards.spans(text)) == "card ••••••••••••••••••• and ••••••••••••••••"
    assert not cards.is_in(Text("card 4111"))
    assert Pattern("(?i)ÄRGER").is_in(Text("so ein ärger"))
    assert Pattern("🙂+").spans(Text("äö🙂🙂!")) == [(2, 4)]


@pytest.mark.parametrize("pattern", ["(", "a**", "(?=x)", r"(a)\1", "a{2000}", "((a{100}){100}){100}", "(?<n", "[z-a]"])
def test_what_re2_does_not_know_is_refused(pattern):
    with pytest.raises(BadField, match="pattern"):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", [r"(\pL{1,9}){9}\d", r"[\pL\pN]{2,}\.\pL+"])
def test_large_patterns_are_refused(pattern):
    with pytest.raises(BadField, match="too large"):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ["a*", "^", "x?", "(a|)"])
def test_patterns_that_match_nothing_at_all_are_refused(pattern):
    with pytest.raises(BadField, match="empty"):
        Pattern(pattern).try_out(pattern)


def test_slow_patterns_are_refused(monkeypatch):
    monkeypatch.setattr(patterns, "TRIAL_MAX_S", 0.0)
    with pytest.raises(BadField, match="too long"):
        Pattern("(.*a){10}b").try_out("(.*a){10}b")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(x+x+)+y", "(a|aa)+$", "(.*a){10}b", "([a-z]+)*\\d"])
def test_patterns_that_kill_other_engines_do_not_harm(pattern):
    compiled = Pattern(pattern)
    compiled.try_out(pattern)
    for text in ("a" * (TEXT_MAX_CHARACTERS - 1) + "!", "xa" * (TEXT_MAX_CHARACTERS // 2)):
        begin_s = time.thread_time()
        compiled.is_in(Text(text))
        compiled.spans(Text(text))
        assert time.thread_time() - begin_s < HARM_S


def test_very_many_matches_count_as_one_from_some_on():
    text = Text("a" * 1000)
    spans = Pattern("a[ab]*c|a").spans(text)
    assert len(spans) == MATCHES_MAX_COUNT + 1
    assert masked(text.text, spans) == "•" * 1000


# Links


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("see https://evil.example/x?y#z now", "https://evil.example/x?y#z"),
        ("(http://evil.example).", "http://evil.example"),
        ("www.evil.example!", "www.evil.example"),
        ("buy at evil.com, now", "evil.com"),
        ("t.me/group", "t.me/group"),
        ("пример.рф/x", "пример.рф/x"),
        ("例え.jp", "例え.jp"),
        ("ftp://10.0.0.1/", "ftp://10.0.0.1/"),
        ("HTTPS://EVIL.EXAMPLE", "HTTPS://EVIL.EXAMPLE"),
        ("tg://join?x", "tg://join?x"),
        ("mail bob@example.com/x", "example.com/x"),
    ],
)
def test_links_are_found(text, link):
    looked_at = Text(text)
    assert [looked_at.text[begin:end] for begin, end in Links().spans(looked_at)] == [link]
    assert Links().is_in(looked_at)


@pytest.mark.parametrize(
    "text",
    ["and/or", "e.g. this", "1.5/2.0", "node.js", "bob@example.com", "a:b", "home.it was", "10:30", "...", "a.b"],
)
def test_what_only_looks_like_a_link_is_none(text):
    assert not Links().is_in(Text(text))


ALLOWED = Links([domain_of(name) for name in ("example.org", "Bücher.example")])


@pytest.mark.parametrize(
    "text",
    [
        *("https://example.org", "http://sub.example.org:8080/x", "www.example.org", "EXAMPLE.ORG", "example.org."),
        *(
            "https://bücher.example/a",
            "https://xn--bcher-kva.example",
            "https://BÜCHER.example",
            "http://u:p@example.org/",
        ),
        *("https://example.org?x=evil.com", "https://example.org/a@b", "https://example.org./"),
    ],
)
def test_links_to_allowed_domains_pass(text):
    assert not ALLOWED.is_in(Text(text))


@pytest.mark.parametrize(
    "text",
    [
        *("https://notexample.org", "https://example.org.evil.com", "https://example.org@evil.com"),
        *("https://evil.com/example.org", "https://evil.com#@example.org", "https://evil.com?@example.org"),
        *("https://example.org\\@evil.com", "https://evil.com\\@example.org", "https://a@b@example.org"),
        *(
            "https:///evil.com",
            "https:\\\\evil.com",
            "http://[::1]/",
            "https://example.org%2f.evil.com",
            "http:/evil.com",
        ),
        *("https://org", "https://example.org:80:80/", "https://ex ample.org", "https://exa\u200bmple.org"),
    ],
)
def test_links_elsewhere_and_doubtful_ones_do_not_pass(text):
    assert ALLOWED.is_in(Text(text))


@pytest.mark.parametrize("name", ["", ".", "a b", "a..b", "-/", "x" * 300, "https://a.org", "a.org/x", "*.a.org"])
def test_names_that_are_no_hosts_are_none(name):
    assert domain_of(name) is None


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("a.:/@w-\\ é#?com") | st.characters(codec="utf-8"), max_size=60))
def test_links_never_fail_and_lie_within_the_text(text):
    looked_at = Text(text)
    end_before = 0
    for begin, end in ALLOWED.spans(looked_at):
        assert end_before <= begin < end <= len(looked_at.text)
        end_before = end
