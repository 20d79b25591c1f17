"""Which protocol's client can make which change, and how; where it cannot, why."""

from __future__ import annotations

from together.makers import (
    NEW_FRIENDS,
    NEW_NAME,
    NEW_TITLE,
    PHOTO,
    Cannot,
    Http,
    Maker,
    accept_natively,
    act,
    ask,
    ask_for_token,
    call,
    decline_natively,
    make_group_natively,
    native,
    operate,
    register_by_modes,
    register_by_rooms,
    register_natively,
    rooms,
    say,
    send_file_by_methods,
    send_file_natively,
    sign_in_by_modes,
    sign_in_by_rooms,
    sign_in_natively,
    sign_out_by_modes,
    sign_out_by_rooms,
    sign_out_natively,
    system_says,
    titled,
    with_fact,
)

NO_SUCH = Cannot("the protocol has no request for it")
NATIVE_ONLY = {protocol: Cannot("only actions has it") for protocol in ("methods", "modes", "rooms", "opcodes")}
ROOMS_ONLY = {
    protocol: Cannot("only rooms has open groups, and the state of being in one")
    for protocol in ("actions", "methods", "modes", "opcodes")
}
CLOSED = Cannot("rooms lets one enter and leave open groups only, and has no request to add or remove others")
BY_FRIENDSHIP = Cannot("natively a private chat is made by a friendship")

RENAMED: dict[str, Maker] = {
    "actions": titled(NEW_TITLE, NEW_TITLE, native("PATCH", "/chat/{chat}", {"chat_name": NEW_TITLE})),
    "methods": titled(NEW_TITLE, NEW_TITLE, call("update_chat", chat="{chat}", title=NEW_TITLE)),
    "modes": titled(NEW_TITLE, NEW_TITLE, ask("editGroupChat", chat_id="{chat}", chat_name=NEW_TITLE)),
    "rooms": titled(NEW_TITLE, NEW_TITLE, rooms("PUT", "/http/chat_groups/{chat}", {"name": NEW_TITLE})),
    "opcodes": titled(NEW_TITLE, NEW_TITLE, operate(13, 2, chat_id="{chat}", chat=NEW_TITLE)),
}
SENT_TO_GROUP: dict[str, Maker] = {
    "actions": act("send_message", chat_id="chat", content="text"),
    "methods": call("send_message", chat="{chat}", text="{text}"),
    "modes": ask("sendMessage", chat_id="{chat}", content="{text}", content_type="text"),
    "rooms": say("group", chat_group_id="{chat}", message="{text}"),
    "opcodes": operate(11, 2, chat_id="{chat}", message="{text}"),
}
NOT_EDITABLE = dict.fromkeys(("methods", "modes", "rooms"), NO_SUCH)
EDITED: dict[str, Maker] = {
    **NOT_EDITABLE,
    "actions": act("edit_message", message_id="old", content="text"),
    "opcodes": operate(11, 6, chat_id="{chat}", message_id="{old}", message="{text}"),
}
DELETED_FOR_ALL: dict[str, Maker] = {
    **NOT_EDITABLE,
    "actions": act("recall_message", message_id="old"),
    "opcodes": operate(11, 7, chat_id="{chat}", message_id="{old}"),
}
READ: dict[str, Maker] = {
    "actions": act("messages_read", chat_id="chat"),
    "methods": call("read_messages", chat="{chat}"),
    "modes": ask("getMessages", chat_id="{chat}"),
    "rooms": rooms("PUT", "/http/notifications", {"chat_room_id": "{chat}"}),
    "opcodes": NO_SUCH,
}
REMOVED: dict[str, Maker] = {
    "actions": system_says("anna removed cleo from the group", native("DELETE", "/chat/{chat}/{C}")),
    "methods": call("remove_from_chat", chat="{chat}", users=["{C}"]),
    "modes": ask("editGroupChat", chat_id="{chat}", remove_members=["{C}"]),
    "rooms": CLOSED,
    "opcodes": operate(13, 2, chat_id="{chat}", remove_users=["{C}"]),
}
GROUP_DELETED: dict[str, Maker] = {
    "actions": native("DELETE", "/chat/{chat}"),
    "methods": NO_SUCH,
    "modes": ask("deleteGroupChat", chat_id="{chat}"),
    "rooms": NO_SUCH,
    "opcodes": NO_SUCH,
}
NO_ACCOUNTS = {protocol: Cannot("the protocol knows tokens only, no accounts") for protocol in ("methods", "opcodes")}
NO_FRIENDS = {protocol: Cannot("the protocol knows no friends") for protocol in ("methods", "modes", "rooms")}

MAKERS: dict[str, dict[str, Maker]] = {
    "message sent, private": {
        **SENT_TO_GROUP,
        "rooms": say("room", other_user_id="{B}", message="{text}"),
        "opcodes": operate(11, 1, chat_id="{chat}", message="{text}"),
    },
    "message sent, group": SENT_TO_GROUP,
    "message sent, which reads what was before it": SENT_TO_GROUP,
    "message sent with a file": {
        "actions": send_file_natively,
        "methods": send_file_by_methods,
        "modes": NO_SUCH,
        "rooms": NO_SUCH,
        "opcodes": NO_SUCH,
    },
    "message edited, private": EDITED,
    "message edited, group": EDITED,
    "message deleted for all, private": DELETED_FOR_ALL,
    "message deleted for all, group": DELETED_FOR_ALL,
    "message hidden for one": {
        **NATIVE_ONLY,
        "actions": with_fact("yes", True, act("recall_message", message_id="old", delete="yes")),
    },
    "read, private": READ,
    "read, group": {**READ, "rooms": Cannot("rooms has read marks of private chats only")},
    "read once more": READ,
    "typing": {**NATIVE_ONLY, "actions": act("typing", chat_id="chat")},
    "private chat made": {
        "actions": BY_FRIENDSHIP,
        "methods": call("create_chat", users=["{B}"]),
        "modes": ask("createChat", contact_value="{B}", contact_mode="id"),
        "rooms": say("room", other_user_id="{B}", message="{text}"),
        "opcodes": operate(13, 1, user_ids=["{B}"], type=1),
    },
    "group made": {
        "actions": Http(make_group_natively),
        "methods": titled(NEW_TITLE, NEW_TITLE, call("create_chat", users=["{B}", "{C}"], title=NEW_TITLE)),
        "modes": titled(NEW_TITLE, NEW_TITLE, ask("createGroupChat", chat_name=NEW_TITLE, chat_members=["{B}", "{C}"])),
        "rooms": Cannot("groups made by rooms are open"),
        "opcodes": titled(None, "anna, bert, cleo", operate(13, 1, user_ids=["{B}", "{C}"], type=2)),
    },
    "open group made": {
        **ROOMS_ONLY,
        "rooms": titled(NEW_TITLE, NEW_TITLE, rooms("POST", "/http/chat_groups", {"name": NEW_TITLE})),
    },
    "group renamed": RENAMED,
    "open group renamed": RENAMED,
    "group deleted": GROUP_DELETED,
    "open group deleted": GROUP_DELETED,
    "group with a message deleted": GROUP_DELETED,
    "private chat deleted": {
        "actions": Cannot("natively a private chat ends with the friendship"),
        "methods": NO_SUCH,
        "modes": ask("deleteChat", chat_id="{chat}"),
        "rooms": NO_SUCH,
        "opcodes": NO_SUCH,
    },
    "friendship ended": {**NATIVE_ONLY, "actions": native("DELETE", "/friend/{C}")},
    "member added": {
        "actions": system_says(
            "anna approved cleo to join the group, invited by anna",
            native("POST", "/chat/{chat}/invitation/{C}"),
        ),
        "methods": call("add_to_chat", chat="{chat}", users=["{C}"]),
        "modes": ask("editGroupChat", chat_id="{chat}", add_members=["{C}"]),
        "rooms": CLOSED,
        "opcodes": operate(13, 2, chat_id="{chat}", add_users=["{C}"]),
    },
    "member entered an open group": {
        **ROOMS_ONLY,
        "rooms": rooms("POST", "/http/chat_groups/{chat}", {"is_enter": True}),
    },
    "member entered a closed group": {
        **ROOMS_ONLY,
        "rooms": rooms("POST", "/http/chat_groups/{chat}", {"is_enter": True}),
    },
    "member is no longer in a closed group": {
        **ROOMS_ONLY,
        "rooms": rooms("POST", "/http/chat_groups/{chat}", {"is_enter": False}),
    },
    "member left an open group": {
        **ROOMS_ONLY,
        "rooms": rooms("POST", "/http/chat_groups/{chat}", {"is_enter": False}),
    },
    "member left": {
        "actions": system_says("cleo left the chat", native("DELETE", "/chat/{chat}")),
        "methods": call("remove_from_chat", chat="{chat}", users=["{C}"]),
        "modes": ask("editGroupChat", chat_id="{chat}", remove_members=["{C}"]),
        "rooms": CLOSED,
        "opcodes": operate(13, 2, chat_id="{chat}", remove_users=["{C}"]),
    },
    "member removed": REMOVED,
    "member removed from an open group": REMOVED,
    "owner left": {
        "actions": Cannot("natively a group ends when its owner leaves"),
        "methods": call("remove_from_chat", chat="{chat}", users=["{A}"]),
        "modes": ask("editGroupChat", chat_id="{chat}", remove_members=["{A}"]),
        "rooms": Cannot("the owner of an open group stays a member, and a closed one is not left by rooms"),
        "opcodes": operate(13, 2, chat_id="{chat}", remove_users=["{A}"]),
    },
    "admin made": {**NATIVE_ONLY, "actions": native("POST", "/chat/{chat}/{B}/admin", True)},
    "admin unmade": {**NATIVE_ONLY, "actions": native("POST", "/chat/{chat}/{B}/admin", False)},
    "owner handed over": {**NATIVE_ONLY, "actions": native("POST", "/chat/{chat}/set_owner", {"chat_owner": "{B}"})},
    "renamed, members added and removed at once": {
        "actions": Cannot("natively these are three requests"),
        "methods": Cannot("by methods these are three requests"),
        "modes": titled(
            NEW_TITLE,
            NEW_TITLE,
            ask(
                "editGroupChat",
                chat_id="{chat}",
                chat_name=NEW_TITLE,
                add_members=["{B}"],
                remove_members=["{C}"],
            ),
        ),
        "rooms": CLOSED,
        "opcodes": titled(
            NEW_TITLE,
            NEW_TITLE,
            operate(13, 2, chat_id="{chat}", chat=NEW_TITLE, add_users=["{B}"], remove_users=["{C}"]),
        ),
    },
    "friend asked": {
        **NO_FRIENDS,
        "actions": native("POST", "/friend/invite", {"id": "{C}", "comment": "", "source": "search"}),
        "opcodes": operate(16, 1, user_id="{C}"),
    },
    "friend asked once more": {
        **NO_FRIENDS,
        "actions": native("POST", "/friend/invite", {"id": "{C}", "comment": "again", "source": "search"}),
        "opcodes": operate(16, 1, user_id="{C}"),
    },
    "friend asked back": {
        **NO_FRIENDS,
        "actions": system_says(
            NEW_FRIENDS,
            native("POST", "/friend/invite", {"id": "{C}", "comment": "", "source": "search"}),
        ),
        "opcodes": system_says(NEW_FRIENDS, operate(16, 1, user_id="{C}")),
    },
    "friend accepted": {
        **NO_FRIENDS,
        "actions": Http(accept_natively),
        "opcodes": system_says(NEW_FRIENDS, operate(16, 2, user_id="{C}", type=1)),
    },
    "friend accepted with whom there is a chat": {
        **NO_FRIENDS,
        "actions": Http(accept_natively),
        "opcodes": system_says(NEW_FRIENDS, operate(16, 2, user_id="{C}", type=1)),
    },
    "friend declined": {
        **NO_FRIENDS,
        "actions": Http(decline_natively),
        "opcodes": operate(16, 2, user_id="{C}", type=2),
    },
    "name changed": {
        **NO_ACCOUNTS,
        "actions": with_fact("new name", NEW_NAME, native("PATCH", "/user", {"user_name": NEW_NAME})),
        "modes": with_fact("new name", NEW_NAME, ask("changeUsername", username=NEW_NAME)),
        "rooms": with_fact("new name", "Ännchen", rooms("PUT", "/http/users/profile", {"first_name": "Ännchen"})),
    },
    "photo changed": {
        **NO_ACCOUNTS,
        "actions": native("PATCH", "/user", {"avatar_url": PHOTO}),
        "modes": with_fact("photo", PHOTO, ask("setProfilePhoto", photo=PHOTO)),
        "rooms": NO_SUCH,
    },
    "account made": {
        **NO_ACCOUNTS,
        "actions": Http(register_natively),
        "modes": register_by_modes,
        "rooms": Http(register_by_rooms),
    },
    "signed in": {
        **NO_ACCOUNTS,
        "actions": Http(sign_in_natively),
        "modes": sign_in_by_modes,
        "rooms": Http(sign_in_by_rooms),
    },
    "signed out": {
        **NO_ACCOUNTS,
        "actions": Http(sign_out_natively),
        "modes": sign_out_by_modes,
        "rooms": Http(sign_out_by_rooms),
    },
    "token asked for": {**NATIVE_ONLY, "actions": Http(ask_for_token)},
    "account ended, of a member": {**NATIVE_ONLY, "actions": native("DELETE", "/user")},
    "account ended, of a friend": {**NATIVE_ONLY, "actions": native("DELETE", "/user")},
    "account ended, of an owner": {**NATIVE_ONLY, "actions": native("DELETE", "/user")},
}
