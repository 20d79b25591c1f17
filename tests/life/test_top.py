"""`nova top` beside a real server, and without one."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from life.processes import LIMIT_S, NOVA, Server, clean_environ, run_nova

TOKEN = "let-me-see-the-metrics"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One that knows its token, and logs JSON."""
    data = tmp_path_factory.mktemp("top") / "nova-data"
    with closing(Server(data, NOVA_METRICS_TOKEN=TOKEN, NOVA_LOG_FORMAT="json")) as running:
        yield running


def test_one_look_at_a_running_server(server, tmp_path):
    code, out, err = run_nova("top", "--once", "--url", server.url, folder=tmp_path)
    assert (code, err) == (0, "")
    assert re.match(rf"Nova \S+ on {server.url}, up ", out)
    assert re.search(r"^nova +[0-9.]+% +[0-9.,]+ [MG]iB$", out, re.MULTILINE)
    if sys.platform == "linux":
        assert re.search(r"^mongod +[0-9.]+% +[0-9.,]+ [MG]iB$", out, re.MULTILINE)
    assert re.search(r"^sends stored +0\.0 +0$", out, re.MULTILINE)
    assert "\x1b" not in out


def test_settings_say_where_the_server_is(server, tmp_path):
    (tmp_path / "nova.toml").write_text(f"port = {server.url.rpartition(':')[2]}\n")
    code, out, _ = run_nova("top", "--once", folder=tmp_path)
    assert code == 0 and f"on {server.url}," in out


def test_without_a_server_it_says_so_in_one_line(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, out, err = run_nova("top", "--url", f"127.0.0.1:{port}", folder=tmp_path)
    assert (code, out) == (1, "")
    assert err == f"nova: there is no Nova to be reached on http://127.0.0.1:{port}: Connection refused\n"


@pytest.fixture
def other_server():
    """Something else that answers; ``answers`` says what, ``asked`` what it was asked."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, self.headers.get("Authorization")))
            status, body = self.server.answers
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Other)
    server.asked = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((200, b"<p>hello</p>"), "answers, but not with the metrics of a Nova"),
        ((200, b"\xff\xfe"), "there is no Nova to be reached"),
        ((404, b""), "--token"),
        ((302, b""), "answers 302 instead of its metrics"),
        ((500, b""), "answers 500 instead of its metrics"),
    ],
)
def test_what_is_no_nova_is_one_line_and_no_token_goes_elsewhere(other_server, tmp_path, answers, said):
    other_server.answers = answers
    url = f"http://127.0.0.1:{other_server.server_port}"
    code, out, err = run_nova("top", "--url", url, "--token", TOKEN, folder=tmp_path)
    assert (code, out) == (1, "")
    assert said in err and err.count("\n") == 1 and TOKEN not in err
    assert other_server.asked == [("/metrics", f"Bearer {TOKEN}")]


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, *command):
        self._own, others = pty.openpty()
        environ = clean_environ(TERM="xterm")
        self.process = subprocess.Popen(command, stdin=others, stdout=others, stderr=others, env=environ)
        os.close(others)
        self.text = ""

    def wait_for(self, part):
        end = time.monotonic() + LIMIT_S
        while part not in self.text:
            left_s = end - time.monotonic()
            assert left_s > 0 and select.select([self._own], [], [], left_s)[0], self.text
            self.text += os.read(self._own, 65536).decode()

    def press(self, keys):
        os.write(self._own, keys)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._own)


@pytest.mark.parametrize("end", ["q", "ctrl-c", "SIGTERM"])
def test_in_a_terminal_it_looks_again_until_it_is_told_to_end_and_leaves_the_screen_as_it_was(server, end):
    terminal = Terminal(NOVA, "top", "--url", server.url)
    try:
        terminal.wait_for("since the start")
        if end == "q":
            terminal.wait_for("in the last ")
        match end:
            case "q":
                terminal.press(b"q")
            case "ctrl-c":
                terminal.process.send_signal(signal.SIGINT)
            case "SIGTERM":
                terminal.process.send_signal(signal.SIGTERM)
        terminal.wait_for("\x1b[?25h\x1b[?1049l")
        assert terminal.process.wait(LIMIT_S) == (130 if end == "ctrl-c" else 0)
    finally:
        terminal.close()


def test_a_server_with_a_token_shows_itself_to_who_has_it_and_logs_json(server, tmp_path):
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Via": "1.1 proxy"})
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        urllib.request.urlopen(request, timeout=LIMIT_S)
    refused.value.close()
    request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        assert b"nova_info{" in answer.read()
    code, out, _ = run_nova("top", "--once", "--url", server.url, folder=tmp_path, NOVA_METRICS_TOKEN=TOKEN)
    assert code == 0 and out.startswith("Nova ")
    code, out, err = run_nova("top", "--once", "--url", server.url, "--token", "x" * 16, folder=tmp_path)
    assert (code, out) == (1, "") and "--token" in err
    server.stop()  # the last test of this file
    assert '"level": "INFO", "logger": "nova_tornado.server", "message": "stopping"' in server.stderr
    assert TOKEN not in server.stderr
