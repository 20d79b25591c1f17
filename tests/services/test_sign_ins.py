"""Sessions, tokens and their number. Source: contract "protocols" sections 0.4, 2.1 (too many tokens), 3.3."""

import asyncio
from datetime import timedelta

import pytest

from nova_tornado.domain.errors import TooManyRequests, TooManyTokens, WrongCredentials, WrongPassword
from nova_tornado.domain.events import SessionsEnded, SignedIn, SignedOut
from nova_tornado.realtime.clock import Clock
from nova_tornado.services.sign_in_limits import FAILURES_PER_ACCOUNT_AND_ADDRESS
from nova_tornado.settings import Settings
from nova_tornado.storage.sessions import TOKEN_LIFETIME_S, SessionKind

HOME = "192.0.2.1"
LIMIT = 10
COUNTED = {"issuer": "modes", "limit": LIMIT}


class MovedClock(Clock):
    """The machine's clock and then some."""

    def __init__(self):
        self.ahead = timedelta()

    def now_us(self):
        return super().now_us() + self.ahead // timedelta(microseconds=1)


@pytest.fixture
def clock():
    return MovedClock()


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


@pytest.fixture
def ann(io_loop, accounts, happened):
    ann = io_loop.run_sync(lambda: accounts.register("ann", "secret1", HOME))
    happened.take()
    return ann


async def begin(accounts, user, **options):
    return await accounts.begin_session(user, SessionKind.TOKEN, **options)


async def session_of(accounts, secret):
    return (await accounts.find_session(secret))[0]


# Signing in and out


@pytest.mark.gen_test
async def test_signing_in_and_out_is_told_and_plain_sessions_are_not(accounts, happened, ann):
    plain = await accounts.begin_session(ann, SessionKind.TOKEN)
    assert happened.take() == []
    secret = await accounts.sign_in(ann, SessionKind.COOKIE)
    assert happened.take() == [SignedIn(ann.id)]
    session = await session_of(accounts, secret)
    await accounts.sign_out(session)
    assert happened.take() == [SessionsEnded(ann.id, frozenset((session.id,))), SignedOut(ann.id)]
    assert await accounts.find_session(secret) is None
    replaced = await session_of(accounts, plain)
    assert await accounts.end_session(replaced, is_announced=False)
    assert happened.take() == []
    assert not await accounts.end_session(replaced)
    assert happened.take() == [SessionsEnded(ann.id, frozenset((replaced.id,)))]


@pytest.mark.gen_test
async def test_signing_out_twice_at_once_is_told_once(accounts, happened, ann):
    session = await session_of(accounts, await accounts.sign_in(ann, SessionKind.TOKEN))
    await asyncio.gather(*(accounts.sign_out(session) for _ in range(4)))
    assert happened.take().count(SignedOut(ann.id)) == 1


@pytest.mark.gen_test
async def test_whatever_is_no_token_is_nobodys(accounts, ann):
    secret = await begin(accounts, ann)
    for value in (
        *(None, True, False, 0, 1, 1.5, [], [secret], {}, {"$ne": None}, {"token": secret}, b"x", secret.encode()),
        *("", " ", "\0", f"{secret}\0", f" {secret}", f"{secret} ", secret[:-1], secret.swapcase(), "é", "x" * 10**6),
    ):
        assert await accounts.find_session(value) is None, value
    assert (await accounts.find_session(secret))[1] == ann


@pytest.mark.gen_test
async def test_having_a_token_means_one_that_is_live(accounts, clock, ann):
    assert not await accounts.has_token(ann.id)
    await accounts.sign_in(ann, SessionKind.COOKIE)
    assert not await accounts.has_token(ann.id)
    secrets = [await begin(accounts, ann) for _ in range(2)]
    for secret in secrets:
        assert await accounts.has_token(ann.id)
        await accounts.sign_out(await session_of(accounts, secret))
    assert not await accounts.has_token(ann.id)
    await begin(accounts, ann, **COUNTED)
    assert await accounts.has_token(ann.id)
    clock.ahead = timedelta(seconds=TOKEN_LIFETIME_S)
    assert not await accounts.has_token(ann.id)


# The number of tokens of one issuer


@pytest.mark.gen_test
async def test_the_token_beyond_the_limit_is_refused_until_one_is_given_back(accounts, happened, database, ann):
    secrets = [await accounts.sign_in(ann, SessionKind.TOKEN, **COUNTED) for _ in range(LIMIT)]
    happened.take()
    for sign_in in (accounts.sign_in, accounts.begin_session):
        with pytest.raises(TooManyTokens):
            await sign_in(ann, SessionKind.TOKEN, **COUNTED)
    assert happened.take() == []
    assert database.sessions.count_documents({}) == LIMIT
    for place in (3, 0, LIMIT - 1):
        await accounts.sign_out(await session_of(accounts, secrets[place]))
        secrets[place] = await begin(accounts, ann, **COUNTED)
        with pytest.raises(TooManyTokens):
            await begin(accounts, ann, **COUNTED)
    assert len({(await session_of(accounts, secret)).id for secret in secrets}) == LIMIT


@pytest.mark.gen_test
async def test_limits_are_counted_by_account_and_issuer(accounts, ann):
    bob = await accounts.register("bob", "secret1", HOME)
    for _ in range(LIMIT):
        await begin(accounts, ann, **COUNTED)
    for _ in range(LIMIT + 1):
        await begin(accounts, ann)
    await begin(accounts, ann, issuer="rooms", limit=1)
    await begin(accounts, bob, **COUNTED)
    for issuer, limit in (("rooms", 1), ("modes", LIMIT)):
        with pytest.raises(TooManyTokens):
            await begin(accounts, ann, issuer=issuer, limit=limit)


@pytest.mark.gen_test
async def test_counted_sessions_without_a_limit_count_for_those_with_one(accounts, ann):
    for _ in range(3):
        await begin(accounts, ann, issuer="modes")
    await begin(accounts, ann, issuer="modes", limit=4)
    with pytest.raises(TooManyTokens):
        await begin(accounts, ann, issuer="modes", limit=4)
    await begin(accounts, ann, issuer="modes")


@pytest.mark.parametrize("already", [0, 4, LIMIT - 1, LIMIT])
@pytest.mark.gen_test
async def test_sign_ins_at_the_same_time_get_exactly_as_many_tokens_as_are_free(accounts, database, ann, already):
    for _ in range(already):
        await begin(accounts, ann, **COUNTED)
    results = await asyncio.gather(*(begin(accounts, ann, **COUNTED) for _ in range(24)), return_exceptions=True)
    secrets = [result for result in results if isinstance(result, str)]
    assert len(secrets) == LIMIT - already
    assert all(isinstance(result, str | TooManyTokens) for result in results)
    assert all([await accounts.find_session(secret) for secret in secrets])
    assert database.sessions.count_documents({}) == LIMIT


@pytest.mark.gen_test
async def test_tokens_given_back_meanwhile_never_let_in_more_than_the_limit(accounts, database, ann):
    held = [await begin(accounts, ann, **COUNTED) for _ in range(LIMIT)]

    async def give_back(secret):
        await accounts.sign_out(await session_of(accounts, secret))

    await asyncio.gather(
        *(give_back(secret) for secret in held[::2]),
        *(begin(accounts, ann, **COUNTED) for _ in range(12)),
        return_exceptions=True,
    )
    assert database.sessions.count_documents({}) <= LIMIT
    while database.sessions.count_documents({}) < LIMIT:
        await begin(accounts, ann, **COUNTED)
    with pytest.raises(TooManyTokens):
        await begin(accounts, ann, **COUNTED)


@pytest.mark.gen_test
async def test_expired_tokens_do_not_count(accounts, clock, ann):
    for _ in range(LIMIT):
        await begin(accounts, ann, **COUNTED)
    clock.ahead = timedelta(seconds=TOKEN_LIFETIME_S - 1)
    with pytest.raises(TooManyTokens):
        await begin(accounts, ann, **COUNTED)
    clock.ahead = timedelta(seconds=TOKEN_LIFETIME_S + 1)
    for _ in range(LIMIT):
        await begin(accounts, ann, **COUNTED)
    with pytest.raises(TooManyTokens):
        await begin(accounts, ann, **COUNTED)


# Passwords


@pytest.mark.gen_test
async def test_sign_in_under_way_while_the_password_changes_fails(accounts, nova, monkeypatch, ann):
    session = await session_of(accounts, await begin(accounts, ann))
    check = nova._passwords.check

    async def change_meanwhile(password, hashed):
        fits = await check(password, hashed)
        await accounts.change(ann, session, HOME, password="secret2")
        return fits

    monkeypatch.setattr(nova._passwords, "check", change_meanwhile)
    with pytest.raises(WrongCredentials):
        await accounts.authenticate("ann", "secret1", HOME)
    monkeypatch.undo()
    assert (await accounts.authenticate("ann", "secret2", HOME)).id == ann.id


@pytest.mark.gen_test
async def test_sign_in_under_way_while_the_profile_changes_does_not_bring_the_old_one_back(
    accounts, nova, monkeypatch, ann
):
    session = await session_of(accounts, await begin(accounts, ann))
    check = nova._passwords.check

    async def change_meanwhile(password, hashed):
        fits = await check(password, hashed)
        await accounts.change(ann, session, HOME, first_name="Ann")
        return fits

    monkeypatch.setattr(nova._passwords, "check", change_meanwhile)
    assert (await accounts.authenticate("ann", "secret1", HOME)).first_name == "Ann"
    assert (await accounts.get_user(ann.id)).first_name == "Ann"


class TestWithLimits:
    """A server that counts failed sign-ins."""

    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=True)

    @pytest.mark.gen_test
    async def test_wrong_passwords_of_who_is_signed_in_count_as_failed_sign_ins(self, accounts, ann):
        await accounts.check_password(ann, "secret1", HOME)
        for number in range(FAILURES_PER_ACCOUNT_AND_ADDRESS):
            with pytest.raises(WrongPassword):
                await accounts.check_password(ann, ("secret2", "", "x" * 300, "a\0")[number % 4], HOME)
        for attempt in (
            accounts.check_password(ann, "secret1", HOME),
            accounts.authenticate("ann", "secret1", HOME),
        ):
            with pytest.raises(TooManyRequests):
                await attempt
