"""The checker's part for what is shown when all is over: I3, I5, I6 and I7."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nova_tornado.drill.history import Answer, Call, Fresh, Known, Outcome, Readers, Unread, What, chat_of, seq_of
from nova_tornado.drill.ledger import Ledger


class Finding(NamedTuple):
    """Something that was looked at: for which promise, as what it counts, and what is wrong with it ("": nothing)."""

    promise: str
    what: str
    violation: str = ""


def check_histories(ledger: Ledger) -> Iterator[Finding]:
    """Compare what is shown at the end with the logs, and with what clients have."""
    for fresh in ledger.of(Fresh):
        yield from _fresh(ledger, fresh)
    yield from _known(ledger)
    yield from _recalled(ledger)
    yield from _reading(ledger)


def _fresh(ledger: Ledger, fresh: Fresh) -> Iterator[Finding]:
    who = f"user {fresh.user} ({fresh.protocol})"
    if not ledger.is_member_at_end(fresh.chat, fresh.user):
        yield Finding("I5", "histories", f"{who} is shown chat {fresh.chat}, an outsider")
        return
    log = [entry for entry in ledger.truth.logs.get(fresh.chat, ()) if entry.kind == "message"]
    shown = [item.message_id for item in fresh.items]
    stored = [entry.id for entry in log if fresh.shows_recalled or not entry.is_recalled]
    wrong = ""
    if shown != stored:
        missing, foreign = set(stored) - set(shown), set(shown) - set(stored)
        wrong = f"{who} is shown chat {fresh.chat} otherwise than it is stored: "
        wrong += f"missing {sorted(missing)[:3]}, too many {sorted(foreign)[:3]}, else in another order"
    yield Finding("I3", "histories", wrong)
    for item in fresh.items:
        entry = ledger.entries.get(item.message_id)
        if entry is not None and item.client_id and entry.is_recalled:
            yield Finding("I7", "texts", f"{who} is shown the recalled text of {item.message_id}")
        elif entry is not None and (item.client_id, item.version) != (entry.client_id, entry.version):
            yield Finding("I7", "texts", f"{who} is shown another text of {item.message_id} than is stored")
        else:
            yield Finding("I7", "texts")


def _known(ledger: Ledger) -> Iterator[Finding]:
    """What a client was told and has caught up with is what a fresh one is shown."""
    fresh: dict[tuple[int, int], set[int]] = {}
    for one in ledger.of(Fresh):
        if one.shows_recalled:
            fresh[one.user, one.chat] = {item.message_id for item in one.items}
    for known in ledger.of(Known):
        shown = fresh.get((known.user, known.chat))
        if shown is None:
            continue
        missing, foreign = shown - set(known.message_ids), set(known.message_ids) - shown
        wrong = ""
        if missing or foreign:
            wrong = f"user {known.user} ({known.protocol}) has chat {known.chat} otherwise than it is shown afresh: "
            wrong += f"missing {sorted(missing)[:3]}, too many {sorted(foreign)[:3]}"
        yield Finding("I6", "states", wrong)


def _recalled(ledger: Ledger) -> Iterator[Finding]:
    for entry in ledger.messages():
        if entry.is_recalled:
            wrong = f"{entry.id} is recalled, and its text is stored" if entry.has_text else ""
            yield Finding("I7", "recalled", wrong)


def _reading(ledger: Ledger) -> Iterator[Finding]:
    """Unread counts, read marks and acknowledged reads, against a count of the log."""
    for unread in ledger.of(Unread):
        if (cursor := cursor_of(ledger, unread.chat, unread.user)) is None:
            continue
        log = ledger.truth.logs.get(unread.chat, ())
        count = sum(entry.kind == "message" and seq_of(entry.id) > cursor for entry in log)
        wrong = f"user {unread.user} has {unread.count} unread in chat {unread.chat}, counted {count}"
        yield Finding("I7", "unread counts", wrong if count != unread.count else "")
    for marks in ledger.of(Readers):
        chat, seq = chat_of(marks.message_id), seq_of(marks.message_id)
        said = set(marks.users) & ledger.users
        read = {
            user
            for (of_chat, user), stored in ledger.truth.cursors.items()
            if of_chat == chat
            and (cursor := cursor_of(ledger, chat, user)) is not None
            and cursor >= seq
            and cursor > stored.joined_seq
        } & ledger.users
        wrong = f"{marks.message_id} is said to be read by {sorted(said)}, counted {sorted(read)}"
        yield Finding("I7", "read marks", wrong if said != read else "")
    calls = {call.id: call for call in ledger.of(Call) if call.what is What.READ}
    for answer in ledger.of(Answer):
        call = calls.get(answer.call)
        if call is None or answer.outcome is not Outcome.DONE:
            continue
        stored = ledger.truth.cursors.get((call.chat, call.user))
        if stored is None or stored.joined_seq >= call.seq:
            continue  # he has left, or come again since
        cursor = cursor_of(ledger, call.chat, call.user) or 0
        wrong = f"user {call.user} has read chat {call.chat} up to {call.seq}, his mark is at {cursor}"
        yield Finding("I7", "reads acknowledged", wrong if cursor < call.seq else "")


def cursor_of(ledger: Ledger, chat: int, user: int) -> int | None:
    """Up to which place a member has read: as stored, or by his own newest message; None if he is none."""
    stored = ledger.truth.cursors.get((chat, user))
    if stored is None:
        return None
    own = (
        seq_of(entry.id)
        for entry in ledger.truth.logs.get(chat, ())
        if entry.kind == "message" and entry.sender == user and seq_of(entry.id) > stored.joined_seq
    )
    return max(stored.read_seq, max(own, default=0))
