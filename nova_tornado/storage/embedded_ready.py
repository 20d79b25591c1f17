"""Waits until the embedded mongod of a data folder takes writes: a process of its own, which storage.embedded starts.

    python -m nova_tornado.storage.embedded_ready DATA

It ends with 0 then, or with 1 and one line on stderr that says why not.
"""

import sys
from pathlib import Path

from nova_tornado.storage.embedded import EmbeddedError, EmbeddedMongo

if __name__ == "__main__":
    embedded = EmbeddedMongo(Path(sys.argv[1]))
    embedded.attach()
    try:
        embedded.wait_ready()
    except EmbeddedError as error:
        sys.exit(str(error))
