"""The collections: their indexes, the bounds of their queries, migrations, sessions, counters."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from bson import encode
from pymongo import monitoring
from storage.rooms import log_of, make_group, make_users, settle

from nova_tornado.app import StartError, open_nova
from nova_tornado.domain.models import SEQ_SPAN, EntryKind, Reading, message_id
from nova_tornado.services.messages import MessageSearch
from nova_tornado.storage import sessions as sessions_module
from nova_tornado.storage.chats import CHATS
from nova_tornado.storage.counters import Counters
from nova_tornado.storage.database import Database
from nova_tornado.storage.gathered import Gathered
from nova_tornado.storage.messages import MESSAGES
from nova_tornado.storage.mongo_wire import MongoWire
from nova_tornado.storage.sessions import COOKIE_LIFETIME_S, TOKEN_LIFETIME_S, SessionKind
from nova_tornado.storage.store import COLLECTIONS, META, SchemaTooNewError, Store

CROWD = 3_000
"""Messages in the long chat: a scan of it, or of its neighbours, shows."""


@pytest.fixture
def store(io_loop, mongo, database):
    """The collections without a Nova around them."""

    async def open_store():
        store = Store(Database(mongo.uri, database.name))
        await store.prepare()
        return store

    store = io_loop.run_sync(open_store)
    yield store
    io_loop.run_sync(store.database.close)


# Collections and indexes


def plain(value):
    return {key: plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value


@pytest.mark.usefixtures("store")
def test_every_declared_index_is_there_and_no_other(database):
    for spec in COLLECTIONS:
        found = {
            (
                tuple(index["key"].items()),
                index.get("unique", False),
                repr(plain(index.get("partialFilterExpression"))),
                index.get("expireAfterSeconds"),
            )
            for index in database[spec.name].list_indexes()
            if list(index["key"]) != ["_id"]
        }
        declared = {(index.keys, index.unique, repr(index.where), index.expire_after_s) for index in spec.indexes}
        assert found == declared, spec.name


@pytest.mark.usefixtures("store")
def test_messages_are_clustered_on_their_id(database):
    options = database.command("listCollections", filter={"name": MESSAGES.name})["cursor"]["firstBatch"][0]["options"]
    assert options["clusteredIndex"]["key"] == {"_id": 1} and options["clusteredIndex"]["unique"]


def test_collections_that_two_processes_make_at_once_are_made_once(io_loop, mongo, mongo_client):
    name = "nova_race"
    mongo_client.drop_database(name)

    async def prepare():
        stores = [Store(Database(mongo.uri, name)) for _ in range(3)]
        await asyncio.gather(*(store.prepare() for store in stores))
        for store in stores:
            await store.database.close()

    try:
        io_loop.run_sync(prepare)
        assert {spec.name for spec in COLLECTIONS} <= set(mongo_client[name].list_collection_names())
    finally:
        mongo_client.drop_database(name)


# Bounded queries


class Commands(monitoring.CommandListener):
    """What is asked of a database."""

    def __init__(self):
        self.asked = []

    def started(self, event):
        if event.command_name in ("find", "aggregate", "update", "delete", "insert"):
            self.asked.append(event.command)

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


@pytest.fixture
def commands(monkeypatch):
    """The commands of all Novas that are started after this, whichever way they go."""
    from nova_tornado.storage import database as module

    commands = Commands()
    ask = MongoWire.command

    async def note(self, command, documents=None):
        commands.asked.append(command)
        return await ask(self, command, documents)

    monkeypatch.setattr(MongoWire, "command", note)
    client = module.AsyncIOMotorClient
    monkeypatch.setattr(
        module, "AsyncIOMotorClient", lambda *args, **more: client(*args, event_listeners=[commands], **more)
    )
    return commands


@pytest.fixture
def long_chat(commands, start_nova, settings, io_loop, database):
    """A Nova with a chat of ``CROWD`` messages between two short ones; ``(nova, user, chat)``."""
    nova = start_nova(settings)

    async def fill():
        ann, bob = await make_users(nova, "ann", "bob")
        before, chat, after = [await make_group(nova, ann, bob) for _ in range(3)]
        for place, number in ((before, 200), (chat, CROWD), (after, 200)):
            sends = [
                nova.log.send(place, (ann, bob)[i % 2], f"text {i}", client_id=f"{place.id}-{i}") for i in range(number)
            ]
            await asyncio.gather(*sends)
        answered = (await nova.store.messages.find(message_id(chat.id, 100)), bob)
        for i in range(5):
            await nova.log.send(chat, ann, f"answer {i}", reply_to=answered)
        return ann, chat

    ann, chat = io_loop.run_sync(fill)
    return nova, ann, chat


def examined(database, command):
    """How many documents and keys a command looks at."""
    kept = {
        key: value
        for key, value in command.items()
        if not key.startswith("$") and key not in ("lsid", "txnNumber", "maxTimeMS", "writeConcern", "readConcern")
    }
    if "aggregate" in kept:
        kept["cursor"] = {}
    plan = database.command("explain", kept, verbosity="executionStats")

    def walk(value):
        if isinstance(value, dict):
            if "totalDocsExamined" in value:
                yield value["totalDocsExamined"] + value["totalKeysExamined"]
                return
            for key, inner in value.items():
                if key != "command":
                    yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    return sum(walk(plan))


@pytest.mark.parametrize(
    ("work", "bound"),
    [
        (lambda nova, ann, chat: nova.services.messages.list_page(chat, limit=50), 160),
        (
            lambda nova, ann, chat: nova.services.messages.list_page(chat, before=chat.id * SEQ_SPAN + 500, limit=50),
            160,
        ),
        (lambda nova, ann, chat: nova.services.messages.list_page(chat, after=chat.id * SEQ_SPAN + 500, limit=50), 160),
        (lambda nova, ann, chat: nova.store.messages.read_tails([message_id(chat.id, CROWD)]), 20),
        (lambda nova, ann, chat: nova.store.messages.find(message_id(chat.id, 700)), 2),
        (lambda nova, ann, chat: nova.store.messages.find_write_id(message_id(chat.id, 700)), 2),
        (lambda nova, ann, chat: nova.store.messages.find_sent_us(chat.id, 700), 2),
        (lambda nova, ann, chat: nova.store.messages.find_repeat(ann.id, f"{chat.id}-700"), 2),
        (lambda nova, ann, chat: nova.store.messages.list_replies([message_id(chat.id, 100)]), 20),
        (lambda nova, ann, chat: nova.store.messages.list_by_ids([message_id(chat.id, i) for i in (1, 9, 900)]), 8),
        (lambda nova, ann, chat: nova.store.messages.find_newest(chat.id), 4),
        (lambda nova, ann, chat: nova.store.messages.find_newest(chat.id, ann.id), 4),
        (lambda nova, ann, chat: nova.store.messages.find_newest(chat.id, ann.id, ann.id), 6),
        (lambda nova, ann, chat: nova.services.messages.history(chat, ann.id, limit=50, newest=True), 160),
        (
            lambda nova, ann, chat: nova.services.messages.history(
                chat, ann.id, from_id=message_id(chat.id, 500), before_us=chat.last_sent_us, limit=50
            ),
            190,
        ),
        (
            lambda nova, ann, chat: nova.services.messages.list_newly_read(
                chat, [(ann.id, Reading(0, CROWD, ((CROWD - 5, 1), (CROWD - 10, 2))))]
            ),
            40,
        ),
        (lambda nova, ann, chat: nova.log.send(chat, ann, "text 1", client_id=f"{chat.id}-0"), 10),
    ],
)
def test_query_looks_at_little_more_than_it_answers(long_chat, commands, database, io_loop, work, bound):
    nova, ann, chat = long_chat
    commands.asked.clear()

    async def run():
        try:
            return await work(nova, ann, chat)
        except Exception as error:
            return error

    assert io_loop.run_sync(run) is not None
    asked = [command for command in commands.asked if MESSAGES.name in (command.get("find"), command.get("aggregate"))]
    assert asked, commands.asked
    assert sum(examined(database, command) for command in asked) <= bound, asked


def test_no_query_leaves_the_ids_of_messages_unbounded(long_chat, commands, io_loop):
    nova, ann, chat = long_chat
    commands.asked.clear()

    async def run():
        services = nova.services
        for search in (None, MessageSearch(begin_us=1), MessageSearch(end_us=2**50, sender_ids=[ann.id])):
            async for _page in services.messages.iterate(chat, search):
                pass
        await services.messages.list_page(chat, limit=10)
        await services.messages.history(chat, ann.id, from_us=1, before_us=2**50, limit=10)
        await services.messages.list_newly_read(chat, [(ann.id, Reading(0, CROWD, ()))])
        await nova.store.messages.find_newest(chat.id, ann.id, ann.id)
        sent = await services.messages.send(ann, chat.id, "late", reply_to=message_id(chat.id, 3), client_id="late")
        await services.messages.hide(ann, sent.message.id)
        await services.messages.recall(ann, sent.message.id)
        nova.chat_cache.forget(chat.id)
        again = await services.chats.get(chat.id)
        await services.chats.last_message_for(again, ann.id)
        await services.chats.leave(ann, chat.id)
        await asyncio.gather(*nova.purges.tasks)

    io_loop.run_sync(run)

    def conditions(command):
        name = next(iter(command))
        if name == "find":
            yield command.get("filter", {})
        elif name == "aggregate":
            for stage in command["pipeline"]:
                if "$match" in stage:
                    yield stage["$match"]
                if "$unionWith" in stage:
                    yield stage["$unionWith"]["pipeline"][0]["$match"]
        else:
            for part in (*command.get("updates", ()), *command.get("deletes", ())):
                yield part["q"]

    seen = 0
    for command in commands.asked:
        if command[next(iter(command))] != MESSAGES.name or "insert" in command:
            continue
        for condition in conditions(command):
            seen += 1
            ids = condition.get("_id")
            assert "$expr" not in condition, command
            if isinstance(ids, dict):
                assert "$in" not in ids and len(ids) == 2, command  # bounded from both sides
            else:
                assert isinstance(ids, int) or {"client_id", "reply_to"} & condition.keys(), command
    assert seen > 15


def test_purge_removes_all_but_the_last_entry_and_nothing_of_the_neighbours(long_chat, io_loop, database):
    nova, ann, chat = long_chat
    io_loop.run_sync(lambda: nova.services.chats.leave(ann, chat.id))
    io_loop.run_sync(lambda: asyncio.wait_for(finish_purges(nova), 10))
    assert [entry["kind"] for entry in log_of(database, chat.id)] == ["chat_deleted"]
    assert len(log_of(database, chat.id - 1)) == len(log_of(database, chat.id + 1)) == 201
    assert database.purges.count_documents({}) == 0


async def finish_purges(nova):
    await asyncio.gather(*nova.purges.tasks)


def test_entries_that_are_read_are_those_that_were_written(long_chat, io_loop):
    nova, ann, chat = long_chat

    async def run():
        sent = await nova.services.messages.send(ann, chat.id, "x", reply_to=message_id(chat.id, 3), client_id="own id")
        assert await nova.store.messages.find(sent.message.id) == sent.message
        await nova.services.chats.set_admin(ann, chat.id, next(i for i in chat.members if i != ann.id), True)
        entries = [entry async for entry in nova.store.messages.read_log(chat.id, chat.last_seq - 1)]
        assert [(entry.kind, entry.is_admin) for entry in entries] == [(EntryKind.ADMIN_CHANGED, True)]

    io_loop.run_sync(run)


# Checkpoints and cursors


@pytest.mark.gen_test
async def test_checkpoint_and_cursors_never_go_back(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await make_group(nova, ann, bob)
    for number in range(5):
        await nova.log.send(chat, ann, f"ann:{number}")
    await nova.log._checkpoints.store()
    now = database[CHATS.name].find_one({"_id": chat.id})["checkpoint"]
    assert now == {"seq": 6, "count": 6, "sent_us": chat.last_sent_us, "message": 6}
    old = type(chat)(chat.id, chat.kind, chat.title, chat.created_us, last_seq=3, last_count=3)
    await nova.store.chats.store_checkpoints([old])
    assert database[CHATS.name].find_one({"_id": chat.id})["checkpoint"] == now
    await nova.store.memberships.move_cursors([(chat.id, ann.id, 2, 2), (chat.id, bob.id, 4, 4)])
    cursors = {m["user"]: (m["read_seq"], m["read_count"]) for m in database.memberships.find({"chat": chat.id})}
    assert cursors == {ann.id: (6, 6), bob.id: (4, 4)}


# Counters


def test_counters_never_repeat_however_many_ask(io_loop, mongo, database):
    async def run():
        databases = [Database(mongo.uri, database.name) for _ in range(2)]
        counters = [Counters(place) for place in databases]
        ranges = await asyncio.gather(*(counters[i % 2].next_ids("thing", 1 + i % 3) for i in range(60)))
        for place in databases:
            await place.close()
        return [number for numbers in ranges for number in numbers]

    numbers = io_loop.run_sync(run)
    assert sorted(numbers) == list(range(1, 121))


@pytest.mark.gen_test
async def test_ids_of_a_failed_change_are_lost_and_never_given_again(store):
    async def fail(session):
        await store.counters.next_ids("thing")
        raise RuntimeError

    first = await store.counters.next_id("thing")
    with pytest.raises(RuntimeError):
        await store.database.transaction(fail)
    assert await store.counters.next_id("thing") > first


# Sessions


@pytest.mark.parametrize(
    ("kind", "lifetime_s"), [(SessionKind.COOKIE, COOKIE_LIFETIME_S), (SessionKind.TOKEN, TOKEN_LIFETIME_S)]
)
@pytest.mark.gen_test
async def test_session_ends_with_its_time_and_its_secret_is_not_kept(store, database, kind, lifetime_s):
    now = datetime.now(UTC)
    live = await store.sessions.create(7, kind, now - timedelta(seconds=lifetime_s - 60))
    over = await store.sessions.create(7, kind, now - timedelta(seconds=lifetime_s + 1))
    assert (await store.sessions.find(live, now)).user_id == 7
    assert await store.sessions.find(over, now) is None
    assert await store.sessions.find(live + "x", now) is None
    assert await store.sessions.find(live, now + timedelta(seconds=61)) is None
    raw = b"".join(encode(document) for document in database.sessions.find())
    assert live.encode() not in raw and over.encode() not in raw


@pytest.mark.gen_test
async def test_a_session_that_was_found_is_not_looked_up_again_until_something_ends(store, database):
    now = datetime.now(UTC)
    secret = await store.sessions.create(7, SessionKind.COOKIE, now)
    found = await store.sessions.find(secret, now)
    database.sessions.delete_many({})  # as another process may do
    assert await store.sessions.find(secret, now) == found
    assert await store.sessions.find(secret, now + timedelta(seconds=COOKIE_LIFETIME_S + 1)) is None
    await store.sessions.delete(b"another one")
    assert await store.sessions.find(secret, now) is None


@pytest.mark.gen_test
async def test_a_session_that_another_process_ends_is_known_here_in_time(store, database, monkeypatch):
    now = datetime.now(UTC)
    secret = await store.sessions.create(7, SessionKind.COOKIE, now)
    assert await store.sessions.find(secret, now) is not None
    database.sessions.delete_many({})
    monkeypatch.setattr(sessions_module, "TRUSTED_S", 0.0)  # it is over
    assert await store.sessions.find(secret, now) is None


@pytest.mark.parametrize("end", ["delete", "delete_others", "delete_all", "renew"])
@pytest.mark.gen_test
async def test_a_session_that_ends_while_it_is_looked_up_is_not_found_again(store, monkeypatch, end):
    now = datetime.now(UTC)
    secret = await store.sessions.create(7, SessionKind.COOKIE, now)
    session = await store.sessions.find(secret, now)
    store.sessions.forget_found()
    args = {"delete": (session.id,), "delete_others": (7, None), "delete_all": (7,), "renew": (session.id, now)}[end]

    async def find_meanwhile(secret_hashes):
        documents = await store.sessions._find_documents(secret_hashes)
        await getattr(store.sessions, end)(*args)
        return documents

    monkeypatch.setattr(store.sessions, "_documents", Gathered(find_meanwhile))
    await store.sessions.find(secret, now)
    assert await store.sessions.find(secret, now) is None


# The schema's version


def test_migrations_run_in_order_and_go_on_where_a_crash_stopped_them(io_loop, mongo, database):
    done = []

    def step(number, fails=False):
        async def migrate(_database):
            if fails:
                raise RuntimeError("crash")
            done.append(number)

        return migrate

    async def prepare(*migrations):
        store = Store(Database(mongo.uri, database.name))
        try:
            await store.prepare(migrations=migrations)
        finally:
            await store.database.close()

    def version():
        return database[META.name].find_one({"_id": "schema"})["version"]

    io_loop.run_sync(prepare)
    assert version() == 1
    with pytest.raises(RuntimeError):
        io_loop.run_sync(lambda: prepare(step(1), step(2, fails=True), step(3)))
    assert (done, version()) == ([1], 2)
    io_loop.run_sync(lambda: prepare(step(1), step(2), step(3)))
    assert (done, version()) == ([1, 2, 3], 4)
    io_loop.run_sync(lambda: prepare(step(1), step(2), step(3)))
    assert (done, version()) == ([1, 2, 3], 4)
    with pytest.raises(SchemaTooNewError):
        io_loop.run_sync(lambda: prepare(step(1)))


def test_new_database_needs_no_migration(io_loop, mongo, database):
    async def never(_database):
        raise AssertionError

    async def prepare():
        store = Store(Database(mongo.uri, database.name))
        await store.prepare(migrations=(never, never))
        await store.database.close()

    io_loop.run_sync(prepare)
    assert database[META.name].find_one({"_id": "schema"})["version"] == 3


def test_nova_refuses_a_database_of_a_newer_nova_in_one_line(start_nova, settings, database, mongo, io_loop):
    start_nova(settings)
    database[META.name].update_one({"_id": "schema"}, {"$set": {"version": 99}}, upsert=True)
    with pytest.raises(StartError) as refused:
        io_loop.run_sync(lambda: open_nova(settings, mongo.uri, database=database.name))
    assert "99" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.gen_test
@pytest.mark.expects_log("name the replica set instead")
async def test_uri_with_which_transactions_may_end_for_good_is_warned_of():
    await Database("mongodb://127.0.0.1:9/?directConnection=true", "nova").close()


# Transactions


@pytest.mark.gen_test
async def test_transactions_that_meet_are_tried_again_until_each_is_done(store, database):
    database.things.delete_many({})
    database.things.insert_one({"_id": 1, "number": 0})
    things = store.database.mongo["things"]

    async def add(session):
        found = await things.find_one({"_id": 1}, session=session)
        await things.update_one({"_id": 1}, {"$set": {"number": found["number"] + 1}}, session=session)
        return found["number"]

    numbers = await asyncio.gather(*(store.database.transaction(add) for _ in range(8)))
    assert sorted(numbers) == list(range(8))
    assert database.things.find_one({"_id": 1})["number"] == 8


@pytest.mark.gen_test
async def test_cancelled_transaction_leaves_nothing_and_holds_nobody_up(store, database):
    database.things.delete_many({})
    things = store.database.mongo["things"]
    is_inside = asyncio.Event()

    async def hang(session):
        await things.insert_one({"_id": 1}, session=session)
        is_inside.set()
        await asyncio.Event().wait()

    async def insert(session):
        await things.insert_one({"_id": 1, "by": "other"}, session=session)

    task = asyncio.create_task(store.database.transaction(hang))
    await asyncio.wait_for(is_inside.wait(), 10)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.wait_for(store.database.transaction(insert), 10)
    assert await settle(lambda: database.things.find_one({"_id": 1})["by"] == "other")
