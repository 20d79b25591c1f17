"""Random programs of three users on two devices each: what they are told is what is so.

Three accounts of the same things are kept and compared: the server's answers, a brute-force model that knows what was
done, and what each device makes of the packets that it received since it connected.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

NAMES = ("alice", "bob", "carol")
DEVICES = 2
RECALLED = "Message recalled"
ACTIONS = (
    *("new chat", "send", "send", "send", "burst", "reply", "recall", "hide", "read", "read"),
    *("add", "remove", "leave", "admin", "owner", "reconnect"),
)
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), *[st.integers(0, 11)] * 3), min_size=10, max_size=30)


@dataclass
class ModelMessage:
    id: int
    sender: int
    text: str
    reply_to: int | None = None
    is_recalled: bool = False
    hidden_for: set = field(default_factory=set)


@dataclass
class ModelChat:
    """A chat as brute force knows it."""

    id: int
    owner: int
    members: set
    admins: set = field(default_factory=set)
    messages: list = field(default_factory=list)
    read_up_to: dict = field(default_factory=dict)
    """By member, the id of the newest message when he read; 0: he has read nothing since he joined."""
    joined_at: dict = field(default_factory=dict)

    @property
    def newest(self):
        return self.messages[-1].id if self.messages else 0

    def add(self, message):
        assert message.id > self.newest, "ids grow"
        self.messages.append(message)
        if message.sender in self.members:
            self.read_up_to[message.sender] = message.id

    def join(self, user):
        self.members.add(user)
        self.joined_at[user] = self.newest
        self.read_up_to[user] = 0

    def part(self, user):
        self.members.discard(user)
        self.admins.discard(user)

    def view(self, viewer):
        """What the server must answer to that member."""
        shown = [m for m in self.messages if not m.is_recalled and viewer not in m.hidden_for]
        mark = max(self.read_up_to[viewer], self.joined_at[viewer])
        return {
            "owner": self.owner,
            "admins": sorted(self.admins),
            "members": sorted(self.members),
            "unread": sum(m.id > mark for m in self.messages),
            "last": shown[-1].id if shown else 0,
            "messages": [
                {
                    "id": m.id,
                    "text": RECALLED if m.is_recalled else m.text,
                    "deleted": m.is_recalled or viewer in m.hidden_for,
                    "reply_to": None if m.is_recalled else m.reply_to,
                    "replied_by": [r.id for r in self.messages if r.reply_to == m.id and not r.is_recalled],
                    "read_users": sorted(u for u in self.members if self.read_up_to[u] >= m.id),
                }
                for m in self.messages
            ],
        }


def ids_of(users):
    return [user["id"] for user in users]


async def fetch(person, chat_id):
    """A chat as the server tells it to a member."""
    relation = (await person.get(f"/chat/{chat_id}")).data
    messages = (await person.get(f"/chat/{chat_id}/messages")).data[::-1]
    chat = relation["chat"]
    return {
        "owner": chat["chat_owner"]["id"],
        "admins": ids_of(chat["chat_admins"]),
        "members": ids_of(chat["chat_members"]),
        "unread": relation["unread_count"],
        "last": chat["last_message"]["message_id"] if chat["last_message"] else 0,
        "messages": [
            {
                "id": m["message_id"],
                "text": m["message"],
                "deleted": m["deleted"],
                "reply_to": m["reply_to_id"],
                "replied_by": ids_of([{"id": reply["message_id"]} for reply in m["replied_by"]]),
                "read_users": sorted(ids_of(m["read_users"])),
            }
            for m in messages
        ],
    }


class Device:
    """A device: the state that it fetched when it connected, and what the packets since then make of it."""

    def __init__(self, person):
        self.person = person
        self.socket = None
        self.chats = {}
        self.heard = []
        self.new = set()
        self._pings = 0

    async def connect(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = await self.person.socket()
        self.heard.clear()
        self.new.clear()
        await self.listen()
        chats = (await self.person.get("/chat")).data
        self.chats = {c["chat"]["chat_id"]: await fetch(self.person, c["chat"]["chat_id"]) for c in chats}

    async def listen(self, *, is_settled=True):
        """Apply all that was sent up to now; chats that are new are fetched after that, when nothing is under way."""
        self._pings += 1
        await self.socket.send("ping", request_id=self._pings)
        new, errors = self.new, []
        while (packet := await self.socket.receive())["action"] != "pong":
            if packet["action"] == "error":
                errors.append(packet["error"])
                continue
            self.heard.append((packet["action"], packet["data"]))
            match packet:
                case {"action": "new_group_chat", "data": {"chat_id": chat_id}}:
                    new.add(chat_id)
                    continue
                case {"action": "chat_deleted", "data": {"chat": {"chat_id": chat_id}}}:
                    new.discard(chat_id)
                case {"action": "member_deleted", "data": {"chat_id": chat_id, "user_id": self.person.id}}:
                    new.discard(chat_id)
            self.apply(packet["action"], packet["data"])
        while is_settled and new:
            chat_id = new.pop()
            self.chats[chat_id] = await fetch(self.person, chat_id)
        return errors

    def apply(self, action, data):
        """What one packet changes."""
        message_id = data.get("message_id", 0) if "message" not in data else data["message"]["message_id"]
        chat_id = message_id // 10**8 or data.get("chat_id") or data["chat"]["chat_id"]
        chat = self.chats.get(chat_id)
        if chat is None:
            return
        match action:
            case "new_message":
                m = data["message"]
                assert m["message_id"] > (chat["messages"][-1]["id"] if chat["messages"] else 0), "in order, once"
                assert m["read_users"] == [] and m["replied_by"] == [] and not m["deleted"]
                for other in chat["messages"]:
                    if other["id"] == m["reply_to_id"]:
                        other["replied_by"].append(m["message_id"])
                chat["messages"].append(
                    {
                        "id": m["message_id"],
                        "text": m["message"],
                        "deleted": False,
                        "reply_to": m["reply_to_id"],
                        "replied_by": [],
                        "read_users": [],
                    }
                )
                chat["unread"] += 1
            case "messages_read":
                for m in chat["messages"]:
                    m["read_users"] = sorted({*m["read_users"], data["user_id"]})
                if data["user_id"] == self.person.id:
                    chat["unread"] = 0
            case "message_recalled":
                for m in chat["messages"]:
                    if m["id"] == message_id:
                        m |= {"text": RECALLED, "deleted": True, "reply_to": None}
                    if message_id in m["replied_by"]:
                        m["replied_by"].remove(message_id)
            case "message_deleted":
                for m in chat["messages"]:
                    if m["id"] == message_id:
                        m["deleted"] = True
            case "admin_state_change":
                admins = set(chat["admins"]) - {data["user_id"]} | ({data["user_id"]} if data["is_admin"] else set())
                chat["admins"] = sorted(admins)
            case "owner_state_change":
                chat["owner"] = data["owner_id"]
            case "member_added":
                chat["members"] = sorted({*chat["members"], data["user_id"]})
            case "member_deleted" if data["user_id"] == self.person.id:
                del self.chats[chat_id]
                return
            case "member_deleted":
                chat["members"].remove(data["user_id"])
                for m in chat["messages"]:
                    m["read_users"] = [user for user in m["read_users"] if user != data["user_id"]]
            case "chat_deleted":
                assert sorted(ids_of(data["chat"]["chat_members"])) == chat["members"]
                del self.chats[chat_id]
                return
            case _:
                raise AssertionError(action)
        chat["last"] = next((m["id"] for m in reversed(chat["messages"]) if not m["deleted"]), 0)


class World:
    """The three users, what they do, and the model of it."""

    def __init__(self, nova, people):
        self.nova = nova
        self.people = people
        self.devices = [Device(person) for person in people for _ in range(DEVICES)]
        self.chats = []
        self.texts = 0

    def device(self, person, number):
        return self.devices[self.people.index(person) * DEVICES + number % DEVICES]

    async def act(self, action, who, which, what):
        """Do one thing; it succeeds if and only if it may."""
        person = self.people[who % len(self.people)]
        target = self.people[what % len(self.people)]
        device = self.device(person, what)
        if action == "reconnect":
            await device.connect()
            return
        if action == "new chat" or not self.chats:
            await self.new_chat(person, what)
            return
        chat = self.chats[which % len(self.chats)]
        is_member = person.id in chat.members
        is_owner, is_admin = chat.owner == person.id, person.id in chat.admins
        message = chat.messages[what % len(chat.messages)]
        if action in ("send", "reply"):
            reply_to = message.id if action == "reply" else None
            texts = await self.say(device, chat, reply_to=reply_to)
            assert len(texts) == is_member
        elif action == "burst":
            speakers = [self.device(p, what) for p in self.people]
            said = await asyncio.gather(*(self.write(speaker, chat) for speaker in speakers for _ in range(3)))
            heard = [await self.hear(speaker) for speaker in speakers]
            assert [len(errors) for errors in heard] == [0 if p.id in chat.members else 3 for p in self.people]
            self.learn(chat, speakers, set(said))
        elif action == "recall":
            await device.socket.send("recall_message", {"message_id": message.id, "delete": False})
            errors = await device.listen()
            may = message.sender == person.id and not message.is_recalled
            assert (not errors) == may
            message.is_recalled |= may
        elif action == "hide":
            await device.socket.send("recall_message", {"message_id": message.id, "delete": True})
            assert (not await device.listen()) == is_member
            message.hidden_for |= {person.id} if is_member else set()
        elif action == "read":
            await device.socket.send("messages_read", {"chat_id": chat.id})
            assert (not await device.listen()) == is_member
            if is_member:
                chat.read_up_to[person.id] = chat.newest
        elif action == "add":
            await self.add(chat, person, target)
        elif action == "remove":
            status = (await person.delete(f"/chat/{chat.id}/{target.id}")).status
            may = (is_owner or (is_admin and target.id not in chat.admins)) and target.id in chat.members
            may = may and target.id != chat.owner
            assert (status == 200) == may
            if may:
                chat.part(target.id)
                self.learn_system(chat)
        elif action == "leave":
            assert ((await person.delete(f"/chat/{chat.id}")).status == 200) == is_member
            if is_owner:
                self.chats.remove(chat)
            elif is_member:
                chat.part(person.id)
                self.learn_system(chat)
        elif action == "admin":
            makes = which % 2 == 0
            status = (await person.post(f"/chat/{chat.id}/{target.id}/admin", makes)).status
            may = is_owner and target.id in chat.members and target.id != chat.owner
            may = may and (target.id in chat.admins) != makes
            assert (status == 200) == may
            if may:
                chat.admins ^= {target.id}
        elif action == "owner":
            status = (await person.post(f"/chat/{chat.id}/set_owner", {"chat_owner": target.id})).status
            may = is_owner and target.id in chat.members and target.id != person.id
            assert (status == 200) == may
            if may:
                chat.owner = target.id
                chat.admins = chat.admins - {target.id} | {person.id}

    async def new_chat(self, person, what):
        others = [p for i, p in enumerate(self.people) if p is not person and what >> i & 1]
        chat = ModelChat(await person.new_group(*others), person.id, set())
        for member in (person, *others):
            chat.join(member.id)
        self.chats.append(chat)
        self.learn_system(chat)

    async def add(self, chat, person, target):
        if target.id in chat.members or person.id not in chat.members:
            return
        stored = await self.nova.services.chats.get(chat.id)
        users = await self.nova.services.directory.load([person.id, target.id])
        await self.nova.services.chats.add_member(
            stored, users[person.id], users[target.id], "welcome", lambda _chat: None
        )
        chat.join(target.id)
        self.learn_system(chat)

    def learn_system(self, chat):
        """The system message about the last change; its id is the newest that the server has stored."""
        newest = self.nova.chat_cache.peek(chat.id).last_message
        chat.add(ModelMessage(newest.id, self.nova.directory.system.id, newest.text))

    async def write(self, device, chat, **more):
        self.texts += 1
        text = f"text {self.texts}"
        await device.socket.send("send_message", {"chat_id": chat.id, "content": text, **more})
        return text

    async def hear(self, device):
        return await device.listen(is_settled=False)  # what the others say at the same time is still on its way

    async def say(self, device, chat, reply_to=None):
        text = await self.write(device, chat, **({} if reply_to is None else {"reply_to": reply_to}))
        await device.listen()
        return self.learn(chat, [device], {text})

    def learn(self, chat, devices, texts):
        """The ids and the order of new messages, as the one who wrote them was told; nobody else knows them."""
        found = {}
        for device in devices:
            for action, data in device.heard:
                if action == "new_message" and data["message"]["message"] in texts:
                    found[data["message"]["message_id"]] = data["message"]
        for message_id, m in sorted(found.items()):
            chat.add(ModelMessage(message_id, m["sender"]["id"], m["message"], m["reply_to_id"]))
        return found

    async def check(self):
        """All accounts of the same things agree."""
        for device in self.devices:
            assert not await device.listen()
        for person in self.people:
            own = {chat.id: chat.view(person.id) for chat in self.chats if person.id in chat.members}
            listed = {c["chat"]["chat_id"]: c["unread_count"] for c in (await person.get("/chat")).data}
            fresh = {chat_id: await fetch(person, chat_id) for chat_id in own}
            assert fresh == own, "the server's answers are what brute force says"
            devices = [self.device(person, number) for number in range(DEVICES)]
            for device in devices:
                kept = {chat_id: chat for chat_id, chat in device.chats.items() if chat_id in own}
                assert kept == fresh, "what a device was told makes its old state the fresh one"
                assert set(device.chats) == set(listed)
            one, other = (device.heard for device in devices)
            shared = min(len(one), len(other))
            assert one[len(one) - shared :] == other[len(other) - shared :], "both devices were told the same"

    async def end(self):
        for chat in list(self.chats):
            owner = next(p for p in self.people if p.id == chat.owner)
            await owner.delete(f"/chat/{chat.id}")


def test_everybody_is_told_what_is_so(nova, people, io_loop):
    async def meet():
        found = [await people(name) for name in NAMES]
        for one, other in ((0, 1), (0, 2), (1, 2)):
            await found[one].befriend(found[other])
        return found

    persons = io_loop.run_sync(meet)
    world = World(nova, persons)

    async def run(program):
        world.chats.clear()
        for device in world.devices:
            await device.connect()
        for number, step in enumerate(program):
            await world.act(*step)
            if number % 10 == 9:
                await world.check()
        await world.check()
        await world.end()

    # Not made smaller after a failure: that would take minutes, and what failed leaves the world in disorder.
    @examples(max_examples=15, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(STEPS)
    def check(program):
        io_loop.run_sync(lambda: asyncio.wait_for(run(program), 30))

    check()
    assert nova.hub.connection_count <= len(world.devices) + 1
