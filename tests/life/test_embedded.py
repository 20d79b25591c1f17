import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from processes import keep_mongod_from_finding_itself, wait_until
from pymongo import MongoClient

from nova_tornado.storage import embedded, embedded_child
from nova_tornado.storage.embedded import EmbeddedError, EmbeddedMongo, find_mongod


@pytest.fixture
def launch():
    """Starts embedded databases, `launch(data)`, that end with the test."""
    started = []

    def launch(data, environ=os.environ):
        started.append(EmbeddedMongo(data, environ))
        started[-1].launch()
        return started[-1]

    yield launch
    for mongo in started:
        mongo.stop()


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def client(mongo):
    return closing(MongoClient(mongo.uri, serverSelectionTimeoutMS=5000))


def count(mongo):
    """Adds a document and returns how many there are."""
    with client(mongo) as connection:
        connection.life.test.insert_one({})
        return connection.life.test.count_documents({})


def test_takes_writes_and_keeps_them_over_a_clean_stop(launch, tmp_path):
    mongo = launch(tmp_path / "data")
    mongo.wait_ready()
    assert count(mongo) == 1
    mongo.stop()
    mongo = launch(tmp_path / "data")
    mongo.wait_ready()
    assert count(mongo) == 2


def test_folder_that_was_moved_works(launch, tmp_path):
    mongo = launch(tmp_path / "here")
    mongo.wait_ready()
    count(mongo)
    mongo.stop()
    (tmp_path / "here").rename(tmp_path / "there")
    mongo = launch(tmp_path / "there")
    mongo.wait_ready()
    assert count(mongo) == 2


def test_path_too_long_for_a_socket_works_and_leaves_nothing_in_the_temporary_folder(launch, tmp_path, monkeypatch):
    # Not in pytest's folder, whose path may be too long already.
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        mongo = launch(tmp_path / ("x" * 120))
        mongo.wait_ready()
        assert count(mongo) == 1
        assert f"{quote_plus(short)}%2Fnova-" in mongo.uri
        mongo.stop()
        assert list(Path(short).iterdir()) == []


@pytest.mark.parametrize("name", ["Data", "my data", "a:1", "größe", "a%b", "it's", 'a"b'])
def test_folder_of_any_name_works(launch, tmp_path, name):
    mongo = launch(tmp_path / name)
    mongo.wait_ready()
    assert count(mongo) == 1


def test_temporary_folder_of_any_name_works(launch, tmp_path, monkeypatch):
    (tmp_path / "TMP").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "TMP"))
    mongo = launch(tmp_path / "Data")
    mongo.wait_ready()
    assert count(mongo) == 1


def test_socket_folder_of_a_killed_server_is_used_again(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    mongo = EmbeddedMongo(tmp_path / "Data")
    mongo._prepare_folders()
    first = mongo._socket_path()
    assert mongo._socket_path() == first
    # ... but not if it could have been made by somebody else.
    Path(first).parent.chmod(0o755)
    assert mongo._socket_path() != first


def test_folders_are_closed_to_other_users(launch, tmp_path):
    launch(tmp_path / "data").wait_ready()
    for folder in ("", "run", "mongodb"):
        assert stat.S_IMODE((tmp_path / "data" / folder).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "run" / "mongod.sock").stat().st_mode) & 0o077 == 0


def test_second_server_is_refused_at_once(launch, tmp_path):
    launch(tmp_path / "data")
    begin = time.monotonic()
    with pytest.raises(EmbeddedError, match="another server already uses"):
        launch(tmp_path / "data")
    assert time.monotonic() - begin < embedded.START_LIMIT_S  # it does not wait for a mongod


def test_next_server_waits_for_the_mongod_of_a_killed_one(launch, tmp_path):
    first = launch(tmp_path / "data")
    first.wait_ready()
    count(first)
    # What a kill -9 of the server does: only mongod still holds a lock, and the kernel tells it to end.
    for lock in first._locks:
        lock.close()
    first.terminate()
    second = launch(tmp_path / "data")
    assert first.exit_code() == 0
    second.wait_ready()
    assert count(second) == 2


def test_next_server_gives_up_on_a_mongod_that_does_not_end(launch, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "PREDECESSOR_LIMIT_S", 0.1)
    first = launch(tmp_path / "data")
    first._locks[0].close()
    with pytest.raises(EmbeddedError, match="of an earlier server still uses"):
        launch(tmp_path / "data")


def test_killed_mongod_can_be_started_again_on_the_same_socket(launch, tmp_path):
    mongo = launch(tmp_path / "data")
    mongo.wait_ready()
    uri = mongo.uri
    assert count(mongo) == 1
    mongo._process.kill()
    assert wait_until(mongo.exit_code) == -signal.SIGKILL
    mongo.relaunch()
    mongo.wait_ready()
    assert mongo.uri == uri
    assert count(mongo) == 2


def test_who_comes_before_mongod_is_ready_waits_for_it_and_can_do_all(launch, tmp_path):
    mongo = launch(tmp_path / "data")
    mongo.wait_ready()
    count(mongo)
    mongo.kill()
    wait_until(mongo.exit_code)
    mongo.relaunch()
    wait_until(mongo.accepts)
    with client(mongo) as connection:
        assert connection.admin.command("hello")["isWritablePrimary"]
        with connection.start_session() as session, session.start_transaction():
            connection.life.test.insert_one({}, session=session)
        assert connection.life.test.count_documents({}) == 2


def test_mongod_that_does_not_find_itself_in_its_set_is_taken_in_again(launch, tmp_path):
    mongo = launch(tmp_path / "data")
    mongo.wait_ready()
    count(mongo)
    for documents in (2, 3):  # under either of its addresses
        mongo.kill()
        wait_until(mongo.exit_code)
        keep_mongod_from_finding_itself(tmp_path / "data", mongo.relaunch)
        mongo.wait_ready()
        assert count(mongo) == documents
    mongo.stop()
    mongo = launch(tmp_path / "data")
    mongo.wait_ready()
    assert count(mongo) == 4


def test_mongod_does_not_outlive_its_parent(tmp_path):
    order = [sys.executable, embedded_child.__file__, str(os.getpid()), "", "/bin/true"]
    assert subprocess.run(order, check=False).returncode == 0
    order[2] = "1" if os.getpid() != 1 else "2"
    assert subprocess.run(order, check=False).returncode == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exit 3", "mongod ended with 3; see "),
        ("echo 'bad option' >&2; exit 2", "mongod ended with 2 (bad option); see "),
        ("kill -ILL $$", "this processor lacks what MongoDB needs"),
        (
            "echo 'mongod: error while loading shared libraries: libx.so.1: cannot open' >&2; exit 127",
            "mongod cannot run on this system: error while loading shared libraries: libx.so.1: cannot open",
        ),
    ],
)
def test_mongod_that_cannot_run_is_one_clear_line(launch, tmp_path, text, message):
    mongo = launch(tmp_path / "data", {"NOVA_MONGOD": program(tmp_path / "mongod", text)})
    with pytest.raises(EmbeddedError) as caught:
        mongo.wait_ready()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_file_that_is_no_program_is_one_clear_line(launch, tmp_path):
    (tmp_path / "mongod").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "mongod").chmod(0o755)
    mongo = launch(tmp_path / "data", {"NOVA_MONGOD": str(tmp_path / "mongod")})
    with pytest.raises(EmbeddedError, match=r"^mongod ended with 1 \(.*/mongod: Exec format error\); see "):
        mongo.wait_ready()


def test_end_of_mongod_is_told_in_its_own_words(launch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mongod.log").write_text('{"s": "F", "msg": "of an earlier run"}\n' * 2)
    # Its orders begin with --dbpath FOLDER --logpath FILE.
    entry = '{"s": "F", "msg": "Unexpected", "attr": {"error": "No space left\\non device"}}'
    mongod = program(tmp_path / "mongod", f"printf '%s\\n' '{entry}' '{{\"s\": \"I\"}}' >> \"$4\"; exit 14")
    mongo = launch(tmp_path / "data", {"NOVA_MONGOD": mongod})
    with pytest.raises(EmbeddedError) as caught:
        mongo.wait_ready()
    assert str(caught.value) == f"mongod ended with 14 (No space left on device); see {tmp_path}/data/mongod.log"


def test_file_in_place_of_the_folder_is_one_clear_line(launch, tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedError, match=r"^cannot use .*data for the database: File exists$"):
        launch(tmp_path / "data")


def test_mongod_is_the_named_one_else_the_installed_one_else_the_one_on_path(tmp_path, monkeypatch):
    named, on_path = program(tmp_path / "mine", ""), program(tmp_path / "mongod", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mongod({"NOVA_MONGOD": named}) == named
    assert find_mongod({}).endswith("fiftyone/db/bin/mongod")
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: None)
    assert find_mongod({}) == on_path
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedError, match=r"NOVA_MONGO .*NOVA_MONGOD .*`embedded`.* PATH$"):
        find_mongod({})
    with pytest.raises(EmbeddedError, match="NOVA_MONGOD=nothing is not a program"):
        find_mongod({"NOVA_MONGOD": "nothing"})


def test_large_log_is_put_aside(launch, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "LOG_KEEP_BYTES", 10)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mongod.log").write_text("much old text")
    launch(tmp_path / "data")
    assert (tmp_path / "data" / "mongod.log.1").read_text() == "much old text"


def test_mongod_runs_with_the_lent_libcurl(tmp_path, monkeypatch):
    folders = embedded.lent_curl_folders(tmp_path)

    def no_libcurl(name):
        raise OSError(name)

    monkeypatch.setattr(embedded_child.ctypes, "CDLL", no_libcurl)
    environ = embedded_child.environment(folders)
    assert environ["LD_LIBRARY_PATH"].startswith(f"{tmp_path}/lib:")
    done = subprocess.run([find_mongod({}), "--version"], env=environ, capture_output=True, check=False)
    assert done.returncode == 0
    # The link leads to pycurl's library, not to the system's.
    assert b"pycurl.libs" in os.fsencode(os.readlink(tmp_path / "lib" / "libcurl.so.4"))
