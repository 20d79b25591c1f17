"""The hub knows who is connected to this process and hands every event to them, in each one's protocol.

An event is rendered once per protocol, framed once, and written as bytes to each connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from typing import NamedTuple, Protocol

from nova_tornado.domain.errors import Unavailable
from nova_tornado.domain.events import (
    ChatCreated,
    ChatDeleted,
    ChatEvent,
    Event,
    MemberAdded,
    MemberRemoved,
    SessionsEnded,
)
from nova_tornado.domain.models import Chat, Origin
from nova_tornado.realtime.connection import CLOSE_SERVICE_RESTART, CLOSE_SESSION_ENDED, Connection, Outbox, Topic
from nova_tornado.realtime.counts import HubCounts
from nova_tornado.realtime.frames import text_frame
from nova_tornado.storage.memberships import Memberships

log = logging.getLogger(__name__)

ENDED_REMEMBERED_S = 60.0
"""A sign-in may be looked up, then end, then get its connection; no handshake takes this long in between."""
HOLD_MAX_S = 0.02
"""So long deliveries are held for others that are to come, at most."""
RUN_MAX_BYTES = 64 * 1024
"""A run of packets that is longer ends."""
CHANGES_OF_HEARERS = (ChatCreated, MemberAdded, MemberRemoved, ChatDeleted, SessionsEnded)
"""Whoever is told of such an event is not who is told of the one before or behind it."""


class Packet(NamedTuple):
    """What some connections of a protocol are sent.

    Attributes:
        payload: the text of one frame, in UTF-8.
        chat_id: every connection of every member of that chat (of one who is just being removed, too) …
        user_ids: … or every connection of those users …
        in_chats: … or every connection of every member of any of those chats, once …
        to_everybody: … or every connection of the protocol …
        outbox: … or that socket alone.
        topic: of ``user_ids`` and ``in_chats`` only the connections that have asked for that.
        except_user_id: not this user's connections.
        except_outbox: not that socket.
    """

    payload: bytes
    chat_id: int | None = None
    user_ids: Iterable[int] = ()
    except_user_id: int = 0
    in_chats: Iterable[int] = ()
    to_everybody: bool = False
    outbox: Outbox | None = None
    except_outbox: Outbox | None = None
    topic: Topic | None = None


class WireProtocol:
    """What the hub needs of a protocol; each one is a subclass.

    Attributes:
        name: of the protocol; unique.
    """

    name: str

    def render(self, event: Event) -> Iterable[Packet]:
        """The packets that tell of an event, in the order in which they are sent."""
        raise NotImplementedError

    def own_origin(self, event: ChatEvent) -> Origin | None:
        """Where a change was asked for, if that is a socket of this protocol."""
        origin = event.origin
        return origin if origin is not None and origin.outbox.protocol is self else None

    def end_session(self, connection: Connection) -> None:
        """The connection's session has ended: close it (contract "protocols", section 0.4)."""
        connection.close(CLOSE_SESSION_ENDED, "the session has ended")


Hears = Callable[[Event], bool]
"""Whether the connections of a user who is not told of everything are told of an event."""

PresenceSink = Callable[[int, bool, set[int]], None]
"""Told of each user who has come or gone, with his chats."""


class Keeper(Protocol):
    """What keeps the chats of connected users in step with other processes, where there are any.

    Each ``hold`` is followed by a ``release``.
    """

    def hold_user(self, user_id: int) -> None:
        """A user has come: hear of what concerns him."""

    def release_user(self, user_id: int) -> None:
        """He has gone."""

    def hold(self, chat_id: int) -> None:
        """A connected user is in that chat: hear of what is written to it."""

    def release(self, chat_id: int) -> None:
        """One such user less."""

    async def ready(self, chat_ids: Collection[int]) -> Mapping[int, Chat]:
        """Have chats that are held in memory, at the ends of their logs; those that are gone are left out."""

    def members_of(self, chat_id: int) -> Collection[int]:
        """The members of a chat that is held."""


RunKey = tuple[int, int, Outbox | None, list[Connection]]


class Run:
    """Packets of a protocol in a row, of one event or several, that go to the same connections: sent as one piece.

    Attributes:
        key: of which chat the connections are, whose are left out, which socket is, and which are told of it besides:
            those of users who choose what they are told of, and have chosen this.
        frames: one of each packet.
        size: of all frames, in bytes.
    """

    __slots__ = ("frames", "key", "size")

    def __init__(self, key: RunKey) -> None:
        self.key = key
        self.frames: list[bytes] = []
        self.size = 0


class UserLinks:
    """What the hub keeps of a user with connections here: his chats and his connections.

    Attributes:
        loaded: done when his chats are known; None: they are.
        hears: chooses what he is told of; None: all that concerns him. The connections of somebody who chooses are in
            no index of a chat, so that the others' way stays as short as it is.
    """

    __slots__ = ("chat_ids", "connections", "hears", "loaded", "removed_ids", "user_id", "uses")

    def __init__(self, user_id: int, loaded: asyncio.Future[None], hears: Hears | None = None) -> None:
        self.user_id = user_id
        self.hears = hears
        self.chat_ids: set[int] = set()
        self.removed_ids: set[int] | None = set()
        self.connections: list[Connection] = []
        self.loaded: asyncio.Future[None] | None = loaded
        self.uses = 0


class Hub:
    """The connections of this process.

    Args:
        memberships: tells which chats a user is in when his first connection comes.

    Attributes:
        counts: what `/metrics` tells of it.
        is_leaving: everybody will be asked to come back; frames that still come are not answered any more.
        keeper: None where there is no other process.
        elsewhere: who is connected to other processes, and to how many of them.
    """

    def __init__(self, memberships: Memberships) -> None:
        self.counts = HubCounts()
        self.is_leaving = False
        self._memberships = memberships
        self._context = Context()  # what is written to a socket has nothing to do with whoever wrote it
        self._users: dict[int, UserLinks] = {}
        self._choosers: dict[int, UserLinks] = {}
        self._chats: dict[int, dict[WireProtocol, dict[Connection, None]]] = {}
        self._protocols: dict[WireProtocol, dict[Connection, None]] = {}
        self._dirty: list[Outbox] = []
        self._held: list[Outbox] = []
        self._is_holding = False
        self._hold_end: asyncio.TimerHandle | None = None
        self._ended: dict[bytes | int, float] = {}
        self.presence_sink: PresenceSink = lambda _user_id, _is_online, _chat_ids: None
        self.keeper: Keeper | None = None
        self.elsewhere: Mapping[int, int] = {}

    @property
    def connection_count(self) -> int:
        """How many connections there are."""
        return sum(map(len, self._protocols.values()))

    @property
    def user_count(self) -> int:
        """How many users have a connection here."""
        return sum(1 for links in self._users.values() if links.connections)

    def count_by_protocol(self) -> dict[str, int]:
        """How many connections there are, by the names of their protocols; those without any are left out."""
        return {protocol.name: len(connections) for protocol, connections in self._protocols.items()}

    @property
    def waiting_bytes(self) -> int:
        """How much all readers together have not taken yet. It looks at each socket: not for the hot path."""
        outboxes = {each.outbox for connections in self._protocols.values() for each in connections}
        return sum(outbox.waiting_bytes for outbox in outboxes)

    def speaks(self, protocol: WireProtocol, chat_id: int) -> bool:
        """Whether a member of that chat is connected here by that protocol."""
        return protocol in self._chats.get(chat_id, ())

    async def link(self, user_id: int, hears: Hears | None = None) -> UserLinks:
        """Prepare for a connection of a user, before its handshake is answered: from the return on he misses nothing.

        Every call is to be followed by ``unlink``.

        Args:
            hears: chooses what he is told of, the same for all of his connections; None: all that concerns him.
        """
        links = self._users.get(user_id)
        if links is not None:
            links.uses += 1
            try:
                if links.loaded is not None:
                    await asyncio.shield(links.loaded)
            except BaseException:
                self.unlink(links)
                raise
            return links
        loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        links = self._users[user_id] = UserLinks(user_id, loaded, hears)
        links.uses = 1
        if hears is not None:
            self._choosers[user_id] = links
        try:
            if self.keeper is not None:
                self.keeper.hold_user(user_id)
            chat_ids = await self._memberships.list_chat_ids(user_id)
            await self._fill(links, chat_ids)
        except BaseException as error:
            # The cancellation of this one is not that of those who wait for the same.
            loaded.set_exception(error if isinstance(error, Exception) else Unavailable())
            loaded.exception()  # it is raised below as well; nobody else may be waiting
            self.unlink(links)
            raise
        loaded.set_result(None)
        links.loaded = None  # as many users, as many bytes
        return links

    async def _fill(self, links: UserLinks, chat_ids: Iterable[int]) -> None:
        assert links.removed_ids is not None
        new = set(chat_ids) - links.removed_ids - links.chat_ids
        links.chat_ids |= new
        links.removed_ids = None
        if self.keeper is None:
            return
        for chat_id in new:
            self.keeper.hold(chat_id)
        chats = await self.keeper.ready(new)
        # In between he may have been removed by another process.
        for chat_id in new & links.chat_ids:
            if chat_id not in chats or links.user_id not in chats[chat_id].members:
                self._part(chat_id, (links.user_id,))

    def unlink(self, links: UserLinks) -> None:
        """Undo one ``link``."""
        links.uses -= 1
        if links.uses == 0 and self._users.get(links.user_id) is links:
            del self._users[links.user_id]
            self._choosers.pop(links.user_id, None)
            if self.keeper is not None:
                self.keeper.release_user(links.user_id)
                for chat_id in links.chat_ids:
                    self.keeper.release(chat_id)

    def is_online(self, user_id: int) -> bool:
        """Whether a user has a connection, here or elsewhere."""
        return user_id in self.elsewhere or self.is_online_here(user_id)

    def is_online_here(self, user_id: int) -> bool:
        """Whether a user has a connection to this process."""
        links = self._users.get(user_id)
        return links is not None and bool(links.connections)

    def list_online(self) -> list[int]:
        """All users with a connection, ascending."""
        return sorted({*self.elsewhere, *self.list_online_here()})

    def list_online_here(self) -> list[int]:
        """All users with a connection to this process."""
        return [links.user_id for links in self._users.values() if links.connections]

    def list_linked(self) -> list[tuple[int, set[int]]]:
        """All users who are connected to this process, or about to be, each with his chats."""
        return [(links.user_id, set(links.chat_ids)) for links in self._users.values() if links.loaded is None]

    def is_linked(self, user_id: int) -> bool:
        """Whether a user is connected to this process, or about to be."""
        return user_id in self._users

    def list_sessions(self) -> dict[bytes, int]:
        """The sessions through which there are connections to this process, each with its user."""
        return {
            connection.session_id: links.user_id for links in self._users.values() for connection in links.connections
        }

    def list_chat_ids(self, user_id: int) -> list[int]:
        """The chats of a connected user, ascending: those whose events his connections hear."""
        links = self._users.get(user_id)
        return sorted(links.chat_ids) if links is not None else []

    def list_online_with(self, user_id: int) -> list[int]:
        """The online users who share a chat with a connected user, ascending, without himself."""
        links = self._users.get(user_id)
        if links is None:
            return []
        found = {
            connection.user_id
            for chat_id in links.chat_ids
            for connections in self._chats.get(chat_id, {}).values()
            for connection in connections
        }
        found.update(
            other.user_id
            for other in self._choosers.values()
            if other.connections and not other.chat_ids.isdisjoint(links.chat_ids)
        )
        if self.keeper is not None:
            for chat_id in links.chat_ids:
                found.update(each for each in self.keeper.members_of(chat_id) if each in self.elsewhere)
        return sorted(found - {user_id})

    def add(self, links: UserLinks, connection: Connection) -> None:
        """A connection is open: from now on it hears what concerns its user."""
        if connection.session_id in self._ended or links.user_id in self._ended:
            # It ended between the look at the session and now.
            asyncio.get_running_loop().call_soon(connection.protocol.end_session, connection)
        if not links.connections:
            self.presence_sink(links.user_id, True, links.chat_ids)
        links.connections.append(connection)
        self._protocols.setdefault(connection.protocol, {})[connection] = None
        if links.hears is None:
            for chat_id in links.chat_ids:
                self._index(chat_id, connection)

    def remove(self, links: UserLinks, connection: Connection) -> None:
        """A connection is gone."""
        if connection not in links.connections:
            return
        links.connections.remove(connection)
        del self._protocols[connection.protocol][connection]
        if not self._protocols[connection.protocol]:
            del self._protocols[connection.protocol]
        if links.hears is None:
            for chat_id in links.chat_ids:
                self._unindex(chat_id, connection)
        if not links.connections:
            self.presence_sink(links.user_id, False, links.chat_ids)

    def _index(self, chat_id: int, connection: Connection) -> None:
        self._chats.setdefault(chat_id, {}).setdefault(connection.protocol, {})[connection] = None

    def _unindex(self, chat_id: int, connection: Connection) -> None:
        protocols = self._chats.get(chat_id, {})
        connections = protocols.get(connection.protocol, {})
        connections.pop(connection, None)
        if not connections:
            protocols.pop(connection.protocol, None)
            if not protocols:
                self._chats.pop(chat_id, None)

    def _join(self, chat_id: int, user_ids: Iterable[int]) -> None:
        for user_id in user_ids:
            links = self._users.get(user_id)
            if links is not None:
                if self.keeper is not None and chat_id not in links.chat_ids:
                    self.keeper.hold(chat_id)
                links.chat_ids.add(chat_id)
                if links.removed_ids is not None:
                    links.removed_ids.discard(chat_id)
                if links.hears is None:
                    for connection in links.connections:
                        self._index(chat_id, connection)

    def _part(self, chat_id: int, user_ids: Iterable[int]) -> None:
        for user_id in user_ids:
            links = self._users.get(user_id)
            if links is not None:
                if self.keeper is not None and chat_id in links.chat_ids:
                    self.keeper.release(chat_id)
                links.chat_ids.discard(chat_id)
                if links.removed_ids is not None:
                    links.removed_ids.add(chat_id)
                if links.hears is None:
                    for connection in links.connections:
                        self._unindex(chat_id, connection)

    def publish(self, events: Sequence[Event]) -> None:
        """Tell everybody concerned of events that happened in this order."""
        runs: dict[WireProtocol, Run] = {}
        try:
            for event in events:
                self._publish(event, runs)
        finally:  # a fault of one event takes nothing away from those before it
            self._end_runs(runs)

    def _publish(self, event: Event, runs: dict[WireProtocol, Run]) -> None:
        if not isinstance(event, CHANGES_OF_HEARERS):
            self._deliver(event, runs)
            return
        self._end_runs(runs)
        # Who comes hears of his own coming; who goes hears of his own going, and nothing after it.
        match event:
            case ChatCreated(chat):
                self._join(chat.id, chat.members)
            case MemberAdded(chat, user_id):
                self._join(chat.id, (user_id,))
        self._deliver(event, runs)
        self._end_runs(runs)
        match event:
            case MemberRemoved(chat, user_id):
                self._part(chat.id, (user_id,))
            case ChatDeleted(chat):
                self._part(chat.id, chat.members)
            case SessionsEnded(user_id, session_ids):
                self._end_sessions(user_id, session_ids)

    def _choosing_hearers(self, event: Event) -> list[Connection]:
        """The connections of users who choose what they are told of, and have chosen this."""
        return [
            connection
            for links in self._choosers.values()
            if links.hears is not None
            and (not isinstance(event, ChatEvent) or event.chat.id in links.chat_ids)
            and links.hears(event)
            for connection in links.connections
        ]

    def _deliver(self, event: Event, runs: dict[WireProtocol, Run]) -> None:
        choosing = self._choosing_hearers(event) if self._choosers else []
        for protocol in list(self._protocols):
            try:
                packets = list(protocol.render(event))  # its faults are raised in here, not where packets are sent
            except Exception:
                log.exception("protocol %s cannot render %s", protocol.name, type(event).__name__)
                continue
            run = runs.pop(protocol, None)
            for packet in packets:
                frame = text_frame(packet.payload)
                if packet.chat_id is not None:
                    key = (packet.chat_id, packet.except_user_id, packet.except_outbox, choosing)
                    if run is not None and (run.key != key or run.size >= RUN_MAX_BYTES):
                        self._push_run(protocol, run)
                        run = None
                    if run is None:
                        run = Run(key)
                    run.frames.append(frame)
                    run.size += len(frame)
                    continue
                if run is not None:
                    self._push_run(protocol, run)
                    run = None
                if packet.outbox is not None:
                    packet.outbox.push(frame)
                    self.counts.deliveries += 1
                else:
                    receivers = self._receivers(protocol, packet, choosing)
                    self._push([frame], receivers, packet.except_user_id, packet.except_outbox)
            if run is not None:
                runs[protocol] = run

    def _end_runs(self, runs: dict[WireProtocol, Run]) -> None:
        for protocol, run in runs.items():
            self._push_run(protocol, run)
        runs.clear()

    def _receivers(
        self, protocol: WireProtocol, packet: Packet, choosing: Collection[Connection]
    ) -> Collection[Connection]:
        """The connections that get a packet which is not for a chat, before exceptions."""
        if packet.to_everybody:
            everybody = list(self._protocols[protocol])
            if not self._choosers:
                return everybody
            return [each for each in everybody if each.user_id not in self._choosers or each in choosing]
        topic = packet.topic
        if packet.in_chats:
            return {
                connection
                for chat_id in packet.in_chats
                for connection in self._chats.get(chat_id, {}).get(protocol, ())
                if topic is None or topic in connection.topics
            }
        return [
            connection
            for user_id in packet.user_ids
            if (links := self._users.get(user_id)) is not None
            for connection in links.connections
            if connection.protocol is protocol
            and (links.hears is None or connection in choosing)
            and (topic is None or topic in connection.topics)
        ]

    def _push_run(self, protocol: WireProtocol, run: Run) -> None:
        chat_id, except_user_id, except_outbox, choosing = run.key
        if choosing:
            own = [connection for connection in choosing if connection.protocol is protocol]
            self._push(run.frames, own, except_user_id, except_outbox)
        connections = self._chats.get(chat_id, {}).get(protocol)
        if connections and (except_user_id or except_outbox is not None):
            self._push(run.frames, connections, except_user_id, except_outbox)
        elif connections:
            frames = b"".join(run.frames)
            self.counts.deliveries += len(run.frames) * len(connections)
            dirty = self._to_write()
            for connection in connections:
                pushed = connection.frames
                if not pushed:
                    dirty.append(connection.outbox)
                pushed.append(frames)

    def _push(
        self, run: Sequence[bytes], connections: Iterable[Connection], except_user_id: int, except_outbox: Outbox | None
    ) -> None:
        frames = b"".join(run)
        for connection in connections:
            if connection.user_id != except_user_id and connection.outbox is not except_outbox:
                connection.push(frames)
                self.counts.deliveries += len(run)

    def flush_later(self, outbox: Outbox) -> None:
        """Write an outbox at the end of this turn of the event loop; in ``holding``, when that is released."""
        self._to_write().append(outbox)

    def _to_write(self) -> list[Outbox]:
        """The outboxes that are written when this turn ends, or when what is held is released; that is seen to."""
        if self._is_holding:
            if self._hold_end is None:
                loop = asyncio.get_running_loop()
                self._hold_end = loop.call_later(HOLD_MAX_S, self.release, context=self._context)
            return self._held
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush, context=self._context)
        return self._dirty

    @contextmanager
    def holding(self) -> Iterator[None]:
        """What is pushed meanwhile is written at the next ``release``: with what is pushed to the same sockets then."""
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False

    def release(self) -> None:
        """Write what is held, at the end of this turn of the event loop."""
        if self._hold_end is not None:
            self._hold_end.cancel()
            self._hold_end = None
        if self._held:
            self._to_write().extend(self._held)
            self._held.clear()

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        frames: list[bytes] = []
        joined = b""
        for outbox in dirty:
            try:
                if outbox.frames != frames:  # most often it is told the same as the one before it
                    frames = outbox.frames.copy()
                    joined = b"".join(frames)
                outbox.flush(joined)
            except Exception:
                log.exception("a socket cannot be written to")

    def _end_sessions(self, user_id: int, session_ids: frozenset[bytes] | None) -> None:
        now_s = time.monotonic()
        for ended, ended_at_s in list(self._ended.items()):
            if now_s - ended_at_s < ENDED_REMEMBERED_S:
                break
            del self._ended[ended]
        for ended in (user_id,) if session_ids is None else session_ids:
            self._ended[ended] = now_s
        links = self._users.get(user_id)
        if links is not None:
            for connection in list(links.connections):
                if session_ids is None or connection.session_id in session_ids:
                    connection.protocol.end_session(connection)

    def close_all(self) -> None:
        """Ask everybody to come back: the server goes down."""
        for links in list(self._users.values()):
            for connection in list(links.connections):
                connection.close(CLOSE_SERVICE_RESTART, "the server restarts, come back")
