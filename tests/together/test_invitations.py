"""Whoever asked by actions which invitations wait is told of each change of them, whatever protocol it is made by.

What all others are told is in the table (``table_people``): the sockets there have not asked.
"""

import pytest
from together.makers import Cannot, Http
from together.table_makers import MAKERS
from together.table_people import PEOPLE
from together.world import prepare

OLD, NEW = 1, 2
"""The ids of the invitation that is there before a change, and of the next one."""
TOLD = {
    "friend asked": ("C", [("friend_invitation", OLD)]),
    "friend asked once more": ("C", [("friend_invitation_gone", OLD), ("friend_invitation", NEW)]),
    "friend asked back": ("A", [("friend_invitation_gone", OLD)]),
    "friend accepted": ("A", [("friend_invitation_gone", OLD)]),
    "friend accepted with whom there is a chat": ("A", [("friend_invitation_gone", OLD)]),
    "friend declined": ("A", [("friend_invitation_gone", OLD)]),
}
MADE = [(name, sender) for name in TOLD for sender, maker in MAKERS[name].items() if not isinstance(maker, Cannot)]


def news_of(packets):
    """The invitations that packets tell of."""
    return [
        (packet["action"], packet["data"].get("invitation_id") or packet["data"]["invitation"]["id"])
        for packet in packets
        if packet["action"].startswith("friend_invitation")
    ]


@pytest.mark.gen_test
@pytest.mark.parametrize(("name", "sender"), MADE)
async def test_invitations_are_told_to_those_who_asked(name, sender, world, people, no_presence):
    maker = MAKERS[name][sender]
    await prepare(world, PEOPLE[name], people)
    is_http = isinstance(maker, Http)
    await world.connect("A", None if is_http else sender)
    watchers = {letter: await world.another(letter, "actions") for letter in "ACX"}
    for watcher in watchers.values():
        await watcher.send({"action": "friend_invitations"})
        [answer] = await watcher.drain()
        assert answer["action"] == "friend_invitations"
    await (maker.make if is_http else maker)(world)
    await world.drain()
    receiver, told = TOLD[name]
    for letter, watcher in watchers.items():
        assert news_of(await watcher.drain()) == (told if letter == receiver else []), letter


def test_every_change_of_invitations_is_here():
    assert {name for name in PEOPLE if name.startswith(("friend asked", "friend accepted", "friend declined"))} == set(
        TOLD
    )
