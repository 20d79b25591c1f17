"""The endpoints of chat invitations. Source: actions document, Chat control APIs; contract "actions" section 5."""

from __future__ import annotations

from typing import Any

from nova_chat_invitations.invitations import ChatInvitation, ChatInvitations
from nova_tornado.api import ActionsHandler, Services, UserId, events, native_packets, path_id


def chat_invitation(invitation: ChatInvitation) -> dict[str, Any]:
    """The struct ChatInvitation."""
    return {
        "invitation_id": invitation.id,
        "chat_id": invitation.chat_id,
        "user": native_packets.user_basic(invitation.user),
        "invited_by": native_packets.user_basic(invitation.inviter),
        "created_at": invitation.created_us / 1e6,
    }


class InvitationsBase(ActionsHandler):
    """What the three endpoints share."""

    def initialize(self, services: Services, invitations: ChatInvitations | None = None) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services)
        assert invitations is not None
        self.invitations = invitations


class InviteHandler(InvitationsBase):
    """/chat/<id>/invite."""

    async def post(self, chat_id: str) -> None:
        """Propose a friend as a new member; owner and admins are told, the friend is not."""
        request = UserId().read(self.body)
        invitation, managers = await self.invitations.invite(self.user, path_id(chat_id), request["user_id"])
        self.services.bus.publish(
            events.Notice(tuple(managers), "chat_invitation", {"invitation": chat_invitation(invitation)})
        )
        self.reply()


class ListHandler(InvitationsBase):
    """/chat/<id>/invitation."""

    async def get(self, chat_id: str) -> None:
        """What waits for an answer."""
        invitations = await self.invitations.list_of(self.user, path_id(chat_id))
        self.reply([chat_invitation(invitation) for invitation in invitations])


class AnswerHandler(InvitationsBase):
    """/chat/<id>/invitation/<user id>."""

    async def post(self, chat_id: str, user_id: str) -> None:
        """Approve."""
        await self.invitations.approve(self.user, path_id(chat_id), path_id(user_id))
        self.reply()

    async def delete(self, chat_id: str, user_id: str) -> None:
        """Decline."""
        await self.invitations.decline(self.user, path_id(chat_id), path_id(user_id))
        self.reply()


ROUTES = [
    (r"/chat/([0-9]+)/invite", InviteHandler),
    (r"/chat/([0-9]+)/invitation", ListHandler),
    (r"/chat/([0-9]+)/invitation/([0-9]+)", AnswerHandler),
]
