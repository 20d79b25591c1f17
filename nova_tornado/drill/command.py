"""The command line of `nova drill`."""

from __future__ import annotations

import asyncio
import random
import signal

import click

from nova_tornado.drill.checker import Report
from nova_tornado.drill.faults import FAULTS, NOT_OF_SETS, OF_SETS
from nova_tornado.drill.ground import GroundError
from nova_tornado.drill.run import FULL, SMOKE, Order, drill, faults_of, is_kept, table
from nova_tornado.storage.embedded import EmbeddedError

SMOKE_S, FULL_S = 60.0, 600.0
EXIT_BROKEN = 1
SEEDS = 10**6


def run(*, is_full: bool, seed: int | None, faults: str | None, seconds: float | None, keep: bool) -> int:
    """Make a drill, and tell of it on stdout.

    Returns:
        The exit code: 0 if every promise was kept, 1 if one was broken.

    Raises:
        click.ClickException: it cannot be made.
    """
    names = faults_of(is_full) if faults is None else _names(faults, is_full)
    order = Order(
        seed=random.SystemRandom().randrange(SEEDS) if seed is None else seed,
        size=FULL if is_full else SMOKE,
        seconds=seconds if seconds is not None else FULL_S if is_full else SMOKE_S,
        faults=names,
        is_set=is_full,
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


def _names(text: str, is_set: bool) -> list[str]:
    names = [name for name in text.replace(",", " ").split() if name]
    for name in names:
        if name not in FAULTS:
            raise click.UsageError(f"there is no fault {name!r}, but {', '.join(FAULTS)}")
        if name in OF_SETS and not is_set:
            raise click.UsageError(f"{name} needs a replica set, which --full has")
        if name in NOT_OF_SETS and is_set:
            raise click.UsageError(f"{name} needs the embedded database, which --full has not")
    if not names:
        raise click.UsageError("--faults names none")
    return list(dict.fromkeys(names))
