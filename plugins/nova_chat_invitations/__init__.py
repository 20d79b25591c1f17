"""Invitations to group chats that the owner or an admin approves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nova_chat_invitations.handlers import ROUTES
from nova_chat_invitations.invitations import CHAT_INVITATIONS, ChatInvitations
from nova_tornado.api import ClientModule, CollectionSpec, Nova, Route, Subscriber, hookimpl


@hookimpl
def nova_collections() -> Sequence[CollectionSpec]:
    """Where pending invitations are kept."""
    return [CHAT_INVITATIONS]


@hookimpl
def nova_routes(nova: Nova) -> Sequence[Route]:
    """The endpoints below /chat/<id>."""
    return [(path, handler, {"invitations": ChatInvitations(nova)}) for path, handler in ROUTES]


@hookimpl
def nova_subscribers(nova: Nova) -> Sequence[Subscriber]:
    """Invitations go when what they are about goes."""
    return [ChatInvitations(nova)]


@hookimpl
def nova_client_modules() -> Sequence[ClientModule]:
    """Proposing and approving in the browser client."""
    return [ClientModule(Path(__file__).parent / "client", messages="messages", stylesheet="invitations.css")]
