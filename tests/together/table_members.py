"""Who comes to a group, who goes, who gets which role, and what is told of it.

The group has A (its owner) and B and, where he is not the one who comes, C; B is in it by rooms.

Source: contract "protocols" section 0.10 and sections 1 to 4; contract "actions" section 5.
"""

from __future__ import annotations

from together.changes import Cells, Change
from together.matching import Anything, Fact, Members
from together.shapes import (
    CHAT,
    KEY,
    NAME,
    TITLE,
    event,
    frame,
    group_update,
    methods_chat,
    methods_user,
    modes_chat,
    news,
    notification,
    reply,
    success,
)
from together.table_chats import OWNER, USERS, B, C, system_message
from together.table_messages import NOBODY_ELSE

GROUP = methods_chat(OWNER, B, C)
SMALL_GROUP = methods_chat(OWNER, B)
SMALL_USERS = Members((Fact("A"), Fact("B")))
JUST_C = [Fact("C")]
C_CAME = notification("member_added", chat_id=CHAT, user_id=Fact("C"))
C_WENT = notification("member_deleted", chat_id=CHAT, user_id=Fact("C"))


def activity(is_enter: bool) -> dict[str, object]:
    """C has entered or left, as rooms shows it."""
    message = Anything(str)
    return news("group_chat_activitity", message=message, chat_group_id=CHAT, user_id=Fact("C"), is_enter=is_enter)


def opcodes_change(users: Members) -> list[tuple[str, object]]:
    """14/2 to everybody who is concerned."""
    return [
        ("asker", success(14, 2, chat_id=CHAT, chat=NAME, users=users)),
        ("A B C", frame(14, 2, chat_id=CHAT, chat=NAME, users=users)),
    ]


GONE: Cells = {
    "actions": [("A B C", C_WENT)],
    "methods": [
        ("C", event("user_removed_successful", user_ids=JUST_C, chat=SMALL_GROUP, event_response_key=None)),
        ("A B", event("user_removed", user_ids=JUST_C, chat=SMALL_GROUP)),
        ("C", event("chat_removed", chat=SMALL_GROUP)),
    ],
    "modes": [("A B", reply("chatUpdated", chat=modes_chat("A B"))), ("C", reply("chatDeleted", chat_id=CHAT))],
    "opcodes": opcodes_change(SMALL_USERS),
}
"""C has gone of his own accord."""

MEMBERS: dict[str, Change] = {
    "member added": Change(
        before=["small group", "C is proposed"],
        cells={
            "actions": [("C", notification("new_group_chat", chat_id=CHAT)), ("A B C", C_CAME)],
            "methods": [
                ("asker", event("user_added_successful", user_ids=JUST_C, chat=GROUP, event_response_key=KEY)),
                ("A", event("user_added_successful", user_ids=JUST_C, chat=GROUP, event_response_key=None)),
                ("B", event("user_added", user_ids=JUST_C, chat=GROUP)),
                ("C", event("new_chat", chat=GROUP)),
            ],
            "modes": [
                ("asker", reply("editGroupChat")),
                ("A B", reply("chatUpdated", chat=modes_chat("A B C"))),
                ("C", reply("chatCreated", chat=modes_chat("A B C"))),
            ],
            "rooms": [("C", group_update())],
            "opcodes": opcodes_change(USERS),
        },
        then={"actions": system_message("A B C", entered="B")},
    ),
    "member entered an open group": Change(
        before=["small open group"],
        actor="C",
        cells={
            "actions": [("C", notification("new_group_chat", chat_id=CHAT)), ("A B C", C_CAME)],
            "methods": [
                ("C", event("user_added_successful", user_ids=JUST_C, chat=GROUP, event_response_key=None)),
                ("A B", event("user_added", user_ids=JUST_C, chat=GROUP)),
            ],
            "modes": [
                ("A B", reply("chatUpdated", chat=modes_chat("A B C"))),
                ("C", reply("chatCreated", chat=modes_chat("A B C"))),
            ],
            "rooms": [("C", group_update()), ("B C", activity(True))],
            "opcodes": opcodes_change(USERS),
        },
    ),
    "member entered a closed group": Change(
        before=["group"],
        actor="C",
        cells={**NOBODY_ELSE, "rooms": [("B C", activity(True))]},
    ),
    "member is no longer in a closed group": Change(
        before=["group", "C has entered"],
        actor="C",
        cells={**NOBODY_ELSE, "rooms": [("B", activity(False))]},
    ),
    "member left an open group": Change(
        before=["open group", "C has entered"],
        actor="C",
        cells={**GONE, "rooms": [("B", activity(False))]},
    ),
    "member left": Change(
        before=["group"],
        actor="C",
        cells={
            **GONE,
            "methods": [
                ("asker", event("user_removed_successful", user_ids=JUST_C, chat=SMALL_GROUP, event_response_key=KEY)),
                *GONE["methods"],
                ("asker", event("chat_removed", chat=SMALL_GROUP)),
            ],
            "modes": [("asker", reply("editGroupChat")), *GONE["modes"]],
            "rooms": [("C", news("group_chat_remove", chat_group_id=CHAT))],
        },
        then={"actions": system_message("A B", entered="B")},
    ),
    "member removed": Change(
        before=["group"],
        cells={
            "actions": [("A B C", C_WENT)],
            "methods": [
                ("asker", event("user_removed_successful", user_ids=JUST_C, chat=SMALL_GROUP, event_response_key=KEY)),
                ("A", event("user_removed_successful", user_ids=JUST_C, chat=SMALL_GROUP, event_response_key=None)),
                ("B", event("user_removed", user_ids=JUST_C, chat=SMALL_GROUP)),
                ("C", event("chat_removed", chat=SMALL_GROUP)),
            ],
            "modes": [
                ("asker", reply("editGroupChat")),
                ("A B", reply("chatUpdated", chat=modes_chat("A B"))),
                ("C", reply("chatDeleted", chat_id=CHAT)),
            ],
            "rooms": [("C", news("group_chat_remove", chat_group_id=CHAT))],
            "opcodes": opcodes_change(SMALL_USERS),
        },
        then={"actions": system_message("A B", entered="B")},
    ),
    "member removed from an open group": Change(
        before=["open group"],
        cells={
            "actions": [("A B C", C_WENT)],
            "methods": [
                ("asker", event("user_removed_successful", user_ids=JUST_C, chat=SMALL_GROUP, event_response_key=KEY)),
                ("A", event("user_removed_successful", user_ids=JUST_C, chat=SMALL_GROUP, event_response_key=None)),
                ("B", event("user_removed", user_ids=JUST_C, chat=SMALL_GROUP)),
                ("C", event("chat_removed", chat=SMALL_GROUP)),
            ],
            "modes": [
                ("asker", reply("editGroupChat")),
                ("A B", reply("chatUpdated", chat=modes_chat("A B"))),
                ("C", reply("chatDeleted", chat_id=CHAT)),
            ],
            "rooms": [],
            "opcodes": opcodes_change(SMALL_USERS),
        },
        then={"actions": system_message("A B", entered="B")},
    ),
    "owner left": Change(
        before=["group"],
        cells={
            "actions": [
                ("A B C", notification("owner_state_change", chat_id=CHAT, owner_id=Fact("B"))),
                ("A B C", notification("member_deleted", chat_id=CHAT, user_id=Fact("A"))),
            ],
            "methods": [
                (
                    "asker",
                    event(
                        "user_removed_successful",
                        user_ids=[Fact("A")],
                        chat=methods_chat(methods_user("B", "Owner"), C),
                        event_response_key=KEY,
                    ),
                ),
                (
                    "A",
                    event(
                        "user_removed_successful",
                        user_ids=[Fact("A")],
                        chat=methods_chat(methods_user("B", "Owner"), C),
                        event_response_key=None,
                    ),
                ),
                (
                    "B C",
                    event("user_removed", user_ids=[Fact("A")], chat=methods_chat(methods_user("B", "Owner"), C)),
                ),
                ("asker A", event("chat_removed", chat=methods_chat(methods_user("B", "Owner"), C))),
            ],
            "modes": [
                ("asker", reply("editGroupChat")),
                ("B C", reply("chatUpdated", chat=modes_chat("B C"))),
                ("A", reply("chatDeleted", chat_id=CHAT)),
            ],
            "rooms": [("A", news("group_chat_remove", chat_group_id=CHAT))],
            "opcodes": opcodes_change(Members((Fact("B"), Fact("C")))),
        },
    ),
    "admin made": Change(
        before=["group"],
        cells={
            **NOBODY_ELSE,
            "actions": [
                ("A B C", notification("admin_state_change", chat_id=CHAT, user_id=Fact("B"), is_admin=True)),
            ],
        },
    ),
    "admin unmade": Change(
        before=["group", "B is admin"],
        cells={
            **NOBODY_ELSE,
            "actions": [
                ("A B C", notification("admin_state_change", chat_id=CHAT, user_id=Fact("B"), is_admin=False)),
            ],
        },
    ),
    "owner handed over": Change(
        before=["group"],
        cells={
            **NOBODY_ELSE,
            "actions": [
                ("A B C", notification("owner_state_change", chat_id=CHAT, owner_id=Fact("B"))),
                ("A B C", notification("admin_state_change", chat_id=CHAT, user_id=Fact("A"), is_admin=True)),
            ],
        },
    ),
    "renamed, members added and removed at once": Change(
        before=["group of A and C"],
        cells={
            "actions": [
                ("A C", notification("member_deleted", chat_id=CHAT, user_id=Fact("C"))),
                ("B", notification("new_group_chat", chat_id=CHAT)),
                ("A B", notification("member_added", chat_id=CHAT, user_id=Fact("B"))),
                ("A B", notification("chat_renamed", chat_id=CHAT, chat_name=TITLE)),
            ],
            "methods": [
                (
                    "A",
                    event("user_removed_successful", user_ids=JUST_C, chat=SMALL_GROUP, event_response_key=None),
                ),
                ("C", event("chat_removed", chat=SMALL_GROUP)),
                (
                    "A",
                    event("user_added_successful", user_ids=[Fact("B")], chat=SMALL_GROUP, event_response_key=None),
                ),
                ("B", event("new_chat", chat=SMALL_GROUP)),
                ("A", event("chat_updated", chat=SMALL_GROUP, event_response_key=None)),
                ("B", event("chat_updated", chat=SMALL_GROUP)),
            ],
            "modes": [
                ("asker", reply("editGroupChat")),
                ("A", reply("chatUpdated", chat=modes_chat("A B"))),
                ("B", reply("chatCreated", chat=modes_chat("A B"))),
                ("C", reply("chatDeleted", chat_id=CHAT)),
            ],
            "rooms": [("A B", group_update()), ("C", news("group_chat_remove", chat_group_id=CHAT))],
            "opcodes": opcodes_change(SMALL_USERS),
        },
    ),
}
