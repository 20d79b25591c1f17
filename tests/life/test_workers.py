"""A server of several workers, as processes: shared port, replacement, stop, crash loop."""

import asyncio
import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from people import Person
from processes import (
    LIMIT_S,
    NOVA,
    Server,
    children_of,
    clean_environ,
    keep_mongod_from_finding_itself,
    name_of,
    run_nova,
    wait_for_end_of,
    wait_until,
)

STOP_LIMIT_S = 10.0
"""What the design promises."""

# More than one server is started by some, each on cores that other tests share.
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def serve(start, tmp_path):
    """Starts a server of several workers: `serve(*flags, **environ)`."""
    return lambda *flags, **environ: start(tmp_path / "data", "--workers", "2", *flags, **environ)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of two workers that the tests leave as it was; to start one for each would take most of their time."""
    with closing(Server(tmp_path_factory.mktemp("workers") / "data", "--workers", "2")) as server:
        yield server


def connect(server):
    url = urlsplit(server.url)
    return socket.create_connection((url.hostname, url.port), LIMIT_S)


def ask(connection, path="/healthz"):
    """The status of a request over an open connection, which stays open."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: nova\r\n\r\n".encode())
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def connections_of(pid):
    """How many TCP connections a process has that are established."""
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    established = {f"socket:[{row[9]}]" for row in rows if row[3] == "01"}
    folder = Path(f"/proc/{pid}/fd")
    return sum(os.readlink(folder / entry) in established for entry in os.listdir(folder))


def test_workers_share_the_port(server):
    assert set(server.workers) == {1, 2}
    connections = [connect(server) for _ in range(40)]
    try:
        assert [ask(connection) for connection in connections] == [200] * 40
        assert sorted(server.workers) == [1, 2]
        counts = [connections_of(pid) for pid in server.workers.values()]
        assert sum(counts) == 40
        assert min(counts) > 0
    finally:
        for connection in connections:
            connection.close()


def test_killed_worker_is_replaced_and_whoever_waited_for_it_is_served(server):
    others = [connect(server) for _ in range(20)]
    assert {ask(connection) for connection in others} == {200}
    old = server.workers
    # It cannot accept any more, but connections still come into its queue.
    os.kill(old[1], signal.SIGSTOP)
    waiting = [connect(server) for _ in range(20)]
    os.kill(old[1], signal.SIGKILL)
    assert {ask(connection) for connection in waiting} == {200}
    assert server.workers[1] != old[1]
    assert server.workers[2] == old[2]
    # Those of the other worker never noticed.
    assert connections_of(old[2]) > 0
    assert f"worker 1 (process {old[1]}) ended with -9, starting another" in server.stderr
    for connection in (*others, *waiting):
        connection.close()
    wait_until(lambda: server.stderr.count("worker 1 is ready") == 1)
    os.kill(server.workers[1], signal.SIGKILL)
    wait_until(lambda: server.stderr.count("worker 1 is ready") == 2)


HASTY = """
import signal
import threading
from nova_tornado import supervisor, worker
from nova_tornado.cli import main

def hang(number, frame):
    threading.Event().wait()

worker.ALIVE_EVERY_S = 0.1
supervisor.HANG_LIMIT_S = 3.0
signal.signal(signal.SIGUSR1, hang)
main()
"""
"""A server whose workers can be made to hang, and whose supervisor loses patience sooner."""


def test_worker_that_hangs_says_where_and_is_replaced(serve, tmp_path, monkeypatch):
    hasty = tmp_path / "hasty"
    hasty.write_text(f"#!{sys.executable}\n{HASTY}")
    hasty.chmod(0o755)
    monkeypatch.setattr("processes.NOVA", str(hasty))
    server = serve()
    first = server.workers
    os.kill(first[1], signal.SIGUSR1)
    wait_until(lambda: server.stderr.count("worker 1 is ready") == 1)
    assert f"worker 1 (process {first[1]}) hangs and is killed" in server.stderr
    assert f"worker 1 (process {first[1]}) ended with -6, starting another" in server.stderr
    assert "in hang\n" in server.stderr
    second = server.workers
    # One that is halted cannot say anything, nor end by itself.
    os.kill(second[1], signal.SIGSTOP)
    wait_until(lambda: server.stderr.count("worker 1 is ready") == 2)
    assert f"worker 1 (process {second[1]}) ended with -9, starting another" in server.stderr
    assert first[2] == server.workers[2]


def test_worker_that_is_killed_again_and_again_ends_the_server_with_one_line(serve):
    server = serve()
    children = children_of(server.process.pid)
    killed = set()
    for _ in range(5):
        wait_until(lambda: server.workers.get(2, 0) not in {0, *killed})
        killed.add(server.workers[2])
        os.kill(server.workers[2], signal.SIGKILL)
    assert server.process.wait(LIMIT_S) == 1
    assert server.stderr.splitlines()[-1].startswith(
        "nova: workers keep ending (5 within 30 s): worker 2 ended with -9"
    )
    assert "Traceback" not in server.stderr
    for child in children:
        wait_for_end_of(child, 1.0)


def test_stop_ends_all_processes_and_keeps_the_data(serve):
    server = serve()
    assert server.count() == 1
    children = children_of(server.process.pid)
    assert len(children) == 3
    code, time_s = server.stop()
    assert code == 0
    assert time_s < STOP_LIMIT_S
    for child in children:
        assert wait_for_end_of(child) < 0.1
    assert server.process.stdout.read() == ""
    assert "Traceback" not in server.stderr
    assert "ERROR" not in server.stderr
    assert serve().count() == 2


def test_ctrl_c_reaches_all_processes_of_the_terminal_and_stops_them_once(tmp_path):
    process = subprocess.Popen(
        [NOVA, "--port", "0", "--data", f"{tmp_path}/data", "--workers", "2"],
        env=clean_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline().startswith("Nova is ready on ")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert errors.count("nova_tornado.server [worker=1] stopping") == 1
    assert "ERROR" not in errors
    assert "WARNING" not in errors


def test_worker_that_hangs_does_not_delay_the_stop(serve):
    server = serve()
    hanging = server.workers[1]
    os.kill(hanging, signal.SIGSTOP)
    code, time_s = server.stop()
    assert code == 0
    assert time_s < STOP_LIMIT_S
    assert wait_for_end_of(hanging) < 0.1


def test_second_ctrl_c_ends_all_at_once(serve):
    server = serve()
    children = children_of(server.process.pid)
    os.kill(server.workers[1], signal.SIGSTOP)
    server.process.send_signal(signal.SIGINT)
    wait_until(lambda: "supervisor stopping" in server.stderr)
    assert server.stop(signal.SIGINT)[0] == 130
    for child in children:
        wait_for_end_of(child)


def test_all_processes_end_by_themselves_when_the_supervisor_is_killed(serve):
    server = serve()
    children = children_of(server.process.pid)
    assert len(children) == 3
    os.kill(server.workers[2], signal.SIGSTOP)
    server.stop(signal.SIGKILL)
    for child in children:
        assert wait_for_end_of(child) < 5.0
    assert serve().count() == 1


def test_mongod_that_dies_is_started_again_and_the_workers_find_it(server):
    count = server.count()
    workers = server.workers
    old = server.mongod
    keep_mongod_from_finding_itself(server.data, lambda: os.kill(old, signal.SIGKILL))
    wait_until(lambda: "the embedded database is back" in server.stderr)
    assert server.mongod != old
    numbers = itertools.count(1)

    def is_served():
        """The drivers of the workers look for it every half second."""
        person = Person(urlsplit(server.url).port, f"alice{next(numbers)}")
        with suppress(AssertionError):
            asyncio.run(person.register())
        return person.id

    wait_until(is_served)
    assert server.count() == count + 1
    assert server.workers == workers


def test_server_ends_with_one_line_when_mongod_keeps_dying(serve):
    server = serve()
    for deaths in (1, 2, 3):
        os.kill(server.mongod, signal.SIGKILL)
        wait_until(lambda deaths=deaths: server.stderr.count("database is back") == deaths)
    os.kill(server.mongod, signal.SIGKILL)
    assert server.process.wait(LIMIT_S) == 1
    assert server.stderr.splitlines()[-1].startswith("nova: the embedded database keeps ending: mongod ended with -9")


def test_second_server_on_the_same_data_is_refused(server):
    for workers in ("1", "2"):
        code, out, errors = run_nova("--port", "0", "--data", "data", "--workers", workers, folder=server.data.parent)
        assert (code, out, errors) == (1, "", f"nova: another server already uses {server.data}\n")
    assert server.get("/readyz") == 200


def test_port_of_another_server_of_several_workers_is_refused(server, tmp_path):
    port = server.url.rpartition(":")[2]
    code, out, errors = run_nova("--port", port, "--data", "other", "--workers", "2", folder=tmp_path)
    assert (code, out) == (1, "")
    assert errors.startswith(f"nova: port {port} of 127.0.0.1 is in use by another program")


def test_database_elsewhere_is_used_by_all_workers(start, tmp_path):
    lender = start(tmp_path / "lender")
    uri = f"mongodb://{str(tmp_path / 'lender/run/mongod.sock').replace('/', '%2F')}/other?directConnection=true"
    server = start(tmp_path / "data", "--mongo", uri, "--workers", "3")
    assert sorted(map(name_of, children_of(server.process.pid))) == [f"nova worker {number}" for number in (1, 2, 3)]
    assert server.get("/readyz") == 200
    assert server.stop()[0] == 0
    assert lender.get("/readyz") == 200


def test_what_keeps_workers_from_starting_is_told_in_one_line(tmp_path):
    flags = ["--mongo", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100&directConnection=true", "--port", "0"]
    code, out, errors = run_nova(*flags, "--workers", "2", folder=tmp_path)
    assert (code, out) == (1, "")
    assert errors.splitlines()[-1].startswith("nova: the MongoDB server cannot be used: ")
    assert errors.count("nova: ") == 1


def test_stop_while_starting_leaves_nothing(tmp_path):
    mongod = tmp_path / "mongod"
    mongod.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexec sleep 60\n")
    mongod.chmod(0o755)
    process = subprocess.Popen(
        [NOVA, "--data", "data", "--port", "0", "--workers", "2"],
        cwd=tmp_path,
        env=clean_environ(NOVA_MONGOD=str(mongod)),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((tmp_path / "started").exists)
    # Wherever it is: loading, or waiting for its database.
    children = children_of(process.pid)
    process.terminate()
    _, errors = process.communicate(timeout=STOP_LIMIT_S)
    assert (process.returncode, errors) == (0, "")
    for child in children:
        wait_for_end_of(child, 1.0)
