"""What is done to the processes and to the links; each fault says in a line what came of it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nova_tornado.drill.crowd import Crowd
from nova_tornado.drill.disk import Disk
from nova_tornado.drill.ground import DatabaseGround, EmbeddedGround, GroundError, Server
from nova_tornado.drill.history import Recorder
from nova_tornado.drill.proxy import Proxy
from nova_tornado.drill.redis_server import RedisServer
from nova_tornado.drill.replica_set import ReplicaSet

AGAIN_LIMIT_S = 120.0
"""When sends are not acknowledged again by then, the drill has failed."""
HALT_S = (1.0, 4.0)
"""How long a process is halted: at least and at most. A mongod that hangs longer makes outcomes unknown."""
LINKS_S = (1.0, 4.0)
"""How long links are slow or dead."""
SHARE = 0.4
"""Of the links that a fault of links is about."""
DELAYS_S = (0.05, 0.4)


@dataclass(slots=True)
class Grounds:
    """What faults are about.

    Attributes:
        dice: what a fault chooses.
        trouble: the file that makes the bad plugin bad; None if there is no such plugin.
        disk: where the embedded database is; None if it is no disk of the drill's own.
        redis: the Redis between the servers; None if there is none that may be broken.
    """

    servers: Sequence[Server]
    database: DatabaseGround
    proxy: Proxy
    crowd: Crowd
    recorder: Recorder
    dice: random.Random
    trouble: Path | None = None
    disk: Disk | None = None
    redis: RedisServer | None = None

    def pick_server(self) -> Server:
        """The server that a fault is about."""
        return self.dice.choice(self.servers)

    async def again(self, since_s: float) -> str:
        """How long it took from a moment until a send that was begun after it was acknowledged.

        Raises:
            GroundError: it takes too long.
        """
        try:
            async with asyncio.timeout(AGAIN_LIMIT_S):
                at_s = await self.recorder.next_send(since_s)
        except TimeoutError:
            raise GroundError(f"no send was acknowledged for {AGAIN_LIMIT_S:.0f} s") from None
        return f"sends acknowledged again after {at_s - since_s:.1f} s"


Fault = Callable[[Grounds], Awaitable[str]]


async def server_kill(ground: Grounds) -> str:
    """kill -9 of the server."""
    server = ground.pick_server()
    since_s = ground.recorder.now_s()
    server.kill()
    await server.wait_up()
    up_s = ground.recorder.now_s() - since_s
    return f"serving again after {up_s:.1f} s, {await ground.again(since_s)}"


async def server_halt(ground: Grounds) -> str:
    """SIGSTOP of the server, SIGCONT a while later."""
    return await halt(ground, ground.pick_server().pid)


async def database_kill(ground: Grounds) -> str:
    """kill -9 of mongod, or of the set's primary."""
    since_s = ground.recorder.now_s()
    done = await ground.database.kill()
    return f"{done}, {await ground.again(since_s)}"


async def database_halt(ground: Grounds) -> str:
    """SIGSTOP of mongod, SIGCONT a while later."""
    return await halt(ground, ground.database.pid())


async def halt(ground: Grounds, pid: int) -> str:
    """SIGSTOP of a process, SIGCONT a while later."""
    halt_s = ground.dice.uniform(*HALT_S)
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(halt_s)
    finally:
        since_s = ground.recorder.now_s()
        os.kill(pid, signal.SIGCONT)
    return f"halted for {halt_s:.1f} s, {await ground.again(since_s)}"


async def machine_kill(ground: Grounds) -> str:
    """mongod hangs, then it and all servers are killed at once: what a machine that dies under load looks like."""
    pid = ground.database.pid()
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(HALT_S[0])
    since_s = ground.recorder.now_s()
    for server in ground.servers:
        server.kill()
    if isinstance(ground.database, ReplicaSet):
        await ground.database.restart(pid)
    else:
        os.kill(pid, signal.SIGKILL)
    for server in ground.servers:
        await server.wait_up()
    up_s = ground.recorder.now_s() - since_s
    return f"serving again after {up_s:.1f} s, {await ground.again(since_s)}"


async def step_down(ground: Grounds) -> str:
    """The primary of the three hands over."""
    assert isinstance(ground.database, ReplicaSet)
    since_s = ground.recorder.now_s()
    await ground.database.step_down()
    return await ground.again(since_s)


async def reset_links(ground: Grounds) -> str:
    """Links are reset, several times."""
    count = 0
    for _ in range(ground.dice.randrange(3, 8)):
        wires = ground.proxy.some(SHARE, ground.dice)
        count += len(wires)
        for wire in wires:
            wire.reset()
        await asyncio.sleep(ground.dice.uniform(*DELAYS_S))
    return f"{count} links reset"


async def slow_links(ground: Grounds) -> str:
    """Links are slow for a while."""
    wires = ground.proxy.some(SHARE, ground.dice)
    for wire in wires:
        wire.delay_s = ground.dice.uniform(*DELAYS_S)
    await asyncio.sleep(ground.dice.uniform(*LINKS_S))
    for wire in wires:
        wire.delay_s = 0.0
    return f"{len(wires)} links slowed down"


async def half_open_links(ground: Grounds) -> str:
    """Nothing passes on some links any more, and neither end is told; then they break."""
    return await _block(ground, may_go=False, may_come=False)


async def one_way_links(ground: Grounds) -> str:
    """Some links pass on in one direction alone; then they break."""
    may_go = ground.dice.random() < 0.5
    return await _block(ground, may_go=may_go, may_come=not may_go)


async def _block(ground: Grounds, *, may_go: bool, may_come: bool) -> str:
    wires = ground.proxy.some(SHARE, ground.dice)
    for wire in wires:
        if not may_go:
            wire.may_go.clear()
        if not may_come:
            wire.may_come.clear()
    await asyncio.sleep(ground.dice.uniform(*LINKS_S))
    for wire in wires:
        wire.reset()
    passed = "towards the server" if may_go else "from the server" if may_come else "in no direction"
    return f"{len(wires)} links passed on {passed}, then broke"


async def storm(ground: Grounds) -> str:
    """A crowd loses its connections at one moment, and all of it comes back at once."""
    return await ground.crowd.storm()


async def slow_readers(ground: Grounds) -> str:
    """Some who listen do not read what they are told, and they are told much."""
    before = ground.servers[0].resident_bytes()
    told = await ground.crowd.read_slowly()
    grown_mib = (ground.servers[0].resident_bytes() - before) / 2**20
    return f"{told}, the server's memory grew by {grown_mib:.0f} MiB"


async def bad_frames(ground: Grounds) -> str:
    """What is no request at all, by every protocol."""
    return await ground.crowd.send_rubbish(ground.dice)


async def bad_plugin(ground: Grounds) -> str:
    """A filter and a subscriber that raise and hang, in turns."""
    assert ground.trouble is not None
    since_s = ground.recorder.now_s()
    ground.trouble.touch()
    try:
        again = await ground.again(since_s)
        await asyncio.sleep(ground.dice.uniform(*HALT_S))
    finally:
        ground.trouble.unlink(missing_ok=True)
    return f"a plugin raised and hung, {again}"


async def full_disk(ground: Grounds) -> str:
    """No room is left for the embedded database, for a while."""
    if ground.disk is None or not isinstance(ground.database, EmbeddedGround):
        return "left out: it takes root, who may mount a small disk"
    [server] = ground.servers
    server.may_end = True  # by its mongod, which cannot be started again either
    before = ground.database.pid()
    try:
        await asyncio.to_thread(ground.disk.fill)
        await asyncio.sleep(ground.dice.uniform(*HALT_S))
        since_s = ground.recorder.now_s()
        ground.disk.clear()
        again = await ground.again(since_s)
    finally:
        ground.disk.clear()
        server.may_end = False
        ground.database.note_restarts()
    ended = "did not end" if ground.database.pid() == before else "ended"
    return f"the disk was full, mongod {ended}, {again} there was room"


FAULTS: dict[str, Fault] = {
    "server-kill": server_kill,
    "server-halt": server_halt,
    "database-kill": database_kill,
    "database-halt": database_halt,
    "machine-kill": machine_kill,
    "step-down": step_down,
    "reset-links": reset_links,
    "slow-links": slow_links,
    "half-open-links": half_open_links,
    "one-way-links": one_way_links,
    "storm": storm,
    "slow-readers": slow_readers,
    "bad-frames": bad_frames,
    "bad-plugin": bad_plugin,
    "full-disk": full_disk,
}
"""By name."""
