"""The WebSocket of the actions protocol.

Source: actions document, WebSocket Endpoint; contract "actions" sections 6 and 8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from nova_tornado.domain.errors import BadField, Malformed, NovaError
from nova_tornado.domain.rules import TEXT_MAX_CHARACTERS, check_client_message_id, check_id, check_text
from nova_tornado.native import packets
from nova_tornado.native.base import ActionsHandler
from nova_tornado.native.errors import NOT_AUTHENTICATED_CODE, SOCKET_CODE
from nova_tornado.native.resume import Resume, read_request
from nova_tornado.realtime.connection import CLOSE_NORMAL
from nova_tornado.realtime.frames import text_frame
from nova_tornado.realtime.lanes import Sent
from nova_tornado.services.file_sends import FILES_MAX_COUNT
from nova_tornado.web.jsons import loads
from nova_tornado.web.socket import SignedInSocket

PIPELINE_MAX_SENDS = 1_000
"""Sends of one socket that may be under way; then its next frame waits in the kernel."""

MORE_FIELDS = frozenset(("reply_to", "client_message_id", "files"))
"""What a send can have besides chat and text."""

PROTOCOL = packets.ActionsProtocol()


class ActionsSocket(ActionsHandler, SignedInSocket):
    """/ws/.

    Requests are carried out in the order in which they came. Sends to one chat need not wait for one another;
    everything else waits until they are stored.
    """

    lets_strangers_in = True
    _under_way = 0
    _under_way_chat_id = 0
    _all_done: asyncio.Event | None = None

    def refuse(self) -> None:
        """One error packet, then close."""
        assert self.outbox is not None
        self.outbox.push(text_frame(packets.error(NOT_AUTHENTICATED_CODE, "User is not authenticated")))
        self.outbox.close(CLOSE_NORMAL)

    def receive(self, message: str | bytes) -> Awaitable[None] | None:
        """Answer a packet."""
        request_id = 0
        try:
            if isinstance(message, bytes):
                raise Malformed("Binary frames are not supported")
            packet = loads(message)
            if not isinstance(packet, dict):
                raise Malformed("A packet must be a JSON object")
            if "request_id" in packet:
                if type(packet["request_id"]) is not int:
                    raise BadField("request_id must be an integer")
                if "action" in packet:
                    request_id = packet["request_id"]
            action = packet.get("action")
            if action is None:
                raise BadField("Field action is missing")
            data = packet.get("data")
            if action == "send_message" and self._send_at_once(data, request_id):
                return None
            handler = HANDLERS.get(action) if isinstance(action, str) else None
            if handler is None:
                raise BadField("Unknown action")
            return self._run(handler(self, data, request_id), request_id)
        except Exception as error:
            return self._run(self._raise(error), request_id)

    async def _raise(self, error: Exception) -> None:
        raise error

    async def _run(self, work: Awaitable[None], request_id: int) -> None:
        """Do one thing after all sends before it are stored; a refusal is answered."""
        try:
            await self._wait_for_sends()
            await work
        except Exception as error:
            self._answer_error(error, request_id)

    def _answer(self, payload: bytes) -> None:
        if self.connection is not None:
            self.connection.push(text_frame(payload))

    def _answer_error(self, error: BaseException, request_id: int) -> None:
        refusal: NovaError = self.as_refusal(error)
        self._answer(packets.error(SOCKET_CODE[refusal.code], refusal.message, request_id))

    # Sending

    def _send_at_once(self, data: Any, request_id: int) -> bool:
        """The hot path: a plain send to a chat at hand. False where it takes more than that."""
        if type(data) is not dict or not MORE_FIELDS.isdisjoint(data):
            return False
        chat_id, content = data.get("chat_id"), data.get("content")
        if (
            type(chat_id) is not int
            or type(content) is not str
            or (self._under_way and (chat_id != self._under_way_chat_id or self._under_way >= PIPELINE_MAX_SENDS))
        ):
            return False
        if not 0 < len(content) <= TEXT_MAX_CHARACTERS or "\0" in content:
            return False
        sender = self.services.directory.peek(self.user.id)  # as he is now, not as he was at the handshake
        done = self.services.messages.send_at_once(sender, chat_id, content) if sender is not None else None
        if done is None:
            return False
        self._under_way += 1
        self._under_way_chat_id = chat_id
        done.add_done_callback(lambda done: self._sent(done, request_id))
        return True

    def _sent(self, done: asyncio.Future[Sent], request_id: int) -> None:
        self._under_way -= 1
        if self._under_way == 0 and self._all_done is not None:
            self._all_done.set()
        error = done.exception()
        if error is not None:
            self._answer_error(error, request_id)

    async def _wait_for_sends(self) -> None:
        if self._under_way:
            self._all_done = asyncio.Event()
            await self._all_done.wait()
            self._all_done = None

    async def _send_message(self, data: Any, _request_id: int) -> None:
        fields = _object(data)
        chat_id = check_id(fields.get("chat_id"), "chat_id")
        await self.services.chats.get_for(self.user.id, chat_id)
        file_ids = _file_ids(fields.get("files"))
        content = "" if file_ids and fields.get("content") == "" else check_text(fields.get("content"))
        reply_to = check_id(fields["reply_to"], "reply_to") if "reply_to" in fields else None
        client_id = check_client_message_id(fields.get("client_message_id"))
        sender = await self.services.directory.get(self.user.id)
        sent = await self.services.messages.send(
            sender, chat_id, content, reply_to=reply_to, client_id=client_id, file_ids=file_ids
        )
        if sent.is_repeat:
            chat = await self.services.chats.get(chat_id)
            details = (await self.services.messages.details(chat, [sent.message], viewer=sender))[0]
            self._answer(packets.new_message(details, self.user.id))

    # The other actions

    async def _ping(self, _data: Any, request_id: int) -> None:
        self._answer(packets.pong(request_id))

    async def _recall_message(self, data: Any, _request_id: int) -> None:
        fields = _object(data)
        message_id = check_id(fields.get("message_id"), "message_id")
        if fields.get("delete") is True:
            await self.services.messages.hide(self.user, message_id)
        else:
            await self.services.messages.recall(self.user, message_id)

    async def _edit_message(self, data: Any, _request_id: int) -> None:
        fields = _object(data)
        message_id = check_id(fields.get("message_id"), "message_id")
        await self.services.messages.edit(self.user, message_id, check_text(fields.get("content")))

    async def _typing(self, data: Any, _request_id: int) -> None:
        chat_id = check_id(_object(data).get("chat_id"), "chat_id")
        await self.services.messages.note_typing(self.user, chat_id)

    async def _presence(self, _data: Any, _request_id: int) -> None:
        assert self.connection is not None
        online = self.services.presence.watch(self.connection)
        self._answer(packets.notification("presence", {"online": online}))

    async def _friend_invitations(self, _data: Any, _request_id: int) -> None:
        assert self.connection is not None
        user = await self.services.directory.get(self.user.id)
        invitations = await self.services.friends.watch_received(user, self.connection)
        structs = [packets.friend_invitation(received) for received in invitations]
        self._answer(packets.notification("friend_invitations", {"invitations": structs}))

    async def _resume(self, data: Any, request_id: int) -> None:
        request = read_request(data)
        user = await self.services.directory.get(self.user.id)
        answer = await Resume(self.services, user, request).answer(request_id)
        if self.outbox is not None:
            await self.outbox.reply(text_frame(answer))

    async def _messages_read(self, data: Any, _request_id: int) -> None:
        chat_id = check_id(_object(data).get("chat_id"), "chat_id")
        await self.services.messages.mark_read(self.user, chat_id)


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise BadField("data must be a JSON object")
    return data


def _file_ids(value: Any) -> list[int]:
    """The files of a message; null counts as none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadField("Data type error for key files")
    if len(value) > FILES_MAX_COUNT:
        raise BadField(f"A message cannot have more than {FILES_MAX_COUNT} files")
    return [check_id(file_id, "files") for file_id in value]


HANDLERS = {
    "ping": ActionsSocket._ping,
    "send_message": ActionsSocket._send_message,
    "recall_message": ActionsSocket._recall_message,
    "messages_read": ActionsSocket._messages_read,
    "edit_message": ActionsSocket._edit_message,
    "typing": ActionsSocket._typing,
    "presence": ActionsSocket._presence,
    "friend_invitations": ActionsSocket._friend_invitations,
    "resume": ActionsSocket._resume,
}

ROUTES = [(r"/ws/", ActionsSocket, {"protocol": PROTOCOL})]
