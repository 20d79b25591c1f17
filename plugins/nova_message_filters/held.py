"""Messages that wait for the owner's or an admin's approval.

``held_messages {_id, chat, sender, text, content_type, reply_to?, client_id?, send_key, rule_name, held_us,
approving_us?}``. A held message is sent under ``client_id``, or, where the sender gave none, under ``send_key``: so it
is sent once, whoever approves it how often, and across crashes.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_message_filters.managed import get_managed
from nova_tornado.api import (
    CollectionSpec,
    Document,
    DuplicateKeyError,
    Index,
    Nova,
    OutgoingMessage,
    errors,
    events,
    models,
    native_packets,
)

HELD_MAX_PER_CHAT = 500
HELD_MAX_PER_SENDER = 20
"""In one chat."""

HELD_MESSAGES = CollectionSpec(
    "held_messages",
    (
        Index((("chat", 1), ("sender", 1)), "what waits in a chat, and how much of it is one sender's"),
        Index((("sender", 1),), "drop those of a deleted account"),
        Index(
            (("sender", 1), ("client_id", 1)),
            "a repeated send is held once",
            unique=True,
            where={"client_id": {"$exists": True}},
        ),
    ),
)


class HeldUnknown(errors.BadField):
    """No message with that id waits in the chat."""

    def __init__(self) -> None:
        super().__init__("Held message not found")


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that waits.

    Attributes:
        rule_name: of the rule that holds it.
    """

    id: int
    chat_id: int
    sender: models.User
    text: str
    content_type: str
    reply_to: int | None
    client_id: str | None
    rule_name: str
    held_us: int

    def struct(self) -> dict[str, Any]:
        """The struct HeldMessage of the native protocol."""
        return {
            "held_id": self.id,
            "chat_id": self.chat_id,
            "sender": native_packets.user_basic(self.sender),
            "message": self.text,
            "reply_to_id": self.reply_to,
            "client_message_id": self.client_id,
            "rule_name": self.rule_name,
            "held_at": self.held_us / 1e6,
        }


def _held(document: Document, users: Mapping[int, models.User]) -> HeldMessage:
    return HeldMessage(
        document["_id"],
        document["chat"],
        users[document["sender"]],
        document["text"],
        document["content_type"],
        document.get("reply_to"),
        document.get("client_id"),
        document["rule_name"],
        document["held_us"],
    )


class HeldMessages:
    """Holds, lists, approves and declines."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._services = nova.services
        self._collection = nova.collection(HELD_MESSAGES)
        self._under_way: Counter[int | tuple[int, int]] = Counter()  # by chat, and by chat and sender

    async def hold(self, message: OutgoingMessage, rule_name: str) -> None:
        """Keep a message for the managers of its group, and tell them; one that is kept already is kept once.

        Raises:
            MessageRefused: too many wait, or another one waits under the same client id.
        """
        keys = (message.chat.id, (message.chat.id, message.sender.id))
        of_chat, of_sender = (self._under_way[key] for key in keys)
        self._under_way.update(keys)
        try:
            await self._hold(message, rule_name, of_chat, of_sender)
        finally:
            self._under_way.subtract(keys)
            for key in keys:
                if not self._under_way[key]:
                    del self._under_way[key]

    async def _hold(self, message: OutgoingMessage, rule_name: str, of_chat: int, of_sender: int) -> None:
        chat, sender = message.chat, message.sender
        if message.client_id is not None and await self._is_held(message):
            return
        of_chat += await self._collection.count_documents({"chat": chat.id})
        of_sender += await self._collection.count_documents({"chat": chat.id, "sender": sender.id})
        if of_chat >= HELD_MAX_PER_CHAT or of_sender >= HELD_MAX_PER_SENDER:
            raise errors.MessageRefused("Too many messages wait for approval, try again later")
        document: Document = {
            "_id": await self._nova.next_id("held_message"),
            "chat": chat.id,
            "sender": sender.id,
            "text": message.text,
            "content_type": message.content_type,
            "send_key": f"held-{secrets.token_hex(16)}",
            "rule_name": rule_name,
            "held_us": self._nova.clock.now_us(),
        }
        if message.reply_to is not None:
            document["reply_to"] = message.reply_to
        if message.client_id is not None:
            document["client_id"] = message.client_id
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            await self._is_held(message)  # by the same request, made twice at the same moment
            return
        struct = _held(document, {sender.id: sender}).struct()
        self._nova.publish(events.Notice(tuple(chat.manager_ids), "message_held", {"held": struct}))

    async def _is_held(self, message: OutgoingMessage) -> bool:
        first = await self._collection.find_one({"sender": message.sender.id, "client_id": message.client_id})
        if first is None:
            return False
        if (first["chat"], first["text"]) != (message.chat.id, message.text):
            raise errors.MessageRefused("Another message with this client_message_id waits for approval")
        return True

    async def list_of(self, caller: models.User, chat_id: int) -> list[HeldMessage]:
        """What waits in a group, the oldest first; what its authors can send no more is left out.

        Raises:
            ChatUnknown, PrivateChat, NoRight: not for the caller.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        documents = await self._collection.find({"chat": chat.id}).sort("_id", 1).to_list(None)
        users = await self._services.directory.load({document["sender"] for document in documents})
        return [_held(each, users) for each in documents if each["sender"] in chat.members]

    async def approve(self, caller: models.User, chat_id: int, held_id: int) -> models.Entry:
        """Send a held message as its author's.

        Returns:
            The message; the same one where two approve at the same moment.

        Raises:
            ChatUnknown, PrivateChat, NoRight, HeldUnknown: nothing was changed; looked at in this order.
            UserUnknown: the author has left; the message is gone.
            NovaError: it cannot be sent (what it answers is gone, say), and waits still.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        key = {"_id": held_id, "chat": chat.id}
        document = await self._collection.find_one_and_update(
            key, {"$set": {"approving_us": self._nova.clock.now_us()}}
        )
        if document is None:
            raise HeldUnknown
        sender = await self._services.directory.get(document["sender"])
        if sender.id != document["sender"] or sender.id not in chat.members:
            await self._collection.delete_one(key)
            raise errors.UserUnknown("The sender is not in the chat any more")
        held = _held(document, {sender.id: sender})
        try:
            sent = await self._services.messages.send(
                sender,
                chat.id,
                held.text,
                reply_to=held.reply_to,
                client_id=held.client_id or document["send_key"],
                content_type=held.content_type,
                is_filtered=False,
            )
        except errors.OutcomeUnknown:
            raise  # it may have been sent: it can be approved again, and not declined
        except errors.NovaError:
            await self._collection.update_one(key, {"$unset": {"approving_us": ""}})
            raise
        if (await self._collection.delete_one(key)).deleted_count:
            data: dict[str, Any] = {"chat_id": chat.id, "held_id": held.id, "message_id": sent.message.id}
            data["client_message_id"] = held.client_id
            self._nova.publish(events.Notice((sender.id,), "message_approved", data))
        return sent.message

    async def decline(self, caller: models.User, chat_id: int, held_id: int) -> None:
        """Drop a held message.

        Raises:
            ChatUnknown, PrivateChat, NoRight, HeldUnknown: nothing was changed; looked at in this order.
            NothingToChange: somebody approves it at this moment.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        key = {"_id": held_id, "chat": chat.id}
        document = await self._collection.find_one_and_delete({**key, "approving_us": {"$exists": False}})
        if document is None:
            if await self._collection.find_one(key, {"_id": 1}) is not None:
                raise errors.NothingToChange("The message is being approved")
            raise HeldUnknown
        sender_id = document["sender"]
        data = {"chat_id": chat.id, "held_id": held_id, "client_message_id": document.get("client_id")}
        self._nova.publish(events.Notice((sender_id,), "message_declined", data))

    async def forget_chat(self, chat_id: int) -> None:
        """The chat is gone."""
        await self._collection.delete_many({"chat": chat_id})

    async def forget_member(self, chat_id: int, user_id: int) -> None:
        """A member has left: nothing can be sent for him."""
        await self._collection.delete_many({"chat": chat_id, "sender": user_id})

    async def forget_user(self, user_id: int) -> None:
        """The account is gone."""
        await self._collection.delete_many({"sender": user_id})
