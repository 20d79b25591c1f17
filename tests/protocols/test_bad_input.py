"""Bad input by HTTP: every endpoint that takes a body × everything that can be wrong with it.

Source: contract "protocols" sections 0.2 and 0.7; contract "actions" sections 1 to 5.
"""

import json
from typing import NamedTuple

import pytest
from stored import snapshot

JSON = {"Content-Type": "application/json"}
MEGABYTE = "x" * 1_000_000
TOKEN = "@the value@"
ABSENT = object()
OPERATORS = [{"$ne": None}, {"$gt": ""}, {"$regex": ".*"}, {"$in": [1, "alice"]}, {"$where": "1"}, {"$exists": True}]
INSIDES = [
    "traceback",
    'file "',
    ".py",
    "mongo",
    "bson",
    "orjson",
    "marshmallow",
    "nova_tornado",
    "exception",
    "e11000",
    "$",
]

NO_STRINGS = [ABSENT, None, True, False, 0, 1, 1.5, [], ["alice"], {}, *OPERATORS, "a\0b"]
NO_IDS = [ABSENT, None, True, False, 1.0, 1.5, -0.5, "", "1", "x", "\0", [], [1], {}, *OPERATORS, MEGABYTE]
UNKNOWN_IDS = [0, -1, 999_999, 2**53, 2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63), 10**30, -(10**30), 10**300]
BAD = {
    # kind of field: values that are refused
    "name": [*NO_STRINGS, "", MEGABYTE, "a b", "#SYSTEM", "ä", "$ne"],
    "password": [*NO_STRINGS, "", "short", "with space", MEGABYTE],
    "text": [*NO_STRINGS, MEGABYTE],
    "part of a name": NO_STRINGS,
    "id": [*NO_IDS, *UNKNOWN_IDS],
    "id to look for": NO_IDS,
    "ids": [
        *(ABSENT, None, True, 1, 1.5, "", "1", {}, *OPERATORS, MEGABYTE, [None], [True], [1.5], ["1"], [[1]], [{}]),
        *([operator] for operator in OPERATORS),
        *([unknown] for unknown in UNKNOWN_IDS),
        list(range(10_000, 110_000)),
    ],
    "source": [
        *(ABSENT, None, True, 1.0, "", "1", "x", "Search", "search\0", [], {}, *OPERATORS, MEGABYTE),
        *UNKNOWN_IDS,
    ],
    "boolean": [ABSENT, None, 0, 1, 1.5, "", "true", [], [True], {}, {"is_admin": True}, *OPERATORS, MEGABYTE],
    "time": [
        *(
            None,
            True,
            False,
            "",
            "x",
            "1s",
            "0x10",
            "1,5",
            "\0",
            "inf",
            "-inf",
            "Infinity",
            "1e999",
            [],
            [1],
            {},
            *OPERATORS,
        ),
        *(MEGABYTE, "1" * 1_000_000, 1e300, -1e300, 10**30, "nan"),
    ],
    "number": [*NO_IDS, 0, -1, 2**53, 10**30, -(10**30), 1e300],
    "words": [
        *(ABSENT, None, True, 1, 1.5, "", "word", {}, [], [None], [True], [1], [["word"]], [{}], *OPERATORS, MEGABYTE),
        *([""], [" "], ["..."], ["\0"], ["w" * 101], ["word", None], ["word"] * 10_001),
    ],
    "domains": [True, 1, "", "a.org", {}, [None], [1], [""], ["a"], ["a b.org"], ["https://a.org"], ["a..org"], ["*"]],
    "pattern": [*NO_STRINGS, "", "(", "a**", "(?=a)", r"(a)\1", "a{2000}", "(a{900}){900}", "a*", "x" * 501, MEGABYTE],
    "rule": [ABSENT, None, True, 1, "", "words", [], {}, [{}], {"name": "x"}, *OPERATORS, MEGABYTE],
    "flag": [0, 1, "", "true", [], {}, *OPERATORS],
}


RULE = {"name": "No", "kind": "words", "words": ["darn"], "action": "refuse", "enabled": True, "exempt_managers": False}


class Endpoint(NamedTuple):
    """An endpoint that takes a body.

    ``body`` is right; it holds the ids of the world below in ``{}``. ``kinds`` says what each field is; where they are
    ``optional``, any one of them may be missing.
    """

    name: str
    body: object
    kinds: dict
    optional: bool = False


CREDENTIALS = {"user_name": "alice", "password": "secret1"}
PROFILE = {
    "old_password": "secret1",
    "new_password": "secret2",
    "email": "a@b.c",
    "phone": "15912345678",
    "user_name": "eve",
    "avatar_url": "https://x",
}
ENDPOINTS = [
    Endpoint("POST /user/register", {**CREDENTIALS, "user_name": "new"}, {"user_name": "name", "password": "password"}),
    Endpoint("POST /user/login", CREDENTIALS, {"user_name": "name", "password": "password"}),
    Endpoint("POST /user/token", CREDENTIALS, {"user_name": "name", "password": "password"}),
    Endpoint(
        "PATCH /user",
        PROFILE,
        {**dict.fromkeys(PROFILE, "text"), "user_name": "name", "new_password": "password"},
        optional=True,
    ),
    Endpoint("POST /friend/group/add", {"group_name": "New"}, {"group_name": "text"}),
    Endpoint("PATCH /friend/group/{group}", {"group_name": "New"}, {"group_name": "text"}),
    Endpoint("POST /friend/find", {"id": "{bob}"}, {"id": "id to look for"}),
    Endpoint("POST /friend/find", {"name_contains": "bo"}, {"name_contains": "part of a name"}),
    Endpoint(
        "POST /friend/invite",
        {"id": "{dave}", "comment": "", "source": "search"},
        {"id": "id", "comment": "text", "source": "source"},
    ),
    Endpoint(
        "PATCH /friend/{bob}", {"nickname": "New", "group_id": "{group}"}, {"nickname": "text", "group_id": "id"}, True
    ),
    Endpoint(
        "POST /chat/new", {"chat_name": "New", "chat_members": ["{bob}"]}, {"chat_name": "text", "chat_members": "ids"}
    ),
    Endpoint("POST /chat/{chat}/invite", {"user_id": "{carol}"}, {"user_id": "id"}),
    Endpoint("POST /chat/{chat}/filter", {"begin_time": 0}, {"begin_time": "time"}),
    Endpoint("POST /chat/{chat}/filter", {"end_time": "1.5"}, {"end_time": "time"}),
    Endpoint("POST /chat/{chat}/filter", {"sender": ["{bob}"]}, {"sender": "ids"}),
    Endpoint(
        "POST /chat/{chat}/rules",
        {**RULE, "reason": "Be nice"},
        {
            "name": "text",
            "kind": "text",
            "words": "words",
            "action": "text",
            "enabled": "flag",
            "exempt_managers": "flag",
        },
    ),
    Endpoint(
        "POST /chat/{chat}/rules",
        {**RULE, "kind": "pattern", "pattern": "[0-9]{16}", "action": "mute", "mute_s": 60},
        {"pattern": "pattern", "mute_s": "number"},
    ),
    Endpoint(
        "POST /chat/{chat}/rules",
        {**RULE, "kind": "links", "allowed_domains": ["example.org"]},
        {"allowed_domains": "domains"},
    ),
    Endpoint(
        "POST /chat/{chat}/rules",
        {**RULE, "kind": "rate", "messages": 5, "window_s": 60},
        {"messages": "number", "window_s": "number"},
    ),
    Endpoint(
        "PATCH /chat/{chat}/rules/{rule}",
        {"name": "New", "words": ["dash"], "action": "hold"},
        {"name": "text", "words": "words", "action": "text"},
        True,
    ),
    Endpoint("POST /chat/{chat}/rules/rehearse", {"rule": RULE, "messages": 10}, {"rule": "rule"}),
    Endpoint("POST /chat/{chat}/rules/{rule}/rehearse", {"messages": 10}, {"messages": "number"}, True),
    Endpoint("POST /chat/{chat}/{bob}/admin", True, {}),
    Endpoint("POST /chat/{chat}/set_owner", {"chat_owner": "{bob}"}, {"chat_owner": "id"}),
]
BODILESS = [
    "POST /user/logout",
    "DELETE /user",
    "DELETE /friend/group/{group}",
    "POST /friend/invitation/{invitation}",
    "DELETE /friend/invitation/{invitation}",
    "DELETE /friend/{bob}",
    "POST /chat/{chat}/invitation/{carol}",
    "DELETE /chat/{chat}/invitation/{carol}",
    "POST /chat/{chat}/rules/{rule}/rehearse",
    "DELETE /chat/{chat}/rules/{rule}",
    "DELETE /chat/{chat}/mutes",
    "DELETE /chat/{chat}",
    "DELETE /chat/{chat}/{bob}",
]

BROKEN_BODIES = [
    *(
        b"",
        b" ",
        b"{",
        b"}",
        b"{]",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":}',
        b"{} {}",
        b"{}x",
        b"nul",
        b"None",
        b"\0",
        b"\xff",
    ),
    *(b"NaN", b"-Infinity", b'{"a":NaN}', b'{"a":"\\ud800"}', b'{"\\udc00":1}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\n"}'),
    *(
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"a":1e999}',
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b"{" * 65 + b"}" * 65,
    ),
    *(
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b"a=b&c=d",
        b"<x/>",
        b"--x\r\n\r\n",
        MEGABYTE.encode(),
        b"1" * 1_000_000,
    ),
]
NO_OBJECTS = [b"[]", b'["a"]', b"[{}]", b'""', b'"x"', b"0", b"1", b"1.5", b"1e30", b"null", b"false", b"[true]"]
BROKEN_VALUES = [
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "1" * 400,
        "01",
        "0x1",
        "+1",
        ".5",
        "'x'",
        "undefined",
        '"\\ud800"',
    ),
    *('"\\udfff\\ud800"', '"\\x41"', '"\x01"', "[" * 64 + "]" * 64, '{"a":' * 64 + "1" + "}" * 64, "[" * 100_000),
]


class World:
    """Alice, her friends Bob and Carol, the stranger Dave, their group, and all who might hear of a change."""

    async def build(self, people):
        self.alice, bob, carol, dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
        for other in (bob, carol):
            await self.alice.befriend(other)
        chat = await self.alice.new_group(bob)
        assert (await self.alice.post(f"/chat/{chat}/invite", {"user_id": carol.id})).data is None
        group = (await self.alice.post("/friend/group/add", {"group_name": "G"})).data["group_id"]
        eve = await people("mallory")
        assert (await eve.post("/friend/invite", {"id": self.alice.id, "comment": "", "source": "search"})).data is None
        [invitation] = (await self.alice.get("/friend/invitation")).data
        self.ids = {"bob": bob.id, "carol": carol.id, "dave": dave.id, "chat": chat, "group": group}
        self.ids["invitation"] = invitation["id"]
        self.ids["rule"] = (await self.alice.post(f"/chat/{chat}/rules", {**RULE, "enabled": False})).data["rule_id"]
        self.sockets = [await person.socket() for person in (self.alice, bob, carol, dave)]
        return self

    def fill(self, value):
        """Put the ids into a body."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return self.ids[value[1:-1]] if isinstance(value, str) and value.startswith("{") else value

    async def ask(self, name, body):
        """Send a body of bytes to an endpoint."""
        method, path = name.split()
        return await self.alice.request(method, path.format(**self.ids), raw_body=body, headers=JSON)

    async def expect_silence(self):
        for socket in self.sockets:
            await socket.expect_nothing()


def check_refusal(answer, status, what):
    """The documented status, in the protocol's shape, without a word about the server's insides."""
    assert answer.status == status, (what, answer.status, answer.body[:300])
    assert answer.headers["Content-Type"] == "application/json", what
    error = answer.error.lower()
    assert len(error) < 150 and not [word for word in INSIDES if word in error], (what, error)
    assert "Set-Cookie" not in answer.headers, what


def shown(value):
    return "absent" if value is ABSENT else repr(value)[:80]


def expected_status(endpoint, key, value):
    """What the contract says to a bad value."""
    if (endpoint.name, key) == ("PATCH /user", "old_password") and isinstance(value, str):
        return 403  # it is a password, but not the right one
    return 400


def may_be(endpoint, key, value):
    """Whether what is bad elsewhere is fine here: a field that may be missing, a null that counts as missing."""
    if value is None:
        return endpoint.name == "PATCH /user" or "/rules/{rule}" in endpoint.name or key == "sender"
    return value is ABSENT and endpoint.optional


def cases(endpoint):
    """Field, bad value and the body with it."""
    for key, kind in endpoint.kinds.items():
        for value in BAD[kind]:
            if may_be(endpoint, key, value):
                continue
            body = {name: each for name, each in endpoint.body.items() if name != key}
            yield key, value, body if value is ABSENT else {**body, key: value}
    if endpoint.body is True:
        for value in BAD["boolean"]:
            if value is not ABSENT:
                yield "the body", value, value


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.name} {','.join(endpoint.kinds)}")
@pytest.mark.gen_test
async def test_bad_bodies_are_refused_and_change_nothing(people, database, endpoint):
    world = await World().build(people)
    before = snapshot(database)
    good = world.fill(endpoint.body)
    for body in (*BROKEN_BODIES, *(NO_OBJECTS if isinstance(good, dict) else [])):
        check_refusal(await world.ask(endpoint.name, body), 400, body[:60])
    for key, value, body in cases(endpoint):
        answer = await world.ask(endpoint.name, json.dumps(world.fill(body)).encode())
        check_refusal(answer, expected_status(endpoint, key, value), (key, shown(value)))
        assert snapshot(database) == before, (key, shown(value))
    for key in endpoint.kinds:
        for value in BROKEN_VALUES:
            body = json.dumps({**good, key: TOKEN}).replace(f'"{TOKEN}"', value)
            check_refusal(await world.ask(endpoint.name, body.encode()), 400, (key, value[:60]))
    assert snapshot(database) == before
    await world.expect_silence()
    more = {**good, "$where": "1", "__proto__": {}, "": MEGABYTE, "more": [10**30]} if isinstance(good, dict) else good
    assert (await world.ask(endpoint.name, json.dumps(more).encode())).status == 200  # it was not refused for nothing


@pytest.mark.parametrize("name", BODILESS)
@pytest.mark.gen_test
async def test_broken_bodies_are_refused_where_none_is_needed(people, database, name):
    world = await World().build(people)
    before = snapshot(database)
    for body in BROKEN_BODIES:
        check_refusal(await world.ask(name, body), 400, body[:60])
    assert snapshot(database) == before
    await world.expect_silence()
    assert (await world.ask(name, b"{}")).data is not False


@pytest.mark.gen_test
async def test_unknown_ids_in_paths_get_the_documented_status_and_change_nothing(people, database):
    world = await World().build(people)
    before = snapshot(database)
    for unknown in (value for value in UNKNOWN_IDS if value >= 0):
        ids = {**world.ids, "x": unknown}
        for status, request in (
            *((404, f"GET {path}") for path in ("/user/{x}", "/user/{x})", "/friend/{x}", "/friend/group/{x}")),
            (404, "GET /chat/{x}/messages"),
            *((400, f"{method} /chat/{{x}}") for method in ("GET", "DELETE")),
            *((400, f"DELETE {path}") for path in ("/friend/{x}", "/friend/group/{x}", "/friend/invitation/{x}")),
            *((400, f"POST {path}") for path in ("/friend/invitation/{x}", "/chat/{x}/invitation/{carol}")),
            *((400, f"DELETE {path}") for path in ("/chat/{x}/invitation/{carol}", "/chat/{chat}/invitation/{x}")),
            *((400, f"{request}") for request in ("POST /chat/{chat}/invitation/{x}", "GET /chat/{x}/invitation")),
            *((400, f"DELETE {path}") for path in ("/chat/{x}/{bob}", "/chat/{chat}/{x}", "/chat/{x}/{x}")),
            *((400, f"GET /chat/{{x}}/{what}") for what in ("rules", "held", "mutes")),
            *((400, f"DELETE /chat/{{x}}/{what}") for what in ("rules/{rule}", "held/1", "mutes", "mutes/{bob}")),
            *((400, f"DELETE /chat/{{chat}}/{what}/{{x}}") for what in ("rules", "held", "mutes")),
            *((400, f"POST {path}") for path in ("/chat/{x}/held/1", "/chat/{chat}/held/{x}")),
            *((400, f"POST {path}") for path in ("/chat/{x}/rules/{rule}/rehearse", "/chat/{chat}/rules/{x}/rehearse")),
        ):
            method, path = request.format(**ids).split()
            check_refusal(await world.alice.request(method, path), status, (request, unknown))
        for request, body in (
            ("PATCH /friend/group/{x}", {"group_name": "x"}),
            ("PATCH /friend/{x}", {"nickname": "x"}),
            ("POST /chat/{x}/invite", {"user_id": world.ids["carol"]}),
            ("POST /chat/{x}/filter", {"begin_time": 0}),
            ("POST /chat/{x}/rules", RULE),
            ("POST /chat/{x}/rules/rehearse", {"rule": RULE}),
            ("PATCH /chat/{x}/rules/{rule}", {"name": "y"}),
            ("PATCH /chat/{chat}/rules/{x}", {"name": "y"}),
            ("POST /chat/{x}/{bob}/admin", True),
            ("POST /chat/{chat}/{x}/admin", True),
            ("POST /chat/{x}/set_owner", {"chat_owner": world.ids["bob"]}),
        ):
            method, path = request.format(**ids).split()
            check_refusal(await world.alice.request(method, path, body), 400, (request, unknown))
    assert snapshot(database) == before
    await world.expect_silence()


@pytest.mark.gen_test
async def test_long_part_of_a_name_and_unknown_ids_find_nobody(people):
    alice, _ = await people("alice"), await people("bob")
    for part in (MEGABYTE, "b" * 33, "😀" * 100_000, "(" * 100_000, ".*" * 50_000, "\\" * 33):
        assert (await alice.post("/friend/find", {"name_contains": part})).data == [], part[:10]
    for unknown in UNKNOWN_IDS:
        assert (await alice.post("/friend/find", {"id": unknown})).data == [], unknown


@pytest.mark.expects_log("internal error")
@pytest.mark.gen_test
async def test_our_own_fault_is_500_in_the_protocols_shape_and_names_the_log_line_alone(
    people, nova, monkeypatch, caplog
):
    alice = await people("alice")

    def fail(*_args, **_kwargs):
        raise RuntimeError("secret insides of /srv/nova")

    monkeypatch.setattr(type(nova.services.friend_groups), "create", fail)
    answer = await alice.post("/friend/group/add", {"group_name": "x"})
    check_refusal(answer, 500, "a fault")
    assert "secret" not in answer.error and answer.error.removeprefix("Internal error ") in caplog.text
    assert caplog.text.count("RuntimeError: secret insides") == 1
