"""The composition root: wires storage, realtime, services, protocols and plugins together."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from tornado.httpserver import HTTPServer
from tornado.websocket import WebSocketHandler

from nova_tornado.api import Nova, Offers
from nova_tornado.domain.errors import NovaError
from nova_tornado.native import chat_handlers, file_handlers, friend_handlers, socket, user_handlers
from nova_tornado.native.base import NotFoundHandler
from nova_tornado.native.packets import NAME as NATIVE_NAME
from nova_tornado.plugin.dispatch import Dispatcher
from nova_tornado.plugin.hookspecs import MountedProtocol
from nova_tornado.plugin.lifespans import LifespanError, Lifespans
from nova_tornado.plugin.loader import PluginError, PluginInfo, Plugins
from nova_tornado.plugin_strikes import Strikes
from nova_tornado.realtime.bus import Bus
from nova_tornado.realtime.chats import ChatCache
from nova_tornado.realtime.clock import Clock
from nova_tornado.realtime.directory import UserDirectory
from nova_tornado.realtime.freshness import Freshness
from nova_tornado.realtime.hub import Hub
from nova_tornado.realtime.keep_alive import KeepAlive
from nova_tornado.realtime.log import ChatLog
from nova_tornado.realtime.presence import Presence
from nova_tornado.realtime.relay import Relay
from nova_tornado.realtime.tails import Tails
from nova_tornado.realtime.transport import Transport
from nova_tornado.services.accounts import AccountService
from nova_tornado.services.bots import BotDesk
from nova_tornado.services.chats import ChatService
from nova_tornado.services.files import FileService
from nova_tornado.services.filters import Filters
from nova_tornado.services.friend_groups import FriendGroupService
from nova_tornado.services.friends import FriendService
from nova_tornado.services.mail import Mailer
from nova_tornado.services.messages import MessageService
from nova_tornado.services.passwords import PasswordHasher
from nova_tornado.services.purges import Purges
from nova_tornado.services.registrations import RegistrationService
from nova_tornado.services.resume import ResumeService
from nova_tornado.services.sign_in_limits import SignInLimits
from nova_tornado.settings import Settings, SettingsError
from nova_tornado.storage.database import Database, DatabaseUnusableError, as_nova_error
from nova_tornado.storage.store import COLLECTIONS, SchemaTooNewError, Store
from nova_tornado.web.application import NovaApplication
from nova_tornado.web.base import BODY_MAX_BYTES
from nova_tornado.web.client_address import ClientAddresses
from nova_tornado.web.health import HealthHandler
from nova_tornado.web.limits import RequestLimits
from nova_tornado.web.metrics import METRICS_PATH, HttpCounts, LoopLag, MetricsHandler, ServerCollector
from nova_tornado.web.origin import OriginPolicy
from nova_tornado.web.pages import ABOUT_PATH, About, AboutHandler, ClientPart, Pages, SpokenProtocol, make_modules
from nova_tornado.web.pages import ROUTES as PAGE_ROUTES
from nova_tornado.web.services import Services

log = logging.getLogger(__name__)

NATIVE_ROUTES = [
    *user_handlers.ROUTES,
    *friend_handlers.ROUTES,
    *chat_handlers.ROUTES,
    *file_handlers.ROUTES,
    *socket.ROUTES,
]
HEALTH_PATH = "/healthz"
READY_PATH = "/readyz"
HEADERS_MAX_BYTES = 32 * 1024
IDLE_HTTP_TIMEOUT_S = 75
BODY_TIMEOUT_S = 60
ANSWERS_PAUSE_S = 0.2
"""What was asked by sockets, and is no send, is answered by then, before they are asked to come back."""


class StartError(Exception):
    """Nova cannot start; the text is one clear line."""


def describe_plugins(settings: Settings) -> list[PluginInfo]:
    """The plugins that are installed.

    Raises:
        StartError: one is not as it should be.
    """
    try:
        return Plugins(settings.plugins_off).infos
    except PluginError as error:
        raise StartError(str(error)) from error


def load_for_workers(settings: Settings) -> None:
    """Load what every worker needs, before it is forked: they share it then, and start the sooner.

    Raises:
        StartError: a plugin is not as it should be.
    """
    try:
        parts, folders = _client_parts(Plugins(settings.plugins_off))
    except PluginError as error:
        raise StartError(str(error)) from error
    make_modules(tuple(parts), tuple(folders.items()))


def _client_parts(plugins: Plugins) -> tuple[list[ClientPart], dict[str, Path]]:
    """The plugins' parts of the browser client, and where the files of each plugin lie."""
    modules = plugins.collect_client_modules()
    parts = [ClientPart(plugin, each.entry, each.messages, each.stylesheet) for plugin, each in modules]
    return parts, {plugin: each.folder for plugin, each in modules}


class NovaApp:
    """A Nova that is wired up and connected. Made by ``open_nova``.

    Attributes:
        application: what Tornado serves.
        services: the rules.
        ready: whether it can serve (``/readyz``).
    """

    def __init__(
        self,
        settings: Settings,
        mongo_uri: str,
        database: str,
        clock: Clock,
        plugins: Plugins,
        transport: Transport | None = None,
        worker: int | None = None,
        *,
        is_sole_writer: bool = False,
    ) -> None:
        self._plugins = plugins
        self._worker = worker
        base_url = settings.links_base_url
        self.store = Store(Database(mongo_uri, database), base_url)
        self.bus = Bus()
        self.directory = UserDirectory(self.store.users)
        self.chat_cache = ChatCache(self.store)
        self.hub = Hub(self.store.memberships)
        self.keep_alive = KeepAlive()
        self.bus.add_sink(self.hub.publish, self.hub.publish)
        self.log = ChatLog(self.store, self.chat_cache, self.directory, self.bus, clock)
        freshness = Freshness(self.store.messages, self.log, is_sole_writer=is_sole_writer)
        self.tails = Tails(self.store.messages, freshness)
        self._passwords = PasswordHasher(settings.bcrypt_rounds)
        limits = SignInLimits(clock, settings.rate_limits)
        self.bus.add_sink(lambda _events: None, limits.hear)
        self.purges = Purges(self.store)
        self._strikes = Strikes()
        self._filters = Filters(self._strikes)
        self._http_counts = HttpCounts()
        self._lag = LoopLag()
        self._metrics_token = settings.metrics_token
        data = settings.data if settings.mongo is None else None
        self._metrics = CollectorRegistry()  # of its own: several Novas may run in one process
        self._metrics.register(
            ServerCollector(
                self.hub, self.log, self.bus, self._strikes, self._http_counts, self._lag, str(worker or 0), data
            )
        )
        self._of_plugins = settings.of_plugins
        self._data = settings.data
        self._offers = Offers()
        self._client_config = {"base_url": base_url, "file_max_bytes": settings.file_max_mib * 1024**2}
        self._facades: dict[str, Nova] = {}
        self._chats = ChatService(self.store, self.chat_cache, self.log, self.directory, clock, self.purges, freshness)
        groups = FriendGroupService(self.store)
        friends = FriendService(self.store, self.directory, self.bus, self.log, self._chats, groups)
        accounts = AccountService(
            self.store, self.directory, self.bus, clock, self._passwords, limits, self._chats, friends
        )
        self.services = Services(
            accounts=accounts,
            friend_groups=groups,
            friends=friends,
            chats=self._chats,
            messages=MessageService(
                self.store,
                self.chat_cache,
                self.log,
                self._chats,
                self.directory,
                self.bus,
                clock,
                self._filters,
                freshness,
                self.tails,
            ),
            files=FileService(self.store, self.chat_cache, clock, settings.file_max_mib * 1024**2),
            registrations=RegistrationService(
                self.store, clock, accounts, Mailer(settings), base_url, settings.rate_limits
            ),
            resume=ResumeService(self.store, self.chat_cache, self.directory, freshness, self.tails, self.bus),
            directory=self.directory,
            hub=self.hub,
            keep_alive=self.keep_alive,
            presence=Presence(self.hub, self.bus),
            bots=BotDesk(),
            bus=self.bus,
            clock=clock,
            request_limits=RequestLimits(clock, settings.rate_limits),
            origins=OriginPolicy(settings.allow_origin, settings.base_url),
            client_addresses=ClientAddresses(settings.trusted_proxies),
            pages=Pages(),
            is_https=settings.is_https,
        )
        self._tls_context = settings.tls_context()
        self.relay: Relay | None = None
        if transport is not None:
            self.relay = Relay(
                transport,
                database,
                store=self.store,
                chats=self.chat_cache,
                chat_log=self.log,
                hub=self.hub,
                bus=self.bus,
                directory=self.directory,
                presence=self.services.presence,
            )
        self.ready = False
        self._is_closed = False
        self._dispatcher: Dispatcher | None = None
        self._lifespans = Lifespans()

    async def open(self, *, is_prepared: bool = False) -> None:
        """Bring the database up to date, take the plugins in, and begin what runs beside the requests.

        Args:
            is_prepared: as for ``open_nova``.
        """
        self._strikes.begin(self._data, self._worker)
        protocols = await self.open_rules(is_prepared=is_prepared)
        nova = self.facade_of
        about = (ABOUT_PATH, AboutHandler, {"about": self._about(protocols)})
        routes: list[Any] = [*NATIVE_ROUTES, *PAGE_ROUTES, about]
        metrics = (METRICS_PATH, MetricsHandler, {"registry": self._metrics, "token": self._metrics_token})
        routes.append(metrics)
        own_paths = [HEALTH_PATH, READY_PATH, *(str(route[0]) for route in routes)]
        routes += self._plugins.collect_routes(own_paths, protocols, nova)
        self._open_pages()
        if self.relay is not None:
            await self.relay.open()
        await self.services.accounts.finish_deletions()
        await self.purges.open()
        await self.services.files.open()
        self.application = NovaApplication(
            [
                (HEALTH_PATH, HealthHandler, {"check": lambda: True}),
                (READY_PATH, HealthHandler, {"check": lambda: self.ready}),
                *((path, handler, {"services": self.services, **dict(*more)}) for path, handler, *more in routes),
            ],
            NotFoundHandler,
            self.services,
            self._http_counts,
        )
        await self._lifespans.begin(list(self._plugins.call("nova_lifespan", nova)))
        self._lag.start()
        self.ready = True

    async def open_rules(self, *, is_prepared: bool = False) -> list[tuple[str, MountedProtocol]]:
        """Bring the database up to date and take in what plugins add to the rules: all that is not for serving.

        Args:
            is_prepared: as for ``open_nova``.

        Returns:
            The protocols of all plugins.
        """
        self._plugins.read_settings(self._of_plugins)
        specs = tuple(self._plugins.collect_collections([spec.name for spec in COLLECTIONS]))
        if not is_prepared:
            await self.store.prepare(specs)
        await self.services.accounts.open()
        nova = self.facade_of
        self._filters.set(self._plugins.collect_named("nova_message_filters", nova))
        self._offers.bots += [bot for _, bot in self._plugins.collect_named("nova_bots", nova)]
        self._offers.commands += [command for _, command in self._plugins.collect_named("nova_commands", nova)]
        protocols = self._plugins.collect_protocols(NATIVE_NAME, nova)
        subscribers = [(plugin, each) for plugin, mounted in protocols for each in mounted.subscribers]
        subscribers += self._plugins.call("nova_subscribers", nova)
        self._dispatcher = Dispatcher(subscribers, self._strikes)
        self.bus.add_sink(self._dispatcher.publish, self._dispatcher.publish_from_elsewhere)
        return protocols

    def _open_pages(self) -> None:
        self.services.pages.open(self._client_config, *_client_parts(self._plugins))

    def _about(self, protocols: list[tuple[str, MountedProtocol]]) -> About:
        spoken = [SpokenProtocol(NATIVE_NAME, _shown_paths(NATIVE_ROUTES))]
        spoken += [SpokenProtocol(each.name, _shown_paths(each.routes)) for _, each in protocols]
        return About(lambda: self.ready, [info.name for info in self._plugins.infos if info.state == "on"], spoken)

    def facade_of(self, plugin: str) -> Nova:
        """What a plugin gets of the server."""
        if plugin not in self._facades:
            settings = self._plugins.settings_of(plugin)
            self._facades[plugin] = Nova(self.services, settings, self.store, self._offers, is_alone=self.relay is None)
        return self._facades[plugin]

    async def plugins_told(self) -> None:
        """Return when the subscribers of plugins were told of everything that has happened so far."""
        if self._dispatcher is not None:
            await self._dispatcher.drained()

    def http_server(self) -> HTTPServer:
        """A server for the application with our bounds; the caller binds its sockets."""
        return HTTPServer(
            self.application,
            max_body_size=BODY_MAX_BYTES,
            max_buffer_size=BODY_MAX_BYTES + HEADERS_MAX_BYTES,
            max_header_size=HEADERS_MAX_BYTES,
            idle_connection_timeout=IDLE_HTTP_TIMEOUT_S,
            body_timeout=BODY_TIMEOUT_S,
            ssl_options=self._tls_context,
        )

    async def move_clients(self, timeout_s: float) -> None:
        """Take no more frames from sockets, finish what was accepted, and ask everybody to come back; requests by HTTP
        are still served.
        """
        self.hub.is_leaving = True
        await asyncio.sleep(ANSWERS_PAUSE_S)
        try:
            async with asyncio.timeout(timeout_s):
                await self.log.settle()
        except TimeoutError:
            log.warning("what was accepted could not be finished within %.0f s, clients are to ask again", timeout_s)
        self.hub.close_all()

    async def drain(self, timeout_s: float) -> None:
        """Finish what was accepted and ask everybody to come back."""
        self.ready = False
        self.hub.is_leaving = True
        await self._lifespans.end()
        try:
            async with asyncio.timeout(timeout_s):
                await self.log.close()
        except TimeoutError:
            log.error("what was accepted could not be finished within %.0f s", timeout_s)
        self.hub.close_all()

    async def close(self) -> None:
        """Let go of everything."""
        if self._is_closed:
            return
        self._is_closed = True
        self.ready = False
        self._lag.stop()
        await self._lifespans.end()
        self.keep_alive.close()
        await self.services.accounts.close()
        await self.log.close()
        if self._dispatcher is not None:
            await self._dispatcher.close()
        if self.relay is not None:
            await self.relay.close()
        await self.purges.close()
        await self.services.files.close()
        self._passwords.close()
        await self.store.database.close()


async def open_nova(
    settings: Settings,
    mongo_uri: str,
    *,
    database: str = "nova",
    clock: Clock | None = None,
    plugins: Plugins | None = None,
    transport: Transport | None = None,
    worker: int | None = None,
    is_sole_writer: bool = False,
    is_prepared: bool = False,
) -> NovaApp:
    """Make a Nova that can serve.

    Args:
        settings: all of them.
        mongo_uri: of a replica set.
        database: its database.
        clock: the time; tests bring their own.
        plugins: those that are on; by default the installed ones less ``settings.plugins_off``.
        transport: joins it with other processes of the same Nova; it is opened and closed with it. None: the Redis of
            the settings does, or it is alone.
        worker: the number of this process among the workers of a server; None if it is the only one.
        is_sole_writer: no other server uses the database, so that what is in memory need not be compared with it.
        is_prepared: another process with the same plugins has just made sure that the database has all collections
            and indexes; asking for each of them is most of what a start costs.

    Raises:
        StartError: a bad plugin, a database that cannot be reached or was written by a newer Nova.
    """
    if transport is None and settings.redis is not None:
        # Imported late: who uses no Redis does not pay for it.
        from nova_tornado.realtime.redis_transport import RedisTransport

        transport = RedisTransport(settings.redis)
    try:
        plugins = plugins or Plugins(settings.plugins_off)
        app = NovaApp(
            settings,
            mongo_uri,
            database,
            clock or Clock(),
            plugins,
            transport,
            worker,
            is_sole_writer=is_sole_writer,
        )
    except (PluginError, DatabaseUnusableError, SettingsError) as error:
        raise StartError(str(error)) from error
    try:
        await app.store.database.check()
        await app.open(is_prepared=is_prepared)
    except Exception as error:
        await app.close()
        if (refusal := _as_start_error(error)) is not None:
            raise refusal from error
        raise
    return app


@asynccontextmanager
async def open_for_command(
    settings: Settings, mongo_uri: str, database: str, plugin: str, plugins: Plugins | None = None
) -> AsyncIterator[Nova]:
    """Make the rules of a Nova, without anything that serves, for a command beside a running server.

    Args:
        settings: all of them.
        mongo_uri, database, plugins: as for ``open_nova``.
        plugin: whose facade it is.

    Raises:
        StartError: as for ``open_nova``, or the plugin is switched off.
    """
    try:
        plugins = plugins or Plugins(settings.plugins_off)
        if plugin in settings.plugins_off:
            raise StartError(f"plugin {plugin} is switched off")
        app = NovaApp(settings, mongo_uri, database, Clock(), plugins)
    except (PluginError, DatabaseUnusableError) as error:
        raise StartError(str(error)) from error
    try:
        try:
            await app.store.database.check()
            await app.open_rules()
        except Exception as error:
            if (refusal := _as_start_error(error)) is not None:
                raise refusal from error
            raise
        yield app.facade_of(plugin)
    finally:
        await app.close()


def _shown_paths(routes: Iterable[Any]) -> list[str]:
    """Where one begins to look: sockets, and the first parts of all other paths."""
    firsts = (re.match(r"/\w*", path) for path, *_ in routes)
    paths = [
        path if issubclass(handler, WebSocketHandler) else first[0]
        for (path, handler, *_), first in zip(routes, firsts, strict=True)
        if first is not None
    ]
    return list(dict.fromkeys(paths))


def _as_start_error(error: Exception) -> StartError | None:
    if isinstance(error, PluginError | LifespanError | SchemaTooNewError | DatabaseUnusableError | NovaError):
        return StartError(str(error))
    if (refusal := as_nova_error(error)) is not None:
        return StartError(f"the database cannot be used: {refusal.message}")
    return None
