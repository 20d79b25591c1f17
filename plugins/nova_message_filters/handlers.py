"""POST /chat/<id>/filter. Source: actions document, filter_messages; contract "actions" section 5."""

from __future__ import annotations

import math
from typing import Any

from nova_tornado.api import AnyFields, HistoryHandler, MessageSearch, errors, models, path_id, rules

TIME_MIN_S = -62_135_596_800
TIME_MAX_S = 253_402_300_799
"""The years 1 to 9999."""


def read_time_us(value: object, key: str) -> int | None:
    """A time from a client, in microseconds; None for "nan", which counts as not given.

    Args:
        value: a number or a numeric string, in seconds since 1970.
        key: the field's name.

    Raises:
        BadField: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise errors.BadField(f"Data type error for key {key}")
    try:
        time_s = float(value)
    except ValueError:
        raise errors.BadField(f"Field {key} must be a number") from None
    if math.isnan(time_s):
        return None
    if not TIME_MIN_S <= time_s <= TIME_MAX_S:
        raise errors.BadField(f"Field {key} is out of range")
    return round(time_s * 1e6)


class FilterHandler(HistoryHandler):
    """/chat/<id>/filter."""

    async def post(self, chat_id: str) -> None:
        """The messages that match all conditions, newest first."""
        chat = await self.services.chats.get_for(self.user.id, path_id(chat_id))
        search = self._read(AnyFields().read(self.body), chat)
        await self.reply_messages(self.services.messages.iterate(chat, search, viewer_id=self.user.id))

    def _read(self, request: dict[str, Any], chat: models.Chat) -> MessageSearch:
        times = {key: read_time_us(request[key], key) if key in request else None for key in ("begin_time", "end_time")}
        sender_ids = None
        if request.get("sender") is not None:
            sender_ids = self._read_senders(request["sender"], chat)
        if sender_ids is None and all(time is None for time in times.values()):
            raise errors.BadField("At least one of begin_time, end_time and sender must be given")
        return MessageSearch(times["begin_time"], times["end_time"], sender_ids)

    def _read_senders(self, senders: object, chat: models.Chat) -> list[int]:
        if not isinstance(senders, list):
            raise errors.BadField("Data type error for key sender")
        system_ids = {self.services.directory.system.id, self.services.directory.deleted.id}
        sender_ids = [rules.check_id(sender, "sender") for sender in senders]
        if any(sender_id not in chat.members and sender_id not in system_ids for sender_id in sender_ids):
            raise errors.BadField("Every sender must be a member of the chat")
        return sender_ids
