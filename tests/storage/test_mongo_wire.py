"""Commands to MongoDB over connections of our own: what they bring, and what a bad answer does."""

from __future__ import annotations

import asyncio
import struct
from types import SimpleNamespace

import bson
import pytest
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
)
from tornado.testing import bind_unused_port

from nova_tornado.domain.models import Entry, EntryKind, message_id
from nova_tornado.storage import database as database_module
from nova_tornado.storage.database import CollectionSpec, Database
from nova_tornado.storage.messages import MESSAGES, Appended, Conflict, Messages
from nova_tornado.storage.mongo_wire import MongoWire, is_plain

THINGS = CollectionSpec("things")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mongodb://%2Ftmp%2Fmongod.sock/?replicaSet=nova", True),
        ("mongodb://one:27017,other:27018/nova?replicaSet=rs&tls=false", True),
        ("mongodb://host/?directConnection=true", True),
        ("mongodb://host/?nonsense=1&maxPoolSize=none", True),
        ("mongodb+srv://host/", False),
        ("mongodb://user:secret@host/", False),
        ("mongodb://host/?tls=true", False),
        ("mongodb://host/?ssl=true", False),
        ("mongodb://host/?authMechanism=MONGODB-X509&tls=true", False),
        ("mongodb://host/?loadBalanced=true", False),
    ],
)
def test_connections_that_take_more_than_commands_are_left_to_the_driver(uri, expected):
    assert is_plain(uri) is expected


@pytest.fixture(params=["ours", "ours to one node", "the driver's"])
def storage(request, io_loop, mongo, database, monkeypatch):
    """A database that is asked by connections of our own, or by the driver."""
    if request.param == "the driver's":
        monkeypatch.setattr(database_module, "is_plain", lambda _uri: False)
    is_direct = request.param == "ours to one node"

    async def open_storage():
        uri = mongo.uri.replace("replicaSet=nova", "directConnection=true") if is_direct else mongo.uri
        found = Database(uri, database.name)
        await found.prepare((THINGS, MESSAGES))
        return found

    found = io_loop.run_sync(open_storage)
    yield found
    io_loop.run_sync(found.close)


@pytest.mark.gen_test
async def test_find_gives_what_was_asked_for(storage, database):
    database.things.insert_many({"_id": number, "even": number % 2 == 0, "more": "x"} for number in range(300))
    ids = [document["_id"] for document in await storage.find(THINGS, {"even": True}, sort=[("_id", -1)])]
    assert ids == list(range(298, -1, -2))
    assert await storage.find(THINGS, {"_id": {"$gt": 5}}, {"even": 1}, sort=[("_id", 1)], limit=2) == [
        {"_id": 6, "even": True},
        {"_id": 7, "even": False},
    ]
    assert await storage.find(THINGS, {"_id": -1}) == []
    assert await storage.aggregate(THINGS, [{"$match": {"even": True}}, {"$count": "number"}]) == [{"number": 150}]


@pytest.mark.gen_test
async def test_more_than_one_reply_holds_comes_in_several(storage, database):
    text = "x" * 1_000_000
    database.things.insert_many({"_id": number, "text": text} for number in range(40))
    assert [document["_id"] for document in await storage.find(THINGS, {}, sort=[("_id", 1)])] == list(range(40))
    found = await storage.aggregate(THINGS, [{"$sort": {"_id": 1}}])
    assert [document["_id"] for document in found] == list(range(40)) and found[-1]["text"] == text


@pytest.mark.gen_test
async def test_batch_whose_reply_was_lost_is_not_left_out(mongo, database):
    storage = Database(mongo.uri, database.name)
    await storage.prepare((THINGS,))
    database.things.insert_many({"_id": number, "text": "x" * 1_000_000} for number in range(40))
    command, lost = storage._wire_reads.command, []

    async def lose_one(asked):
        reply = await command(asked)
        if "getMore" in asked and not lost:
            lost.append(reply)
            raise AutoReconnect("connection closed")
        return reply

    storage._wire_reads.command = lose_one
    try:
        found = await storage.find(THINGS, {}, sort=[("_id", 1)])
    finally:
        await storage.close()
    assert lost and [document["_id"] for document in found] == list(range(40))


@pytest.mark.gen_test
async def test_command_that_is_refused_says_so(storage):
    with pytest.raises(OperationFailure, match="nonsense"):
        await storage.find(THINGS, {"_id": {"$nonsense": 1}})
    assert await storage.find(THINGS, {}) == []


def entry(seq, text="text", client_id=None):
    return Entry(message_id(7, seq), EntryKind.MESSAGE, seq, 1, seq, text, client_id=client_id)


@pytest.mark.gen_test
async def test_entries_are_appended_in_order_until_one_is_refused(storage):
    messages = Messages(storage)
    assert await messages.append([entry(1), entry(2, client_id="own")], [1, 2]) == Appended(2)
    assert await messages.append([entry(3), entry(2), entry(4)], [3, 4, 5]) == Appended(1, Conflict.SEQ)
    assert await messages.append([entry(4), entry(5, client_id="own")], [6, 7]) == Appended(1, Conflict.CLIENT_ID)
    found = await messages.list_page(7, limit=10, is_ascending=True)
    assert [each.seq for each in found] == [1, 2, 3, 4]


@pytest.mark.gen_test
async def test_entries_that_are_too_much_at_once_are_appended_in_parts(storage):
    messages = Messages(storage)
    entries = [entry(seq, "\N{PILE OF POO}" * 20_000) for seq in range(1, 301)]  # 24 MB
    begin = 0
    parts = 0
    while begin < len(entries):
        appended = await messages.append(entries[begin:], range(begin, len(entries)))
        assert appended.conflict is None and appended.stored > 0
        begin += appended.stored
        parts += 1
    assert parts == 2
    assert [each.id for each in await messages.list_page(7, limit=400, is_ascending=True)] == [e.id for e in entries]


@pytest.mark.gen_test
async def test_replies_to_messages_that_lie_far_apart_are_found(storage):
    messages = Messages(storage)
    entries = [entry(seq) for seq in range(1, 100)]
    entries += [
        Entry(message_id(7, 100 + seq), EntryKind.MESSAGE, 100 + seq, 1, 100 + seq, "yes", message_id(7, seq))
        for seq in range(1, 100)
    ]
    await messages.append(entries, range(len(entries)))
    for asked in ([1, 99], [5, 6, 7], [5, 6, 9], []):
        found = await messages.list_replies([message_id(7, seq) for seq in asked])
        assert {each.reply_to for each in found} >= {message_id(7, seq) for seq in asked}
        assert len(found) <= 5


@pytest.mark.gen_test
async def test_answer_of_a_command_that_was_given_up_is_not_taken_for_anothers(mongo, database):
    storage = Database(mongo.uri, database.name)
    await storage.prepare((THINGS,))
    database.things.insert_many({"_id": number} for number in range(100))
    try:
        for number in range(100):
            given_up = asyncio.ensure_future(storage.find(THINGS, {"_id": number}))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            given_up.cancel()
            other = (number + 1) % 100
            assert await storage.find(THINGS, {"_id": other}) == [{"_id": other}]
    finally:
        await storage.close()


@pytest.mark.gen_test
async def test_no_more_commands_are_under_way_than_there_are_connections_for(mongo, database):
    storage = Database(mongo.uri, database.name)
    await storage.prepare((THINGS,))
    database.things.insert_one({"_id": 1})
    try:
        found = await asyncio.gather(*(storage.find(THINGS, {}) for _ in range(500)))
        assert found == [[{"_id": 1}]] * 500
        assert len(storage._wire_reads._idle) <= database_module.POOL_MAX_CONNECTIONS
    finally:
        await storage.close()


# Bad answers


@pytest.fixture
def answering(io_loop):
    """``answering(answer)``: a wire to a server that answers each command with ``answer(its id)``, piece by piece."""
    opened = []

    async def start(answer):
        async def serve(reader, writer):
            opened.append(writer)
            try:
                while True:
                    length, sent_id, _, _ = struct.unpack("<iiii", await reader.readexactly(16))
                    await reader.readexactly(length - 16)
                    for piece in answer(sent_id):
                        writer.write(piece)
                        await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        opened.append(server)
        driver = SimpleNamespace(
            topology_description=SimpleNamespace(has_writable_server=lambda: True),
            primary=server.sockets[0].getsockname(),
        )
        wire = MongoWire(SimpleNamespace(delegate=driver), limit=1, timeout_ms=500)
        opened.append(wire)
        return wire

    yield start

    async def close():
        for each in reversed(opened):
            closed = each.close()
            await (closed if closed is not None else each.wait_closed())

    io_loop.run_sync(close)


def reply(answered, document, operation=2013):
    body = bytes(5) + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), 1, answered, operation) + body


OK = {"ok": 1, "n": 3}


@pytest.mark.gen_test
async def test_reply_may_come_byte_by_byte(answering):
    wire = await answering(lambda sent: [bytes((byte,)) for byte in reply(sent, OK)])
    assert await wire.command({"ping": 1}) == OK
    assert await wire.command({"ping": 1}) == OK


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda sent: [reply(sent + 1, OK)], id="to another command"),
        pytest.param(lambda sent: [reply(sent, OK, operation=1)], id="of another kind"),
        pytest.param(lambda sent: [struct.pack("<iiii", 2**31 - 1, 1, sent, 2013)], id="too long"),
        pytest.param(lambda sent: [struct.pack("<iiii", 3, 1, sent, 2013)], id="too short"),
        pytest.param(lambda sent: [reply(sent, OK) * 2], id="twice"),
        pytest.param(lambda sent: [reply(sent, OK)[:-3]], id="not whole"),
        pytest.param(lambda sent: [], id="none"),
    ],
)
@pytest.mark.gen_test
async def test_answer_that_is_none_ends_the_connection(answering, answer):
    wire = await answering(answer)
    for _ in range(2):
        with pytest.raises(ConnectionFailure):
            await wire.command({"ping": 1})
        assert not wire._idle


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"ok": 0, "code": 10107, "errmsg": "not primary"}, NotPrimaryError),
        ({"ok": 0, "code": 91, "errmsg": "shutdown"}, NotPrimaryError),
        ({"ok": 0, "code": 50, "errmsg": "too slow"}, ExecutionTimeout),
        ({"ok": 0, "code": 2, "errmsg": "bad value"}, OperationFailure),
    ],
)
@pytest.mark.gen_test
async def test_refusal_is_the_drivers_own_exception(answering, document, expected):
    wire = await answering(lambda sent: [reply(sent, document)])
    with pytest.raises(expected, match=document["errmsg"]):
        await wire.command({"ping": 1})


@pytest.mark.gen_test
async def test_server_that_cannot_be_reached_is_a_lost_connection(answering):
    wire = await answering(lambda sent: [reply(sent, OK)])
    unused, port = bind_unused_port()
    unused.close()
    wire._client.delegate.primary = ("127.0.0.1", port)
    with pytest.raises(AutoReconnect):
        await wire.command({"ping": 1})


@pytest.mark.gen_test
async def test_what_is_under_way_fails_when_the_wire_is_closed(answering):
    heard = asyncio.Event()
    wire = await answering(lambda _sent: (heard.set(), [])[1])
    under_way = asyncio.ensure_future(wire.command({"ping": 1}))
    await heard.wait()
    await wire.close()
    with pytest.raises(AutoReconnect):
        await under_way
    with pytest.raises(InvalidOperation):
        await wire.command({"ping": 1})
    assert not wire._open
