"""Changes of messages, and what is told of them.

Source: contract "protocols" section 0.10 and sections 1 to 4; contract "actions" sections 6 and 8.
"""

from __future__ import annotations

from together.changes import Cells, Change, maybe
from together.matching import Anything, Fact, Time
from together.shapes import (
    ACTIONS_FILE,
    CHAT,
    FLOAT,
    KEY,
    MESSAGE,
    METHODS_FILE,
    OLD,
    OLD_TEXT,
    PLAIN_WITH_FILE,
    STR,
    TEXT,
    actions_message,
    event,
    frame,
    group_message,
    methods_message,
    methods_user,
    modes_message,
    news,
    notification,
    reply,
    room_message,
    success,
)

READ_BY_A = notification("messages_read", chat_id=CHAT, user_id=Fact("A"))
LIVE_READ_BY_A = reply("messagesRead", chat_id=CHAT, user_id=Fact("A"))
OLD_BECAME_READ = event("messages_updated", updates=[{"id": OLD, "fields": {"is_read": True}}])
NOBODY_ELSE: Cells = {"actions": [], "methods": [], "modes": [], "rooms": [], "opcodes": []}
OWNER = methods_user("A", "Owner")

EDITED = {
    "actions": notification(
        "message_edited",
        message=actions_message(message=OLD, edited_at=FLOAT, read_users=Anything(list)),
    ),
    "methods": event("messages_updated", updates=[{"id": OLD, "fields": {"text": TEXT, "updated_at": STR}}]),
    "modes": reply("messageEdited", chat_id=CHAT, message=modes_message(message=OLD)),
}
DELETED = {
    "actions": notification("message_recalled", message_id=OLD),
    "methods": event("messages_updated", updates=[{"id": OLD, "fields": {"is_deleted": True, "text": ""}}]),
    "modes": reply("messageDeleted", chat_id=CHAT, message_id=OLD),
}
ROOMS_EDITED = {
    "message_id": OLD,
    "user_id": Fact("A"),
    "message": TEXT,
    "timestamp": Time("old sent", str),
}

MESSAGES: dict[str, Change] = {
    "message sent, private": Change(
        before=["private"],
        cells={
            "actions": [
                ("asker A B", notification("new_message", message=actions_message())),
                maybe("asker A B", READ_BY_A),
            ],
            "methods": [
                ("asker", event("message_created", message=methods_message(methods_user("A")), event_response_key=KEY)),
                ("A", event("message_created", message=methods_message(methods_user("A")), event_response_key=None)),
                ("B", event("new_message", message=methods_message(methods_user("A")))),
            ],
            "modes": [
                ("asker", reply("sendMessage", message_id=MESSAGE)),
                ("A B", reply("newMessage", chat_id=CHAT, message=modes_message())),
                maybe("A B", LIVE_READ_BY_A),
            ],
            "rooms": [("asker A B", room_message())],
            "opcodes": [
                ("asker", success(12, 1, chat_id=CHAT, message_id=MESSAGE)),
                ("B", frame(12, 1, chat_id=CHAT, message_id=MESSAGE, sender_id=Fact("A"), message=TEXT)),
            ],
        },
    ),
    "message sent, group": Change(
        before=["group"],
        cells={
            "actions": [
                ("asker A B C", notification("new_message", message=actions_message())),
                maybe("asker A B C", READ_BY_A),
            ],
            "methods": [
                ("asker", event("message_created", message=methods_message(OWNER), event_response_key=KEY)),
                ("A", event("message_created", message=methods_message(OWNER), event_response_key=None)),
                ("B C", event("new_message", message=methods_message(OWNER))),
            ],
            "modes": [
                ("asker", reply("sendMessage", message_id=MESSAGE)),
                ("A B C", reply("newMessage", chat_id=CHAT, message=modes_message())),
                maybe("A B C", LIVE_READ_BY_A),
            ],
            "rooms": [("asker A B", group_message())],  # C is not in the group at the moment
            "opcodes": [
                ("asker", success(12, 2, chat_id=CHAT, message_id=MESSAGE)),
                ("B C", frame(12, 2, chat_id=CHAT, message_id=MESSAGE, sender_id=Fact("A"), message=TEXT)),
            ],
        },
    ),
    "message sent, which reads what was before it": Change(
        before=["group", "B has written"],
        cells={
            "actions": [
                ("asker A B C", notification("new_message", message=actions_message())),
                ("asker A B C", READ_BY_A),
            ],
            "methods": [
                ("asker", event("message_created", message=methods_message(OWNER), event_response_key=KEY)),
                ("A", event("message_created", message=methods_message(OWNER), event_response_key=None)),
                ("B C", event("new_message", message=methods_message(OWNER))),
                ("asker A B C", OLD_BECAME_READ),
            ],
            "modes": [
                ("asker", reply("sendMessage", message_id=MESSAGE)),
                ("A B C", reply("newMessage", chat_id=CHAT, message=modes_message())),
                ("A B C", LIVE_READ_BY_A),
            ],
            "rooms": [("asker A B", group_message())],
            "opcodes": [
                ("asker", success(12, 2, chat_id=CHAT, message_id=MESSAGE)),
                ("B C", frame(12, 2, chat_id=CHAT, message_id=MESSAGE, sender_id=Fact("A"), message=TEXT)),
            ],
        },
    ),
    "message sent with a file": Change(
        before=["group"],
        cells={
            "actions": [
                (
                    "asker A B C",
                    notification("new_message", message=actions_message(text=PLAIN_WITH_FILE, files=[ACTIONS_FILE])),
                ),
                maybe("asker A B C", READ_BY_A),
            ],
            "methods": [
                (
                    "asker",
                    event(
                        "message_created",
                        message=methods_message(OWNER, files=(METHODS_FILE,)),
                        event_response_key=KEY,
                    ),
                ),
                (
                    "A",
                    event(
                        "message_created",
                        message=methods_message(OWNER, files=(METHODS_FILE,)),
                        event_response_key=None,
                    ),
                ),
                ("B C", event("new_message", message=methods_message(OWNER, files=(METHODS_FILE,)))),
            ],
            "modes": [
                ("A B C", reply("newMessage", chat_id=CHAT, message=modes_message(content=PLAIN_WITH_FILE))),
                maybe("A B C", LIVE_READ_BY_A),
            ],
            "rooms": [("A B", group_message(message=PLAIN_WITH_FILE))],
            "opcodes": [
                ("B C", frame(12, 2, chat_id=CHAT, message_id=MESSAGE, sender_id=Fact("A"), message=PLAIN_WITH_FILE)),
            ],
        },
    ),
    "message edited, private": Change(
        before=["private", "A has written"],
        cells={
            "actions": [("asker A B", EDITED["actions"])],
            "methods": [("A B", EDITED["methods"])],
            "modes": [("A B", EDITED["modes"])],
            "rooms": [("A B", news("room_chat_message_update", chat_room_id=CHAT, **ROOMS_EDITED))],
            "opcodes": [
                ("asker", success(12, 6, chat_id=CHAT, message_id=OLD)),
                ("B", frame(12, 6, chat_id=CHAT, message_id=OLD, message=TEXT)),
            ],
        },
    ),
    "message edited, group": Change(
        before=["group", "A has written"],
        cells={
            "actions": [("asker A B C", EDITED["actions"])],
            "methods": [("A B C", EDITED["methods"])],
            "modes": [("A B C", EDITED["modes"])],
            "rooms": [("A B", news("group_chat_message_update", chat_group_id=CHAT, **ROOMS_EDITED))],
            "opcodes": [
                ("asker", success(12, 6, chat_id=CHAT, message_id=OLD)),
                ("B C", frame(12, 6, chat_id=CHAT, message_id=OLD, message=TEXT)),
            ],
        },
    ),
    "message deleted for all, private": Change(
        before=["private", "A has written"],
        cells={
            "actions": [("asker A B", DELETED["actions"])],
            "methods": [("A B", DELETED["methods"])],
            "modes": [("A B", DELETED["modes"])],
            "rooms": [("A B", news("room_chat_message_delete", chat_room_id=CHAT, message_id=OLD))],
            "opcodes": [
                ("asker", success(12, 7, chat_id=CHAT, message_id=OLD)),
                ("B", frame(12, 7, chat_id=CHAT, message_id=OLD)),
            ],
        },
    ),
    "message deleted for all, group": Change(
        before=["group", "A has written"],
        cells={
            "actions": [("asker A B C", DELETED["actions"])],
            "methods": [("A B C", DELETED["methods"])],
            "modes": [("A B C", DELETED["modes"])],
            "rooms": [("A B", news("group_chat_message_delete", chat_group_id=CHAT, message_id=OLD))],
            "opcodes": [
                ("asker", success(12, 7, chat_id=CHAT, message_id=OLD)),
                ("B C", frame(12, 7, chat_id=CHAT, message_id=OLD)),
            ],
        },
    ),
    "message hidden for one": Change(
        before=["group", "B has written"],
        cells={**NOBODY_ELSE, "actions": [("asker A", notification("message_deleted", message_id=OLD))]},
    ),
    "read, private": Change(
        before=["private", "B has written"],
        cells={
            "actions": [("asker A B", READ_BY_A)],
            "methods": [
                ("asker", event("messages_read", chat=CHAT, event_response_key=KEY)),
                ("A", event("messages_read", chat=CHAT, event_response_key=None)),
                ("asker A B", OLD_BECAME_READ),
            ],
            "modes": [
                ("asker", reply("getMessages", messages=[modes_message("B", OLD, OLD_TEXT)])),
                ("A B", LIVE_READ_BY_A),
            ],
            "rooms": [],
            "opcodes": [],
        },
    ),
    "read, group": Change(
        before=["group", "B has written"],
        cells={
            "actions": [("asker A B C", READ_BY_A)],
            "methods": [
                ("asker", event("messages_read", chat=CHAT, event_response_key=KEY)),
                ("A", event("messages_read", chat=CHAT, event_response_key=None)),
                ("asker A B C", OLD_BECAME_READ),
            ],
            "modes": [
                ("asker", reply("getMessages", messages=[modes_message("B", OLD, OLD_TEXT)])),
                ("A B C", LIVE_READ_BY_A),
            ],
            "rooms": [],
            "opcodes": [],
        },
    ),
    "read once more": Change(
        before=["private", "B has written", "A has read"],
        cells={
            "actions": [maybe("asker A B", READ_BY_A)],
            "methods": [
                ("asker", event("messages_read", chat=CHAT, event_response_key=KEY)),
                maybe("A", event("messages_read", chat=CHAT, event_response_key=None)),
            ],
            "modes": [
                ("asker", reply("getMessages", messages=[modes_message("B", OLD, OLD_TEXT)])),
                maybe("A B", LIVE_READ_BY_A),
            ],
            "rooms": [],
            "opcodes": [],
        },
    ),
    "typing": Change(
        before=["group"],
        cells={**NOBODY_ELSE, "actions": [("B C", notification("typing", chat_id=CHAT, user_id=Fact("A")))]},
    ),
}
