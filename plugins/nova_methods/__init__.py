"""The wire protocol "methods", at ``/ws/chat/``. Source: methods document; contract "protocols" section 1."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from nova_methods.handlers import CreationLocks, MethodsSocket
from nova_methods.packets import MessagesBecameRead, MethodsProtocol
from nova_tornado.api import Event, MountedProtocol, Nova, events, hookimpl, models

PATH = r"/ws/chat/"


class ReadMarks:
    """Finds out which messages a member was the first to read, where somebody wants to know."""

    hears_other_processes = True
    event_types = (events.ChatRead, events.MessageSent)

    def __init__(self, nova: Nova, protocol: MethodsProtocol) -> None:
        self._nova = nova
        self._protocol = protocol

    async def on_events(self, happened: Sequence[Event]) -> None:
        """People have read, or sent something and thereby read what was before it."""
        readings: dict[models.Chat, list[tuple[int, models.Reading]]] = {}
        for event in happened:
            match event:
                case events.ChatRead(chat, reader_id, models.Reading() as reading):
                    readings.setdefault(chat, []).append((reader_id, reading))
                case events.MessageSent(chat, _, sender, _, models.Reading() as reading):
                    readings.setdefault(chat, []).append((sender.id, reading))
        services = self._nova.services
        # It costs a look into the log.
        looked_for = {chat: each for chat, each in readings.items() if services.hub.speaks(self._protocol, chat.id)}
        found = await asyncio.gather(*(services.messages.list_newly_read(*each) for each in looked_for.items()))
        for chat, message_ids in zip(looked_for, found, strict=True):
            if message_ids:
                self._nova.publish(MessagesBecameRead(chat, message_ids))


@hookimpl
def nova_protocols(nova: Nova) -> Sequence[MountedProtocol]:
    """The protocol and its path."""
    protocol = MethodsProtocol()
    creation_locks: CreationLocks = WeakValueDictionary()
    routes = [(PATH, MethodsSocket, {"creation_locks": creation_locks})]
    return [MountedProtocol(protocol, routes, [ReadMarks(nova, protocol)])]
