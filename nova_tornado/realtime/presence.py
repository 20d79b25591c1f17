"""Who is online: whoever has at least one connection. Changes are gathered, so that a page reload is no news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nova_tornado.domain.events import OnlineChanged, PresenceChanged
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.connection import Connection, Topic
from nova_tornado.realtime.hub import Hub

GATHER_S = 1.0
"""How long changes are gathered. Source: contract "actions" section 8."""


class Presence:
    """Tells who comes and goes to those who asked.

    Args:
        hub: knows the connections.
        bus: takes the events.
    """

    def __init__(self, hub: Hub, bus: Bus) -> None:
        self._hub = hub
        self._bus = bus
        self._changed: dict[int, tuple[bool, frozenset[int]]] = {}
        self._is_shown_early = False
        self._announce: Callable[[int, bool], None] | None = None
        self._list_chats: Callable[[set[int]], dict[int, set[int]]] | None = None
        hub.presence_sink = self._note

    def watch(self, connection: Connection) -> list[int]:
        """From now on tell a connection who comes and goes.

        Returns:
            The users online now who share a chat with its user (friends do), ascending.
        """
        connection.watch(Topic.PRESENCE)
        self._is_shown_early |= bool(self._changed)
        return self._hub.list_online_with(connection.user_id)

    def list_online(self) -> list[int]:
        """All users who are online now, ascending.

        If changes are just being gathered, they are told even if they cancel out: what is shown here may hold one who
        is gone again by then.
        """
        self._is_shown_early |= bool(self._changed)
        return self._hub.list_online()

    def _note(self, user_id: int, is_online: bool, chat_ids: set[int]) -> None:
        if self._announce is not None:
            self._announce(user_id, is_online)
        self._gather(user_id, user_id in self._hub.elsewhere or not is_online, frozenset(chat_ids))

    def note_elsewhere(self, user_id: int, was_online: bool) -> None:
        """Other processes say that a user has come or gone.

        Args:
            was_online: whether he was online before that, here or anywhere.
        """
        self._gather(user_id, was_online, frozenset())

    def _gather(self, user_id: int, was_online: bool, chat_ids: frozenset[int]) -> None:
        if not self._changed:
            asyncio.get_running_loop().call_later(GATHER_S, self._tell)
        was_online, noted_ids = self._changed.get(user_id, (was_online, chat_ids))
        self._changed[user_id] = (was_online, chat_ids or noted_ids)

    def share(
        self, announce: Callable[[int, bool], None], list_chats: Callable[[set[int]], dict[int, set[int]]]
    ) -> None:
        """Join with other processes.

        Args:
            announce: told of each user who has come here or gone.
            list_chats: tells which chats of connected users each of some users is in.
        """
        self._announce, self._list_chats = announce, list_chats

    def _tell(self) -> None:
        changed, self._changed = self._changed, {}
        is_changed = is_shown_early = self._is_shown_early
        self._is_shown_early = False
        shared = self._list_chats(set(changed)) if self._list_chats is not None else {}
        for user_id, (was_online, chat_ids) in changed.items():
            is_online = self._hub.is_online(user_id)
            if is_online is not was_online or is_shown_early:
                is_changed = True
                self._bus.publish(PresenceChanged(user_id, is_online, chat_ids.union(shared.get(user_id, ()))))
        if is_changed:
            self._bus.publish(OnlineChanged(tuple(self._hub.list_online())))
