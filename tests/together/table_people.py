"""Friends, profiles, accounts, sign-ins and presence, and what is told of them.

Source: contract "protocols" sections 0.4, 0.9, 0.10, 2, 3.2, 3.3 and 4.3; contract "actions" sections 2 and 4.
"""

from __future__ import annotations

from together.changes import Cells, Change
from together.matching import Fact, Members
from together.shapes import (
    CHAT,
    NAME,
    STR,
    actions_chat,
    actions_user_detailed,
    event,
    frame,
    methods_chat,
    methods_user,
    modes_chat,
    news,
    notification,
    reply,
    success,
)
from together.table_chats import FRIENDS_MADE, A, C
from together.table_members import SMALL_GROUP
from together.table_messages import NOBODY_ELSE

EVERYBODY = "A B C X"
FRIEND_CREATED = [
    ("A", notification("friend_created", friend=actions_user_detailed("C"))),
    ("C", notification("friend_created", friend=actions_user_detailed("A"))),
]


MAKING = (
    ("type", {"chat_created", "new_chat"}),
    ("mode", {"chatCreated"}),
    ("op", {14}),
)
WITHOUT_A_NEW_CHAT: Cells = {
    protocol: [(names, packet) for names, packet in cell if not any(packet.get(key) in kinds for key, kinds in MAKING)]
    for protocol, cell in FRIENDS_MADE.items()
}
"""What a friendship brings with it where the two have a private chat already: a message in it."""


def signed(user: str, is_in: bool) -> Cells:
    """A user has signed in or out, as rooms shows it."""
    return {"rooms": [(EVERYBODY, news("user_activity", user_id=Fact(user), login=is_in))]}


PEOPLE: dict[str, Change] = {
    "friend asked": Change(
        cells={
            **NOBODY_ELSE,
            "opcodes": [
                ("asker", success(17, 1, user_id=Fact("C"))),
                ("C", frame(17, 1, user_id=Fact("A"))),
            ],
        },
    ),
    "friend asked once more": Change(
        before=["A has asked C"],
        cells={**NOBODY_ELSE, "opcodes": [("asker", success(17, 1, user_id=Fact("C")))]},
    ),
    "friend asked back": Change(
        before=["C has asked A"],
        cells={
            **FRIENDS_MADE,
            "actions": [*FRIEND_CREATED, *FRIENDS_MADE["actions"]],
            "opcodes": [
                ("C", frame(17, 2, user_id=Fact("A"), type=1)),
                *FRIENDS_MADE["opcodes"],
                ("asker", success(17, 1, user_id=Fact("C"))),
            ],
        },
    ),
    "friend accepted": Change(
        before=["C has asked A"],
        cells={
            **FRIENDS_MADE,
            "actions": [*FRIEND_CREATED, *FRIENDS_MADE["actions"]],
            "opcodes": [
                ("C", frame(17, 2, user_id=Fact("A"), type=1)),
                *FRIENDS_MADE["opcodes"],
                ("asker", success(17, 2, user_id=Fact("C"), type=1)),
            ],
        },
    ),
    "friend accepted with whom there is a chat": Change(
        before=["private chat of A and C", "C has asked A"],
        cells={
            **WITHOUT_A_NEW_CHAT,
            "actions": [*FRIEND_CREATED, *FRIENDS_MADE["actions"]],
            "opcodes": [
                ("C", frame(17, 2, user_id=Fact("A"), type=1)),
                *WITHOUT_A_NEW_CHAT["opcodes"],
                ("asker", success(17, 2, user_id=Fact("C"), type=1)),
            ],
        },
    ),
    "friend declined": Change(
        before=["C has asked A"],
        cells={
            **NOBODY_ELSE,
            "opcodes": [
                ("asker", success(17, 2, user_id=Fact("C"), type=2)),
                ("C", frame(17, 2, user_id=Fact("A"), type=2)),
            ],
        },
    ),
    "name changed": Change(
        cells={
            **NOBODY_ELSE,
            "actions": [("A", notification("profile_change"))],
            "modes": [("asker", reply("changeUsername", username=Fact("new name")))],
            "rooms": [
                (EVERYBODY, news("user_update", user_id=Fact("A"), first_name=Fact("new name"), last_name="")),
            ],
        },
    ),
    "photo changed": Change(
        cells={
            **NOBODY_ELSE,
            "actions": [("A", notification("profile_change"))],
            "modes": [("asker", reply("setProfilePhoto", photo=Fact("photo")))],
        },
    ),
    "account made": Change(
        cells={
            **NOBODY_ELSE,
            "modes": [("asker", reply("register", token=STR))],
            "rooms": [
                (EVERYBODY, news("user_update", user_id=Fact("new"), first_name=Fact("new name"), last_name="")),
            ],
        },
        then={"actions": signed("new", True), "modes": signed("new", True)},
    ),
    "signed in": Change(
        cells={**NOBODY_ELSE, **signed("A", True), "modes": [("asker", reply("auth", token=STR))]},
    ),
    "signed out": Change(
        before=["A has another session"],
        cells={**NOBODY_ELSE, **signed("A", False), "modes": [("asker", reply("logout"))]},
    ),
    "token asked for": Change(cells=NOBODY_ELSE),
    "account ended, of a member": Change(
        before=["group"],
        actor="C",
        offline="C",
        cells={
            "actions": [("A B", notification("member_deleted", chat_id=CHAT, user_id=Fact("C")))],
            "methods": [("A B", event("user_removed", user_ids=[Fact("C")], chat=SMALL_GROUP))],
            "modes": [("A B", reply("chatUpdated", chat=modes_chat("A B")))],
            "rooms": [],
            "opcodes": [("A B", frame(14, 2, chat_id=CHAT, chat=NAME, users=Members((Fact("A"), Fact("B")))))],
        },
    ),
    "account ended, of a friend": Change(
        before=["friendship"],
        actor="C",
        offline="C",
        cells={
            "actions": [("A", notification("friend_deleted", friend=actions_user_detailed("C")))],
            "methods": [("A", event("chat_removed", chat=methods_chat(C, A, title=None)))],
            "modes": [("A", reply("chatDeleted", chat_id=CHAT))],
            "rooms": [("A", news("room_chat_remove", chat_room_id=CHAT))],
            "opcodes": [("A", frame(14, 3, chat_id=CHAT))],
        },
    ),
    "account ended, of an owner": Change(
        before=["group of C and A"],
        actor="C",
        offline="C",
        cells={
            "actions": [("A", notification("chat_deleted", chat=actions_chat("C", "A C")))],
            "methods": [("A", event("chat_removed", chat=methods_chat(methods_user("C", "Owner"), A)))],
            "modes": [("A", reply("chatDeleted", chat_id=CHAT))],
            "rooms": [("A", news("group_chat_remove", chat_group_id=CHAT))],
            "opcodes": [("A", frame(14, 3, chat_id=CHAT))],
        },
    ),
    "came online": Change(
        before=["group of A and X", "A watches"],
        actor="X",
        is_presence=True,
        offline="X",
        cells={
            **NOBODY_ELSE,
            "actions": [("A", notification("presence", user_id=Fact("X"), online=True))],
            "opcodes": [("A B C", frame(2, 1, user_ids=Fact("online")))],
        },
    ),
    "went offline": Change(
        before=["group of A and X", "A watches"],
        actor="X",
        is_presence=True,
        offline="X",
        cells={
            **NOBODY_ELSE,
            "actions": [("A", notification("presence", user_id=Fact("X"), online=False))],
            "opcodes": [("A B C", frame(2, 1, user_ids=Fact("online")))],
        },
    ),
}
