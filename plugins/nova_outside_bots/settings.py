"""What can be set about webhooks."""

from __future__ import annotations

from nova_tornado.api import PluginOption

SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in SWITCH:
        return SWITCH[value.lower()]
    raise ValueError("is neither on nor off")


OPTIONS = (PluginOption("allow_private", False, _switch),)
"""``allow_private``: whether outgoing webhooks may lead to private addresses."""
