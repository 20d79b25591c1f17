"""Making accounts, and finding them. Source: contract "protocols" section 0.3; contract "actions" section 2."""

import asyncio

import pytest

from nova_tornado.domain.errors import BadField, EmailTaken, NameTaken, WrongCredentials
from nova_tornado.domain.events import AccountCreated
from nova_tornado.services import accounts as accounts_module

HOME = "192.0.2.1"
NAMES = {"first_name": "Ann", "last_name": "Lee"}


async def confirm(accounts, email, **names):
    """An account as a confirmed registration makes it."""
    password_hash = await accounts.hash_password("secret1")
    return await accounts.register_hashed(password_hash, email=email, **{**NAMES, **names})


def count_persons(database):
    return database.users.count_documents({"is_system": {"$exists": False}})


@pytest.mark.gen_test
async def test_account_with_address_and_names_is_stored_told_and_signs_in_by_both(accounts, happened, database):
    ann = await accounts.register("ann", "secret1", HOME, email="Ann@Example.org", **NAMES)
    assert (ann.name, ann.email, ann.first_name, ann.last_name) == ("ann", "Ann@Example.org", "Ann", "Lee")
    assert happened.take() == [AccountCreated(ann)]
    for name in ("ann", "ann@example.ORG"):
        assert await accounts.authenticate(name, "secret1", HOME) == ann
    [group] = database.friend_groups.find({"owner": ann.id})
    assert group["is_default"]


@pytest.mark.gen_test
async def test_account_without_names_shows_its_user_name(accounts, database):
    ann = await accounts.register("ann", "secret1", HOME)
    assert (ann.email, ann.first_name, ann.last_name, ann.shown_first_name) == ("", "", "", "ann")
    stored = database.users.find_one({"_id": ann.id})
    assert not stored.keys() & {"first_name", "last_name", "email_key"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"user_name": "a b"}, BadField),
        ({"user_name": None}, BadField),
        ({"password": "short"}, BadField),
        ({"password": "x" * 257}, BadField),
        ({"email": "a@b"}, BadField),
        ({"email": None}, BadField),
        ({"email": {"$ne": None}}, BadField),
        ({"first_name": "x" * 51}, BadField),
        ({"first_name": 1}, BadField),
        ({"last_name": "x" * 51}, BadField),
        ({"last_name": None}, BadField),
        ({"user_name": "taken"}, NameTaken),
        ({"email": "TAKEN@example.org"}, EmailTaken),
    ],
)
@pytest.mark.gen_test
async def test_refused_registration_stores_nothing_and_is_told_to_nobody(accounts, happened, database, change, error):
    await accounts.register("taken", "secret1", HOME, email="taken@example.org")
    happened.take()
    request = {"user_name": "ann", "password": "secret1", "email": "ann@example.org", **NAMES, **change}
    with pytest.raises(error):
        await accounts.register(request.pop("user_name"), request.pop("password"), HOME, **request)
    assert happened.take() == []
    assert count_persons(database) == database.friend_groups.count_documents({}) == 1


@pytest.mark.gen_test
async def test_one_of_many_who_want_the_same_address_at_once_gets_it(accounts, happened, database):
    results = await asyncio.gather(
        *(accounts.register(f"ann{n}", "secret1", HOME, email="ann@example.org") for n in range(4)),
        *(confirm(accounts, "Ann@Example.org") for _ in range(4)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["EmailTaken"] * 7 + ["User"]
    assert count_persons(database) == len(happened.take()) == 1


# Names made from addresses


@pytest.mark.gen_test
async def test_confirmed_registration_makes_an_account_that_signs_in(accounts, happened):
    ann = await confirm(accounts, "Ann.Lee+news@example.org", last_name="")
    assert (ann.name, ann.email) == ("Ann.Leenews", "Ann.Lee+news@example.org")
    assert (ann.first_name, ann.last_name) == ("Ann", "")
    assert happened.take() == [AccountCreated(ann)]
    for name in ("Ann.Leenews", "ann.lee+NEWS@example.org"):
        assert await accounts.authenticate(name, "secret1", HOME) == ann
    with pytest.raises(EmailTaken):
        await confirm(accounts, "ann.lee+news@example.org")


@pytest.mark.gen_test
async def test_names_that_are_taken_get_a_number(accounts):
    await accounts.register("ann-2", "secret1", HOME)
    names = [(await confirm(accounts, f"ann@{n}.example.org")).name for n in range(3)]
    assert names == ["ann", "ann-3", "ann-4"]
    assert [(await confirm(accounts, f"äöü@{n}.example.org")).name for n in range(2)] == ["user", "user-2"]
    long = [(await confirm(accounts, f"{'x' * 60}@{n}.example.org")).name for n in range(2)]
    assert long == ["x" * 24, "x" * 24 + "-2"]


@pytest.mark.gen_test
async def test_names_are_numbered_beyond_one_lookup(accounts, monkeypatch):
    monkeypatch.setattr(accounts_module, "NAMES_PER_LOOKUP", 2)
    names = [(await confirm(accounts, f"ann@{n}.example.org")).name for n in range(6)]
    assert names == ["ann", *(f"ann-{n}" for n in range(2, 7))]


@pytest.mark.gen_test
async def test_many_of_one_local_part_at_once_get_different_names(accounts, happened, database):
    made = await asyncio.gather(*(confirm(accounts, f"ann@{n}.example.org") for n in range(8)))
    assert sorted(user.name for user in made) == ["ann", *(f"ann-{n}" for n in range(2, 9))]
    assert len({user.id for user in made}) == count_persons(database) == 8
    assert database.friend_groups.count_documents({}) == 8
    assert {event.user for event in happened.take()} == set(made)


@pytest.mark.gen_test
async def test_only_good_passwords_are_hashed_for_later(accounts):
    for password in ("short", "with space", "x" * 257, None, 123456):
        with pytest.raises(BadField):
            await accounts.hash_password(password)
    assert b"secret1" not in await accounts.hash_password("secret1")


# Finding


@pytest.mark.gen_test
async def test_accounts_are_found_by_name_and_id_and_listed_without_system_users(accounts, nova, monkeypatch):
    monkeypatch.setattr("nova_tornado.storage.users.PAGE_USERS", 2)
    made = [await accounts.register(name, "secret1", HOME) for name in ("zoe", "ann", "Bob", "cid", "dan")]
    pages = [page async for page in accounts.list_accounts()]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [user for page in pages for user in page] == made
    for user in made:
        assert await accounts.find_account(user.id) == await accounts.find_account_by_name(user.name) == user
    for name in ("", "bob", "ANN", "nobody", "#SYSTEM", "#DELETED", "x" * 10_000, "ann\0", "名"):
        assert await accounts.find_account_by_name(name) is None, name
    system = nova.services.directory.system, nova.services.directory.deleted
    for user_id in (0, made[-1].id + 1, 2**53, *(user.id for user in system)):
        assert await accounts.find_account(user_id) is None, user_id
    for user in system:
        with pytest.raises(BadField):
            await accounts.authenticate(user.name, "secret1", HOME)


@pytest.mark.gen_test
async def test_whose_name_an_address_is_signs_in_before_whose_address_it_is(accounts):
    named = await accounts.register("both@example.org", "of-the-name", HOME)
    owner = await accounts.register("owner", "of-the-address", HOME, email="Both@example.org")
    for password, user in (("of-the-name", named), ("of-the-address", owner)):
        assert await accounts.authenticate("both@example.org", password, HOME) == user
    with pytest.raises(WrongCredentials):
        await accounts.authenticate("both@example.org", "of-nobody", HOME)


@pytest.mark.gen_test
async def test_wide_addresses_sign_in(accounts):
    ann = await accounts.register("ann", "secret1", HOME, email="O'Neil+Ä@exämple.org")
    assert await accounts.authenticate("o'neil+ä@EXÄMPLE.org", "secret1", HOME) == ann
