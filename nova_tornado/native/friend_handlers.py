"""/friend: friends, their groups and invitations.

Source: actions document, Friend control APIs, Friend Group control APIs; contract "actions" sections 3 and 4.
"""

from __future__ import annotations

from types import MappingProxyType

from nova_tornado.domain.errors import BadField, ErrorCode
from nova_tornado.domain.rules import check_id
from nova_tornado.native import packets
from nova_tornado.native.base import ActionsHandler, path_id
from nova_tornado.native.schemas import AnyFields, GroupName, UserName


class AddGroupHandler(ActionsHandler):
    """/friend/group/add."""

    async def post(self) -> None:
        """Make a friend group."""
        request = GroupName().read(self.body)
        group = await self.services.friend_groups.create(self.user, request["group_name"])
        self.reply(packets.friend_group(group))


class ListGroupsHandler(ActionsHandler):
    """/friend/group/list."""

    async def get(self) -> None:
        """The caller's groups, the default one first."""
        groups = await self.services.friend_groups.list_of(self.user)
        self.reply([packets.friend_group(group) for group in groups])


class GroupHandler(ActionsHandler):
    """/friend/group/<id>."""

    get_statuses = MappingProxyType({ErrorCode.FRIEND_GROUP_UNKNOWN: 404})

    async def get(self, group_id: str) -> None:
        """One of the caller's groups."""
        self.reply(packets.friend_group(await self.services.friend_groups.get(self.user, path_id(group_id))))

    async def patch(self, group_id: str) -> None:
        """Rename a group."""
        request = GroupName().read(self.body)
        group = await self.services.friend_groups.rename(self.user, path_id(group_id), request["group_name"])
        self.reply(packets.friend_group(group))

    async def delete(self, group_id: str) -> None:
        """Delete a group; its friends move to the default one."""
        await self.services.friend_groups.delete(self.user, path_id(group_id))
        self.reply()


class FindHandler(ActionsHandler):
    """/friend/find."""

    async def post(self) -> None:
        """Find users by id or by a part of the name; ``id`` wins wherever it is given."""
        request = AnyFields().read(self.body)
        if "id" in request:
            found = await self.services.accounts.find_account(check_id(request["id"], "id"))
            self.reply([packets.user_basic(found)] if found is not None and found.id != self.user.id else [])
        elif "name_contains" in request:
            part = UserName().read(request)["name_contains"]
            pages = self.services.accounts.search_by_name(part)
            await self.reply_pages(
                (packets.user_basic(user) for user in page if user.id != self.user.id) async for page in pages
            )
        else:
            raise BadField("Field id or name_contains is missing")


class InviteHandler(ActionsHandler):
    """/friend/invite."""

    async def post(self) -> None:
        """Ask for friendship, or accept what was asked."""
        friend = await self.services.friends.invite(self.user, AnyFields().read(self.body))
        self.reply(packets.friend(friend) if friend is not None else None)


class InvitationsHandler(ActionsHandler):
    """/friend/invitation."""

    async def get(self) -> None:
        """What the caller was asked."""
        invitations = await self.services.friends.list_received(self.user)
        self.reply([packets.friend_invitation(invitation) for invitation in invitations])


class InvitationHandler(ActionsHandler):
    """/friend/invitation/<id>."""

    async def post(self, invitation_id: str) -> None:
        """Accept."""
        self.reply(packets.friend(await self.services.friends.accept(self.user, path_id(invitation_id))))

    async def delete(self, invitation_id: str) -> None:
        """Reject."""
        await self.services.friends.reject(self.user, path_id(invitation_id))
        self.reply()


class FriendsHandler(ActionsHandler):
    """/friend."""

    async def get(self) -> None:
        """The caller's friends."""
        self.reply([packets.friend(friend) for friend in await self.services.friends.list_of(self.user)])


class FriendHandler(ActionsHandler):
    """/friend/<user id>."""

    get_statuses = MappingProxyType({ErrorCode.FRIEND_UNKNOWN: 404})

    async def get(self, user_id: str) -> None:
        """One friend."""
        self.reply(packets.friend(await self.services.friends.get(self.user, path_id(user_id))))

    async def patch(self, user_id: str) -> None:
        """Change nickname and/or group."""
        request = AnyFields().read(self.body)
        self.reply(packets.friend(await self.services.friends.update(self.user, path_id(user_id), request)))

    async def delete(self, user_id: str) -> None:
        """End the friendship."""
        await self.services.friends.delete(self.user, path_id(user_id))
        self.reply()


ROUTES = [
    (r"/friend/group/add", AddGroupHandler),
    (r"/friend/group/list", ListGroupsHandler),
    (r"/friend/group/([0-9]+)", GroupHandler),
    (r"/friend/find", FindHandler),
    (r"/friend/invite", InviteHandler),
    (r"/friend/invitation", InvitationsHandler),
    (r"/friend/invitation/([0-9]+)", InvitationHandler),
    (r"/friend", FriendsHandler),
    (r"/friend/([0-9]+)", FriendHandler),
]
