"""Files without any protocol: storing, waiting, being taken by a message, reading, going.

Source: contract "actions" section 8 (POST /files); contract "protocols" sections 1.4, 1.5.
"""

import asyncio
import re

import pytest
from people import WAIT_S

from nova_tornado.domain.errors import BadField, TooLarge, TooManyRequests, Unavailable
from nova_tornado.realtime.clock import Clock
from nova_tornado.services import files as files_module
from nova_tornado.services.content_types import OTHER, detect
from nova_tornado.settings import Settings
from nova_tornado.storage.files import CHUNK_BYTES, KEY_BYTES, file_document, file_of, file_url

HOUR_US = 3600 * 1_000_000
MIB = 1024**2


class MovedClock(Clock):
    """The machine's clock, moved as far as a test wants."""

    moved_us = 0

    def now_us(self):
        return super().now_us() + self.moved_us


@pytest.fixture
def clock():
    return MovedClock()


@pytest.fixture
def settings():
    return Settings(bcrypt_rounds=4, rate_limits=False, base_url="https://chat.example/nova", file_max_mib=1)


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


@pytest.fixture
def files(nova):
    return nova.services.files


@pytest.fixture
def ann(nova, io_loop):
    return io_loop.run_sync(lambda: nova.services.accounts.register("ann", "secret1", "192.0.2.1"))


@pytest.fixture
def bob(nova, io_loop):
    return io_loop.run_sync(lambda: nova.services.accounts.register("bob", "secret1", "192.0.2.1"))


def key_of(file):
    return re.search(r"/files/([^/]+)", file.url)[1]


async def read(files, file, start=0, end=None):
    return b"".join([piece async for piece in files.read(file, start, file.size_bytes if end is None else end)])


def is_empty(database):
    return not any(database[name].count_documents({}) for name in ("uploads.files", "uploads.chunks"))


async def attach(nova, files_, user, chat_id=7, message_id=7 * 10**8 + 1):
    """Give files to a message as the sending of it does."""

    async def work(session):
        ids = [file.id for file in files_]
        return await nova.store.files.attach(ids, user.id, chat_id, message_id, nova.services.clock.now_us(), session)

    return await nova.store.database.transaction(work)


# Storing and reading


@pytest.mark.gen_test
async def test_stored_file_is_found_by_its_key_with_exactly_its_bytes(files, ann, database):
    for size in (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5):
        data = bytes(number % 251 for number in range(size))
        file = await files.store(ann, "a b.bin", data)
        assert (file.name, file.size_bytes, file.content_type) == ("a b.bin", size, OTHER)
        assert file.url == f"https://chat.example/nova/files/{key_of(file)}/a%20b.bin"
        assert await files.find(key_of(file)) == file
        assert await read(files, file) == data
        assert await read(files, file, 1, size - 1) == data[1 : size - 1]
    assert await read(files, file, CHUNK_BYTES, CHUNK_BYTES + 1) == data[CHUNK_BYTES : CHUNK_BYTES + 1]
    document = database["uploads.files"].find_one({"_id": file.id})
    assert (document["length"], document["chunkSize"], document["filename"]) == (size, CHUNK_BYTES, "a b.bin")
    chunks = list(database["uploads.chunks"].find({"files_id": file.id}).sort("n"))
    assert [chunk["n"] for chunk in chunks] == [0, 1, 2, 3]


@pytest.mark.gen_test
async def test_a_file_can_be_read_by_the_usual_tools_of_gridfs(files, ann, database):
    from gridfs import GridFSBucket

    file = await files.store(ann, "x", b"y" * (CHUNK_BYTES + 9))
    assert GridFSBucket(database, "uploads").open_download_stream(file.id).read() == b"y" * (CHUNK_BYTES + 9)


@pytest.mark.gen_test
async def test_ids_grow_and_keys_cannot_be_guessed(files, ann):
    made = [await files.store(ann, "x", b"x") for _ in range(5)]
    assert [file.id for file in made] == sorted({file.id for file in made})
    assert len({key_of(file) for file in made}) == 5
    assert all(len(key_of(file)) >= KEY_BYTES * 4 / 3 for file in made)


@pytest.mark.gen_test
async def test_what_is_no_key_finds_nothing(files, ann):
    file = await files.store(ann, "x", b"x")
    key = key_of(file)
    for other in ("", key[:-1], key + "x", key.swapcase(), "x" * 100_000, "ü", "\0", "$ne", str(file.id)):
        assert await files.find(other) is None, other


@pytest.mark.parametrize(
    "name", ["", "x" * 256, "a/b", "a\\b", "../x", "a\0b", "a\r\nb", "\x7f", "\x85", "\ud800", 1, None]
)
@pytest.mark.gen_test
async def test_bad_name_is_refused_and_nothing_stored(files, ann, database, name):
    with pytest.raises(BadField):
        await files.store(ann, name, b"x")
    assert is_empty(database)


@pytest.mark.parametrize(
    "name", ["x", "é" * 255, "..", ".", 'a"b', "🎉.png", "a%2fb", "<b>.txt", " ", "a;b", "\u202egpj.exe"]
)
@pytest.mark.gen_test
async def test_odd_name_is_kept_as_sent(files, ann, name):
    file = await files.store(ann, name, b"x")
    found = await files.find(key_of(file))
    assert found.name == name
    path = found.url.removeprefix(f"https://chat.example/nova/files/{key_of(file)}")
    assert path.isascii() and path.count("/") <= 1 and not re.search(r'[\s"<>;]|/\.{1,2}$', path)


@pytest.mark.gen_test
async def test_too_large_a_file_is_refused_and_nothing_stored(files, ann, database):
    with pytest.raises(TooLarge):
        await files.store(ann, "x", b"x" * (MIB + 1))
    upload = await files.begin(ann, "x")
    await upload.write(b"x" * MIB)
    with pytest.raises(TooLarge):
        await upload.write(b"x")
    await upload.abort()
    assert is_empty(database)
    assert (await files.store(ann, "x", b"x" * MIB)).size_bytes == MIB


@pytest.mark.gen_test
async def test_upload_cannot_be_found_before_its_end(files, ann, database, nova):
    upload = await files.begin(ann, "x")
    await upload.write(b"x" * (CHUNK_BYTES + 1))
    [document] = database["uploads.files"].find()
    assert "key" not in document["metadata"]
    assert await nova.store.files.find_pending([document["_id"]], ann.id, nova.services.clock.now_us()) is None
    file = await upload.finish()
    assert await files.find(key_of(file)) == file


@pytest.mark.gen_test
async def test_aborted_upload_leaves_nothing(files, ann, database):
    upload = await files.begin(ann, "x")
    await upload.write(b"x" * CHUNK_BYTES)
    writing = asyncio.create_task(upload.write(b"y" * (2 * CHUNK_BYTES)))
    await asyncio.sleep(0)
    await upload.abort()
    await writing
    await upload.write(b"x")
    assert is_empty(database)


# What it is


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
        (b"OggS\0" + b"\0" * 23 + b"OpusHead", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"%PDF-1.7", "application/pdf"),
    ],
)
def test_what_browsers_may_show_is_recognised(head, content_type):
    assert detect(head) == content_type


@pytest.mark.parametrize(
    "head",
    [
        *(b"", b"x", b"<html>", b"<!DOCTYPE html>", b"<svg xmlns=", b"<?xml ", b"alert(1)", b"#!/bin/sh", b"MZ"),
        *(b"RIFF", b"RIFF\0\0\0\0AVI ", b"\0\0\0\x20ftypqt  ", b"OggS\0", b"\x1a\x45\xdf\xa3matroska", b"\xff\xd8"),
        *(b" \x89PNG\r\n\x1a\n", b"\xef\xbb\xbf<svg", "<script>".encode("utf-16")),
    ],
)
def test_everything_else_is_only_bytes(head):
    assert detect(head) == OTHER


# Pending


@pytest.mark.gen_test
async def test_pending_files_are_their_uploaders_for_an_hour(files, ann, bob, nova, clock):
    pending = nova.store.files
    one, two = [await files.store(ann, name, b"x") for name in "ab"]
    assert await pending.find_pending([two.id, one.id], ann.id, clock.now_us()) == (two, one)
    assert await pending.find_pending([], ann.id, clock.now_us()) == ()
    assert await pending.find_pending([one.id], bob.id, clock.now_us()) is None
    for wrong in ([one.id, 999], [0], [-1], [2**53]):
        assert await pending.find_pending(wrong, ann.id, clock.now_us()) is None, wrong
    clock.moved_us = HOUR_US - 10_000_000
    assert await pending.find_pending([one.id], ann.id, clock.now_us()) == (one,)
    assert await files.find(key_of(one)) == one
    clock.moved_us = HOUR_US + 1
    assert await pending.find_pending([one.id], ann.id, clock.now_us()) is None
    assert await files.find(key_of(one)) is None


@pytest.mark.gen_test
async def test_files_are_attached_once_and_all_or_none(files, ann, bob, nova, clock):
    one, two = [await files.store(ann, name, b"x") for name in "ab"]
    assert await attach(nova, [one], bob) is None
    assert await attach(nova, [one], ann) == (one,)
    assert await attach(nova, [one, two], ann) is None
    assert await attach(nova, [two], ann) == (two,)
    clock.moved_us = 24 * HOUR_US
    assert await files.sweep() == 0
    assert await nova.store.files.find_by_key(key_of(one), clock.now_us()) is not None


@pytest.mark.gen_test
async def test_of_two_messages_at_once_one_gets_the_file(files, ann, nova):
    file = await files.store(ann, "x", b"x")
    got = await asyncio.gather(*(attach(nova, [file], ann, 7, 7 * 10**8 + number) for number in range(8)))
    assert sorted(map(bool, got)) == [False] * 7 + [True]
    [stored] = [found async for found in nova.store.files.collection.find({"_id": file.id})]
    assert stored["metadata"]["message"] == 7 * 10**8 + got.index((file,))


@pytest.mark.gen_test
async def test_transaction_that_fails_leaves_the_file_pending(files, ann, nova, clock):
    file = await files.store(ann, "x", b"x")

    async def work(session):
        assert await nova.store.files.attach([file.id], ann.id, 7, 7 * 10**8, clock.now_us(), session)
        raise Unavailable

    with pytest.raises(Unavailable):
        await nova.store.database.transaction(work)
    assert await nova.store.files.find_pending([file.id], ann.id, clock.now_us()) == (file,)


# Going


@pytest.mark.gen_test
async def test_sweep_removes_what_was_pending_for_an_hour_and_broken_uploads(files, ann, nova, clock, database):
    kept = await files.store(ann, "kept", b"k" * (CHUNK_BYTES + 1))
    assert await attach(nova, [kept], ann)
    await files.store(ann, "old", b"o" * (2 * CHUNK_BYTES))
    broken = await files.begin(ann, "broken")
    await broken.write(b"b" * (2 * CHUNK_BYTES))
    assert await files.sweep() == 0
    clock.moved_us = HOUR_US // 2
    young = await files.store(ann, "young", b"y")
    clock.moved_us = HOUR_US + 1_000_000
    assert await files.sweep() == 2
    assert {document["_id"] for document in database["uploads.files"].find()} == {kept.id, young.id}
    assert {chunk["files_id"] for chunk in database["uploads.chunks"].find()} == {kept.id, young.id}
    with pytest.raises(Unavailable):
        await broken.finish()
    await broken.abort()
    assert database["uploads.chunks"].count_documents({"files_id": {"$nin": [kept.id, young.id]}}) == 0


@pytest.mark.gen_test
async def test_sweep_takes_nothing_that_a_message_takes_at_that_moment(files, ann, nova, clock):
    made = [await files.store(ann, "x", b"x") for _ in range(20)]
    clock.moved_us = HOUR_US - 1_000_000
    late = clock.now_us() + 2_000_000  # the sweep's clock is ahead of that of whoever sends
    attached, _ = await asyncio.gather(
        asyncio.gather(*(attach(nova, [file], ann) for file in made)), nova.store.files.sweep(late)
    )
    for file, got in zip(made, attached, strict=True):
        found = await nova.store.files.find_by_key(key_of(file), clock.now_us())
        assert (found is not None) == (got is not None)
        assert await read(files, file) == (b"x" if got else b"")


@pytest.mark.gen_test
async def test_the_sweep_runs_by_itself_from_the_start_on(
    start_nova, settings, clock, nova, ann, database, monkeypatch
):
    swept = asyncio.Event()
    sweep = nova.store.files.sweep

    async def tell(now_us):
        if await sweep(now_us):
            swept.set()

    monkeypatch.setattr(nova.store.files, "sweep", tell)
    monkeypatch.setattr(files_module, "SWEEP_INTERVAL_S", 0.01)
    await nova.services.files.store(ann, "x", b"x")
    await nova.services.files.close()
    await nova.services.files.open()
    clock.moved_us = HOUR_US + 1
    await asyncio.wait_for(swept.wait(), WAIT_S)
    assert is_empty(database)


@pytest.mark.expects_log("unsent files could not be removed")
@pytest.mark.gen_test
async def test_sweep_that_fails_is_tried_again(nova, monkeypatch):
    tries = asyncio.Queue()

    async def fail(_now_us):
        tries.put_nowait(None)
        raise Unavailable

    monkeypatch.setattr(files_module, "SWEEP_INTERVAL_S", 0)
    monkeypatch.setattr(nova.store.files, "sweep", fail)
    await nova.services.files.close()
    await nova.services.files.open()
    for _ in range(3):
        await asyncio.wait_for(tries.get(), WAIT_S)


@pytest.mark.gen_test
async def test_discard_removes_pending_files_alone(files, ann, nova, database):
    sent, unsent = [await files.store(ann, name, b"x") for name in "ab"]
    assert await attach(nova, [sent], ann)
    await files.discard([sent.id, unsent.id, 999])
    assert [document["_id"] for document in database["uploads.files"].find()] == [sent.id]
    assert [chunk["files_id"] for chunk in database["uploads.chunks"].find()] == [sent.id]


@pytest.mark.gen_test
async def test_deleted_in_a_transaction_is_unreadable_at_once_and_swept(files, ann, nova, database):
    file = await files.store(ann, "x", b"x")
    assert await attach(nova, [file], ann)

    async def work(session):
        await nova.store.files.delete([file.id], session)

    await nova.store.database.transaction(work)
    assert await files.find(key_of(file)) is None
    assert await files.sweep() == 1
    assert is_empty(database)


@pytest.mark.gen_test
async def test_files_of_a_chat_go_with_it_and_no_others(files, ann, nova, database):
    for chat_id in (7, 7, 8):
        assert await attach(nova, [await files.store(ann, "x", b"x")], ann, chat_id, chat_id * 10**8 + 1)
    await files.store(ann, "pending", b"x")
    await nova.store.files.delete_of_chat(7)
    await nova.store.files.delete_of_chat(999)
    left = [document["metadata"].get("chat") for document in database["uploads.files"].find().sort("_id")]
    assert left == [8, None]
    assert database["uploads.chunks"].count_documents({}) == 2


@pytest.mark.gen_test
async def test_reading_ends_early_when_the_file_goes(files, ann, nova):
    file = await files.store(ann, "x", b"x" * (3 * CHUNK_BYTES))
    pieces = files.read(file, 0, file.size_bytes)
    assert len(await anext(pieces)) == CHUNK_BYTES
    await nova.store.files.delete([file.id])
    assert [piece async for piece in pieces] == []


# Who may read


@pytest.mark.gen_test
async def test_file_of_a_message_that_is_not_there_is_unknown(files, ann, nova):
    file = await files.store(ann, "x", b"x")
    assert await attach(nova, [file], ann)
    assert await files.find(key_of(file)) is None


# How much


@pytest.mark.gen_test
async def test_pending_bytes_of_a_user_are_limited(files, ann, bob, nova, clock, database):
    made = [await files.store(ann, "x", b"x" * MIB) for _ in range(files_module.PENDING_MAX_LARGEST)]
    for size in (1, MIB):
        with pytest.raises(TooManyRequests):
            await files.store(ann, "x", b"x" * size)
    with pytest.raises(TooManyRequests):
        await files.begin(ann, "x")
    assert database["uploads.files"].count_documents({}) == len(made)
    await files.store(bob, "x", b"x")
    assert await attach(nova, made[:1], ann)
    await files.store(ann, "x", b"x" * MIB)
    clock.moved_us = HOUR_US + 1
    await files.store(ann, "x", b"x" * MIB)


@pytest.mark.gen_test
async def test_pending_files_of_a_user_are_limited_also_at_once(files, ann, database, monkeypatch):
    monkeypatch.setattr(files_module, "PENDING_MAX_FILES", 5)
    results = await asyncio.gather(*(files.store(ann, "x", b"x") for _ in range(20)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, TooManyRequests)]
    assert len(refused) >= 15
    assert database["uploads.files"].count_documents({}) == 20 - len(refused)


@pytest.mark.gen_test
async def test_upload_of_unknown_size_reserves_the_largest_until_it_ends(files, ann, nova, clock):
    upload = await files.begin(ann, "x")
    assert await nova.store.files.measure_pending(ann.id, clock.now_us()) == (1, MIB)
    await upload.write(b"xyz")
    await upload.finish()
    assert await nova.store.files.measure_pending(ann.id, clock.now_us()) == (1, 3)


# Inside another document


@pytest.mark.gen_test
async def test_file_as_part_of_a_document_comes_back_the_same(files, ann):
    for name in ("a.png", "..", "x" * 255, "files", "ü/".replace("/", "")):
        file = await files.store(ann, name, b"x")
        assert file_of(file_document(file), "https://chat.example/nova") == file
        assert file_of(file_document(file), "http://b").url == file_url("http://b", key_of(file), name)
