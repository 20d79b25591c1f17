"""How a change is declared: what is there before it, and what each connection is told of it.

A cell (one change, one receiving protocol) is a list of deliveries in the order in which they come: whom, and what. A
letter means that user's connection, ``asker`` the socket that asked for the change; there is none if it was asked for
over HTTP. Who is named nowhere in a cell is told nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from together.matching import Maybe

PROTOCOLS = ("actions", "methods", "modes", "rooms", "opcodes")
ASKER = "asker"
LETTERS = "ABCX"

Delivery = tuple[str, Any]
Cell = Sequence[Delivery]
Cells = Mapping[str, Cell]


@dataclass(frozen=True)
class Change:
    """What a change looks like.

    Attributes:
        cells: by receiving protocol.
        before: what is there already; the names of steps of ``world.BEFORE``, in this order.
        actor: who makes it.
        then: by sending protocol, what follows because it was made there.
        is_presence: it is about who is online; in all other changes nothing is told of that.
        offline: whose connections are not opened.
    """

    cells: Cells
    before: Sequence[str] = ()
    actor: str = "A"
    then: Mapping[str, Cells] = field(default_factory=dict)
    is_presence: bool = False
    offline: str = ""

    def expected(self, sender: str, receiver: str, who: str) -> list[Any]:
        """What one connection is told."""
        cells = [self.cells[receiver]]
        if sender in self.then:
            cells.append(self.then[sender].get(receiver, ()))
        return [packet for cell in cells for names, packet in cell if who in names.split()]


def maybe(names: str, packet: Any) -> Delivery:
    """A delivery that the contract leaves free."""
    return names, Maybe(packet)
