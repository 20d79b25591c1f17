"""Two Novas of one process, joined by a bus that can lose messages."""

from __future__ import annotations

import pytest
from realtime.buses import MemoryBus


@pytest.fixture
def bus():
    return MemoryBus()


@pytest.fixture
def novas(start_nova, settings, bus):
    return [start_nova(settings, transport=bus.transport()) for _ in range(2)]
