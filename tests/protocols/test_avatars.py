"""POST /user/avatar, and what becomes of the picture. Source: docs/protocols/actions.md."""

import asyncio
import re
from dataclasses import replace

import pytest
from clients.modes import come
from people import exchange
from protocols.test_uploads import BOUNDARY, check_safe, form, multipart, part, path_of, stored_files
from stored import snapshot

from nova_tornado.app import open_nova
from nova_tornado.native.file_handlers import FORM_MAX_BYTES
from nova_tornado.services.avatars import AVATAR_MAX_BYTES
from nova_tornado.settings import Settings
from nova_tornado.storage.files import PENDING_LIFETIME_S
from nova_tornado.testing.running import FakeClock

FRONTEND = "https://front.example"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PICTURES = {
    "png": ("image/png", PNG),
    "jpg": ("image/jpeg", b"\xff\xd8\xff\xe0" + bytes(100)),
    "gif": ("image/gif", b"GIF89a" + bytes(100)),
    "webp": ("image/webp", b"RIFF\x64\0\0\0WEBPVP8 " + bytes(100)),
}
NO_PICTURES = {
    "nothing": b"",
    "text": b"hello",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "HTML": b"<html>",
    "PDF": b"%PDF-1.7",
    "a video": b"\0\0\0\x18ftypmp42" + bytes(20),
    "a broken PNG": b"\x89PNG",
    "a WAVE": b"RIFF\x64\0\0\0WAVE" + bytes(20),
}


@pytest.fixture
def settings():
    return Settings(bcrypt_rounds=4, rate_limits=False, allow_origin=(FRONTEND,))


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


async def send(person, data=PNG, headers=None, **more):
    body = form(part(data, **more))
    return await person.post("/user/avatar", raw_body=body, headers={**multipart(), **(headers or {})})


async def set_avatar(person, data=PNG):
    """Upload an avatar; returns its path."""
    return path_of({"url": (await send(person, data)).data["avatar_url"]})


async def status(person, path):
    return (await person.get(path)).status


async def swept(nova, database):
    """How many files and pieces of files are left after a sweep."""
    await nova.services.files.sweep()
    return stored_files(database)


# Uploads


@pytest.mark.parametrize("ending", PICTURES)
@pytest.mark.gen_test
async def test_a_picture_becomes_the_avatar_and_is_shown_to_anybody(people, guest, ending):
    content_type, data = PICTURES[ending]
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    hers, hers_too, his = await alice.socket(), await (await alice.again()).socket(), await bob.socket()
    answer = (await send(alice, data, name="../me.html", more="Content-Type: text/html\r\n")).data
    assert answer.keys() == {"id", "user_name", "avatar_url", "email", "phone"}
    url = answer["avatar_url"]
    assert re.fullmatch(rf"http://127\.0\.0\.1:8000/files/[A-Za-z0-9_-]{{32,}}/avatar\.{ending}", url)
    for socket in (hers, hers_too):
        assert await socket.expect("profile_change") == [None]
        await socket.expect_nothing()
    await his.expect_nothing()
    assert (await alice.get("/user")).data == answer
    assert (await bob.get(f"/user/{alice.id}")).data["avatar_url"] == url
    assert (await bob.get("/friend")).data[0]["friend"]["avatar_url"] == url
    shown = await guest.get(path_of({"url": url}))
    assert (shown.status, shown.body, shown.headers["Content-Type"]) == (200, data, content_type)
    assert shown.headers["Content-Disposition"].startswith(f'inline; filename="avatar.{ending}"')
    check_safe(shown)


@pytest.mark.gen_test
async def test_a_picture_may_have_256_kib(people, guest, database):
    alice = await people("alice")
    largest = PNG + bytes(AVATAR_MAX_BYTES - len(PNG))
    path = await set_avatar(alice, largest)
    assert (await guest.get(path)).body == largest
    before = snapshot(database)
    for size in (AVATAR_MAX_BYTES + 1, AVATAR_MAX_BYTES + FORM_MAX_BYTES + 1, 10 * AVATAR_MAX_BYTES):
        answer = await send(alice, PNG + bytes(size - len(PNG)))
        assert answer.status == 413 and answer.error, size
    assert "256 KiB" in (await send(alice, PNG + bytes(AVATAR_MAX_BYTES))).error
    assert snapshot(database) == before
    assert await status(guest, path) == 200


@pytest.mark.gen_test
async def test_a_chunked_picture_beyond_the_limit_is_413(people, http_port, database):
    alice = await people("alice")
    body = form(part(PNG + bytes(AVATAR_MAX_BYTES)))
    head = f"POST /user/avatar HTTP/1.1\r\nHost: x\r\nCookie: sessionid={alice.cookie}\r\n"
    head += f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await exchange(http_port, head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert (answer.status, answer.error) == (413, "A file cannot be larger than 256 KiB")
    assert stored_files(database) == 0


@pytest.mark.parametrize("data", NO_PICTURES.values(), ids=NO_PICTURES)
@pytest.mark.gen_test
async def test_what_is_no_picture_by_its_bytes_is_refused(people, database, data):
    alice = await people("alice")
    socket = await alice.socket()
    before = snapshot(database)
    answer = await send(alice, data, name="me.png", more="Content-Type: image/png\r\n")
    assert (answer.status, answer.error) == (400, "The file must be a picture: PNG, JPEG, GIF or WebP")
    assert snapshot(database) == before
    await socket.expect_nothing()


@pytest.mark.gen_test
async def test_who_may_not_and_what_cannot_be_read_is_refused_as_for_files(people, guest, database):
    alice = await people("alice")
    before = snapshot(database)
    assert (await send(guest)).status == 403
    assert (await send(alice, headers={"Origin": "https://evil.example"})).status == 403
    assert (await send(alice, field="picture")).status == 400
    assert (await send(alice, name=None)).status == 400
    assert (await alice.post("/user/avatar", {"avatar_url": ""})).status == 400
    assert (await alice.post("/user/avatar", raw_body=form(part(PNG))[:60], headers=multipart())).status == 400
    answer = await alice.get("/user/avatar")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, OPTIONS")
    assert snapshot(database) == before
    assert (await send(alice, headers={"Origin": FRONTEND})).status == 200


# What becomes of it


@pytest.mark.gen_test
async def test_it_is_no_file_that_waits_to_be_sent(people, guest, nova, clock, database):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    path = await set_avatar(alice)
    file_id = database["uploads.files"].find_one()["_id"]
    socket = await alice.socket()
    await socket.send("send_message", {"chat_id": chat_id, "content": "me", "files": [file_id]})
    assert "file" in await socket.expect_error()
    clock.move(2 * PENDING_LIFETIME_S)
    assert await nova.services.files.sweep() == 0
    assert (await guest.get(path)).body == PNG


@pytest.mark.gen_test
async def test_the_one_before_goes_when_another_is_uploaded(people, guest, nova, database):
    alice, bob = await people("alice"), await people("bob")
    of_bob = await set_avatar(bob)
    first = await set_avatar(alice)
    second = await set_avatar(alice, PICTURES["jpg"][1])
    assert [await status(guest, path) for path in (first, second, of_bob)] == [404, 200, 200]
    assert await swept(nova, database) == 4  # two files of one piece each
    assert [await status(guest, path) for path in (first, second, of_bob)] == [404, 200, 200]


async def by_url(person):
    await person.patch("/user", {"avatar_url": "https://example.org/me.png"})


async def by_none(person):
    await person.patch("/user", {"avatar_url": ""})


async def by_modes(person):
    client = await come(person)
    await client.ask("setProfilePhoto", photo="https://example.org/me.png")


@pytest.mark.parametrize("change", [by_url, by_none, by_modes])
@pytest.mark.gen_test
async def test_it_goes_when_the_avatar_is_changed_in_any_other_way(people, guest, nova, database, change):
    alice = await people("alice")
    path = await set_avatar(alice)
    await change(alice)
    assert not (await alice.get("/user")).data["avatar_url"].endswith(path)
    assert await status(guest, path) == 404
    assert await swept(nova, database) == 0


@pytest.mark.gen_test
async def test_it_stays_when_something_else_is_changed_or_the_same_is_set_again(people, guest, nova, database):
    alice = await people("alice")
    path = await set_avatar(alice)
    url = (await alice.get("/user")).data["avatar_url"]
    for change in ({"user_name": "alicia"}, {"avatar_url": url}, {}, {"avatar_url": "ftp://x"}):
        await alice.patch("/user", change)
        assert (await alice.get("/user")).data["avatar_url"] == url
        assert await swept(nova, database) == 2
        assert await status(guest, path) == 200


@pytest.mark.gen_test
async def test_it_goes_with_the_account(people, guest, nova, database):
    alice, bob = await people("alice"), await people("bob")
    path, of_bob = await set_avatar(alice), await set_avatar(bob)
    assert (await alice.delete("/user")).data is None
    assert [await status(guest, each) for each in (path, of_bob)] == [404, 200]
    assert await swept(nova, database) == 2


@pytest.mark.gen_test
async def test_of_many_at_the_same_moment_one_stays(people, guest, nova, database):
    alice = await people("alice")
    answers = await asyncio.gather(*(send(alice, PNG + bytes([number])) for number in range(8)))
    assert {answer.status for answer in answers} == {200}
    url = (await alice.get("/user")).data["avatar_url"]
    shown = [await status(guest, path_of({"url": answer.data["avatar_url"]})) for answer in answers]
    assert sorted(shown) == [200] + [404] * 7
    assert await status(guest, path_of({"url": url})) == 200
    assert await swept(nova, database) == 2


@pytest.mark.expects_log("internal error")
@pytest.mark.gen_test
async def test_a_failure_in_between_leaves_the_one_before(people, guest, nova, clock, database, monkeypatch):
    alice = await people("alice")
    path = await set_avatar(alice)
    before = (await alice.get("/user")).data
    socket = await alice.socket()
    with monkeypatch.context() as patch:
        patch.setattr(nova.store.files, "forget_avatars", None)  # the last step
        assert (await send(alice)).status == 500
    assert (await alice.get("/user")).data == before
    assert await status(guest, path) == 200
    await socket.expect_nothing()
    clock.move(PENDING_LIFETIME_S + 1)
    assert await swept(nova, database) == 2


@pytest.mark.gen_test
async def test_a_picture_that_is_gone_before_it_is_set_is_no_avatar(people, nova, clock):
    alice = await people("alice")
    user = await nova.services.accounts.get_user(alice.id)
    session, _ = await nova.services.accounts.find_session(alice.cookie)
    upload = await nova.services.files.begin_avatar(user)
    await upload.write(PNG)
    picture = await upload.finish()
    clock.move(PENDING_LIFETIME_S + 1)
    with pytest.raises(Exception, match="unavailable"):
        await nova.services.accounts.set_avatar(user, session, "192.0.2.1", picture)
    assert (await alice.get("/user")).data["avatar_url"] == user.avatar_url


@pytest.mark.gen_test
async def test_its_url_follows_the_address_of_the_server(people, guest, settings, mongo, database):
    alice = await people("alice")
    path = await set_avatar(alice)
    moved = replace(settings, base_url="https://chat.example/nova")
    second = await open_nova(moved, mongo.uri, database=database.name)
    try:
        user = await second.services.accounts.get_user(alice.id)
        assert user.avatar_url == f"https://chat.example/nova{path}"
        session, _ = await second.services.accounts.find_session(alice.cookie)
        for url, shown in ((user.avatar_url, 200), ("https://example.org/x.png", 404)):
            changed = await second.services.accounts.change(user, session, "192.0.2.1", avatar_url=url)
            assert changed.avatar_url == url
            assert await status(guest, path) == shown
    finally:
        await second.close()
