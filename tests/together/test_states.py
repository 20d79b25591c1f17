"""What has been changed by one protocol is so in all others: histories, last messages, read marks, members.

Source: contract "protocols" sections 0.5, 0.6 and 0.10 ("visible in …"), 2.2, 3.5 to 3.8 and 4.1.
"""

from datetime import datetime

import pytest
from together.changes import LETTERS, PROTOCOLS
from together.makers import Http
from together.table_makers import MAKERS
from together.world import CLIENTS, OLD_TEXT, TEXT


class Views:
    """A chat as one user sees it by each protocol that can show it."""

    def __init__(self, world, letter):
        self.world = world
        self.letter = letter
        self.chat = world.facts["chat"]

    async def modes(self, mode, **fields):
        """A reply of modes; the socket is not subscribed."""
        client = await CLIENTS["modes"].connect(self.world.port, None)
        reply = await client.request({"mode": mode, "token": self.world.tokens[self.letter], **fields})
        client.close()
        return reply

    async def native(self, path):
        """An answer of actions."""
        return (await self.world.persons[self.letter].get(path)).data

    async def rooms(self, path):
        """An answer of rooms."""
        return await self.world.http(self.letter, "GET", f"/http/{path}", {})

    async def history(self, kind):
        """Id, author, text and time of each message, ascending; the same by all protocols."""
        native = [
            (m["message_id"], m["sender"]["id"], m["message"], round(m["send_time"] * 1e6))
            for m in reversed(await self.native(f"/chat/{self.chat}/messages"))
            if not m["deleted"]
        ]
        rooms = [
            (
                m["message_id"],
                m["user_id"],
                m["message"],
                round(datetime.fromisoformat(m["timestamp"]).timestamp() * 1e6),
            )
            for m in await self.rooms(f"chat_{kind}/{self.chat}")
        ]
        modes = [
            (m["message_id"], m["from_id"], m["content"], round(m["content_time"] * 1e6))
            for m in (await self.modes("getMessages", chat_id=self.chat))["messages"]
        ]
        assert native == rooms == modes
        return [(user_id, text) for _, user_id, text, _ in native]

    async def last_text(self):
        """The last message in the lists of chats."""
        [native] = [chat for chat in await self.native("/chat") if chat["chat"]["chat_id"] == self.chat]
        [modes] = [chat for chat in (await self.modes("getChats"))["chats"] if chat["chat_id"] == self.chat]
        last = native["chat"]["last_message"]
        assert modes["last_message_text"] == (last["message"] if last else None)
        return modes["last_message_text"]

    async def unread_count(self):
        """How many messages are unread."""
        [native] = [chat for chat in await self.native("/chat") if chat["chat"]["chat_id"] == self.chat]
        return native["unread_count"]


async def prepare(world, people, kind, *said):
    await world.populate(people)
    if kind == "rooms":
        chat, _ = await world.nova.services.chats.open_private(await world.user("A"), world.facts["B"])
        world.facts["chat"] = chat.id
    else:
        await world.group("A B C")
    for letter in said:
        await world.say(letter)


async def make(world, name, sender):
    """Make a change by a protocol; the answer is there when this is done."""
    maker = MAKERS[name][sender]
    if isinstance(maker, Http):
        await maker.make(world)
    else:
        world.asker = await world.another(world.actor, sender)
        await maker(world)
        await world.asker.drain()


@pytest.mark.gen_test
@pytest.mark.parametrize("sender", PROTOCOLS)
@pytest.mark.parametrize(("name", "kind"), [("message sent, private", "rooms"), ("message sent, group", "groups")])
async def test_message_is_in_all_histories_and_lists(name, kind, sender, world, people, no_presence):
    await prepare(world, people, kind, "B")
    await make(world, name, sender)
    a, b = world.facts["A"], world.facts["B"]
    mine, others = Views(world, "A"), Views(world, "B")
    assert await mine.unread_count() == 0  # by sending
    assert await others.unread_count() == 1
    if kind == "rooms":
        [notice] = await others.rooms("notifications")
        assert notice["sender_id"] == a and notice["is_read"] is False
        [notice] = await mine.rooms("notifications")
        assert notice["sender_id"] == b and notice["is_read"] is True
    for view in (mine, others):
        assert await view.last_text() == TEXT
        assert await view.history(kind) == [(b, OLD_TEXT), (a, TEXT)]


@pytest.mark.gen_test
@pytest.mark.parametrize("sender", ["actions", "opcodes"])
async def test_edit_is_in_all_histories(sender, world, people, no_presence):
    await prepare(world, people, "groups", "A", "B")
    world.facts["old"] -= 1  # the one of A
    await make(world, "message edited, group", sender)
    for letter in "ABC":
        assert await Views(world, letter).history("groups") == [
            (world.facts["A"], TEXT),
            (world.facts["B"], OLD_TEXT),
        ]


@pytest.mark.gen_test
@pytest.mark.parametrize("sender", ["actions", "opcodes"])
async def test_deleted_message_is_gone_from_all_histories(sender, world, people, no_presence):
    await prepare(world, people, "groups", "B", "A")
    await make(world, "message deleted for all, group", sender)
    for letter in "ABC":
        view = Views(world, letter)
        assert await view.history("groups") == [(world.facts["B"], OLD_TEXT)]
        assert await view.last_text() == OLD_TEXT
        [recalled, _] = await view.native(f"/chat/{view.chat}/messages")
        assert recalled["message"] == "Message recalled" and recalled["deleted"] is True


@pytest.mark.gen_test
async def test_message_that_one_has_hidden_is_gone_for_him_alone(world, people, no_presence):
    await prepare(world, people, "rooms", "B")
    await make(world, "message hidden for one", "actions")
    mine, others = Views(world, "A"), Views(world, "B")
    assert await mine.history("rooms") == [] and await mine.last_text() is None
    assert await others.history("rooms") == [(world.facts["B"], OLD_TEXT)] and await others.last_text() == OLD_TEXT
    assert await mine.rooms("notifications") == []
    [room] = await mine.rooms("chat_rooms")
    assert room["last_message_timestamp"] is None


@pytest.mark.gen_test
@pytest.mark.parametrize("sender", ["actions", "methods", "modes", "rooms"])
async def test_read_is_read_in_all_protocols(sender, world, people, no_presence):
    await prepare(world, people, "rooms", "B")
    mine = Views(world, "A")
    assert await mine.unread_count() == 1
    [notice] = await mine.rooms("notifications")
    assert notice["is_read"] is False
    await mine.rooms(f"chat_rooms/{mine.chat}")  # does not mark anything
    assert await mine.unread_count() == 1
    await make(world, "read, private", sender)
    assert await mine.unread_count() == 0
    [notice] = await mine.rooms("notifications")
    assert notice["is_read"] is True
    [message] = await mine.native(f"/chat/{mine.chat}/messages")
    assert world.facts["A"] in [user["id"] for user in message["read_users"]]


@pytest.mark.gen_test
@pytest.mark.parametrize("sender", ["actions", "methods", "modes", "opcodes"])
@pytest.mark.parametrize("name", ["member added", "member removed"])
async def test_members_are_the_same_in_all_protocols(name, sender, world, people, no_presence):
    await world.populate(people)
    if name == "member added":
        await world.befriend("A", "C")
        await world.group("A B")
        path = f"/chat/{world.facts['chat']}/invite"
        assert (await world.persons["A"].post(path, {"user_id": world.facts["C"]})).data is None
    else:
        await world.group("A B C")
    await world.say("A")
    await make(world, name, sender)
    is_member = name == "member added"
    members = [world.facts[letter] for letter in ("ABC" if is_member else "AB")]
    view = Views(world, "A")
    struct = (await view.native(f"/chat/{view.chat}"))["chat"]
    assert [user["id"] for user in struct["chat_members"]] == members
    [item] = [chat for chat in (await view.modes("getChats"))["chats"] if chat["chat_id"] == view.chat]
    assert [user["id"] for user in item["chat_members"]] == members
    assert [user["user_id"] for user in await view.rooms(f"users/group/{view.chat}")] == members
    theirs = Views(world, "C")
    groups = [group["chat_group_id"] for group in await theirs.rooms("chat_groups")]
    assert (view.chat in groups) is is_member
    client = await world.another("C", "opcodes")
    assert (view.chat in client.lists["chat_ids"]) is is_member
    if is_member:
        assert (world.facts["A"], OLD_TEXT) in await theirs.history("groups")  # the whole history


@pytest.mark.gen_test
async def test_deleted_chat_is_an_unknown_id_in_all_protocols(world, people, no_presence):
    await prepare(world, people, "groups", "A", "B")
    await make(world, "group deleted", "modes")
    for letter in LETTERS:
        view = Views(world, letter)
        assert await view.native("/chat") == []
        assert (await world.persons[letter].get(f"/chat/{view.chat}/messages")).status == 404
        assert (await view.modes("getMessages", chat_id=view.chat))["status"] == "423"
        assert (await view.modes("getChats"))["chats"] == []
        assert await view.rooms("chat_groups") == []
        headers = {"authentication": world.tokens[letter]}
        assert (await world.persons[letter].get(f"/http/chat_groups/{view.chat}", headers=headers)).status == 404
        client = await world.another(letter, "opcodes")
        assert client.lists["chat_ids"] == []
