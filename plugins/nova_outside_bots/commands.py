"""``nova bots …``: an operator makes bots, gives them tokens and webhooks, and takes those away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from nova_tornado.api import models, open_for_command, with_settings

if TYPE_CHECKING:
    from nova_outside_bots.registry import BotRecord, Registry

SCOPES = [scope.value for scope in models.BotScope]


def _run(settings: Any, work: Callable[[Registry], Awaitable[None]]) -> None:
    from nova_outside_bots.registry import Registry

    async def run() -> None:
        async with open_for_command(settings) as nova:
            await work(Registry(nova))

    asyncio.run(run())


@click.group()
def bots() -> None:
    """Bots from outside: programs that chat with a token."""


@bots.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    required=True,
    help="read: reads its chats. invoked: sees and answers what calls it. write: as a person.",
)
@with_settings
def create(name: str, scope: str, settings: Any) -> None:
    """Make a bot, and print its token."""

    async def work(registry: Registry) -> None:
        bot, token = await registry.create(name, models.BotScope(scope))
        click.echo(f"The bot {name} is user {bot.id}, called {bot.name}. Its token, which is not shown again:")
        click.echo(token)

    _run(settings, work)


@bots.command()
@click.argument("name")
@with_settings
def token(name: str, settings: Any) -> None:
    """Give a bot another token, and print it."""

    async def work(registry: Registry) -> None:
        secret = await registry.give_token(await registry.get(name))
        click.echo(f"Another token of {name}, which is not shown again:")
        click.echo(secret)

    _run(settings, work)


@bots.command("list")
@with_settings
def list_bots(settings: Any) -> None:
    """List the bots, their tokens and webhooks."""

    async def work(registry: Registry) -> None:
        records = await registry.list()
        rows = [("NAME", "USER", "ID", "SCOPE", "TOKENS"), *map(_row, records)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row, record in zip(rows, [None, *records], strict=True):
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            for line in _webhook_lines(record) if record is not None else ():
                click.echo(f"  {line}")

    _run(settings, work)


def _row(record: BotRecord) -> tuple[str, ...]:
    user, ends = record.user, record.token_ends
    scope = user.bot_scope.value if user.bot_scope is not None else ""
    tokens = f"{len(ends)}, until {ends[-1]:%Y-%m-%d}" if ends else "none"
    return record.name, user.name, str(user.id), scope, tokens


def _webhook_lines(record: BotRecord) -> list[str]:
    lines = [f"hook {hook.id} into chat {hook.chat_id}" for hook in record.hooks]
    return lines + [f"webhook {each.id} to {each.host}: {', '.join(each.events)}" for each in record.webhooks]


@bots.command()
@click.argument("name")
@with_settings
def revoke(name: str, settings: Any) -> None:
    """End all tokens and webhooks of a bot; its account stays.

    A running server closes its sockets within a second.
    """

    async def work(registry: Registry) -> None:
        token_count, webhook_count = await registry.revoke(await registry.get(name))
        click.echo(f"Ended of {name}: {token_count} tokens, {webhook_count} webhooks.")

    _run(settings, work)


@bots.command()
@click.argument("name")
@click.option("--chat", "chat_id", type=int, required=True, metavar="ID", help="The chat to post into.")
@with_settings
def hook(name: str, chat_id: int, settings: Any) -> None:
    """Make an incoming webhook: a URL that posts messages of a bot into one chat."""

    async def work(registry: Registry) -> None:
        hook_id, secret = await registry.hooks.create(await registry.get(name), chat_id)
        click.echo(f"Incoming webhook {hook_id}, which is not shown again:")
        click.echo(f"{settings.links_base_url}/hooks/{secret}")

    _run(settings, work)


@bots.command()
@click.argument("name")
@click.option("--url", required=True, help="Where to POST what happens.")
@click.option("--events", "wanted", default="", metavar="NAME,NAME", help="What to tell. [default: all]")
@with_settings
def webhook(name: str, url: str, wanted: str, settings: Any) -> None:
    """Make an outgoing webhook: what happens in a bot's chats is posted to a URL, signed."""

    async def work(registry: Registry) -> None:
        names = [each.strip() for each in wanted.split(",") if each.strip()]
        made = await registry.webhooks.create(await registry.get(name), url, names)
        click.echo(f"Outgoing webhook {made.id} for {', '.join(made.events)}.")
        click.echo("The secret that signs, which is not shown again:")
        click.echo(made.secret)

    _run(settings, work)


@bots.command()
@click.argument("hook_id", type=int, metavar="ID")
@with_settings
def unhook(hook_id: int, settings: Any) -> None:
    """End an incoming or outgoing webhook."""

    async def work(registry: Registry) -> None:
        await registry.remove_hook(hook_id)
        click.echo(f"Ended webhook {hook_id}.")

    _run(settings, work)
