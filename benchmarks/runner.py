"""Peers at works, in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks.harness.peer import Peer
from benchmarks.harness.results import Figures, record, say
from benchmarks.peers import make
from benchmarks.works.work import Options, Work

PINGS_S = 5.0
"""How often pings are answered while another peer is prepared; servers wait for 30 s and more."""

Results = dict[str, list[Figures]]
"""The runs of each peer, by its name; a peer that failed has none, or fewer than the others."""


def run_in_turn(work_type: type[Work], names: Sequence[str], options: Options, rounds: int) -> Results:
    """Measure peers at one work, round after round, so that a busy machine hits all alike.

    All of them run during the whole time, but only one at a time is asked for something. A work that is `alone` is
    measured once, one peer after the other. A peer that fails is named on stderr and left out from then on.
    """
    if not work_type.alone:
        return _run([work_type], names, options, rounds)[work_type.name]
    results: Results = {}
    for name in names:
        results |= _run([work_type], [name], options, rounds)[work_type.name]
    return results


def run_together(work_types: Sequence[type[Work]], name: str, options: Options, rounds: int) -> dict[str, Results]:
    """Measure one server at several works, which share what they prepare; by the works' names."""
    return _run(work_types, [name], options, rounds)


def _run(work_types: Sequence[type[Work]], names: Sequence[str], options: Options, rounds: int) -> dict[str, Results]:
    found: dict[str, Results] = {}
    failed: set[Peer] = set()
    with ExitStack() as stack:
        peers = [make(name) for name in names]
        for peer in peers:
            stack.callback(peer.stop)
            with _leaving_out(peer, "start", failed):
                peer.start()
        for work_type in work_types:
            works: list[Work] = []
            results = found[work_type.name] = {peer.name: [] for peer in peers}
            for peer in peers:
                if peer in failed:
                    continue
                work = work_type(peer, options)
                stack.callback(work.close)
                started = time.monotonic()
                with _leaving_out(peer, f"preparation for {work.name}", failed), _answering_pings(works, failed):
                    work.prepare()
                    works.append(work)
                    say(f"{peer.name}: ready for {work.name} after {time.monotonic() - started:.1f} s")
            for number in range(1, (1 if work_type.alone else rounds) + 1):
                for work in works:
                    _answer_pings(works, failed)
                    if work.peer in failed:
                        continue
                    with _leaving_out(work.peer, f"{work.name}, round {number}", failed):
                        figures = work.measure()
                        record({"peer": work.peer.name, "work": work.name, "round": number, **figures})
                        results[work.peer.name].append(figures)
                        say(f"{work.peer.name}: {work.name}, round {number}: {figures[work.cost]} {work.cost_title}")
    return found


def _answer_pings(works: Sequence[Work], failed: set[Peer]) -> None:
    for work in works:
        if work.peer not in failed:
            with _leaving_out(work.peer, f"{work.name}, idle", failed):
                work.hub.answer_pings()


@contextmanager
def _answering_pings(works: Sequence[Work], failed: set[Peer]) -> Iterator[None]:
    """Answer pings of these works beside what is done meanwhile, which may take longer than a server's patience."""
    is_over = threading.Event()

    def answer() -> None:
        while not is_over.wait(PINGS_S):
            _answer_pings(works, failed)

    beside = threading.Thread(target=answer, daemon=True)
    beside.start()
    try:
        yield
    finally:
        is_over.set()
        beside.join()


@contextmanager
def _leaving_out(peer: Peer, what: str, failed: set[Peer]) -> Iterator[None]:
    """A peer that fails in this step joins `failed`; the others go on."""
    try:
        yield
    except Exception as error:
        failed.add(peer)
        say(f"{peer.name}: {what} FAILED: {type(error).__name__}: {error}")
