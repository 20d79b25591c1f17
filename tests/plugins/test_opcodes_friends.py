"""The opcodes protocol: friends (operation 16).

Source: opcodes document, Friend; contract "protocols" sections 0.10, 4.3.
"""

from types import SimpleNamespace

import pytest
from clients.opcodes import OpcodesClient


@pytest.fixture
def pair(people, io_loop):
    """Alice and Bob, each with two connections, and Carol."""

    async def make():
        alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
        a, a2, b, b2 = [await OpcodesClient.of(person) for person in (alice, alice, bob, bob)]
        c = await OpcodesClient.of(carol)
        return SimpleNamespace(alice=alice, bob=bob, carol=carol, a=a, a2=a2, b=b, b2=b2, c=c)

    return io_loop.run_sync(make)


async def nobody_hears_anything(pair):
    for client in (pair.a, pair.a2, pair.b, pair.b2, pair.c):
        await client.expect_nothing()


async def hear_of_new_chat(*clients):
    """What a friendship brings: the private chat and its first message."""
    for client in clients:
        created, message = await client.receive(), await client.receive()
        assert (created["op"], created["t"]) == (14, 1) and created["d"].keys() == {"chat_id"}, created
        assert (message["op"], message["t"], message["d"]["chat_id"]) == (12, 1, created["d"]["chat_id"])


@pytest.mark.gen_test
async def test_request_is_told_to_the_one_asked_and_once_only(pair):
    for client in (pair.a, pair.a, pair.a2):
        assert await client.call(16, 1, user_id=pair.bob.id) == {"user_id": pair.bob.id}
    for client in (pair.b, pair.b2):
        await client.expect(17, 1, user_id=pair.alice.id)
    await nobody_hears_anything(pair)
    (invitation,) = (await pair.bob.get("/friend/invitation")).data
    assert (invitation["sender"]["id"], invitation["comment"], invitation["source"]) == (pair.alice.id, "", "search")


@pytest.mark.gen_test
async def test_accepted_request_is_told_to_the_asker_and_both_get_the_chat(pair):
    await pair.a.call(16, 1, user_id=pair.bob.id)
    for client in (pair.b, pair.b2):
        await client.expect(17, 1, user_id=pair.alice.id)
    await pair.b.send({"op": 16, "t": 2, "d": {"user_id": pair.alice.id, "type": 1}})
    for client in (pair.a, pair.a2):
        await client.expect(17, 2, user_id=pair.bob.id, type=1)
    await hear_of_new_chat(pair.a, pair.a2, pair.b, pair.b2)
    await pair.b.expect(17, 2, status="success", user_id=pair.alice.id, type=1)
    await nobody_hears_anything(pair)
    assert (await OpcodesClient.of(pair.alice)).lists["friend_ids"] == [pair.bob.id]
    assert (await OpcodesClient.of(pair.bob)).lists["friend_ids"] == [pair.alice.id]
    for client, other in ((pair.a, pair.bob), (pair.b, pair.alice)):
        await client.refused(16, 1, user_id=other.id)
        await client.refused(16, 2, user_id=other.id, type=1)
        await client.refused(16, 2, user_id=other.id, type=2)
    await nobody_hears_anything(pair)


@pytest.mark.gen_test
async def test_denied_request_is_told_to_the_asker_and_may_be_made_anew(pair):
    for _ in range(2):
        await pair.a.call(16, 1, user_id=pair.bob.id)
        for client in (pair.b, pair.b2):
            await client.expect(17, 1, user_id=pair.alice.id)
        answer = await pair.b2.call(16, 2, user_id=pair.alice.id, type=2)
        assert answer == {"user_id": pair.alice.id, "type": 2}
        for client in (pair.a, pair.a2):
            await client.expect(17, 2, user_id=pair.bob.id, type=2)
        await pair.b.refused(16, 2, user_id=pair.alice.id, type=2)
        await pair.b.refused(16, 2, user_id=pair.alice.id, type=1)
    await nobody_hears_anything(pair)
    assert (await pair.bob.get("/friend/invitation")).data == []


@pytest.mark.gen_test
async def test_request_that_meets_a_request_makes_friends(pair):
    await pair.a.call(16, 1, user_id=pair.bob.id)
    for client in (pair.b, pair.b2):
        await client.expect(17, 1, user_id=pair.alice.id)
    await pair.b.send({"op": 16, "t": 1, "d": {"user_id": pair.alice.id}})
    for client in (pair.a, pair.a2):
        await client.expect(17, 2, user_id=pair.bob.id, type=1)
    await hear_of_new_chat(pair.a, pair.a2, pair.b, pair.b2)
    await pair.b.expect(17, 1, status="success", user_id=pair.alice.id)
    await nobody_hears_anything(pair)


@pytest.mark.gen_test
async def test_friendship_does_not_make_a_second_private_chat(pair):
    chat = await pair.a.call(13, 1, user_ids=[pair.bob.id], type=1)
    await pair.a.call(16, 1, user_id=pair.bob.id)
    await pair.b.drain()
    await pair.b.send({"op": 16, "t": 2, "d": {"user_id": pair.alice.id, "type": 1}})
    packets = await pair.b.drain()
    assert [(packet["op"], packet["t"]) for packet in packets] == [(12, 1), (17, 2)]
    assert (await OpcodesClient.of(pair.alice)).lists == {"chat_ids": [chat["chat_id"]], "friend_ids": [pair.bob.id]}


@pytest.mark.gen_test
async def test_what_cannot_be_asked_or_answered_is_refused(pair):
    await pair.a.call(16, 1, user_id=pair.bob.id)
    for client in (pair.b, pair.b2):
        await client.expect(17, 1, user_id=pair.alice.id)
    for user_id in (pair.alice.id, 1, 2, 0, -1, 10**6, 2**53 + 1, 10**30):
        await pair.a.refused(16, 1, user_id=user_id)
        await pair.a.refused(16, 2, user_id=user_id, type=1)
    for answer in (0, 3, -1, "1", True, 1.0, None, [1]):
        await pair.b.refused(16, 2, user_id=pair.alice.id, type=answer)
    for client, asker in ((pair.a, pair.bob), (pair.c, pair.alice), (pair.b, pair.carol)):
        for answer in (1, 2):
            await client.refused(16, 2, user_id=asker.id, type=answer)
    await nobody_hears_anything(pair)
    assert len((await pair.bob.get("/friend/invitation")).data) == 1


@pytest.mark.gen_test
async def test_native_requests_and_answers_appear_here(pair):
    ask = {"comment": "Hi", "source": "search"}
    await pair.alice.post("/friend/invite", {"id": pair.bob.id, **ask})
    for client in (pair.b, pair.b2):
        await client.expect(17, 1, user_id=pair.alice.id)
    await pair.alice.post("/friend/invite", {"id": pair.bob.id, **ask})  # pending already
    (invitation,) = (await pair.bob.get("/friend/invitation")).data
    await pair.bob.delete(f"/friend/invitation/{invitation['id']}")
    for client in (pair.a, pair.a2):
        await client.expect(17, 2, user_id=pair.bob.id, type=2)
    await pair.alice.post("/friend/invite", {"id": pair.bob.id, **ask})
    for client in (pair.b, pair.b2):
        await client.expect(17, 1, user_id=pair.alice.id)
    (invitation,) = (await pair.bob.get("/friend/invitation")).data
    await pair.bob.post(f"/friend/invitation/{invitation['id']}")
    for client in (pair.a, pair.a2):
        await client.expect(17, 2, user_id=pair.bob.id, type=1)
    await hear_of_new_chat(pair.a, pair.a2, pair.b, pair.b2)
    await nobody_hears_anything(pair)


@pytest.mark.gen_test
async def test_native_hears_of_friendships_made_here(pair):
    native = await pair.alice.socket()
    await pair.a.call(16, 1, user_id=pair.bob.id)
    await pair.b.drain()
    await pair.b.send({"op": 16, "t": 2, "d": {"user_id": pair.alice.id, "type": 1}})
    assert (await native.expect("friend_created"))[0]["friend"]["id"] == pair.bob.id


@pytest.mark.gen_test
async def test_request_that_crossed_its_answer_cannot_be_accepted_again(pair, database):
    await pair.alice.befriend(pair.bob)
    for client in (pair.a, pair.a2, pair.b, pair.b2):
        await client.drain()
    # As it is stored when a second request is made while the first one is just being accepted.
    database["friend_invitations"].insert_one(
        {"_id": 10**6, "sender": pair.alice.id, "receiver": pair.bob.id, "comment": "", "source": "search"}
    )
    assert await pair.b.refused(16, 2, user_id=pair.alice.id, type=1) == "User is already your friend"
    await nobody_hears_anything(pair)
