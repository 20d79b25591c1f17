"""Who may do what with a chat and its messages: every caller × every operation, over HTTP and WebSocket.

What is refused changes nothing in the database and reaches nobody; what is allowed changes something, unless it only
looks. An operation, a caller or an endpoint without its cells fails.

Source: contract "actions" sections 5 and 6.
"""

import re
from types import SimpleNamespace

import pytest
from stored import snapshot_of_all

from nova_tornado.native import socket as native_socket
from nova_tornado.realtime import checkpoints

HOLDING = {"name": "Hold", "kind": "words", "words": ["hold me"], "action": "hold"}
MUTING = {"name": "Mute", "kind": "words", "words": ["mute me"], "action": "mute", "mute_s": 600}

OPERATIONS = {
    "list one's chats": lambda at: ("GET", "/chat"),
    "make a group": lambda at: ("POST", "/chat/new", {"chat_name": "x", "chat_members": []}),
    "look at it": lambda at: ("GET", f"/chat/{at.chat}"),
    "read the history": lambda at: ("GET", f"/chat/{at.chat}/messages"),
    "read a page": lambda at: ("GET", f"/chat/{at.chat}/messages?limit=1"),
    "filter messages": lambda at: ("POST", f"/chat/{at.chat}/filter", {"begin_time": 0}),
    "leave": lambda at: ("DELETE", f"/chat/{at.chat}"),
    "make a member admin": lambda at: ("POST", f"/chat/{at.chat}/{at.plain}/admin", True),
    "unmake an admin": lambda at: ("POST", f"/chat/{at.chat}/{at.admin}/admin", False),
    "make the owner admin": lambda at: ("POST", f"/chat/{at.chat}/{at.owner}/admin", True),
    "make a stranger admin": lambda at: ("POST", f"/chat/{at.chat}/{at.stranger}/admin", True),
    "give it to a member": lambda at: ("POST", f"/chat/{at.chat}/set_owner", {"chat_owner": at.plain}),
    "give it to a stranger": lambda at: ("POST", f"/chat/{at.chat}/set_owner", {"chat_owner": at.stranger}),
    "give it to oneself": lambda at: ("POST", f"/chat/{at.chat}/set_owner", {"chat_owner": at.me}),
    "remove a member": lambda at: ("DELETE", f"/chat/{at.chat}/{at.plain}"),
    "remove an admin": lambda at: ("DELETE", f"/chat/{at.chat}/{at.admin}"),
    "remove the owner": lambda at: ("DELETE", f"/chat/{at.chat}/{at.owner}"),
    "remove a stranger": lambda at: ("DELETE", f"/chat/{at.chat}/{at.stranger}"),
    "remove oneself": lambda at: ("DELETE", f"/chat/{at.chat}/{at.me}"),
    "invite a friend": lambda at: ("POST", f"/chat/{at.chat}/invite", {"user_id": at.stranger}),
    "list invitations": lambda at: ("GET", f"/chat/{at.chat}/invitation"),
    "approve": lambda at: ("POST", f"/chat/{at.chat}/invitation/{at.stranger}"),
    "decline": lambda at: ("DELETE", f"/chat/{at.chat}/invitation/{at.stranger}"),
    "rename": lambda at: ("PATCH", f"/chat/{at.chat}", {"chat_name": "y"}),
    "list rules": lambda at: ("GET", f"/chat/{at.chat}/rules"),
    "make a rule": lambda at: ("POST", f"/chat/{at.chat}/rules", {**HOLDING, "name": "x"}),
    "change a rule": lambda at: ("PATCH", f"/chat/{at.chat}/rules/{at.rule}", {"name": "y"}),
    "take a rule away": lambda at: ("DELETE", f"/chat/{at.chat}/rules/{at.rule}"),
    "rehearse a rule": lambda at: ("POST", f"/chat/{at.chat}/rules/{at.rule}/rehearse"),
    "rehearse a new rule": lambda at: ("POST", f"/chat/{at.chat}/rules/rehearse", {"rule": HOLDING}),
    "list what is held": lambda at: ("GET", f"/chat/{at.chat}/held"),
    "approve a held message": lambda at: ("POST", f"/chat/{at.chat}/held/{at.held}"),
    "decline a held message": lambda at: ("DELETE", f"/chat/{at.chat}/held/{at.held}"),
    "list mutes": lambda at: ("GET", f"/chat/{at.chat}/mutes"),
    "lift all mutes": lambda at: ("DELETE", f"/chat/{at.chat}/mutes"),
    "lift a mute": lambda at: ("DELETE", f"/chat/{at.chat}/mutes/{at.admin}"),
    "ping": lambda at: ("ping", None),
    "send": lambda at: ("send_message", {"chat_id": at.chat, "content": "x"}),
    "send once": lambda at: ("send_message", {"chat_id": at.chat, "content": "x", "client_message_id": f"{at.own}"}),
    "reply": lambda at: ("send_message", {"chat_id": at.chat, "content": "x", "reply_to": at.system}),
    "mark as read": lambda at: ("messages_read", {"chat_id": at.chat}),
    "say that one types": lambda at: ("typing", {"chat_id": at.chat}),
    "ask who is there": lambda at: ("presence", {}),
    "ask who wants one": lambda at: ("friend_invitations", {}),
    "ask what one has missed": lambda at: ("resume", {"chats": [{"chat_id": at.chat, "cursor": at.system}]}),
    "edit one's own": lambda at: ("edit_message", {"message_id": at.own, "content": "y"}),
    "edit another's": lambda at: ("edit_message", {"message_id": at.others, "content": "y"}),
    "edit the system's": lambda at: ("edit_message", {"message_id": at.system, "content": "y"}),
    "recall one's own": lambda at: ("recall_message", {"message_id": at.own}),
    "recall another's": lambda at: ("recall_message", {"message_id": at.others}),
    "recall the system's": lambda at: ("recall_message", {"message_id": at.system}),
    "delete one's own": lambda at: ("recall_message", {"message_id": at.own, "delete": True}),
    "delete another's": lambda at: ("recall_message", {"message_id": at.others, "delete": True}),
    "delete the system's": lambda at: ("recall_message", {"message_id": at.system, "delete": True}),
}

# HTTP: the status. WebSocket: ok, or the code of the error packet. "accepter" and "other" are the two of a private
# chat: the one who accepted the friendship counts as its owner. "mistaken" names a chat that does not exist.
TABLE = """
                        nobody  outsider  member  admin  owner  former  accepter  other  mistaken
list one's chats        403     200       200     200    200    200     200       200    200
make a group            403     200       200     200    200    200     200       200    200
look at it              403     400       200     200    200    400     200       200    400
read the history        403     403       200     200    200    403     200       200    404
read a page             403     403       200     200    200    403     200       200    404
filter messages         403     403       200     200    200    403     200       200    400
leave                   403     400       200     200    200    400     400       400    400
make a member admin     403     403       403     403    200    403     400       400    400
unmake an admin         403     403       403     403    200    403     400       400    400
make the owner admin    403     403       403     403    400    403     400       400    400
make a stranger admin   403     403       403     403    400    403     400       400    400
give it to a member     403     403       403     403    200    403     400       400    400
give it to a stranger   403     403       403     403    400    403     400       400    400
give it to oneself      403     403       403     403    400    403     400       400    400
remove a member         403     403       403     200    200    403     400       400    400
remove an admin         403     403       403     403    200    403     400       400    400
remove the owner        403     403       403     403    403    403     400       400    400
remove a stranger       403     403       403     400    400    403     400       400    400
remove oneself          403     403       403     403    403    403     400       400    400
invite a friend         403     403       200     200    200    403     400       400    400
list invitations        403     403       403     200    200    403     200       403    400
approve                 403     403       403     200    200    403     400       403    400
decline                 403     403       403     200    200    403     400       403    400
rename                  403     400       403     200    200    400     400       400    400
list rules              403     403       403     200    200    403     400       400    400
make a rule             403     403       403     200    200    403     400       400    400
change a rule           403     403       403     200    200    403     400       400    400
take a rule away        403     403       403     200    200    403     400       400    400
rehearse a rule         403     403       403     200    200    403     400       400    400
rehearse a new rule     403     403       403     200    200    403     400       400    400
list what is held       403     403       403     200    200    403     400       400    400
approve a held message  403     403       403     200    200    403     400       400    400
decline a held message  403     403       403     200    200    403     400       400    400
list mutes              403     403       403     200    200    403     400       400    400
lift all mutes          403     403       403     200    200    403     400       400    400
lift a mute             403     403       403     200    200    403     400       400    400
ping                    403     ok        ok      ok     ok     ok      ok        ok     ok
send                    403     400       ok      ok     ok     400     ok        ok     400
send once               403     400       ok      ok     ok     400     ok        ok     400
reply                   403     400       ok      ok     ok     400     ok        ok     400
mark as read            403     400       ok      ok     ok     400     ok        ok     400
say that one types      403     400       ok      ok     ok     400     ok        ok     400
ask who is there        403     ok        ok      ok     ok     ok      ok        ok     ok
ask who wants one       403     ok        ok      ok     ok     ok      ok        ok     ok
ask what one has missed  403    ok        ok      ok     ok     ok      ok        ok     ok
edit one's own          403     400       ok      ok     ok     400     ok        ok     400
edit another's          403     400       400     400    400    400     400       400    400
edit the system's       403     400       400     400    400    400     400       400    400
recall one's own        403     400       ok      ok     ok     ok      ok        ok     400
recall another's        403     400       400     400    400    400     400       400    400
recall the system's     403     400       400     400    400    400     400       400    400
delete one's own        403     400       ok      ok     ok     400     ok        ok     400
delete another's        403     400       ok      ok     ok     400     ok        ok     400
delete the system's     403     400       ok      ok     ok     400     ok        ok     400
"""
LOOKING = {"list one's chats", "look at it", "read the history", "read a page", "filter messages", "list invitations"}
LOOKING |= {"ping", "list rules", "rehearse a rule", "rehearse a new rule", "list what is held", "list mutes"}
TELLING = {"say that one types", "ask who is there", "ask who wants one", "ask what one has missed"}
"""What is told and not stored."""
QUIET = {"decline", "make a rule", "change a rule", "take a rule away", "lift all mutes", "lift a mute"}
"""What is stored and told to nobody."""
CALLERS, *ROWS = (re.split(r"\s{2,}", line.strip()) for line in TABLE.strip().splitlines())
CELLS = {name: dict(zip(CALLERS, cells, strict=True)) for name, *cells in ROWS}


class World:
    """A group, a private chat and eight people, all of whom listen."""

    async def open(self, people, guest, caller):
        names = ("owner", "admin", "member", "former", "outsider", "plain", "other_admin", "stranger")
        self.cast = {name: await people(name) for name in names}
        self.owner, self.stranger = self.cast["owner"], self.cast["stranger"]
        self.caller = caller
        self.me = {"nobody": guest, "accepter": self.cast["plain"], "other": self.owner, "mistaken": self.owner}.get(
            caller, self.cast.get(caller)
        )
        for name in ("admin", "member", "former", "other_admin", "stranger"):
            await self.owner.befriend(self.cast[name])
        self.private_id = await self.owner.befriend(self.cast["plain"])
        if caller not in ("nobody", "owner", "other", "mistaken"):
            await self.me.befriend(self.stranger)
        self.sockets = {person: await person.socket() for person in self.cast.values()}
        return self

    async def build(self):
        """A fresh group with fresh messages; returns what the operations are about."""
        names = ("admin", "member", "former", "plain", "other_admin")
        group_id = await self.owner.new_group(*(self.cast[name] for name in names))
        for name in ("admin", "other_admin"):
            assert (await self.owner.post(f"/chat/{group_id}/{self.cast[name].id}/admin", True)).status == 200
        assert (await self.owner.post(f"/chat/{group_id}/invite", {"user_id": self.stranger.id})).status == 200
        chat_id = self.private_id if self.caller in ("accepter", "other") else group_id
        at = SimpleNamespace(chat=chat_id, me=self.me.id, stranger=self.stranger.id, owner=self.owner.id)
        at.plain, at.admin = self.cast["plain"].id, self.cast["other_admin"].id
        at.system = chat_id * 10**8 + 1
        at.own = chat_id * 10**8 + 10**7
        other = self.cast["plain"]
        if chat_id == self.private_id:
            at.owner = self.cast["plain"].id
            other = self.owner if self.caller == "accepter" else self.cast["plain"]
            at.plain = at.admin = other.id
        if self.caller not in ("nobody", "outsider"):
            at.own = await self.say(self.me, chat_id)
        at.others = await self.say(other, chat_id)
        await self.moderate(group_id, at)
        former = self.cast["former"]
        assert (await self.owner.delete(f"/chat/{group_id}/{former.id}")).status == 200
        if self.caller == "mistaken":
            at.chat = 10**6
            at.own, at.others, at.system = (at.chat * 10**8 + seq for seq in (1, 2, 3))
        await self.count_packets()
        return at

    async def moderate(self, group_id, at):
        """Give the group a rule, a held message, and an admin who is muted."""
        at.rule = (await self.owner.post(f"/chat/{group_id}/rules", HOLDING)).data["rule_id"]
        muting = (await self.owner.post(f"/chat/{group_id}/rules", MUTING)).data["rule_id"]
        await self.count_packets()
        for name, text in (("other_admin", "mute me"), ("plain", "hold me")):
            socket = self.sockets[self.cast[name]]
            await socket.send("send_message", {"chat_id": group_id, "content": text})
            await socket.expect_error()
        [held] = (await self.owner.get(f"/chat/{group_id}/held")).data
        at.held = held["held_id"]
        await self.owner.delete(f"/chat/{group_id}/rules/{muting}")

    async def say(self, person, chat_id):
        await self.count_packets()
        await self.sockets[person].send("send_message", {"chat_id": chat_id, "content": "x"})
        news, _ = await self.sockets[person].expect("new_message", "messages_read")
        return news["message"]["message_id"]

    async def count_packets(self):
        """How many packets have come to anybody since the last count."""
        for socket in self.sockets.values():
            await socket.send("ping")
        count = 0
        for socket in self.sockets.values():
            while (await socket.receive())["action"] != "pong":
                count += 1
        return count

    async def ask(self, operation, at):
        """Do it; returns the outcome as the table writes it, and how many packets anybody got."""
        kind, *rest = OPERATIONS[operation](at)
        if kind.isupper():
            path, *body = rest
            answer = await self.me.request(kind, path, *body)
            assert (answer.status == 200) == answer.json["ok"]
            return str(answer.status), await self.count_packets()
        if self.caller == "nobody":
            socket = await self.me.socket()
            await socket.expect_error(403)
            await socket.expect_close(1000)
            return "403", await self.count_packets()
        socket = self.sockets[self.me]
        await socket.send(kind, *rest, request_id=7)
        await socket.send("ping", request_id=8)
        packets = [await socket.receive()]
        while packets[-1]["request_id"] != 8:
            packets.append(await socket.receive())
        errors = [packet for packet in packets if packet["action"] == "error"]
        if not errors:
            told = sum(packet["action"] != "pong" for packet in packets)
            return "ok", told + await self.count_packets()
        assert len(packets) == 2 and errors[0]["request_id"] == 7
        return str(errors[0]["code"]), await self.count_packets()


def test_every_operation_has_a_row_and_every_row_an_operation():
    assert len(CELLS) == len(ROWS), "a row stands there twice"
    assert set(CELLS) == set(OPERATIONS)
    assert LOOKING.issubset(OPERATIONS)


def test_every_endpoint_and_action_is_an_operation(nova):
    at = SimpleNamespace(
        **dict.fromkeys(("chat", "me", "stranger", "owner", "plain", "admin", "rule", "held"), 1),
        own=1,
        others=1,
        system=1,
    )
    asked = [operation(at) for operation in OPERATIONS.values()]
    routes = [(rule.matcher.regex, rule.target) for rule in nova.application.wildcard_router.rules]
    chat_routes = [(regex, handler) for regex, handler in routes if regex.pattern.startswith("/chat")]
    assert len(chat_routes) > 10
    for regex, handler in chat_routes:
        for method in handler.allowed_methods()[:-1]:
            assert any(kind == method and regex.fullmatch(rest[0].partition("?")[0]) for kind, *rest in asked), (
                f"{method} {regex.pattern} is in no row of the table"
            )
    assert set(native_socket.HANDLERS) == {kind for kind, *_ in asked if kind.islower()}


@pytest.mark.gen_test(timeout=40)
@pytest.mark.parametrize("caller", CALLERS)
async def test_each_caller_may_do_what_the_table_says_and_nothing_else(people, guest, database, monkeypatch, caller):
    # What follows from sending is stored behind; here it would look as if a refused request had changed something.
    monkeypatch.setattr(checkpoints, "CHECKPOINT_INTERVAL_S", 3600)
    world = await World().open(people, guest, caller)
    at = await world.build()
    before = snapshot_of_all(database)
    changing = []
    for operation, cells in CELLS.items():
        is_allowed = cells[caller] in ("200", "ok")
        if is_allowed and operation not in LOOKING:
            changing.append(operation)
            continue
        outcome, packet_count = await world.ask(operation, at)
        assert outcome == cells[caller], f"{caller}: {operation}"
        assert packet_count == 0, f"{caller}: {operation} was told to somebody"
        assert snapshot_of_all(database) == before, f"{caller}: {operation} changed something"
    # Asking for presence brings more packets later, so it comes last.
    changing.sort(key=lambda operation: (operation in TELLING, operation == "ask who is there"))
    for operation in changing:
        at = await world.build()
        before = snapshot_of_all(database)
        outcome, packet_count = await world.ask(operation, at)
        assert outcome == CELLS[operation][caller], f"{caller}: {operation}"
        assert (packet_count > 0) is (operation not in QUIET), f"{caller}: who was told of: {operation}"
        is_changed = snapshot_of_all(database) != before
        assert is_changed is (operation not in TELLING), f"{caller}: what came of: {operation}"
