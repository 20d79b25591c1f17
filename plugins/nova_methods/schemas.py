"""What comes in: the ``args`` of the methods protocol's requests.

Source: methods document, Methods; contract "protocols" sections 0.7 and 1.5.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple

import orjson
from marshmallow import missing

from nova_tornado.api import Checked, Request, dumps_exact, errors, rules

FILES_MAX_COUNT = 10
FILE_MAX_BYTES = 5 * 1024 * 1024
"""Of a file as it is when decoded."""
FILE_MAX_CHARACTERS = 4 * ((FILE_MAX_BYTES + 2) // 3)
"""Of a file in base64, which writes three bytes as four characters; longer ones are not even decoded."""


KEY_MAX_BYTES = 512 * 1024
"""Of an ``event_response_key`` that an event hands back, as JSON: an event must fit into what may wait for a reader
(1 MiB), or the socket would be closed in place of the answer."""


class SentFile(NamedTuple):
    """A file that came inside a request."""

    name: str
    data: bytes


def encode_key(value: Any, _key: str = "", max_bytes: int | None = None) -> orjson.Fragment:
    """An ``event_response_key`` as it is handed back: any JSON value.

    Args:
        max_bytes: how large it may be.

    Raises:
        BadField: it holds a lone surrogate, which cannot be written, or is too large.
    """
    try:
        encoded = dumps_exact(value)
    except TypeError:
        raise errors.BadField("event_response_key must not contain lone surrogates") from None
    if max_bytes is not None and len(encoded) > max_bytes:
        raise errors.BadField(f"event_response_key is larger than {max_bytes} bytes")
    return orjson.Fragment(encoded)


def check_key(value: Any, key: str) -> orjson.Fragment:
    """An ``event_response_key`` of a request that an event answers."""
    return encode_key(value, key, KEY_MAX_BYTES)


def check_user_ids(value: Any, key: str) -> list[int]:
    """A list of at least one user id."""
    user_ids = rules.check_ids(value, key)
    if not user_ids:
        raise errors.BadField(f"Field {key} must name at least one user")
    return user_ids


def check_title(value: Any, key: str) -> str:
    """A title; null is none, which the services call ""."""
    return "" if value is None else rules.check_chat_title(value, key)


def check_text(value: Any, key: str) -> str:
    """A text, which null and "" leave out."""
    return "" if value is None or value == "" else rules.check_text(value, key)


def check_data(value: Any, key: str) -> bytes:
    """The bytes of a file, in strict base64 with padding."""
    if not isinstance(value, str):
        raise errors.BadField(f"Field {key} of a file is missing or no string")
    if len(value) > FILE_MAX_CHARACTERS:
        raise errors.BadField(f"A file cannot be larger than {FILE_MAX_BYTES} bytes")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):  # the latter where there is more than ASCII
        raise errors.BadField(f"Field {key} of a file is not in base64") from None
    if len(data) > FILE_MAX_BYTES:
        raise errors.BadField(f"A file cannot be larger than {FILE_MAX_BYTES} bytes")
    return data


def check_files(value: Any, key: str) -> list[SentFile]:
    """The files of a message; null counts as none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise errors.BadField(f"Data type error for key {key}")
    if len(value) > FILES_MAX_COUNT:
        raise errors.BadField(f"A message cannot have more than {FILES_MAX_COUNT} files")
    if not all(isinstance(file, dict) for file in value):
        raise errors.BadField("A file must be a JSON object with name and data")
    return [SentFile(**FileFields().read(file)) for file in value]


class PresentChecked(Checked):
    """A field that must be there, for which null is a value."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Check the value (called by marshmallow)."""
        if value is missing:
            raise errors.BadField(f"Field {attr} is missing")
        return super().deserialize(value, attr, data, **kwargs)


class FileFields(Request):
    """One of ``files``."""

    name = Checked(rules.check_file_name)
    data = Checked(check_data)


class Auth(Request):
    """auth."""

    event_response_key = Checked(encode_key)


class MethodArgs(Request):
    """What the other methods take."""

    event_response_key = Checked(check_key)


class CreateChat(MethodArgs):
    """create_chat."""

    users = Checked(check_user_ids)
    title = Checked(check_title)


class UpdateChat(MethodArgs):
    """update_chat."""

    chat = Checked(rules.check_id)
    title = PresentChecked(check_title)


class SendMessage(MethodArgs):
    """send_message."""

    chat = Checked(rules.check_id)
    text = Checked(check_text)
    client_message_id = Checked(rules.check_client_message_id)
    files = Checked(check_files)  # last, because it costs most

    def read(self, body: Any) -> dict[str, Any]:
        """The checked fields.

        Raises:
            BadField: the first field that is wrong, or neither text nor files.
        """
        fields = super().read(body)
        if not fields["text"] and not fields["files"]:
            raise errors.BadField("A message needs a text or files")
        return fields


class ReadMessages(MethodArgs):
    """read_messages."""

    chat = Checked(rules.check_id)


class ChangeMembers(MethodArgs):
    """add_to_chat and remove_from_chat."""

    users = Checked(check_user_ids)
    chat = Checked(rules.check_id)
