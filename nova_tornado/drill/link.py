"""A person's connection: it comes back, catches up, and keeps what it was told."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from nova_tornado.clients.http import exchange
from nova_tornado.clients.protocols import CLIENTS, ProtocolClient
from nova_tornado.drill.history import Heard, Outcome, Recorder, chat_of, newest, send_of
from nova_tornado.drill.seats import SEATS, Came, Gone, Packets, Reply, Room, Said, Seat

COME_BACK_FIRST_S, COME_BACK_MAX_S = 0.05, 1.0
"""Pauses between attempts to connect; they double."""
CONNECT_LIMIT_S = 20.0
PATIENCE_S = 30.0
"""How long somebody waits for an answer before he takes his connection for dead."""
PAGE_MESSAGES = 1_000
_numbers = itertools.count(1)


class LinkLostError(Exception):
    """The connection broke, or nothing came on it for too long."""


class Link:
    """One person's connection by one protocol, over and over again.

    Args:
        protocol, user, token: who connects.
        ports: where: through the proxy, and past it.
        rooms: all chats of the drill.
        recorder: is told of every message that is heard.

    Attributes:
        mine: the chats that are his, as far as he knows.
        known: the messages of each chat that he has seen, been told of, or caught up with.
    """

    def __init__(
        self, protocol: str, user: int, token: str, port: int, rooms: Mapping[int, Room], recorder: Recorder
    ) -> None:
        self.seat: Seat = SEATS[protocol](user, token)
        self.user = user
        self.token = token
        self.port = port
        self.mine: set[int] = set()
        self.known: dict[int, set[int]] = {}
        self.last_error = ""
        self.is_ready = asyncio.Event()
        self._rooms = rooms
        self._recorder = recorder
        self._client: ProtocolClient | None = None
        self._number = 0
        self._synced: dict[int, int] = {}
        self._caught_up: set[int] = set()
        self._stays: Counter[int] = Counter()  # how often each chat was no more his: what was asked before is void
        self._to_catch_up: asyncio.Queue[int] = asyncio.Queue()
        self._waiting: tuple[tuple[int, str], asyncio.Future[Reply]] | None = None
        self._repeated: set[str] = set()
        self._all_told = asyncio.Event()

    async def keep(self) -> None:
        """Be connected, until cancelled."""
        pause_s = COME_BACK_FIRST_S
        while True:
            try:
                client = await self._open()
                tasks = [asyncio.create_task(self._listen(client)), asyncio.create_task(self._come())]
                pause_s = COME_BACK_FIRST_S
                try:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in tasks:
                        task.cancel()
                    results = await asyncio.gather(*tasks, return_exceptions=True)
                    self.last_error = next((repr(result) for result in results if isinstance(result, Exception)), "")
            except (Exception, asyncio.CancelledError) as error:
                # Whatever it is that breaks while servers die; who never comes back is told of at the end.
                self.last_error = repr(error)
                if isinstance(error, asyncio.CancelledError):
                    raise
            finally:
                self._lose()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, COME_BACK_MAX_S)

    async def _open(self) -> ProtocolClient:
        client = CLIENTS[self.seat.protocol](self.port, self.token)
        await open_in_time(client)
        self._client = client
        self._number = next(_numbers)
        async with asyncio.timeout(CONNECT_LIMIT_S):
            await client.sign_in()
        return client

    def _lose(self) -> None:
        client, self._client = self._client, None
        self.is_ready.clear()
        for chat in self._caught_up:
            self._synced[chat] = newest(self.known.get(chat, set()))
        self._caught_up.clear()
        while not self._to_catch_up.empty():
            self._to_catch_up.get_nowait()
        if self._waiting is not None and not self._waiting[1].done():
            self._waiting[1].set_exception(LinkLostError())
        if client is not None:
            client.drop()

    def drop(self) -> None:
        """Take the connection for dead."""
        if self._client is not None:
            self._client.drop()

    # Coming back

    async def _come(self) -> None:
        """Catch up with all chats, then with those that come."""
        if self._rooms:
            status, answer = await self.http("GET", "/chat")
            _expect(status)
            # He may have been taken in while he was away. Whether he was removed he learns chat by chat.
            self.mine |= self._rooms.keys() & {item["chat"]["chat_id"] for item in answer["data"]}
        for chat in sorted(self.mine):
            await self._catch_up(chat)
        self.is_ready.set()
        while True:
            await self._catch_up(await self._to_catch_up.get())

    async def _catch_up(self, chat: int) -> None:
        """Read what is missing of a chat behind the last message that is known for certain."""
        if chat not in self.mine:
            return
        if self.seat.protocol == "rooms" and not self._rooms[chat].is_private:
            status, _ = await self.http("POST", f"/http/chat_groups/{chat}", {"is_enter": True})
            if status in (403, 404):
                self.forget(chat)
                return
            _expect(status)
        after, stay = self._synced.get(chat, 0), self._stays[chat]
        # When it is ready its person asks, too, and there is one question at a time.
        if after and self.seat.can_resume and not self.is_ready.is_set():
            await self._resume(chat, after, stay)
        else:
            await self._read_behind(chat, after, stay)
        if self._is_mine(chat, stay):
            self._caught_up.add(chat)

    def _is_mine(self, chat: int, stay: int) -> bool:
        """Whether a chat has been his all the time."""
        return chat in self.mine and self._stays[chat] == stay

    async def _resume(self, chat: int, cursor: int, stay: int) -> None:
        """Catch up with a chat by the way that the protocol has for it."""
        is_over = False
        while not is_over:
            key = self.seat.new_key()
            reply = await self._exchange(self.seat.resume(chat, cursor, key), (key, ""))
            if reply.outcome is not Outcome.DONE:
                raise LinkLostError(f"resume answered {reply.reason}")
            if reply.packet.is_gone and self._is_mine(chat, stay):
                self.forget(chat)
            if not self._is_mine(chat, stay):
                return
            self.known.setdefault(chat, set()).update(reply.packet.message_ids)
            cursor, is_over = reply.packet.cursor or cursor, reply.packet.is_over

    async def _read_behind(self, chat: int, after: int, stay: int) -> None:
        """Catch up with a chat by reading its history behind a message."""
        while True:
            status, page = await self.http("GET", f"/chat/{chat}/messages?after={after}&limit={PAGE_MESSAGES}")
            if not self._is_mine(chat, stay):
                return  # removed in between
            if status in (403, 404):
                self.forget(chat)
                return
            _expect(status)
            messages = page["data"]
            self.known.setdefault(chat, set()).update(message["message_id"] for message in messages)
            if len(messages) < PAGE_MESSAGES:
                break
            after = newest([message["message_id"] for message in messages])

    def forget(self, chat: int) -> None:
        """A chat is his no more."""
        self.mine.discard(chat)
        self._stays[chat] += 1
        self.known.pop(chat, None)
        self._synced.pop(chat, None)
        self._caught_up.discard(chat)

    async def take_in(self, chat: int) -> None:
        """Begin with a chat that was made for him; returns once he has caught up with it."""
        if chat not in self.mine:
            self.mine.add(chat)
            self._to_catch_up.put_nowait(chat)
        while chat not in self._caught_up:
            await asyncio.sleep(COME_BACK_FIRST_S)

    # Hearing

    async def _listen(self, client: ProtocolClient) -> None:
        while (message := await client.connection.read_message()) is not None:
            packet = json.loads(message)
            if client.is_barrier(packet):
                self._all_told.set()
                continue
            for news in self.seat.understand(packet):
                match news:
                    case Said(message_id, sender, text):
                        self._note(message_id, sender, text)
                    case Reply():
                        self._answer(news)
                    case Gone(chat):
                        self.forget(chat)
                    case Came(chat) if chat in self._rooms and chat not in self.mine:
                        self.mine.add(chat)
                        self._to_catch_up.put_nowait(chat)
        self.last_error = f"closed with {client.connection.close_code}"

    def _note(self, message_id: int, sender: int, text: str) -> None:
        client_id, _ = send_of(text)
        is_repeat = sender == self.user and (client_id in self._repeated or not client_id)
        record = Heard(
            self._recorder.now_s(), self.user, self.seat.protocol, self._number, message_id, client_id, is_repeat
        )
        self._recorder.add(record)
        self._have(message_id)

    def _have(self, message_id: int) -> None:
        if (chat := chat_of(message_id)) in self.mine:
            self.known.setdefault(chat, set()).add(message_id)

    def _answer(self, reply: Reply) -> None:
        if self._waiting is None or self._waiting[1].done():
            return
        keys, waiter = self._waiting
        if reply.key is None or reply.key in keys:
            waiter.set_result(reply)

    # Asking

    async def ask(self, packets: Packets, key: int, client_id: str = "", *, is_repeat: bool = False) -> Reply:
        """Send a request and wait for its answer; only one may be under way.

        Raises:
            LinkLostError: there is none any more, or no answer came.
        """
        if self._client is None or not self.is_ready.is_set():
            raise LinkLostError
        if is_repeat:
            self._repeated.add(client_id)
        reply = await self._exchange(packets, (key, client_id))
        if reply.outcome is Outcome.DONE and client_id and reply.message_id:
            self._have(reply.message_id)
        return reply

    async def _exchange(self, packets: Packets, keys: tuple[int, str]) -> Reply:
        client = self._client
        if client is None:
            raise LinkLostError
        waiter: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting = (keys, waiter)
        try:
            for packet in packets:
                await client.send(packet)
            async with asyncio.timeout(PATIENCE_S):
                return await waiter
        except TimeoutError:
            self.drop()
            raise LinkLostError from None
        except LinkLostError:
            raise
        except Exception as error:
            self.drop()
            raise LinkLostError from error
        finally:
            self._waiting = None
            if waiter.done() and not waiter.cancelled():
                waiter.exception()

    async def http(self, method: str, path: str, body: Any = None, *, port: int | None = None) -> tuple[int, Any]:
        """Ask over HTTP; the status and the JSON of the answer.

        Args:
            port: another than that of the connection.
        """
        content = b"" if body is None else json.dumps(body).encode()
        lines = {
            "Host": "127.0.0.1",
            "Connection": "close",
            "Authorization": f"Bearer {self.token}",
            "Content-Length": str(len(content)),
        }
        if body is not None:
            lines["Content-Type"] = "application/json"
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        answer = await exchange(port or self.port, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        return answer.status, answer.json if answer.body else None

    async def settle(self) -> None:
        """Wait until all that was told up to now has come, and all that is to be caught up with is."""
        while True:
            await self.is_ready.wait()
            client = self._client
            self._all_told.clear()
            if client is not None:
                with suppress(Exception):  # lost again: it comes back
                    await client.send(client.barrier())
                    async with asyncio.timeout(PATIENCE_S):
                        await self._all_told.wait()
                    if self.is_ready.is_set() and self.mine <= self._caught_up:
                        return
                    continue
            self.drop()
            await asyncio.sleep(COME_BACK_FIRST_S)


async def open_in_time(client: ProtocolClient) -> None:
    """Shake hands; a handshake that takes too long is let go of, whenever it comes to its end.

    Raises:
        TimeoutError: it took too long.
    """
    opening = asyncio.ensure_future(client.open())
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            await asyncio.shield(opening)
    except BaseException:
        opening.add_done_callback(lambda done: _drop_late(client, done))
        raise


def _drop_late(client: ProtocolClient, opening: asyncio.Future[None]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        client.drop()


def _expect(status: int) -> None:
    if status != 200:
        raise LinkLostError(f"answered {status}")
