"""The action ``friend_invitations``, and what the sockets that asked are told. Source: docs/protocols/actions.md."""

import asyncio

import pytest

from nova_tornado.api import errors

NO_PACKETS = ("friend_created", "friend_deleted", "new_message", "profile_change")


async def ask(person, other, comment=""):
    """Ask for friendship; returns the invitation's id as the other one finds it, None if that was an acceptance."""
    answer = await person.post("/friend/invite", {"id": other.id, "comment": comment, "source": "search"})
    if answer.data is not None:
        return None
    [invitation] = [each for each in await listed(other) if each["sender"]["id"] == person.id]
    return invitation["id"]


async def listed(person):
    return (await person.get("/friend/invitation")).data


async def watching(person):
    """A socket that has asked; and what it was answered."""
    socket = await person.socket()
    await socket.send("friend_invitations")
    [answer] = await socket.expect("friend_invitations")
    assert answer.keys() == {"invitations"}
    return socket, answer["invitations"]


@pytest.mark.gen_test
async def test_a_socket_that_asks_gets_what_waits_and_from_then_on_what_comes(people):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    await ask(bob, alice, "first")
    deaf = await alice.socket()
    socket, invitations = await watching(alice)
    assert invitations == await listed(alice)
    assert [each["comment"] for each in invitations] == ["first"]
    invitation_id = await ask(carol, alice, "second")
    [news] = await socket.expect("friend_invitation")
    assert news == {"invitation": (await listed(alice))[1]}
    assert news["invitation"]["id"] == invitation_id
    # Whoever asks is told of nothing, nor is a socket that has not asked; it may ask at any time, and again.
    hers, nothing = await watching(carol)
    assert nothing == []
    await ask(carol, bob)
    for each in (deaf, socket, hers):
        await each.expect_nothing()
    await socket.send("friend_invitations", {"any": "thing"}, request_id=7)
    assert await socket.expect("friend_invitations") == [{"invitations": await listed(alice)}]
    await ask(bob, alice, "again")
    await socket.expect("friend_invitation_gone", "friend_invitation")
    await socket.expect_nothing()
    await deaf.expect_nothing()


@pytest.mark.gen_test
async def test_what_replaces_an_invitation_takes_it_away_first(people):
    alice, bob = await people("alice"), await people("bob")
    socket, _ = await watching(alice)
    first = await ask(bob, alice, "first")
    second = await ask(bob, alice, "second")
    told = await socket.expect("friend_invitation", "friend_invitation_gone", "friend_invitation")
    assert told[0]["invitation"]["id"] == first
    assert told[1] == {"invitation_id": first}
    assert (told[2]["invitation"]["id"], told[2]["invitation"]["comment"]) == (second, "second")
    await socket.expect_nothing()


@pytest.mark.parametrize("way", ["accepted", "asked back", "declined"])
@pytest.mark.gen_test
async def test_an_invitation_that_is_answered_is_gone_for_all_who_asked_once(way, people):
    alice, bob = await people("alice"), await people("bob")
    invitation_id = await ask(bob, alice)
    sockets = [(await watching(alice))[0], (await watching(await alice.again()))[0]]
    his, _ = await watching(bob)
    if way == "declined":
        await alice.delete(f"/friend/invitation/{invitation_id}")
    elif way == "accepted":
        await alice.post(f"/friend/invitation/{invitation_id}")
    else:
        assert await ask(alice, bob) is None
    befriended = ["friend_created", "new_message"] if way != "declined" else []
    for socket in sockets:
        told = await socket.expect(*befriended, "friend_invitation_gone")
        assert told[-1] == {"invitation_id": invitation_id}
        await socket.expect_nothing()
    await his.expect(*befriended)
    await his.expect_nothing()
    assert await listed(alice) == []


@pytest.mark.gen_test
async def test_invitations_go_with_the_account_of_the_one_who_asked_and_of_the_one_asked(people):
    alice, bob, carol, dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
    await alice.befriend(bob)
    to_dave, of_carol, to_bob = await ask(bob, dave), await ask(carol, dave), await ask(carol, bob)
    (hers, _), (his, _), (daves, waiting) = [await watching(person) for person in (alice, bob, dave)]
    assert [each["id"] for each in waiting] == [to_dave, of_carol]
    assert (await bob.delete("/user")).data is None
    assert await daves.expect("friend_invitation_gone") == [{"invitation_id": to_dave}]
    assert (await his.expect("friend_invitation_gone", "friend_deleted", "logout"))[0] == {"invitation_id": to_bob}
    await hers.expect("friend_deleted")  # and nothing of what was answered before
    for socket in (daves, hers):
        await socket.expect_nothing()
    assert [each["id"] for each in await listed(dave)] == [of_carol]


@pytest.mark.gen_test
async def test_what_is_refused_is_told_to_nobody(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    socket, _ = await watching(alice)
    for request in ({"id": alice.id}, {"id": alice.id, "comment": "", "source": "elsewhere"}):
        assert (await bob.post("/friend/invite", request)).status in (400, 409)
    assert (await bob.post("/friend/invitation/999")).status == 400
    assert (await bob.delete("/friend/invitation/999")).status == 400
    await socket.expect_nothing()


@pytest.mark.gen_test(timeout=30)
async def test_lists_and_news_agree_whatever_happens_at_the_same_time(people, nova):
    names = ("alice", "bob", "carol", "dave")
    users = [await people(name) for name in names]
    accounts = {person: await nova.services.accounts.get_user(person.id) for person in users}
    sockets = {person: (await watching(person))[0] for person in users}
    friends = nova.services.friends

    async def invite(one, other):
        await friends.invite(accounts[one], {"id": other.id, "comment": "", "source": "search"})

    async def answer(one, other, *, is_accepted=False):
        await friends.answer(accounts[one], other.id, is_accepted)

    pairs = [(one, other) for one in users for other in users if one is not other]
    for turn in range(3):
        work = [invite(*pair) for pair in pairs for _ in range(2)]
        work += [answer(*pair, is_accepted=turn == 2) for pair in pairs for _ in range(2)]
        work += [sockets[person].send("friend_invitations") for person in users for _ in range(3)]
        for result in await asyncio.gather(*work, return_exceptions=True):
            assert not isinstance(result, BaseException) or isinstance(result, errors.NovaError), result
        for one, other in pairs:
            if turn < 2 and await friends.are_friends(one.id, other.id):
                await friends.delete(accounts[one], other.id)
    for person, socket in sockets.items():
        known, came, gone = {}, set(), []
        await socket.send("ping", request_id=1)
        while (packet := await socket.receive())["action"] != "pong":
            match packet["action"]:
                case "friend_invitations":
                    known = {each["id"]: each for each in packet["data"]["invitations"]}
                    came |= known.keys()
                case "friend_invitation":
                    invitation = packet["data"]["invitation"]
                    known[invitation["id"]] = invitation
                    assert invitation["id"] not in gone
                    came.add(invitation["id"])
                case "friend_invitation_gone":
                    gone.append(packet["data"]["invitation_id"])
                    known.pop(gone[-1], None)
                case action:
                    assert action in NO_PACKETS, action
        assert list(known.values()) == await listed(person)
        assert len(gone) == len(set(gone))
        assert set(gone) <= came
        assert came - set(gone) == known.keys()
