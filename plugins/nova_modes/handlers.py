"""The socket of the protocol "modes". Source: modes document; contract "protocols" section 2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from nova_modes import packets, schemas
from nova_modes.packets import ModesProtocol, Struct
from nova_tornado.api import (
    Connection,
    JsonSocket,
    NovaError,
    Request,
    Services,
    SessionKind,
    WireProtocol,
    errors,
    models,
    rules,
)

ISSUER = "modes"
TOKENS_MAX_COUNT = 10
"""Live tokens of one account that ``auth`` and ``register`` have issued."""
SUBSCRIPTIONS_MAX_COUNT = 1_000
"""Tokens that one socket can have subscribed with."""
REPLY_MAX_MESSAGES = 10_000
REPLY_MAX_CHARACTERS = 8 * 1024 * 1024
"""No message more is put into a reply after so much text; the client asks again for what comes after it."""
PAGE_MESSAGES = 500
"""How many messages are read at once."""

Fields = dict[str, Any]


class Asker(NamedTuple):
    """Whose token a request is signed with."""

    session: models.Session
    user: models.User


class ModesSocket(JsonSocket):
    """/ws/modes/. Each request stands for itself: the socket belongs to nobody, only its subscriptions do."""

    def initialize(self, services: Services, protocol: WireProtocol | None = None) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services, protocol)
        self._modes = cast(ModesProtocol, protocol)
        self._subscriptions: dict[bytes, Connection] = {}

    async def answer(self, frame: Fields) -> None:
        """Carry out one request and reply to it, in the order of checks that the contract names."""
        name = schemas.check_mode(frame.get("mode"))
        if name in OPEN_MODES:
            handle, schema = OPEN_MODES[name]
            result = await handle(self, schema.read(frame))
        elif name in SIGNED_MODES:
            handle_signed, schema = SIGNED_MODES[name]
            found = await self.services.accounts.find_session(frame.get("token"))
            if found is None:
                raise errors.NotSignedIn("The token is missing or not valid")
            result = await handle_signed(self, Asker(*found), schema.read(frame))
        else:
            await self.send_large(self._modes.frame(name, packets.UNKNOWN_MODE, detail="Unknown mode"))
            return
        await self.send_large(self._modes.frame(name, **result))

    def refuse_frame(self, error: NovaError, frame: Fields | None) -> None:
        """Answer a refusal; a mode that is none is not handed back."""
        name = frame.get("mode") if frame is not None else None
        if not isinstance(name, str) or (name not in OPEN_MODES and name not in SIGNED_MODES):
            name = None
        self.send(self._modes.frame(name, packets.STATUS[error.code], detail=error.message))

    def disconnect(self, connection: Connection) -> bool:
        """End a subscription; False if it has ended already."""
        self._subscriptions.pop(connection.session_id, None)
        return super().disconnect(connection)

    def _origin(self) -> models.Origin:
        return models.Origin(self.outbox)

    # Checks, accounts

    async def _check_connection(self, _fields: Fields) -> Struct:
        return {}

    async def _check_token(self, _asker: Asker, _fields: Fields) -> Struct:
        return {}

    async def _auth(self, fields: Fields) -> Struct:
        accounts = self.services.accounts
        user = await accounts.authenticate(
            fields["username"], fields["password"], self.remote_address, is_format_checked=False
        )
        return await self._sign_in(user)

    async def _register(self, fields: Fields) -> Struct:
        user = await self.services.accounts.register(
            fields["username"], fields["password"], self.remote_address, email=fields["email"]
        )
        return await self._sign_in(user)

    async def _sign_in(self, user: models.User) -> Struct:
        token = await self.services.accounts.sign_in(user, SessionKind.TOKEN, issuer=ISSUER, limit=TOKENS_MAX_COUNT)
        return {"token": token}

    async def _logout(self, asker: Asker, _fields: Fields) -> Struct:
        await self.services.accounts.sign_out(asker.session)
        return {}

    async def _change_username(self, asker: Asker, fields: Fields) -> Struct:
        return {"username": (await self._change(asker, name=fields["username"])).name}

    async def _change_email(self, asker: Asker, fields: Fields) -> Struct:
        await self.services.accounts.check_password(asker.user, fields["password"], self.remote_address)
        return {"email": (await self._change(asker, email=fields["email"])).email}

    async def _set_profile_photo(self, asker: Asker, fields: Fields) -> Struct:
        return {"photo": (await self._change(asker, avatar_url=fields["photo"])).avatar_url}

    async def _change(self, asker: Asker, **changes: str) -> models.User:
        return await self.services.accounts.change(asker.user, asker.session, self.remote_address, **changes)

    # Chats

    async def _find_contact(self, contact: schemas.Contact) -> models.User:
        accounts = self.services.accounts
        user = None
        if isinstance(contact, int):
            user = await accounts.find_account(contact)
        elif len(contact) <= rules.USER_NAME_MAX_CHARACTERS:
            user = await accounts.find_account_by_name(contact)
        if user is None:
            raise errors.UserUnknown
        return user

    async def _create_chat(self, asker: Asker, fields: Fields) -> Struct:
        other = await self._find_contact(fields["contact_value"])
        if other.id == asker.user.id:
            raise errors.UserUnknown("You cannot have a chat with yourself")
        chat, _ = await self.services.chats.open_private(asker.user, other.id, origin=self._origin())
        return {"chat_id": chat.id}

    async def _create_group_chat(self, asker: Asker, fields: Fields) -> Struct:
        members = [await self._find_contact(contact) for contact in dict.fromkeys(fields["chat_members"])]
        ids = [member.id for member in members if member.id != asker.user.id]
        if not ids:
            raise errors.BadField("A group needs at least one other member")
        chat = await self.services.chats.create_group(asker.user, fields["chat_name"], ids, origin=self._origin())
        return {"chat_id": chat.id}

    async def _edit_group_chat(self, asker: Asker, fields: Fields) -> Struct:
        await self.services.chats.edit(
            asker.user,
            fields["chat_id"],
            title=fields["chat_name"],
            add_ids=fields["add_members"] or (),
            remove_ids=fields["remove_members"] or (),
            origin=self._origin(),
        )
        return {}

    async def _delete_chat(self, asker: Asker, fields: Fields) -> Struct:
        await self.services.chats.delete_for(asker.user, fields["chat_id"], origin=self._origin())
        return {}

    async def _delete_group_chat(self, asker: Asker, fields: Fields) -> Struct:
        await self._check_group(asker, fields["chat_id"])
        return await self._delete_chat(asker, fields)

    async def _check_group(self, asker: Asker, chat_id: int) -> None:
        if (await self.services.chats.get_for(asker.user.id, chat_id)).is_private:
            raise errors.PrivateChat

    async def _get_chats(self, asker: Asker, _fields: Fields) -> Struct:
        viewer_id = asker.user.id
        chats = await self.services.chats.list_of(viewer_id)
        lasts = {chat: await self.services.chats.last_message_for(chat, viewer_id) for chat in chats}
        users = await self._load_users(chats, lasts.values())
        chats = [chat for chat in chats if viewer_id in chat.members and not chat.is_deleted]

        def last_activity(chat: models.Chat) -> tuple[int, int]:
            last = lasts[chat]
            return (last.sent_us if last is not None else chat.created_us, chat.id)

        chats.sort(key=last_activity, reverse=True)
        return {"chats": [packets.chat_item(chat, users, viewer_id, lasts[chat]) for chat in chats]}

    async def _load_users(
        self, chats: Iterable[models.Chat], messages: Iterable[models.Entry | None]
    ) -> Mapping[int, models.User]:
        """The members of chats and the authors of messages."""
        users: dict[int, models.User] = {}
        author_ids = {message.sender_id for message in messages if message is not None}
        # Members may come while users are looked up.
        while missing := author_ids.union(*(chat.members for chat in chats)) - users.keys():
            users.update(await self.services.directory.load(missing))
        return users

    # Messages

    async def _get_messages(self, asker: Asker, fields: Fields) -> Struct:
        user, chat_id = asker.user, fields["chat_id"]
        chat = await self.services.chats.get_for(user.id, chat_id)
        await self.services.messages.mark_read(user, chat_id, origin=self._origin())
        messages = await self._read_history(chat, user.id, fields["min_message_id"])
        users = await self._load_users((), messages)
        await self.services.chats.get_for(user.id, chat_id)  # who was removed meanwhile reads nothing
        return {"messages": [packets.message_item(message, users[message.sender_id]) for message in messages]}

    async def _read_history(self, chat: models.Chat, viewer_id: int, from_id: int | None) -> list[models.Entry]:
        """The oldest messages from an id on, as many as go into a reply."""
        found: list[models.Entry] = []
        character_count = 0
        while len(found) < REPLY_MAX_MESSAGES and character_count < REPLY_MAX_CHARACTERS:
            page = await self.services.messages.history(chat, viewer_id, from_id=from_id, limit=PAGE_MESSAGES)
            found += page
            character_count += sum(len(message.text) for message in page)
            if len(page) < PAGE_MESSAGES:
                break
            from_id = page[-1].id + 1
        return found

    async def _send_message(self, asker: Asker, fields: Fields) -> Struct:
        sent = await self.services.messages.send(
            asker.user,
            fields["chat_id"],
            fields["content"],
            client_id=fields["client_message_id"],
            content_type=fields["content_type"],
            origin=self._origin(),
        )
        return {"message_id": sent.message.id}

    async def _send_group_message(self, asker: Asker, fields: Fields) -> Struct:
        await self._check_group(asker, fields["chat_id"])
        return await self._send_message(asker, fields)

    # Live frames

    async def _subscribe(self, asker: Asker, _fields: Fields) -> Struct:
        session_id = asker.session.id
        if session_id not in self._subscriptions:
            if len(self._subscriptions) >= SUBSCRIPTIONS_MAX_COUNT:
                raise errors.TooManyRequests("Too many subscriptions on this connection")
            connection = await self.connect(asker.session, asker.user)
            if connection is not None:
                self._subscriptions[session_id] = connection
                # Two accounts, or one with two tokens: what both are told comes once.
                connection.outbox.is_shared |= len(self._subscriptions) > 1
        return {}

    async def _unsubscribe(self, asker: Asker, _fields: Fields) -> Struct:
        for connection in list(self._subscriptions.values()):
            if connection.user_id == asker.user.id:
                self.disconnect(connection)
        return {}


class OpenMode(NamedTuple):
    """A mode that anybody may use."""

    handle: Callable[[ModesSocket, Fields], Awaitable[Struct]]
    schema: Request


class SignedMode(NamedTuple):
    """A mode that needs a token."""

    handle: Callable[[ModesSocket, Asker, Fields], Awaitable[Struct]]
    schema: Request


OPEN_MODES = {
    "checkConnection": OpenMode(ModesSocket._check_connection, schemas.Nothing()),
    "auth": OpenMode(ModesSocket._auth, schemas.Credentials()),
    "register": OpenMode(ModesSocket._register, schemas.Registration()),
}
SIGNED_MODES = {
    "checkToken": SignedMode(ModesSocket._check_token, schemas.Nothing()),
    "logout": SignedMode(ModesSocket._logout, schemas.Nothing()),
    "changeUsername": SignedMode(ModesSocket._change_username, schemas.NewUserName()),
    "changeEmail": SignedMode(ModesSocket._change_email, schemas.NewEmail()),
    "setProfilePhoto": SignedMode(ModesSocket._set_profile_photo, schemas.NewPhoto()),
    "createChat": SignedMode(ModesSocket._create_chat, schemas.PrivateChat()),
    "createPersonalChat": SignedMode(ModesSocket._create_chat, schemas.PrivateChat()),
    "createGroupChat": SignedMode(ModesSocket._create_group_chat, schemas.NewGroup()),
    "editGroupChat": SignedMode(ModesSocket._edit_group_chat, schemas.GroupEdit()),
    "deleteChat": SignedMode(ModesSocket._delete_chat, schemas.ChatId()),
    "deleteGroupChat": SignedMode(ModesSocket._delete_group_chat, schemas.ChatId()),
    "getChats": SignedMode(ModesSocket._get_chats, schemas.Nothing()),
    "getMessages": SignedMode(ModesSocket._get_messages, schemas.History()),
    "sendMessage": SignedMode(ModesSocket._send_message, schemas.NewMessage()),
    "sendGroupMessage": SignedMode(ModesSocket._send_group_message, schemas.NewMessage()),
    "subscribe": SignedMode(ModesSocket._subscribe, schemas.Nothing()),
    "unsubscribe": SignedMode(ModesSocket._unsubscribe, schemas.Nothing()),
}

ROUTES = [(r"/ws/modes/", ModesSocket)]
