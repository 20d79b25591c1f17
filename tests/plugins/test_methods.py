"""The methods protocol: frames, authorisation, errors. Source: contract "protocols" sections 0.7, 1.1 to 1.3."""

import json
from contextlib import suppress

import pytest
from clients.methods import MethodsClient, token_of
from nova_methods.handlers import METHODS
from nova_methods.packets import ERROR_TYPES
from nova_methods.schemas import KEY_MAX_BYTES
from tornado.websocket import WebSocketClosedError

from nova_tornado.domain.errors import ErrorCode, Unavailable
from nova_tornado.realtime.wire import FRAME_MAX_BYTES
from nova_tornado.services.chats import ChatService

DOCUMENT_METHODS = (
    "auth", "create_chat", "update_chat", "send_message", "read_messages", "remove_from_chat", "add_to_chat"
)  # fmt: skip
DOCUMENT_ERRORS = {"system_error", "access_error", "authorization_error", "field_error", "chat_duplication_error"}

NO_INTS = (None, True, 1.0, 1.5, "1", [], [1], {})
NO_CHATS = (0, -1, 99, 2**53 + 1, 10**30, -(10**30))


def test_methods_and_error_types_are_those_of_the_document():
    assert set(METHODS) == set(DOCUMENT_METHODS)
    assert ERROR_TYPES.keys() == set(ErrorCode)
    assert set(ERROR_TYPES.values()) <= DOCUMENT_ERRORS


# Authorisation


@pytest.mark.gen_test
async def test_auth_authorises_the_channel(people):
    alice = await people("alice")
    client = await MethodsClient.stranger(alice)
    token = await token_of(alice)
    answer = await client.call("auth", key={"a": [1, None]}, access_token=token)
    assert answer == {"type": "authenticated", "data": {"event_response_key": {"a": [1, None]}}}
    await client.send({"method": "auth"})
    assert await client.receive() == {"type": "authenticated", "data": {"event_response_key": None}}
    await client.send({"method": "auth", "access_token": None, "args": {}})
    await client.expect("authenticated")


@pytest.mark.gen_test
async def test_any_method_authorises_and_is_carried_out_at_once(people):
    alice, bob = await people("alice"), await people("bob")
    client = await MethodsClient.stranger(alice)
    await client.do("create_chat", {"users": [bob.id]}, access_token=await token_of(alice))
    await client.expect("chat_created")
    assert await client.drain() == []


@pytest.mark.gen_test
@pytest.mark.parametrize("method", DOCUMENT_METHODS)
async def test_every_method_needs_an_authorised_channel(people, method):
    alice = await people("alice")
    headers = {"Cookie": f"sessionid={alice.cookie}", "Authorization": f"Bearer {await token_of(alice)}"}
    client = await MethodsClient.stranger(alice, headers)
    await client.refused("authorization_error", method, {"users": "bad"}, key=7)
    await client.refused("authorization_error", method, access_token=None)
    for bad in ("", "x", "\0", "x" * 1_000_000, "\ud800", True, 1, 1.5, [], {}, {"$ne": None}):
        await client.refused("authorization_error", method, key="k", access_token=bad)


@pytest.mark.gen_test
async def test_a_bad_token_is_refused_on_an_authorised_channel_which_stays_so(people):
    alice, bob = await people("alice"), await people("bob")
    client = await MethodsClient.of(alice)
    for bad in ("", "x", 5, False, [], {}, await token_of(bob)):
        await client.refused("authorization_error", "create_chat", {"users": [bob.id]}, key=1, access_token=bad)
    assert await client.drain() == []
    await client.call("auth", access_token=client.token)
    await client.call("auth", access_token=await token_of(alice))
    await client.do("create_chat", {"users": [bob.id]})
    await client.expect("chat_created")


@pytest.mark.gen_test
async def test_a_channel_without_authorisation_hears_nothing(people):
    alice, bob = await people("alice"), await people("bob")
    silent = await MethodsClient.stranger(bob, {"Cookie": f"sessionid={bob.cookie}"})
    client = await MethodsClient.of(alice)
    await client.call("create_chat", {"users": [bob.id]})
    await silent.refused("authorization_error", "auth")


@pytest.mark.gen_test
async def test_the_end_of_the_token_closes_the_channel(nova, people):
    alice = await people("alice")
    client, other = await MethodsClient.of(alice), await MethodsClient.of(alice)
    await other.call("auth", access_token=client.token)  # not the one that authorised it
    session, _ = await nova.services.accounts.find_session(client.token)
    await nova.services.accounts.end_session(session)
    await client.expect_close(4401)
    assert await other.drain() == []
    await other.refused("authorization_error", "auth", access_token=client.token)


@pytest.mark.gen_test
async def test_deleting_the_account_closes_its_channels(people):
    alice = await people("alice")
    client = await MethodsClient.of(alice)
    assert (await alice.delete("/user")).status == 200
    await client.expect_close(4401)


@pytest.mark.gen_test
async def test_an_authorised_channel_makes_its_user_online(nova, people):
    alice = await people("alice")
    client = await MethodsClient.stranger(alice)
    await client.refused("authorization_error", "auth")
    assert not nova.hub.is_online(alice.id)
    await client.call("auth", access_token=await token_of(alice))
    assert nova.hub.is_online(alice.id)


# Frames


@pytest.mark.gen_test
async def test_what_is_no_json_object_is_malformed(people):
    client = await MethodsClient.of(await people("alice"))
    nested = "[" * 65 + "]" * 65
    bad = [
        "", " ", "x", "{", '{"method":"auth",}', "[]", "1", "null", '"auth"', "true", b"\xff", b'{"method":"auth"}',
        '{"method":"auth","args":{"event_response_key":NaN}}', '{"method":"auth","x":-Infinity}',
        '{"method":"auth","x":1e999}', '{"method":"auth","x":' + nested + "}", "[" * 100_000, "1" * 5_000,
    ]  # fmt: skip
    for frame in bad:
        await client.send(frame)
        await client.expect_error("system_error")
    assert await client.drain() == []


@pytest.mark.gen_test
async def test_unknown_methods_come_before_all_other_checks(people):
    alice = await people("alice")
    client = await MethodsClient.stranger(alice)
    for method in (None, "", "AUTH", "auth ", "no_such", "\ud800", 1, True, [], {}, ["auth"]):
        await client.send({"method": method, "access_token": 5, "args": {"event_response_key": 7}})
        await client.expect_error("system_error", 7)
    await client.send({})
    await client.expect_error("system_error")
    await client.send({"method": "no_such", "args": []})
    await client.expect_error("system_error")
    await client.send({"method": "no_such", "args": {"event_response_key": "\ud800"}})
    await client.expect_error("system_error")


@pytest.mark.gen_test
async def test_checks_are_made_in_their_order(people):
    alice, bob = await people("alice"), await people("bob")
    client = await MethodsClient.stranger(alice)
    await client.refused("authorization_error", "update_chat", {"chat": "x"})
    await client.call("auth", access_token=await token_of(alice))
    await client.refused("field_error", "update_chat", {"chat": 99, "title": ""})
    await client.refused("access_error", "update_chat", {"chat": 99, "title": None})
    await client.refused("field_error", "add_to_chat", {"chat": 99, "users": [bob.id, 99]})
    await client.refused("access_error", "add_to_chat", {"chat": 99, "users": [bob.id]})


@pytest.mark.gen_test
@pytest.mark.parametrize("args", [None, True, 1, "x", [], [{}]])
async def test_args_are_an_object(people, args):
    client = await MethodsClient.of(await people("alice"))
    for method in DOCUMENT_METHODS:
        await client.send({"method": method, "args": args})
        await client.expect_error("field_error")


@pytest.mark.gen_test
async def test_any_json_value_is_handed_back(people):
    client = await MethodsClient.of(await people("alice"))
    keys = (
        0,
        1,
        -1,
        1.5,
        1e300,
        10**30,
        -(10**30),
        True,
        False,
        "",
        "k",
        "\0",
        "é😀\u2028",
        [],
        {},
        [[[{"": [None]}]]],
    )
    for key in (*keys, [10**30, 1.5, "\0"], {"a": "x" * 100_000}):
        answer = await client.call("auth", key=key)
        assert answer == {"type": "authenticated", "data": {"event_response_key": key}}
        assert type(answer["data"]["event_response_key"]) is type(key)
        await client.refused("field_error", "create_chat", {"users": []}, key=key)
    for key in ("\ud800", ["x\udfff"], {"\ud800": 1}):
        await client.do("auth", key=key)
        await client.expect_error("field_error")
    assert await client.drain() == []


@pytest.mark.gen_test
async def test_large_keys_are_handed_back_but_not_by_events(people):
    alice, bob = await people("alice"), await people("bob")
    client = await MethodsClient.of(alice)
    for key in ("x" * KEY_MAX_BYTES, "x" * 15_000_000):
        answer = await client.call("auth", key=key)
        assert answer["data"]["event_response_key"] == key
        await client.refused("field_error", "create_chat", {"users": [bob.id]}, key=key)
    await client.do("create_chat", {"users": [bob.id]}, key="x" * (KEY_MAX_BYTES - 2))
    await client.expect("chat_created")


@pytest.mark.gen_test
async def test_frames_of_sixteen_mebibytes_are_answered_and_larger_ones_close(people):
    client = await MethodsClient.of(await people("alice"))
    frame = json.dumps({"method": "auth", "args": {}, "padding": ""})
    await client.send(frame.replace('""', '"' + "x" * (FRAME_MAX_BYTES - len(frame)) + '"'))
    await client.expect("authenticated")
    with suppress(WebSocketClosedError):  # the server does not wait for the end of the frame
        await client.send(frame.replace('""', '"' + "x" * FRAME_MAX_BYTES + '"'))
    await client.expect_close(1009)


# Fields


@pytest.mark.gen_test
async def test_wrong_types_are_field_errors(people):
    alice, bob = await people("alice"), await people("bob")
    client = await MethodsClient.of(alice)
    chat = (await client.call("create_chat", {"users": [bob.id], "title": "Group"}))["data"]["chat"]["id"]
    requests = {
        "update_chat": {"chat": chat, "title": "x"},
        "send_message": {"chat": chat, "text": "x"},
        "read_messages": {"chat": chat},
        "remove_from_chat": {"chat": chat, "users": [bob.id]},
        "add_to_chat": {"chat": chat, "users": [bob.id]},
        "create_chat": {"users": [bob.id]},
    }
    for method, args in requests.items():
        if "chat" in args:
            for bad in NO_INTS:
                await client.refused("field_error", method, {**args, "chat": bad}, key=1)
            await client.refused("field_error", method, {key: args[key] for key in args.keys() - {"chat"}})
            for bad in NO_CHATS:
                await client.refused("access_error", method, {**args, "chat": bad}, key=1)
        if "users" in args:
            for bad in (*NO_INTS[:-4], "x", {}, [], *([each] for each in NO_INTS), [bob.id, "x"], [bob.id, None]):
                await client.refused("field_error", method, {**args, "users": bad})
            for bad in NO_CHATS:
                await client.refused("field_error", method, {**args, "users": [bob.id, bad]})
            await client.refused("field_error", method, {key: args[key] for key in args.keys() - {"users"}})
            await client.refused("field_error", method, {**args, "users": [bob.id] * 100_000})
    for bad in (True, 1, 1.5, [], {}, "", "x" * 61, "\0", "a\ud800", "x" * 1_000_000):
        await client.refused("field_error", "update_chat", {"chat": chat, "title": bad})
        await client.refused("field_error", "create_chat", {"users": [bob.id], "title": bad})
    await client.refused("field_error", "update_chat", {"chat": chat})
    assert await client.drain() == []
    assert (await alice.get("/chat")).data[0]["chat"]["chat_name"] == "Group"


# Faults


@pytest.mark.gen_test
@pytest.mark.expects_log("internal error")
async def test_internal_failures_are_system_errors_without_insides(people, monkeypatch):
    alice = await people("alice")
    client = await MethodsClient.of(alice)

    async def fail(*_args, **_more):
        raise RuntimeError("secret insides")

    monkeypatch.setattr(ChatService, "edit", fail)
    error = await client.refused("system_error", "update_chat", {"chat": 1, "title": "x"}, key=1)
    assert "secret" not in error["detail"]

    async def refuse(*_args, **_more):
        raise Unavailable

    monkeypatch.setattr(ChatService, "edit", refuse)
    await client.refused("system_error", "update_chat", {"chat": 1, "title": "x"})
    assert await client.drain() == []


@pytest.mark.gen_test
async def test_many_requests_at_once_are_answered_in_their_order(people):
    client = await MethodsClient.of(await people("alice"))
    for number in range(500):
        await client.do("auth" if number % 2 else "create_chat", key=number)
    keys = [(await client.receive())["data"]["event_response_key"] for _ in range(500)]
    assert keys == list(range(500))
