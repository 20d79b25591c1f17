"""Limits count clients, not the proxy that they come through."""

import pytest

from nova_tornado.services.sign_in_limits import FAILURES_PER_ADDRESS
from nova_tornado.settings import Settings


@pytest.fixture
def settings(request):
    return Settings(bcrypt_rounds=4, trusted_proxies=request.param)


async def guess(guest, address, number):
    """As many wrong sign-ins, to as many accounts, from an address; the last status."""
    for index in range(number):
        answer = await guest.post(
            "/user/login",
            {"user_name": f"nobody{index}", "password": "wrong-one"},
            headers={"X-Forwarded-For": f"203.0.113.1, {address}"},
        )
    return answer.status


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [("127.0.0.1/32",)], indirect=True)
async def test_behind_a_trusted_proxy_each_client_has_limits_of_its_own(guest):
    assert await guess(guest, "198.51.100.7", FAILURES_PER_ADDRESS) == 403
    assert await guess(guest, "198.51.100.7", 1) == 429
    assert await guess(guest, "198.51.100.8", 1) == 403


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [()], indirect=True)
async def test_without_a_trusted_proxy_nobody_escapes_a_limit_by_a_header(guest):
    assert await guess(guest, "198.51.100.7", FAILURES_PER_ADDRESS) == 403
    assert await guess(guest, "198.51.100.8", 1) == 429
