"""A drill from its start to its verdict."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nova_tornado.drill import bad_plugin
from nova_tornado.drill.catalogue import carry_out, wait_whole
from nova_tornado.drill.checker import Report, check, violations_of
from nova_tornado.drill.crowd import Crowd
from nova_tornado.drill.disk import Disk
from nova_tornado.drill.faults import Grounds
from nova_tornado.drill.ground import LAUNCHER, DatabaseGround, EmbeddedGround, Server
from nova_tornado.drill.history import Recorder
from nova_tornado.drill.plan import Step, make_plan
from nova_tornado.drill.proxy import Proxy
from nova_tornado.drill.redis_server import AUTO, RedisServer
from nova_tornado.drill.replica_set import ReplicaSet
from nova_tornado.drill.truth import read_truth
from nova_tornado.drill.world import Size, World
from nova_tornado.settings import DATABASE

SMOKE = Size(people=15, chats=6, pause_s=0.15, crowd=200, readers=4, loud_texts=500, frames=500)
FULL = Size(people=200, chats=50, pause_s=1.0, crowd=2_000, readers=20, loud_texts=500, frames=10_000)
CROWD_USERS = 20
WARM_UP_S = 1.0
VIOLATIONS_SHOWN = 20
HISTORY_FILE = "history.jsonl"


@dataclass(frozen=True, slots=True)
class Order:
    """What kind of drill it is to be.

    Attributes:
        seed: of the plan, and of what people do.
        size: how many people, chats and the like.
        seconds: how long faults are made, roughly.
        faults: their names.
        is_set: whether the database is a set of three, and not the embedded one.
        workers: how many processes each server has.
        redis: ``auto`` for a Redis of the drill's own, or the URI of one; then there are two servers. None: no Redis.
        keep: whether the folder stays.
        launcher: how Nova is started.
    """

    seed: int
    size: Size
    seconds: float
    faults: Sequence[str]
    is_set: bool = False
    workers: int = 1
    redis: str | None = None
    keep: bool = False
    launcher: Sequence[str] = LAUNCHER


async def drill(order: Order, say: Callable[[str], None]) -> Report:
    """Start a Nova, break it, and judge it.

    Args:
        say: gets the lines of what happens.

    Raises:
        GroundError: Nova does not start, or does not serve again.
    """
    folder = Path(tempfile.mkdtemp(prefix="nova-drill-"))
    try:
        return await _drill(order, folder, say)
    finally:
        if order.keep:
            say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def _drill(order: Order, folder: Path, say: Callable[[str], None]) -> Report:
    say(f"seed {order.seed}")
    plan = make_plan(order.seed, order.faults, order.seconds)
    recorder = Recorder(folder / HISTORY_FILE if order.keep else None)
    the_set = ReplicaSet(folder) if order.is_set else None
    environ = bad_plugin.install(folder / "plugin") if "bad-plugin" in order.faults else {}
    redis = RedisServer(folder) if order.redis == AUTO else None
    redis_uri = redis.uri if redis is not None else order.redis
    flags = [*(the_set.flags if the_set is not None else ()), "--workers", str(order.workers)]
    flags += [] if redis_uri is None else ["--redis", redis_uri]
    names = ("server",) if redis_uri is None else ("server-1", "server-2")
    servers = [Server(folder / name, flags, order.launcher, environ) for name in names]
    disk = Disk(servers[0].data) if "full-disk" in order.faults else None
    database: DatabaseGround = the_set if the_set is not None else EmbeddedGround(servers[0])
    for server in servers:
        server.folder.mkdir()
    proxy = Proxy([server.port for server in servers])
    world: World | None = None
    try:
        if disk is not None and not disk.mount():
            disk = None
        await database.open()
        if redis is not None:
            await redis.open()
        for server in servers:
            await server.open()
        await proxy.open()
        world = World(order.size, order.seed, servers[0].port, proxy.port, recorder)
        await world.make()
        crowd = await _make_crowd(world, order.size, servers[0].port)
        say(f"{len(world.people)} people in {len(world.rooms)} chats, {len(plan)} steps")
        world.begin()
        await asyncio.sleep(WARM_UP_S)
        ground = Grounds(servers, database, proxy, crowd, recorder, random.Random())
        ground.trouble = Path(environ[bad_plugin.VARIABLE]) if environ else None
        ground.disk, ground.redis = disk, redis
        for step in plan:
            await asyncio.sleep(step.pause_s)
            await _take(step, ground, say)
            world.check_lives()
        await crowd.close()
        await world.end()
        await world.look()
        truth = await asyncio.to_thread(read_truth, database.uri, DATABASE)
    finally:
        if world is not None:
            await world.close()
        await proxy.close()
        for server in servers:
            await server.close()
        if redis is not None:
            await redis.close()
        await database.close()
        if disk is not None:
            disk.unmount()
        recorder.close()
    for server in servers:
        for end in server.ends:
            say(end)
    return check(recorder.records, truth)


async def _make_crowd(world: World, size: Size, port: int) -> Crowd:
    accounts = [await world.register(f"crowd-{number}") for number in range(min(CROWD_USERS, size.crowd))]
    users, tokens = [user for user, _ in accounts], [token for _, token in accounts]
    loud = await world.make_loud_room(tokens, users)
    return Crowd(
        port,
        tokens,
        size=size.crowd,
        readers=size.readers,
        loud=loud,
        loud_texts=size.loud_texts,
        frames=size.frames,
    )


async def _take(step: Step, ground: Grounds, say: Callable[[str], None]) -> None:
    ground.dice = random.Random(step.seed)
    at_s = ground.recorder.now_s()
    results = await asyncio.gather(*(carry_out(ground, name) for name in step.faults), return_exceptions=True)
    for name, result in zip(step.faults, results, strict=True):
        if isinstance(result, BaseException):
            raise result
        say(f"{at_s:6.1f} s  {name:<16} {result}")
    await wait_whole(ground)


def table(report: Report) -> list[str]:
    """The verdicts as lines, and the first violations of each promise."""
    lines = []
    for name, verdict in report.items():
        counts = ", ".join(f"{count:,} {what}" for what, count in verdict.counts.items())
        state = f"{len(verdict.violations):,} violations" if verdict.violations else "kept"
        lines.append(f"{name}  {state:<14} {verdict.promise}: {counts or 'nothing to look at'}")
    for name, verdict in report.items():
        lines += [f"{name}: {line}" for line in verdict.violations[:VIOLATIONS_SHOWN]]
    return lines


def is_kept(report: Report) -> bool:
    """Whether there is no violation."""
    return not any(violations_of(report))
