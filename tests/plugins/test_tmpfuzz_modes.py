import json, random, asyncio, time
import pytest
from clients.modes import Party, BROKEN_STRINGS, NO_IDS, NO_STRINGS, UNKNOWN_IDS, is_live
from nova_modes import handlers

@pytest.mark.gen_test(timeout=300)
async def test_fuzz(people, nova):
    party = await Party().open(people)
    rng = random.Random(5)
    a, b, c, d = party.all
    chats = [await a.chat_with(b), await a.group_with(b, c), await b.group_with(a, c, d)]
    pool = [*BROKEN_STRINGS, *NO_IDS, *NO_STRINGS, *UNKNOWN_IDS, *chats, *[m.id for m in party.all], [a.id, b.id], [c.id], [d.id], ["alice"], ["bob","carol"], "alice", "bob", "id", "username", "text", "x", "secret1", "q@w.ee", "x"*30000, "http://x/y", 1e30, 1e400 if False else 1e308, -0.0, [[]]*3, {"a": {"b": []}}, "é"*100, "a"*10**6]
    keys = ["timestamp","username","password","email","photo","chat_id","content","content_type","client_message_id","contact_value","contact_mode","chat_name","chat_members","add_members","remove_members","min_message_id"]
    modes = [m for m in (*handlers.OPEN_MODES, *handlers.SIGNED_MODES) if m not in ("logout",)] + ["x"]
    from collections import Counter
    seen = Counter()
    t0 = time.time()
    n = 0
    while time.time() - t0 < 100:
        m = rng.choice(party.all)
        mode = rng.choice(modes)
        fields = {k: rng.choice(pool) for k in keys if rng.random() < .8}
        if rng.random() < .7: fields["chat_id"] = rng.choice(chats)
        if mode in ("changeUsername",): fields.pop("username", None)
        reply = await m.reply(mode, **fields)
        n += 1
        seen[mode, reply["status"]] += 1
        assert reply["status"] != "500", (mode, fields)
        if mode in ("createChat","createPersonalChat","createGroupChat") and reply["status"] == "200":
            chats.append(reply["chat_id"])
        if n % 50 == 0:
            for mm in party.all: await mm.live()
    print(n, sorted(seen.items()))
