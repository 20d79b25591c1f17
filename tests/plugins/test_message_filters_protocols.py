"""Rules hold whatever protocol a message comes by; each protocol refuses in its own shape."""

import pytest
from plugins.moderated import HOLD, MASK, MUTE, WORDS
from together.changes import PROTOCOLS
from together.makers import filled
from together.refusals import REFUSALS
from together.test_errors import SENDS
from together.world import World

REFUSED = {"actions": 400, "methods": "access_error", "modes": "423", "rooms": 403, "opcodes": "error"}


async def build(nova, port, people, protocol):
    """anna (the owner) and bert in a group; anna asks by that protocol, both listen by all of them."""
    world = World(nova, port)
    await world.populate(people)
    await world.group("A B")
    world.facts["token"] = world.tokens["A"]
    await world.connect("AB", protocol)  # in rooms, who has not entered the group hears nothing of it
    await world.drain()
    return world


def send_of(world, protocol, text):
    """The request that sends a text to the group."""

    def put(value):
        if isinstance(value, dict):
            return {key: put(each) for key, each in value.items() if key != "client_message_id"}
        return text if value == "x" else value

    return filled(world, put(SENDS[protocol]))


def refusals(protocol, packets):
    return [packet for packet in packets if REFUSALS[protocol].read(packet) is not None]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.gen_test(timeout=40)
async def test_a_rule_is_enforced_by_each_protocol_in_its_own_shape(nova, http_port, people, protocol):
    world = await build(nova, http_port, people, protocol)
    try:
        path = f"/chat/{world.facts['chat']}/rules"
        owner = world.persons["A"]
        for rule, word in ((WORDS, "refuse"), (MASK, "mask"), (HOLD, "hold"), (MUTE, "mute")):
            assert (await owner.post(path, {**rule, "words": [word], "reason": "Be nice"})).status == 200
        for text, part in (
            ("please refuse", "The message was refused: Be nice"),
            ("please hold", "waits for approval"),
        ):
            await world.asker.send(send_of(world, protocol, text))
            received = await world.drain()
            asker_key = next(key for key in received if world.clients[key] is world.asker)
            [refusal] = refusals(protocol, received.pop(asker_key))
            assert REFUSALS[protocol].read(refusal) == REFUSED[protocol]
            assert part in str(refusal)
            for (_, listening), packets in received.items():
                others = [packet for packet in packets if packet.get("action") != "message_held"]
                assert others == [], (listening, packets)
        await world.asker.send(send_of(world, protocol, "please mask this"))
        received = await world.drain()
        assert "please \\u2022\\u2022\\u2022\\u2022 this" in ascii(received["B", "actions"])
        assert not any("mask" in ascii(packets) for packets in received.values())
        for text, part in (
            ("please mute", "muted in this chat for 10 min"),
            ("hello", "muted in this chat for another"),
        ):
            await world.asker.send(send_of(world, protocol, text))
            received = await world.drain()
            asker_key = next(key for key in received if world.clients[key] is world.asker)
            [refusal] = refusals(protocol, received[asker_key])
            assert REFUSALS[protocol].read(refusal) == REFUSED[protocol] and part in str(refusal)
        [held] = (await owner.get(f"/chat/{world.facts['chat']}/held")).data
        assert (await owner.post(f"/chat/{world.facts['chat']}/held/{held['held_id']}")).status == 200
        received = await world.drain()
        assert all("please hold" in str(received["B", where]) for where in {"actions", protocol} - {"rooms"})
    finally:
        world.close()
