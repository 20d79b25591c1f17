"""Events as bytes, for other processes of the same Nova: JSON in which every class of ours is named.

A value of one of the classes below is written as ``{"$": its name, field: value, …}``. A chat is written by its id
alone, and looked up by whoever reads it; where a change was asked for (``Origin``) is of use to one process only and is
left out. Nothing but these classes is ever made of what was received, whatever it says.
"""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from nova_tornado.domain import models
from nova_tornado.domain.events import Event
from nova_tornado.domain.models import Chat, Origin

TAG = "$"
MODELS = (
    *(models.User, models.Entry, models.File, models.Reading, models.Readers, models.MessageDetails),
    *(models.Membership, models.FriendGroup, models.Friendship, models.FriendInvitation, models.ReceivedInvitation),
    *(models.BotScope, models.EntryKind, models.ChatKind, models.JoinPolicy, models.Role),
)
MODELS_BY_NAME: dict[str, type] = {model.__name__: model for model in MODELS}

FindChat = Callable[[int], Chat | None]


class CodecError(ValueError):
    """This is no event that could be sent or was sent by a Nova like this one."""


class ChatNotHereError(CodecError):
    """The event is about a chat that nobody here is in."""


def event_classes() -> list[type[Event]]:
    """All classes of events that there are, those of plugins too."""
    found: dict[str, type[Event]] = {}
    waiting: list[type[Event]] = [Event]
    while waiting:
        each = waiting.pop()
        waiting += each.__subclasses__()
        # A dataclass with slots has a double without them, which is nobody's.
        if getattr(sys.modules.get(each.__module__), each.__qualname__, None) is each:
            found[_event_name(each)] = each
    return list(found.values())


def _event_name(event_class: type[Event]) -> str:
    return f"{event_class.__module__}:{event_class.__qualname__}"


@cache
def _event_class(name: str) -> type[Event]:
    for each in event_classes():
        if _event_name(each) == name:
            return each
    raise CodecError("an event of no class that is known here")


@cache
def _field_names(of: type[Any]) -> tuple[str, ...]:
    if is_dataclass(of):
        return tuple(each.name for each in fields(of))
    names: tuple[str, ...] = of._fields
    return names


def encode(value: Any) -> Any:
    """What JSON can hold, for an event or anything that is in one.

    Raises:
        CodecError: there is something in it that cannot be sent.
    """
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if isinstance(value, int) and not isinstance(value, Enum):
        return int(value)  # the database has its own kind
    if isinstance(value, Chat):
        return {TAG: "Chat", "id": value.id}
    if isinstance(value, Origin):
        return None
    if isinstance(value, Enum) and kind in MODELS:
        return {TAG: kind.__name__, "value": value.value}
    if kind in MODELS or isinstance(value, Event):
        name = _event_name(kind) if isinstance(value, Event) else kind.__name__
        return {TAG: name, **{field: encode(getattr(value, field)) for field in _field_names(kind)}}  # type: ignore[arg-type]
    if isinstance(value, bytes):
        return {TAG: "bytes", "value": b64encode(value).decode()}
    if isinstance(value, Mapping):
        if all(type(key) is str for key in value) and TAG not in value:
            return {key: encode(each) for key, each in value.items()}
        return {TAG: "mapping", "items": [[encode(key), encode(each)] for key, each in value.items()]}
    if isinstance(value, AbstractSet):
        return {TAG: "frozenset", "items": [encode(each) for each in value]}
    if kind is tuple:
        return {TAG: "tuple", "items": [encode(each) for each in value]}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [encode(each) for each in value]
    raise CodecError(f"{kind.__name__} cannot be sent to other processes")


def decode(value: Any, find_chat: FindChat) -> Any:
    """What ``encode`` was given.

    Args:
        find_chat: finds the chats by their ids.

    Raises:
        CodecError: it was given nothing like that.
        ChatNotHereError: ``find_chat`` has not found one.
    """
    if isinstance(value, list):
        return [decode(each, find_chat) for each in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: decode(each, find_chat) for key, each in value.items()}
    try:
        return _decode_tagged(value, find_chat)
    except CodecError:
        raise
    except Exception as error:
        raise CodecError(f"not as it should be: {type(error).__name__}") from error


def _decode_tagged(value: dict[str, Any], find_chat: FindChat) -> Any:
    match value[TAG]:
        case "Chat":
            chat = find_chat(value["id"])
            if chat is None:
                raise ChatNotHereError("a chat that nobody here is in")
            return chat
        case "bytes":
            return b64decode(value["value"], validate=True)
        case "tuple":
            return tuple(decode(each, find_chat) for each in value["items"])
        case "frozenset":
            return frozenset(decode(each, find_chat) for each in value["items"])
        case "mapping":
            return {decode(key, find_chat): decode(each, find_chat) for key, each in value["items"]}
        case str(name):
            model = MODELS_BY_NAME.get(name) or _event_class(name)
            if issubclass(model, Enum):
                return model(value["value"])
            given = {key: decode(each, find_chat) for key, each in value.items() if key != TAG}
            return model(**given)
    raise CodecError("an unnamed class")
