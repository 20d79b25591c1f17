"""Friend groups of the actions protocol. Source: actions document, Friend Group control APIs; contract section 3."""

import asyncio

import pytest

UNKNOWN_IDS = [0, 999_999, 2**53, 2**63, 2**64, 10**30]
GOOD_NAMES = ["x", "x" * 50, " ", "\t\n ", "Simple Friend Gr0up~", "名" * 50, "😀" * 50, "<b>&amp;</b>", "$ne", "a.b"]
BAD_NAMES = ["", "x" * 51, "😀" * 51, "a\0b", None, 1, True, 1.5, [], ["x"], {}, {"$ne": None}]


async def add(person, name):
    return await person.post("/friend/group/add", {"group_name": name})


async def groups_of(person):
    return (await person.get("/friend/group/list")).data


async def default_id(person):
    return (await groups_of(person))[0]["group_id"]


# POST /friend/group/add, GET /friend/group/list, GET /friend/group/<id>


@pytest.mark.gen_test
async def test_groups_are_listed_by_id_behind_the_default_one(people):
    alice, bob = await people("alice"), await people("bob")
    added = [(await add(alice, name)).data for name in ("Zoo", "Abc", "Zoo")]
    assert [group["group_name"] for group in added] == ["Zoo", "Abc", "Zoo"]
    assert all(group.keys() == {"group_id", "group_name"} for group in added)
    ids = [await default_id(alice), *(group["group_id"] for group in added)]
    assert ids == sorted(set(ids))
    assert await groups_of(alice) == [{"group_id": ids[0], "group_name": ""}, *added]
    for group in await groups_of(alice):
        assert (await alice.get(f"/friend/group/{group['group_id']}")).data == group
    assert [group["group_name"] for group in await groups_of(bob)] == [""]


@pytest.mark.gen_test
async def test_names_may_have_1_to_50_characters(people):
    alice = await people("alice")
    group_id = (await add(alice, "First")).data["group_id"]
    for name in GOOD_NAMES:
        assert (await add(alice, name)).data["group_name"] == name
        renamed = await alice.patch(f"/friend/group/{group_id}", {"group_name": name})
        assert renamed.data == {"group_id": group_id, "group_name": name}
        assert (await alice.get(f"/friend/group/{group_id}")).data == renamed.data
    before = await groups_of(alice)
    for name in BAD_NAMES:
        for answer in (await add(alice, name), await alice.patch(f"/friend/group/{group_id}", {"group_name": name})):
            assert answer.status == 400 and answer.error, name
    for body in ({}, {"name": "x"}, [], "x", None):
        assert (await alice.post("/friend/group/add", body)).status == 400, body
        assert (await alice.patch(f"/friend/group/{group_id}", body)).status == 400, body
    for method, path in (("POST", "/friend/group/add"), ("PATCH", f"/friend/group/{group_id}")):
        assert (await alice.request(method, path)).status == 400
    assert await groups_of(alice) == before


# PATCH, DELETE /friend/group/<id>


@pytest.mark.gen_test
async def test_unknown_groups_are_404_to_get_and_400_to_change(people):
    alice = await people("alice")
    for group_id in UNKNOWN_IDS:
        path = f"/friend/group/{group_id}"
        statuses = [
            (await alice.get(path)).status,
            (await alice.patch(path, {"group_name": "x"})).status,
            (await alice.delete(path)).status,
        ]
        assert statuses == [404, 400, 400], group_id


@pytest.mark.gen_test
async def test_groups_of_others_are_refused_with_403(people):
    alice, bob = await people("alice"), await people("bob")
    own = (await add(alice, "Mine")).data
    before = await groups_of(alice)
    for group_id in (own["group_id"], await default_id(alice)):
        path = f"/friend/group/{group_id}"
        for answer in (
            await bob.get(path),
            await bob.patch(path, {"group_name": "Yours"}),
            await bob.patch(path, {"group_name": "x" * 51}),
            await bob.delete(path),
        ):
            assert answer.status == 403 and "Mine" not in answer.error
    assert await groups_of(alice) == before


@pytest.mark.gen_test
async def test_renaming_checks_the_name_is_there_then_the_group_then_its_rules(people):
    alice, bob = await people("alice"), await people("bob")
    foreign, default = (await add(bob, "His")).data["group_id"], await default_id(alice)
    own = (await add(alice, "Mine")).data["group_id"]
    for group_id, absent, too_long in ((999_999, 400, 400), (foreign, 400, 403), (default, 400, 400), (own, 400, 400)):
        path = f"/friend/group/{group_id}"
        for body in ({}, {"group_name": None}, {"group_name": 1}):
            assert (await alice.patch(path, body)).status == absent, (group_id, body)
        assert (await alice.patch(path, {"group_name": "x" * 51})).status == too_long, group_id
    unknown = await alice.patch("/friend/group/999999", {"group_name": "x" * 51})
    assert unknown.error == (await alice.delete("/friend/group/999999")).error == "Group not found"


@pytest.mark.gen_test
async def test_default_group_stays_as_it_is(people):
    alice = await people("alice")
    before = await groups_of(alice)
    path = f"/friend/group/{before[0]['group_id']}"
    for name in ("x", "", " "):
        assert (await alice.patch(path, {"group_name": name})).status == 400
    assert (await alice.delete(path)).status == 400
    assert await groups_of(alice) == before


@pytest.mark.gen_test
async def test_deleting_a_group_moves_its_friends_to_the_default_one(people, database):
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    first, second = [(await add(alice, name)).data for name in ("First", "Second")]
    for friend, group in ((bob, first), (carol, second)):
        await alice.befriend(friend)
        body = {"group_id": group["group_id"], "nickname": "N"}
        assert (await alice.patch(f"/friend/{friend.id}", body)).data["group"] == group
    path = f"/friend/group/{first['group_id']}"
    assert (await alice.delete(path)).body == b'{"ok":true,"data":null}'
    default = {"group_id": await default_id(alice), "group_name": ""}
    for friend in ((await alice.get(f"/friend/{bob.id}")).data, (await alice.get("/friend")).data[0]):
        assert (friend["group"], friend["nickname"], friend["friend"]["id"]) == (default, "N", bob.id)
    assert (await alice.get(f"/friend/{carol.id}")).data["group"] == second
    assert database.friendships.count_documents({"group": first["group_id"]}) == 0
    assert (await alice.get(path)).status == 404
    assert (await alice.delete(path)).status == (await alice.patch(path, {"group_name": "x"})).status == 400
    assert await groups_of(alice) == [default, second]
    assert (await add(alice, "Third")).data["group_id"] > second["group_id"]


@pytest.mark.gen_test
async def test_changes_of_groups_are_told_to_nobody(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    sockets = await alice.socket(), await bob.socket()
    group_id = (await add(alice, "Mine")).data["group_id"]
    assert (await alice.patch(f"/friend/{bob.id}", {"group_id": group_id})).status == 200
    assert (await alice.patch(f"/friend/group/{group_id}", {"group_name": "Ours"})).status == 200
    assert (await alice.delete(f"/friend/group/{group_id}")).status == 200
    for socket in sockets:
        await socket.expect_nothing()


@pytest.mark.gen_test
async def test_moving_a_friend_while_the_group_goes_loses_nobody(people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    for _ in range(8):
        group_id = (await add(alice, "Mine")).data["group_id"]
        moved, deleted, *listed = await asyncio.gather(
            alice.patch(f"/friend/{bob.id}", {"group_id": group_id}),
            alice.delete(f"/friend/group/{group_id}"),
            *(alice.get("/friend") for _ in range(4)),
        )
        assert deleted.data is None and moved.status in (200, 400)
        for friends in (*listed, await alice.get("/friend")):
            assert [friend["friend"]["id"] for friend in friends.data] == [bob.id]
        assert (await alice.get(f"/friend/{bob.id}")).status == 200


@pytest.mark.gen_test
async def test_session_is_needed(people, guest):
    group_id = await default_id(await people("alice"))
    for method, path in (
        ("POST", "/friend/group/add"),
        ("GET", "/friend/group/list"),
        *((method, f"/friend/group/{group_id}") for method in ("GET", "PATCH", "DELETE")),
    ):
        answer = await guest.request(method, path, {"group_name": "x"})
        assert (answer.status, answer.error) == (403, "Invalid Session"), (method, path)
