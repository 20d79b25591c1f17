"""Faults that need several processes: of workers, of their replacement, of the Redis between servers."""

from __future__ import annotations

import asyncio
import os
import signal

from nova_tornado.drill.faults import Fault, Grounds, halt
from nova_tornado.drill.ground import GoneError, GroundError, Server

RELOAD_LIMIT_S = 120.0
LOOK_S = 0.02


def _worker_of(ground: Grounds, server: Server) -> int:
    workers = server.workers()
    if not workers:
        raise GoneError("the workers")
    return ground.dice.choice(workers)


async def worker_kill(ground: Grounds) -> str:
    """kill -9 of a worker, which its supervisor replaces; not so often that it gives up."""
    server = ground.pick_server()
    if not server.may_lose_worker():
        return "left out: a server gives up on workers that end too often"
    since_s = ground.recorder.now_s()
    pid = _worker_of(ground, server)
    count = len(server.workers())
    os.kill(pid, signal.SIGKILL)
    await _wait_for(lambda: pid not in (now := server.workers()) and len(now) >= count)
    replaced_s = ground.recorder.now_s() - since_s
    return f"replaced after {replaced_s:.1f} s, {await ground.again(since_s)}"


async def worker_halt(ground: Grounds) -> str:
    """SIGSTOP of a worker, SIGCONT a while later."""
    return await halt(ground, _worker_of(ground, ground.pick_server()))


async def reload(ground: Grounds) -> str:
    """SIGHUP: all workers are replaced, one after the other."""
    server = ground.pick_server()
    since_s = ground.recorder.now_s()
    before = set(server.workers())
    os.kill(server.pid, signal.SIGHUP)
    await _wait_for(lambda: before.isdisjoint(server.workers()))
    return f"{len(before)} workers replaced within {ground.recorder.now_s() - since_s:.1f} s"


async def redis_kill(ground: Grounds) -> str:
    """kill -9 of Redis, which comes back empty."""
    assert ground.redis is not None
    since_s = ground.recorder.now_s()
    await ground.redis.kill()
    return await ground.again(since_s)


async def redis_halt(ground: Grounds) -> str:
    """SIGSTOP of Redis, SIGCONT a while later."""
    assert ground.redis is not None
    return await halt(ground, ground.redis.pid)


async def _wait_for(condition: object) -> None:
    assert callable(condition)
    try:
        async with asyncio.timeout(RELOAD_LIMIT_S):
            while not condition():
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise GroundError("the workers are not replaced") from None


OF_WORKERS: dict[str, Fault] = {"worker-kill": worker_kill, "worker-halt": worker_halt, "reload": reload}
OF_REDIS: dict[str, Fault] = {"redis-kill": redis_kill, "redis-halt": redis_halt}
