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
