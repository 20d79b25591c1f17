"""What of a chat is looked at for a bot: always with the bot's eyes."""

from __future__ import annotations

from collections.abc import Mapping

from nova_bot_chat.notes import Note
from nova_bot_chat.questions import BotAccount, Question, split_command
from nova_tornado.api import Conversation, Nova, errors, models

HISTORY_MAX_MESSAGES = 20
ANSWER_WITHIN_MESSAGES = 200
"""The answer to a question is looked for among so many messages behind it."""

GONE = (errors.ChatUnknown, errors.NotAMember, errors.MessageUnknown)
"""There is no place for an answer any more."""


class ChatReader:
    """Reads chats. Where the bot is not in the chat any more its methods raise one of ``GONE``.

    Args:
        nova: the server.
    """

    def __init__(self, nova: Nova) -> None:
        self._services = nova.services

    async def converse(self, question: Question) -> Conversation | None:
        """What the bot is shown; None if nobody needs an answer any more."""
        bot = question.account.user
        chat = await self._services.chats.get_for(bot.id, question.chat_id)
        if question.user.id not in chat.members:
            return None
        before_us = question.message.sent_us + 1
        found = await self._services.messages.history(
            chat, bot.id, before_us=before_us, limit=HISTORY_MAX_MESSAGES + 1, newest=True
        )
        if not found or found[-1].id != question.message.id:
            return None  # it was recalled
        users = await self._services.directory.load(entry.sender_id for entry in found)
        text = found[-1].plain_text
        if question.account.is_mentioned(text):
            text = question.account.without_mention(text)
        command, arguments = split_command(text)
        history = [
            (users[entry.sender_id], entry.plain_text)
            for entry in found[:-1]
            if entry.sender_id != self._services.directory.system.id
        ]
        return Conversation(bot, question.user, chat.id, chat.is_private, text, command, arguments, history)

    async def find_message(self, question: Question, message_id: int) -> models.Entry | None:
        """A message of the question's chat as it is now; None if it is recalled."""
        bot = question.account.user
        chat = await self._services.chats.get_for(bot.id, question.chat_id)
        return await self._find(chat, bot.id, message_id)

    async def find_answer(self, question: Question, answer_id: int | None = None) -> models.Entry | None:
        """What the bot has answered so far.

        Args:
            answer_id: where it is, if that is known.
        """
        bot = question.account.user
        chat = await self._services.chats.get_for(bot.id, question.chat_id)
        found = await self._services.messages.history(
            chat, bot.id, from_id=answer_id or question.message.id, limit=ANSWER_WITHIN_MESSAGES
        )
        is_answer = (bot.id, question.answer_client_id)
        return next((entry for entry in found if (entry.sender_id, entry.client_id) == is_answer), None)

    async def find_question(self, note: Note, accounts: Mapping[int, BotAccount]) -> Question | None:
        """A question that was noted; None if it needs no answer any more.

        Args:
            accounts: the bots by the ids of their accounts.
        """
        account = accounts.get(note.bot_id)
        user = await self._services.accounts.find_account(note.user_id)
        if account is None or user is None:
            return None
        try:
            chat = await self._services.chats.get_for(note.bot_id, note.chat_id)
        except GONE:
            return None
        message = await self._find(chat, note.bot_id, note.question_id)
        return Question(message, user, account, chat.is_private) if message is not None else None

    async def _find(self, chat: models.Chat, viewer_id: int, message_id: int) -> models.Entry | None:
        found = await self._services.messages.history(chat, viewer_id, from_id=message_id, limit=1)
        return found[0] if found and found[0].id == message_id else None
