"""Redis between the processes of one Nova: plain publish and subscribe, and nothing that Redis would have to keep.

Source: https://redis.io/docs/latest/develop/pubsub/
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from nova_tornado.realtime.transport import Receive, Recovered

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
OPEN_WAIT_S = 2.0
"""How long the start waits for Redis; then Nova begins without it."""
RETRY_FIRST_S = 0.2
RETRY_MAX_S = 2.0
PING_INTERVAL_S = 1.0
SILENT_S = 3.0
"""A connection on which not even a ping is answered for so long is given up."""
WAITING_MAX_MESSAGES = 10_000
"""What may wait to be sent; what comes on top of it is lost."""
WAITING_MAX_BYTES = 16 * 1024 * 1024
BATCH_MAX_MESSAGES = 500
HELLO_CHANNEL = "nova:hello"
FAILURES: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)


class RedisTransport:
    """Carries messages through a Redis, or any node of a Redis Cluster (which passes them on to the others).

    Args:
        uri: ``redis://``, ``rediss://`` (TLS) or ``unix://``.
    """

    def __init__(self, uri: str) -> None:
        self.is_connected = False
        self._uri = uri
        self._channels: set[str] = set()
        self._changes: list[tuple[bool, str]] = []
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._waiting_bytes = 0
        self._has_work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closing = False
        self._heard_at_s = 0.0
        self._receive: Receive
        self._recovered: Recovered

    async def open(self, receive: Receive, recovered: Recovered) -> None:
        """Connect; without success begin all the same, and go on trying."""
        self._receive, self._recovered = receive, recovered
        connected = asyncio.Event()
        self._tasks = [asyncio.create_task(self._run(connected), name="redis")]
        with suppress(TimeoutError):
            async with asyncio.timeout(OPEN_WAIT_S):
                await connected.wait()

    def publish(self, channel: str, payload: bytes) -> None:
        """Send with what else is sent in this turn of the event loop."""
        if not self.is_connected:
            return  # it would come too late to be of use
        if len(self._waiting) >= WAITING_MAX_MESSAGES or self._waiting_bytes + len(payload) > WAITING_MAX_BYTES:
            return
        self._waiting.append((channel, payload))
        self._waiting_bytes += len(payload)
        self._has_work.set()

    def subscribe(self, channels: Iterable[str]) -> None:
        """Receive what is sent on those channels."""
        for channel in channels:
            self._channels.add(channel)
            self._changes.append((True, channel))
        self._has_work.set()

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Receive it no more."""
        for channel in channels:
            self._channels.discard(channel)
            self._changes.append((False, channel))
        self._has_work.set()

    async def close(self) -> None:
        """Send what was published, then disconnect."""
        self._is_closing = True
        self._has_work.set()
        if self.is_connected and self._waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.is_connected = False

    # The connection

    async def _run(self, connected: asyncio.Event) -> None:
        """Keep a connection for as long as this is open."""
        pause_s = RETRY_FIRST_S
        is_first, has_warned = True, False
        while not self._is_closing:
            client: Redis = Redis.from_url(self._uri, socket_timeout=CONNECT_TIMEOUT_S, retry=Retry(NoBackoff(), 0))
            pubsub = client.pubsub()
            try:
                # Whoever may not publish learns it here: later on nothing is answered.
                await client.publish(HELLO_CHANNEL, b"")
                await pubsub.connect()  # type: ignore[no-untyped-call]
                if self._channels:
                    await pubsub.subscribe(*self._channels)
                self._changes.clear()
                self.is_connected = True
                connected.set()
                if has_warned:
                    log.info("Redis is there again")
                if not is_first:
                    self._recovered()
                pause_s, is_first, has_warned = RETRY_FIRST_S, False, False
                await self._serve(client, pubsub)
            except FAILURES as error:
                if not has_warned and not self._is_closing:
                    # Not the error's text: it may hold the URI, and with that a password.
                    log.warning(
                        "Redis cannot be reached (%s): other processes are heard of through the database, "
                        "a second later; it is tried again",
                        type(error).__name__,
                    )
                has_warned = True
                is_first = False
            finally:
                self.is_connected = False
                self._waiting.clear()
                self._waiting_bytes = 0
                for each in (pubsub, client):
                    with suppress(*FAILURES):
                        async with asyncio.timeout(CONNECT_TIMEOUT_S):
                            await each.aclose()
            if not self._is_closing:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MAX_S)

    async def _serve(self, client: Redis, pubsub: PubSub) -> None:
        """Send and receive until something fails."""
        tasks = [
            asyncio.create_task(self._listen(pubsub), name="redis: listening"),
            asyncio.create_task(self._send(client, pubsub), name="redis: sending"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, pubsub: PubSub) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message: dict[str, Any] | None = await pubsub.get_message(timeout=None)
            self._heard_at_s = loop.time()
            if message is not None and message["type"] == "message":
                self._receive(message["channel"].decode(), message["data"])

    async def _send(self, client: Redis, pubsub: PubSub) -> None:
        connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(connection.pack_command("CLIENT", "REPLY", "OFF"))
            await self._send_on(connection, pubsub)
        finally:
            await connection.disconnect(nowait=True)

    async def _send_on(self, connection: AbstractConnection, pubsub: PubSub) -> None:
        loop = asyncio.get_running_loop()
        self._heard_at_s = loop.time()
        pinged_at_s = 0.0
        while True:
            if loop.time() - pinged_at_s >= PING_INTERVAL_S:
                if loop.time() - self._heard_at_s > SILENT_S:
                    raise TimeoutError("no answer to pings")
                pinged_at_s = loop.time()
                await pubsub.ping()
            if not self._has_work.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(PING_INTERVAL_S):
                        await self._has_work.wait()
            self._has_work.clear()
            changes, self._changes = self._changes, []
            for is_wanted in (True, False):
                channels = {
                    channel
                    for was_wanted, channel in changes
                    if was_wanted is is_wanted and (channel in self._channels) is is_wanted
                }
                if channels:
                    await (pubsub.subscribe(*channels) if is_wanted else pubsub.unsubscribe(*channels))
            while self._waiting:
                commands = []
                for _ in range(min(len(self._waiting), BATCH_MAX_MESSAGES)):
                    channel, payload = self._waiting.popleft()
                    self._waiting_bytes -= len(payload)
                    commands.append(("PUBLISH", channel, payload))
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            if self._is_closing:
                return
