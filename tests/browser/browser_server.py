"""A real server process for the tests in a browser: it can be stopped, killed and started again on its port."""

import os
import signal
from contextlib import suppress
from urllib.parse import quote_plus, urlsplit

from life.processes import LIMIT_S, Server


class NovaServer:
    """One `nova serve` on a database of its own.

    Attributes:
        url: where it listens.
        port: the port of it, which stays the same over restarts.
    """

    def __init__(self, folder, mongo, database, *flags, **environ):
        socket, _, options = mongo.uri.partition("/?")
        self._order = ("--mongo", f"{socket}/{quote_plus(database)}?{options}", "--rate-limits", "off", *flags)
        self._data = folder / "data"
        self._environ = environ
        self._process = Server(self._data, *self._order, **environ)
        self.url = self._process.url
        self.port = urlsplit(self.url).port
        self._read = 0

    def stop(self, number=signal.SIGTERM):
        """Ends the process; SIGKILL gives it no time for anything."""
        self._process.stop(number)

    def start(self):
        """Starts it again, on the same port and data."""
        assert self._process.process.poll() is not None, "it still runs"
        self.close()
        self._process = Server(self._data, *self._order, "--port", str(self.port), **self._environ)
        self._read = 0

    def halt(self):
        """Lets it hang: connections stay open, nobody answers."""
        os.kill(self._process.process.pid, signal.SIGSTOP)

    def resume(self):
        """Lets it go on."""
        os.kill(self._process.process.pid, signal.SIGCONT)

    def errors(self):
        """The errors that it has logged since the last look."""
        text = self._process.stderr
        new, self._read = text[self._read :], len(text)
        return [line for line in new.splitlines() if " ERROR " in line or line.startswith("Traceback")]

    def close(self):
        """Ends all that is left of it."""
        with suppress(ProcessLookupError):
            self.resume()
        if self._process.process.poll() is None:
            self._process.process.terminate()
            self._process.process.wait(LIMIT_S)
        self._process.close()
