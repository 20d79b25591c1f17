"""The page that compares the protocols says of each change what the table of these tests says."""

import re

from docs.test_docs import PROTOCOLS as PAGE
from docs.test_docs import table
from together.changes import ASKER, PROTOCOLS
from together.matching import Maybe
from together.test_changes import CHANGES

ROWS = {
    "message sent": [
        "message sent, private",
        "message sent, group",
        "message sent with a file",
    ],
    "edited": ["message edited, private", "message edited, group"],
    "deleted for all": ["message deleted for all, private", "message deleted for all, group"],
    "deleted for oneself": ["message hidden for one"],
    "chat read": ["read, private", "read, group", "read once more"],
    "somebody is writing": ["typing"],
    "private chat made": ["private chat made"],
    "group made": ["group made", "open group made"],
    "renamed": ["group renamed", "open group renamed"],
    "members come": ["member added"],
    "members go": ["member left", "member removed", "member removed from an open group"],
    "entered or left by rooms": ["member entered a closed group", "member is no longer in a closed group"],
    "admins, another owner": ["admin made", "admin unmade", "owner handed over"],
    "group deleted": ["group deleted", "open group deleted", "group with a message deleted"],
    "private chat deleted": ["private chat deleted"],
    "friendship asked for": ["friend asked", "friend asked once more"],
    "declined": ["friend declined"],
    "accepted": ["friend asked back", "friend accepted"],
    "ended": ["friendship ended"],
    "other names": ["name changed"],
    "another photo": ["photo changed"],
    "new account": ["account made"],
    "signed in or out": ["signed in", "signed out"],
    "online or gone": ["came online", "went offline"],
}
SUMS = {
    "message sent, which reads what was before it": "sent and read",
    "member entered an open group": "entered and come",
    "member left an open group": "left and gone",
    "owner left": "gone, and another owner",
    "renamed, members added and removed at once": "all of these",
    "friend accepted with whom there is a chat": "accepted, without a new chat",
    "token asked for": "nothing is told",
    "account ended, of a member": "gone",
    "account ended, of a friend": "ended",
    "account ended, of an owner": "group deleted",
}
"""Changes that the page does not list, because they are what others are together."""


def kind(protocol, packet):
    """What a packet is called."""
    told = packet.packet if isinstance(packet, Maybe) else packet
    names = {"actions": "action", "methods": "type", "modes": "mode", "rooms": "type"}
    return f"{told['op']}/{told['t']}" if protocol == "opcodes" else told[names[protocol]]


def test_every_change_is_on_the_page():
    listed = [name for names in ROWS.values() for name in names]
    assert sorted([*listed, *SUMS]) == sorted(CHANGES)


def test_each_cell_of_the_page_names_the_packets_of_the_table():
    cells = {}
    for columns in (["actions", "opcodes"], ["methods", "modes"], ["rooms"]):
        rows = table(PAGE, "change", *columns)
        assert [row[0] for row in rows] == list(ROWS)
        cells |= {(row[0], protocol): cell for row in rows for protocol, cell in zip(columns, row[1:], strict=True)}
    assert {protocol for _, protocol in cells} == set(PROTOCOLS)
    for (row, protocol), cell in cells.items():
        told = {
            kind(protocol, packet)
            for name in ROWS[row]
            for names, packet in CHANGES[name].cells[protocol]
            if set(names.split()) - {ASKER}
        }
        assert set(re.findall(r"`([^`]+)`", cell)) == told, (row, protocol)
        assert told or cell == "–" or cell.startswith("as members"), (row, protocol)
