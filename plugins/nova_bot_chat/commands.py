"""What the assistant's commands share."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from nova_tornado.api import Command, Conversation, errors, models

Answer = Callable[[Conversation], Awaitable[str]]
_TALK = re.compile(r"\s*(?:@\S+[\s,:]+)?/[^\W\d_]")


class BadUsage(Exception):
    """A command was given what it cannot work with; the text is told to the user, and how the command is used."""


def command(name: str, usage: str, help_text: str, answer: Answer) -> Command:
    """A command that answers bad usage with what is wrong and how it is used.

    Args:
        name: without the slash.
        usage: what stands behind the name.
        help_text: one sentence.
        answer: makes the answer; may raise ``BadUsage``.
    """

    async def run(conversation: Conversation) -> str:
        try:
            return await answer(conversation)
        except BadUsage as error:
            return f"{error}\nUsage: /{name} {usage}".rstrip()
        except (errors.ChatUnknown, errors.NotAMember):
            return "You are not in that chat any more."

    return Command(name, usage, help_text, run)


def is_talk_with_bots(message: models.Entry, sender: models.User) -> bool:
    """Whether a message is a command or a bot's answer: neither is what people have said to one another."""
    return sender.is_bot or _TALK.match(message.text) is not None


def ask_in_private(conversation: Conversation) -> str:
    """The refusal of what others in the chat are not to see."""
    return (
        "That answer is for you alone, and here everybody could read it. "
        f"Ask me in our private chat (write to {conversation.bot.name})."
    )
