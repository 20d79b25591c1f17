"""The endpoints of rules, held messages and mutes, below /chat/<id>. Owner and admins of the group only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nova_message_filters.moderator import Moderator
from nova_message_filters.mutes import Mute
from nova_message_filters.rehearsal import (
    AUTHORS_MAX_COUNT,
    REHEARSED_DEFAULT_MESSAGES,
    REHEARSED_MAX_MESSAGES,
    Rehearsal,
    Rehearsals,
)
from nova_message_filters.rule import Rule, change_rule, read_rule, wire_form
from nova_message_filters.rulebook import StoredRule
from nova_tornado.api import ActionsHandler, AnyFields, Nova, Route, Services, errors, native_packets, path_id


def rule_struct(stored: StoredRule) -> dict[str, Any]:
    """The struct Rule."""
    return {"rule_id": stored.id, **wire_form(stored.rule), "changed_at": stored.changed_us / 1e6}


def mute_struct(mute: Mute) -> dict[str, Any]:
    """The struct Mute."""
    return {
        "user": native_packets.user_basic(mute.user),
        "rule_name": mute.rule_name,
        "muted_at": mute.muted_us / 1e6,
        "until": mute.until_us / 1e6,
    }


def rehearsal_struct(rehearsal: Rehearsal) -> dict[str, Any]:
    """The struct Rehearsal."""
    users = {user_id: native_packets.user_basic(user) for user_id, user in rehearsal.users.items()}
    return {
        "looked_at": rehearsal.looked_at_count,
        "complete": rehearsal.is_complete,
        "hit_count": rehearsal.author_counts.total(),
        "authors": [
            {"user": users[user_id], "hit_count": count}
            for user_id, count in rehearsal.author_counts.most_common(AUTHORS_MAX_COUNT)
        ],
        "hits": [
            {
                "message_id": hit.message_id,
                "sender": users[hit.sender_id],
                "send_time": hit.sent_us / 1e6,
                "snippet": hit.snippet,
            }
            for hit in rehearsal.hits
        ],
    }


class ModerationHandler(ActionsHandler):
    """What these endpoints share."""

    def initialize(self, services: Services, moderator: Moderator | None = None) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services)
        assert moderator is not None
        self.moderator = moderator


class RulesHandler(ModerationHandler):
    """/chat/<id>/rules."""

    async def get(self, chat_id: str) -> None:
        """The rules, by id."""
        self.reply([rule_struct(each) for each in await self.moderator.rules.list_of(self.user, path_id(chat_id))])

    async def post(self, chat_id: str) -> None:
        """Make a rule."""
        self.reply(rule_struct(await self.moderator.rules.add(self.user, path_id(chat_id), self.body)))


class RuleHandler(ModerationHandler):
    """/chat/<id>/rules/<rule id>."""

    async def patch(self, chat_id: str, rule_id: str) -> None:
        """Change a rule; fields that are not given stay."""
        stored = await self.moderator.rules.change(self.user, path_id(chat_id), path_id(rule_id), self.body)
        self.reply(rule_struct(stored))

    async def delete(self, chat_id: str, rule_id: str) -> None:
        """Take a rule away."""
        await self.moderator.rules.delete(self.user, path_id(chat_id), path_id(rule_id))
        self.reply()


class RehearseBase(ModerationHandler):
    """What the two ways to rehearse share."""

    def initialize(
        self, services: Services, moderator: Moderator | None = None, rehearsals: Rehearsals | None = None
    ) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services, moderator)
        assert rehearsals is not None
        self.rehearsals = rehearsals

    async def rehearse(self, chat_id: str, rule: Rule, request: dict[str, Any]) -> None:
        """Run a rule and answer what came of it."""
        count = request.get("messages")
        if count is None:
            count = REHEARSED_DEFAULT_MESSAGES
        if type(count) is not int or not 1 <= count <= REHEARSED_MAX_MESSAGES:
            raise errors.BadField(f"Field messages must be a whole number from 1 to {REHEARSED_MAX_MESSAGES}")
        self.reply(rehearsal_struct(await self.rehearsals.run(self.user, path_id(chat_id), rule, count)))


class RehearseHandler(RehearseBase):
    """/chat/<id>/rules/rehearse."""

    async def post(self, chat_id: str) -> None:
        """Rehearse a rule that is not stored."""
        await self.rehearsals.check_right(self.user, path_id(chat_id))  # before the fields
        request = AnyFields().read(self.body)
        await self.rehearse(chat_id, read_rule(request.get("rule")), request)


class RehearseRuleHandler(RehearseBase):
    """/chat/<id>/rules/<rule id>/rehearse."""

    async def post(self, chat_id: str, rule_id: str) -> None:
        """Rehearse a rule as it is, or as it would be with some fields replaced."""
        stored = await self.moderator.rules.get(self.user, path_id(chat_id), path_id(rule_id))
        has_body = "Content-Type" in self.request.headers
        request = AnyFields().read(self.body) if has_body else {}
        rule = stored.rule if request.get("rule") is None else change_rule(stored.rule, request["rule"])
        await self.rehearse(chat_id, rule, request)


class HeldListHandler(ModerationHandler):
    """/chat/<id>/held."""

    async def get(self, chat_id: str) -> None:
        """What waits for approval, the oldest first."""
        self.reply([held.struct() for held in await self.moderator.held.list_of(self.user, path_id(chat_id))])


class HeldHandler(ModerationHandler):
    """/chat/<id>/held/<held id>."""

    async def post(self, chat_id: str, held_id: str) -> None:
        """Approve."""
        message = await self.moderator.held.approve(self.user, path_id(chat_id), path_id(held_id))
        self.reply({"message_id": message.id})

    async def delete(self, chat_id: str, held_id: str) -> None:
        """Decline."""
        await self.moderator.held.decline(self.user, path_id(chat_id), path_id(held_id))
        self.reply()


class MutesHandler(ModerationHandler):
    """/chat/<id>/mutes."""

    async def get(self, chat_id: str) -> None:
        """Who is muted, by the time when it ends."""
        self.reply([mute_struct(mute) for mute in await self.moderator.mutes.list_of(self.user, path_id(chat_id))])

    async def delete(self, chat_id: str) -> None:
        """Let everybody speak again."""
        await self.moderator.mutes.lift(self.user, path_id(chat_id), None)
        self.reply()


class MuteHandler(ModerationHandler):
    """/chat/<id>/mutes/<user id>."""

    async def delete(self, chat_id: str, user_id: str) -> None:
        """Let a user speak again."""
        await self.moderator.mutes.lift(self.user, path_id(chat_id), path_id(user_id))
        self.reply()


def routes(nova: Nova, moderator: Moderator) -> Sequence[Route]:
    """The paths, with their handlers."""
    parts = {"moderator": moderator}
    rehearsing = {**parts, "rehearsals": Rehearsals(nova)}
    return [
        (r"/chat/([0-9]+)/rules", RulesHandler, parts),
        (r"/chat/([0-9]+)/rules/rehearse", RehearseHandler, rehearsing),
        (r"/chat/([0-9]+)/rules/([0-9]+)", RuleHandler, parts),
        (r"/chat/([0-9]+)/rules/([0-9]+)/rehearse", RehearseRuleHandler, rehearsing),
        (r"/chat/([0-9]+)/held", HeldListHandler, parts),
        (r"/chat/([0-9]+)/held/([0-9]+)", HeldHandler, parts),
        (r"/chat/([0-9]+)/mutes", MutesHandler, parts),
        (r"/chat/([0-9]+)/mutes/([0-9]+)", MuteHandler, parts),
    ]
