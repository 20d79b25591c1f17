"""The built-in assistant: it works by plain rules, without any outside service."""

from __future__ import annotations

import difflib
from dataclasses import replace

from nova_bot_chat.assistant_talk import NOT_UNDERSTOOD, Talk, find_intent
from nova_bot_chat.assistant_texts import fold, one_line
from nova_bot_chat.commands import command
from nova_bot_chat.commands_dice import commands_dice
from nova_bot_chat.commands_lookup import commands_lookup
from nova_bot_chat.commands_time import commands_time
from nova_bot_chat.polls import POLLS, Polls, commands_polls
from nova_bot_chat.reminders import REMINDERS, Reminders, commands_reminders, reminder_clock
from nova_tornado.api import Command, Conversation, Event, Nova, Subscriber, events

__all__ = ["ASSISTANT_NAME", "COLLECTIONS", "Assistant", "commands", "reminder_clock", "subscribers"]

ASSISTANT_NAME = "nova"
COLLECTIONS = [REMINDERS, POLLS]
HELP_USAGE = "[command]"
HELP_COMMANDS_MAX = 100
"""How many commands one list names."""
SUGGESTION_SIMILARITY_MIN = 0.6


def _find(nova: Nova, name: str) -> Command | None:
    return next((each for each in nova.commands if each.name == name), None)


def _unknown(nova: Nova, name: str) -> str:
    near = difflib.get_close_matches(name[:40], [each.name for each in nova.commands], 1, SUGGESTION_SIMILARITY_MIN)
    hint = f" Did you mean /{near[0]}?" if near else ""
    return f"I know no command /{name[:40]}.{hint} Try /help."


def _explain(found: Command) -> str:
    return f"{f'/{found.name} {found.usage}'.rstrip()} – {found.help}"


def help_text(nova: Nova, name: str = "") -> str:
    """What ``/help`` answers: every command of every plugin, or one of them."""
    if name:
        found = _find(nova, name)
        return _explain(found) if found else _unknown(nova, name)
    listed = sorted(nova.commands, key=lambda each: each.name)[:HELP_COMMANDS_MAX]
    return "\n".join(["I know these commands:", *map(_explain, listed)])


class Assistant:
    """The bot: what is no command is small talk, a question about Nova, or not understood."""

    name = ASSISTANT_NAME
    avatar_url = ""
    help = "The built-in assistant: unread chats, search, summaries, reminders, polls, dice and time. Try /help."

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._talks: dict[str, Talk] = {}

    async def reply(self, conversation: Conversation) -> str:
        """The answer to what a user has said."""
        if conversation.command is not None:
            # Known commands are run by whoever hands the conversation on; what arrives here is a name nobody has.
            return _unknown(self._nova, conversation.command)
        text = one_line(conversation.text)
        if (intent := find_intent(text)) is not None and (found := _find(self._nova, intent[0])) is not None:
            answer = await found.run(replace(conversation, command=found.name, arguments=intent[1]))
            if isinstance(answer, str):
                return answer
        talk = self._talks.setdefault(conversation.bot.name, Talk(conversation.bot.name))
        return talk.answer(text, conversation.user.shown_first_name) or NOT_UNDERSTOOD


def commands(nova: Nova) -> list[Command]:
    """The assistant's commands."""

    async def show_help(conversation: Conversation) -> str:
        return help_text(nova, fold(one_line(conversation.arguments)).removeprefix("/"))

    return [
        command("help", HELP_USAGE, "List the commands, or explain one.", show_help),
        *commands_lookup(nova),
        *commands_reminders(nova),
        *commands_polls(nova),
        *commands_dice(),
        *commands_time(nova.clock),
    ]


class _Cleaner:
    """What belongs to deleted accounts and chats goes with them."""

    event_types = (events.AccountDeleted, events.ChatDeleted)

    def __init__(self, nova: Nova) -> None:
        self._reminders = Reminders(nova)
        self._polls = Polls(nova)

    async def on_event(self, event: Event) -> None:
        match event:
            case events.AccountDeleted(user_id):
                await self._reminders.forget(user_id)
            case events.ChatDeleted(chat):
                await self._polls.forget(chat.id)


def subscribers(nova: Nova) -> list[Subscriber]:
    """What of the assistant is told of events."""
    return [_Cleaner(nova)]
