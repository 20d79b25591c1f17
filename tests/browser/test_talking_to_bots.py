"""A bot whose answer comes piece by piece, from an outside service."""

import asyncio

import pytest
from completions import STREAM, completion, event
from life.processes import wait_until
from playwright.async_api import expect
from scripted_host import CUT, chunks, serving


@pytest.fixture
def service(run):
    """What stands in for the outside service."""
    context = serving()
    yield run(context.__aenter__())
    run(context.__aexit__(None, None, None))


async def test_answer_grows_before_ones_eyes(open_client, people, start_server, service):
    server = start_server(
        NOVA_BOT_CHAT_OPENAI_URL=f"{service.url}/v1",
        NOVA_BOT_CHAT_OPENAI_MODEL="small",
        NOVA_BOT_CHAT_OPENAI_NAME="sage",
        NOVA_BOT_CHAT_OPENAI_ALLOW_PRIVATE="on",
    )
    more, cut = asyncio.Event(), asyncio.Event()
    service.answer(STREAM, chunks(event("Once **upon**"), 99), more, *completion(" a time")[1:])
    alice = await people("alice", on=server)
    client = await open_client(alice, "/#/friends", on=server)
    await client.button("Chat with sage").click()
    await client.send("Tell me a story")
    growing = client.log.locator("[aria-busy=true]")
    await expect(growing).to_have_text("Once upon")
    await expect(growing.get_by_role("strong")).to_have_text("upon")
    more.set()
    await expect(client.message("Once upon a time")).to_be_visible()
    await expect(growing).to_have_count(0)
    # It is one message all the time, and nobody calls it edited.
    await expect(client.log.get_by_role("article")).to_have_count(3)

    service.answer(STREAM, chunks(event("And then"), 99), cut, CUT)
    await client.send("Go on")
    await expect(growing).to_have_text("And then")
    cut.set()
    await expect(client.message("And then")).to_contain_text("The answer broke off.")
    [error] = wait_until(server.errors)
    assert "bot sage failed" in error
