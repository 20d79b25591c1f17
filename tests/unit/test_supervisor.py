"""The supervisor's patience with its workers, where time is moved by hand."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from nova_tornado import supervisor
from nova_tornado.settings import Settings


@pytest.fixture
def clock(monkeypatch):
    """The supervisor's time, as `clock[0]`."""
    now = [1_000.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def process():
    """What stands for a worker; halted, so that what it was sent can be seen."""
    with subprocess.Popen(["sleep", "60"]) as process:
        os.kill(process.pid, signal.SIGSTOP)
        yield process
        process.kill()


@pytest.fixture
def watching(clock, process, tmp_path):
    """A supervisor with one worker that serves."""
    settings = Settings(data=tmp_path, mongo="mongodb://127.0.0.1/nova", workers=1)
    watching = supervisor.Supervisor(settings, lambda: settings, {})
    deadline = clock[0] + supervisor.HANG_LIMIT_S
    serving = supervisor._Worker(1, process.pid, None, settings, deadline, is_ready=True)
    watching._slots = [supervisor._Slot(1, [], serving)]
    yield watching
    for one in (watching._wakeups, watching._wakeup, watching._selector):
        one.close()


def is_ending(process):
    """Whether it was sent SIGABRT, which it cannot take yet."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    pending = next(line for line in status if line.startswith("ShdPnd:"))
    return bool(int(pending.split()[1], 16) & 1 << signal.SIGABRT - 1)


def let_pass(seconds, clock, watching):
    """Time passes, in which the supervisor looks as often as it should."""
    for _ in range(int(seconds)):
        clock[0] += 1.0
        watching._check_deadlines()


@pytest.mark.expects_log("hangs and is killed")
def test_worker_that_is_silent_for_too_long_is_ended(clock, process, watching):
    let_pass(supervisor.HANG_LIMIT_S, clock, watching)
    assert not is_ending(process)
    clock[0] += 0.5
    watching._check_deadlines()
    assert is_ending(process)
    clock[0] += supervisor.TRACE_LIMIT_S + 0.5
    watching._check_deadlines()
    assert process.wait(10) == -signal.SIGKILL


@pytest.mark.expects_log("hangs and is killed")
def test_time_in_which_the_supervisor_was_halted_does_not_count(clock, process, watching):
    clock[0] += 3_600.0
    watching._check_deadlines()
    assert not is_ending(process)
    let_pass(supervisor.HANG_LIMIT_S, clock, watching)
    assert not is_ending(process)
    clock[0] += 1.0
    watching._check_deadlines()
    assert is_ending(process)
