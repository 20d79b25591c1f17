"""Who must be silent in a chat, and until when.

``chat_mutes {_id, chat, user, until_us, muted_us, rule_name}``. Who leaves and comes back is muted still.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from nova_message_filters.managed import get_managed
from nova_tornado.api import CollectionSpec, Event, Index, Nova, errors, models

CHAT_MUTES = CollectionSpec(
    "chat_mutes",
    (
        Index((("chat", 1), ("user", 1)), "one mute a user and chat", unique=True),
        Index((("user", 1),), "drop those of a deleted account"),
        Index((("until_us", 1),), "those that last still, at the start"),
    ),
)


@dataclass(frozen=True, slots=True)
class MuteChanged(Event):
    """Who is muted in a chat has changed; told to the other processes.

    Attributes:
        user_id: whose mute; None: everybody's.
        until_us: 0: it is over.
        process: where it was changed.
    """

    chat_id: int
    user_id: int | None
    until_us: int
    process: str


class MuteUnknown(errors.BadField):
    """That user is not muted in the chat."""

    def __init__(self) -> None:
        super().__init__("User is not muted")


@dataclass(frozen=True, slots=True)
class Mute:
    """A user who must be silent in a chat."""

    user: models.User
    until_us: int
    muted_us: int
    rule_name: str


class Mutes:
    """Mutes, lists and lifts; knows in memory who is muted."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._collection = nova.collection(CHAT_MUTES)
        self._until_us: dict[tuple[int, int], int] = {}
        self._process = secrets.token_hex(8)

    async def open(self) -> None:
        """Find out who is muted; drop what is over."""
        now_us = self._nova.clock.now_us()
        await self._collection.delete_many({"until_us": {"$lte": now_us}})
        async for document in self._collection.find({}, {"chat": 1, "user": 1, "until_us": 1}):
            self._until_us.setdefault((document["chat"], document["user"]), document["until_us"])

    async def reopen(self) -> None:
        """Other processes may have muted anybody, or lifted any mute."""
        now_us = self._nova.clock.now_us()
        found = self._collection.find({"until_us": {"$gt": now_us}}, {"chat": 1, "user": 1, "until_us": 1})
        self._until_us = {(each["chat"], each["user"]): each["until_us"] async for each in found}

    def note_changed(self, changed: MuteChanged) -> None:
        """A mute has changed; here, or in another process."""
        if changed.process == self._process:
            return
        if changed.until_us and changed.user_id is not None:
            key = (changed.chat_id, changed.user_id)
            self._until_us[key] = max(changed.until_us, self._until_us.get(key, 0))
        else:
            self._drop(changed.chat_id, changed.user_id)

    def _drop(self, chat_id: int, user_id: int | None) -> None:
        for key in [key for key in self._until_us if key[0] == chat_id and user_id in (None, key[1])]:
            del self._until_us[key]

    def may_concern(self, chat_id: int, user_id: int) -> bool:
        """Whether a user is or was muted in a chat."""
        return (chat_id, user_id) in self._until_us

    def left_us(self, chat_id: int, user_id: int) -> int:
        """How long a user is muted in a chat still; 0 if he is not."""
        until_us = self._until_us.get((chat_id, user_id))
        if until_us is None:
            return 0
        left_us = until_us - self._nova.clock.now_us()
        if left_us <= 0:
            del self._until_us[chat_id, user_id]
        return max(0, left_us)

    async def mute(self, chat: models.Chat, user: models.User, duration_s: int, rule_name: str) -> None:
        """Mute a user from now on; in force at once, stored when this returns."""
        now_us = self._nova.clock.now_us()
        until_us = max(now_us + duration_s * 1_000_000, self._until_us.get((chat.id, user.id), 0))
        self._until_us[chat.id, user.id] = until_us
        self._nova.publish(MuteChanged(chat.id, user.id, until_us, self._process))
        key = {"chat": chat.id, "user": user.id}
        values = {"until_us": until_us, "muted_us": now_us, "rule_name": rule_name}
        mute_id = await self._nova.next_id("chat_mute")
        await self._collection.update_one(key, {"$set": values, "$setOnInsert": {"_id": mute_id}}, upsert=True)
        await self._collection.delete_many({"chat": chat.id, "until_us": {"$lte": now_us}})

    async def list_of(self, caller: models.User, chat_id: int) -> list[Mute]:
        """Who is muted in a group, by the time when it ends.

        Raises:
            ChatUnknown, PrivateChat, NoRight: not for the caller.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        condition = {"chat": chat.id, "until_us": {"$gt": self._nova.clock.now_us()}}
        documents = await self._collection.find(condition).sort([("until_us", 1), ("_id", 1)]).to_list(None)
        users = await self._nova.services.directory.load({document["user"] for document in documents})
        return [
            Mute(users[each["user"]], each["until_us"], each["muted_us"], each["rule_name"])
            for each in documents
            if users[each["user"]].id == each["user"]
        ]

    async def lift(self, caller: models.User, chat_id: int, user_id: int | None) -> None:
        """Let a user speak again, or (None) all.

        Raises:
            ChatUnknown, PrivateChat, NoRight, MuteUnknown: nothing was changed; looked at in this order.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        condition = {"chat": chat.id, **({} if user_id is None else {"user": user_id})}
        was_muted = user_id is None or self.left_us(chat.id, user_id) > 0
        await self._collection.delete_many(condition)
        self._drop(chat.id, user_id)
        self._nova.publish(MuteChanged(chat.id, user_id, 0, self._process))
        if not was_muted:
            raise MuteUnknown

    async def forget_chat(self, chat_id: int) -> None:
        """The chat is gone."""
        await self._collection.delete_many({"chat": chat_id})
        for key in [key for key in self._until_us if key[0] == chat_id]:
            del self._until_us[key]

    async def forget_user(self, user_id: int) -> None:
        """The account is gone."""
        await self._collection.delete_many({"user": user_id})
        for key in [key for key in self._until_us if key[1] == user_id]:
            del self._until_us[key]
