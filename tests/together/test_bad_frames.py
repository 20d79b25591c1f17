"""Bad frames × protocol: refused in the protocol's own shape, nothing stored, nobody told, and the socket lives on.

Source: contract "protocols" section 0.7.
"""

import json
from contextlib import suppress

import pytest
from together.changes import PROTOCOLS
from together.makers import filled
from together.refusals import REFUSALS, refused_with
from together.requests_of_fields import GOOD, UNKNOWN, USERS, bad_values
from tornado.websocket import WebSocketClosedError

NESTING_MAX_LEVELS = 64
LARGE_BYTES = 17 * 1024 * 1024
MALFORMED = {
    "nothing": "",
    "blanks": "  ",
    "half an object": '{"action": "ping"',
    "null": "null",
    "a list": "[]",
    "a list of objects": '[{"op": 11}]',
    "a text": '"ping"',
    "a number": "1",
    "NaN": '{"x": NaN}',
    "Infinity": '{"x": Infinity}',
    "-Infinity": '{"op": 11, "t": -Infinity}',
    "behind it something": '{"x": 1} {}',
    "single quotes": "{'x': 1}",
    "a comma too much": '{"x": 1,}',
    "deep lists": '{"x": ' + "[" * NESTING_MAX_LEVELS + "]" * NESTING_MAX_LEVELS + "}",
    "deep objects": '{"x":' * (NESTING_MAX_LEVELS + 1) + "1" + "}" * (NESTING_MAX_LEVELS + 1),
    "very deep": "[" * 100_000,
    "binary": b'{"action": "ping", "mode": "checkConnection"}',
    "binary zeros": b"\0\0\0\0",
}
NO_REQUESTS = {
    "actions": [{}, {"action": None}, {"action": 1}, {"action": "no such"}, {"action": ["ping"]}],
    "methods": [{}, {"method": None}, {"method": 1}, {"method": "no such"}, {"method": ["auth"]}, {"method": {}}],
    "modes": [{}, {"mode": None}, {"mode": 1}, {"mode": "\ud800"}, {"mode": ["auth"]}, {"mode": {}}],
    "rooms": [{"chat_type": 1}, {"chat_type": "no such"}, {"chat_type": ["room"]}, {"chat_type": "\ud800"}],
    "opcodes": [{}, {"op": 11}, {"t": 1}, {"op": "11", "t": 1}, {"op": True, "t": 1}, {"op": 11.0, "t": 1}],
}
NO_FIELDS = {
    "actions": [{"action": "send_message", "data": bad} for bad in (None, [], "x", 1, True)],
    "methods": [{"method": "send_message", "args": bad} for bad in ([], "x", 1, True)],
    "modes": [{"mode": "sendMessage", "token": "{token}"}],
    "rooms": [{"chat_type": "room"}, {"chat_type": "group"}],
    "opcodes": [{"op": 11, "t": 1, "d": bad} for bad in (None, [], "x", 1, True)],
}
BAD_TOKENS = (1, True, "", "no token", "\0", "\ud800", [], {}, "x" * 10**6, 1.5)


async def prepare(world, people):
    """A with a group and a private chat; B watches."""
    await world.populate(people)
    chats = world.nova.services.chats
    world.facts["private"] = world.facts["chat"] = (await chats.open_private(await world.user("A"), world.facts["B"]))[
        0
    ].id
    await world.group("A B")
    await world.enter("B")
    await world.say("A")
    await world.ask_for_friendship("C", "A")
    world.facts["token"] = world.tokens["A"]
    await world.settle()
    await world.connect("B", None)


async def finish(world, asker, stored, before):
    """Nothing was stored, nobody told; the socket is alive."""
    assert not any((await world.drain()).values())
    assert stored() == before
    assert await asker.drain() == []


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_frames_that_cannot_be_read(protocol, world, people, no_presence, stored):
    await prepare(world, people)
    asker = await world.another("A", protocol)
    before = stored()
    wrong = []
    for name, message in MALFORMED.items():
        await asker.send(message)
        packets = await asker.drain()
        if refused_with(protocol, packets) != REFUSALS[protocol].malformed:
            wrong.append(f"{name}: {packets}")
        elif protocol == "modes" and packets[0]["mode"] is not None:
            wrong.append(f"{name}: mode is not null: {packets}")
        elif protocol == "opcodes" and (packets[0]["op"], packets[0]["t"]) != (0, 0):
            wrong.append(f"{name}: not 0/0: {packets}")
    assert not wrong, "\n".join(wrong)
    await finish(world, asker, stored, before)


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_frames_that_ask_for_nothing(protocol, world, people, no_presence, stored):
    await prepare(world, people)
    asker = await world.another("A", protocol)
    before = stored()
    wrong = []
    for frame in (*NO_REQUESTS[protocol], *NO_FIELDS[protocol]):
        await asker.send(filled(world, frame))
        packets = await asker.drain()
        codes = {REFUSALS[protocol].malformed, REFUSALS[protocol].bad_field}
        if not isinstance(code := refused_with(protocol, packets), int | str) or code not in codes:
            wrong.append(f"{frame}: {packets}")
    assert not wrong, "\n".join(wrong)
    await finish(world, asker, stored, before)


def spoiled(good, field, value):
    """A good request with a bad value in one field."""
    frame = json.loads(json.dumps(good.frame))
    inner = next((frame[key] for key in ("data", "args", "d") if key in frame), frame)
    inner[field] = value
    return frame


@pytest.mark.gen_test(timeout=50)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_bad_values_of_every_field(protocol, world, people, no_presence, stored):
    await prepare(world, people)
    asker = await world.another("A", protocol)
    before = stored()
    wrong = []
    for good in GOOD[protocol]:
        for field, kind in good.kinds.items():
            for value, is_unknown in bad_values(kind):
                bad = filled(world, spoiled(good, field, value))
                plain = kind.rstrip("?")
                expected = REFUSALS[protocol].bad_field
                if is_unknown:
                    expected = UNKNOWN[protocol]["user" if plain == USERS else plain]
                code = await code_of(world, protocol, good, bad, asker)
                if code != expected:
                    wrong.append(f"{good.http or json.dumps(good.frame)} with {field} {value!r:.80} gave {code!r:.200}")
    assert not wrong, "\n".join(wrong)
    await finish(world, asker, stored, before)


async def code_of(world, protocol, good, bad, asker):
    """How a request is refused."""
    if good.http:
        method, path = good.http.format(**world.facts).split(" ", 1)
        headers = {"authentication": world.tokens["A"]}
        answer = await world.persons["A"].request(method, path, bad, headers=headers, with_cookie=False)
        assert answer.status == 200 or answer.json["status"] is False
        return answer.status
    await asker.send(bad)
    return refused_with(protocol, await asker.drain())


@pytest.mark.gen_test
async def test_bad_ids_in_paths(world, people, no_presence, stored):
    await prepare(world, people)
    before = stored()
    headers = {"authentication": world.tokens["A"]}
    paths = ("GET /http/chat_rooms", "GET /http/chat_groups", "GET /http/users/group", "POST /http/chat_groups")
    for value in ("0", "-1", "1.0", "true", "null", "01", "1e3", str(10**30), str(2**63), "%00", "%F0%28", "x" * 1000):
        for path in paths:
            method, path = path.split(" ")
            answer = await world.persons["A"].request(
                method, f"{path}/{value}", {"is_enter": True}, headers=headers, with_cookie=False
            )
            assert answer.status == 404, (path, value, answer.body)
            assert answer.json["status"] is False
    assert stored() == before


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", ["methods", "modes", "rooms"])
async def test_bad_tokens_in_frames(protocol, world, people, no_presence, stored):
    await prepare(world, people)
    asker = await world.another("A", protocol)
    before = stored()
    chat = world.facts["chat"]
    for token in BAD_TOKENS:
        frame = {
            "methods": {"method": "send_message", "access_token": token, "args": {"chat": chat, "text": "x"}},
            "modes": {"mode": "sendMessage", "token": token, "chat_id": chat, "content": "x", "content_type": "text"},
            "rooms": {"chat_type": "group", "token": token, "chat_group_id": chat, "message": "x"},
        }[protocol]
        await asker.send(frame)
        assert refused_with(protocol, await asker.drain()) == REFUSALS[protocol].not_signed_in, repr(token)[:80]
    await finish(world, asker, stored, before)


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_frame_beyond_16_mib_is_closed_with_1009_or_answered(protocol, world, people, no_presence, stored):
    await prepare(world, people)
    asker = await world.another("A", protocol)
    before = stored()
    with suppress(WebSocketClosedError):  # the answer comes while the frame is still under way
        await asker.send(json.dumps({"x": "y" * LARGE_BYTES}))
    packet = await asker.receive()
    if packet is None:
        assert asker.connection.close_code == 1009, asker.connection.close_code
    else:
        assert REFUSALS[protocol].read(packet) is not None
    assert not any((await world.drain()).values())
    assert stored() == before


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_frame_of_almost_16_mib_is_answered(protocol, world, people, no_presence, stored):
    await prepare(world, people)
    asker = await world.another("A", protocol)
    before = stored()
    await asker.send(json.dumps({"x": "y" * (16 * 1024 * 1024 - 10)}))
    packets = await asker.drain()
    code = refused_with(protocol, packets)
    assert isinstance(code, int | str), packets
    await finish(world, asker, stored, before)


def test_good_requests_of_all_protocols_are_listed():
    assert set(GOOD) == set(PROTOCOLS) == set(NO_REQUESTS) == set(NO_FIELDS) == set(UNKNOWN)
