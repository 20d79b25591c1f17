"""What Nova adds to the actions protocol: edits, new titles, typing, presence. Source: contract "actions" section 8."""

import pytest
from protocols.test_uploads import upload

from nova_tornado.app import open_nova


async def two_friends(people):
    alice, bob = await people("alice"), await people("bob")
    return alice, bob, await alice.befriend(bob)


async def send(person, chat_id, text, **more):
    """Sends over a socket of its own; returns the message's id."""
    socket = await person.socket()
    await socket.send("send_message", {"chat_id": chat_id, "content": text, **more})
    message, _ = await socket.expect("new_message", "messages_read")
    socket.close()
    return message["message"]["message_id"]


@pytest.mark.gen_test
async def test_an_edit_replaces_the_text_everywhere_and_shows_when(people):
    alice, bob, chat = await two_friends(people)
    first = await send(alice, chat, "helo")
    reply = await send(bob, chat, "hi", reply_to=first)
    hers, his = await alice.socket(), await bob.socket()
    await hers.send("edit_message", {"message_id": first, "content": "hello"})
    for socket in (hers, his):
        (news,) = await socket.expect("message_edited")
        message = news["message"]
        assert (message["message_id"], message["message"]) == (first, "hello")
        assert message["edited_at"] > message["send_time"]
        assert [each["message_id"] for each in message["replied_by"]] == [reply]
        await socket.expect_nothing()
    newest, edited, _ = (await bob.get(f"/chat/{chat}/messages")).data
    assert edited == message
    assert newest["reply_to"]["message"] == "hello"
    assert newest["reply_to"]["edited_at"] == message["edited_at"]
    assert "edited_at" not in newest


@pytest.mark.gen_test
async def test_the_last_message_of_a_chat_is_shown_as_edited_and_nothing_is_unread_by_it(people):
    alice, bob, chat = await two_friends(people)
    message = await send(alice, chat, "helo")
    before = (await bob.get(f"/chat/{chat}")).data["unread_count"]
    hers = await alice.socket()
    await hers.send("edit_message", {"message_id": message, "content": "hello"})
    await hers.expect("message_edited")
    relation = (await bob.get(f"/chat/{chat}")).data
    assert relation["chat"]["last_message"]["message"] == "hello"
    assert relation["unread_count"] == before


@pytest.mark.gen_test
async def test_only_the_author_can_edit_and_not_what_is_recalled_or_in_a_chat_he_left(people):
    alice, bob, chat = await two_friends(people)
    message = await send(alice, chat, "mine")
    carol = await people("carol")
    his, hers, other = await bob.socket(), await alice.socket(), await carol.socket()
    for socket in (his, other):
        await socket.send("edit_message", {"message_id": message, "content": "yours"}, request_id=4)
        await socket.expect_error(400, 4)
    for data in (None, {}, {"message_id": message}, {"message_id": message, "content": ""}, {"message_id": True}):
        await hers.send("edit_message", data)
        await hers.expect_error()
    await hers.send("edit_message", {"message_id": message, "content": "x" * 20_001})
    await hers.expect_error()
    await hers.send("recall_message", {"message_id": message})
    await hers.expect("message_recalled")
    await hers.send("edit_message", {"message_id": message, "content": "again"})
    await hers.expect_error()
    group = await alice.new_group(bob)
    message = await send(bob, group, "bye")
    await bob.delete(f"/chat/{group}")
    late = await bob.socket()
    await late.send("edit_message", {"message_id": message, "content": "back"})
    await late.expect_error()
    texts = [each["message"] for each in (await alice.get(f"/chat/{group}/messages")).data]
    assert "bye" in texts


@pytest.mark.gen_test
async def test_a_send_may_still_be_repeated_after_its_message_was_edited(people):
    alice, bob, chat = await two_friends(people)
    message = await send(alice, chat, "helo", client_message_id="one")
    hers, his = await alice.socket(), await bob.socket()
    await hers.send("edit_message", {"message_id": message, "content": "hello"})
    for socket in (hers, his):
        await socket.expect("message_edited")
    await hers.send("send_message", {"chat_id": chat, "content": "helo", "client_message_id": "one"})
    (again,) = await hers.expect("new_message")
    assert (again["message"]["message_id"], again["message"]["message"]) == (message, "hello")
    await his.expect_nothing()


@pytest.mark.gen_test
async def test_a_message_with_files_names_the_senders_own_id_too_and_no_history_does(people):
    alice, bob, chat = await two_friends(people)
    hers, his = await alice.socket(), await bob.socket()
    file = await upload(alice)
    data = {"chat_id": chat, "content": "", "files": [file["id"]], "client_message_id": "one"}
    for asked, told in ((1, (hers, his)), (2, (hers,))):
        await hers.send("send_message", data)
        for socket in told:
            news = await socket.receive()
            assert (news["action"], news["data"]["client_message_id"]) == ("new_message", "one"), asked
            if asked == 1:
                await socket.expect("messages_read")
    await his.expect_nothing()
    newest = (await bob.get(f"/chat/{chat}/messages")).data[0]
    assert newest["files"] == [file] and "client_message_id" not in newest


@pytest.mark.gen_test
async def test_a_recalled_message_shows_no_trace_of_its_edits(people, database):
    alice, bob, chat = await two_friends(people)
    message = await send(alice, chat, "first secret")
    hers = await alice.socket()
    await hers.send("edit_message", {"message_id": message, "content": "second secret"})
    await hers.expect("message_edited")
    await hers.send("recall_message", {"message_id": message})
    await hers.expect("message_recalled")
    newest = (await bob.get(f"/chat/{chat}/messages")).data[0]
    assert newest["message"] == "Message recalled"
    assert "edited_at" not in newest
    assert not any("secret" in str(document) for document in database["messages"].find())


@pytest.mark.gen_test
async def test_owner_and_admins_rename_a_group_and_all_are_told(people):
    alice, bob, _ = await two_friends(people)
    group = await alice.new_group(bob)
    his = await bob.socket()
    answer = await alice.patch(f"/chat/{group}", {"chat_name": "Another"})
    assert answer.data["chat_id"] == group
    assert answer.data["chat_name"] == "Another"
    assert await his.expect("chat_renamed") == [{"chat_id": group, "chat_name": "Another"}]
    await his.expect_nothing()
    assert (await bob.patch(f"/chat/{group}", {"chat_name": "Mine"})).status == 403
    await alice.post(f"/chat/{group}/{bob.id}/admin", True)
    assert (await bob.patch(f"/chat/{group}", {"chat_name": "Mine"})).data["chat_name"] == "Mine"
    assert (await alice.get(f"/chat/{group}")).data["chat"]["chat_name"] == "Mine"


@pytest.mark.gen_test
async def test_a_new_title_and_an_edited_text_are_there_after_a_crash(people, settings, mongo, database):
    alice, bob, _ = await two_friends(people)
    group = await alice.new_group(bob)
    message = await send(bob, group, "helo")
    await alice.patch(f"/chat/{group}", {"chat_name": "Another"})
    his = await bob.socket()
    await his.send("edit_message", {"message_id": message, "content": "hello"})
    await his.expect("message_edited")
    # What the first Nova would write behind is not written yet.
    second = await open_nova(settings, mongo.uri, database=database.name)
    try:
        chat = await second.services.chats.get(group)
        assert chat.title == "Another"
        assert chat.last_message is not None
        assert (chat.last_message.id, chat.last_message.text) == (message, "hello")
    finally:
        await second.close()


@pytest.mark.gen_test
async def test_bad_titles_private_chats_and_strangers_are_refused(people):
    alice, bob, private = await two_friends(people)
    group = await alice.new_group(bob)
    carol = await people("carol")
    for title in (None, "", 5, "x" * 61, "a\0b", ["a"]):
        assert (await alice.patch(f"/chat/{group}", {"chat_name": title})).status == 400
    assert (await alice.patch(f"/chat/{private}", {"chat_name": "Ours"})).status == 400
    assert (await carol.patch(f"/chat/{group}", {"chat_name": "Ours"})).status == 400
    assert (await alice.patch("/chat/999", {"chat_name": "Ours"})).status == 400
    assert (await bob.get(f"/chat/{group}")).data["chat"]["chat_name"] == "Group"


@pytest.mark.gen_test
async def test_typing_reaches_the_others_once_in_three_seconds(people):
    alice, bob, chat = await two_friends(people)
    hers, hers_too, his = await alice.socket(), await alice.socket(), await bob.socket()
    for _ in range(3):
        await hers.send("typing", {"chat_id": chat})
    await hers.expect_nothing()
    assert await his.expect("typing") == [{"chat_id": chat, "user_id": alice.id}]
    await his.expect_nothing()
    await hers_too.expect_nothing()
    carol = await people("carol")
    other = await carol.socket()
    for data in ({"chat_id": chat}, {"chat_id": 999}, {}, None, {"chat_id": True}):
        await other.send("typing", data)
        await other.expect_error()
    await his.expect_nothing()


@pytest.mark.gen_test
async def test_presence_is_told_to_those_who_asked_and_may_know(people):
    alice, bob, _ = await two_friends(people)
    stranger = await people("stranger")
    hers, deaf, other = await alice.socket(), await alice.socket(), await stranger.socket()
    for socket in (hers, other):
        await socket.send("presence", {})
        assert await socket.expect("presence") == [{"online": []}]
    his = await bob.socket()
    assert await hers.expect("presence") == [{"user_id": bob.id, "online": True}]
    await his.send("presence", {})
    assert await his.expect("presence") == [{"online": [alice.id]}]
    second = await bob.socket()
    his.close()
    second.close()
    assert await hers.expect("presence") == [{"user_id": bob.id, "online": False}]
    for socket in (deaf, other):
        await socket.expect_nothing()
