"""python benchmarks all|engine [--quick] | WORK [PEER,PEER…] [options]."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import FrameType

if not __package__:  # run by its path: the package lies beside, not on, the search path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.harness.processes import CLIENT_CPU, prepare_folders
from benchmarks.harness.results import say
from benchmarks.peers import NAMES, make
from benchmarks.runner import Results, run_in_turn, run_together
from benchmarks.tables import target_table, work_table
from benchmarks.works import WORKS
from benchmarks.works.fanout import Fanout, Fanout100, PacedFanout
from benchmarks.works.work import Options, Work


@dataclass(frozen=True, slots=True)
class Section:
    """One table, or two, of a larger run.

    Attributes:
        key: under which the targets find it.
        work: its name.
        peers: who takes part.
        sizes: what differs from the sizes asked for.
        views: how its results are shown.
    """

    key: str
    work: str
    peers: Sequence[str]
    sizes: Mapping[str, float] = field(default_factory=dict)
    views: Sequence[type[Work]] = ()

    def print_tables(self, results: Results) -> None:
        """Print what was measured."""
        for view in self.views or [WORKS[self.work]]:
            print(work_table(view, results), flush=True)


CHATTING = ("nova", "prototype:handler", "prototype:raw", "ejabberd")
ALL = (
    Section("fanout", "fanout", NAMES),
    Section("pair", "pair", CHATTING),
    Section("idle", "idle", (*CHATTING, "baseline:c-send", "baseline:tornado-sock")),
    Section("history", "history", ("nova", "prototype:handler", "prototype:handler+memory", "ejabberd")),
)
"""The whole table; the works of Nova alone come after it."""
ALONE = ("chat_list", "growth", "memory_history", "filters", "storm")

ONE_AND_TWO = ("nova", "nova:workers-2", "nova:methods", "nova:methods+workers-2")
FANNING_OUT = (*ONE_AND_TWO, "ejabberd", "baseline:node-ws", "baseline:c-send", "baseline:c-tick")
FANNING_OUT_100 = ("nova", "nova:workers-2", "ejabberd", "baseline:node-ws", "baseline:c-send")
READING = ("nova", "nova:resume", "nova:older", "nova:workers-2", "nova:resume+workers-2", "ejabberd")
ENGINE = (
    Section("fanout", "fanout", FANNING_OUT, {"paced_rate": 20}, (Fanout, PacedFanout)),
    Section("fanout_100", "fanout", FANNING_OUT_100, {"members": 100}, (Fanout100,)),
    Section("pair", "pair", (*ONE_AND_TWO, "ejabberd")),
    Section("idle", "idle", ("nova", "nova:workers-2", "ejabberd", "baseline:c-send")),
    Section("history", "history", READING),
)
"""What the targets of the path from a socket to the others need, and no more."""
LARGE = {"all": ALL, "engine": ENGINE}
DEFAULT_PEERS = {**{section.key: section.peers for section in ALL}, **dict.fromkeys(ALONE, ("nova",))}
ROUNDS = 3
QUICK_ROUNDS = 2
ENGINE_OPTIONS = Options(run_s=2.0)
QUICK = Options(
    run_s=1.5, members=200, pairs=50, idle=300, history=1000, chats=200, short_chat=1000, long_chat=50_000, storm=200
)


def _options(arguments: argparse.Namespace) -> Options:
    base = QUICK if arguments.quick else ENGINE_OPTIONS if arguments.work == "engine" else Options()
    given = {f.name: value for f in fields(Options) if (value := getattr(arguments, f.name)) is not None}
    return replace(base, **given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Nova and its peers, side by side.")
    parser.add_argument("work", choices=[*LARGE, *WORKS])
    parser.add_argument("peers", nargs="?", help="names with commas between; ratios are to the first; see README.md")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see whether all works")
    parser.add_argument("--rounds", type=int, help=f"runs of each peer [default: {ROUNDS}]")
    for option in fields(Options):
        flag = "--" + option.name.replace("_", "-")
        parser.add_argument(flag, type=type(option.default), help=f"[default: {option.default}]")
    return parser


def _run_sections(sections: Sequence[Section], options: Options, rounds: int) -> dict[str, Results]:
    """Several tables, each printed as soon as it is there."""
    results: dict[str, Results] = {}
    for section in sections:
        sizes = replace(options, **section.sizes)  # type: ignore[arg-type]
        results[section.key] = run_in_turn(WORKS[section.work], section.peers, sizes, rounds)
        section.print_tables(results[section.key])
    return results


def _run_alone(options: Options, rounds: int) -> dict[str, Results]:
    """The works of Nova alone."""
    results = {name: run_in_turn(WORKS[name], ["nova"], options, rounds) for name in ("chat_list", "filters", "storm")}
    results |= run_together([WORKS["growth"], WORKS["memory_history"]], "nova", options, rounds)
    for name in results:
        print(work_table(WORKS[name], results[name]), flush=True)
    return results


def _run_large(name: str, options: Options, rounds: int) -> dict[str, Results]:
    """All that a name stands for, and the targets."""
    started = time.monotonic()
    results = _run_sections(LARGE[name], options, rounds)
    if name == "all":
        results |= _run_alone(options, rounds)
    print(target_table(results), flush=True)
    say(f"{name} took {(time.monotonic() - started) / 60:.1f} minutes")
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
        if arguments.work in LARGE:
            if arguments.peers:
                parser.error(f"{arguments.work} has its own peers")
            results = _run_large(arguments.work, options, rounds)
        else:
            peers = arguments.peers.split(",") if arguments.peers else DEFAULT_PEERS[arguments.work]
            results = _run_one(arguments.work, peers, options, rounds)
    except ValueError as error:
        parser.error(str(error))
    if any(not runs for of_work in results.values() for runs in of_work.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
