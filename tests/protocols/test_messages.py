"""Messages of the actions protocol: sending, taking back, reading, histories.

Source: actions document, get_messages and the client's packets; contract "actions" sections 5, 6 and 8.
"""

import json

import pytest
from tornado.testing import bind_unused_port

from nova_tornado.services import messages as messages_service

BASIC = {"message_id", "chat_id", "message", "send_time", "sender", "reply_to_id", "deleted"}
DETAILED = BASIC | {"read_users", "reply_to", "replied_by"}


class Room:
    """A group of alice (who owns it), bob and carol, each with a socket; dave is a stranger with one."""

    async def open(self, people):
        self.alice, self.bob, self.carol, self.dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
        await self.alice.befriend(self.bob)
        await self.alice.befriend(self.carol)
        self.id = await self.alice.new_group(self.bob, self.carol)
        self.members = (self.alice, self.bob, self.carol)
        self.sockets = {person: await person.socket() for person in (*self.members, self.dave)}
        return self

    async def say(self, person, text, **more):
        """Send a message; everybody's packets of it are taken. Returns it."""
        await self.sockets[person].send("send_message", {"chat_id": self.id, "content": text, **more})
        told = [await self.sockets[member].expect("new_message", "messages_read") for member in self.members]
        assert all(each == told[0] for each in told)
        news, read = told[0]
        assert read == {"chat_id": self.id, "user_id": person.id}
        own_id = {"client_message_id": more["client_message_id"]} if more.get("client_message_id") else {}
        assert news == {"message": news["message"], **own_id}
        return news["message"]

    async def history(self, person, query=""):
        return (await person.get(f"/chat/{self.id}/messages{query}")).data

    async def texts(self, person, query=""):
        return [message["message"] for message in await self.history(person, query)]

    async def unread(self, *persons):
        return [(await person.get(f"/chat/{self.id}")).data["unread_count"] for person in persons]

    async def expect_all(self, action, data, members=None):
        for member in members or self.members:
            assert await self.sockets[member].expect(action) == [data]

    async def refuse(self, person, action, data, part=""):
        """Ask for something that is refused, with an error that nobody else hears."""
        await self.sockets[person].send(action, data, request_id=7)
        error = await self.sockets[person].expect_error(400, 7)
        assert part in error, (data, error)

    async def expect_silence(self):
        for socket in self.sockets.values():
            await socket.expect_nothing()


@pytest.fixture
def room(people, io_loop):
    return io_loop.run_sync(lambda: Room().open(people))


def basic_of(detailed):
    return {key: detailed[key] for key in BASIC}


def names(users):
    return [user["user_name"] for user in users]


# Sending


@pytest.mark.gen_test
async def test_a_message_goes_to_every_socket_of_every_member_followed_by_the_senders_reading(room):
    tablet = await (await room.alice.again()).socket()
    second = await room.bob.socket()
    await room.sockets[room.alice].send("send_message", {"chat_id": room.id, "content": " héllo\n😀 "}, request_id=5)
    told = [
        await socket.expect("new_message", "messages_read")
        for socket in (*(room.sockets[member] for member in room.members), tablet, second)
    ]
    message = told[0][0]["message"]
    assert all(each == [{"message": message}, {"chat_id": room.id, "user_id": room.alice.id}] for each in told)
    assert message.keys() == DETAILED
    assert (message["message"], message["chat_id"], names([message["sender"]])) == (" héllo\n😀 ", room.id, ["alice"])
    assert (message["reply_to_id"], message["reply_to"], message["replied_by"]) == (None, None, [])
    assert (message["deleted"], message["read_users"]) == (False, [])
    await room.expect_silence()

    stored = (await room.history(room.carol))[0]
    assert stored == {**message, "read_users": [message["sender"]]}
    previous = message
    for text in ("a", "b", "c"):
        message = await room.say(room.bob, text)
        assert message["message_id"] > previous["message_id"] and message["send_time"] > previous["send_time"]
        previous = message


@pytest.mark.gen_test
async def test_messages_show_their_sender_as_he_is_now(room):
    before = await room.say(room.alice, "before")
    assert (await room.alice.patch("/user", {"user_name": "alicia"})).status == 200
    await room.sockets[room.alice].expect("profile_change")
    after = await room.say(room.alice, "after", reply_to=before["message_id"])  # through the socket that was open
    assert names([after["sender"], after["reply_to"]["sender"]]) == ["alicia", "alicia"]
    newest, older, _ = await room.history(room.bob)
    assert names([newest["sender"], older["sender"], *newest["read_users"]]) == ["alicia"] * 3
    assert (await room.bob.get(f"/chat/{room.id}")).data["chat"]["last_message"]["sender"]["user_name"] == "alicia"


@pytest.mark.gen_test
async def test_a_reply_shows_what_it_answers_and_that_shows_its_replies(room):
    first = await room.say(room.alice, "question")
    reply = await room.say(room.bob, "answer", reply_to=first["message_id"])
    assert reply["reply_to_id"] == first["message_id"] and reply["reply_to"] == basic_of(first)
    assert reply["read_users"] == reply["replied_by"] == []
    second = await room.say(room.carol, "another", reply_to=first["message_id"])
    third = await room.say(room.alice, "thanks", reply_to=reply["message_id"])
    assert third["reply_to"] == basic_of(reply)
    system = (await room.history(room.alice))[-1]
    to_system = await room.say(room.bob, "hello, system", reply_to=system["message_id"])
    assert to_system["reply_to"] == basic_of(system)

    history = {message["message_id"]: message for message in await room.history(room.carol)}
    assert history[first["message_id"]]["replied_by"] == [basic_of(reply), basic_of(second)]
    assert history[reply["message_id"]]["replied_by"] == [basic_of(third)]
    assert history[reply["message_id"]]["reply_to"] == basic_of(first)
    assert history[system["message_id"]]["replied_by"] == [basic_of(to_system)]
    assert history[third["message_id"]]["replied_by"] == []
    await room.expect_silence()


@pytest.mark.gen_test
async def test_bad_sends_are_refused_one_after_the_other_and_nothing_is_stored(room):
    other_id = await room.alice.new_group(room.bob, name="Other")
    for member in (room.alice, room.bob):
        await room.sockets[member].expect("new_group_chat", "new_message")
    elsewhere = (await room.alice.get(f"/chat/{other_id}/messages")).data[0]["message_id"]
    before, good = await room.history(room.alice), {"chat_id": room.id, "content": "x"}
    for data, part in (
        *((data, "data must be") for data in (None, [], "x", 1, True, [good])),
        *(({"content": "x"} | chat, "chat_id") for chat in ({}, {"chat_id": None}, {"chat_id": str(room.id)})),
        *(({"chat_id": chat_id, "content": "x"}, "chat_id") for chat_id in (True, 1.5, float(room.id), [], {})),
        *(
            ({"chat_id": chat_id, "content": 5}, "Chat not found")
            for chat_id in (0, -1, 10**6, 2**63, 10**30, -(10**30))
        ),
        *((good | {"content": text}, "content") for text in (None, 5, True, [], {}, "nul\0")),
        ({"chat_id": room.id}, "content"),
        (good | {"content": ""}, "empty"),
        (good | {"content": "", "reply_to": "x"}, "empty"),
        (good | {"content": "x" * 20_001}, "20000"),
        *((good | {"reply_to": reply}, "reply_to") for reply in (None, "1", True, 1.5, [], {})),
        *((good | {"reply_to": reply}, "Message not found") for reply in (0, -1, 10**6, 2**63, 10**30)),
        *((good | {"reply_to": room.id * 10**8 + seq}, "Message not found") for seq in (0, 2, 99_999_999)),
        (good | {"reply_to": elsewhere}, "another chat"),
        *((good | {"client_message_id": bad}, "client_message_id") for bad in ("", "x" * 65, 5, True, [], {}, "a\0b")),
    ):
        await room.refuse(room.alice, "send_message", data, part)
    await room.refuse(room.dave, "send_message", good, "not a member")
    await room.refuse(room.dave, "send_message", {"chat_id": room.id, "content": ""}, "not a member")
    assert await room.history(room.alice) == before and await room.unread(room.alice) == [1]
    await room.expect_silence()
    socket = room.sockets[room.alice]
    await socket.send("send_message", request_id=9)
    assert "data must be" in await socket.expect_error(400, 9)


@pytest.mark.gen_test
async def test_texts_of_any_kind_up_to_twenty_thousand_characters_come_back_as_they_were(room):
    texts = [" ", "\n", "\t\u00a0\u2028\u200b", "x" * 20_000, "😀" * 20_000, '"\\/{}[]', "\x01\x1f\x7f\ufffe\uffff"]
    texts += ["e\u0301", "\u202eabc", "<script>&amp;</script>", "null", "\U0010ffff"]
    for text in texts:
        assert (await room.say(room.alice, text))["message"] == text
    assert (await room.texts(room.bob))[-2::-1] == texts
    await room.refuse(room.alice, "send_message", {"chat_id": room.id, "content": "😀" * 20_001}, "20000")


@pytest.mark.gen_test
async def test_a_repeated_send_is_answered_to_the_asking_socket_alone(room):
    data = {"chat_id": room.id, "content": "once", "client_message_id": "k1"}
    first = await room.say(room.alice, "once", client_message_id="k1")
    tablet = await (await room.alice.again()).socket()
    for socket in (room.sockets[room.alice], tablet):
        await socket.send("send_message", data, request_id=3)
        [again] = await socket.expect("new_message")
        assert again == {"message": {**first, "read_users": [first["sender"]]}, "client_message_id": "k1"}
        await socket.expect_nothing()
    await room.expect_silence()
    # Even after more was said, and from a socket that sends everything at once.
    await room.say(room.bob, "meanwhile")
    await tablet.expect("new_message", "messages_read")
    for _ in range(3):
        await tablet.send("send_message", data)
    for _ in range(3):
        [again] = await tablet.expect("new_message")
        assert again["message"]["message_id"] == first["message_id"]
    assert (await room.texts(room.carol))[:2] == ["meanwhile", "once"]
    # Another's id is another id, and the longest one is as good as the shortest; null is none.
    theirs = await room.say(room.bob, "once", client_message_id="k1")
    assert theirs["message_id"] != first["message_id"]
    for client_id in ("k", "k" * 64, "😀" * 64, None):
        await room.say(room.bob, "more", client_message_id=client_id)
    await room.say(room.bob, "more", client_message_id=None)
    await room.expect_silence()


@pytest.mark.gen_test
async def test_a_repeat_with_another_text_or_chat_is_an_error(room):
    other_id = await room.alice.new_group(name="Other")
    await room.sockets[room.alice].expect("new_group_chat", "new_message")
    first = await room.say(room.alice, "once", client_message_id="k1")
    for change in ({"content": "twice"}, {"chat_id": other_id}):
        data = {"chat_id": room.id, "content": "once", "client_message_id": "k1", **change}
        await room.refuse(room.alice, "send_message", data, "client_message_id")
    assert len((await room.alice.get(f"/chat/{other_id}/messages")).data) == 1
    # A message that was taken back stays taken back, whoever repeats it.
    await room.sockets[room.alice].send("recall_message", {"message_id": first["message_id"]})
    await room.expect_all("message_recalled", {"message_id": first["message_id"]})
    socket = room.sockets[room.alice]
    await socket.send("send_message", {"chat_id": room.id, "content": "once", "client_message_id": "k1"})
    [again] = await socket.expect("new_message")
    assert again["client_message_id"] == "k1"
    assert (again["message"]["message_id"], again["message"]["deleted"]) == (first["message_id"], True)
    assert again["message"]["message"] == "Message recalled"
    await room.expect_silence()
    assert (await room.texts(room.bob))[0] == "Message recalled"


# Taking back


@pytest.mark.gen_test
async def test_a_recalled_message_is_empty_for_everybody_and_its_replies_keep_pointing_to_it(room):
    first = await room.say(room.alice, "one")
    message = await room.say(room.bob, "secret", reply_to=first["message_id"])
    reply = await room.say(room.carol, "what?", reply_to=message["message_id"])
    bobs_phone = await room.bob.socket()

    await room.sockets[room.bob].send("recall_message", {"message_id": message["message_id"], "delete": False})

    await room.expect_all("message_recalled", {"message_id": message["message_id"]})
    assert await bobs_phone.expect("message_recalled") == [{"message_id": message["message_id"]}]
    await room.expect_silence()
    for member in room.members:
        newest, recalled, oldest, _ = await room.history(member)
        assert (recalled["message_id"], recalled["send_time"]) == (message["message_id"], message["send_time"])
        assert (recalled["message"], recalled["deleted"]) == ("Message recalled", True)
        assert recalled["sender"]["user_name"] == "#DELETED" and recalled["sender"]["avatar_url"] == ""
        assert (recalled["reply_to"], recalled["reply_to_id"]) == (None, None)
        assert recalled["replied_by"] == [basic_of(reply)]
        assert newest["reply_to_id"] == message["message_id"] and newest["reply_to"] == basic_of(recalled)
        assert oldest["message"] == "one" and oldest["replied_by"] == []
    again = await room.say(room.alice, "still an answer", reply_to=message["message_id"])
    assert again["reply_to"] == basic_of(recalled)
    await room.refuse(room.bob, "recall_message", {"message_id": message["message_id"]}, "recall")


@pytest.mark.gen_test
async def test_only_delete_true_deletes_for_oneself_and_everything_else_recalls(room):
    for more in ({}, *({"delete": value} for value in (False, None, 1, "true", [], {"delete": True}))):
        message = await room.say(room.alice, "x")
        await room.sockets[room.alice].send("recall_message", {"message_id": message["message_id"], **more})
        await room.expect_all("message_recalled", {"message_id": message["message_id"]})
    await room.expect_silence()


@pytest.mark.gen_test
async def test_a_message_that_is_deleted_for_oneself_is_as_before_for_the_others(room):
    system = (await room.history(room.alice))[0]
    message = await room.say(room.alice, "look")
    reply = await room.say(room.bob, "yes", reply_to=message["message_id"])
    tablet = await (await room.carol.again()).socket()
    for target in (message, system, reply, message):  # anybody's message, any number of times
        await room.sockets[room.carol].send("recall_message", {"message_id": target["message_id"], "delete": True})
        for socket in (room.sockets[room.carol], tablet):
            assert await socket.expect("message_deleted") == [{"message_id": target["message_id"]}]
    await room.expect_silence()
    await tablet.expect_nothing()
    untouched = await room.history(room.alice)
    assert not any(message["deleted"] for message in untouched)
    seen = await room.history(room.carol)
    assert [message["deleted"] for message in seen] == [True, True, True]
    assert [message["message"] for message in seen] == [message["message"] for message in untouched]
    assert names(message["sender"] for message in seen) == ["bob", "alice", "#SYSTEM"]
    assert seen[0]["reply_to"]["deleted"] and seen[1]["replied_by"][0]["deleted"]
    assert not untouched[0]["reply_to"]["deleted"] and not untouched[1]["replied_by"][0]["deleted"]
    # It can still be answered, and recalled by its author.
    answer = await room.say(room.carol, "oh", reply_to=message["message_id"])
    assert answer["reply_to"] == basic_of(message)
    await tablet.expect("new_message", "messages_read")
    await room.sockets[room.alice].send("recall_message", {"message_id": message["message_id"]})
    await room.expect_all("message_recalled", {"message_id": message["message_id"]})


@pytest.mark.gen_test
async def test_bad_recalls_are_refused_and_change_nothing(room):
    private_id = await room.dave.befriend(room.bob)
    for person in (room.bob, room.dave):
        await room.sockets[person].expect("friend_created", "new_message")
    private = (await room.bob.get(f"/chat/{private_id}/messages")).data[0]["message_id"]
    system = (await room.history(room.alice))[0]["message_id"]
    bobs = (await room.say(room.bob, "mine"))["message_id"]
    before = await room.history(room.alice)
    unknown = (0, -1, 1, 10**8, bobs + 1, room.id * 10**8, 10**20, 10**30, 2**53, 2**63)
    for more in ({}, {"delete": True}):
        for data in (None, [], "x", *({"message_id": bad} for bad in (None, "1", True, 1.5, float(bobs), [], {})), {}):
            await room.refuse(room.alice, "recall_message", data | more if isinstance(data, dict) else data)
        for message_id in unknown:
            await room.refuse(room.alice, "recall_message", {"message_id": message_id, **more}, "Message not found")
        await room.refuse(room.alice, "recall_message", {"message_id": private, **more}, "Message not found")
        await room.refuse(room.dave, "recall_message", {"message_id": bobs, **more}, "Message not found")
    await room.refuse(room.alice, "recall_message", {"message_id": bobs}, "sender")
    await room.refuse(room.alice, "recall_message", {"message_id": system}, "sender")
    assert await room.history(room.alice) == before == await room.history(room.bob)
    await room.expect_silence()


@pytest.mark.gen_test
async def test_an_entry_of_the_log_that_is_no_message_can_be_neither_answered_nor_recalled(room):
    assert (await room.alice.post(f"/chat/{room.id}/{room.bob.id}/admin", True)).data is None
    change = {"chat_id": room.id, "user_id": room.bob.id, "is_admin": True}
    await room.expect_all("admin_state_change", change)
    newest = (await room.say(room.alice, "x"))["message_id"]
    [first] = [message["message_id"] for message in await room.history(room.alice) if message["message_id"] != newest]
    between = range(first + 1, newest)
    assert between
    for entry_id in between:
        for data in ({"message_id": entry_id}, {"message_id": entry_id, "delete": True}):
            await room.refuse(room.alice, "recall_message", data, "Message not found")
        reply = {"chat_id": room.id, "content": "x", "reply_to": entry_id}
        await room.refuse(room.alice, "send_message", reply, "Message not found")


@pytest.mark.gen_test
async def test_who_has_left_can_still_recall_his_messages_but_deletes_none(room):
    message = await room.say(room.bob, "regret")
    theirs = await room.say(room.alice, "mine")
    assert (await room.bob.delete(f"/chat/{room.id}")).data is None
    await room.expect_all("member_deleted", {"chat_id": room.id, "user_id": room.bob.id})
    for member in (room.alice, room.carol):
        await room.sockets[member].expect("new_message")
    await room.refuse(room.bob, "recall_message", {"message_id": message["message_id"], "delete": True})
    for more in ({}, {"delete": True}):
        await room.refuse(room.bob, "recall_message", {"message_id": theirs["message_id"], **more})
    await room.sockets[room.bob].send("recall_message", {"message_id": message["message_id"]})
    await room.expect_all("message_recalled", {"message_id": message["message_id"]}, (room.alice, room.carol))
    assert "regret" not in await room.texts(room.alice)
    await room.expect_silence()


# Reading


@pytest.mark.gen_test
async def test_unread_counts_count_everything_after_the_last_reading(room):
    everybody = (room.alice, room.bob, room.carol)
    assert await room.unread(*everybody) == [1, 1, 1]  # the system message of the creation
    first = await room.say(room.alice, "1")
    assert await room.unread(*everybody) == [0, 2, 2]  # who sends has read all, the system message too
    second = await room.say(room.alice, "2")
    await room.sockets[room.alice].send("recall_message", {"message_id": second["message_id"]})
    await room.expect_all("message_recalled", {"message_id": second["message_id"]})
    await room.sockets[room.bob].send("recall_message", {"message_id": first["message_id"], "delete": True})
    await room.sockets[room.bob].expect("message_deleted")
    assert await room.unread(*everybody) == [0, 3, 3]  # recalled and deleted ones count
    await room.sockets[room.bob].send("messages_read", {"chat_id": room.id})
    await room.expect_all("messages_read", {"chat_id": room.id, "user_id": room.bob.id})
    assert await room.unread(*everybody) == [0, 0, 3]
    # What is no message changes no count.
    assert (await room.alice.post(f"/chat/{room.id}/{room.bob.id}/admin", True)).data is None
    await room.expect_all("admin_state_change", {"chat_id": room.id, "user_id": room.bob.id, "is_admin": True})
    assert await room.unread(*everybody) == [0, 0, 3]
    await room.say(room.bob, "3")
    assert await room.unread(*everybody) == [1, 0, 4]
    await room.say(room.carol, "4")
    assert await room.unread(*everybody) == [2, 1, 0]
    listed = {person: (await person.get("/chat")).data for person in everybody}
    counts = [listed[person][-1]["unread_count"] for person in everybody]
    assert counts == [2, 1, 0]


@pytest.mark.gen_test
async def test_reading_puts_the_reader_among_the_read_users_of_all_messages(room):
    async def readers():
        return [names(message["read_users"]) for message in await room.history(room.alice)]

    assert await readers() == [[]]
    for text in ("1", "2"):
        await room.say(room.alice, text)
    assert await readers() == [["alice"]] * 3
    for _ in range(2):  # the second time it is said again, and changes nothing
        await room.sockets[room.carol].send("messages_read", {"chat_id": room.id}, request_id=4)
        await room.expect_all("messages_read", {"chat_id": room.id, "user_id": room.carol.id})
        assert await readers() == [["alice", "carol"]] * 3
    await room.say(room.bob, "3")
    assert await readers() == [["bob"]] + [["alice", "bob", "carol"]] * 3
    await room.expect_silence()
    assert (await room.bob.delete(f"/chat/{room.id}")).data is None  # who leaves is no reader any more
    assert await readers() == [[], []] + [["alice", "carol"]] * 3


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_marks_and_histories_are_the_same_after_a_restart(room, nova, start_nova, settings, io_loop, end):
    async def talk():
        await room.say(room.alice, "1")
        await room.sockets[room.bob].send("messages_read", {"chat_id": room.id})
        await room.expect_all("messages_read", {"chat_id": room.id, "user_id": room.bob.id})
        message = await room.say(room.carol, "2", client_message_id="k")
        await room.say(room.alice, "3", reply_to=message["message_id"])

    async def look():
        return [
            *(await room.history(room.alice), await room.unread(*room.members)),
            *[(await person.get("/chat")).data for person in room.members],
        ]

    io_loop.run_sync(talk)
    before = io_loop.run_sync(look)
    assert before[1] == [0, 2, 1]
    if end == "stop":
        io_loop.run_sync(nova.close)  # a crash leaves the marks of those who sent to the log
    listening, port = bind_unused_port()
    server = start_nova(settings).http_server()
    server.add_socket(listening)
    for person in room.members:
        person.port = port
    assert io_loop.run_sync(look) == before
    server.stop()


@pytest.mark.gen_test
async def test_bad_readings_are_refused_and_mark_nothing(room):
    await room.say(room.alice, "1")
    for data, part in (
        *((data, "data must be") for data in (None, [], "x", room.id)),
        *(({"chat_id": bad}, "chat_id") for bad in (None, "1", True, float(room.id), [], {})),
        ({}, "chat_id"),
        *(({"chat_id": unknown}, "Chat not found") for unknown in (0, -1, 10**6, 2**63, 10**30)),
    ):
        await room.refuse(room.bob, "messages_read", data, part)
    await room.refuse(room.dave, "messages_read", {"chat_id": room.id}, "not a member")
    assert await room.unread(room.bob) == [2]
    assert names((await room.history(room.bob))[0]["read_users"]) == ["alice"]
    await room.expect_silence()


@pytest.mark.gen_test
async def test_the_last_message_is_the_newest_that_is_neither_recalled_nor_deleted_for_the_viewer(room):
    async def last(person):
        shown = (await person.get(f"/chat/{room.id}")).data["chat"]["last_message"]
        assert shown == "" or shown.keys() == BASIC
        assert shown in [relation["chat"]["last_message"] for relation in (await person.get("/chat")).data]
        return shown and shown["message"]

    async def take_back(person, message, **more):
        await room.sockets[person].send("recall_message", {"message_id": message["message_id"], **more})
        if more:
            await room.sockets[person].expect("message_deleted")
        else:
            await room.expect_all("message_recalled", {"message_id": message["message_id"]})

    system = (await room.history(room.alice))[0]
    one, two, three = [await room.say(room.alice, text) for text in ("one", "two", "three")]
    assert [await last(person) for person in room.members] == ["three"] * 3
    await take_back(room.bob, three, delete=True)
    assert [await last(person) for person in room.members] == ["three", "two", "three"]
    await take_back(room.alice, two)
    assert [await last(person) for person in room.members] == ["three", "one", "three"]
    await take_back(room.alice, three)
    assert [await last(person) for person in room.members] == ["one"] * 3
    await take_back(room.bob, one, delete=True)
    await take_back(room.bob, system, delete=True)
    assert [await last(person) for person in room.members] == ["one", "", "one"]
    await room.say(room.bob, "four")
    assert [await last(person) for person in room.members] == ["four"] * 3


# Histories


@pytest.mark.gen_test
async def test_a_page_holds_what_lies_between_before_and_after_up_to_the_limit(room):
    other_id = await room.alice.new_group(name="Later")
    await room.sockets[room.alice].expect("new_group_chat", "new_message")
    for number in range(6):
        await room.say(room.alice, str(number))
        if number == 3:  # entries that are no messages are in no page
            assert (await room.alice.post(f"/chat/{room.id}/{room.bob.id}/admin", True)).data is None
            await room.expect_all("admin_state_change", {"chat_id": room.id, "user_id": room.bob.id, "is_admin": True})
    history = await room.history(room.bob)
    ids = [message["message_id"] for message in history]
    assert ids == sorted(ids, reverse=True) and len(ids) == 7
    bounds = [None, 0, 1, *ids[::2], ids[0] + 1, other_id * 10**8 + 1, 10**8, 2**53, 10**16 - 1]
    for after in bounds:
        for before in bounds:
            for limit in (None, 1, 2, 7, 1000):
                pairs = (("after", after), ("before", before), ("limit", limit))
                query = "&".join(f"{name}={value}" for name, value in pairs if value is not None)
                expected = [
                    message
                    for message in history
                    if (after is None or message["message_id"] > after)
                    and (before is None or message["message_id"] < before)
                ]
                if limit is not None:
                    # Only with "after" alone the page is the oldest behind it.
                    expected = expected[:limit] if after is None or before is not None else expected[-limit:]
                assert await room.history(room.bob, f"?{query}") == expected, query


@pytest.mark.gen_test
async def test_bad_pages_are_refused(room):
    bad = [
        "",
        "%20",
        "x",
        "-1",
        "1.5",
        "1e3",
        "%2B1",
        "0x1",
        "null",
        "true",
        "%00",
        "%C2%B2",
        "%D9%A1",
        "9" * 17,
        "%FF",
    ]
    for name in ("before", "after", "limit"):
        for value in bad:
            answer = await room.alice.get(f"/chat/{room.id}/messages?{name}={value}")
            assert (answer.status, bool(answer.error)) == (400, True), (name, value)
    for limit in (0, 1001, 10**15):
        assert "limit" in (await room.alice.get(f"/chat/{room.id}/messages?limit={limit}")).error
    # The chat is looked at first; what is not known is not looked at.
    assert (await room.dave.get(f"/chat/{room.id}/messages?limit=x")).status == 403
    assert (await room.alice.get("/chat/999/messages?limit=x")).status == 404
    assert len(await room.history(room.alice, "?page=x&offset=-1")) == 1


@pytest.mark.gen_test
async def test_a_streamed_history_is_whole_at_every_number_of_pages(room, monkeypatch):
    monkeypatch.setattr(messages_service, "PAGE_MESSAGES", 3)
    for count in range(1, 8):
        history = await room.history(room.bob)
        assert [message["message"] for message in history[:-1]] == [str(number) for number in range(count - 1, 0, -1)]
        assert len(history) == count
        await room.say(room.alice, str(count))


@pytest.mark.gen_test(timeout=30)
async def test_a_long_history_is_streamed_whole_and_in_order(room):
    count = 1_300
    socket = room.sockets[room.alice]
    for number in range(count):
        await socket.send("send_message", {"chat_id": room.id, "content": f"{number} " + "x" * 200})
    for number in range(count):
        news, _ = await socket.expect("new_message", "messages_read")
        assert news["message"]["message"].startswith(f"{number} ")
    answer = await room.carol.get(f"/chat/{room.id}/messages")
    assert answer.headers["Transfer-Encoding"] == "chunked" and "Content-Length" not in answer.headers
    numbers = [message["message"].split()[0] for message in answer.data]
    assert numbers == [*(str(number) for number in range(count - 1, -1, -1)), "Group"]
    assert all(message.keys() == DETAILED for message in answer.data)
    paged, before = [], ""
    while page := await room.texts(room.carol, f"?limit=500{before}"):
        paged += page
        oldest = (await room.history(room.carol, f"?limit=500{before}"))[-1]["message_id"]
        before = f"&before={oldest}"
    assert paged == [message["message"] for message in json.loads(answer.body)["data"]]
    assert await room.unread(room.carol) == [count + 1]
