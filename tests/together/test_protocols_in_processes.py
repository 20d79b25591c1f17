"""The same user connected to two processes, by all five protocols: both are told the same, in the same order."""

from __future__ import annotations

import asyncio
import json

import pytest
from clients.rooms import RoomsClient
from people import Person
from realtime.buses import MemoryBus
from storage.rooms import settle
from together.world import CLIENTS, new_token
from tornado.netutil import bind_sockets

END = "that was all"


@pytest.fixture
def bus():
    return MemoryBus()


@pytest.fixture
def novas(start_nova, settings, bus):
    return [start_nova(settings, transport=bus.transport()) for _ in range(2)]


@pytest.fixture
def ports(novas, io_loop):
    servers, found = [], []
    for nova in novas:
        server = nova.http_server()
        sockets = bind_sockets(0, address="127.0.0.1")
        server.add_sockets(sockets)
        servers.append(server)
        found.append(sockets[0].getsockname()[1])
    yield found
    for server in servers:
        server.stop()
        io_loop.run_sync(server.close_all_connections)


@pytest.fixture
def people(ports, io_loop):
    made = []

    async def register(name):
        person = Person(ports[0], name)
        made.append(person)
        await person.register()
        return person

    yield register
    for person in made:
        io_loop.run_sync(person.close)


def told(packets):
    """Packets without what differs from rendering to rendering."""
    return [{key: value for key, value in packet.items() if key != "timestamp"} for packet in packets]


async def level(novas, chat_id):
    """Both processes know the same of a chat, and have told their plugins of it."""
    one, two = [nova.chat_cache for nova in novas]
    await settle(lambda: one.peek(chat_id).last_seq == two.peek(chat_id).last_seq)
    for nova in novas:
        await nova.plugins_told()


async def until_end(client, protocol):
    packets = []
    while True:
        async with asyncio.timeout(25):
            packet = await client.receive()
        assert packet is not None, f"{protocol}: closed after {packets}"
        packets.append(packet)
        if END in json.dumps(packet):
            # What else is told of the same message, such as that its sender has read the chat, comes in one piece.
            return packets + await client.drain()


@pytest.mark.gen_test(timeout=60)
async def test_what_is_told_by_both_processes_is_the_same(novas, ports, people):
    anna, bert, cleo = [await people(name) for name in ("anna", "bert", "cleo")]
    for one, other in ((anna, bert), (anna, cleo), (bert, cleo)):
        await one.befriend(other)
    group = await anna.new_group(bert, cleo)
    clients = {}
    for protocol, kind in CLIENTS.items():
        for place, port in enumerate(ports):
            client = clients[protocol, place] = await kind.connect(port, await new_token(bert))
            bert.keep(client)
    users = [await nova.services.directory.load([anna.id, bert.id, cleo.id]) for nova in novas]
    one, two = (nova.services for nova in novas)
    for client in clients.values():
        await client.drain()

    first = (await one.messages.send(users[0][anna.id], group, "first")).message
    reply = await two.messages.send(users[1][cleo.id], group, "reply", reply_to=first.id, client_id="x")
    await one.messages.edit(users[0][anna.id], first.id, "edited")
    await two.messages.mark_read(users[1][cleo.id], group)
    await two.chats.rename(users[1][anna.id], group, "Other title")
    await one.chats.set_admin(users[0][anna.id], group, cleo.id, True)
    await one.messages.recall(users[0][anna.id], first.id)
    await one.chats.remove_member(users[0][anna.id], group, cleo.id)
    await two.messages.hide(users[1][bert.id], reply.message.id)
    private, _ = await one.chats.open_private(users[0][anna.id], bert.id)
    await settle(lambda: private.id in novas[1].hub.list_chat_ids(bert.id))
    await one.messages.send(users[0][anna.id], private.id, "in private")
    other = await two.chats.create_group_of_friends(users[1][anna.id], "New", [bert.id])
    await settle(lambda: other.id in novas[0].hub.list_chat_ids(bert.id))
    await two.messages.send(users[1][anna.id], other.id, "in the new one")
    await level(novas, other.id)
    await two.chats.delete_for(users[1][anna.id], other.id)
    await level(novas, group)
    await one.messages.send(users[0][anna.id], private.id, END)

    for protocol in CLIENTS:
        here, there = [told(await until_end(clients[protocol, place], protocol)) for place in (0, 1)]
        texts = [sorted(json.dumps(packet, sort_keys=True) for packet in packets) for packets in (here, there)]
        only = [[each for each in one if each not in other] for one, other in (texts, texts[::-1])]
        assert not only[0] and not only[1], (protocol, only)
        assert texts[0] == texts[1], protocol


@pytest.mark.gen_test(timeout=60)
async def test_sockets_on_another_process_end_with_their_session(novas, ports, people):
    anna = await people("anna")
    token = await new_token(anna)
    client = await CLIENTS["actions"].connect(ports[1], token)
    anna.keep(client)
    session, _ = await novas[0].services.accounts.find_session(token)
    await novas[0].services.accounts.sign_out(session)
    async with asyncio.timeout(25):
        while (packet := await client.receive()) is not None:
            assert packet["action"] == "logout"


async def rooms_caller(person):
    """A client without a socket."""
    client = RoomsClient(person.port, await new_token(person))
    client.user_id, client.person = person.id, person
    return client


class Groups:
    """What two people do in groups of the rooms protocol by requests to the first process."""

    def __init__(self, anna, bert):
        self.anna, self.bert = anna, bert

    @classmethod
    async def of(cls, people):
        anna, bert = [await people(name) for name in ("anna", "bert")]
        return cls(*[await rooms_caller(each) for each in (anna, bert)])

    async def new(self):
        group_id = (await self.bert.post("/chat_groups", {"name": "Tea"})).data["chat_group_id"]
        await self.enter(self.bert, group_id)
        return group_id

    @staticmethod
    async def enter(client, group_id, is_enter=True):
        assert (await client.post(f"/chat_groups/{group_id}", {"is_enter": is_enter})).data is None


async def says(nova, user_id, group_id, *texts):
    sender = await nova.services.directory.get(user_id)
    for text in texts:
        await nova.services.messages.send(sender, group_id, text)


async def hears(client, count):
    """So many messages of groups."""
    heard = []
    async with asyncio.timeout(25):
        while len(heard) < count:
            packet = await client.receive()
            heard += [packet["message"]] if packet["type"] == "group_chat_message" else []
    return heard


@pytest.fixture
def watched(ports, people, io_loop):
    """Anna and Bert, and a socket of Anna at the second process."""
    groups = io_loop.run_sync(lambda: Groups.of(people))
    client = io_loop.run_sync(lambda: RoomsClient.connect(ports[1], groups.anna.token))
    groups.anna.person.keep(client)
    return groups, client


@pytest.mark.gen_test
async def test_who_entered_before_the_process_was_asked_hears_the_group(novas, ports, people):
    groups = await Groups.of(people)
    group_id = await groups.new()
    await groups.enter(groups.anna, group_id)
    client = await RoomsClient.connect(ports[1], groups.anna.token)
    groups.anna.person.keep(client)
    await says(novas[0], groups.bert.user_id, group_id, "one", "two")
    assert await hears(client, 2) == ["one", "two"]


@pytest.mark.gen_test
async def test_what_is_said_while_processes_do_not_hear_each_other_is_made_up_for_once(novas, bus, watched):
    groups, client = watched
    group_id = await groups.new()
    known_id = await groups.new()
    await groups.enter(groups.anna, known_id)
    await says(novas[0], groups.bert.user_id, known_id, "before")
    assert await hears(client, 1) == ["before"]
    bus.stop()
    await says(novas[0], groups.bert.user_id, group_id, "not for her")
    await groups.enter(groups.anna, group_id)
    await says(novas[0], groups.bert.user_id, group_id, "one", "two")
    bus.start()
    await says(novas[0], groups.bert.user_id, group_id, "three", "four")
    assert await hears(client, 4) == ["one", "two", "three", "four"]
    await groups.enter(groups.anna, known_id, is_enter=False)
    await says(novas[0], groups.bert.user_id, known_id, "not for her either")
    await says(novas[0], groups.bert.user_id, group_id, END)
    assert await hears(client, 1) == [END]


@pytest.mark.gen_test
async def test_leaving_is_learned_of_when_the_processes_hear_each_other_again(novas, bus, watched):
    groups, client = watched
    group_id, other_id = await groups.new(), await groups.new()
    for each in (group_id, other_id):
        await groups.enter(groups.anna, each)
        await says(novas[0], groups.bert.user_id, each, "hello")
    assert await hears(client, 2) == ["hello", "hello"]
    [entered] = [protocol.entered for protocol in novas[1].hub._protocols if protocol.name == "rooms"]
    bus.stop()
    await groups.enter(groups.anna, group_id, is_enter=False)
    bus.start()
    await settle(lambda: group_id not in entered._followed[groups.anna.user_id].groups)
    await says(novas[0], groups.bert.user_id, group_id, "not for her")
    await says(novas[0], groups.bert.user_id, other_id, END)
    assert await hears(client, 1) == [END]


@pytest.mark.gen_test
async def test_edits_and_recalls_that_were_missed_are_told_too(novas, bus, watched):
    groups, client = watched
    group_id = await groups.new()
    bus.stop()
    await groups.enter(groups.anna, group_id)
    bert = await novas[0].services.directory.get(groups.bert.user_id)
    messages = novas[0].services.messages
    edited, recalled = [(await messages.send(bert, group_id, text)).message for text in ("one", "two")]
    await messages.edit(bert, edited.id, "one, better")
    await messages.recall(bert, recalled.id)
    bus.start()
    await says(novas[0], bert.id, group_id, END)
    packets = await until_end(client, "rooms")
    told = [packet for packet in packets if packet.get("message_id") in (edited.id, recalled.id)]
    assert [packet["type"] for packet in told][-2:] == ["group_chat_message_update", "group_chat_message_delete"]
    assert {packet.get("message") for packet in told if packet["message_id"] == recalled.id} <= {"", None}
    assert told[-2]["message"] == "one, better"
