"""How the actions protocol shows refusals: one total table from our codes to its statuses.

Source: actions document; contract "actions" sections 1 to 6.
"""

from __future__ import annotations

from nova_tornado.domain.errors import ErrorCode

HTTP_STATUS: dict[ErrorCode, int] = {
    ErrorCode.MALFORMED: 400,
    ErrorCode.BAD_FIELD: 400,
    ErrorCode.NOTHING_TO_CHANGE: 400,
    ErrorCode.NOT_SIGNED_IN: 403,
    ErrorCode.WRONG_CREDENTIALS: 403,
    ErrorCode.WRONG_PASSWORD: 403,
    ErrorCode.ORIGIN_REFUSED: 403,
    ErrorCode.USER_UNKNOWN: 400,
    ErrorCode.FRIEND_GROUP_UNKNOWN: 400,
    ErrorCode.FRIEND_UNKNOWN: 400,
    ErrorCode.INVITATION_UNKNOWN: 400,
    ErrorCode.CHAT_UNKNOWN: 400,
    ErrorCode.MESSAGE_UNKNOWN: 400,
    ErrorCode.NOT_A_MEMBER: 403,
    ErrorCode.NO_RIGHT: 403,
    ErrorCode.PRIVATE_CHAT: 400,
    ErrorCode.NAME_TAKEN: 409,
    ErrorCode.EMAIL_TAKEN: 409,
    ErrorCode.ALREADY_FRIENDS: 409,
    ErrorCode.ALREADY_MEMBER: 400,
    ErrorCode.MESSAGE_REFUSED: 403,
    ErrorCode.REPEAT_MISMATCH: 409,
    ErrorCode.TOO_MANY_TOKENS: 403,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.OUTCOME_UNKNOWN: 503,
    ErrorCode.INTERNAL: 500,
}
"""The HTTP status of each refusal; where one endpoint differs, its handler says so (``statuses``)."""

SOCKET_CODE: dict[ErrorCode, int] = {
    code: status if status in (413, 429, 500, 503) else 400 for code, status in HTTP_STATUS.items()
}
"""The ``code`` of an error packet: 400 for whatever is the client's fault (actions document, Error packets)."""

NOT_AUTHENTICATED_CODE = 403
"""The ``code`` of the one packet that a socket without a session gets."""
