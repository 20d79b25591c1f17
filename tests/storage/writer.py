"""A process of its own that opens a Nova on a database and sends: ``python writer.py URI DATABASE``.

It reads one JSON order, ``{"jobs": [{"user", "chat", "name", "number", "client_ids"?}], "pipeline", "remove"?}``, says
``ready``, waits for a line, and then carries out the jobs at the same time. Each acknowledged send is a line ``[text,
message id]``, written before the next one is; the end is ``done``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from nova_tornado.app import NovaApp, open_nova
from nova_tornado.domain.errors import NovaError
from nova_tornado.settings import Settings


def say(line: Any) -> None:
    """Write a line at once: what was said is known, even if this process is killed right after it."""
    os.write(1, (json.dumps(line) + "\n").encode())


async def send_all(nova: NovaApp, job: dict[str, Any], pipeline: int) -> None:
    """Keep ``pipeline`` sends of one user under way."""
    user = await nova.services.accounts.get_user(job["user"])
    free = asyncio.Semaphore(pipeline)
    chat = await nova.services.chats.get(job["chat"])

    def note(text: str, done: Any) -> None:
        free.release()
        error = done.exception()
        if error is None:
            say([text, done.result().message.id])
        elif not isinstance(error, NovaError):
            raise error

    for number in range(job["number"]):
        await free.acquire()
        text = f"{job['name']}:{number}"
        client_id = text if job.get("client_ids") else None
        done = nova.log.send(chat, user, text, client_id=client_id)
        done.add_done_callback(lambda done, text=text: note(text, done))
    for _ in range(pipeline):
        await free.acquire()


async def remove(nova: NovaApp, order: dict[str, Any]) -> None:
    """Remove a member, and be killed in the middle of it: before or after the entries are written."""
    append = nova.store.messages.append

    async def die(*args: Any) -> None:
        if order["dies_late"]:
            await append(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    nova.store.messages.append = die
    actor = await nova.services.accounts.get_user(order["actor"])
    await nova.services.chats.remove_member(actor, order["chat"], order["user"])


async def main(uri: str, database: str, order: dict[str, Any]) -> None:
    """Carry the order out."""
    nova = await open_nova(Settings(bcrypt_rounds=4, rate_limits=False), uri, database=database)
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    if "remove" in order:
        await remove(nova, order["remove"])
    await asyncio.gather(*(send_all(nova, job, order["pipeline"]) for job in order["jobs"]))
    await nova.close()
    say("done")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.stdin.readline())))
