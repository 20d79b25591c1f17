"""Limits on failed sign-ins. Source: contract "protocols" section 0.7; contract "actions" section 2 (login)."""

import asyncio
import json
import sys
from datetime import timedelta

import bcrypt
import pytest
from people import Answer

from nova_tornado.domain.errors import TooManyRequests
from nova_tornado.realtime.clock import Clock
from nova_tornado.services.sign_in_limits import (
    FAILURES_PER_ACCOUNT,
    FAILURES_PER_ACCOUNT_AND_ADDRESS,
    FAILURES_PER_ADDRESS,
    WINDOW_S,
    SignInLimits,
)
from nova_tornado.settings import Settings
from nova_tornado.web.limits import REQUESTS_BURST, REQUESTS_PER_S

CREDENTIALS = {"user_name": "alice", "password": "secret1"}
WRONG = {"user_name": "alice", "password": "wrong-1"}
TOO_MANY = "Too many failed sign-ins, try again later"
TRIES = FAILURES_PER_ACCOUNT_AND_ADDRESS


class FakeClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self):
        # The beginning of a window, near the real time, by which MongoDB drops old sessions.
        window_us = WINDOW_S * 1_000_000
        self._now_us = super().now_us() // window_us * window_us

    def now_us(self):
        return self._now_us

    def move(self, **span):
        self._now_us += timedelta(**span) // timedelta(microseconds=1)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def settings():
    return Settings(bcrypt_rounds=4, rate_limits=True)


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


@pytest.fixture
def limits(clock):
    return SignInLimits(clock, is_on=True)


def is_refused(limits, account, address):
    try:
        limits.check(account, address)
    except TooManyRequests:
        return True
    return False


def fail(limits, count, account, address):
    """Failed sign-ins; how many of them were answered."""
    answered = 0
    for _ in range(count):
        if not is_refused(limits, account, address):
            answered += 1
            limits.note_failure(account, address)
    return answered


async def log_in_from(address, port, body):
    """POST /user/login from another address of this machine."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        payload = json.dumps(body).encode()
        head = f"POST /user/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(payload)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + payload)
        answer = await reader.read()
        writer.close()
        return Answer(int(answer.split()[1]), None, answer.partition(b"\r\n\r\n")[2])


# By HTTP


@pytest.mark.gen_test
async def test_guessing_ends_in_429_for_a_while_even_with_the_right_password(people, guest, clock):
    await people("alice")
    for number in range(TRIES):
        path = ("/user/login", "/user/token")[number % 2]
        assert (await guest.post(path, WRONG)).status == 403, number
    for path in ("/user/login", "/user/token"):
        for body in (WRONG, CREDENTIALS):
            answer = await guest.post(path, body)
            assert (answer.status, answer.error) == (429, TOO_MANY)
    assert guest.cookie is None
    clock.move(seconds=WINDOW_S - 1)
    assert (await guest.post("/user/login", CREDENTIALS)).status == 429
    clock.move(seconds=1)
    assert (await guest.post("/user/login", CREDENTIALS)).status == 200


@pytest.mark.gen_test
async def test_other_accounts_and_those_who_are_signed_in_go_on(people, guest):
    alice, bob = await people("alice"), await people("bob")
    socket = await alice.socket()
    for _ in range(TRIES + 5):
        await guest.post("/user/login", WRONG)
    assert (await guest.post("/user/login", CREDENTIALS)).status == 429
    assert (await alice.get("/user")).data["id"] == alice.id
    assert (await alice.patch("/user", {"avatar_url": "https://x"})).status == 200
    await socket.expect("profile_change")
    assert (await bob.log_in()).status == 200


@pytest.mark.gen_test
async def test_unknown_names_are_limited_like_known_ones(people, guest):
    await people("alice")
    answers = {}
    for name in ("alice", "nobody"):
        body = {"user_name": name, "password": "wrong-1"}
        answers[name] = [
            (answer.status, answer.body) for answer in [await guest.post("/user/login", body) for _ in range(TRIES + 3)]
        ]
    assert answers["alice"] == answers["nobody"]
    assert [status for status, _ in answers["alice"]] == [403] * TRIES + [429] * 3


@pytest.mark.gen_test
async def test_success_forgets_the_failures_before_it(people, guest):
    await people("alice")
    for _ in range(3):
        for _ in range(TRIES - 1):
            assert (await guest.post("/user/login", WRONG)).status == 403
        assert (await guest.post("/user/login", CREDENTIALS)).status == 200


@pytest.mark.gen_test
async def test_bad_forms_and_successes_are_not_counted(people, guest):
    await people("alice")
    for _ in range(TRIES):
        assert (await guest.post("/user/login", {**CREDENTIALS, "password": "short"})).status == 400
        assert (await guest.post("/user/login", CREDENTIALS)).status == 200
    assert (await guest.post("/user/login", WRONG)).status == 403
    assert (await guest.post("/user/login", CREDENTIALS)).status == 200


@pytest.mark.gen_test
async def test_guesses_of_the_old_password_count_as_failed_sign_ins(people, guest):
    alice = await people("alice")
    change = {"new_password": "secret2"}
    for _ in range(TRIES):
        assert (await alice.patch("/user", {**change, "old_password": "wrong-1"})).status == 403
    for answer in (
        await alice.patch("/user", {**change, "old_password": "secret1"}),
        await guest.post("/user/login", CREDENTIALS),
    ):
        assert (answer.status, answer.error) == (429, TOO_MANY)
    assert (await alice.patch("/user", {"user_name": "eve"})).status == 200


@pytest.mark.gen_test
async def test_guesses_sent_all_at_once_get_no_more_answers_than_one_after_the_other(people, guest):
    await people("alice")
    bodies = [{**WRONG, "password": f"wrong-{number}"} for number in range(TRIES * 3)] + [CREDENTIALS] * TRIES
    answers = await asyncio.gather(*(guest.post("/user/login", body) for body in bodies))
    statuses = [answer.status for answer in answers]
    assert statuses.count(403) <= TRIES and set(statuses) <= {200, 403, 429}, statuses
    assert statuses.count(429) >= TRIES


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on all of 127.0.0.0/8")
@pytest.mark.gen_test
async def test_owner_signs_in_at_home_while_many_addresses_guess(people, http_port):
    alice = await people("alice")  # from 127.0.0.1
    statuses = []
    for number in range(FAILURES_PER_ACCOUNT + 5):
        statuses.append((await log_in_from(f"127.0.1.{1 + number // 10}", http_port, WRONG)).status)
    assert statuses == [403] * FAILURES_PER_ACCOUNT + [429] * 5
    answer = await log_in_from("127.0.2.1", http_port, CREDENTIALS)
    assert (answer.status, answer.error) == (429, TOO_MANY)
    assert (await alice.log_in()).status == 200
    assert (await alice.get("/user")).data["id"] == alice.id


@pytest.mark.gen_test
async def test_unknown_user_costs_as_much_as_a_wrong_password(people, guest, monkeypatch):
    await people("alice")
    costs = []
    original = {"hashpw": bcrypt.hashpw, "checkpw": bcrypt.checkpw}
    monkeypatch.setattr(
        bcrypt, "hashpw", lambda password, salt: costs.append(salt[4:6]) or original["hashpw"](password, salt)
    )
    monkeypatch.setattr(
        bcrypt, "checkpw", lambda password, hashed: costs.append(hashed[4:6]) or original["checkpw"](password, hashed)
    )
    for path in ("/user/login", "/user/token"):
        for name in ("alice", "nobody", "x" * 32):
            costs.clear()
            assert (await guest.post(path, {"user_name": name, "password": "wrong-1"})).status == 403
            assert costs == [b"04"], (path, name)


@pytest.mark.gen_test
async def test_no_hash_is_made_for_who_is_refused(people, guest, monkeypatch):
    await people("alice")
    for _ in range(TRIES):
        await guest.post("/user/login", WRONG)

    def refuse(*_args):
        raise AssertionError("a hash was made")

    monkeypatch.setattr(bcrypt, "hashpw", refuse)
    monkeypatch.setattr(bcrypt, "checkpw", refuse)
    assert (await guest.post("/user/login", WRONG)).status == 429


@pytest.mark.gen_test
async def test_an_address_with_too_many_requests_waits_a_moment(guest, clock):
    for number in range(REQUESTS_BURST):
        assert (await guest.get("/user")).status == 403, number
    for answer in (await guest.get("/user"), await guest.post("/user/login", CREDENTIALS)):
        assert (answer.status, answer.error) == (429, "Too many requests, try again later")
    assert (await guest.request("OPTIONS", "/user")).status == 200
    assert (await guest.get("/healthz")).status == 200
    clock.move(milliseconds=1_000 / REQUESTS_PER_S)
    assert [(await guest.get("/user")).status for _ in range(2)] == [403, 429]


# The counting itself


def test_one_address_has_a_limit_over_all_accounts(limits):
    answered = sum(fail(limits, 3, f"user{number}", "::1") for number in range(FAILURES_PER_ADDRESS))
    assert answered == FAILURES_PER_ADDRESS
    assert is_refused(limits, "another", "::1") and not is_refused(limits, "another", "::2")


def test_one_account_has_a_limit_over_all_addresses_but_the_owners(limits):
    limits.note_success("alice", "home")
    answered = sum(fail(limits, 3, "alice", f"address{number}") for number in range(FAILURES_PER_ACCOUNT))
    assert answered == FAILURES_PER_ACCOUNT
    assert is_refused(limits, "alice", "elsewhere") and not is_refused(limits, "alice", "home")
    assert not is_refused(limits, "bob", "elsewhere")
    assert fail(limits, TRIES * 2, "alice", "home") == TRIES  # there, too, the number of guesses is limited
    assert is_refused(limits, "alice", "home")


def test_success_does_not_help_to_guess_others_passwords(limits):
    answered = 0
    for number in range(FAILURES_PER_ADDRESS * 2):
        limits.note_success("mallory", "::1")
        answered += fail(limits, 1, f"user{number}", "::1")
    assert answered == FAILURES_PER_ADDRESS


def test_each_window_begins_anew(limits, clock):
    for _ in range(3):
        assert fail(limits, TRIES * 2, "alice", "::1") == TRIES
        clock.move(seconds=WINDOW_S)


def test_a_clock_that_is_set_back_locks_nobody_out(limits, clock):
    assert fail(limits, TRIES * 2, "alice", "::1") == TRIES
    clock.move(days=-1)
    assert not is_refused(limits, "alice", "::1")


def test_nothing_is_limited_when_switched_off(clock):
    limits = SignInLimits(clock, is_on=False)
    assert fail(limits, 1_000, "alice", "::1") == 1_000


def test_what_is_remembered_is_bounded(limits, monkeypatch):
    monkeypatch.setattr("nova_tornado.services.sign_in_limits.REMEMBERED_KEYS", 30)
    for number in range(100):
        fail(limits, 1, f"user{number}", f"address{number}")
        limits.note_success(f"user{number}", f"address{number}")
    assert len(limits._failures) <= 30 and len(limits._known_addresses) <= 30
