"""Bots from outside: what each scope may do, by every protocol: operation × scope; what each scope hears.

A refusal counts as one of the scope by its sentence; whatever is refused changes nothing and is told to nobody.
"""

import pytest
from people import NOTHING
from together.changes import PROTOCOLS
from together.makers import filled
from together.requests_of_fields import GOOD, Good, actions, modes, over_http
from together.world import CLIENTS, OLD_TEXT

from nova_tornado.domain.models import BotScope, JoinPolicy, Role
from nova_tornado.services.bot_scopes import INVOKED_FOR_S, INVOKED_READS, OWN_CHATS_ONLY, REFUSAL, unbound
from nova_tornado.storage.sessions import SessionKind
from nova_tornado.testing.running import FakeClock

NAME = "helper"
READ, INVOKED, WRITE = BotScope.READ, BotScope.INVOKED, BotScope.WRITE
NOBODY, READERS, WRITERS, ALL = (), (READ, WRITE), (WRITE,), (READ, INVOKED, WRITE)
SENTENCES = {*REFUSAL.values(), INVOKED_READS, OWN_CHATS_ONLY}


def native(http, allowed, **body):
    """A request of the actions protocol over HTTP; without a body there is none."""
    return Good(body or NOTHING, {}, http), allowed


SOCKET = {
    "actions": {
        "send_message": WRITERS,
        "edit_message": WRITERS,
        "recall_message": WRITERS,
        "messages_read": READERS,
        "typing": WRITERS,
        "presence": ALL,
        "friend_invitations": ALL,
        "resume": READERS,
    },
    "methods": {
        "create_chat": WRITERS,
        "update_chat": WRITERS,
        "send_message": WRITERS,
        "read_messages": READERS,
        "add_to_chat": WRITERS,
        "remove_from_chat": WRITERS,
    },
    "modes": {
        "checkToken": ALL,
        "getChats": ALL,
        "getMessages": READERS,
        "sendMessage": WRITERS,
        "sendGroupMessage": WRITERS,
        "createChat": WRITERS,
        "createGroupChat": WRITERS,
        "editGroupChat": WRITERS,
        "deleteGroupChat": WRITERS,
        "deleteChat": WRITERS,
        "changeUsername": NOBODY,
        "changeEmail": NOBODY,
        "setProfilePhoto": NOBODY,
    },
    "rooms": {
        "room": WRITERS,
        "group": WRITERS,
        "GET /http/chat_groups": ALL,
        "GET /http/chat_rooms": ALL,
        "GET /http/notifications": ALL,
        "GET /http/users/profile": ALL,
        "GET /http/chat_groups/{chat}": READERS,
        "GET /http/chat_groups/{open}": WRITERS,
        "GET /http/chat_rooms/{private}": ALL,
        "PUT /http/chat_groups": WRITERS,
        "POST /http/chat_groups": WRITERS,
        "PUT /http/chat_groups/{chat}": WRITERS,
        "POST /http/chat_groups/{chat}": ALL,
        "POST /http/chat_groups/{open}": WRITERS,
        "PUT /http/notifications": ALL,
        "PUT /http/users/profile": NOBODY,
    },
    "opcodes": {
        **dict.fromkeys(["11/1", "11/2", "11/6", "11/7", "13/1", "13/2"], WRITERS),
        **dict.fromkeys(["16/1", "16/2"], NOBODY),
    },
}
"""Each operation, and the scopes that do not refuse it to a bot which nobody has called. (Entering a group by rooms is
how one hears what is said there; it makes nobody a member.)"""

MORE = {
    "actions": [
        actions("presence"),
        actions("friend_invitations"),
        actions("resume", chats=([{"chat_id": "{chat}", "cursor": "{old}"}], "")),
    ],
    "modes": [
        modes("createChat", contact_value=("{X}", ""), contact_mode=("id", "")),
        modes("changeEmail", email=("a@example.org", ""), password=("secret1", "")),
        modes("setProfilePhoto", photo=("https://example.org/a.png", "")),
        modes("checkToken"),
        modes("getChats"),
    ],
    "rooms": [
        *map(over_http, ("GET /http/chat_groups", "GET /http/chat_rooms", "GET /http/notifications")),
        *map(over_http, ("GET /http/users/profile", "GET /http/chat_groups/{chat}", "GET /http/chat_rooms/{private}")),
        over_http("GET /http/chat_groups/{open}"),
        over_http("POST /http/chat_groups/{open}", is_enter=(True, "")),
    ],
}

NATIVE = [
    native("GET /user", ALL),
    native("GET /bots", ALL),
    native("GET /friend", ALL),
    native("GET /chat", ALL),
    native("GET /chat/{chat}", ALL),
    native("GET /chat/{chat}/messages", READERS),
    native("GET /chat/{chat}/messages?limit=2", READERS),
    native("GET /chat/{private}/messages", ALL),
    native("POST /chat/{chat}/filter", READERS, begin_time=0),
    native("POST /chat/{private}/filter", ALL, begin_time=0),
    native("PATCH /user", NOBODY, avatar_url="https://example.org/a.png"),
    native("DELETE /user", NOBODY),
    native("POST /friend/invite", NOBODY, id="{X}", comment="", source="search"),
    native("POST /friend/invitation/1", NOBODY),
    native("DELETE /friend/invitation/1", NOBODY),
    native("PATCH /friend/{A}", WRITERS, nickname="x"),
    native("DELETE /friend/{A}", WRITERS),
    native("POST /friend/group/add", WRITERS, group_name="x"),
    native("PATCH /friend/group/1", WRITERS, group_name="x"),
    native("DELETE /friend/group/1", WRITERS),
    native("POST /chat/new", WRITERS, chat_name="x", chat_members=[]),
    native("POST /chat/{chat}/invite", WRITERS, user_id="{A}"),
    native("DELETE /chat/{chat}/invitation/{A}", WRITERS),
    native("POST /chat/{chat}/invitation/{A}", WRITERS),
    native("GET /chat/{chat}/rules", WRITERS),
    native("POST /chat/{chat}/rules", WRITERS, name="x"),
    native("GET /chat/{chat}/held", WRITERS),
    native("PATCH /chat/{chat}", WRITERS, chat_name="x"),
    native("POST /chat/{chat}/{B}/admin", WRITERS),
    native("DELETE /chat/{chat}/{B}", WRITERS),
    native("POST /chat/{chat}/set_owner", WRITERS, chat_owner="{B}"),
    native("DELETE /chat/{chat}", WRITERS),
]


def name_of(good):
    """What a request is listed as."""
    if good.http:
        return good.http
    frame = good.frame
    for key in ("action", "method", "mode", "chat_type"):
        if key in frame:
            return frame[key]
    return f"{frame['op']}/{frame['t']}"


def sentence_of(protocol, packet):
    """The sentence of a refusal; "" of anything else."""
    data = packet.get("data")
    match protocol:
        case "actions":
            return packet.get("error", "")
        case "methods":
            return data.get("detail", "")
        case "modes":
            return packet.get("detail", "")
        case "rooms":
            return packet["message"] if packet["type"] == "error" else ""
        case _:
            return packet["d"].get("message", "") if packet["d"].get("status") == "error" else ""


async def add_bot(world, scope):
    """A bot with a token, known as "bot"."""
    accounts = world.nova.services.accounts
    bot = await accounts.ensure_bot(f"outside:{NAME}", NAME, scope=scope)
    world.facts["bot"] = bot.id
    world.facts["token"] = world.tokens["bot"] = await accounts.begin_session(bot, SessionKind.TOKEN)
    return bot


async def connect_bot(world):
    """The bot hears by all protocols, and B does as well."""
    await world.connect("B", None)
    for protocol in PROTOCOLS:
        world.clients["bot", protocol] = await CLIENTS[protocol].connect(world.port, world.tokens["bot"])


async def prepare(world, people, scope):
    """The bot owns a group with B, has a private chat with B and one of its messages in the group.

    So nothing but its scope can be in its way.
    """
    await world.populate(people)
    bot = await add_bot(world, scope)
    chats, messages = world.nova.services.chats, world.nova.services.messages
    await world.group("A X", JoinPolicy.OPEN)
    world.facts["open"] = world.facts["chat"]
    private, _ = await chats.open_private(await world.user("B"), bot.id)
    world.facts["private"] = private.id
    group = await chats.create_group(unbound(bot), "Readers", [world.facts["B"]])
    world.facts["chat"] = group.id
    world.facts["old"] = (await messages.send(unbound(bot), group.id, OLD_TEXT)).message.id
    await messages.send(await world.user("B"), group.id, "between the two of us")
    await world.settle()
    await connect_bot(world)
    return bot


async def over(world, good, header):
    """The sentence with which a request over HTTP was refused, or ""."""
    method, path = good.http.format(**world.facts).split(" ", 1)
    body = NOTHING if good.frame is NOTHING or method in ("GET",) else filled(world, good.frame)
    if good.http.endswith("/admin"):
        body = True
    headers = {"authentication": world.tokens["bot"]} if header else {"Authorization": f"Bearer {world.tokens['bot']}"}
    answer = await world.persons["X"].request(method, path, body, headers=headers, with_cookie=False)
    return "" if answer.status == 200 else answer.json.get("data", answer.json.get("error"))


async def ask(world, protocol, good):
    """The sentence with which a request was refused, or ""."""
    if good.http:
        return await over(world, good, header=True)
    client = world.clients["bot", protocol]
    await client.send(filled(world, good.frame))
    return next((text for packet in await client.drain() if (text := sentence_of(protocol, packet))), "")


async def check_table(world, stored, scope, rows):
    """Ask everything; who is refused by his scope, and nobody else, has changed and told nothing."""
    wrong, asked = [], 0
    before = stored()
    for name, allowed, work in rows:
        sentence = await work()
        asked += 1
        is_refused = sentence in SENTENCES
        if is_refused is (scope in allowed):
            wrong.append(f"{name}: {sentence!r}")
        told = {key: packets for key, packets in (await world.drain()).items() if packets}
        if is_refused:
            if told:
                wrong.append(f"{name} told {told}")
            if stored() != before:
                wrong.append(f"{name} changed something")
        before = stored()
    assert not wrong, "\n".join(wrong)
    return asked


@pytest.mark.gen_test
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scope", ALL)
async def test_table_of_operations_and_scopes(scope, protocol, world, people, stored, no_presence):
    await prepare(world, people, scope)
    goods = sorted([*MORE.get(protocol, ()), *GOOD[protocol]], key=lambda good: "delete" in name_of(good))
    assert {name_of(good) for good in goods} == SOCKET[protocol].keys()
    rows = [
        (name_of(good), SOCKET[protocol][name_of(good)], lambda good=good: ask(world, protocol, good)) for good in goods
    ]
    await check_table(world, stored, scope, rows)


@pytest.mark.gen_test
@pytest.mark.parametrize("scope", ALL)
async def test_table_of_native_requests_and_scopes(scope, world, people, stored, no_presence):
    await prepare(world, people, scope)
    rows = [(good.http, allowed, lambda good=good: over(world, good, header=False)) for good, allowed in NATIVE]
    assert await check_table(world, stored, scope, rows) == len(NATIVE)


@pytest.mark.gen_test
@pytest.mark.parametrize("scope", ALL)
async def test_uploads(scope, world, people, stored, no_presence):
    await prepare(world, people, scope)
    before = stored()
    head = b'--end\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nx\r\n--end--\r\n'
    headers = {
        "Content-Type": "multipart/form-data; boundary=end",
        "Authorization": f"Bearer {world.tokens['bot']}",
    }
    person = world.persons["X"]
    answer = await person.request("POST", "/user/avatar", raw_body=head, headers=headers, with_cookie=False)
    assert (answer.status, answer.error) == (403, REFUSAL[scope])
    assert stored() == before
    answer = await person.request("POST", "/files", raw_body=head, headers=headers, with_cookie=False)
    assert answer.status == (403 if scope is READ else 200)
    if scope is READ:
        assert answer.error == REFUSAL[READ]
        assert stored() == before


# Every service


READING = {
    *("accounts.get_user", "accounts.find_account", "accounts.list_accounts"),
    *("accounts.begin_session", "accounts.sign_in", "accounts.list_session_ends", "accounts.end_all_sessions"),
    *("friends.list_of", "friends.get", "friends.list_received", "friends.watch_received"),
    *("friend_groups.get", "friend_groups.list_of"),
    "chats.open_private",  # finds; what it makes is refused, see the table
    *("messages.send_at_once", "messages.send_private", "messages.mark_read"),
    "files.store",
}
"""What may be called with a bot: it only looks, is called by those who give out sessions, or stands in the table."""


@pytest.mark.gen_test
async def test_every_method_of_a_service_that_acts_for_a_user_is_bound_by_scope_or_listed(world, people):
    await world.populate(people)
    bot = await add_bot(world, READ)
    unbound_methods = set()
    services = world.nova.services
    for service_name in ("accounts", "friends", "friend_groups", "chats", "messages", "files"):
        service = getattr(services, service_name)
        for name in dir(service):
            method = getattr(service, name)
            names = getattr(getattr(method, "__func__", None), "__code__", None)
            if name.startswith("_") or names is None:
                continue
            parameters = names.co_varnames[1 : names.co_argcount]
            acting = [each for each in ("actor", "creator", "user") if each in parameters]
            if not acting or f"{service_name}.{name}" in READING:
                continue
            arguments = [bot if each == acting[0] else None for each in parameters[: names.co_argcount - 1]]
            try:
                await method(*arguments)
            except Exception as error:
                if getattr(error, "message", "") != REFUSAL[READ]:
                    unbound_methods.add(f"{service_name}.{name}: {error!r}")
            else:
                unbound_methods.add(f"{service_name}.{name}")
    assert not unbound_methods


# Hearing


async def both(world, *, skip=()):
    """What B and the bot have heard, by protocol."""
    received = await world.drain()
    return [
        {protocol: received[who, protocol] for protocol in PROTOCOLS if protocol not in skip} for who in ("B", "bot")
    ]


async def prepare_group(world, people, scope):
    """A group of A, B and the bot, in which both listen; a private chat of A and the bot."""
    await world.populate(people)
    bot = await add_bot(world, scope)
    chats = world.nova.services.chats
    anna = await world.user("A")
    world.facts["private"] = (await chats.open_private(anna, bot.id))[0].id
    group = await chats.create_group(anna, "Readers", [world.facts["B"], bot.id])
    world.facts["chat"] = group.id
    await connect_bot(world)
    for letter in ("B", "bot"):
        headers = {"authentication": world.tokens[letter]}
        path = f"/http/chat_groups/{group.id}"
        answer = await world.persons["X"].request("POST", path, {"is_enter": True}, headers=headers, with_cookie=False)
        assert answer.status == 200
    await world.drain()
    return anna, bot, group


def without_times(packets):
    """Frames of modes tell when they were made."""
    return [{key: value for key, value in packet.items() if key != "timestamp"} for packet in packets]


def same(one, other):
    """Whether two have heard the same; who reads what has no part in it."""
    return all(without_times(one[protocol]) == without_times(other[protocol]) for protocol in one)


CALLS = (
    "@helper, are you there?",
    "are you there, @helper?",
    "(@Helper) what is the time",
    "/helper what is the time",
    "/HELPER",
    "yes @helper.",
)
NO_CALLS = (
    "helper, are you there?",
    "@helper2 and @helper-2",
    "me@helper is an address",
    "@helper.example.org",
    "what /helper is",
    "/helpers",
    "@ helper",
    "nothing",
)


@pytest.mark.gen_test
async def test_invoked_bot_hears_what_calls_it_in_the_words_of_its_protocol_and_nothing_else(
    world, people, no_presence
):
    anna, _, group = await prepare_group(world, people, INVOKED)
    send = world.nova.services.messages.send
    for text in CALLS:
        await send(anna, group.id, text)
        other, own = await both(world)
        assert all(own.values()), (text, own)
        assert same(own, other), text
    for text in NO_CALLS:
        await send(anna, group.id, text)
        other, own = await both(world)
        assert all(other.values()), text
        assert not any(own.values()), (text, own)
    await send(anna, world.facts["private"], "you alone")
    other, own = await both(world)
    assert all(own.values()) and not any(other.values()), own


async def change_everything(world, anna, group):
    """All that can happen in a group besides messages."""
    services = world.nova.services
    sent = (await services.messages.send(anna, group.id, "@helper look")).message
    yield
    await services.messages.edit(anna, sent.id, "@helper look again")
    yield
    await services.messages.recall(anna, sent.id)
    yield
    await services.messages.note_typing(anna, group.id)
    yield
    await services.messages.mark_read(anna, group.id)
    yield
    await services.chats.rename(anna, group.id, "@helper")
    yield
    await services.chats.edit(anna, group.id, add_ids=[world.facts["C"]])
    yield
    await services.chats.edit(anna, group.id, remove_ids=[world.facts["C"]])
    yield
    await services.chats.set_admin(anna, group.id, world.facts["bot"], True)
    yield
    await services.chats.delete_for(anna, group.id)
    yield


@pytest.mark.gen_test
async def test_invoked_bot_hears_nothing_but_messages(world, people, no_presence):
    anna, _, group = await prepare_group(world, people, INVOKED)
    heard = []
    async for _ in change_everything(world, anna, group):
        other, own = await both(world)
        assert any(other.values())
        heard.append(any(own.values()))
    assert heard == [True] + [False] * 9
    new = await world.nova.services.chats.create_group(anna, "Another", [world.facts["bot"]])
    _, own = await both(world)
    assert not any(own.values()), own
    await world.nova.services.messages.send(anna, new.id, "/helper here")
    _, own = await both(world, skip=("rooms",))  # it has not entered there
    assert all(own.values())
    await world.nova.services.chats.edit(anna, new.id, remove_ids=[world.facts["bot"]])
    await world.nova.services.messages.send(anna, new.id, "/helper still here")
    _, own = await both(world)
    assert not any(own.values()), own


@pytest.mark.gen_test
@pytest.mark.parametrize("scope", READERS)
async def test_reading_and_writing_bots_hear_what_a_member_hears(scope, world, people, no_presence):
    anna, _, group = await prepare_group(world, people, scope)
    steps = change_everything(world, anna, group)
    async for _ in steps:
        other, own = await both(world)
        assert any(own.values())
        assert {key: len(value) for key, value in own.items()} == {key: len(value) for key, value in other.items()}


@pytest.mark.gen_test
async def test_invoked_bot_is_seen_to_be_online(world, people):
    await prepare_group(world, people, INVOKED)
    services = world.nova.services
    assert world.facts["bot"] in services.hub.list_online_with(world.facts["B"])
    assert world.facts["bot"] in services.presence.list_online()


# Sending while invoked


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


def message_frames(world):
    """How each protocol sends to the group."""
    chat = world.facts["chat"]
    return {
        "actions": {"action": "send_message", "data": {"chat_id": chat, "content": "yes?"}},
        "methods": {"method": "send_message", "args": {"chat": chat, "text": "yes?"}},
        "modes": {
            "mode": "sendMessage",
            "token": world.tokens["bot"],
            "chat_id": chat,
            "content": "yes?",
            "content_type": "text",
        },
        "rooms": {"chat_type": "group", "chat_group_id": chat, "message": "yes?"},
        "opcodes": {"op": 11, "t": 2, "d": {"chat_id": chat, "message": "yes?"}},
    }


@pytest.mark.gen_test
async def test_invoked_bot_answers_by_all_protocols_for_ten_minutes(world, people, no_presence, clock):
    anna, bot, group = await prepare_group(world, people, INVOKED)
    services = world.nova.services

    async def try_all():
        await world.drain()
        refused = []
        for protocol, frame in message_frames(world).items():
            client = world.clients["bot", protocol]
            await client.send(frame)
            texts = [text for packet in await client.drain() if (text := sentence_of(protocol, packet))]
            assert texts in ([], [REFUSAL[INVOKED]]), texts
            refused.append(bool(texts))
            other, _ = await both(world)
            assert any(other.values()) is not bool(texts)
        return refused

    await services.messages.send(anna, group.id, "nobody in particular")
    assert await try_all() == [True] * 5
    await services.messages.send(unbound(bot), group.id, "@helper says itself")
    assert await try_all() == [True] * 5
    await services.messages.send(anna, group.id, "@helper?")
    await services.messages.send(anna, group.id, "and something else")
    assert await try_all() == [False] * 5
    clock.move(INVOKED_FOR_S - 5)
    assert await try_all() == [False] * 5
    clock.move(10)
    assert await try_all() == [True] * 5


@pytest.mark.gen_test
async def test_invoked_bot_may_repeat_a_send_later_but_sees_nothing_by_it(world, people, no_presence, clock):
    anna, _, group = await prepare_group(world, people, INVOKED)
    messages = world.nova.services.messages
    secret = (await messages.send(anna, group.id, "not for programs")).message
    call = (await messages.send(anna, group.id, "/helper now")).message
    client = world.clients["bot", "actions"]
    await world.drain()
    data = {"chat_id": group.id, "content": "look", "reply_to": secret.id}
    await client.act("send_message", data)
    assert [sentence_of("actions", packet) for packet in await client.drain()] == [INVOKED_READS]
    own = {"chat_id": group.id, "content": "here", "reply_to": call.id, "client_message_id": "one"}
    await client.act("send_message", own)
    sent = (await client.drain())[0]["data"]["message"]
    assert sent["reply_to"]["message"] == "/helper now"
    await messages.send(anna, group.id, "between us", reply_to=sent["message_id"])
    clock.move(INVOKED_FOR_S + 10)
    await world.drain()
    await client.act("send_message", own)
    [again] = await client.drain()
    assert again["data"]["message"]["message_id"] == sent["message_id"]
    assert again["data"]["message"]["replied_by"] == []


@pytest.mark.gen_test
async def test_system_messages_and_taken_back_ones_invoke_nobody(world, people, no_presence):
    anna, bot, _ = await prepare_group(world, people, INVOKED)
    services = world.nova.services
    group = await services.chats.create_group(anna, "x", [bot.id])
    system = services.directory.system
    group.members[system.id] = group.members[anna.id]
    await services.messages.send(system, group.id, "the group is called @helper now")
    del group.members[system.id]
    call = (await services.messages.send(anna, group.id, "@helper")).message
    await services.messages.recall(anna, call.id)
    with pytest.raises(Exception, match=REFUSAL[INVOKED]):
        await services.messages.send(bot, group.id, "yes?")


@pytest.mark.gen_test
async def test_lists_show_an_invoked_bot_no_last_message_of_a_group(world, people, no_presence):
    anna, _, group = await prepare_group(world, people, INVOKED)
    await world.nova.services.messages.send(anna, group.id, "between us")
    await world.nova.services.messages.send(anna, world.facts["private"], "for you")
    headers = {"Authorization": f"Bearer {world.tokens['bot']}"}
    answer = await world.persons["X"].request("GET", "/chat", headers=headers, with_cookie=False)
    lasts = {each["chat"]["chat_id"]: each["chat"]["last_message"] for each in answer.data}
    assert lasts[group.id] == ""
    assert lasts[world.facts["private"]]["message"] == "for you"
    listed = {
        each["chat_id"]: each["last_message_text"]
        for each in (await world.clients["bot", "modes"].ask("getChats"))["chats"]
    }
    assert listed == {group.id: None, world.facts["private"]: "for you"}


@pytest.mark.gen_test
async def test_a_refused_leaving_of_an_open_group_leaves_everything_as_it_was(world, people, no_presence):
    await world.populate(people)
    bot = await add_bot(world, READ)
    await world.group("A B", JoinPolicy.OPEN)
    group = await world.nova.services.chats.get(world.facts["chat"])
    anna = await world.user("A")
    await world.nova.services.chats.edit(anna, group.id, add_ids=[bot.id])
    await connect_bot(world)
    path = "/http/chat_groups/{chat}"
    assert await ask(world, "rooms", over_http(f"POST {path}", is_enter=(True, ""))) == ""
    assert await ask(world, "rooms", over_http(f"POST {path}", is_enter=(False, ""))) == REFUSAL[READ]
    await world.drain()
    await world.nova.services.messages.send(anna, group.id, "still there?")
    _, own = await both(world)
    assert own["rooms"]


@pytest.mark.gen_test
async def test_what_an_admin_lets_pass_needs_no_invocation(world, people, no_presence):
    _, bot, group = await prepare_group(world, people, INVOKED)
    sent = await world.nova.services.messages.send(bot, group.id, "was held", is_filtered=False)
    assert sent.message.text == "was held"


@pytest.mark.gen_test
async def test_a_bot_that_may_write_does_what_a_person_does(world, people, no_presence):
    bot = await prepare(world, people, WRITE)
    for protocol, frame in message_frames(world).items():
        client = world.clients["bot", protocol]
        await client.send(frame)
        assert not any(sentence_of(protocol, packet) for packet in await client.drain())
        other, _ = await both(world, skip=("rooms",))
        assert all(other.values()), protocol
    group = await world.nova.services.chats.get(world.facts["chat"])
    assert group.members[bot.id].role is Role.OWNER
