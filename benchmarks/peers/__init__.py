"""One driver per peer.

NAMES lists all; `make` also knows the variants that each module documents.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.harness.peer import Peer
from benchmarks.peers.baseline import VARIANTS, Baseline
from benchmarks.peers.ejabberd import Ejabberd
from benchmarks.peers.nova import Nova
from benchmarks.peers.prototype import Prototype

NAMES = ("nova", "prototype:handler", "prototype:raw", *(f"baseline:{variant}" for variant in VARIANTS), "ejabberd")
_DRIVERS: dict[str, Callable[[str], Peer]] = {
    "nova": Nova,
    "prototype": Prototype,
    "baseline": Baseline,
    "ejabberd": Ejabberd,
}


def make(name: str) -> Peer:
    """The driver of `PEER` or `PEER:VARIANT`.

    Raises:
        ValueError: there is none.
    """
    kind, _, variant = name.partition(":")
    if kind not in _DRIVERS:
        raise ValueError(f"no peer {name!r}: {', '.join(NAMES)}")
    return _DRIVERS[kind](variant)
