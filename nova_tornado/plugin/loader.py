"""Finds plugins by their entry points, and stops the start with one clear line where one is not as it should be."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click
import pluggy
from tornado.web import RequestHandler

from nova_tornado.domain import rules
from nova_tornado.domain.errors import NovaError
from nova_tornado.domain.events import Event
from nova_tornado.plugin import hookspecs
from nova_tornado.realtime.hub import WireProtocol
from nova_tornado.settings import GivenValue
from nova_tornado.storage.database import CollectionSpec

if TYPE_CHECKING:
    from nova_tornado.api import Nova

OWN = "Nova itself"


class PluginError(Exception):
    """A plugin that stops the start; the text names it."""


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """What ``nova plugins`` shows of a plugin."""

    name: str
    version: str
    package: str
    hooks: tuple[str, ...]
    state: str


def _found() -> list[EntryPoint]:
    return sorted(entry_points(group=hookspecs.ENTRY_POINT_GROUP), key=lambda point: point.name)


def _check_collection(item: object) -> None:
    if not isinstance(item, CollectionSpec):
        raise TypeError(f"a collection is a CollectionSpec, not {type(item).__name__}")


def _check_route(item: object) -> None:
    match item:
        case (str() as path, type() as handler) | (str() as path, type() as handler, dict()):
            re.compile(path)
            if not issubclass(handler, RequestHandler):
                raise TypeError(f"the handler of {path!r} is no Tornado request handler")
        case _:
            raise TypeError("a route is (path, handler class) or (path, handler class, arguments)")


def _check_subscriber(item: object) -> None:
    if not inspect.iscoroutinefunction(getattr(item, "on_event", getattr(item, "on_events", None))):
        raise TypeError(f"a subscriber has a coroutine on_event or on_events; {type(item).__name__} has none")
    kinds = getattr(item, "event_types", ())
    if not isinstance(kinds, tuple) or not all(isinstance(kind, type) and issubclass(kind, Event) for kind in kinds):
        raise TypeError(
            f"event_types of a subscriber is a tuple of classes of events; that of {type(item).__name__} not"
        )


def _check_protocol(item: object) -> None:
    if not isinstance(item, hookspecs.MountedProtocol) or not isinstance(item.protocol, WireProtocol):
        raise TypeError(f"a protocol is a MountedProtocol of a WireProtocol, not {type(item).__name__}")
    for route in item.routes:
        _check_route(route)
    for subscriber in item.subscribers:
        _check_subscriber(subscriber)


def _check_option(item: object) -> None:
    if not isinstance(item, hookspecs.PluginOption):
        raise TypeError(f"a setting is a PluginOption, not {type(item).__name__}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", item.name):
        raise TypeError(f"{item.name!r} is no name of a setting")


def _check_filter(item: object) -> None:
    _check_attributes(item, "filter", name=str, fails_open=bool)
    if not callable(getattr(item, "concerns", None)) or not inspect.iscoroutinefunction(getattr(item, "check", None)):
        raise TypeError(f"a filter has concerns and a coroutine check; {type(item).__name__} has not")


def _check_bot(item: object) -> None:
    _check_attributes(item, "bot", name=str, avatar_url=str, help=str)
    rules.check_user_name(getattr(item, "name", None))
    if not inspect.iscoroutinefunction(getattr(item, "reply", None)):
        raise TypeError(f"a bot has a coroutine reply; {type(item).__name__} has none")


def _check_attributes(item: object, what: str, **types: type) -> None:
    for name, kind in types.items():
        if not isinstance(getattr(item, name, None), kind):
            raise TypeError(f"a {what} has {name}; {type(item).__name__} has none of the right type")


def _check_command(item: object) -> None:
    if not isinstance(item, hookspecs.Command):
        raise TypeError(f"a command is a Command, not {type(item).__name__}")
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", item.name) or not inspect.iscoroutinefunction(item.run):
        raise TypeError(f"command {item.name!r} needs a name of small letters and a coroutine run")


def _check_client_module(item: object) -> None:
    if not isinstance(item, hookspecs.ClientModule) or not isinstance(item.folder, Path):
        raise TypeError(f"a client module is a ClientModule of a folder, not {type(item).__name__}")
    if not item.folder.is_dir():
        raise TypeError(f"there is no folder {item.folder}")
    for name, suffix in ((item.entry, ".js"), (item.stylesheet or None, ".css"), (item.messages or None, "")):
        if name is None:
            continue
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.as_posix() != name:
            raise TypeError(f"{name!r} is no path in {item.folder}")
        if path.suffix != suffix or not ((item.folder / path).is_file() if suffix else (item.folder / path).is_dir()):
            raise TypeError(f"there is no {suffix or 'folder'} {name!r} in {item.folder}")


def _check_cli(item: object) -> None:
    if not isinstance(item, click.Command) or not item.name:
        raise TypeError(f"a command of the command line is a click.Command with a name, not {type(item).__name__}")


def _check_lifespan(item: object) -> None:
    if not isinstance(item, AbstractAsyncContextManager):
        raise TypeError(f"a lifespan is an asynchronous context manager, not {type(item).__name__}")


ITEM_CHECKS: Mapping[str, Callable[[object], None]] = {
    "nova_collections": _check_collection,
    "nova_routes": _check_route,
    "nova_protocols": _check_protocol,
    "nova_subscribers": _check_subscriber,
    "nova_settings": _check_option,
    "nova_message_filters": _check_filter,
    "nova_bots": _check_bot,
    "nova_commands": _check_command,
    "nova_client_modules": _check_client_module,
    "nova_cli": _check_cli,
    "nova_lifespan": _check_lifespan,
}
"""What each hook's items must be."""


class Plugins:
    """The plugins that are on.

    Args:
        off: names of those that are switched off.
        found: the entry points; by default those that are installed.

    Raises:
        PluginError: one is broken, there twice, or not as it should be, or ``off`` names one that is not there.
    """

    def __init__(self, off: Collection[str] = (), found: Iterable[EntryPoint] | None = None) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._settings: dict[str, Mapping[str, Any]] = {}
        points = _found() if found is None else list(found)
        self._check_names(points, off)
        self.infos: list[PluginInfo] = []
        described: dict[Distribution, tuple[str, str]] = {}  # its metadata is parsed anew whenever it is asked for
        for point in points:
            is_on = point.name not in off
            hooks = self._register(point) if is_on else ()
            if point.dist and point.dist not in described:
                metadata = point.dist.metadata
                described[point.dist] = metadata["Version"], metadata["Name"]
            version, package = described[point.dist] if point.dist else ("", "")
            self.infos.append(PluginInfo(point.name, version, package, hooks, "on" if is_on else "off"))

    @staticmethod
    def _check_names(points: list[EntryPoint], off: Collection[str]) -> None:
        names = [point.name for point in points]
        for name in names:
            if names.count(name) > 1:
                raise PluginError(
                    f"plugin {name}: installed twice ({', '.join(p.value for p in points if p.name == name)})"
                )
        for name in off:
            if name not in names:
                raise PluginError(f"plugin {name}: switched off in the settings, but there is none of that name")

    def _register(self, point: EntryPoint) -> tuple[str, ...]:
        try:
            plugin = point.load()
        except Exception as error:
            raise PluginError(f"plugin {point.name}: cannot be loaded: {_line(error)}") from error
        for name, function in inspect.getmembers(plugin, inspect.isroutine):
            if name.startswith("nova_") and not hasattr(function, f"{hookspecs.PROJECT}_impl"):
                raise PluginError(f"plugin {point.name}: {name} is not marked with @hookimpl")
        try:
            self._manager.register(plugin, point.name)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            raise PluginError(f"plugin {point.name}: {_line(error)}") from error
        callers = self._manager.get_hookcallers(plugin) or []
        return tuple(sorted(caller.name for caller in callers))

    def read_settings(self, given: Mapping[str, Mapping[str, GivenValue]]) -> None:
        """Check what the operator has set for plugins; ``settings_of`` has it then.

        Args:
            given: by plugin and name of the setting.

        Raises:
            PluginError: an unknown name, or a value that cannot be used.
        """
        options: dict[str, dict[str, hookspecs.PluginOption]] = {}
        for plugin, option in self.call("nova_settings"):
            if option.name in options.setdefault(plugin, {}):
                raise PluginError(f"plugin {plugin}: nova_settings gives {option.name!r} twice")
            options[plugin][option.name] = option
        self._settings = {
            plugin: MappingProxyType({name: option.default for name, option in known.items()})
            for plugin, known in options.items()
        }
        on = {info.name for info in self.infos if info.state == "on"}
        for plugin, values in given.items():
            if plugin not in on:
                continue
            read = dict(self._settings.get(plugin, {}))
            for name, value in values.items():
                option = options.get(plugin, {}).get(name)
                if option is None:
                    raise PluginError(f"{value.origin}: plugin {plugin} has no setting {name!r}")
                try:
                    read[name] = option.parse(value.value)
                except ValueError as error:
                    raise PluginError(f"{value.origin}: {_why_refused(option, value.value, error)}") from None
                except Exception as error:
                    raise PluginError(
                        f"{value.origin}: plugin {plugin} cannot check it: {type(error).__name__}"
                    ) from None
            self._settings[plugin] = MappingProxyType(read)

    def settings_of(self, plugin: str) -> Mapping[str, Any]:
        """A plugin's own settings, as read."""
        return self._settings.get(plugin, MappingProxyType({}))

    def call(self, hook: str, nova: Callable[[str], Nova] | None = None, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Call a hook of every plugin, in the order of their names.

        Args:
            nova: makes the facade of a plugin, by its name.

        Yields:
            ``(plugin name, item)`` for every item of what they return.

        Raises:
            PluginError: one raised, or returned what the hook is not for.
        """
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        for implementation in sorted(implementations, key=lambda each: each.plugin_name):
            try:
                if nova is not None:
                    arguments["nova"] = nova(implementation.plugin_name)
                given = {name: arguments[name] for name in implementation.argnames}
                items = list(implementation.function(**given) or ())
                for item in items:
                    ITEM_CHECKS[hook](item)
            except Exception as error:
                raise PluginError(f"plugin {implementation.plugin_name}: {hook} failed: {_line(error)}") from error
            for item in items:
                yield implementation.plugin_name, item

    def collect_collections(self, taken: Iterable[str]) -> list[CollectionSpec]:
        """The collections of all plugins.

        Args:
            taken: names that are the core's own.

        Raises:
            PluginError: two give the same name, or as for ``call``.
        """
        owners = dict.fromkeys(taken, OWN)
        specs = []
        for plugin, spec in self.call("nova_collections"):
            _claim(owners, spec.name, plugin, "nova_collections")
            specs.append(spec)
        return specs

    def collect_named(
        self, hook: str, nova: Callable[[str], Nova] | None = None, *, taken: Iterable[str] = ()
    ) -> list[tuple[str, Any]]:
        """What a hook gives, each with its plugin's name; the items' names must differ.

        Args:
            hook, nova: as for ``call``.
            taken: names that are the core's own.

        Raises:
            PluginError: two have the same name, or as for ``call``.
        """
        owners = dict.fromkeys(taken, OWN)
        found = []
        for plugin, item in self.call(hook, nova):
            _claim(owners, item.name, plugin, hook)
            found.append((plugin, item))
        return found

    def collect_protocols(
        self, own_protocol: str, nova: Callable[[str], Nova]
    ) -> list[tuple[str, hookspecs.MountedProtocol]]:
        """The protocols of all plugins, each with its plugin's name.

        Args:
            own_protocol: the name of the core's own one.
            nova: what the hooks get.

        Raises:
            PluginError: two have the same name, or as for ``call``.
        """
        owners = {own_protocol: OWN}
        protocols = []
        for plugin, mounted in self.call("nova_protocols", nova):
            _claim(owners, mounted.name, plugin, "nova_protocols")
            protocols.append((plugin, mounted))
        return protocols

    def collect_client_modules(self) -> list[tuple[str, hookspecs.ClientModule]]:
        """The parts of the browser client of all plugins, each with its plugin's name.

        Raises:
            PluginError: a plugin gives a module twice or modules of several folders, or as for ``call``.
        """
        modules: list[tuple[str, hookspecs.ClientModule]] = []
        folders: dict[str, Path] = {}
        for plugin, module in self.call("nova_client_modules"):
            if (plugin, module.entry) in [(name, each.entry) for name, each in modules]:
                raise PluginError(f"plugin {plugin}: nova_client_modules gives {module.entry!r} twice")
            if folders.setdefault(plugin, module.folder) != module.folder:
                raise PluginError(f"plugin {plugin}: nova_client_modules gives modules of two folders")
            modules.append((plugin, module))
        return modules

    def collect_routes(
        self,
        taken: Iterable[str],
        protocols: Iterable[tuple[str, hookspecs.MountedProtocol]],
        nova: Callable[[str], Nova],
    ) -> list[hookspecs.Route]:
        """The routes of all plugins, those of their protocols first.

        Args:
            taken: paths that are the core's own.
            protocols: as collected.
            nova: what the hooks get.

        Raises:
            PluginError: two give the same path, or as for ``call``.
        """
        owners = dict.fromkeys(taken, OWN)
        routes: list[hookspecs.Route] = []
        for plugin, mounted in protocols:
            for path, handler, *more in mounted.routes:
                _claim(owners, path, plugin, "nova_protocols")
                routes.append((path, handler, {"protocol": mounted.protocol, **dict(*more)}))
        for plugin, route in self.call("nova_routes", nova):
            _claim(owners, route[0], plugin, "nova_routes")
            routes.append(route)
        return routes


def _claim(owners: dict[str, str], name: str, plugin: str, hook: str) -> None:
    """Note whose a name is; raises ``PluginError`` if it is somebody's already."""
    if name in owners:
        raise PluginError(f"plugin {plugin}: {hook} gives {name!r}, which {owners[name]} has already")
    owners[name] = f"plugin {plugin}"


def _why_refused(option: hookspecs.PluginOption, value: object, error: ValueError) -> str:
    reason = _line(error)
    if not option.is_secret:
        return f"{value!r} {reason}"
    # Python's own errors, as those of int(), repeat what they could not read.
    return f"the value {reason if str(value) not in reason else 'cannot be used'}"


def _line(error: BaseException) -> str:
    text = error.message if isinstance(error, NovaError) else str(error)
    return " ".join(text.split()) or type(error).__name__
