"""Every kind of refusal × protocol: what a client sees.

The table says it for all of them. Each cell is tried in two ways: the server is made to refuse a request so, whatever
the request; and where a client can bring it about by itself, it does.

Source: contract "protocols" sections 0.5, 0.7, 1.3, 2.1, 3.1, 3.4 and 4.2; actions document, Error packets.
"""

import re

import nova_methods.packets
import nova_modes.packets
import nova_opcodes.packets
import nova_rooms.packets
import pytest
from together.changes import PROTOCOLS
from together.makers import filled
from together.refusals import REFUSALS, is_sentence, refused_with

from nova_tornado.domain.errors import ErrorCode, NovaError
from nova_tornado.native.errors import HTTP_STATUS, SOCKET_CODE

COLUMNS, *ROWS = (
    re.split(r"\s{2,}", line.strip())
    for line in """
kind                  actions  methods              modes  rooms  opcodes
malformed             400      system_error         400    400    error
bad_field             400      field_error          422    400    error
nothing_to_change     400      field_error          422    400    error
not_signed_in         400      authorization_error  401    401    error
wrong_credentials     400      authorization_error  401    401    error
wrong_password        400      authorization_error  401    401    error
origin_refused        400      authorization_error  403    403    error
user_unknown          400      field_error          409    404    error
friend_group_unknown  400      field_error          409    404    error
friend_unknown        400      field_error          409    404    error
invitation_unknown    400      field_error          409    404    error
chat_unknown          400      access_error         423    404    error
message_unknown       400      field_error          423    404    error
not_a_member          400      access_error         423    403    error
no_right              400      access_error         423    403    error
private_chat          400      access_error         423    404    error
name_taken            400      field_error          409    409    error
email_taken           400      field_error          409    409    error
already_friends       400      field_error          409    409    error
already_member        400      field_error          422    409    error
message_refused       400      access_error         423    403    error
repeat_mismatch       400      field_error          422    400    error
too_many_tokens       400      system_error         403    403    error
too_many_requests     429      system_error         429    429    error
too_large             413      field_error          413    413    error
unavailable           503      system_error         503    503    error
outcome_unknown       503      system_error         503    503    error
internal              500      system_error         500    500    error
""".strip().splitlines()
)
TABLE = {kind: dict(zip(COLUMNS[1:], cells, strict=True)) for kind, *cells in ROWS}
SENDS = {
    "actions": {"action": "send_message", "data": {"chat_id": "{chat}", "content": "x", "client_message_id": "y"}},
    "methods": {"method": "send_message", "args": {"chat": "{chat}", "text": "x", "event_response_key": "{key}"}},
    "modes": {
        "mode": "sendMessage",
        "token": "{token}",
        "chat_id": "{chat}",
        "content": "x",
        "content_type": "text",
    },
    "rooms": {"chat_type": "group", "chat_group_id": "{chat}", "message": "x"},
    "opcodes": {"op": 11, "t": 2, "d": {"chat_id": "{chat}", "message": "x"}},
}


async def prepare(world, people):
    await world.populate(people)
    world.facts["private"] = (await world.nova.services.chats.open_private(await world.user("A"), world.facts["B"]))[
        0
    ].id
    await world.group("A B")
    world.facts["token"] = world.tokens["A"]


def subclasses(kind):
    return [one for child in kind.__subclasses__() for one in (child, *subclasses(child))]


def test_every_kind_of_refusal_has_its_row():
    assert set(TABLE) == {code.value for code in ErrorCode}
    assert tuple(COLUMNS[1:]) == PROTOCOLS
    assert {kind.code for kind in subclasses(NovaError)} == set(ErrorCode)


def test_tables_of_the_protocols_are_total_and_say_the_same():
    for code in ErrorCode:
        row = TABLE[code.value]
        assert str(SOCKET_CODE[code]) == row["actions"]
        assert nova_methods.packets.ERROR_TYPES[code] == row["methods"]
        assert nova_modes.packets.STATUS[code] == row["modes"]
        assert str(nova_rooms.packets.CODE[code]) == row["rooms"]
        assert 400 <= HTTP_STATUS[code] < 600
        assert nova_opcodes.packets.REFUSAL[code] is None or is_sentence(nova_opcodes.packets.REFUSAL[code])


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_refusal_of_every_kind_is_shown_as_the_table_says(protocol, world, people, no_presence, monkeypatch):
    await prepare(world, people)
    await world.connect("B", None)
    asker = await world.another("A", protocol)
    wrong = []
    for kind in subclasses(NovaError):

        async def refuse(*_args, kind=kind, **_kwargs):
            raise kind

        with monkeypatch.context() as patch:
            patch.setattr(type(world.nova.services.messages), "send", refuse)
            await asker.send(filled(world, SENDS[protocol]))
            packets = await asker.drain()
        code = refused_with(protocol, packets)
        if str(code) != TABLE[kind.code.value][protocol]:
            wrong.append(f"{kind.__name__}: {code}")
        elif protocol == "methods" and packets[0]["data"]["event_response_key"] != world.facts["key"]:
            wrong.append(f"{kind.__name__}: another key: {packets}")
    assert not wrong, "\n".join(wrong)
    assert not any((await world.drain()).values())


@pytest.mark.gen_test
@pytest.mark.expects_log("internal error")
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_fault_of_ours_is_told_without_our_insides(protocol, world, people, no_presence, monkeypatch):
    await prepare(world, people)
    asker = await world.another("A", protocol)

    async def fail(*_args, **_kwargs):
        raise RuntimeError("secret: /var/lib/nova.py, E11000")

    monkeypatch.setattr(type(world.nova.services.messages), "send", fail)
    await asker.send(filled(world, SENDS[protocol]))
    packets = await asker.drain()
    assert str(refused_with(protocol, packets)) == TABLE["internal"][protocol]
    assert "secret" not in str(packets)


# What a client brings about by itself: (kind, protocol) → the frame, or the request over HTTP with its body.

A_TOKEN = {"token": "{token}"}
BY_CLIENT = {
    ("malformed", "actions"): "{",
    ("malformed", "methods"): "{",
    ("malformed", "modes"): "{",
    ("malformed", "rooms"): "{",
    ("malformed", "opcodes"): "{",
    ("bad_field", "actions"): {"action": "send_message", "data": {"chat_id": "{chat}", "content": 1}},
    ("bad_field", "methods"): {"method": "send_message", "args": {"chat": "{chat}", "text": 1}},
    ("bad_field", "modes"): {"mode": "getMessages", **A_TOKEN, "chat_id": "1"},
    ("bad_field", "rooms"): {"chat_type": "group", "chat_group_id": "{chat}", "message": ""},
    ("bad_field", "opcodes"): {"op": 11, "t": 2, "d": {"chat_id": "{chat}", "message": ""}},
    ("nothing_to_change", "methods"): {"method": "add_to_chat", "args": {"chat": "{chat}", "users": ["{B}"]}},
    ("nothing_to_change", "modes"): {
        "mode": "editGroupChat",
        **A_TOKEN,
        "chat_id": "{chat}",
        "remove_members": ["{C}"],
    },
    ("nothing_to_change", "opcodes"): {"op": 13, "t": 2, "d": {"chat_id": "{chat}", "add_users": ["{B}"]}},
    ("not_signed_in", "methods"): {"method": "auth", "access_token": "no token"},
    ("not_signed_in", "modes"): {"mode": "getChats", "token": "no token"},
    ("not_signed_in", "rooms"): {"token": "no token"},
    ("wrong_credentials", "modes"): {"mode": "auth", "username": "anna", "password": "secret3"},
    ("wrong_credentials", "rooms"): ("POST /http/login", {"email": "anna", "password": "secret3"}),
    ("wrong_password", "modes"): {"mode": "changeEmail", **A_TOKEN, "email": "a@example.org", "password": "secret3"},
    ("user_unknown", "methods"): {"method": "create_chat", "args": {"users": [10**6]}},
    ("user_unknown", "modes"): {"mode": "createChat", **A_TOKEN, "contact_value": "nobody", "contact_mode": "username"},
    ("user_unknown", "rooms"): {"chat_type": "room", "other_user_id": 10**6, "message": "x"},
    ("user_unknown", "opcodes"): {"op": 13, "t": 1, "d": {"user_ids": [10**6], "type": 1}},
    ("chat_unknown", "actions"): {"action": "send_message", "data": {"chat_id": 10**6, "content": "x"}},
    ("chat_unknown", "methods"): {"method": "read_messages", "args": {"chat": 10**6}},
    ("chat_unknown", "modes"): {"mode": "getMessages", **A_TOKEN, "chat_id": 10**6},
    ("chat_unknown", "rooms"): {"chat_type": "group", "chat_group_id": 10**6, "message": "x"},
    ("chat_unknown", "opcodes"): {"op": 11, "t": 1, "d": {"chat_id": 10**6, "message": "x"}},
    ("message_unknown", "actions"): {"action": "recall_message", "data": {"message_id": 10**6}},
    ("message_unknown", "opcodes"): {"op": 11, "t": 7, "d": {"chat_id": "{chat}", "message_id": 10**6}},
    ("not_a_member", "actions"): {"action": "messages_read", "data": {"chat_id": "{foreign}"}},
    ("not_a_member", "methods"): {"method": "read_messages", "args": {"chat": "{foreign}"}},
    ("not_a_member", "modes"): {"mode": "getMessages", **A_TOKEN, "chat_id": "{foreign}"},
    ("not_a_member", "rooms"): {"chat_type": "group", "chat_group_id": "{foreign}", "message": "x"},
    ("not_a_member", "opcodes"): {"op": 11, "t": 2, "d": {"chat_id": "{foreign}", "message": "x"}},
    ("no_right", "methods"): {"method": "update_chat", "args": {"chat": "{owned by B}", "title": "x"}},
    ("no_right", "modes"): {"mode": "deleteGroupChat", **A_TOKEN, "chat_id": "{owned by B}"},
    ("no_right", "rooms"): ("PUT /http/chat_groups", {"group_id": "{owned by B}", "name": "x"}),
    ("no_right", "opcodes"): {"op": 13, "t": 2, "d": {"chat_id": "{owned by B}", "chat": "x"}},
    ("private_chat", "methods"): {"method": "update_chat", "args": {"chat": "{private}", "title": "x"}},
    ("private_chat", "modes"): {"mode": "editGroupChat", **A_TOKEN, "chat_id": "{private}", "chat_name": "x"},
    ("private_chat", "rooms"): {"chat_type": "group", "chat_group_id": "{private}", "message": "x"},
    ("private_chat", "opcodes"): {"op": 13, "t": 2, "d": {"chat_id": "{private}", "chat": "x"}},
    ("name_taken", "modes"): {"mode": "changeUsername", **A_TOKEN, "username": "bert"},
    ("email_taken", "modes"): {"mode": "changeEmail", **A_TOKEN, "email": "B@Example.org", "password": "secret1"},
    ("email_taken", "rooms"): (
        "POST /http/register",
        {"email": "B@EXAMPLE.org", "password": "secret1", "first_name": "B", "last_name": ""},
    ),
    ("already_friends", "opcodes"): {"op": 16, "t": 1, "d": {"user_id": "{X}"}},
    ("invitation_unknown", "opcodes"): {"op": 16, "t": 2, "d": {"user_id": "{B}", "type": 1}},
}
ELSEWHERE = {
    "origin_refused": "a handshake, below",
    "message_refused": "tests/plugins/test_message_filters_protocols.py",
    "repeat_mismatch": "test_repeats.py",
    "too_many_tokens": "below",
    "too_many_requests": "tests/protocols/test_sign_in_limits.py and below",
    "too_large": "over HTTP, below",
    "unavailable": "tests/storage/test_faults.py",
    "outcome_unknown": "tests/storage/test_faults.py",
    "internal": "above",
    "friend_group_unknown": "actions has friend groups, over HTTP: tests/protocols/test_friend_groups.py",
    "friend_unknown": "actions has them, over HTTP: tests/protocols/test_friends.py",
    "already_member": "actions has it, over HTTP: tests/plugins/test_chat_invitations.py",
}
NO_REQUEST = {
    "nothing_to_change": {"actions": "over HTTP only", "rooms": "it has no request that adds or removes others"},
    "not_signed_in": {"actions": "the handshake", "opcodes": "the handshake"},
    "wrong_credentials": {"actions": "over HTTP only", "methods": "tokens only", "opcodes": "tokens only"},
    "wrong_password": {
        "actions": "over HTTP only",
        "methods": "no profile",
        "rooms": "it asks for no old password",
        "opcodes": "no profile",
    },
    "user_unknown": {"actions": "over HTTP only"},
    "message_unknown": dict.fromkeys(("methods", "modes", "rooms"), "it has no request about one message"),
    "no_right": {"actions": "over HTTP only"},
    "private_chat": {"actions": "over HTTP only"},
    "name_taken": dict.fromkeys(("actions", "methods", "rooms", "opcodes"), "no user names over the socket"),
    "email_taken": dict.fromkeys(("actions", "methods", "opcodes"), "no addresses over the socket"),
    "already_friends": dict.fromkeys(("actions", "methods", "modes", "rooms"), "no friends over the socket"),
    "invitation_unknown": dict.fromkeys(("actions", "methods", "modes", "rooms"), "no friends over the socket"),
}


def test_every_cell_is_declared():
    cells = {(kind, protocol) for kind in TABLE for protocol in PROTOCOLS}
    declared = set(BY_CLIENT)
    declared |= {(kind, protocol) for kind in ELSEWHERE for protocol in PROTOCOLS}
    declared |= {(kind, protocol) for kind, reasons in NO_REQUEST.items() for protocol in reasons}
    assert declared == cells
    assert len(BY_CLIENT) + len(ELSEWHERE) * len(PROTOCOLS) + sum(map(len, NO_REQUEST.values())) == len(cells)


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_client_brings_about_what_it_can(protocol, world, people, no_presence):
    await prepare(world, people)
    await world.befriend("A", "X")
    for name, members in (("foreign", "B C"), ("owned by B", "B A"), ("chat", "A B")):
        await world.group(members)
        world.facts[name] = world.facts["chat"]
    await world.persons["B"].patch("/user", {"email": "b@example.org", "old_password": "secret1"})
    await world.settle()
    await world.connect("BX", None)
    asker = await world.another("A", protocol)
    await asker.drain()
    for (kind, where), request in BY_CLIENT.items():
        if where != protocol:
            continue
        if isinstance(request, tuple):
            method, path = request[0].split(" ")
            headers = {"authentication": world.tokens["A"]}
            body = filled(world, request[1])
            answer = await world.persons["A"].request(method, path, body, headers=headers, with_cookie=False)
            assert str(answer.status) == TABLE[kind][protocol], (kind, answer.body)
            assert is_sentence(answer.json["data"])
        else:
            await asker.send(filled(world, request) if isinstance(request, dict) else request)
            assert str(refused_with(protocol, await asker.drain())) == TABLE[kind][protocol], kind
    assert not any((await world.drain()).values())


@pytest.mark.gen_test
async def test_eleventh_token_of_modes_is_refused(world, people, no_presence):
    await prepare(world, people)
    asker = await world.another("B", "modes")
    request = {"mode": "auth", "username": "anna", "password": "secret1"}
    for _ in range(10):
        await asker.send(request)
        [packet] = await asker.drain()
    assert packet["status"] == "200"
    await asker.send(request)
    assert refused_with("modes", await asker.drain()) == TABLE["too_many_tokens"]["modes"]
    await asker.send({"mode": "logout", "token": packet["token"]})
    await asker.drain()
    await asker.send(request)
    assert [packet["status"] for packet in await asker.drain()] == ["200"]


PATHS = {
    "actions": "/ws/",
    "methods": "/ws/chat/",
    "modes": "/ws/modes/",
    "rooms": "/socket",
    "opcodes": "/ws/opcodes/",
}


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_pages_of_other_sites_are_refused_at_the_handshake(protocol, world, people, no_presence):
    await prepare(world, people)
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Authorization": f"Bearer {world.tokens['A']}",
        "Origin": "https://elsewhere.example.org",
    }
    answer = await world.persons["A"].get(PATHS[protocol], headers=headers)
    assert answer.status == 403
    assert REFUSALS[protocol]


@pytest.mark.gen_test
async def test_too_large_a_body_is_413_in_the_shape_of_the_path(world, people, no_presence):
    await prepare(world, people)
    headers = {"authentication": world.tokens["A"], "Content-Length": str(17 * 1024 * 1024)}
    for path, flag in (("/http/chat_groups", "status"), ("/chat/new", "ok")):
        answer = await world.persons["A"].request("POST", path, raw_body=b"", headers=headers)
        assert answer.status == 413
        assert answer.json[flag] is False
