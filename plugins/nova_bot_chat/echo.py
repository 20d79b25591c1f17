"""The bot that says what it is told: to see whether bots work, and what a bot is."""

from __future__ import annotations

from nova_tornado.api import Conversation


class Echo:
    """Answers with what was said."""

    name = "echo"
    avatar_url = ""
    help = "I say what you say."

    async def reply(self, conversation: Conversation) -> str:
        """The same text."""
        return conversation.text
