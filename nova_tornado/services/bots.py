"""The desk at which protocols talk to the default bot; a plugin stands behind it."""

from __future__ import annotations

from typing import Protocol

from nova_tornado.domain.errors import Unavailable, UserUnknown
from nova_tornado.domain.models import Chat, Entry, User


class BotResponder(Protocol):
    """Whoever answers for the default bot."""

    async def tell(self, user: User, text: str, client_id: str | None) -> tuple[Entry, bool]:
        """Store a question in the private chat of the two, which is made if there is none.

        Returns:
            The question, and whether it was there before under the same client id.
        """

    async def find_answer(self, user: User, message: Entry) -> Entry | None:
        """The complete answer to a question of that user, if there is one already."""

    async def wait_for_answer(self, message: Entry) -> Entry:
        """The complete answer to a question that was just stored."""


class BotDesk:
    """Talks to the default bot.

    The dialogue is an ordinary private chat. Each complete answer is told of by the event ``BotAnswered``.

    Attributes:
        default: the account of the default bot; None while there is none.
    """

    def __init__(self) -> None:
        self.default: User | None = None
        self._responder: BotResponder | None = None

    def open(self, default: User, responder: BotResponder) -> None:
        """From now on there is a default bot."""
        self.default, self._responder = default, responder

    def close(self) -> None:
        """There is none any more."""
        self.default = self._responder = None

    def is_dialogue(self, chat: Chat) -> bool:
        """Whether a chat is somebody's private chat with the default bot."""
        return self.default is not None and chat.is_private and self.default.id in chat.members

    async def tell(self, user: User, text: str, client_id: str | None = None) -> tuple[Entry, Entry | None]:
        """Send a question; the answer follows when it is ready.

        Args:
            user: who asks.
            text: checked by ``rules.check_text``.
            client_id: the sender's own id of this send.

        Returns:
            The question, and its answer if this is the repeat of a question that was answered already.

        Raises:
            UserUnknown: there is no bot.
            TooManyRequests: the user asks too much; nothing was stored.
            NovaError: what ``MessageService.send_private`` raises.
        """
        if self._responder is None:
            raise UserUnknown("No bot is available")
        question, is_repeat = await self._responder.tell(user, text, client_id)
        return question, await self._responder.find_answer(user, question) if is_repeat else None

    async def ask(self, user: User, text: str, client_id: str | None = None) -> tuple[Entry, Entry]:
        """Send a question and wait for the answer.

        Args:
            user, text, client_id: as for ``tell``.

        Returns:
            The question and the answer, both stored, the answer complete.

        Raises:
            UserUnknown, TooManyRequests, NovaError: as for ``tell``.
            Unavailable: there is no answer within the time limit on answers, or the server stops.
        """
        question, answer = await self.tell(user, text, client_id)
        if answer is None:
            if self._responder is None:
                raise Unavailable
            answer = await self._responder.wait_for_answer(question)
        return question, answer
