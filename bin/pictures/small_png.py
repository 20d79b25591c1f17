"""Pictures of few bytes: a screen has few colours, so 256 of them do. The browser reads the picture and counts."""

import base64
import zlib

from playwright.async_api import Page

COLORS = 256

REDUCE = """async ([png, most]) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const {width, height} = image;
  const canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const {data} = canvas.getImageData(0, 0, width, height);
  const counts = new Map();
  const colorAt = (place) => data[place] << 16 | data[place + 1] << 8 | data[place + 2];
  for (let place = 0; place < data.length; place += 4) {
    const color = colorAt(place);
    counts.set(color, (counts.get(color) ?? 0) + 1);
  }
  // Median cut: the box of colours that errs most is cut in two where half of its pixels lie on either side.
  const parts = [(color) => color >> 16, (color) => color >> 8 & 255, (color) => color & 255];
  const box = (colors) => {
    const spans = parts.map((part) => {
      let [least, most] = [255, 0];
      for (const [color] of colors) [least, most] = [Math.min(least, part(color)), Math.max(most, part(color))];
      return most - least;
    });
    const pixels = colors.reduce((sum, [, count]) => sum + count, 0);
    const widest = spans.indexOf(Math.max(...spans));
    return {colors, pixels, part: parts[widest], error: spans[widest] ** 2 * Math.sqrt(pixels)};
  };
  const boxes = [box([...counts])];
  while (boxes.length < most) {
    boxes.sort((one, other) => other.error - one.error);
    const {colors, pixels, part, error} = boxes[0];
    if (error === 0) break;
    colors.sort(([one], [other]) => part(one) - part(other));
    let [at, passed] = [0, 0];
    while (at < colors.length - 1 && passed + colors[at][1] <= pixels / 2) passed += colors[at++][1];
    at = Math.max(1, at);
    boxes.splice(0, 1, box(colors.slice(0, at)), box(colors.slice(at)));
  }
  const index = new Map();
  const palette = boxes.flatMap(({colors, pixels}, number) => {
    for (const [color] of colors) index.set(color, number);
    // What stands for most of the box stays exactly what it is: large areas must not change.
    const [main, count] = colors.reduce((best, each) => (each[1] > best[1] ? each : best));
    const mean = (part) => colors.reduce((sum, [color, times]) => sum + part(color) * times, 0) / pixels;
    return parts.map((part) => (count > pixels / 2 ? part(main) : Math.round(mean(part))));
  });
  let text = "";
  for (let place = 0; place < data.length; place += 4) text += String.fromCharCode(index.get(colorAt(place)));
  return {width, height, palette, pixels: btoa(text)};
}"""


async def smaller(page: Page, png: bytes) -> bytes:
    """The same picture with a palette.

    Args:
        page: any page without a content policy, to count in.
    """
    reduced = await page.evaluate(REDUCE, [base64.b64encode(png).decode(), COLORS])
    width, height = reduced["width"], reduced["height"]
    pixels = base64.b64decode(reduced["pixels"])
    rows = b"".join(b"\0" + pixels[start : start + width] for start in range(0, len(pixels), width))
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 3, 0, 0, 0))
    chunks = (
        (b"IHDR", header),
        (b"PLTE", bytes(reduced["palette"])),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
