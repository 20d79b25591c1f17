"""A plugin that raises and hangs whenever a drill wants it to; a drill alone has it.

It is found by the metadata that ``install`` writes into a folder on the server's path. A file says whether it is to be
bad.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from nova_tornado.api import Event, MessageFilter, OutgoingMessage, hookimpl, models
from nova_tornado.settings import PLUGIN_ENTRY_POINTS, TEST_VARIABLES

NAME = "nova_drill_trouble"
VARIABLE = f"{TEST_VARIABLES}DRILL_TROUBLE"
"""Names the file that is there while it is to be bad."""
HANG_S = 3_600.0


class Trouble:
    """A filter and a subscriber that do no good."""

    name = "trouble"
    fails_open = True

    def __init__(self) -> None:
        self._count = 0

    def concerns(self, chat: models.Chat, sender: models.User) -> bool:
        """Only while it is to be bad."""
        return _is_bad()

    async def check(self, message: OutgoingMessage) -> str | None:
        """Raise or hang, in turns."""
        await self._fail()
        return None

    async def on_event(self, event: Event) -> None:
        """Likewise."""
        if _is_bad():
            await self._fail()

    async def _fail(self) -> None:
        self._count += 1
        if self._count % 2:
            raise RuntimeError("as the drill wants it")
        await asyncio.sleep(HANG_S)


def _is_bad() -> bool:
    path = os.environ.get(VARIABLE)
    return path is not None and os.path.exists(path)


@hookimpl
def nova_message_filters() -> list[MessageFilter]:
    """What is asked before a message is stored."""
    return [Trouble()]


@hookimpl
def nova_subscribers() -> list[Trouble]:
    """What is told of what has happened."""
    return [Trouble()]


def install(folder: Path) -> dict[str, str]:
    """Make the plugin known to a server.

    Args:
        folder: a new one, for the plugin's metadata.

    Returns:
        The server's further variables.
    """
    metadata = folder / f"{NAME}-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[{PLUGIN_ENTRY_POINTS}]\n{NAME} = {__name__}\n")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": path, VARIABLE: str(folder / "trouble")}
