"""The command line of `nova drill`."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence

import click

from nova_tornado.drill.catalogue import ALL, NEEDS, faults_of
from nova_tornado.drill.checker import Report
from nova_tornado.drill.ground import GroundError
from nova_tornado.drill.redis_server import AUTO
from nova_tornado.drill.run import FULL, SMOKE, Order, drill, is_kept, table
from nova_tornado.storage.embedded import EmbeddedError

SMOKE_S, FULL_S = 60.0, 600.0
EXIT_BROKEN = 1
SEEDS = 10**6


def run(
    *,
    is_full: bool,
    seed: int | None,
    faults: str | None,
    seconds: float | None,
    workers: int,
    redis: str | None,
    keep: bool,
) -> int:
    """Make a drill, and tell of it on stdout.

    Returns:
        The exit code: 0 if every promise was kept, 1 if one was broken.

    Raises:
        click.ClickException: it cannot be made.
    """
    is_set = is_full or redis is not None  # two servers cannot share an embedded database
    possible = faults_of(is_set=is_set, workers=workers, has_redis=redis == AUTO)
    order = Order(
        seed=random.SystemRandom().randrange(SEEDS) if seed is None else seed,
        size=FULL if is_full else SMOKE,
        seconds=seconds if seconds is not None else FULL_S if is_full else SMOKE_S,
        faults=possible if faults is None else _names(faults, possible),
        is_set=is_set,
        workers=workers,
        redis=redis,
        keep=keep,
    )
    try:
        report = asyncio.run(_until_told_to_stop(order))
    except asyncio.CancelledError:
        raise click.Abort from None
    except (GroundError, EmbeddedError) as error:
        raise click.ClickException(f"{error} (seed {order.seed})") from None
    for line in table(report):
        click.echo(line)
    click.echo(f"seed {order.seed}")
    return 0 if is_kept(report) else EXIT_BROKEN


async def _until_told_to_stop(order: Order) -> Report:
    """The drill; SIGTERM breaks it off as Ctrl-C does, so that nothing of it is left."""
    task = asyncio.ensure_future(drill(order, click.echo))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _names(text: str, possible: Sequence[str]) -> list[str]:
    names = text.replace(",", " ").split()
    for name in names:
        if name not in ALL:
            raise click.UsageError(f"there is no fault {name!r}, but {', '.join(ALL)}")
        if name not in possible:
            raise click.UsageError(f"{name} needs {NEEDS[name]}")
    if not names:
        raise click.UsageError("--faults names none")
    return list(dict.fromkeys(names))
