"""Changing one's own account by any protocol. Source: contract "protocols" sections 0.3, 0.4, 2.3, 3.5."""

import asyncio

import pytest

from nova_tornado.domain.errors import BadField, EmailTaken, NameTaken, NotSignedIn, WrongCredentials
from nova_tornado.domain.events import ProfileChanged, SessionsEnded
from nova_tornado.storage.sessions import SessionKind

HOME = "192.0.2.1"
PHOTO = "data:image/png;base64,QUJD"


@pytest.fixture
def ann(io_loop, accounts, happened):
    ann = io_loop.run_sync(
        lambda: accounts.register("ann", "secret1", HOME, email="ann@example.org", first_name="Ann", last_name="Lee")
    )
    happened.take()
    return ann


@pytest.fixture
def session(io_loop, accounts, ann):
    return io_loop.run_sync(lambda: new_session(accounts, ann))[1]


async def new_session(accounts, user, kind=SessionKind.TOKEN):
    secret = await accounts.begin_session(user, kind)
    return secret, (await accounts.find_session(secret))[0]


def fields(user, *names):
    return {name: getattr(user, name) for name in names}


@pytest.mark.parametrize(
    ("changes", "are_names_changed"),
    [
        ({"name": "Eve"}, True),
        ({"first_name": "Eve"}, True),
        ({"last_name": ""}, True),
        ({"last_name": "x" * 50}, True),
        ({"email": "eve+ä@example.org"}, False),
        ({"email": "ANN@example.org"}, False),
        ({"avatar_url": "https://example.org/a.png"}, False),
        ({"avatar_url": PHOTO}, False),
        ({"name": "Eve", "email": "e@v.e", "first_name": "E", "last_name": "V", "avatar_url": PHOTO}, True),
        ({"name": "ann", "email": "ann@example.org", "first_name": "Ann", "last_name": "Lee"}, False),
    ],
)
@pytest.mark.gen_test
async def test_changes_are_stored_shown_and_told(accounts, happened, ann, session, changes, are_names_changed):
    changed = await accounts.change(ann, session, HOME, **changes)
    assert fields(changed, *changes) == changes
    kept = {"id", "name", "email", "phone", "avatar_url", "first_name", "last_name"} - changes.keys()
    assert fields(changed, *kept) == fields(ann, *kept)
    assert happened.take() == [ProfileChanged(changed, are_names_changed)]
    assert await accounts.get_user(ann.id) == changed
    [[listed]] = [page async for page in accounts.list_accounts()]
    assert listed == changed
    for name in (changed.name, changed.email.upper()):
        assert await accounts.authenticate(name, "secret1", HOME) == changed


@pytest.mark.gen_test
async def test_empty_photo_is_a_generated_one(accounts, ann, session):
    await accounts.change(ann, session, HOME, avatar_url=PHOTO)
    changed = await accounts.change(ann, session, HOME, avatar_url="")
    assert changed.avatar_url.startswith("data:image/png;base64,") and changed.avatar_url != PHOTO


@pytest.mark.gen_test
async def test_old_name_and_address_sign_in_no_more(accounts, ann, session):
    await accounts.change(ann, session, HOME, name="eve", email="eve@example.org")
    for name in ("ann", "ann@example.org"):
        with pytest.raises(WrongCredentials):
            await accounts.authenticate(name, "secret1", HOME)
    bob = await accounts.register("ann", "secret1", HOME, email="ann@example.org")
    assert bob.id != ann.id


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"name": ""}, BadField),
        ({"name": 1}, BadField),
        ({"email": ""}, BadField),
        ({"email": "a@b"}, BadField),
        ({"email": ["a@b.c"]}, BadField),
        ({"password": "short"}, BadField),
        ({"password": "x" * 257}, BadField),
        ({"password": True}, BadField),
        ({"first_name": ""}, BadField),
        ({"first_name": "x" * 51}, BadField),
        ({"first_name": {"$ne": None}}, BadField),
        ({"last_name": "x" * 51}, BadField),
        ({"avatar_url": "ftp://a"}, BadField),
        ({"avatar_url": "data:text/html;base64,QUJD"}, BadField),
        ({"name": "bob"}, NameTaken),
        ({"email": "BOB@example.org"}, EmailTaken),
    ],
)
@pytest.mark.gen_test
async def test_one_bad_value_changes_nothing_and_ends_nothing(accounts, happened, database, ann, session, bad, error):
    await accounts.register("bob", "secret1", HOME, email="bob@example.org")
    secret, _ = await new_session(accounts, ann)
    before = database.users.find_one({"_id": ann.id})
    happened.take()
    good = {
        "name": "eve",
        "email": "eve@example.org",
        "password": "secret2",
        "first_name": "Eve",
        "last_name": "Doe",
        "avatar_url": PHOTO,
    }
    with pytest.raises(error):
        await accounts.change(ann, session, HOME, **{**good, **bad})
    assert database.users.find_one({"_id": ann.id}) == before
    assert await accounts.get_user(ann.id) == ann
    assert await accounts.find_session(secret) is not None
    assert happened.take() == []


@pytest.mark.parametrize("kind", list(SessionKind))
@pytest.mark.gen_test
async def test_new_password_ends_all_sessions_but_the_one_that_asks(accounts, happened, ann, kind):
    bob = await accounts.register("bob", "secret1", HOME)
    kept_secret, kept = await new_session(accounts, ann, kind)
    others = [await new_session(accounts, ann, other) for other in (*SessionKind, *SessionKind)]
    bobs, _ = await new_session(accounts, bob)
    happened.take()
    long = "x" * 200
    changed = await accounts.change(ann, kept, HOME, password=long)
    assert changed == ann
    ended = frozenset(session.id for _, session in others)
    assert happened.take() == [ProfileChanged(ann, False), SessionsEnded(ann.id, ended)]
    assert (await accounts.find_session(kept_secret)) == (kept, ann)
    for secret, _ in others:
        assert await accounts.find_session(secret) is None
    assert await accounts.find_session(bobs) is not None
    for wrong in ("secret1", long[:72], long + "x", long[:-1]):
        with pytest.raises(WrongCredentials):
            await accounts.authenticate("ann", wrong, HOME)
    assert await accounts.authenticate("ann", long, HOME) == ann


@pytest.mark.gen_test
async def test_password_and_sessions_change_together_or_not_at_all(accounts, happened, ann, session, nova, monkeypatch):
    secret, _ = await new_session(accounts, ann)

    async def fail(*_args):
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(nova.store.sessions, "delete_others", fail)
    with pytest.raises(RuntimeError):
        await accounts.change(ann, session, HOME, name="eve", password="secret2")
    assert happened.take() == []
    assert await accounts.authenticate("ann", "secret1", HOME) == ann
    assert await accounts.find_session(secret) is not None


@pytest.mark.gen_test
async def test_one_of_many_who_take_the_same_address_at_once_gets_it(accounts):
    users = [await accounts.register(f"user{number}", "secret1", HOME) for number in range(4)]
    sessions = [(await new_session(accounts, user))[1] for user in users]
    results = await asyncio.gather(
        *(
            accounts.change(user, session, HOME, email="Wanted@example.org")
            for user, session in zip(users, sessions, strict=True)
        ),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["EmailTaken"] * 3 + ["User"]


@pytest.mark.gen_test
async def test_an_account_that_is_gone_cannot_be_changed(accounts, happened, ann, session):
    await accounts.delete(ann)
    happened.take()
    with pytest.raises(NotSignedIn):
        await accounts.change(ann, session, HOME, first_name="Eve")
    assert happened.take() == []
    assert await accounts.find_account(ann.id) is None
