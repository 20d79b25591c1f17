"""The endpoint that tells clients whom and what there is to talk to."""

from __future__ import annotations

from nova_bot_chat.runner import BotRunner
from nova_tornado.api import ActionsHandler, Services, native_packets


class BotsHandler(ActionsHandler):
    """/bots."""

    def initialize(self, services: Services, runner: BotRunner | None = None) -> None:
        """Take the parts (called by Tornado)."""
        super().initialize(services)
        assert runner is not None
        self._runner = runner

    async def get(self) -> None:
        """The bots of all plugins, the one that knows the commands first, and the commands by name."""
        bots = [
            {"user": native_packets.user_basic(account.user), "help": account.bot.help}
            for account in self._runner.accounts
        ]
        commands = [
            {"name": command.name, "usage": command.usage, "help": command.help} for command in self._runner.commands
        ]
        self.reply({"bots": bots, "commands": commands})


ROUTES = [(r"/bots", BotsHandler)]
