"""A revoked token ends what was connected with it, in every protocol; what was connected otherwise lives on.

Source: contract "protocols" sections 0.4 and 3.8; contract "actions" section 6.
"""

import pytest
from together.changes import PROTOCOLS
from together.refusals import REFUSALS, refused_with
from together.world import new_token

TOKEN_ENDED = {"methods": 4401, "rooms": 4401, "opcodes": 4401, "actions": 1000}
"""The close code; natively ``logout`` comes before it, and a modes connection stays open without its subscription."""


async def expect_end(protocol, client):
    """The connection has heard of its end, and nothing else."""
    if protocol == "modes":
        assert await client.drain() == []
        return
    if protocol == "actions":
        packet = await client.receive()
        while packet["action"] == "profile_change":
            packet = await client.receive()
        assert (packet["action"], packet["data"]) == ("logout", None)
    await client.expect_close(TOKEN_ENDED[protocol])


async def prepare(world, people):
    """A with two tokens and all connections by each, and a group with B, who listens."""
    await world.populate(people)
    await world.group("A B")
    kept = dict(world.tokens)
    world.tokens["A"] = ended = await new_token(world.persons["A"])
    doomed = {protocol: await world.another("A", protocol) for protocol in PROTOCOLS}
    world.tokens = kept
    await world.connect("AB", None)
    return ended, doomed


async def revoke_by_modes_logout(world, ended):
    client = await world.another("B", "modes")
    await client.send({"mode": "logout", "token": ended})
    assert [packet["status"] for packet in await client.drain()] == ["200"]


async def revoke_by_rooms_logout(world, ended):
    await world.http("A", "GET", "/http/logout", {}, token=ended)


async def revoke_by_native_password(world, _ended):
    passwords = {"old_password": "secret1", "new_password": "secret2"}
    headers = {"Authorization": f"Bearer {world.tokens['A']}"}
    answer = await world.persons["A"].request("PATCH", "/user", passwords, headers=headers, with_cookie=False)
    assert answer.status == 200, answer.body


async def revoke_by_rooms_password(world, _ended):
    await world.http("A", "PUT", "/http/users/profile", {"password": "secret2"})


REVOKED_BY = {
    "modes logout": revoke_by_modes_logout,
    "rooms logout": revoke_by_rooms_logout,
    "password changed natively": revoke_by_native_password,
    "password changed by rooms": revoke_by_rooms_password,
}


@pytest.mark.gen_test
@pytest.mark.parametrize("how", REVOKED_BY)
async def test_revoked_token_ends_connections_of_all_protocols(how, world, people, no_presence):
    ended, doomed = await prepare(world, people)
    await REVOKED_BY[how](world, ended)
    for protocol in PROTOCOLS:
        if protocol == "rooms":  # sees the logout, or the saved profile, of the user himself first
            client = doomed[protocol]
            while (packet := await client.receive()) is not None:
                assert packet["type"] in ("user_activity", "user_update"), packet
            assert client.connection.close_code == 4401
        else:
            await expect_end(protocol, doomed[protocol])
    await world.drain()
    await world.say("B")
    received = await world.drain()
    assert all(received["A", protocol] for protocol in PROTOCOLS if protocol != "rooms"), received
    assert await doomed["modes"].drain() == []
    await doomed["modes"].send({"mode": "checkToken", "token": ended})
    assert refused_with("modes", await doomed["modes"].drain()) == "401"
    await doomed["modes"].send({"mode": "checkToken", "token": world.tokens["A"]})
    assert [packet["status"] for packet in await doomed["modes"].drain()] == ["200"]


@pytest.mark.gen_test
@pytest.mark.parametrize("how", REVOKED_BY)
async def test_revoked_token_is_refused_by_all_protocols(how, world, people, no_presence):
    ended, _ = await prepare(world, people)
    await REVOKED_BY[how](world, ended)
    await world.drain()
    asker = await world.another("B", "modes")
    await asker.send({"mode": "getChats", "token": ended})
    assert refused_with("modes", await asker.drain()) == "401"
    for protocol in ("methods", "rooms"):
        asker = await world.another("B", protocol)
        frame = {"methods": {"method": "auth", "access_token": ended}, "rooms": {"token": ended}}[protocol]
        await asker.send(frame)
        assert refused_with(protocol, await asker.drain()) == REFUSALS[protocol].not_signed_in
    headers = {"Authorization": f"Bearer {ended}"}
    person = world.persons["X"]
    assert (await person.get("/user", headers=headers, with_cookie=False)).status == 403
    for name in ("authentication", "Authorization"):
        value = ended if name == "authentication" else f"Bearer {ended}"
        assert (await person.get("/http/users", headers={name: value}, with_cookie=False)).status == 401
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "eA==", **headers}
    upgrade["Sec-WebSocket-Version"] = "13"
    assert (await person.get("/ws/opcodes/", headers=upgrade, with_cookie=False)).status == 401
    assert (await person.get(f"/ws/opcodes/?token={ended}", headers=upgrade, with_cookie=False)).status == 401


@pytest.mark.gen_test
async def test_end_of_an_account_ends_all_that_it_has(world, people, no_presence):
    await prepare(world, people)
    doomed = {protocol: await world.another("B", protocol) for protocol in PROTOCOLS}
    assert (await world.persons["B"].delete("/user")).data is None
    for protocol in PROTOCOLS:
        world.more[protocol] = world.clients.pop(("B", protocol))
        for client in (doomed[protocol], world.more[protocol]):
            if protocol == "modes":
                assert [packet["mode"] for packet in await client.drain()] in ([], ["chatDeleted"])
                continue
            while await client.receive() is not None:
                pass
            assert client.connection.close_code == TOKEN_ENDED[protocol], protocol
            client.close()
    await world.drain()
    await world.say("A")
    received = await world.drain()
    assert all(received["A", protocol] for protocol in ("actions", "methods", "modes"))
    assert await doomed["modes"].drain() == []
    await doomed["modes"].send({"mode": "checkToken", "token": world.tokens["B"]})
    assert refused_with("modes", await doomed["modes"].drain()) == "401"
    world.more["modes"].close()


@pytest.mark.gen_test
async def test_native_logout_ends_the_cookie_session_only(world, people, no_presence):
    await world.populate(people)
    await world.connect("A", None)
    socket = await world.persons["A"].socket()
    assert (await world.persons["A"].post("/user/logout")).data is None
    [_] = await socket.expect("logout")
    await socket.expect_close(1000)
    received = await world.drain()  # all of them are alive
    assert [packet["type"] for packet in received["A", "rooms"]] == ["user_activity"]
    assert all(not packets for (_, protocol), packets in received.items() if protocol != "rooms")


@pytest.mark.gen_test
async def test_new_name_and_address_keep_all_tokens(world, people, no_presence):
    await world.populate(people)
    await world.connect("A", None)
    requests = (
        {"mode": "changeUsername", "username": "annabel"},
        {"mode": "changeEmail", "email": "anna@example.org", "password": "secret1"},
    )
    for request in requests:
        await world.clients["A", "modes"].send({**request, "token": world.tokens["A"]})
        await world.drain()  # fails where one was closed
    assert await new_token(await renamed(world)) != world.tokens["A"]


async def renamed(world):
    person = world.persons["A"]
    person.name = "annabel"
    return person
