"""The structs of the methods protocol, as its tests expect them."""

import re

TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def check_user(user, role=None):
    """A User, maybe with that role."""
    assert user.keys() == {"pk", "email", "first_name", "last_name", "photo", "color", "role"}
    assert type(user["pk"]) is int
    assert all(isinstance(user[key], str) for key in user.keys() - {"pk"})
    assert re.fullmatch(r"#[0-9a-f]{6}", user["color"]) and user["first_name"]
    assert user["role"] in ((role,) if role else ("Owner", "Admin", "Member"))


def check_chat(chat, members=None, title=None):
    """A Chat; ``members`` by id, each with the role, in order."""
    assert chat.keys() == {"id", "users", "title", "created_at", "updated_at"}
    assert type(chat["id"]) is int and chat["title"] == title
    assert TIME.fullmatch(chat["created_at"]) and TIME.fullmatch(chat["updated_at"])
    assert chat["created_at"] <= chat["updated_at"]
    for user in chat["users"]:
        check_user(user)
    if members is not None:
        assert [(user["pk"], user["role"]) for user in chat["users"]] == list(members.items())


def check_message(message, chat_id, author_id, text, **more):
    """A Message; ``more`` are expected values of further fields."""
    assert message.keys() == {
        "id", "chat", "user", "attached_files", "text", "created_at", "updated_at", "is_read", "is_deleted"
    }  # fmt: skip
    check_user(message["user"])
    assert TIME.fullmatch(message["created_at"]) and TIME.fullmatch(message["updated_at"])
    expected = {"chat": chat_id, "text": text, "is_read": False, "is_deleted": False, **more}
    assert {key: message[key] for key in expected} == expected
    assert message["user"]["pk"] == author_id and type(message["id"]) is int
    for file in message["attached_files"]:
        assert file.keys() == {"id", "name", "file", "created_at"}
        assert type(file["id"]) is int and file["file"].startswith("http") and TIME.fullmatch(file["created_at"])
