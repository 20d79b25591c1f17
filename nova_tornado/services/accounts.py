"""Accounts: how they are made, shown, changed and deleted."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from nova_tornado.domain import rules
from nova_tornado.domain.errors import (
    BadField,
    EmailTaken,
    NameTaken,
    NothingToChange,
    NotSignedIn,
    Unavailable,
    UserUnknown,
)
from nova_tornado.domain.events import AccountCreated, Event, ProfileChanged, SessionsEnded
from nova_tornado.domain.models import DELETED_USER_NAME, SYSTEM_USER_NAME, BotScope, File, FriendGroup, Session, User
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.services.account_deletion import AccountDeletion
from nova_tornado.services.avatars import identicon
from nova_tornado.services.bot_scopes import Ability, check_scope
from nova_tornado.services.chats import ChatService
from nova_tornado.services.friends import FriendService
from nova_tornado.services.passwords import PasswordHasher
from nova_tornado.services.sign_in_limits import SignInLimits
from nova_tornado.services.sign_ins import SignInService
from nova_tornado.storage.database import MongoSession
from nova_tornado.storage.store import Store

NAMES_PER_LOOKUP = 100
"""How many user names are tried at a time where many accounts have the same local part in their addresses."""


class AccountService(SignInService):
    """Registers, signs in (that is in ``SignInService``), changes and deletes accounts.

    Args:
        store, directory, bus, clock: the parts it works with.
        passwords: hashes them.
        limits: on failed sign-ins.
        chats, friends: to leave them when an account is deleted.
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
        friends: FriendService,
    ) -> None:
        super().__init__(store, directory, bus, clock, passwords, limits)
        self._store = store
        self._deletion = AccountDeletion(store, directory, bus, chats, friends)

    async def open(self) -> None:
        """Make the system users."""
        await self._directory.open(
            await self._system_user(SYSTEM_USER_NAME), await self._system_user(DELETED_USER_NAME)
        )

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

    async def register(
        self,
        user_name: object,
        password: object,
        address: str,
        *,
        email: object = "",
        first_name: object = "",
        last_name: object = "",
    ) -> User:
        """Make an account.

        Args:
            address: from which it is made; the owner is known there from now on.
            email, first_name, last_name: "" for none.

        Raises:
            BadField: a bad name, password or e-mail address.
            NameTaken, EmailTaken: another account has that name or address.

        Source: contract "actions" section 2, POST /user/register (order of checks, avatar, default friend group).
        """
        rules.check_string(password, "password")
        name = rules.check_user_name(user_name)
        checked_password = rules.check_password(password)
        checked_email = rules.check_address(email) if email != "" else ""
        checked_first_name = rules.check_first_name(first_name) if first_name != "" else ""
        checked_last_name = rules.check_last_name(last_name)
        if await self._users.find_by_name(name) is not None:
            raise NameTaken
        if checked_email and await self._users.is_email_taken(checked_email):
            raise EmailTaken
        password_hash = await self._passwords.hash(checked_password)
        user_id = await self._store.counters.next_id("user")
        user = await self._create(
            User(
                user_id,
                name,
                identicon(name),
                email=checked_email,
                first_name=checked_first_name,
                last_name=checked_last_name,
            ),
            password_hash,
        )
        self._limits.note_success(name, address)
        return user

    async def register_hashed(self, password_hash: bytes, *, email: str, first_name: str, last_name: str) -> User:
        """Make an account of values that were checked before; its user name is made from the address.

        Args:
            password_hash: as ``hash_password`` has made it.

        Raises:
            EmailTaken: another account has that address.

        Source: contract "protocols" section 0.3 (the name), 3.2.
        """
        if await self._users.is_email_taken(email):
            raise EmailTaken
        user_id = await self._store.counters.next_id("user")
        account = User(user_id, "", "", email=email, first_name=first_name, last_name=last_name)
        return await self._create_with_free_name(
            account, lambda number: rules.user_name_of(email, number), password_hash
        )

    async def ensure_bot(self, key: str, name: str, avatar_url: str = "", *, scope: BotScope | None = None) -> User:
        """The account of a bot, made when it is first asked for. Nobody can sign in to it by a password.

        Args:
            key: by which it is found again.
            name: its user name; if somebody else has it, ``-2``, ``-3`` … is appended.
            avatar_url: "" for a generated one.
            scope: of a bot from outside.

        Raises:
            BadField: a name that no account can have.
        """
        rules.check_user_name(name)
        bot = await self._users.find_bot(key)
        if bot is None:
            user_id = await self._store.counters.next_id("user")
            account = User(user_id, "", avatar_url, is_bot=True, bot_scope=scope)
            try:
                return await self._create_with_free_name(
                    account, lambda number: rules.numbered_name(name, number), None, bot_key=key
                )
            except NothingToChange:  # another process was faster
                bot = await self._users.find_bot(key)
                assert bot is not None
        self._directory.put(bot)
        return bot

    async def find_bot(self, key: str) -> User | None:
        """The account of the bot with that key."""
        return await self._users.find_bot(key)

    async def list_bots(self) -> list[tuple[str, User]]:
        """The accounts of the bots from outside, by id, each with its key."""
        return await self._users.list_bots()

    async def _create_with_free_name(
        self, account: User, name_of: Callable[[int], str], password_hash: bytes | None, *, bot_key: str = ""
    ) -> User:
        """Store a new account under the first name that is free of those for 1, 2, 3 …"""
        for first in itertools.count(1, NAMES_PER_LOOKUP):
            names = [name_of(number) for number in range(first, first + NAMES_PER_LOOKUP)]
            taken = await self._users.list_taken_names(names)
            for name in names:
                if name in taken:
                    continue
                user = replace(account, name=name, avatar_url=account.avatar_url or identicon(name))
                try:
                    return await self._create(user, password_hash, bot_key=bot_key)
                except NameTaken:
                    continue  # another registration was faster
        raise AssertionError("names do not end")

    async def _create(self, user: User, password_hash: bytes | None, *, bot_key: str = "") -> User:
        """Store a new account with its default friend group, and tell of it."""
        group = FriendGroup(await self._store.counters.next_id("friend_group"), user.id, "", True)

        async def write(session: MongoSession) -> None:
            await self._users.insert(user, password_hash, self._clock.now_us(), session, bot_key=bot_key)
            await self._store.friend_groups.insert(group, session)

        await self._store.database.transaction(write)
        self._directory.put(user)
        self._bus.publish(AccountCreated(user))
        return user

    async def hash_password(self, password: object) -> bytes:
        """The hash of a password that is to be somebody's later.

        Raises:
            BadField: a bad password.
            TooManyRequests: too many hashes are waiting.
        """
        return await self._passwords.hash(rules.check_password(password))

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

    async def find_account_by_name(self, name: str) -> User | None:
        """The person with exactly that user name."""
        user = await self._users.find_by_name(name)
        return user if user is not None and not user.is_system else None

    def list_accounts(self) -> AsyncIterator[list[User]]:
        """All persons, by id, in pages."""
        return self._users.search_by_name("")

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
        check_scope(user, Ability.CHANGE_ACCOUNT)
        given = {key: value for key, value in request.items() if value is not None}
        changes: dict[str, Any] = {}
        if given.keys() & {"new_password", "email", "phone"}:
            old_password = given.get("old_password")
            if not isinstance(old_password, str):
                raise BadField("Old password is missing or not a string; the password is needed for this change")
            await self.check_password(user, old_password, address)
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
        user = await self._store_changes(user, session, address, changes)
        return user, await self._sessions.renew(session.id, self._clock.now()) if new_password is not None else None

    async def change(
        self,
        user: User,
        session: Session,
        address: str,
        *,
        name: object = None,
        email: object = None,
        password: object = None,
        first_name: object = None,
        last_name: object = None,
        avatar_url: object = None,
    ) -> User:
        """Change one's own account: all that is given or nothing. Nobody is asked for the old password here.

        Args:
            user: the caller.
            session: through which he asks; it outlives a change of password, all others end.
            address: from which he asks; the owner is known there under his new name.
            name, email, password, first_name, last_name, avatar_url: what to change; None leaves it. An ``avatar_url``
                of "" is a generated avatar.

        Returns:
            The account as it is now.

        Raises:
            BadField, NameTaken, EmailTaken: nothing was changed. (One's own present name and address are not taken.)
            NotSignedIn: the account is gone.

        Source: contract "protocols" sections 0.3, 0.4, 2.3, 3.5.
        """
        check_scope(user, Ability.CHANGE_ACCOUNT)
        changes: dict[str, Any] = {}
        if name is not None:
            changes["name"] = rules.check_user_name(name)
        if email is not None:
            changes["email"] = rules.check_address(email)
        new_password = rules.check_password(password) if password is not None else None
        if first_name is not None:
            changes["first_name"] = rules.check_first_name(first_name)
        if last_name is not None:
            changes["last_name"] = rules.check_last_name(last_name)
        if avatar_url is not None:
            changes["avatar_url"] = rules.check_photo(avatar_url, "avatar_url") or identicon(user.name)
        if "name" in changes:
            other = await self._users.find_by_name(changes["name"])
            if other is not None and other.id != user.id:
                raise NameTaken
        if "email" in changes and await self._users.is_email_taken(changes["email"], user.id):
            raise EmailTaken
        if new_password is not None:
            changes["password_hash"] = await self._passwords.hash(new_password)
        return await self._store_changes(user, session, address, changes)

    async def set_avatar(self, user: User, session: Session, address: str, picture: File) -> User:
        """Make a picture that was just uploaded one's own avatar.

        Args:
            user, session, address: as for ``change``.
            picture: pending, taken in by ``FileService.begin_avatar``.

        Returns:
            The account as it is now.

        Raises:
            NoRight: the caller is a bot from outside.
            Unavailable: the picture is not there any more.
            NotSignedIn: the account is gone.
        """
        check_scope(user, Ability.CHANGE_ACCOUNT)
        return await self._store_changes(user, session, address, {"avatar_url": picture.url}, picture)

    async def _store_changes(
        self, user: User, session: Session, address: str, changes: dict[str, Any], picture: File | None = None
    ) -> User:
        """Store checked changes and tell of them. With a new password all sessions end but the one that asks.

        An uploaded avatar comes and goes in the same transaction, so that none ever points to a file that is not there.
        """
        changed = user
        ended: list[bytes] = []

        async def write(transaction: MongoSession) -> User:
            stored = await self._users.update(user.id, changes, transaction)
            if stored is None:
                raise NotSignedIn
            files = self._store.files
            if picture is not None and not await files.make_avatar(picture, user.id, self._clock.now_us(), transaction):
                raise Unavailable
            if "avatar_url" in changes:
                await files.forget_avatars(user.id, transaction, but=stored.avatar_url)
            if "password_hash" in changes:
                ended[:] = await self._sessions.delete_others(user.id, session.id, transaction)
            return stored

        if changes:
            changed = await self._store.database.transaction(write)
            self._directory.put(changed)
        if changed.name != user.name:
            self._limits.note_success(changed.name, address)
        happened: list[Event] = [ProfileChanged(changed, _names(changed) != _names(user))]
        if ended:
            happened.append(SessionsEnded(user.id, frozenset(ended)))
        self._bus.publish(*happened)
        return changed

    async def delete(self, user: User) -> None:
        """Delete one's own account, with all that hangs on it; others' chats keep what was said.

        What a failure leaves undone is tried again in the background, and after a crash at the next start.

        Raises:
            NotSignedIn: another request is deleting it already.

        Source: contract "actions" section 2, DELETE /user (order of the packets).
        """
        check_scope(user, Ability.CHANGE_ACCOUNT)
        await self._deletion.delete(user)

    async def finish_deletions(self) -> None:
        """Finish deletions that a crash has interrupted; to be called when those who want to know can be told."""
        await self._deletion.finish()

    async def close(self) -> None:
        """Leave deletions that still fail to the next start."""
        await self._deletion.close()


def _names(user: User) -> tuple[str, str, str]:
    return user.name, user.first_name, user.last_name
