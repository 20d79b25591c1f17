"""The opcodes protocol: messages (operation 11).

Source: opcodes document, Message; contract "protocols" sections 0.6, 0.10, 4.2, 4.3.
"""

from types import SimpleNamespace

import pytest
from clients.opcodes import OpcodesClient


@pytest.fixture
def room(people, io_loop):
    """Alice and Bob with a private chat, and with Carol in a group of Alice's; Dave is in none of them."""

    async def make():
        alice, bob, carol, dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
        a, b, c, d = [await OpcodesClient.of(person) for person in (alice, bob, carol, dave)]
        private = (await a.call(13, 1, user_ids=[bob.id], type=1))["chat_id"]
        group = (await a.call(13, 1, user_ids=[bob.id, carol.id], type=2))["chat_id"]
        for client in (b, c):
            await client.drain()
        return SimpleNamespace(
            alice=alice, bob=bob, carol=carol, dave=dave, a=a, b=b, c=c, d=d, private=private, group=group
        )

    return io_loop.run_sync(make)


async def nobody_hears_anything(room):
    for client in (room.a, room.b, room.c, room.d):
        await client.expect_nothing()


@pytest.mark.gen_test
async def test_private_message_is_told_to_the_other_one_alone(room):
    other_a = await OpcodesClient.of(room.alice)
    other_b = await OpcodesClient.of(room.bob)
    answer = await room.a.call(11, 1, chat_id=room.private, message="Hello")
    assert answer.keys() == {"chat_id", "message_id"} and answer["chat_id"] == room.private
    for client in (room.b, other_b):
        await client.expect(12, 1, **answer, sender_id=room.alice.id, message="Hello")
    back = await other_b.call(11, 1, chat_id=room.private, message="Hi")
    assert back["message_id"] > answer["message_id"]
    for client in (room.a, other_a):
        await client.expect(12, 1, **back, sender_id=room.bob.id, message="Hi")
    await nobody_hears_anything(room)
    await other_a.expect_nothing()
    await other_b.expect_nothing()


@pytest.mark.gen_test
async def test_group_message_is_told_to_the_other_members(room):
    answer = await room.b.call(11, 2, chat_id=room.group, message=" \n x\u2028 🙂 ")
    assert answer.keys() == {"chat_id", "message_id"} and answer["chat_id"] == room.group
    for client in (room.a, room.c):
        await client.expect(12, 2, **answer, sender_id=room.bob.id, message=" \n x\u2028 🙂 ")
    await nobody_hears_anything(room)


@pytest.mark.gen_test
async def test_t_must_fit_the_kind_of_chat(room):
    await room.a.refused(11, 1, chat_id=room.group, message="x")
    await room.a.refused(11, 2, chat_id=room.private, message="x")
    await nobody_hears_anything(room)


@pytest.mark.gen_test
async def test_chats_of_others_look_like_unknown_ones(room):
    message = (await room.a.call(11, 1, chat_id=room.private, message="x"))["message_id"]
    in_group = (await room.a.call(11, 2, chat_id=room.group, message="x"))["message_id"]
    await room.b.drain()
    await room.c.drain()
    for t, d in (
        (1, {"chat_id": room.private, "message": "x"}),
        (2, {"chat_id": room.group, "message": "x"}),
        (1, {"chat_id": room.group, "message": "x"}),
        (6, {"chat_id": room.private, "message_id": message, "message": "y"}),
        (6, {"chat_id": room.group, "message_id": in_group, "message": "y"}),
        (7, {"chat_id": room.private, "message_id": message}),
        (7, {"chat_id": room.group, "message_id": in_group}),
    ):
        assert await room.d.refused(11, t, **d) == await room.d.refused(11, t, **{**d, "chat_id": 10**6})
    await nobody_hears_anything(room)


@pytest.mark.gen_test
async def test_length_of_a_text_is_counted_in_characters(room):
    longest = "🙂" * 20_000
    answer = await room.a.call(11, 1, chat_id=room.private, message=longest)
    await room.b.expect(12, 1, **answer, sender_id=room.alice.id, message=longest)
    await room.a.refused(11, 1, chat_id=room.private, message=longest + "x")
    await room.a.refused(11, 6, **answer, message=longest + "x")
    await nobody_hears_anything(room)


@pytest.mark.gen_test
async def test_repeat_is_answered_as_the_first_time_and_nobody_else_hears_of_it(room):
    other = await OpcodesClient.of(room.alice)
    first = await room.a.call(11, 1, chat_id=room.private, message="x", client_message_id="1")
    await room.b.expect(12, 1, **first, sender_id=room.alice.id, message="x")
    assert await room.a.call(11, 1, chat_id=room.private, message="x", client_message_id="1") == first
    assert await other.call(11, 1, chat_id=room.private, message="x", client_message_id="1") == first
    await room.a.refused(11, 1, chat_id=room.private, message="y", client_message_id="1")
    await room.a.refused(11, 2, chat_id=room.group, message="x", client_message_id="1")
    await nobody_hears_anything(room)
    # It is the sender's own: another one's is another.
    mine = await room.b.call(11, 1, chat_id=room.private, message="x", client_message_id="1")
    assert mine["message_id"] > first["message_id"]


@pytest.mark.gen_test
async def test_author_edits_and_deletes(room):
    other = await OpcodesClient.of(room.alice)
    ids = await room.a.call(11, 2, chat_id=room.group, message="first")
    for client in (room.b, room.c):
        await client.drain()
    assert await room.a.call(11, 6, **ids, message="second") == ids
    for client in (room.b, room.c):
        await client.expect(12, 6, **ids, message="second")
    assert await other.call(11, 7, **ids) == ids
    for client in (room.b, room.c):
        await client.expect(12, 7, **ids)
    for client in (room.a, other):
        await client.refused(11, 7, **ids)
        await client.refused(11, 6, **ids, message="third")
    await nobody_hears_anything(room)
    await other.expect_nothing()


@pytest.mark.gen_test
async def test_others_messages_and_messages_of_another_chat_are_refused(room):
    private = (await room.a.call(11, 1, chat_id=room.private, message="x"))["message_id"]
    group = (await room.a.call(11, 2, chat_id=room.group, message="x"))["message_id"]
    for client in (room.b, room.c):
        await client.drain()
    await room.b.refused(11, 6, chat_id=room.private, message_id=private, message="y")
    await room.b.refused(11, 7, chat_id=room.private, message_id=private)
    for chat, message in ((room.group, private), (room.private, group), (room.group, group + 1)):
        await room.a.refused(11, 6, chat_id=chat, message_id=message, message="y")
        await room.a.refused(11, 7, chat_id=chat, message_id=message)
    renamed = (await room.a.call(13, 2, chat_id=room.group, chat="R"))["chat_id"]
    for client in (room.b, room.c):
        await client.drain()
    await room.a.refused(11, 6, chat_id=renamed, message_id=group + 1, message="y")  # the entry of the new name
    await nobody_hears_anything(room)


@pytest.mark.gen_test
async def test_messages_of_other_protocols_arrive_and_those_from_here_arrive_there(room):
    native = await room.bob.socket()
    await native.send("send_message", {"chat_id": room.private, "content": "native"})
    shown = (await native.expect("new_message", "messages_read"))[0]["message"]
    await room.a.expect(
        12, 1, chat_id=room.private, message_id=shown["message_id"], sender_id=room.bob.id, message="native"
    )
    ids = await room.a.call(11, 1, chat_id=room.private, message="opcodes")
    sent, _ = await native.expect("new_message", "messages_read")
    assert (sent["message"]["message_id"], sent["message"]["message"]) == (ids["message_id"], "opcodes")
    await room.b.expect(12, 1, **ids, sender_id=room.alice.id, message="opcodes")
    await room.a.call(11, 6, **ids, message="edited")
    assert (await native.expect("message_edited"))[0]["message"]["message"] == "edited"
    await room.a.call(11, 7, **ids)
    assert (await native.expect("message_recalled"))[0] == {"message_id": ids["message_id"]}
    await native.send("recall_message", {"message_id": shown["message_id"]})
    await room.a.expect(12, 7, chat_id=room.private, message_id=shown["message_id"])


@pytest.mark.gen_test
async def test_system_messages_are_told_to_every_member(room):
    chat = await room.carol.befriend(room.dave)
    for client in (room.c, room.d):
        packets = await client.drain()
        message = packets[-1]
        assert (message["op"], message["t"], message["d"]["chat_id"]) == (12, 1, chat)
        assert message["d"]["message"] == "dave added carol as a friend"
        assert message["d"]["sender_id"] not in (room.carol.id, room.dave.id)
    await nobody_hears_anything(room)


@pytest.mark.gen_test
async def test_removed_member_hears_nothing_more_and_can_do_nothing(room):
    mine = await room.c.call(11, 2, chat_id=room.group, message="mine")
    await room.a.drain()
    for number in range(50):
        await room.b.send({"op": 11, "t": 2, "d": {"chat_id": room.group, "message": str(number)}})
    await room.a.send({"op": 13, "t": 2, "d": {"chat_id": room.group, "remove_users": [room.carol.id]}})
    for number in range(50):
        await room.b.send({"op": 11, "t": 2, "d": {"chat_id": room.group, "message": str(number)}})
    while (packet := await room.c.receive())["op"] != 14:
        assert packet["op"] == 12
    assert packet["d"]["users"] == [room.alice.id, room.bob.id]
    assert {packet["op"] for packet in await room.b.drain()} == {12, 14}
    await room.c.refused(11, 2, chat_id=room.group, message="x")
    await room.c.refused(11, 6, **mine, message="x")
    await room.c.refused(11, 7, **mine)
    await room.c.expect_nothing()
