"""Five clients, one of each protocol, hold one conversation, and show side by side what each of them sees.

Start Nova (``bin/nova``), then::

    .venv/bin/python examples/five_clients.py [http://127.0.0.1:8000]

Each class below is a whole client of its protocol: how it signs in, how it says something, and how it is told.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import textwrap
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

DEFAULT_URL = "http://127.0.0.1:8000"
WAIT_S = 10.0
COLUMN_CHARACTERS = 26


async def ask(url: str, method: str, body: Any = None, **headers: str) -> Any:
    """A request over HTTP with JSON; returns the answer's ``data``."""
    request = HTTPRequest(
        url,
        method=method,
        body=None if body is None else json.dumps(body),
        headers={"Content-Type": "application/json", **headers},
    )
    answer = await AsyncHTTPClient().fetch(request)
    return json.loads(answer.body)["data"]


class Client:
    """Somebody with an account and a socket. What a protocol does otherwise, its subclass says."""

    protocol: str
    path: str

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = f"{name}-{secrets.token_hex(3)}"
        self.token = ""
        self.id = 0
        self.socket: WebSocketClientConnection

    async def come(self) -> None:
        """Register, get a token, and connect. An account and a token are good for all protocols."""
        account = {"user_name": self.name, "password": secrets.token_urlsafe(12)}
        self.id = (await ask(f"{self.url}/user/register", "POST", account))["id"]
        self.token = (await ask(f"{self.url}/user/token", "POST", account))["token"]
        await self.connect()

    async def connect(self) -> None:
        """Open the socket and sign in."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = self.url.replace("http", "ws", 1) + self.path
        self.socket = await websocket_connect(HTTPRequest(url, headers=headers))

    async def send(self, packet: Any) -> None:
        """Send a packet."""
        await self.socket.write_message(json.dumps(packet))

    async def receive(self) -> Any:
        """The next packet."""
        async with asyncio.timeout(WAIT_S):
            message = await self.socket.read_message()
        if message is None:
            raise ConnectionError(f"{self.protocol} was closed with {self.socket.close_code}")
        return json.loads(message)

    async def see(self, text: str) -> list[str]:
        """What this client is told of a message: the kind of packet, and what stands in it."""
        while not (seen := self.read(await self.receive(), text)):
            pass
        return seen

    async def say(self, chat_id: int, text: str) -> None:
        """Send a message."""
        raise NotImplementedError

    def read(self, packet: Any, text: str) -> list[str]:
        """The same for one packet; nothing if it is about something else."""
        raise NotImplementedError


class Actions(Client):
    """The native protocol."""

    protocol, path = "actions", "/ws/"

    async def say(self, chat_id: int, text: str) -> None:
        """``send_message``."""
        await self.send({"action": "send_message", "data": {"chat_id": chat_id, "content": text}})

    def read(self, packet: Any, text: str) -> list[str]:
        """``new_message``, ``message_edited``."""
        message = (packet["data"] or {}).get("message", {})
        if not isinstance(message, dict) or message.get("message") != text:
            return []
        return [packet["action"], f"{message['sender']['user_name']}: {text}"]


class Methods(Client):
    """Requests by method, events by type."""

    protocol, path = "methods", "/ws/chat/"

    async def connect(self) -> None:
        """The first request carries the token."""
        await super().connect()
        await self.send({"method": "auth", "access_token": self.token})
        await self.receive()

    async def make_group(self, title: str, others: list[Client]) -> int:
        """``create_chat``; returns its id."""
        args = {"title": title, "users": [other.id for other in others]}
        await self.send({"method": "create_chat", "args": args})
        chat_id: int = (await self.receive())["data"]["chat"]["id"]
        return chat_id

    async def say(self, chat_id: int, text: str) -> None:
        """``send_message``."""
        await self.send({"method": "send_message", "args": {"chat": chat_id, "text": text}})

    def read(self, packet: Any, text: str) -> list[str]:
        """``message_created``, ``new_message``, ``messages_updated``."""
        data = packet["data"]
        if "message" in data and data["message"]["text"] == text:
            return [packet["type"], f"{data['message']['user']['first_name']}: {text}"]
        for update in data.get("updates", ()):
            if update["fields"].get("text") == text:
                return [packet["type"], f"{update['id']}: {text}"]
        return []


class Modes(Client):
    """Requests and replies by mode; live frames for those who subscribe."""

    protocol, path = "modes", "/ws/modes/"

    async def connect(self) -> None:
        """Every request carries the token."""
        await super().connect()
        await self.send({"mode": "subscribe", "timestamp": 0, "token": self.token})
        await self.receive()

    async def say(self, chat_id: int, text: str) -> None:
        """``sendMessage``."""
        message = {"chat_id": chat_id, "content": text, "content_type": "text"}
        await self.send({"mode": "sendMessage", "timestamp": 0, "token": self.token, **message})

    def read(self, packet: Any, text: str) -> list[str]:
        """``newMessage``, ``messageEdited``; to the sender just the reply."""
        if packet["mode"] == "sendMessage":
            return ["sendMessage 200", f"message {packet['message_id']}"]
        message = packet.get("message", {})
        if not isinstance(message, dict) or message.get("content") != text:
            return []
        return [packet["mode"], f"{message['from_name']}: {text}"]


class Rooms(Client):
    """HTTP calls for what is asked, a socket for what is said."""

    protocol, path = "rooms", "/socket"

    async def connect(self) -> None:
        """The first frame is the token."""
        await super().connect()
        await self.send({"token": self.token})
        await self.receive()

    async def enter(self, chat_id: int) -> None:
        """Only who is in a group is told what is said there."""
        await ask(f"{self.url}/http/chat_groups/{chat_id}", "POST", {"is_enter": True}, authentication=self.token)

    async def say(self, chat_id: int, text: str) -> None:
        """``chat_type`` group."""
        await self.send({"chat_type": "group", "chat_group_id": chat_id, "message": text})

    def read(self, packet: Any, text: str) -> list[str]:
        """``group_chat_message``, ``group_chat_message_update``."""
        if packet.get("message") != text:
            return []
        return [packet["type"], f"user {packet['user_id']}: {text}"]


class Opcodes(Client):
    """Numbered operations."""

    protocol, path = "opcodes", "/ws/opcodes/"

    async def say(self, chat_id: int, text: str) -> None:
        """11/2."""
        await self.send({"op": 11, "t": 2, "d": {"chat_id": chat_id, "message": text}})

    async def edit(self, chat_id: int, message_id: int, text: str) -> None:
        """11/6."""
        await self.send({"op": 11, "t": 6, "d": {"chat_id": chat_id, "message_id": message_id, "message": text}})

    def read(self, packet: Any, text: str) -> list[str]:
        """12/2, 12/6; to the sender just the success."""
        d = packet["d"]
        kind = f"{packet['op']}/{packet['t']}"
        if d.get("status") == "success" and "message_id" in d:
            self.message_id: int = d["message_id"]
            return [f"{kind} success", f"message {d['message_id']}"]
        if d.get("message") != text:
            return []
        return [kind, f"user {d['sender_id']}: {text}" if "sender_id" in d else f"message {d['message_id']}: {text}"]


def show(cells: list[list[str]]) -> None:
    """Print the columns of one row, each a list of paragraphs."""
    columns = [[line for part in cell for line in textwrap.wrap(part, COLUMN_CHARACTERS)] for cell in cells]
    for number in range(max(map(len, columns))):
        lines = [column[number] if number < len(column) else "" for column in columns]
        print(" | ".join(line.ljust(COLUMN_CHARACTERS) for line in lines).rstrip())
    print("-+-".join("-" * COLUMN_CHARACTERS for _ in columns))


async def hold_conversation(url: str) -> None:
    """Make a group, let everybody say something, and change one of the messages."""
    ada, ben, cleo, dan, eve = (
        Actions(url, "ada"),
        Methods(url, "ben"),
        Modes(url, "cleo"),
        Rooms(url, "dan"),
        Opcodes(url, "eve"),
    )
    clients: list[Client] = [ada, ben, cleo, dan, eve]
    for client in clients:
        await client.come()
    chat_id = await ben.make_group("Five ways to say it", [ada, cleo, dan, eve])
    await dan.enter(chat_id)
    show([[client.protocol, client.name, f"user {client.id}"] for client in clients])

    async def everybody_sees(text: str) -> None:
        show(list(await asyncio.gather(*(client.see(text) for client in clients))))

    for client in clients:
        text = f"Hello, {client.protocol} here!"
        await client.say(chat_id, text)
        await everybody_sees(text)
    text = "What I meant was: good bye!"
    await eve.edit(chat_id, eve.message_id, text)
    await everybody_sees(text)
    for client in clients:
        client.socket.close()


def main() -> None:
    """Run it."""
    url = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else DEFAULT_URL
    try:
        asyncio.run(hold_conversation(url))
    except (OSError, HTTPClientError, TimeoutError) as error:
        sys.exit(f"{url}: {error or 'no answer'}")


if __name__ == "__main__":
    main()
