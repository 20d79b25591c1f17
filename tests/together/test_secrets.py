"""Whatever goes through Nova, by whichever protocol, neither its log nor its metrics tell of it.

Everything that is secret bears a mark here, and the mark is then looked for: in the log as it is written (both forms,
and Nova's own loggers at DEBUG), and in what `/metrics` says.
"""

import io
import logging
import re

import pytest
from together.changes import PROTOCOLS
from together.refusals import REFUSALS
from together.test_repeats import frame
from together.world import CLIENTS

from nova_tornado.logs import JsonFormatter, TextFormatter
from nova_tornado.services.messages import MessageService
from nova_tornado.settings import Settings

MARK = "zq9marked"
METRICS_TOKEN = f"{MARK}-of-the-metrics"


@pytest.fixture
def settings(tmp_path):
    return Settings(bcrypt_rounds=4, rate_limits=False, mail_dir=tmp_path / "mail", metrics_token=METRICS_TOKEN)


@pytest.fixture
def written():
    """All that is logged, in both forms."""
    text = io.StringIO()
    handlers = [logging.StreamHandler(text), logging.StreamHandler(text)]
    handlers[0].setFormatter(TextFormatter())
    handlers[1].setFormatter(JsonFormatter())
    root, own = logging.getLogger(), logging.getLogger("nova_tornado")
    before = root.level, own.level
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    own.setLevel(logging.DEBUG)
    yield text
    for handler in handlers:
        root.removeHandler(handler)
    root.setLevel(before[0])
    own.setLevel(before[1])


async def ask_all_doors(world, guest):
    """Accounts, right and wrong passwords, addresses, names and tokens."""
    for path, body in {
        "/user/register": {"user_name": f"{MARK}1", "password": f"{MARK}-password"},
        "/user/login": {"user_name": f"{MARK}1", "password": f"{MARK}-wrong-password"},
        "/http/register": {
            "email": f"{MARK}@example.org",
            "password": f"{MARK}-password",
            "first_name": MARK,
            "last_name": MARK,
        },
        "/http/login": {"email": f"{MARK}@example.org", "password": f"{MARK}-wrong"},
        f"/{MARK}": {MARK: MARK},
    }.items():
        await guest.post(path, body)
    await guest.post("/user/login", raw_body=f'{{"password": "{MARK}'.encode())
    await guest.get(f"/chat?token={MARK}", headers={"Authorization": f"Bearer {MARK}", "X-Request-ID": MARK})
    await guest.get("/chat", headers={"Cookie": f"sessionid={MARK}", "User-Agent": MARK, "Referer": MARK})
    await guest.get("/metrics", headers={"Authorization": f"Bearer {MARK}-wrong"})
    changes = {"user_name": f"{MARK}2", "email": f"{MARK}2@example.org", "old_password": "secret1"}
    await world.persons["X"].patch("/user", changes)
    modes = await CLIENTS["modes"].connect(world.port, None)
    for mode in ("register", "auth"):
        account = {"username": f"{MARK}3", "password": f"{MARK}-password", "email": f"{MARK}3@example.org"}
        await modes.request({"mode": mode, "timestamp": 0, **account})
    await modes.request({"mode": "subscribe", "timestamp": 0, "token": MARK})
    modes.close()


def fail(*_args, **_kwargs):
    raise RuntimeError("it is broken")


@pytest.mark.expects_log("internal error")
@pytest.mark.gen_test(timeout=50)
async def test_log_and_metrics_tell_no_text_password_token_name_or_address(
    world, people, guest, no_presence, written, monkeypatch
):
    await world.populate(people)
    await world.group("A B")
    await world.enter("B")
    await world.connect("AB", None)
    await ask_all_doors(world, guest)
    for protocol in PROTOCOLS:
        asker = await world.another("A", protocol)
        await asker.send(frame(protocol, world, "group", f"{MARK} by {protocol}", f"{MARK}-{protocol}"))
        await asker.send({**frame(protocol, world, "group", MARK, f"{MARK}-x"), MARK: MARK})
        for raw in (f'{{"{MARK}', f'["{MARK}"]', f'{{"token": "{MARK}", "action": "{MARK}", "t": "{MARK}"}}'):
            await asker.connection.write_message(raw)
        with monkeypatch.context() as broken:
            broken.setattr(MessageService, "send", fail)
            broken.setattr(MessageService, "send_at_once", fail)
            broken.setattr(MessageService, "send_private", fail)
            await asker.send(frame(protocol, world, "group", f"{MARK} lost", f"{MARK}-lost-{protocol}"))
            assert any(REFUSALS[protocol].read(packet) for packet in await asker.drain())
    for (letter, protocol), packets in (await world.drain()).items():
        assert letter == "A" or any(MARK in str(packet) for packet in packets), protocol  # it did go through
    metrics = await guest.get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert metrics.status == 200
    told = written.getvalue() + metrics.body.decode()
    assert len(re.findall(r"internal error [0-9a-f]{8}", told)) >= 2 * len(PROTOCOLS)  # the log was looked at
    secrets = [MARK, *world.tokens.values(), *(person.cookie for person in world.persons.values())]
    secrets += [person.password for person in world.persons.values()]
    assert not [secret for secret in secrets if secret in told], told
    for name in ("anna", "bert", "Readers"):
        assert name not in metrics.body.decode()
