"""Registrations by mail, without any protocol. Source: contract "protocols" sections 0.3, 3.2."""

import asyncio
import base64
import email
import re
from email.policy import SMTPUTF8

import pytest

from nova_tornado.domain.errors import BadField, EmailTaken, TooManyRequests, Unavailable, WrongCredentials
from nova_tornado.domain.events import AccountCreated, SignInFailed
from nova_tornado.realtime.clock import Clock
from nova_tornado.services import registrations as registrations_module
from nova_tornado.settings import Settings

HOME = "192.0.2.1"
PATH = "/http/register/"
MINUTE_US = 60 * 1_000_000


class MovedClock(Clock):
    """The machine's clock, moved as far as a test wants."""

    moved_us = 0

    def now_us(self):
        return super().now_us() + self.moved_us


@pytest.fixture
def clock():
    return MovedClock()


@pytest.fixture
def settings(tmp_path):
    return Settings(bcrypt_rounds=4, mail_dir=tmp_path / "mail", base_url="https://chat.example")


@pytest.fixture
def nova(start_nova, settings, clock):
    return start_nova(settings, clock=clock)


@pytest.fixture
def registrations(nova):
    return nova.services.registrations


@pytest.fixture
def begin(registrations, settings):
    """Begins a registration and returns the token out of its mail."""

    async def begin(address="ann@example.org", password="secret1", first_name="Ann", last_name="Lee"):
        before = set(paths(settings))
        await registrations.begin(address, password, first_name, last_name, link_path=PATH)
        [path] = set(paths(settings)) - before
        return token_of(path.read_bytes())

    return begin


def paths(settings):
    return list(settings.mail_dir.glob("*")) if settings.mail_dir.exists() else []


def token_of(content):
    mail = email.message_from_bytes(content, policy=SMTPUTF8)
    text = mail.get_content().replace("\r\n", "\n")
    [token] = re.findall(r"^https://chat\.example/http/register/([A-Za-z0-9_-]+)$", text, re.MULTILINE)
    return token


def count_persons(database):
    return database.users.count_documents({"is_system": {"$exists": False}})


@pytest.mark.gen_test
async def test_opened_link_makes_the_account(registrations, begin, accounts, happened, database, settings):
    token = await begin("Ann.Lee+x@Example.org")
    assert happened.take() == [] and count_persons(database) == 0
    with pytest.raises(WrongCredentials):
        await accounts.authenticate("ann.lee+x@example.org", "secret1", HOME)
    assert [type(event) for event in happened.take()] == [SignInFailed]
    user = await registrations.confirm(token)
    assert (user.name, user.email, user.first_name, user.last_name) == (
        "Ann.Leex",
        "Ann.Lee+x@Example.org",
        "Ann",
        "Lee",
    )
    assert happened.take() == [AccountCreated(user)]
    assert await accounts.authenticate("ann.lee+x@example.org", "secret1", HOME) == user
    [path] = paths(settings)
    mail = email.message_from_bytes(path.read_bytes(), policy=SMTPUTF8)
    assert mail["To"] == "Ann.Lee+x@Example.org"


@pytest.mark.gen_test
async def test_neither_mail_nor_database_holds_password_or_token(begin, settings, database):
    password = "pass-wörd-123456"
    token = await begin(password=password)
    [path] = paths(settings)
    raw = path.read_bytes()
    shown = raw + email.message_from_bytes(raw, policy=SMTPUTF8).get_content().encode()
    plain = password.encode()
    for secret in (
        plain,
        plain.hex().encode(),
        base64.b64encode(plain),
        base64.urlsafe_b64encode(plain)[:-2],
        b"pass-w",
    ):
        assert secret not in shown
    [document] = database.registrations.find()
    assert token not in repr(document) and password not in repr(document)
    assert len(token) >= 40 and token.isascii()


@pytest.mark.gen_test
async def test_nothing_that_the_asker_wrote_is_in_the_mail(begin, settings):
    await begin(first_name="Click\r\nBcc: evil@x.yz", last_name="http://evil.example")
    [path] = paths(settings)
    assert b"evil" not in path.read_bytes() and b"Click" not in path.read_bytes()


@pytest.mark.gen_test
async def test_link_opened_again_is_refused_and_changes_nothing(registrations, begin, accounts, database, happened):
    token = await begin()
    user = await registrations.confirm(token)
    happened.take()
    for _ in range(2):
        with pytest.raises(EmailTaken):
            await registrations.confirm(token)
    assert happened.take() == [] and count_persons(database) == 1
    await accounts.delete(user)
    with pytest.raises(EmailTaken):
        await registrations.confirm(token)
    assert count_persons(database) == 0


@pytest.mark.gen_test
async def test_unknown_and_expired_links_are_refused(registrations, begin, clock, database):
    token = await begin()
    for other in ("", "x", token[:-1], token + "x", token.swapcase(), "x" * 100_000, "ü", "\0", "\ud800"):
        with pytest.raises(BadField):
            await registrations.confirm(other)
    clock.moved_us = 60 * MINUTE_US + 1_000_000
    with pytest.raises(BadField):
        await registrations.confirm(token)
    assert count_persons(database) == 0
    clock.moved_us = 59 * MINUTE_US
    assert (await registrations.confirm(token)).email == "ann@example.org"


@pytest.mark.gen_test
async def test_several_pending_registrations_of_an_address_are_allowed(registrations, begin, accounts, database):
    tokens = [await begin(password=f"secret{number}") for number in range(4)]
    assert len(set(tokens)) == 4
    user = await registrations.confirm(tokens[2])
    assert await accounts.authenticate("ann@example.org", "secret2", HOME) == user
    for token in tokens:
        with pytest.raises(EmailTaken):
            await registrations.confirm(token)
    await accounts.delete(user)
    with pytest.raises(EmailTaken):
        await registrations.confirm(tokens[0])
    await registrations.confirm(await begin())
    assert count_persons(database) == 1


@pytest.mark.gen_test
async def test_link_opened_many_times_at_once_makes_one_account(registrations, begin, database):
    tokens = [await begin(), await begin("ANN@example.org")]
    results = await asyncio.gather(*(registrations.confirm(token) for token in tokens * 6), return_exceptions=True)
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert all(isinstance(result, EmailTaken) for result in results if isinstance(result, Exception)), results
    assert count_persons(database) == 1


@pytest.mark.gen_test
async def test_address_taken_meanwhile_is_refused(registrations, begin, accounts, database):
    token = await begin()
    await accounts.register("other", "secret1", HOME, email="ann@EXAMPLE.org")
    with pytest.raises(EmailTaken):
        await registrations.confirm(token)
    assert count_persons(database) == 1


@pytest.mark.gen_test
async def test_address_of_an_account_gets_no_mail(registrations, accounts, settings, database):
    await accounts.register("ann", "secret1", HOME, email="ann@example.org")
    with pytest.raises(EmailTaken):
        await registrations.begin("ANN@example.org", "secret1", "Ann", "", link_path=PATH)
    assert paths(settings) == [] and database.registrations.count_documents({}) == 0


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"address": value}
            for value in ("", "a@b", "a", "a b@c.de", "a@b.cd\nx", "a,b@c.de", "x" * 96 + "@b.cd", None)
        ),
        *({"address": value} for value in (1, ["a@b.cd"], {"$ne": None}, "a\0@b.cd", "a@b.cd>", "=?utf-8?q?a?=@b.cd")),
        *({"password": value} for value in ("short", "with space", "x" * 257, None, 123456, "a\0bcdef", {})),
        *({"first_name": value} for value in ("", "x" * 51, None, 1, "a\0b", "\ud800")),
        *({"last_name": value} for value in ("x" * 51, None, 1, "a\0b")),
    ],
)
@pytest.mark.gen_test
async def test_bad_values_are_refused_and_nothing_stored_or_sent(begin, settings, database, change):
    with pytest.raises(BadField):
        await begin(**change)
    assert paths(settings) == [] and database.registrations.count_documents({}) == 0


@pytest.mark.gen_test
async def test_last_name_may_be_empty(registrations, begin):
    user = await registrations.confirm(await begin(last_name=""))
    assert (user.first_name, user.last_name) == ("Ann", "")


@pytest.mark.gen_test
async def test_an_address_gets_only_so_many_mails_an_hour(registrations, begin, clock, settings, database):
    most = registrations_module.MAILS_PER_ADDRESS
    tokens = [await begin() for _ in range(most)]
    with pytest.raises(TooManyRequests):
        await registrations.begin("ANN@example.org", "secret1", "Ann", "", link_path=PATH)
    assert len(paths(settings)) == database.registrations.count_documents({}) == most
    await begin("bob@example.org")
    clock.moved_us = 61 * MINUTE_US
    tokens.append(await begin())
    await registrations.confirm(tokens[-1])


@pytest.mark.gen_test
async def test_mails_are_limited_also_at_once(registrations, settings):
    calls = (registrations.begin("ann@example.org", "secret1", "Ann", "", link_path=PATH) for _ in range(40))
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(result, TooManyRequests) for result in results)
    assert len(paths(settings)) <= registrations_module.MAILS_PER_ADDRESS


class TestWithoutLimits:
    @pytest.fixture
    def settings(self, tmp_path):
        return Settings(bcrypt_rounds=4, mail_dir=tmp_path / "m", base_url="https://chat.example", rate_limits=False)

    @pytest.mark.gen_test
    async def test_mails_are_not_counted(self, begin):
        for _ in range(registrations_module.MAILS_PER_ADDRESS + 3):
            await begin()


class TestWithoutABaseUrl:
    @pytest.fixture
    def settings(self, tmp_path):
        return Settings(bcrypt_rounds=4, mail_dir=tmp_path / "mail", host="::1", port=1234)

    @pytest.mark.gen_test
    async def test_link_leads_to_host_and_port(self, registrations, settings):
        await registrations.begin("ann@example.org", "secret1", "Ann", "", link_path=PATH)
        [path] = paths(settings)
        assert re.search(rb"^http://\[::1\]:1234/http/register/[\w-]{40,}\r$", path.read_bytes(), re.MULTILINE)


@pytest.mark.gen_test
async def test_mail_that_cannot_be_sent_leaves_nothing(nova, registrations, database, monkeypatch):
    async def fail(*_args):
        raise Unavailable

    monkeypatch.setattr(registrations._mailer, "send", fail)
    for _ in range(registrations_module.MAILS_PER_ADDRESS + 1):
        with pytest.raises(Unavailable):
            await registrations.begin("ann@example.org", "secret1", "Ann", "", link_path=PATH)
    assert database.registrations.count_documents({}) == 0


@pytest.mark.gen_test
async def test_registrations_go_by_themselves(begin, database):
    await begin()
    [document] = database.registrations.find()
    indexes = database.registrations.index_information().values()
    assert any(index.get("expireAfterSeconds") == 0 and index["key"] == [("expires_at", 1)] for index in indexes)
    assert 3590 < document["expires_at"].timestamp() - document["created_us"] / 1e6 <= 3601
