"""The wire protocol "methods", at ``/ws/chat/``. Source: methods document; contract "protocols" section 1."""

from __future__ import annotations

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

    async def on_event(self, event: Event) -> None:
        """Somebody has read, or sent something and thereby read what was before it."""
        match event:
            case events.ChatRead(chat, reader_id, models.Reading() as reading):
                await self._tell(chat, reader_id, reading)
            case events.MessageSent(chat, _, sender, _, models.Reading() as reading):
                await self._tell(chat, sender.id, reading)

    async def _tell(self, chat: models.Chat, reader_id: int, reading: models.Reading) -> None:
        if not self._nova.services.hub.speaks(self._protocol, chat.id):
            return  # it costs a look into the log
        message_ids = await self._nova.services.messages.list_newly_read(chat, reader_id, reading)
        if message_ids:
            self._nova.publish(MessagesBecameRead(chat, message_ids))


@hookimpl
def nova_protocols(nova: Nova) -> Sequence[MountedProtocol]:
    """The protocol and its path."""
    protocol = MethodsProtocol()
    creation_locks: CreationLocks = WeakValueDictionary()
    routes = [(PATH, MethodsSocket, {"creation_locks": creation_locks})]
    return [MountedProtocol(protocol, routes, [ReadMarks(nova, protocol)])]
