"""What the tests of storage and of the log share: users and groups made without HTTP, and the judge of a chat's log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from nova_tornado.app import NovaApp
from nova_tornado.domain.events import Event
from nova_tornado.domain.models import SEQ_SPAN, Chat, FriendGroup, Friendship, User
from nova_tornado.storage.database import as_nova_error

WAIT_S = 20.0
"""Nothing takes this long; a test that waits longer has failed."""
LOOK_S = 0.02


class Ack(NamedTuple):
    """A send that was acknowledged."""

    text: str
    message_id: int


async def make_users(nova: NovaApp, *names: str) -> list[User]:
    """Accounts, each a friend of every other."""
    store = nova.store
    ids = await store.counters.next_ids("user", len(names))
    users = [User(user_id, name, "") for user_id, name in zip(ids, names, strict=True)]
    groups = await store.counters.next_ids("friend_group", len(names))
    for user, group_id in zip(users, groups, strict=True):
        await store.users.insert(user, None, 1)
        await store.friend_groups.insert(FriendGroup(group_id, user.id, "", True))
    pairs = [(one.id, other.id, group_id) for one, group_id in zip(users, groups, strict=True) for other in users]
    friendships = [
        Friendship(await store.counters.next_id("friendship"), one, other, "", group_id)
        for one, other, group_id in pairs
        if one != other
    ]
    if friendships:
        await store.database.transaction(lambda session: store.friendships.insert(friendships, session))
    return users


async def make_group(nova: NovaApp, owner: User, *others: User) -> Chat:
    """A group; its log begins with one system message. Plugins have heard of it: the loop may stand still then."""
    chat = await nova.services.chats.create_group_of_friends(owner, "Group", [other.id for other in others])
    await nova.plugins_told()
    return chat


async def settle(condition: Callable[[], Any], limit_s: float = WAIT_S) -> Any:
    """Wait until a condition holds; returns its value."""
    async with asyncio.timeout(limit_s):
        while not (value := condition()):  # noqa: ASYNC110 (of things that tell nobody)
            await asyncio.sleep(LOOK_S)
        return value


async def outcome(awaitable: Any) -> Any:
    """What came out, a refusal too (as a client is told of it)."""
    try:
        async with asyncio.timeout(WAIT_S):
            return await awaitable
    except Exception as error:
        refusal = as_nova_error(error)
        if refusal is None:
            raise
        return refusal


class Heard:
    """The events that a Nova publishes."""

    def __init__(self, nova: NovaApp) -> None:
        self.events: list[Event] = []
        nova.bus.add_sink(self.events.extend, self.events.extend)

    def of(self, *kinds: type[Event]) -> list[Event]:
        """Those of some kinds, in order."""
        return [event for event in self.events if isinstance(event, kinds)]


def log_of(database: Any, chat_id: int) -> list[dict[str, Any]]:
    """A chat's log, as it lies in the database."""
    bounds = {"$gt": chat_id * SEQ_SPAN, "$lt": (chat_id + 1) * SEQ_SPAN}
    return list(database.messages.find({"_id": bounds}).sort("_id", 1))


def check_log(
    database: Any, chat_id: int, members: Iterable[int], acks: Iterable[Ack] = (), system_id: int | None = None
) -> list[str]:
    """Judge a chat's log by brute force; a sender's texts end in ``:number``, which must grow.

    Args:
        members: the user ids of those who were in it from the beginning.
        acks: what was acknowledged: there once, under that id.
        system_id: of the user #SYSTEM (default: the sender of the first entry).

    Returns:
        The texts of all messages by people, in order.
    """
    log = log_of(database, chat_id)
    assert [entry["_id"] % SEQ_SPAN for entry in log] == list(range(1, len(log) + 1)), "a gap or a double in the log"
    system_id = log[0]["sender"] if system_id is None else system_id
    present, count, sent_us = set(members), 0, 0
    numbers: dict[str, int] = {}
    texts: dict[str, int] = {}
    for entry in log:
        count += entry["kind"] == "message"
        assert entry["count"] == count, f"wrong count at {entry}"
        assert entry["sent_us"] > sent_us, f"the time does not grow at {entry}"
        sent_us = entry["sent_us"]
        match entry["kind"]:
            case "member_added":
                assert entry["user"] not in present, f"added twice at {entry}"
                present.add(entry["user"])
            case "member_removed":
                assert entry["user"] in present, f"removed twice at {entry}"
                present.remove(entry["user"])
            case "message" if entry["sender"] != system_id and "recalled" not in entry:
                assert entry["sender"] in present, f"written by one who is no member: {entry}"
                assert entry["text"] not in texts, f"stored twice: {entry}"
                texts[entry["text"]] = entry["_id"]
                sender, _, number = entry["text"].rpartition(":")
                assert numbers.get(sender, -1) < int(number), f"out of order: {entry}"
                numbers[sender] = int(number)
    for ack in acks:
        assert texts.get(ack.text) == ack.message_id, f"acknowledged and not there: {ack}"
    return list(texts)
