"""POST /chat/<id>/filter. Source: actions document, filter_messages; contract "actions" section 5."""

import itertools

import pytest

from nova_tornado.services import messages as messages_service


class Talk:
    """A group of alice and bob, in which carol was and dave never; ``history`` is what was said, newest first."""

    async def open(self, people):
        self.alice, self.bob, self.carol, self.dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
        await self.alice.befriend(self.bob)
        await self.alice.befriend(self.carol)
        self.id = await self.alice.new_group(self.bob, self.carol)
        self.sockets = {person: await person.socket() for person in (self.alice, self.bob, self.carol)}
        sent = [
            await self.say(person, text)
            for person, text in (
                (self.alice, "a1"),
                (self.bob, "b1"),
                (self.carol, "c1"),
                (self.alice, "a2"),
                (self.bob, "b2"),
            )
        ]
        assert (await self.carol.delete(f"/chat/{self.id}")).data is None
        await self.sockets[self.bob].send("recall_message", {"message_id": sent[1]})
        await self.sockets[self.bob].send("recall_message", {"message_id": sent[3], "delete": True})
        await self.say(self.bob, "b3")
        self.history = (await self.alice.get(f"/chat/{self.id}/messages")).data
        self.system_id = self.history[-1]["sender"]["id"]
        [self.deleted_id] = {each["sender"]["id"] for each in self.history if each["message"] == "Message recalled"}
        return self

    async def say(self, person, text):
        socket = self.sockets[person]
        await socket.send("send_message", {"chat_id": self.id, "content": text})
        while True:
            packet = await socket.receive()
            if packet["action"] == "new_message" and packet["data"]["message"]["message"] == text:
                return packet["data"]["message"]["message_id"]

    def filter(self, conditions, person=None, chat_id=None):
        return (person or self.alice).post(f"/chat/{chat_id or self.id}/filter", conditions)

    async def texts(self, conditions):
        return [message["message"] for message in (await self.filter(conditions)).data]


@pytest.fixture
def talk(people, io_loop):
    return io_loop.run_sync(lambda: Talk().open(people))


@pytest.mark.gen_test
async def test_senders_and_times_are_conditions_that_must_all_hold(talk):
    times = [message["send_time"] for message in talk.history]
    assert times == sorted(set(times), reverse=True) and len(times) == 8
    ids = [talk.alice.id, talk.bob.id, talk.system_id, talk.deleted_id]
    senders = [None, [], *([one] for one in ids), ids[:2], ids, [ids[0], ids[0]]]
    bounds = [None, 0, times[-1], times[4], times[4] + 2e-6, times[0], times[0] + 1]
    seen = set()
    for begin, end, sender in itertools.product(bounds, bounds, senders):
        if begin is end is sender is None:
            continue
        expected = [
            message
            for message in talk.history
            if (begin is None or message["send_time"] >= begin)
            and (end is None or message["send_time"] <= end)
            and (sender is None or message["sender"]["id"] in sender)
        ]
        conditions = {"begin_time": begin, "end_time": end}
        conditions = {key: value for key, value in conditions.items() if value is not None} | {"sender": sender}
        assert (await talk.filter(conditions)).data == expected, conditions
        seen.add(tuple(message["message_id"] for message in expected))
    assert len(seen) > 15


@pytest.mark.gen_test
async def test_messages_of_each_kind_of_sender_are_found(talk):
    assert await talk.texts({"sender": [talk.alice.id]}) == ["a2", "a1"]
    assert await talk.texts({"sender": [talk.bob.id]}) == ["b3", "b2"]
    assert await talk.texts({"sender": [talk.deleted_id]}) == ["Message recalled"]
    assert await talk.texts({"sender": [talk.system_id]}) == [
        "carol left the chat",
        "Group Group created by alice with alice, bob, carol",
    ]
    assert await talk.texts({"sender": []}) == []
    # What a viewer has deleted for himself stays, marked as in the history.
    for person in (talk.alice, talk.bob):
        found = (await talk.filter({"sender": [talk.alice.id]}, person)).data
        assert [message["deleted"] for message in found] == [person is talk.bob, False]
        history = (await person.get(f"/chat/{talk.id}/messages")).data
        assert found == [message for message in history if message["sender"]["id"] == talk.alice.id]


@pytest.mark.gen_test
async def test_what_deleted_accounts_have_said_is_found_under_the_deleted_user(talk):
    assert (await talk.carol.delete("/user")).data is None
    assert await talk.texts({"sender": [talk.deleted_id]}) == ["c1", "Message recalled"]
    assert (await talk.bob.delete("/user")).data is None
    found = ["b3", "b2", "c1", "Message recalled"]
    assert await talk.texts({"sender": [talk.deleted_id]}) == found
    both = {"sender": [talk.deleted_id, talk.alice.id]}
    assert await talk.texts(both) == ["b3", "b2", "a2", "c1", "Message recalled", "a1"]
    assert (await talk.filter({"sender": [talk.bob.id]})).status == 400


@pytest.mark.gen_test
async def test_times_may_be_numeric_strings_and_nan_counts_as_not_given(talk):
    everything = [message["message"] for message in talk.history]
    begin = talk.history[3]["send_time"]
    for value in (begin, repr(begin), f" {begin!r} ", f"{begin * 1e6:.0f}e-6"):
        assert await talk.texts({"begin_time": value}) == everything[:4], value
    for value in (0, 0.0, "0", "-1", -1, "1e3", -62135596800, 1):
        assert await talk.texts({"begin_time": value}) == everything, value
        assert await talk.texts({"end_time": value}) == [], value
    for nan in ("nan", "NaN", "-nan", " NAN "):
        assert (await talk.filter({"begin_time": nan})).status == 400
        assert (await talk.filter({"begin_time": nan, "end_time": nan})).status == 400
        assert await talk.texts({"begin_time": nan, "end_time": 253402300799}) == everything
        assert await talk.texts({"begin_time": nan, "end_time": "nan", "sender": [talk.alice.id]}) == ["a2", "a1"]


@pytest.mark.gen_test
async def test_bad_conditions_are_refused(talk, people):
    times = [
        None,
        "",
        " ",
        "x",
        "1,5",
        "0x1",
        [],
        {},
        [1],
        True,
        "inf",
        "-Infinity",
        1e300,
        -1e300,
        10**18,
        10**30,
        "1e99",
    ]
    times += ["１２e", "\0", 253402300800]
    senders = ["", "1", 1, {}, True, [None], ["1"], [True], [1.5], [[talk.alice.id]], [0], [-1], [10**6], [10**30]]
    senders += [[talk.carol.id], [talk.dave.id], [talk.alice.id, talk.carol.id]]  # a former member is none
    bodies = [{key: value} for key in ("begin_time", "end_time") for value in times]
    bodies += [{"begin_time": 0, "end_time": value, "sender": []} for value in times]
    bodies += [{"sender": value} for value in senders] + [{"begin_time": 0, "sender": value} for value in senders]
    bodies += [{}, {"sender": None}, {"senders": [1]}, None, [], "x", 1, True, [{"begin_time": 0}]]
    for body in bodies:
        answer = await talk.filter(body)
        assert (answer.status, bool(answer.error)) == (400, True), body
    assert (await talk.alice.post(f"/chat/{talk.id}/filter")).status == 400
    for raw in (b'{"begin_time": NaN}', b'{"begin_time": 1e999}', b"", b"{"):
        more = {"raw_body": raw, "headers": {"Content-Type": "application/json"}}
        assert (await talk.alice.post(f"/chat/{talk.id}/filter", **more)).status == 400, raw
    # The chat is looked at before the conditions.
    assert (await talk.filter({}, chat_id=10**6)).error == "Chat not found"
    for person in (talk.carol, talk.dave):
        assert (await talk.filter({}, person)).status == (await talk.filter({"begin_time": 0}, person)).status == 403
    assert (await talk.alice.get(f"/chat/{talk.id}/filter")).status == 405


@pytest.mark.gen_test
async def test_an_answer_of_several_pages_is_whole(talk, monkeypatch):
    for page in (1, 2, 3, 8, 9):
        monkeypatch.setattr(messages_service, "PAGE_MESSAGES", page)
        assert (await talk.filter({"begin_time": 0})).data == talk.history
        assert await talk.texts({"sender": [talk.bob.id, talk.alice.id]}) == ["b3", "b2", "a2", "a1"]
