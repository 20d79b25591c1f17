"""All faults, which of them a drill can have, and how one is carried out."""

from __future__ import annotations

import asyncio

from nova_tornado.drill.faults import AGAIN_LIMIT_S, FAULTS, Grounds
from nova_tornado.drill.ground import GoneError, GroundError, is_ready
from nova_tornado.drill.worker_faults import OF_REDIS, OF_WORKERS

ALL = {**FAULTS, **OF_WORKERS, **OF_REDIS}
"""By name."""
NEEDS = {
    "step-down": "a replica set of three, which --full has",
    "full-disk": "the embedded database, which --full and --redis have not",
    **dict.fromkeys(OF_WORKERS, "--workers 2 or more"),
    **dict.fromkeys(OF_REDIS, "--redis auto"),
}
LOOK_S = 0.05


def faults_of(*, is_set: bool, workers: int = 1, has_redis: bool = False) -> list[str]:
    """The faults that a drill can have.

    Args:
        is_set: whether the database is a set of three, and not the embedded one.
        workers: how many processes each server has.
        has_redis: whether the drill has a Redis of its own.
    """
    left_out = {"full-disk"} if is_set else {"step-down"}
    if workers == 1:
        left_out |= OF_WORKERS.keys()
    if not has_redis:
        left_out |= OF_REDIS.keys()
    return [name for name in ALL if name not in left_out]


async def carry_out(ground: Grounds, name: str) -> str:
    """Do one fault; what came of it in a line. One that another has made impossible is left out, and says so.

    Raises:
        GroundError: Nova does not serve again.
    """
    try:
        return await ALL[name](ground)
    except (GoneError, ProcessLookupError, FileNotFoundError):
        return "broken off: another fault was faster"


async def wait_whole(ground: Grounds) -> None:
    """Wait until all servers serve.

    Raises:
        GroundError: one does not.
    """
    try:
        async with asyncio.timeout(AGAIN_LIMIT_S):
            for server in ground.servers:
                await server.wait_up()
                while not await is_ready(server.port):
                    await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise GroundError("the server is not ready again") from None
