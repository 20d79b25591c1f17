"""Talking to a bot by each of the five protocols.

Source: contract "protocols" sections 0.10 and 3.6; actions document (friendship comes first).
"""

from dataclasses import replace

import pytest
from bots import Ear, Pieces, ScriptedBot, plugins_with
from clients.methods import MethodsClient
from clients.modes import come
from clients.opcodes import OpcodesClient
from clients.rooms import RoomsClient
from nova_bot_chat import answers, limits

from nova_tornado.api import events


@pytest.fixture
def bot():
    return ScriptedBot()


@pytest.fixture
def default():
    return "echo"


@pytest.fixture
def nova(start_nova, settings, monkeypatch, bot, default):
    return start_nova(settings, plugins=plugins_with(monkeypatch, bot, default=default))


@pytest.fixture
def echo(nova):
    return nova.services.bots.default


@pytest.mark.gen_test
async def test_actions(people, echo):
    alice = await people("alice")
    [found] = (await alice.post("/friend/find", {"name_contains": "echo"})).data
    assert found == {"id": echo.id, "user_name": "echo", "avatar_url": echo.avatar_url, "is_bot": True}
    socket = await alice.socket()
    assert (await alice.post("/friend/invite", {"id": echo.id, "comment": "", "source": "search"})).data is None
    _, greeting = await socket.expect("friend_created", "new_message")
    chat_id = greeting["message"]["chat_id"]
    await socket.send("send_message", {"chat_id": chat_id, "content": "hello"})
    own, _, answer, _ = await socket.expect("new_message", "messages_read", "new_message", "messages_read")
    assert "is_bot" not in own["message"]["sender"]
    assert answer["message"]["message"] == "hello" and answer["message"]["sender"] == found
    await socket.expect_nothing()


@pytest.mark.gen_test
async def test_a_client_is_told_whom_and_what_there_is_to_talk_to(people, guest, echo, nova, bot):
    alice = await people("alice")
    listed = (await alice.get("/bots")).data
    assert listed.keys() == {"bots", "commands"}
    first, *others = listed["bots"]
    assert first["user"] == {"id": echo.id, "user_name": "echo", "avatar_url": echo.avatar_url, "is_bot": True}
    assert [each["user"]["user_name"] for each in others] == ["nova", "robbie"]
    assert others[-1]["help"] == bot.help
    names = [each["name"] for each in listed["commands"]]
    assert names == sorted(each.name for each in nova.facade_of("nova_bot_chat").commands)
    assert {"name": "help", "usage": "[command]", "help": "List the commands, or explain one."} in listed["commands"]
    assert (await guest.get("/bots")).status == 403


class TestWithoutThePlugin:
    @pytest.fixture
    def nova(self, start_nova, settings):
        return start_nova(replace(settings, plugins_off=("nova_bot_chat",)))

    @pytest.mark.gen_test
    async def test_there_is_no_list_of_bots(self, people):
        alice = await people("alice")
        assert (await alice.get("/bots")).status == 404


@pytest.mark.gen_test
async def test_methods(people, echo):
    client = await MethodsClient.of(await people("alice"))
    chat_id = (await client.call("create_chat", {"users": [echo.id]}))["data"]["chat"]["id"]
    await client.do("send_message", {"chat": chat_id, "text": "hello"})
    own, answer = await client.expect("message_created", "new_message")
    assert (own["message"]["text"], answer["message"]["text"]) == ("hello", "hello")


@pytest.mark.gen_test
async def test_modes(people, echo):
    client = await come(await people("alice"), is_subscribed=True)
    chat_id = (await client.ask("createChat", contact_mode="id", contact_value=echo.id))["chat_id"]
    message_id = await client.say(chat_id, "hello")
    while (packet := await client.receive())["mode"] != "newMessage":
        pass
    assert packet["message"]["content"] == "hello" and packet["message"]["message_id"] > message_id, packet


@pytest.mark.gen_test
async def test_opcodes(people, echo):
    client = await OpcodesClient.of(await people("alice"))
    chat_id = (await client.call(13, 1, user_ids=[echo.id], type=1))["chat_id"]
    await client.drain()
    await client.call(11, 1, chat_id=chat_id, message="hello")
    answer = await client.receive()
    assert (answer["op"], answer["t"], answer["d"]["sender_id"], answer["d"]["message"]) == (12, 1, echo.id, "hello")


async def told(client):
    """The texts of the next packet, which is the bot's."""
    [packet] = await client.expect("bot_chat_message")
    for item in packet["messages"]:
        assert item.keys() == {"is_user", "message", "timestamp"}
    assert [item["is_user"] for item in packet["messages"]] == [True, False]
    return [item["message"] for item in packet["messages"]]


@pytest.mark.gen_test
async def test_rooms(people, echo):
    alice = await people("alice")
    bob = await RoomsClient.of(await people("bob"))
    client, other = await RoomsClient.of(alice), await RoomsClient.of(alice)
    for each in (client, other, bob):
        await each.drain()
    assert (await client.get("/chat_bot")).data == []
    texts = [" hello\n", "again"]
    for text in texts:
        await client.send({"chat_type": "bot", "message": text})
    for each in (client, other):
        assert [await told(each) for _ in texts] == [[" hello\n", " hello"], ["again", "again"]]
        assert await each.drain() == []
    assert await bob.drain() == []
    history = (await client.get("/chat_bot")).data
    assert [item["is_user"] for item in history] in ([True, False, True, False], [True, True, False, False])
    assert [item.keys() for item in history] == [{"is_user", "message", "timestamp"}] * 4
    times = [item["timestamp"] for item in history]
    assert times == sorted(set(times))
    assert (await client.get("/chat_bot", {"timestamp": times[2]})).data == history[2:]
    assert (await client.get("/chat_bot", {"timestamp": times[2], "before": True})).data == history[:2]
    assert (await bob.get("/chat_bot")).data == []
    (await client.get("/chat_bot?timestamp=yesterday")).refused(400)


@pytest.mark.gen_test
async def test_rooms_knows_no_bots_but_in_the_dialogue(people, echo, nova):
    alice = await people("alice")
    client = await RoomsClient.of(alice)
    await client.send({"chat_type": "bot", "message": "hello"})
    assert await told(client) == ["hello", "hello"]
    assert [user["user_id"] for user in (await client.get("/users")).data] == [alice.id]
    for path in ("/chat_rooms", "/notifications"):
        assert (await client.get(path)).data == []
    user = await nova.services.directory.get(alice.id)
    chat = await nova.services.chats.find_private(alice.id, echo.id)
    (await client.get(f"/chat_rooms/{chat.id}")).refused(404)
    (await client.put("/notifications", {"chat_room_id": chat.id})).refused(404)
    group = await nova.services.chats.create_group(user, "Tea", [echo.id])
    assert [member["user_id"] for member in (await client.get(f"/users/group/{group.id}")).data] == [alice.id]


@pytest.mark.gen_test
async def test_rooms_is_told_of_what_is_said_to_the_bot_elsewhere(people, echo, nova):
    alice = await people("alice")
    client = await RoomsClient.of(alice)
    user = await nova.services.directory.get(alice.id)
    sent = await nova.services.messages.send_private(user, echo.id, "from elsewhere")
    assert await told(client) == ["from elsewhere", "from elsewhere"]
    await nova.services.messages.edit(user, sent.message.id, "changed")
    await nova.services.messages.recall(user, sent.message.id)
    await nova.services.chats.delete_for(user, sent.message.chat_id)
    assert await client.drain() == []


@pytest.mark.gen_test
async def test_rooms_repeats_the_answer_to_a_repeated_frame(people, echo):
    client = await RoomsClient.of(await people("alice"))
    frame = {"chat_type": "bot", "message": "hello", "client_message_id": "1"}
    await client.send(frame)
    first = await client.expect("bot_chat_message")
    await client.send(frame)
    assert await client.expect("bot_chat_message") == first
    await client.refused({**frame, "message": "other"}, 400)
    assert len((await client.get("/chat_bot")).data) == 2


@pytest.mark.gen_test
async def test_rooms_refuses_bad_questions_and_too_many(people, echo, monkeypatch):
    client = await RoomsClient.of(await people("alice"))
    for text in (None, 5, True, [], {}, "", "a\0b", "\ud800", "x" * 20_001):
        await client.refused({"chat_type": "bot", "message": text}, 400)
    monkeypatch.setattr(limits, "QUESTIONS_PER_MINUTE", 1)
    await client.send({"chat_type": "bot", "message": "hello"})
    await told(client)
    await client.refused({"chat_type": "bot", "message": "again"}, 429)
    assert len((await client.get("/chat_bot")).data) == 2


@pytest.mark.parametrize("default", ["robbie"])
@pytest.mark.gen_test
async def test_rooms_is_told_once_when_a_growing_answer_is_complete(people, nova, bot, monkeypatch, default):
    monkeypatch.setattr(answers, "EDIT_INTERVAL_S", 0.001)
    ear = Ear(nova)
    pieces = bot.script["go"] = Pieces()
    client = await RoomsClient.of(await people("alice"))
    await client.send({"chat_type": "bot", "message": "go"})
    pieces.give("one")
    await ear.answer()
    assert await client.drain() == []
    pieces.give(" two")
    await ear.next(events.MessageEdited)
    pieces.give(None)
    assert await told(client) == ["go", "one two"]
    assert await client.drain() == []


@pytest.mark.gen_test
async def test_bots_that_are_not_the_default_one_talk_in_a_room(people, echo, nova, bot):
    client = await RoomsClient.of(await people("alice"))
    robbie = await nova.services.accounts.find_account_by_name("robbie")
    await client.say(robbie.id, "hello")
    [answer] = await client.expect("room_chat_message")
    assert (answer["user_id"], answer["message"]) == (robbie.id, "HELLO")


@pytest.mark.parametrize("default", ["nova"])
@pytest.mark.gen_test
async def test_the_assistant_is_the_default_bot(people, nova, default):
    client = await RoomsClient.of(await people("alice"))
    await client.send({"chat_type": "bot", "message": "/help"})
    _, answer = await told(client)
    assert "/help" in answer
