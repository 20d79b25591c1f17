"""Nova's HTTP side for setting a benchmark up: many requests at a time, each by a signed-in user."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

PARALLEL_REQUESTS = 16
"""Enough to keep the server busy while each request waits for the database."""

T = TypeVar("T")
U = TypeVar("U")


class ApiError(Exception):
    """Nova refused a request of the set-up."""


class Account:
    """A user whom the benchmark registered."""

    __slots__ = ("cookie", "id")

    def __init__(self, user_id: int, cookie: str) -> None:
        self.id = user_id
        self.cookie = cookie


def _credentials(name: str) -> dict[str, str]:
    return {"user_name": name, "password": f"{name}-secret"}


class NovaApi:
    """Requests over kept connections, one for each thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()

    def call(self, method: str, path: str, body: object = None, account: Account | None = None) -> Any:
        """The `data` of the answer (Raises: ApiError)."""
        return self._exchange(method, path, body, account)[0]

    def _exchange(self, method: str, path: str, body: object, account: Account | None) -> tuple[Any, str]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {} if account is None else {"Cookie": f"sessionid={account.cookie}"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection.request(method, path, payload, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if not answer["ok"]:
            raise ApiError(f"{method} {path}: {response.status} {answer['error']}")
        return answer["data"], response.getheader("Set-Cookie") or ""

    def register(self, name: str) -> Account:
        """A new user; the answer's cookie is the session."""
        data, cookies = self._exchange("POST", "/user/register", _credentials(name), None)
        found = re.search(r"\bsessionid=([^;]+)", cookies)
        if not found:
            raise ApiError(f"no session for {name}: {cookies!r}")
        return Account(data["id"], found[1])

    def new_token(self, name: str) -> str:
        """A token of a user who was registered here."""
        token: str = self.call("POST", "/user/token", _credentials(name))["token"]
        return token

    def befriend(self, one: Account, other: Account) -> None:
        """Invitations both ways make a friendship, and with it a private chat."""
        for sender, receiver in ((one, other), (other, one)):
            body = {"id": receiver.id, "comment": "", "source": "search"}
            self.call("POST", "/friend/invite", body, sender)

    def new_group(self, owner: Account, name: str, members: Iterable[Account]) -> int:
        """The chat id of a new group of the owner and friends of his."""
        body = {"chat_name": name, "chat_members": [member.id for member in members]}
        chat_id: int = self.call("POST", "/chat/new", body, owner)["chat_id"]
        return chat_id

    def chat_ids(self, account: Account) -> list[int]:
        """The user's chats, in the order of joining."""
        return [relation["chat"]["chat_id"] for relation in self.call("GET", "/chat", account=account)]

    def each(self, function: Callable[[T], U], items: Iterable[T]) -> list[U]:
        """`function` of each item, many at a time, in order."""
        with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
            return list(pool.map(function, items))
