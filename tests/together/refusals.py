"""How each protocol refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """What a protocol's refusals look like on its socket.

    Attributes:
        read: the code of a packet that is a refusal, None of any other; asserts its shape.
        malformed: the code of what cannot be read at all.
        bad_field: the code of a field of wrong type or bad value.
        not_signed_in: the code of a request without a valid token.
    """

    read: Callable[[Any], Any]
    malformed: Any
    bad_field: Any
    not_signed_in: Any


def is_sentence(value: Any) -> bool:
    """Whether it is a text for a person that tells nothing of the server's insides."""
    if not isinstance(value, str) or not value:
        return False
    return not any(part in value for part in ("Traceback", ".py", "pymongo", "E11000", "nova_test", "mongo"))


def read_actions(packet: Any) -> Any:
    """The ``code``."""
    if packet["action"] != "error":
        return None
    assert packet.keys() == {"action", "request_id", "ok", "code", "error"} and packet["ok"] is False, packet
    assert is_sentence(packet["error"]), packet
    return packet["code"]


def read_methods(packet: Any) -> Any:
    """The ``type``."""
    if packet["type"] != "error":
        return None
    data = packet["data"]
    assert data.keys() - {"chat_id"} == {"type", "detail", "event_response_key"} and is_sentence(data["detail"]), packet
    return data["type"]


def read_modes(packet: Any) -> Any:
    """The ``status``."""
    if packet["status"] == "200":
        return None
    assert packet.keys() == {"mode", "timestamp", "status", "detail"} and is_sentence(packet["detail"]), packet
    return packet["status"]


def read_rooms(packet: Any) -> Any:
    """The ``code``."""
    if packet["type"] != "error":
        return None
    assert packet.keys() == {"type", "code", "message", "chat_type"} and is_sentence(packet["message"]), packet
    return packet["code"]


def read_opcodes(packet: Any) -> Any:
    """There is one code only."""
    if packet["d"].get("status") != "error":
        return None
    assert packet["d"].keys() == {"status", "message"} and is_sentence(packet["d"]["message"]), packet
    return "error"


REFUSALS = {
    "actions": Refusal(read_actions, malformed=400, bad_field=400, not_signed_in=403),
    "methods": Refusal(
        read_methods, malformed="system_error", bad_field="field_error", not_signed_in="authorization_error"
    ),
    "modes": Refusal(read_modes, malformed="400", bad_field="422", not_signed_in="401"),
    "rooms": Refusal(read_rooms, malformed=400, bad_field=400, not_signed_in=401),
    "opcodes": Refusal(read_opcodes, malformed="error", bad_field="error", not_signed_in=None),
}


def refused_with(protocol: str, packets: list[Any]) -> Any:
    """The code with which a request was refused, if its refusal is all that came; else what came."""
    if len(packets) == 1 and (code := REFUSALS[protocol].read(packets[0])) is not None:
        return code
    return packets
