"""python benchmarks all [--quick] | WORK [PEER,PEER…] [options]."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import FrameType

if not __package__:  # run by its path: the package lies beside, not on, the search path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.harness.processes import CLIENT_CPU, prepare_folders
from benchmarks.peers import NAMES, make
from benchmarks.runner import Results, run_in_turn, run_together
from benchmarks.tables import target_table, work_table
from benchmarks.works import WORKS
from benchmarks.works.work import Options

CHATTING = ("nova", "prototype:handler", "prototype:raw", "ejabberd")
TABLE = {
    "fanout": NAMES,
    "pair": CHATTING,
    "idle": (*CHATTING, "baseline:c-send", "baseline:tornado-sock"),
    "history": ("nova", "prototype:handler", "prototype:handler+memory", "ejabberd"),
}
"""Who takes part in the whole table; the works of Nova alone come after these."""
ALONE = ("chat_list", "growth", "memory_history", "filters")
DEFAULT_PEERS = {**TABLE, **dict.fromkeys(ALONE, ("nova",))}
ROUNDS = 3
QUICK_ROUNDS = 2
QUICK = Options(run_s=1.5, members=200, pairs=50, idle=300, history=1000, chats=200, short_chat=1000, long_chat=50_000)


def _options(arguments: argparse.Namespace) -> Options:
    base = QUICK if arguments.quick else Options()
    given = {f.name: value for f in fields(Options) if (value := getattr(arguments, f.name)) is not None}
    return replace(base, **given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Nova and its peers, side by side.")
    parser.add_argument("work", choices=["all", *WORKS])
    parser.add_argument("peers", nargs="?", help="names with commas between; ratios are to the first; see README.md")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see whether all works")
    parser.add_argument("--rounds", type=int, help=f"runs of each peer [default: {ROUNDS}]")
    for field in fields(Options):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=type(field.default), help=f"[default: {field.default}]")
    return parser


def _run_all(options: Options, rounds: int) -> dict[str, Results]:
    """The whole table, each work's part printed as soon as it is there."""
    results: dict[str, Results] = {}
    for name, peers in TABLE.items():
        results[name] = run_in_turn(WORKS[name], peers, options, rounds)
        print(work_table(WORKS[name], results[name]), flush=True)
    alone = {"chat_list": run_in_turn(WORKS["chat_list"], ["nova"], options, rounds)}
    alone |= {"filters": run_in_turn(WORKS["filters"], ["nova"], options, rounds)}
    alone |= run_together([WORKS["growth"], WORKS["memory_history"]], "nova", options, rounds)
    for name in alone:
        print(work_table(WORKS[name], alone[name]), flush=True)
    results |= alone
    print(target_table(results), flush=True)
    return results


def _run_one(work: str, peers: Sequence[str], options: Options, rounds: int) -> dict[str, Results]:
    for name in peers:
        if work not in make(name).works:
            raise ValueError(f"{name} cannot do {work}")
    results = {work: run_in_turn(WORKS[work], peers, options, rounds)}
    print(work_table(WORKS[work], results[work]), flush=True)
    return results


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit("benchmarks: stopped")  # so that the servers are stopped too


def main() -> None:
    """Run what the command line asks for; exit code 1 if a peer failed."""
    parser = _parser()
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    os.sched_setaffinity(0, {CLIENT_CPU})
    for name in [name for name in os.environ if name.startswith("NOVA_") and name != "NOVA_MONGOD"]:
        del os.environ[name]  # the settings of another server
    prepare_folders()
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    options = _options(arguments)
    try:
        if arguments.work == "all":
            if arguments.peers:
                parser.error("the whole table has its own peers")
            results = _run_all(options, rounds)
        else:
            peers = arguments.peers.split(",") if arguments.peers else DEFAULT_PEERS[arguments.work]
            results = _run_one(arguments.work, peers, options, rounds)
    except ValueError as error:
        parser.error(str(error))
    if any(not runs for of_work in results.values() for runs in of_work.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
