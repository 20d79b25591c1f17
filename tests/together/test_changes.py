"""Every change × every protocol it can be made by × every protocol that is told of it.

A change is made by a client of one protocol, and all four users listen by all five. What each connection gets is
compared with the table to the last packet; ids, texts and times must be the same in all protocols.

Source: contract "protocols" section 0.10.
"""

from __future__ import annotations

import json

import pytest
from together.changes import ASKER, LETTERS, PROTOCOLS, Change
from together.makers import Cannot, Http
from together.matching import compare
from together.table_chats import CHATS
from together.table_makers import MAKERS
from together.table_members import MEMBERS
from together.table_messages import MESSAGES
from together.table_people import PEOPLE
from together.world import CLIENTS, World, prepare

from nova_tornado.realtime import presence

CHANGES: dict[str, Change] = {**MESSAGES, **CHATS, **MEMBERS, **PEOPLE}
BY_CONNECTING = {name for name, change in CHANGES.items() if change.is_presence}
"""Made by connecting and going, in every protocol; not by a request."""
MADE = [
    (name, sender)
    for name in CHANGES
    for sender in PROTOCOLS
    if name not in BY_CONNECTING and not isinstance(MAKERS[name][sender], Cannot)
]


def problems(world: World, change: Change, sender: str, received: dict[tuple[str, str], list[object]]) -> list[str]:
    """What is not as the table says, for every connection."""
    found = []
    # Those who are told most come first: they make the facts known.
    for who, receiver in sorted(received, key=lambda key: (key[0] == ASKER, PROTOCOLS.index(key[1]), key[0])):
        problem = compare(change.expected(sender, receiver, who), received[who, receiver], world.facts)
        if problem:
            found.append(f"{receiver}, {who}: {problem}")
    return found


@pytest.mark.gen_test
@pytest.mark.parametrize(("name", "sender"), MADE)
async def test_change_is_told_as_the_table_says(name, sender, world, people, no_presence):
    maker, change = MAKERS[name][sender], CHANGES[name]
    await prepare(world, change, people)
    is_http = isinstance(maker, Http)
    letters = "".join(letter for letter in LETTERS if letter not in change.offline)
    await world.connect(letters, None if is_http else sender)
    await (maker.make if is_http else maker)(world)
    found = problems(world, change, sender, await world.drain())
    assert not found, f"{name}, by {sender}:\n  " + "\n  ".join(found)
    assert not any((await world.drain()).values())  # and nothing comes later


@pytest.mark.gen_test
@pytest.mark.parametrize("sender", PROTOCOLS)
async def test_who_comes_online_and_goes_is_told_as_the_table_says(sender, world, people, monkeypatch):
    monkeypatch.setattr(presence, "GATHER_S", 0.0)
    change = CHANGES["came online"]
    await prepare(world, change, people)
    letters = "".join(letter for letter in LETTERS if letter not in change.offline)
    await world.connect(letters, None)
    watcher = world.clients["A", "opcodes"]
    everybody = sorted(world.facts[letter] for letter in letters)
    await watcher.expect_online(*everybody)
    await world.clients["A", "actions"].request({"action": "presence", "data": {}})
    await world.drain()
    for name, online in (("came online", sorted([*everybody, world.facts["X"]])), ("went offline", everybody)):
        for letter in letters:
            world.clients[letter, "opcodes"].online.clear()
        if name == "came online":
            coming = await CLIENTS[sender].connect(world.port, world.tokens["X"])
        else:
            coming.close()
        watcher.online.append([])
        await watcher.expect_online(*online)
        received = await world.drain()
        watcher.online.pop(0)
        for letter in letters:
            client = world.clients[letter, "opcodes"]
            assert client.online == [online], letter
            received[letter, "opcodes"] = [
                {"op": 2, "t": 1, "d": {"user_ids": ids}} for ids in client.online
            ] + received[letter, "opcodes"]
        world.facts["online"] = online
        found = problems(world, CHANGES[name], sender, received)
        assert not found, f"{name}, by {sender}:\n  " + "\n  ".join(found)


# The tables themselves


def test_every_cell_is_declared():
    assert set(MAKERS) | BY_CONNECTING == set(CHANGES)
    for name, change in CHANGES.items():
        assert set(change.cells) == set(PROTOCOLS), name
        assert set(change.then) <= set(PROTOCOLS), name
        if name not in BY_CONNECTING:
            assert set(MAKERS[name]) == set(PROTOCOLS), name
    cells = [(sender, receiver, name) for sender in PROTOCOLS for receiver in PROTOCOLS for name in CHANGES]
    for sender, receiver, name in cells:
        assert CHANGES[name].expected(sender, receiver, "nobody") == []
    assert len(cells) == 25 * len(CHANGES)


def test_every_cell_is_of_connections_that_exist():
    for name, change in CHANGES.items():
        for cells in (change.cells, *change.then.values()):
            for receiver, cell in cells.items():
                assert receiver in PROTOCOLS, name
                for names, packet in cell:
                    assert set(names.split()) <= {ASKER, *LETTERS} - set(change.offline), (name, receiver, names)
                    assert packet


def test_every_change_can_be_made_by_somebody():
    for name, makers in MAKERS.items():
        assert not all(isinstance(maker, Cannot) for maker in makers.values()), name
        assert all(maker.reason for maker in makers.values() if isinstance(maker, Cannot)), name
        assert set(CHANGES[name].then) <= {s for s, maker in makers.items() if not isinstance(maker, Cannot)}, name


def test_tables_hold_json_and_placeholders_only():
    for change in CHANGES.values():
        for cell in change.cells.values():
            for _, packet in cell:
                assert json.dumps(packet, default=lambda placeholder: type(placeholder).__name__)
