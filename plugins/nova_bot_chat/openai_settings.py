"""What can be set about the bot that speaks through an OpenAI-compatible service, and how it is checked."""

from __future__ import annotations

from collections.abc import Callable

from nova_tornado.api import NovaError, OutboundClient, OutboundError, PluginOption, rules

DEFAULT_NAME = "assistant"
DEFAULT_SYSTEM = (
    "You are an assistant in a chat. Each message of a person begins with the name of that person and a colon; "
    "begin yours without a name. Answer briefly, in plain text and in the language of the question."
)
CONTEXT_MIN_CHARACTERS, CONTEXT_MAX_CHARACTERS = 100, 1_000_000
CONTEXT_DEFAULT_CHARACTERS = 12_000
TIMEOUT_MAX_S = 30
"""What any bot's answer may take."""
TIMEOUT_DEFAULT_S = 25
"""A little less, so that the user is told what went wrong."""
CONNECT_TIMEOUT_DEFAULT_S = 5
SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text in quotes")
    return value


def _url(value: object) -> str:
    """The base of the service, without a slash at its end; "" for none."""
    url = _text(value).rstrip("/")
    if not url:
        return url
    try:
        OutboundClient.check_url(url)
    except OutboundError as error:
        raise ValueError(f"cannot be used: {error.message}") from None
    if "?" in url or "#" in url:
        raise ValueError("cannot be used: it is the base of a service, without ? and #")
    return url


def _token(value: object) -> str:
    """What goes into a header."""
    text = _text(value)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("has characters that no key has")
    return text


def _user_name(value: object) -> str:
    try:
        return rules.check_user_name(value)
    except NovaError as error:
        raise ValueError(f"is no user name: {error.message}") from None


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in SWITCH:
        return SWITCH[value.lower()]
    raise ValueError("is neither on nor off")


def _whole_number(minimum: int, maximum: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(maximum)):
            value = int(value)
        if type(value) is not int or not minimum <= value <= maximum:
            raise ValueError(f"is no whole number from {minimum} to {maximum}")
        return value

    return parse


OPTIONS = (
    PluginOption("openai_url", "", _url),
    PluginOption("openai_model", "", _text),
    PluginOption("openai_key", "", _token, is_secret=True),
    PluginOption("openai_name", DEFAULT_NAME, _user_name),
    PluginOption("openai_system", DEFAULT_SYSTEM, _text),
    PluginOption("openai_allow_private", False, _switch),
    PluginOption(
        "openai_max_context_characters",
        CONTEXT_DEFAULT_CHARACTERS,
        _whole_number(CONTEXT_MIN_CHARACTERS, CONTEXT_MAX_CHARACTERS),
    ),
    PluginOption("openai_timeout_s", TIMEOUT_DEFAULT_S, _whole_number(1, TIMEOUT_MAX_S)),
    PluginOption("openai_connect_timeout_s", CONNECT_TIMEOUT_DEFAULT_S, _whole_number(1, TIMEOUT_MAX_S)),
)
"""Without ``openai_url`` there is no such bot."""
