"""What the running server does for bots from outside: befriends, closes what was revoked, delivers, tidies up."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from types import TracebackType
from typing import Self

from nova_outside_bots.delivery import TIMEOUT_S, Deliverer
from nova_outside_bots.registry import REVOCATIONS, Registry
from nova_outside_bots.webhooks import Reporter
from nova_tornado.api import Event, Nova, OutboundClient, errors, events, models, unbound

log = logging.getLogger(__name__)

WATCH_S = 1.0
"""How often it is looked for what commands have revoked: so long may a socket outlive its token."""


class Keeper:
    """A subscriber, and a lifespan.

    Attributes:
        registry: the bots.
    """

    event_types = (events.ChatEvent, events.FriendRequested)

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self.registry = Registry(nova)
        client = OutboundClient(allow_private=nova.settings["allow_private"], total_timeout_s=TIMEOUT_S)
        self._deliverer = Deliverer(nova, self.registry.webhooks, client)
        self._reporter = Reporter(nova, self.registry.webhooks, self._deliverer.wake)
        self._revocations = nova.collection(REVOCATIONS)
        self._closed: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def on_event(self, event: Event) -> None:
        """One thing that happened."""
        await self._reporter.on_event(event)
        match event:
            case events.FriendRequested(asker, asked) if asked.bot_scope is not None:
                await self._befriend(asked, asker.id)
            case events.MemberRemoved(chat, user_id):
                if user_id not in chat.members:
                    await self.registry.hooks.remove_in(chat.id, user_id)
            case events.ChatDeleted(chat):
                await self.registry.hooks.remove_in(chat.id)

    async def _befriend(self, bot: models.User, asker_id: int) -> None:
        """Bots are everybody's friends."""
        with suppress(errors.InvitationUnknown):  # it was answered already, or the asker is gone
            await self._nova.services.friends.answer(unbound(bot), asker_id, is_accepted=True)

    async def __aenter__(self) -> Self:
        """Catch up with what happened while no server ran, and begin."""
        friends = self._nova.services.friends
        for record in await self.registry.list():
            for received in await friends.list_received(record.user):
                await self._befriend(record.user, received.sender.id)
        await self.registry.webhooks.drop_orphans()
        self._tasks = [
            asyncio.create_task(self._watch(), name="revoked bots"),
            asyncio.create_task(self._deliverer.run(), name="webhooks"),
        ]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop; what is not delivered is delivered after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self) -> None:
        """Close the sockets of what was revoked by another process."""
        while True:
            try:
                found = {document["_id"]: document async for document in self._revocations.find()}
                for revocation_id in found.keys() - self._closed:
                    document = found[revocation_id]
                    self._nova.publish(events.SessionsEnded(document["user"], frozenset(document["sessions"])))
                self._closed = set(found)
            except Exception as error:
                log.warning("revoked tokens cannot be looked up, it is tried again: %s", type(error).__name__)
            await asyncio.sleep(WATCH_S)
