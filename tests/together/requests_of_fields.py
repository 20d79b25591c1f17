"""A good request of every kind, and what each of its fields is: for trying bad values, one field after the other.

The caller is A, owner of the group ``{chat}`` with B, friend of nobody, and asked for friendship by C.

Source: contract "protocols" sections 0.2, 0.7, 1.5, 2.2, 2.3, 3 and 4.3; contract "actions" sections 6 and 8.
"""

from __future__ import annotations

from typing import Any, NamedTuple

CHAT, USER, USERS, MESSAGE, NUMBER = "chat", "user", "users", "message", "number"
TEXT, TITLE, SHORT, ANY_TEXT, BOOLEAN, NAME = "text", "title", "short text", "any text", "boolean", "name"


class Good(NamedTuple):
    """A request that would be carried out.

    Attributes:
        frame: over the socket, or
        http: method and path, with ``frame`` as its body.
        kinds: of its fields; ``?`` behind a kind: the field may be missing or null.
    """

    frame: Any
    kinds: dict[str, str]
    http: str = ""


def actions(action: str, **fields: tuple[Any, str]) -> Good:
    data = {name: value for name, (value, _) in fields.items()}
    return Good({"action": action, "data": data}, {name: kind for name, (_, kind) in fields.items()})


def methods(method: str, **fields: tuple[Any, str]) -> Good:
    args = {name: value for name, (value, _) in fields.items()}
    return Good({"method": method, "args": args}, {name: kind for name, (_, kind) in fields.items()})


def modes(mode: str, **fields: tuple[Any, str]) -> Good:
    values = {name: value for name, (value, _) in fields.items()}
    return Good({"mode": mode, "token": "{token}", **values}, {name: kind for name, (_, kind) in fields.items()})


def rooms(chat_type: str, **fields: tuple[Any, str]) -> Good:
    values = {name: value for name, (value, _) in fields.items()}
    return Good({"chat_type": chat_type, **values}, {name: kind for name, (_, kind) in fields.items()})


def over_http(http: str, **fields: tuple[Any, str]) -> Good:
    body = {name: value for name, (value, _) in fields.items()}
    return Good(body, {name: kind for name, (_, kind) in fields.items()}, http)


def opcodes(op: int, t: int, **fields: tuple[Any, str]) -> Good:
    d = {name: value for name, (value, _) in fields.items()}
    return Good({"op": op, "t": t, "d": d}, {name: kind for name, (_, kind) in fields.items()})


GOOD: dict[str, list[Good]] = {
    "actions": [
        actions("send_message", chat_id=("{chat}", CHAT), content=("x", TEXT)),
        actions("send_message", chat_id=("{chat}", CHAT), content=("x", TEXT), client_message_id=("y", SHORT + "?")),
        actions("edit_message", message_id=("{old}", MESSAGE), content=("y", TEXT)),
        actions("recall_message", message_id=("{old}", MESSAGE)),
        actions("messages_read", chat_id=("{chat}", CHAT)),
        actions("typing", chat_id=("{chat}", CHAT)),
    ],
    "methods": [
        methods("create_chat", users=(["{C}"], USERS), title=("t", TITLE + "?")),
        methods("update_chat", chat=("{chat}", CHAT), title=("t", TITLE + "?")),
        methods("send_message", chat=("{chat}", CHAT), text=("x", ANY_TEXT), client_message_id=("y", SHORT + "?")),
        methods("read_messages", chat=("{chat}", CHAT)),
        methods("add_to_chat", chat=("{chat}", CHAT), users=(["{C}"], USERS)),
        methods("remove_from_chat", chat=("{chat}", CHAT), users=(["{B}"], USERS)),
    ],
    "modes": [
        modes("getMessages", chat_id=("{chat}", CHAT), min_message_id=(1, NUMBER + "?")),
        modes(
            "sendMessage",
            chat_id=("{chat}", CHAT),
            content=("x", TEXT),
            content_type=("text", SHORT),
            client_message_id=("y", SHORT + "?"),
        ),
        modes("sendGroupMessage", chat_id=("{chat}", CHAT), content=("x", TEXT), content_type=("text", SHORT)),
        modes("createGroupChat", chat_name=("t", TITLE), chat_members=(["{C}"], USERS)),
        modes(
            "editGroupChat", chat_id=("{chat}", CHAT), chat_name=("t", TITLE + "?"), add_members=(["{C}"], USERS + "?")
        ),
        modes("editGroupChat", chat_id=("{chat}", CHAT), remove_members=(["{B}"], USERS)),
        modes("deleteGroupChat", chat_id=("{chat}", CHAT)),
        modes("deleteChat", chat_id=("{chat}", CHAT)),
        modes("changeUsername", username=("anna2", NAME)),
    ],
    "rooms": [
        rooms("room", other_user_id=("{B}", USER), message=("x", TEXT), client_message_id=("y", SHORT + "?")),
        rooms("group", chat_group_id=("{chat}", CHAT), message=("x", TEXT), client_message_id=("y", SHORT + "?")),
        over_http("PUT /http/chat_groups", group_id=("{chat}", CHAT), name=("t", TITLE)),
        over_http("POST /http/chat_groups", name=("t", TITLE)),
        over_http("PUT /http/chat_groups/{chat}", name=("t", TITLE)),
        over_http("POST /http/chat_groups/{chat}", is_enter=(True, BOOLEAN)),
        over_http("PUT /http/notifications", chat_room_id=("{private}", CHAT)),
        over_http("PUT /http/users/profile", first_name=("t", NAME)),
    ],
    "opcodes": [
        opcodes(11, 1, chat_id=("{private}", CHAT), message=("x", TEXT), client_message_id=("y", SHORT + "?")),
        opcodes(11, 2, chat_id=("{chat}", CHAT), message=("x", TEXT)),
        opcodes(11, 6, chat_id=("{chat}", CHAT), message_id=("{old}", MESSAGE), message=("y", TEXT)),
        opcodes(11, 7, chat_id=("{chat}", CHAT), message_id=("{old}", MESSAGE)),
        opcodes(13, 1, user_ids=(["{C}"], USERS), type=(1, NUMBER)),
        opcodes(13, 2, chat_id=("{chat}", CHAT), chat=("t", TITLE + "?"), add_users=(["{C}"], USERS + "?")),
        opcodes(13, 2, chat_id=("{chat}", CHAT), remove_users=(["{B}"], USERS)),
        opcodes(16, 1, user_id=("{B}", USER)),
        opcodes(16, 2, user_id=("{C}", USER), type=(1, NUMBER)),
    ],
}

UNKNOWN_IDS = (0, -1, 2**53 + 1, 2**63, 10**30, -(10**30))
NO_IDS = (1.0, 1e300, True, False, "1", "", [], {}, [1], {"id": 1}, 1e-3)
NO_TEXTS = (1, 1.5, True, False, [], {}, ["x"], {"text": "x"})
UNWRITABLE = ("\0", "a\0b", "\ud800", "a\udfffb", "\udc00\ud800")
TOO_LONG = {TEXT: "x" * 20_001, ANY_TEXT: "x" * 20_001, TITLE: "x" * 61, SHORT: "x" * 65, NAME: "x" * 65}
MEGABYTE = "x" * 10**6

UNKNOWN = {
    "actions": {CHAT: 400, USER: 400, MESSAGE: 400},
    "methods": {CHAT: "access_error", USER: "field_error"},
    "modes": {CHAT: "423", USER: "409"},
    "rooms": {CHAT: 404, USER: 404},
    "opcodes": {CHAT: "error", USER: "error", MESSAGE: "error"},
}
"""How an id is refused that names nothing."""


def bad_values(kind: str) -> list[tuple[Any, bool]]:
    """Values that a field of a kind cannot have, and whether it is an id that names nothing."""
    plain = kind.rstrip("?")
    bad: list[tuple[Any, bool]] = [] if kind.endswith("?") else [(None, False)]
    if plain in (CHAT, USER, MESSAGE):
        bad += [(value, True) for value in UNKNOWN_IDS] + [(value, False) for value in NO_IDS]
    elif plain == USERS:
        bad += [([value], True) for value in UNKNOWN_IDS] + [([value], False) for value in (*NO_IDS, None)]
        bad += [(value, False) for value in (1, True, "1", {}, {"0": 1})]
    elif plain == NUMBER:
        bad += [(value, False) for value in NO_IDS if value != 1.0]
    elif plain == BOOLEAN:
        bad += [(value, False) for value in (1, 0, "true", "", [], {}, 1.0)]
    else:
        bad += [(value, False) for value in (*NO_TEXTS, *UNWRITABLE, TOO_LONG[plain], MEGABYTE)]
        if plain != ANY_TEXT:
            bad.append(("", False))
    return bad
