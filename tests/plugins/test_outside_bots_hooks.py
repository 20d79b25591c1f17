"""Incoming webhooks: POST /hooks/<secret>."""

import json
from urllib.parse import urlsplit

import pytest
from nova_outside_bots import incoming
from nova_outside_bots.handlers import BODY_MAX_BYTES
from outside import CommandLine

from nova_tornado.testing.running import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


@pytest.fixture
def bots(mongo, tmp_path):
    return CommandLine(mongo.uri, tmp_path)


async def make_bot_and_group(nova, bots, alice, scope="write"):
    """A bot in a group of alice."""
    await bots.token("helper", scope)
    bot = await nova.services.accounts.find_bot("outside:helper")
    owner = await nova.services.accounts.get_user(alice.id)
    chat = await nova.services.chats.create_group(owner, "News", [bot.id])
    return bot, chat, owner


async def make_hook(bots, chat):
    """The path of a new webhook."""
    lines = await bots.run("hook", "helper", "--chat", str(chat.id))
    return urlsplit(lines[-1]).path


async def post_text(person, path, text):
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return await person.post(path, raw_body=text.encode(), headers=headers, with_cookie=False)


@pytest.mark.gen_test
async def test_text_and_json_become_messages_of_the_bot(nova, bots, people, guest, database):
    alice = await people("alice")
    bot, chat, _ = await make_bot_and_group(nova, bots, alice)
    path = await make_hook(bots, chat)
    socket = await alice.socket()
    answer = await post_text(guest, path, "Build 7 is done ✓\n")
    [news, _] = await socket.expect("new_message", "messages_read")
    assert answer.data == {"message_id": news["message"]["message_id"]}
    assert (news["message"]["message"], news["message"]["sender"]["id"]) == ("Build 7 is done ✓\n", bot.id)
    message = {"text": "once", "client_message_id": "7", "more": "ignored"}
    first = await guest.post(path, message)
    assert (await guest.post(path, message)).data == first.data
    assert (await guest.post(path, {**message, "text": "another"})).status == 409
    await socket.expect("new_message", "messages_read")
    await socket.expect_nothing()
    secret = path.rpartition("/")[2]
    for name in database.list_collection_names():
        assert secret not in str(list(database[name].find()))
    listed = "\n".join(await bots.run("list"))
    assert f"into chat {chat.id}" in listed and secret not in listed


BAD = {
    "no type": ({}, b"x", 400),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, b"text=x", 400),
    "no UTF-8": ({"Content-Type": "text/plain"}, b"\xff", 400),
    "no text": ({"Content-Type": "text/plain"}, b"", 400),
    "U+0000": ({"Content-Type": "text/plain"}, b"a\0b", 400),
    "a long text": ({"Content-Type": "text/plain"}, b"x" * 20_001, 400),
    "too large": ({"Content-Type": "text/plain"}, b"x" * (BODY_MAX_BYTES + 1), 413),
    "large JSON": ({"Content-Type": "application/json"}, json.dumps({"text": "x", "y": "z" * BODY_MAX_BYTES}), 413),
    "broken JSON": ({"Content-Type": "application/json"}, b'{"text": ', 400),
    "a list": ({"Content-Type": "application/json"}, b'["x"]', 400),
    "without text": ({"Content-Type": "application/json"}, b"{}", 400),
    "a number": ({"Content-Type": "application/json"}, b'{"text": 1}', 400),
    "an operator": ({"Content-Type": "application/json"}, b'{"text": {"$ne": null}}', 400),
    "a bad client id": ({"Content-Type": "application/json"}, b'{"text": "x", "client_message_id": 7}', 400),
    "a surrogate": ({"Content-Type": "application/json"}, b'{"text": "\\ud800"}', 400),
    "another site": ({"Content-Type": "text/plain", "Origin": "https://evil.example"}, b"x", 403),
}


@pytest.mark.gen_test
async def test_bad_input_is_refused_and_stores_nothing(nova, bots, people, guest, database, clock):
    alice = await people("alice")
    _, chat, _ = await make_bot_and_group(nova, bots, alice)
    path = await make_hook(bots, chat)
    for name, (headers, body, status) in BAD.items():
        raw = body.encode() if isinstance(body, str) else body
        answer = await guest.post(path, raw_body=raw, headers=headers)
        assert answer.status == status and answer.error, name
        clock.move(60)
    assert (await guest.get(path)).status == 405
    for unknown in ("/hooks/", "/hooks/x", "/hooks/" + "x" * 43, "/hooks/" + "x" * 101, f"{path}x", f"{path}/y"):
        assert (await post_text(guest, unknown, "x")).status == 404, unknown
    assert database["messages"].count_documents({"kind": "message"}) == 0


@pytest.mark.gen_test
async def test_a_webhook_posts_so_much_a_minute_from_wherever(nova, bots, people, guest, monkeypatch, clock):
    monkeypatch.setattr(incoming, "MESSAGES_BURST", 3)
    alice = await people("alice")
    _, chat, _ = await make_bot_and_group(nova, bots, alice)
    path, other = await make_hook(bots, chat), await make_hook(bots, chat)
    statuses = [(await post_text(guest, path, "x")).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert (await post_text(guest, other, "x")).status == 200
    clock.move(60 / incoming.MESSAGES_PER_MINUTE)
    assert [(await post_text(guest, path, "x")).status for _ in range(2)] == [200, 429]


async def end_chat(nova, chat, owner, _bot, _bots):
    await nova.services.chats.delete_for(owner, chat.id)


async def end_membership(nova, chat, owner, bot, _bots):
    await nova.services.chats.edit(owner, chat.id, remove_ids=[bot.id])
    await nova._dispatcher.drained()
    await nova.services.chats.edit(owner, chat.id, add_ids=[bot.id])  # and that does not bring it back


async def revoke(_nova, _chat, _owner, _bot, bots):
    assert await bots.run("revoke", "helper") == ["Ended of helper: 1 tokens, 1 webhooks."]


async def unhook(nova, _chat, _owner, bot, bots):
    [number] = [line.split()[1] for line in await bots.run("list") if "into chat" in line]
    assert await bots.run("unhook", number) == [f"Ended webhook {number}."]
    [line] = await bots.run("unhook", number, exit_code=1)
    assert f"There is no webhook {number}" in line


@pytest.mark.gen_test
@pytest.mark.parametrize("end", [end_chat, end_membership, revoke, unhook])
async def test_a_webhook_ends_with_what_it_is_for(end, nova, bots, people, guest, database):
    alice = await people("alice")
    bot, chat, owner = await make_bot_and_group(nova, bots, alice)
    path = await make_hook(bots, chat)
    assert (await post_text(guest, path, "x")).status == 200
    await end(nova, chat, owner, bot, bots)
    await nova._dispatcher.drained()
    assert (await post_text(guest, path, "x")).status == 404
    assert database["outside_bot_hooks"].count_documents({}) == 0


@pytest.mark.gen_test
async def test_a_webhook_whose_bot_has_gone_unseen_ends_when_it_is_called(nova, bots, people, guest, database):
    alice = await people("alice")
    bot, chat, owner = await make_bot_and_group(nova, bots, alice)
    path = await make_hook(bots, chat)
    nova._dispatcher._subscribers = ()
    await nova.services.chats.edit(owner, chat.id, remove_ids=[bot.id])
    assert (await post_text(guest, path, "x")).status == 404
    assert database["outside_bot_hooks"].count_documents({}) == 0


@pytest.mark.gen_test
@pytest.mark.parametrize("scope", ["read", "invoked"])
async def test_only_a_bot_that_may_write_has_one(scope, nova, bots, people):
    alice = await people("alice")
    _, chat, _ = await make_bot_and_group(nova, bots, alice, scope)
    [line] = await bots.run("hook", "helper", "--chat", str(chat.id), exit_code=1)
    assert "needs a bot of the scope write" in line


@pytest.mark.gen_test
async def test_only_into_a_chat_that_the_bot_is_in(nova, bots, people):
    alice = await people("alice")
    _, _, owner = await make_bot_and_group(nova, bots, alice)
    other = await nova.services.chats.create_group(owner, "Others", [])
    [line] = await bots.run("hook", "helper", "--chat", str(other.id), exit_code=1)
    assert "is not in chat" in line
    [line] = await bots.run("hook", "helper", "--chat", "99", exit_code=1)
    assert "Chat not found" in line
