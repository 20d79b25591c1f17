"""Whatever people write, it is text: nothing of it runs, wherever it is shown."""

import re

from browser_client import SENT
from playwright.async_api import expect
from test_files_in_chats import attach, file

RUN = "window.__xss=1"

PAYLOADS = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f'"><script>{RUN}</script>',
    f"'\"><img src=x onerror={RUN}>",
    f"<iframe srcdoc='<script>top.{RUN}</script>'>",
    f"<a href=javascript:{RUN}>x</a>",
    f"[x](javascript:{RUN})",
    f"[x](  javascript:{RUN} )",
    f"![x](javascript:{RUN})",
    f"<javascript:{RUN}>",
    f"[x](data:text/html,<script>{RUN}</script>)",
    f"[x](vbscript:{RUN})",
    f"[x](&#106;avascript:{RUN})",
    f'[x](https://e.org" onmouseover="{RUN})',
    f"[x](https://e.org 'y\" onfocus={RUN} z=')",
    f"```\n</code><script>{RUN}</script>\n```",
    f'```"onx={RUN}\ncode\n```',
    f"`</code><img src=x onerror={RUN}>`",
    f"<style>@import'x'</style><b onclick={RUN}>",
    f"<form action=javascript:{RUN}><button>",
    f"<math><mtext><img src=x onerror={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<object data=javascript:{RUN}>",
    f"<base href=//evil.example><embed src=javascript:{RUN}>",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"${{{RUN}}}",
    f"@<img src=x onerror={RUN}>",
    f"/<img src=x onerror={RUN}>",
    f"\u202e<script>{RUN}</script>\u0000".replace("\u0000", ""),
    "<!--",
    "]]>",
    "</title></textarea></style></template>",
    "%3Cscript%3E",
    "&lt;script&gt;",
    "\\u003cscript\\u003e",
)

SUSPICIOUS = """() => ({
  ran: window.__xss ?? null,
  elements: [...document.querySelectorAll("script:not([src], [type]), iframe, object, embed, form[action], base")]
    .map((element) => element.outerHTML.slice(0, 100)),
  attributes: [...document.querySelectorAll("*")].flatMap((element) => [...element.attributes]
    .filter(({name, value}) => /^on/i.test(name) || /^\\s*(javascript|vbscript|data:text)/i.test(value))
    .filter(({name}) => name !== "value")
    .map(({name, value}) => `${element.tagName} ${name}=${value}`)),
})"""

NOTHING = {"ran": None, "elements": [], "attributes": []}


async def expect_harmless(client):
    assert await client.page.evaluate(SUSPICIOUS) == NOTHING


def fitting(most):
    return [payload for payload in PAYLOADS if len(payload) <= most and payload.strip()]


async def test_messages_are_text(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    ids = await bob.say(chat_id, *PAYLOADS)
    await bob.say(chat_id, "A reply", reply_to=ids[1])
    client = await open_client(alice)
    await expect(client.row(bob.name)).to_contain_text("A reply")
    await client.open_chat(bob.name)
    await expect(client.log.get_by_role("article")).to_have_count(len(PAYLOADS) + 2)
    await expect(client.message(PAYLOADS[0]).first).to_be_visible()
    await expect_harmless(client)
    for link in await client.log.get_by_role("link").all():
        await link.hover()
        assert re.match(r"https?://", await link.get_attribute("href"))
    # Written here, edited, answered, searched for.
    for payload in PAYLOADS[:6]:
        await client.send(payload)
    await expect(client.log.get_by_title(SENT)).to_have_count(6)
    await client.composer.press("ArrowUp")
    await expect(client.composer).to_have_value(PAYLOADS[5])
    await client.send(PAYLOADS[6])
    await expect(client.message("edited")).to_have_count(1)
    await client.choose(client.message(PAYLOADS[1]).first, "Reply")
    await expect(client.page.get_by_text(f"Reply to {bob.name}")).to_be_visible()
    await client.button("Search").click()
    await client.details.get_by_role("searchbox", name="Search for words").fill("<img src=x onerror=window")
    await expect(client.details.get_by_role("link").first).to_be_visible()
    await expect_harmless(client)


async def test_names_are_text(open_client, people):
    alice, bob, carol = await people("alice"), await people("bob"), await people("carol")
    await alice.befriend(bob)
    client = await open_client(alice)
    page = client.page
    chat_id = await alice.new_group(bob, name="first")
    for payload in fitting(60):
        await alice.patch(f"/chat/{chat_id}", {"chat_name": payload})
        await expect(client.row(payload.strip())).to_be_visible()
    await client.page.evaluate("id => { location.hash = `#/chats/${id}/panel/details`; }", chat_id)
    await expect(client.details.get_by_role("heading").filter(has_text=fitting(60)[-1])).to_be_visible()
    await expect_harmless(client)

    for payload in fitting(50):
        await alice.post("/friend/group/add", {"group_name": payload})
    for payload in fitting(100):
        await alice.patch(f"/friend/{bob.id}", {"nickname": payload})
    for payload in fitting(500):
        await carol.post("/friend/invite", {"id": alice.id, "comment": payload, "source": "search"})
    await page.reload()
    await client.expect_ready()
    await client.go("Friends")
    await expect(page.get_by_role("link").filter(has_text=fitting(100)[-1])).to_be_visible()
    await expect(page.get_by_role("button", name=fitting(50)[0]).first).to_be_visible()
    await expect_harmless(client)
    for payload in PAYLOADS[:3]:
        await page.get_by_role("searchbox", name="Search friends").fill(payload)
        await expect(page.get_by_text("Nobody matches.")).to_be_visible()
        await client.button("Find people").click()
        await client.dialog.get_by_role("searchbox").fill(payload)
        await expect(client.dialog.get_by_role("heading", name="Nobody found for")).to_be_visible()
        await client.button("Close", client.dialog).click()
    await client.go("Activity")
    await expect(page.get_by_text(fitting(500)[-1])).to_be_visible()
    await expect_harmless(client)


async def test_names_of_files_and_rules_are_text(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    chat_id = await alice.new_group(bob, name="Files")
    client = await open_client(alice, f"/#/chats/{chat_id}")
    names = [payload for payload in PAYLOADS if not re.search(r"[/\\\n\u202e]", payload)][:9]
    await attach(client, *(file(name, b"x", "text/plain") for name in names))
    await expect(client.page.get_by_role("list", name="Files to be sent").get_by_role("listitem")).to_have_count(9)
    await client.button("Send").click()
    await expect(client.log.get_by_role("link")).to_have_count(9)
    await expect_harmless(client)
    for payload in fitting(60)[:8]:
        rule = {"name": payload, "kind": "words", "words": ["zzz"], "action": "refuse", "reason": payload}
        await alice.post(f"/chat/{chat_id}/rules", rule | {"exempt_managers": False, "enabled": True})
    await client.button("Rules").click()
    await expect(client.details.get_by_text(fitting(60)[7]).first).to_be_visible()
    await client.send("zzz")
    await expect(client.message("zzz").get_by_role("alert")).to_be_visible()
    await expect_harmless(client)


async def test_address_bar_is_text(open_client, people):
    client = await open_client(await people("alice"))
    for payload in PAYLOADS:
        await client.page.evaluate("hash => { location.hash = hash; }", f"#/{payload}/{payload}")
        await client.page.evaluate("hash => { location.hash = hash; }", f"#/settings/{payload}")
        await client.page.evaluate("hash => { location.hash = hash; }", f"#/chats/1/panel/{payload}")
    await expect_harmless(client)
