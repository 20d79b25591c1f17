"""Joins this process with the others of one Nova: tells them what happens here, and takes in what they tell.

What is told is a hint. A chat's log is the truth about the chat: what was announced of it is folded in where it follows
on the end that is known here, and otherwise the log is read. Where a message was lost, ``repairs`` reads again
everything that it may have been about.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from nova_tornado.domain import events
from nova_tornado.domain.events import ChatEvent, Event
from nova_tornado.domain.models import CONTENT_TEXT, Chat, Entry, EntryKind, message_id
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache, cursor_of, reading_of
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.elsewhere import OnlineElsewhere
from nova_tornado.realtime.event_codec import ChatNotHereError, CodecError, decode, encode
from nova_tornado.realtime.hub import Hub
from nova_tornado.realtime.log import ChatLog
from nova_tornado.realtime.numbered import Item, NumberedChannels
from nova_tornado.realtime.presence import Presence
from nova_tornado.realtime.repairs import CHATS_AT_ONCE, Repairs
from nova_tornado.realtime.transport import Transport
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

SHARDS = 64
"""Into so many channels the chats are divided, and the users."""
ANNOUNCED_MAX_CHARACTERS = 16 * 1024
"""Longer texts of one chat in one batch are not sent along; who needs them reads the log."""

OF_THE_LOG = (
    *(events.MessageSent, events.MessageEdited, events.MessageRecalled, events.MessageHidden),
    *(events.ChatCreated, events.ChatUpdated),
    *(events.MemberAdded, events.MemberRemoved, events.AdminChanged, events.OwnerChanged, events.ChatDeleted),
)
"""Events that other processes make of the entries."""


class Relay:
    """Between the bus of this process and the transport.

    It is also what keeps the chats of connected users in memory, at the ends of their logs (``hub.Keeper``), says of
    the others that nobody does (``chats.Sharing``), and stands for the other writers of the logs (``log.Others``).

    Args:
        transport: carries messages.
        namespace: tells this Nova from others that share a transport.
        store, chats, chat_log, hub, bus, directory, presence: the parts it joins.
    """

    def __init__(
        self,
        transport: Transport,
        namespace: str,
        *,
        store: Store,
        chats: ChatCache,
        chat_log: ChatLog,
        hub: Hub,
        bus: Bus,
        directory: UserDirectory,
        presence: Presence,
    ) -> None:
        self._channels = NumberedChannels(transport, bus.counts)
        self._prefix = f"nova:{namespace}:"
        self._chats = chats
        self._log = chat_log
        self._hub = hub
        self._bus = bus
        self._directory = directory
        self._held: dict[int, int] = {}
        self._kept: dict[int, Chat] = {}
        self._missed_while_loading: set[int] = set()
        self._shards: dict[str, int] = {}
        self._elsewhere = OnlineElsewhere(
            self._channels, self._prefix + "presence", hub, presence, lambda: self._kept.values()
        )
        self._repairs = Repairs(store, chats, chat_log, hub, bus, directory, self)
        chats.sharing = self
        hub.keeper = self
        chat_log.news.others = self

    @property
    def is_connected(self) -> bool:
        """Whether the other processes can be heard."""
        return self._channels.is_connected

    async def open(self) -> None:
        """Begin to tell and to listen."""
        self._bus.add_sink(self._tell)
        self._channels.subscribe((self._prefix + "all",))
        self._elsewhere.open()
        await self._channels.open(self._take, self._missed, self._elsewhere.note_alive, self._recovered)
        self._repairs.open(lambda: self._channels.is_connected)

    async def close(self) -> None:
        """Tell what has happened, and stop."""
        await self._repairs.close()
        self._elsewhere.close()
        await self._channels.close()

    # Which chats and users are listened for

    def hold_user(self, user_id: int) -> None:
        """A user has come (``hub.Keeper``)."""
        self._subscribe(self._user_channel(user_id))

    def release_user(self, user_id: int) -> None:
        """He has gone."""
        self._unsubscribe(self._user_channel(user_id))

    def hold(self, chat_id: int) -> None:
        """A connected user is in that chat."""
        count = self._held[chat_id] = self._held.get(chat_id, 0) + 1
        if count == 1:
            self._subscribe(self._chat_channel(chat_id))
            known = self._chats.peek(chat_id)
            if known is not None:
                self._kept[chat_id] = known
                self._log.mark_behind(known)

    def release(self, chat_id: int) -> None:
        """One such user less."""
        self._held[chat_id] -= 1
        if not self._held[chat_id]:
            del self._held[chat_id]
            self._kept.pop(chat_id, None)
            self._missed_while_loading.discard(chat_id)
            self._chats.loosen(chat_id)
            self._log.loosen(chat_id)
            self._unsubscribe(self._chat_channel(chat_id))

    async def ready(self, chat_ids: Collection[int]) -> Mapping[int, Chat]:
        """Have chats that are held in memory, at the ends of their logs."""
        fresh = [chat_id for chat_id in chat_ids if chat_id not in self._kept]
        loaded: dict[int, Chat] = {}
        for first in range(0, len(fresh), CHATS_AT_ONCE):
            loaded |= await self._chats.find_many(fresh[first : first + CHATS_AT_ONCE])
        for chat_id, chat in loaded.items():
            if chat_id in self._held and self._kept.setdefault(chat_id, chat) is chat:
                self._chats.put(chat)
        behind = [chat for chat_id, chat in loaded.items() if chat_id in self._missed_while_loading]
        self._missed_while_loading.difference_update(loaded)
        for chat in behind:
            self._log.mark_behind(chat)
        await self._log.wait_current([self._kept[chat_id] for chat_id in chat_ids if chat_id in self._kept])
        return {chat_id: self._kept[chat_id] for chat_id in chat_ids if chat_id in self._kept}

    def members_of(self, chat_id: int) -> Collection[int]:
        """The members of a chat that is held."""
        chat = self._kept.get(chat_id)
        return chat.members if chat is not None else ()

    def is_kept(self, chat_id: int) -> bool:
        """Whether this process is told what others write to a chat (``chats.Sharing``)."""
        return chat_id in self._held

    async def refresh(self, chats: Sequence[Chat]) -> None:
        """Bring chats up to date of which it is not told."""
        await self._repairs.refresh(chats)

    def list_kept(self, channel: str | None = None) -> list[Chat]:
        """The chats that are held, all or those of a channel."""
        return [
            chat for chat_id, chat in self._kept.items() if channel is None or self._chat_channel(chat_id) == channel
        ]

    def _subscribe(self, channel: str) -> None:
        self._shards[channel] = self._shards.get(channel, 0) + 1
        if self._shards[channel] == 1:
            self._channels.subscribe((channel,))

    def _unsubscribe(self, channel: str) -> None:
        self._shards[channel] -= 1
        if not self._shards[channel]:
            del self._shards[channel]
            self._channels.unsubscribe((channel,))

    def _chat_channel(self, chat_id: int) -> str:
        return f"{self._prefix}chats:{chat_id % SHARDS}"

    def _user_channel(self, user_id: int) -> str:
        return f"{self._prefix}users:{user_id % SHARDS}"

    # What happens here

    def announce(self, chat: Chat, entries: Sequence[Entry]) -> None:
        """Entries were written here, and are told of here now (``log.Others``)."""
        self._hub.release()
        rows = None
        if (
            all(entry.kind is EntryKind.MESSAGE and not entry.files and entry.reply_to is None for entry in entries)
            and sum(len(entry.text) for entry in entries) <= ANNOUNCED_MAX_CHARACTERS
        ):
            rows = [_row(entry) for entry in entries]
        last_seq = entries[-1].seq
        self._channels.publish(self._chat_channel(chat.id), ["entries", chat.id, last_seq, rows])

    def ask_turn(self, chat: Chat) -> None:
        """Something waits here to be written (``log.Others``)."""
        self._channels.publish(self._chat_channel(chat.id), ["turn", chat.id])

    def telling_with_next(self) -> AbstractContextManager[None]:
        """What is told here meanwhile is delivered with what is written here next (``log.Others``)."""
        return self._hub.holding()

    def are_heard(self, chat: Chat) -> bool:
        """Whether this process is told what the others write to a chat (``log.Others``)."""
        return self.is_connected and self._kept.get(chat.id) is chat

    def _tell(self, happened: Sequence[Event]) -> None:
        """Events happened here (a sink of the bus)."""
        for event in happened:
            match event:
                case events.MessageSent():
                    pass
                case events.MemberAdded(chat, user_id):
                    self._channels.publish(self._user_channel(user_id), ["joined", user_id, chat.id, 0])
                case events.ChatCreated(chat, actor_id):
                    for user_id in chat.members:
                        self._channels.publish(self._user_channel(user_id), ["joined", user_id, chat.id, actor_id])
                case events.ChatRead(chat, user_id, reading) if (member := chat.members.get(user_id)) is not None:
                    told = ["read", chat.id, user_id, member.read_seq, member.read_count, reading is not None]
                    self._channels.publish(self._chat_channel(chat.id), told)
                case _ if event.is_relayed and not isinstance(event, OF_THE_LOG):
                    try:
                        self._channels.publish(self._channel_of(event), ["event", encode(event)])
                    except CodecError as error:
                        log.error("%s cannot be told to other processes: %s", type(event).__name__, error)

    def _channel_of(self, event: Event) -> str:
        """One channel only, on which all who are concerned hear of it."""
        match event:
            case ChatEvent(chat):
                return self._chat_channel(chat.id)
            case events.SessionsEnded(user_id):
                return self._user_channel(user_id)
            case events.Notice(user_ids) if user_ids and len({user_id % SHARDS for user_id in user_ids}) == 1:
                return self._user_channel(user_ids[0])
        return self._prefix + "all"

    # What happens elsewhere

    def _recovered(self) -> None:
        """The connection is back; anything may have been missed."""
        self._elsewhere.recovered()
        self._repairs.doubt_all()

    def _missed(self, channel: str, process: str) -> None:
        """Something that another process has told on a channel did not arrive."""
        if self._elsewhere.channel == channel:
            self._elsewhere.ask(process)
        elif channel.startswith(self._prefix + "chats:"):
            self._repairs.doubt_chats(channel)
        else:
            self._repairs.doubt_users()

    def _take(self, channel: str, process: str, item: Item) -> None:
        match item:
            case ["entries", int() as chat_id, int() as last_seq, rows]:
                self._take_entries(chat_id, last_seq, rows)
                self._log.turns.note_written(chat_id, process)
            case ["turn", int() as chat_id]:
                if chat_id in self._kept:
                    self._log.turns.note_asked(chat_id, process)
            case ["read", int() as chat_id, int() as user_id, int() as seq, int() as count, bool() as is_news]:
                chat = self._kept.get(chat_id)
                if chat is not None:
                    self._log.when_current(chat, lambda: self.take_cursor(chat, user_id, seq, count, is_news=is_news))
            case ["joined", int() as user_id, int() as chat_id, int() as actor_id]:
                if self._hub.is_linked(user_id):
                    self._repairs.joined(user_id, chat_id, actor_id)
            case ["event", dict() as encoded]:
                self._take_event(encoded)
            case [str() as kind, *rest] if channel == self._elsewhere.channel:
                self._elsewhere.take(process, kind, rest)
            case _:
                raise CodecError("of no kind that is known here")

    def _take_entries(self, chat_id: int, last_seq: int, rows: Any) -> None:
        chat = self._kept.get(chat_id)
        if chat is None:
            if chat_id in self._held:
                self._missed_while_loading.add(chat_id)
            return
        entries: list[Entry] | None = None
        if rows is not None:
            entries = []
            first_seq = last_seq - len(rows) + 1
            for seq, row in enumerate(rows, first_seq):
                match row:
                    case [int() as count, int() as sender_id, int() as sent_us, str() as text]:
                        entry = Entry(message_id(chat_id, seq), EntryKind.MESSAGE, count, sender_id, sent_us, text)
                    case [
                        int() as count,
                        int() as sender_id,
                        int() as sent_us,
                        str() as text,
                        str() | None as client_id,
                        str() as kind,
                    ]:
                        entry = Entry(message_id(chat_id, seq), EntryKind.MESSAGE, count, sender_id, sent_us, text)
                        entry.client_id, entry.content_type = client_id, kind
                    case _:
                        raise CodecError("no entry")
                entries.append(entry)
        self._log.take_announced(chat, last_seq, entries)

    def take_cursor(self, chat: Chat, user_id: int, seq: int, count: int, *, is_news: bool = True) -> None:
        """A member has read up to there, says another process."""
        member = chat.members.get(user_id)
        if member is None:
            return
        reading = reading_of(chat, user_id, seq) if is_news and seq > cursor_of(member) else None
        if member.read_seq < seq:
            member.read_seq, member.read_count = seq, count
        elif is_news:
            return  # it is known already
        self._bus.publish_from_elsewhere(events.ChatRead(chat, user_id, reading))

    def _take_event(self, encoded: dict[str, Any]) -> None:
        try:
            event = decode(encoded, self._kept.get)
        except ChatNotHereError:
            return
        if not isinstance(event, Event):
            raise CodecError("no event")
        if isinstance(event, ChatEvent):
            self._log.when_current(event.chat, lambda: self._publish(event))
        else:
            self._publish(event)

    def _publish(self, event: Event) -> None:
        match event:
            case events.ProfileChanged(user) | events.AccountCreated(user):
                self._directory.forget(user.id)
            case events.AccountDeleted(user_id):
                self._directory.forget(user_id)
        self._bus.publish_from_elsewhere(event)


def _row(entry: Entry) -> list[Any]:
    row: list[Any] = [entry.count, entry.sender_id, entry.sent_us, entry.text]
    if entry.client_id is not None or entry.content_type != CONTENT_TEXT:
        row += [entry.client_id, entry.content_type]
    return row
