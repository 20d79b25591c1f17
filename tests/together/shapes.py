"""The shapes of the five protocols, with placeholders: what their packets hold.

Users are called by letters: A, B and C have to do with one another, X has nothing to do with them. The facts about A
are ``A`` (the id), ``A.name``, ``A.avatar``, ``A.color``, and so on. ``S`` is the system user.

Source: actions document; contract "protocols" sections 1.4, 2.2, 2.4, 3 and 4.
"""

from __future__ import annotations

from typing import Any

from together.matching import Anything, Fact, Lines, Time

Packet = dict[str, Any]
CHAT, MESSAGE, OLD = Fact("chat"), Fact("message"), Fact("old")
TEXT, OLD_TEXT, TITLE, NAME, KEY = Fact("text"), Fact("old text"), Fact("title"), Fact("name"), Fact("key")
PLAIN_WITH_FILE = Lines((TEXT, Fact("url")))
ID, STR, FLOAT = Anything(int), Anything(str), Anything(float)


# actions


def notification(action: str, **data: Any) -> Packet:
    """A notification of the actions protocol."""
    return {"action": action, "request_id": 0, "ok": True, "data": data or None}


def actions_user(letter: str) -> Packet:
    """User.Basic."""
    return {"id": Fact(letter), "user_name": Fact(f"{letter}.name"), "avatar_url": Fact(f"{letter}.avatar")}


def actions_user_detailed(letter: str) -> Packet:
    """User.Detailed."""
    return {**actions_user(letter), "email": "", "phone": ""}


def actions_basic(sender: str = "A", message: Fact = MESSAGE, text: Any = TEXT, **more: Any) -> Packet:
    """ChatMessage.Basic."""
    return {
        "message_id": message,
        "chat_id": CHAT,
        "message": text,
        "send_time": Time(f"{message.name} sent", float),
        "sender": actions_user(sender),
        "reply_to_id": None,
        "deleted": False,
        **more,
    }


def actions_message(sender: str = "A", message: Fact = MESSAGE, text: Any = TEXT, **more: Any) -> Packet:
    """ChatMessage.Detailed."""
    unread = {"read_users": [], "reply_to": None, "replied_by": []}
    return {**actions_basic(sender, message, text), **unread, **more}


def actions_chat(owner: str, members: str, last_message: Any = "") -> Packet:
    """Chat."""
    return {
        "chat_id": CHAT,
        "chat_name": NAME,
        "chat_owner": actions_user(owner),
        "chat_admins": [],
        "chat_members": [actions_user(letter) for letter in members.split()],
        "last_message": last_message,
    }


ACTIONS_FILE = {
    "id": Fact("file"),
    "name": Fact("file name"),
    "url": Fact("url"),
    "size": ID,
    "content_type": STR,
    "created_at": Time("file made", float),
}


# methods


def event(kind: str, **data: Any) -> Packet:
    """An event of the methods protocol."""
    return {"type": kind, "data": data}


def methods_user(letter: str, role: str = "Member") -> Packet:
    """User."""
    return {
        "pk": Fact(letter),
        "email": "",
        "first_name": Fact(f"{letter}.name"),
        "last_name": "",
        "photo": Fact(f"{letter}.avatar"),
        "color": Fact(f"{letter}.color"),
        "role": role,
    }


def methods_chat(*users: Packet, title: Any = TITLE) -> Packet:
    """Chat."""
    times = {"created_at": Time("chat made", str), "updated_at": STR}
    return {"id": CHAT, "users": list(users), "title": title, **times}


def methods_message(user: Packet, message: Fact = MESSAGE, text: Any = TEXT, files: tuple[Packet, ...] = ()) -> Packet:
    """Message."""
    return {
        "id": message,
        "chat": CHAT,
        "user": user,
        "attached_files": list(files),
        "text": text,
        "created_at": Time(f"{message.name} sent", str),
        "updated_at": Time(f"{message.name} sent", str),
        "is_read": False,
        "is_deleted": False,
    }


METHODS_FILE = {
    "id": Fact("file"),
    "name": Fact("file name"),
    "file": Fact("url"),
    "created_at": Time("file made", str),
}


# modes


def reply(mode: str, **fields: Any) -> Packet:
    """A successful reply, or a live frame, of the modes protocol."""
    return {"mode": mode, "timestamp": FLOAT, "status": "200", **fields}


def modes_message(
    sender: str = "A", message: Fact = MESSAGE, content: Any = TEXT, content_type: str = "text"
) -> Packet:
    """An item of ``getMessages``."""
    return {
        "from_id": Fact(sender),
        "from_name": Fact(f"{sender}.name"),
        "content": content,
        "content_type": content_type,
        "content_time": Time(f"{message.name} sent", float),
        "message_id": message,
    }


def modes_chat(members: str, name: Any = NAME, kind: str = "group") -> Packet:
    """An item of ``getChats``, whose last message is told by facts; personal chats do not name its sender."""
    last: dict[str, Any] = {part: Fact(f"last {part}") for part in ("time", "text", "sender")}
    if kind == "personal":
        last["sender"] = None
    return {
        "chat_id": CHAT,
        "chat_members": [{"id": Fact(one), "username": Fact(f"{one}.name")} for one in members.split()],
        "chat_name": name,
        "chat_type": kind,
        **{f"last_message_{part}": value for part, value in last.items()},
    }


# rooms


def news(kind: str, **fields: Any) -> Packet:
    """A packet of the rooms socket."""
    return {"type": kind, **fields}


def room_message(sender: str = "A", receiver: str = "B", message: Any = TEXT) -> Packet:
    """room_chat_message."""
    return news(
        "room_chat_message",
        user_id=Fact(sender),
        other_user_id=Fact(receiver),
        chat_room_id=CHAT,
        message_id=MESSAGE,
        message=message,
        timestamp=Time("message sent", str),
    )


def group_message(sender: str = "A", message: Any = TEXT) -> Packet:
    """group_chat_message."""
    return news(
        "group_chat_message",
        user_id=Fact(sender),
        chat_group_id=CHAT,
        message_id=MESSAGE,
        message=message,
        timestamp=Time("message sent", str),
    )


def group_update(owner: str = "A") -> Packet:
    """group_chat_update."""
    return news("group_chat_update", chat_group_id=CHAT, name=NAME, owner_id=Fact(owner))


# opcodes


def frame(op: int, t: int, **d: Any) -> Packet:
    """A frame of the opcodes protocol."""
    return {"op": op, "t": t, "d": d}


def success(op: int, t: int, **d: Any) -> Packet:
    """The answer to an operation, by the ``op`` of the answer."""
    return frame(op, t, status="success", **d)
