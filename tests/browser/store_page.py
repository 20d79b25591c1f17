"""The client's store as tests drive it: the modules of the page itself, without its looks."""

import json
import re
import secrets

PREPARE = """
async () => {
  const { version } = JSON.parse(document.getElementById("nova-config").textContent);
  const names = ["state", "conversations", "outbox", "messages", "friends", "chats", "socket", "sign_in", "requests"];
  const modules = await Promise.all(names.map((name) => import(`/static/${version}/client/store/${name}.js`)));
  window.store = Object.assign({}, ...modules);
  window.signals = await import("@preact/signals");
}
"""

ONLY_THE_STORE = """
import { loadLanguage } from "../i18n.js";
import { checkSession } from "../store/sign_in.js";
await loadLanguage();
checkSession();
"""
"""In place of the packed modules: nothing is drawn, and nobody but the test asks for anything."""

WATCH_SOCKETS = """
(() => {
  const sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      sockets.push(this);
    }
  };
  window.cutSocket = async () => {
    const socket = sockets.at(-1);
    if (socket.readyState > WebSocket.OPEN) return;
    const opened = new Promise((resolve) => socket.addEventListener("open", resolve));
    if (socket.readyState === WebSocket.CONNECTING) await opened;
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    socket.close();
    await closed;
  };
})();
"""

STATE = """
(chatId) => {
  const { chats, friends, friendGroups, friendInvitations, online, me, conversation, user } = window.store;
  const names = {};
  const seen = ({ id }) => {
    names[id] = user(id).user_name;
    return id;
  };
  const basic = (message) => message && {
    id: message.message_id, text: message.message, sender: seen(message.sender), reply_to: message.reply_to_id,
    deleted: message.deleted, edited: message.edited_at ?? null, files: (message.files ?? []).map((file) => file.name),
  };
  const shown = conversation(chatId);
  return {
    me: me.value,
    chats: [...chats.value.values()].map((chat) => ({
      id: chat.chat_id, name: chat.chat_name, is_private: chat.is_private, owner: chat.owner_id,
      admins: chat.admin_ids, members: chat.member_ids.map((id) => seen({ id })), unread: chat.unread_count,
      last: basic(chat.last_message),
    })).sort((one, other) => one.id - other.id),
    friends: [...friends.value.values()].map((friend) => ({ ...friend, user: friend.user.id })),
    groups: friendGroups.value,
    invitations: friendInvitations.value.map(({ id }) => id),
    online: [...online.value].sort(),
    messages: shown.messages.value.map((message) => ({
      ...basic(message), read: message.read_users.map(seen), answers: basic(message.reply_to),
      answered_by: message.replied_by.map(basic),
    })),
    ends: [shown.atBeginning.value, shown.atEnd.value],
    names,
  };
}
"""


class StorePage:
    """The store of a page that somebody has opened."""

    def __init__(self, client):
        self.client = client
        self.page = client.page

    @classmethod
    async def open(cls, open_client, person, **options):
        """Opens a browser of a person and waits until the client is up to date."""
        return await cls.of(await open_client(person, None, **options))

    @classmethod
    async def of(cls, client):
        """The same with a browser that is there."""
        await client.context.add_init_script(WATCH_SOCKETS)
        script = {"body": ONLY_THE_STORE, "content_type": "text/javascript"}
        await client.context.route("**/client/packed/first.js", lambda route: route.fulfill(**script))
        return await cls(client).visit()

    async def visit(self):
        """Opens the page in a new tab."""
        self.client.page = self.page = await self.client.context.new_page()
        await self.page.goto(self.client.url)
        return await self.prepare()

    async def tab(self):
        """Another tab of the same browser."""
        return await StorePage(self.client).visit()

    async def prepare(self):
        """Gets hold of the modules."""
        await self.page.evaluate(PREPARE)
        await self.online()
        return self

    async def call(self, expression, argument=None):
        """Evaluates an expression of the store: `store`, and `it`, which is the argument."""
        return await self.page.evaluate(f"async (it) => {{ return await ({expression}) }}", argument)

    async def until(self, expression, argument=None):
        """Waits until an expression holds; the page looks with each change of a signal that it reads."""
        await self.page.evaluate(
            f"""(it) => new Promise((resolve) => {{
              let stop = null;
              stop = window.signals.effect(() => {{
                if (!({expression})) return;
                resolve();
                queueMicrotask(() => stop());
              }});
            }})""",
            argument,
        )

    async def online(self):
        """Waits until the client is up to date."""
        await self.until("store.connection.value.status === 'online'")

    async def settled(self):
        """Waits until all that was told until now is taken in, and nothing is being asked for."""
        await self.online()
        await self.page.wait_for_load_state("networkidle")
        await self.call("store.ask('ping', null)")

    async def cut(self):
        """Breaks the connection, perhaps in the middle of catching up; the client comes back by itself."""
        await self.page.evaluate("window.cutSocket()")

    async def state(self, chat_id):
        """All that the client knows, and one chat's messages."""
        return await self.page.evaluate(STATE, chat_id)

    async def load_all(self, chat_id):
        """Opens a chat and loads all of it."""
        await self.call("store.openChat(it)", chat_id)
        while not await self.call("store.conversation(it).atBeginning.value", chat_id):
            await self.call("store.loadOlder(it)", chat_id)
        return [message["id"] for message in (await self.state(chat_id))["messages"]]


def forgive(page, pattern):
    """Browsers report refusals and broken connections as errors, also those that the client is there to survive."""
    page.client.problems[:] = [problem for problem in page.client.problems if not re.search(pattern, problem)]


async def say(person, chat_id, *texts):
    """Sends messages from another program; returns their ids."""
    socket = await person.socket()
    for text in texts:
        key = secrets.token_hex()
        await socket.send("send_message", {"chat_id": chat_id, "content": text, "client_message_id": key})
    await socket.send("ping", request_id=1)
    ids = []
    while (packet := await socket.receive())["action"] != "pong":
        if packet["action"] == "new_message" and packet["data"].get("client_message_id"):
            ids.append(packet["data"]["message"]["message_id"])
    socket.close()
    return ids


def dump(state):
    """A state as lines, to be compared."""
    return json.dumps(state, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
