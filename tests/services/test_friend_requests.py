"""Asking for friendship and answering. Source: contract "protocols" sections 0.10, 4.3 (16/1, 16/2)."""

import asyncio

import pytest
from realtime.stubs import connect

from nova_tornado.domain.errors import AlreadyFriends, BadField, InvitationUnknown, UserUnknown
from nova_tornado.domain.events import (
    FriendDeclined,
    FriendInvitationAdded,
    FriendInvitationRemoved,
    FriendRequested,
    FriendshipCreated,
)
from nova_tornado.realtime.connection import Topic

HOME = "192.0.2.1"
OF_FRIENDS = (FriendRequested, FriendDeclined, FriendshipCreated)


@pytest.fixture
def friends(nova):
    return nova.services.friends


@pytest.fixture
def users(io_loop, accounts):
    """ann, bob and cid."""
    return [
        io_loop.run_sync(lambda name=name: accounts.register(name, "secret1", HOME)) for name in ("ann", "bob", "cid")
    ]


async def ask(friends, asker, asked, comment=""):
    return await friends.invite(asker, {"id": asked.id, "comment": comment, "source": "search"})


def told(happened):
    return [event for event in happened.take() if isinstance(event, OF_FRIENDS)]


@pytest.mark.gen_test
async def test_a_request_is_told_once_while_it_is_pending(friends, happened, users, database):
    ann, bob, cid = users
    for comment in ("first", "second", "third"):
        assert await ask(friends, ann, bob, comment) is None
    assert told(happened) == [FriendRequested(ann, bob)]
    [kept] = await friends.list_received(bob)
    assert kept.invitation.comment == "third"
    await ask(friends, cid, bob)
    assert told(happened) == [FriendRequested(cid, bob)]
    assert database.friend_invitations.count_documents({}) == 2


@pytest.mark.gen_test
async def test_the_same_request_many_times_at_once_is_told_once(friends, happened, users, database):
    ann, bob, _ = users
    await asyncio.gather(*(ask(friends, ann, bob) for _ in range(6)))
    assert told(happened) == [FriendRequested(ann, bob)]
    assert database.friend_invitations.count_documents({}) == 1


@pytest.mark.gen_test
async def test_refused_requests_are_told_to_nobody(friends, happened, users, nova):
    ann, bob, _ = users
    for request, error in (
        ({"id": ann.id, "comment": "", "source": "search"}, BadField),
        ({"id": bob.id, "comment": "", "source": "elsewhere"}, BadField),
        ({"id": 999_999, "comment": "", "source": "search"}, UserUnknown),
        ({"id": nova.services.directory.system.id, "comment": "", "source": "search"}, UserUnknown),
    ):
        with pytest.raises(error):
            await friends.invite(ann, request)
    assert told(happened) == []


@pytest.mark.gen_test
async def test_an_accepted_request_makes_friends(friends, happened, users):
    ann, bob, cid = users
    await ask(friends, ann, bob)
    await ask(friends, cid, bob)
    happened.take()
    friend = await friends.answer(bob, ann.id, True)
    assert friend.user == ann
    assert told(happened) == [FriendshipCreated(bob, ann)]
    assert await friends.list_friend_ids(ann.id) == [bob.id]
    assert await friends.list_friend_ids(bob.id) == [ann.id]
    await friends.answer(bob, cid.id, True)
    assert await friends.list_friend_ids(bob.id) == [ann.id, cid.id]
    with pytest.raises(AlreadyFriends):
        await ask(friends, ann, bob)


@pytest.mark.gen_test
async def test_friend_ids_are_ascending_whatever_the_order_of_the_friendships(friends, users):
    ann, bob, cid = users
    for other in (cid, ann):
        await ask(friends, other, bob)
        await ask(friends, bob, other)
    assert await friends.list_friend_ids(bob.id) == [ann.id, cid.id]
    assert await friends.list_friend_ids(0) == []


@pytest.mark.gen_test
async def test_a_declined_request_is_told_and_may_be_made_anew(friends, happened, users):
    ann, bob, _ = users
    await ask(friends, ann, bob)
    assert await friends.answer(bob, ann.id, False) is None
    assert told(happened) == [FriendRequested(ann, bob), FriendDeclined(bob, ann)]
    assert await friends.list_received(bob) == await friends.list_friend_ids(bob.id) == []
    await ask(friends, ann, bob)
    [received] = await friends.list_received(bob)
    await friends.reject(bob, received.invitation.id)
    assert told(happened) == [FriendRequested(ann, bob), FriendDeclined(bob, ann)]


@pytest.mark.gen_test
async def test_only_what_is_pending_from_that_user_can_be_answered(friends, happened, users):
    ann, bob, cid = users
    await ask(friends, ann, bob)
    happened.take()
    for user, asker_id in ((bob, cid.id), (ann, bob.id), (cid, ann.id), (bob, bob.id), (bob, 0), (bob, 999_999)):
        for is_accepted in (True, False):
            with pytest.raises(InvitationUnknown):
                await friends.answer(user, asker_id, is_accepted)
    await friends.answer(bob, ann.id, False)
    with pytest.raises(InvitationUnknown):
        await friends.answer(bob, ann.id, True)
    assert told(happened) == [FriendDeclined(bob, ann)]


@pytest.mark.gen_test
async def test_of_many_answers_at_once_one_counts(friends, happened, users):
    ann, bob, _ = users
    await ask(friends, ann, bob)
    happened.take()
    results = await asyncio.gather(
        *(friends.answer(bob, ann.id, is_accepted) for is_accepted in (True, False) * 3), return_exceptions=True
    )
    assert sum(not isinstance(result, Exception) for result in results) == 1, results
    assert all(
        isinstance(result, InvitationUnknown | AlreadyFriends) for result in results if isinstance(result, Exception)
    )
    [event] = told(happened)
    is_friend = isinstance(event, FriendshipCreated)
    assert await friends.list_friend_ids(ann.id) == ([bob.id] if is_friend else [])


# What waits for an answer


def told_of_lists(happened):
    """What has come to somebody's list (+) and gone from it (-), by the invitations' ids."""
    told = []
    for event in happened.take():
        match event:
            case FriendInvitationAdded(received):
                told.append(received.invitation.id)
            case FriendInvitationRemoved(invitation_id):
                told.append(-invitation_id)
    return told


async def id_of(friends, asked):
    [received] = await friends.list_received(asked)
    return received.invitation.id


@pytest.mark.gen_test
async def test_each_invitation_is_told_of_when_it_comes_and_once_when_it_goes(friends, happened, users, accounts):
    ann, bob, cid = users
    happened.take()
    await ask(friends, ann, bob, "first")
    first = await id_of(friends, bob)
    assert happened.take()[0] == FriendInvitationAdded((await friends.list_received(bob))[0])
    await ask(friends, ann, bob, "second")
    second = await id_of(friends, bob)
    assert happened.take()[0] == FriendInvitationRemoved(first, bob.id)
    await friends.answer(bob, ann.id, False)
    assert told_of_lists(happened) == [-second]
    await ask(friends, ann, bob)
    third = await id_of(friends, bob)
    await friends.answer(bob, ann.id, True)
    assert told_of_lists(happened) == [third, -third]
    await ask(friends, cid, ann)
    fourth = await id_of(friends, ann)
    await ask(friends, bob, cid)
    fifth = await id_of(friends, cid)
    happened.take()
    await accounts.delete(cid)
    assert told_of_lists(happened) == [-fourth, -fifth]


@pytest.mark.gen_test
async def test_an_answer_is_told_after_what_it_answers(friends, happened, users, monkeypatch):
    ann, bob, _ = users
    are_friends, is_stored, gate = friends.are_friends, asyncio.Event(), asyncio.Event()

    async def wait(one_id, other_id):
        if await friends.list_received(bob):
            is_stored.set()
            await gate.wait()
        return await are_friends(one_id, other_id)

    monkeypatch.setattr(friends, "are_friends", wait)
    asking = asyncio.create_task(ask(friends, ann, bob))
    await is_stored.wait()
    invitation_id = await id_of(friends, bob)
    declining = asyncio.create_task(friends.reject(bob, invitation_id))
    for _ in range(20):  # time enough for all that declining takes
        await friends.list_received(bob)
    gate.set()
    await asyncio.gather(asking, declining)
    assert told_of_lists(happened) == [invitation_id, -invitation_id]


@pytest.mark.gen_test
async def test_a_list_that_is_read_while_it_changes_is_read_again(friends, users, nova, monkeypatch):
    ann, bob, cid = users
    await ask(friends, ann, bob)
    await ask(friends, cid, bob)
    connection = connect(nova.hub, bob.id)
    list_received = nova.store.friend_invitations.list_received
    declined = [ann, cid]

    async def read(user_id):
        found = await list_received(user_id)
        if declined:
            assert Topic.FRIEND_INVITATIONS not in connection.topics
            await friends.answer(bob, declined.pop().id, False)
        return found

    monkeypatch.setattr(nova.store.friend_invitations, "list_received", read)
    assert await friends.watch_received(bob, connection) == []
    assert connection.topics == {Topic.FRIEND_INVITATIONS}
