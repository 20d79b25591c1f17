"""Incoming webhooks: whoever knows the secret posts messages of one bot into one chat.

``outside_bot_hooks {_id, secret_hash, bot, chat, created_us}``. Only the SHA-256 of a secret is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from nova_tornado.api import CollectionSpec, Document, Index, Nova, errors, models

HOOK_ID_KIND = "outside_bot_hook"
"""Ids of incoming and outgoing webhooks are of one kind, so that one number names one of them."""
SECRET_BYTES = 32
MESSAGES_PER_MINUTE = 60
MESSAGES_BURST = 30
"""What one webhook may post, wherever it is called from."""

HOOKS = CollectionSpec(
    "outside_bot_hooks",
    (
        Index((("secret_hash", 1),), "whose secret it is", unique=True),
        Index((("chat", 1), ("bot", 1)), "they end with the chat, and with the bot's being in it"),
        Index((("bot", 1),), "those of a bot"),
    ),
)


@dataclass(frozen=True, slots=True)
class IncomingHook:
    """Who speaks where."""

    id: int
    bot_id: int
    chat_id: int


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _hook(document: Document) -> IncomingHook:
    return IncomingHook(document["_id"], document["bot"], document["chat"])


class HookUnknown(Exception):
    """There is no webhook with that secret (any more)."""


class IncomingHooks:
    """Makes incoming webhooks, and posts what comes."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._collection = nova.collection(HOOKS)
        self._buckets: dict[int, tuple[int, float]] = {}

    async def create(self, bot: models.User, chat_id: int) -> tuple[int, str]:
        """Make a webhook.

        Returns:
            Its id and its secret, which is kept nowhere.

        Raises:
            NoRight: the bot may not write.
            ChatUnknown, NotAMember: it is not in that chat.
        """
        if bot.bot_scope is not models.BotScope.WRITE:
            raise errors.NoRight(f"An incoming webhook needs a bot of the scope write, and {bot.name} is none")
        try:
            chat = await self._nova.services.chats.get_for(bot.id, chat_id)
        except errors.NotAMember:
            raise errors.NotAMember(f"{bot.name} is not in chat {chat_id}; a member takes it in first") from None
        hook_id = await self._nova.next_id(HOOK_ID_KIND)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        await self._collection.insert_one(
            {
                "_id": hook_id,
                "secret_hash": _hash(secret),
                "bot": bot.id,
                "chat": chat.id,
                "created_us": self._nova.clock.now_us(),
            }
        )
        return hook_id, secret

    async def find(self, secret: str) -> IncomingHook:
        """The webhook with that secret.

        Raises:
            HookUnknown: there is none.
            TooManyRequests: it was called too often.
        """
        document = await self._collection.find_one({"secret_hash": _hash(secret)})
        if document is None:
            raise HookUnknown
        if not self._take(document["_id"]):
            raise errors.TooManyRequests(f"A webhook may post {MESSAGES_PER_MINUTE} messages a minute, try again later")
        return _hook(document)

    def _take(self, hook_id: int) -> bool:
        now_us = self._nova.clock.now_us()
        then_us, left = self._buckets.get(hook_id, (now_us, float(MESSAGES_BURST)))
        left = min(MESSAGES_BURST, left + max(0, now_us - then_us) / 60e6 * MESSAGES_PER_MINUTE)
        is_allowed = left >= 1
        self._buckets[hook_id] = (now_us, left - is_allowed)
        return is_allowed

    async def post(self, hook: IncomingHook, text: str, client_id: str | None) -> models.Entry:
        """Send a message as the webhook's bot.

        Args:
            text: checked by ``rules.check_text``.
            client_id: the caller's own id of this message; a repeat returns the first one.

        Raises:
            HookUnknown: its chat is gone, or its bot is not in it any more; so is the webhook now.
            NovaError: what ``MessageService.send`` raises.
        """
        bot = await self._nova.services.directory.get(hook.bot_id)
        try:
            sent = await self._nova.services.messages.send(bot, hook.chat_id, text, client_id=client_id)
        except (errors.ChatUnknown, errors.NotAMember):
            await self.remove(hook.id)
            raise HookUnknown from None
        return sent.message

    async def list_of(self, bot_id: int) -> list[IncomingHook]:
        """The webhooks of a bot, by id."""
        return [_hook(document) async for document in self._collection.find({"bot": bot_id}).sort("_id", 1)]

    async def remove(self, hook_id: int) -> bool:
        """End one; whether it was there."""
        self._buckets.pop(hook_id, None)
        return bool((await self._collection.delete_one({"_id": hook_id})).deleted_count)

    async def remove_of(self, bot_id: int) -> int:
        """End those of a bot; returns how many there were."""
        return (await self._collection.delete_many({"bot": bot_id})).deleted_count

    async def remove_in(self, chat_id: int, bot_id: int | None = None) -> None:
        """End those into a chat, of one bot or of all."""
        condition: Document = {"chat": chat_id}
        if bot_id is not None:
            condition["bot"] = bot_id
        await self._collection.delete_many(condition)
