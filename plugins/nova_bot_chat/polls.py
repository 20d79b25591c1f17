"""``/poll`` and ``/vote``.

``bot_chat_polls {_id, source, chat, bot, question, options, votes: {user id: option}, version, created_us, message?}``,
where ``source`` is the message that asked for it. The poll is stored before its own message, which is the answer to the
command; that is found in the chat when the first vote comes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nova_bot_chat.assistant_texts import counted, fold, one_line
from nova_bot_chat.commands import BadUsage, command
from nova_tornado.api import CollectionSpec, Command, Conversation, Document, Index, Nova, errors, models

POLL_USAGE = "question | option | option …"
VOTE_USAGE = "[poll] option"
OPTIONS_MIN_COUNT = 2
OPTIONS_MAX_COUNT = 10
QUESTION_MAX_CHARACTERS = 300
OPTION_MAX_CHARACTERS = 100
POLLS_PER_CHAT_MAX = 100
"""The newest of each chat are kept."""
FIND_MESSAGES_MAX = 500
"""Among so many messages around a poll's making and after it, its own is looked for."""
FIND_BEFORE_S = 60
"""An answer may have got its place in the chat before the command was carried out."""
EDIT_ATTEMPTS = 5
"""How often the message is brought up to date if others vote at the same moment."""

POLLS = CollectionSpec("bot_chat_polls", (Index((("chat", 1), ("_id", -1)), "a chat's latest polls"),))

_NUMBERS = re.compile(r"#?([0-9]{1,15})(?:\s+#?([0-9]{1,15}))?")


@dataclass(frozen=True, slots=True)
class Question:
    """What a poll asks."""

    text: str
    options: tuple[str, ...]


def parse_poll(arguments: str) -> Question:
    """Read ``"question | a | b"``.

    Raises:
        BadUsage: not of this form, or beyond the bounds.
    """
    question, *options = (one_line(part) for part in arguments.split("|"))
    if not question:
        raise BadUsage("What is the question?")
    if not OPTIONS_MIN_COUNT <= len(options) <= OPTIONS_MAX_COUNT:
        raise BadUsage(f"A poll has {OPTIONS_MIN_COUNT} to {OPTIONS_MAX_COUNT} options.")
    if not all(options):
        raise BadUsage("An option is empty.")
    if len(question) > QUESTION_MAX_CHARACTERS or any(len(option) > OPTION_MAX_CHARACTERS for option in options):
        raise BadUsage(
            f"The question has {QUESTION_MAX_CHARACTERS} characters at most, an option {OPTION_MAX_CHARACTERS}."
        )
    if len({fold(option) for option in options}) < len(options):
        raise BadUsage("Two options are the same.")
    return Question(question, tuple(options))


def parse_vote(arguments: str) -> tuple[int | None, int]:
    """Read ``"N"`` or ``"POLL N"``.

    Returns:
        The poll's number (None: the latest) and the option's.

    Raises:
        BadUsage: anything else.
    """
    found = _NUMBERS.fullmatch(arguments.strip())
    if found is None:
        raise BadUsage("Vote with the number of an option.")
    first, second = found.groups()
    return (None, int(first)) if second is None else (int(first), int(second))


def render(number: int, question: str, options: Sequence[str], votes: Sequence[int]) -> str:
    """A poll's message.

    Args:
        votes: the options voted for, counted from 0, one a voter.
    """
    counts = Counter(votes)
    lines = [f"{place + 1}. {option} – {counted(counts[place], 'vote')}" for place, option in enumerate(options)]
    how = f"Vote with /vote N, or with /vote {number} N once there is a later poll."
    return "\n".join([f"{_head(number)}{question}", *lines, how])


def _head(number: int) -> str:
    return f"Poll {number}: "


def _render(poll: Document) -> str:
    return render(poll["_id"], poll["question"], poll["options"], list(poll["votes"].values()))


class Polls:
    """Makes polls and takes votes.

    Args:
        nova: the plugin's view of the server.
    """

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._services = nova.services
        self._collection = nova.collection(POLLS)

    async def open(self, conversation: Conversation) -> str:
        """Make a poll; the answer is its message."""
        question = parse_poll(conversation.arguments)
        source = conversation.question_id
        known = await self._collection.find_one({"chat": conversation.chat_id, "source": source}) if source else None
        if known is not None:
            return _render(known)  # asked again after a restart
        poll: Document = {
            "_id": await self._nova.next_id("bot_chat_poll"),
            "source": source,
            "chat": conversation.chat_id,
            "bot": conversation.bot.id,
            "question": question.text,
            "options": list(question.options),
            "votes": {},
            "version": 0,
            "created_us": self._nova.clock.now_us(),
        }
        await self._collection.insert_one(poll)
        oldest = self._collection.find({"chat": conversation.chat_id}, {"_id": 1}).sort("_id", -1)
        outdated = await oldest.skip(POLLS_PER_CHAT_MAX).to_list(None)
        if outdated:
            await self._collection.delete_many({"_id": {"$in": [each["_id"] for each in outdated]}})
        return _render(poll)

    async def vote(self, conversation: Conversation) -> str:
        """Take a member's vote, in place of an earlier one, and show the counts in the poll's message."""
        number, option = parse_vote(conversation.arguments)
        poll = await self._find(conversation.chat_id, number)
        if poll is None:
            raise BadUsage("There is no poll in this chat." if number is None else f"There is no poll {number} here.")
        if not 1 <= option <= len(poll["options"]):
            raise BadUsage(f"Poll {poll['_id']} has the options 1 to {len(poll['options'])}.")
        before = poll["votes"].get(str(conversation.user.id))
        chosen = poll["options"][option - 1]
        if before == option - 1:
            return f"Your vote in poll {poll['_id']} is “{chosen}” already."
        voted = await self._collection.find_one_and_update(
            {"_id": poll["_id"]},
            {"$set": {f"votes.{conversation.user.id}": option - 1}, "$inc": {"version": 1}},
            return_document=True,
        )
        if voted is None:
            raise BadUsage("There is no such poll any more.")
        if not await self._show(voted):
            return _render(voted)  # its message is not there: this answer takes its place
        changed = "is now" if before is not None else "is"
        return f"Your vote in poll {poll['_id']} {changed} “{chosen}”."

    async def _find(self, chat_id: int, number: int | None) -> Document | None:
        query: Document = {"chat": chat_id} if number is None else {"_id": number, "chat": chat_id}
        return await self._collection.find_one(query, sort=[("_id", -1)])

    async def _show(self, poll: Document) -> bool:
        """Bring the poll's message up to date; False if there is none."""
        bot = await self._services.directory.get(poll["bot"])
        message_id = poll.get("message") or await self._find_message(poll)
        if message_id is None:
            return False
        for _ in range(EDIT_ATTEMPTS):
            try:
                await self._services.messages.edit(bot, message_id, _render(poll))
            except (errors.MessageUnknown, errors.NoRight, errors.MessageRefused):
                return False
            newest = await self._collection.find_one({"_id": poll["_id"]})
            if newest is None or newest["version"] == poll["version"]:
                break
            poll = newest  # a vote of the same moment, whose older counts may have been shown last
        return True

    async def _find_message(self, poll: Document) -> int | None:
        chat = await self._services.chats.get_for(poll["bot"], poll["chat"])
        page: list[models.Entry] = await self._services.messages.history(
            chat, poll["bot"], from_us=poll["created_us"] - FIND_BEFORE_S * 1_000_000, limit=FIND_MESSAGES_MAX
        )
        head = _head(poll["_id"])
        for message in page:
            if message.sender_id == poll["bot"] and any(line.startswith(head) for line in message.text.splitlines()):
                await self._collection.update_one({"_id": poll["_id"]}, {"$set": {"message": message.id}})
                return message.id
        # What is answered now is to be found the next time.
        await self._collection.update_one({"_id": poll["_id"]}, {"$set": {"created_us": self._nova.clock.now_us()}})
        return None

    async def forget(self, chat_id: int) -> None:
        """A chat is deleted."""
        await self._collection.delete_many({"chat": chat_id})


def commands_polls(nova: Nova) -> list[Command]:
    """The commands."""
    polls = Polls(nova)
    return [
        command("poll", POLL_USAGE, "Ask the chat a question with 2 to 10 options.", polls.open),
        command("vote", VOTE_USAGE, "Vote in the latest poll of the chat, or in an earlier one.", polls.vote),
    ]
