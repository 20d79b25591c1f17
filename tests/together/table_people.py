"""Friends, profiles, accounts, sign-ins and presence, and what is told of them.

Source: contract "protocols" sections 0.4, 0.9, 0.10, 2, 3.2, 3.3 and 4.3; contract "actions" sections 2 and 4.
"""

from __future__ import annotations

from together.changes import Cells, Change
from together.matching import Fact
from together.shapes import (
    STR,
    actions_user_detailed,
    frame,
    news,
    notification,
    reply,
    success,
)
from together.table_chats import FRIENDS_MADE
from together.table_messages import NOBODY_ELSE

EVERYBODY = "A B C X"
FRIEND_CREATED = [
    ("A", notification("friend_created", friend=actions_user_detailed("C"))),
    ("C", notification("friend_created", friend=actions_user_detailed("A"))),
]


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
