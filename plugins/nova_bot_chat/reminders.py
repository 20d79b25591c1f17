"""``/remind``: messages that come later.

``bot_chat_reminders {_id, user, slot, bot, chat, is_private, text, due_us, try_us, attempts, message?}``, where ``_id``
is that of the message that asked for it: a question that is asked again after a restart makes no second one. A reminder
is told exactly once, whatever is killed when: it is first marked with the very message that is to be sent (from then on
it cannot be cancelled), then that is sent with a client id made from the reminder's id, then the reminder is removed.
Whoever finds it marked sends the same again, which the log recognises. Users call their reminders by the slot.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nova_bot_chat.assistant_texts import UNITS_S, counted, cut, duration, fold, one_line
from nova_bot_chat.commands import BadUsage, command
from nova_bot_chat.commands_lookup import moment
from nova_tornado.api import (
    CollectionSpec,
    Command,
    Conversation,
    Document,
    DuplicateKeyError,
    Index,
    Nova,
    errors,
    models,
)

log = logging.getLogger(__name__)

USAGE = "10m text | list | cancel N"
DELAY_MIN_S = 10
DELAY_MAX_S = 365 * 86_400
PENDING_MAX = 50
"""Reminders that a user may have waiting."""
TEXT_MAX_CHARACTERS = 500
LISTED_TEXT_CHARACTERS = 80
WAIT_MIN_S = 0.1
POLL_S = 5.0
"""How long the clock sleeps at most: less than the shortest delay, so a reminder that was made meanwhile, even by
another process, is seen before it is due."""
FAULT_PAUSE_S = 5.0
LATE_AFTER_S = 60
RETRY_PAUSE_S = 60
ATTEMPTS_MAX = 10
"""How often a reminder is tried that fails for a reason of its own."""
DUE_PER_ROUND = 100
DURATION_MAX_CHARACTERS = 40

REMINDERS = CollectionSpec(
    "bot_chat_reminders",
    (
        Index((("try_us", 1),), "which are due"),
        # One document a slot: no two commands at the same moment can go beyond the bound.
        Index((("user", 1), ("slot", 1)), "a user's reminders, and how many he may have", unique=True),
    ),
)

_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_PART = re.compile(r"([0-9]{1,9})([smhdw])")
_UNIT_S = dict(UNITS_S)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be told after how long."""

    delay_s: int
    text: str


def parse_duration(text: str) -> int | None:
    """``"10m"``, ``"1h30m"`` … in seconds; None if it is none."""
    folded = fold(text)
    if len(folded) > DURATION_MAX_CHARACTERS or not _DURATION.fullmatch(folded):
        return None
    return sum(int(number) * _UNIT_S[unit] for number, unit in _PART.findall(folded))


def parse_wish(arguments: str) -> Wish:
    """Read a duration and a text.

    Raises:
        BadUsage: not of this form, or beyond the bounds.
    """
    when, _, rest = one_line(arguments).partition(" ")
    if not when:
        raise BadUsage("When shall I remind you, and of what?")
    delay_s = parse_duration(when)
    if delay_s is None:
        raise BadUsage(f"“{cut(when, DURATION_MAX_CHARACTERS)}” is no duration: write 45s, 10m, 1h30m, 2d or 1w.")
    if not DELAY_MIN_S <= delay_s <= DELAY_MAX_S:
        raise BadUsage("I remind you in 10 seconds at the earliest, in 1 year at the latest.")
    if not rest:
        raise BadUsage("Of what shall I remind you?")
    if len(rest) > TEXT_MAX_CHARACTERS:
        raise BadUsage(f"A reminder has {TEXT_MAX_CHARACTERS} characters at most.")
    return Wish(delay_s, rest)


def client_id_of(reminder_id: int) -> str:
    """Under which the message of a reminder is sent."""
    return f"bot-chat-reminder-{reminder_id}"


class Reminders:
    """Makes, lists, cancels and delivers reminders.

    Args:
        nova: the plugin's view of the server.
    """

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._services = nova.services
        self._collection = nova.collection(REMINDERS)
        self._opened_us = nova.clock.now_us()

    # What users ask for

    async def answer(self, conversation: Conversation) -> str:
        """Make a reminder, list them or cancel one."""
        first, _, rest = one_line(conversation.arguments).partition(" ")
        match fold(first), rest:
            case "list", "":
                return await self._list(conversation)
            case "cancel", _:
                return await self._cancel(conversation.user, rest)
        wish = parse_wish(conversation.arguments)
        reminder = await self._add(conversation, wish)
        when = f"{moment(reminder['due_us'])}, in {duration(wish.delay_s)}"
        return f"I will remind you at {when} (reminder {reminder['slot']})."

    async def _add(self, conversation: Conversation, wish: Wish) -> Document:
        user_id = conversation.user.id
        due_us = self._nova.clock.now_us() + wish.delay_s * 1_000_000
        reminder: Document = {
            "_id": conversation.question_id or -await self._nova.next_id("bot_chat_reminder"),
            "user": user_id,
            "bot": conversation.bot.id,
            "chat": conversation.chat_id,
            "is_private": conversation.is_private,
            "text": wish.text,
            "due_us": due_us,
            "try_us": due_us,
            "attempts": 0,
        }
        while True:
            if (known := await self._collection.find_one({"_id": reminder["_id"]})) is not None:
                return known
            taken = {each["slot"] async for each in self._collection.find({"user": user_id}, {"slot": 1})}
            free = next((slot for slot in range(1, PENDING_MAX + 1) if slot not in taken), None)
            if free is None:
                raise BadUsage(f"You have {PENDING_MAX} reminders waiting: cancel one first.")
            try:
                await self._collection.insert_one({**reminder, "slot": free})
            except DuplicateKeyError:
                continue  # the same user has asked somewhere else at the same moment
            return {**reminder, "slot": free}

    async def _list(self, conversation: Conversation) -> str:
        """In a group, only what was asked for there: the rest is not for the others."""
        query: Document = {"user": conversation.user.id, "message": {"$exists": False}}
        if not conversation.is_private:
            query["chat"] = conversation.chat_id
        found = await self._collection.find(query).sort("due_us", 1).to_list(PENDING_MAX)
        if not found:
            return "No reminder is waiting." if conversation.is_private else "No reminder of yours is waiting here."
        now_us = self._nova.clock.now_us()
        lines = [
            f"• {each['slot']}: {moment(each['due_us'])}, in {duration(max(0, each['due_us'] - now_us) // 1_000_000)}: "
            f"{cut(each['text'], LISTED_TEXT_CHARACTERS)}"
            for each in found
        ]
        return "\n".join([f"{counted(len(found), 'reminder')}:", *lines])

    async def _cancel(self, user: models.User, number: str) -> str:
        if not (number.isascii() and number.isdigit() and len(number) < 16):
            raise BadUsage("Which reminder shall I cancel? /remind list shows their numbers.")
        query = {"user": user.id, "slot": int(number), "message": {"$exists": False}}
        if not (await self._collection.delete_one(query)).deleted_count:
            return f"You have no reminder {number} waiting."
        return f"Reminder {number} is cancelled."

    async def forget(self, user_id: int) -> None:
        """An account is deleted."""
        await self._collection.delete_many({"user": user_id})

    # Delivery

    async def next_wait_s(self) -> float:
        """For how long nothing is to be done."""
        first = await self._collection.find_one({}, {"try_us": 1}, sort=[("try_us", 1)])
        if first is None:
            return POLL_S
        wait_us: int = first["try_us"] - self._nova.clock.now_us()
        return min(max(WAIT_MIN_S, wait_us / 1e6), POLL_S)

    async def deliver_due(self) -> None:
        """Tell every reminder whose time has come.

        Raises:
            Exception: what the first one failed with that could not be told; it stays due, and did not hinder others.
        """
        failure: Exception | None = None
        while failure is None:
            now_us = self._nova.clock.now_us()
            cursor = self._collection.find({"try_us": {"$lte": now_us}}).sort("try_us", 1).limit(DUE_PER_ROUND)
            due = await cursor.to_list(DUE_PER_ROUND)
            for reminder in due:
                try:
                    await self._deliver(reminder, now_us)
                except Exception as error:
                    failure = failure or error
            if len(due) < DUE_PER_ROUND:
                break
        if failure is not None:
            raise failure

    async def _deliver(self, reminder: Document, now_us: int) -> None:
        users = await self._services.directory.load((reminder["user"], reminder["bot"]))
        user, bot = users[reminder["user"]], users[reminder["bot"]]
        if user.id != reminder["user"] or bot.id != reminder["bot"]:
            await self._collection.delete_one({"_id": reminder["_id"]})  # nobody is left to tell, or to tell it
            return
        if "message" not in reminder:
            marked = await self._mark(reminder, user, now_us)
            if marked is None:
                return  # cancelled, or another process is telling it
            reminder = marked
        try:
            await self._send(reminder, user, bot)
        except errors.RepeatMismatch:
            pass  # it was told already, in another chat: he has left the group since, or is back in it
        except (errors.Unavailable, errors.OutcomeUnknown):
            raise  # the same is sent again
        except errors.MessageRefused as error:
            await self._tell_refused(reminder, user, bot, error)
        except errors.NovaError as error:
            await self._put_off(reminder, now_us, error)
            return
        await self._collection.delete_one({"_id": reminder["_id"]})

    async def _mark(self, reminder: Document, user: models.User, now_us: int) -> Document | None:
        """Fix what is told, so that it is the same in every attempt."""
        is_late = reminder["due_us"] < max(self._opened_us, now_us - LATE_AFTER_S * 1_000_000)
        mention = "" if reminder["is_private"] else f"@{user.name} "
        message = f"{mention}Reminder{' (late)' if is_late else ''}: {reminder['text']}"
        marked: Document | None = await self._collection.find_one_and_update(
            {"_id": reminder["_id"], "message": {"$exists": False}},
            {"$set": {"message": message}},
            return_document=True,
        )
        return marked

    async def _send(self, reminder: Document, user: models.User, bot: models.User) -> None:
        """Where it was asked for; in private if the two are not there any more."""
        client_id, text = client_id_of(reminder["_id"]), reminder["message"]
        messages = self._services.messages
        try:
            chat = await self._services.chats.get_for(bot.id, reminder["chat"])
            if user.id in chat.members:
                await messages.send(bot, chat.id, text, client_id=client_id)
                return
        except (errors.ChatUnknown, errors.NotAMember):
            pass
        await messages.send_private(bot, user.id, text, client_id=client_id)

    async def _tell_refused(
        self, reminder: Document, user: models.User, bot: models.User, error: errors.MessageRefused
    ) -> None:
        """A filter does not let the text pass: better that than silence."""
        chat, _ = await self._services.chats.open_private(bot, user.id)
        await self._services.messages.send(
            bot,
            chat.id,
            f"I could not tell you reminder {reminder['slot']}: {error.message}",
            client_id=f"{client_id_of(reminder['_id'])}-refused",
            is_filtered=False,
        )

    async def _put_off(self, reminder: Document, now_us: int, error: errors.NovaError) -> None:
        if reminder["attempts"] + 1 >= ATTEMPTS_MAX:
            log.warning("reminder %d is given up: %s", reminder["_id"], type(error).__name__)
            await self._collection.delete_one({"_id": reminder["_id"]})
            return
        await self._collection.update_one(
            {"_id": reminder["_id"]},
            {"$set": {"try_us": now_us + RETRY_PAUSE_S * 1_000_000}, "$inc": {"attempts": 1}},
        )


async def _run(reminders: Reminders) -> None:
    is_failing = False
    while True:
        try:
            await reminders.deliver_due()
            wait_s = await reminders.next_wait_s()
            is_failing = False
        except Exception:
            if not is_failing:  # once, however long the database is away
                log.exception("reminders could not be told; trying again every %d s", FAULT_PAUSE_S)
            is_failing = True
            wait_s = FAULT_PAUSE_S
        await asyncio.sleep(wait_s)


@asynccontextmanager
async def reminder_clock(nova: Nova) -> AsyncIterator[None]:
    """Tells the reminders when they are due, for as long as it is entered."""
    task = asyncio.create_task(_run(Reminders(nova)), name="reminder clock")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def commands_reminders(nova: Nova) -> list[Command]:
    """The command."""
    return [
        command("remind", USAGE, "Remind you later, here: in 10m, 1h30m, 2d … (s, m, h, d, w).", Reminders(nova).answer)
    ]
