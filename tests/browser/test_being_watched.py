"""What these tests themselves watch for: nothing of it may go unseen."""

import pytest
from playwright.async_api import Error


@pytest.mark.expects_console(
    "error: Executing inline script violates the following Content Security Policy directive",
    "error: Connecting to 'https://example.org/' violates the following Content Security Policy directive",
    "error: Fetch API cannot load https://example.org/",
    "request to another host: https://example.org/elsewhere",
    "failed request: net::ERR_NAME_NOT_RESOLVED (https://example.org/elsewhere)",
    "error: said by the page",
    "warning: told by the page",
    "page error: thrown by the page",
    "dialog: alert 'shown by the page'",
    "status of 404",
)
async def test_whatever_a_page_should_not_do_is_seen(open_client):
    client = await open_client()
    await client.page.evaluate(MISDEEDS)
    assert await client.page.evaluate("window.hasRun === undefined")
    with pytest.raises(Error):
        await client.page.goto("https://example.org/elsewhere")


MISDEEDS = """async () => {
  const script = document.createElement("script");
  script.textContent = "window.hasRun = true";
  document.body.append(script);
  await fetch("https://example.org/").catch(() => {});
  await fetch("/nothing-here");
  console.error("said by the page");
  console.warn("told by the page");
  setTimeout(() => { throw new Error("thrown by the page"); });
  alert("shown by the page");
}"""
