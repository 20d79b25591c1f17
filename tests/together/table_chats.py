"""Chats made, renamed and deleted, and what is told of it.

Source: contract "protocols" section 0.10 and sections 1 to 4; contract "actions" section 5.
"""

from __future__ import annotations

from together.changes import Cells, Change
from together.matching import Anything, Fact, Members
from together.shapes import (
    CHAT,
    ID,
    KEY,
    MESSAGE,
    NAME,
    STR,
    Packet,
    actions_basic,
    actions_chat,
    actions_message,
    event,
    frame,
    group_message,
    group_update,
    methods_chat,
    methods_message,
    methods_user,
    modes_chat,
    modes_message,
    news,
    notification,
    reply,
    success,
)
from together.table_messages import MESSAGES

A, B, C, OWNER = (methods_user("A"), methods_user("B"), methods_user("C"), methods_user("A", "Owner"))
PRIVATE = methods_chat(A, B, title=None)
GROUP = methods_chat(OWNER, B, C)
USERS = Members((Fact("A"), Fact("B"), Fact("C")))


def system_message(members: str, entered: str = "") -> Cells:
    """What a message of the system user in a group looks like to these members; ``entered`` are in it by rooms."""
    text = Fact("system text")
    return {
        "actions": [(members, notification("new_message", message=actions_message("S", text=text)))],
        "methods": [(members, event("new_message", message=methods_message(methods_user("S"), text=text)))],
        "modes": [(members, reply("newMessage", chat_id=CHAT, message=modes_message("S", content=text)))],
        "rooms": [(entered, group_message("S", message=text))],
        "opcodes": [
            (members, frame(12, 2, chat_id=CHAT, message_id=MESSAGE, sender_id=Fact("S"), message=text)),
        ],
    }


def renamed(everybody_in_rooms: str) -> Cells:
    """What a new title looks like; the group has A, B and C."""
    chat = modes_chat("A B C")
    return {
        "actions": [("A B C", notification("chat_renamed", chat_id=CHAT, chat_name=NAME))],
        "methods": [
            ("asker", event("chat_updated", chat=GROUP, event_response_key=KEY)),
            ("A", event("chat_updated", chat=GROUP, event_response_key=None)),
            ("B C", event("chat_updated", chat=GROUP)),
        ],
        "modes": [("asker", reply("editGroupChat")), ("A B C", reply("chatUpdated", chat=chat))],
        "rooms": [(everybody_in_rooms, group_update())],
        "opcodes": [
            ("asker", success(14, 2, chat_id=CHAT, chat=NAME, users=USERS)),
            ("A B C", frame(14, 2, chat_id=CHAT, chat=NAME, users=USERS)),
        ],
    }


def group_deleted(told_in_rooms: str) -> Cells:
    """What the end of a group looks like that has A, B and C, and no messages."""
    return {
        "actions": [("A B C", notification("chat_deleted", chat=actions_chat("A", "A B C")))],
        "methods": [("A B C", event("chat_removed", chat=GROUP))],
        "modes": [("asker", reply("deleteGroupChat")), ("A B C", reply("chatDeleted", chat_id=CHAT))],
        "rooms": [(told_in_rooms, news("group_chat_remove", chat_group_id=CHAT))],
        "opcodes": [("A B C", frame(14, 3, chat_id=CHAT))],
    }


def private_deleted(both: str, chat: Packet) -> Cells:
    """What the end of the private chat of two looks like."""
    return {
        "actions": [],
        "methods": [(both, event("chat_removed", chat=chat))],
        "modes": [("asker", reply("deleteChat")), (both, reply("chatDeleted", chat_id=CHAT))],
        "rooms": [(both, news("room_chat_remove", chat_room_id=CHAT))],
        "opcodes": [(both, frame(14, 3, chat_id=CHAT))],
    }


PRIVATE_MADE: Cells = {
    "actions": [],
    "methods": [
        ("asker", event("chat_created", chat=PRIVATE, event_response_key=KEY)),
        ("A", event("chat_created", chat=PRIVATE, event_response_key=None)),
        ("B", event("new_chat", chat=PRIVATE)),
    ],
    "modes": [
        ("asker", reply("createChat", chat_id=CHAT)),
        ("A", reply("chatCreated", chat=modes_chat("A B", Fact("B.name"), "personal"))),
        ("B", reply("chatCreated", chat=modes_chat("A B", Fact("A.name"), "personal"))),
    ],
    "rooms": [],
    "opcodes": [
        ("asker", success(14, 1, chat_id=CHAT)),
        ("A B", frame(14, 1, chat_id=CHAT)),
    ],
}

FRIENDS_SAID = Fact("system text")
FRIENDS_MADE: Cells = {
    "actions": [
        ("A C", notification("new_message", message=actions_message("S", text=FRIENDS_SAID))),
    ],
    "methods": [
        ("A", event("chat_created", chat=methods_chat(A, C, title=None), event_response_key=None)),
        ("C", event("new_chat", chat=methods_chat(A, C, title=None))),
        ("A C", event("new_message", message=methods_message(methods_user("S"), text=FRIENDS_SAID))),
    ],
    "modes": [
        ("A", reply("chatCreated", chat=modes_chat("A C", Fact("C.name"), "personal"))),
        ("C", reply("chatCreated", chat=modes_chat("A C", Fact("A.name"), "personal"))),
        ("A C", reply("newMessage", chat_id=CHAT, message=modes_message("S", content=FRIENDS_SAID))),
    ],
    "rooms": [
        (
            "A C",
            {
                "type": "room_chat_message",
                "user_id": Fact("S"),
                "other_user_id": ID,
                "chat_room_id": CHAT,
                "message_id": MESSAGE,
                "message": FRIENDS_SAID,
                "timestamp": STR,
            },
        )
    ],
    "opcodes": [
        ("asker A C", frame(14, 1, chat_id=CHAT)),
        (
            "asker A C",
            frame(12, 1, chat_id=CHAT, message_id=MESSAGE, sender_id=Fact("S"), message=FRIENDS_SAID),
        ),
    ],
}
"""What a friendship of A, who agrees to it, and C brings with it."""

CHATS: dict[str, Change] = {
    "private chat made": Change(cells=PRIVATE_MADE, then={"rooms": MESSAGES["message sent, private"].cells}),
    "group made": Change(
        before=["friends"],
        cells={
            "actions": [("A B C", notification("new_group_chat", chat_id=CHAT))],
            "methods": [
                ("asker", event("chat_created", chat=GROUP, event_response_key=KEY)),
                ("A", event("chat_created", chat=GROUP, event_response_key=None)),
                ("B C", event("new_chat", chat=GROUP)),
            ],
            "modes": [
                ("asker", reply("createGroupChat", chat_id=CHAT)),
                ("A B C", reply("chatCreated", chat=modes_chat("A B C"))),
            ],
            "rooms": [("A B C", group_update())],
            "opcodes": [
                ("asker", success(14, 1, chat_id=CHAT)),
                ("A B C", frame(14, 1, chat_id=CHAT)),
            ],
        },
        then={"actions": system_message("A B C")},
    ),
    "open group made": Change(
        cells={
            "actions": [("A", notification("new_group_chat", chat_id=CHAT))],
            "methods": [("A", event("chat_created", chat=methods_chat(OWNER), event_response_key=None))],
            "modes": [("A", reply("chatCreated", chat=modes_chat("A")))],
            "rooms": [("A B C X", group_update())],
            "opcodes": [("A", frame(14, 1, chat_id=CHAT))],
        },
    ),
    "group renamed": Change(before=["group"], cells=renamed("A B C")),
    "open group renamed": Change(before=["open group"], cells=renamed("A B C X")),
    "group deleted": Change(before=["group"], cells=group_deleted("A B C")),
    "open group deleted": Change(before=["open group"], cells=group_deleted("A B C X")),
    "group with a message deleted": Change(
        before=["group", "A has written"],
        cells={
            **group_deleted("A B C"),
            "actions": [
                (
                    "A B C",
                    notification(
                        "chat_deleted",
                        chat=actions_chat("A", "A B C", actions_basic(message=Fact("old"), text=Fact("old text"))),
                    ),
                )
            ],
        },
    ),
    "private chat deleted": Change(before=["private"], cells=private_deleted("A B", PRIVATE)),
    "friendship ended": Change(
        before=["friendship"],
        cells={
            **private_deleted("A C", methods_chat(C, A, title=None)),
            "actions": [("C", notification("friend_deleted", friend=Anything(dict)))],
        },
    ),
}
