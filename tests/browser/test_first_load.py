"""What the first visit costs."""

FIRST_LOAD_MAX_BYTES = 150_000
"""Bodies as they come over the wire: what a slow phone connection takes about a second for."""
FIRST_LOAD_MAX_REQUESTS = 30


async def load(client, path="/"):
    """Opens a page; returns what it cost."""
    requests = []
    client.context.on("requestfinished", lambda request: requests.append(request))
    await client.open(path)
    await client.page.wait_for_load_state("networkidle")
    return {request.url: (await request.sizes())["responseBodySize"] for request in requests}


async def test_first_visit_is_small(open_client):
    client = await open_client(path=None)
    sizes = await load(client)
    assert await client.page.title() == "Nova"
    assert sum(sizes.values()) < FIRST_LOAD_MAX_BYTES, sizes
    assert len(sizes) < FIRST_LOAD_MAX_REQUESTS, sizes


async def test_first_visit_of_who_is_signed_in_is_small_too(open_client, people):
    client = await open_client(await people("alice"), None)
    sizes = await load(client)
    assert sum(sizes.values()) < FIRST_LOAD_MAX_BYTES, sizes


async def test_page_comes_from_the_cache_the_next_time(open_client):
    client = await open_client()
    await client.page.wait_for_load_state("networkidle")
    again = []
    client.page.on("requestfinished", lambda request: again.append(request))
    await client.page.reload()
    await client.page.wait_for_load_state("networkidle")
    responses = [await request.response() for request in again if "/static/" in request.url]
    assert responses and all([response.from_service_worker or await is_cached(response) for response in responses])


async def is_cached(response):
    return (await response.request.sizes())["responseBodySize"] == 0
