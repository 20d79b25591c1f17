"""Messages as every protocol sends and reads them: what has been read, histories, files."""

from __future__ import annotations

import asyncio
import random

import pytest
from storage.rooms import Heard, make_users, outcome

from nova_tornado.domain.errors import BadField, ChatUnknown, NotAMember, RepeatMismatch
from nova_tornado.domain.events import ChatRead, MessageSent
from nova_tornado.domain.models import CONTENT_TEXT, JoinPolicy, Origin
from nova_tornado.services.file_sends import FILES_MAX_COUNT
from nova_tornado.storage import messages as messages_storage

RANDOM_STEPS = 80


class Members:
    """Who has read what of a chat, by brute force."""

    def __init__(self, *user_ids):
        self.read_up_to = dict.fromkeys(user_ids, 0)
        self.authors = {}
        self.recalled = set()

    def read_now(self):
        """The messages whose ``is_read`` is true."""
        return {
            message_id
            for message_id, author in self.authors.items()
            if any(up_to >= message_id for user_id, up_to in self.read_up_to.items() if user_id != author)
        }

    def read(self, user_id):
        """A member reads everything; returns what has been read by nobody but the author before."""
        before = self.read_now()
        self.read_up_to[user_id] = max(self.authors, default=0)
        return sorted(self.read_now() - before - self.recalled)

    def send(self, user_id, message_id):
        """A member sends; returns the same as ``read``."""
        newly_read = self.read(user_id)
        self.authors[message_id] = user_id
        self.read_up_to[user_id] = message_id
        return newly_read


# What has been read


@pytest.mark.parametrize("seed", range(6))
def test_newly_read_messages_are_those_that_brute_force_finds(start_nova, settings, io_loop, seed, monkeypatch):
    monkeypatch.setattr(messages_storage, "PAGE_AUTHORS", 3)
    nova = start_nova(settings)
    chance = random.Random(seed)

    async def run():
        chats, messages = nova.services.chats, nova.services.messages
        users = await make_users(nova, *(f"user{number}" for number in range(4)))
        by_id = {user.id: user for user in users}
        chat = await chats.create_group(users[0], "Tea", [users[1].id], policy=JoinPolicy.OPEN)
        model = Members(users[0].id, users[1].id)
        for step in range(RANDOM_STEPS):
            inside = list(model.read_up_to)
            user = by_id[chance.choice(inside)]
            heard = Heard(nova)
            match chance.choice(("send", "send", "send", "read", "join", "leave", "recall", "rename")):
                case "send":
                    sent = await messages.send(user, chat.id, f"{step}")
                    expected = model.send(user.id, sent.message.id)
                case "read":
                    await messages.mark_read(user, chat.id)
                    expected = model.read(user.id)
                case "join" if len(inside) < len(users):
                    user = next(each for each in users if each.id not in inside)
                    await chats.join(user, chat.id)
                    model.read_up_to[user.id] = 0
                    continue
                case "leave" if len(inside) > 2 and user is not users[0]:
                    await chats.edit(user, chat.id, remove_ids=[user.id])
                    del model.read_up_to[user.id]
                    continue
                case "recall":
                    own = [each for each, author in model.authors.items() if author == user.id]
                    own = [each for each in own if each not in model.recalled]
                    if own:
                        message_id = chance.choice(own)
                        await messages.recall(user, message_id)
                        model.recalled.add(message_id)
                    continue
                case "rename":  # an entry of the log that is no message
                    await chats.rename(users[0], chat.id, f"{step}")
                    continue
                case _:
                    continue
            [reading] = [event.reading for event in heard.of(MessageSent, ChatRead)]
            found = await messages.list_newly_read(chat, [(user.id, reading)]) if reading else []
            assert found == expected, step
            details = [each async for page in messages.iterate(chat) for each in page]
            shown = {
                each.message.id
                for each in details
                if any(reader.id != each.message.sender_id for reader in each.readers.users)
            }
            assert shown == model.read_now(), step

    io_loop.run_sync(run)


@pytest.mark.gen_test
async def test_one_who_was_taken_in_reads_all_that_was_said_before_him(nova):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await nova.services.chats.create_group(ann, "Tea", [])
    said = [(await nova.services.messages.send(ann, chat.id, text)).message.id for text in ("one", "two")]
    await nova.services.chats.edit(ann, chat.id, add_ids=[bob.id])
    assert chat.unread_count(bob.id) == 0
    heard = Heard(nova)
    origin = Origin(None)
    for expected in (said, []):
        await nova.services.messages.mark_read(bob, chat.id, origin=origin)
        event = heard.events[-1]
        assert (event.user_id, event.origin) == (bob.id, origin)
        readings = [(bob.id, event.reading)] if event.reading else []
        assert await nova.services.messages.list_newly_read(chat, readings) == expected
    assert event.reading is None


@pytest.mark.gen_test
async def test_reading_is_for_members(nova):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await nova.services.chats.create_group(ann, "Tea", [])
    heard = Heard(nova)
    with pytest.raises(NotAMember):
        await nova.services.messages.mark_read(bob, chat.id)
    with pytest.raises(ChatUnknown):
        await nova.services.messages.mark_read(bob, 10**30)
    assert not heard.events


# Histories


@pytest.mark.parametrize("seed", range(3))
def test_histories_are_what_brute_force_finds(start_nova, settings, io_loop, seed):
    nova = start_nova(settings)
    chance = random.Random(seed)

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        chat, _ = await nova.services.chats.open_private(ann, bob.id)
        messages = nova.services.messages
        sent = [(await messages.send(chance.choice((ann, bob)), chat.id, f"{number}")).message for number in range(25)]
        recalled, hidden = chance.sample(sent, 4), chance.sample(sent, 4)
        for message in recalled:
            await messages.recall(ann if message.sender_id == ann.id else bob, message.id)
        for message in hidden:
            await messages.hide(bob, message.id)
        shown = [each for each in sent if each not in recalled and each not in hidden]
        ids = [each.id for each in sent]
        times = [each.sent_us for each in sent]
        id_bounds = [None, 0, -(10**30), 10**30, chat.id, ids[0] - 1, *ids, ids[-1] + 1, (chat.id + 1) * 10**8]
        time_bounds = [None, 0, -(10**20), 10**20, *(time + one for time in times for one in (-1, 0, 1))]
        for _ in range(150):
            from_id = chance.choice(id_bounds)
            from_us, before_us = chance.choice(time_bounds), chance.choice(time_bounds)
            limit, newest = chance.choice((1, 3, 100)), chance.random() < 0.5
            matching = [
                each.id
                for each in shown
                if (from_id is None or each.id >= from_id)
                and (from_us is None or each.sent_us >= from_us)
                and (before_us is None or each.sent_us < before_us)
            ]
            found = await messages.history(
                chat, bob.id, from_id=from_id, from_us=from_us, before_us=before_us, limit=limit, newest=newest
            )
            expected = matching[-limit:] if newest else matching[:limit]
            assert [each.id for each in found] == expected, (from_id, from_us, before_us, limit, newest)
        for sender in (ann, bob):
            for viewer in (ann, bob):
                visible = [each for each in sent if each not in recalled and (viewer is ann or each not in hidden)]
                own = [each.id for each in visible if each.sender_id == sender.id]
                latest = await messages.find_latest_from(chat, sender.id, viewer.id)
                assert (latest.id if latest else None) == (own[-1] if own else None)

    io_loop.run_sync(run)


# Content types and files


async def upload(nova, user, name="a ä.txt", data=b"bytes"):
    """A pending file of a user."""
    writer = await nova.store.files.begin(user.id, name, len(data), nova.services.clock.now_us())
    await writer.write(data)
    return await writer.finish("text/plain")


async def is_found(nova, file):
    """Whether a file's URL leads anywhere."""
    return await nova.services.files.find(file.url.split("/")[-2]) is not None


def test_content_types_and_files_are_kept_and_seen_by_every_nova(start_nova, settings, io_loop, database):
    nova, other = start_nova(settings), start_nova(settings)

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        chat, _ = await nova.services.chats.open_private(ann, bob.id)
        there = await other.services.chats.get(chat.id)
        send = nova.services.messages.send
        await send(ann, chat.id, "plain")
        typed = (await send(ann, chat.id, "https://a.b/c.png", content_type="image")).message
        files = [await upload(nova, ann, f"{number}.txt") for number in range(3)]
        heard = Heard(nova)
        origin = Origin(None)
        reply = typed.id
        order = [files[2].id, files[0].id, files[2].id, files[1].id]
        sent = await send(ann, chat.id, "", reply_to=reply, file_ids=order, content_type="file", origin=origin)
        assert not sent.is_repeat and sent.message.files == (files[2], files[0], files[1])
        assert sent.message.plain_text == "\n".join(file.url for file in (files[2], files[0], files[1]))
        [event] = heard.events
        assert (event.message, event.sender, event.origin) == (sent.message, ann, origin)
        assert event.reply_to[0].id == reply
        await other.services.messages.send(bob, chat.id, "seen")  # takes in what was written elsewhere
        for each in (nova, other):
            plain, image, attached, *_ = await each.services.messages.history(there, bob.id, limit=10)
            assert (plain.content_type, plain.files) == (CONTENT_TEXT, ())
            assert (image.content_type, image.plain_text) == ("image", "https://a.b/c.png")
            assert (attached.content_type, attached.text, attached.files) == ("file", "", sent.message.files)
            assert attached.reply_to == reply
        documents = list(database.messages.find({"_id": {"$gt": chat.id * 10**8}}).sort("_id", 1))
        assert "content_type" not in documents[0] and "files" not in documents[0]
        for file in files:
            assert await is_found(nova, file) and await is_found(other, file)

    io_loop.run_sync(run)


@pytest.mark.gen_test
async def test_a_file_that_is_unknown_anothers_or_attached_already_is_refused(nova):
    ann, bob, cid = await make_users(nova, "ann", "bob", "cid")
    chat, _ = await nova.services.chats.open_private(ann, bob.id)
    mine, his, used = await upload(nova, ann), await upload(nova, bob), await upload(nova, ann)
    send = nova.services.messages.send
    await send(ann, chat.id, "used", file_ids=[used.id])
    heard = Heard(nova)
    for file_ids in ([his.id], [mine.id, his.id], [used.id], [mine.id, used.id], [10**6], [0], [-1], [10**30]):
        with pytest.raises(BadField):
            await send(ann, chat.id, "x", file_ids=file_ids)
    with pytest.raises(BadField):
        await send(ann, chat.id, "x", file_ids=range(1, FILES_MAX_COUNT + 2))
    with pytest.raises(NotAMember):
        await send(cid, chat.id, "x", file_ids=[(await upload(nova, cid)).id])
    assert not heard.events and (chat.last_seq, chat.last_message.text) == (1, "used")
    assert not (await send(ann, chat.id, "x", file_ids=[mine.id])).is_repeat


def test_of_two_sends_of_one_file_at_once_one_has_it(start_nova, settings, io_loop, database):
    novas = [start_nova(settings) for _ in range(2)]

    async def run():
        ann, bob, cid = await make_users(novas[0], "ann", "bob", "cid")
        chats = [(await novas[0].services.chats.open_private(ann, other.id))[0] for other in (bob, cid)]
        for _ in range(5):
            file = await upload(novas[0], ann)
            results = await asyncio.gather(
                *(
                    outcome(nova.services.messages.send(ann, chat.id, "x", file_ids=[file.id]))
                    for nova in novas
                    for chat in chats
                )
            )
            assert sum(isinstance(result, BadField) for result in results) == 3
            assert database.messages.count_documents({"files.id": file.id}) == 1

    io_loop.run_sync(run)


def test_a_repeated_send_with_files_returns_the_first(start_nova, settings, io_loop, database):
    novas = [start_nova(settings) for _ in range(2)]

    async def run():
        ann, bob = await make_users(novas[0], "ann", "bob")
        chat, _ = await novas[0].services.chats.open_private(ann, bob.id)
        another = await novas[0].services.chats.create_group(ann, "", [])
        for number in range(4):
            file = await upload(novas[0], ann)
            client_id = f"own {number}"
            results = await asyncio.gather(
                *(
                    nova.services.messages.send(ann, chat.id, "x", client_id=client_id, file_ids=[file.id])
                    for nova in novas
                    for _ in range(2)
                )
            )
            assert sorted(result.is_repeat for result in results) == [False, True, True, True]
            assert len({result.message.id for result in results}) == 1
            send = novas[0].services.messages.send
            for file_ids in ([file.id], [(await upload(novas[0], ann)).id], [10**9], []):
                again = await send(ann, chat.id, "x", client_id=client_id, file_ids=file_ids)
                assert again.is_repeat and again.message.files == (file,)
            for chat_id, text in ((chat.id, "y"), (another.id, "x")):
                with pytest.raises(RepeatMismatch):
                    await send(ann, chat_id, text, client_id=client_id, file_ids=[file.id])
        assert database.messages.count_documents({"sender": ann.id, "kind": "message"}) == 4

    io_loop.run_sync(run)


@pytest.mark.gen_test
async def test_files_go_with_their_message_and_with_their_chat(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat, _ = await nova.services.chats.open_private(ann, bob.id)
    send = nova.services.messages.send
    recalled, kept = await upload(nova, ann), await upload(nova, ann)
    first = (await send(ann, chat.id, "", file_ids=[recalled.id])).message
    await send(ann, chat.id, "text", file_ids=[kept.id])
    await nova.services.messages.recall(ann, first.id)
    document = database.messages.find_one({"_id": first.id})
    assert "files" not in document and "text" not in document
    assert not await is_found(nova, recalled) and await is_found(nova, kept)
    await nova.store.files.sweep(nova.services.clock.now_us())
    assert [each["_id"] for each in database["uploads.files"].find()] == [kept.id]
    await nova.services.chats.delete_for(bob, chat.id)
    assert not await is_found(nova, kept)
    await nova.purges.purge(chat.id)
    assert database["uploads.files"].count_documents({}) == database["uploads.chunks"].count_documents({}) == 0
    assert database.messages.count_documents({"kind": "message"}) == 0
