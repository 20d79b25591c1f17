"""A protocol that is switched off is not there, and the others do not notice."""

import pytest
from together.changes import PROTOCOLS
from together.test_repeats import frame, id_of
from together.world import CLIENTS, new_token

from nova_tornado.settings import Settings

PATHS = {
    "methods": ["/ws/chat/"],
    "modes": ["/ws/modes/"],
    "rooms": ["/socket", "/http/users", "/http/login", "/http/no-such-path"],
    "opcodes": ["/ws/opcodes/"],
}


@pytest.fixture(params=list(PATHS))
def protocol_off(request):
    return request.param


@pytest.fixture
def settings(protocol_off, tmp_path):
    off = (f"nova_{protocol_off}",)
    return Settings(bcrypt_rounds=4, rate_limits=False, mail_dir=tmp_path / "mail", plugins_off=off)


@pytest.mark.gen_test
async def test_protocol_is_gone_and_the_others_talk(protocol_off, world, people, no_presence):
    world.persons["A"], world.persons["B"] = await people("anna"), await people("bert")
    world.facts |= {letter: world.persons[letter].id for letter in "AB"}
    world.tokens = {letter: await new_token(world.persons[letter]) for letter in "AB"}
    headers = {"Authorization": f"Bearer {world.tokens['A']}"}
    for path in PATHS[protocol_off]:
        answer = await world.persons["A"].get(path, headers=headers)
        assert (answer.status, answer.json["ok"]) == (404, False), path
    chat, _ = await world.nova.services.chats.open_private(await world.user("A"), world.facts["B"])
    world.facts["chat"] = chat.id
    others = [protocol for protocol in PROTOCOLS if protocol != protocol_off]
    listeners = {protocol: await world.another("B", protocol) for protocol in others}
    for sender in others:
        asker = await world.another("A", sender)
        await asker.send(frame(sender, world, "private", client_id=sender))
        assert id_of(sender, await asker.drain())
        await world.settle()
        for receiver in others:
            assert await listeners[receiver].drain(), (sender, receiver)
    assert set(CLIENTS) == set(PROTOCOLS)
