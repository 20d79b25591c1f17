"""All connections of all protocols see the messages of a chat in one order, with the same ids and texts.

Source: contract "protocols" sections 0.2 and 0.6.
"""

import asyncio

import pytest
from together.changes import LETTERS, PROTOCOLS
from together.test_repeats import frame

SENDERS = {"actions": "A", "methods": "B", "modes": "C", "rooms": "X", "opcodes": "A"}
MESSAGES_PER_SENDER = 20


def told(protocol, packet):
    """Id and text of the message that a packet tells of; None if it tells of something else."""
    match protocol:
        case "actions":
            message = packet["data"].get("message")
            return (message["message_id"], message["message"]) if message else None
        case "methods":
            message = packet["data"].get("message")
            return (message["id"], message["text"]) if message else None
        case "modes":
            message = packet.get("message")
            return (message["message_id"], message["content"]) if message else None
        case "rooms":
            return packet["message_id"], packet["message"]
        case _:
            d = packet["d"]
            return d["message_id"], d["message"]


@pytest.mark.gen_test
async def test_messages_sent_at_once_by_all_protocols_come_in_one_order(world, people, no_presence, database):
    await world.populate(people)
    await world.group("A B C X")
    for letter in LETTERS:
        await world.enter(letter)
    await world.connect(LETTERS, None)
    await world.drain()
    askers = {protocol: await world.another(letter, protocol) for protocol, letter in SENDERS.items()}

    async def send_all(protocol, letter):
        for number in range(MESSAGES_PER_SENDER):
            text = f"{protocol} {number}"
            await askers[protocol].send(frame(protocol, world, "group", text, f"{protocol}-{number}", letter=letter))
        await askers[protocol].drain()

    await asyncio.gather(*(send_all(protocol, letter) for protocol, letter in SENDERS.items()))
    received = await world.drain()
    stored = [
        (message["_id"], message["text"])
        for message in database.messages.find({"text": {"$regex": "^[a-z]+ [0-9]+$"}}).sort("_id")
    ]
    assert len(stored) == MESSAGES_PER_SENDER * len(PROTOCOLS)
    for (letter, protocol), packets in received.items():
        seen = [message for packet in packets if (message := told(protocol, packet))]
        own = {sender for sender, who in SENDERS.items() if who == letter} if protocol == "opcodes" else set()
        assert seen == [(i, text) for i, text in stored if text.split()[0] not in own], (letter, protocol)
    for protocol in PROTOCOLS:
        own = [text for _, text in stored if text.split()[0] == protocol]
        assert own == [f"{protocol} {number}" for number in range(MESSAGES_PER_SENDER)]
