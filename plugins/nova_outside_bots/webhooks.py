"""Outgoing webhooks: what happens in a bot's chats is stored for delivery.

``outside_bot_webhooks {_id, bot, url, events, secret, created_us}``; the secret, which signs, is kept as it is.
``outside_bot_deliveries {_id, webhook, event, body, created_us, attempts, next_us, claimed_until_us?}``: what is still
to be delivered; claimed by the process that is just trying.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from nova_outside_bots import news
from nova_outside_bots.incoming import HOOK_ID_KIND
from nova_tornado.api import (
    CollectionSpec,
    Document,
    Event,
    Index,
    Nova,
    OutboundClient,
    OutboundError,
    dumps,
    errors,
    events,
    hearing_of,
    models,
)

log = logging.getLogger(__name__)

SECRET_BYTES = 32
KNOWN_FOR_S = 1.0
"""How long the list of webhooks is not looked up again: commands in other processes change it."""
WAITING_MAX_COUNT = 10_000
"""What may wait for one receiver; what comes on top of it is dropped."""

WEBHOOKS = CollectionSpec("outside_bot_webhooks", (Index((("bot", 1),), "those of a bot"),))
DELIVERIES = CollectionSpec(
    "outside_bot_deliveries", (Index((("webhook", 1), ("_id", 1)), "what is to be delivered next"),)
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who wants to be told of what, and where.

    Attributes:
        events: their names, as ``news`` has them.
        secret: signs what is sent.
    """

    id: int
    bot_id: int
    url: str
    events: tuple[str, ...]
    secret: str

    @property
    def host(self) -> str:
        """Where it leads, without the rest of the URL, which may hold a secret."""
        return urlsplit(self.url).netloc

    def __repr__(self) -> str:
        """Without the secret, and without the URL, which may hold one."""
        return f"webhook {self.id}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that a webhook is to be told.

    Attributes:
        body: JSON, as it is signed and sent.
        attempts: how often it was tried.
        next_us: not to be tried before then.
    """

    id: int
    event: str
    body: bytes
    created_us: int
    attempts: int
    next_us: int


def _webhook(document: Document) -> Webhook:
    return Webhook(document["_id"], document["bot"], document["url"], tuple(document["events"]), document["secret"])


class Webhooks:
    """Makes outgoing webhooks and keeps what is to be delivered."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._collection = nova.collection(WEBHOOKS)
        self._deliveries = nova.collection(DELIVERIES)

    async def create(self, bot: models.User, url: str, wanted: Sequence[str]) -> Webhook:
        """Make a webhook.

        Args:
            wanted: names of events; none for all that the bot can be told of.

        Raises:
            BadField: an event that there is not, or that the bot is not told of; a URL that cannot be asked.
        """
        assert bot.bot_scope is not None
        possible = news.EVENTS_OF_SCOPE[bot.bot_scope]
        for name in wanted:
            if name not in possible:
                raise errors.BadField(f"{bot.name} cannot be told of {name!r}, but of {', '.join(possible)}")
        try:
            OutboundClient.check_url(url)
        except OutboundError as error:
            raise errors.BadField(error.message) from None
        webhook = Webhook(
            await self._nova.next_id(HOOK_ID_KIND),
            bot.id,
            url,
            tuple(name for name in possible if not wanted or name in wanted),
            secrets.token_urlsafe(SECRET_BYTES),
        )
        await self._collection.insert_one(
            {
                "_id": webhook.id,
                "bot": bot.id,
                "url": url,
                "events": list(webhook.events),
                "secret": webhook.secret,
                "created_us": self._nova.clock.now_us(),
            }
        )
        return webhook

    async def list_all(self) -> list[Webhook]:
        """All webhooks, by id."""
        return [_webhook(document) async for document in self._collection.find().sort("_id", 1)]

    async def list_of(self, bot_id: int) -> list[Webhook]:
        """The webhooks of a bot, by id."""
        return [_webhook(document) async for document in self._collection.find({"bot": bot_id}).sort("_id", 1)]

    async def remove(self, webhook_id: int) -> bool:
        """End one, with what it was still to be told; whether it was there."""
        was_there = bool((await self._collection.delete_one({"_id": webhook_id})).deleted_count)
        await self._deliveries.delete_many({"webhook": webhook_id})
        return was_there

    async def remove_of(self, bot_id: int) -> int:
        """End those of a bot; returns how many there were."""
        removed = await self.list_of(bot_id)
        for webhook in removed:
            await self.remove(webhook.id)
        return len(removed)

    # What is to be delivered

    async def store(self, webhook: Webhook, event: str, fields: Document, chat: models.Chat) -> bool:
        """Keep something for delivery; False if too much waits already."""
        waiting = await self._deliveries.count_documents({"webhook": webhook.id}, limit=WAITING_MAX_COUNT)
        if waiting >= WAITING_MAX_COUNT:
            return False
        delivery_id = await self._nova.next_id("outside_bot_delivery")
        now_us = self._nova.clock.now_us()
        body = {
            "event": event,
            "delivery": delivery_id,
            "time": now_us / 1e6,
            "bot_id": webhook.bot_id,
            "chat": news.chat_struct(chat),
            **fields,
        }
        await self._deliveries.insert_one(
            {
                "_id": delivery_id,
                "webhook": webhook.id,
                "event": event,
                "body": dumps(body),
                "created_us": now_us,
                "attempts": 0,
                "next_us": 0,
            }
        )
        return True

    async def drop_orphans(self) -> None:
        """Remove what was stored for webhooks that were being removed at that moment."""
        ids = [webhook.id for webhook in await self.list_all()]
        await self._deliveries.delete_many({"webhook": {"$nin": ids}})

    async def find_next(self, webhook: Webhook) -> Delivery | None:
        """What a webhook is to be told next."""
        document = await self._deliveries.find_one({"webhook": webhook.id}, sort=[("_id", 1)])
        if document is None:
            return None
        names = ("event", "body", "created_us", "attempts", "next_us")
        return Delivery(document["_id"], *(document[name] for name in names))

    async def claim(self, delivery: Delivery, until_us: int) -> bool:
        """Take one attempt upon oneself, among several processes; False if another one has, or had."""
        is_free = [{"claimed_until_us": {"$exists": False}}, {"claimed_until_us": {"$lte": self._nova.clock.now_us()}}]
        claimed = await self._deliveries.update_one(
            {"_id": delivery.id, "attempts": delivery.attempts, "$or": is_free},
            {"$set": {"claimed_until_us": until_us}},
        )
        return claimed.modified_count == 1

    async def release(self, delivery: Delivery) -> None:
        """The attempt was not made."""
        await self._deliveries.update_one({"_id": delivery.id}, {"$unset": {"claimed_until_us": ""}})

    async def postpone(self, delivery: Delivery, next_us: int) -> None:
        """Try again later."""
        set_ = {"attempts": delivery.attempts + 1, "next_us": next_us}
        changes = {"$set": set_, "$unset": {"claimed_until_us": ""}}
        await self._deliveries.update_one({"_id": delivery.id}, changes)

    async def discard(self, delivery: Delivery) -> None:
        """It is delivered, or given up."""
        await self._deliveries.delete_one({"_id": delivery.id})


class Reporter:
    """Stores for delivery what happens in the chats of bots with webhooks (a subscriber).

    Args:
        nova: the facade.
        webhooks: where it is stored.
        wake: called with a webhook's id when there is something to deliver.
    """

    def __init__(self, nova: Nova, webhooks: Webhooks, wake: Callable[[int], None]) -> None:
        self._nova = nova
        self._webhooks = webhooks
        self._wake = wake
        self._known: list[Webhook] = []
        self._known_at_s = float("-inf")
        self._full: set[int] = set()

    async def on_event(self, event: Event) -> None:
        """One thing that happened."""
        if not isinstance(event, events.ChatEvent):
            return
        concerned = [webhook for webhook in await self._list() if news.concerns(event, webhook.bot_id)]
        told = news.describe(event) if concerned else None
        if told is None:
            return
        name, fields, actor_id = told
        for webhook in concerned:
            # A bot is not told of what it has done itself: it would answer its own answers.
            if name in webhook.events and actor_id != webhook.bot_id and await self._hears(webhook.bot_id, event):
                await self._store(webhook, name, fields, event.chat)

    async def _list(self) -> list[Webhook]:
        now_s = time.monotonic()
        if now_s - self._known_at_s >= KNOWN_FOR_S:
            self._known = await self._webhooks.list_all()
            self._known_at_s = now_s
        return self._known

    async def _hears(self, bot_id: int, event: Event) -> bool:
        bot = await self._nova.services.directory.get(bot_id)
        hears = hearing_of(bot)
        return bot.id == bot_id and (hears is None or hears(event))

    async def _store(self, webhook: Webhook, name: str, fields: Document, chat: models.Chat) -> None:
        if await self._webhooks.store(webhook, name, fields, chat):
            self._full.discard(webhook.id)
            self._wake(webhook.id)
        elif webhook.id not in self._full:
            self._full.add(webhook.id)
            log.warning("webhook %d: more than %d events wait, further ones are dropped", webhook.id, WAITING_MAX_COUNT)
