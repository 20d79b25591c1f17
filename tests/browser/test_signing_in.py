"""Coming and going: accounts, sessions, and their ends."""

import pytest
from playwright.async_api import expect


async def fill(client, name, password, button):
    await client.page.get_by_role("textbox", name="User name").fill(name)
    await client.page.get_by_label("Password", exact=True).fill(password)
    await client.button(button).first.click()


async def test_stranger_makes_an_account_signs_out_and_comes_back(open_client):
    client = await open_client()
    page = client.page
    await expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    await client.button("Create account").click()
    await fill(client, "new_comer.1", "open sesame", "Create account")
    await expect(page.get_by_text("The password cannot contain spaces.")).to_be_visible()
    await fill(client, "new_comer.1", "open-sesame", "Create account")
    await client.expect_ready()
    await expect(page.get_by_role("heading", name="No chats yet")).to_be_visible()

    await client.button("Account menu of new_comer.1").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_text("You have signed out.")).to_be_visible()
    await fill(client, "new_comer.1", "open-sesame", "Sign in")
    await client.expect_ready()

    await page.reload()
    await client.expect_ready()


@pytest.mark.expects_console("status of 403", "status of 409")
async def test_refusals_stand_where_they_belong(open_client, people):
    alice = await people("alice")
    client = await open_client()
    page = client.page
    await client.button("Sign in").click()
    name = page.get_by_role("textbox", name="User name or e-mail")
    await expect(name).to_be_focused()
    await expect(name).to_have_accessible_description("Enter your user name.")
    await fill(client, alice.name, "wrong-password", "Sign in")
    password = page.get_by_label("Password", exact=True)
    await expect(password).to_have_accessible_description("The name or the password is wrong.")
    await expect(password).to_be_focused()

    await client.button("Create account").click()
    await fill(client, alice.name, "open-sesame", "Create account")
    name = page.get_by_role("textbox", name="User name")
    await expect(name).to_have_accessible_description("This name is taken. Choose another one.")
    await fill(client, "Zoë", "open-sesame", "Create account")
    await expect(name).to_have_accessible_description("Only a–z, A–Z, 0–9 and - _ ( ) @ . can be used.")
    await fill(client, "Zoe", "short", "Create account")
    await expect(password).to_have_accessible_description("The password needs at least 6 characters.")


async def test_session_that_is_ended_elsewhere_ends_here_with_a_word(open_client, people):
    alice = await people("alice")
    client = await open_client(alice)
    # The same session, as in another tab that has signed out.
    await alice.post("/user/logout")
    await expect(client.page.get_by_text("Your session has ended")).to_be_visible()
    await expect(client.button("Sign in").first).to_be_visible()


@pytest.mark.allows_console("status of 403")  # the other device may ask what has changed before it hears of its end
async def test_new_password_ends_all_other_sessions_and_keeps_this_one(open_client, people):
    alice = await people("alice")
    phone = await open_client(await alice.again())
    client = await open_client(alice, "/#/settings/account")
    page = client.page
    await client.button("Change: Password").click()
    await page.get_by_label("New password").fill("another-secret")
    await page.get_by_label("Current password").fill(alice.password)
    await client.button("Save").click()
    await expect(client.toast("Your password has been changed")).to_be_visible()
    await expect(phone.page.get_by_text("Your session has ended")).to_be_visible()
    await page.reload()
    await client.expect_ready()
    await fill(phone, alice.name, "another-secret", "Sign in")
    await phone.expect_ready()


async def test_sign_in_in_one_tab_is_one_in_all(open_client, people):
    alice = await people("alice")
    client = await open_client()
    other = await client.tab()
    await client.page.bring_to_front()
    await fill(client, alice.name, alice.password, "Sign in")
    await client.expect_ready()
    await other.expect_ready()
    await client.button(f"Account menu of {alice.name}").click()
    await client.page.get_by_role("menuitem", name="Sign out").click()
    await expect(client.page.get_by_text("You have signed out.")).to_be_visible()
    await expect(other.button("Sign in").first).to_be_visible()


async def test_language_and_theme_can_be_chosen_before_signing_in(open_client):
    client = await open_client()
    page = client.page
    await client.button("Language: English").click()
    await page.get_by_role("menuitemradio", name="Русский").click()
    await expect(page.get_by_role("heading", name="С возвращением")).to_be_visible()
    await page.get_by_title("Тёмная").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.reload()
    await expect(page.get_by_role("heading", name="С возвращением")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
