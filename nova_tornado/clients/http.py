"""Raw HTTP: one request over a connection of its own."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, NamedTuple

from tornado.httputil import HTTPHeaders

from nova_tornado.clients.sockets import WAIT_S


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: HTTPHeaders
    body: bytes

    @property
    def json(self) -> Any:
        """The whole body."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The data of a success."""
        assert self.status == 200, (self.status, self.body[:500])
        answer = self.json
        assert answer.keys() == {"ok", "data"} and answer["ok"] is True
        return answer["data"]

    @property
    def error(self) -> str:
        """The text of a refusal."""
        answer = self.json
        assert self.status != 200 and answer.keys() == {"ok", "error"} and answer["ok"] is False
        assert isinstance(answer["error"], str) and answer["error"]
        return answer["error"]


async def exchange(port: int, request: bytes) -> Answer:
    """Send raw bytes over a connection of their own and read one answer (no header is added)."""
    async with asyncio.timeout(WAIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        try:
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            status_line, _, rest = head.partition(b"\r\n")
            headers = HTTPHeaders.parse(rest.decode("latin-1"))
            if request.startswith(b"HEAD "):
                body = b""  # its length is told all the same
            elif "Content-Length" in headers:
                body = await reader.readexactly(int(headers["Content-Length"]))
            elif headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(await reader.readline(), 16):
                    body += await reader.readexactly(size)
                    await reader.readline()
                await reader.readline()
            else:
                body = b""
        finally:
            writer.close()
        with suppress(OSError):
            await writer.wait_closed()  # else a loop that ends at once leaves the socket open
        return Answer(int(status_line.split()[1]), headers, body)
