"""The base of what comes in, by every protocol: marshmallow schemas over the rules of ``domain.rules``.

Fields are checked in the order of their definition, and the first that is wrong is answered. Null counts as missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, missing

from nova_tornado.domain.errors import Malformed


class Checked(fields.Field[Any]):
    """A field that one of ``domain.rules`` checks.

    Args:
        check: called with the value (None if missing or null) and the field's name; raises ``BadField``.
    """

    def __init__(self, check: Callable[[Any, str], Any]) -> None:
        super().__init__(allow_none=True)
        self._check = check

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Check the value (called by marshmallow)."""
        return self._check(None if value is missing else value, attr or "")


def optional(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """A check that lets a missing field pass, as None."""
    return lambda value, key: None if value is None else check(value, key)


class Request(Schema):
    """The base of all requests: unknown fields are ignored."""

    class Meta:
        """Read by marshmallow."""

        unknown = EXCLUDE

    def read(self, body: Any) -> dict[str, Any]:
        """The checked fields of a request's body.

        Raises:
            Malformed: the body is missing or no object.
            BadField: the first field that is wrong.
        """
        if not isinstance(body, dict):
            raise Malformed("The body must be a JSON object")
        loaded: dict[str, Any] = self.load(body)
        return loaded
