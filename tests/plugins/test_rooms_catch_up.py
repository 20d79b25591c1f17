"""A client of rooms or modes that was away catches up by times and ids, and loses no message at a page's border.

Source: contract "protocols" sections 2.3 and 3.8; decision 12.
"""

import pytest
from clients.modes import Party
from clients.rooms import RoomsClient

from nova_tornado.app import open_nova
from nova_tornado.realtime.clock import Clock
from nova_tornado.testing.running import DATABASE

MISSED = 230
PAGE = 100


class StoppedClock(Clock):
    def __init__(self):
        self._now_us = super().now_us()

    def now_us(self):
        return self._now_us


@pytest.fixture
def nova(start_nova, settings):
    """Its clock stands still: were times no more than what the clock says, they would all be the same."""
    return start_nova(settings, clock=StoppedClock())


@pytest.mark.gen_test
async def test_messages_of_one_moment_have_different_times_and_none_is_lost_between_pages(nova, people):
    alice, bob = [await RoomsClient.of(await people(name)) for name in ("alice", "bob")]
    await alice.drain()
    await bob.drain()
    known = await alice.say(bob.user_id, "known")
    author = await nova.directory.get(bob.user_id)
    chat_id = known["chat_room_id"]
    ids = [(await nova.services.messages.send(author, chat_id, str(number))).message.id for number in range(MISSED)]
    path = f"/chat_rooms/{chat_id}"
    pages = [(await alice.get(path, {"timestamp": known["timestamp"]})).data]
    assert len(pages[0]) == PAGE  # the latest of them; the client goes back from there to what it knows
    while pages[-1][0]["message_id"] > known["message_id"]:
        pages.append((await alice.get(path, {"timestamp": pages[-1][0]["timestamp"], "before": True})).data)
        assert len(pages) < 10
    found = [message["message_id"] for page in reversed(pages) for message in page]
    assert found == [known["message_id"], *ids]
    times = [message["timestamp"] for page in reversed(pages) for message in page]
    assert times == sorted(set(times))
    again = (await alice.get(path, {"timestamp": times[-1]})).data
    assert [message["message_id"] for message in again] == ids[-1:]  # "at or after": the last one known comes again


@pytest.mark.gen_test
async def test_what_another_server_has_just_stored_is_in_the_history(people, settings, mongo):
    party = await Party().open(people)
    alice, bob = party.alice, party.bob
    chat_id = await alice.chat_with(bob)
    known = await alice.say(chat_id, "known")
    other = await open_nova(settings, mongo.uri, database=DATABASE)
    try:
        author = await other.directory.get(bob.id)
        missed = [(await other.services.messages.send(author, chat_id, text)).message.id for text in ("one", "two")]
        found = [message["message_id"] for message in await alice.messages(chat_id, min_message_id=known)]
        assert found == [known, *missed]
    finally:
        await other.close()
