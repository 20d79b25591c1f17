"""Chat completions as an OpenAI-compatible service streams them, for a `ScriptedHost`."""

import json

from scripted_host import LAST_CHUNK, answer_head, chunks

STREAM = answer_head(Content_Type="text/event-stream", Transfer_Encoding="chunked")
DONE = b"data: [DONE]\n\n"


def event(content=None, **choice):
    """A chunk of a completion."""
    delta = {} if content is None else {"content": content}
    value = {"choices": [{"index": 0, "delta": delta, "finish_reason": None} | choice]}
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def completion(*contents):
    """A script of a whole answer."""
    end = event(finish_reason="stop") + DONE
    return [STREAM, *(chunks(event(content), 4096) for content in contents), chunks(end, 4096), LAST_CHUNK]
