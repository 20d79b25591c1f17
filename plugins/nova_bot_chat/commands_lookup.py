"""``/unread``, ``/search`` and ``/summary``: what the asking user may read himself, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nova_bot_chat.assistant_texts import counted, cut, fold, matches, one_line, snippet
from nova_bot_chat.commands import BadUsage, ask_in_private, command, is_talk_with_bots
from nova_bot_chat.summaries import Said, summarise
from nova_tornado.api import Command, Conversation, Nova, models

UNREAD_CHATS_SHOWN = 30
SEARCH_RESULTS_COUNT = 10
SEARCH_CHATS_MAX = 50
"""The chats that were written to last; a search in private looks through no more."""
SEARCH_MESSAGES_MAX = 400
"""The newest of each chat."""
SEARCH_GROUP_MESSAGES_MAX = 1_000
"""The newest of the group in which it is searched."""
SEARCH_CHARACTERS_MAX = 2_000_000
"""In all: comparing them takes about a tenth of a second of the processor."""
SEARCH_WORDS_MAX = 10
SEARCH_WORDS_MAX_CHARACTERS = 200
PAUSE_CHARACTERS = 50_000
"""After comparing so many, others get their turn."""
SUMMARY_MESSAGES_MAX = 200
SUMMARY_MESSAGES_MIN = 3
CANDIDATES_SHOWN = 5
CHAT_NAME_SHOWN_CHARACTERS = 60

UNREAD_USAGE = ""
SEARCH_USAGE = "words"
SUMMARY_USAGE = "[chat name or id]"


def moment(sent_us: int) -> str:
    """A time as it is told."""
    return f"{datetime.fromtimestamp(sent_us / 1e6, UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found, in the chat of that name."""

    message: models.Entry
    chat_name: str


@dataclass(slots=True)
class Scan:
    """What a search has found and how far it has come.

    Attributes:
        words: folded.
        is_bounded: there is more that it did not look at.
    """

    words: Sequence[str]
    hits: list[Hit] = field(default_factory=list)
    read_characters: int = 0
    is_bounded: bool = False


def parse_words(arguments: str) -> list[str]:
    """The words to be looked for, folded.

    Raises:
        BadUsage: none, or too many.
    """
    words = list(dict.fromkeys(fold(arguments).split()))
    if not words:
        raise BadUsage("What shall I look for?")
    if len(words) > SEARCH_WORDS_MAX or len(arguments) > SEARCH_WORDS_MAX_CHARACTERS:
        raise BadUsage(f"I look for {SEARCH_WORDS_MAX} words of {SEARCH_WORDS_MAX_CHARACTERS} characters in all.")
    return words


class Lookup:
    """Looks into the chats of the asking user."""

    def __init__(self, nova: Nova) -> None:
        self._chats = nova.services.chats
        self._messages = nova.services.messages
        self._directory = nova.services.directory

    async def _names(self, chats: Iterable[models.Chat], viewer_id: int) -> dict[int, str]:
        listed = list(chats)
        # A chat with a title is called by it, however many are in it.
        users = await self._directory.load({id_ for chat in listed if not chat.title for id_ in chat.members})
        return {
            chat.id: cut(one_line(chat.display_name(users, viewer_id)), CHAT_NAME_SHOWN_CHARACTERS) or f"chat {chat.id}"
            for chat in listed
        }

    async def _users(self, messages: Iterable[models.Entry]) -> Mapping[int, models.User]:
        return await self._directory.load({message.sender_id for message in messages})

    async def _said(
        self, chat: models.Chat, viewer_id: int, limit: int
    ) -> tuple[list[models.Entry], Mapping[int, models.User], bool]:
        """What people have said to one another: the newest messages, oldest first; and whether there are older ones."""
        page = await self._messages.history(chat, viewer_id, limit=limit, newest=True)
        users = await self._users(page)
        said = [
            message
            for message in page
            if not users[message.sender_id].is_system and not is_talk_with_bots(message, users[message.sender_id])
        ]
        return said, users, len(page) == limit

    # /unread

    async def unread(self, conversation: Conversation) -> str:
        """The user's chats with unread messages."""
        if not conversation.is_private:
            return ask_in_private(conversation)
        user_id = conversation.user.id
        counts = {
            chat: count
            for chat in await self._chats.list_of(user_id)
            if chat.id != conversation.chat_id and (count := chat.unread_count(user_id)) > 0
        }
        if not counts:
            return "You have read everything."
        chats = sorted(counts, key=lambda chat: -chat.last_sent_us)
        names = await self._names(chats[:UNREAD_CHATS_SHOWN], user_id)
        lines = [f"• {names[chat.id]}: {counts[chat]:,}" for chat in chats[:UNREAD_CHATS_SHOWN]]
        if len(chats) > UNREAD_CHATS_SHOWN:
            lines.append(f"and {counted(len(chats) - UNREAD_CHATS_SHOWN, 'chat')} more")
        total = sum(counts.values())
        return "\n".join([f"{counted(total, 'unread message')} in {counted(len(chats), 'chat')}:", *lines])

    # /search

    async def search(self, conversation: Conversation) -> str:
        """The newest messages with all of some words."""
        scan = Scan(parse_words(conversation.arguments))
        user_id = conversation.user.id
        if conversation.is_private:
            chats = sorted(await self._chats.list_of(user_id), key=lambda chat: -chat.last_sent_us)
            scan.is_bounded = len(chats) > SEARCH_CHATS_MAX
            limit = SEARCH_MESSAGES_MAX
        else:
            chats = [await self._chats.get_for(user_id, conversation.chat_id)]
            limit = SEARCH_GROUP_MESSAGES_MAX
        names = await self._names(chats[:SEARCH_CHATS_MAX], user_id)
        for chat in chats[:SEARCH_CHATS_MAX]:
            await self._scan(scan, chat, names[chat.id], user_id, limit)
        return await self._tell(scan, conversation)

    async def _scan(self, scan: Scan, chat: models.Chat, name: str, viewer_id: int, limit: int) -> None:
        if scan.read_characters > SEARCH_CHARACTERS_MAX:
            scan.is_bounded = True
            return
        said, _, is_more = await self._said(chat, viewer_id, limit)
        scan.is_bounded |= is_more
        pause_at = scan.read_characters + PAUSE_CHARACTERS
        for message in reversed(said):
            if scan.read_characters > SEARCH_CHARACTERS_MAX:
                scan.is_bounded = True
                return
            scan.read_characters += len(message.text)
            if matches(message.text, scan.words):
                scan.hits.append(Hit(message, name))
            if scan.read_characters > pause_at:
                pause_at = scan.read_characters + PAUSE_CHARACTERS
                await asyncio.sleep(0)

    async def _tell(self, scan: Scan, conversation: Conversation) -> str:
        note = []
        if scan.is_bounded:
            where = f"your {SEARCH_CHATS_MAX} latest chats" if conversation.is_private else "this chat"
            each = SEARCH_MESSAGES_MAX if conversation.is_private else SEARCH_GROUP_MESSAGES_MAX
            note = [f"(I looked only at the newest messages of {where}, at most {each:,} each: there may be more.)"]
        if not scan.hits:
            return "\n".join(["I found nothing.", *note])
        hits = sorted(scan.hits, key=lambda hit: (-hit.message.sent_us, -hit.message.id))[:SEARCH_RESULTS_COUNT]
        users = await self._users(hit.message for hit in hits)
        lines = [self._line(hit, users[hit.message.sender_id].name, scan, conversation) for hit in hits]
        newest = f", the newest {len(hits)}" if len(scan.hits) > len(hits) else ""
        return "\n".join([f"I found {counted(len(scan.hits), 'message')}{newest}:", *lines, *note])

    @staticmethod
    def _line(hit: Hit, author: str, scan: Scan, conversation: Conversation) -> str:
        where = f"{hit.chat_name}, " if conversation.is_private else ""
        return f"• {where}{author}, {moment(hit.message.sent_us)}: {snippet(hit.message.text, scan.words)}"

    # /summary

    async def summary(self, conversation: Conversation) -> str:
        """What the last messages of a chat were about."""
        name = one_line(conversation.arguments)
        if conversation.is_private:
            if not name:
                raise BadUsage("Which chat shall I summarise?")
            chat = await self._find_chat(conversation, name)
        else:
            chat = await self._chats.get_for(conversation.user.id, conversation.chat_id)
            if name and name != str(chat.id) and fold(name) != fold(chat.title):
                return ask_in_private(conversation)
        said, users, _ = await self._said(chat, conversation.user.id, SUMMARY_MESSAGES_MAX)
        said = [message for message in said if message.text]
        names = await self._names([chat], conversation.user.id)
        if len(said) < SUMMARY_MESSAGES_MIN:
            return f"There is too little in “{names[chat.id]}” to summarise."
        # On the loop's thread this would keep everybody waiting for up to 0.1 s.
        summary = await asyncio.to_thread(
            summarise, [Said(users[message.sender_id].name, message.text) for message in said]
        )
        if summary is None:
            return f"There is too little in “{names[chat.id]}” to summarise."
        span = f"{moment(said[0].sent_us)} – {moment(said[-1].sent_us)}"
        return f"“{names[chat.id]}”, the last {counted(len(said), 'message')} ({span}):\n{summary}"

    async def _find_chat(self, conversation: Conversation, name: str) -> models.Chat:
        """A chat of the user's by its id or its name: the same, else its beginning, else a part of it.

        Raises:
            BadUsage: none, or several; a chat of others is as good as none.
        """
        user_id = conversation.user.id
        chats = {chat.id: chat for chat in await self._chats.list_of(user_id) if chat.id != conversation.chat_id}
        if name.isascii() and name.isdigit() and len(name) < 20 and int(name) in chats:
            return chats[int(name)]
        names = {chat_id: fold(each) for chat_id, each in (await self._names(chats.values(), user_id)).items()}
        wanted = fold(name)
        for found in (
            [chat_id for chat_id, each in names.items() if each == wanted],
            [chat_id for chat_id, each in names.items() if each.startswith(wanted)],
            [chat_id for chat_id, each in names.items() if wanted in each],
        ):
            if len(found) == 1:
                return chats[found[0]]
            if found:
                shown = await self._names((chats[chat_id] for chat_id in found[:CANDIDATES_SHOWN]), user_id)
                listed = "; ".join(f"{shown[chat_id]} (id {chat_id})" for chat_id in shown)
                more = ", …" if len(found) > CANDIDATES_SHOWN else ""
                raise BadUsage(f"Which of these do you mean: {listed}{more}? Give its id.")
        raise BadUsage(f"You have no chat “{cut(name, CHAT_NAME_SHOWN_CHARACTERS)}”.")


def commands_lookup(nova: Nova) -> list[Command]:
    """The commands."""
    lookup = Lookup(nova)

    return [
        command("unread", UNREAD_USAGE, "Your chats with unread messages (in private).", lookup.unread),
        command(
            "search", SEARCH_USAGE, "Find messages: in private in all your chats, in a group there.", lookup.search
        ),
        command(
            "summary",
            SUMMARY_USAGE,
            "What a chat's last messages were about; in a group: of that group.",
            lookup.summary,
        ),
    ]
