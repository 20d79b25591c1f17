"""Delivers to outgoing webhooks what is stored for them: each webhook's in order, several webhooks at once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from contextlib import suppress

from nova_outside_bots.webhooks import Delivery, Webhook, Webhooks
from nova_tornado.api import Nova, OutboundClient, OutboundError

log = logging.getLogger(__name__)

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 600.0
"""The pause before a further attempt doubles from the first to the second of these."""
ATTEMPTS_MAX_COUNT = 20
"""With the pauses, that is nearly two hours."""
AGE_MAX_S = 24 * 3600
"""What is older is not delivered any more."""
LOOK_S = 1.0
"""How often it is looked for webhooks and events that another process has stored."""
FAULT_PAUSE_S = 1.0
TIMEOUT_S = 10.0
"""For a receiver to answer."""
CLAIM_S = 3 * TIMEOUT_S
"""For so long an attempt is one process's own; if it is killed, another one tries after that."""


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The header ``Nova-Signature``: over the time and the body, so that neither can be replaced."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def backoff_s(attempts: int) -> float:
    """The pause after so many failed attempts."""
    return min(BACKOFF_FIRST_S * 2.0 ** (attempts - 1), BACKOFF_MAX_S)


class Deliverer:
    """Posts what is stored. What was not acknowledged is posted again, with the same id, also after a restart.

    Args:
        nova: the facade.
        webhooks: where it is stored.
        client: posts.
    """

    def __init__(self, nova: Nova, webhooks: Webhooks, client: OutboundClient) -> None:
        self._nova = nova
        self._webhooks = webhooks
        self._client = client
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._woken: dict[int, asyncio.Event] = {}

    def wake(self, webhook_id: int) -> None:
        """There is something to deliver."""
        if webhook_id in self._woken:
            self._woken[webhook_id].set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                try:
                    self._follow(await self._webhooks.list_all())
                except Exception as error:
                    log.warning("webhooks cannot be looked up, it is tried again: %s", type(error).__name__)
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._tasks.clear()

    def _follow(self, webhooks: list[Webhook]) -> None:
        """Serve those that there are now, and no others."""
        current = {webhook.id: webhook for webhook in webhooks}
        for webhook_id in self._tasks.keys() - current.keys():
            self._tasks.pop(webhook_id).cancel()
            del self._woken[webhook_id]
        for webhook_id in current.keys() - self._tasks.keys():
            self._woken[webhook_id] = asyncio.Event()
            task = asyncio.create_task(self._serve(current[webhook_id]), name=f"webhook {webhook_id}")
            self._tasks[webhook_id] = task

    async def _serve(self, webhook: Webhook) -> None:
        woken = self._woken[webhook.id]
        while True:
            try:
                woken.clear()
                delivery = await self._webhooks.find_next(webhook)
                if delivery is not None:
                    await self._deliver(webhook, delivery)
                    continue
            except Exception as error:
                log.warning("webhook %d: a delivery failed, it is tried again: %s", webhook.id, type(error).__name__)
                await asyncio.sleep(FAULT_PAUSE_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await woken.wait()

    async def _deliver(self, webhook: Webhook, delivery: Delivery) -> None:
        """Try once, as soon as its time has come."""
        pause_us = delivery.next_us - self._nova.clock.now_us()
        if pause_us > 0:
            await asyncio.sleep(min(pause_us / 1e6, BACKOFF_MAX_S))
        if not await self._webhooks.claim(delivery, self._nova.clock.now_us() + int(CLAIM_S * 1e6)):
            await asyncio.sleep(LOOK_S)  # another process is at it
            return
        try:
            await self._try(webhook, delivery)
        except asyncio.CancelledError:
            await self._webhooks.release(delivery)
            raise

    async def _try(self, webhook: Webhook, delivery: Delivery) -> None:
        age_s = (self._nova.clock.now_us() - delivery.created_us) / 1e6
        if age_s > AGE_MAX_S:
            attempts, failure, is_final = delivery.attempts, f"it is {age_s / 3600:.0f} hours old", True
        else:
            attempts = delivery.attempts + 1
            failure, is_final = await self._post(webhook, delivery)
        if not failure:
            await self._webhooks.discard(delivery)
        elif is_final or attempts >= ATTEMPTS_MAX_COUNT:
            log.warning(
                "webhook %d: delivery %d (%s) is dropped after %d attempts: %s",
                *(webhook.id, delivery.id, delivery.event, attempts, failure),
            )
            await self._webhooks.discard(delivery)
        else:
            await self._webhooks.postpone(delivery, self._nova.clock.now_us() + int(backoff_s(attempts) * 1e6))

    async def _post(self, webhook: Webhook, delivery: Delivery) -> tuple[str, bool]:
        """Why it was not delivered ("" if it was), and whether trying again is of no use."""
        timestamp = str(self._nova.clock.now_us() // 1_000_000)
        headers = {
            "Nova-Event": delivery.event,
            "Nova-Delivery": str(delivery.id),
            "Nova-Timestamp": timestamp,
            "Nova-Signature": sign(webhook.secret, timestamp, delivery.body),
        }
        try:
            # Only the status counts: the rest of the answer is not even read.
            async with self._client.stream_lines(webhook.url, delivery.body, headers) as answer:
                return ("", False) if 200 <= answer.status < 300 else (f"the answer was {answer.status}", False)
        except OutboundError as error:
            return error.message, error.is_refused
