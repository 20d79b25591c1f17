"""The socket of the opcodes protocol.

Source: opcodes document; contract "protocols" section 4.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nova_opcodes import packets, schemas
from nova_opcodes.schemas import ChatType, FriendAnswer
from nova_tornado.api import JsonSocket, NovaError, Request, SignedInSocket, errors, models

SOURCE_SEARCH = "search"
"""Where a request for friendship comes from, as the actions protocol shows it (contract "protocols" section 4.3)."""

Fields = dict[str, Any]


class OpcodesSocket(JsonSocket, SignedInSocket):
    """/ws/opcodes/."""

    async def find_session(self) -> tuple[models.Session, models.User] | None:
        """Who connects: by ``Authorization: Bearer``, else by the query's ``token``; no cookie."""
        scheme, _, secret = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            secret = secret.strip()
        else:
            secret = self.request.query_arguments.get("token", [b""])[-1].decode(errors="replace")
        return await self.services.accounts.find_session(secret)

    async def greet(self) -> Sequence[bytes]:
        """1/1, then 2/1."""
        # The first two as they are in this turn, in which the user was connected: what changes is told behind them.
        chat_ids = self.services.hub.list_chat_ids(self.user.id)
        online_ids = self.services.presence.list_online()
        friend_ids = await self.services.friends.list_friend_ids(self.user.id)
        return [packets.lists(chat_ids, friend_ids), packets.online(online_ids)]

    async def answer(self, frame: dict[str, Any]) -> None:
        """Carry out one operation."""
        opcode = packets.opcode_of(frame)
        if opcode is None:
            raise errors.Malformed("op and t must be integers, and op that of a request")
        if opcode not in OPERATIONS:
            raise errors.BadField("Unknown t for this op")
        d = frame.get("d", {})
        if not isinstance(d, dict):
            raise errors.BadField("d must be a JSON object")
        schema, carry_out = OPERATIONS[opcode]
        fields = schema.read(d)
        user = await self.services.accounts.find_account(self.user.id)  # as he is now, not as he was at the handshake
        if user is None:
            raise errors.NotSignedIn
        done = await carry_out(self, user, fields)
        if done is not None:
            self.send(packets.success(opcode, done))

    def refuse_frame(self, error: NovaError, frame: dict[str, Any] | None) -> None:
        """Answer a refusal."""
        self.send(packets.refusal(packets.opcode_of(frame), error))

    # Messages

    async def _send_privately(self, user: models.User, fields: Fields) -> Fields:
        return await self._send_message(user, fields, is_private=True)

    async def _send_to_group(self, user: models.User, fields: Fields) -> Fields:
        return await self._send_message(user, fields, is_private=False)

    async def _send_message(self, user: models.User, fields: Fields, *, is_private: bool) -> Fields:
        chat = await self.services.chats.get_for(user.id, fields["chat_id"])
        if chat.is_private is not is_private:
            raise errors.BadField("Use t 1 in private chats and t 2 in groups")
        sent = await self.services.messages.send(
            user, chat.id, fields["message"], client_id=fields["client_message_id"]
        )
        return {"chat_id": chat.id, "message_id": sent.message.id}

    async def _edit_message(self, user: models.User, fields: Fields) -> Fields:
        await self._check_message(user, fields)
        await self.services.messages.edit(user, fields["message_id"], fields["message"])
        return {"chat_id": fields["chat_id"], "message_id": fields["message_id"]}

    async def _delete_message(self, user: models.User, fields: Fields) -> Fields:
        await self._check_message(user, fields)
        await self.services.messages.recall(user, fields["message_id"])
        return {"chat_id": fields["chat_id"], "message_id": fields["message_id"]}

    async def _check_message(self, user: models.User, fields: Fields) -> None:
        """The user is in the chat, and the message's id is one of that chat."""
        chat = await self.services.chats.get_for(user.id, fields["chat_id"])
        if models.chat_of(fields["message_id"]) != chat.id:
            raise errors.MessageUnknown

    # Chats

    async def _create_chat(self, user: models.User, fields: Fields) -> Fields:
        other_ids = [user_id for user_id in fields["user_ids"] if user_id != user.id]
        origin = models.Origin(self.outbox)
        if fields["type"] is ChatType.PRIVATE:
            if len(other_ids) != 1:
                raise errors.BadField("A private chat is with exactly one other user")
            chat, _ = await self.services.chats.open_private(user, other_ids[0], origin=origin)
        else:
            if not other_ids:
                raise errors.BadField("A group needs at least one other user")
            chat = await self.services.chats.create_group(user, "", other_ids, origin=origin)
        return {"chat_id": chat.id}

    async def _change_chat(self, user: models.User, fields: Fields) -> None:
        """The answer comes with the events (see ``OpcodesProtocol``)."""
        await self.services.chats.edit(
            user,
            fields["chat_id"],
            title=fields["chat"],
            add_ids=fields["add_users"] or (),
            remove_ids=fields["remove_users"] or (),
            origin=models.Origin(self.outbox),
        )

    # Friends

    async def _add_friend(self, user: models.User, fields: Fields) -> Fields:
        request = {"id": fields["user_id"], "comment": "", "source": SOURCE_SEARCH}
        await self.services.friends.invite(user, request)
        return {"user_id": fields["user_id"]}

    async def _answer_friend(self, user: models.User, fields: Fields) -> Fields:
        await self.services.friends.answer(user, fields["user_id"], fields["type"] is FriendAnswer.ACCEPT)
        return {"user_id": fields["user_id"], "type": fields["type"]}


Operation = Callable[[OpcodesSocket, models.User, Fields], Awaitable[Fields | None]]
"""Does what is asked and returns what the answer tells; None: the answer comes with the events."""

OPERATIONS: dict[packets.Opcode, tuple[Request, Operation]] = {
    packets.PRIVATE_MESSAGE: (schemas.NewMessage(), OpcodesSocket._send_privately),
    packets.GROUP_MESSAGE: (schemas.NewMessage(), OpcodesSocket._send_to_group),
    packets.EDIT_MESSAGE: (schemas.EditedMessage(), OpcodesSocket._edit_message),
    packets.DELETE_MESSAGE: (schemas.DeletedMessage(), OpcodesSocket._delete_message),
    packets.CREATE_CHAT: (schemas.NewChat(), OpcodesSocket._create_chat),
    packets.CHANGE_CHAT: (schemas.ChangedChat(), OpcodesSocket._change_chat),
    packets.ADD_FRIEND: (schemas.NewFriend(), OpcodesSocket._add_friend),
    packets.ANSWER_FRIEND: (schemas.AnsweredFriend(), OpcodesSocket._answer_friend),
}
