"""The rolling restart of a server of several workers, under load, and `nova reload`."""

import asyncio
import http.client
import os
import signal
import threading
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest
from people import Person
from processes import LIMIT_S, Server, run_nova, wait_for_end_of, wait_until

from nova_tornado.testing import people as people_module

COME_BACK = 1012
PAUSE_S = 0.02
"""Between two sends of a client: it is to be at work all the time, not to fill the machine."""

# Servers are started and workers replaced, on cores that other tests share.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(people_module, "WAIT_S", LIMIT_S)
    (tmp_path / "nova.toml").write_text("rate_limits = false\n")
    with closing(Server(tmp_path / "data", "--workers", "2")) as server:
        yield server


def reloads(server):
    return server.stderr.count("supervisor reloaded")


class Sender:
    """Somebody who sends all the time, and repeats a send under the same id until it is acknowledged."""

    def __init__(self, person, chat_id):
        self.person = person
        self.name = f"{person.name} {id(self)}"
        self.chat_id = chat_id
        self.acknowledged = []
        self.has_sent = asyncio.Event()
        self.came_back = 0

    async def run(self, is_over):
        number = 0
        while not is_over.is_set():
            socket = await self.person.socket()
            with suppress(ConnectionAbortedError):
                while not is_over.is_set():
                    await self._send(socket, f"{self.name} says {number}")
                    number += 1
                    await asyncio.sleep(PAUSE_S)
                socket.close()
                return
            self.came_back += 1

    async def _send(self, socket, text):
        data = {"chat_id": self.chat_id, "content": text, "client_message_id": text}
        with suppress(Exception):  # a socket that is closed meanwhile is noticed below
            await socket.send("send_message", data)
        while True:
            packet = await socket.receive()
            if packet is None:
                assert socket.connection.close_code == COME_BACK
                raise ConnectionAbortedError
            assert packet["ok"], packet
            if packet["action"] == "new_message" and packet["data"].get("client_message_id") == text:
                self.acknowledged.append(text)
                self.has_sent.set()
                return


def keep_asking(server, is_over, statuses):
    """Asks by HTTP all the time, over a connection as long as it lasts, and over a new one each time."""
    url = urlsplit(server.url)
    lasting = http.client.HTTPConnection(url.hostname, url.port, timeout=LIMIT_S)
    while not is_over.wait(PAUSE_S):
        for connection in (lasting, http.client.HTTPConnection(url.hostname, url.port, timeout=LIMIT_S)):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            if connection is not lasting:
                connection.close()
    lasting.close()


async def use_while(server, act):
    """Sends and asks all the time while `act()` runs in a thread; returns the senders, all texts and all statuses."""
    async with asyncio.timeout(3 * LIMIT_S):
        return await _use_while(server, act)


async def _use_while(server, act):
    people = [Person(urlsplit(server.url).port, name) for name in ("alice", "bob")]
    for person in people:
        await person.register()
    chat_id = await people[0].befriend(people[1])
    senders = [Sender(person, chat_id) for person in people for _ in range(2)]
    is_over, statuses = threading.Event(), []
    asking = asyncio.create_task(asyncio.to_thread(keep_asking, server, is_over, statuses))
    sending = [asyncio.create_task(sender.run(is_over)) for sender in senders]
    try:
        for sender in senders:
            await asyncio.wait_for(sender.has_sent.wait(), LIMIT_S)
        await asyncio.to_thread(act)
    finally:
        is_over.set()
        await asyncio.gather(asking, *sending)
    acknowledged = {text for sender in senders for text in sender.acknowledged}
    texts = []
    # A worker may not have heard yet of what another one has stored.
    while not acknowledged.issubset(texts):
        await asyncio.sleep(PAUSE_S)
        texts = [message["message"] for message in (await people[0].get(f"/chat/{chat_id}/messages")).data]
    for person in people:
        await person.close()
    return senders, texts, statuses


def replace_all_workers(server):
    """Reloads, and waits until it is done."""
    done = reloads(server)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: reloads(server) == done + 1)


def test_nothing_fails_while_workers_are_replaced_under_load(server):
    old = server.workers

    def act():
        replace_all_workers(server)
        assert server.workers.keys() == old.keys()
        replace_all_workers(server)

    senders, texts, statuses = asyncio.run(use_while(server, act))
    assert set(statuses) == {200}
    for sender in senders:
        assert sender.acknowledged
        assert sender.came_back > 0
    acknowledged = [text for sender in senders for text in sender.acknowledged]
    # Each send was acknowledged in the end, and nothing is there twice.
    assert sorted(text for text in texts if "says" in text) == sorted(acknowledged)
    for pid in old.values():
        wait_for_end_of(pid)
    assert set(server.workers.values()).isdisjoint(old.values())
    assert "ERROR" not in server.stderr
    assert "Traceback" not in server.stderr
    assert server.stop()[0] == 0


def test_reload_by_command_takes_in_new_settings_and_refuses_bad_ones(server):
    folder = server.data.parent
    assert run_nova("reload", "--data", "data", folder=folder) == (0, "", "")
    wait_until(lambda: reloads(server) == 1)
    before = server.workers
    (folder / "nova.toml").write_text("no_setting = 1\n")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "not reloaded, the workers go on as they are: nova.toml: unknown key" in server.stderr)
    assert server.workers == before
    (folder / "nova.toml").write_text("bcrypt_rounds = 5\nworkers = 5\n[nova_bot_chat]\nopenai_url = 1\n")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "the new worker 1 could not start: nova.toml: nova_bot_chat.openai_url" in server.stderr)
    assert server.workers == before
    # A worker that is started now gets the settings that work.
    os.kill(before[2], signal.SIGKILL)
    wait_until(lambda: "worker 2 is ready" in server.stderr)
    assert server.get("/readyz") == 200


def test_reload_without_a_server_that_could_is_one_clear_line(start, tmp_path):
    code, out, errors = run_nova("reload", "--data", "data", folder=tmp_path)
    assert (code, out, errors) == (1, "", f"nova: no server with several workers runs on {tmp_path}/data\n")
    start(tmp_path / "data")
    code, out, errors = run_nova("reload", "--data", "data", folder=tmp_path)
    assert (code, out) == (1, "")
    assert errors.startswith(f"nova: the server on {tmp_path}/data has one worker only")
    assert errors.count("\n") == 1
