"""A drill finds Nova in order, and its mutants out of order.

What takes long is left out unless NOVA_TEST_DRILL is full: all mutants, and a smoke run with every fault.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT_S = 280
"""A drill takes about 10 s; this is for a machine that is busy with other things."""
SCRIPT = Path(__file__).with_name("run_drill.py")
SEED = "6"

full = pytest.mark.skipif(os.environ.get("NOVA_TEST_DRILL") != "full", reason="NOVA_TEST_DRILL is not full")
pytestmark = pytest.mark.timeout(LIMIT_S + 20)


def drill(faults, seconds=0, mutant=None):
    """The exit code of a small drill, and the promises that were broken. What it has told is shown if it fails."""
    order = [sys.executable, str(SCRIPT), faults, str(seconds), SEED, *([mutant] if mutant else [])]
    done = subprocess.run(order, capture_output=True, text=True, timeout=LIMIT_S)
    print(done.stdout, done.stderr)
    lines = done.stdout.splitlines()
    broken = {line[:2] for line in lines if line[:1] == "I" and "violations" in line}
    assert f"seed {SEED}" in lines and sum(line.startswith("I") and line[2:4] == "  " for line in lines) == 8
    return done.returncode, broken


def test_nova_keeps_its_promises_while_it_is_killed():
    assert drill("server-kill,database-kill,reset-links") == (0, set())


def test_mutant_that_does_not_recognise_a_repeated_send_is_found():
    code, broken = drill("reset-links", mutant="no_unique_index")
    assert code == 1 and "I2" in broken


def test_mutant_that_catches_up_by_timestamp_is_found():
    code, broken = drill("reset-links", seconds=12, mutant="catch_up_by_timestamp")
    assert code == 1 and "I6" in broken


@full
def test_mutant_that_waits_for_one_member_alone_is_found():
    code, broken = drill("database-kill", seconds=12, mutant="write_concern_of_one")
    assert code == 1 and "I1" in broken


@full
def test_mutant_that_answers_before_it_stores_is_found():
    code, broken = drill("server-kill", seconds=12, mutant="answer_before_insert")
    assert code == 1 and "I1" in broken


@full
def test_mutant_that_publishes_before_it_stores_is_found():
    code, broken = drill("server-kill", seconds=12, mutant="publish_before_commit")
    assert code == 1 and {"I1", "I3"} & broken


@full
def test_slow_server_without_a_fault_is_in_order():
    assert drill("server-kill", seconds=12, mutant="slow_inserts") == (0, set())


@full
def test_smoke_run_with_every_fault_is_in_order():
    order = [sys.executable, "-c", "from nova_tornado.cli import main; main()", "drill", "--seed", SEED]
    done = subprocess.run(order, capture_output=True, text=True, timeout=LIMIT_S)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
