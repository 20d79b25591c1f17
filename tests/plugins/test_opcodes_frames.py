"""The opcodes protocol: frames and refusals.

Source: opcodes document, Body; contract "protocols" sections 0.2, 0.7, 4.2.
"""

import json
from contextlib import suppress

import pytest
from clients.opcodes import OpcodesClient
from nova_opcodes.packets import REFUSAL
from tornado.websocket import WebSocketClosedError

from nova_tornado.domain.errors import ErrorCode

UNKNOWN_IDS = (0, -1, 2**53 + 1, 10**30)
NO_INTEGERS = (True, False, 1.0, 1.5, "1", "", None, [], [1], {}, {"$ne": None})
OPERATIONS = ((11, 1), (11, 2), (11, 6), (11, 7), (13, 1), (13, 2), (16, 1), (16, 2))


@pytest.mark.gen_test
async def test_what_cannot_be_read_is_answered_with_zeros(people):
    client = await OpcodesClient.of(await people("alice"))
    nested = 62  # and the frame itself, and d
    for frame in (
        "",
        "x",
        "[]",
        "1",
        "null",
        '"op"',
        '{"op":11,"t":1,"d":{}',
        '{"op":11,"t":1,"d":NaN}',
        '{"op":11,"t":1,"d":{"x":Infinity}}',
        '{"op":11,"t":1,"d":{"x":-Infinity}}',
        '{"op":11,"t":1,"d":' + "[" * 64 + "]" * 64 + "}",
        '{"op":11,"t":1,"d":' + "[" * 200_000 + "]" * 200_000 + "}",
        '{"op":' + "1" * 5_000 + ',"t":1}',
        b'{"op":11,"t":1}',
        b"",
        b"\x00\xff",
        {},
        {"op": 11},
        {"t": 1},
        {"op": 12, "t": 1},
        {"op": 0, "t": 0},
        {"op": 1, "t": 1},
        {"op": 2, "t": 1},
        {"op": 14, "t": 3},
        {"op": -11, "t": 1},
        {"op": 10**30, "t": 1},
        *({"op": value, "t": 1} for value in NO_INTEGERS),
        *({"op": 11, "t": value} for value in NO_INTEGERS),
        *({"op": 17, "t": value} for value in NO_INTEGERS),
        {"op": 11.0, "t": 1},
        {"op": "\ud800", "t": 1},
        {"OP": 11, "T": 1},
    ):
        await client.refused_frame(frame)
    deep = '{"op":11,"t":1,"d":{"chat_id":1,"message":"x","more":' + "[" * nested + "]" * nested + "}}"
    assert await client.refused_frame(deep, 12, 1) == "Chat not found"  # 64 levels are read


@pytest.mark.gen_test
async def test_unknown_t_is_answered_with_that_t(people):
    client = await OpcodesClient.of(await people("alice"))
    for op, known in ((11, (1, 2, 6, 7)), (13, (1, 2)), (16, (1, 2))):
        for t in (0, -1, 3, 5, 8, 2**53 + 1, 2**64, 10**30):
            if t not in known:
                await client.refused_frame({"op": op, "t": t, "d": {}}, op + 1, t)
                await client.refused_frame({"op": op, "t": t, "d": []}, op + 1, t)


@pytest.mark.gen_test
async def test_d_must_be_an_object_and_may_be_missing(people):
    client = await OpcodesClient.of(await people("alice"))
    for op, t in OPERATIONS:
        for d in (None, [], [{}], "", "{}", 0, 1, True, 1.5):
            message = await client.refused_frame({"op": op, "t": t, "d": d}, op + 1, t)
            assert message == "d must be a JSON object"
        message = await client.refused_frame({"op": op, "t": t}, op + 1, t)
        assert message == await client.refused(op, t)
        assert "is missing" in message


@pytest.mark.gen_test
async def test_fields_of_wrong_types_and_ids_that_name_nothing_are_refused(people, database):
    alice, bob = await people("alice"), await people("bob")
    client, other = await OpcodesClient.of(alice), await OpcodesClient.of(bob)
    private = (await client.call(13, 1, user_ids=[bob.id], type=1))["chat_id"]
    group = (await client.call(13, 1, user_ids=[bob.id], type=2))["chat_id"]
    message = (await client.call(11, 2, chat_id=group, message="kept"))["message_id"]
    await other.drain()
    before = {name: list(database[name].find()) for name in ("chats", "memberships", "messages", "friend_invitations")}
    good = {
        (11, 1): {"chat_id": private, "message": "x"},
        (11, 2): {"chat_id": group, "message": "x"},
        (11, 6): {"chat_id": group, "message_id": message, "message": "x"},
        (11, 7): {"chat_id": group, "message_id": message},
        (13, 1): {"user_ids": [bob.id], "type": 2},
        (13, 2): {"chat_id": group, "remove_users": [bob.id]},
        (16, 1): {"user_id": bob.id},
        (16, 2): {"user_id": bob.id, "type": 1},
    }
    texts = (1, True, None, [], {}, 1.5, "", "\0", "a\0b", "\ud800", "a\udfffb", {"$ne": None})
    bad = {
        "chat_id": (*UNKNOWN_IDS, *NO_INTEGERS, str(group)),
        "message_id": (*UNKNOWN_IDS, *NO_INTEGERS, str(message), message + 1),
        "user_id": (*UNKNOWN_IDS, *NO_INTEGERS, str(bob.id), 1, 2),
        "message": (*texts, "x" * 20_001, "x" * 1_000_000),
        "type": (*UNKNOWN_IDS, *NO_INTEGERS, 3),
        "user_ids": ([], [None], [alice.id], *([bob.id, bad] for bad in (*UNKNOWN_IDS, *NO_INTEGERS, 1)), *NO_INTEGERS),
        "remove_users": (
            *([bob.id, bad] for bad in (*UNKNOWN_IDS, *NO_INTEGERS, 1)),
            *(value for value in NO_INTEGERS if value is not None),
        ),
        "client_message_id": (1, True, "", "x" * 65, "\0", "\ud800", [], {}),
        "chat": (1, True, "", "x" * 61, "\0", "\ud800", [], {}),
        "add_users": (
            *([bad] for bad in (*UNKNOWN_IDS, *NO_INTEGERS, 1)),
            [bob.id],
            *(v for v in NO_INTEGERS if v is not None),
        ),
    }
    optional = {(11, 1): ["client_message_id"], (11, 2): ["client_message_id"], (13, 2): ["chat", "add_users"]}
    for (op, t), fields in good.items():
        for key in (*fields, *optional.get((op, t), ())):
            for value in bad[key]:
                if (key == "add_users" and value in ([], [bob.id])) or (key == "remove_users" and value == []):
                    continue
                await client.refused(op, t, **{**fields, key: value})
            if key in fields and key != "remove_users":
                await client.refused(op, t, **{name: value for name, value in fields.items() if name != key})
    assert before == {name: list(database[name].find()) for name in before}
    await other.expect_nothing()
    await client.expect_nothing()


@pytest.mark.gen_test
async def test_unknown_fields_are_ignored(people):
    alice, bob = await people("alice"), await people("bob")
    client = await OpcodesClient.of(alice)
    frame = {"op": 13, "t": 1, "d": {"user_ids": [bob.id], "type": 1, "x": {"y": "\0"}}, "op2": 1, "id": "\ud800"}
    assert (await client.request(frame))["d"]["status"] == "success"


@pytest.mark.gen_test
async def test_frames_up_to_16_mib_are_answered_and_above_that_closed(people):
    client = await OpcodesClient.of(await people("alice"))
    head, tail = '{"op":11,"t":1,"d":{"chat_id":1,"message":"', '"}}'
    await client.refused_frame(head + "x" * (2**24 - len(head + tail)) + tail, 12, 1)
    numbers = json.dumps({"op": 13, "t": 1, "d": {"type": 2, "user_ids": list(range(10**9, 10**9 + 1_000_000))}})
    assert await client.refused_frame(numbers, 14, 1) == "Field user_ids cannot name more than 10000"
    with suppress(WebSocketClosedError):
        await client.send(head + "x" * 2**24 + tail)
    await client.expect_close(1009)


@pytest.mark.gen_test
async def test_requests_are_answered_in_their_order(people):
    alice, bob = await people("alice"), await people("bob")
    client, other = await OpcodesClient.of(alice), await OpcodesClient.of(bob)
    chat = (await client.call(13, 1, user_ids=[bob.id], type=2))["chat_id"]
    await other.drain()
    for number in range(40):
        await client.send({"op": 11, "t": 2, "d": {"chat_id": chat, "message": str(number)}})
        await client.send({"op": 11, "t": 1000 + number})
        await client.send({"op": 13, "t": 2, "d": {"chat_id": chat, "chat": str(number)}})
    for number in range(40):
        answers = [await client.receive() for _ in range(3)]
        assert [(answer["op"], answer["t"]) for answer in answers] == [(12, 2), (12, 1000 + number), (14, 2)]
        assert answers[2]["d"] == {
            "status": "success",
            "chat_id": chat,
            "chat": str(number),
            "users": [alice.id, bob.id],
        }
    seen = await other.drain()
    assert [packet["d"].get("message") or packet["d"]["chat"] for packet in seen] == [
        text for number in range(40) for text in (str(number), str(number))
    ]


@pytest.mark.gen_test
@pytest.mark.expects_log("internal error")
async def test_internal_failure_is_a_refusal_without_insides(people, nova, monkeypatch):
    alice = await people("alice")
    client = await OpcodesClient.of(alice)

    async def fail(*_args, **_kwargs):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(nova.services.friends, "invite", fail)
    message = await client.refused(16, 1, user_id=1)
    assert message.startswith("Internal error ") and "secret" not in message
    await client.expect_nothing()


def test_every_error_has_a_message():
    assert REFUSAL.keys() == set(ErrorCode)
