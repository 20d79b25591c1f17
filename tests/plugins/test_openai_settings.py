"""The settings of the bot that speaks through an OpenAI-compatible service, one by one."""

import pytest
from nova_bot_chat.openai import OPTIONS

BAD_VALUES = [
    ("openai_url", value) for value in (5, "example.org", "ftp://x.yz", "https://u:p@x.yz", "https://x.yz/v1?a=b")
]
BAD_VALUES += [("openai_key", value) for value in (5, "a b", "a\nb", "schlüssel")] + [
    ("openai_model", 5),
    ("openai_system", None),
]
BAD_VALUES += [("openai_name", value) for value in ("", "a b", 5, "x" * 33)]
BAD_VALUES += [("openai_allow_private", value) for value in ("maybe", 1, "")]
BAD_VALUES += [("openai_max_context_characters", value) for value in (99, "x", "1e3", True, 10**7, "9" * 99)]
BAD_VALUES += [("openai_timeout_s", value) for value in (0, 31, "-1", 2.5)] + [("openai_connect_timeout_s", 0)]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_settings_that_cannot_be_used_are_refused(name, value):
    [option] = [option for option in OPTIONS if option.name == name]
    with pytest.raises(ValueError, match=r"^(is|cannot|has) "):
        option.parse(value)


def test_settings_are_read_from_text_and_toml():
    options = {option.name: option for option in OPTIONS}
    assert (
        options["openai_url"].parse("https://x.yz/v1/") == "https://x.yz/v1" and options["openai_url"].parse("") == ""
    )
    assert options["openai_allow_private"].parse("On") is options["openai_allow_private"].parse(True) is True
    assert options["openai_timeout_s"].parse("20") == options["openai_timeout_s"].parse(20) == 20
    assert [option.name for option in OPTIONS if option.is_secret] == ["openai_key"]
    assert all(option.parse(option.default) == option.default for option in OPTIONS)
