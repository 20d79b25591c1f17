"""The pages of the four protocols that come as plugins: their examples run, and each request and event is told of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from docs.test_docs import LINE_MAX_CHARACTERS
from docs.transcripts import FRAME, SOCKETS, Runner, blocks, read, steps

from nova_tornado.realtime import presence
from nova_tornado.settings import Settings


@dataclass(frozen=True)
class Page:
    """What a page must tell of.

    Attributes:
        name: of the protocol and the page.
        requests: what a client can ask for; of HTTP as ``METHOD /path``, numbers and tokens in the path as ``<>``.
        events: what the server sends over the socket.
        sent, received: how a frame to the server and one from it are called.
    """

    name: str
    requests: frozenset[str]
    events: frozenset[str]
    sent: Callable[[dict[str, object]], str]
    received: Callable[[dict[str, object]], str]

    @property
    def path(self) -> str:
        """Where the page is."""
        return f"docs/protocols/{self.name}.md"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


METHODS = Page(
    "methods",
    words("auth create_chat update_chat send_message read_messages add_to_chat remove_from_chat"),
    words(
        "authenticated chat_created new_chat chat_updated message_created new_message messages_read messages_updated"
        " user_added_successful user_added user_removed_successful user_removed chat_removed error"
    ),
    sent=lambda frame: str(frame.get("method")),
    received=lambda packet: str(packet["type"]),
)
MODES = Page(
    "modes",
    words(
        "checkConnection checkToken auth register logout createChat getChats getMessages sendMessage changeUsername"
        " changeEmail setProfilePhoto deleteChat createGroupChat sendGroupMessage editGroupChat deleteGroupChat"
        " subscribe unsubscribe"
    ),
    words("newMessage messageEdited messageDeleted messagesRead chatCreated chatUpdated chatDeleted"),
    sent=lambda frame: str(frame.get("mode")),
    received=lambda packet: str(packet["mode"]),
)
ROOMS = Page(
    "rooms",
    frozenset(
        (
            "POST /http/register",
            "GET /http/register/<>",
            "POST /http/login",
            "GET /http/logout",
            "GET /http/users",
            "GET /http/users/profile",
            "PUT /http/users/profile",
            "GET /http/users/group/<>",
            "GET /http/chat_rooms",
            "GET /http/chat_rooms/<>",
            "GET /http/chat_groups",
            "POST /http/chat_groups",
            "PUT /http/chat_groups",
            "GET /http/chat_groups/<>",
            "PUT /http/chat_groups/<>",
            "POST /http/chat_groups/<>",
            "GET /http/chat_bot",
            "GET /http/notifications",
            "PUT /http/notifications",
            "room",
            "group",
            "bot",
        )
    ),
    words(
        "init error user_update user_activity room_chat_message group_chat_message group_chat_update"
        " group_chat_activitity room_chat_message_update group_chat_message_update room_chat_message_delete"
        " group_chat_message_delete room_chat_remove group_chat_remove"
    ),
    sent=lambda frame: str(frame.get("chat_type")),
    received=lambda packet: str(packet["type"]),
)
OPCODES = Page(
    "opcodes",
    words("11/1 11/2 11/6 11/7 13/1 13/2 16/1 16/2"),
    words("1/1 2/1 12/1 12/2 12/6 12/7 14/1 14/2 14/3 17/1 17/2"),
    sent=lambda frame: f"{frame.get('op')}/{frame.get('t')}",
    received=lambda packet: f"{packet['op']}/{packet['t']}",
)
PAGES = (METHODS, MODES, ROOMS, OPCODES)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.fixture
def settings(tmp_path):
    return Settings(bcrypt_rounds=4, rate_limits=False, mail_dir=tmp_path / "mail")


@each_page
@pytest.mark.gen_test(timeout=50)
async def test_examples_run(page, http_server, http_port, settings, monkeypatch):
    monkeypatch.setattr(presence, "GATHER_S", 0.0)  # or who came in one example might be told of in a later one
    runner = Runner(http_port, settings.mail_dir)
    for block in blocks(page.path, "transcript"):
        await runner.run(block)
    await runner.close()
    assert not runner.problems, "\n" + "\n".join(runner.problems)


def without_ids(path: str) -> str:
    """A path with ``<>`` for each number, token and placeholder in it."""
    path = re.sub(r"<[^>]*>", "<>", path.partition("?")[0])
    return re.sub(r"/([0-9]+|…|(?<=/register/)[^/\s]+)(?=/|$)", "/<>", path)


def http_request(what: str) -> str:
    """``METHOD /path`` of a request over HTTP; "" if it is none."""
    what = re.sub(r"<[^>]*'s link>", "/http/register/<>", what)
    match = re.match(r"([A-Z]+) (/(?:<[^>]*>|[^\s<])*)", what)
    return f"{match[1]} {without_ids(match[2])}" if match and match[2].partition("?")[0] not in SOCKETS else ""


def shown(page: Page, arrow: str) -> Iterator[str]:
    """What the examples of a page send (→) or receive (←)."""
    for block in blocks(page.path, "transcript"):
        for _, _, way, what in steps(block):
            if way == arrow and (frame := FRAME.fullmatch(what)):
                if frame[2].startswith("{"):
                    try:
                        packet = json.loads(frame[2])
                    except ValueError:
                        continue  # shown as malformed
                    yield page.sent(packet) if arrow == "→" else page.received(packet)
            elif way == arrow == "→" and (request := http_request(what)):
                yield request


def told_of(page: Page) -> set[str]:
    """The names in the headings of a page: what stands there as code, or as a word."""
    found = set()
    for heading in re.findall(r"^### (.*)$", read(page.path), re.MULTILINE):
        found |= set(re.findall(r"[\w/]+", heading))
        found |= {http_request(name) for name in re.findall(r"`([^`]+)`", heading)}
    return found


@each_page
def test_every_request_has_its_heading_and_an_example(page):
    assert page.requests - told_of(page) == set()
    assert page.requests - set(shown(page, "→")) == set()


@each_page
def test_every_event_has_its_heading_and_an_example(page):
    assert page.events - told_of(page) == set()
    assert page.events - set(shown(page, "←")) == set()


@each_page
def test_lines_are_short_enough_to_read_in_a_terminal(page):
    long = [number for number, line in enumerate(read(page.path).splitlines(), 1) if len(line) > LINE_MAX_CHARACTERS]
    assert not long, long
