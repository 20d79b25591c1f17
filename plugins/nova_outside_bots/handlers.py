"""POST /hooks/<secret>: the door for incoming webhooks."""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError

from nova_outside_bots.incoming import HookUnknown, IncomingHooks
from nova_tornado.api import ActionsHandler, Checked, Request, Services, errors, rules

BODY_MAX_BYTES = 64 * 1024
TEXT_TYPE = "text/plain"
JSON_TYPE = "application/json"


class HookMessage(Request):
    """A message as JSON."""

    text = Checked(rules.check_text)
    client_message_id = Checked(lambda value, _key: rules.check_client_message_id(value))


class HookHandler(ActionsHandler):
    """/hooks/<secret>. The secret is all that the caller needs."""

    needs_session = False

    def initialize(self, services: Services, hooks: IncomingHooks | None = None) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services)
        assert hooks is not None
        self.hooks = hooks

    def read_body(self) -> None:
        """It is looked at when it is known that there is such a webhook."""

    async def post(self, secret: str) -> None:
        """Send a message."""
        try:
            hook = await self.hooks.find(secret)
            request = HookMessage().read(self._read_message())
            message = await self.hooks.post(hook, request["text"], request["client_message_id"])
        except HookUnknown:
            raise HTTPError(404) from None
        self.reply({"message_id": message.id})

    def _read_message(self) -> Any:
        """The body as it would be in JSON.

        Raises:
            TooLarge, Malformed: it is none that a webhook takes.
        """
        if len(self.request.body) > BODY_MAX_BYTES:
            raise errors.TooLarge(f"The body is larger than {BODY_MAX_BYTES // 1024} KiB")
        content_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type == JSON_TYPE:
            return super().read_body()
        if content_type != TEXT_TYPE:
            raise errors.Malformed(f"Content-Type must be {TEXT_TYPE} or {JSON_TYPE}")
        try:
            return {"text": self.request.body.decode()}
        except UnicodeDecodeError:
            raise errors.Malformed("The text is not in UTF-8") from None


PATH = r"/hooks/([A-Za-z0-9_-]{20,100})"
