"""The parts that handlers work with, under one name."""

from __future__ import annotations

from dataclasses import dataclass

from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.hub import Hub
from nova_tornado.realtime.keep_alive import KeepAlive
from nova_tornado.realtime.presence import Presence
from nova_tornado.services.accounts import AccountService
from nova_tornado.services.bots import BotDesk
from nova_tornado.services.chats import ChatService
from nova_tornado.services.files import FileService
from nova_tornado.services.friend_groups import FriendGroupService
from nova_tornado.services.friends import FriendService
from nova_tornado.services.messages import MessageService
from nova_tornado.services.registrations import RegistrationService
from nova_tornado.services.resume import ResumeService
from nova_tornado.web.client_address import ClientAddresses
from nova_tornado.web.limits import RequestLimits
from nova_tornado.web.origin import OriginPolicy
from nova_tornado.web.pages import Pages


@dataclass(frozen=True, slots=True)
class Services:
    """What a handler may use."""

    accounts: AccountService
    friend_groups: FriendGroupService
    friends: FriendService
    chats: ChatService
    messages: MessageService
    files: FileService
    registrations: RegistrationService
    resume: ResumeService
    directory: UserDirectory
    hub: Hub
    keep_alive: KeepAlive
    presence: Presence
    bots: BotDesk
    bus: Bus
    clock: Clock
    request_limits: RequestLimits
    origins: OriginPolicy
    client_addresses: ClientAddresses
    pages: Pages
    is_https: bool
