"""A real HTTP server on this machine that answers what a test has laid out, byte by byte."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

from people import WAIT_S


@dataclass
class Seen:
    """A request as it came in."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Cut:
    """Ends the connection at this place."""


CUT = Cut()


class ScriptedHost:
    """Takes one script a connection, in their order: bytes are sent, events waited for, `CUT` breaks the connection."""

    def __init__(self):
        self.port = 0
        self.seen = []
        self._arrived = asyncio.Queue()
        self._left = asyncio.Queue()
        self._scripts = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def answer(self, *script):
        self._scripts.append(script)

    async def serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *fields = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.seen.append(Seen(line, headers, body))
            self._arrived.put_nowait(None)
            for step in self._scripts.pop(0):
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                elif step is CUT:
                    writer.transport.abort()
                    return
                else:
                    await self._wait(reader, step)
            if writer.can_write_eof():  # with TLS one cannot
                writer.write_eof()
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._left.put_nowait(None)

    async def _wait(self, reader, event):
        """Until the event, or until the client has gone."""
        waits = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(reader.read(1))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not event.is_set():
                raise ConnectionResetError
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def wait_arrived(self):
        """Until a request has come that was not waited for yet."""
        async with asyncio.timeout(WAIT_S):
            await self._arrived.get()

    async def wait_left(self):
        """Until a connection has ended that was not waited for yet."""
        async with asyncio.timeout(WAIT_S):
            await self._left.get()


@asynccontextmanager
async def serving(ssl_context=None):
    host = ScriptedHost()
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        await host.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl_context)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer_head(status="200 OK", **fields):
    """The head of an answer; its body ends with the connection unless a field says otherwise."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode()


def whole(status, body=b"", **fields):
    """An answer of known length."""
    return answer_head(status, Content_Length=len(body), **fields) + body


def chunks(data, size):
    """The body of an answer with `Transfer-Encoding: chunked`, in chunks of so many bytes; without its end."""
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


LAST_CHUNK = b"0\r\n\r\n"
