"""The example of five clients, run against a Nova in a process of its own."""

import re
import subprocess
import sys
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

from life.processes import LIMIT_S, Server
from together.changes import PROTOCOLS

SCRIPT = Path(__file__).parents[2] / "examples" / "five_clients.py"
KINDS = {
    "actions": {"new_message", "message_edited"},
    "methods": {"new_message", "message_created", "messages_updated"},
    "modes": {"newMessage", "sendMessage 200", "messageEdited"},
    "rooms": {"group_chat_message", "group_chat_message_update"},
    "opcodes": {"12/2", "12/2 success", "12/6 success"},
}


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def cells(output):
    """The table, each cell with its lines joined."""
    for block in re.split(r"^-[-+]*-$", output, flags=re.MULTILINE):
        if block.strip():
            lines = [[cell.strip() for cell in line.split("|")] for line in block.strip("\n").splitlines()]
            columns = zip_longest(*lines, fillvalue="")
            yield [" ".join(filter(None, column)) for column in columns]


def test_five_clients_hold_one_conversation(tmp_path):
    with closing(Server(tmp_path / "server" / "nova-data")) as server:
        done = run(server.url)
    assert (done.returncode, done.stderr) == (0, "")
    heads, *told = cells(done.stdout)
    assert [head.split()[0] for head in heads] == list(PROTOCOLS)
    assert len(told) == len(PROTOCOLS) + 1
    for number, protocol in enumerate(PROTOCOLS):
        for other, cell in zip(PROTOCOLS, told[number], strict=True):
            is_answer_without_text = other == protocol and protocol in ("modes", "opcodes")
            assert (f"Hello, {protocol} here!" in cell) is not is_answer_without_text, cell
    for column, protocol in enumerate(PROTOCOLS):
        kinds = {" ".join(re.match(r"\S+(?: success| 200)?", row[column])[0].split()) for row in told}
        assert kinds == KINDS[protocol], protocol
    assert sum("good bye!" in cell for cell in told[-1]) == len(PROTOCOLS) - 1


def test_without_a_server_it_says_so_in_one_line():
    done = run("http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("http://127.0.0.1:1: ") and done.stderr.count("\n") == 1
