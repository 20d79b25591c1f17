"""Mails: their form, the folder, a real SMTP server. Source: contract "protocols" section 3.2; RFC 5321, RFC 5322."""

import asyncio
import email
import logging
import os
import shutil
import socket
import ssl
import stat
import subprocess
from contextlib import asynccontextmanager
from email.policy import SMTPUTF8
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from people import WAIT_S

from nova_tornado.domain.errors import BadField, Unavailable
from nova_tornado.services import mail as mail_module
from nova_tornado.services.mail import Mailer
from nova_tornado.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # by the test's server

LINK = "https://chat.example/http/register/" + "A-_z9" * 40
TEXT = f"Hello,\n\nopen this:\n\n{LINK}\n\n.\nBye.\n"
USER, PASSWORD = "me@example.org", "p:a@s/s%w€"
SMTP_LOGIN = "me%40example.org:p%3Aa%40s%2Fs%25w%E2%82%AC"


@pytest.fixture
def settings(tmp_path):
    return Settings(mail_dir=tmp_path / "not yet" / "mail", base_url="https://chat.example")


@pytest.fixture
def mailer(settings):
    return Mailer(settings)


def read_mails(folder: Path):
    return [email.message_from_bytes(path.read_bytes(), policy=SMTPUTF8) for path in sorted(folder.glob("*.eml"))]


def text_of(mail):
    return mail.get_content().replace("\r\n", "\n")


class Sink:
    """What an SMTP server does with mails: keeps them, or refuses them where a test says so."""

    def __init__(self):
        self.envelopes = []
        self.logins = []
        self.answers = {}

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(self, _server, _session, _envelope, _mechanism, data):
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self.logins[-1] == (USER, PASSWORD), handled=False)


@pytest.fixture(autouse=True)
def quiet_server():
    """The test's server warns of what the test makes it do."""
    log = logging.getLogger("mail.log")
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(logging.NOTSET)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@asynccontextmanager
async def serving(sink, ssl_context=None, **options):
    """An SMTP server while a test runs; gives its port."""
    connections = []

    def connect():
        connections.append(SMTP(sink, enable_SMTPUTF8=True, loop=asyncio.get_running_loop(), **options))
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0, ssl=ssl_context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        async with asyncio.timeout(WAIT_S):
            while any(connection.transport is not None for connection in connections):  # noqa: ASYNC110
                await asyncio.sleep(0.001)


@pytest.fixture
def sink():
    return Sink()


def run_around(io_loop, context):
    """A fixture's part that is an asynchronous context."""
    yield io_loop.run_sync(context.__aenter__)
    io_loop.run_sync(lambda: context.__aexit__(None, None, None))


@pytest.fixture
def port(io_loop, sink):
    """Of a server that takes everybody's mails."""
    yield from run_around(io_loop, serving(sink))


@pytest.fixture
def guarded_port(io_loop, sink):
    """Of a server that wants a login."""
    yield from run_around(
        io_loop, serving(sink, authenticator=sink.authenticate, auth_required=True, auth_require_tls=False)
    )


def smtp_mailer(port, login="", **more):
    return Mailer(Settings(smtp=f"smtp://{login}127.0.0.1:{port}", **more))


# The form


@pytest.mark.gen_test
async def test_mail_is_one_text_with_its_link_unbroken(mailer, settings):
    await mailer.send("ann@example.org", "Welcome", TEXT)
    [mail] = read_mails(settings.mail_dir)
    assert (mail["To"], mail["From"], mail["Subject"]) == ("ann@example.org", "Nova <nova@chat.example>", "Welcome")
    assert not mail.is_multipart()
    assert (mail.get_content_type(), mail.get_content_charset()) == ("text/plain", "utf-8")
    assert text_of(mail) == TEXT
    assert mail["Date"] and mail["Message-ID"].endswith("@chat.example>") and mail["Auto-Submitted"] == "auto-generated"
    [path] = settings.mail_dir.glob("*.eml")
    assert LINK.encode() + b"\r\n" in path.read_bytes()  # not even encoded


@pytest.mark.parametrize(
    "text", ["Grüße 🎉\n" + LINK, "x" * 5000 + "\n" + LINK, LINK + "=" * 900, "", "\r\nx\r\n.\r\n"]
)
@pytest.mark.gen_test
async def test_every_text_arrives_as_it_is(mailer, settings, text):
    await mailer.send("ann@example.org", "x", text)
    [mail] = read_mails(settings.mail_dir)
    assert text_of(mail).rstrip("\n") == text.replace("\r\n", "\n").rstrip("\n")
    [path] = settings.mail_dir.glob("*.eml")
    assert max(map(len, path.read_bytes().split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("base_url", "mail_from", "sender"),
    [
        ("https://chat.example:8443/nova", "", "nova@chat.example"),
        ("http://127.0.0.1:8000", "", "nova@localhost"),
        ("http://[::1]:8000", "", "nova@localhost"),
        ("", "", "nova@localhost"),
        ("https://chat.example", "no-reply@mail.example", "no-reply@mail.example"),
    ],
)
@pytest.mark.gen_test
async def test_sender_follows_from_the_settings(tmp_path, base_url, mail_from, sender):
    await Mailer(Settings(mail_dir=tmp_path, base_url=base_url, mail_from=mail_from)).send("a@b.cd", "x", "y")
    [mail] = read_mails(tmp_path)
    assert [address.addr_spec for address in mail["From"].addresses] == [sender]


@pytest.mark.parametrize(
    "subject", ["a\r\nBcc: evil@x.yz", "a\nb", "a\u2028b", "a\0b", "\x85", "ü" * 300, "a\r\n\r\nbody"]
)
@pytest.mark.gen_test
async def test_line_breaks_never_reach_the_subject(mailer, settings, subject):
    await mailer.send("ann@example.org", subject, "text")
    [mail] = read_mails(settings.mail_dir)
    assert set(mail.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding"),
        "MIME-Version",
    }
    assert text_of(mail) == "text\n" and not any(character in mail["Subject"] for character in "\r\n\0\u2028\x85")


BAD_ADDRESSES = [
    *("a@b.cd\r\nBcc: evil@x.yz", "a@b.cd\nevil@x.yz", "a@b.cd\0", "a@b.cd\u2028", "", "a", "@", "a@", "@b.cd"),
    *("=?utf-8?q?a=0D=0ABcc:evil?=@x.yz", "=?utf-8?q?evil?=@x.yz", "a@x.yz>", "a@x.yz;", "a@x.yz(", "a@<x.yz>"),
    *("a@x..yz", "a@=?utf-8?q?x?=.yz"),
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
@pytest.mark.gen_test
async def test_address_that_could_mean_another_gets_no_mail(mailer, settings, address):
    with pytest.raises(BadField):
        await mailer.send(address, "x", "y")
    assert not settings.mail_dir.exists()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("o'neil+x=1/2@sub.example.org", "o'neil+x=1/2@sub.example.org"),
        ("a<b>;c:(d)@x.yz", '"a<b>;c:(d)"@x.yz'),
        ('a"b\\c@x.yz', '"a\\"b\\\\c"@x.yz'),
        ("ü@exämple.org", "ü@exämple.org"),
        ("x" * 90 + "@y.zz", "x" * 90 + "@y.zz"),
    ],
)
@pytest.mark.gen_test
async def test_odd_address_stands_in_the_header_as_one(mailer, settings, address, shown):
    await mailer.send(address, "x", "y")
    [path] = settings.mail_dir.glob("*.eml")
    mail = email.message_from_string(path.read_bytes().decode(), policy=SMTPUTF8)
    assert [each.addr_spec for each in mail["To"].addresses] == [shown]


# The folder


@pytest.mark.gen_test
async def test_only_the_server_may_read_the_mails(mailer, settings):
    await asyncio.gather(*(mailer.send(f"a{number}@example.org", "x", "y") for number in range(20)))
    assert stat.S_IMODE(settings.mail_dir.stat().st_mode) == 0o700
    paths = list(settings.mail_dir.iterdir())
    assert len(paths) == 20 and {path.suffix for path in paths} == {".eml"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


@pytest.mark.gen_test
async def test_without_a_setting_mails_lie_in_the_data_folder(tmp_path):
    await Mailer(Settings(data=tmp_path)).send("ann@example.org", "x", "y")
    assert len(read_mails(tmp_path / "mail")) == 1


@pytest.mark.gen_test
async def test_mail_gets_its_name_when_it_is_complete(mailer, settings, monkeypatch):
    seen = []
    sync = os.fsync

    def look(descriptor):
        seen.append([(path.suffix, path.stat().st_size > 0) for path in settings.mail_dir.iterdir()])
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    await mailer.send("ann@example.org", "x", TEXT)
    assert seen == [[(".part", True)], [(".eml", True)]]  # the file's sync, then the folder's


@pytest.mark.expects_log("a mail could not be written")
@pytest.mark.gen_test
async def test_mail_that_cannot_be_written_leaves_nothing(mailer, settings, monkeypatch):
    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable):
        await mailer.send("ann@example.org", "x", TEXT)
    assert list(settings.mail_dir.iterdir()) == []


@pytest.mark.expects_log("a mail could not be written")
@pytest.mark.gen_test
async def test_folder_that_cannot_be_made_is_unavailable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        await Mailer(Settings(mail_dir=tmp_path / "file" / "mail")).send("ann@example.org", "x", "y")


# SMTP


@pytest.mark.gen_test
async def test_mail_is_handed_to_the_server(port, sink, tmp_path):
    await smtp_mailer(port, data=tmp_path, base_url="https://chat.example").send("ann@example.org", "Hi", TEXT)
    [envelope] = sink.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("nova@chat.example", ["ann@example.org"])
    mail = email.message_from_bytes(envelope.content, policy=SMTPUTF8)
    assert (mail["To"], mail["Subject"]) == ("ann@example.org", "Hi")
    assert text_of(mail) == TEXT and LINK.encode() in envelope.content
    assert list(tmp_path.iterdir()) == []


@pytest.mark.gen_test
async def test_address_beyond_ascii_is_handed_over_too(port, sink):
    await smtp_mailer(port).send("ü@example.org", "Grüße", "Grüße\n")
    [envelope] = sink.envelopes
    assert envelope.rcpt_tos == ["ü@example.org"]
    assert email.message_from_string(envelope.content.decode(), policy=SMTPUTF8)["Subject"] == "Grüße"


@pytest.mark.gen_test
async def test_user_and_password_of_the_url_are_decoded(guarded_port, sink):
    await smtp_mailer(guarded_port, f"{SMTP_LOGIN}@").send("ann@example.org", "x", "y")
    assert sink.logins == [(USER, PASSWORD)] and len(sink.envelopes) == 1


@pytest.mark.parametrize("login", ["", "me%40example.org:wrong@"])
@pytest.mark.expects_log("did not take a mail")
@pytest.mark.gen_test
async def test_login_that_fails_is_unavailable_and_logged_without_secrets(guarded_port, sink, caplog, login):
    with pytest.raises(Unavailable):
        await smtp_mailer(guarded_port, login).send("ann@example.org", "x", TEXT)
    assert sink.envelopes == []
    assert not any(secret in caplog.text for secret in ("wrong", "me@", "me%40", "ann@", LINK))


@pytest.mark.parametrize("where", ["RCPT", "DATA"])
@pytest.mark.expects_log("did not take a mail")
@pytest.mark.gen_test
async def test_server_that_fails_is_unavailable_and_logged_without_secrets(port, sink, caplog, where):
    caplog.set_level(logging.DEBUG, "nova_tornado")
    sink.answers[where] = f"451 no <ann@example.org> {LINK}"
    with pytest.raises(Unavailable):
        await smtp_mailer(port).send("ann@example.org", "x", TEXT)
    assert "ann@" not in caplog.text and LINK not in caplog.text and "451" in caplog.text


@pytest.mark.gen_test
async def test_receiver_that_the_server_does_not_know_is_a_bad_field(port, sink):
    sink.answers["RCPT"] = "550 no such mailbox"
    with pytest.raises(BadField):
        await smtp_mailer(port).send("ann@example.org", "x", "y")
    assert sink.envelopes == []


@pytest.mark.expects_log("did not take a mail")
@pytest.mark.gen_test
async def test_server_that_is_not_there_is_unavailable():
    with pytest.raises(Unavailable):
        await Mailer(Settings(smtp=f"smtp://127.0.0.1:{free_port()}")).send("ann@example.org", "x", "y")


@pytest.mark.expects_log("did not take a mail")
@pytest.mark.gen_test
async def test_server_that_says_nothing_is_unavailable_in_time(monkeypatch):
    monkeypatch.setattr(mail_module, "SEND_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unavailable):
        await Mailer(Settings(smtp=f"smtp://127.0.0.1:{silent.getsockname()[1]}")).send("ann@example.org", "x", "y")


@pytest.mark.expects_log("did not take a mail")
@pytest.mark.gen_test
async def test_a_server_without_tls_is_no_smtps_server(port, sink):
    with pytest.raises(Unavailable):
        await Mailer(Settings(smtp=f"smtps://127.0.0.1:{port}")).send("ann@example.org", "x", "y")
    assert sink.envelopes == []


@pytest.mark.expects_log("did not take a mail")
@pytest.mark.gen_test
async def test_password_goes_to_another_machine_over_tls_or_not_at_all(guarded_port, sink, monkeypatch):
    monkeypatch.setattr(mail_module, "_is_this_machine", lambda _host: False)
    with pytest.raises(Unavailable):
        await smtp_mailer(guarded_port, f"{SMTP_LOGIN}@").send("ann@example.org", "x", "y")
    assert sink.logins == [] and sink.envelopes == []


@pytest.fixture
def certificate(tmp_path):
    """A certificate for localhost, signed by itself, and its key."""
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    order = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    order += ["-addext", "subjectAltName=DNS:localhost", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(order, check=True, capture_output=True)
    return paths


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the certificate needs openssl")


@needs_openssl
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.gen_test
async def test_mail_goes_over_tls(sink, monkeypatch, certificate, scheme):
    monkeypatch.setattr(mail_module, "_is_this_machine", lambda _host: False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    options = {"tls_context": context, "require_starttls": True} if scheme == "smtp" else {"ssl_context": context}
    async with serving(sink, **options) as port:
        await Mailer(Settings(smtp=f"{scheme}://localhost:{port}")).send("ann@example.org", "x", "y")
    assert len(sink.envelopes) == 1


@needs_openssl
@pytest.mark.expects_log("did not take a mail")
@pytest.mark.gen_test
async def test_certificate_that_nobody_vouches_for_is_refused(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    got = []
    async with await asyncio.start_server(lambda *_: got.append(1), "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable):
            await Mailer(Settings(smtp=f"smtps://localhost:{port}")).send("ann@example.org", "x", "y")
    assert got == []


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("x.yz", False),
    ],
)
def test_this_machine_is_recognised(host, is_here):
    assert mail_module._is_this_machine(host) == is_here
