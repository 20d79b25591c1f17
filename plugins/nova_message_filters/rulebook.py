"""The rules of the groups: stored, changed, and kept ready in memory.

``message_rules {_id, chat, changed_us, step_count, …}`` with the fields of ``rule.stored_form``.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nova_message_filters.managed import get_managed
from nova_message_filters.patterns import Pattern
from nova_message_filters.rule import (
    CompiledRule,
    Rule,
    change_rule,
    compile_rule,
    from_stored,
    read_rule,
    stored_form,
)
from nova_tornado.api import CollectionSpec, Document, Event, Index, Nova, errors, models

log = logging.getLogger(__name__)

RULES_MAX_PER_CHAT = 50
WORDS_MAX_PER_CHAT = 20_000
STEPS_MAX_PER_CHAT = 5_000
"""Of all patterns together, see ``patterns.PROGRAM_MAX_STEPS``."""
CACHED_WORDS = 300_000
"""Of the rules in memory, each chat counted as ``CACHED_CHAT_WORDS`` more; a word takes about 300 bytes."""
CACHED_CHAT_WORDS = 10

MESSAGE_RULES = CollectionSpec(
    "message_rules",
    (
        Index((("chat", 1), ("_id", 1)), "the rules of a chat, in order"),
        Index((("is_enabled", 1), ("chat", 1)), "which chats have rules", where={"is_enabled": True}),
    ),
)


@dataclass(frozen=True, slots=True)
class RulesChanged(Event):
    """A chat has other rules; told to the other processes' rule books.

    Attributes:
        process: where they were changed.
    """

    chat_id: int
    process: str


class RuleUnknown(errors.BadField):
    """The chat has no rule with that id."""

    def __init__(self) -> None:
        super().__init__("Rule not found")


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule of a group."""

    id: int
    rule: Rule
    changed_us: int


def _stored(document: Document) -> StoredRule:
    return StoredRule(document["_id"], from_stored(document), document["changed_us"])


class RuleBook:
    """Lists, adds, changes and removes rules, and has the enabled ones of a chat ready."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._collection = nova.collection(MESSAGE_RULES)
        self._lock = asyncio.Lock()  # the bounds on a chat's rules hold for all of them together
        self._ruled: set[int] = set()
        self._ready: OrderedDict[int, tuple[CompiledRule, ...]] = OrderedDict()
        self._weights: dict[int, int] = {}
        self._weight = 0
        self._loading: dict[int, asyncio.Task[tuple[CompiledRule, ...]]] = {}
        self._process = secrets.token_hex(8)

    async def open(self) -> None:
        """Find out which chats have rules."""
        groups = self._collection.aggregate([{"$match": {"is_enabled": True}}, {"$group": {"_id": "$chat"}}])
        self._ruled.update([document["_id"] async for document in groups])

    # What the filter asks

    def has_rules(self, chat_id: int) -> bool:
        """Whether a chat has an enabled rule."""
        return chat_id in self._ruled

    def peek(self, chat_id: int) -> tuple[CompiledRule, ...] | None:
        """A chat's enabled rules, by id, if they are at hand."""
        if chat_id not in self._ruled:
            return ()
        ready = self._ready.get(chat_id)
        if ready is not None:
            self._ready.move_to_end(chat_id)
        return ready

    def load(self, chat_id: int) -> asyncio.Task[tuple[CompiledRule, ...]]:
        """Get a chat's enabled rules ready; who does not wait for the end does no harm."""
        task = self._loading.get(chat_id)
        if task is None:
            task = asyncio.create_task(self._load(chat_id), name=f"rules of chat {chat_id}")
            self._loading[chat_id] = task
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _load(self, chat_id: int) -> tuple[CompiledRule, ...]:
        try:
            documents = await self._collection.find({"chat": chat_id, "is_enabled": True}).sort("_id", 1).to_list(None)
            rules = [_stored(document) for document in documents]
            word_count = sum(len(stored.rule.words) for stored in rules)
            if word_count > CACHED_CHAT_WORDS or any(stored.rule.pattern for stored in rules):
                ready = await asyncio.to_thread(self._compile, rules)
            else:
                ready = self._compile(rules)
            if self._loading.get(chat_id) is asyncio.current_task():  # nothing was changed meanwhile
                self._keep(chat_id, ready, word_count + CACHED_CHAT_WORDS)
            return ready
        finally:
            if self._loading.get(chat_id) is asyncio.current_task():
                del self._loading[chat_id]

    @staticmethod
    def _compile(rules: Iterable[StoredRule]) -> tuple[CompiledRule, ...]:
        ready = []
        for stored in rules:
            try:
                ready.append(compile_rule(stored.id, stored.rule))
            except errors.BadField as error:  # it could be used when it was stored
                log.error("rule %d cannot be used: %s", stored.id, error.message)
        return tuple(ready)

    def _keep(self, chat_id: int, ready: tuple[CompiledRule, ...], weight: int) -> None:
        self._drop(chat_id)
        if not ready:
            self._ruled.discard(chat_id)
            return
        self._ruled.add(chat_id)
        self._ready[chat_id] = ready
        self._weights[chat_id] = weight
        self._weight += weight
        while self._weight > CACHED_WORDS and len(self._ready) > 1:
            self._drop(next(iter(self._ready)))

    def _drop(self, chat_id: int) -> None:
        self._ready.pop(chat_id, None)
        self._weight -= self._weights.pop(chat_id, 0)

    async def _refresh(self, chat_id: int) -> None:
        """A chat's rules have changed: what is at hand or on its way is old."""
        self._outdate(chat_id)
        self._nova.publish(RulesChanged(chat_id, self._process))
        await asyncio.shield(self.load(chat_id))

    def _outdate(self, chat_id: int) -> None:
        self._loading.pop(chat_id, None)
        self._drop(chat_id)
        self._ruled.add(chat_id)  # until it is known better

    def note_changed(self, changed: RulesChanged) -> None:
        """A chat's rules have changed; here, or in another process."""
        if changed.process != self._process:
            self._outdate(changed.chat_id)

    async def reopen(self) -> None:
        """Other processes may have changed any rules."""
        for chat_id in list(self._ruled):
            self._outdate(chat_id)
        await self.open()

    # What managers do

    async def list_of(self, caller: models.User, chat_id: int) -> list[StoredRule]:
        """A group's rules, by id.

        Raises:
            ChatUnknown, PrivateChat, NoRight: not for the caller.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        return [_stored(document) for document in await self._documents(chat)]

    async def get(self, caller: models.User, chat_id: int, rule_id: int) -> StoredRule:
        """One rule of a group.

        Raises:
            ChatUnknown, PrivateChat, NoRight, RuleUnknown: in this order.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        return await self._find(chat, rule_id)

    async def add(self, caller: models.User, chat_id: int, given: object) -> StoredRule:
        """Give a group one more rule.

        Raises:
            ChatUnknown, PrivateChat, NoRight, BadField: nothing was changed; looked at in this order.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        rule = read_rule(given)
        async with self._lock:
            others = await self._documents(chat)
            if len(others) >= RULES_MAX_PER_CHAT:
                raise errors.BadField(f"A group cannot have more than {RULES_MAX_PER_CHAT} rules")
            step_count = await self._check(rule, others)
            stored = StoredRule(await self._nova.next_id("message_rule"), rule, self._nova.clock.now_us())
            more = {"chat": chat.id, "changed_us": stored.changed_us, "step_count": step_count}
            await self._collection.insert_one({"_id": stored.id, **more, **stored_form(rule)})
            await self._refresh(chat.id)
        return stored

    async def change(self, caller: models.User, chat_id: int, rule_id: int, given: object) -> StoredRule:
        """Replace some fields of a rule.

        Raises:
            ChatUnknown, PrivateChat, NoRight, RuleUnknown, BadField: nothing was changed; looked at in this order.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        async with self._lock:
            rule = change_rule((await self._find(chat, rule_id)).rule, given)
            others = [document for document in await self._documents(chat) if document["_id"] != rule_id]
            step_count = await self._check(rule, others)
            stored = StoredRule(rule_id, rule, self._nova.clock.now_us())
            more = {"chat": chat.id, "changed_us": stored.changed_us, "step_count": step_count}
            done = await self._collection.replace_one(
                {"_id": rule_id, "chat": chat.id}, {"_id": rule_id, **more, **stored_form(rule)}
            )
            if not done.matched_count:
                raise RuleUnknown  # the chat was deleted meanwhile
            await self._refresh(chat.id)
        return stored

    async def delete(self, caller: models.User, chat_id: int, rule_id: int) -> None:
        """Take a rule away.

        Raises:
            ChatUnknown, PrivateChat, NoRight, RuleUnknown: nothing was changed; looked at in this order.
        """
        chat = await get_managed(self._nova, caller, chat_id)
        async with self._lock:
            done = await self._collection.delete_one({"_id": rule_id, "chat": chat.id})
            if not done.deleted_count:
                raise RuleUnknown
            await self._refresh(chat.id)

    async def forget(self, chat_id: int) -> None:
        """The chat is gone."""
        await self._collection.delete_many({"chat": chat_id})
        self._loading.pop(chat_id, None)
        self._drop(chat_id)
        self._ruled.discard(chat_id)

    async def _documents(self, chat: models.Chat) -> list[Document]:
        return await self._collection.find({"chat": chat.id}).sort("_id", 1).to_list(None)

    async def _find(self, chat: models.Chat, rule_id: int) -> StoredRule:
        document = await self._collection.find_one({"_id": rule_id, "chat": chat.id})
        if document is None:
            raise RuleUnknown
        return _stored(document)

    @staticmethod
    async def _check(rule: Rule, others: Sequence[Document]) -> int:
        """Try a rule out among the others of its chat; returns the size of its pattern."""
        word_count = len(rule.words) + sum(len(document.get("words", ())) for document in others)
        if word_count > WORDS_MAX_PER_CHAT:
            raise errors.BadField(f"The rules of a group cannot have more than {WORDS_MAX_PER_CHAT} words together")
        compiled = await asyncio.to_thread(compile_rule, 0, rule, is_new=True)
        step_count = compiled.matcher.step_count if isinstance(compiled.matcher, Pattern) else 0
        if step_count + sum(document["step_count"] for document in others) > STEPS_MAX_PER_CHAT:
            raise errors.BadField(f"The patterns of a group cannot come to more than {STEPS_MAX_PER_CHAT} steps")
        return step_count
