"""One store of accounts: made by any protocol, good for every other; and so is a token.

Source: contract "protocols" sections 0.3, 0.4, 0.9 and 3.2.
"""

import json

import pytest
from people import Person
from together.changes import PROTOCOLS
from together.makers import find_link
from together.refusals import REFUSALS, refused_with
from together.world import CLIENTS

PASSWORD = "secret 1".replace(" ", "-") + "é" * 120
"""Longer than what bcrypt looks at."""
ADDRESS = "Nina@Example.org"


async def ask_modes(world, **frame):
    """A request on a socket of nobody's."""
    client = await CLIENTS["modes"].connect(world.port, None)
    reply = await client.request({"timestamp": 0, **frame})
    client.close()
    return reply


async def register_natively(world, guest):
    account = {"user_name": "nina", "password": PASSWORD}
    answer = await guest.post("/user/register", account)
    assert answer.status == 200
    changes = {"email": ADDRESS, "old_password": PASSWORD}
    assert (await guest.patch("/user", changes)).status == 200
    return "nina"


async def register_by_modes(world, guest):
    reply = await ask_modes(world, mode="register", username="nina", password=PASSWORD, email=ADDRESS)
    assert reply["status"] == "200"
    return "nina"


async def register_by_rooms(world, guest):
    account = {"email": ADDRESS, "password": PASSWORD, "first_name": "Nina", "last_name": "Nord"}
    assert (await guest.post("/http/register", account)).status == 200
    assert (await guest.post("/http/login", {"email": ADDRESS, "password": PASSWORD})).status == 401
    assert (await guest.get(find_link(world))).status == 200
    return "Nina"


async def token_of_actions(world, guest, name):
    answer = await guest.post("/user/token", {"user_name": name, "password": PASSWORD}, with_cookie=False)
    return answer.data["token"]


async def token_of_modes(world, guest, name):
    reply = await ask_modes(world, mode="auth", username=name, password=PASSWORD)
    assert reply["status"] == "200", reply
    return reply["token"]


async def token_of_rooms(world, guest, name):
    answer = await guest.post("/http/login", {"email": name, "password": PASSWORD}, with_cookie=False)
    assert answer.status == 200, answer.body
    assert answer.json["token"] == answer.json["data"]["token"]
    return answer.json["token"]


REGISTERED_BY = {"actions": register_natively, "modes": register_by_modes, "rooms": register_by_rooms}
TOKEN_OF = {"actions": token_of_actions, "modes": token_of_modes, "rooms": token_of_rooms}


@pytest.mark.gen_test
@pytest.mark.parametrize("registrar", REGISTERED_BY)
async def test_account_and_tokens_are_good_for_every_protocol(registrar, world, guest, no_presence):
    user_name = await REGISTERED_BY[registrar](world, guest)
    tokens = set()
    user_ids = set()
    for issuer, token_of in TOKEN_OF.items():
        for name in (user_name, ADDRESS, ADDRESS.lower(), ADDRESS.upper()):
            token = await token_of(world, guest, name)
            assert token not in tokens and token.isascii(), issuer
            assert set(token) <= set("-_.~") | set(map(chr, range(48, 123))), token
            tokens.add(token)
    for token in tokens:
        for protocol in PROTOCOLS:
            client = await CLIENTS[protocol].connect(world.port, token)
            assert await client.drain() == []
            client.close()
        for header in ({"authentication": token}, {"Authorization": f"Bearer {token}"}):
            answer = await guest.get("/http/users/profile", headers=header, with_cookie=False)
            user_ids.add(answer.json["data"]["user_id"])
            assert PASSWORD not in answer.body.decode()
        answer = await guest.get("/user", headers={"Authorization": f"Bearer {token}"}, with_cookie=False)
        user_ids.add(answer.data["id"])
        assert answer.data["email"] == ADDRESS
    assert len(user_ids) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("registrar", REGISTERED_BY)
async def test_names_and_addresses_are_taken_in_every_protocol(registrar, world, guest, no_presence, database):
    user_name = await REGISTERED_BY[registrar](world, guest)
    count = database.users.count_documents({})
    answer = await guest.post("/user/register", {"user_name": user_name, "password": PASSWORD}, with_cookie=False)
    assert answer.status == 409
    for username, email in ((user_name, "other@example.org"), ("other", ADDRESS.upper())):
        reply = await ask_modes(world, mode="register", username=username, password=PASSWORD, email=email)
        assert reply["status"] == "409"
    account = {"email": ADDRESS.lower(), "password": PASSWORD, "first_name": "N", "last_name": ""}
    assert (await guest.post("/http/register", account, with_cookie=False)).status == 409
    assert database.users.count_documents({}) == count


@pytest.mark.gen_test
@pytest.mark.parametrize("issuer", TOKEN_OF)
async def test_wrong_password_opens_nothing(issuer, world, guest, no_presence):
    await REGISTERED_BY["modes"](world, guest)
    wrong = PASSWORD[:-1]
    for name in ("nina", ADDRESS, "nobody", "#SYSTEM", "#DELETED"):
        if issuer == "actions":
            answer = await guest.post("/user/token", {"user_name": name, "password": wrong}, with_cookie=False)
            assert answer.status in (400, 403)
        elif issuer == "modes":
            assert (await ask_modes(world, mode="auth", username=name, password=wrong))["status"] == "401", name
        else:
            answer = await guest.post("/http/login", {"email": name, "password": wrong}, with_cookie=False)
            assert answer.status == 401, name


@pytest.mark.gen_test
async def test_name_that_is_anothers_address_opens_the_account_whose_password_fits(world, guest, no_presence):
    ids = {}
    for name, email, password in (("nina@example.org", "", "password-1"), ("other", "nina@example.org", "password-2")):
        person = Person(world.port, name, password)
        await person.register()
        if email:
            assert (await person.patch("/user", {"email": email, "old_password": password})).status == 200
        ids[password] = person.id
    for password, user_id in ids.items():
        reply = await ask_modes(world, mode="auth", username="nina@example.org", password=password)
        answer = await guest.post("/http/login", {"email": "nina@example.org", "password": password})
        for token in (reply["token"], answer.json["token"]):
            answer = await guest.get("/user", headers={"Authorization": f"Bearer {token}"})
            assert answer.data["id"] == user_id


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", ["methods", "modes", "rooms"])
async def test_socket_that_has_not_signed_in_is_not_online_and_hears_nothing(protocol, world, people, no_presence):
    await world.populate(people)
    await world.group("A B")
    await world.enter("A")
    silent = await CLIENTS[protocol].connect(world.port, None)
    await world.connect("B", None)
    await world.say("B")
    await world.settle()
    users = await world.http("B", "GET", "/http/users", {})
    assert {user["user_id"]: user["is_online"] for user in users}[world.facts["A"]] is False
    if protocol == "modes":
        assert await silent.drain() == []
    elif protocol == "methods":
        await silent.send(json.dumps({"method": "auth"}))
        assert (await silent.receive())["data"]["type"] == REFUSALS[protocol].not_signed_in
    else:
        await silent.send({"chat_type": "room"})
        assert refused_with(protocol, [await silent.receive()]) == REFUSALS[protocol].not_signed_in
    silent.close()
