"""A device of the actions protocol that keeps what it knows while it is away, and catches up by ``resume``."""

from __future__ import annotations

import json
from typing import Any

STATES = ("user", "friends", "friend_groups", "friend_invitations", "chats")
DERIVED = ("read_users", "reply_to", "replied_by", "sender")


class Device:
    """What a client keeps: states and chats with their digests, cursors, and messages without what can be derived.

    Attributes:
        resumes: how many answers it got.
    """

    def __init__(self, person: Any) -> None:
        self.person = person
        self.socket: Any = None
        self.states: dict[str, dict[str, Any]] = {}
        self.chats: dict[int, dict[str, Any]] = {}
        self.messages: dict[int, dict[int, dict[str, Any]]] = {}
        self.users: dict[int, Any] = {}
        self.resumes = 0

    async def connect(self) -> None:
        """Come back, and catch up."""
        self.socket = await self.person.socket()
        await self.catch_up()

    async def disconnect(self) -> None:
        """Take what has come up to now, and go away."""
        await self.take_live()
        self.socket.drop()
        self.socket = None

    async def take_live(self) -> None:
        """Apply what has come up to now."""
        await self.socket.send("ping", request_id=99)
        while (packet := await self.socket.receive())["action"] != "pong":
            self.apply(packet)

    def apply(self, packet: dict[str, Any]) -> None:
        """Apply a live packet as far as it concerns messages; all the rest comes by ``resume``."""
        data = packet["data"]
        match packet["action"]:
            case "new_message" | "message_edited":
                self._put(data["message"])
            case "message_recalled":
                message = self._find(data["message_id"])
                if message is not None:
                    sender = {"sender_id": None}
                    message.update(message="Message recalled", deleted=True, reply_to_id=None, **sender)
                    message.pop("edited_at", None)
                    message.pop("files", None)
            case "message_deleted":
                message = self._find(data["message_id"])
                if message is not None:
                    message["deleted"] = True

    def _find(self, message_id: int) -> dict[str, Any] | None:
        return self.messages.get(message_id // 10**8, {}).get(message_id)

    def _put(self, struct: dict[str, Any]) -> None:
        if struct.get("reply_to"):
            self._put(struct["reply_to"])
        kept = {name: value for name, value in struct.items() if name not in DERIVED}
        kept["sender_id"] = struct["sender"]["id"]
        if kept["message"] == "Message recalled" and kept["deleted"]:
            kept["sender_id"] = None
        old = self._find(kept["message_id"])
        # A packet for everybody does not know what this user has deleted for himself.
        kept["deleted"] = kept["deleted"] or bool(old and old["deleted"])
        self.messages.setdefault(kept["chat_id"], {})[kept["message_id"]] = kept

    def request(self) -> dict[str, Any]:
        """What it knows."""
        senders = {m["sender_id"] for messages in self.messages.values() for m in messages.values()} - {None}
        return {
            "chats": [
                {"chat_id": chat_id, "cursor": chat["cursor"], "digest": chat["digest"]}
                for chat_id, chat in self.chats.items()
            ],
            "state": {name: self.states.get(name, {}).get("digest") for name in STATES},
            "users": sorted(senders),
        }

    async def catch_up(self) -> None:
        """Ask until there is no more."""
        while True:
            await self.socket.send("resume", self.request(), request_id=7)
            while (packet := await self.socket.receive())["action"] != "resumed":
                assert packet["action"] != "error", packet
                self.apply(packet)
            assert packet["request_id"] == 7
            self.resumes += 1
            await self._take(packet["data"])
            if not packet["data"]["more"] and set(self.request()["users"]) <= self.users.keys():
                return

    async def _take(self, data: dict[str, Any]) -> None:
        for chat_id in data["gone"]:
            del self.chats[chat_id]
            self.messages.pop(chat_id, None)
        self.states.update(data["state"])
        for struct in data["chats"]:
            chat_id = struct["chat_id"]
            is_new = chat_id not in self.chats
            chat = self.chats.setdefault(chat_id, {})
            assert is_new or "reset" not in struct, struct
            for name in ("cursor", "digest", "state"):
                if name in struct:
                    chat[name] = struct[name]
            for message in struct.get("messages", ()):
                self._put(message)
            if is_new:
                self.messages.pop(chat_id, None)
                for message in (await self.person.get(f"/chat/{chat_id}/messages")).data:
                    self._put(message)
        self.users.update({each["user_id"]: each["user"] for each in data.get("users", ())})

    def relations(self) -> list[dict[str, Any]]:
        """What ``GET /chat`` should answer."""
        kept = [self.chats[chat_id]["state"] for chat_id in self.states["chats"]["value"]]
        return [{name: state[name] for name in ("chat", "nickname", "unread_count")} for state in kept]

    def history(self, chat_id: int, deleted_user: Any) -> list[dict[str, Any]]:
        """What ``GET /chat/<id>/messages`` should answer."""
        state = self.chats[chat_id]["state"]
        members = {user["id"]: user for user in state["chat"]["chat_members"]}
        kept = self.messages.get(chat_id, {})

        def basic(message: dict[str, Any]) -> dict[str, Any]:
            sender_id = message["sender_id"]
            sender = deleted_user if sender_id is None else members.get(sender_id) or self.users[sender_id]
            return {**{name: value for name, value in message.items() if name != "sender_id"}, "sender": sender}

        answers: dict[int, list[dict[str, Any]]] = {}
        for message_id in sorted(kept):
            if kept[message_id]["reply_to_id"] is not None:
                answers.setdefault(kept[message_id]["reply_to_id"], []).append(basic(kept[message_id]))
        return [
            {
                **basic(kept[message_id]),
                "read_users": [
                    members[user_id] for user_id, cursor in sorted(state["read_cursors"]) if cursor >= message_id
                ],
                "reply_to": basic(kept[kept[message_id]["reply_to_id"]]) if kept[message_id]["reply_to_id"] else None,
                "replied_by": answers.get(message_id, []),
            }
            for message_id in sorted(kept, reverse=True)
        ]

    async def check(self) -> None:
        """What it knows is what a fresh client would read."""
        get = self.person.get
        fresh = {
            "user": (await get("/user")).data,
            "friends": (await get("/friend")).data,
            "friend_groups": (await get("/friend/group/list")).data,
            "friend_invitations": (await get("/friend/invitation")).data,
        }
        assert {name: self.states[name]["value"] for name in fresh} == fresh
        assert _plain(self.relations()) == _plain((await get("/chat")).data)
        assert set(self.states["chats"]["value"]) == set(self.chats)
        for chat_id in self.chats:
            history = (await get(f"/chat/{chat_id}/messages")).data
            recalled = [m["sender"] for m in history if m["message"] == "Message recalled" and m["deleted"]]
            assert _plain(self.history(chat_id, recalled[0] if recalled else None)) == _plain(history)


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1)
