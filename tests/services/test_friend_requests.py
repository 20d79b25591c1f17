"""Asking for friendship and answering. Source: contract "protocols" sections 0.10, 4.3 (16/1, 16/2)."""

import asyncio

import pytest

from nova_tornado.domain.errors import AlreadyFriends, BadField, InvitationUnknown, UserUnknown
from nova_tornado.domain.events import FriendDeclined, FriendRequested, FriendshipCreated

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
