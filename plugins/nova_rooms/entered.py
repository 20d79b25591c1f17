"""Who is *in* which group: a state of this protocol alone.

It is kept in the collection ``rooms_entered {chat, user, membership, seq}``: by which membership somebody has entered
(that of somebody who was removed is over, whether or not he comes back), and where the chat's log ended then. Each
process knows from it the groups of those who are connected to it; it is told when that changes, and where the telling
was lost, it looks again, and makes up for what was said meanwhile.

Source: contract "protocols" section 3.7.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple
from weakref import WeakValueDictionary

from nova_tornado.api import CollectionSpec, Document, DuplicateKeyError, Event, Index, Nova, errors, events, models

log = logging.getLogger(__name__)

ROOMS_ENTERED = CollectionSpec(
    "rooms_entered",
    (
        Index((("chat", 1), ("user", 1)), "who is in a group, each once", unique=True),
        Index((("user", 1),), "the groups of those who are connected"),
    ),
)
USERS_AT_ONCE = 500
"""The groups of so many users are looked up with one query."""
RETRY_INTERVAL_S = 1.0
"""After a look at the database that has failed."""


@dataclass(frozen=True, slots=True)
class GroupActivity(Event):
    """A user has entered or left a group.

    Attributes:
        user_ids: who is in the group then.
    """

    chat_id: int
    user: models.User
    is_enter: bool
    user_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GroupCaughtUp(Event):
    """Somebody is in a group, and this process learns of it late.

    Attributes:
        missed: what was told of the group since he has entered.
    """

    is_relayed: ClassVar[bool] = False

    user_id: int
    missed: tuple[Event, ...]


class Stay(NamedTuple):
    """Somebody's being in a group.

    Attributes:
        membership_id: by which he has entered.
        told_seq: up to there it was made up for what was said before this process knew.
    """

    membership_id: int
    told_seq: int


@dataclass(slots=True)
class Followed:
    """A user with sockets of this protocol here.

    Attributes:
        groups: by the id of the chat.
    """

    sockets: int = 0
    groups: dict[int, Stay] = field(default_factory=dict)


class Entered:
    """Who has entered which group and not left it (a subscriber)."""

    hears_other_processes = True
    event_types = (
        events.SessionsEnded,
        events.SignedOut,
        events.AccountDeleted,
        events.ChatDeleted,
        events.NewsMissed,
        GroupActivity,
    )

    def __init__(self, nova: Nova) -> None:
        self._services = nova.services
        self._collection = nova.collection(ROOMS_ENTERED)
        self._followed: dict[int, Followed] = {}
        self._user_ids: defaultdict[int, set[int]] = defaultdict(set)  # of those followed, by the id of the chat
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._doubted: set[int] = set()
        self._wake = asyncio.Event()

    def _lock(self, user_id: int) -> asyncio.Lock:
        return self._locks.setdefault(user_id, asyncio.Lock())

    # Who hears a group

    def list_in(self, chat: models.Chat, seq: int | None = None) -> list[int]:
        """The users with sockets here who are in a group.

        Args:
            seq: of a message: only those who have not been told of it.
        """
        found = []
        for user_id in self._user_ids.get(chat.id, ()):
            stay, member = self._followed[user_id].groups[chat.id], chat.members.get(user_id)
            if member is not None and member.id == stay.membership_id and (seq is None or seq > stay.told_seq):
                found.append(user_id)
        return found

    async def follow(self, user_id: int) -> None:
        """A socket of this protocol comes: know which groups its user is in. Followed by ``unfollow``."""
        async with self._lock(user_id):
            followed = self._followed.get(user_id)
            if followed is None:
                followed = self._followed[user_id] = Followed()
                try:
                    async for stored in self._collection.find({"user": user_id}):
                        self._put(user_id, stored, told_seq=0)
                except BaseException:
                    self._forget(user_id)
                    raise
            followed.sockets += 1

    def unfollow(self, user_id: int) -> None:
        """It is gone."""
        followed = self._followed[user_id]
        followed.sockets -= 1
        if not followed.sockets:
            self._forget(user_id)

    # Entering and leaving

    async def enter(self, chat: models.Chat, user_id: int) -> bool:
        """A member enters; False if he is in already."""
        key, membership_id = {"chat": chat.id, "user": user_id}, chat.members[user_id].id
        async with self._lock(user_id):
            stored = await self._collection.find_one(key)
            if stored is not None and stored["membership"] == membership_id:
                return False
            now = {"membership": membership_id, "seq": chat.last_seq}
            try:
                await self._collection.update_one(key, {"$set": now}, upsert=True)
            except DuplicateKeyError:
                return False  # by another request at the same moment
            try:
                await self._look(user_id)
            except Exception:
                self._doubt((user_id,))  # it is stored, and to be told
        return True

    async def is_in(self, chat: models.Chat, user_id: int) -> bool:
        """Whether a user is in a group."""
        member = chat.members.get(user_id)
        if member is None:
            return False
        key = {"chat": chat.id, "user": user_id, "membership": member.id}
        return await self._collection.find_one(key) is not None

    async def leave(self, chat_id: int, user_id: int) -> bool:
        """A user leaves; False if he has done so already."""
        async with self._lock(user_id):
            deleted = await self._collection.delete_one({"chat": chat_id, "user": user_id})
            self._drop(user_id, chat_id)
        return bool(deleted.deleted_count)

    async def list_all_in(self, chat: models.Chat) -> list[int]:
        """The users in a group, wherever they are connected, in the order of their first entering."""
        return [
            stored["user"]
            async for stored in self._collection.find({"chat": chat.id}).sort("_id", 1)
            if (member := chat.members.get(stored["user"])) is not None and member.id == stored["membership"]
        ]

    async def end_if_signed_out(self, user_id: int) -> None:
        """Whoever has no token any more is in no group any more."""
        if not await self._services.accounts.has_token(user_id):
            await self._end(user_id)

    async def _end(self, user_id: int) -> None:
        async with self._lock(user_id):
            await self._collection.delete_many({"user": user_id})
            if (followed := self._followed.get(user_id)) is not None:
                for chat_id in list(followed.groups):
                    self._drop(user_id, chat_id)

    # What is told

    async def on_event(self, event: Event) -> None:
        """One thing that happened, here or elsewhere."""
        match event:
            case events.SessionsEnded(user_id) | events.SignedOut(user_id):
                await self.end_if_signed_out(user_id)
            case events.AccountDeleted(user_id):
                await self._end(user_id)
            case events.ChatDeleted(chat):
                await self._collection.delete_many({"chat": chat.id})
                for user_id in list(self._user_ids.get(chat.id, ())):
                    self._drop(user_id, chat.id)
            case GroupActivity(_, user):
                self._doubt((user.id,))
            case events.NewsMissed():
                self._doubt(self._followed)

    def _doubt(self, user_ids: Iterable[int]) -> None:
        self._doubted.update(user_ids)
        self._wake.set()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Meanwhile what is in doubt is looked up (a lifespan)."""
        task = asyncio.create_task(self._keep(), name="who has entered groups")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        has_failed = False
        while True:
            await self._wake.wait()
            self._wake.clear()
            doubted, self._doubted = [each for each in self._doubted if each in self._followed], set()
            try:
                for first in range(0, len(doubted), USERS_AT_ONCE):
                    await self._look_at(doubted[first : first + USERS_AT_ONCE])
                has_failed = False
            except Exception as error:
                if not has_failed:
                    log.warning("who is in groups cannot be read, it is tried again: %s", type(error).__name__)
                has_failed = True
                self._doubt(doubted)
                await asyncio.sleep(RETRY_INTERVAL_S)

    # What is known here

    async def _look_at(self, user_ids: list[int]) -> None:
        stored: dict[int, dict[int, int]] = {user_id: {} for user_id in user_ids}
        async for each in self._collection.find({"user": {"$in": user_ids}}):
            stored[each["user"]][each["chat"]] = each["membership"]
        for user_id, groups in stored.items():
            followed = self._followed.get(user_id)
            if followed is not None and groups != {
                chat_id: stay.membership_id for chat_id, stay in followed.groups.items()
            }:
                async with self._lock(user_id):
                    await self._look(user_id)

    async def _look(self, user_id: int) -> None:
        """Know of a user what the database knows; his lock is held."""
        if user_id not in self._followed:
            return
        stored = {each["chat"]: each async for each in self._collection.find({"user": user_id})}
        if (followed := self._followed.get(user_id)) is None:
            return  # gone meanwhile
        known = dict(followed.groups)
        for chat_id in known.keys() - stored.keys():
            self._drop(user_id, chat_id)
        for chat_id, each in stored.items():
            if chat_id not in known or known[chat_id].membership_id != each["membership"]:
                await self._begin(user_id, each)

    async def _begin(self, user_id: int, stored: Document) -> None:
        """A user was not known to be in a group: make up for what he was not told, and tell him what comes."""
        try:
            chat = await self._services.chats.get(stored["chat"])
            missed = await self._services.chats.list_told_since(chat, stored["seq"])
        except errors.ChatUnknown:
            return
        member = chat.members.get(user_id)
        if member is None or member.id != stored["membership"]:  # it is over, and does not come back
            await self._collection.delete_one({name: stored[name] for name in ("chat", "user", "membership")})
        elif user_id in self._followed:
            self._put(user_id, stored, told_seq=chat.last_seq)
            if missed:
                self._services.bus.publish_from_elsewhere(GroupCaughtUp(user_id, tuple(missed)))

    def _put(self, user_id: int, stored: Document, told_seq: int) -> None:
        self._followed[user_id].groups[stored["chat"]] = Stay(stored["membership"], told_seq)
        self._user_ids[stored["chat"]].add(user_id)

    def _drop(self, user_id: int, chat_id: int) -> None:
        followed = self._followed.get(user_id)
        if followed is not None and followed.groups.pop(chat_id, None) is not None:
            user_ids = self._user_ids[chat_id]
            user_ids.discard(user_id)
            if not user_ids:
                del self._user_ids[chat_id]

    def _forget(self, user_id: int) -> None:
        for chat_id in list(self._followed[user_id].groups):
            self._drop(user_id, chat_id)
        del self._followed[user_id]
