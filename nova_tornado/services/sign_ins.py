"""Signing in and out: by name or address and password, by cookie and token."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nova_tornado.domain import rules
from nova_tornado.domain.errors import BadField, WrongCredentials, WrongPassword
from nova_tornado.domain.events import AccountDeleted, Event, SessionsEnded, SignedIn, SignedOut, SignInFailed
from nova_tornado.domain.models import Session, User
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.services.bot_scopes import Ability, check_scope
from nova_tornado.services.passwords import PasswordHasher
from nova_tornado.services.sign_in_limits import SignInLimits
from nova_tornado.storage.sessions import SessionKind
from nova_tornado.storage.store import Store


class SignInService:
    """Checks passwords, begins and ends sessions; the part of ``AccountService`` that all protocols sign in by.

    Args:
        store, directory, bus, clock: the parts it works with.
        passwords: checks them.
        limits: on failed sign-ins.
    """

    def __init__(
        self,
        store: Store,
        directory: UserDirectory,
        bus: Bus,
        clock: Clock,
        passwords: PasswordHasher,
        limits: SignInLimits,
    ) -> None:
        self._users = store.users
        self._sessions = store.sessions
        self._directory = directory
        self._bus = bus
        self._clock = clock
        self._passwords = passwords
        self._limits = limits
        bus.add_sink(self._note_ended, elsewhere=self._note_ended)

    def _note_ended(self, happened: Sequence[Event]) -> None:
        for event in happened:
            if type(event) is SessionsEnded or type(event) is AccountDeleted:
                self._sessions.forget_found()

    async def authenticate(
        self, user_name: object, password: object, address: str, *, is_format_checked: bool = True
    ) -> User:
        """Who has that name or e-mail address, and that password.

        Args:
            address: from which he asks; too many failures stop it for a while, by every protocol.
            is_format_checked: whether a name or password that no account can have is a bad field (as the native
                protocol has it) or just wrong.

        Raises:
            BadField: no strings, or ones that no account can have.
            WrongCredentials: unknown name or wrong password, after the same time.
            TooManyRequests: too many failed before.
        """
        try:
            name = rules.check_sign_in_name(user_name)
            checked_password = rules.check_password(password)
        except BadField:
            given = (rules.check_string(user_name, "user_name"), rules.check_string(password, "password"))
            if is_format_checked or not all(given):
                raise
            raise WrongCredentials from None
        accounts = await self._users.list_for_sign_in(name)
        # An unknown name costs the same time as a wrong password; what may be an address counts as two tries.
        tries: list[tuple[User, bytes] | None] = [*accounts]
        tries += [None] * ((2 if "@" in name else 1) - len(accounts))
        for account in tries:
            key = account[0].name if account is not None else name.casefold()
            hashed = account[1] if account is not None else None
            if await self._fits(key, address, checked_password, hashed) and account is not None:
                # While the hash was made he may have changed his password or profile, or may have left.
                user = await self._directory.get(account[0].id)
                if await self._users.find_password_hash(account[0].id) == hashed and user.id == account[0].id:
                    self._limits.note_success(key, address)
                    return user
        for key in {account[0].name for account in accounts} or {name.casefold()}:
            self._note_failure(key, address)
        raise WrongCredentials

    async def _fits(self, account: str, address: str, password: str, hashed: bytes | None) -> bool:
        """Whether a password fits, within the limits on failures (which the caller notes)."""
        self._limits.check(account, address)
        fits = await self._passwords.check(password, hashed)
        # Again: guesses sent all at once must not get more answers than the limit.
        self._limits.check(account, address)
        return fits

    def _note_failure(self, account: str, address: str) -> None:
        self._limits.note_failure(account, address)
        self._bus.publish(SignInFailed(account, address))

    async def check_password(self, user: User, password: str, address: str) -> None:
        """Make sure that who is signed in knows his password.

        Args:
            address: from which he asks; a wrong password counts as a failed sign-in.

        Raises:
            WrongPassword: it is another one.
            TooManyRequests: too many failed before.
        """
        check_scope(user, Ability.CHANGE_ACCOUNT)  # there is no password, and no tries are to be counted
        hashed = await self._users.find_password_hash(user.id)
        if not await self._fits(user.name, address, password, hashed):
            self._note_failure(user.name, address)
            raise WrongPassword

    async def begin_session(
        self,
        user: User,
        kind: SessionKind,
        *,
        issuer: str = "",
        limit: int | None = None,
        lifetime_s: int | None = None,
    ) -> str:
        """Give a user a session, without a word to others.

        Args:
            issuer: the protocol that counts the sessions it issues, if it does.
            limit: how many live sessions of that issuer the account may have, this one included.
            lifetime_s: None: that of its kind.

        Returns:
            The secret for the cookie or the token.

        Raises:
            TooManyTokens: the account has so many already.
        """
        return await self._sessions.create(
            user.id, kind, self._clock.now(), issuer=issuer, limit=limit, lifetime_s=lifetime_s
        )

    async def sign_in(self, user: User, kind: SessionKind, *, issuer: str = "", limit: int | None = None) -> str:
        """Begin a session, as ``begin_session`` does, and tell others that the user has signed in."""
        secret = await self.begin_session(user, kind, issuer=issuer, limit=limit)
        self._bus.publish(SignedIn(user.id))
        return secret

    async def find_session(self, secret: object) -> tuple[Session, User] | None:
        """Whose session has that secret, if it is live; any other value is nobody's."""
        session = await self._sessions.find(secret, self._clock.now()) if isinstance(secret, str) else None
        if session is None:
            return None
        user = await self._directory.get(session.user_id)
        return (session, user) if user.id == session.user_id else None

    async def has_token(self, user_id: int) -> bool:
        """Whether a user has a live token."""
        return await self._sessions.has_token(user_id, self._clock.now())

    async def list_session_ends(self, user: User, issuer: str) -> list[datetime]:
        """When the live sessions that an issuer has given a user end, the first one first."""
        return await self._sessions.list_ends(user.id, issuer, self._clock.now())

    async def end_all_sessions(self, user: User) -> frozenset[bytes]:
        """End all sessions of a user; returns their ids, for those who must tell other processes."""
        ended = frozenset(await self._sessions.delete_others(user.id, None))
        self._bus.publish(SessionsEnded(user.id, ended))
        return ended

    async def end_session(self, session: Session, is_announced: bool = True) -> bool:
        """End a session: what is connected through it is told and closed.

        Args:
            session: the one to end.
            is_announced: False where a new sign-in takes its place without a word.

        Returns:
            Whether it was still there.
        """
        has_ended = await self._sessions.delete(session.id)
        if is_announced:
            self._bus.publish(SessionsEnded(session.user_id, frozenset((session.id,))))
        return has_ended

    async def sign_out(self, session: Session) -> None:
        """End a session and tell others that the user has signed out; those who still listen, not what ends with it."""
        if await self.end_session(session):
            self._bus.publish(SignedOut(session.user_id))
