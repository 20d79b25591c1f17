"""Messages: sending, taking back, reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from nova_tornado.domain.errors import BadField, MessageUnknown, NoRight, NotAMember, RepeatMismatch
from nova_tornado.domain.events import ChatRead, MessageHidden, Typing
from nova_tornado.domain.models import (
    CONTENT_TEXT,
    SEQ_SPAN,
    BotScope,
    Chat,
    Entry,
    EntryKind,
    MessageDetails,
    Origin,
    Reading,
    User,
    chat_of,
)
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache, reading_of
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.freshness import Freshness
from nova_tornado.realtime.lanes import Draft, Plan, Sent, is_repeat
from nova_tornado.realtime.log import ChatLog
from nova_tornado.realtime.message_details import MessageDetailer
from nova_tornado.realtime.tails import TAIL_MESSAGES, Encode, Tails
from nova_tornado.services.bot_scopes import Ability, Invocations, check_reading, check_scope, sees_history
from nova_tornado.services.chats import ChatService
from nova_tornado.services.file_sends import FileSends
from nova_tornado.services.filters import Filters, OutgoingMessage
from nova_tornado.services.message_finder import MessageFinder, seq_bound
from nova_tornado.storage.database import MongoSession
from nova_tornado.storage.messages import PAGE_MESSAGES, shown_to
from nova_tornado.storage.store import Store

TYPING_PAUSE_S = 3
PAGE_MAX_MESSAGES = 1_000
"""The largest ``limit`` of a page that a client may ask for."""


@dataclass(frozen=True, slots=True)
class MessageSearch:
    """Which messages of a chat are looked for; all conditions must hold.

    Attributes:
        begin_us, end_us: when they were sent, inclusive; None: no bound.
        sender_ids: by whom; None: by anybody.
    """

    begin_us: int | None = None
    end_us: int | None = None
    sender_ids: Sequence[int] | None = None


class MessageService:
    """Sends, recalls, hides, marks as read and looks up messages.

    Args:
        store, cache, log, chats, directory, bus, clock: the parts it works with.
        filters: asked before a text is stored.
        freshness, tails: bring a chat in memory to the end of its log, and keep what is read again and again.
    """

    def __init__(
        self,
        store: Store,
        cache: ChatCache,
        log: ChatLog,
        chats: ChatService,
        directory: UserDirectory,
        bus: Bus,
        clock: Clock,
        filters: Filters,
        freshness: Freshness,
        tails: Tails,
    ) -> None:
        self._store = store
        self._filters = filters
        self._freshness = freshness
        self._tails = tails
        self._messages = store.messages
        self._cache = cache
        self._log = log
        self._chats = chats
        self._directory = directory
        self._bus = bus
        self._clock = clock
        self._details = MessageDetailer(store.messages, directory)
        self._finder = MessageFinder(store, directory)
        self._invocations = Invocations(store, directory, clock, self._finder)
        self._file_sends = FileSends(store, log, clock)
        self._last_typing_us: dict[tuple[int, int], int] = {}

    # Sending

    def send_at_once(self, user: User, chat_id: int, text: str) -> asyncio.Future[Sent] | None:
        """Send a checked text to a chat that is in memory, without waiting for anything first.

        Returns:
            What becomes of it (see ``ChatLog.send``), or None where ``send`` is needed: the chat is not at hand or
            the user not in it, or somebody must be asked first.
        """
        chat = self._cache.peek(chat_id)
        if chat is None or user.id not in chat.members or user.bot_scope is not None:
            return None
        if self._filters.concern(chat, user):
            return None
        return self._log.send(chat, user, text)

    async def send(
        self,
        user: User,
        chat_id: int,
        text: str,
        *,
        reply_to: int | None = None,
        client_id: str | None = None,
        content_type: str = CONTENT_TEXT,
        file_ids: Sequence[int] = (),
        origin: Origin | None = None,
        is_filtered: bool = True,
    ) -> Sent:
        """Send a message; all earlier ones of the chat are thereby read by the sender.

        Args:
            user: the sender.
            chat_id: where to.
            text: checked by ``rules.check_text``; with files it may be "".
            reply_to: the id of a message of the same chat.
            client_id: the sender's own id of this send; a repeat returns the first message, whatever its files are.
            content_type: what the sender calls the content.
            file_ids: of the sender's uploaded files, in order; those given twice count once.
            origin: where it was asked for.
            is_filtered: False for what somebody with the right to do so has let pass.

        Raises:
            ChatUnknown, NotAMember, MessageUnknown, BadField, RepeatMismatch, MessageRefused: nothing was stored.
            NoRight: the sender is a bot from outside, and its scope does not reach so far.
            OutcomeUnknown: repeat it with the same client id.
        """
        with self._log.counts.refusing():
            check_scope(user, Ability.SEND)
            chat = await self._chats.get_for(user.id, chat_id)
            answered = await self._find_answered(chat, reply_to)
            must_be_invoked = is_filtered and user.bot_scope is BotScope.INVOKED
            must_be_checked = is_filtered and self._filters.concern(chat, user)
            if must_be_invoked or must_be_checked:
                first = await self._messages.find_repeat(user.id, client_id) if client_id is not None else None
                if first is not None and is_repeat(first, chat, text):
                    self._log.counts.repeated += 1
                    return Sent(first, True)  # it has passed before
            if must_be_invoked:
                await self._invocations.check(user, chat, answered)
            if must_be_checked:
                asked = OutgoingMessage(
                    chat,
                    user,
                    text,
                    client_id=client_id,
                    reply_to=reply_to,
                    content_type=content_type,
                    file_count=len(file_ids),
                )
                text = await self._filters.check(asked)
        if not file_ids:
            return await self._log.send(chat, user, text, answered, client_id, content_type, origin)
        draft = Draft(
            EntryKind.MESSAGE,
            user.id,
            text,
            reply_to=answered[0].id if answered else None,
            client_id=client_id,
            content_type=content_type,
        )
        return await self._file_sends.send(chat, draft, file_ids, origin)

    async def send_private(self, user: User, other_id: int, text: str, *, client_id: str | None = None) -> Sent:
        """Send a message to another user, in the private chat of the two, which is made if there is none.

        Raises:
            BadField, UserUnknown: there can be no such chat.
            RepeatMismatch, OutcomeUnknown: as for ``send``.

        Source: contract "protocols" section 3.6.
        """
        if (
            client_id is not None
            and await self._chats.find_private(user.id, other_id) is None
            and await self._messages.find_repeat(user.id, client_id) is not None
        ):
            raise RepeatMismatch  # and not after a chat was made for it
        chat, _ = await self._chats.open_private(user, other_id)
        return await self.send(user, chat.id, text, client_id=client_id)

    async def _find_answered(self, chat: Chat, reply_to: int | None) -> tuple[Entry, User] | None:
        if reply_to is None:
            return None
        answered = await self._find(reply_to)
        if answered.chat_id != chat.id:
            raise BadField("The message replied to is in another chat")
        return answered, await self._sender(answered)

    async def _find(self, message_id: int) -> Entry:
        message = await self._messages.find(message_id) if 0 < message_id < 2**53 else None
        if message is None or message.kind is not EntryKind.MESSAGE:
            raise MessageUnknown
        return message

    async def _sender(self, message: Entry) -> User:
        return self._directory.deleted if message.is_recalled else await self._directory.get(message.sender_id)

    async def details(
        self, chat: Chat, messages: Sequence[Entry], *, viewer: User | None = None
    ) -> list[MessageDetails]:
        """All that is told about messages of a chat, in their order.

        Args:
            viewer: for whom; None: for the server itself.
        """
        details = await self._details.of(chat, messages)
        if viewer is None or sees_history(viewer, chat):
            return details
        return [each._replace(replies=()) for each in details]

    async def note_typing(self, user: User, chat_id: int) -> None:
        """Tell the other members that a member is writing; at most once in ``TYPING_PAUSE_S`` for each chat.

        Raises:
            ChatUnknown, NotAMember, NoRight: not possible.

        Source: contract "actions" section 8.
        """
        check_scope(user, Ability.CHANGE_MESSAGES)
        chat = await self._chats.get_for(user.id, chat_id)
        now_us = self._clock.now_us()
        for key, then_us in list(self._last_typing_us.items()):
            if now_us - then_us < TYPING_PAUSE_S * 1_000_000:
                break
            del self._last_typing_us[key]
        if (user.id, chat.id) not in self._last_typing_us:
            self._last_typing_us[user.id, chat.id] = now_us
            self._bus.publish(Typing(chat, user.id))

    # Changing

    async def edit(self, user: User, message_id: int, text: str, *, origin: Origin | None = None) -> None:
        """Replace the text of one's own message.

        Args:
            text: checked by ``rules.check_text``.
            origin: where it was asked for.

        Raises:
            MessageUnknown: no such message, or in a chat of others.
            NoRight: it is another's, or recalled.
            MessageRefused: a filter does not let it pass.

        Source: contract "actions" section 8; contract "protocols" section 0.6.
        """
        check_scope(user, Ability.CHANGE_MESSAGES)
        chat = await self._find_chat(message_id)
        message = await self._find(message_id)
        if message.sender_id == user.id and user.id in chat.members and self._filters.concern(chat, user):
            text = await self._filters.check(OutgoingMessage(chat, user, text, is_edit=True))
        edited_us = self._clock.now_us()

        def plan(chat: Chat) -> Plan:
            if user.id not in chat.members:
                raise MessageUnknown
            if message.sender_id != user.id:
                raise NoRight("Only the sender can edit a message")

            async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
                if not await self._messages.edit(message_id, text, edited_us, session):
                    raise NoRight("A recalled message cannot be edited")

            return Plan([Draft(EntryKind.EDITED, user.id, target=message_id)], documents)

        await self._log.change(chat, plan, origin=origin)

    # Taking back

    async def recall(self, user: User, message_id: int, *, origin: Origin | None = None) -> None:
        """Take one's own message back, for everybody; its text and its files are gone for good.

        Raises:
            MessageUnknown: no such message.
            NoRight: it is another's, or recalled already.
        """
        check_scope(user, Ability.CHANGE_MESSAGES)
        chat = await self._find_chat(message_id)
        message = await self._find(message_id)
        if message.sender_id != user.id and user.id not in chat.members:
            raise MessageUnknown
        if message.sender_id != user.id or message.is_recalled:
            raise NoRight("Only the sender can recall a message, and only once")

        def plan(_: Chat) -> Plan:
            async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
                if not await self._messages.recall(message_id, session):
                    raise NoRight("The message is recalled already")
                if message.files:  # their bytes go with the next sweep
                    await self._store.files.delete([file.id for file in message.files], session)

            return Plan([Draft(EntryKind.RECALLED, user.id, target=message_id)], documents)

        await self._log.change(chat, plan, origin=origin)

    async def hide(self, user: User, message_id: int) -> None:
        """Delete a message for oneself only.

        Raises:
            MessageUnknown: no such message, or in a chat of others.
            NoRight: not by this bot.
        """
        check_scope(user, Ability.CHANGE_MESSAGES)
        chat = await self._find_chat(message_id)
        if user.id not in chat.members:
            raise MessageUnknown
        message = await self._find(message_id)
        if user.id in message.hidden_for:
            self._bus.publish(MessageHidden(user.id, message_id))
            return

        def plan(chat: Chat) -> Plan:
            if user.id not in chat.members:
                raise MessageUnknown

            async def documents(session: MongoSession, _entries: Sequence[Entry]) -> None:
                await self._messages.hide(message_id, user.id, session)

            return Plan([Draft(EntryKind.HIDDEN, user.id, target=message_id)], documents)

        await self._log.change(chat, plan)

    async def _find_chat(self, message_id: int) -> Chat:
        chat = await self._cache.find(chat_of(message_id)) if 0 < message_id < 2**53 else None
        if chat is None:
            raise MessageUnknown
        return chat

    # Reading

    async def mark_read(self, user: User, chat_id: int, *, origin: Origin | None = None) -> None:
        """Mark everything in a chat as read; a bot may where it may read the history.

        Raises:
            ChatUnknown, NotAMember, NoRight: not possible.
        """
        chat = await self._chats.get_for(user.id, chat_id)
        check_reading(user, chat)
        seq, count = chat.last_seq, chat.last_count
        await self._store.memberships.move_cursors([(chat.id, user.id, seq, count)])
        member = chat.members.get(user.id)
        if member is None:
            raise NotAMember  # removed in between
        reading = reading_of(chat, user.id, seq)
        if member.read_seq < seq:
            member.read_seq, member.read_count = seq, count
        self._bus.publish(ChatRead(chat, user.id, reading, origin=origin))

    async def list_newly_read(self, chat: Chat, readings: Sequence[tuple[int, Reading]]) -> list[int]:
        """The messages that were read by nobody but their authors before members' cursors moved, and are read now.

        Args:
            readings: who has read what, in that order.

        Returns:
            Their ids, ascending; recalled ones are left out.

        Source: contract "protocols" sections 0.10 and 1.4 (``is_read``).
        """
        return await self._finder.list_newly_read(chat.id, readings)

    async def find_latest_from(self, chat: Chat, sender_id: int, viewer_id: int) -> Entry | None:
        """The newest message of one sender that is neither recalled nor deleted for the viewer.

        Args:
            chat: one that the viewer may read.

        Raises:
            NoRight: the viewer is a bot, and does not see the chat's history.
        """
        await self._check_viewer(chat, viewer_id)
        last = chat.last_message
        if last is not None and last.sender_id == sender_id and viewer_id not in last.hidden_for:
            return last
        return await self._messages.find_newest(chat.id, viewer_id, sender_id)

    async def history(
        self,
        chat: Chat,
        viewer_id: int,
        *,
        from_id: int | None = None,
        from_us: int | None = None,
        before_us: int | None = None,
        limit: int,
        newest: bool = False,
    ) -> list[Entry]:
        """Messages of a chat that are neither recalled nor deleted for the viewer, ascending by id.

        Args:
            chat: one that the viewer may read.
            viewer_id: for whom.
            from_id: the smallest id, any integer.
            from_us, before_us: when they were sent: from then on, and before then.
            limit: how many at most.
            newest: the newest of them instead of the oldest.

        Raises:
            NoRight: the viewer is a bot, and does not see the chat's history.
        """
        await self._check_viewer(chat, viewer_id)
        await self._freshness.ensure((chat,))
        after_seq, before_seq = 0, chat.last_seq + 1
        if from_id is not None:
            after_seq = max(after_seq, seq_bound(chat.id, from_id) - 1)
        if from_us is not None:
            after_seq = max(after_seq, await self._finder.first_seq_at(chat, from_us) - 1)
        if before_us is not None:
            before_seq = min(before_seq, await self._finder.first_seq_at(chat, before_us))
        if before_seq <= after_seq + 1:
            return []
        page = await self._messages.list_page(
            chat.id,
            after_seq=after_seq,
            before_seq=before_seq,
            limit=limit,
            is_ascending=not newest,
            condition=shown_to(viewer_id),
        )
        return page[::-1] if newest else page

    async def _check_viewer(self, chat: Chat, viewer_id: int | None) -> None:
        if viewer_id is not None:
            check_reading(await self._directory.get(viewer_id), chat)

    async def list_page(
        self,
        chat: Chat,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        viewer_id: int | None = None,
    ) -> list[MessageDetails]:
        """A page of a chat's history, newest first.

        Args:
            chat: one that the caller may read.
            after, before: message ids, exclusive. With ``after`` alone the page is the oldest behind it, else the
                newest.
            limit: how many at most.
            viewer_id: for whom; None: for the server itself.

        Raises:
            NoRight: the viewer is a bot, and does not see the chat's history.
        """
        await self._check_viewer(chat, viewer_id)
        page = await self._messages.list_page(
            chat.id,
            after_seq=0 if after is None else seq_bound(chat.id, after),
            before_seq=SEQ_SPAN if before is None else seq_bound(chat.id, before),
            limit=limit,
            is_ascending=after is not None and before is None,
        )
        return await self._details.of(chat, sorted(page, key=lambda message: -message.id))

    async def answer_newest(self, chat: Chat, *, limit: int, viewer_id: int, encode: Encode) -> bytes:
        """The newest messages of a chat as a protocol shows them: from memory where they are at hand.

        Args:
            chat: one that the viewer may read.
            limit: how many at most.
            viewer_id: for whom.
            encode: a function of the protocol's; what it makes of messages depends on nothing else.

        Raises:
            NoRight: the viewer is a bot, and does not see the chat's history.
        """
        await self._check_viewer(chat, viewer_id)
        tail = await self._tails.find(chat) if limit <= TAIL_MESSAGES else None
        if tail is not None and tail.holds(limit):
            return await tail.answer(encode, limit, viewer_id, encode, self._directory)
        return encode(await self.list_page(chat, limit=limit, viewer_id=viewer_id), viewer_id)

    async def iterate(
        self, chat: Chat, search: MessageSearch | None = None, *, viewer_id: int | None = None
    ) -> AsyncIterator[list[MessageDetails]]:
        """A chat's messages, newest first, page by page, however many there are.

        Args:
            chat: one that the caller may read.
            search: what they must match.
            viewer_id: for whom; None: for the server itself.

        Raises:
            NoRight: the viewer is a bot, and does not see the chat's history.
        """
        await self._check_viewer(chat, viewer_id)
        await self._freshness.ensure((chat,))
        search = search or MessageSearch()
        after_seq = 0
        before_seq = chat.last_seq + 1
        if search.begin_us is not None:
            after_seq = await self._finder.first_seq_at(chat, search.begin_us) - 1
        if search.end_us is not None:
            before_seq = await self._finder.first_seq_at(chat, search.end_us + 1)
        condition = await self._finder.sender_condition(chat, search.sender_ids)
        while before_seq > after_seq + 1:
            page = await self._messages.list_page(
                chat.id, after_seq=after_seq, before_seq=before_seq, limit=PAGE_MESSAGES, condition=condition
            )
            if page:
                yield await self._details.of(chat, page)
            if len(page) < PAGE_MESSAGES:
                return
            before_seq = page[-1].seq
