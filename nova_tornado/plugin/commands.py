"""What commands of the command line share, those of plugins included: the flags of all settings, and a connected Nova.

Only what reads the settings is imported here: `nova serve` must not wait for more, see cli.py.
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nova_tornado.settings import OPTIONS, Settings, SettingsError, load

if TYPE_CHECKING:
    from nova_tornado.api import Nova

OPENER = "nova_tornado.opener"
"""Where the context of a plugin's command has its ``Opener``."""

Opener = Callable[[Settings], "AbstractAsyncContextManager[Nova]"]
"""Connects to the database, and makes the facade of the plugin that the running command is of."""

HELP = {
    "host": ("NAME", "The name or address to listen on. [default: 127.0.0.1]"),
    "port": ("NUMBER", "The port to listen on; 0 is any free one. [default: 8000]"),
    "data": ("FOLDER", "The folder of the embedded database and of mails. [default: nova-data]"),
    "mongo": ("URI", "A MongoDB to use instead of the embedded one."),
    "redis": ("URI", "A Redis that joins the processes that serve one database, on one machine or several."),
    "workers": ("NUMBER", "Processes that share the port, 1 to 64. [default: 1]"),
    "tls_cert": ("FILE", "The certificate, in PEM, to speak https and wss with; needs --tls-key."),
    "tls_key": ("FILE", "The certificate's private key, in PEM."),
    "base_url": ("URL", "What links begin with. [default: from host and port]"),
    "mail_dir": ("FOLDER", "Where mails are written to. [default: mail in the data folder]"),
    "smtp": ("URL", "Where mails are sent to instead: smtp[s]://[user:password@]host[:port]."),
    "mail_from": ("ADDRESS", "Whom mails come from. [default: nova at the host of the base URL]"),
    "file_max_mib": ("NUMBER", "How large an uploaded file may be, in MiB, 1 to 1024. [default: 25]"),
    "bcrypt_rounds": ("NUMBER", "The cost of a password's hash, 4 to 31. [default: 12]"),
    "rate_limits": ("on|off", "Whether too many requests are refused. [default: on]"),
    "allow_origin": ("ORIGIN", "A further origin that browsers may use Nova from; may be repeated."),
    "trusted_proxies": ("ADDRESS", "A reverse proxy whose X-Forwarded-For is believed; may be repeated."),
    "metrics_token": ("TOKEN", "Who brings it may read /metrics from elsewhere; better set where nobody else reads."),
    "log_format": ("text|json", "How the log is written. [default: text]"),
    "plugins_off": ("NAME", "A plugin to switch off; may be repeated."),
}
"""What each setting takes and does, for --help."""

REPEATED = ("allow_origin", "trusted_proxies", "plugins_off")
"""Settings whose flag may be given several times."""


def read_settings(flags: dict[str, Any]) -> Settings:
    """Read the settings of this process.

    Args:
        flags: what the command line gave, by the names of the settings.

    Raises:
        click.UsageError: a setting cannot be used.
    """
    try:
        return load(flags, os.environ, Path.cwd())
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags of all settings, and --config; what they say arrives as its argument ``settings``."""
    names = [option.name for option in OPTIONS]

    @functools.wraps(command)
    def run(*arguments: Any, **given: Any) -> Any:
        flags = {name: given.pop(name) for name in [*names, "config"]}
        return command(*arguments, settings=read_settings(flags), **given)

    wrapped: Callable[..., Any] = run
    for option in reversed(OPTIONS):
        metavar, text = HELP[option.name]
        is_repeated = option.name in REPEATED
        wrapped = click.option(option.flag, option.name, metavar=metavar, multiple=is_repeated, help=text)(wrapped)
    return click.option("--config", metavar="FILE", help="The settings file. [default: nova.toml, if there]")(wrapped)


@asynccontextmanager
async def open_for_command(settings: Settings) -> AsyncIterator[Nova]:
    """Give a command of a plugin a ``Nova`` that is connected, also beside a running server.

    The rules, filters and subscribers of all plugins are there; lifespans are not begun, nothing is served, and the
    clients of a running server are told of nothing. Without ``settings.mongo`` the embedded database is the one of
    the server that runs on the data folder; where none runs, it is started for the time.

    Raises:
        click.ClickException: the database cannot be used, a plugin is not as it should be, or what was done inside
            was refused (a ``NovaError``); one clear line.
        RuntimeError: it is no command of a plugin that is running.
    """
    context = click.get_current_context(silent=True)
    opener: Opener | None = context.meta.get(OPENER) if context is not None else None
    if opener is None:
        raise RuntimeError("open_for_command is for the commands of the hook nova_cli, while they run")
    from nova_tornado.domain.errors import NovaError

    try:
        async with opener(settings) as nova:
            yield nova
    except NovaError as error:
        raise click.ClickException(error.message) from error
