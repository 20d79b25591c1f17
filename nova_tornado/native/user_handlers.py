"""/user: accounts and sign-ins. Source: actions document, User control APIs; contract "actions" section 2."""

from __future__ import annotations

from types import MappingProxyType

from nova_tornado.domain.errors import ErrorCode, NotSignedIn
from nova_tornado.native import packets
from nova_tornado.native.base import ActionsHandler, path_id
from nova_tornado.native.schemas import AnyFields, Credentials
from nova_tornado.storage.sessions import SessionKind
from nova_tornado.web.base import SESSION_COOKIE


class RegisterHandler(ActionsHandler):
    """/user/register."""

    needs_session = False

    async def post(self) -> None:
        """Make an account and sign it in; a session that the browser had is replaced without a word."""
        request = Credentials().read(self.body)
        user = await self.services.accounts.register(request["user_name"], request["password"], self.remote_address)
        if (old := await self.find_cookie_session()) is not None:
            await self.services.accounts.end_session(old[0], is_announced=False)
        self.set_session_cookie(await self.services.accounts.sign_in(user, SessionKind.COOKIE))
        self.reply(packets.user_detailed(user))


class LoginHandler(ActionsHandler):
    """/user/login."""

    needs_session = False

    async def post(self) -> None:
        """Sign in; a session that the browser had is ended first."""
        request = Credentials().read(self.body)
        user = await self.services.accounts.authenticate(request["user_name"], request["password"], self.remote_address)
        if (old := await self.find_cookie_session()) is not None:
            await self.services.accounts.end_session(old[0])
        self.set_session_cookie(await self.services.accounts.sign_in(user, SessionKind.COOKIE))
        self.reply(packets.user_detailed(user))


class TokenHandler(ActionsHandler):
    """/user/token."""

    needs_session = False

    async def post(self) -> None:
        """Issue a token, which ``Authorization: Bearer`` and the other protocols take."""
        request = Credentials().read(self.body)
        user = await self.services.accounts.authenticate(request["user_name"], request["password"], self.remote_address)
        self.reply({"token": await self.services.accounts.begin_session(user, SessionKind.TOKEN)})


class LogoutHandler(ActionsHandler):
    """/user/logout."""

    async def post(self) -> None:
        """End the browser's session; without a cookie, the token that asks."""
        found = await self.find_cookie_session() or await self.find_session()
        if found is None:
            raise NotSignedIn
        await self.services.accounts.sign_out(found[0])
        self.clear_cookie(SESSION_COOKIE)
        self.reply()


class UserHandler(ActionsHandler):
    """/user: one's own account."""

    async def get(self) -> None:
        """User.Detailed of the caller."""
        self.reply(packets.user_detailed(self.user))

    async def patch(self) -> None:
        """Change the account: all or nothing."""
        request = AnyFields().read(self.body)
        user, secret = await self.services.accounts.update(self.user, self.session, request, self.remote_address)
        if secret is not None and self.get_cookie(SESSION_COOKIE):
            self.set_session_cookie(secret)
        self.reply(packets.user_detailed(user))

    async def delete(self) -> None:
        """Delete the account."""
        await self.services.accounts.delete(self.user)
        self.clear_cookie(SESSION_COOKIE)
        self.reply()


class UserByIdHandler(ActionsHandler):
    """/user/<id>: anybody's account."""

    get_statuses = MappingProxyType({ErrorCode.USER_UNKNOWN: 404})

    async def get(self, user_id: str) -> None:
        """User.Basic of any user, system users included."""
        self.reply(packets.user_basic(await self.services.accounts.get_user(path_id(user_id))))


ROUTES = [
    (r"/user/register", RegisterHandler),
    (r"/user/login", LoginHandler),
    (r"/user/token", TokenHandler),
    (r"/user/logout", LogoutHandler),
    (r"/user", UserHandler),
    (r"/user/([0-9]+)\)?", UserByIdHandler),  # the document's table has a stray ")", which existing clients send
]
