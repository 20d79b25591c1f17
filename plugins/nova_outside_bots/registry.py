"""The bots from outside: their accounts, their tokens, and the end of both.

``outside_bot_revocations {_id, user, sessions, ended_at}``: what another process (a command) has ended, so that servers
close the sockets that hang on it. MongoDB removes old ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nova_outside_bots.incoming import IncomingHook, IncomingHooks
from nova_outside_bots.webhooks import Webhook, Webhooks
from nova_tornado.api import CollectionSpec, Index, Nova, SessionKind, errors, models

ISSUER = "outside_bots"
KEY_PREFIX = "outside:"
TOKEN_LIFETIME_S = 365 * 24 * 3600
"""Programs run unattended, so this is long; ``nova bots list`` tells when it ends."""
TOKENS_MAX_COUNT = 10
"""Live tokens of one bot."""
REVOCATION_KEPT_S = 3600
"""Far longer than a server takes to see it."""

REVOCATIONS = CollectionSpec(
    "outside_bot_revocations",
    (Index((("ended_at", 1),), "old ones go by themselves", expire_after_s=REVOCATION_KEPT_S),),
)


@dataclass(frozen=True, slots=True)
class BotRecord:
    """A bot with all that it has.

    Attributes:
        name: by which commands know it; its user name may differ, if that was taken.
        token_ends: when its live tokens end, the first one first.
    """

    name: str
    user: models.User
    token_ends: list[datetime]
    hooks: list[IncomingHook]
    webhooks: list[Webhook]


class Registry:
    """Makes bots, gives them tokens, and takes those away."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._accounts = nova.services.accounts
        self._revocations = nova.collection(REVOCATIONS)
        self.hooks = IncomingHooks(nova)
        self.webhooks = Webhooks(nova)

    async def create(self, name: str, scope: models.BotScope) -> tuple[models.User, str]:
        """Make a bot.

        Returns:
            Its account and its first token.

        Raises:
            BadField: a name that no account can have.
            NameTaken: there is a bot of that name.
        """
        key = KEY_PREFIX + name
        if await self._accounts.find_bot(key) is not None:
            raise errors.NameTaken(f"There is a bot {name} already; nova bots token {name} gives it another token")
        bot = await self._accounts.ensure_bot(key, name, scope=scope)
        return bot, await self.give_token(bot)

    async def get(self, name: str) -> models.User:
        """The account of a bot.

        Raises:
            UserUnknown: there is no bot of that name.
        """
        bot = await self._accounts.find_bot(KEY_PREFIX + name)
        if bot is None:
            raise errors.UserUnknown(f"There is no bot {name}; nova bots list shows those that there are")
        return bot

    async def give_token(self, bot: models.User) -> str:
        """A further token, which is shown this once.

        Raises:
            TooManyTokens: it has ``TOKENS_MAX_COUNT`` already.
        """
        try:
            return await self._accounts.begin_session(
                bot, SessionKind.TOKEN, issuer=ISSUER, limit=TOKENS_MAX_COUNT, lifetime_s=TOKEN_LIFETIME_S
            )
        except errors.TooManyTokens:
            raise errors.TooManyTokens(
                f"{bot.name} has {TOKENS_MAX_COUNT} tokens already; nova bots revoke ends all of them"
            ) from None

    async def list(self) -> list[BotRecord]:
        """All bots from outside, by id."""
        records = []
        for key, user in await self._accounts.list_bots():
            if key.startswith(KEY_PREFIX):
                records.append(
                    BotRecord(
                        key.removeprefix(KEY_PREFIX),
                        user,
                        await self._accounts.list_session_ends(user, ISSUER),
                        await self.hooks.list_of(user.id),
                        await self.webhooks.list_of(user.id),
                    )
                )
        return records

    async def revoke(self, bot: models.User) -> tuple[int, int]:
        """End whatever speaks for a bot or listens for it: its tokens, incoming and outgoing webhooks.

        The account stays, in its chats too.

        Returns:
            How many tokens and how many webhooks there were.
        """
        ended = await self._accounts.end_all_sessions(bot)
        if ended:
            document: dict[str, Any] = {
                "_id": await self._nova.next_id("outside_bot_revocation"),
                "user": bot.id,
                "sessions": list(ended),
                "ended_at": self._nova.clock.now(),
            }
            await self._revocations.insert_one(document)
        return len(ended), await self.hooks.remove_of(bot.id) + await self.webhooks.remove_of(bot.id)

    async def remove_hook(self, hook_id: int) -> None:
        """End an incoming or an outgoing webhook; their ids are of one kind.

        Raises:
            BadField: there is none with that id.
        """
        if not (await self.hooks.remove(hook_id) or await self.webhooks.remove(hook_id)):
            raise errors.BadField(f"There is no webhook {hook_id}; nova bots list shows those that there are")
