"""The base of the actions protocol's HTTP handlers: the shape of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar

from nova_tornado.domain.errors import ErrorCode, NovaError
from nova_tornado.domain.models import Chat, User
from nova_tornado.domain.rules import ID_MAX, NO_ID
from nova_tornado.native import packets
from nova_tornado.native.errors import HTTP_STATUS
from nova_tornado.web.base import BaseHandler
from nova_tornado.web.content import is_of_browser
from nova_tornado.web.jsons import dumps

HTTP_ERRORS = {400: "Malformed request", 403: "Forbidden", 404: "Not found", 405: "Method not allowed"}


def path_id(text: str) -> int:
    """An id out of a path of digits; ``NO_ID`` where it can name nothing."""
    return int(text) if len(text) <= 16 and int(text) <= ID_MAX else NO_ID


class ActionsHandler(BaseHandler):
    """Answers ``{"ok": true, "data": …}`` or ``{"ok": false, "error": …}``.

    Attributes:
        get_statuses: where the answers to this endpoint's GET differ from the protocol's table.
    """

    get_statuses: ClassVar[Mapping[ErrorCode, int]] = {}

    def reply(self, data: Any = None) -> None:
        """Answer with success."""
        self.finish(dumps({"ok": True, "data": data}))

    async def reply_pages(self, pages: AsyncIterator[Iterable[Any]]) -> None:
        """Answer with a list that is read from the database page by page, so that memory stays flat."""
        await self.write_list(b'{"ok":true,"data":[', pages, b"]}")

    def answer_error(self, error: NovaError) -> None:
        """Answer a refusal."""
        statuses = self.get_statuses if self.request.method == "GET" else {}
        self.set_status(statuses.get(error.code, HTTP_STATUS[error.code]))
        self.finish(dumps({"ok": False, "error": error.message}))

    def answer_http_error(self, status: int) -> None:
        """Answer a wrong method and the like."""
        self.set_status(status)
        self.finish(dumps({"ok": False, "error": HTTP_ERRORS.get(status, "Request failed")}))

    async def chat_for(self, chat: Chat, user: User) -> packets.Struct:
        """The struct Chat as a member sees it."""
        return (await self.chats_for([chat], user))[0]

    async def chats_for(self, chats: list[Chat], user: User) -> list[packets.Struct]:
        """The structs Chat as a member sees them."""
        lasts = [await self.services.chats.last_message_for(chat, user.id) for chat in chats]
        wanted: set[int] = {last.sender_id for last in lasts if last is not None}
        for chat in chats:
            wanted.update(chat.members)
        users = await self.services.directory.load(wanted)
        return [
            packets.chat_struct(
                chat, users, packets.message_basic(last, users[last.sender_id], user.id) if last else ""
            )
            for chat, last in zip(chats, lasts, strict=True)
        ]

    async def relations_for(self, chats: list[Chat], user: User) -> list[packets.Struct]:
        """The structs UserChatRelation of a member."""
        structs = await self.chats_for(chats, user)
        return [
            {"chat": struct, "nickname": chat.members[user.id].nickname, "unread_count": chat.unread_count(user.id)}
            for chat, struct in zip(chats, structs, strict=True)
            if user.id in chat.members
        ]


class NotFoundHandler(ActionsHandler):
    """Every path that nobody knows, by any method."""

    async def prepare(self) -> None:
        """Answer at once (called by Tornado)."""
        self.answer_http_error(404)

    def answer_http_error(self, status: int) -> None:
        """Whatever it was, the path is not there; a browser is shown a page that says so."""
        self.clear_header("Allow")
        if is_of_browser(self):
            self.services.pages.show(self, "not_found.html", status=404)
            return
        self.set_status(404)
        self.finish(dumps({"ok": False, "error": f"{self.request.path} not found on this server"}))
