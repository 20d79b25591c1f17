"""Chats as every protocol makes and changes them: rights, order, skipping, ownership, races."""

from __future__ import annotations

import asyncio
import random

import pytest
from storage.rooms import Heard, log_of, make_users, outcome

from nova_tornado.domain.errors import (
    BadField,
    ChatUnknown,
    NoRight,
    NotAMember,
    NothingToChange,
    NovaError,
    PrivateChat,
    UserUnknown,
)
from nova_tornado.domain.events import (
    AdminChanged,
    ChatCreated,
    ChatDeleted,
    ChatRead,
    ChatUpdated,
    MemberAdded,
    MemberRemoved,
    MessageSent,
    OwnerChanged,
)
from nova_tornado.domain.models import JoinPolicy, Origin, Role

NO_IDS = (0, -1, 10**6, 2**53 + 1, 10**30)
RANDOM_STEPS = 60


def roles_of(chat):
    """A chat's members in order, each with the first letter of his role."""
    return [(user_id, member.role.value[0]) for user_id, member in chat.members.items()]


def stored_roles(database, chat_id):
    """The same out of the database."""
    found = database.memberships.find({"chat": chat_id, "left_seq": {"$exists": False}}).sort("_id", 1)
    return [(member["user"], member["role"][0]) for member in found]


async def group_of(nova, owner, *others, admins=(), title="Tea", **more):
    """A group made without friendship, with its admins."""
    chat = await nova.services.chats.create_group(owner, title, [other.id for other in others], **more)
    for admin in admins:
        await nova.services.chats.set_admin(owner, chat.id, admin.id, True)
    return chat


def told(heard):
    """What was told, in short."""
    short = []
    for event in heard.events:
        match event:
            case MemberAdded(_, user_id):
                short.append(("added", user_id))
            case MemberRemoved(_, user_id):
                short.append(("removed", user_id))
            case AdminChanged(_, user_id, is_admin):
                short.append(("admin", user_id, is_admin))
            case OwnerChanged(_, user_id):
                short.append(("owner", user_id))
            case ChatUpdated(_, actor_id, _, is_renamed, added_ids, removed_ids):
                short.append(("updated", actor_id, is_renamed, added_ids, removed_ids))
            case ChatDeleted():
                short.append(("deleted",))
    return short


# Private chats


@pytest.mark.gen_test
async def test_a_private_chat_is_made_once_and_then_found_by_either(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    heard = Heard(nova)
    origin = Origin(None)
    chat, is_new = await nova.services.chats.open_private(ann, bob.id, origin=origin)
    assert is_new and chat.is_private and roles_of(chat) == [(ann.id, "o"), (bob.id, "m")]
    [created] = heard.events
    assert isinstance(created, ChatCreated) and created.chat is chat
    assert (created.actor_id, created.origin, set(created.users)) == (ann.id, origin, {ann.id, bob.id})
    for one, other in ((ann, bob), (bob, ann)):
        assert await nova.services.chats.open_private(one, other.id) == (chat, False)
    assert len(heard.events) == 1 and log_of(database, chat.id) == []


def test_two_who_open_the_same_private_chat_at_once_get_the_same_one(start_nova, settings, io_loop, database):
    novas = [start_nova(settings) for _ in range(2)]

    async def run():
        users = await make_users(novas[0], *(f"user{number}" for number in range(6)))
        for first, second in zip(users[::2], users[1::2], strict=True):
            opened = await asyncio.gather(
                *(
                    nova.services.chats.open_private(one, other.id)
                    for nova in novas
                    for one, other in ((first, second), (second, first))
                    for _ in range(2)
                )
            )
            assert len({chat.id for chat, _ in opened}) == 1
            assert [is_new for _, is_new in opened].count(True) == 1
            pair = f"{first.id}:{second.id}"
            assert [chat["_id"] for chat in database.chats.find({"pair": pair})] == [opened[0][0].id]

    io_loop.run_sync(run)


@pytest.mark.gen_test
async def test_there_is_no_private_chat_with_oneself_or_with_nobody(nova, database):
    [ann] = await make_users(nova, "ann")
    heard = Heard(nova)
    with pytest.raises(BadField):
        await nova.services.chats.open_private(ann, ann.id)
    for user_id in (*NO_IDS, nova.directory.system.id, nova.directory.deleted.id):
        with pytest.raises(UserUnknown):
            await nova.services.chats.open_private(ann, user_id)
    assert not heard.events and not list(database.chats.find()) and not list(database.memberships.find())


def test_a_chat_without_any_message_is_a_chat_like_others(start_nova, settings, io_loop, database):
    nova, other = start_nova(settings), start_nova(settings)

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        chat, _ = await nova.services.chats.open_private(ann, bob.id)
        for each in (nova, other):
            chats, messages = each.services.chats, each.services.messages
            found = await chats.get_for(bob.id, chat.id)
            assert [listed.id for listed in await chats.list_of(bob.id)] == [chat.id]
            assert (found.last_seq, found.last_message, found.unread_count(bob.id)) == (0, None, 0)
            assert await chats.last_message_for(found, bob.id) is None
            assert [page async for page in messages.iterate(found)] == []
            assert await messages.list_page(found, limit=10) == []
            assert await messages.history(found, bob.id, limit=10, newest=True) == []
            assert await messages.history(found, bob.id, from_us=5, before_us=5, from_id=5, limit=10) == []
            assert await messages.find_latest_from(found, ann.id, bob.id) is None
            heard = Heard(each)
            await messages.mark_read(bob, chat.id)
            assert [(event.user_id, event.reading) for event in heard.of(ChatRead)] == [(bob.id, None)]
        sent = await other.services.messages.send(ann, chat.id, "hello")
        assert sent.message.seq == 1
        answer = await nova.services.messages.send(bob, chat.id, "hi")
        assert (answer.message.seq, answer.message.count) == (2, 2)
        second, _ = await nova.services.chats.open_private(ann, (await make_users(nova, "cid"))[0].id)
        await nova.services.chats.delete_for(ann, second.id)
        assert database.chats.find_one({"_id": second.id}) is None
        assert isinstance(await outcome(other.services.chats.get(second.id)), ChatUnknown)

    io_loop.run_sync(run)


@pytest.mark.gen_test
async def test_new_friends_keep_the_private_chat_that_they_have(people, nova):
    alice, bob = await people("alice"), await people("bob")
    users = await nova.directory.load((alice.id, bob.id))
    chat, _ = await nova.services.chats.open_private(users[bob.id], alice.id)
    [relation] = (await alice.get("/chat")).data
    assert (relation["chat"]["chat_id"], relation["chat"]["chat_name"], relation["unread_count"]) == (chat.id, "", 0)
    assert relation["chat"]["last_message"] == ""
    assert (await alice.get(f"/chat/{chat.id}/messages")).data == []
    assert await alice.befriend(bob) == chat.id
    [relation] = (await bob.get("/chat")).data
    assert relation["chat"]["last_message"]["message"] == "bob added alice as a friend"
    assert (await bob.delete(f"/friend/{alice.id}")).data is None
    assert (await alice.get("/chat")).data == []


# New groups


@pytest.mark.gen_test
async def test_a_group_has_its_creator_first_and_then_those_named_in_order(nova, database):
    ann, bob, cid, dan = await make_users(nova, "ann", "bob", "cid", "dan")
    heard = Heard(nova)
    origin = Origin(None)
    chat = await nova.services.chats.create_group(
        bob, "Tea", [dan.id, ann.id, bob.id, dan.id, cid.id, ann.id], origin=origin
    )
    assert roles_of(chat) == [(bob.id, "o"), (dan.id, "m"), (ann.id, "m"), (cid.id, "m")]
    assert stored_roles(database, chat.id) == roles_of(chat)
    assert (chat.title, chat.policy, chat.last_seq) == ("Tea", JoinPolicy.CLOSED, 0)
    [created] = heard.events
    assert (created.chat, created.actor_id, created.origin) == (chat, bob.id, origin)
    assert "policy" not in database.chats.find_one({"_id": chat.id})
    alone = await nova.services.chats.create_group(ann, "", [])
    assert roles_of(alone) == [(ann.id, "o")] and alone.title == ""


@pytest.mark.gen_test
async def test_a_group_with_somebody_who_has_no_account_is_not_made(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    heard = Heard(nova)
    for user_id in (*NO_IDS, nova.directory.system.id, nova.directory.deleted.id):
        with pytest.raises(UserUnknown):
            await nova.services.chats.create_group(ann, "Tea", [bob.id, user_id])
    with pytest.raises(UserUnknown):
        await nova.services.chats.create_group(ann, "Tea", range(10**6, 10**6 + 50_000))
    assert not heard.events and not list(database.chats.find()) and not list(database.memberships.find())


def test_open_groups_are_listed_by_id_in_every_nova(start_nova, settings, io_loop):
    nova, other = start_nova(settings), start_nova(settings)

    async def run():
        ann, bob = await make_users(nova, "ann", "bob")
        await group_of(nova, ann, title="closed")
        opened = [await group_of(nova, ann, title=str(number), policy=JoinPolicy.OPEN) for number in range(3)]
        await nova.services.chats.open_private(ann, bob.id)
        await nova.services.chats.delete_for(ann, opened[1].id)
        for each in (nova, other):
            listed = await each.services.chats.list_open()
            assert [chat.id for chat in listed] == [opened[0].id, opened[2].id]
            assert all(chat.policy is JoinPolicy.OPEN for chat in listed)

    io_loop.run_sync(run)


# Joining


@pytest.mark.gen_test
async def test_anybody_joins_an_open_group_once_and_a_closed_one_never(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await group_of(nova, ann, policy=JoinPolicy.OPEN)
    closed = await group_of(nova, ann)
    private, _ = await nova.services.chats.open_private(ann, (await make_users(nova, "cid"))[0].id)
    heard = Heard(nova)
    assert await nova.services.chats.join(bob, chat.id) is True
    assert roles_of(chat) == stored_roles(database, chat.id) == [(ann.id, "o"), (bob.id, "m")]
    assert told(heard) == [("added", bob.id), ("updated", bob.id, False, (bob.id,), ())]
    assert await nova.services.chats.join(bob, chat.id) is False
    assert await nova.services.chats.join(ann, closed.id) is False
    for refused in (closed, private):
        with pytest.raises(NoRight):
            await nova.services.chats.join(bob, refused.id)
    for chat_id in NO_IDS:
        with pytest.raises(ChatUnknown):
            await nova.services.chats.join(bob, chat_id)
    assert len(heard.events) == 2
    assert (await nova.services.chats.edit(bob, chat.id, remove_ids=[bob.id])).removed_ids == (bob.id,)
    assert await nova.services.chats.join(bob, chat.id) is True
    assert stored_roles(database, chat.id) == [(ann.id, "o"), (bob.id, "m")]


def test_of_many_joins_of_one_user_at_once_one_counts(start_nova, settings, io_loop, database):
    novas = [start_nova(settings) for _ in range(2)]

    async def run():
        ann, bob = await make_users(novas[0], "ann", "bob")
        chat = await group_of(novas[0], ann, policy=JoinPolicy.OPEN)
        joined = await asyncio.gather(*(nova.services.chats.join(bob, chat.id) for nova in novas for _ in range(3)))
        assert sorted(joined) == [False] * 5 + [True]
        assert [entry["kind"] for entry in log_of(database, chat.id)] == ["member_added"]

    io_loop.run_sync(run)


# Edits


@pytest.mark.gen_test
async def test_an_edit_is_told_entry_by_entry_and_then_as_a_whole(nova, database):
    ann, bob, cid, dan, eve = await make_users(nova, "ann", "bob", "cid", "dan", "eve")
    chat = await group_of(nova, ann, bob, cid, admins=[bob])
    heard = Heard(nova)
    origin = Origin(None)
    edited = await nova.services.chats.edit(
        ann,
        chat.id,
        title="Coffee",
        add_ids=[eve.id, cid.id, dan.id, eve.id],  # cid goes nowhere: he is a member
        remove_ids=[bob.id, bob.id],
        origin=origin,
    )
    assert edited == (chat, (eve.id, dan.id), (bob.id,))
    assert told(heard) == [
        ("admin", bob.id, False),
        ("removed", bob.id),
        ("added", eve.id),
        ("added", dan.id),
        ("updated", ann.id, True, (eve.id, dan.id), (bob.id,)),
    ]
    assert all(event.origin is origin for event in heard.events)
    assert set(heard.events[-1].users) == {user.id for user in (ann, bob, cid, dan, eve)}
    expected = [(ann.id, "o"), (cid.id, "m"), (eve.id, "m"), (dan.id, "m")]
    assert roles_of(chat) == stored_roles(database, chat.id) == expected
    assert (chat.title, database.chats.find_one({"_id": chat.id})["title"]) == ("Coffee", "Coffee")
    kinds = [entry["kind"] for entry in log_of(database, chat.id)][1:]
    assert kinds == ["admin_changed", "member_removed", "renamed", "member_added", "member_added"]
    assert not heard.of(MessageSent)


@pytest.mark.gen_test
async def test_who_may_change_what_of_a_group(nova, database):
    ann, bob, boo, cid, cod, dan, new = await make_users(nova, "ann", "bob", "boo", "cid", "cod", "dan", "new")
    chat = await group_of(nova, ann, bob, boo, cid, cod, admins=[bob, boo])
    private, _ = await nova.services.chats.open_private(ann, bob.id)
    before = (roles_of(chat), chat.title, len(log_of(database, chat.id)))
    rename, add = {"title": "x"}, {"add_ids": [new.id]}
    heard = Heard(nova)
    for actor, chat_id, change, refusal in (
        (cid, chat.id, rename, NoRight),
        (cid, chat.id, {"title": ""}, NoRight),
        (cid, chat.id, add, NoRight),
        (cid, chat.id, {"add_ids": [cod.id]}, NoRight),
        (cid, chat.id, {"remove_ids": [cod.id]}, NoRight),
        (cid, chat.id, {"remove_ids": [cid.id, cod.id]}, NoRight),
        (cid, chat.id, {"remove_ids": [dan.id]}, NoRight),
        (cid, chat.id, {"remove_ids": [cid.id], **rename}, NoRight),
        (bob, chat.id, {"remove_ids": [ann.id]}, NoRight),
        (bob, chat.id, {"remove_ids": [boo.id]}, NoRight),
        (bob, chat.id, {"remove_ids": [cid.id, boo.id]}, NoRight),
        (bob, chat.id, {"remove_ids": [bob.id, ann.id], **rename}, NoRight),
        (dan, chat.id, {**rename, **add}, NotAMember),
        (dan, chat.id, {"remove_ids": [dan.id]}, NotAMember),
        (dan, chat.id, {"add_ids": [dan.id]}, NotAMember),
        (dan, private.id, rename, NotAMember),
        (ann, private.id, rename, PrivateChat),
        (bob, private.id, add, PrivateChat),
        (ann, private.id, {"remove_ids": [ann.id]}, PrivateChat),
        (ann, private.id, {"remove_ids": [bob.id]}, PrivateChat),
        *((ann, chat_id, rename, ChatUnknown) for chat_id in NO_IDS),
        # Nothing is left to do.
        (ann, chat.id, {}, NothingToChange),
        (ann, chat.id, {"add_ids": [bob.id, ann.id]}, NothingToChange),
        (ann, chat.id, {"remove_ids": [dan.id]}, NothingToChange),
        (bob, chat.id, {"add_ids": [cid.id], "remove_ids": [new.id]}, NothingToChange),
        (cid, chat.id, {}, NothingToChange),
        # Bad requests.
        (ann, chat.id, {"add_ids": [new.id], "remove_ids": [cid.id, new.id]}, BadField),
        (ann, chat.id, {"add_ids": [ann.id], "remove_ids": [ann.id]}, BadField),
        *((ann, chat.id, {"add_ids": [new.id, user_id], **rename}, UserUnknown) for user_id in NO_IDS),
        *((ann, chat.id, {"remove_ids": [user_id, cid.id], **rename}, UserUnknown) for user_id in NO_IDS),
        (ann, chat.id, {"add_ids": [nova.directory.system.id]}, UserUnknown),
        (ann, chat.id, {"add_ids": [nova.directory.deleted.id]}, UserUnknown),
    ):
        with pytest.raises(NovaError) as raised:
            await nova.services.chats.edit(actor, chat_id, **change)
        assert type(raised.value) is refusal, (actor.name, chat_id, change)
        assert (roles_of(chat), chat.title, len(log_of(database, chat.id))) == before
    assert not heard.events
    for actor, change in (
        (bob, {"title": "by an admin", "add_ids": [new.id], "remove_ids": [cod.id]}),
        (boo, {"remove_ids": [boo.id]}),
        (cid, {"remove_ids": [cid.id]}),
        (ann, {"title": ""}),
        (ann, {"remove_ids": [bob.id, new.id, dan.id]}),
    ):
        await nova.services.chats.edit(actor, chat.id, **change)
    assert roles_of(chat) == stored_roles(database, chat.id) == [(ann.id, "o")] and chat.title == ""


@pytest.mark.gen_test
async def test_an_admin_who_is_removed_by_the_time_of_his_edit_has_no_right_any_more(nova):
    ann, bob, cid, dan = await make_users(nova, "ann", "bob", "cid", "dan")
    chat = await group_of(nova, ann, bob, cid, admins=[bob])
    chats = nova.services.chats
    results = await asyncio.gather(
        chats.edit(ann, chat.id, remove_ids=[bob.id]),
        outcome(chats.edit(bob, chat.id, title="mine", add_ids=[dan.id], remove_ids=[cid.id])),
    )
    assert isinstance(results[1], NotAMember)
    assert (roles_of(chat), chat.title) == ([(ann.id, "o"), (cid.id, "m")], "Tea")


# Owners who leave


@pytest.mark.gen_test
async def test_the_longest_standing_admin_inherits_else_the_longest_standing_member(nova, database):
    ann, bob, cid, dan = await make_users(nova, "ann", "bob", "cid", "dan")
    chat = await group_of(nova, ann, bob, cid, dan, admins=[dan, cid])
    heard = Heard(nova)
    await nova.services.chats.edit(ann, chat.id, remove_ids=[ann.id])
    assert told(heard) == [
        ("admin", cid.id, False),
        ("owner", cid.id),
        ("removed", ann.id),
        ("updated", ann.id, False, (), (ann.id,)),
    ]
    assert roles_of(chat) == stored_roles(database, chat.id) == [(bob.id, "m"), (cid.id, "o"), (dan.id, "a")]
    await nova.services.chats.edit(cid, chat.id, remove_ids=[dan.id, cid.id])
    assert roles_of(chat) == stored_roles(database, chat.id) == [(bob.id, "o")]


@pytest.mark.gen_test
async def test_when_the_last_one_leaves_the_group_is_deleted(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    for others, remove in (([], [ann]), ([bob], [bob, ann])):
        chat = await group_of(nova, ann, *others)
        heard = Heard(nova)
        gone = tuple(user.id for user in remove)
        edited = await nova.services.chats.edit(ann, chat.id, title="x", remove_ids=gone)
        assert edited == (chat, (), gone) and chat.is_deleted
        expected = [*(("removed", user_id) for user_id in gone), ("updated", ann.id, False, (), gone), ("deleted",)]
        assert told(heard) == expected
        assert database.chats.find_one({"_id": chat.id}) is None
        assert database.memberships.find_one({"chat": chat.id}) is None
        assert database.purges.find_one({"_id": chat.id}) is not None
        with pytest.raises(ChatUnknown):
            await nova.services.chats.get(chat.id)


@pytest.mark.gen_test
async def test_an_owner_who_takes_somebody_in_and_leaves_alone_hands_the_group_over(nova, database):
    ann, bob, cid = await make_users(nova, "ann", "bob", "cid")
    chat = await group_of(nova, ann)
    heard = Heard(nova)
    await nova.services.chats.edit(ann, chat.id, remove_ids=[ann.id], add_ids=[cid.id, bob.id])
    assert told(heard)[-2:] == [
        ("owner", cid.id),
        ("updated", ann.id, False, (cid.id, bob.id), (ann.id,)),
    ]
    assert roles_of(chat) == stored_roles(database, chat.id) == [(cid.id, "o"), (bob.id, "m")]


@pytest.mark.gen_test
async def test_the_group_of_an_account_that_is_being_deleted_goes_even_if_it_has_just_become_his(nova, database):
    ann, bob = await make_users(nova, "ann", "bob")
    chat = await group_of(nova, ann, bob)
    await nova.services.chats.edit(ann, chat.id, remove_ids=[ann.id])
    await nova.services.chats.remove_silently(chat, bob.id)
    assert chat.is_deleted and database.memberships.find_one({"chat": chat.id}) is None


# Deleting


@pytest.mark.gen_test
async def test_either_member_deletes_a_private_chat_and_only_the_owner_a_group(nova, database):
    ann, bob, cid = await make_users(nova, "ann", "bob", "cid")
    chats = nova.services.chats
    group = await group_of(nova, ann, bob, cid, admins=[bob])
    for deleter in (ann, bob):
        private, is_new = await chats.open_private(ann, bob.id)
        assert is_new
        with pytest.raises(NotAMember):
            await chats.delete_for(cid, private.id)
        heard = Heard(nova)
        origin = Origin(None)
        await chats.delete_for(deleter, private.id, origin=origin)
        [deleted] = heard.events
        assert isinstance(deleted, ChatDeleted) and set(deleted.users) >= {ann.id, bob.id} and deleted.origin is origin
        assert list(private.members) == [ann.id, bob.id]
        for chat_id in (private.id, *NO_IDS):
            with pytest.raises(ChatUnknown):
                await chats.delete_for(ann, chat_id)
    for other in (bob, cid):
        with pytest.raises(NoRight):
            await chats.delete_for(other, group.id)
    await chats.delete_for(ann, group.id)
    assert not list(database.chats.find()) and not list(database.memberships.find())


# Races and random programs


def test_owners_who_leave_while_others_do_never_leave_a_group_without_owner(start_nova, settings, io_loop, database):
    novas = [start_nova(settings) for _ in range(2)]

    async def run():
        users = await make_users(novas[0], *(f"user{number}" for number in range(5)))
        chance = random.Random(5)
        for _ in range(12):
            chat = await group_of(novas[0], *users, admins=chance.sample(users[1:], 2))
            leavers = chance.sample(users, chance.randint(2, 5))
            results = await asyncio.gather(
                *(
                    outcome(chance.choice(novas).services.chats.edit(user, chat.id, remove_ids=[user.id]))
                    for user in leavers
                )
            )
            assert not [result for result in results if isinstance(result, NovaError)]
            stored = stored_roles(database, chat.id)
            assert {user_id for user_id, _ in stored} == {user.id for user in users if user not in leavers}
            assert [role for _, role in stored].count("o") == (1 if stored else 0)
            assert (database.chats.find_one({"_id": chat.id}) is None) == (not stored)

    io_loop.run_sync(run)


class Model:
    """A group by brute force: its members in order with their roles."""

    def __init__(self, owner_id):
        self.roles = {owner_id: Role.OWNER}
        self.title = "Tea"
        self.is_deleted = False

    def edit(self, actor_id, title, add_ids, remove_ids):
        """What an edit comes to: the name of the refusal, or who came and who went."""
        if self.is_deleted:
            return "ChatUnknown"
        role = self.roles.get(actor_id)
        if role is None:
            return "NotAMember"
        is_manager = role in (Role.OWNER, Role.ADMIN)
        if (title is not None or add_ids) and not is_manager:
            return "NoRight"
        for user_id in remove_ids:
            target = self.roles.get(user_id)
            if user_id != actor_id and not (
                role is Role.OWNER or (role is Role.ADMIN and target in (None, Role.MEMBER))
            ):
                return "NoRight"
        removed = [user_id for user_id in remove_ids if user_id in self.roles]
        added = [user_id for user_id in add_ids if user_id not in self.roles]
        if not removed and not added and title is None:
            return "NothingToChange"
        for user_id in removed:
            del self.roles[user_id]
        candidates = [u for u in self.roles if self.roles[u] is Role.ADMIN] + list(self.roles) + added
        self.roles.update(dict.fromkeys(added, Role.MEMBER))
        if not self.roles:
            self.is_deleted = True
        elif Role.OWNER not in self.roles.values():
            self.roles[candidates[0]] = Role.OWNER
        if title is not None:
            self.title = title
        return added, removed


@pytest.mark.parametrize("seed", range(4))
def test_random_edits_do_what_brute_force_does(nova, io_loop, database, seed):
    chance = random.Random(seed)

    async def run():
        service = nova.services.chats
        users = {user.id: user for user in await make_users(nova, *(f"user{number}" for number in range(6)))}
        first = next(iter(users.values()))
        chat, model = None, None
        for _ in range(RANDOM_STEPS):
            if model is None or model.is_deleted:
                chat, model = await group_of(nova, first), Model(first.id)
            # Most of the time a member.
            actor = users[chance.choice(list(model.roles if chance.random() < 0.7 else users))]
            picked = chance.sample(list(users), chance.randint(0, 4))
            cut = chance.randint(0, len(picked))
            title = chance.choice((None, None, "", f"title {chance.random()}"))
            promoted_id = chance.choice(list(model.roles))
            if chance.random() < 0.2 and model.roles[promoted_id] is Role.MEMBER:
                owner = next(users[user_id] for user_id, role in model.roles.items() if role is Role.OWNER)
                await service.set_admin(owner, chat.id, promoted_id, True)
                model.roles[promoted_id] = Role.ADMIN
            result = await outcome(
                service.edit(actor, chat.id, title=title, add_ids=picked[:cut], remove_ids=picked[cut:])
            )
            expected = model.edit(actor.id, title, picked[:cut], picked[cut:])
            if isinstance(result, NovaError):
                assert type(result).__name__ == expected
            else:
                assert (list(result.added_ids), list(result.removed_ids)) == expected
                assert result.chat.is_deleted == model.is_deleted
                shown = [(user_id, role.value[0]) for user_id, role in model.roles.items()]
                assert stored_roles(database, chat.id) == shown
                if not model.is_deleted:
                    assert (roles_of(result.chat), result.chat.title) == (shown, model.title)

    io_loop.run_sync(run)
