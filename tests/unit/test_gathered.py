"""Lookups that are asked for together."""

import asyncio

import pytest

from nova_tornado.domain.errors import Unavailable
from nova_tornado.storage import gathered
from nova_tornado.storage.gathered import Gathered

UNKNOWN = 0


class Queries:
    """Where lookups end up: each query waits until it is answered."""

    def __init__(self):
        self.asked = []
        self._answers = []
        self.lookup = Gathered(self._find)

    async def _find(self, keys):
        self.asked.append(sorted(keys))
        answer = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        await answer
        return {key: f"value {key}" for key in keys if key != UNKNOWN}

    def answer(self, number, error=None):
        if error is None:
            self._answers[number].set_result(None)
        else:
            self._answers[number].set_exception(error)


async def turn():
    """Lets everybody go as far as he can."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def queries(io_loop):
    return io_loop.run_sync(make)


async def make():
    return Queries()


def ask(queries, *keys):
    return asyncio.ensure_future(queries.lookup.find_many(keys))


@pytest.mark.gen_test
async def test_what_is_asked_for_in_one_turn_is_one_query_and_each_gets_his_own(queries):
    first, second = ask(queries, 1, 2), ask(queries, 2, 3)
    one, none = (asyncio.ensure_future(queries.lookup.find(key)) for key in (1, UNKNOWN))
    await turn()
    assert queries.asked == [[0, 1, 2, 3]]
    queries.answer(0)
    assert await first == {1: "value 1", 2: "value 2"}
    assert await second == {2: "value 2", 3: "value 3"}
    assert (await one, await none) == ("value 1", None)
    assert await queries.lookup.find_many([]) == {}
    assert len(queries.asked) == 1


@pytest.mark.gen_test
async def test_what_comes_while_queries_are_under_way_gathers_for_the_next(queries):
    waiting = []
    for key in range(1, 7):
        waiting.append(ask(queries, key))
        await turn()
    assert queries.asked == [[1], [2]]
    queries.answer(1)
    assert await waiting[1] == {2: "value 2"}
    await turn()
    assert queries.asked == [[1], [2], [3, 4, 5, 6]]
    queries.answer(0)
    queries.answer(2)
    assert [list((await each).values()) for each in waiting] == [[f"value {key}"] for key in range(1, 7)]


@pytest.mark.gen_test
async def test_an_answer_is_never_older_than_the_question(queries):
    first = ask(queries, 1)
    await turn()
    second = ask(queries, 1)
    await turn()
    assert queries.asked == [[1], [1]]
    queries.answer(0)
    await first
    assert not second.done()
    queries.answer(1)
    await second


@pytest.mark.gen_test
async def test_whoever_asks_just_when_the_last_answer_has_come_is_answered(queries):
    """The tasks have nothing left to do, and are not done yet."""
    for number in range(0, 20, 2):
        both = [ask(queries, 1)]
        await turn()
        both.append(ask(queries, 2))
        await turn()
        queries.answer(number)
        queries.answer(number + 1)
        await asyncio.gather(*both)
    last = ask(queries, 3)
    await turn()
    assert queries.asked[-1] == [3]
    queries.answer(20)
    await last


@pytest.mark.gen_test
async def test_a_failure_is_told_to_all_who_have_asked_and_to_nobody_else(queries):
    lost = [ask(queries, 1), ask(queries, 2)]
    await turn()
    kept = ask(queries, 3)
    await turn()
    queries.answer(0, Unavailable())
    queries.answer(1)
    for each in lost:
        with pytest.raises(Unavailable):
            await each
    assert await kept == {3: "value 3"}


@pytest.mark.gen_test
async def test_who_gives_up_takes_nobody_with_him(queries):
    impatient, patient = ask(queries, 1), ask(queries, 1)
    await turn()
    impatient.cancel()
    await turn()
    queries.answer(0)
    assert await patient == {1: "value 1"}
    assert impatient.cancelled()
    alone = ask(queries, 2)
    await turn()
    alone.cancel()
    queries.answer(1, Unavailable())
    await turn()


@pytest.mark.gen_test
async def test_a_query_has_a_largest_size(queries, monkeypatch):
    monkeypatch.setattr(gathered, "KEYS_MAX_COUNT", 3)
    monkeypatch.setattr(gathered, "UNDER_WAY_MAX", 1)
    waiting = [ask(queries, *range(1, 6)), ask(queries, 6), ask(queries, 7, 8), ask(queries, 9)]
    for number in range(3):
        await turn()
        assert len(queries.asked) == number + 1
        queries.answer(number)
    await asyncio.gather(*waiting)
    assert queries.asked == [[1, 2, 3, 4, 5], [6, 7, 8], [9]]
