"""What people say of themselves, how they like it, and how they go."""

import re

import pytest
from playwright.async_api import expect
from test_files_in_chats import file, picture

BACKGROUND = "() => getComputedStyle(document.querySelector('.rail')).backgroundColor"


async def choose_file(client, button, *files):
    async with client.page.expect_file_chooser() as chooser:
        await client.button(button).click()
    await (await chooser.value).set_files(list(files))


@pytest.mark.expects_console("status of 409")
async def test_new_name_and_picture_are_seen_by_others_at_once(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    client, at_bob = await open_client(alice, "/#/settings/profile"), await open_client(bob)
    name = client.page.get_by_role("textbox", name="User name")
    await name.fill(bob.name)
    await client.button("Save").click()
    await expect(name).to_have_accessible_description(re.compile("This name is taken. Choose another one."))
    await name.fill(f"{alice.name}-new")
    await client.button("Save").click()
    await expect(client.toast("Your name has been changed.")).to_be_visible()
    alice.name += "-new"

    await choose_file(client, "Choose picture", file("notes.txt", b"no picture", "text/plain"))
    await expect(client.toast("“notes.txt” is not a picture that can be read.")).to_be_visible()
    await choose_file(client, "Choose picture", file("red.png", picture(400, 300, 255, 0, 0)))
    await client.dialog.get_by_role("slider", name="Zoom").fill("2")
    await client.dialog.get_by_role("img", name="Part of the picture that is shown").press("ArrowLeft")
    await client.confirm("Use picture")
    await expect(client.toast("Your picture has been changed.")).to_be_visible()
    mine = client.page.get_by_role("region", name="Picture").locator("img")
    await expect(mine).to_have_attribute("src", re.compile("^/files/"))
    assert await mine.evaluate("element => element.decode().then(() => element.naturalWidth)") == 256

    # Friends hear of it with the next thing that they are told.
    await alice.say((await alice.get("/chat")).data[0]["chat"]["chat_id"], "It is me")
    row = at_bob.row(alice.name)
    await expect(row.locator("img")).to_have_attribute("src", re.compile("^/files/"))
    await client.button("New random picture").click()
    await expect(mine).to_have_attribute("src", re.compile("^data:image/png"))


@pytest.mark.expects_console("status of 400", "status of 403", "status of 409")
async def test_address_and_number_need_the_password(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await bob.patch("/user", {"old_password": bob.password, "email": f"{bob.name}@example.org"})
    client = await open_client(alice, "/#/settings/account")
    page = client.page
    await client.button("Change: E-mail").click()
    email, password = page.get_by_role("textbox", name="E-mail"), page.get_by_label("Current password")
    await expect(email).to_be_focused()
    for address, secret, complaint in (
        (f"{alice.name}@example.org", "wrong-password", "The present password is wrong."),
        ("nonsense", alice.password, "This is not a valid e-mail address."),
        (f"{bob.name}@example.org", alice.password, "Another account has this e-mail address."),
    ):
        await email.fill(address)
        await password.fill(secret)
        await client.button("Save").click()
        await expect(page.get_by_text(complaint)).to_be_visible()
    await email.fill(f"{alice.name}@example.org")
    await client.button("Save").click()
    await expect(client.toast("Your e-mail address has been changed.")).to_be_visible()
    await expect(page.get_by_role("link", name=alice.name)).to_contain_text(f"{alice.name}@example.org")

    await client.button("Change: Phone").click()
    await page.get_by_role("textbox", name="Phone").fill("159 1234 5678")
    await password.fill(alice.password)
    await client.button("Save").click()
    await expect(page.get_by_text("15912345678")).to_be_visible()
    await client.button("Change: E-mail").click()
    await email.fill("")
    await password.fill(alice.password)
    await client.button("Save").click()
    await expect(client.toast("Your e-mail address has been removed.")).to_be_visible()


async def test_looks_are_chosen_and_kept(open_client, people):
    client = await open_client(await people("alice"), "/#/settings/appearance")
    page = client.page
    before = await page.evaluate(BACKGROUND)
    await page.get_by_role("radio", name="Dark").check(force=True)
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert await page.evaluate(BACKGROUND) != before
    await page.get_by_role("radio", name="中文").check(force=True)
    await expect(page.get_by_role("heading", name="设置", level=1)).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="设置", level=1)).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "zh")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_system_theme_is_followed(open_client, people):
    client = await open_client(await people("alice"), color_scheme="dark")
    dark = await client.page.evaluate(BACKGROUND)
    await client.page.emulate_media(color_scheme="light")
    assert await client.page.evaluate(BACKGROUND) != dark


@pytest.mark.expects_console("status of 404")  # no packet tells that an account is gone: the client asks
async def test_deleted_account_leaves_its_words_without_its_name(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    await alice.befriend(bob)
    own = await alice.new_group(bob, name="Alice's own")
    chat_id = await bob.new_group(alice, name="Bob's")
    await alice.say(chat_id, "Remember me")
    client = await open_client(alice, "/#/settings/account")
    at_bob = await open_client(bob, f"/#/chats/{chat_id}")
    await client.button("Delete…").click()
    await expect(client.dialog).to_contain_text("of yours will be deleted for everybody: Alice's own.")
    await expect(client.button("Delete my account")).to_be_disabled()
    await client.dialog.get_by_role("textbox", name=f"Type “{alice.name}” to confirm").fill(alice.name)
    await client.button("Delete my account").click()
    await expect(client.page.get_by_text("Your account has been deleted.")).to_be_visible()
    await expect(at_bob.message("Remember me")).to_contain_text("Deleted account")
    await expect(at_bob.row(alice.name)).to_have_count(0)
    await expect(at_bob.row("Alice's own")).to_have_count(0)
    assert (await bob.get(f"/chat/{own}")).status == 400
