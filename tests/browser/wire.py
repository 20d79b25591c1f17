"""A wire between a browser and the server, which can be cut."""

import asyncio
from contextlib import suppress

BLOCK_BYTES = 1 << 16


class Wire:
    """Passes connections on to a server, on a port of its own.

    Attributes:
        url: where browsers connect to.
        opened: how many connections there were up to now.
    """

    def __init__(self, port):
        self._port = port
        self._writers = set()
        self._tasks = set()
        self._flowing = {True: asyncio.Event(), False: asyncio.Event()}  # by whether they are answers
        self._is_welcome = True
        self.flow()
        self.opened = 0

    async def open(self):
        """Begins to listen."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def cut(self):
        """Ends all connections at once, without a word; new ones are welcome."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self):
        """Ends all connections, and new ones at once."""
        self._is_welcome = False
        self.cut()

    def welcome(self):
        """New connections are welcome again."""
        self._is_welcome = True

    def stall(self, answers_only=False):
        """From now on nothing gets through, though all connections stay open: as in a tunnel."""
        for is_answer, flowing in self._flowing.items():
            if is_answer or not answers_only:
                flowing.clear()

    def flow(self):
        """Lets everything through again, also what waited."""
        for flowing in self._flowing.values():
            flowing.set()

    async def close(self):
        """Ends it."""
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connect(self, reader, writer):
        if not self._is_welcome:
            writer.transport.abort()
            return
        self.opened += 1
        self._writers.add(writer)
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        finally:
            self._tasks.discard(task)
        self._writers.add(server_writer)
        for source, target, is_answer in ((reader, server_writer, False), (server_reader, writer, True)):
            pumping = asyncio.create_task(self._pump(source, target, self._flowing[is_answer]))
            self._tasks.add(pumping)
            pumping.add_done_callback(self._tasks.discard)

    async def _pump(self, source, target, flowing):
        with suppress(OSError):
            while block := await source.read(BLOCK_BYTES):
                await flowing.wait()
                target.write(block)
                await target.drain()
        self._writers.discard(target)
        target.close()
