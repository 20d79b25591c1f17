"""What a bot is asked, and in which form it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nova_tornado.domain.models import User

HISTORY_MAX_MESSAGES = 20
"""How much of what was said before a bot is shown."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One question to a bot, with all that the bot may know about it.

    Attributes:
        bot: the bot's account.
        user: who asks.
        chat_id: where; the answer appears there.
        is_private: whether the chat is the private one of the two; else the bot was mentioned in a group.
        text: the question, without the mention.
        command: the name of the slash command that the text begins with, in lower case and without the slash; None if
            it begins with none.
        arguments: what follows the command, without blanks around it; "" without a command.
        history: what was said before, each with its author: the oldest first, at most ``HISTORY_MAX_MESSAGES``, without
            what was recalled.
        question_id: the message that is answered; a question that is asked again after a restart has the same. 0: none.
    """

    bot: User
    user: User
    chat_id: int
    is_private: bool
    text: str
    command: str | None = None
    arguments: str = ""
    history: Sequence[tuple[User, str]] = ()
    question_id: int = 0
