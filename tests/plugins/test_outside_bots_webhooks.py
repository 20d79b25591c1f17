"""Outgoing webhooks, against a real HTTP server: what is told, signatures, order, repeats, restarts, refusals."""

import asyncio
import hashlib
import hmac
import time

import pytest
from docs.transcripts import blocks
from nova_outside_bots import delivery, webhooks
from nova_outside_bots.news import ALL_EVENTS
from outside import DATABASE, CommandLine, Receiver

from nova_tornado.app import open_nova
from nova_tornado.settings import GivenValue, Settings
from nova_tornado.testing.running import FakeClock

BACKOFF_S = 0.01


@pytest.fixture
def settings():
    given = {"nova_outside_bots": {"allow_private": GivenValue(True, "test")}}
    return Settings(bcrypt_rounds=4, rate_limits=False, of_plugins=given)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(delivery, "LOOK_S", 0.02)
    monkeypatch.setattr(delivery, "BACKOFF_FIRST_S", BACKOFF_S)
    monkeypatch.setattr(webhooks, "KNOWN_FOR_S", 0.0)


@pytest.fixture
def bots(mongo, tmp_path):
    return CommandLine(mongo.uri, tmp_path)


@pytest.fixture
def receiver(io_loop):
    made = Receiver()
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


class Group:
    """A group of alice with a bot that has a webhook."""

    async def open(self, nova, bots, receiver, scope="write", events=()):
        self.nova = nova
        await bots.token("helper", scope)
        accounts = nova.services.accounts
        self.bot = await accounts.find_bot("outside:helper")
        self.alice = await accounts.register("alice", "secret1", "test")
        self.bob = await accounts.register("bob", "secret1", "test")
        self.chat = await nova.services.chats.create_group(self.alice, "Us", [self.bot.id])
        wanted = ["--events", ",".join(events)] if events else []
        lines = await bots.run("webhook", "helper", "--url", receiver.url, *wanted)
        self.secret = lines[-1]
        [self.webhook] = await webhooks.Webhooks(nova.facade_of("nova_outside_bots")).list_of(self.bot.id)
        return self

    async def say(self, text, user=None):
        return (await self.nova.services.messages.send(user or self.alice, self.chat.id, text)).message


@pytest.mark.gen_test
async def test_what_happens_is_posted_in_order_and_signed(nova, bots, receiver):
    group = await Group().open(nova, bots, receiver)
    services, alice = nova.services, group.alice
    sent = await group.say("Hallo ✓")
    await services.messages.edit(alice, sent.id, "Hello")
    await services.messages.recall(alice, sent.id)
    await services.chats.edit(alice, group.chat.id, title="We")
    await services.chats.edit(alice, group.chat.id, add_ids=[group.bob.id])
    await services.chats.edit(alice, group.chat.id, remove_ids=[group.bob.id])
    await services.chats.delete_for(alice, group.chat.id)
    posted = [await receiver.next() for _ in ALL_EVENTS]
    bodies = [each.json for each in posted]
    assert [body["event"] for body in bodies] == [
        *("message_sent", "message_edited", "message_recalled", "chat_renamed"),
        *("member_added", "member_removed", "chat_deleted"),
    ]
    assert bodies[0]["message"]["message"] == "Hallo ✓"
    assert bodies[0]["message"]["sender"]["user_name"] == "alice"
    assert bodies[1]["message"]["message"] == "Hello"
    assert (bodies[2]["message_id"], bodies[2]["user_id"]) == (sent.id, alice.id)
    assert bodies[3]["chat"] == {"chat_id": group.chat.id, "chat_name": "We", "is_private": False}
    assert bodies[4]["user_id"] == bodies[5]["user_id"] == group.bob.id
    ids = [int(each.headers["Nova-Delivery"]) for each in posted]
    assert ids == sorted(set(ids)) == [body["delivery"] for body in bodies]
    for each, body in zip(posted, bodies, strict=True):
        assert body["bot_id"] == group.bot.id
        assert abs(body["time"] - time.time()) < 60
        check_signature(each, group.secret)
        assert each.headers["Nova-Event"] == body["event"]
        assert each.headers["Content-Type"] == "application/json"
    assert receiver.is_empty


def check_signature(posted, secret):
    timestamp = posted.headers["Nova-Timestamp"]
    assert abs(int(timestamp) - time.time()) < 60
    signed = timestamp.encode() + b"." + posted.body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert posted.headers["Nova-Signature"] == f"sha256={digest}"


@pytest.mark.gen_test
async def test_the_check_of_signatures_in_the_documentation_holds(nova, bots, receiver):
    [block] = blocks("docs/outside-bots.md", "python")
    namespace = {}
    exec(compile(block.text, "docs/outside-bots.md", "exec"), namespace)
    is_from_nova = namespace["is_from_nova"]
    group = await Group().open(nova, bots, receiver)
    await group.say("Hallo ✓")
    posted = await receiver.next()
    assert is_from_nova(group.secret, posted.headers, posted.body)
    assert not is_from_nova(group.secret + "x", posted.headers, posted.body)
    assert not is_from_nova(group.secret, posted.headers, posted.body + b" ")
    assert not is_from_nova(group.secret, {**posted.headers, "Nova-Timestamp": "1"}, posted.body)


@pytest.mark.gen_test
async def test_only_what_is_wanted_of_own_chats_and_not_by_oneself(nova, bots, receiver):
    group = await Group().open(nova, bots, receiver, events=("message_sent", "chat_deleted"))
    services = nova.services
    other = await services.chats.create_group(group.alice, "Others", [group.bob.id])
    await services.messages.send(group.alice, other.id, "not for the bot")
    await group.say("my own", group.bot)
    sent = await group.say("one")
    await services.messages.edit(group.alice, sent.id, "not wanted")
    await nova.plugins_told()
    await services.chats.edit(group.alice, group.chat.id, remove_ids=[group.bot.id])
    await group.say("after it has gone")
    await services.chats.edit(group.alice, group.chat.id, add_ids=[group.bot.id])
    await group.say("last")
    assert [(await receiver.next()).json["message"]["message"] for _ in range(2)] == ["one", "last"]
    assert receiver.is_empty


@pytest.mark.gen_test
async def test_an_invoked_bot_is_told_of_what_invokes_it(nova, bots, receiver):
    group = await Group().open(nova, bots, receiver, scope="invoked")
    assert group.webhook.events == ("message_sent",)
    services = nova.services
    await group.say("between us")
    sent = await group.say("@helper look")
    await services.messages.edit(group.alice, sent.id, "@helper look again")
    private, _ = await services.chats.open_private(group.alice, group.bot.id)
    await services.messages.send(group.alice, private.id, "you alone")
    assert [(await receiver.next()).json["message"]["message"] for _ in range(2)] == ["@helper look", "you alone"]
    assert receiver.is_empty
    [line] = await bots.run("webhook", "helper", "--url", receiver.url, "--events", "chat_renamed", exit_code=1)
    assert "cannot be told of 'chat_renamed'" in line


@pytest.mark.gen_test
async def test_what_is_not_taken_is_posted_again_with_the_same_id(nova, bots, receiver):
    group = await Group().open(nova, bots, receiver)
    receiver.statuses = [500, 404, 200]
    await group.say("one")
    await group.say("two")
    tries = [await receiver.next() for _ in range(4)]
    assert [each.json["message"]["message"] for each in tries] == ["one", "one", "one", "two"]
    assert len({each.headers["Nova-Delivery"] for each in tries}) == 2
    for each in tries:
        check_signature(each, group.secret)


@pytest.fixture
def failed(monkeypatch):
    """A queue with the number of attempts of each delivery that has failed."""
    failed = asyncio.Queue()
    postpone = webhooks.Webhooks.postpone

    async def note(self, delivery, next_us):
        await postpone(self, delivery, next_us)
        failed.put_nowait(delivery.attempts + 1)

    monkeypatch.setattr(webhooks.Webhooks, "postpone", note)
    return failed


@pytest.mark.gen_test
async def test_nothing_is_lost_while_the_receiver_or_the_server_is_down(
    mongo, database, settings, bots, receiver, failed
):
    nova = await open_nova(settings, mongo.uri, database=DATABASE)
    try:
        group = await Group().open(nova, bots, receiver)
        await receiver.stop()
        for number in range(5):
            await group.say(f"{number}")
        assert [await failed.get() for _ in range(2)] == [1, 2]
    finally:
        await nova.close()
    waiting = list(database["outside_bot_deliveries"].find().sort("_id", 1))
    assert [each["attempts"] > 1 for each in waiting] == [True] + [False] * 4
    await receiver.start()
    nova = await open_nova(settings, mongo.uri, database=DATABASE)
    try:
        posted = [await receiver.next() for _ in range(5)]
        assert [each.json["message"]["message"] for each in posted] == ["0", "1", "2", "3", "4"]
        assert [int(each.headers["Nova-Delivery"]) for each in posted] == [each["_id"] for each in waiting]
    finally:
        await nova.close()


@pytest.mark.gen_test
@pytest.mark.expects_log("is dropped after 3 attempts: the answer was 503")
async def test_what_is_never_taken_is_dropped_and_the_next_one_comes(nova, bots, receiver, monkeypatch):
    monkeypatch.setattr(delivery, "ATTEMPTS_MAX_COUNT", 3)
    group = await Group().open(nova, bots, receiver)
    receiver.statuses = [503, 503, 503]
    await group.say("one")
    await group.say("two")
    texts = [(await receiver.next()).json["message"]["message"] for _ in range(4)]
    assert texts == ["one", "one", "one", "two"]


@pytest.mark.gen_test
@pytest.mark.expects_log("hours old")
async def test_what_is_too_old_is_dropped(nova, clock, bots, receiver, failed):
    group = await Group().open(nova, bots, receiver)
    await receiver.stop()
    await group.say("old")
    await failed.get()
    clock.move(delivery.AGE_MAX_S + 1)
    await receiver.start()
    await group.say("new")
    assert (await receiver.next()).json["message"]["message"] == "new"


@pytest.mark.gen_test
@pytest.mark.expects_log("is dropped after 1 attempts: 127.0.0.1 answered with a redirect")
async def test_redirects_are_not_followed(nova, bots, receiver):
    group = await Group().open(nova, bots, receiver)
    receiver.statuses = [302]
    receiver.extra_head = f"Location: {receiver.url}\r\n"
    await group.say("one")
    await group.say("two")
    assert [(await receiver.next()).json["message"]["message"] for _ in range(2)] == ["one", "two"]


class TestPrivateAddresses:
    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False)

    @pytest.mark.gen_test
    @pytest.mark.expects_log("127.0.0.1 is not on the public Internet")
    async def test_private_addresses_are_refused_unless_allowed(self, nova, bots, receiver, monkeypatch):
        group = await Group().open(nova, bots, receiver)
        dropped = asyncio.Event()
        discard = webhooks.Webhooks.discard

        async def note(self, delivery):
            await discard(self, delivery)
            dropped.set()

        monkeypatch.setattr(webhooks.Webhooks, "discard", note)
        await group.say("one")
        await dropped.wait()
        assert receiver.is_empty


@pytest.mark.gen_test
async def test_urls_that_cannot_be_asked_are_refused_at_once(nova, bots):
    await bots.token("helper", "write")
    for url in ("ftp://example.org", "example.org", "http://", "http://user:pass@example.org/", "http://a b/"):
        assert len(await bots.run("webhook", "helper", "--url", url, exit_code=1)) == 1, url
    assert "webhook" not in "\n".join(await bots.run("list"))


@pytest.mark.gen_test
@pytest.mark.expects_log("more than 2 events wait")
async def test_so_much_waits_for_one_receiver_and_no_more(nova, bots, receiver, monkeypatch, database, failed):
    monkeypatch.setattr(webhooks, "WAITING_MAX_COUNT", 2)
    group = await Group().open(nova, bots, receiver)
    await receiver.stop()
    for number in range(5):
        await group.say(f"{number}")
    await nova._dispatcher.drained()
    assert database["outside_bot_deliveries"].count_documents({}) == 2


@pytest.mark.gen_test
async def test_what_was_revoked_is_told_nothing_any_more(nova, bots, receiver, database, failed):
    group = await Group().open(nova, bots, receiver)
    await receiver.stop()
    await group.say("waits")
    await failed.get()
    listed = "\n".join(await bots.run("list"))
    assert f"webhook {group.webhook.id} to 127.0.0.1:{receiver.port}: message_sent" in listed
    assert "key=1" not in listed and group.secret not in listed
    await bots.run("revoke", "helper")
    assert database["outside_bot_deliveries"].count_documents({}) == 0
    await group.say("nobody listens")
    await nova._dispatcher.drained()
    assert database["outside_bot_deliveries"].count_documents({}) == 0


def test_pauses_double_up_to_a_bound(monkeypatch):
    monkeypatch.undo()
    pauses = [delivery.backoff_s(attempts) for attempts in range(1, delivery.ATTEMPTS_MAX_COUNT)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == delivery.BACKOFF_MAX_S
    assert 3600 < sum(pauses) < delivery.AGE_MAX_S
