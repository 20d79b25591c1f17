"""The command line: `nova`, which is `nova serve`, and what else an administrator does.

Only what reads the settings is imported at the top: the embedded database comes up while the rest is loaded (see
server.py), so each import here would delay the ready line.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nova_tornado import __version__
from nova_tornado.settings import OPTIONS, Settings, SettingsError, load

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class _DefaultToServe(click.Group):
    """A group whose commands may be left out: `nova --port 0` is `nova serve --port 0`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


HELP = {
    "host": ("NAME", "The name or address to listen on. [default: 127.0.0.1]"),
    "port": ("NUMBER", "The port to listen on; 0 is any free one. [default: 8000]"),
    "data": ("FOLDER", "The folder of the embedded database and of mails. [default: nova-data]"),
    "mongo": ("URI", "A MongoDB to use instead of the embedded one."),
    "redis": ("URI", "A Redis that joins several processes. Not available yet."),
    "workers": ("NUMBER", "Processes that share the port. Only 1 is available yet. [default: 1]"),
    "base_url": ("URL", "What links begin with. [default: from host and port]"),
    "mail_dir": ("FOLDER", "Where mails are written to. [default: mail in the data folder]"),
    "smtp": ("URL", "Where mails are sent to instead: smtp[s]://[user:password@]host[:port]."),
    "mail_from": ("ADDRESS", "Whom mails come from. [default: nova at the host of the base URL]"),
    "file_max_mib": ("NUMBER", "How large an uploaded file may be, in MiB, 1 to 1024. [default: 25]"),
    "bcrypt_rounds": ("NUMBER", "The cost of a password's hash, 4 to 31. [default: 12]"),
    "rate_limits": ("on|off", "Whether too many requests are refused. [default: on]"),
    "allow_origin": ("ORIGIN", "A further origin that browsers may use Nova from; may be repeated."),
    "trusted_proxies": ("ADDRESS", "A reverse proxy whose X-Forwarded-For is believed; may be repeated."),
    "plugins_off": ("NAME", "A plugin to switch off; may be repeated."),
}
"""What each setting takes and does, for --help."""


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the flags of all settings, and --config; their values arrive as raw text for `read_settings`."""
    for option in reversed(OPTIONS):
        metavar, text = HELP[option.name]
        repeated = option.name in ("allow_origin", "trusted_proxies", "plugins_off")
        command = click.option(option.flag, option.name, metavar=metavar, multiple=repeated, help=text)(command)
    return click.option("--config", metavar="FILE", help="The settings file. [default: nova.toml, if there]")(command)


def read_settings(flags: dict[str, Any]) -> Settings:
    """Reads the settings of this process.

    Raises:
        click.UsageError: a setting cannot be used.
    """
    try:
        return load(flags, os.environ, Path.cwd())
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


@click.group(cls=_DefaultToServe, epilog="Without a command, Nova serves: see nova serve --help for its options.")
@click.version_option(__version__, prog_name="nova", message="%(prog)s %(version)s")
def nova() -> None:
    """Nova, a self-hosted chat server."""


@nova.command()
@settings_options
def serve(**flags: Any) -> int:
    """Serve until told to stop (this is what nova does without a command).

    Every option can also be set as a NOVA_ variable (--base-url is NOVA_BASE_URL) or in nova.toml (base_url). A flag
    wins over a variable, a variable over the file.
    """
    settings = read_settings(flags)
    from nova_tornado import server

    return server.run(settings)


@nova.command()
@settings_options
def plugins(**flags: Any) -> int:
    """List the plugins that are installed."""
    settings = read_settings(flags)
    from nova_tornado.app import StartError, describe_plugins

    try:
        found = describe_plugins(settings)
    except StartError as error:
        raise click.ClickException(str(error)) from None
    rows = [("NAME", "VERSION", "STATE", "PACKAGE", "HOOKS")]
    rows += [(info.name, info.version, info.state, info.package, " ".join(info.hooks)) for info in found]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*padded, row[4]]).rstrip())
    return 0


def main() -> None:
    """Runs the command line, and says in one line on stderr what was wrong with it.

    Exit codes: 0 all went well, 1 it failed, 2 a flag, a variable or the settings file cannot be used, 130 interrupted.
    """
    try:
        code = nova.main(standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"nova: {' '.join(error.format_message().split())}", err=True)
        code = EXIT_USAGE if isinstance(error, click.UsageError) else EXIT_FAILED
    except (click.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    sys.exit(code)
