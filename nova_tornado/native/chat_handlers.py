"""/chat: chats, members, histories. Source: actions document, Chat control APIs; contract "actions" section 5."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import MappingProxyType

from nova_tornado.domain.errors import BadField, ChatUnknown, ErrorCode, NotAMember
from nova_tornado.domain.models import MessageDetails
from nova_tornado.native import packets
from nova_tornado.native.base import ActionsHandler, path_id
from nova_tornado.native.schemas import ChatName, NewChat, NewOwner, read_boolean
from nova_tornado.services.messages import PAGE_MAX_MESSAGES
from nova_tornado.web.jsons import dumps


class NewChatHandler(ActionsHandler):
    """/chat/new."""

    async def post(self) -> None:
        """Make a group with friends."""
        request = NewChat().read(self.body)
        chat = await self.services.chats.create_group_of_friends(
            self.user, request["chat_name"], request["chat_members"]
        )
        self.reply(await self.chat_for(chat, self.user))


class ChatsHandler(ActionsHandler):
    """/chat."""

    async def get(self) -> None:
        """The caller's chats in the order of joining."""
        chats = await self.services.chats.list_of(self.user.id)
        self.reply(await self.relations_for(chats, self.user))


class ChatHandler(ActionsHandler):
    """/chat/<id>."""

    async def get(self, chat_id: str) -> None:
        """One of the caller's chats; others' are as good as unknown."""
        try:
            chat = await self.services.chats.get_for(self.user.id, path_id(chat_id))
        except NotAMember:
            raise ChatUnknown from None
        self.reply((await self.relations_for([chat], self.user))[0])

    async def patch(self, chat_id: str) -> None:
        """Rename the group."""
        request = ChatName().read(self.body)
        chat = await self.services.chats.rename(self.user, path_id(chat_id), request["chat_name"])
        self.reply(await self.chat_for(chat, self.user))

    async def delete(self, chat_id: str) -> None:
        """Leave the group; the owner deletes it."""
        await self.services.chats.leave(self.user, path_id(chat_id))
        self.reply()


def encode_history(page: Sequence[MessageDetails], viewer_id: int | None) -> bytes:
    """The answer with a page of messages."""
    return dumps({"ok": True, "data": [packets.message_detailed(details, viewer_id) for details in page]})


class HistoryHandler(ActionsHandler):
    """Answers lists of messages."""

    async def reply_messages(self, pages: AsyncIterator[list[MessageDetails]]) -> None:
        """Answer with all messages of all pages, however many there are."""
        structs = ((packets.message_detailed(details, self.user.id) for details in page) async for page in pages)
        await self.reply_pages(structs)


class MessagesHandler(HistoryHandler):
    """/chat/<id>/messages."""

    get_statuses = MappingProxyType({ErrorCode.CHAT_UNKNOWN: 404})

    async def get(self, chat_id: str) -> None:
        """The history, newest first: all of it, or a page by ``before``, ``after`` (message ids) and ``limit``."""
        chat = await self.services.chats.get_for(self.user.id, path_id(chat_id))
        after, before, limit = (self._integer(name) for name in ("after", "before", "limit"))
        if after is None and before is None and limit is not None and 1 <= limit <= PAGE_MAX_MESSAGES:
            self.finish(
                await self.services.messages.answer_newest(
                    chat, limit=limit, viewer_id=self.user.id, encode=encode_history
                )
            )
            return
        if after is None and before is None and limit is None:
            await self.reply_messages(self.services.messages.iterate(chat, viewer_id=self.user.id))
            return
        if limit is None:
            limit = PAGE_MAX_MESSAGES
        elif not 1 <= limit <= PAGE_MAX_MESSAGES:
            raise BadField(f"limit must be from 1 to {PAGE_MAX_MESSAGES}")
        page = await self.services.messages.list_page(
            chat, after=after, before=before, limit=limit, viewer_id=self.user.id
        )
        self.reply([packets.message_detailed(details, self.user.id) for details in page])

    def _integer(self, name: str) -> int | None:
        text = self.get_query_argument(name, None)
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= 16):
            raise BadField(f"{name} must be a whole number")
        return int(text)


class AdminHandler(ActionsHandler):
    """/chat/<id>/<member>/admin."""

    async def post(self, chat_id: str, member_id: str) -> None:
        """Make a member an admin, or an admin a plain member."""
        is_admin = read_boolean(self.body)
        await self.services.chats.set_admin(self.user, path_id(chat_id), path_id(member_id), is_admin)
        self.reply()


class OwnerHandler(ActionsHandler):
    """/chat/<id>/set_owner."""

    async def post(self, chat_id: str) -> None:
        """Hand the group over."""
        request = NewOwner().read(self.body)
        await self.services.chats.set_owner(self.user, path_id(chat_id), request["chat_owner"])
        self.reply()


class MemberHandler(ActionsHandler):
    """/chat/<id>/<member>."""

    async def delete(self, chat_id: str, member_id: str) -> None:
        """Remove a member."""
        await self.services.chats.remove_member(self.user, path_id(chat_id), path_id(member_id))
        self.reply()


ROUTES = [
    (r"/chat/new", NewChatHandler),
    (r"/chat", ChatsHandler),
    (r"/chat/([0-9]+)", ChatHandler),
    (r"/chat/([0-9]+)/messages", MessagesHandler),
    (r"/chat/([0-9]+)/set_owner", OwnerHandler),
    (r"/chat/([0-9]+)/([0-9]+)/admin", AdminHandler),
    (r"/chat/([0-9]+)/([0-9]+)", MemberHandler),
]
