"""The filter itself: what becomes of a message under the rules of the server and of its chat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from nova_message_filters.counts import Counts
from nova_message_filters.held import HeldMessages
from nova_message_filters.mutes import MuteChanged, Mutes
from nova_message_filters.patterns import Pattern
from nova_message_filters.rule import COUNTING_KINDS, Action, CompiledRule
from nova_message_filters.rulebook import RuleBook, RulesChanged
from nova_message_filters.words import Span, Text, masked
from nova_tornado.api import Event, Nova, OutgoingMessage, errors, events, models

log = logging.getLogger(__name__)
T = TypeVar("T")

CHECK_LIMIT_S = 0.8
"""Less than the core gives a filter: what takes longer is refused here, politely, and does not count as a failure."""
INLINE_MAX_STEPS = 1_000_000
"""Characters of a text by steps of the patterns: about 8 ms at worst. What may take longer runs in a thread."""
TOO_SLOW = "The message cannot be checked at the moment, try again later"
SEVERITY = {action: place for place, action in enumerate(Action)}

Hit = tuple[CompiledRule, Sequence[Span]]
"""A rule that a message breaks; with the parts to be hidden, where it masks."""


def find_hits(rules: Iterable[CompiledRule], text: Text) -> list[Hit]:
    """The rules on texts that a text breaks."""
    hits: list[Hit] = []
    for compiled in rules:
        if compiled.matcher is None or not compiled.matcher.is_in(text):
            continue
        if compiled.rule.action is not Action.MASK:
            hits.append((compiled, ()))
        elif spans := compiled.matcher.spans(text):
            hits.append((compiled, spans))
    return hits


def duration_text(duration_us: int) -> str:
    """A duration in the two largest units that it has, rounded up to seconds."""
    left_s = -(-duration_us // 1_000_000)
    parts = []
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left_s = divmod(left_s, unit_s)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


class Moderator:
    """Asked before each message and edit in chats that have rules.

    All rules look at the text as it was sent. Where several are broken, the hardest action is taken (``rule.Action``
    has their order); of two that are equally hard, the server's first, then the one with the smaller id; of two mutes
    the longer one.

    Args:
        nova: the plugin's facade.
        server_rules: those of the server, in order.
    """

    event_types = (
        RulesChanged,
        MuteChanged,
        events.NewsMissed,
        events.ChatDeleted,
        events.MemberRemoved,
        events.AccountDeleted,
    )
    hears_other_processes = True

    name = "message rules"
    fails_open = False

    def __init__(self, nova: Nova, server_rules: Sequence[CompiledRule]) -> None:
        self._nova = nova
        self._server_rules = tuple(server_rules)
        self.rules = RuleBook(nova)
        self.mutes = Mutes(nova)
        self.held = HeldMessages(nova)
        self._counts = Counts()
        self._is_open = False
        self._work: set[asyncio.Task[Any]] = set()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="message rules")

    async def open(self) -> None:
        """Find out which chats have rules, and who is muted."""
        await self.rules.open()
        await self.mutes.open()
        self._is_open = True

    async def close(self) -> None:
        """Finish what is under way."""
        while self._work:
            await asyncio.wait(self._work)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # What the core asks

    def concerns(self, chat: models.Chat, sender: models.User) -> bool:
        """Whether there is any rule or mute for a message."""
        return (
            bool(self._server_rules)
            or not self._is_open
            or self.rules.has_rules(chat.id)
            or self.mutes.may_concern(chat.id, sender.id)
        )

    async def check(self, message: OutgoingMessage) -> str | None:
        """Let a message pass, with parts hidden or not.

        Raises:
            MessageRefused: it breaks a rule, waits for approval now, or its sender is muted.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + CHECK_LIMIT_S
        if not self._is_open:
            await self._within(self._begin(self.open(), "opening"), end_s)
        chat, sender = message.chat, message.sender
        if left_us := self.mutes.left_us(chat.id, sender.id):
            raise errors.MessageRefused(f"You are muted in this chat for another {duration_text(left_us)}")
        of_chat = self.rules.peek(chat.id)
        if of_chat is None:
            of_chat = await self._within(self.rules.load(chat.id), end_s)
        is_manager = not chat.is_private and sender.id in chat.manager_ids
        rules = [each for each in (*self._server_rules, *of_chat) if not (is_manager and each.rule.exempts_managers)]
        if not rules:
            return None
        text = Text(message.text)
        hits = await self._find_hits([each for each in rules if each.matcher is not None], text, end_s)
        # Nothing is awaited from here until the message is counted: two at the same moment count one after the other.
        counting = [] if message.is_edit else [each for each in rules if each.rule.kind in COUNTING_KINDS]
        if not message.text:  # only files
            counting = [each for each in counting if each.rule.message_count]
        asked = (sender.id, self._nova.clock.now_us(), text.sameness, message.client_id) if counting else None
        if asked is not None:
            hits += [(each, ()) for each in counting if self._counts.is_hit(each, *asked)]
        hardest = max((SEVERITY[compiled.rule.action] for compiled, _ in hits), default=SEVERITY[Action.MASK])
        if hardest == SEVERITY[Action.MASK]:
            if asked is not None:
                self._counts.note(counting, *asked)
            return masked(text.text, [span for _, spans in hits for span in spans]) if hits else None
        of_hardest = [compiled for compiled, _ in hits if SEVERITY[compiled.rule.action] == hardest]
        await self._stop(message, of_hardest, end_s)
        raise AssertionError("a message was neither stopped nor let pass")

    async def _stop(self, message: OutgoingMessage, rules: Sequence[CompiledRule], end_s: float) -> None:
        """Do what the broken rules say, all of which have the same action; always raises ``MessageRefused``."""
        rule = max(rules, key=lambda compiled: compiled.rule.mute_s).rule
        if rule.action is Action.MUTE:
            # In force at once; stored in a moment, or, if the database is slow, behind.
            task = self._begin(self.mutes.mute(message.chat, message.sender, rule.mute_s, rule.name), "mute")
            await asyncio.wait((task,), timeout=max(0.0, end_s - asyncio.get_running_loop().time()))
            duration = duration_text(rule.mute_s * 1_000_000)
            raise errors.MessageRefused(f"You are muted in this chat for {duration}: {rule.why()}")
        if rule.action is Action.REFUSE or message.chat.is_private:
            raise errors.MessageRefused(f"The message was refused: {rule.why()}")
        if message.is_edit:
            raise errors.MessageRefused(f"This edit would need approval, send a new message instead: {rule.why()}")
        if message.file_count:
            raise errors.MessageRefused(f"A message with files cannot wait for approval: {rule.why()}")
        await self._within(self._begin(self.held.hold(message, rule.name), "held message"), end_s)
        raise errors.MessageRefused(f"The message waits for approval by the owner or an admin: {rule.why()}")

    async def _find_hits(self, rules: Sequence[CompiledRule], text: Text, end_s: float) -> list[Hit]:
        if not text.text:
            return []
        patterns = [each for each in rules if isinstance(each.matcher, Pattern)]
        step_count = sum(each.matcher.step_count for each in patterns if isinstance(each.matcher, Pattern))
        if len(text.text) * step_count <= INLINE_MAX_STEPS:
            return find_hits(rules, text)
        others = [each for each in rules if not isinstance(each.matcher, Pattern)]
        found: asyncio.Future[list[Hit]] = asyncio.get_running_loop().run_in_executor(
            self._threads, find_hits, patterns, text
        )
        hits = find_hits(others, text)
        of_patterns: list[Hit] = await self._within(found, end_s)
        hits += of_patterns
        order = {id(compiled): place for place, compiled in enumerate(rules)}
        return sorted(hits, key=lambda hit: order[id(hit[0])])

    def _begin(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        """Do something that goes on if nobody waits for it any more."""
        task = asyncio.create_task(work, name=f"message rules: {what}")
        self._work.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, errors.MessageRefused):
            log.error("%s failed", task.get_name(), exc_info=error)

    @staticmethod
    async def _within(work: asyncio.Future[T], end_s: float) -> T:
        """Wait for something until the check's time is over.

        Raises:
            MessageRefused: it took too long, and goes on; or it failed (no fault of the filter, as a rule: the
                database does not answer).
        """
        await asyncio.wait((work,), timeout=max(0.0, end_s - asyncio.get_running_loop().time()))
        if not work.done():
            raise errors.MessageRefused(TOO_SLOW)
        try:
            return work.result()
        except errors.MessageRefused:
            raise
        except Exception as error:
            log.warning("a message could not be checked: %s", type(error).__name__)
            raise errors.MessageRefused(TOO_SLOW) from None

    async def on_event(self, event: Event) -> None:
        """Rules, mutes and held messages go with what they are about; and follow what other processes change."""
        match event:
            case RulesChanged():
                self.rules.note_changed(event)
            case MuteChanged():
                self.mutes.note_changed(event)
            case events.NewsMissed():
                await self.rules.reopen()
                await self.mutes.reopen()
            case events.ChatDeleted(chat):
                await self.rules.forget(chat.id)
                await self.mutes.forget_chat(chat.id)
                await self.held.forget_chat(chat.id)
            case events.MemberRemoved(chat, user_id):
                await self.held.forget_member(chat.id, user_id)
            case events.AccountDeleted(user_id):
                await self.mutes.forget_user(user_id)
                await self.held.forget_user(user_id)
