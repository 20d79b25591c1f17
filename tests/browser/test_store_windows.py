"""The window on a history has no gaps and nothing twice, whatever is loaded, said and broken at the same time."""

import asyncio
import random

import pytest
from store_page import StorePage, say

LONG_HISTORY = 700
STEPS = 30


async def history(person, chat_id):
    """The ids and texts of a chat, as the server has them."""
    messages = (await person.get(f"/chat/{chat_id}/messages")).data
    return {message["message_id"]: message["message"] for message in reversed(messages)}


async def assert_piece(page, person, chat_id):
    """The window is a piece of the history, and says rightly where it ends."""
    await page.settled()
    await page.until("!store.conversation(it).isLoading.value", chat_id)
    shown = await page.state(chat_id)
    ids = [message["id"] for message in shown["messages"]]
    stored = await history(person, chat_id)
    all_ids = list(stored)
    first = all_ids.index(ids[0])
    assert ids == all_ids[first : first + len(ids)]
    assert [message["text"] for message in shown["messages"]] == [stored[each] for each in ids]
    at_beginning, at_end = shown["ends"]
    assert not at_beginning or first == 0
    assert at_end == (ids[-1] == all_ids[-1]) or (not at_end and len(ids) >= 50)
    assert not at_end or ids[-1] == all_ids[-1]
    return ids


@pytest.mark.parametrize("seed", range(2))
async def test_random_ways_through_a_long_history(open_client, people, seed):
    chance = random.Random(seed)
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    ids = await say(bob, chat_id, *(f"{number}" for number in range(LONG_HISTORY)))
    page = await StorePage.open(open_client, alice)
    await page.call("store.openChat(it)", chat_id)

    async def move():
        expression = chance.choice(
            [
                *(3 * [f"store.loadOlder({chat_id})"]),
                *(3 * [f"store.loadNewer({chat_id})"]),
                f"store.jumpTo({chat_id}, {chance.choice(ids)})",
                f"store.jumpToNewest({chat_id})",
                f"store.noteReading({chat_id}, true)",
                f"store.noteReading({chat_id}, false)",
                f"(store.closeChat(), store.openChat({chat_id}))",
            ]
        )
        # Not waited for: the next step comes while it is under way.
        await page.page.evaluate(f"() => {{ {expression} }}")

    async def speak():
        ids.extend(await say(bob, chat_id, *(f"live {chance.random()}" for _ in range(chance.randrange(1, 40)))))

    for number in range(STEPS):
        await asyncio.gather(*chance.sample([move(), move(), speak()], 3))
        if number % 9 == 8:
            await page.cut()
        if number % 5 == 4:
            await assert_piece(page, alice, chat_id)


async def test_whole_history_up_and_down(open_client, people):
    """Scrolling to the beginning and back shows each message once; the window stays small."""
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    await say(bob, chat_id, *(f"{number}" for number in range(LONG_HISTORY)))
    page = await StorePage.open(open_client, alice)
    await page.call("store.openChat(it)", chat_id)
    everything = list(await history(alice, chat_id))
    seen = set()
    for end, step in (("atBeginning", "loadOlder"), ("atEnd", "loadNewer")):
        while not await page.call(f"store.conversation(it).{end}.value", chat_id):
            await page.call(f"store.{step}(it)", chat_id)
            shown = await assert_piece(page, alice, chat_id)
            assert len(shown) <= 500
            seen.update(shown)
    assert seen == set(everything)
    assert shown[-1] == everything[-1] and shown[0] != everything[0]


async def test_old_answers_are_dropped(open_client, people):
    """A page that comes after one has jumped away changes nothing."""
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    ids = await say(bob, chat_id, *(f"{number}" for number in range(300)))
    await alice.act("messages_read", {"chat_id": chat_id})
    page = await StorePage.open(open_client, alice)
    await page.call("store.openChat(it)", chat_id)
    held = asyncio.Event()
    waiting = asyncio.Event()

    async def hold(route):
        waiting.set()
        await held.wait()
        await route.continue_()

    await page.page.route(f"**/chat/{chat_id}/messages?before={ids[-50]}*", hold)
    await page.page.evaluate("(it) => { window.older = store.loadOlder(it) }", chat_id)
    await waiting.wait()
    await page.call("store.jumpTo(it.chat, it.id)", {"chat": chat_id, "id": ids[20]})
    held.set()
    await page.call("window.older")
    shown = await assert_piece(page, alice, chat_id)
    assert ids[20] in shown and ids[-50] not in shown


@pytest.mark.parametrize("count", [3, 70, 320])
async def test_unread_begins_where_it_did(open_client, people, count):
    """The separator stands before the first message that was unread at the opening, also beyond the first page."""
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    await say(bob, chat_id, *(f"{number}" for number in range(80)))
    await alice.act("messages_read", {"chat_id": chat_id})
    unread = await say(bob, chat_id, *(f"new {number}" for number in range(count)))
    page = await StorePage.open(open_client, alice)
    await page.call("store.openChat(it)", chat_id)
    separator = "store.conversation(it).newestReadSeparatorId.value"
    assert await page.call(separator, chat_id) == (unread[0] if count <= 300 else None)
    await page.call("store.noteReading(it, true)", chat_id)
    await page.until("store.chats.value.get(it).unread_count === 0", chat_id)
    await page.call("store.loadOlder(it)", chat_id)
    assert await page.call(separator, chat_id) == unread[0]


async def test_five_chats_are_kept(open_client, people):
    """What was opened long ago is dropped, and loaded again."""
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_ids = [await bob.new_group(alice, name=f"Group {number}") for number in range(7)]
    page = await StorePage.open(open_client, alice)
    for chat_id in chat_ids:
        await page.call("store.openChat(it)", chat_id)
    counts = [await page.call("store.conversation(it).messages.value.length", chat_id) for chat_id in chat_ids]
    assert [bool(count) for count in counts] == [False, False, True, True, True, True, True]
    await page.call("store.openChat(it)", chat_ids[0])
    assert await page.call("store.conversation(it).messages.value.length", chat_ids[0])
