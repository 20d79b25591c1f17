"""Accounts and sign-ins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from nova_tornado.domain import rules
from nova_tornado.domain.errors import (
    BadField,
    EmailTaken,
    NameTaken,
    NotSignedIn,
    UserUnknown,
    WrongCredentials,
    WrongPassword,
)
from nova_tornado.domain.events import AccountDeleted, FriendshipDeleted, ProfileChanged, SessionsEnded
from nova_tornado.domain.models import DELETED_USER_NAME, SYSTEM_USER_NAME, FriendGroup, Role, Session, User
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.services.avatars import identicon
from nova_tornado.services.chats import ChatService
from nova_tornado.services.passwords import PasswordHasher
from nova_tornado.services.sign_in_limits import SignInLimits
from nova_tornado.storage.database import MongoSession
from nova_tornado.storage.sessions import SessionKind
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

DELETION_RETRY_S = 5.0


class AccountService:
    """Registers, signs in, changes and deletes accounts.

    Args:
        store, directory, bus, clock: the parts it works with.
        passwords: hashes them.
        limits: on failed sign-ins.
        chats: to leave them when an account is deleted.
    """

    def __init__(
        self,
        store: Store,
        directory: UserDirectory,
        bus: Bus,
        clock: Clock,
        passwords: PasswordHasher,
        limits: SignInLimits,
        chats: ChatService,
    ) -> None:
        self._store = store
        self._users = store.users
        self._sessions = store.sessions
        self._directory = directory
        self._bus = bus
        self._clock = clock
        self._passwords = passwords
        self._limits = limits
        self._chats = chats
        self._deletions: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Make the system users."""
        await self._directory.open(
            await self._system_user(SYSTEM_USER_NAME), await self._system_user(DELETED_USER_NAME)
        )

    async def finish_deletions(self) -> None:
        """Finish deletions that a crash has interrupted; to be called when those who want to know can be told."""
        for user in await self._users.list_leaving():
            log.info("finishing the deletion of user %d", user.id)
            await self._delete(user)

    async def _system_user(self, name: str) -> User:
        user = await self._users.find_by_name(name)
        if user is None:
            user = User(await self._store.counters.next_id("user"), name, "", is_system=True)
            try:
                await self._users.insert(user, None, self._clock.now_us())
            except NameTaken:  # another process was faster
                user = await self._users.find_by_name(name)
                assert user is not None
        return user

    async def register(self, user_name: object, password: object, address: str) -> User:
        """Make an account.

        Args:
            address: from which it is made; the owner is known there from now on.

        Raises:
            BadField: a bad name or password.
            NameTaken: another account has that name.

        Source: contract "actions" section 2, POST /user/register (order of checks, avatar, default friend group).
        """
        rules.check_string(password, "password")
        name = rules.check_user_name(user_name)
        checked_password = rules.check_password(password)
        if await self._users.find_by_name(name) is not None:
            raise NameTaken
        password_hash = await self._passwords.hash(checked_password)
        user = User(await self._store.counters.next_id("user"), name, identicon(name))
        group = FriendGroup(await self._store.counters.next_id("friend_group"), user.id, "", True)

        async def write(session: MongoSession) -> None:
            await self._users.insert(user, password_hash, self._clock.now_us(), session)
            await self._store.friend_groups.insert(group, session)

        await self._store.database.transaction(write)
        self._limits.note_success(name, address)
        self._directory.put(user)
        return user

    async def authenticate(self, user_name: object, password: object, address: str) -> User:
        """Who has that name or e-mail address, and that password.

        Args:
            address: from which he asks; too many failures stop it for a while, by every protocol.

        Raises:
            BadField: a name or password that no account can have.
            WrongCredentials: unknown name or wrong password, after the same time.
            TooManyRequests: too many failed before.
        """
        name = rules.check_sign_in_name(user_name)
        checked_password = rules.check_password(password)
        accounts = await self._users.list_for_sign_in(name)
        # An unknown name costs the same time as a wrong password; what may be an address counts as two tries.
        tries: list[tuple[User, bytes] | None] = [*accounts]
        tries += [None] * ((2 if "@" in name else 1) - len(accounts))
        for account in tries:
            key = account[0].name if account is not None else name.casefold()
            hashed = account[1] if account is not None else None
            if await self._fits(key, address, checked_password, hashed) and account is not None:
                self._limits.note_success(key, address)
                self._directory.put(account[0])
                return account[0]
        for key in {account[0].name for account in accounts} or {name.casefold()}:
            self._limits.note_failure(key, address)
        raise WrongCredentials

    async def _fits(self, account: str, address: str, password: str, hashed: bytes | None) -> bool:
        """Whether a password fits, within the limits on failures (which the caller notes)."""
        self._limits.check(account, address)
        fits = await self._passwords.check(password, hashed)
        # Again: guesses sent all at once must not get more answers than the limit.
        self._limits.check(account, address)
        return fits

    async def begin_session(self, user: User, kind: SessionKind) -> str:
        """Sign a user in; returns the secret for the cookie or the token."""
        return await self._sessions.create(user.id, kind, self._clock.now())

    async def find_session(self, secret: str | None) -> tuple[Session, User] | None:
        """Whose session has that secret, if it is live."""
        session = await self._sessions.find(secret, self._clock.now()) if secret else None
        if session is None:
            return None
        user = await self._directory.get(session.user_id)
        return (session, user) if user.id == session.user_id else None

    async def end_session(self, session: Session, is_announced: bool = True) -> None:
        """Sign out: what is connected through the session is told and closed.

        Args:
            session: the one to end.
            is_announced: False where a new sign-in takes its place without a word.
        """
        await self._sessions.delete(session.id)
        if is_announced:
            self._bus.publish(SessionsEnded(session.user_id, frozenset((session.id,))))

    async def get_user(self, user_id: int) -> User:
        """Any user, system users included.

        Raises:
            UserUnknown: there is none with that id.
        """
        user = await self._directory.get(user_id) if user_id else None
        if user is None or user.id != user_id:
            raise UserUnknown
        return user

    async def find_account(self, user_id: int) -> User | None:
        """A user who is a person: not a system user."""
        user = await self._directory.get(user_id) if user_id else None
        return user if user is not None and user.id == user_id and not user.is_system else None

    def search_by_name(self, part: str) -> AsyncIterator[list[User]]:
        """The accounts whose name contains ``part`` (case-sensitive, literal), by id, in pages."""
        return self._users.search_by_name(part)

    async def update(
        self, user: User, session: Session, request: Mapping[str, Any], address: str
    ) -> tuple[User, str | None]:
        """Change one's own account: all that is asked or nothing.

        Args:
            user: the caller.
            session: through which he asks; it is the one that outlives a change of password.
            address: from which he asks; wrong old passwords count as failed sign-ins.
            request: any of ``old_password, new_password, email, phone, user_name, avatar_url``; null counts as absent.

        Returns:
            The account as it is now, and the session's new secret if it is a cookie's and the password was changed.

        Raises:
            BadField, WrongPassword, NameTaken, EmailTaken, TooManyRequests: nothing was changed.

        Source: contract "actions" section 2, PATCH /user (order of checks).
        """
        given = {key: value for key, value in request.items() if value is not None}
        changes: dict[str, Any] = {}
        if given.keys() & {"new_password", "email", "phone"}:
            old_password = given.get("old_password")
            if not isinstance(old_password, str):
                raise BadField("Old password is missing or not a string; the password is needed for this change")
            hashed = await self._users.find_password_hash(user.id)
            if not await self._fits(user.name, address, old_password, hashed):
                self._limits.note_failure(user.name, address)
                raise WrongPassword
        new_password = rules.check_password(given["new_password"], "new_password") if "new_password" in given else None
        if "email" in given:
            changes["email"] = rules.check_email(given["email"])
            if changes["email"] and await self._users.is_email_taken(changes["email"], user.id):
                raise EmailTaken
        if "phone" in given:
            changes["phone"] = rules.check_phone(given["phone"])
        if "user_name" in given:
            changes["name"] = rules.check_user_name(given["user_name"])
            if await self._users.find_by_name(changes["name"]) is not None:
                raise NameTaken
        if "avatar_url" in given:
            changes["avatar_url"] = rules.check_avatar_url(given["avatar_url"]) or identicon(user.name)
        if new_password is not None:
            changes["password_hash"] = await self._passwords.hash(new_password)
        if changes:
            changed = await self._users.update(user.id, changes)
            if changed is None:
                raise NotSignedIn
            user = changed
            self._directory.put(user)
        if new_password is None:
            self._bus.publish(ProfileChanged(user))
            return user, None
        secret = await self._sessions.renew(session.id, self._clock.now())
        ended = await self._sessions.delete_others(user.id, session.id)
        self._bus.publish(ProfileChanged(user), SessionsEnded(user.id, frozenset(ended)))
        return user, secret

    async def delete(self, user: User) -> None:
        """Delete one's own account, with all that hangs on it; others' chats keep what was said.

        What a failure leaves undone is tried again in the background, and after a crash at the next start.

        Raises:
            NotSignedIn: another request is deleting it already.

        Source: contract "actions" section 2, DELETE /user (order of the packets).
        """
        if not await self._users.mark_leaving(user.id):
            raise NotSignedIn
        try:
            await self._sessions.delete_all(user.id)
            await self._delete(user)
        except Exception:
            task = asyncio.create_task(self._delete_later(user), name=f"deletion of user {user.id}")
            self._deletions.add(task)
            task.add_done_callback(self._deletions.discard)
            raise

    async def _delete_later(self, user: User) -> None:
        while True:
            await asyncio.sleep(DELETION_RETRY_S)
            try:
                await self._sessions.delete_all(user.id)
                await self._delete(user)
                return
            except Exception as error:
                log.warning("the deletion of user %d failed again: %s", user.id, type(error).__name__)

    async def close(self) -> None:
        """Leave deletions that still fail to the next start."""
        for task in self._deletions:
            task.cancel()
        await asyncio.gather(*self._deletions, return_exceptions=True)

    async def _delete(self, user: User) -> None:
        await self._leave_everybody(user)
        await self._store.friend_groups.delete_all(user.id)
        await self._leave_everybody(user)  # somebody may have invited him, befriended him or taken him in meanwhile
        self._bus.publish(SessionsEnded(user.id, None))
        await self._sessions.delete_all(user.id)  # a sign-in may have been under way
        await self._users.delete(user.id)
        self._directory.forget(user.id)
        self._bus.publish(AccountDeleted(user.id))

    async def _leave_everybody(self, user: User) -> None:
        await self._store.friend_invitations.delete_all(user.id)
        friendships = await self._store.friendships.list_of(user.id)
        friends = await self._directory.load(friendship.friend_id for friendship in friendships)
        for friendship in friendships:
            await self._store.friendships.delete_pair(user.id, friendship.friend_id)
        for friendship in friendships:
            self._bus.publish(FriendshipDeleted(user, friends[friendship.friend_id], account_deleted=True))
        chats = await self._chats.list_of(user.id)
        for chat in chats:
            if chat.is_private:
                await self._chats.delete(chat)
        for chat in chats:
            if not chat.is_private and user.id in chat.members and chat.members[user.id].role is Role.OWNER:
                await self._chats.delete(chat)
        for chat in chats:
            if not chat.is_private and user.id in chat.members and not chat.is_deleted:
                await self._chats.remove_silently(chat, user.id)
