"""What the tests of the documentation share."""

from __future__ import annotations

from typing import Any

import pytest

BOTS = ("nova", "echo")


@pytest.fixture
def database(database: Any) -> Any:
    """An empty database but for the bots, which have large ids: those of the examples begin with 1."""
    fields = {"avatar_url": "", "email": "", "phone": "", "created_us": 1, "is_bot": True}
    database.users.insert_many(
        {"_id": 10**6 + number, "name": name, "bot_key": f"plugin:{name}", **fields} for number, name in enumerate(BOTS)
    )
    return database
