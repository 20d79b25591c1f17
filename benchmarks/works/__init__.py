"""The works: what the servers are measured at."""

from __future__ import annotations

from benchmarks.works.chat_list import ChatList
from benchmarks.works.fanout import Fanout
from benchmarks.works.filters import Filters
from benchmarks.works.history import History
from benchmarks.works.idle import Idle
from benchmarks.works.long_chat import Growth, MemoryHistory
from benchmarks.works.pair import Pair
from benchmarks.works.storm import Storm
from benchmarks.works.work import Work

WORKS: dict[str, type[Work]] = {
    work.name: work for work in (Fanout, Pair, Idle, History, ChatList, Growth, MemoryHistory, Filters, Storm)
}
