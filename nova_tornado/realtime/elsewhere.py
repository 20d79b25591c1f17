"""Who is connected to the other processes of this Nova.

Each process tells who comes and goes. Who has missed something, or is new, asks for the whole list. A process that is
not heard of for ``SILENT_S`` is taken for dead, and with it the connections of its users.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from nova_tornado.domain.models import Chat
from nova_tornado.realtime.event_codec import CodecError
from nova_tornado.realtime.hub import Hub
from nova_tornado.realtime.numbered import NumberedChannels
from nova_tornado.realtime.presence import Presence

SILENT_S = 6.0
"""The numbers of the channel are repeated every second, so this is long."""
LOOK_S = 1.0


class OnlineElsewhere:
    """Keeps the list of users who are online by other processes, in ``hub.elsewhere``.

    Args:
        channels: carry what is said.
        channel: on which it is said.
        hub: knows who is connected here.
        presence: told of changes.
        list_chats: the chats of connected users.
    """

    def __init__(
        self,
        channels: NumberedChannels,
        channel: str,
        hub: Hub,
        presence: Presence,
        list_chats: Callable[[], Collection[Chat]],
    ) -> None:
        self.channel = channel
        self._channels = channels
        self._hub = hub
        self._presence = presence
        self._list_chats = list_chats
        self._online: dict[str, set[int]] = {}
        self._heard_at_s: dict[str, float] = {}
        self._counts: dict[int, int] = {}
        self._watching: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to tell and to listen."""
        self._hub.elsewhere = self._counts
        self._presence.share(self._announce, self._chats_of)
        self._channels.subscribe_steadily(self.channel)
        self._channels.publish(self.channel, ["ask", ""])
        self._watching = asyncio.create_task(self._watch(), name="presence of other processes")

    def close(self) -> None:
        """Say that nobody is connected here any more."""
        if self._watching is not None:
            self._watching.cancel()
        self._channels.publish(self.channel, ["list", []])

    def _announce(self, user_id: int, is_online: bool) -> None:
        self._channels.publish(self.channel, ["came" if is_online else "gone", user_id])

    def ask(self, process: str) -> None:
        """Something that a process has said is missing: ask for its whole list."""
        self._channels.publish(self.channel, ["ask", process])

    def note_alive(self, process: str) -> None:
        """A process is heard."""
        if process not in self._online:
            self._online[process] = set()
            self.ask(process)
        self._heard_at_s[process] = time.monotonic()

    def take(self, process: str, kind: str, rest: list[object]) -> None:
        """What another process says."""
        online = self._online[process]  # it was just noted as alive
        match kind, rest:
            case "ask", [str() as whom]:
                if whom in ("", self._channels.process):
                    self._channels.publish(self.channel, ["list", self._hub.list_online_here()])
            case "list", [[*user_ids]]:
                told = {user_id for user_id in user_ids if isinstance(user_id, int)}
                self._change(process, told - online, online - told)
            case "came", [int() as user_id]:
                self._change(process, {user_id} - online, set())
            case "gone", [int() as user_id]:
                self._change(process, set(), {user_id} & online)
            case _:
                raise CodecError("of no kind that is known here")

    def _change(self, process: str, come: set[int], gone: set[int]) -> None:
        online = self._online[process]
        for user_id in come:
            was_online = self._hub.is_online(user_id)
            self._counts[user_id] = self._counts.get(user_id, 0) + 1
            online.add(user_id)
            if not was_online:
                self._presence.note_elsewhere(user_id, was_online=False)
        for user_id in gone:
            online.discard(user_id)
            self._counts[user_id] -= 1
            if not self._counts[user_id]:
                del self._counts[user_id]
                if not self._hub.is_online(user_id):
                    self._presence.note_elsewhere(user_id, was_online=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._channels.is_connected:
                continue  # nobody can be heard; who is there is told when the connection is back
            now_s = time.monotonic()
            for process, online in list(self._online.items()):
                if now_s - self._heard_at_s.get(process, now_s) > SILENT_S:
                    self._change(process, set(), set(online))
                    del self._online[process]
                    self._heard_at_s.pop(process, None)

    def recovered(self) -> None:
        """The connection is back: ask everybody, and give everybody time to be heard."""
        now_s = time.monotonic()
        self._heard_at_s = dict.fromkeys(self._online, now_s)
        self._channels.publish(self.channel, ["ask", ""])
        self._channels.publish(self.channel, ["list", self._hub.list_online_here()])

    def _chats_of(self, user_ids: set[int]) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {}
        for chat in self._list_chats():
            for user_id in chat.members.keys() & user_ids:
                found.setdefault(user_id, set()).add(chat.id)
        return found
