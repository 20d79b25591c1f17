"""The command line: `nova`, which is `nova serve`, what else an administrator does, and what plugins add to it.

Only what reads the settings is imported at the top: the embedded database comes up while the rest is loaded (see
server.py), so each import here would delay the ready line.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nova_tornado import __version__
from nova_tornado.plugin.commands import OPENER, read_settings, with_settings
from nova_tornado.settings import DATABASE, Settings, database_of, load

if TYPE_CHECKING:
    from nova_tornado.api import Nova

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

OF_PLUGINS = "nova_tornado.commands_of_plugins"
"""Where the context keeps the commands of plugins once they are loaded."""


class _Commands(click.Group):
    """Nova's own commands, and behind them those of the plugins (the hook `nova_cli`).

    `serve` may be left out: `nova --port 0` is `nova serve --port 0`. Plugins are loaded only where one of their
    commands is meant, or all commands are listed.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        plugin, command = self._of_plugins(ctx).get(cmd_name, ("", None))
        if command is not None:
            ctx.meta[OPENER] = functools.partial(_open_for_command, plugin=plugin)
        return command

    def list_commands(self, ctx: click.Context) -> list[str]:
        try:
            return sorted([*self.commands, *self._of_plugins(ctx)])
        except click.ClickException as error:
            # Who asks for help gets it, whatever is wrong with a plugin or the settings.
            click.echo(f"nova: {error.format_message()}", err=True)
            return sorted(self.commands)

    def _of_plugins(self, ctx: click.Context) -> dict[str, tuple[str, click.Command]]:
        """The commands of plugins, each with its plugin's name.

        Raises:
            click.ClickException: a plugin is not as it should be.
        """
        if OF_PLUGINS not in ctx.meta:
            # The flags are not read yet: they are the command's own.
            settings = read_settings({})
            from nova_tornado.plugin.loader import PluginError, Plugins

            try:
                found = Plugins(settings.plugins_off).collect_named("nova_cli", taken=self.commands)
            except PluginError as error:
                raise click.ClickException(str(error)) from None
            ctx.meta[OF_PLUGINS] = {str(command.name): (plugin, command) for plugin, command in found}
        commands: dict[str, tuple[str, click.Command]] = ctx.meta[OF_PLUGINS]
        return commands


@click.group(cls=_Commands, epilog="Without a command, Nova serves: see nova serve --help for its options.")
@click.version_option(__version__, prog_name="nova", message="%(prog)s %(version)s")
def nova() -> None:
    """Nova, a self-hosted chat server."""


@nova.command()
@with_settings
def serve(settings: Settings) -> int:
    """Serve until told to stop (this is what nova does without a command).

    Every option can also be set as a NOVA_ variable (--base-url is NOVA_BASE_URL) or in nova.toml (base_url). A flag
    wins over a variable, a variable over the file.
    """
    if settings.workers == 1:
        from nova_tornado import server

        return server.run(settings)
    from nova_tornado import supervisor

    given = click.get_current_context().params
    return supervisor.run(settings, lambda: load(given, os.environ, Path.cwd()))


@nova.command()
@with_settings
def reload(settings: Settings) -> int:
    """Have the workers of the running server replaced, one after the other, without an interruption.

    The settings are read again; the code is not. The server is the one on the data folder.
    """
    from nova_tornado.pid_file import ReloadError, tell_to_reload

    try:
        tell_to_reload(settings.data)
    except ReloadError as error:
        raise click.ClickException(str(error)) from None
    return 0


@nova.command()
@with_settings
def plugins(settings: Settings) -> int:
    """List the plugins that are installed, with what failed in the running server."""
    from nova_tornado.app import StartError, describe_plugins
    from nova_tornado.plugin_strikes import read_strikes

    try:
        found = describe_plugins(settings)
    except StartError as error:
        raise click.ClickException(str(error)) from None
    strikes = read_strikes(settings.data)
    rows = [("NAME", "VERSION", "STATE", "PACKAGE", "STRIKES", "HOOKS")]
    for info in found:
        struck = ", ".join(strikes.get(info.name, ()))
        rows.append((info.name, info.version, info.state, info.package, struck, " ".join(info.hooks)))
    columns = [column for column in range(6) if column != 4 or any(row[4] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in columns}
    for row in rows:
        click.echo("  ".join(row[column].ljust(widths[column]) for column in columns).rstrip())
    return 0


@nova.command()
@click.option("--url", metavar="URL", help="Of the server. [default: from the settings' host and port]")
@click.option("--token", metavar="TOKEN", help="The server's metrics_token. [default: the setting]")
@click.option("--once", is_flag=True, help="Print one look, and end.")
@click.option("--config", metavar="FILE", help="The settings file. [default: nova.toml, if there]")
def top(url: str | None, token: str | None, once: bool, config: str | None) -> int:
    """Show what a running server is doing, every 2 seconds; q ends it.

    Rates, times and memory are what its /metrics say.
    """
    from nova_tornado import top

    settings = read_settings({"config": config})
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    try:
        top.run(url or settings.url_of(host), token or settings.metrics_token, once)
    except top.TopError as error:
        raise click.ClickException(str(error)) from None
    return 0


@nova.command()
@click.option(
    "--smoke", "is_full", flag_value=False, default=False, type=bool, help="A short one. [this is the default]"
)
@click.option("--full", "is_full", flag_value=True, type=bool, help="A long one, on a replica set of three.")
@click.option("--seed", type=click.IntRange(0), metavar="NUMBER", help="The same number makes the same faults again.")
@click.option("--faults", metavar="NAMES", help="Only these, with commas between them.")
@click.option("--seconds", type=click.FloatRange(0), metavar="NUMBER", help="How long faults are made, roughly.")
@click.option("--workers", type=click.IntRange(1, 16), default=1, metavar="NUMBER", help="Processes of each server.")
@click.option("--redis", metavar="URI|auto", help="Two servers, joined by that Redis, or by one of the drill's own.")
@click.option("--keep", is_flag=True, help="Keep the folder with the history, the logs and the database.")
def drill(**options: Any) -> int:
    """Break a Nova of its own on purpose, and check that nothing is lost.

    Processes of its own in a temporary folder are killed and halted, and links broken, while people talk. Your data
    and your settings are not touched. Ends with 1 if a promise was broken.
    """
    from nova_tornado.drill import command

    return command.run(**options)


@nova.group()
def plugin() -> None:
    """What writers of plugins need."""


@plugin.command()
@click.argument("name")
@click.option("--folder", metavar="DIR", help="Where to write it. [default: the plugin's name]")
def new(name: str, folder: str | None) -> int:
    """Write a complete little plugin, with a test, to begin with.

    NAME is the plugin's name, such as nova_weather.
    """
    from nova_tornado.plugin.template import TemplateError, write_plugin

    try:
        project = write_plugin(name, Path(folder) if folder else None)
    except TemplateError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote the plugin {project.name} to {project.folder}:")
    for path in project.files:
        click.echo(f"  {path}")
    click.echo("\nGo on with")
    for line in project.next_steps:
        click.echo(f"  {line}")
    return 0


@asynccontextmanager
async def _open_for_command(settings: Settings, *, plugin: str) -> AsyncIterator[Nova]:
    """What stands behind `open_for_command` of nova_tornado.api; see there."""
    from nova_tornado import app
    from nova_tornado.storage.embedded import DataFolderInUseError, EmbeddedError, EmbeddedMongo

    embedded = None
    try:
        if settings.mongo is not None:
            uri, database = settings.mongo, database_of(settings.mongo)
        else:
            embedded = EmbeddedMongo(settings.data, os.environ)
            try:
                embedded.launch()
            except DataFolderInUseError:
                embedded.attach()
            await asyncio.to_thread(embedded.wait_ready)
            uri, database = embedded.uri, DATABASE
        async with app.open_for_command(settings, uri, database, plugin) as nova:
            yield nova
    except (app.StartError, EmbeddedError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        if embedded is not None:
            embedded.stop()


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
