"""The WebSocket of the methods protocol. Source: methods document; contract "protocols" section 1."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import orjson

from nova_methods import packets
from nova_methods.schemas import (
    Auth,
    ChangeMembers,
    CreateChat,
    ReadMessages,
    SendMessage,
    SentFile,
    UpdateChat,
    encode_key,
)
from nova_tornado.api import (
    Connection,
    ErrorCode,
    JsonSocket,
    NovaError,
    Request,
    Services,
    WireProtocol,
    errors,
    models,
)

CreationLocks = MutableMapping[tuple[frozenset[int], str], asyncio.Lock]
"""By members and title: one at a time, or two equal requests at the same moment would both find no duplicate."""


class MethodsSocket(JsonSocket):
    """/ws/chat/.

    Attributes:
        connection: of the user whose token came first; None while there was none.
    """

    connection: Connection | None = None
    _token = ""

    def initialize(
        self, services: Services, protocol: WireProtocol | None = None, creation_locks: CreationLocks | None = None
    ) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services, protocol)
        assert creation_locks is not None
        self._creation_locks = creation_locks

    async def answer(self, frame: dict[str, Any]) -> None:
        """Carry out one request.

        What is not answered by an event is as large as the request's key may be, so it is sent at the reader's pace.
        """
        try:
            await self._carry_out(frame)
        except Exception as error:
            await self.send_large(self._refusal(self.as_refusal(error), frame.get("args")))

    async def _carry_out(self, frame: dict[str, Any]) -> None:
        """The checks are made in the order of the contract."""
        name = frame.get("method")
        if not isinstance(name, str) or name not in METHODS:
            raise errors.Malformed("The method is missing or unknown")
        user = await self._authorise(frame.get("access_token"))
        args = frame.get("args", {})
        if not isinstance(args, dict):
            raise errors.BadField("args must be a JSON object")
        schema, method = METHODS[name]
        fields = schema.read(args)
        await method(self, user, fields, models.Origin(self.outbox, fields["event_response_key"]))

    async def _authorise(self, token: object) -> models.User:
        """Who asks, as he is now.

        Args:
            token: None if the request has none; whatever is no token is a bad one.

        Raises:
            NotSignedIn: a bad token or another account's, or none where none came before.

        Source: contract "protocols" section 1.2.
        """
        connection = self.connection
        if connection is None:
            if token is None:
                raise errors.NotSignedIn("The channel is not authorized: an access_token is needed")
            session, user = await self._find_session(token)
            connection = self.connection = await self.connect(session, user)
            if connection is None:
                raise errors.NotSignedIn("The channel is closed")
            assert isinstance(token, str)
            self._token = token
            return user
        # The token of this channel is not looked up again: the channel would be closed if it were revoked.
        if token is not None and token != self._token:
            _, other = await self._find_session(token)
            if other.id != connection.user_id:
                raise errors.NotSignedIn("The channel is authorized for another account")
        user = await self.services.directory.get(connection.user_id)
        if user.id != connection.user_id:
            raise errors.NotSignedIn("The account is deleted")
        return user

    async def _find_session(self, token: object) -> tuple[models.Session, models.User]:
        found = await self.services.accounts.find_session(token)
        if found is None:
            raise errors.NotSignedIn("The access token is not valid")
        return found

    def refuse_frame(self, error: NovaError, frame: dict[str, Any] | None) -> None:
        """Answer a frame that could not be read."""
        self.send(self._refusal(error, None))

    @staticmethod
    def _refusal(error: NovaError, args: object) -> dict[str, Any]:
        key: orjson.Fragment | None = None
        if isinstance(args, dict):
            with suppress(errors.BadField):  # then it cannot be handed back
                key = encode_key(args.get("event_response_key"))
        return packets.error(packets.ERROR_TYPES[error.code], error.message, key)

    # The methods; what is not answered here is answered by the event of the change

    async def _auth(self, _user: models.User, _fields: dict[str, Any], origin: models.Origin) -> None:
        await self.send_large(packets.authenticated(origin.key))

    async def _create_chat(self, user: models.User, fields: dict[str, Any], origin: models.Origin) -> None:
        other_ids = [user_id for user_id in dict.fromkeys(fields["users"]) if user_id != user.id]
        if not other_ids:
            raise errors.BadField("A chat needs at least one other user")
        chats, title = self.services.chats, fields["title"]
        member_ids = frozenset((user.id, *other_ids))
        lock = self._creation_locks.setdefault((member_ids, title), asyncio.Lock())
        async with lock:
            same = await self._find_same(user, member_ids, title)
            if same is None and len(other_ids) == 1 and not title:
                chat, is_new = await chats.open_private(user, other_ids[0], origin=origin)
                same = None if is_new else chat  # another protocol was faster
            elif same is None:
                await chats.create_group(user, title, other_ids, origin=origin)
        if same is not None:
            detail = "There is a chat with the same users and title"
            await self.send_large(packets.error(packets.CHAT_DUPLICATION_ERROR, detail, origin.key, chat_id=same.id))

    async def _find_same(self, user: models.User, member_ids: frozenset[int], title: str) -> models.Chat | None:
        for chat in await self.services.chats.list_of(user.id):
            if chat.title == title and chat.members.keys() == member_ids:
                return chat
        return None

    async def _update_chat(self, user: models.User, fields: dict[str, Any], origin: models.Origin) -> None:
        await self.services.chats.edit(user, fields["chat"], title=fields["title"], origin=origin)

    async def _add_to_chat(self, user: models.User, fields: dict[str, Any], origin: models.Origin) -> None:
        await self.services.chats.edit(user, fields["chat"], add_ids=fields["users"], origin=origin)

    async def _remove_from_chat(self, user: models.User, fields: dict[str, Any], origin: models.Origin) -> None:
        await self.services.chats.edit(user, fields["chat"], remove_ids=fields["users"], origin=origin)

    async def _read_messages(self, user: models.User, fields: dict[str, Any], origin: models.Origin) -> None:
        await self.services.messages.mark_read(user, fields["chat"], origin=origin)

    async def _send_message(self, user: models.User, fields: dict[str, Any], origin: models.Origin) -> None:
        services = self.services
        chat = await services.chats.get_for(user.id, fields["chat"])  # before files are stored
        file_ids: list[int] = []
        try:
            for file in fields["files"]:
                file_ids.append((await self._store_file(user, file)).id)
            sent = await services.messages.send(
                user,
                chat.id,
                fields["text"],
                client_id=fields["client_message_id"],
                file_ids=file_ids,
                origin=origin,
            )
        except NovaError as error:
            # Whatever is left behind, here and by a fault, is removed after an hour.
            if error.code is not ErrorCode.OUTCOME_UNKNOWN:
                await services.files.discard(file_ids)
            raise
        if sent.is_repeat:
            await services.files.discard(file_ids)
            [details] = await services.messages.details(chat, [sent.message])
            is_read = any(reader.id != user.id for reader in details.readers.users)
            message = packets.message_struct(sent.message, user, chat, is_read)
            await self.send_large(packets.message_created(message, origin.key))

    async def _store_file(self, user: models.User, file: SentFile) -> models.File:
        return await self.services.files.store(user, file.name, file.data)


Method = Callable[[MethodsSocket, models.User, dict[str, Any], models.Origin], Awaitable[None]]

METHODS: dict[str, tuple[Request, Method]] = {
    "auth": (Auth(), MethodsSocket._auth),
    "create_chat": (CreateChat(), MethodsSocket._create_chat),
    "update_chat": (UpdateChat(), MethodsSocket._update_chat),
    "send_message": (SendMessage(), MethodsSocket._send_message),
    "read_messages": (ReadMessages(), MethodsSocket._read_messages),
    "remove_from_chat": (ChangeMembers(), MethodsSocket._remove_from_chat),
    "add_to_chat": (ChangeMembers(), MethodsSocket._add_to_chat),
}
"""Each method's fields and what carries it out."""
