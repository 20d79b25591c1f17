"""Whoever wants what is not his is refused, in every protocol: nothing changes, and nobody hears of it.

Source: contract "protocols" section 0.5.
"""

import re

import nova_methods.handlers
import nova_modes.handlers
import nova_opcodes.handlers
import nova_rooms.handlers
import pytest
from people import NOTHING
from together.makers import filled
from together.refusals import refused_with
from together.requests_of_chats import ELSEWHERE, REQUESTS

CALLERS = {"outsider": "C", "removed": "C", "member": "B"}


async def prepare(world, people, caller):
    """A group and a private chat with messages, and somebody who wants something."""
    await world.populate(people)
    facts = world.facts
    facts["D"] = (await people("dora")).id
    letter = CALLERS[caller]
    members = [facts["B"], facts["D"], *([facts["C"]] if caller == "removed" else [])]
    owner = await world.user("A")
    chats = world.nova.services.chats
    facts["private"] = facts["chat"] = (await chats.open_private(owner, facts["B"]))[0].id
    await world.say("A")
    facts["old private"] = facts["old"]
    facts["chat"] = (await chats.create_group(owner, "Readers", members)).id
    await world.enter("B")
    await world.say("B")
    facts["own"] = facts["old"]
    await world.say("A")
    if caller == "removed":
        await world.enter("C")
        await chats.edit(owner, facts["chat"], remove_ids=[facts["C"]])
    facts["me"], facts["token"] = facts[letter], world.tokens[letter]
    await world.settle()
    await world.connect("ABCX", None)
    return letter


async def code_of(world, letter, request, asker, protocol):
    """How a request is refused."""
    if request.http:
        method, path = request.http.format(**world.facts).split(" ", 1)
        body = NOTHING if request.body is None else filled(world, request.body)
        headers = {"authentication": world.facts["token"]}
        answer = await world.persons[letter].request(method, path, body, headers=headers, with_cookie=False)
        if answer.status != 200:
            assert answer.json.keys() == {"status", "data"} and answer.json["status"] is False
        return answer.status
    await asker.send(filled(world, request.frame))
    return refused_with(protocol, await asker.drain())


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", REQUESTS)
@pytest.mark.parametrize("caller", CALLERS)
async def test_who_may_not_is_refused(caller, protocol, world, people, stored, no_presence):
    letter = await prepare(world, people, caller)
    asker = await world.another(letter, protocol)
    before = stored()
    wrong = []
    asked = 0
    for request in REQUESTS[protocol]:
        if caller not in request.refused.split():
            continue
        asked += 1
        code = await code_of(world, letter, request, asker, protocol)
        if code != request.code:
            wrong.append(f"{request} gave {code}")
        for (who, where), packets in (await world.drain()).items():
            if packets:
                wrong.append(f"{request} told {who} by {where}: {packets}")
        if stored() != before:
            wrong.append(f"{request} changed something")
            before = stored()
    assert not wrong, "\n".join(wrong)
    assert asked > 5


@pytest.mark.gen_test
@pytest.mark.parametrize("caller", ["outsider", "removed"])
async def test_chats_of_others_are_in_no_list(caller, world, people, no_presence):
    letter = await prepare(world, people, caller)
    [packet] = await say(world, letter, "modes", {"mode": "getChats", "token": world.tokens[letter]})
    assert packet["chats"] == []
    for path in ("/http/chat_groups", "/http/chat_rooms", "/http/notifications"):
        assert await world.http(letter, "GET", path, {}) == [], path
    assert world.clients[letter, "opcodes"].lists["chat_ids"] == []
    person = world.persons[letter]
    assert (await person.get("/chat")).data == []
    for path, status in (("messages", 403), ("messages?limit=1", 403)):
        assert (await person.get(f"/chat/{world.facts['chat']}/{path}")).status == status
    assert (await person.post(f"/chat/{world.facts['chat']}/filter", {"begin_time": 0})).status == 403


async def say(world, letter, protocol, frame):
    await world.clients[letter, protocol].send(frame)
    return await world.clients[letter, protocol].drain()


@pytest.mark.gen_test
async def test_files_of_others_cannot_be_sent(world, people, no_presence, stored):
    await prepare(world, people, "outsider")
    head = b'--end\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nx\r\n--end--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=end"}
    answer = await world.persons["A"].request("POST", "/files", raw_body=head, headers=headers)
    before = stored()
    data = {"chat_id": world.facts["chat"], "content": "", "files": [answer.data["id"]]}
    packets = await say(world, "B", "actions", {"action": "send_message", "data": data})
    assert refused_with("actions", packets) == 400
    assert stored() == before
    assert not any((await world.drain()).values())


@pytest.mark.gen_test
async def test_token_of_another_account_is_no_key_to_a_channel(world, people, no_presence, stored):
    await prepare(world, people, "outsider")
    before = stored()
    mine = world.tokens["A"]
    frames = {
        "methods": {"method": "send_message", "access_token": mine, "args": {"chat": world.facts["chat"], "text": "x"}},
        "rooms": {"chat_type": "group", "token": mine, "chat_group_id": world.facts["chat"], "message": "x"},
    }
    for protocol, code in (("methods", "authorization_error"), ("rooms", 401)):
        assert refused_with(protocol, await say(world, "C", protocol, frames[protocol])) == code
    assert stored() == before


@pytest.mark.gen_test
async def test_removal_takes_effect_at_once_in_every_protocol(world, people, no_presence):
    await prepare(world, people, "member")
    await world.nova.services.chats.edit(await world.user("A"), world.facts["chat"], remove_ids=[world.facts["B"]])
    await world.drain()
    await world.say("A")
    received = await world.drain()
    assert not any(packets for (who, _), packets in received.items() if who == "B"), received
    assert all(packets for (who, protocol), packets in received.items() if who == "A" and protocol != "opcodes")
    again = await world.another("B", "opcodes")
    assert again.lists["chat_ids"] == [world.facts["private"]]


def test_every_request_with_a_chat_is_asked():
    def listed(protocol):
        return {request.name for request in REQUESTS[protocol]} | ELSEWHERE[protocol]

    assert listed("methods") == set(nova_methods.handlers.METHODS)
    assert listed("modes") == {*nova_modes.handlers.OPEN_MODES, *nova_modes.handlers.SIGNED_MODES}
    assert listed("opcodes") == {f"{op}/{t}" for op, t in nova_opcodes.handlers.OPERATIONS}
    asked = {re.sub(r"/\{\w+\}", "/<>", name.partition("?")[0]) for name in listed("rooms") - ELSEWHERE["rooms"]}
    served = {
        f"{method} {path}"
        for pattern, handler, *_ in nova_rooms.handlers.ROUTES
        if (path := re.sub(r"\(.*?\)", "<>", pattern)) not in ELSEWHERE["rooms"]
        for method in handler.allowed_methods()
        if method != "OPTIONS"
    }
    unnamed = {"GET /http/notifications", "GET /http/chat_groups", "POST /http/chat_groups"}
    assert asked - {"group"} == served - unnamed
