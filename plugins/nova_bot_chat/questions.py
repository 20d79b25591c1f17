"""Questions to bots: which messages are some, for whom, and what is asked in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from nova_tornado.api import Bot, mention_of, models

_COMMAND = re.compile(r"\s*/([a-z][a-z0-9_-]*)(?=\s|$)\s*(.*)", re.IGNORECASE | re.DOTALL)
_ENDS = (".", "!", "?", ";", ")", "")
"""What may stand behind a name without a blank; "" is the end."""


@dataclass(frozen=True, slots=True)
class BotAccount:
    """A bot and the account that it speaks with."""

    user: models.User
    bot: Bot
    mention: re.Pattern[str] = field(repr=False)

    @classmethod
    def of(cls, user: models.User, bot: Bot) -> BotAccount:
        """The pair, with the pattern that finds the bot's mention."""
        return cls(user, bot, mention_of(user.name))

    def is_mentioned(self, text: str) -> bool:
        """Whether a text calls the bot by its name."""
        return self.mention.search(text) is not None

    def without_mention(self, text: str) -> str:
        """A text without the bot's name, and without what only set it off from the rest."""
        first, *others = self.mention.split(text)
        without = first
        for part in others:
            rest = part.lstrip(" \t,:")
            without = without.rstrip(" \t,") if rest[:1] in _ENDS else without.rstrip(" \t")
            is_apart = without and rest and not (without[-1].isspace() or rest[0].isspace() or rest[0] in _ENDS)
            without += f" {rest}" if is_apart else rest
        return without.strip() if others else text


@dataclass(frozen=True, slots=True)
class Question:
    """A message that a bot is to answer.

    Attributes:
        message: the message.
        user: its author.
        account: the bot asked.
        is_private: whether the chat is the private one of the two.
    """

    message: models.Entry
    user: models.User
    account: BotAccount
    is_private: bool

    @property
    def chat_id(self) -> int:
        """Where it was asked."""
        return self.message.chat_id

    @property
    def key(self) -> str:
        """By which it is known; a message in a group may be a question to several bots."""
        return f"{self.message.id}:{self.account.user.id}"

    @property
    def answer_client_id(self) -> str:
        """Under which own id the bot sends the answer: so there is never a second one."""
        return f"answer-{self.message.id}"


def split_command(text: str) -> tuple[str | None, str]:
    """The command that a text begins with, in lower case, and its arguments; ``(None, "")`` without one."""
    match = _COMMAND.fullmatch(text)
    return (match[1].lower(), match[2].strip()) if match else (None, "")


def find_asked(
    chat: models.Chat,
    sender: models.User,
    text: str,
    accounts: Mapping[int, BotAccount],
    default: BotAccount | None,
    commands: Collection[str],
) -> Iterable[BotAccount]:
    """The bots that a message is for.

    Args:
        accounts: the bots by the ids of their accounts.
        default: the bot that knows the commands.
        commands: the names of the commands.
    """
    if sender.is_bot or sender.is_system:
        return
    members = [account for user_id, account in accounts.items() if user_id in chat.members]
    if not members or chat.is_private:
        yield from members
        return
    is_command = split_command(text)[0] in commands
    for account in members:
        if (is_command and account is default) or account.is_mentioned(text):
            yield account
