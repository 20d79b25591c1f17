"""What the first visit costs."""

from playwright.async_api import expect

USABLE_MAX_BYTES = 150_000
"""Of bodies as they come over the wire, until there is something to work with: about a second on a slow phone."""
USABLE_MAX_REQUESTS = 30
WHOLE_MAX_BYTES = 220_000
"""With what is fetched as soon as the page is there, because it will be needed soon."""

NOTE_WHEN_USABLE = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".sign-in form, .shell")) return;
  window.usableAtMs = performance.now();
  observer.disconnect();
}).observe(document, {childList: true, subtree: true});
"""

LOADED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .map(({name, startTime, encodedBodySize, transferSize}) => ({
    name, size: encodedBodySize, isCached: transferSize === 0, isNeeded: startTime < window.usableAtMs,
  }))
"""


async def load(client):
    """Opens a page; returns what it has loaded, by the browser's own account."""
    await client.context.add_init_script(NOTE_WHEN_USABLE)
    await client.open()
    await client.until("window.usableAtMs")
    await client.page.wait_for_load_state("networkidle")
    return await client.page.evaluate(LOADED)


def cost(loaded):
    return sum(each["size"] for each in loaded)


async def test_first_visit_is_small(open_client):
    client = await open_client(path=None)
    loaded = await load(client)
    needed = [each for each in loaded if each["isNeeded"]]
    assert 0 < cost(needed) < USABLE_MAX_BYTES, needed
    assert len(needed) < USABLE_MAX_REQUESTS, needed
    assert cost(loaded) < WHOLE_MAX_BYTES, loaded


async def test_first_visit_of_who_is_signed_in_is_small_too(open_client, people):
    client = await open_client(await people("alice"), None)
    loaded = await load(client)
    assert 0 < cost([each for each in loaded if each["isNeeded"]]) < USABLE_MAX_BYTES, loaded
    assert cost(loaded) < WHOLE_MAX_BYTES, loaded


async def test_files_come_from_the_browsers_cache_the_next_time(open_client):
    client = await open_client(path=None)
    await load(client)
    await client.page.reload()
    await expect(client.page.get_by_role("heading", name="Welcome back")).to_be_visible()
    static = [each for each in await client.page.evaluate(LOADED) if "/static/" in each["name"]]
    assert static and all(each["isCached"] for each in static), static
