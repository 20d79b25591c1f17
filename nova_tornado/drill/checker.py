"""Whether what was recorded and what the database holds agree with the promises I1 to I8. Pure: records in, report out.

Texts never appear in a report, ids do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from nova_tornado.drill.histories import check_histories
from nova_tornado.drill.history import Heard, Lost, Outcome, Probe, Record, What, chat_of, seq_of
from nova_tornado.drill.ledger import Ledger
from nova_tornado.drill.truth import Truth

PROMISES = {
    "I1": "no acknowledged message is lost",
    "I2": "no message is stored or shown twice",
    "I3": "every member sees one order",
    "I4": "no log has a gap",
    "I5": "nobody reads outside his membership",
    "I6": "who was away has what a fresh client has",
    "I7": "unread counts and read marks are right, recalled texts are gone",
    "I8": "every call gets a final answer",
}


@dataclass(slots=True)
class Verdict:
    """What became of one promise.

    Attributes:
        counts: what was looked at, by name.
        violations: one line each.
    """

    promise: str
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


Report = dict[str, Verdict]


def check(records: Sequence[Record], truth: Truth) -> Report:
    """Compare what people asked for, were answered and were told with what is stored, and with what is shown afresh."""
    report = {name: Verdict(promise) for name, promise in PROMISES.items()}
    ledger = Ledger(records, truth)
    _check_acknowledged(report["I1"], ledger)
    _check_once(report["I2"], ledger)
    _check_order(report["I3"], ledger)
    _check_gaps(report["I4"], truth)
    _check_membership(report["I5"], ledger)
    _check_answers(report["I8"], ledger)
    for name, what, violation in check_histories(ledger):
        report[name].counts[what] += 1
        if violation:
            report[name].violations.append(violation)
    return report


# I1


def _check_acknowledged(verdict: Verdict, ledger: Ledger) -> None:
    """What was answered with "done" is in the log: sends, and the last one of the edits or recalls of a message."""
    for call, answer in ledger.done(What.SEND):
        verdict.counts["sends acknowledged"] += 1
        entry = ledger.entries.get(answer.message_id)
        if entry is None:
            verdict.violations.append(f"send {call.id} was acknowledged as {answer.message_id}, which is not stored")
        elif entry.sender != call.user or not (entry.is_recalled or entry.client_id == call.client_id):
            verdict.violations.append(f"send {call.id} was acknowledged as {answer.message_id}, which is another one's")
    for call, _ in ledger.done(What.EDIT):
        verdict.counts["edits acknowledged"] += 1
        entry = ledger.by_client_id.get(call.client_id)
        if entry is not None and not entry.is_recalled and entry.version < call.version:
            verdict.violations.append(f"edit {call.version} of {entry.id} was acknowledged; it has {entry.version}")
    for call, _ in ledger.done(What.RECALL):
        verdict.counts["recalls acknowledged"] += 1
        entry = ledger.of_send(call.client_id)
        if entry is not None and not entry.is_recalled:
            verdict.violations.append(f"the recall of {entry.id} was acknowledged; it is still there")


# I2


def _check_once(verdict: Verdict, ledger: Ledger) -> None:
    seen: dict[str, int] = {}
    for entry in ledger.messages():
        for client_id in {entry.client_id, entry.stored_client_id} - {""}:
            verdict.counts["sends stored"] += client_id == entry.client_id
            if seen.setdefault(client_id, entry.id) != entry.id:
                verdict.violations.append(f"send {client_id} is stored twice: {seen[client_id]} and {entry.id}")
    first: dict[str, int] = {}
    for call, answer in ledger.done(What.SEND):
        verdict.counts["answers"] += 1
        if first.setdefault(call.id, answer.message_id) != answer.message_id:
            verdict.violations.append(f"send {call.id} was acknowledged as {first[call.id]} and as {answer.message_id}")
    for (user, connection), told in ledger.connections().items():
        shown: set[int] = set()
        for heard in told:
            if heard.is_repeat:
                continue
            verdict.counts["deliveries"] += 1
            if heard.message_id in shown:
                verdict.violations.append(f"{heard.message_id} was shown twice to user {user}, connection {connection}")
            shown.add(heard.message_id)


# I3


def _check_order(verdict: Verdict, ledger: Ledger) -> None:
    """What is told on a connection is what the log holds, in the log's order, and without a hole while he is there."""
    for (user, connection), told in ledger.connections().items():
        by_chat: dict[int, list[Heard]] = defaultdict(list)
        for heard in told:
            by_chat[chat_of(heard.message_id)].append(heard)
        for chat, of_chat in by_chat.items():
            who = f"user {user} ({of_chat[0].protocol}, connection {connection})"
            verdict.counts["sequences"] += 1
            verdict.violations.extend(_order_of(ledger, chat, user, who, of_chat))


def _order_of(ledger: Ledger, chat: int, user: int, who: str, told: Sequence[Heard]) -> Iterator[str]:
    last = 0
    for heard in told:
        entry = ledger.entries.get(heard.message_id)
        if entry is None:
            yield f"{who} was told {heard.message_id}, which is not stored"
        elif heard.client_id and not entry.is_recalled and heard.client_id != entry.client_id:
            yield f"{who} was told {heard.client_id} as {heard.message_id}, which is {entry.client_id or 'no send'}"
        if not heard.is_repeat:
            if heard.message_id < last:
                yield f"{who} was told {heard.message_id} after {last}"
            last = max(last, heard.message_id)
    plain = {heard.message_id for heard in told if not heard.is_repeat}
    # In rooms one is told of one's own messages, sent by another device, before one has entered the group.
    own = {each for each in plain if (stored := ledger.entries.get(each)) is not None and stored.sender == user}
    begins = plain - own if told[0].protocol == "rooms" else plain
    if not begins:
        return
    begin = min(begins)
    for entry in ledger.between(chat, begin, last):
        if entry.kind == "member_removed" and entry.user == user:
            # He may hear again before this protocol's client knows of it, or not: the next one heard begins anew.
            begin = min((each for each in begins if each > entry.id), default=last + 1)
        expected = entry.kind == "message" and entry.id >= begin and entry.sender != user and not entry.is_recalled
        if expected and entry.id not in plain and ledger.is_member(chat, user, seq_of(entry.id)):
            yield f"{who} was not told {entry.id}, though {begin} before it and {last} later"


# I4


def _check_gaps(verdict: Verdict, truth: Truth) -> None:
    for chat, log in truth.logs.items():
        verdict.counts["logs"] += 1
        count = 0
        for place, entry in enumerate(log, 1):
            verdict.counts["entries"] += 1
            count += entry.kind == "message"
            if seq_of(entry.id) != place:
                verdict.violations.append(f"chat {chat} has {entry.id} at place {place}")
                break
            if entry.count != count:
                verdict.violations.append(f"{entry.id} counts {entry.count} messages, it is number {count}")
                break


# I5


def _check_membership(verdict: Verdict, ledger: Ledger) -> None:
    for record in ledger.of(Heard):
        chat, seq = chat_of(record.message_id), seq_of(record.message_id)
        if chat not in ledger.chats:
            continue
        verdict.counts["deliveries"] += 1
        if not ledger.is_member(chat, record.user, seq) and not record.is_repeat:
            verdict.violations.append(
                f"user {record.user} ({record.protocol}) was told {record.message_id}, an outsider"
            )
    for entry in ledger.messages():
        chat = chat_of(entry.id)
        if entry.sender in ledger.users and not ledger.is_member(chat, entry.sender, seq_of(entry.id)):
            verdict.violations.append(f"{entry.id} was written by user {entry.sender}, an outsider")
    for probe in ledger.of(Probe):
        verdict.counts["break-ins tried"] += 1
        if probe.was_let_in:
            verdict.violations.append(f"user {probe.user} ({probe.protocol}) was let into chat {probe.chat}")


# I8


def _check_answers(verdict: Verdict, ledger: Ledger) -> None:
    for call, answers in ledger.calls():
        verdict.counts["calls"] += 1
        outcomes = [answer.outcome for answer in answers]
        verdict.counts["repeated"] += Outcome.UNKNOWN in outcomes
        final = next((answer for answer in answers if answer.outcome is not Outcome.UNKNOWN), None)
        if final is None:
            verdict.violations.append(f"{call.what} {call.id} of user {call.user} ({call.protocol}) has no answer")
        elif final.outcome is Outcome.ODD:
            verdict.violations.append(
                f"{call.what} {call.id} of user {call.user} ({call.protocol}) was refused: {final.reason}"
            )
        elif final.outcome is Outcome.REFUSED:
            verdict.counts["refused"] += 1
            if call.what is What.SEND and answers[0] is final and ledger.of_send(call.client_id) is not None:
                verdict.violations.append(f"send {call.id} of user {call.user} was refused, and is stored")
        else:
            verdict.counts["done"] += 1
    for lost in ledger.of(Lost):
        verdict.violations.append(f"user {lost.user} ({lost.protocol}) did not come back: {lost.reason}")


def violations_of(report: Report) -> Iterable[tuple[str, str]]:
    """All violations, each with its promise's name."""
    return ((name, line) for name, verdict in report.items() for line in verdict.violations)
