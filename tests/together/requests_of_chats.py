"""Every request of the four protocols that has to do with a chat, and who may not make it.

``{chat}`` is a closed group of A (its owner), B (a plain member) and others, ``{private}`` the private chat of A and B,
``{old}`` a message of A in the group, ``{old private}`` one in the private chat, ``{own}`` a message of B in the group.
``{A}`` and so on are users, ``{token}`` is the caller's. ``{D}`` is a member who has nothing else to do, ``{X}`` a user
who is nobody's.

Callers: "outsider" was never in a chat with anybody, "removed" was in the group, "member" is B. A caller who is not
named may make the request.

Source: contract "protocols" sections 0.5, 1.3, 2.1, 3.1 and 4.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ALL = "outsider removed member"
OUTSIDE = "outsider removed"


class Request(NamedTuple):
    """A request, and how it is refused.

    Attributes:
        name: of the method, mode, path or operation; what it is listed as.
        refused: callers to whom it is refused.
        code: with which it is refused.
        frame: what is sent over the socket, or
        http: method and path of rooms, with ``body``.
    """

    name: str
    refused: str
    code: Any
    frame: Any = None
    http: str = ""
    body: Any = None


def by_methods(method: str, refused: str, **args: Any) -> Request:
    return Request(method, refused, "access_error", {"method": method, "args": args})


def by_modes(mode: str, refused: str, **fields: Any) -> Request:
    return Request(mode, refused, "423", {"mode": mode, "token": "{token}", **fields})


def by_rooms(http: str, refused: str, body: Any = None, code: int = 403, name: str = "") -> Request:
    return Request(name or http, refused, code, http=http, body=body)


def by_opcodes(op: int, t: int, refused: str, **d: Any) -> Request:
    return Request(f"{op}/{t}", refused, "error", {"op": op, "t": t, "d": d})


REQUESTS: dict[str, list[Request]] = {
    "methods": [
        by_methods("send_message", OUTSIDE, chat="{chat}", text="x"),
        by_methods("send_message", OUTSIDE, chat="{chat}", files=[{"name": "x", "data": "eA=="}]),
        by_methods("send_message", OUTSIDE, chat="{private}", text="x"),
        by_methods("read_messages", OUTSIDE, chat="{chat}"),
        by_methods("read_messages", OUTSIDE, chat="{private}"),
        by_methods("update_chat", ALL, chat="{chat}", title="x"),
        by_methods("update_chat", ALL, chat="{chat}", title=None),
        by_methods("update_chat", ALL, chat="{private}", title="x"),
        by_methods("add_to_chat", ALL, chat="{chat}", users=["{X}"]),
        by_methods("add_to_chat", OUTSIDE, chat="{chat}", users=["{me}"]),
        by_methods("add_to_chat", ALL, chat="{private}", users=["{X}"]),
        by_methods("remove_from_chat", ALL, chat="{chat}", users=["{D}"]),
        by_methods("remove_from_chat", ALL, chat="{chat}", users=["{A}"]),
        by_methods("remove_from_chat", ALL, chat="{chat}", users=["{D}", "{me}"]),
        by_methods("remove_from_chat", OUTSIDE, chat="{chat}", users=["{me}"]),
        by_methods("remove_from_chat", ALL, chat="{private}", users=["{A}"]),
        by_methods("remove_from_chat", ALL, chat="{private}", users=["{me}"]),
    ],
    "modes": [
        by_modes("getMessages", OUTSIDE, chat_id="{chat}"),
        by_modes("getMessages", OUTSIDE, chat_id="{private}", min_message_id=0),
        by_modes("sendMessage", OUTSIDE, chat_id="{chat}", content="x", content_type="text"),
        by_modes("sendMessage", OUTSIDE, chat_id="{private}", content="x", content_type="text"),
        by_modes("sendGroupMessage", OUTSIDE, chat_id="{chat}", content="x", content_type="text"),
        by_modes("sendGroupMessage", ALL, chat_id="{private}", content="x", content_type="text"),
        by_modes("editGroupChat", ALL, chat_id="{chat}", chat_name="x"),
        by_modes("editGroupChat", ALL, chat_id="{private}", chat_name="x"),
        by_modes("editGroupChat", ALL, chat_id="{chat}", add_members=["{X}"]),
        by_modes("editGroupChat", OUTSIDE, chat_id="{chat}", add_members=["{me}"]),
        by_modes("editGroupChat", ALL, chat_id="{chat}", remove_members=["{D}"]),
        by_modes("editGroupChat", ALL, chat_id="{chat}", remove_members=["{A}"]),
        by_modes("editGroupChat", ALL, chat_id="{chat}", chat_name="x", remove_members=["{me}"]),
        by_modes("editGroupChat", ALL, chat_id="{private}", remove_members=["{me}"]),
        by_modes("deleteChat", OUTSIDE, chat_id="{private}"),
        by_modes("deleteChat", ALL, chat_id="{chat}"),
        by_modes("deleteGroupChat", ALL, chat_id="{chat}"),
        by_modes("deleteGroupChat", ALL, chat_id="{private}"),
    ],
    "rooms": [
        Request("group", OUTSIDE, 403, {"chat_type": "group", "chat_group_id": "{chat}", "message": "x"}),
        Request("group", ALL, 404, {"chat_type": "group", "chat_group_id": "{private}", "message": "x"}),
        by_rooms("GET /http/chat_groups/{chat}", OUTSIDE),
        by_rooms("GET /http/chat_groups/{chat}?timestamp=2020-01-01T00:00:00Z", OUTSIDE),
        by_rooms("GET /http/chat_groups/{private}", ALL, code=404),
        by_rooms("GET /http/users/group/{chat}", OUTSIDE),
        by_rooms("GET /http/users/group/{private}", ALL, code=404),
        by_rooms("POST /http/chat_groups/{chat}", OUTSIDE, {"is_enter": True}),
        by_rooms("POST /http/chat_groups/{chat}", OUTSIDE, {"is_enter": False}),
        by_rooms("POST /http/chat_groups/{private}", ALL, {"is_enter": True}, code=404),
        by_rooms("PUT /http/chat_groups/{chat}", ALL, {"name": "x"}),
        by_rooms("PUT /http/chat_groups/{private}", ALL, {"name": "x"}, code=404),
        by_rooms("PUT /http/chat_groups", ALL, {"group_id": "{chat}", "name": "x"}),
        by_rooms("PUT /http/chat_groups", ALL, {"group_id": "{private}", "name": "x"}, code=404),
        by_rooms("GET /http/chat_rooms/{private}", OUTSIDE),
        by_rooms("GET /http/chat_rooms/{private}?timestamp=2020-01-01T00:00:00Z&before=false", OUTSIDE),
        by_rooms("GET /http/chat_rooms/{chat}", ALL, code=404),
        by_rooms("PUT /http/notifications", OUTSIDE, {"chat_room_id": "{private}"}),
        by_rooms("PUT /http/notifications", ALL, {"chat_room_id": "{chat}"}, code=404),
    ],
    "opcodes": [
        by_opcodes(11, 1, OUTSIDE, chat_id="{private}", message="x"),
        by_opcodes(11, 1, ALL, chat_id="{chat}", message="x"),
        by_opcodes(11, 2, OUTSIDE, chat_id="{chat}", message="x"),
        by_opcodes(11, 2, ALL, chat_id="{private}", message="x"),
        by_opcodes(11, 6, ALL, chat_id="{chat}", message_id="{old}", message="x"),
        by_opcodes(11, 6, ALL, chat_id="{private}", message_id="{old private}", message="x"),
        by_opcodes(11, 6, ALL, chat_id="{private}", message_id="{old}", message="x"),
        by_opcodes(11, 6, "member", chat_id="{private}", message_id="{own}", message="x"),
        by_opcodes(11, 7, ALL, chat_id="{chat}", message_id="{old}"),
        by_opcodes(11, 7, "member", chat_id="{private}", message_id="{own}"),
        by_opcodes(11, 7, ALL, chat_id="{private}", message_id="{old private}"),
        by_opcodes(13, 2, ALL, chat_id="{chat}", chat="x"),
        by_opcodes(13, 2, ALL, chat_id="{private}", chat="x"),
        by_opcodes(13, 2, ALL, chat_id="{chat}", add_users=["{X}"]),
        by_opcodes(13, 2, OUTSIDE, chat_id="{chat}", add_users=["{me}"]),
        by_opcodes(13, 2, ALL, chat_id="{chat}", remove_users=["{D}"]),
        by_opcodes(13, 2, ALL, chat_id="{chat}", remove_users=["{A}"]),
        by_opcodes(13, 2, ALL, chat_id="{chat}", chat="x", remove_users=["{me}"]),
        by_opcodes(13, 2, ALL, chat_id="{private}", remove_users=["{me}"]),
    ],
}
ELSEWHERE = {
    "methods": {"auth", "create_chat"},
    "modes": {
        *("checkConnection", "checkToken", "auth", "register", "logout", "subscribe", "unsubscribe", "getChats"),
        *("changeUsername", "changeEmail", "setProfilePhoto", "createChat", "createPersonalChat", "createGroupChat"),
    },
    "opcodes": {"13/1", "16/1", "16/2"},
    "rooms": {
        *("/http/register", "/http/register/<>", "/http/login", "/http/logout", "/http/users", "/http/users/profile"),
        *("/http/chat_rooms", "/http/chat_bot"),
    },
}
"""Requests that name no chat."""
