"""The checker of a drill sees what is wrong: each promise has histories in which it is broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nova_tornado.domain.models import message_id
from nova_tornado.drill.checker import PROMISES, check
from nova_tornado.drill.history import (
    Answer,
    Call,
    ChatMade,
    Fresh,
    Heard,
    Item,
    Known,
    Lost,
    Outcome,
    Probe,
    Readers,
    Unread,
    What,
)
from nova_tornado.drill.truth import Cursor, LogEntry, Truth

CHAT = 7
ANN, BOB, CID, EVE = 11, 12, 13, 14
SYSTEM = 1


def at(seq):
    return message_id(CHAT, seq)


def send(name, user, protocol="actions"):
    return Call(0, name, user, protocol, What.SEND, CHAT, name)


def done(call, message_id=0, user=ANN):
    return Answer(1, call, user, Outcome.DONE, message_id)


def heard(user, *seqs, connection=1, protocol="actions", client_ids=None):
    return [Heard(1, user, protocol, connection, at(seq), (client_ids or CLIENT_IDS).get(seq, "")) for seq in seqs]


CLIENT_IDS = {1: "d11-1", 2: "d12-1", 5: "d11-2", 6: "d13-1"}
LOG = [
    LogEntry(at(1), "message", 1, ANN, "d11-1", 0, "d11-1"),
    LogEntry(at(2), "message", 2, BOB, "d12-1", 1, "d12-1"),
    LogEntry(at(3), "edited", 2, BOB),
    LogEntry(at(4), "member_removed", 2, ANN, user=CID),
    LogEntry(at(5), "message", 3, ANN, "", 0, "d11-2", is_recalled=True, has_text=False),
    LogEntry(at(6), "message", 4, BOB, "d12-2", 0, "d12-2"),
]
CLIENT_IDS[6] = "d12-2"
CURSORS = {(CHAT, ANN): Cursor(5, 0), (CHAT, BOB): Cursor(0, 0)}
SHOWN = (Item(at(1), "d11-1", 0), Item(at(2), "d12-1", 1), Item(at(5), "", 0), Item(at(6), "d12-2", 0))
RECORDS = [
    ChatMade(CHAT, (ANN, BOB, CID)),
    send("d11-1", ANN),
    done("d11-1", at(1)),
    send("d12-1", BOB),
    Answer(1, "d12-1", BOB, Outcome.UNKNOWN),
    send("d12-1", BOB),
    done("d12-1", at(2), BOB),
    Call(1, "d12-1/1", BOB, "opcodes", What.EDIT, CHAT, "d12-1", 1),
    done("d12-1/1", user=BOB),
    send("d13-1", CID),
    Answer(1, "d13-1", CID, Outcome.REFUSED),
    send("d11-2", ANN),
    done("d11-2", at(5)),
    Call(1, "d11-2/recall", ANN, "actions", What.RECALL, CHAT, "d11-2"),
    done("d11-2/recall"),
    send("d12-2", BOB),
    done("d12-2", at(6), BOB),
    Call(1, "r11-1", ANN, "actions", What.READ, CHAT, seq=2),
    done("r11-1"),
    *heard(ANN, 1, 2, 5, 6),
    *heard(CID, 1, 2, protocol="methods"),
    Fresh(ANN, "actions", CHAT, SHOWN, True),
    Fresh(ANN, "modes", CHAT, (*SHOWN[:2], SHOWN[3]), False),
    Known(ANN, "actions", CHAT, (at(1), at(2), at(5), at(6))),
    Unread(ANN, CHAT, 1),
    Unread(BOB, CHAT, 0),
    Readers(at(5), (ANN, BOB)),
    Readers(at(6), (BOB,)),
    Probe(EVE, "actions", CHAT, False),
]


def broken(records=(), log=LOG, cursors=CURSORS, without=()):
    """The promises that are broken in the good history with further records, or another truth."""
    kept = [record for record in RECORDS if record not in without]
    report = check([*kept, *records], Truth({CHAT: log}, cursors))
    return {name for name, verdict in report.items() if verdict.violations}


def with_entry(seq, **changes):
    return [replace(entry, **changes) if entry.id == at(seq) else entry for entry in LOG]


def test_whole_history_is_kept_and_counted():
    report = check(RECORDS, Truth({CHAT: LOG}, CURSORS))
    assert report.keys() == PROMISES.keys()
    assert {name: verdict.violations for name, verdict in report.items()} == {name: [] for name in PROMISES}
    assert all(verdict.counts for verdict in report.values())
    assert report["I1"].counts["sends acknowledged"] == 4
    assert report["I8"].counts["repeated"] == 1


# I1


def test_acknowledged_send_that_is_not_stored_is_lost():
    assert broken([send("d11-9", ANN), done("d11-9", at(9))]) == {"I1"}


def test_acknowledged_send_whose_place_is_another_ones_is_lost():
    assert broken([send("d11-9", ANN), done("d11-9", at(6))]) == {"I1"}


def test_acknowledged_edit_that_is_not_stored_is_lost():
    call = Call(1, "d12-2/1", BOB, "opcodes", What.EDIT, CHAT, "d12-2", 1)
    assert broken([call, done("d12-2/1", user=BOB)]) == {"I1"}


def test_acknowledged_recall_of_a_message_that_is_still_there_is_lost():
    call = Call(1, "d12-2/recall", BOB, "opcodes", What.RECALL, CHAT, "d12-2")
    assert broken([call, done("d12-2/recall", user=BOB)]) == {"I1"}


# I2


@pytest.mark.parametrize("client_id", ["d11-1", ""])
def test_send_that_is_stored_twice_is_seen_by_its_text_and_by_its_id(client_id):
    log = with_entry(6, client_id="d11-1", stored_client_id=client_id, sender=ANN)
    assert "I2" in broken(log=log)


def test_send_that_is_acknowledged_as_two_messages_is_doubled():
    assert "I2" in broken([done("d11-1", at(2))])


def test_message_that_is_shown_twice_on_a_connection_is_doubled():
    assert broken(heard(BOB, 1, 1)) == {"I2"}


def test_message_may_be_shown_on_each_connection_and_again_to_who_has_repeated_it():
    again = replace(heard(ANN, 1)[0], is_repeat=True)
    assert broken([*heard(ANN, 1, connection=2), again, again]) == set()


# I3


def test_other_order_than_the_logs_is_seen():
    assert broken(heard(EVE, 6, 1), without=()) >= {"I3"}
    assert broken(heard(BOB, 6, 1)) == {"I3"}


def test_message_that_is_told_and_not_stored_is_seen():
    assert broken(heard(BOB, 9, client_ids={9: "d11-9"})) == {"I3"}


def test_message_that_is_told_in_the_place_of_another_is_seen():
    assert broken(heard(BOB, 6, client_ids={6: "d11-9"})) == {"I3"}


def test_message_that_a_connection_misses_between_two_others_is_seen():
    log = [*LOG, LogEntry(at(7), "message", 5, BOB, "d12-3", 0, "d12-3")]
    assert broken(heard(ANN, 2, 7, connection=2, client_ids={**CLIENT_IDS, 7: "d12-3"}), log) >= {"I3"}


@pytest.mark.parametrize(("protocol", "promises"), [("rooms", set()), ("methods", {"I3"})])
def test_own_message_begins_no_stay_where_one_has_to_enter(protocol, promises):
    log = [
        *LOG,
        LogEntry(at(7), "member_added", 4, ANN, user=CID),
        LogEntry(at(8), "message", 5, CID, "d13-2", 0, "d13-2"),
        LogEntry(at(9), "message", 6, BOB, "d12-3", 0, "d12-3"),
        LogEntry(at(10), "message", 7, BOB, "d12-4", 0, "d12-4"),
    ]
    client_ids = {8: "d13-2", 10: "d12-4"}
    changed = [record for record in RECORDS if isinstance(record, Fresh | Known | Unread | Readers)]
    cursors = {(CHAT, ANN): Cursor(5, 0), (CHAT, BOB): Cursor(10, 0), (CHAT, CID): Cursor(8, 0)}
    told = heard(CID, 8, 10, connection=2, client_ids=client_ids, protocol=protocol)
    assert broken(told, log, cursors, changed) == promises


def test_history_in_another_order_than_the_logs_is_seen():
    assert broken([Fresh(BOB, "actions", CHAT, SHOWN[::-1], True)]) == {"I3"}


def test_history_with_a_hole_is_seen():
    assert broken([Fresh(BOB, "rooms", CHAT, SHOWN[1:2], False)]) == {"I3"}


# I4


def test_gap_in_a_log_is_seen():
    assert broken(log=[entry for entry in LOG if entry.id != at(3)]) == {"I4"}


def test_wrong_count_of_messages_is_seen():
    assert broken(log=with_entry(6, count=5)) == {"I4"}


# I5


def test_what_is_told_to_somebody_after_his_removal_is_seen():
    assert broken(heard(CID, 6, connection=2)) == {"I5"}


def test_what_is_told_to_an_outsider_is_seen():
    assert broken(heard(EVE, 1)) == {"I5"}


def test_message_of_an_outsider_is_seen():
    assert broken(log=with_entry(6, sender=CID), without=[record for record in RECORDS if "d12-2" in repr(record)]) >= {
        "I5"
    }


def test_outsider_who_is_let_in_is_seen():
    assert broken([Probe(EVE, "rooms", CHAT, True)]) == {"I5"}


def test_history_that_is_shown_to_who_was_removed_is_seen():
    assert broken([Fresh(CID, "modes", CHAT, SHOWN, True)]) == {"I5"}


def test_who_comes_again_may_hear_again():
    log = [*LOG, LogEntry(at(7), "member_added", 4, ANN, user=CID), LogEntry(at(8), "message", 5, ANN, "d11-3")]
    cursors = {**CURSORS, (CHAT, ANN): Cursor(8, 0)}
    changed = [record for record in RECORDS if isinstance(record, Fresh | Known | Unread | Readers)]
    assert broken(heard(CID, 8, client_ids={8: "d11-3"}, protocol="methods"), log, cursors, changed) == set()


# I6


def test_client_that_has_missed_a_message_is_seen():
    assert broken([Known(ANN, "modes", CHAT, (at(1), at(5), at(6)))]) == {"I6"}


def test_client_that_has_a_message_too_many_is_seen():
    assert broken([Known(ANN, "modes", CHAT, (at(1), at(2), at(5), at(6), at(9)))]) == {"I6"}


# I7


def test_wrong_unread_count_is_seen():
    assert broken([Unread(ANN, CHAT, 2)]) == {"I7"}


def test_wrong_read_mark_is_seen():
    assert broken([Readers(at(6), (ANN, BOB))]) == {"I7"}


def test_acknowledged_read_whose_mark_stands_before_it_is_seen():
    call = Call(1, "r11-2", ANN, "actions", What.READ, CHAT, seq=6)
    assert broken([call, done("r11-2")]) == {"I7"}


def test_recalled_text_that_is_still_stored_is_seen():
    assert broken(log=with_entry(5, has_text=True)) == {"I7"}


def test_recalled_text_that_is_still_shown_is_seen():
    shown = (*SHOWN[:2], Item(at(5), "d11-2", 0), SHOWN[3])
    assert broken([Fresh(BOB, "actions", CHAT, shown, True)]) == {"I7"}


def test_text_of_an_edit_that_is_not_shown_is_seen():
    shown = (SHOWN[0], Item(at(2), "d12-1", 0), *SHOWN[2:])
    assert broken([Fresh(BOB, "actions", CHAT, shown, True)]) == {"I7"}


# I8


@pytest.mark.parametrize("answers", [[], [Answer(1, "d11-9", ANN, Outcome.UNKNOWN)]])
def test_call_without_a_final_answer_is_seen(answers):
    assert broken([send("d11-9", ANN), *answers]) == {"I8"}


def test_refusal_without_a_reason_is_seen():
    assert broken([send("d11-9", ANN), Answer(1, "d11-9", ANN, Outcome.ODD, reason="Invalid value")]) == {"I8"}


def test_refused_send_that_is_stored_is_seen():
    log = [*LOG[:5], replace(LOG[5], client_id="d12-9", stored_client_id="d12-9")]
    records = [send("d12-9", BOB), Answer(1, "d12-9", BOB, Outcome.REFUSED)]
    assert "I8" in broken(records, log)


def test_who_does_not_come_back_is_seen():
    assert broken([Lost(ANN, "actions", "closed with 1012")]) == {"I8"}
