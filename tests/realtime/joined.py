"""Several Novas on one database, joined by a transport, and devices that note what they are told."""

from __future__ import annotations

import json

from realtime.stubs import StubProtocol, connect, payloads, sent
from storage.rooms import settle

from nova_tornado.domain import events
from nova_tornado.domain.models import seq_of
from nova_tornado.realtime.hub import Packet


def render(event):
    """What a device of these tests is told."""

    def packet(kind, *rest, **to):
        return [Packet(json.dumps([kind, *rest]).encode(), **to)]

    match event:
        case events.MessageSent(chat, message, sender, _, reading):
            return packet("sent", chat.id, message.seq, message.text, sender.name, reading is not None, chat_id=chat.id)
        case events.MessageEdited(chat, details):
            return packet("edited", chat.id, details.message.seq, details.message.text, chat_id=chat.id)
        case events.MessageRecalled(chat, message_id):
            return packet("recalled", chat.id, seq_of(message_id), chat_id=chat.id)
        case events.ChatRead(chat, user_id):
            return packet("read", chat.id, user_id, chat_id=chat.id)
        case events.ChatCreated(chat, actor_id):
            return packet("created", chat.id, actor_id, chat_id=chat.id)
        case events.MemberAdded(chat, user_id):
            return packet("added", chat.id, user_id, chat_id=chat.id)
        case events.MemberRemoved(chat, user_id):
            return packet("removed", chat.id, user_id, chat_id=chat.id)
        case events.ChatDeleted(chat):
            return packet("deleted", chat.id, chat_id=chat.id)
        case events.ChatUpdated(chat) if event.is_renamed:
            return packet("renamed", chat.id, chat.title, chat_id=chat.id)
        case events.Typing(chat, user_id):
            return packet("typing", chat.id, user_id, chat_id=chat.id, except_user_id=user_id)
        case events.ProfileChanged(user):
            return packet("profile", user.id, user.first_name, to_everybody=True)
        case events.FriendRequested(asker, asked):
            return packet("asked", asker.id, user_ids=(asked.id,))
        case events.MessageHidden(user_id, message_id):
            return packet("hidden", message_id, user_ids=(user_id,))
        case events.Notice(user_ids, action, data):
            return packet("notice", action, data, user_ids=user_ids)
        case events.PresenceChanged(user_id, is_online, chat_ids):
            return packet("presence", user_id, is_online, in_chats=chat_ids, except_user_id=user_id)
    return ()


class Device:
    """A user's connection to one Nova."""

    def __init__(self, nova, user, session_id=b"session"):
        self.nova, self.user = nova, user
        self.protocol = StubProtocol(render=render)
        self.session_id = session_id

    async def open(self):
        self.links = await self.nova.hub.link(self.user.id)
        self.connection = connect(self.nova.hub, self.user.id, self.protocol)
        self.connection.session_id = self.session_id
        self.nova.hub.add(self.links, self.connection)
        return self

    def close(self):
        self.nova.hub.remove(self.links, self.connection)
        self.nova.hub.unlink(self.links)

    def heard(self, *kinds):
        told = [json.loads(payload) for payload in payloads(sent(self.connection))]
        return [each for each in told if not kinds or each[0] in kinds]

    def texts(self, chat_id):
        return [each[3] for each in self.heard("sent") if each[1] == chat_id]

    async def hears(self, *wanted):
        await settle(lambda: list(wanted) in self.heard())

    @property
    def is_ended(self):
        return bool(self.protocol.ended)


def check_order(devices, chat_id):
    """Every device was told the same messages in the same order, by the places in the log."""
    told = [[each[2] for each in device.heard("sent") if each[1] == chat_id] for device in devices]
    for seqs in told:
        assert seqs == sorted(set(seqs)), "in order, once"
    assert all(seqs == told[0] for seqs in told)
    return told[0]
