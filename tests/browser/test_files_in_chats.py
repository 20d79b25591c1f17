"""Pictures and other files: sent, looked at, downloaded."""

import base64
import zlib

from playwright.async_api import expect

MIB = 2**20


def picture(width, height, red, green, blue):
    """A PNG of one colour."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    rows = (b"\0" + bytes((red, green, blue)) * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def file(name, data, kind="image/png"):
    return {"name": name, "mimeType": kind, "buffer": data}


async def attach(client, *files):
    async with client.page.expect_file_chooser() as chooser:
        await client.button("Attach files").click()
    await (await chooser.value).set_files(list(files))


async def open_chat_of_two(open_client, people):
    alice, bob = await people("alice"), await people("bob")
    chat_id = await alice.befriend(bob)
    path = f"/#/chats/{chat_id}"
    return await open_client(alice, path), await open_client(bob, path)


async def test_pictures_are_shown_and_looked_at_one_after_the_other(open_client, people):
    at_alice, at_bob = await open_chat_of_two(open_client, people)
    await attach(
        at_alice, file("red.png", picture(300, 200, 255, 0, 0)), file("blue.png", picture(200, 300, 0, 0, 255))
    )
    await at_alice.send("Two of them")
    message = at_bob.message("Two of them")
    await expect(message.get_by_role("img", name=".png")).to_have_count(2)
    for client in (at_alice, at_bob):
        for shown in await client.message("Two of them").get_by_role("img", name=".png").all():
            await expect(shown).to_have_js_property("complete", True)
            assert await shown.evaluate("element => element.naturalWidth") in (200, 300)
    # The address of a file for clients that know of none is not shown to those who do.
    await expect(message).not_to_contain_text("/files/")
    await expect(at_bob.row(at_alice.person.name)).to_contain_text("Two of them")

    await at_bob.button("Picture red.png: show it large", message).click()
    lightbox = at_bob.page.get_by_role("dialog", name="red.png")
    await expect(lightbox.get_by_role("img", name="red.png")).to_be_visible()
    await at_bob.page.keyboard.press("ArrowRight")
    await expect(at_bob.page.get_by_role("dialog", name="blue.png")).to_be_visible()
    async with at_bob.page.expect_download() as download:
        await at_bob.dialog.get_by_role("link", name="Download blue.png").click()
    assert (await download.value).suggested_filename == "blue.png"
    await at_bob.page.keyboard.press("Escape")
    await expect(at_bob.dialog).to_have_count(0)


async def test_other_files_are_named_with_their_size_and_downloaded(open_client, people):
    at_alice, at_bob = await open_chat_of_two(open_client, people)
    await attach(at_alice, file("notes.txt", b"Dear diary" * 200, "text/plain"), file("wrong.txt", b"?", "text/plain"))
    await at_alice.button("Remove wrong.txt").click()
    await at_alice.button("Send").click()
    link = at_bob.log.get_by_role("link", name="notes.txt")
    await expect(link).to_contain_text("2 kB")
    async with at_bob.page.expect_download() as download:
        await link.click()
    assert (await (await download.value).path()).read_bytes() == b"Dear diary" * 200
    await expect(at_alice.row(at_bob.person.name)).to_contain_text("notes.txt")
    await expect(at_alice.log.get_by_text("wrong.txt")).to_have_count(0)


async def test_files_are_dropped_and_pasted(open_client, people):
    at_alice, at_bob = await open_chat_of_two(open_client, people)
    data = base64.b64encode(picture(20, 20, 0, 255, 0)).decode()
    for kind in ("drop", "paste"):
        target = at_alice.log if kind == "drop" else at_alice.composer
        await target.evaluate(HAND_OVER, [kind, f"{kind}.png", data])
        await expect(at_alice.page.get_by_role("list", name="Files to be sent")).to_contain_text(f"{kind}.png")
        await at_alice.button("Send").click()
        await expect(at_bob.log.get_by_role("img", name=f"{kind}.png")).to_be_visible()


HAND_OVER = """(element, [kind, name, data]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  transfer.items.add(new File([bytes], name, {type: "image/png"}));
  const init = {bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer};
  if (kind === "paste") {
    element.dispatchEvent(new ClipboardEvent("paste", init));
  } else {
    for (const type of ["dragenter", "dragover", "drop"]) element.dispatchEvent(new DragEvent(type, init));
  }
}"""


async def test_files_that_the_server_would_refuse_are_not_even_taken(open_client, start_server, people):
    server = start_server("--file-max-mib", "1")
    alice, bob = await people("alice", on=server), await people("bob", on=server)
    chat_id = await alice.befriend(bob)
    client = await open_client(alice, f"/#/chats/{chat_id}", on=server)
    await attach(client, file("huge.bin", bytes(MIB + 1), ""), file("small.bin", bytes(10), ""))
    await expect(client.toast("huge.bin is too large: a file may have 1 MB at most")).to_be_visible()
    await expect(client.page.get_by_role("list", name="Files to be sent").get_by_role("listitem")).to_have_count(1)
    many = [file(f"{number}.txt", b"x", "text/plain") for number in range(10)]
    await attach(client, *many)
    await expect(client.toast("A message can have 10 files at most")).to_be_visible()
    await expect(client.page.get_by_role("list", name="Files to be sent").get_by_role("listitem")).to_have_count(10)


async def test_upload_shows_how_far_it_is_and_can_be_given_up(open_client, people):
    at_alice, _ = await open_chat_of_two(open_client, people)
    asked = []
    await at_alice.page.route("**/files", lambda route: asked.append(route))  # nobody answers
    await attach(at_alice, file("slow.bin", bytes(1000), ""))
    await at_alice.send("Wait for it")
    await expect(at_alice.message("Wait for it").get_by_role("progressbar")).to_be_visible()
    await at_alice.button("Do not send").click()
    await expect(at_alice.message("Wait for it")).to_have_count(0)
    [route] = asked
    await route.abort()
