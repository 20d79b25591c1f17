"""The same user connected to two processes, by all five protocols: both are told the same, in the same order."""

from __future__ import annotations

import asyncio
import json

import pytest
from people import Person
from realtime.buses import MemoryBus
from storage.rooms import settle
from together.world import CLIENTS, new_token
from tornado.netutil import bind_sockets

END = "that was all"


@pytest.fixture
def novas(start_nova, settings):
    bus = MemoryBus()
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


@pytest.mark.gen_test
async def test_process_that_began_anew_learns_who_enters_a_group_again(novas, ports, people):
    anna = await people("anna")
    token = await new_token(anna)

    async def call(path, body):
        headers = {"authentication": token}
        answer = await anna.request("POST", f"/http{path}", body, headers=headers, with_cookie=False)
        assert answer.status == 200, answer.body
        return answer.json["data"]

    group_id = (await call("/chat_groups", {"name": "Tea"}))["chat_group_id"]
    await call(f"/chat_groups/{group_id}", {"is_enter": True})
    client = await CLIENTS["rooms"].connect(ports[1], token)
    anna.keep(client)
    for nova in novas:
        await nova.plugins_told()
    [entered] = [protocol.entered for protocol in novas[1].hub._protocols if protocol.name == "rooms"]
    chat = await novas[1].services.chats.get(group_id)
    await settle(lambda: entered.list_in(chat) == [anna.id])
    entered.remove_chat(group_id)  # as it is after a start
    await call(f"/chat_groups/{group_id}", {"is_enter": True})
    await settle(lambda: entered.list_in(chat) == [anna.id])
    assert [packet["type"] for packet in await client.drain()].count("group_chat_activitity") <= 1, "told once"
