"""The methods protocol: messages, files, reading. Source: contract "protocols" sections 0.6, 0.10, 1.4 to 1.6."""

import asyncio
import base64
import re

import pytest
from clients.methods import MethodsClient
from nova_methods import packets, schemas
from plugins.methods_shapes import check_message

from nova_tornado.domain.rules import TEXT_MAX_CHARACTERS
from nova_tornado.services.messages import MessageService
from nova_tornado.settings import Settings


class Talk:
    """A group of alice (two channels), bob and carol, who have said nothing yet."""

    async def open(self, people, nova):
        self.nova = nova
        self.alice, self.bob, self.carol = [await people(name) for name in ("alice", "bob", "carol")]
        self.a, self.a2, self.b, self.c = [
            await MethodsClient.of(person) for person in (self.alice, self.alice, self.bob, self.carol)
        ]
        self.clients = (self.a, self.a2, self.b, self.c)
        users = [self.bob.id, self.carol.id]
        self.id = (await self.a.call("create_chat", {"users": users, "title": "G"}))["data"]["chat"]["id"]
        await self.told()
        return self

    async def told(self):
        """What each client got up to now."""
        told = [await client.drain() for client in self.clients]
        await self.nova._dispatcher.drained()  # what was read is told a little later
        for client, packets_of_client in zip(self.clients, told, strict=True):
            packets_of_client += await client.drain()
        return [[(packet["type"], packet["data"]) for packet in each] for each in told]

    async def expect(self, a=(), a2=(), b=(), c=()):
        """The types that each got up to now; returns the data."""
        told = await self.told()
        assert [[name for name, _ in each] for each in told] == [list(each) for each in (a, a2, b, c)], told
        return [[data for _, data in each] for each in told]

    async def say(self, client, text="x", **more):
        """Send a message; its id."""
        packet = await client.call("send_message", {"chat": self.id, "text": text, **more})
        assert packet["type"] == "message_created", packet
        return packet["data"]["message"]["id"]

    def find_files(self):
        return self.nova.store.files.collection.count_documents({"metadata.key": {"$exists": True}})


@pytest.fixture
def talk(people, nova, io_loop):
    return io_loop.run_sync(lambda: Talk().open(people, nova))


def encode(data):
    return base64.b64encode(data).decode()


# send_message


@pytest.mark.gen_test
async def test_message_is_told_to_its_author_and_to_the_others(talk):
    text = "  héllo 😀\n<b>\u2028 "
    await talk.b.do("send_message", {"chat": talk.id, "text": text}, key={"k": 10**30})
    (alices,), (alices2,), (own,), (carols,) = await talk.expect(
        ["new_message"], ["new_message"], ["message_created"], ["new_message"]
    )
    check_message(own["message"], talk.id, talk.bob.id, text, attached_files=[])
    assert own["message"]["user"]["role"] == "Member"
    assert own["message"]["created_at"] == own["message"]["updated_at"]
    assert own == {"message": own["message"], "event_response_key": {"k": 10**30}}
    assert alices == alices2 == carols == {"message": own["message"]}
    await talk.a.do("send_message", {"chat": talk.id, "text": "x", "files": None}, key=1)
    own, own2 = [each[0][1] for each in (await talk.told())[:2]]
    assert own["event_response_key"] == 1 and own2 == {**own, "event_response_key": None}
    assert own["message"]["user"]["role"] == "Owner"


@pytest.mark.gen_test
async def test_messages_of_other_protocols_are_told(talk):
    socket = await talk.alice.socket()
    await socket.send("send_message", {"chat_id": talk.id, "content": "native"})
    await socket.expect("new_message")
    (own,), (own2,), (bobs,), (carols,) = await talk.expect(
        ["message_created"], ["message_created"], ["new_message"], ["new_message"]
    )
    check_message(own["message"], talk.id, talk.alice.id, "native")
    assert own == own2 == {"message": bobs["message"], "event_response_key": None} and bobs == carols


@pytest.mark.gen_test
async def test_bad_texts_are_field_errors(talk):
    bad = ("", None, 1, True, 1.5, [], {}, "\0", "a\0", "\ud800", "x" * (TEXT_MAX_CHARACTERS + 1), "x" * 1_000_000)
    for text in bad:
        await talk.a.refused("field_error", "send_message", {"chat": talk.id, "text": text}, key=1)
    await talk.a.refused("field_error", "send_message", {"chat": talk.id, "files": []})
    await talk.a.refused("field_error", "send_message", {"chat": talk.id})
    for client_id in ("", 1, True, [], "x" * 65, "\0", "\ud800"):
        args = {"chat": talk.id, "text": "x", "client_message_id": client_id}
        await talk.a.refused("field_error", "send_message", args)
    await talk.expect()
    await talk.say(talk.a, "😀" * TEXT_MAX_CHARACTERS)


@pytest.mark.gen_test
async def test_a_repeat_is_answered_to_the_requesting_channel_alone(talk):
    files = [{"name": "a.txt", "data": encode(b"abc")}]
    args = {"chat": talk.id, "text": "once", "files": files, "client_message_id": "1"}
    first = (await talk.a.call("send_message", args, key=1))["data"]
    await talk.told()
    again = (await talk.a.call("send_message", args, key=2))["data"]
    assert again == {"message": first["message"], "event_response_key": 2}
    await talk.b.call("read_messages", {"chat": talk.id})
    await talk.told()
    again = (await talk.a2.call("send_message", args))["data"]
    assert again == {"message": {**first["message"], "is_read": True}, "event_response_key": None}
    await talk.a.refused("field_error", "send_message", {**args, "text": "other"}, key=3)
    await talk.expect()
    assert await talk.find_files() == 1
    await talk.say(talk.b, "once", client_message_id="1")  # another sender's ids are his own
    await talk.a.receive()
    private = (await talk.a.call("create_chat", {"users": [talk.bob.id]}))["data"]["chat"]["id"]
    await talk.a.refused("field_error", "send_message", {**args, "chat": private})


@pytest.mark.gen_test
async def test_equal_sends_at_the_same_moment_make_one_message(talk):
    files = [{"name": "a", "data": encode(b"x" * 100_000)}]
    args = {"chat": talk.id, "text": "once", "files": files, "client_message_id": "1"}
    await asyncio.gather(*(client.do("send_message", args, key=1) for client in (talk.a, talk.a2)))
    told = await talk.told()
    ids = {data["message"]["id"] for each in told for _, data in each}
    assert len(ids) == 1 and [name for name, _ in told[2]] == ["new_message"]
    assert await talk.find_files() == 1


@pytest.mark.gen_test
async def test_who_is_no_member_cannot_send(talk, people):
    dave = await people("dave")
    client = await MethodsClient.of(dave)
    files = [{"name": "a", "data": "eA=="}]
    await client.refused("access_error", "send_message", {"chat": talk.id, "text": "x", "files": files}, key=1)
    await client.refused("access_error", "read_messages", {"chat": talk.id}, key=1)
    assert await talk.find_files() == 0
    await talk.expect()


# Files


@pytest.mark.gen_test
async def test_files_are_stored_and_served_as_they_were_sent(talk):
    sent = {"a.txt": b"abc", "ünï 😀.html": b"<script>", "empty": b"", "b.bin": bytes(range(256)) * 3000}
    files = [{"name": name, "data": encode(data), "more": 1} for name, data in sent.items()]
    message = (await talk.a.call("send_message", {"chat": talk.id, "files": files}))["data"]["message"]
    check_message(message, talk.id, talk.alice.id, "")
    assert [file["name"] for file in message["attached_files"]] == list(sent)
    assert (await talk.b.expect("new_message"))[0]["message"] == message
    for file in message["attached_files"]:
        path = re.fullmatch(r"https?://[^/]+(/.+)", file["file"])[1]
        answer = await talk.bob.get(path, with_cookie=False)
        assert (answer.status, answer.body) == (200, sent[file["name"]])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.gen_test
async def test_bad_files_are_field_errors_and_store_nothing(talk):
    good = {"name": "a", "data": "eA=="}
    bad_names = (None, 1, True, [], "", "a/b", "a\\b", "a\0", "a\n", "\x7f", "\ud800", "x" * 256)
    bad_data = (
        None, 1, True, [], {}, "eA", "eA=", "eA==\n", "e A=", "eA==eA==", "=", "-_-_", "é===", "\ud800", "eA==x",
        "A" * (schemas.FILE_MAX_CHARACTERS + 4), encode(b"x" * (schemas.FILE_MAX_BYTES + 1)),
    )  # fmt: skip
    bad = [*({**good, "name": name} for name in bad_names), *({**good, "data": data} for data in bad_data)]
    bad += [None, 1, "x", [], {}, {"name": "a"}, {"data": "eA=="}]
    for file in bad:
        args = {"chat": talk.id, "text": "x", "files": [good, file]}
        await talk.a.refused("field_error", "send_message", args, key=1)
    for files in (1, True, "x", {}, good, [good] * 11):
        await talk.a.refused("field_error", "send_message", {"chat": talk.id, "text": "x", "files": files}, key=1)
    await talk.expect()
    assert await talk.nova.store.files.collection.count_documents({}) == 0


@pytest.mark.gen_test
async def test_ten_files_and_five_mebibytes_are_taken(talk):
    files = [{"name": "x" * 255, "data": "eA=="}] * 9 + [{"name": "b", "data": encode(b"x" * schemas.FILE_MAX_BYTES)}]
    message = (await talk.a.call("send_message", {"chat": talk.id, "files": files}))["data"]["message"]
    assert len({file["id"] for file in message["attached_files"]}) == 10


@pytest.mark.gen_test
async def test_files_of_a_send_that_is_refused_late_are_removed(talk, monkeypatch):
    async def refuse(self, user, chat_id, *_args, **_more):
        await self._chats.get_for(user.id, 99)

    monkeypatch.setattr(MessageService, "send", refuse)
    files = [{"name": "a", "data": "eA=="}] * 2
    await talk.a.refused("access_error", "send_message", {"chat": talk.id, "files": files})
    assert await talk.find_files() == 0


class TestSmallFiles:
    """On a server whose files are smaller."""

    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False, file_max_mib=1)

    @pytest.mark.gen_test
    async def test_file_beyond_the_servers_limit_is_a_field_error(self, talk):
        files = [{"name": "a", "data": "eA=="}, {"name": "b", "data": encode(b"x" * (2**20 + 1))}]
        await talk.a.refused("field_error", "send_message", {"chat": talk.id, "text": "x", "files": files})
        await talk.expect()
        assert await talk.find_files() == 0


# Reading


@pytest.mark.gen_test
async def test_reading_is_told_to_the_reader_and_marks_messages_for_all(talk):
    first, second = await talk.say(talk.a), await talk.say(talk.a)
    await talk.told()
    await talk.b.do("read_messages", {"chat": talk.id}, key="k")
    news = [["messages_updated"]] * 2
    *_, (own, updated), _ = await talk.expect(*news, ["messages_read", "messages_updated"], ["messages_updated"])
    assert own == {"chat": talk.id, "event_response_key": "k"}
    fields = {"is_read": True}
    assert updated == {"updates": [{"id": first, "fields": fields}, {"id": second, "fields": fields}]}
    await talk.c.do("read_messages", {"chat": talk.id})
    await talk.b.do("read_messages", {"chat": talk.id}, key=2)
    await talk.a.do("read_messages", {"chat": talk.id}, key=3)
    told = await talk.expect(["messages_read"], ["messages_read"], ["messages_read"], ["messages_read"])
    assert [each[0]["event_response_key"] for each in told] == [3, None, 2, None]


@pytest.mark.gen_test
async def test_ones_own_reading_does_not_mark_ones_own_messages(talk):
    await talk.say(talk.a)
    await talk.a.do("read_messages", {"chat": talk.id})
    await talk.expect(["messages_read"], ["message_created", "messages_read"], ["new_message"], ["new_message"])


@pytest.mark.gen_test
async def test_sending_marks_what_was_before_without_messages_read(talk):
    first = await talk.say(talk.a)
    await talk.b.receive()
    second = await talk.say(talk.b)
    own = (await talk.expect(
        ["new_message", "messages_updated"],
        ["message_created", "new_message", "messages_updated"],
        ["messages_updated"],
        ["new_message", "new_message", "messages_updated"],
    ))[0]  # fmt: skip
    assert own[1]["updates"] == [{"id": first, "fields": {"is_read": True}}]
    await talk.c.do("read_messages", {"chat": talk.id})
    own = (await talk.expect(*[["messages_updated"]] * 3, ["messages_read", "messages_updated"]))[0]
    assert own[0]["updates"] == [{"id": second, "fields": {"is_read": True}}]


@pytest.mark.gen_test
async def test_reading_by_the_actions_protocol_is_told(talk):
    first = await talk.say(talk.a)
    await talk.told()
    socket = await talk.bob.socket()
    await socket.send("messages_read", {"chat_id": talk.id})
    await socket.expect("messages_read")
    told = await talk.expect(
        ["messages_updated"], ["messages_updated"], ["messages_read", "messages_updated"], ["messages_updated"]
    )
    assert told[2][0] == {"chat": talk.id, "event_response_key": None}
    assert told[2][1]["updates"] == [{"id": first, "fields": {"is_read": True}}]


@pytest.mark.gen_test
async def test_many_updates_come_in_pieces(talk, monkeypatch):
    monkeypatch.setattr(packets, "UPDATES_PER_PACKET", 2)
    ids = [await talk.say(talk.a) for _ in range(5)]
    await talk.told()
    await talk.b.do("read_messages", {"chat": talk.id})
    own = (await talk.expect(
        ["messages_updated"] * 3, ["messages_updated"] * 3,
        ["messages_read", *["messages_updated"] * 3], ["messages_updated"] * 3,
    ))[0]  # fmt: skip
    assert [[update["id"] for update in data["updates"]] for data in own] == [ids[:2], ids[2:4], ids[4:]]


@pytest.mark.gen_test
async def test_nobody_looks_for_read_messages_where_nobody_speaks_methods(talk, monkeypatch):
    for client in talk.clients:
        client.close()
        assert await client.receive() is None
    socket, others = await talk.alice.socket(), await talk.bob.socket()
    await socket.send("send_message", {"chat_id": talk.id, "content": "x"})
    await others.expect("new_message", "messages_read")

    async def fail(*_args):
        raise AssertionError("looked into the log")

    monkeypatch.setattr(MessageService, "list_newly_read", fail)
    await others.send("messages_read", {"chat_id": talk.id})
    await others.expect("messages_read")
    await talk.nova._dispatcher.drained()


# Edits and recalls from elsewhere


@pytest.mark.gen_test
async def test_edits_and_recalls_are_told_to_all(talk):
    first = await talk.say(talk.a, "old")
    await talk.told()
    socket = await talk.alice.socket()
    await socket.send("edit_message", {"message_id": first, "content": "new"})
    await socket.expect("message_edited")
    told = await talk.expect(*[["messages_updated"]] * 4)
    [update] = told[0][0]["updates"]
    assert update == {"id": first, "fields": {"text": "new", "updated_at": update["fields"]["updated_at"]}}
    assert all(each == told[0] for each in told)
    await socket.send("recall_message", {"message_id": first})
    await socket.expect("message_recalled")
    told = await talk.expect(*[["messages_updated"]] * 4)
    assert told[0][0] == {"updates": [{"id": first, "fields": {"is_deleted": True, "text": ""}}]}


@pytest.mark.gen_test
async def test_a_repeat_of_a_message_that_was_changed_shows_it_as_it_is(talk):
    args = {"client_message_id": "1", "files": [{"name": "a", "data": "eA=="}]}
    first = await talk.say(talk.a, "old", **args)
    socket = await talk.alice.socket()
    await socket.send("edit_message", {"message_id": first, "content": "new"})
    await socket.expect("message_edited")
    await talk.told()
    repeat = await talk.a.call("send_message", {"chat": talk.id, "text": "old", **args})
    message = repeat["data"]["message"]
    check_message(message, talk.id, talk.alice.id, "new")
    assert message["created_at"] < message["updated_at"]
    await socket.send("recall_message", {"message_id": first})
    await socket.expect("message_recalled")
    await talk.told()
    repeat = await talk.a.call("send_message", {"chat": talk.id, "text": "old", **args})
    check_message(repeat["data"]["message"], talk.id, talk.alice.id, "", is_deleted=True, attached_files=[])


@pytest.mark.gen_test
async def test_nothing_comes_after_the_removal_while_messages_fly(talk):
    for number in range(100):
        await talk.b.do("send_message", {"chat": talk.id, "text": str(number)})
        if number == 50:
            await talk.a.do("remove_from_chat", {"chat": talk.id, "users": [talk.carol.id]})
    for _ in range(101):
        await talk.b.receive()
    types = [packet["type"] for packet in await talk.c.drain()]
    assert types.count("chat_removed") == 1 and types[-1] == "chat_removed"
    assert set(types[:-1]) <= {"new_message", "messages_updated"}
