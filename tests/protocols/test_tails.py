"""Histories that are answered from memory are those that the database holds, byte for byte, whatever has changed."""

import asyncio
import random
from contextlib import suppress

import pytest

from nova_tornado.app import open_nova
from nova_tornado.domain.errors import NovaError
from nova_tornado.realtime import tails
from nova_tornado.realtime.freshness import SOLE_WRITER_TRUST_S
from nova_tornado.storage.messages import Messages
from nova_tornado.testing.running import DATABASE

NAMES = ("alice", "bob", "carol")
LIMITS = (1, 5, 12)
STEPS = 60
CHANGES = {
    "send": 30,
    "send two": 8,
    "reply": 12,
    "edit": 6,
    "recall": 4,
    "hide": 6,
    "read": 14,
    "rename": 4,
    "admin": 3,
    "leave": 3,
    "come": 6,
}


@pytest.fixture(params=[False, True], ids=["beside others", "alone"])
def nova(start_nova, settings, request):
    return start_nova(settings, is_sole_writer=request.param)


@pytest.fixture
def short_tails(monkeypatch):
    monkeypatch.setattr(tails, "TAIL_MESSAGES", 12)
    monkeypatch.setattr(tails, "UNREAD_MAX_MESSAGES", 8)


@pytest.fixture
def page_reads(monkeypatch):
    """How many pages were read from the database."""
    reads = []
    list_page = Messages.list_page

    async def counted(self, chat_id, **more):
        reads.append(chat_id)
        return await list_page(self, chat_id, **more)

    monkeypatch.setattr(Messages, "list_page", counted)
    return reads


async def group_of(nova, people):
    persons = [await people(name) for name in NAMES]
    users = [await nova.directory.get(person.id) for person in persons]
    chat = await nova.services.chats.create_group(users[0], "Group", [user.id for user in users[1:]])
    return persons, users, chat


async def assert_same(persons, chat_id):
    """What comes from memory is what comes from the database; twice, because the second one may be kept."""
    for person in persons:
        for limit in LIMITS:
            path = f"/chat/{chat_id}/messages?limit={limit}"
            first, second = await person.get(path), await person.get(path)
            stored = await person.get(f"{path}&before={2**53 - 1}")
            assert first.body == stored.body
            assert second.body == stored.body


async def change(services, kind, rng, users, persons, chat, number):
    """A random change, which may be refused."""
    user = rng.choice(users)
    messages = services.messages
    sent = [message.id for message in await messages.history(chat, users[0].id, limit=40, newest=True)]
    target = rng.choice(sent[-15:]) if sent else 0
    with suppress(NovaError):
        match kind:
            case "send":
                await messages.send(user, chat.id, f"text {number} é “")
            case "send two":
                sends = (messages.send(each, chat.id, f"text {number}") for each in users)
                await asyncio.gather(*sends, return_exceptions=True)
            case "reply":
                await messages.send(user, chat.id, f"reply {number}", reply_to=rng.choice(sent) if sent else None)
            case "edit":
                await messages.edit(user, target, f"edited {number}")
            case "recall":
                await messages.recall(user, target)
            case "hide":
                await messages.hide(user, target)
            case "read":
                await messages.mark_read(user, chat.id)
            case "rename":
                await rng.choice(persons).patch("/user", {"user_name": f"name{number}"})
            case "admin":
                await services.chats.set_admin(users[0], chat.id, user.id, rng.random() < 0.5)
            case "leave":
                if user is not users[0]:
                    await services.chats.leave(user, chat.id)
            case "come":
                await services.chats.edit(users[0], chat.id, add_ids=[user.id])


@pytest.mark.timeout(240)
@pytest.mark.gen_test(timeout=200)
async def test_an_answer_from_memory_is_the_answer_from_the_database(nova, people, short_tails):
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    persons, users, chat = await group_of(nova, people)
    kinds = rng.choices(list(CHANGES), list(CHANGES.values()), k=STEPS)
    for number, kind in enumerate(kinds):
        done = change(nova.services, kind, rng, users, persons, chat, number)
        if number % 3:
            await done
        else:  # tails are read while the chat changes
            await asyncio.gather(done, *(person.get(f"/chat/{chat.id}/messages?limit=5") for person in persons))
        reader = rng.choice(persons)
        await assert_same([reader], chat.id)
    await assert_same(persons, chat.id)
    used = nova.tails._used.values()
    assert nova.tails.size_bytes == sum(tail.size_bytes for tail in used)


@pytest.mark.gen_test
async def test_who_reads_again_is_answered_from_memory_until_something_is_edited(nova, people, page_reads):
    (alice, _, _), (user, *_), chat = await group_of(nova, people)
    path = f"/chat/{chat.id}/messages?limit=50"
    first = await nova.services.messages.send(user, chat.id, "one")
    await alice.get(path)
    assert len(page_reads) == 1
    await nova.services.messages.send(user, chat.id, "two", reply_to=first.message.id)
    texts = [message["message"] for message in (await alice.get(path)).data]
    assert texts == ["two", "one"]
    assert len(page_reads) == 1
    await nova.services.messages.edit(user, first.message.id, "ONE")
    texts = [message["message"] for message in (await alice.get(path)).data]
    assert texts == ["two", "ONE"]
    assert len(page_reads) == 2


@pytest.mark.gen_test
async def test_what_one_has_deleted_for_oneself_is_so_for_nobody_else(nova, people):
    (alice, bob, _), (user, *_), chat = await group_of(nova, people)
    message = (await nova.services.messages.send(user, chat.id, "one")).message
    path = f"/chat/{chat.id}/messages?limit=5"
    assert [each["deleted"] for each in (await alice.get(path)).data] == [False]
    await nova.services.messages.hide(user, message.id)
    for _ in range(2):
        assert [each["deleted"] for each in (await alice.get(path)).data] == [True]
        assert [each["deleted"] for each in (await bob.get(path)).data] == [False]


@pytest.mark.gen_test
async def test_tails_make_way_when_they_need_too_much(nova, people, monkeypatch):
    (alice, _, _), (user, *_), chat = await group_of(nova, people)
    other = await nova.services.chats.create_group(user, "Other", [])
    for chat_id in (chat.id, other.id):
        await nova.services.messages.send(user, chat_id, "x" * 1_000)
    monkeypatch.setattr(tails, "TAILS_MAX_BYTES", 9_000)
    for chat_id in (chat.id, other.id):
        await alice.get(f"/chat/{chat_id}/messages?limit=5")
    assert (chat.tail, other.tail is not None) == (None, True)
    monkeypatch.setattr(tails, "TAIL_MAX_BYTES", 8_000)
    await nova.services.messages.send(user, other.id, "x" * 1_000)
    assert (other.tail, nova.tails.size_bytes) == (None, 0)
    assert len((await alice.get(f"/chat/{other.id}/messages?limit=5")).data) == 2


class TestBesideAnotherServer:
    @pytest.fixture
    def nova(self, start_nova, settings):
        return start_nova(settings)

    @pytest.mark.timeout(240)
    @pytest.mark.gen_test(timeout=200)
    async def test_what_another_server_has_written_is_in_the_next_answer(
        self, nova, start_nova, settings, people, short_tails, mongo, database
    ):
        persons, users, chat = await group_of(nova, people)
        other = await open_nova(settings, mongo.uri, database=DATABASE)
        try:
            there = await other.services.chats.get(chat.id)
            rng = random.Random(5)
            for number, kind in enumerate(
                ("send", "reply", "send", "edit", "send", "hide", "recall", "reply", "leave")
            ):
                await change(other.services, kind, rng, users, persons, there, number)
                members = [person for person in persons if person.id in there.members]
                await assert_same(members, chat.id)
                mine = (await members[0].get(f"/chat/{chat.id}/messages?limit=12")).data
                stored = database.messages.find({"kind": "message"}).sort("_id", -1).limit(12)
                assert [(m["_id"], "recalled" in m) for m in stored] == [
                    (m["message_id"], m["message"] == "Message recalled") for m in mine
                ]
        finally:
            await other.close()


class TestAlone:
    @pytest.fixture
    def nova(self, start_nova, settings):
        return start_nova(settings, is_sole_writer=True)

    @pytest.mark.gen_test
    async def test_what_a_command_beside_the_server_writes_is_noticed_before_long(
        self, nova, settings, people, mongo, database
    ):
        (alice, _, _), (user, *_), chat = await group_of(nova, people)
        path = f"/chat/{chat.id}/messages?limit=5"
        assert (await alice.get(path)).data == []
        other = await open_nova(settings, mongo.uri, database=DATABASE)
        try:
            await other.services.messages.send(user, chat.id, "by a command")
        finally:
            await other.close()
        chat.current_at_s -= SOLE_WRITER_TRUST_S + 0.1  # as if that time had passed
        assert [message["message"] for message in (await alice.get(path)).data] == ["by a command"]
