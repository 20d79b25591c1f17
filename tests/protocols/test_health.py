"""/healthz and /readyz."""

import pytest


@pytest.mark.gen_test
async def test_a_running_nova_is_alive_and_ready_until_it_drains(guest, nova):
    for path in ("/healthz", "/readyz"):
        answer = await guest.get(path)
        assert (answer.status, answer.json) == (200, {"ok": True})
    await nova.drain(5)
    assert (await guest.get("/readyz")).status == 503
    assert (await guest.get("/healthz")).status == 200


@pytest.mark.gen_test
async def test_other_methods_are_405_in_json(guest):
    answer = await guest.post("/healthz")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.error == "Method not allowed"
