"""Sees to it that there is a redis-server for the tests of several processes; standard library only.

Usage: VENV/bin/python bin/redis_server.py, which says nothing where one is there. bin/test runs it before a whole run.
As root on Debian, apt-get installs one. That is the package redis-tools, which starts no service: its redis-check-rdb
is the server's program under another name.
"""

import shutil

from browser import BrowserError, install_with_apt, is_debian, may_use_apt

NAMES = ("redis-server", "redis-check-rdb")
"""Debian's package redis-server has nothing but a link to the second one, and a service."""


def find() -> str | None:
    """The program, under whichever name; it must be called redis-server."""
    return next((found for name in NAMES if (found := shutil.which(name)) is not None), None)


if __name__ == "__main__":
    try:
        if find() is None and is_debian() and may_use_apt():
            install_with_apt(("redis-tools",), "for the tests of several processes")
        if find() is None:
            raise SystemExit(
                "nova: there is no redis-server on PATH (Debian/Ubuntu: apt-get install redis-server; "
                "NOVA_TEST_REDIS=off leaves out the tests that want one)"
            )
    except BrowserError as error:
        raise SystemExit(f"nova: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("nova: set-up interrupted; run the same command again") from None
