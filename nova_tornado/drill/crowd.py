"""Those who only are there: a crowd of connections, readers that do not read, and senders of rubbish."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from nova_tornado.clients.protocols import CLIENTS, ActionsClient, ProtocolClient
from nova_tornado.drill.link import open_in_time

AT_ONCE = 50
"""How many shake hands at the same time. More would not be faster, and on a busy machine all would wait too long."""
ANSWER_LIMIT_S = 60.0
LOUD_TEXT_CHARACTERS = 19_000
RUBBISH: Sequence[str | bytes] = (
    "Hello",
    "",
    "[]",
    "null",
    "{",
    "{}",
    "[" * 5_000,
    '{"a":' * 500,
    '{"action": 5, "method": 5, "mode": 5, "chat_type": 5, "op": "x", "t": []}',
    '{"action": "send_message", "data": {"chat_id": {"$ne": null}, "content": "x"}}',
    '{"method": "send_message", "args": {"chat": 1e999, "text": ["x"]}}',
    '{"mode": "sendMessage", "token": {"$gt": ""}, "chat_id": NaN}',
    '{"chat_type": "group", "chat_group_id": -1, "message": "\\ud800"}',
    '{"op": 11, "t": 2, "d": {"chat_id": 9223372036854775808, "message": "x"}}',
    '{"request_id": ' + "9" * 5_000 + "}",
    b"\x00\xff\xfe",
)
"""Frames that are refused by every protocol."""
PIECE_FRAMES = 1_000
"""After so many bad frames it is waited for the answers: on a busy machine each time takes a second."""
PIECE_TEXTS = 5
SLOW_LIMIT_S = 30.0


class Crowd:
    """Connections that are not watched closely.

    Args:
        port: of the server, past the proxy.
        tokens: of those who take part.
        size: how many connections come back in a storm.
        readers: how many do not read.
        loud: the chat in which much is said, whose members they are.
        frames: how many bad frames each protocol gets.
    """

    def __init__(
        self, port: int, tokens: Sequence[str], *, size: int, readers: int, loud: int, loud_texts: int, frames: int
    ) -> None:
        self._port = port
        self._tokens = tokens
        self._size = size
        self._readers = readers
        self._loud = loud
        self._loud_texts = loud_texts
        self._frames = frames
        self._members: list[ProtocolClient] = []

    async def close(self) -> None:
        """Let go of all."""
        for member in self._members:
            member.drop()
        self._members.clear()

    # A storm

    async def storm(self) -> str:
        """Come, lose all connections, and come back."""
        return await _apart(self._storm())

    async def _storm(self) -> str:
        await self._come()
        loop = asyncio.get_running_loop()
        await self.close()
        begin_s = loop.time()
        retries = await self._come()
        took_s = loop.time() - begin_s
        await self.close()
        return f"{self._size} came back within {took_s:.1f} s ({retries} attempts failed)"

    async def _come(self) -> int:
        gate = asyncio.Semaphore(AT_ONCE)
        tokens = itertools.islice(itertools.cycle(self._tokens), self._size)
        return sum(await asyncio.gather(*(self._come_one(token, gate) for token in tokens)))

    async def _come_one(self, token: str, gate: asyncio.Semaphore) -> int:
        for failures in itertools.count():
            async with gate:
                client = ActionsClient(self._port, token)
                try:
                    await open_in_time(client)
                    await client.send(client.barrier())
                    async with asyncio.timeout(ANSWER_LIMIT_S):
                        await client.connection.read_message()  # nobody speaks in their chat: it is the answer
                    self._members.append(client)
                    return failures
                except Exception:  # whatever breaks while servers die; it is tried again
                    with suppress(AttributeError):
                        client.drop()
            await asyncio.sleep(0.1)
        raise AssertionError

    # Who does not read

    async def read_slowly(self) -> str:
        """Open connections that are not read, and say much to them."""
        return await _apart(self._read_slowly())

    async def _read_slowly(self) -> str:
        tokens = itertools.islice(itertools.cycle(self._tokens), self._readers)
        slow: list[ProtocolClient] = [ActionsClient(self._port, token) for token in tokens]
        speaker = ActionsClient(self._port, self._tokens[0])
        try:
            await asyncio.gather(*(open_in_time(client) for client in (speaker, *slow)))
            # Nobody takes anything off, so Tornado stops reading, and the kernel keeps some 4 MiB at most.
            data = {"chat_id": self._loud, "content": "loud " * (LOUD_TEXT_CHARACTERS // 5)}
            for first in range(0, self._loud_texts, PIECE_TEXTS):
                count = min(PIECE_TEXTS, self._loud_texts - first)
                await _send_all(speaker, [{"action": "send_message", "data": data}] * count)
                await speaker.drain()
            closed = sum(await asyncio.gather(*(_is_let_go(client) for client in slow)))
            told_mib = self._loud_texts * LOUD_TEXT_CHARACTERS / 2**20
            return f"{self._readers} did not read {told_mib:.0f} MiB, {closed} were let go"
        except Exception as error:  # whatever breaks while servers die
            return f"broken off ({type(error).__name__})"
        finally:
            for client in (speaker, *slow):
                with suppress(AttributeError):  # it never was open
                    client.drop()

    # Rubbish

    async def send_rubbish(self, dice: random.Random) -> str:
        """Send what is refused; each protocol's connection must outlive it, unless another fault breaks it."""
        return await _apart(self._send_rubbish(dice))

    async def _send_rubbish(self, dice: random.Random) -> str:
        dices = [random.Random(dice.random()) for _ in CLIENTS]
        told = await asyncio.gather(*map(self._rubbish_of, CLIENTS, dices))
        return f"{self._frames} frames each: " + ", ".join(map(" ".join, zip(CLIENTS, told, strict=True)))

    async def _rubbish_of(self, name: str, dice: random.Random) -> str:
        client = CLIENTS[name](self._port, self._tokens[0])
        try:
            await open_in_time(client)
            await client.sign_in()
            for first in range(0, self._frames, PIECE_FRAMES):
                await _send_all(client, dice.choices(RUBBISH, k=min(PIECE_FRAMES, self._frames - first)))
                await client.drain()
            return "lives"
        except Exception as error:  # told in the line
            code = client.connection.close_code if hasattr(client, "connection") else None
            return f"ended ({code or type(error).__name__})"
        finally:
            with suppress(AttributeError):
                client.drop()


async def _apart(work: Coroutine[Any, Any, str]) -> str:
    """Do something on an event loop of its own: on that of the people each packet would have to wait for its turn.

    Its thread ends with the program, also where a drill is broken off.
    """
    done: Future[str] = Future()

    def run() -> None:
        try:
            result = asyncio.run(work)
        except BaseException as error:
            if not done.cancelled():
                done.set_exception(error)
        else:
            if not done.cancelled():
                done.set_result(result)

    threading.Thread(target=run, name="crowd", daemon=True).start()
    return await asyncio.wrap_future(done)


async def _send_all(client: ProtocolClient, packets: Sequence[Any]) -> None:
    """Send packets in their order; to wait for each one would take a turn of a busy event loop each time."""
    await asyncio.gather(*map(client.send, packets))


async def _is_let_go(client: ProtocolClient) -> bool:
    """Read what has come; whether it ends. The close code does not always find room behind it."""
    try:
        async with asyncio.timeout(SLOW_LIMIT_S):
            while await client.connection.read_message() is not None:
                pass
    except TimeoutError:
        return False
    return True
