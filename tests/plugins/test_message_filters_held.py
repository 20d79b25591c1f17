"""Messages that wait for approval. Source: docs/protocols/actions.md, "Held messages"."""

import asyncio

import pytest
from nova_message_filters import held as held_messages
from plugins.moderated import HOLD, WORDS, Group, Refused

from nova_tornado.domain.errors import OutcomeUnknown
from nova_tornado.services.messages import MessageService

WAITS = "The message waits for approval by the owner or an admin: it breaks the rule “Swearing”"


@pytest.fixture
def group(people, io_loop):
    async def build():
        group = await Group().open(people)
        await group.rule(HOLD)
        return group

    return io_loop.run_sync(build)


async def hold(group, person, text="darn", **more):
    """Say what is held; its struct."""
    assert await group.say(person, text, **more) == WAITS
    return (await group.held())[-1]


@pytest.mark.gen_test
async def test_a_held_message_is_shown_to_managers_alone(group):
    for person in group.all:
        await group.packets(person)
    assert await group.say(group.carol, "oh darn") == WAITS
    [held] = await group.held(group.bob)
    assert isinstance(held.pop("held_at"), float)
    assert held.pop("sender")["user_name"] == "carol"
    held_id = held["held_id"]
    assert held == {
        "held_id": held_id,
        "chat_id": group.id,
        "message": "oh darn",
        "reply_to_id": None,
        "client_message_id": None,
        "rule_name": "Swearing",
    }
    for person in (group.alice, group.bob):
        [news] = await group.packets(person)
        assert (news["action"], news["data"]["held"]["held_id"]) == ("message_held", held_id)
    for person in (group.carol, group.dave):
        assert await group.packets(person) == []
        assert (await person.get(f"{group.path}/held")).status == 403
    assert await group.texts() == []


@pytest.mark.gen_test
async def test_an_approved_message_is_its_authors(group):
    await group.say(group.dave, "question?")
    asked_id = group.last_id
    held = await hold(group, group.carol, reply_to=asked_id, client_message_id="mine")
    assert (held["reply_to_id"], held["client_message_id"]) == (asked_id, "mine")
    for person in group.all:
        await group.packets(person)
    message_id = (await group.bob.post(f"{group.path}/held/{held['held_id']}")).data["message_id"]
    [message] = await group.news(group.dave, "new_message")
    assert (message["message"]["message_id"], message["client_message_id"]) == (message_id, "mine")
    assert message["message"]["sender"]["user_name"] == "carol"
    assert (message["message"]["message"], message["message"]["reply_to_id"]) == ("darn", asked_id)
    [told] = await group.news(group.carol, "message_approved")
    assert told == {
        "chat_id": group.id,
        "held_id": held["held_id"],
        "message_id": message_id,
        "client_message_id": "mine",
    }
    assert await group.held() == []
    again = await group.bob.post(f"{group.path}/held/{held['held_id']}")
    assert (again.status, again.error) == (400, "Held message not found")
    # The sender repeats what he has no answer to but the refusal: it is the same message.
    assert await group.say(group.carol, "darn", client_message_id="mine") == "darn"
    assert await group.texts() == ["question?", "darn"]
    assert await group.held() == []


@pytest.mark.parametrize("more", [{}, {"client_message_id": "mine"}])
@pytest.mark.gen_test
async def test_of_many_approvals_at_the_same_moment_one_message_comes(group, more):
    held = await hold(group, group.carol, **more)
    other = await group.bob.again()
    askers = [group.alice, group.bob, other] * 4
    answers = await asyncio.gather(*(asker.post(f"{group.path}/held/{held['held_id']}") for asker in askers))
    assert {answer.status for answer in answers} <= {200, 400}
    assert len({answer.data["message_id"] for answer in answers if answer.status == 200}) == 1
    assert await group.texts() == ["darn"]
    assert len(await group.news(group.carol, "message_approved")) == 1


@pytest.mark.gen_test
async def test_of_approval_and_decline_at_the_same_moment_one_happens(group):
    for _ in range(5):
        held = await hold(group, group.carol)
        before = len(await group.texts())
        path = f"{group.path}/held/{held['held_id']}"
        approved, declined = await asyncio.gather(group.alice.post(path), group.bob.delete(path))
        assert {approved.status, declined.status} == {200, 400}
        assert len(await group.texts()) - before == (approved.status == 200)


@pytest.mark.gen_test
async def test_an_approval_of_unknown_outcome_can_be_repeated_but_not_declined(group, monkeypatch):
    held = await hold(group, group.carol)
    path = f"{group.path}/held/{held['held_id']}"
    send = MessageService.send

    async def send_and_lose_the_answer(*arguments, **more):
        await send(*arguments, **more)
        raise OutcomeUnknown

    with monkeypatch.context() as broken:
        broken.setattr(MessageService, "send", send_and_lose_the_answer)
        assert (await group.alice.post(path)).status == 503
    assert (await group.bob.delete(path)).error == "The message is being approved"
    assert (await group.bob.post(path)).status == 200
    assert await group.texts() == ["darn"]


@pytest.mark.gen_test
async def test_what_cannot_be_sent_waits_still(group):
    await group.say(group.dave, "question?")
    held = await hold(group, group.carol, client_message_id="mine")
    assert await group.say(group.carol, "something else", client_message_id="mine") == "something else"
    path = f"{group.path}/held/{held['held_id']}"
    assert (await group.alice.post(path)).status == 409
    assert len(await group.held()) == 1
    assert (await group.alice.delete(path)).data is None


@pytest.mark.gen_test
async def test_a_declined_message_is_gone_and_its_author_is_told(group):
    held = await hold(group, group.carol)
    await group.packets(group.carol)
    path = f"{group.path}/held/{held['held_id']}"
    assert (await group.bob.delete(path)).data is None
    assert await group.news(group.carol, "message_declined") == [
        {"chat_id": group.id, "held_id": held["held_id"], "client_message_id": None}
    ]
    assert (await group.alice.post(path)).status == (await group.alice.delete(path)).status == 400
    assert await group.texts() == await group.held() == []


@pytest.mark.gen_test
async def test_a_repeat_with_the_same_client_id_is_held_once(group):
    for _ in range(3):
        await hold(group, group.carol, client_message_id="mine")
    assert len(await group.held()) == 1
    assert len(await group.news(group.alice, "message_held")) == 1
    answer = await group.say(group.carol, "darn it", client_message_id="mine")
    assert answer == "Another message with this client_message_id waits for approval"
    await hold(group, group.dave, client_message_id="mine")
    assert len(await group.held()) == 2


@pytest.mark.gen_test
async def test_the_same_send_from_many_sockets_is_held_once(group):
    sockets = [await group.carol.socket() for _ in range(5)]
    for socket in sockets:
        await socket.send("send_message", {"chat_id": group.id, "content": "darn", "client_message_id": "mine"})
    for socket in sockets:
        assert await socket.expect_error() == WAITS
    assert len(await group.held()) == 1


@pytest.mark.gen_test
async def test_so_many_wait_and_no_more(group, monkeypatch):
    monkeypatch.setattr(held_messages, "HELD_MAX_PER_SENDER", 2)
    monkeypatch.setattr(held_messages, "HELD_MAX_PER_CHAT", 3)
    sockets = [await group.carol.socket() for _ in range(5)]
    for socket in sockets:
        await socket.send("send_message", {"chat_id": group.id, "content": "darn"})
    answers = [await socket.expect_error() for socket in sockets]
    assert answers.count(WAITS) == len(await group.held()) <= 2
    while len(await group.held()) < 2:
        await hold(group, group.carol)
    assert "Too many messages wait" in await group.say(group.carol, "darn")
    await hold(group, group.dave)
    assert "Too many messages wait" in await group.say(group.dave, "darn")


@pytest.mark.gen_test
async def test_who_has_left_says_nothing_more(group, nova):
    held = await hold(group, group.carol)
    other = await hold(group, group.dave)
    assert (await group.carol.delete(group.path)).data is None
    await nova._dispatcher.drained()
    assert [each["held_id"] for each in await group.held()] == [other["held_id"]]
    assert (await group.alice.post(f"{group.path}/held/{held['held_id']}")).status == 400
    assert await group.texts() == []


@pytest.mark.gen_test
async def test_who_leaves_while_the_server_is_down_says_nothing_more(group, nova, database):
    held = await hold(group, group.carol)
    kept = database.held_messages.find_one({"_id": held["held_id"]})
    assert (await group.carol.delete(group.path)).data is None
    await nova._dispatcher.drained()
    database.held_messages.replace_one({"_id": kept["_id"]}, kept, upsert=True)
    assert await group.held() == []
    answer = await group.alice.post(f"{group.path}/held/{held['held_id']}")
    assert (answer.status, answer.error) == (400, "The sender is not in the chat any more")
    assert database.held_messages.count_documents({}) == 0
    assert await group.texts() == []


@pytest.mark.gen_test
async def test_messages_with_files_cannot_wait(group):
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    file_id = (await group.carol.post("/files", raw_body=body, headers=headers)).data["id"]
    assert "with files cannot wait" in await group.say(group.carol, "darn", files=[file_id])
    assert await group.held() == []
    assert (await group.say(group.carol, "fine", files=[file_id])).startswith("fine\n")


@pytest.mark.gen_test
async def test_approving_asks_no_rule_again(group):
    held = await hold(group, group.carol)
    await group.rule(WORDS)
    assert isinstance(await group.say(group.carol, "darn"), Refused)
    assert (await group.alice.post(f"{group.path}/held/{held['held_id']}")).status == 200
    assert await group.texts() == ["darn"]
