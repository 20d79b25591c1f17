from contextlib import ExitStack, closing

import pytest
from processes import Server


@pytest.fixture
def start():
    """Starts servers, `start(data, *flags, **environ)`, that end with the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **environ: stack.enter_context(closing(Server(*arguments, **environ)))
