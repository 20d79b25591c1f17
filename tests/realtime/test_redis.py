"""Redis joins several processes of one Nova; it may die, stall or come later, and nothing is lost."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack
from dataclasses import replace

import pytest
from realtime.joined import Device, check_order
from redis import Redis
from redis_servers import RedisServer
from storage.rooms import make_group, make_users, settle
from tls import make_certificate

from nova_tornado.realtime.redis_transport import RedisTransport

DOWN = "Redis cannot be reached"


@pytest.fixture
def novas(start_nova, settings, redis):
    return [start_nova(replace(settings, redis=redis.uri)) for _ in range(2)]


async def two_people(novas):
    ann, bob = await make_users(novas[0], "ann", "bob")
    chat = await make_group(novas[0], ann, bob)
    return ann, bob, chat.id, [await Device(novas[0], ann).open(), await Device(novas[1], bob).open()]


async def send(nova, user, chat_id, text):
    await nova.services.messages.send(user, chat_id, text)


async def check_that_messages_go_through(novas):
    ann, bob, chat_id, devices = await two_people(novas)
    assert all(nova.relay.is_connected for nova in novas)
    await devices[0].hears("presence", bob.id, True)
    for n in range(10):
        await send(novas[n % 2], (ann, bob)[n % 2], chat_id, f"m{n}")
    await settle(lambda: all(len(device.texts(chat_id)) == 10 for device in devices))
    check_order(devices, chat_id)


@pytest.mark.gen_test
async def test_messages_and_presence_go_through_redis(novas):
    await check_that_messages_go_through(novas)


@pytest.mark.gen_test
@pytest.mark.expects_log(DOWN)
async def test_redis_is_killed_and_started_again(novas, redis):
    ann, bob, chat_id, devices = await two_people(novas)
    redis.kill()
    for n in range(10):
        await send(novas[n % 2], (ann, bob)[n % 2], chat_id, f"m{n}")
    await settle(lambda: all(len(device.texts(chat_id)) == 10 for device in devices))
    redis.start()
    for n in range(10, 20):
        await send(novas[n % 2], (ann, bob)[n % 2], chat_id, f"m{n}")
    await settle(lambda: all(len(device.texts(chat_id)) == 20 for device in devices))
    await settle(lambda: all(nova.relay.is_connected for nova in novas))
    await send(novas[0], ann, chat_id, "last")
    await settle(lambda: all(len(device.texts(chat_id)) == 21 for device in devices))
    check_order(devices, chat_id)


@pytest.mark.gen_test(timeout=60)
@pytest.mark.expects_log(DOWN)
async def test_redis_stalls_and_goes_on(novas, redis):
    ann, bob, chat_id, devices = await two_people(novas)
    redis.signal(signal.SIGSTOP)
    for n in range(10):
        await send(novas[n % 2], (ann, bob)[n % 2], chat_id, f"m{n}")
    await settle(lambda: all(len(device.texts(chat_id)) == 10 for device in devices))
    redis.signal(signal.SIGCONT)
    await settle(lambda: all(nova.relay.is_connected for nova in novas))
    await send(novas[0], ann, chat_id, "last")
    await settle(lambda: all(len(device.texts(chat_id)) == 11 for device in devices))
    check_order(devices, chat_id)


@pytest.mark.expects_log(DOWN)
def test_without_redis_at_the_start_nova_serves_and_says_so_without_the_password(
    start_nova, settings, io_loop, redis, caplog
):
    redis.kill()
    novas = [start_nova(replace(settings, redis=redis.uri + "?password=marked")) for _ in range(2)]
    ann, bob, chat_id, devices = io_loop.run_sync(lambda: two_people(novas))
    io_loop.run_sync(lambda: send(novas[0], ann, chat_id, "alone"))
    io_loop.run_sync(lambda: settle(lambda: devices[1].texts(chat_id) == ["alone"]))
    assert "marked" not in caplog.text
    assert bob.id not in novas[0].hub.elsewhere


@pytest.mark.gen_test
async def test_what_one_transport_publishes_arrives_at_the_others_in_order_and_not_where_nobody_listens(redis):
    one, two = RedisTransport(redis.uri), RedisTransport(redis.uri)
    heard, own = [], []
    await one.open(lambda *message: own.append(message), lambda: None)
    await two.open(lambda *message: heard.append(message), lambda: None)
    two.subscribe(["a", "b"])
    two.unsubscribe(["b"])
    two.subscribe(["c"])
    try:
        await settle(lambda: one.publish("a", b"?") or heard)
        heard.clear()
        for n in range(1000):
            one.publish("b" if n % 2 else "c", str(n).encode())
        one.publish("c", b"end")
        await settle(lambda: ("c", b"end") in heard)
        told = [payload for channel, payload in heard if channel == "c"]
        assert told == [*[str(n).encode() for n in range(0, 1000, 2)], b"end"]
        assert not [channel for channel, _ in heard if channel == "b"] and not own
    finally:
        await one.close()
        await two.close()


# Other ways to set Redis up


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def test_redis_over_tls(redis, start_nova, settings, io_loop, tmp_path):
    cert, key = make_certificate(tmp_path)
    (port,) = free_ports(1)
    files = ("--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-ca-cert-file", str(cert))
    server = RedisServer(tmp_path, "--tls-port", str(port), *files, "--tls-auth-clients", "no")
    server.start()
    try:
        uri = f"rediss://127.0.0.1:{port}?ssl_ca_certs={cert}"
        novas = [start_nova(replace(settings, redis=uri)) for _ in range(2)]
        io_loop.run_sync(lambda: check_that_messages_go_through(novas), timeout=60)
    finally:
        server.kill()


def start_cluster(folder, ports, bus_ports):
    """Redis servers that know each other and share the slots."""
    nodes = []
    for number, (port, bus_port) in enumerate(zip(ports, bus_ports, strict=True)):
        own = folder / str(number)
        own.mkdir()
        cluster = ("--cluster-enabled", "yes", "--cluster-port", str(bus_port), "--dir", str(own))
        node = RedisServer(own, "--port", str(port), "--bind", "127.0.0.1", *cluster)
        nodes.append(node)
        node.start()
    share = 16384 // len(nodes)
    for number, node in enumerate(nodes):
        with Redis.from_url(node.uri) as client:
            last = 16383 if node is nodes[-1] else (number + 1) * share - 1
            client.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
            client.execute_command("CLUSTER MEET", "127.0.0.1", ports[0], bus_ports[0])
    return nodes


def is_whole(node, size):
    with Redis.from_url(node.uri) as client:
        info = client.execute_command("CLUSTER INFO")
        return info["cluster_state"] == "ok" and int(info["cluster_size"]) == size


def test_redis_cluster(redis, start_nova, settings, io_loop, tmp_path):
    """Each process is connected to another node."""
    ports = free_ports(6)
    nodes = start_cluster(tmp_path, ports[:3], ports[3:])
    try:
        io_loop.run_sync(lambda: settle(lambda: all(is_whole(node, 3) for node in nodes), 60))
        novas = [start_nova(replace(settings, redis=f"redis://127.0.0.1:{port}")) for port in ports[:2]]
        io_loop.run_sync(lambda: check_that_messages_go_through(novas), timeout=60)
    finally:
        for node in nodes:
            node.kill()
