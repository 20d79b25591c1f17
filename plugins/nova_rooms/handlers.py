"""The HTTP side of the rooms protocol, under /http. Source: rooms document; contract "protocols" section 3."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from nova_rooms import confirmation, packets, schemas
from nova_rooms.entered import GroupActivity
from nova_rooms.packets import RoomsProtocol
from nova_tornado.api import (
    Ability,
    BaseHandler,
    NovaError,
    Services,
    SessionKind,
    check_scope,
    dumps,
    errors,
    loads_exact,
    models,
    path_id,
    prefers_html,
)

HISTORY_MAX_MESSAGES = 100
HTTP_ERRORS = {400: "Malformed request", 403: "Forbidden", 404: "Not found", 405: "Method not allowed"}
REGISTER_PATH = "/http/register/"


async def get_group(services: Services, chat_id: int) -> models.Chat:
    """A group.

    Raises:
        ChatUnknown: there is no group with that id (but maybe a private chat).
    """
    chat = await services.chats.get(chat_id)
    if chat.is_private:
        raise errors.ChatUnknown("Group not found")
    return chat


class RoomsHandler(BaseHandler):
    """Answers ``{"status": true, "data": …}`` or ``{"status": false, "data": …}``."""

    reads_body_of_get = True
    body_too_large = dumps({"status": False, "data": errors.TooLarge.default_message})
    request_headers = "Content-Type, Authorization, Authentication"
    protocol: RoomsProtocol

    def initialize(self, services: Services, protocol: RoomsProtocol | None = None) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services)
        assert protocol is not None
        self.protocol = protocol

    async def find_session(self) -> tuple[models.Session, models.User] | None:
        """Who asks: by the header ``authentication``, else by ``Authorization: Bearer``; never by a cookie."""
        accounts = self.services.accounts
        found = await accounts.find_session(self.request.headers.get("Authentication"))
        if found is None:
            scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
            found = await accounts.find_session(token.strip()) if scheme.lower() == "bearer" else None
        return found

    def read_body(self) -> dict[str, Any]:
        """The fields of the request's body, whatever its Content-Type says; none if it is empty.

        Raises:
            Malformed: it is no JSON object.
        """
        body = loads_exact(self.request.body) if self.request.body else {}
        if not isinstance(body, dict):
            raise errors.Malformed("The body must be a JSON object")
        return body

    def reply(self, data: Any = None, **more: Any) -> None:
        """Answer with success."""
        self.finish(dumps({"status": True, **more, "data": data}))

    def answer_error(self, error: NovaError) -> None:
        """Answer a refusal."""
        self.set_status(packets.CODE[error.code])
        self.finish(dumps({"status": False, "data": error.message}))

    def answer_http_error(self, status: int) -> None:
        """Answer a wrong method and the like."""
        self.set_status(status)
        self.finish(dumps({"status": False, "data": HTTP_ERRORS.get(status, "Request failed")}))

    async def get_room(self, chat_id: int) -> models.Chat:
        """A private chat of the caller.

        Raises:
            ChatUnknown: there is no private chat with that id (but maybe a group, or somebody's dialogue with the bot).
            NotAMember: it is one of others.
        """
        chat = await self.services.chats.get(chat_id)
        if not chat.is_private or self.services.bots.is_dialogue(chat):
            raise errors.ChatUnknown("Room not found")
        if not await self.services.chats.has_member(chat, self.user.id):
            raise errors.NotAMember("This is a room of others")
        return chat

    async def list_rooms(self) -> list[tuple[models.Chat, models.User]]:
        """The caller's private chats with people, each with the other one."""
        chats = [chat for chat in await self.services.chats.list_of(self.user.id) if chat.is_private]
        others = {chat.id: packets.other_of(chat, self.user.id) for chat in chats}
        users = await self.services.directory.load(others.values())
        return [(chat, users[others[chat.id]]) for chat in chats if not users[others[chat.id]].is_bot]

    async def get_visible_group(self, chat_id: int) -> models.Chat:
        """A group that the caller may look into: an open one, or one that he is a member of.

        Raises:
            ChatUnknown: there is no such group.
            NotAMember: it is closed, and he is not in it.
        """
        chat = await get_group(self.services, chat_id)
        if chat.policy is not models.JoinPolicy.OPEN and not await self.services.chats.has_member(chat, self.user.id):
            raise errors.NotAMember
        return chat

    async def group_struct(self, chat: models.Chat) -> packets.Struct:
        """A group as it is shown to everybody."""
        return packets.group(chat, {} if chat.title else await self.services.directory.load(chat.members))


class UnknownPathHandler(RoomsHandler):
    """Every other path, by any method."""

    async def prepare(self) -> None:
        """Answer at once (called by Tornado)."""
        self.answer_http_error(404)

    def answer_http_error(self, status: int) -> None:
        """Whatever it was, the path is not there."""
        self.clear_header("Allow")
        super().answer_http_error(404)


class RegisterHandler(RoomsHandler):
    """/http/register."""

    needs_session = False

    async def post(self) -> None:
        """Send the link that makes the account."""
        request = schemas.Registration().read(self.body)
        await self.services.registrations.begin(**request, link_path=REGISTER_PATH)
        self.reply()


class ConfirmHandler(RoomsHandler):
    """/http/register/<registration-token>: the link in the mail; a browser is shown a page."""

    needs_session = False

    async def get(self, token: str) -> None:
        """Make the account."""
        await self.services.registrations.confirm(token)
        if self._is_browser():
            self._show(200)
        else:
            self.reply()

    def answer_error(self, error: NovaError) -> None:
        """Answer a refusal."""
        if self._is_browser():
            self._show(packets.CODE[error.code])
        else:
            super().answer_error(error)

    def _is_browser(self) -> bool:
        return prefers_html(self.request.headers.get("Accept", ""))

    def _show(self, status: int) -> None:
        heading, sentence = confirmation.sentences(status)
        self.services.pages.show(self, "confirmation.html", status=status, heading=heading, sentence=sentence)


class LoginHandler(RoomsHandler):
    """/http/login."""

    needs_session = False

    async def post(self) -> None:
        """Issue a token."""
        request = schemas.Credentials().read(self.body)
        accounts = self.services.accounts
        user = await accounts.authenticate(
            request["email"], request["password"], self.remote_address, is_format_checked=False
        )
        token = await accounts.sign_in(user, SessionKind.TOKEN)
        self.reply({"token": token}, token=token)


class LogoutHandler(RoomsHandler):
    """/http/logout."""

    async def get(self) -> None:
        """Revoke the token."""
        await self.services.accounts.sign_out(self.session)
        # Now, and not after a login that may follow at once.
        await self.protocol.entered.end_if_signed_out(self.user.id)
        self.reply()


class UsersHandler(RoomsHandler):
    """/http/users."""

    async def get(self) -> None:
        """All accounts of people, by id."""
        is_online = self.services.hub.is_online
        pages = (
            [packets.user_struct(user, is_online(user.id)) for user in users if not user.is_bot]
            async for users in self.services.accounts.list_accounts()
        )
        await self.write_list(b'{"status":true,"data":[', pages, b"]}")


class ProfileHandler(RoomsHandler):
    """/http/users/profile: one's own account."""

    async def get(self) -> None:
        """The account."""
        self.reply(packets.profile(self.user))

    async def put(self) -> None:
        """Change names and password, all that is given or nothing."""
        request = schemas.ProfileChange().read(self.body)
        user = await self.services.accounts.change(self.user, self.session, self.remote_address, **request)
        if (user.name, user.first_name, user.last_name) == (self.user.name, self.user.first_name, self.user.last_name):
            # By the document everybody is told after every such request, and this is no news for other protocols.
            self.services.bus.publish(packets.ProfileSaved(user))
        self.reply(packets.profile(user))


class GroupMembersHandler(RoomsHandler):
    """/http/users/group/<id>."""

    async def get(self, group_id: str) -> None:
        """The people in a group in the order of their joining."""
        chat = await self.get_visible_group(path_id(group_id))
        users = await self.services.directory.load(chat.members)
        is_online = self.services.hub.is_online
        people = [user_id for user_id in chat.members if not users[user_id].is_bot]
        self.reply([packets.user_struct(users[user_id], is_online(user_id)) for user_id in people])


class NotificationsHandler(RoomsHandler):
    """/http/notifications."""

    async def get(self) -> None:
        """What the others have written last in the caller's private chats, latest first."""
        found = []
        for chat, other in await self.list_rooms():
            latest = await self.services.messages.find_latest_from(chat, other.id, self.user.id)
            if latest is not None:
                found.append((chat, latest))
        found.sort(key=lambda pair: (pair[1].sent_us, pair[1].id), reverse=True)
        self.reply([packets.notification(chat, latest, self.user.id) for chat, latest in found])

    async def put(self) -> None:
        """Mark everything in a private chat as read."""
        request = schemas.RoomId().read(self.body)
        chat = await self.get_room(request["chat_room_id"])
        await self.services.messages.mark_read(self.user, chat.id)
        self.reply()


class RoomsListHandler(RoomsHandler):
    """/http/chat_rooms."""

    async def get(self) -> None:
        """The caller's private chats, those with the latest message first."""
        rooms = [
            (chat, other, await self.services.chats.last_message_for(chat, self.user.id))
            for chat, other in await self.list_rooms()
        ]
        rooms.sort(key=lambda room: (room[2].sent_us if room[2] else 0, room[0].id), reverse=True)
        self.reply([packets.room(chat, other, last) for chat, other, last in rooms])


class HistoryHandler(RoomsHandler):
    """What the histories share: their fields may come as a query, too."""

    def read_body(self) -> dict[str, Any]:
        """The fields of query and body; where both have one, the body's.

        Raises:
            Malformed: the body is no JSON object.
        """
        return {**schemas.HistoryPart.from_query(self.request.query_arguments), **super().read_body()}

    async def list_history(self, chat: models.Chat, timestamp: int | None, before: bool) -> list[models.Entry]:
        """At most the latest ``HISTORY_MAX_MESSAGES`` from a time on, or before it, ascending."""
        return await self.services.messages.history(
            chat,
            self.user.id,
            from_us=None if before else timestamp,
            before_us=timestamp if before else None,
            limit=HISTORY_MAX_MESSAGES,
            newest=True,
        )

    async def reply_history(self, chat: models.Chat, timestamp: int | None, before: bool) -> None:
        """Answer with a part of a chat's history (see ``list_history``)."""
        entries = await self.list_history(chat, timestamp, before)
        users = await self.services.directory.load(entry.sender_id for entry in entries)
        self.reply([packets.message(entry, users[entry.sender_id].id) for entry in entries])


class RoomHandler(HistoryHandler):
    """/http/chat_rooms/<id>."""

    async def get(self, room_id: str) -> None:
        """The history of a private chat; that marks nothing as read."""
        request = schemas.HistoryPart().read(self.body)
        await self.reply_history(await self.get_room(path_id(room_id)), **request)


class GroupsHandler(RoomsHandler):
    """/http/chat_groups."""

    async def get(self) -> None:
        """All open groups and the caller's closed ones, by id."""
        chats = {chat.id: chat for chat in await self.services.chats.list_open()}
        own = await self.services.chats.list_of(self.user.id)
        chats.update((chat.id, chat) for chat in own if not chat.is_private)
        self.reply([await self.group_struct(chats[chat_id]) for chat_id in sorted(chats)])

    async def post(self) -> None:
        """Make an open group."""
        request = schemas.GroupName().read(self.body)
        chat = await self.services.chats.create_group(self.user, request["name"], [], policy=models.JoinPolicy.OPEN)
        self.reply(await self.group_struct(chat))

    async def put(self) -> None:
        """Give a group another name."""
        request = schemas.GroupRename().read(self.body)
        await rename_group(self, request["group_id"], request["name"])


async def rename_group(handler: RoomsHandler, group_id: int, name: str) -> None:
    """Give a group another name and answer with how it is then."""
    chat = await get_group(handler.services, group_id)
    await handler.services.chats.edit(handler.user, chat.id, title=name)
    handler.reply(await handler.group_struct(chat))


class GroupHandler(HistoryHandler):
    """/http/chat_groups/<id>."""

    async def get(self, group_id: str) -> None:
        """The history of a group."""
        request = schemas.HistoryPart().read(self.body)
        await self.reply_history(await self.get_visible_group(path_id(group_id)), **request)

    async def post(self, group_id: str) -> None:
        """Enter or leave a group."""
        request = schemas.Entering().read(self.body)
        chat = await self.get_visible_group(path_id(group_id))
        if request["is_enter"]:
            await self._enter(chat)
        else:
            await self._leave(chat)
        self.reply()

    async def put(self, group_id: str) -> None:
        """Give a group another name."""
        request = schemas.GroupName().read(self.body)
        await rename_group(self, path_id(group_id), request["name"])

    async def _enter(self, chat: models.Chat) -> None:
        if self.user.id not in chat.members:
            await self.services.chats.join(self.user, chat.id)
        if self.user.id not in chat.members or chat.is_deleted:
            raise errors.NotAMember  # removed in between
        is_new = await self.protocol.entered.enter(chat, self.user.id)
        await self._tell(chat, is_enter=True, is_new=is_new)

    async def _leave(self, chat: models.Chat) -> None:
        is_membership_over = chat.policy is models.JoinPolicy.OPEN and chat.owner_id != self.user.id
        if is_membership_over:
            check_scope(self.user, Ability.CHANGE_CHATS)  # before anything is changed here
        entered = self.protocol.entered
        if not await entered.is_in(chat, self.user.id):
            return
        if is_membership_over:
            with suppress(errors.NotAMember):  # by another request at the same moment
                await self.services.chats.edit(self.user, chat.id, remove_ids=[self.user.id])
        if await entered.leave(chat.id, self.user.id):
            await self._tell(chat, is_enter=False)

    async def _tell(self, chat: models.Chat, *, is_enter: bool, is_new: bool = True) -> None:
        """Tell those who are in it; and other processes, of which one may not know yet what is old here."""
        user_ids = tuple(await self.protocol.entered.list_all_in(chat)) if is_new else ()
        self.services.bus.publish(GroupActivity(chat.id, self.user, is_enter, user_ids))


class BotHandler(HistoryHandler):
    """/http/chat_bot."""

    async def get(self) -> None:
        """The dialogue with the bot; that marks nothing as read."""
        request = schemas.HistoryPart().read(self.body)
        bot = self.services.bots.default
        if bot is None:
            raise errors.UserUnknown("No bot is available")
        chat = await self.services.chats.find_private(self.user.id, bot.id)
        entries = await self.list_history(chat, **request) if chat is not None else []
        said = [entry for entry in entries if entry.sender_id in (self.user.id, bot.id)]
        self.reply([packets.bot_item(entry, entry.sender_id == self.user.id) for entry in said])


POSITIVE_ID = "([1-9][0-9]*)"

ROUTES = [
    (r"/http/register", RegisterHandler),
    (rf"{REGISTER_PATH}([^/]+)", ConfirmHandler),
    (r"/http/login", LoginHandler),
    (r"/http/logout", LogoutHandler),
    (r"/http/users", UsersHandler),
    (r"/http/users/profile", ProfileHandler),
    (rf"/http/users/group/{POSITIVE_ID}", GroupMembersHandler),
    (r"/http/notifications", NotificationsHandler),
    (r"/http/chat_rooms", RoomsListHandler),
    (rf"/http/chat_rooms/{POSITIVE_ID}", RoomHandler),
    (r"/http/chat_groups", GroupsHandler),
    (rf"/http/chat_groups/{POSITIVE_ID}", GroupHandler),
    (r"/http/chat_bot", BotHandler),
]
OTHER_PATHS = r"/http(?:/.*)?"
