"""The records of a drill and the logs, sorted for the checker."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeVar

from nova_tornado.domain.models import message_id
from nova_tornado.drill.history import Answer, Call, ChatMade, Heard, Outcome, Record, What, seq_of
from nova_tornado.drill.truth import LogEntry, Truth

R = TypeVar("R", bound=Record)
FOR_EVER = message_id(0, 10**8 - 1)


class Ledger:
    """What was recorded, beside what is stored.

    Attributes:
        chats: the chats that are checked, with whom they began.
        users: who has asked for anything, or is in one of them.
        entries: all entries by id.
        by_client_id: the messages whose text is still there, by their send.
    """

    def __init__(self, records: Sequence[Record], truth: Truth) -> None:
        self.records = records
        self.truth = truth
        self.chats = {record.chat: record.members for record in self.of(ChatMade)}
        self.users = {user for members in self.chats.values() for user in members}
        self.users |= {record.user for record in self.of(Call)}
        self.entries = {entry.id: entry for log in truth.logs.values() for entry in log}
        self.by_client_id: dict[str, LogEntry] = {}
        self._by_stored_id: dict[str, LogEntry] = {}
        for entry in self.messages():
            if entry.client_id:
                self.by_client_id.setdefault(entry.client_id, entry)
            if entry.stored_client_id:
                self._by_stored_id.setdefault(entry.stored_client_id, entry)
        self._stays = {chat: self._stays_in(chat) for chat in self.chats}
        self._ids = {chat: [entry.id for entry in log] for chat, log in truth.logs.items()}
        self._answers: dict[str, list[Answer]] = defaultdict(list)
        for answer in self.of(Answer):
            self._answers[answer.call].append(answer)

    def of(self, kind: type[R]) -> Iterator[R]:
        """The records of one kind, in their order."""
        return (record for record in self.records if isinstance(record, kind))

    def messages(self) -> Iterator[LogEntry]:
        """All messages of the checked chats, in the order of their chats' logs."""
        for chat in self.chats:
            yield from (entry for entry in self.truth.logs.get(chat, ()) if entry.kind == "message")

    def of_send(self, client_id: str) -> LogEntry | None:
        """The message of a send, be its text still there or not."""
        return self.by_client_id.get(client_id) or self._by_stored_id.get(client_id)

    def between(self, chat: int, first: int, last: int) -> Sequence[LogEntry]:
        """A chat's entries from one id to another, both inclusive."""
        ids = self._ids.get(chat, [])
        return self.truth.logs.get(chat, [])[bisect_left(ids, first) : bisect_right(ids, last)]

    def calls(self) -> Iterator[tuple[Call, list[Answer]]]:
        """Each call, once, with the answers of all its attempts."""
        seen = set()
        for call in self.of(Call):
            if call.id not in seen:
                seen.add(call.id)
                yield call, self._answers[call.id]

    def done(self, what: What) -> Iterator[tuple[Call, Answer]]:
        """Each answer "done" to a kind of call."""
        for call, answers in self.calls():
            if call.what is what:
                yield from ((call, answer) for answer in answers if answer.outcome is Outcome.DONE)

    def connections(self) -> dict[tuple[int, int], list[Heard]]:
        """What was told on each connection of each user, in its order."""
        told: dict[tuple[int, int], list[Heard]] = defaultdict(list)
        for heard in self.of(Heard):
            told[heard.user, heard.connection].append(heard)
        return told

    def is_member(self, chat: int, user: int, seq: int) -> bool:
        """Whether a user is in a checked chat when its log has come to that place."""
        return any(begin <= seq <= end for begin, end in self._stays.get(chat, {}).get(user, ()))

    def is_member_at_end(self, chat: int, user: int) -> bool:
        """Whether a user is in a checked chat when all is over."""
        return self.is_member(chat, user, FOR_EVER)

    def _stays_in(self, chat: int) -> dict[int, list[tuple[int, int]]]:
        """From which place of the log to which each one was a member, both inclusive."""
        stays: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for user in self.chats[chat]:
            stays[user].append((0, FOR_EVER))
        for entry in self.truth.logs.get(chat, ()):
            if entry.kind == "member_added":
                stays[entry.user].append((seq_of(entry.id), FOR_EVER))
            elif entry.kind == "member_removed" and stays[entry.user]:
                begin, _ = stays[entry.user].pop()
                stays[entry.user].append((begin, seq_of(entry.id)))
        return stays
