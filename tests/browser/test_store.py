"""What the client knows is what the server would tell, whatever came in between."""

import random

import pytest
from store_page import StorePage, dump, forgive

HISTORY_STEPS = 60


class Crowd:
    """People who do this and that, by chance, while somebody watches."""

    def __init__(self, seed, alice, others, chat_id):
        self.random = random.Random(seed)
        self.alice = alice
        self.others = others
        self.chat_id = chat_id
        self.group_ids = []
        self.message_ids = []

    async def step(self):
        """Does one thing; what the server refuses is no matter."""
        choices = [
            *(5 * [self.say]),
            *(2 * [self.reply, self.edit, self.read]),
            *[self.recall, self.hide, self.rename, self.make_admin, self.remove, self.bring_back, self.change_friend],
            *[self.new_group, self.end_group, self.type],
        ]
        await self.random.choice(choices)()

    def anybody(self):
        return self.random.choice([self.alice, *self.others])

    async def act(self, person, action, **data):
        """Sends a packet and waits until it is carried out or refused."""
        socket = await person.socket()
        await socket.send(action, data, request_id=1)
        await socket.send("ping", request_id=2)
        told = []
        while not told or told[-1]["action"] != "pong":
            told.append(await socket.receive())
        socket.close()
        return told

    async def say(self, **more):
        person = self.anybody()
        text = f"{self.random.randrange(10**6)}"
        for packet in await self.act(person, "send_message", chat_id=self.chat_id, content=text, **more):
            if packet["action"] == "new_message" and packet["data"]["message"]["message"] == text:
                self.message_ids.append((packet["data"]["message"]["message_id"], person))

    def message(self):
        return self.random.choice(self.message_ids[-8:] or [(self.chat_id * 100_000_000 + 1, self.others[0])])

    async def reply(self):
        await self.say(reply_to=self.message()[0])

    async def edit(self):
        message_id, person = self.message()
        await self.act(person, "edit_message", message_id=message_id, content=f"edited {self.random.random()}")

    async def recall(self):
        message_id, person = self.message()
        await self.act(person, "recall_message", message_id=message_id)

    async def hide(self):
        await self.act(self.alice, "recall_message", message_id=self.message()[0], delete=True)

    async def read(self):
        await self.act(self.anybody(), "messages_read", chat_id=self.chat_id)

    async def type(self):
        await self.act(self.random.choice(self.others), "typing", chat_id=self.chat_id)

    async def rename(self):
        await self.others[0].patch(f"/chat/{self.chat_id}", {"chat_name": f"Group {self.random.random()}"})

    async def make_admin(self):
        member = self.random.choice([self.alice, *self.others[1:]])
        path = f"/chat/{self.chat_id}/{member.id}/admin"
        await self.others[0].post(path, self.random.random() < 0.6)

    async def remove(self):
        await self.others[0].delete(f"/chat/{self.chat_id}/{self.random.choice(self.others[1:]).id}")

    async def bring_back(self):
        member = self.random.choice(self.others[1:])
        await self.others[0].post(f"/chat/{self.chat_id}/invite", {"user_id": member.id})
        await self.others[0].post(f"/chat/{self.chat_id}/invitation/{member.id}")

    async def change_friend(self):
        friend = self.random.choice(self.others[1:])
        if (await friend.delete(f"/friend/{self.alice.id}")).status != 200:
            await friend.post("/friend/invite", {"id": self.alice.id, "comment": "", "source": "search"})
            if self.random.random() < 0.5:
                await self.alice.post("/friend/invite", {"id": friend.id, "comment": "", "source": "search"})

    async def new_group(self):
        answer = await self.others[0].post("/chat/new", {"chat_name": "More", "chat_members": [self.alice.id]})
        self.group_ids.append(answer.data["chat_id"])

    async def end_group(self):
        if self.group_ids:
            chat_id = self.group_ids.pop()
            await self.random.choice([self.alice, self.others[0]]).delete(f"/chat/{chat_id}")


@pytest.fixture
def crowd(people):
    """Alice, who watches, and three more in a group of Bob's."""

    async def gather(seed):
        alice, bob, carol, dave = [await people(name) for name in ("alice", "bob", "carol", "dave")]
        for one, other in ((bob, alice), (bob, carol), (bob, dave), (alice, carol), (alice, dave)):
            await one.befriend(other)
        chat_id = await bob.new_group(alice, carol, dave)
        return Crowd(seed, alice, [bob, carol, dave], chat_id)

    return gather


CHAT_GONE = r"status of 400 .*/chat/\d+\)"
"""A chat that had come and gone before the client could ask for it."""


REPLAYS = """
async (seed) => {
  const { version } = JSON.parse(document.getElementById("nova-config").textContent);
  const { changeChat, chatOf } = await import(`/static/${version}/client/store/chat_changes.js`);
  const { changeMessages } = await import(`/static/${version}/client/store/message_changes.js`);
  const chance = (count) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * count);
  };
  const user = (id) => ({ id, user_name: `user-${id}`, avatar_url: "" });
  const packets = [];
  const tell = (action, data) => packets.push({ action, data: { chat_id: 1, ...data } });
  let members = [1, 2, 3];
  for (let place = 1; packets.length < 25; place += 1) {
    const user_id = members[chance(members.length)];
    const earlier = 100_000_000 + 1 + chance(place);
    const message = {
      message_id: 100_000_000 + place, chat_id: 1, message: `${place}`, send_time: place, sender: user(user_id),
      reply_to_id: null, deleted: false, read_users: [], reply_to: null, replied_by: [],
    };
    const say = (more) => {
      tell("new_message", { message: { ...message, ...more } });
      tell("messages_read", { user_id });
    };
    [
      say,
      () => say({ reply_to_id: earlier }),
      () => tell("new_message", { message: { ...message, sender: user(9) } }),
      () => tell("messages_read", { user_id }),
      () => tell("messages_read", { user_id: 1 }),
      () => tell("message_edited", { message: { ...message, message_id: earlier, edited_at: place } }),
      () => {
        const isIn = members.includes(3);
        members = isIn ? [1, 2] : [1, 2, 3];
        tell(isIn ? "member_deleted" : "member_added", { user_id: 3 });
      },
      () => tell("admin_state_change", { user_id: 2, is_admin: chance(2) === 1 }),
      () => tell("message_deleted", { message_id: earlier }),
      () => tell("message_recalled", { message_id: earlier }),
    ][chance(10)]();
  }
  const how = { isAtEnd: true, userOf: user };
  const chatAfter = (chat, some) => some.reduce((changed, packet) => changeChat(changed, packet, 1), chat);
  const messagesAfter = (messages, some) => some.reduce((all, packet) => changeMessages(all, packet, how), messages);
  const told = (chat) => JSON.stringify({ ...chat, counted_id: 0, newest_id: 0 });
  const asAnswer = (chat) => chatOf({
    unread_count: chat.unread_count,
    chat: {
      chat_id: 1, chat_name: chat.chat_name, chat_owner: user(chat.owner_id), chat_admins: chat.admin_ids.map(user),
      chat_members: chat.member_ids.map(user), last_message: chat.last_message ?? "",
    },
  });
  const begin = asAnswer({
    chat_name: "Group", owner_id: 1, admin_ids: [], member_ids: [1, 2, 3], last_message: null, unread_count: 0,
  });
  // What takes a chat's newest message away makes the store ask the server: no packet tells which it is now.
  const plain = packets.filter(({ action }) => !["message_deleted", "message_recalled"].includes(action));
  const wrong = [];
  for (let answered = 0; answered <= packets.length; answered += 1) {
    for (let from = 0; from <= answered; from += 1) {
      const chat = asAnswer(chatAfter(begin, plain.slice(0, answered)));
      const isSame = told(chatAfter(chat, plain.slice(from))) === told(chatAfter(begin, plain));
      if (!isSame) wrong.push(["chat", answered, from]);
      const messages = messagesAfter(messagesAfter([], packets.slice(0, answered)), packets.slice(from));
      if (JSON.stringify(messages) !== JSON.stringify(messagesAfter([], packets))) wrong.push(["list", answered, from]);
    }
  }
  return wrong.length ? { wrong: wrong.slice(0, 5), packets } : null;
}
"""
"""An answer of the server may know of packets that come behind it: from any of them on, all are applied again."""


async def test_packets_behind_an_answer_that_knew_of_them(open_client, people):
    page = await StorePage.open(open_client, await people("alice"))
    for seed in range(150):
        assert await page.page.evaluate(REPLAYS, seed) is None, seed


async def assert_like_new(open_client, old, alice, chat_id):
    """The old page knows what a fresh one is told."""
    fresh = await StorePage.open(open_client, alice)
    ids = await fresh.load_all(chat_id)
    await old.settled()
    await fresh.settled()
    assert [message["id"] for message in (await old.state(chat_id))["messages"]] == ids
    assert dump(await old.state(chat_id)) == dump(await fresh.state(chat_id))
    forgive(old, CHAT_GONE)


@pytest.mark.parametrize("seed", range(2))
async def test_live(open_client, crowd, seed):
    some = await crowd(seed)
    page = await StorePage.open(open_client, some.alice)
    await page.load_all(some.chat_id)
    for _ in range(HISTORY_STEPS):
        await some.step()
    await assert_like_new(open_client, page, some.alice, some.chat_id)


@pytest.mark.parametrize("seed", range(10, 13))
async def test_with_a_connection_that_breaks(open_client, crowd, seed):
    some = await crowd(seed)
    page = await StorePage.open(open_client, some.alice)
    await page.load_all(some.chat_id)
    for number in range(HISTORY_STEPS):
        if number % 7 == 3:
            await page.cut()
        await some.step()
    await assert_like_new(open_client, page, some.alice, some.chat_id)
