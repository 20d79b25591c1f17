"""The rooms protocol's socket: tokens, frames, private messages, refusals.

Source: rooms document; contract "protocols" sections 0.4, 0.6, 0.7, 3.4, 3.6, 3.9.
"""

import asyncio
import json

import pytest
from clients.rooms import RoomsClient

from nova_tornado.settings import Settings

UNKNOWN_IDS = (0, -1, 2**53 + 1, 10**30)
NO_INTEGERS = (True, False, 1.0, 1.5, "1", "", None, [], [1], {}, {"$ne": None})
NO_TOKENS = (None, True, 0, 1.5, "", "bad", "\0", "\ud800", "x" * 100_000, [], ["x"], {}, {"$ne": None})
BAD_TEXTS = (None, 5, True, [], {}, "", "a\0b", "\ud800", "x" * 20_001, "x" * 1_000_000)


async def pair(people):
    """alice and bob, each with a socket."""
    alice, bob = await people("alice"), await people("bob")
    one, other = await RoomsClient.of(alice), await RoomsClient.of(bob)
    assert await one.drain() == []
    return one, other


async def blank(person):
    """A socket that has shown no token yet."""
    client = await RoomsClient.connect(person.port, None)
    person._sockets.append(client)
    return client


# Tokens


@pytest.mark.gen_test
async def test_nothing_works_before_a_token_and_the_socket_stays_open(people):
    alice = await people("alice")
    good = await RoomsClient.of(alice)
    client = await blank(alice)
    say = {"chat_type": "room", "other_user_id": alice.id, "message": "hi"}
    for frame in ({}, {"chat_type": "nonsense"}, say, {"other": 1}):
        await client.refused(frame, 401)
    for token in NO_TOKENS:
        for frame in ({"token": token}, {"token": token, **say}, {"token": token, "chat_type": 5}):
            await client.refused(frame, 401)
    await client.refused("{", 400)
    assert await client.request({"token": good.token}) == {"type": "init", "user_id": alice.id}
    assert await client.drain() == []


@pytest.mark.gen_test
async def test_first_frame_may_have_a_chat_type_which_is_carried_out_after_the_init(people):
    one, other = await pair(people)
    for chat_type, code in (("room", None), ("video", 400), ("group", 400)):
        client = await blank(one.person)
        frame = {"token": one.token, "chat_type": chat_type, "other_user_id": other.user_id, "message": "hello"}
        await client.send(frame)
        packets = await client.expect("init", "error" if code else "room_chat_message")
        assert packets[0]["user_id"] == one.user_id
        assert packets[1].get("code") == code
    assert [packet["message"] for packet in await other.drain()] == ["hello"]


@pytest.mark.gen_test
async def test_token_may_be_left_out_or_repeated_and_a_bad_one_changes_nothing(people):
    one, other = await pair(people)
    again = await RoomsClient.of(one.person)
    say = {"chat_type": "room", "other_user_id": other.user_id, "message": "hi"}
    assert (await one.request({**say, "token": one.token}))["type"] == "room_chat_message"
    await again.drain()
    assert (await one.request({**say, "token": again.token}))["type"] == "room_chat_message"
    for token in (*NO_TOKENS, other.token):
        await one.refused({**say, "token": token}, 401)
        if token != other.token:
            await one.refused({"token": token}, 401)
    assert await one.request({"token": one.token}) == {"type": "init", "user_id": one.user_id}
    assert (await one.request(say))["message"] == "hi"
    assert len(await other.drain()) == 3


@pytest.mark.gen_test
async def test_a_good_token_of_another_account_moves_the_socket_over(people):
    one, other = await pair(people)
    assert await one.request({"token": other.token}) == {"type": "init", "user_id": other.user_id}
    carol = await RoomsClient.of(await people("carol"))
    await one.drain()
    await carol.say(one.user_id, "for alice")
    assert await one.drain() == []
    packet = await carol.say(other.user_id, "for bob")
    assert await one.drain() == [packet]  # once, though bob is connected twice
    assert (await one.say(carol.user_id, "from bob"))["user_id"] == other.user_id
    users = {user["user_id"]: user["is_online"] for user in (await carol.get("/users")).data}
    assert users[one.user_id] is False and users[other.user_id] is True


@pytest.mark.gen_test
async def test_revoked_tokens_close_the_sockets_that_hang_on_them(people):
    one, other = await pair(people)
    phone = await RoomsClient.of(one.person)
    await phone.request({"token": one.token})  # moved over to that token
    await one.get("/logout")
    for client in (one, phone):
        await client.expect_close(4401)
    fresh = await blank(other.person)
    await fresh.refused({"token": one.token}, 401)
    assert (await fresh.request({"token": phone.token}))["user_id"] == one.user_id
    await one.person.delete("/user")
    await fresh.expect_close(4401)
    await other.drain()


# Frames


@pytest.mark.gen_test
async def test_malformed_frames_are_400_and_the_socket_stays_usable(people):
    one, other = await pair(people)
    deep = '{"a":' * 65 + "1" + "}" * 65
    for frame in (
        *("", "nonsense", "[]", "5", "null", '"text"', "true", '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}'),
        *(deep, "[" * 100_000, '{"a":' + "9" * 5000 + "}", b"{}", b"\xff\x00", "{" + " " * 1_000_000),
    ):
        await one.refused(frame, 400)
    deepest = json.loads('{"a":' * 63 + "1" + "}" * 63)
    assert (await one.say(other.user_id, "hi", extra=deepest))["message"] == "hi"


@pytest.mark.gen_test
async def test_frames_of_16_mib_are_answered(people):
    one, other = await pair(people)
    await one.refused({"chat_type": "room", "other_user_id": other.user_id, "message": "x" * (2**24 - 100)}, 400)
    assert (await one.say(other.user_id, "hi", padding="x" * (2**24 - 200)))["message"] == "hi"


@pytest.mark.gen_test
async def test_chat_type_must_be_one_of_three(people):
    one, _ = await pair(people)
    for chat_type in (None, 5, True, [], {}, "", "Room", "rooms", "\0", "\ud800", "x" * 65):
        packet = await one.request({"chat_type": chat_type, "message": "hi", "other_user_id": 1})
        assert (packet["type"], packet["code"]) == ("error", 400)
        is_shown = isinstance(chat_type, str) and len(chat_type) <= 64 and chat_type.isprintable()
        assert packet["chat_type"] == (chat_type if is_shown else None)
    await one.refused({}, 400)


@pytest.mark.gen_test
async def test_bad_fields_send_nothing(people, database):
    one, other = await pair(people)
    group = await other.new_group()
    await one.drain()
    room = {"chat_type": "room", "other_user_id": other.user_id, "message": "hi"}
    to_group = {"chat_type": "group", "chat_group_id": group, "message": "hi"}
    for frame, key in ((room, "other_user_id"), (to_group, "chat_group_id")):
        for value in NO_INTEGERS:
            await one.refused({**frame, key: value}, 400)
        for value in UNKNOWN_IDS:
            await one.refused({**frame, key: value}, 404)
        await one.refused({name: value for name, value in frame.items() if name != key}, 400)
        # Fields come before what they name.
        await one.refused({**frame, key: 10**30, "message": ""}, 400)
    for frame in (room, to_group, {"chat_type": "bot"}):
        for text in BAD_TEXTS:
            await one.refused({**frame, "message": text}, 400)
        if frame["chat_type"] != "bot":
            for client_id in ("", "x" * 65, 5, True, [], "a\0"):
                await one.refused({**frame, "client_message_id": client_id}, 400)
    await one.refused({**room, "other_user_id": one.user_id}, 400)
    system_ids = [user["_id"] for user in database.users.find({"name": {"$regex": "^#"}})]
    for user_id in system_ids:
        await one.refused({**room, "other_user_id": user_id}, 404)
    assert await one.drain() == [] and await other.drain() == []
    assert (await one.get("/chat_rooms")).data == [] == (await other.get("/chat_rooms")).data


@pytest.mark.gen_test
async def test_a_rooms_id_is_no_groups_and_groups_of_others_are_refused(people):
    one, other = await pair(people)
    carol = await RoomsClient.of(await people("carol"))
    await one.drain()
    room = (await one.say(other.user_id, "hi"))["chat_room_id"]
    group = await one.new_group(is_entered=False)
    await other.drain()
    for client in (one, carol):
        await client.drain()
        await client.refused({"chat_type": "group", "chat_group_id": room, "message": "hi"}, 404)
    await carol.refused({"chat_type": "group", "chat_group_id": group, "message": "hi"}, 403)  # though it is open
    assert await one.drain() == [] and await other.drain() == []


# Private messages


@pytest.mark.gen_test
async def test_private_messages_reach_all_sockets_of_both_and_nobody_else(people):
    one, other = await pair(people)
    phone, tablet = await RoomsClient.of(one.person), await RoomsClient.of(other.person)
    carol = await RoomsClient.of(await people("carol"))
    for client in (one, other, phone, tablet):
        await client.drain()
    first = await one.say(other.user_id, " Grüße \n<b>😀 ")
    assert first["message"] == " Grüße \n<b>😀 "
    assert (first["user_id"], first["other_user_id"]) == (one.user_id, other.user_id)
    second = await other.say(one.user_id, "x" * 20_000)
    assert second == first  # what came first to bob
    (reply,) = await other.expect("room_chat_message")
    assert (reply["user_id"], reply["other_user_id"]) == (other.user_id, one.user_id)
    assert reply["chat_room_id"] == first["chat_room_id"] and reply["message_id"] > first["message_id"]
    assert reply["timestamp"] > first["timestamp"]
    for client in (phone, tablet):
        assert await client.drain() == [first, reply]
    assert await one.drain() == [reply]
    assert await carol.drain() == []
    assert await other.drain() == []


@pytest.mark.gen_test
async def test_a_repeated_send_is_answered_to_the_asking_socket_alone(people):
    one, other = await pair(people)
    phone = await RoomsClient.of(one.person)
    group = await one.new_group()
    for client in (phone, other):
        await client.drain()
    for send, target in ((one.say, other.user_id), (one.say_to_group, group)):
        client_id = f"to {target} " + "é" * 50
        first = await send(target, "hello", client_message_id=client_id)
        await phone.drain()
        await other.drain()
        assert await send(target, "hello", client_message_id=client_id) == first
        assert await one.drain() == [] == await phone.drain() and await other.drain() == []
    used = {"client_message_id": f"to {other.user_id} " + "é" * 50, "message": "hello"}
    room = {"chat_type": "room", "other_user_id": other.user_id}
    carol = await people("carol")
    await one.drain()
    await one.refused({**room, **used, "message": "other text"}, 400)
    await one.refused({"chat_type": "group", "chat_group_id": group, **used}, 400)
    await one.refused({**room, **used, "other_user_id": carol.id}, 400)
    assert [each["other_user_id"] for each in (await one.get("/chat_rooms")).data] == [other.user_id]
    await other.drain()
    assert (await other.request({**room, **used, "other_user_id": one.user_id}))["user_id"] == other.user_id


@pytest.mark.gen_test
async def test_frames_are_carried_out_in_order_and_two_at_once_make_one_room(people):
    one, other = await pair(people)
    for number in range(50):
        await one.send({"chat_type": "room", "other_user_id": other.user_id, "message": f"a {number}"})
        await other.send({"chat_type": "room", "other_user_id": one.user_id, "message": f"b {number}"})
    both = [await client.expect(*["room_chat_message"] * 100) for client in (one, other)]
    assert both[0] == both[1]
    assert [packet["message"] for packet in both[0] if packet["message"][0] == "a"] == [f"a {n}" for n in range(50)]
    ids = [packet["message_id"] for packet in both[0]]
    assert ids == sorted(ids) and len({packet["chat_room_id"] for packet in both[0]}) == 1


class TestWithoutBots:
    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False, plugins_off=("nova_bot_chat",))

    @pytest.mark.gen_test
    async def test_without_the_plugin_no_bot_is_available(self, people):
        one, _ = await pair(people)
        await one.refused({"chat_type": "bot", "message": "hello"}, 404)
        (await one.get("/chat_bot")).refused(404)
        (await one.get("/chat_bot?timestamp=yesterday")).refused(400)


@pytest.mark.gen_test
async def test_many_bad_frames_at_once_are_all_answered(people):
    one, _ = await pair(people)
    await asyncio.gather(*(one.send({"chat_type": f"bad {number}"}) for number in range(200)))
    packets = await one.expect(*["error"] * 200)
    assert [packet["chat_type"] for packet in packets] == [f"bad {number}" for number in range(200)]


@pytest.mark.gen_test
async def test_plain_http_at_the_socket_is_refused(guest):
    assert (await guest.get("/socket")).status == 400
    assert (await guest.post("/socket", {})).status == 405


@pytest.mark.gen_test
async def test_a_socket_that_moves_over_again_and_again_misses_nothing_and_hears_nothing_twice(people):
    one, other = await pair(people)
    again = await RoomsClient.of(one.person)
    for number in range(100):
        await other.send({"chat_type": "room", "other_user_id": one.user_id, "message": str(number)})
        await one.send({"token": (again.token, one.token)[number % 2]})
    await other.expect(*["room_chat_message"] * 100)
    heard = [packet["message"] for packet in await one.drain() if packet["type"] == "room_chat_message"]
    assert heard == [str(number) for number in range(100)]


@pytest.mark.gen_test
async def test_a_token_that_is_revoked_while_it_is_shown_leaves_no_open_socket(people):
    alice = await people("alice")
    for _ in range(20):
        client, late = await RoomsClient.of(alice), await blank(alice)
        await asyncio.gather(late.send({"token": client.token}), client.get("/logout"))
        await client.expect_close(4401)
        packet = await late.receive()
        if packet["type"] == "init":
            while await late.receive() is not None:
                pass
            assert late.connection.close_code == 4401
        else:
            assert packet["code"] == 401
