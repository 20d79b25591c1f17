"""Signing in by e-mail address. Source: contract "protocols" section 0.3."""

import pytest


async def set_email(person, email):
    assert (await person.patch("/user", {"old_password": person.password, "email": email})).status == 200


@pytest.mark.gen_test
async def test_an_account_signs_in_by_its_address_without_regard_to_case(people, guest):
    alice = await people("alice")
    email = "Alice.with+a.rather.long-address@mail.example.org"
    await set_email(alice, email)
    for written in (email, email.lower(), email.upper()):
        for path in ("/user/login", "/user/token"):
            answer = await guest.post(path, {"user_name": written, "password": "secret1"})
            assert answer.status == 200, (path, written, answer.body)
        assert (await guest.get("/user")).data["id"] == alice.id
    for password in ("secret2", "SECRET1"):
        answer = await guest.post("/user/login", {"user_name": email, "password": password})
        assert (answer.status, answer.error) == (403, "Invalid username or password")
    await set_email(alice, "")
    assert (await guest.post("/user/login", {"user_name": email, "password": "secret1"})).status == 403


@pytest.mark.gen_test
async def test_a_user_name_is_looked_up_before_an_address_and_then_the_other_is_tried(people, guest):
    named = await people("both@example.org", "of-the-name")
    addressed = await people("bob", "of-the-address")
    await set_email(addressed, "both@example.org")
    for password, person in (("of-the-name", named), ("of-the-address", addressed)):
        answer = await guest.post("/user/login", {"user_name": "both@example.org", "password": password})
        assert answer.data["id"] == person.id
    assert (await guest.post("/user/login", {"user_name": "both@example.org", "password": "of-nobody"})).status == 403


@pytest.mark.gen_test
async def test_what_is_neither_a_name_nor_an_address_is_refused_as_before(guest):
    for bad in ("a b@example.org", "a+b@c", "+@example", "a+b", "x" * 101 + "@example.org", "a\0@example.org"):
        assert (await guest.post("/user/login", {"user_name": bad, "password": "secret1"})).status == 400, bad


@pytest.mark.gen_test
async def test_an_unknown_address_costs_as_many_hashes_as_a_known_one(people, guest, nova, monkeypatch):
    alice = await people("alice")
    await set_email(alice, "alice@example.org")
    checked = []
    check = nova._passwords.check

    async def counting(password, hashed):
        checked.append(hashed is not None)
        return await check(password, hashed)

    monkeypatch.setattr(nova._passwords, "check", counting)
    counts = []
    for name in ("alice@example.org", "nobody@example.org"):
        assert (await guest.post("/user/login", {"user_name": name, "password": "wrong-one"})).status == 403
        counts.append(len(checked))
        checked.clear()
    assert counts == [2, 2]
