"""What only the owner and the admins of a group may see and do."""

from __future__ import annotations

from nova_tornado.api import Ability, Nova, check_scope, errors, models

MANAGERS_ONLY = "Only the owner and admins can see and change the rules of a group, and what came of them"


async def get_managed(nova: Nova, caller: models.User, chat_id: int) -> models.Chat:
    """A group whose rules are the caller's business.

    Raises:
        ChatUnknown, PrivateChat, NoRight: it is not; looked at in this order.
    """
    check_scope(caller, Ability.CHANGE_CHATS)
    chat = await nova.services.chats.get(chat_id)
    if chat.is_private:
        raise errors.PrivateChat
    if caller.id not in chat.manager_ids:
        raise errors.NoRight(MANAGERS_ONLY)
    return chat
