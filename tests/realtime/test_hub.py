"""The hub: who hears what, while people come and go."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from realtime.stubs import StubProtocol, connect, payloads, sent
from storage.rooms import settle

from nova_tornado.domain.errors import Unavailable
from nova_tornado.domain.events import ChatCreated, ChatDeleted, ChatRead, MemberAdded, MemberRemoved, SessionsEnded
from nova_tornado.domain.models import Chat, ChatKind, Membership, Role
from nova_tornado.realtime import hub as hub_module
from nova_tornado.realtime.connection import Connection
from nova_tornado.realtime.hub import Hub, Packet


def make_chat(chat_id, *user_ids):
    members = {user_id: Membership(user_id, user_id, Role.MEMBER, 0, 0, 0) for user_id in user_ids}
    return Chat(chat_id, ChatKind.GROUP, "Group", 1, members)


class Memberships:
    """Who is in which chat; a look-up answers when the test lets it."""

    def __init__(self, chats=None):
        self.chats = {user_id: set(chat_ids) for user_id, chat_ids in (chats or {}).items()}
        self.asked = []
        self.waits = False

    async def list_chat_ids(self, user_id):
        if self.waits:
            answer = asyncio.get_running_loop().create_future()
            self.asked.append(answer)
            await answer
            if isinstance(answer.result(), set):
                return sorted(answer.result())
        return sorted(self.chats.get(user_id, ()))


def is_empty(hub):
    return not (hub._users or hub._chats or hub._protocols or hub._dirty or hub.connection_count)


async def join(hub, user_id, protocol, **more):
    links = await hub.link(user_id)
    connection = connect(hub, user_id, protocol, **more)
    hub.add(links, connection)
    return links, connection


@pytest.mark.gen_test
async def test_every_connection_of_every_member_hears_an_event_once():
    hub, protocol = Hub(Memberships({1: [7], 2: [7, 8], 3: [8]})), StubProtocol()
    joined = [await join(hub, user_id, protocol) for user_id in (1, 1, 2, 3)]
    hub.publish([ChatRead(make_chat(7, 1, 2), 1)])
    hub.publish([ChatRead(make_chat(8, 2, 3), 2), ChatRead(make_chat(9), 2)])
    await asyncio.sleep(0)
    assert [len(payloads(sent(connection))) for _, connection in joined] == [1, 1, 2, 1]
    assert [len(connection.outbox._sender.calls) for _, connection in joined] == [1, 1, 1, 1]


@pytest.mark.gen_test
async def test_one_who_comes_hears_of_it_and_one_who_goes_hears_of_it_and_nothing_after():
    hub, protocol = Hub(Memberships({1: [7]})), StubProtocol()
    (_, one), (_, two) = [await join(hub, user_id, protocol) for user_id in (1, 2)]
    chat = make_chat(7, 1, 2)
    hub.publish(
        [
            ChatRead(chat, 1),
            MemberAdded(chat, 2),
            ChatRead(chat, 1),
            MemberRemoved(chat, 2),
            ChatRead(chat, 1),
            ChatDeleted(chat, {}),
            ChatRead(chat, 1),
        ]
    )
    await asyncio.sleep(0)
    everything = [b"ChatRead", b"MemberAdded", b"ChatRead", b"MemberRemoved", b"ChatRead", b"ChatDeleted"]
    assert payloads(sent(one)) == everything
    assert payloads(sent(two)) == everything[1:4]


@pytest.mark.gen_test
async def test_what_is_held_is_written_with_what_follows_in_one_piece_and_in_order():
    hub, protocol = Hub(Memberships({1: [7], 2: [7, 8]})), StubProtocol()
    (_, one), (_, two) = [await join(hub, user_id, protocol) for user_id in (1, 2)]
    chat, other = make_chat(7, 1, 2), make_chat(8, 2)
    hub.publish([ChatRead(other, 2)])  # to one of them something is under way already
    with hub.holding():
        hub.publish([MemberAdded(chat, 1)])
        two.push(b"\x81\x01x")
    await asyncio.sleep(0)
    assert not sent(one) and payloads(sent(two)) == [b"ChatRead", b"MemberAdded", b"x"]
    hub.publish([ChatRead(other, 2)])
    await asyncio.sleep(0)
    assert not sent(one) and payloads(sent(two))[3:] == [b"ChatRead"], "only who is held waits"
    hub.release()
    hub.publish([ChatRead(chat, 1)])
    await asyncio.sleep(0)
    assert payloads(sent(one)) == [b"MemberAdded", b"ChatRead"] and len(one.outbox._sender.calls) == 1
    assert payloads(sent(two))[4:] == [b"ChatRead"]
    assert not (hub._dirty or hub._held or hub._hold_end)


@pytest.mark.gen_test
async def test_what_is_held_is_written_by_itself_when_nothing_follows():
    hub, protocol = Hub(Memberships({1: [7]})), StubProtocol()
    _, one = await join(hub, 1, protocol)
    with hub.holding():
        hub.publish([ChatRead(make_chat(7, 1), 1)])
    await settle(lambda: payloads(sent(one)) == [b"ChatRead"])
    assert not (hub._dirty or hub._held or hub._hold_end)


@pytest.mark.gen_test
async def test_packets_for_chat_and_users_keep_their_order():
    def render(event):
        yield Packet(b"chat 1", 7)
        yield Packet(b"chat 2", 7)
        yield Packet(b"user", user_ids=(1,))
        yield Packet(b"chat 3", 7)
        yield Packet(b"other chat", 8)

    hub, protocol = Hub(Memberships({1: [7, 8], 2: [7]})), StubProtocol(render=render)
    (_, one), (_, two) = [await join(hub, user_id, protocol) for user_id in (1, 2)]
    hub.publish([ChatRead(make_chat(7), 1)])
    await asyncio.sleep(0)
    assert payloads(sent(one)) == [b"chat 1", b"chat 2", b"user", b"chat 3", b"other chat"]
    assert payloads(sent(two)) == [b"chat 1", b"chat 2", b"chat 3"]


@pytest.mark.gen_test
async def test_events_in_a_row_of_a_chat_are_one_piece_for_each_connection(monkeypatch):
    hub, protocol = Hub(Memberships({1: [7, 8], 2: [7]})), StubProtocol()
    (_, one), (_, two) = [await join(hub, user_id, protocol) for user_id in (1, 2)]
    chat, other = make_chat(7, 1, 2), make_chat(8, 1)
    hub.publish([ChatRead(chat, 1), ChatRead(chat, 2), ChatRead(other, 1), ChatRead(chat, 1)])
    assert [len(connection.frames) for connection in (one, two)] == [3, 2]
    assert hub.counts.deliveries == 7
    await asyncio.sleep(0)
    assert [len(payloads(sent(connection))) for connection in (one, two)] == [4, 3]

    monkeypatch.setattr(hub_module, "RUN_MAX_BYTES", 1)
    hub.publish([ChatRead(chat, 1), ChatRead(chat, 2)])
    assert [len(connection.frames) for connection in (one, two)] == [2, 2]


@pytest.mark.gen_test
async def test_who_chooses_hears_of_events_in_a_row_what_he_has_chosen():
    hub, protocol = (
        Hub(Memberships({1: [7], 2: [7]})),
        StubProtocol(render=lambda event: [Packet(str(event.user_id).encode(), event.chat.id)]),
    )
    _, all_hearing = await join(hub, 1, protocol)
    links = await hub.link(2, lambda event: event.user_id == 5)
    choosing = connect(hub, 2, protocol)
    hub.add(links, choosing)
    chat = make_chat(7, 1, 2)
    hub.publish([ChatRead(chat, user_id) for user_id in (4, 5, 6, 5, 5)])
    await asyncio.sleep(0)
    assert payloads(sent(all_hearing)) == [b"4", b"5", b"6", b"5", b"5"]
    assert payloads(sent(choosing)) == [b"5", b"5", b"5"]


@pytest.mark.gen_test
async def test_fault_of_an_event_takes_nothing_from_those_before_it():
    hub, protocol = Hub(Memberships({1: [7], 2: [7]})), StubProtocol()
    _, connection = await join(hub, 1, protocol)
    chat = make_chat(7, 1, 2)
    hub.publish([ChatRead(chat, 1)])
    links = await hub.link(2, lambda event: 1 // (event.user_id - 3))
    hub.add(links, connect(hub, 2, protocol))
    with pytest.raises(ZeroDivisionError):
        hub.publish([ChatRead(chat, 1), ChatRead(chat, 2), ChatRead(chat, 3)])
    await asyncio.sleep(0)
    assert len(payloads(sent(connection))) == 3


@pytest.mark.gen_test
async def test_sockets_that_are_told_different_things_are_told_the_right_ones():
    hub, protocol = (
        Hub(Memberships({1: [7], 2: [7, 8], 3: [8]})),
        StubProtocol(render=lambda event: [Packet(b"%d" % event.chat.id, event.chat.id)]),
    )
    joined = [(await join(hub, user_id, protocol))[1] for user_id in (1, 2, 1, 3)]
    hub.publish([ChatRead(make_chat(7), 1), ChatRead(make_chat(8), 1), ChatRead(make_chat(7), 1)])
    await asyncio.sleep(0)
    assert [payloads(sent(each)) for each in joined] == [[b"7", b"7"], [b"7", b"8", b"7"], [b"7", b"7"], [b"8"]]


@pytest.mark.gen_test
async def test_packets_reach_whom_they_are_for():
    packet = Packet(b"")
    hub, protocol = Hub(Memberships({1: [7], 2: [7], 3: []})), StubProtocol(render=lambda _: [packet])
    foreign = StubProtocol("foreign", render=lambda _: [])
    joined = [(await join(hub, user_id, protocol))[1] for user_id in (1, 1, 2, 3)]
    stranger = (await join(hub, 1, foreign))[1]
    for packet, receivers in (
        (Packet(b"chat", 7), "112"),
        (Packet(b"chat but one user", 7, except_user_id=1), "2"),
        (Packet(b"chat but one socket", 7, except_outbox=joined[0].outbox), "12"),
        (Packet(b"users", user_ids=(1, 3)), "113"),
        (Packet(b"users but one socket", user_ids=(1, 3), except_outbox=joined[1].outbox), "13"),
        (Packet(b"everybody", to_everybody=True), "1123"),
        (Packet(b"everybody but one", to_everybody=True, except_user_id=2), "113"),
        (Packet(b"one socket", outbox=joined[2].outbox), "2"),
    ):
        for connection in joined:
            connection.outbox._sender.calls.clear()
        hub.publish([ChatRead(make_chat(7, 1, 2), 1)])
        await asyncio.sleep(0)
        got = [connection.user_id for connection in joined if payloads(sent(connection)) == [packet.payload]]
        assert got == [int(name) for name in receivers], packet
        assert sum(len(connection.outbox._sender.calls) for connection in joined) == len(got)
    assert not sent(stranger)


@pytest.mark.gen_test
async def test_who_shares_a_socket_is_told_once_what_concerns_both():
    hub, protocol = Hub(Memberships({1: [7, 8], 2: [7]})), StubProtocol()
    (links, one) = await join(hub, 1, protocol)
    one.outbox.is_shared = True
    two = Connection(one.outbox, 2, b"other session")
    hub.add(await hub.link(2), two)
    hub.publish([ChatRead(make_chat(7, 1, 2), 1), ChatRead(make_chat(8, 1), 1), MemberRemoved(make_chat(7, 2), 1)])
    await asyncio.sleep(0)
    assert payloads(sent(one)) == [b"ChatRead", b"ChatRead", b"MemberRemoved"]
    hub.publish([ChatRead(make_chat(7, 2), 2)])
    hub.remove(links, one)
    hub.publish([ChatRead(make_chat(7, 2), 2)])
    await asyncio.sleep(0)
    assert len(payloads(sent(two))) == 5


@pytest.mark.parametrize("ended", [frozenset((b"session",)), None])
@pytest.mark.gen_test
async def test_a_session_that_ends_while_its_connection_is_made_ends_that_too(ended):
    hub, protocol = Hub(Memberships({1: [7]})), StubProtocol()
    links = await hub.link(1)
    hub.publish([SessionsEnded(1, ended)])
    connection = connect(hub, 1, protocol)
    hub.add(links, connection)
    other = (await join(hub, 2, protocol))[1] if ended is None else connect(hub, 1, protocol)
    await asyncio.sleep(0)
    assert protocol.ended == [connection] and other not in protocol.ended


# Races with the first connection


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "remove"]), st.integers(1, 3)),
        st.tuples(st.sampled_from(["publish", "link", "read", "answer"]), st.just(0)),
    ),
    max_size=25,
)


def test_memberships_that_change_while_a_user_connects_are_right_in_the_end(io_loop):
    """A change is stored first and published later; the look-up reads the state of some moment in between."""

    @examples(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(st.sets(st.integers(1, 3)), STEPS)
    def check(at_first, steps):
        async def run():
            stored, unpublished = set(at_first), []
            memberships = Memberships()
            memberships.waits = True
            hub, protocol = Hub(memberships), StubProtocol()
            task, snapshot = None, None

            def publish():
                if unpublished:
                    hub.publish([unpublished.pop(0)])

            async def act(step, chat_id):
                nonlocal task, snapshot
                match step:
                    case "add" if chat_id not in stored:
                        stored.add(chat_id)
                        unpublished.append(MemberAdded(make_chat(chat_id), 1))
                    case "remove" if chat_id in stored:
                        stored.discard(chat_id)
                        unpublished.append(MemberRemoved(make_chat(chat_id), 1))
                    case "publish":
                        publish()
                    case "link" if task is None:
                        task = asyncio.create_task(join(hub, 1, protocol))
                        await asyncio.sleep(0)
                    case "read" if task is not None and snapshot is None:
                        snapshot = set(stored)
                    case "answer" if snapshot is not None and not memberships.asked[0].done():
                        memberships.asked[0].set_result(snapshot)
                        await asyncio.wait([task])

            for step in (*steps, ("link", 0), ("read", 0), ("answer", 0)):
                await act(*step)
            while unpublished:
                publish()
            links, connection = task.result()
            assert links.chat_ids == stored
            await asyncio.sleep(0)
            before = len(payloads(sent(connection)))
            hub.publish([ChatRead(make_chat(chat_id), 2) for chat_id in (1, 2, 3)])
            await asyncio.sleep(0)
            assert len(payloads(sent(connection))) - before == len(stored)
            assert {chat_id for chat_id in (1, 2, 3) if chat_id in hub._chats} == stored
            hub.remove(links, connection)
            hub.unlink(links)
            await asyncio.sleep(0)
            assert is_empty(hub)

        io_loop.run_sync(run)

    check()


@pytest.mark.gen_test
async def test_second_connection_waits_for_the_first_ones_look_up():
    memberships = Memberships({1: [7]})
    memberships.waits = True
    hub, protocol = Hub(memberships), StubProtocol()
    tasks = [asyncio.create_task(join(hub, 1, protocol)) for _ in range(3)]
    await asyncio.sleep(0)
    assert len(memberships.asked) == 1
    memberships.asked[0].set_result({7})
    joined = await asyncio.gather(*tasks)
    hub.publish([ChatRead(make_chat(7), 1)])
    await asyncio.sleep(0)
    assert [len(payloads(sent(connection))) for _, connection in joined] == [1, 1, 1]


@pytest.mark.parametrize("fault", ["fails", "is cancelled"])
@pytest.mark.gen_test
async def test_look_up_that_fails_fails_for_all_who_wait_and_leaves_nothing(fault):
    memberships = Memberships({1: [7]})
    memberships.waits = True
    hub, protocol = Hub(memberships), StubProtocol()
    tasks = [asyncio.create_task(join(hub, 1, protocol)) for _ in range(3)]
    await asyncio.sleep(0)
    if fault == "fails":
        memberships.asked[0].set_exception(Unavailable())
    else:
        tasks[0].cancel()
    await asyncio.wait(tasks)
    assert tasks[0].cancelled() == (fault == "is cancelled")
    assert fault == "is cancelled" or isinstance(tasks[0].exception(), Unavailable)
    assert all(not task.cancelled() and isinstance(task.exception(), Unavailable) for task in tasks[1:])
    assert is_empty(hub)
    memberships.waits = False
    links, _ = await join(hub, 1, protocol)
    assert links.chat_ids == {7}


@pytest.mark.gen_test
async def test_one_who_gives_up_connecting_disturbs_no_other():
    memberships = Memberships({1: [7]})
    memberships.waits = True
    hub, protocol = Hub(memberships), StubProtocol()
    tasks = [asyncio.create_task(join(hub, 1, protocol)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait(tasks[1:2])
    memberships.asked[0].set_result({7})
    links, _ = await tasks[0]
    assert (await tasks[2])[0] is links and links.uses == 2


@pytest.mark.parametrize("is_added", [True, False])
@pytest.mark.gen_test
async def test_member_who_comes_or_goes_while_he_connects_hears_what_he_should(nova, people, is_added):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await alice.new_group(*([] if is_added else [bob]))
    chat = await nova.services.chats.get(chat_id)
    users = await nova.services.directory.load([alice.id, bob.id])
    list_chat_ids, has_read, gate = nova.store.memberships.list_chat_ids, asyncio.Event(), asyncio.Event()

    async def read_early_and_answer_late(user_id):
        found = await list_chat_ids(user_id)
        has_read.set()
        await gate.wait()
        return found

    nova.store.memberships.list_chat_ids = read_early_and_answer_late
    connecting = asyncio.create_task(bob.socket())
    await asyncio.wait_for(has_read.wait(), 10)
    if is_added:
        await nova.services.chats.add_member(chat, users[alice.id], users[bob.id], "welcome", lambda _: None)
    else:
        await nova.services.chats.remove_member(users[alice.id], chat_id, bob.id)
    gate.set()
    socket = await connecting
    await socket.expect_nothing()
    await nova.services.messages.send(users[alice.id], chat_id, "hello")
    if is_added:
        await socket.expect("new_message", "messages_read")
    await socket.expect_nothing()


# Faults


@pytest.mark.expects_log("protocol bad cannot render")
@pytest.mark.parametrize("fails_late", [False, True])
@pytest.mark.gen_test
async def test_protocol_that_cannot_render_harms_nobody(fails_late):
    def fail_late(event):
        yield Packet(b"first", event.chat.id)
        raise RuntimeError("not foreseen")

    def fail(event):
        raise RuntimeError("not foreseen")

    hub = Hub(Memberships({1: [7], 2: [7]}))
    bad, good = StubProtocol("bad", fail_late if fails_late else fail), StubProtocol("good")
    connections = [(await join(hub, user_id, protocol))[1] for protocol in (bad, good) for user_id in (1, 2)]
    chat = make_chat(7, 1, 2)
    hub.publish([MemberRemoved(chat, 2), ChatRead(chat, 1)])
    await asyncio.sleep(0)
    assert payloads(sent(connections[2])) == [b"MemberRemoved", b"ChatRead"]
    assert payloads(sent(connections[3])) == [b"MemberRemoved"], "one who is removed hears nothing more"
    assert [[connection.user_id for connection in by] for by in hub._chats[7].values()] == [[1], [1]]


@pytest.mark.expects_log("cannot be written to")
@pytest.mark.gen_test
async def test_connection_that_cannot_be_written_to_harms_nobody():
    hub, protocol = Hub(Memberships({1: [7], 2: [7]})), StubProtocol()
    (_, bad), (_, good) = [
        await join(hub, user_id, protocol, room=room) for user_id, room in ((1, [RuntimeError("?")]), (2, []))
    ]
    for _ in range(2):
        hub.publish([ChatRead(make_chat(7, 1, 2), 1)])
        await asyncio.sleep(0)
    assert len(payloads(sent(good))) == 2 and len(payloads(sent(bad))) == 1


@pytest.mark.gen_test
async def test_sessions_that_end_close_only_their_connections():
    hub, protocol = Hub(Memberships()), StubProtocol(render=lambda _event: ())
    joined = [(await join(hub, user_id, protocol))[1] for user_id in (1, 1, 2)]
    joined[0].session_id = b"other"
    hub.publish([SessionsEnded(1, frozenset((b"session",)))])
    assert protocol.ended == [joined[1]]
    hub.publish([SessionsEnded(1, None), SessionsEnded(3, None)])
    assert protocol.ended[1:] == joined[:2]


# Nothing is left


@pytest.mark.gen_test
async def test_hub_is_empty_when_everybody_has_left(nova, people):
    names = ("alice", "bob", "carol")
    alice, bob, carol = [await people(name) for name in names]
    sockets = [await person.socket() for person in (alice, bob, carol, alice, bob)]
    await alice.befriend(bob)
    await alice.befriend(carol)
    chat_id = await alice.new_group(bob, carol)
    await alice.delete(f"/chat/{chat_id}/{carol.id}")
    second = await alice.new_group(bob)
    await alice.delete(f"/chat/{second}")
    assert (await bob.post("/user/logout")).data is None
    await carol.delete("/user")
    assert nova.hub.connection_count <= 5
    for socket in sockets:
        socket.close()
    await settle(lambda: is_empty(nova.hub))
    assert not nova.log._lanes and not nova.log._change_tasks


def test_index_of_connections_is_what_the_memberships_say(io_loop):
    @examples(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(1, 3)), max_size=30))
    def check(program):
        async def run():
            truth = {user_id: {1} for user_id in (1, 2, 3)}
            hub, protocols = Hub(Memberships(truth)), [StubProtocol("one"), StubProtocol("two")]
            joined = []
            for action, user_id, chat_id in program:
                chat = make_chat(chat_id, user_id)
                match action:
                    case 0 | 1:
                        hub._memberships.chats = truth
                        joined.append(await join(hub, user_id, protocols[action]))
                    case 2 if joined:
                        links, connection = joined.pop(chat_id % len(joined))
                        hub.remove(links, connection)
                        hub.remove(links, connection)
                        hub.unlink(links)
                    case 3:
                        truth[user_id].add(chat_id)
                        hub.publish([MemberAdded(chat, user_id)])
                    case 4:
                        truth[user_id].discard(chat_id)
                        hub.publish([MemberRemoved(chat, user_id)])
                    case 5:
                        truth[user_id].add(chat_id)
                        hub.publish([ChatCreated(chat, user_id, {})])
            expected = {(chat_id, connection) for _, connection in joined for chat_id in truth[connection.user_id]}
            indexed = {
                (chat_id, connection)
                for chat_id, by_protocol in hub._chats.items()
                for protocol, connections in by_protocol.items()
                for connection in connections
                if connection.protocol is protocol
            }
            assert indexed == expected and hub.connection_count == len(joined)
            for links, connection in joined:
                hub.remove(links, connection)
                hub.unlink(links)
            await asyncio.sleep(0)
            assert is_empty(hub)

        io_loop.run_sync(run)

    check()
