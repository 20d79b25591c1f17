"""The WebSocket of the rooms protocol. Source: rooms document; contract "protocols" sections 3.4, 3.6 and 3.7."""

from __future__ import annotations

from typing import Any

from nova_rooms import packets, schemas
from nova_rooms.handlers import get_group
from nova_rooms.packets import RoomsProtocol
from nova_tornado.api import Connection, JsonSocket, NovaError, errors, models

SHOWN_CHAT_TYPE_MAX_CHARACTERS = 64
"""A longer ``chat_type`` is not repeated in the answer."""


class RoomsSocket(JsonSocket):
    """/socket.

    Attributes:
        connection: of the account that the socket belongs to; None until a token came.
    """

    protocol: RoomsProtocol
    connection: Connection | None = None
    _token: object = None

    async def answer(self, frame: dict[str, Any]) -> None:
        """Carry out a frame: its token first, then what its chat_type says."""
        chat_type = frame.get("chat_type")
        if self.connection is None or (chat_type is None and "token" in frame):
            await self._initialise(frame.get("token"))
            if chat_type is None:
                return
        elif "token" in frame:
            await self._check_token(frame["token"])
        if self.connection is None:
            return  # the socket was closed meanwhile
        user = await self.services.directory.get(self.connection.user_id)
        if user.id != self.connection.user_id:
            raise errors.NotSignedIn  # the account is being deleted
        match chat_type:
            case "room":
                await self._send_to_room(user, frame)
            case "group":
                await self._send_to_group(user, frame)
            case "bot":
                await self._tell_bot(user, frame)
            case None:
                raise errors.BadField("Field chat_type is missing")
            case _:
                raise errors.BadField("Unknown chat_type")

    async def _initialise(self, token: object) -> None:
        """Take the socket for the token's account, or over to it."""
        found = await self.services.accounts.find_session(token)
        if found is None:
            raise errors.NotSignedIn("The token is missing or not valid")
        session, user = found
        old = self.connection
        if old is None or old.session_id != session.id:
            connection = await self.connect(session, user)
            if connection is None:
                return
            self.connection = connection
            if old is not None:
                self.disconnect(old)
        self._token = token
        self.send(packets.init(user.id))

    async def connect(self, session: models.Session, user: models.User) -> Connection | None:
        """Connect a user, and know which groups he is in (see ``BaseSocket.connect``)."""
        entered = self.protocol.entered
        await entered.follow(user.id)
        connection = None
        try:
            connection = await super().connect(session, user)
        finally:
            if connection is None:
                entered.unfollow(user.id)
        return connection

    def disconnect(self, connection: Connection) -> bool:
        """Tell the socket no more of what concerns that connection's user."""
        was_connected = super().disconnect(connection)
        if was_connected:
            self.protocol.entered.unfollow(connection.user_id)
        return was_connected

    async def _check_token(self, token: object) -> None:
        """Make sure that a further frame's token is valid and of the socket's account."""
        if token == self._token:
            return  # if it were revoked, the socket would be closed
        found = await self.services.accounts.find_session(token)
        if found is None or self.connection is None or found[1].id != self.connection.user_id:
            raise errors.NotSignedIn("The token is not valid, or of another account")

    async def _send_to_room(self, user: models.User, frame: dict[str, Any]) -> None:
        """Send a message to another user; what both get is the answer."""
        request = schemas.RoomMessage().read(frame)
        other_id = request["other_user_id"]
        sent = await self.services.messages.send_private(
            user, other_id, request["message"], client_id=request["client_message_id"]
        )
        if sent.is_repeat:
            chat = await self.services.chats.get(sent.message.chat_id)
            if not self.services.bots.is_dialogue(chat):
                self.send(packets.room_message(chat, sent.message, other_id))

    async def _send_to_group(self, user: models.User, frame: dict[str, Any]) -> None:
        """Send a message to a group; what the author and those in the group get is the answer."""
        request = schemas.GroupMessage().read(frame)
        chat = await get_group(self.services, request["chat_group_id"])
        sent = await self.services.messages.send(
            user, chat.id, request["message"], client_id=request["client_message_id"]
        )
        if sent.is_repeat:
            self.send(packets.group_message(chat, sent.message))

    async def _tell_bot(self, user: models.User, frame: dict[str, Any]) -> None:
        """Ask the bot; what the user's sockets get, when the bot has answered, is the answer.

        The socket does not wait for it: a bot may think for long, and other frames must not.
        """
        request = schemas.BotMessage().read(frame)
        question, answer = await self.services.bots.tell(user, request["message"], request["client_message_id"])
        if answer is not None:
            self.send(packets.bot_message(question, answer))

    def refuse_frame(self, error: NovaError, frame: dict[str, Any] | None) -> None:
        """Answer a refusal with an error packet."""
        chat_type = frame.get("chat_type") if frame is not None else None
        is_shown = (
            isinstance(chat_type, str)
            and len(chat_type) <= SHOWN_CHAT_TYPE_MAX_CHARACTERS
            and chat_type.isprintable()  # lone surrogates are not; they cannot be sent
        )
        self.send(packets.error(error.code, error.message, chat_type if is_shown else None))
