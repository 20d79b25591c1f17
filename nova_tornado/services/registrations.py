"""Registrations: an account that comes into being when a link in a mail is opened.

Source: contract "protocols" sections 0.3 and 3.2.
"""

from __future__ import annotations

from nova_tornado.domain import rules
from nova_tornado.domain.errors import BadField, EmailTaken, TooManyRequests
from nova_tornado.domain.models import User
from nova_tornado.realtime.clock import Clock
from nova_tornado.services.accounts import AccountService
from nova_tornado.services.mail import Mailer
from nova_tornado.storage.registrations import LIFETIME_S
from nova_tornado.storage.store import Store

MAILS_PER_ADDRESS = 10
"""In ``LIFETIME_S``: enough for whoever has lost a mail or two, too few to flood a mailbox."""
SUBJECT = "Your account on Nova"
TEXT = """Hello,

somebody, probably you, wants an account on Nova with this address. Open this
link within {minutes} minutes, and the account is there:

{link}

If it was not you, there is nothing to do: without the link there will be no
account.
"""
"""Nothing that the asker wrote is in the mail: it may go to somebody else."""


class RegistrationService:
    """Begins and confirms registrations.

    Args:
        store, clock, accounts, mailer: the parts it works with.
        base_url: what links begin with, without a slash at its end.
        is_limited: whether an address gets only so many mails.
    """

    def __init__(
        self, store: Store, clock: Clock, accounts: AccountService, mailer: Mailer, base_url: str, is_limited: bool
    ) -> None:
        self._store = store
        self._registrations = store.registrations
        self._clock = clock
        self._accounts = accounts
        self._mailer = mailer
        self._base_url = base_url
        self._is_limited = is_limited

    async def begin(
        self, email: object, password: object, first_name: object, last_name: object, *, link_path: str
    ) -> None:
        """Send the link that makes the account.

        Args:
            email, password, first_name, last_name: as they came in; checked in this order.
            link_path: the path that the token is appended to, between slashes; whoever serves it calls ``confirm``.

        Raises:
            BadField: a bad value, or an address that no mail can go to.
            EmailTaken: an account has that address.
            TooManyRequests: the address got many mails of late.
            Unavailable: the mail could not be sent.
        """
        checked_email = rules.check_address(email)
        checked_password = rules.check_password(password)
        checked_first_name = rules.check_first_name(first_name)
        checked_last_name = rules.check_last_name(last_name)
        if await self._store.users.is_email_taken(checked_email):
            raise EmailTaken
        password_hash = await self._accounts.hash_password(checked_password)
        now = self._clock.now()
        registration_id, token = await self._registrations.create(
            checked_email, password_hash, checked_first_name, checked_last_name, now
        )
        try:
            # After it has taken its place: of many at the same time none is overlooked.
            since_us = self._clock.now_us() - LIFETIME_S * 1_000_000
            if self._is_limited and await self._registrations.count(checked_email, since_us) > MAILS_PER_ADDRESS:
                raise TooManyRequests("This address got many mails already, try again later")
            text = TEXT.format(minutes=LIFETIME_S // 60, link=f"{self._base_url}{link_path}{token}")
            await self._mailer.send(checked_email, SUBJECT, text)
        except BaseException:
            await self._registrations.delete(registration_id)
            raise

    async def confirm(self, token: str) -> User:
        """The link was opened: make the account.

        Raises:
            BadField: the link is unknown or expired.
            EmailTaken: it was opened before, or an account has the address by now; nothing changes.
        """
        registration = await self._registrations.find(token, self._clock.now())
        if registration is None:
            raise BadField("This link is unknown or has expired")
        if registration.password_hash is None:
            raise EmailTaken
        # Of two at the same time one is refused by the unique index on addresses.
        user = await self._accounts.register_hashed(
            registration.password_hash,
            email=registration.email,
            first_name=registration.first_name,
            last_name=registration.last_name,
        )
        await self._registrations.confirm_all(registration.email)
        return user
