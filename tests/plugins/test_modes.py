"""The protocol "modes": its frames and its accounts. Source: modes document; contract "protocols" sections 0 and 2."""

import asyncio
import base64
import json

import nova_modes.handlers
import pytest
from clients.modes import BROKEN_STRINGS, NO_STRINGS, ModesClient, come, new_token
from nova_modes.packets import STATUS

from nova_tornado.api import ErrorCode, NovaError
from nova_tornado.settings import Settings

TOKENLESS = {"checkConnection", "auth", "register"}
SIGNED = set(nova_modes.handlers.SIGNED_MODES)


@pytest.fixture
def stranger(http_server, http_port, io_loop):
    """A connection without a token."""
    client = io_loop.run_sync(lambda: ModesClient.connect(http_port, None))
    yield client
    client.close()


@pytest.fixture
def alice(people, io_loop):
    async def make():
        return await come(await people("alice"))

    return io_loop.run_sync(make)


# Frames


@pytest.mark.gen_test
async def test_check_connection_needs_nothing(stranger):
    for timestamp in (1.5, None, "now", {"a": [1]}, 10**30, False):
        assert (await stranger.ask("checkConnection", timestamp=timestamp)).keys() == {"mode", "timestamp", "status"}
    assert (await stranger.request({"mode": "checkConnection"}))["status"] == "200"
    assert (await stranger.request({"mode": "checkConnection", "token": 5, "more": [None]}))["status"] == "200"


@pytest.mark.gen_test
async def test_malformed_frames_are_answered_with_400_and_do_no_harm(stranger):
    malformed = [
        "",
        " ",
        "{",
        "[]",
        "5",
        "null",
        '"checkConnection"',
        '{"mode": NaN}',
        '{"mode": Infinity}',
        "{'mode'}",
    ]
    malformed += ['{"a":' * 65 + "1" + "}" * 65, '{"mode": "checkConnection", "timestamp": %s}' % ("[" * 64 + "]" * 64)]
    malformed += ["[" * 100_000, b'{"mode": "checkConnection"}', b"", b"\xff", '{"mode": "checkConnection"} {}', "\0"]
    for frame in malformed:
        reply = await stranger.request(frame)
        assert (reply["mode"], reply["status"]) == (None, "400"), frame
        assert reply.keys() == {"mode", "timestamp", "status", "detail"} and reply["detail"]
    deep = '{"mode": "checkConnection", "timestamp": %s}' % ("[" * 63 + "]" * 63)
    assert (await stranger.request(deep))["status"] == "200"
    await stranger.ask("checkConnection")


@pytest.mark.gen_test
async def test_modes_that_are_none_are_refused_and_unknown_ones_are_501(stranger, alice):
    for mode in (*NO_STRINGS, "\ud800", "checkConnection\udfff"):
        for token in (None, alice.token):
            reply = await stranger.request({"mode": mode, "token": token})
            assert (reply["mode"], reply["status"]) == (None, "422"), mode
    assert (await stranger.request({"timestamp": 1}))["status"] == "422"
    assert (await stranger.request({}))["mode"] is None
    unknown = (
        "",
        "x",
        "checkconnection",
        "CHECKCONNECTION",
        "newMessage",
        "recovery",
        "a\0b",
        "\U0001f600",
        "__init__",
    )
    for mode in unknown:
        for token in (None, alice.token, 5):
            assert await stranger.refused(mode, token=token) == "501"


@pytest.mark.gen_test
async def test_frames_of_16_mib_are_answered(stranger):
    frame = json.dumps({"mode": "checkConnection", "timestamp": "x" * (16 * 2**20 - 100)})
    assert (await stranger.request(frame))["status"] == "200"
    mode = "m" * (16 * 2**20 - 100)
    reply = await stranger.request({"mode": mode})
    assert reply["status"] == "501" and reply["mode"] == mode
    await stranger.ask("checkConnection")


@pytest.mark.gen_test
async def test_requests_are_answered_in_their_order(alice):
    for number in range(100):
        modes = ("checkToken", "checkConnection", "nonsense", "getChats")
        await alice.send({"mode": modes[number % 4], "token": alice.token})
    for number in range(100):
        reply = await alice.receive()
        expected = (("checkToken", "200"), ("checkConnection", "200"), ("nonsense", "501"), ("getChats", "200"))
        assert (reply["mode"], reply["status"]) == expected[number % 4]


def test_every_error_code_has_a_status():
    assert STATUS.keys() == set(ErrorCode)
    assert all(len(status) == 3 and status.isdigit() for status in STATUS.values())


@pytest.mark.gen_test
@pytest.mark.expects_log("internal error")
async def test_faults_are_500_without_insides(alice, nova, monkeypatch):
    async def fail(*_args, **_options):
        raise RuntimeError("secret: /etc/passwd")

    monkeypatch.setattr(nova.services.chats, "list_of", fail)
    reply = await alice.reply("getChats")
    assert reply["status"] == "500" and "secret" not in json.dumps(reply) and "chats" not in reply
    await alice.ask("checkToken")


@pytest.mark.gen_test
@pytest.mark.parametrize("code", list(ErrorCode))
async def test_every_refusal_is_shown_by_the_table(alice, nova, monkeypatch, code):
    class Refusal(NovaError):
        pass

    Refusal.code = code

    async def refuse(*_args, **_options):
        raise Refusal("a sentence")

    monkeypatch.setattr(nova.services.chats, "list_of", refuse)
    reply = await alice.reply("getChats")
    assert (reply["status"], reply["detail"]) == (STATUS[code], "a sentence")


# Tokens


@pytest.mark.gen_test
@pytest.mark.parametrize("mode", sorted(SIGNED))
async def test_no_mode_is_carried_out_without_a_token(stranger, alice, mode):
    bad_tokens = [None, "", "x", " ", "\0", "\ud800", 5, 1.5, True, [], {}, [alice.token], {"$ne": None}]
    bad_tokens += [alice.token + "x", alice.token[:-1], f" {alice.token}", f"{alice.token}\0", "x" * 100_000, "й"]
    for token in bad_tokens:
        reply = await stranger.request({"mode": mode, "token": token})
        assert (reply["mode"], reply["status"]) == (mode, "401"), token
    assert await stranger.refused(mode) == "401"


def test_the_modes_are_those_of_the_contract():
    documented = {"checkConnection", "checkToken", "auth", "register", "logout", "createChat", "createPersonalChat"}
    documented |= {"getChats", "getMessages", "sendMessage", "changeUsername", "changeEmail", "setProfilePhoto"}
    documented |= {"deleteChat", "createGroupChat", "sendGroupMessage", "editGroupChat", "deleteGroupChat"}
    assert documented | {"subscribe", "unsubscribe"} == TOKENLESS | SIGNED


@pytest.mark.gen_test
async def test_tokens_of_all_protocols_are_good_here_and_the_other_way_round(stranger, people, guest):
    person = await people("bob")
    assert (await stranger.ask("checkToken", token=await new_token(person))).keys() == {"mode", "timestamp", "status"}
    token = (await stranger.ask("auth", username="bob", password=person.password))["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await guest.get("/user", headers=bearer)).data["id"] == person.id
    await stranger.ask("logout", token=token)
    assert (await guest.get("/user", headers=bearer)).status == 403
    assert await stranger.refused("checkToken", token=token) == "401"
    assert await stranger.refused("logout", token=token) == "401"


@pytest.mark.gen_test
async def test_a_cookie_or_header_authorises_nothing(people, alice):
    cookie = {"Cookie": f"sessionid={alice.person.cookie}", "Authorization": f"Bearer {alice.token}"}
    other = await ModesClient.connect(alice.port, None, headers=cookie)
    assert await other.refused("getChats") == "401"
    other.close()


# Signing in


@pytest.mark.gen_test
async def test_auth_takes_name_or_address(stranger):
    await stranger.ask("register", username="Bob", password="secret1", email="Bob@example.org")
    for username in ("Bob", "Bob@example.org", "bob@EXAMPLE.org"):
        reply = await stranger.ask("auth", username=username, password="secret1")
        assert reply.keys() == {"mode", "timestamp", "status", "token"}
        await stranger.ask("checkToken", token=reply["token"])
    for username, password in (("Bob", "secret2"), ("bob", "secret1"), ("nobody", "secret1"), ("a@b.c", "secret1")):
        assert await stranger.refused("auth", username=username, password=password) == "401"


@pytest.mark.gen_test
async def test_bad_credentials_are_422(stranger, alice):
    good = {"username": "alice", "password": "secret1"}
    for key in good:
        for bad in (*NO_STRINGS, *BROKEN_STRINGS, ""):
            assert await stranger.refused("auth", **(good | {key: bad})) == "422", (key, bad)
        assert await stranger.refused("auth", **{other: good[other] for other in good if other != key}) == "422"
    for username in ("#SYSTEM", "#DELETED"):
        assert await stranger.refused("auth", username=username, password="secret1") in ("401", "422")
    await stranger.ask("auth", **good)


@pytest.mark.gen_test
async def test_an_account_holds_ten_live_tokens_of_modes(stranger):
    first = (await stranger.ask("register", username="bob", password="secret1", email="bob@example.org"))["token"]
    for _ in range(9):
        last = (await stranger.ask("auth", username="bob", password="secret1"))["token"]
    for _ in range(2):
        assert await stranger.refused("auth", username="bob", password="secret1") == "403"
        assert await stranger.refused("auth", username="bob@example.org", password="secret1") == "403"
    assert await stranger.refused("auth", username="bob", password="secret2") == "401"
    await stranger.ask("checkToken", token=first)
    await stranger.ask("logout", token=last)
    again = (await stranger.ask("auth", username="bob", password="secret1"))["token"]
    assert again not in (first, last)
    assert await stranger.refused("auth", username="bob", password="secret1") == "403"
    # Other accounts and other protocols' tokens do not count.
    await stranger.ask("register", username="carol", password="secret1", email="carol@example.org")


@pytest.mark.gen_test
async def test_ten_tokens_are_the_limit_for_sign_ins_at_the_same_time_too(people, http_port):
    person = await people("bob")
    for _ in range(3):
        await new_token(person)  # not issued by modes
    clients = [await ModesClient.connect(http_port, None) for _ in range(15)]
    replies = await asyncio.gather(
        *(client.reply("auth", username="bob", password=person.password) for client in clients)
    )
    assert sorted(reply["status"] for reply in replies) == ["200"] * 10 + ["403"] * 5
    for client in clients:
        client.close()


@pytest.mark.gen_test
async def test_register_makes_an_account_at_once(stranger, people):
    reply = await stranger.ask("register", username="bob", password="secret1", email="bob@example.org")
    assert reply.keys() == {"mode", "timestamp", "status", "token"} and isinstance(reply["token"], str)
    await stranger.ask("checkToken", token=reply["token"])
    taken = (("bob", "other@example.org"), ("other", "bob@example.org"), ("other", "BOB@example.org"))
    for username, email in taken:
        assert await stranger.refused("register", username=username, password="secret1", email=email) == "409"
    await stranger.ask("register", username="other", password="secret1", email="other@example.org")


@pytest.mark.gen_test
async def test_register_refuses_bad_fields_and_makes_nothing(stranger, database):
    good = {"username": "bob", "password": "secret1", "email": "bob@example.org"}
    bad_values = {
        "username": ("", "x" * 33, "a b", "#SYSTEM", "é", "a\nb"),
        "password": ("", "12345", "x" * 257, "with space"),
        "email": ("", "x", "a@b", "a@@b.c", "a b@c.d", "a@b.c\r\nBcc: d@e.f", "a,b@c.d", f"{'x' * 95}@b.com", "@b.c"),
    }
    before = database.users.count_documents({})
    for key, values in bad_values.items():
        for bad in (*values, *NO_STRINGS, *BROKEN_STRINGS):
            assert await stranger.refused("register", **(good | {key: bad})) == "422", (key, bad)
        assert await stranger.refused("register", **{other: good[other] for other in good if other != key}) == "422"
    assert database.users.count_documents({}) == before
    await stranger.ask("register", **good)
    assert database.users.count_documents({}) == before + 1


# The account


@pytest.mark.gen_test
async def test_change_username(alice, people, stranger):
    await people("bob")
    reply = await alice.ask("changeUsername", username="Alice-2")
    assert reply.keys() == {"mode", "timestamp", "status", "username"} and reply["username"] == "Alice-2"
    assert (await alice.ask("changeUsername", username="Alice-2"))["username"] == "Alice-2"
    await stranger.ask("auth", username="Alice-2", password="secret1")
    assert await stranger.refused("auth", username="alice", password="secret1") == "401"
    assert await alice.refused("changeUsername", username="bob") == "409"
    for bad in ("", "x" * 33, "a b", "#SYSTEM", *NO_STRINGS, *BROKEN_STRINGS):
        assert await alice.refused("changeUsername", username=bad) == "422", bad
    assert await alice.refused("changeUsername") == "422"
    assert (await alice.person.get("/user")).data["user_name"] == "Alice-2"


@pytest.mark.gen_test
async def test_change_email(alice, stranger):
    await stranger.ask("register", username="bob", password="secret1", email="bob@example.org")
    reply = await alice.ask("changeEmail", email="alice@example.org", password="secret1")
    assert reply.keys() == {"mode", "timestamp", "status", "email"} and reply["email"] == "alice@example.org"
    await alice.ask("changeEmail", email="alice@example.org", password="secret1")
    for wrong in ("secret2", "", "x", "Secret1", "secret1 ", "x" * 300):
        assert await alice.refused("changeEmail", email="a@example.org", password=wrong) == "401"
    for email in ("bob@example.org", "BOB@EXAMPLE.ORG"):
        assert await alice.refused("changeEmail", email=email, password="secret1") == "409"
        assert await alice.refused("changeEmail", email=email, password="secret2") == "401"
    for bad in ("", "x", "a@b", "a b@c.d", *NO_STRINGS, *BROKEN_STRINGS):
        assert await alice.refused("changeEmail", email=bad, password="secret1") == "422", bad
    for bad in (*NO_STRINGS, *BROKEN_STRINGS):
        assert await alice.refused("changeEmail", email="a@example.org", password=bad) == "422", bad
    assert (await alice.person.get("/user")).data["email"] == "alice@example.org"
    await stranger.ask("auth", username="alice@example.org", password="secret1")


@pytest.mark.gen_test
async def test_set_profile_photo(alice):
    head = "data:image/png;base64,"
    pixel = head + base64.b64encode(b"\x89PNG").decode()
    photos = ["https://example.org/a.png", "http://x/" + "y" * 481, pixel]
    photos += [f"data:image/{kind};base64,AAAA" for kind in ("jpeg", "gif", "webp")]
    photos.append(head + "A" * ((100_000 - len(head)) // 4 * 4))
    for photo in photos:
        reply = await alice.ask("setProfilePhoto", photo=photo)
        assert reply.keys() == {"mode", "timestamp", "status", "photo"} and reply["photo"] == photo
        assert (await alice.person.get("/user")).data["avatar_url"] == photo
    bad = [
        "ftp://x",
        "http://x/" + "y" * 482,
        "javascript:alert(1)",
        "x",
        head,
        head + "A",
        head + "A A=",
        head + "=====",
    ]
    bad += ["data:image/svg+xml;base64,AAAA", "data:text/html;base64,AAAA", "http://x/\n", 'http://x/"onload']
    bad.append(head + "A" * 100_000)
    for photo in (*bad, *NO_STRINGS, *BROKEN_STRINGS):
        assert await alice.refused("setProfilePhoto", photo=photo) == "422", photo
    assert (await alice.person.get("/user")).data["avatar_url"] == photos[-1]
    generated = (await alice.ask("setProfilePhoto", photo=""))["photo"]
    assert generated.startswith(head) and generated not in photos
    assert (await alice.person.get("/user")).data["avatar_url"] == generated


@pytest.mark.gen_test
async def test_a_new_password_revokes_the_other_tokens(alice, stranger):
    other = (await stranger.ask("auth", username="alice", password="secret1"))["token"]
    change = {"old_password": "secret1", "new_password": "secret2"}
    bearer = {"Authorization": f"Bearer {alice.token}"}
    assert (await alice.person.patch("/user", json_body=change, headers=bearer)).status == 200
    await alice.ask("checkToken")
    assert await stranger.refused("checkToken", token=other) == "401"


# Limits on failed sign-ins


class TestLimits:
    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=True)

    @pytest.mark.gen_test
    async def test_failed_sign_ins_are_limited_and_wrong_passwords_of_change_email_count(self, alice, stranger):
        statuses = []
        for number in range(25):
            if number % 2:
                statuses.append(await stranger.refused("auth", username="alice", password="secret2"))
            else:
                statuses.append(await alice.refused("changeEmail", email="a@example.org", password="secret2"))
        assert statuses == ["401"] * 20 + ["429"] * 5
        assert await stranger.refused("auth", username="alice", password="secret1") == "429"
        await alice.ask("checkToken")
