"""How each protocol's client makes each change, and which changes it cannot make.

Source: actions document; contract "protocols" sections 1.5, 2.2, 2.3, 3 and 4.3.
"""

from __future__ import annotations

import base64
import email
import email.policy
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from together.world import TEXT, World

NEW_TITLE = "Authors"
NEW_NAME = "annabel"
PHOTO = "https://example.org/anna.png"
NEW_FRIENDS = "anna added cleo as a friend"
FILE_NAME = "list.txt"
FILE_DATA = b"tea, milk"


class Cannot(NamedTuple):
    """A protocol has no request for a change."""

    reason: str


@dataclass(frozen=True)
class Http:
    """A change that is asked for over HTTP, so that no socket is the asking one."""

    make: Callable[[World], Awaitable[None]]


Maker = Callable[[World], Awaitable[None]] | Http | Cannot

# How a request is made in each protocol


def act(action: str, **fields: str) -> Maker:
    """A packet of actions; the fields' values are names of facts."""

    async def make(world: World) -> None:
        data = {field: world.facts[fact] for field, fact in fields.items()}
        await world.asker.send({"action": action, "data": data})

    return make


def call(method: str, **fields: Any) -> Maker:
    """A request of methods; see ``filled``."""

    async def make(world: World) -> None:
        args = filled(world, fields)
        await world.asker.send({"method": method, "args": {**args, "event_response_key": world.facts["key"]}})

    return make


def ask(mode: str, **fields: Any) -> Maker:
    """A request of modes; see ``filled``."""

    async def make(world: World) -> None:
        token = world.tokens[world.actor]
        await world.asker.send({"mode": mode, "timestamp": 0, "token": token, **filled(world, fields)})

    return make


def say(chat_type: str, **fields: Any) -> Maker:
    """A frame of rooms; see ``filled``."""

    async def make(world: World) -> None:
        await world.asker.send({"chat_type": chat_type, **filled(world, fields)})

    return make


def operate(op: int, t: int, **fields: Any) -> Maker:
    """An operation of opcodes; see ``filled``."""

    async def make(world: World) -> None:
        await world.asker.send({"op": op, "t": t, "d": filled(world, fields)})

    return make


def native(method: str, path: str, body: Any = None) -> Http:
    """A request of actions over HTTP; ``{A}`` and the like in the path, and in the body, are facts."""

    async def make(world: World) -> None:
        json_body = (filled(world, body),) if body is not None else ()
        answer = await world.persons[world.actor].request(method, path.format(**world.facts), *json_body)
        assert answer.status == 200, (answer.status, answer.body)

    return Http(make)


def rooms(method: str, path: str, body: Any = None) -> Http:
    """A request of rooms over HTTP, likewise."""

    async def make(world: World) -> None:
        data = await world.http(world.actor, method, path.format(**world.facts), filled(world, body or {}))
        world.more["data"] = data

    return Http(make)


def filled(world: World, value: Any) -> Any:
    """A value in which each ``"{A}"`` and the like is the fact of that name."""
    if isinstance(value, Mapping):
        return {key: filled(world, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(world, inner) for inner in value]
    if isinstance(value, str) and (fact := re.fullmatch(r"\{(.*)\}", value)):
        return world.facts[fact[1]]
    return value


def titled(title: str | None, name: str, maker: Maker) -> Maker:
    """A change that gives the chat a title and a name to be shown by."""

    async def make(world: World) -> None:
        world.facts["title"], world.facts["name"] = title, name
        await (maker.make if isinstance(maker, Http) else maker)(world)  # type: ignore[operator]

    return Http(make) if isinstance(maker, Http) else make


def system_says(text: str, maker: Maker) -> Maker:
    """A change that the system user announces."""

    async def make(world: World) -> None:
        world.expect_system_message(text)
        await (maker.make if isinstance(maker, Http) else maker)(world)  # type: ignore[operator]

    return Http(make) if isinstance(maker, Http) else make


def with_fact(name: str, value: Any, maker: Maker) -> Maker:
    """A change by which a fact becomes known."""

    async def make(world: World) -> None:
        world.facts[name] = value
        await (maker.make if isinstance(maker, Http) else maker)(world)  # type: ignore[operator]

    return Http(make) if isinstance(maker, Http) else make


# What takes more than one request


async def send_file_natively(world: World) -> None:
    """Upload a file, then send a message with it."""
    world.facts["file name"] = FILE_NAME
    head = f'Content-Disposition: form-data; name="file"; filename="{FILE_NAME}"\r\n\r\n'.encode()
    body = b"--end\r\n" + head + FILE_DATA + b"\r\n--end--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=end"}
    answer = await world.persons["A"].request("POST", "/files", raw_body=body, headers=headers)
    data = {"chat_id": world.facts["chat"], "content": TEXT, "files": [answer.data["id"]]}
    await world.asker.send({"action": "send_message", "data": data})


async def send_file_by_methods(world: World) -> None:
    """Send a message with a file in it."""
    world.facts["file name"] = FILE_NAME
    files = [{"name": FILE_NAME, "data": base64.b64encode(FILE_DATA).decode()}]
    args = {"chat": world.facts["chat"], "text": TEXT, "files": files, "event_response_key": world.facts["key"]}
    await world.asker.send({"method": "send_message", "args": args})


async def make_group_natively(world: World) -> None:
    """Make a group with friends."""
    world.facts["title"] = world.facts["name"] = NEW_TITLE
    world.expect_system_message(f"Group {NEW_TITLE} created by anna with anna, bert, cleo")
    members = [world.facts["B"], world.facts["C"]]
    answer = await world.persons["A"].post("/chat/new", {"chat_name": NEW_TITLE, "chat_members": members})
    assert answer.data["chat_name"] == NEW_TITLE


async def accept_natively(world: World) -> None:
    """Accept what C has asked."""
    world.expect_system_message(NEW_FRIENDS)
    [invitation] = (await world.persons["A"].get("/friend/invitation")).data
    assert (await world.persons["A"].post(f"/friend/invitation/{invitation['id']}")).status == 200


async def decline_natively(world: World) -> None:
    """Decline what C has asked."""
    [invitation] = (await world.persons["A"].get("/friend/invitation")).data
    assert (await world.persons["A"].delete(f"/friend/invitation/{invitation['id']}")).status == 200


async def register_natively(world: World) -> None:
    """Somebody new."""
    world.facts["new name"] = "newton"
    guest = type(world.persons["A"])(world.port, "newton")
    await guest.register()
    world.facts["new"] = guest.id


async def register_by_modes(world: World) -> None:
    """Somebody new."""
    world.facts["new name"] = "newton"
    request = {"mode": "register", "username": "newton", "password": "secret1", "email": "newton@example.org"}
    await world.asker.send(request)


def find_link(world: World) -> str:
    """The path of the link in the only mail."""
    [path] = world.more["mail_dir"].glob("*.eml")
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = mail.get_body(("plain",))
    assert body is not None
    link = re.search(r"https?://[^/\s]+(/http/register/\S+)", body.get_content())
    assert link is not None
    return link[1]


async def register_by_rooms(world: World) -> None:
    """Somebody new opens the link that was mailed."""
    world.facts["new name"] = "Newton"
    account = {"email": "newton@example.org", "password": "secret1", "first_name": "Newton", "last_name": ""}
    assert (await world.persons["X"].post("/http/register", account, with_cookie=False)).status == 200
    assert (await world.persons["X"].get(find_link(world), with_cookie=False)).status == 200


async def sign_in_natively(world: World) -> None:
    """A browser of A signs in."""
    await world.persons["A"].again()


async def sign_in_by_modes(world: World) -> None:
    """A program of A signs in."""
    await world.asker.send({"mode": "auth", "username": "anna", "password": world.persons["A"].password})


async def sign_in_by_rooms(world: World) -> None:
    """A program of A signs in."""
    account = {"email": "anna", "password": world.persons["A"].password}
    assert (await world.persons["X"].post("/http/login", account, with_cookie=False)).status == 200


async def sign_out_natively(world: World) -> None:
    """The other session of A ends."""
    assert (await world.more["person"].post("/user/logout")).data is None


async def sign_out_by_modes(world: World) -> None:
    """Another token of A ends."""
    await world.asker.send({"mode": "logout", "token": world.more["token"]})


async def sign_out_by_rooms(world: World) -> None:
    """Another token of A ends."""
    headers = {"authentication": world.more["token"]}
    assert (await world.persons["A"].get("/http/logout", headers=headers, with_cookie=False)).status == 200


async def ask_for_token(world: World) -> None:
    """A program of A asks for a token."""
    credentials = {"user_name": "anna", "password": world.persons["A"].password}
    assert (await world.persons["A"].post("/user/token", credentials, with_cookie=False)).status == 200
