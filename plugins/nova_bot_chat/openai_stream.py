"""Chat completions as they come: server-sent events out of lines, pieces of text out of events.

Source: WHATWG HTML, section 9.2.6 (interpreting an event stream); the chat completions of OpenAI's API reference.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from nova_tornado.api import NovaError, loads_exact

END = "[DONE]"
MARKS = {
    "length": "\n\n[cut off: the answer is longer than the service allows]",
    "content_filter": "\n\n[cut off by the content filter of the service]",
}
"""What is added to an answer that ended for such a reason."""


class BrokenStream(Exception):
    """The events are no chat completion, or it is incomplete."""


async def read_events(lines: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """The data of each event.

    Args:
        lines: without their ends. An event that the last one leaves open counts: the last empty line is often missing.
    """
    data: list[str] = []
    is_first = True
    async for line in lines:
        if is_first:
            line, is_first = line.removeprefix("\ufeff"), False
        if not line:
            if data:
                yield "\n".join(data)
            data = []
            continue
        name, _, value = line.partition(":")
        if name == "data":  # a line that begins with a colon is a comment; of the other fields none is needed
            data.append(value.removeprefix(" "))
    if data:
        yield "\n".join(data)


async def read_pieces(lines: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """The text of an answer, piece by piece, and at its end a mark if it is not all that there was to say.

    Raises:
        BrokenStream: what came is no chat completion, it tells of an error, or it ended early.
    """
    is_ended = False
    async with aclosing(read_events(lines)) as events:
        async for event in events:
            if event.strip() == END:
                return
            choice = _first_choice(event)
            delta = choice.get("delta")
            content = delta.get("content") if isinstance(delta, dict) else None
            if isinstance(content, str) and (piece := _clean(content)):
                yield piece
            if (reason := choice.get("finish_reason")) is not None:
                is_ended = True
                if mark := MARKS.get(str(reason)):
                    yield mark
    if not is_ended:
        raise BrokenStream("the answer broke off")


def _first_choice(event: str) -> dict[str, Any]:
    """What an event says of the one answer that was asked for; {} if nothing (such as figures of usage)."""
    try:
        value = loads_exact(event)
    except NovaError:
        raise BrokenStream("an event is no JSON") from None
    if not isinstance(value, dict) or value.get("error"):
        raise BrokenStream("the service reported an error")
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return {}
    return choices[0] if choices[0].get("index", 0) == 0 else {}


def _clean(text: str) -> str:
    """Text without control characters but tab and newline."""
    return "".join(character for character in text if character >= " " or character in "\n\t")
