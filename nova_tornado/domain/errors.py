"""What can be refused, and why. No HTTP and no protocol in here.

::

    NovaError
    ├── Malformed                 the request cannot be read at all
    ├── BadField                  a field is missing, of wrong type or of bad value
    │   └── NothingToChange       the request is fine, but the state is already that
    ├── NotSignedIn               no valid session or token
    ├── WrongCredentials          unknown user or wrong password, one text for both
    ├── WrongPassword             the signed-in user gave a wrong old password
    ├── OriginRefused             a browser page of another site asked
    ├── UserUnknown, FriendGroupUnknown, FriendUnknown, InvitationUnknown, ChatUnknown, MessageUnknown
    ├── NotAMember                the chat exists, the caller is not in it
    ├── NoRight                   the caller is known and may not do this
    ├── PrivateChat               not possible in a private chat
    ├── NameTaken, EmailTaken, AlreadyFriends, AlreadyMember
    ├── MessageRefused            a rule of the chat or the server does not let the message pass
    ├── RepeatMismatch            a repeated send differs from the first
    ├── TooManyTokens             the account has as many live tokens as one protocol may give it
    ├── TooManyRequests           a limit on the number of requests
    ├── TooLarge                  a body or frame beyond the limit
    ├── Unavailable               the database does not answer; nothing was stored
    ├── OutcomeUnknown            it is not known whether it was stored; the send may be repeated
    └── Internal                  our fault; the message names the id in the log
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every kind of refusal; each protocol has one total table from these to its own shape."""

    MALFORMED = "malformed"
    BAD_FIELD = "bad_field"
    NOTHING_TO_CHANGE = "nothing_to_change"
    NOT_SIGNED_IN = "not_signed_in"
    WRONG_CREDENTIALS = "wrong_credentials"
    WRONG_PASSWORD = "wrong_password"
    ORIGIN_REFUSED = "origin_refused"
    USER_UNKNOWN = "user_unknown"
    FRIEND_GROUP_UNKNOWN = "friend_group_unknown"
    FRIEND_UNKNOWN = "friend_unknown"
    INVITATION_UNKNOWN = "invitation_unknown"
    CHAT_UNKNOWN = "chat_unknown"
    MESSAGE_UNKNOWN = "message_unknown"
    NOT_A_MEMBER = "not_a_member"
    NO_RIGHT = "no_right"
    PRIVATE_CHAT = "private_chat"
    NAME_TAKEN = "name_taken"
    EMAIL_TAKEN = "email_taken"
    ALREADY_FRIENDS = "already_friends"
    ALREADY_MEMBER = "already_member"
    MESSAGE_REFUSED = "message_refused"
    REPEAT_MISMATCH = "repeat_mismatch"
    TOO_MANY_TOKENS = "too_many_tokens"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    INTERNAL = "internal"


class NovaError(Exception):
    """A refusal that the caller is told of.

    Attributes:
        code: what kind of refusal it is; fixed by the class.
        message: one sentence for a person, without anything about our insides.
    """

    code: ErrorCode = ErrorCode.INTERNAL
    default_message = "Internal error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message


class Malformed(NovaError):
    """The request cannot be read at all."""

    code = ErrorCode.MALFORMED
    default_message = "Malformed request"


class BadField(NovaError):
    """A field is missing, of wrong type or of bad value."""

    code = ErrorCode.BAD_FIELD
    default_message = "Invalid value"


class NothingToChange(BadField):
    """What was asked for is already so."""

    code = ErrorCode.NOTHING_TO_CHANGE
    default_message = "Nothing to change"


class NotSignedIn(NovaError):
    """No valid session or token."""

    code = ErrorCode.NOT_SIGNED_IN
    default_message = "Invalid Session"


class WrongCredentials(NovaError):
    """Unknown user or wrong password; the same answer for both."""

    code = ErrorCode.WRONG_CREDENTIALS
    default_message = "Invalid username or password"


class WrongPassword(NovaError):
    """The signed-in user's old password does not fit."""

    code = ErrorCode.WRONG_PASSWORD
    default_message = "Old password is incorrect"


class OriginRefused(NovaError):
    """The request comes from a page of a site that is not allowed."""

    code = ErrorCode.ORIGIN_REFUSED
    default_message = "Origin not allowed"


class UserUnknown(NovaError):
    """No such user."""

    code = ErrorCode.USER_UNKNOWN
    default_message = "User not found"


class FriendGroupUnknown(NovaError):
    """No such friend group."""

    code = ErrorCode.FRIEND_GROUP_UNKNOWN
    default_message = "Group not found"


class FriendUnknown(NovaError):
    """That user is not a friend of the caller."""

    code = ErrorCode.FRIEND_UNKNOWN
    default_message = "Friend not found"


class InvitationUnknown(NovaError):
    """No such invitation."""

    code = ErrorCode.INVITATION_UNKNOWN
    default_message = "Invitation not found"


class ChatUnknown(NovaError):
    """No such chat."""

    code = ErrorCode.CHAT_UNKNOWN
    default_message = "Chat not found"


class MessageUnknown(NovaError):
    """No such message, or not in that chat."""

    code = ErrorCode.MESSAGE_UNKNOWN
    default_message = "Message not found"


class NotAMember(NovaError):
    """The caller is not in that chat."""

    code = ErrorCode.NOT_A_MEMBER
    default_message = "You are not a member of the chat"


class NoRight(NovaError):
    """The caller may not do this."""

    code = ErrorCode.NO_RIGHT
    default_message = "Permission denied"


class PrivateChat(NovaError):
    """Not possible in a private chat."""

    code = ErrorCode.PRIVATE_CHAT
    default_message = "Operation not allowed in a private chat"


class NameTaken(NovaError):
    """Another account has that user name."""

    code = ErrorCode.NAME_TAKEN
    default_message = "Username already exists"


class EmailTaken(NovaError):
    """Another account has that e-mail address."""

    code = ErrorCode.EMAIL_TAKEN
    default_message = "Email already exists"


class AlreadyFriends(NovaError):
    """The two are friends already."""

    code = ErrorCode.ALREADY_FRIENDS
    default_message = "User is already your friend"


class AlreadyMember(NovaError):
    """That user is in the chat already."""

    code = ErrorCode.ALREADY_MEMBER
    default_message = "User is already in the chat"


class MessageRefused(NovaError):
    """A filter does not let the message pass; the text says why."""

    code = ErrorCode.MESSAGE_REFUSED
    default_message = "The message was refused by a rule"


class RepeatMismatch(NovaError):
    """A send was repeated under the same client id with another text or chat."""

    code = ErrorCode.REPEAT_MISMATCH
    default_message = "client_message_id was used for another message"


class TooManyTokens(NovaError):
    """The account has as many live tokens of one issuer as it may have."""

    code = ErrorCode.TOO_MANY_TOKENS
    default_message = "Too many tokens: sign out somewhere else first"


class TooManyRequests(NovaError):
    """A limit on the number of requests was reached."""

    code = ErrorCode.TOO_MANY_REQUESTS
    default_message = "Too many requests, try again later"


class TooLarge(NovaError):
    """A body or frame beyond the limit."""

    code = ErrorCode.TOO_LARGE
    default_message = "Request is too large"


class Unavailable(NovaError):
    """The database does not answer; nothing was changed."""

    code = ErrorCode.UNAVAILABLE
    default_message = "Service temporarily unavailable, try again later"


class OutcomeUnknown(NovaError):
    """It is not known whether the change was stored."""

    code = ErrorCode.OUTCOME_UNKNOWN
    default_message = "It is not known whether this was stored: look before you repeat it"


class Internal(NovaError):
    """A fault of ours; the message names the id under which it was logged."""

    code = ErrorCode.INTERNAL
