"""/metrics: it counts what happens, tells it to those who may know, and names nobody."""

import pytest
from people import exchange
from prometheus_client.parser import text_string_to_metric_families

from nova_tornado.logs import SCOPE
from nova_tornado.realtime.counts import Histogram
from nova_tornado.settings import Settings

TOKEN = "let-me-see-the-metrics"
METRICS = "/metrics"


async def metrics(guest, **more):
    """The values by name and labels, without the label of the worker."""
    answer = await guest.get(METRICS, **more)
    assert answer.status == 200, answer.body
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("worker") == "0", sample
            found[sample.name, *sorted(labels.items())] = sample.value
    return found


async def conversation(people):
    """Three in a group, each with a socket."""
    alice, bob, carol = [await people(name) for name in ("alice", "bob", "carol")]
    for friend in (bob, carol):
        await alice.befriend(friend)
    chat_id = await alice.new_group(bob, carol)
    return alice, chat_id, [await person.socket() for person in (alice, bob, carol)]


def check_hidden(answer):
    assert answer.status == 404
    assert answer.error == f"{METRICS} not found on this server"


# What is counted


@pytest.mark.gen_test
async def test_a_message_is_counted_once_as_stored_and_for_each_frame_and_receiver(people, guest):
    _, chat_id, sockets = await conversation(people)
    before = await metrics(guest)
    await sockets[0].send("send_message", {"chat_id": chat_id, "content": "hello"})
    for socket in sockets:
        await socket.expect("new_message", "messages_read")
    after = await metrics(guest)

    def grown(name, **labels):
        key = (name, *sorted(labels.items()))
        return after[key] - before.get(key, 0)

    assert grown("nova_sends_total", outcome="stored") == 1
    assert grown("nova_deliveries_total") == 6  # two packets for each of three
    assert grown("nova_batch_messages_count") == grown("nova_batch_messages_sum") == 1
    assert grown("nova_batch_messages_bucket", le="1.0") == grown("nova_commit_seconds_count") == 1
    assert grown("nova_commit_seconds_sum") > 0
    assert grown("nova_http_requests_total", method="GET", status="2xx") == 1
    assert after["nova_connections", ("protocol", "actions")] == 3
    assert after["nova_signed_in_users",] == 3
    assert after["nova_http_in_flight",] == 1  # the question itself


@pytest.mark.gen_test
async def test_connections_are_counted_by_protocol_and_users_once(people, guest):
    alice = await people("alice")
    methods, modes = await alice.speak("methods"), await alice.speak("modes")
    found = await metrics(guest)
    assert found["nova_connections", ("protocol", "methods")] == found["nova_connections", ("protocol", "modes")] == 1
    assert found["nova_signed_in_users",] == 1
    for client in (methods, modes):
        await client.drain()


@pytest.mark.gen_test
async def test_repeated_and_refused_sends_are_counted_as_such(people, guest):
    _, chat_id, (socket, bobs, _) = await conversation(people)
    before = await metrics(guest)
    send = {"chat_id": chat_id, "content": "hello", "client_message_id": "first"}
    await socket.send("send_message", send)
    await socket.expect("new_message", "messages_read")
    await socket.send("send_message", send)
    await socket.expect("new_message")
    await socket.send("send_message", send | {"content": "another"})
    await socket.expect_error()
    await bobs.send("send_message", {"chat_id": chat_id, "content": "x", "reply_to": 1})
    await bobs.expect("new_message", "messages_read")
    await bobs.expect_error()
    after = await metrics(guest)
    outcomes = {
        outcome: after["nova_sends_total", ("outcome", outcome)] - before["nova_sends_total", ("outcome", outcome)]
        for outcome in ("stored", "repeated", "refused", "unknown")
    }
    assert outcomes == {"stored": 1, "repeated": 1, "refused": 2, "unknown": 0}


@pytest.mark.gen_test
async def test_failures_of_plugins_are_counted_by_plugin(guest, nova):
    nova._strikes.note("nova_weather", "forecast", "ValueError")
    nova._strikes.note("nova_weather", "map", "ValueError")
    found = await metrics(guest)
    assert found["nova_plugin_strikes_total", ("plugin", "nova_weather")] == 2


@pytest.mark.gen_test
async def test_a_method_that_a_client_makes_up_is_no_label(guest, http_port):
    for method in (b"BREW", b"X" * 200):
        answer = await exchange(http_port, method + b" /chat HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.status == 405
    found = await metrics(guest)
    assert found["nova_http_requests_total", ("method", "other"), ("status", "4xx")] == 2
    methods = {dict(labels)["method"] for name, *labels in found if name == "nova_http_requests_total"}
    assert methods == {"other"}


@pytest.mark.gen_test
async def test_the_bus_is_told_of_where_there_is_one(guest, nova):
    assert ("nova_bus_connected",) not in await metrics(guest)
    nova.bus.counts.is_connected = False
    nova.bus.counts.sent += 3
    found = await metrics(guest)
    assert found["nova_bus_connected",] == 0
    assert found["nova_bus_messages_total", ("direction", "out")] == 3


@pytest.fixture
def other_nova(start_nova, settings):
    return start_nova(settings)


@pytest.mark.gen_test
async def test_two_novas_in_one_process_count_apart(guest, other_nova):
    other_nova.hub.counts.deliveries = 1_000
    assert (await metrics(guest))["nova_deliveries_total",] == 0


def test_histograms_put_values_into_the_bucket_that_ends_with_them():
    seen = Histogram((1, 2, 5))
    for value in (0, 1, 1.5, 5, 6):
        seen.observe(value)
    assert (seen.counts, seen.total) == ([2, 1, 1, 1], 13.5)


# Who may read it


@pytest.mark.gen_test
async def test_only_this_machine_reads_them_and_not_through_a_proxy(guest, people):
    alice = await people("alice")
    assert (await guest.get(METRICS)).status == 200
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        check_hidden(await guest.get(METRICS, headers={header: "127.0.0.1"}))
        check_hidden(await alice.get(METRICS, headers={header: "127.0.0.1"}))
    check_hidden(await guest.get(METRICS, headers={"Authorization": f"Bearer {TOKEN}", "Via": "1.1 proxy"}))


@pytest.mark.gen_test
async def test_what_is_hidden_looks_like_what_is_not_there(guest):
    hidden = await guest.post(METRICS, {}, headers={"Via": "1.1 proxy"})
    absent = await guest.post("/no-metrics", {}, headers={"Via": "1.1 proxy"})
    assert (hidden.status, hidden.error) == (absent.status, absent.error.replace("/no-metrics", METRICS))
    page = await guest.get(METRICS, headers={"Via": "1.1 proxy", "Accept": "text/html"})
    assert page.status == 404 and page.headers["Content-Type"].startswith("text/html")


@pytest.mark.gen_test
async def test_other_methods_are_405(guest):
    answer = await guest.post(METRICS, {})
    assert (answer.status, answer.error) == (405, "Method not allowed")


@pytest.mark.gen_test
async def test_they_come_as_openmetrics_to_who_asks_for_that(guest):
    answer = await guest.get(METRICS, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")


class TestBehindAProxy:
    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False, trusted_proxies=("127.0.0.1/32",))

    @pytest.mark.gen_test
    async def test_the_address_that_the_proxy_names_counts(self, guest):
        assert (await guest.get(METRICS)).status == 200
        assert (await guest.get(METRICS, headers={"X-Forwarded-For": "127.0.0.1"})).status == 200
        for address in ("198.51.100.7", "127.0.0.1, 198.51.100.7", "198.51.100.7, 127.0.0.1"):
            check_hidden(await guest.get(METRICS, headers={"X-Forwarded-For": address}))

    @pytest.mark.gen_test
    async def test_a_proxy_that_does_not_say_for_whom_it_speaks_is_refused(self, guest):
        check_hidden(await guest.get(METRICS, headers={"Via": "1.1 proxy"}))

    @pytest.mark.gen_test
    async def test_its_request_ids_are_taken_over_if_they_are_sane(self, guest):
        for given in ("7f3a-01", "Root=1-67891233-abcdef", "a" * 64):
            assert (await guest.get("/healthz", headers={"X-Request-ID": given})).headers["X-Request-ID"] == given
        for given in ("", "a" * 65, "two words", 'quo"te', "x]y", "ü"):
            answer = await guest.get("/healthz", headers={"X-Request-ID": given})
            assert answer.headers["X-Request-ID"] not in ("", given)


class TestWithAToken:
    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False, metrics_token=TOKEN)

    @pytest.mark.gen_test
    async def test_who_brings_the_token_reads_them_from_anywhere(self, guest):
        far = {"X-Forwarded-For": "198.51.100.7"}
        for scheme in ("Bearer", "bearer"):
            await metrics(guest, headers=far | {"Authorization": f"{scheme} {TOKEN}"})
        for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", "Bearer ü", f"Basic {TOKEN}", TOKEN):
            check_hidden(await guest.get(METRICS, headers=far | {"Authorization": wrong}))
        assert (await guest.get(METRICS)).status == 200


# Ids of requests


@pytest.mark.gen_test
async def test_each_request_gets_an_id_of_its_own_which_nobody_but_a_proxy_chooses(guest, people):
    answers = [await guest.get(path, headers={"X-Request-ID": "mine"}) for path in ("/healthz", "/", "/none", "/chat")]
    ids = {answer.headers["X-Request-ID"] for answer in answers}
    assert len(ids) == len(answers) and "mine" not in ids


@pytest.mark.expects_log("internal error")
@pytest.mark.gen_test
async def test_a_fault_is_logged_with_the_id_of_its_request_and_user(people, nova, monkeypatch, json_log):
    alice = await people("alice")

    def fail(*_args, **_kwargs):
        raise RuntimeError("it is broken")

    monkeypatch.setattr(type(nova.services.friend_groups), "create", fail)
    answer = await alice.post("/friend/group/add", {"group_name": "x"})
    [line] = [line for line in json_log() if line["level"] == "ERROR"]
    assert line["request"] == answer.headers["X-Request-ID"]
    assert (line["user"], answer.error) == (alice.id, f"Internal error {line['fault']}")
    assert line["exception"].endswith("RuntimeError: it is broken")


@pytest.mark.expects_log("internal error")
@pytest.mark.gen_test
async def test_a_fault_behind_a_socket_is_logged_with_the_id_of_its_connection(people, nova, monkeypatch, json_log):
    alice, bob = await people("alice"), await people("bob")
    first, second = await alice.socket(), await bob.socket()

    def fail(*_args, **_kwargs):
        raise RuntimeError("it is broken")

    monkeypatch.setattr(type(nova.services.messages), "note_typing", fail)
    for socket in (first, second, first):
        await socket.send("typing", {"chat_id": 1})
        await socket.expect_error(500)
    lines = [line for line in json_log() if line["level"] == "ERROR"]
    assert [line["user"] for line in lines] == [alice.id, bob.id, alice.id]
    assert lines[0]["connection"] == lines[2]["connection"] != lines[1]["connection"]
    assert not any("request" in line for line in lines)


@pytest.mark.gen_test
async def test_what_is_written_for_several_is_nobodys(people, nova, json_log, monkeypatch):
    _, chat_id, sockets = await conversation(people)
    publish = nova.bus.publish
    scopes = []

    def noted(*events):
        scopes.append(SCOPE.get())
        publish(*events)

    monkeypatch.setattr(nova.bus, "publish", noted)
    await sockets[0].send("send_message", {"chat_id": chat_id, "content": "hello"})
    await sockets[0].expect("new_message", "messages_read")
    assert scopes == [None]
