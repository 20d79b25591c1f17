"""The chat list of a user with many chats: GET /chat. Nova alone."""

from __future__ import annotations

from benchmarks.harness.client import now_ns
from benchmarks.harness.processes import Meter, machine_lock
from benchmarks.harness.results import Figures, percentile_ms
from benchmarks.peers.nova_api import Account
from benchmarks.works.nova_work import NovaWork, Reader

GROUP_SIZES = (3, 5, 10, 20)
"""Members of the groups, in turn."""


class ChatList(NovaWork):
    """Half of the chats are private ones, half are groups; every second chat's last message is the user's own."""

    name = "chat_list"
    title = "Chat list: GET /chat of a user with many chats"
    cost = "server_cpu_ms"
    cost_title = "server CPU ms per request"
    columns = (
        ("p50_ms", "p50 ms"),
        ("p99_ms", "p99 ms"),
        ("cold_ms", "first after a restart, ms"),
        ("bytes", "bytes"),
        ("chats", "chats"),
    )

    def prepare(self) -> None:
        """Make friends, groups and messages; restart the server; ask once."""
        nova = self.nova
        friends_count = self.options.chats // 2
        user, *friends = nova.register(friends_count + 1)
        nova.api.each(lambda friend: nova.api.befriend(user, friend), friends)
        groups = range(self.options.chats - friends_count)
        nova.api.each(lambda k: nova.api.new_group(user, f"Group {k}", _members(friends, k)), groups)
        connection = nova.connect_as(user, 0)
        self.hub.add(connection)
        for chat_id in nova.api.chat_ids(user)[::2]:
            connection.send(nova.message(chat_id, b"The last message of chat %d" % chat_id))
            self.hub.poll(0)
        self.hub.drain(1, 30)
        self.hub.drop(connection)
        nova.restart()
        self._reader = Reader(nova, user)
        self.resources.callback(self._reader.close)
        self._cold_ms = percentile_ms([self._reader.get("/chat")], 0.5)
        self._reader.get("/chat")

    def measure(self) -> Figures:
        """One client asks again and again."""
        times_ns = []
        with machine_lock():
            meter = Meter(self.peer.roots)
            end = now_ns() + int(self.options.run_s * 1e9)
            while now_ns() < end:
                times_ns.append(self._reader.get("/chat"))
            meter.stop()
        return {
            "chats": self.options.chats,
            "requests": len(times_ns),
            "server_cpu_ms": round(meter.server_s / len(times_ns) * 1e3, 3),
            "others_cpu_percent": round(100 * meter.others_share, 1),
            "bytes": self._reader.size,
            "cold_ms": self._cold_ms,
            "p50_ms": percentile_ms(times_ns, 0.5),
            "p99_ms": percentile_ms(times_ns, 0.99),
        }


def _members(friends: list[Account], k: int) -> list[Account]:
    """The members of group k besides the user, spread evenly over the friends."""
    size = min(GROUP_SIZES[k % len(GROUP_SIZES)] - 1, len(friends))
    return [friends[(7 * k + j) % len(friends)] for j in range(size)]
