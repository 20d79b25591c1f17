"""Hashing of passwords of all lengths. Source: contract "protocols" section 0.3 (6–256 characters)."""

import bcrypt
import pytest

from nova_tornado.services import passwords as passwords_module
from nova_tornado.services.passwords import PasswordHasher

EDGES = [
    *("secret", "x" * 71, "x" * 72, "x" * 73, "x" * 74, "x" * 144, "x" * 255, "x" * 256),
    *("ä" * 36, "ä" * 37, "x" * 71 + "ä", "x" * 70 + "ä", "😀" * 18, "😀" * 19, "😀" * 256, "ÿ" * 50),
]
"""Around 72 bytes of UTF-8, where bcrypt stops reading."""


@pytest.fixture
def hasher():
    hasher = PasswordHasher(rounds=4)
    yield hasher
    hasher.close()


@pytest.mark.gen_test
async def test_every_password_fits_its_own_hash_and_no_other(hasher):
    hashes = {password: await hasher.hash(password) for password in EDGES}
    for password in EDGES:
        fitting = [other for other, hashed in hashes.items() if await hasher.check(password, hashed)]
        assert fitting == [password]


@pytest.mark.gen_test
async def test_long_passwords_do_not_fit_by_their_beginning_or_with_an_addition(hasher):
    for password in ("x" * 73, "x" * 256, "ä" * 100):
        hashed = await hasher.hash(password)
        for length in range(len(password)):
            if length < 6 or length > 66:
                assert not await hasher.check(password[:length], hashed), length
        assert not await hasher.check(password + "x", hashed)
        assert not await hasher.check(password[:-1] + "y", hashed)


@pytest.mark.gen_test
async def test_hashes_made_before_long_passwords_were_allowed_still_fit(hasher):
    for password in ("secret1", "x" * 71, "x" * 72, "ä" * 36):
        assert await hasher.check(password, bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)))


@pytest.mark.gen_test
async def test_what_bcrypt_is_given_for_a_long_password_is_no_password(hasher):
    for password in ("x" * 73, "x" * 256):
        given = passwords_module._bcrypt_input(password)
        hashed = await hasher.hash(password)
        assert bcrypt.checkpw(given, hashed) and len(given) <= 72
        with pytest.raises(UnicodeDecodeError):
            given.decode()
        for text in (given[1:].decode(), given.decode("latin-1"), given.decode(errors="replace")):
            assert not await hasher.check(text, hashed)


@pytest.mark.gen_test
async def test_what_nobody_can_have_as_a_password_fits_nothing(hasher):
    hashed = await hasher.hash("x" * 72)
    for password in ("", "x" * 257, "x" * 10**6, "x" * 72 + "\0", "\0", "x" * 71 + "\0"):
        assert not await hasher.check(password, hashed), len(password)
    assert not await hasher.check("x" * 72, None)
    assert not await hasher.check("x" * 200, None)
