"""A send with a ``client_message_id`` can be repeated, in every protocol, and from one to another.

The repeat is answered on the connection that asked as the first send was; nobody else hears of it, nothing is stored.

Source: contract "actions" section 8 (for all protocols).
"""

import pytest
from together.changes import PROTOCOLS
from together.refusals import REFUSALS, refused_with

LETTERS = "AB"


def frame(protocol, world, kind, text="Hello", client_id="first", *, letter="A", key=None):
    """A send to the private chat of A and B (or their group) in each protocol's words."""
    chat, other = world.facts["chat"], world.facts["B" if letter == "A" else "A"]
    same = {"client_message_id": client_id}
    match protocol, kind:
        case "actions", _:
            return {"action": "send_message", "data": {"chat_id": chat, "content": text, **same}}
        case "methods", _:
            args = {"chat": chat, "text": text, "event_response_key": key, **same}
            return {"method": "send_message", "args": args}
        case "modes", _:
            to = {"mode": "sendMessage", "token": world.tokens[letter], "chat_id": chat}
            return {**to, "content": text, "content_type": "text", **same}
        case "rooms", "private":
            return {"chat_type": "room", "other_user_id": other, "message": text, **same}
        case "rooms", "group":
            return {"chat_type": "group", "chat_group_id": chat, "message": text, **same}
        case "opcodes", _:
            return {"op": 11, "t": 1 if kind == "private" else 2, "d": {"chat_id": chat, "message": text, **same}}
    raise AssertionError(protocol)


def id_of(protocol, packets):
    """The id of the message that an answer tells of."""
    [answer] = [packet for packet in packets if "read" not in str(packet.get("action"))]
    assert REFUSALS[protocol].read(answer) is None, answer
    match protocol:
        case "actions":
            assert answer["action"] == "new_message"
            return answer["data"]["message"]["message_id"]
        case "methods":
            assert answer["type"] == "message_created"
            return answer["data"]["message"]["id"]
        case "modes":
            return answer["message_id"]
        case "rooms":
            return answer["message_id"]
        case "opcodes":
            return answer["d"]["message_id"]


async def prepare(world, people, kind):
    await world.populate(people)
    if kind == "private":
        chat, _ = await world.nova.services.chats.open_private(await world.user("A"), world.facts["B"])
        world.facts["chat"] = chat.id
    else:
        await world.group("A B")
        await world.enter("B")
    await world.connect(LETTERS, None)


async def connect_askers(world):
    """A second connection of A by each protocol; those of ``world.clients`` are the others."""
    return {protocol: await world.another("A", protocol) for protocol in PROTOCOLS}


@pytest.fixture
def count(database):
    return lambda: database.messages.count_documents({})


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", ["private", "group"])
@pytest.mark.parametrize("first", PROTOCOLS)
async def test_repeat_gives_the_first_answer_again_to_the_one_who_asks(first, kind, world, people, no_presence, count):
    await prepare(world, people, kind)
    askers = await connect_askers(world)
    await askers[first].send(frame(first, world, kind, key="one"))
    message_id = id_of(first, await askers[first].drain())
    received = await world.drain()
    for letter in LETTERS:  # whatever it was sent by, actions names the sender's own id of it
        news = [packet for packet in received[letter, "actions"] if packet["action"] == "new_message"]
        assert [packet["data"]["client_message_id"] for packet in news] == ["first"]
    for asker in askers.values():
        await asker.drain()
    stored = count()
    for again in [first, *PROTOCOLS]:
        for key in ("one", "two"):
            await askers[again].send(frame(again, world, kind, key=key))
            answer = await askers[again].drain()
            assert id_of(again, answer) == message_id, (first, again)
            if again == "methods":
                assert answer[0]["data"]["event_response_key"] == key
        assert not any((await world.drain()).values()), (first, again)
        for protocol, asker in askers.items():
            assert await asker.drain() == [], (first, again, protocol)
    assert count() == stored


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_same_id_for_something_else_is_refused(protocol, world, people, no_presence, count):
    await prepare(world, people, "private")
    asker = await world.another("A", protocol)
    await asker.send(frame(protocol, world, "private"))
    await asker.drain()
    first_chat = world.facts["chat"]
    await world.group("A B")
    await world.drain()
    await asker.drain()
    stored = count()
    group = world.facts["chat"]
    for chat, kind, text in ((first_chat, "private", "Hello!"), (group, "group", "Hello")):
        world.facts["chat"] = chat
        await asker.send(frame(protocol, world, kind, text))
        assert refused_with(protocol, await asker.drain()) == REFUSALS[protocol].bad_field
    for bad in ("", "x" * 65, 1, True, [], {}, 1.5):
        world.facts["chat"] = first_chat
        await asker.send(frame(protocol, world, "private", client_id=bad))
        assert refused_with(protocol, await asker.drain()) == REFUSALS[protocol].bad_field, bad
    assert not any((await world.drain()).values())
    assert count() == stored


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_same_id_of_another_account_is_another_message(protocol, world, people, no_presence, count):
    await prepare(world, people, "private")
    ids = set()
    before = count()
    for letter in "AB":
        asker = await world.another(letter, protocol)
        await asker.send(frame(protocol, world, "private", letter=letter))
        ids.add(id_of(protocol, await asker.drain()))
    assert len(ids) == 2
    assert count() == before + 2


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_without_an_id_each_send_is_a_message(protocol, world, people, no_presence, count):
    await prepare(world, people, "private")
    asker = await world.another("A", protocol)
    before = count()
    ids = set()
    for _ in range(2):
        await asker.send(frame(protocol, world, "private", client_id=None))
        ids.add(id_of(protocol, await asker.drain()))
    assert len(ids) == 2 and count() == before + 2
