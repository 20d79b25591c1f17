"""The rooms protocol's lists of private chats, its notifications, and its histories.

Source: rooms document; contract "protocols" sections 0.6, 0.8, 3.1, 3.6, 3.8.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from clients.rooms import RoomsClient

NO_INTEGERS = (True, False, 1.0, 1.5, "1", "", None, [], [1], {}, {"$ne": None})
UNKNOWN_IDS = (0, -1, 2**53 + 1, 10**30)
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
BAD_TIMES = (
    *(5, 0, 1.5, True, [], {}, "", "yesterday", "2025-11-20", "11:08", "2025-11-20T11", "2025-11-20 11:08:00"),
    *("2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z", "2025-11-20T25:00:00Z", "2025-11-20T11:60:00Z"),
    *("0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2025-11-20T11:08:00Z", "2025-11-20T11:08:00+25:00"),
    *("2025-11-20T11:08:00.Z", "2025-11-20T11:08:00Zulu", "2025-11-20T11:08:00Z\n", "2025-11-20T11:08:00Z\0"),
    *("٢٠٢٥-11-20T11:08:00Z", "1763636880", "NaN", "1e999", "\ud800", "2025-11-20T11:08:00." + "9" * 100_000 + "!"),
)


async def users(people, *names):
    clients = [await RoomsClient.of(await people(name)) for name in names]
    await quiet(*clients)
    return clients


async def quiet(*clients):
    for client in clients:
        await client.drain()


async def texts(client, path, body=None, query=""):
    answer = await client.get(path + query, {} if body is None else body)
    return [message["message"] for message in answer.data]


@pytest.fixture(params=["room", "group"])
def history(request, people, io_loop):
    """alice and bob, in a chat of either kind with the messages 0 to 4: (client, path, messages)."""

    async def make():
        alice, bob = await users(people, "alice", "bob")
        if request.param == "room":
            sent = [await alice.say(bob.user_id, str(number)) for number in range(5)]
            return alice, f"/chat_rooms/{sent[0]['chat_room_id']}", sent
        group = await alice.new_group()
        sent = [await alice.say_to_group(group, str(number)) for number in range(5)]
        return alice, f"/chat_groups/{group}", sent

    return io_loop.run_sync(make)


# Histories


@pytest.mark.gen_test
async def test_a_history_is_ascending_with_exact_times(history):
    client, path, sent = history
    messages = (await client.get(path)).data
    for message, packet in zip(messages, sent, strict=True):
        assert message == {key: packet[key] for key in ("message_id", "user_id", "message", "timestamp")}
        assert TIME.fullmatch(message["timestamp"])
    times = [message["timestamp"] for message in messages]
    assert times == sorted(set(times))
    assert abs(datetime.fromisoformat(times[0]) - datetime.now(UTC)) < timedelta(minutes=2)


@pytest.mark.gen_test
async def test_a_time_is_inclusive_and_before_it_exclusive(history):
    client, path, sent = history
    at = sent[2]["timestamp"]
    assert await texts(client, path, {"timestamp": at}) == ["2", "3", "4"]
    assert await texts(client, path, {"timestamp": at, "before": False}) == ["2", "3", "4"]
    assert await texts(client, path, {"timestamp": at, "before": None}) == ["2", "3", "4"]
    assert await texts(client, path, {"timestamp": at, "before": True}) == ["0", "1"]
    assert await texts(client, path, {"timestamp": sent[0]["timestamp"], "before": True}) == []
    everything = ["0", "1", "2", "3", "4"]
    for body in ({}, {"timestamp": None}, {"before": True}, {"timestamp": None, "before": False}):
        assert await texts(client, path, body) == everything
    assert await texts(client, path, {"timestamp": "0001-01-01T00:00:00Z"}) == everything
    assert await texts(client, path, {"timestamp": "9999-12-31T23:59:59.999999Z", "before": True}) == everything
    assert await texts(client, path, {"timestamp": "9999-12-31T23:59:59.999999Z"}) == []


@pytest.mark.gen_test
async def test_the_same_time_may_be_written_in_many_ways(history):
    client, path, sent = history
    at = datetime.fromisoformat(sent[2]["timestamp"])
    east = at.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(timespec="microseconds")
    west = at.astimezone(timezone(timedelta(hours=-3))).isoformat(timespec="microseconds")
    assert east.endswith("+05:30") and west.endswith("-03:00")
    plain = sent[2]["timestamp"].removesuffix("Z")
    for text in (east, west, plain, plain + "+00:00", plain + "+0000", plain + "-00", plain + "000999Z"):
        assert await texts(client, path, {"timestamp": text}) == ["2", "3", "4"], text
        assert await texts(client, path, query=f"?timestamp={quote(text)}&before=TRUE") == ["0", "1"], text
        assert await texts(client, path, query=f"?timestamp={text}") == ["2", "3", "4"], text  # a bare plus sign
    early = (at.replace(microsecond=0) - timedelta(seconds=1)).isoformat().removesuffix("+00:00")
    for text in (early, early + "Z", early + ".5Z", early[:-3]):
        assert (await texts(client, path, {"timestamp": text}))[-3:] == ["2", "3", "4"]


@pytest.mark.gen_test
async def test_the_query_counts_where_the_body_says_nothing(history):
    client, path, sent = history
    at, later = sent[2]["timestamp"], sent[4]["timestamp"]
    for flag, expected in (("true", ["0", "1"]), ("1", ["0", "1"]), ("False", ["2", "3", "4"]), ("0", ["2", "3", "4"])):
        answer = await client.get(f"{path}?timestamp={at}&before={flag}&other=1")
        assert [message["message"] for message in answer.data] == expected
    assert await texts(client, path, {"timestamp": later}, f"?timestamp={at}") == ["4"]
    assert await texts(client, path, {"before": True}, f"?timestamp={at}&before=0") == ["0", "1"]
    assert await texts(client, path, {"timestamp": None}, f"?timestamp={at}") == ["0", "1", "2", "3", "4"]
    for query in ("?timestamp=", "?timestamp=%FF", "?before=yes", "?before=", "?before=2", f"?timestamp={at}x"):
        (await client.get(path + query)).refused(400)


@pytest.mark.gen_test
async def test_bad_times_are_400_before_the_chat_is_looked_for(history):
    client, path, _ = history
    for target in (path, "/chat_rooms/999", "/chat_groups/999", "/chat_bot"):
        for value in BAD_TIMES:
            (await client.get(target, {"timestamp": value})).refused(400)
        for value in (5, 1, 0, "true", "", [], {}):
            (await client.get(target, {"before": value})).refused(400)


@pytest.mark.gen_test
async def test_at_most_the_latest_hundred_are_shown_and_scrolling_finds_each_once(people):
    alice, bob = await users(people, "alice", "bob")
    for number in range(250):
        await alice.send({"chat_type": "room", "other_user_id": bob.user_id, "message": str(number)})
    sent = await alice.expect(*["room_chat_message"] * 250)
    path = f"/chat_rooms/{sent[0]['chat_room_id']}"
    assert await texts(bob, path) == [str(number) for number in range(150, 250)]
    assert await texts(bob, path, {"timestamp": sent[0]["timestamp"]}) == [str(n) for n in range(150, 250)]
    assert await texts(bob, path, {"timestamp": sent[240]["timestamp"]}) == [str(n) for n in range(240, 250)]
    seen, body = [], {}
    while page := (await bob.get(path, body)).data:
        assert len(page) <= 100
        seen = [*page, *seen]
        body = {"timestamp": page[0]["timestamp"], "before": True}
    assert [message["message"] for message in seen] == [str(number) for number in range(250)]


@pytest.mark.gen_test
async def test_rooms_of_others_are_403_and_what_is_no_room_404(people):
    alice, bob, eve = await users(people, "alice", "bob", "eve")
    room = (await alice.say(bob.user_id, "hi"))["chat_room_id"]
    group = await alice.new_group()
    (await eve.get(f"/chat_rooms/{room}")).refused(403)
    for id_ in (group, room + 1000, 10**15, 2**53 + 1, 10**30):
        (await alice.get(f"/chat_rooms/{id_}")).refused(404)
    for id_ in (room, 10**30):
        (await alice.get(f"/chat_groups/{id_}")).refused(404)


@pytest.mark.gen_test
async def test_messages_deleted_for_oneself_are_gone_from_ones_own_histories(people):
    alice, bob = await users(people, "alice", "bob")
    sent = [await alice.say(bob.user_id, text) for text in ("one", "two")]
    room = sent[0]["chat_room_id"]
    socket = await bob.person.socket()
    await socket.send("recall_message", {"message_id": sent[1]["message_id"], "delete": True})
    await socket.expect("message_deleted")
    assert await alice.drain() == [] and len(await bob.drain()) == 2
    assert await texts(bob, f"/chat_rooms/{room}") == ["one"]
    assert await texts(alice, f"/chat_rooms/{room}") == ["one", "two"]
    (listed,) = (await bob.get("/chat_rooms")).data
    assert listed["last_message_timestamp"] == sent[0]["timestamp"]
    (note,) = (await bob.get("/notifications")).data
    assert note["timestamp"] == sent[0]["timestamp"]


# Rooms and notifications


@pytest.mark.gen_test
async def test_rooms_are_listed_with_the_latest_message_first_and_empty_ones_last(people, nova):
    alice, bob, carol, dan = await users(people, "alice", "bob", "carol", "dan")
    await carol.put("/users/profile", {"first_name": "Carol", "last_name": "C"})
    user = await nova.services.directory.get(alice.user_id)
    empty, _ = await nova.services.chats.open_private(user, dan.user_id)
    await quiet(alice, bob, carol, dan)
    to_bob = await alice.say(bob.user_id, "hi")
    to_carol = await alice.say(carol.user_id, "hi")
    await alice.new_group()
    names = {"bob": ("bob", ""), "carol": ("Carol", "C"), "dan": ("dan", "")}

    def listed(room, other, name, timestamp):
        first, last = names[name]
        return {
            "chat_room_id": room,
            "other_user_id": other.user_id,
            "first_name": first,
            "last_name": last,
            "last_message_timestamp": timestamp,
        }

    rooms = [
        listed(to_carol["chat_room_id"], carol, "carol", to_carol["timestamp"]),
        listed(to_bob["chat_room_id"], bob, "bob", to_bob["timestamp"]),
        listed(empty.id, dan, "dan", None),
    ]
    assert (await alice.get("/chat_rooms")).data == rooms
    to_alice = await bob.request({"chat_type": "room", "other_user_id": alice.user_id, "message": "hi"})
    while to_alice["type"] != "room_chat_message" or to_alice["user_id"] != bob.user_id:
        to_alice = await bob.receive()
    rooms[1]["last_message_timestamp"] = to_alice["timestamp"]
    assert (await alice.get("/chat_rooms")).data == [rooms[1], rooms[0], rooms[2]]
    (own,) = (await dan.get("/chat_rooms")).data
    assert (own["other_user_id"], own["first_name"]) == (alice.user_id, "alice")


@pytest.mark.gen_test
async def test_notifications_tell_the_last_message_of_each_other_one_and_whether_it_was_read(people):
    alice, bob, carol = await users(people, "alice", "bob", "carol")
    assert (await alice.get("/notifications")).data == []
    from_bob = [await bob.say(alice.user_id, text) for text in ("one", "two")][-1]
    from_carol = await carol.say(alice.user_id, "hi")

    def note(packet, is_read):
        return {
            "sender_id": packet["user_id"],
            "chat_room_id": packet["chat_room_id"],
            "is_read": is_read,
            "timestamp": packet["timestamp"],
        }

    assert (await alice.get("/notifications")).data == [note(from_carol, False), note(from_bob, False)]
    assert (await bob.get("/notifications")).data == []  # the other one has not written
    room = from_bob["chat_room_id"]
    await texts(alice, f"/chat_rooms/{room}")  # marks nothing
    assert (await alice.get("/notifications")).data[1] == note(from_bob, False)
    assert (await alice.put("/notifications", {"chat_room_id": room})).data is None
    assert (await alice.get("/notifications")).data == [note(from_carol, False), note(from_bob, True)]
    await quiet(alice, bob)
    again = await bob.say(alice.user_id, "three")
    assert (await alice.get("/notifications")).data == [note(again, False), note(from_carol, False)]
    await quiet(alice)
    await alice.say(bob.user_id, "an answer reads everything")
    assert (await alice.get("/notifications")).data == [note(again, True), note(from_carol, False)]
    assert [each["is_read"] for each in (await bob.get("/notifications")).data] == [False]


@pytest.mark.gen_test
async def test_marking_as_read_is_told_to_the_native_protocol(people):
    alice, bob = await users(people, "alice", "bob")
    room = (await alice.say(bob.user_id, "hi"))["chat_room_id"]
    socket = await alice.person.socket()
    assert (await bob.put("/notifications", {"chat_room_id": room})).data is None
    assert await socket.expect("messages_read") == [{"chat_id": room, "user_id": bob.user_id}]


@pytest.mark.gen_test
async def test_bad_rooms_cannot_be_marked_as_read(people):
    alice, bob, eve = await users(people, "alice", "bob", "eve")
    room = (await alice.say(bob.user_id, "hi"))["chat_room_id"]
    group = await alice.new_group()
    for value in NO_INTEGERS:
        (await bob.put("/notifications", {"chat_room_id": value})).refused(400)
    for body in (None, [], {}, {"chat_group_id": room}):
        (await bob.put("/notifications", body)).refused(400)
    for value in (*UNKNOWN_IDS, group):
        (await bob.put("/notifications", {"chat_room_id": value})).refused(404)
    (await eve.put("/notifications", {"chat_room_id": room})).refused(403)
    assert [each["is_read"] for each in (await bob.get("/notifications")).data] == [False]


@pytest.mark.gen_test
async def test_recalled_messages_do_not_count_as_the_last(people):
    alice, bob = await users(people, "alice", "bob")
    sent = [await alice.say(bob.user_id, text) for text in ("one", "two")]
    socket = await alice.person.socket()
    for packet in reversed(sent):
        await socket.send("recall_message", {"message_id": packet["message_id"]})
        await alice.expect("room_chat_message_delete")
        notes, rooms = (await bob.get("/notifications")).data, (await bob.get("/chat_rooms")).data
        if packet is sent[1]:
            assert [each["timestamp"] for each in notes] == [sent[0]["timestamp"]]
            assert [each["last_message_timestamp"] for each in rooms] == [sent[0]["timestamp"]]
    assert notes == [] and [each["last_message_timestamp"] for each in rooms] == [None]


@pytest.mark.gen_test
async def test_messages_with_files_are_shown_with_their_urls(people, nova):
    alice, bob = await users(people, "alice", "bob")
    room = (await alice.say(bob.user_id, "hi"))["chat_room_id"]
    await quiet(bob)
    user = await nova.services.directory.get(alice.user_id)
    files = [await nova.services.files.store(user, name, b"data") for name in ("a.txt", "b.txt")]
    lines = [file.url for file in files]
    await nova.services.messages.send(user, room, "look", file_ids=[file.id for file in files])
    (packet,) = await bob.expect("room_chat_message")
    assert packet["message"].splitlines()[0] == "look" and len(packet["message"].splitlines()) == 3
    assert all(line in packet["message"] for line in lines)
    assert (await texts(bob, f"/chat_rooms/{room}"))[-1] == packet["message"]
