"""Users of the actions protocol. Source: actions document, User control APIs; contract "actions" section 2."""

import pytest


@pytest.mark.gen_test
async def test_registering_signs_in_and_shows_the_user(guest):
    answer = await guest.post("/user/register", {"user_name": "alice", "password": "secret1"})
    user = answer.data
    assert user.keys() == {"id", "user_name", "avatar_url", "email", "phone"}
    assert (user["user_name"], user["email"], user["phone"]) == ("alice", "", "")
    assert user["avatar_url"].startswith("data:image/png;base64,")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("sessionid=") and all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/"))
    assert (await guest.get("/user")).data == user
