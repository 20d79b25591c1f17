"""Makes up for what other processes have told and what did not arrive here.

Whatever a lost message may have been about is read again: the ends of the logs and the read cursors of the chats of a
channel; or the sessions and the chats of the users who are connected here. While there is no connection to the others
at all, that is done every second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from nova_tornado.domain import events
from nova_tornado.domain.models import Chat, EntryKind
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.hub import Hub
from nova_tornado.realtime.log import ChatLog
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

DOUBT_INTERVAL_S = 1.0
"""How often everything is looked at again while nothing can be heard of other processes."""
CHATS_AT_ONCE = 200
CHATS_PER_ROUND = 5_000
"""So many chats are looked at in one round, at most; the others have their turn in the next ones."""
USERS_AT_ONCE = 1_000


class Listening(Protocol):
    """What knows which chats are listened for."""

    def list_kept(self, channel: str | None = None) -> list[Chat]:
        """The chats of connected users, all or those of a channel."""

    async def ready(self, chat_ids: Sequence[int]) -> Any:
        """Have chats that are held in memory."""

    def take_cursor(self, chat: Chat, user_id: int, seq: int, count: int) -> None:
        """A member has read up to there."""


class Repairs:
    """Reads again what may have been missed.

    Args:
        store, chats, chat_log, hub, bus, directory: the parts it works with.
        listening: knows which chats are listened for.
    """

    def __init__(
        self,
        store: Store,
        chats: ChatCache,
        chat_log: ChatLog,
        hub: Hub,
        bus: Bus,
        directory: UserDirectory,
        listening: Listening,
    ) -> None:
        self._store = store
        self._chats = chats
        self._log = chat_log
        self._hub = hub
        self._bus = bus
        self._directory = directory
        self._listening = listening
        self._doubted: set[str] = set()
        self._are_users_doubted = False
        self._are_all_doubted = False
        self._place = 0
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._joins: set[asyncio.Task[None]] = set()
        self._joining: set[tuple[int, int]] = set()

    def open(self, is_connected: Callable[[], bool]) -> None:
        """Begin; ``is_connected`` tells whether other processes can be heard."""
        self._running = asyncio.create_task(self._run(is_connected), name="repairs after losses of the bus")

    async def close(self) -> None:
        """Stop."""
        tasks = [task for task in (self._running, *self._joins) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What is in doubt

    def doubt_chats(self, channel: str) -> None:
        """Something about the chats of a channel was missed."""
        self._doubted.add(channel)
        self._wake.set()

    def doubt_users(self) -> None:
        """Something about users was missed."""
        self._are_users_doubted = True
        self._wake.set()

    def doubt_all(self) -> None:
        """Anything may have been missed."""
        self._are_users_doubted = self._are_all_doubted = True
        self._wake.set()

    async def _run(self, is_connected: Callable[[], bool]) -> None:
        has_failed = False
        while True:
            try:
                async with asyncio.timeout(DOUBT_INTERVAL_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            if not is_connected():
                self._are_users_doubted = self._are_all_doubted = True
            self._wake.clear()
            channels, self._doubted = self._doubted, set()
            are_users_doubted, self._are_users_doubted = self._are_users_doubted, False
            are_all_doubted, self._are_all_doubted = self._are_all_doubted, False
            try:
                if are_users_doubted:
                    await self._look_at_sessions()
                    await self._look_at_memberships()
                    self._directory.forget_all()
                    self._bus.publish_from_elsewhere(events.NewsMissed())
                if are_all_doubted:
                    await self._look_at_all()
                else:
                    for channel in channels:
                        await self._look_at(self._listening.list_kept(channel))
                has_failed = False
            except Exception as error:
                if not has_failed:
                    log.warning("what may have been missed cannot be read, it is tried again: %s", type(error).__name__)
                has_failed = True
                self._doubted |= channels
                self._are_users_doubted |= are_users_doubted
                self._are_all_doubted |= are_all_doubted
                await asyncio.sleep(DOUBT_INTERVAL_S)

    # Chats

    async def _look_at_all(self) -> None:
        chats = self._listening.list_kept()
        first = self._place if self._place < len(chats) else 0
        await self._look_at(chats[first : first + CHATS_PER_ROUND])
        self._place = first + CHATS_PER_ROUND
        if self._place < len(chats):
            self._are_all_doubted = True
            self._wake.set()

    async def _look_at(self, chats: Sequence[Chat]) -> None:
        for first in range(0, len(chats), CHATS_AT_ONCE):
            some = chats[first : first + CHATS_AT_ONCE]
            await self._log.catch_up(await self._behind(some))
            members = await self._store.memberships.list_of_chats([chat.id for chat in some])
            for chat in some:
                for stored in members[chat.id]:
                    known = chat.members.get(stored.user_id)
                    if known is not None and known.read_seq < stored.read_seq <= chat.last_seq:
                        self._listening.take_cursor(chat, stored.user_id, stored.read_seq, stored.read_count)

    async def _behind(self, chats: Sequence[Chat]) -> list[Chat]:
        ends = await self._store.messages.list_ends([chat.id for chat in chats])
        return [chat for chat in chats if ends.get(chat.id, 0) > chat.last_seq]

    async def refresh(self, chats: Sequence[Chat]) -> None:
        """Bring chats up to date that nobody is told of, cursors too."""
        for first in range(0, len(chats), CHATS_AT_ONCE):
            await self._look_at(chats[first : first + CHATS_AT_ONCE])

    # Users

    async def _look_at_sessions(self) -> None:
        users = self._hub.list_sessions()
        ids = list(users)
        for first in range(0, len(ids), USERS_AT_ONCE):
            for missing in await self._store.sessions.list_missing(ids[first : first + USERS_AT_ONCE]):
                self._bus.publish_from_elsewhere(events.SessionsEnded(users[missing], frozenset((missing,))))

    async def _look_at_memberships(self) -> None:
        linked = self._hub.list_linked()
        for first in range(0, len(linked), USERS_AT_ONCE):
            some = dict(linked[first : first + USERS_AT_ONCE])
            stored = await self._store.memberships.list_chat_ids_of(list(some))
            left: set[int] = set()
            for user_id, chat_ids in stored.items():
                for chat_id in set(chat_ids) - some[user_id]:
                    self.joined(user_id, chat_id, 0)
                left |= some[user_id].difference(chat_ids)
            await self._log.catch_up(chat for chat in self._listening.list_kept() if chat.id in left)

    def joined(self, user_id: int, chat_id: int, actor_id: int) -> None:
        """A user who is connected here has become a member of a chat, says another process.

        Args:
            actor_id: who has made the chat; 0: it was there before, or that is not known.
        """
        if (user_id, chat_id) not in self._joining:
            self._joining.add((user_id, chat_id))
            work: Coroutine[Any, Any, None] = self._join(user_id, chat_id, actor_id)
            task = asyncio.create_task(work, name=f"joining of chat {chat_id}")
            self._joins.add(task)
            task.add_done_callback(self._joins.discard)

    async def _join(self, user_id: int, chat_id: int, actor_id: int) -> None:
        try:
            chat = self._chats.peek(chat_id)
            if chat is not None:  # others who are connected here are in it: its log tells of him, too
                await self._log.catch_up([chat])
                if self._is_new_to(user_id, chat):
                    self._bus.publish_from_elsewhere(events.MemberAdded(chat, user_id))
                return
            chat = await self._chats.find(chat_id)
            if chat is not None:
                await self._tell_joined(chat, actor_id)
        except Exception as error:
            log.warning("a new chat of a connected user cannot be read: %s", type(error).__name__)
            self.doubt_users()
        finally:
            self._joining.discard((user_id, chat_id))

    def _is_new_to(self, user_id: int, chat: Chat) -> bool:
        is_heard = chat.id in self._hub.list_chat_ids(user_id)
        return self._hub.is_linked(user_id) and user_id in chat.members and not is_heard

    async def _tell_joined(self, chat: Chat, actor_id: int) -> None:
        """Tell of a chat that nobody here was in, and of what was written to it since then."""
        users = await self._directory.load((*chat.members, *_senders(chat)))
        while True:
            until_seq = chat.last_seq
            new = [chat.members[user_id] for user_id in chat.members if self._is_new_to(user_id, chat)]
            since = await self._log.events_since(chat, min((each.joined_seq for each in new), default=0), until_seq)
            if chat.last_seq == until_seq:
                break
        if not any(self._is_new_to(member.user_id, chat) for member in new):
            return
        if not any(isinstance(each, events.MemberAdded) and each.user_id == new[0].user_id for each in since):
            actor_id = actor_id or chat.owner_id or min(chat.members)
            self._bus.publish_from_elsewhere(events.ChatCreated(chat, actor_id, users))
        self._bus.publish_from_elsewhere(*since)


def _senders(chat: Chat) -> Iterable[int]:
    last = chat.last_message
    return (last.sender_id,) if last is not None and last.kind is EntryKind.MESSAGE else ()
