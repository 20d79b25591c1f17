import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request

import pytest
from processes import LIMIT_S, NOVA, children_of, clean_environ, run_nova, wait_for_end_of, wait_until
from tls import make_certificate

import nova_tornado

STOP_LIMIT_S = 10.0
"""What the design promises."""


def assert_one_line(text):
    assert text.startswith("nova: ")
    assert text.count("\n") == 1
    assert text.endswith("\n")


def test_is_ready_on_the_port_that_it_names(start, tmp_path):
    server = start(tmp_path / "data")
    assert server.url.startswith("http://127.0.0.1:")
    assert server.get("/healthz") == 200
    assert server.get("/readyz") == 200


def test_ipv6_address_stands_in_brackets(start, tmp_path):
    server = start(tmp_path / "data", "--host", "::1")
    assert server.url.startswith("http://[::1]:")
    assert server.get("/healthz") == 200


def test_speaks_https_and_says_so(start, tmp_path):
    cert, key = make_certificate(tmp_path)
    server = start(tmp_path / "data", "--tls-cert", str(cert), "--tls-key", str(key))
    assert server.url.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(cert))
    with urllib.request.urlopen(f"{server.url}/healthz", timeout=LIMIT_S, context=context) as answer:
        assert answer.status == 200


def test_tls_settings_that_cannot_be_used_are_one_clear_line(tmp_path):
    cert, key = make_certificate(tmp_path)
    for flags in (
        ("--tls-cert", str(cert)),
        ("--tls-key", str(key)),
        ("--tls-cert", str(cert), "--tls-key", str(tmp_path / "none.pem")),
        ("--tls-cert", str(key), "--tls-key", str(cert)),
    ):
        code, out, err = run_nova(*flags, folder=tmp_path)
        assert (code, out) == (2, "")
        assert_one_line(err)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly_and_keeps_the_data(start, tmp_path, number):
    server = start(tmp_path / "data")
    assert server.count() == 1
    mongod = server.mongod
    code, time_s = server.stop(number)
    assert code == 0
    assert time_s < STOP_LIMIT_S
    assert wait_for_end_of(mongod) < 0.1
    assert "Traceback" not in server.stderr
    assert start(tmp_path / "data").count() == 2


def test_ctrl_c_reaches_the_whole_terminal_but_mongod_last(tmp_path):
    # A shell without job control, as in a script, starts its background processes with SIGINT ignored.
    order = f'"{NOVA}" --port 0 --data "{tmp_path}/data" & wait $!'
    process = subprocess.Popen(
        ["sh", "-c", f"trap '' INT; {order}"],
        env=clean_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline().startswith("Nova is ready on ")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert "stopping" in errors
    assert "ERROR" not in errors


def test_mongod_ends_by_itself_when_the_server_is_killed(start, tmp_path):
    server = start(tmp_path / "data")
    mongod = server.mongod
    server.stop(signal.SIGKILL)
    assert wait_for_end_of(mongod) < 5.0


def test_restart_right_after_a_kill_waits_for_the_old_mongod(start, tmp_path):
    server = start(tmp_path / "data")
    assert server.count() == 1
    server.stop(signal.SIGKILL)
    again = start(tmp_path / "data")
    assert again.count() == 2


def test_mongod_that_dies_under_the_server_is_restarted(start, tmp_path):
    server = start(tmp_path / "data")
    assert server.count() == 1
    old = server.mongod
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: "database is back" in server.stderr)
    assert server.mongod != old
    assert server.count() == 2
    wait_until(lambda: server.get("/readyz") == 200)
    assert server.get("/healthz") == 200
    code, time_s = server.stop()
    assert code == 0
    assert time_s < STOP_LIMIT_S


def test_server_ends_with_one_line_when_mongod_keeps_dying(start, tmp_path):
    server = start(tmp_path / "data")
    for deaths in (1, 2, 3):
        os.kill(server.mongod, signal.SIGKILL)
        wait_until(lambda deaths=deaths: server.stderr.count("database is back") == deaths)
    os.kill(server.mongod, signal.SIGKILL)
    assert server.process.wait(LIMIT_S) == 1
    assert server.stderr.splitlines()[-1].startswith("nova: the embedded database keeps ending: mongod ended with -9")
    assert "Traceback" not in server.stderr


def test_mongod_that_hangs_does_not_delay_the_stop(start, tmp_path):
    server = start(tmp_path / "data")
    os.kill(server.mongod, signal.SIGSTOP)
    code, time_s = server.stop()
    assert code == 0
    assert time_s < STOP_LIMIT_S


def test_second_ctrl_c_ends_the_server_at_once(start, tmp_path):
    server = start(tmp_path / "data")
    mongod = server.mongod
    os.kill(mongod, signal.SIGSTOP)
    server.process.send_signal(signal.SIGINT)
    wait_until(lambda: "stopping" in server.stderr)
    code, time_s = server.stop(signal.SIGINT)
    assert code == 130
    assert time_s < STOP_LIMIT_S / 2  # a stop that waits for the mongod takes longer
    os.kill(mongod, signal.SIGCONT)
    wait_for_end_of(mongod)


def test_stop_while_starting_leaves_nothing(tmp_path):
    mongod = tmp_path / "mongod"
    mongod.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexec sleep 60\n")
    mongod.chmod(0o755)
    process = subprocess.Popen(
        [NOVA, "--data", "data"],
        cwd=tmp_path,
        env=clean_environ(NOVA_MONGOD=str(mongod)),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((tmp_path / "started").exists)
    (child,) = children_of(process.pid)
    process.terminate()
    _, errors = process.communicate(timeout=STOP_LIMIT_S)
    assert (process.returncode, errors) == (0, "")
    wait_for_end_of(child, 1.0)


def test_second_server_on_the_same_data_is_refused(start, tmp_path):
    first = start(tmp_path / "data")
    code, out, errors = run_nova("--port", "0", "--data", "data", folder=tmp_path)
    assert (code, out) == (1, "")
    assert_one_line(errors)
    assert f"another server already uses {tmp_path}/data" in errors
    assert first.get("/readyz") == 200


def test_moved_data_folder_works(start, tmp_path):
    server = start(tmp_path / "here" / "data")
    assert server.count() == 1
    server.stop()
    (tmp_path / "here").rename(tmp_path / "there")
    assert start(tmp_path / "there" / "data").count() == 2


def test_data_folder_with_a_very_long_path_works(start, tmp_path):
    server = start(tmp_path / ("long" * 40))
    assert server.count() == 1
    assert server.stop()[0] == 0


def test_database_elsewhere_is_used_instead_of_an_embedded_one(start, tmp_path):
    lender = start(tmp_path / "lender")
    path = tmp_path / "lender" / "run" / "mongod.sock"
    if len(str(path)) > 100:
        pytest.fail("the temporary folder's path is too long for this test")
    uri = f"mongodb://{str(path).replace('/', '%2F')}/other?directConnection=true"
    server = start(tmp_path / "data", "--mongo", uri)
    assert server.get("/readyz") == 200
    assert children_of(server.process.pid) == []
    assert server.stop()[0] == 0
    assert lender.get("/readyz") == 200


def test_busy_port_is_one_clear_line(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, out, errors = run_nova("--port", str(port), folder=tmp_path)
    assert (code, out) == (1, "")
    assert_one_line(errors)
    assert f"port {port} of 127.0.0.1 is in use" in errors


def test_host_that_is_not_here_is_one_clear_line(tmp_path):
    code, _, errors = run_nova("--host", "192.0.2.1", "--port", "0", folder=tmp_path)
    assert code == 1
    assert_one_line(errors)
    assert "cannot listen on port 0 of 192.0.2.1" in errors


def test_missing_mongod_is_one_clear_line(tmp_path):
    code, _, errors = run_nova(folder=tmp_path, NOVA_MONGOD="nothing")
    assert code == 1
    assert_one_line(errors)


@pytest.mark.parametrize(
    ("arguments", "environ", "part"),
    [
        (["--port", "x"], {}, "--port: 'x' is not a whole number from 0 to 65535"),
        (["serve", "--port", "65536"], {}, "--port"),
        (["--bogus"], {}, "--bogus"),
        (["bogus"], {}, "bogus"),
        (["--port"], {}, "--port"),
        (["serve", "bogus"], {}, "bogus"),
        (["--workers", "65"], {}, "--workers: '65' is not a whole number from 1 to 64"),
        (["--redis", "http://localhost"], {}, "--redis: the value does not begin with redis://"),
        (["--config", "missing.toml"], {}, "missing.toml: there is no such file"),
        (["plugins", "--plugin-off", "a/b"], {}, "--plugin-off"),
        ([], {"NOVA_RATE_LIMITS": "maybe"}, "NOVA_RATE_LIMITS: 'maybe' is neither on nor off"),
        ([], {"NOVA_PROT": "1"}, "unknown environment variable NOVA_PROT (did you mean NOVA_PORT?)"),
        ([], {"NOVA_CONFIG": "unknown.toml"}, "unknown.toml: unknown key 'prot' (did you mean port?)"),
        ([], {"NOVA_CONFIG": "broken.toml"}, "broken.toml: is not valid TOML"),
    ],
)
def test_bad_values_are_one_line_and_exit_code_2(tmp_path, arguments, environ, part):
    (tmp_path / "unknown.toml").write_text("prot = 1\n")
    (tmp_path / "broken.toml").write_text("port = \n")
    code, out, errors = run_nova(*arguments, folder=tmp_path, **environ)
    assert (code, out) == (2, "")
    assert_one_line(errors)
    assert part in errors
    assert not (tmp_path / "nova-data").exists()


def test_settings_file_of_the_working_folder_counts(tmp_path):
    (tmp_path / "nova.toml").write_text("port = 99999\n")
    code, _, errors = run_nova(folder=tmp_path)
    assert (code, errors) == (2, "nova: nova.toml: port: 99999 is not a whole number from 0 to 65535\n")


def test_plugins_are_listed_as_a_table(tmp_path):
    code, out, errors = run_nova("plugins", folder=tmp_path)
    assert (code, errors) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["NAME", "VERSION", "STATE", "PACKAGE", "HOOKS"]
    states = {row[0]: row[2] for row in rows[1:]}
    assert states["nova_chat_invitations"] == states["nova_message_filters"] == "on"


def test_plugin_that_is_switched_off_is_listed_so(tmp_path):
    code, out, _ = run_nova("plugins", "--plugin-off", "nova_message_filters", folder=tmp_path)
    assert code == 0
    (row,) = [line.split() for line in out.splitlines() if line.startswith("nova_message_filters")]
    assert row[2] == "off"


def test_version_is_told(tmp_path):
    assert run_nova("--version", folder=tmp_path) == (0, f"nova {nova_tornado.__version__}\n", "")


def test_help_names_every_flag(tmp_path):
    code, out, _ = run_nova("serve", "--help", folder=tmp_path)
    assert code == 0
    for flag in ("--host", "--port", "--data", "--mongo", "--redis", "--workers", "--base-url", "--mail-dir", "--smtp"):
        assert flag in out
    for flag in ("--bcrypt-rounds", "--rate-limits", "--allow-origin", "--plugin-off", "--config"):
        assert flag in out


def test_settings_are_read_before_anything_heavy_is_loaded():
    code = "import sys, nova_tornado.server; print(sorted({'tornado', 'pymongo', 'motor', 'bson'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT_S)
    assert done.stdout == "[]\n"
