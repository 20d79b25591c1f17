"""A small drill of Nova, or of a mutant of it: `python run_drill.py FAULTS SECONDS SEED [MUTANT]`.

It is a process of its own, because what breaks in it would be warnings in a test.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from nova_tornado.drill.ground import LAUNCHER
from nova_tornado.drill.run import SMOKE, Order, drill, is_kept, table

SMALL = replace(SMOKE, people=10, chats=3, pause_s=0.05)


def run(faults, seconds, seed, mutant=None):
    launcher = (sys.executable, str(Path(__file__).with_name("mutant_server.py")), mutant) if mutant else LAUNCHER
    order = Order(int(seed), SMALL, float(seconds), faults.split(","), launcher=launcher)
    report = asyncio.run(drill(order, print))
    print("\n".join(table(report)))
    return 0 if is_kept(report) else 1


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
