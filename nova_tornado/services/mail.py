"""Mails: one text each, handed to an SMTP server, or written to a folder where there is none.

Source: contract "protocols" section 3.2; RFC 5321 (SMTP), RFC 5322 (the form of a mail), RFC 3834 (automatic mails).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import secrets
from datetime import UTC, datetime
from email import message_from_string
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib

from nova_tornado.domain.errors import BadField, Unavailable
from nova_tornado.settings import Settings

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 15.0
"""For handing over one mail; somebody waits for the answer to his request meanwhile."""
LINE_MAX_BYTES = 998
"""A mail's lines may be no longer (RFC 5322, section 2.1.1)."""
SENDER_NAME = "Nova"
SENDER_LOCAL_PART = "nova"
MAIL_FOLDER = "mail"
"""In the data folder, where nothing else is set."""
SMTP_PERMANENT = 500
"""From here on an SMTP reply says that trying again does not help (RFC 5321, section 4.2.1)."""
NO_RECEIVER = "No mail can be sent to this address"
FOLDER_MODE = 0o700
FILE_MODE = 0o600


class Mailer:
    """Sends mails.

    Args:
        settings: ``smtp``, else ``mail_dir``, else the folder ``mail`` in ``data``; ``mail_from``.
    """

    def __init__(self, settings: Settings) -> None:
        self._smtp = settings.smtp
        self._folder = settings.mail_dir or settings.data / MAIL_FOLDER
        host = urlsplit(settings.links_base_url).hostname or "localhost"
        if settings.mail_from:
            self._sender = Address(SENDER_NAME, addr_spec=settings.mail_from)
        else:
            self._sender = Address(SENDER_NAME, SENDER_LOCAL_PART, "localhost" if _is_address(host) else host)

    async def send(self, to: str, subject: str, text: str) -> None:
        """Send a mail.

        Args:
            to: the address of its one receiver, by ``rules.check_address``.
            subject: characters that cannot be printed are left out.
            text: plain; its lines stay as they are.

        Raises:
            BadField: no mail can go to that address.
            Unavailable: the mail was not sent.
        """
        receiver = _receiver(to)
        message = self._compose(receiver, subject, text)
        if self._smtp is not None:
            await self._hand_over(self._smtp, receiver.addr_spec, message)
            return
        try:
            await asyncio.to_thread(self._write, message.as_bytes())
        except OSError as error:
            log.warning("a mail could not be written to %s: %s", self._folder, error.strerror)
            raise Unavailable from error

    def _compose(self, receiver: Address, subject: str, text: str) -> EmailMessage:
        message = EmailMessage(policy=SMTP if receiver.addr_spec.isascii() else SMTPUTF8)
        message["From"] = self._sender
        message["To"] = receiver
        message["Subject"] = "".join(character if character.isprintable() else " " for character in subject)
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=self._sender.domain)
        message["Auto-Submitted"] = "auto-generated"
        # Quoted-printable would break a link in two.
        is_long = any(len(line.encode()) > LINE_MAX_BYTES for line in text.splitlines())
        cte = "base64" if is_long else "7bit" if text.isascii() else "8bit"
        message.set_content(text, charset="utf-8", cte=cte)
        return message

    async def _hand_over(self, url: str, recipient: str, message: EmailMessage) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_tls = parts.scheme == "smtps"
        # This machine's own server often has a certificate that nobody can check, and nothing leaves the machine. To
        # others a password goes over TLS or not at all; without one TLS is used where it is offered.
        start_tls = False if is_tls or _is_this_machine(host) else True if parts.username else None
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await aiosmtplib.send(
                    message,
                    sender=self._sender.addr_spec,
                    recipients=[recipient],
                    hostname=host,
                    port=parts.port,
                    username=unquote(parts.username) if parts.username else None,
                    password=unquote(parts.password or "") if parts.username else None,
                    use_tls=is_tls,
                    start_tls=start_tls,
                    timeout=SEND_TIMEOUT_S,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refusal.code for refusal in error.recipients]
            if min(codes) >= SMTP_PERMANENT:
                raise BadField(NO_RECEIVER) from None
            log.warning("the mail server %s did not take a mail: %s", host, codes)
            raise Unavailable from None
        except (aiosmtplib.SMTPException, OSError) as error:
            # What the server says may name the receiver: it stays out of the log.
            log.warning("the mail server %s did not take a mail: %s %s", host, type(error).__name__, _code_of(error))
            raise Unavailable from None

    def _write(self, content: bytes) -> None:
        """Write a mail under another name first, so that nobody ever reads half a mail."""
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(8)}"
        unfinished, finished = self._folder / f"{name}.part", self._folder / f"{name}.eml"
        try:
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(finished)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(self._folder)


def _receiver(to: str) -> Address:
    """An address as it stands in a mail's header, with quotes where it needs them.

    Raises:
        BadField: there it would be read as something else, as another address or more than one, or break its line.
    """
    local, _, domain = to.rpartition("@")
    try:
        if not to.isprintable() or not local or not domain:
            raise BadField(NO_RECEIVER)
        receiver = Address(username=local, domain=domain)
        trial = EmailMessage(policy=SMTPUTF8)
        trial["To"] = receiver
        shown = message_from_string(trial.as_string(), policy=SMTPUTF8)["To"].addresses
    except (ValueError, IndexError, AttributeError, MessageError):
        raise BadField(NO_RECEIVER) from None
    if [address.addr_spec for address in shown] != [receiver.addr_spec]:
        raise BadField(NO_RECEIVER)
    return receiver


def _code_of(error: Exception) -> str:
    return str(error.code) if isinstance(error, aiosmtplib.SMTPResponseException) else ""


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_this_machine(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
