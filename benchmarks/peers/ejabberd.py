"""ejabberd of Debian (packages ejabberd and erlang-p1-sqlite3), group chats (MUC) with their archive (MAM).

The driver starts an instance of its own; the package's service must not run beside it.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.processes import ServerError, empty_folder, free_port
from benchmarks.peers.xmpp import XmppPeer

CONFIGURATION = """
loglevel: 3
hosts: [localhost]
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    shaper: none
    access: c2s
    backlog: 4096
auth_password_format: plain
disable_sasl_mechanisms: []
{storage}
acl: {{local: {{user_regexp: ""}}}}
access_rules:
  local: {{allow: local}}
  c2s: {{allow: all}}
  register: {{allow: all}}
  muc_create: {{allow: all}}
api_permissions: {{}}
shaper_rules: {{max_user_sessions: 100, max_user_offline_messages: 100, c2s_shaper: none}}
registration_timeout: infinity
modules:
  mod_adhoc: {{}}
  mod_disco: {{}}
  mod_roster: {{}}
  mod_offline: {{}}
  mod_ping: {{send_pings: false}}
  mod_register: {{access: register, ip_access: register, allow_modules: all, captcha_protected: false}}
  mod_mam: {{default: always, assume_mam_usage: true, request_activates_archiving: false}}
  mod_muc:
    access: [allow]
    access_create: muc_create
    access_mam: [allow]
    max_users: 6000
    min_message_interval: 0
    min_presence_interval: 0
    history_size: 20
    default_room_options:
      mam: true
      persistent: true
      max_users: 6000
      presence_broadcast: []
"""
SQLITE = """
auth_method: [sql]
default_db: sql
sql_type: sqlite
sql_database: "{folder}/ejabberd.sqlite"
sql_pool_size: 1
"""
MNESIA = """
auth_method: [mnesia]
default_db: mnesia
"""
STORAGE = {"sqlite": SQLITE, "mnesia": MNESIA}


class Ejabberd(XmppPeer):
    """`ejabberd` or `ejabberd:sqlite` (the default, as durable as the others), `ejabberd:mnesia`."""

    def __init__(self, variant: str) -> None:
        self._storage = variant or "sqlite"
        super().__init__(f"ejabberd:{variant}" if variant else "ejabberd")
        if self._storage not in STORAGE:
            raise ValueError(f"no ejabberd {variant!r}: {', '.join(STORAGE)}")
        self.durable = f"its archive ({self._storage})"

    def start(self) -> None:
        """Start the Erlang machine with one scheduler, as it has one CPU."""
        libraries = sorted(Path("/usr/lib").glob("*/ejabberd-*/ebin"))
        if not libraries:
            raise ServerError("ejabberd is not installed (Debian: apt-get install ejabberd erlang-p1-sqlite3)")
        folder = empty_folder("ejabberd")
        self.port = free_port()
        storage = STORAGE[self._storage].format(folder=folder)
        (folder / "ejabberd.yml").write_text(CONFIGURATION.format(port=self.port, storage=storage))
        process = self.servers.spawn(
            [
                *("erl", "-noinput", "-noshell", "-pa", libraries[-1], "-mnesia", "dir", f'"{folder}/mnesia"'),
                *("-ejabberd", "config", f'"{folder}/ejabberd.yml"', "log_path", f'"{folder}/ejabberd.log"'),
                *("+K", "true", "+P", "250000", "+S", "1:1", "-s", "ejabberd"),
            ],
            "ejabberd",
            cwd=folder,
            environ={
                "ERL_LIBS": str(libraries[-1].parent.parent),
                "ERL_CRASH_DUMP": str(folder / "crash.dump"),
                "ERL_MAX_PORTS": "32000",
            },
        )
        self.roots = [process.pid]
        self.servers.wait_for_port(self.port)
