"""The rules of the server: the setting ``server_rules``.

It names a file (TOML: tables ``[[rules]]``; JSON: a list of objects, or ``{"rules": […]}``), or is in ``nova.toml``
itself: an array of tables, or a table of tables whose keys are the rules' names.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nova_message_filters.rule import CompiledRule, compile_rule, read_rule
from nova_tornado.api import errors

SERVER_RULES_MAX_COUNT = 100
FILE_MAX_BYTES = 16 * 1024**2


def read_server_rules(value: object) -> tuple[CompiledRule, ...]:
    """The rules that the setting stands for, ready to be asked; those that are not enabled are checked and left out.

    Args:
        value: the path of a file (a relative one begins in the working folder), or the rules.

    Raises:
        ValueError: something is wrong; the text says in one line what, and completes "the value …".
    """
    where = "holds"
    if isinstance(value, str):
        where = f"{value} holds"
        value = _read_file(Path(value).expanduser())
        if isinstance(value, Mapping):
            if value.keys() != {"rules"}:
                raise ValueError(f"{where} no list of rules (or more than one)")
            value = value["rules"]
    if isinstance(value, Mapping):
        value = [{"name": name, **_table(name, table)} for name, table in value.items()]
    if not isinstance(value, list | tuple):
        raise ValueError("is neither the path of a file nor a list of rules")
    if len(value) > SERVER_RULES_MAX_COUNT:
        raise ValueError(f"{where} more than {SERVER_RULES_MAX_COUNT} rules")
    compiled: dict[str, CompiledRule] = {}
    for number, given in enumerate(value, 1):
        name = given.get("name", "without a name") if isinstance(given, Mapping) else "no table"
        try:
            rule = read_rule(given)
            if rule.name in compiled:
                raise errors.BadField("there is another one of that name")
            compiled[rule.name] = compile_rule(f"server: {rule.name}", rule, is_new=True)
        except errors.BadField as error:
            raise ValueError(f"{where} a bad rule, number {number} ({name}): {error.message}") from None
    return tuple(each for each in compiled.values() if each.rule.is_enabled)


def _table(name: str, table: object) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise ValueError(f"holds {name!r}, which is no table")
    return table


def _read_file(path: Path) -> object:
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise ValueError(f"names {path}, which is too large")
        text = path.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"names {path}, which cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"names {path}, which is not in UTF-8") from None
    try:
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"names {path}, which is nested too deeply") from None
    except ValueError as error:  # of both parsers
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ValueError(f"names {path}, which is not valid {kind}: {error}") from None
