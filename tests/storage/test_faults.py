"""What is acknowledged stays, whatever is killed; what is not acknowledged is repeatable.

kill -9 leaves the page cache, so this shows safety against crashes, not against power cuts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import urllib.request
from contextlib import closing

import pytest
from life.processes import Server
from pymongo import MongoClient
from storage.rooms import Ack, Heard, check_log, log_of, make_group, make_users, outcome, settle
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from nova_tornado.app import open_nova
from nova_tornado.domain.errors import OutcomeUnknown, Unavailable
from nova_tornado.domain.events import MemberRemoved, MessageSent
from nova_tornado.realtime import log as log_module
from nova_tornado.realtime.lanes import Sent
from nova_tornado.storage import database as database_module
from nova_tornado.storage.embedded import EmbeddedMongo

DATABASE = "nova_faults"


@pytest.fixture(scope="module")
def frail_mongo(tmp_path_factory):
    """A mongod that may be killed and stopped."""
    embedded = EmbeddedMongo(tmp_path_factory.mktemp("frail"))
    embedded.launch()
    try:
        embedded.wait_ready()
        yield embedded
    finally:
        resume(embedded)
        embedded.stop()


@pytest.fixture
def frail_database(frail_mongo):
    with MongoClient(frail_mongo.uri, tz_aware=True) as client:
        client.drop_database(DATABASE)
        yield client[DATABASE]


@pytest.fixture
def frail_nova(io_loop, frail_mongo, frail_database, settings):
    nova = io_loop.run_sync(lambda: open_nova(settings, frail_mongo.uri, database=DATABASE))
    yield nova
    io_loop.run_sync(nova.close)


@pytest.fixture
def any_log(caplog):
    """Whether a fault is noticed, and so logged, depends on its moment: nothing is expected of the log."""
    caplog.set_level(logging.CRITICAL + 1, "nova_tornado")


def pid_of(embedded):
    return embedded._process.pid


def pause(embedded):
    os.kill(pid_of(embedded), signal.SIGSTOP)


def resume(embedded):
    if embedded.exit_code() is None:
        os.kill(pid_of(embedded), signal.SIGCONT)


async def kill_and_relaunch(embedded):
    embedded.kill()
    await settle(lambda: embedded.exit_code() is not None)
    embedded.relaunch()
    await asyncio.to_thread(embedded.wait_ready)


# A writer is killed


def test_killed_writer_loses_nothing_that_it_acknowledged(start_writer, start_nova, settings, io_loop, database, mongo):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    nova = start_nova(settings)
    users = io_loop.run_sync(lambda: make_users(nova, "ann", "bob"))
    chat = io_loop.run_sync(lambda: make_group(nova, *users))
    acks = []
    for kill in range(4):
        jobs = [
            {"user": user.id, "chat": chat.id, "name": f"{kill}{user.name}", "number": 100_000, "client_ids": True}
            for user in users
        ]
        writer = start_writer(mongo.uri, database.name, {"jobs": jobs, "pipeline": 40})
        writer.wait_ready()
        writer.begin()
        writer.read_acks(dice.randrange(1, 600))
        writer.kill()
        writer.read_acks()  # those that were on the way
        assert not writer.is_done
        acks += writer.acks
        check_log(database, chat.id, [user.id for user in users], acks)
    other = io_loop.run_sync(lambda: outcome(nova.log.send(chat, users[0], "last:1")))
    assert isinstance(other, Sent)
    texts = check_log(database, chat.id, [user.id for user in users], acks)
    assert texts[-1] == "last:1" and len(acks) < len(texts) <= len(acks) + 4 * 2 * 40 + 1


@pytest.mark.parametrize("dies_late", [False, True])
def test_writer_killed_within_a_change_leaves_nothing_of_it(
    start_writer, start_nova, settings, io_loop, database, mongo, mongo_client, dies_late
):
    nova = start_nova(settings)
    ann, bob = io_loop.run_sync(lambda: make_users(nova, "ann", "bob"))
    chat = io_loop.run_sync(lambda: make_group(nova, ann, bob))
    removal = {"actor": ann.id, "chat": chat.id, "user": bob.id, "dies_late": dies_late}
    writer = start_writer(mongo.uri, database.name, {"remove": removal, "jobs": [], "pipeline": 0})
    writer.wait_ready()
    writer.begin()
    assert writer.process.wait(20) == -signal.SIGKILL
    try:
        assert [entry["kind"] for entry in log_of(database, chat.id)] == ["message"]
        assert "left_seq" not in database.memberships.find_one({"chat": chat.id, "user": bob.id})
        if not dies_late:  # the dead transaction, which is still open, holds no send up
            assert isinstance(io_loop.run_sync(lambda: outcome(nova.log.send(chat, bob, "bob:1"))), Sent)
    finally:
        mongo_client.admin.command("killAllSessions", [])
    assert isinstance(io_loop.run_sync(lambda: outcome(nova.log.send(chat, bob, "bob:2"))), Sent)
    assert io_loop.run_sync(lambda: outcome(nova.services.chats.remove_member(ann, chat.id, bob.id))) is None
    check_log(database, chat.id, [ann.id, bob.id])


# mongod is killed


async def send_for_good(nova, chat, sender, name, numbers, acks):
    """One who sends on and on, and repeats what has no known outcome under the same client id."""
    for number in numbers:
        text = f"{name}:{number}"
        while True:
            try:
                sent = await nova.services.messages.send(sender, chat.id, text, client_id=text)
            except (OutcomeUnknown, Unavailable):
                continue
            acks.append(Ack(text, sent.message.id))
            break


@pytest.mark.usefixtures("any_log")
def test_killed_database_loses_and_doubles_nothing_and_the_writers_go_on(
    frail_nova, frail_mongo, frail_database, io_loop, monkeypatch
):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    monkeypatch.setattr(log_module, "GIVE_UP_S", 1.0)  # so that sends have to be repeated, too
    nova = frail_nova

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        chats = [await make_group(nova, ann, bob) for _ in range(2)]
        heard = Heard(nova)
        acks = []
        stop = asyncio.Event()

        def numbers():
            number = 0
            while not stop.is_set():
                yield (number := number + 1)

        senders = [
            asyncio.create_task(send_for_good(nova, chat, user, f"{user.name}{index}-{chat.id}", numbers(), acks))
            for user in (ann, bob)
            for chat in chats
            for index in range(5)
        ]

        async def change_for_good():
            for number in numbers():
                for user, is_admin in ((bob, True), (bob, False)):
                    # Refused: not known, or done by an attempt of which that was not known.
                    await outcome(nova.services.chats.set_admin(ann, chats[number % 2].id, user.id, is_admin))

        changer = asyncio.create_task(change_for_good())
        for _ in range(2):
            goal = len(acks) + dice.randrange(20, 400)
            await settle(lambda goal=goal: len(acks) >= goal)
            await kill_and_relaunch(frail_mongo)
        goal = len(acks) + 100
        await settle(lambda: len(acks) >= goal)
        stop.set()
        await asyncio.wait([*senders, changer], timeout=20)
        assert all(task.done() and task.exception() is None for task in (*senders, changer))
        await settle(lambda: not nova.log._lanes)
        for chat in chats:
            mine = [ack for ack in acks if ack.message_id // 10**8 == chat.id]
            texts = check_log(frail_database, chat.id, [ann.id, bob.id], mine)
            assert len(texts) == len(mine)
            told = [event.message.text for event in heard.of(MessageSent) if event.chat is chat]
            assert told == texts, "told once, in the order of the log"
            roles = {member["user"]: member["role"] for member in frail_database.memberships.find({"chat": chat.id})}
            assert roles == {user_id: member.role.value for user_id, member in chat.members.items()}

    io_loop.run_sync(run)


@pytest.mark.usefixtures("any_log")
@pytest.mark.parametrize("step", ["before the documents", "before the entries", "before the commit"])
def test_change_whose_database_is_killed_is_done_or_not_done_as_a_whole(
    frail_nova, frail_mongo, frail_database, io_loop, monkeypatch, step
):
    # Without another attempt, so that it may fail.
    monkeypatch.setattr(database_module, "TRANSACTION_LIMIT_S", 0 if step != "before the entries" else 10)
    nova = frail_nova
    append, set_left = nova.store.messages.append, nova.store.memberships.set_left
    kills = [step]

    async def kill_if(moment):
        if kills == [moment]:
            kills.clear()
            await kill_and_relaunch(frail_mongo)

    async def set_left_with_fault(*args):
        await kill_if("before the documents")
        await set_left(*args)
        await kill_if("before the entries")

    async def append_with_fault(*args):
        await append(*args)
        await kill_if("before the commit")

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        chat = await make_group(nova, ann, bob)
        heard = Heard(nova)
        nova.store.memberships.set_left, nova.store.messages.append = set_left_with_fault, append_with_fault
        result = await outcome(nova.services.chats.remove_member(ann, chat.id, bob.id))
        nova.store.memberships.set_left, nova.store.messages.append = set_left, append
        assert not kills
        await settle(lambda: not nova.log._lanes)
        kinds = [entry["kind"] for entry in log_of(frail_database, chat.id)]
        left = frail_database.memberships.find_one({"chat": chat.id, "user": bob.id}).get("left_seq")
        if step == "before the entries":
            assert result is None, "it is tried again, in time"
        if kinds == ["message"]:
            assert isinstance(result, OutcomeUnknown) and left is None
            assert bob.id in chat.members and not heard.of(MemberRemoved)
        else:
            assert kinds == ["message", "member_removed", "message"] and left == 2
            assert bob.id not in chat.members and len(heard.of(MemberRemoved)) == 1
        assert isinstance(await outcome(nova.log.send(chat, ann, "ann:1")), Sent)
        check_log(frail_database, chat.id, [ann.id, bob.id])

    io_loop.run_sync(run)


# mongod hangs


@pytest.fixture
def hasty(monkeypatch):
    """Short time limits; to be asked for before a Nova."""
    monkeypatch.setattr(database_module, "OPERATION_TIMEOUT_MS", 1_000)
    monkeypatch.setattr(database_module, "SERVER_SELECTION_TIMEOUT_MS", 1_000)
    monkeypatch.setattr(database_module, "TRANSACTION_LIMIT_S", 0.5)
    monkeypatch.setattr(log_module, "GIVE_UP_S", 0.5)


@pytest.mark.usefixtures("any_log")
def test_sends_to_a_hanging_database_get_an_answer_and_late_writes_do_no_harm(
    hasty, frail_nova, frail_mongo, frail_database, io_loop
):
    nova = frail_nova

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        chats = [await make_group(nova, ann, bob) for _ in range(2)]
        heard = Heard(nova)
        for chat in chats:
            await nova.log.send(chat, ann, "ann:0")  # the connections are there
        pause(frail_mongo)
        try:
            sends = [
                (chat, f"ann:{number}", nova.log.send(chat, ann, f"ann:{number}", client_id=f"{chat.id}-{number}"))
                for number in range(1, 21)
                for chat in chats
            ]
            results = [await outcome(future) for _, _, future in sends]
        finally:
            resume(frail_mongo)
        assert all(isinstance(result, OutcomeUnknown) for result in results)
        acks = []
        for chat, text, _ in sends:
            while not isinstance(
                repeat := await outcome(
                    nova.log.send(chat, ann, text, client_id=f"{chat.id}-{text.partition(':')[2]}")
                ),
                Sent,
            ):
                assert isinstance(repeat, OutcomeUnknown)
            acks.append(Ack(text, repeat.message.id))
        await settle(lambda: not nova.log._lanes)
        for chat in chats:
            mine = [ack for ack in acks if ack.message_id // 10**8 == chat.id]
            texts = check_log(frail_database, chat.id, [ann.id, bob.id], mine)
            assert texts == [f"ann:{number}" for number in range(21)]
            assert [event.message.text for event in heard.of(MessageSent) if event.chat is chat] == texts

    io_loop.run_sync(run)


@pytest.mark.usefixtures("any_log")
def test_change_of_a_hanging_database_gets_an_answer_in_time(hasty, frail_nova, frail_mongo, frail_database, io_loop):
    nova = frail_nova

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        chat = await make_group(nova, ann, bob)
        await nova.log.send(chat, ann, "ann:0")
        begin = asyncio.get_running_loop().time()
        pause(frail_mongo)
        try:
            results = await asyncio.gather(
                outcome(nova.services.chats.remove_member(ann, chat.id, bob.id)),
                outcome(nova.log.send(chat, ann, "ann:1")),
            )
            took_s = asyncio.get_running_loop().time() - begin
        finally:
            resume(frail_mongo)
        assert all(isinstance(result, OutcomeUnknown | Unavailable) for result in results), results
        assert took_s < 30
        await settle(lambda: not nova.log._lanes)
        while not isinstance(await outcome(nova.log.send(chat, ann, "ann:2", client_id="2")), Sent):
            pass
        check_log(frail_database, chat.id, [ann.id, bob.id])
        removed = any(entry["kind"] == "member_removed" for entry in log_of(frail_database, chat.id))
        left = frail_database.memberships.find_one({"chat": chat.id, "user": bob.id}).get("left_seq")
        assert removed == (left is not None) == (bob.id not in chat.members)

    io_loop.run_sync(run)


# What a crash has interrupted is finished


@pytest.mark.parametrize("step", ["delete_pair", "set_left", "delete_all", "list_of"])
def test_interrupted_deletion_of_an_account_is_finished_at_the_next_start(
    start_nova, settings, io_loop, database, step
):
    nova = start_nova(settings)

    class Crash(BaseException):
        pass

    async def crash(*_args):
        raise Crash

    async def run():
        ann, bob, cid = await make_users(nova, "ann", "bob", "cid")
        own = await make_group(nova, ann, bob)
        others = await make_group(nova, bob, ann, cid)

        async def nothing(_session):
            pass

        private = await nova.services.chats.create_private(ann.id, bob.id, "friends", nothing, ())
        await nova.log.send(others, ann, "ann:1")
        place = {
            "delete_pair": nova.store.friendships,
            "list_of": nova.store.friendships,
            "set_left": nova.store.memberships,
            "delete_all": nova.store.friend_groups,
        }[step]
        setattr(place, step, crash)
        deletion = asyncio.ensure_future(nova.services.accounts.delete(ann))
        await asyncio.wait([deletion])
        assert isinstance(deletion.exception(), Crash)
        await asyncio.gather(*nova.purges.tasks)
        return ann, bob, cid, own, others, private

    ann, bob, cid, own, others, private = io_loop.run_sync(run)
    assert database.users.find_one({"_id": ann.id})["is_leaving"]
    again = start_nova(settings)
    io_loop.run_sync(lambda: asyncio.wait_for(finish_purges(again), 10))
    assert database.users.find_one({"_id": ann.id}) is None
    assert database.friendships.count_documents({"$or": [{"user": ann.id}, {"friend": ann.id}]}) == 0
    assert database.friend_groups.count_documents({"owner": ann.id}) == 0
    assert sorted(chat["_id"] for chat in database.chats.find()) == [others.id]
    members = database.memberships.find({"left_seq": {"$exists": False}})
    assert sorted((member["chat"], member["user"]) for member in members) == [(others.id, bob.id), (others.id, cid.id)]
    assert [entry["kind"] for entry in log_of(database, others.id)] == ["message", "message", "member_removed"]
    assert database.purges.count_documents({}) == 0
    for chat in (own, private):
        assert [entry["kind"] for entry in log_of(database, chat.id)] == ["chat_deleted"]


async def finish_purges(nova):
    await asyncio.gather(*nova.purges.tasks)


@pytest.mark.expects_log("could not be removed")
def test_interrupted_removal_of_a_chats_log_is_finished_at_the_next_start(start_nova, settings, io_loop, database):
    nova = start_nova(settings)

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        chat = await make_group(nova, ann, bob)
        for number in range(30):
            await nova.log.send(chat, ann, f"ann:{number}")

        async def crash(_chat_id):
            raise RuntimeError("crash")

        nova.store.messages.purge = crash
        await nova.services.chats.leave(ann, chat.id)
        await finish_purges(nova)
        return chat

    chat = io_loop.run_sync(run)
    assert len(log_of(database, chat.id)) == 32 and database.purges.count_documents({}) == 1
    again = start_nova(settings)
    io_loop.run_sync(lambda: finish_purges(again))
    assert [entry["kind"] for entry in log_of(database, chat.id)] == ["chat_deleted"]
    assert database.purges.count_documents({}) == 0


# From the client's side


class Client:
    """A user of a server process, over HTTP and a WebSocket."""

    def __init__(self, url):
        self.url = url
        self.cookie = None

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self.cookie:
            request.add_header("Cookie", self.cookie)
        with urllib.request.urlopen(request, timeout=20) as answer:
            if cookie := answer.headers.get("Set-Cookie"):
                self.cookie = cookie.partition(";")[0]
            return json.load(answer)["data"]

    def register(self, name):
        self.id = self.ask("POST", "/user/register", {"user_name": name, "password": "secret1"})["id"]
        return self

    async def socket(self):
        return await websocket_connect(
            HTTPRequest(self.url.replace("http", "ws") + "/ws/", headers={"Cookie": self.cookie})
        )


def test_killed_server_has_every_message_that_was_received_once_and_in_order(tmp_path, io_loop):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    number = 2_000
    kill_after = random.Random(seed).randrange(50, 1_900)
    with closing(Server(tmp_path / "data", "--rate-limits", "off")) as server:
        ann, bob = Client(server.url).register("ann"), Client(server.url).register("bob")
        for one, other in ((ann, bob), (bob, ann)):
            one.ask("POST", "/friend/invite", {"id": other.id, "comment": "", "source": "search"})
        chat_id = ann.ask("POST", "/chat/new", {"chat_name": "Group", "chat_members": [bob.id]})["chat_id"]

        async def run():
            writer, reader = await ann.socket(), await bob.socket()
            for count in range(number):
                content = {"chat_id": chat_id, "content": f"ann:{count}"}
                writer.write_message(json.dumps({"action": "send_message", "data": content}))
            received = {writer: [], reader: []}

            async def listen(socket):
                while (packet := await socket.read_message()) is not None:
                    packet = json.loads(packet)
                    assert packet["ok"], packet
                    if packet["action"] == "new_message":
                        message = packet["data"]["message"]
                        received[socket].append(Ack(message["message"], message["message_id"]))
                        if len(received[reader]) == kill_after:
                            server.process.kill()

            try:
                await asyncio.wait_for(asyncio.gather(listen(writer), listen(reader)), 30)
            finally:
                writer.close()
                reader.close()
            return received.values()

        received = io_loop.run_sync(run)
        server.process.wait()
    with closing(Server(tmp_path / "data", "--rate-limits", "off")) as server:
        ann.url = server.url
        history = ann.ask("GET", f"/chat/{chat_id}/messages")[::-1]
    ids = [message["message_id"] for message in history]
    assert ids == list(range(ids[0], ids[0] + len(ids))), "ids without gap"
    stored = [Ack(message["message"], message["message_id"]) for message in history[1:]]
    assert [ack.text for ack in stored] == [f"ann:{count}" for count in range(len(stored))]
    for acks in received:
        assert len(acks) >= min(kill_after, 1) and acks == stored[: len(acks)]
