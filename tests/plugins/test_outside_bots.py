"""Bots from outside: made, listed and revoked on the command line; their tokens on all five protocols; friendship."""

import asyncio
import re
from dataclasses import replace

import pytest
from clients.actions import ActionsClient
from clients.methods import MethodsClient
from clients.modes import ModesClient
from clients.opcodes import OpcodesClient
from clients.rooms import RoomsClient
from nova_outside_bots import keeper, registry
from outside import DATABASE, CommandLine, bearer, bot_id

from nova_tornado.app import open_nova
from nova_tornado.domain.models import BotScope
from nova_tornado.settings import Settings

CLIENTS = {
    "actions": ActionsClient,
    "methods": MethodsClient,
    "modes": ModesClient,
    "rooms": RoomsClient,
    "opcodes": OpcodesClient,
}


@pytest.fixture
def settings():
    return Settings(bcrypt_rounds=4, rate_limits=False)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(keeper, "WATCH_S", 0.02)


@pytest.fixture
def bots(mongo, tmp_path):
    return CommandLine(mongo.uri, tmp_path)


@pytest.mark.gen_test
async def test_a_bot_is_made_and_its_token_is_shown_once(nova, bots, database, guest):
    lines = await bots.run("create", "helper", "--scope", "read")
    token = lines[-1]
    assert re.fullmatch(r"[\w-]{43}", token)
    user = (await guest.get("/user", headers=bearer(token), with_cookie=False)).data
    assert user["user_name"] == "helper"
    assert f"user {user['id']}" in lines[0]
    account = await nova.services.accounts.find_bot("outside:helper")
    assert account.is_bot and account.bot_scope is BotScope.READ
    [session] = database["sessions"].find({"user": user["id"]})
    assert (session["kind"], session["issuer"]) == ("token", "outside_bots")
    lifetime = session["expires_at"].timestamp() - session["created_us"] / 1e6
    assert abs(lifetime - registry.TOKEN_LIFETIME_S) < 1
    listed = "\n".join(await bots.run("list"))
    assert re.search(rf"helper +helper +{user['id']} +read +1, until {session['expires_at']:%Y-%m-%d}", listed)
    assert token not in listed
    for name in database.list_collection_names():
        assert token not in str(list(database[name].find()))


@pytest.mark.gen_test
async def test_a_taken_name_is_numbered_and_a_bot_is_made_once(nova, bots, people):
    await people("helper")
    lines = await bots.run("create", "helper", "--scope", "write")
    assert "called helper-2." in lines[0]
    [line] = await bots.run("create", "helper", "--scope", "read", exit_code=1)
    assert "There is a bot helper already" in line
    [line] = await bots.run("token", "nobody", exit_code=1)
    assert "There is no bot nobody" in line
    [line] = await bots.run("create", "no name", "--scope", "read", exit_code=1)
    assert "Username is invalid" in line
    assert "Invalid value for '--scope'" in "\n".join(await bots.run("create", "x", "--scope", "all", exit_code=2))


@pytest.mark.gen_test
async def test_a_bot_has_as_many_tokens_as_it_may(nova, bots, monkeypatch):
    monkeypatch.setattr(registry, "TOKENS_MAX_COUNT", 2)
    first = await bots.token("helper", "read")
    second = (await bots.run("token", "helper"))[-1]
    assert first != second
    [line] = await bots.run("token", "helper", exit_code=1)
    assert "has 2 tokens already" in line
    assert await bots.run("revoke", "helper") == ["Ended of helper: 2 tokens, 0 webhooks."]
    assert await bots.run("revoke", "helper") == ["Ended of helper: 0 tokens, 0 webhooks."]
    assert len(await bots.run("token", "helper")) == 2


@pytest.mark.gen_test
async def test_a_revoked_token_ends_everywhere_and_a_new_one_works(nova, bots, people):
    alice = await people("alice")
    token = await bots.token("helper", "write")
    clients = {name: await client.connect(alice.port, token) for name, client in CLIENTS.items()}
    await bots.run("revoke", "helper")
    async with asyncio.timeout(25):  # another process has done it, of which this one hears nothing: soon, not at once
        while (await alice.get("/user", headers=bearer(token), with_cookie=False)).status != 403:
            pass
    for name, client in clients.items():
        if name == "modes":
            continue  # stays open, without its subscription
        while (packet := await client.receive()) is not None:
            assert name == "actions" or packet.get("type") == "user_activity" or packet.get("op") == 2, packet
        assert client.connection.close_code == (1000 if name == "actions" else 4401)
        client.close()
    assert await clients["modes"].refused("checkToken") == "401"
    clients["modes"].close()
    again = (await bots.run("token", "helper"))[-1]
    for client in CLIENTS.values():
        connected = await client.connect(alice.port, again)
        await connected.drain()
        connected.close()


@pytest.mark.gen_test
async def test_a_bot_is_everybodys_friend_and_is_taken_into_a_group(nova, bots, people):
    alice = await people("alice")
    token = await bots.token("helper", "read")
    helper = await bot_id(alice, token)
    socket = await alice.socket()
    assert (await alice.post("/friend/invite", {"id": helper, "comment": "", "source": "search"})).data is None
    while (await socket.receive())["action"] != "friend_created":
        pass
    group = (await alice.post("/chat/new", {"chat_name": "Us", "chat_members": []})).data["chat_id"]
    assert (await alice.post(f"/chat/{group}/invite", {"user_id": helper})).data is None
    assert (await alice.post(f"/chat/{group}/invitation/{helper}")).data is None
    chats = (await alice.get("/chat", headers=bearer(token), with_cookie=False)).data
    assert group in [each["chat"]["chat_id"] for each in chats]


@pytest.mark.gen_test
async def test_who_has_asked_while_no_server_ran_is_befriended_at_the_start(mongo, bots, database, settings):
    off = await open_nova(replace(settings, plugins_off=("nova_outside_bots",)), mongo.uri, database=DATABASE)
    try:
        await bots.token("helper", "invoked")
        alice = await off.services.accounts.register("alice", "secret1", "test")
        helper = await off.services.accounts.find_bot("outside:helper")
        await off.services.friends.invite(alice, {"id": helper.id, "comment": "", "source": "search"})
        assert not await off.services.friends.are_friends(alice.id, helper.id)
        nova = await open_nova(settings, mongo.uri, database=DATABASE)
        await nova.close()
        assert await off.services.friends.are_friends(alice.id, helper.id)
    finally:
        await off.close()
