"""The opcodes protocol: connecting, and who is online.

Source: opcodes document, Start Connection and User Status; contract "protocols" sections 0.4, 0.9, 4.1.
"""

import asyncio

import pytest
from clients.opcodes import OpcodesClient
from pymongo.errors import ConnectionFailure
from tornado.httpclient import HTTPClientError

from nova_tornado.realtime import presence


async def token_of(person):
    return (await person.post("/user/token", {"user_name": person.name, "password": person.password})).data["token"]


async def connect(person, query="", **headers):
    """A connection whose token is wherever the test puts it."""
    client = OpcodesClient(person.port, None)
    client.path += query
    person._sockets.append(client)
    await client.open(headers)
    await client.sign_in()
    return client


async def status_of_refusal(person, query="", **headers):
    with pytest.raises(HTTPClientError) as refused:
        await connect(person, query, **headers)
    person._sockets.pop()
    return refused.value.code


# Connecting


@pytest.mark.gen_test
async def test_token_comes_in_the_header_or_in_the_query_and_the_header_wins(people):
    alice, bob = await people("alice"), await people("bob")
    good, other = await token_of(alice), await token_of(bob)
    for query, headers in (
        ("", {"Authorization": f"Bearer {good}"}),
        ("", {"Authorization": f"bearer {good}"}),
        (f"?token={good}", {}),
        (f"?token={other}", {"Authorization": f"Bearer {good}"}),
        ("?token=bad", {"Authorization": f"Bearer {good}"}),
        (f"?token={good}", {"Authorization": "Basic YWxpY2U6c2VjcmV0"}),
    ):
        client = await connect(alice, query, **headers)
        assert (await client.call(13, 1, user_ids=[bob.id], type=1))["chat_id"]
        assert alice.id in client.online[0]
        assert await client.refused(16, 1, user_id=alice.id)  # so it is her


@pytest.mark.gen_test
async def test_without_a_valid_token_the_upgrade_is_answered_with_401(people):
    alice = await people("alice")
    good = await token_of(alice)
    assert alice.cookie is not None
    for query, headers in (
        ("", {}),
        ("", {"Cookie": f"sessionid={alice.cookie}"}),
        ("", {"Authorization": good}),
        ("", {"Authorization": "Bearer"}),
        ("", {"Authorization": "Bearer x"}),
        ("", {"Authorization": "Bearer " + "x" * 10_000}),
        ("", {"Authorization": f"Bearer {good}x"}),
        (f"?token={good}", {"Authorization": "Bearer x"}),
        ("?token=", {}),
        ("?token=%00", {}),
        ("?token=%ff%fe", {}),
        ("?token=%ed%a0%80", {}),
        ("?token=" + "x" * 10_000, {}),
        (f"?token={good}&token=x", {}),
        (f"?Token={good}", {}),
        (f"?token=%20{good}", {}),
    ):
        assert await status_of_refusal(alice, query, **headers) == 401, (query, headers)


@pytest.mark.gen_test
async def test_pages_of_other_sites_are_refused(people):
    alice = await people("alice")
    bearer = f"Bearer {await token_of(alice)}"
    assert await status_of_refusal(alice, Authorization=bearer, Origin="https://evil.example") == 403
    await connect(alice, Authorization=bearer, Origin=f"http://127.0.0.1:{alice.port}")


@pytest.mark.gen_test
async def test_chats_and_friends_come_first_ascending(people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    assert (await OpcodesClient.of(alice)).lists == {"chat_ids": [], "friend_ids": []}
    with_carol = await alice.befriend(carol)
    with_bob = await bob.befriend(alice)
    group = await alice.new_group(bob, carol)
    assert (await OpcodesClient.of(alice)).lists == {
        "chat_ids": sorted([with_carol, with_bob, group]),
        "friend_ids": sorted([bob.id, carol.id]),
    }
    assert (await OpcodesClient.of(bob)).lists == {"chat_ids": sorted([with_bob, group]), "friend_ids": [alice.id]}
    dave = await people("dave")
    await dave.post("/friend/invite", {"id": alice.id, "comment": "", "source": "search"})
    assert (await OpcodesClient.of(alice)).lists["friend_ids"] == sorted([bob.id, carol.id])  # pending is not yet


@pytest.mark.gen_test
async def test_what_happens_while_the_lists_are_read_comes_behind_them(people, nova, monkeypatch):
    alice, bob = await people("alice"), await people("bob")
    speaker = await OpcodesClient.of(bob)
    old = (await speaker.call(13, 1, user_ids=[alice.id], type=1))["chat_id"]
    friends = nova.services.friends
    is_reading, may_answer = asyncio.Event(), asyncio.Event()
    read = friends.list_friend_ids

    async def slowly(user_id):
        is_reading.set()
        await may_answer.wait()
        return await read(user_id)

    monkeypatch.setattr(friends, "list_friend_ids", slowly)
    opening = asyncio.create_task(OpcodesClient.of(alice))
    await is_reading.wait()
    new = (await speaker.call(13, 1, user_ids=[alice.id], type=2))["chat_id"]
    first = (await speaker.call(11, 1, chat_id=old, message="first"))["message_id"]
    second = (await speaker.call(11, 2, chat_id=new, message="second"))["message_id"]
    may_answer.set()
    client = await opening
    assert client.lists == {"chat_ids": [old], "friend_ids": []}
    await client.expect(14, 1, chat_id=new)
    await client.expect(12, 1, chat_id=old, message_id=first, sender_id=bob.id, message="first")
    await client.expect(12, 2, chat_id=new, message_id=second, sender_id=bob.id, message="second")
    await client.expect_nothing()


@pytest.mark.gen_test
@pytest.mark.expects_log("the database did not answer")
async def test_socket_whose_lists_cannot_be_read_is_asked_to_come_back(people, nova, monkeypatch):
    alice = await people("alice")

    async def fail(_user_id):
        raise ConnectionFailure

    monkeypatch.setattr(nova.services.friends, "list_friend_ids", fail)
    client = OpcodesClient(alice.port, await token_of(alice))
    alice._sockets.append(client)
    await client.open()
    await client.expect_close(1013)


@pytest.mark.gen_test
async def test_sockets_of_a_revoked_token_are_closed_and_others_stay(people, nova):
    alice = await people("alice")
    one, other = await OpcodesClient.of(alice), await OpcodesClient.of(alice)
    session, _ = await nova.services.accounts.find_session(one.token)
    await nova.services.accounts.end_session(session)
    await one.expect_close(4401)
    await other.expect_nothing()
    assert await status_of_refusal(alice, f"?token={one.token}") == 401
    await alice.delete("/user")
    while (packet := await other.receive_any()) is not None:
        assert (packet["op"], packet["t"]) == (2, 1)
    assert other.connection.close_code == 4401


# Who is online


@pytest.mark.gen_test
async def test_everybody_hears_who_comes_and_goes_by_any_protocol(people, monkeypatch):
    monkeypatch.setattr(presence, "GATHER_S", 0.01)
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    client = await OpcodesClient.of(alice)
    assert client.online == [[alice.id]]
    second = await OpcodesClient.of(bob)
    assert second.online == [sorted([alice.id, bob.id])]
    await client.expect_online(alice.id, bob.id)
    native = await carol.socket()
    await client.expect_online(alice.id, bob.id, carol.id)
    await second.expect_online(alice.id, bob.id, carol.id)
    native.close()
    await client.expect_online(alice.id, bob.id)
    second.close()
    await client.expect_online(alice.id)


@pytest.mark.gen_test
async def test_second_connection_of_a_user_is_no_news(people, monkeypatch):
    monkeypatch.setattr(presence, "GATHER_S", 0.01)
    alice, bob = await people("alice"), await people("bob")
    client = await OpcodesClient.of(alice)
    await OpcodesClient.of(bob)
    await client.expect_online(alice.id, bob.id)
    told = len(client.online)
    again = await OpcodesClient.of(bob)
    assert again.online == [sorted([alice.id, bob.id])]
    again.close()
    third = await people("third")
    await OpcodesClient.of(third)
    await client.expect_online(alice.id, bob.id, third.id)
    assert len(client.online) == told + 1


@pytest.mark.gen_test
async def test_who_was_shown_as_online_and_is_gone_when_changes_are_told_is_corrected(people, nova, monkeypatch):
    monkeypatch.setattr(presence, "GATHER_S", 3600)
    tell, note = nova.services.presence._tell, nova.hub.presence_sink
    is_gone = asyncio.Event()

    def noting(user_id, is_online, chat_ids):
        note(user_id, is_online, chat_ids)
        if not is_online:
            is_gone.set()

    monkeypatch.setattr(nova.hub, "presence_sink", noting)
    alice, bob = await people("alice"), await people("bob")
    client = await OpcodesClient.of(alice)
    tell()
    passing = await bob.socket()
    late = await OpcodesClient.of(alice)
    assert late.online == [sorted([alice.id, bob.id])]
    passing.close()
    await is_gone.wait()
    tell()  # he has come and gone in between: the set is what it was
    await late.expect_online(alice.id)
    await client.expect_nothing()
    assert client.online == [[alice.id], [alice.id], [alice.id]]
