"""What a drill will do follows from its seed."""

from __future__ import annotations

from click.testing import CliRunner

from nova_tornado.cli import nova
from nova_tornado.drill.faults import FAULTS
from nova_tornado.drill.history import send_of, text_of
from nova_tornado.drill.plan import make_plan
from nova_tornado.drill.run import faults_of


def test_same_seed_makes_the_same_plan_and_another_one_another():
    assert make_plan(5, list(FAULTS), 600) == make_plan(5, list(FAULTS)[::-1], 600)
    assert make_plan(5, list(FAULTS), 600) != make_plan(6, list(FAULTS), 600)


def test_each_fault_comes_once_alone_and_pairs_follow():
    plan = make_plan(5, list(FAULTS), 600)
    alone = plan[: len(FAULTS)]
    assert sorted(step.faults[0] for step in alone) == sorted(FAULTS)
    assert all(len(step.faults) == 1 for step in alone)
    assert len(plan) == 100
    assert all(len(set(step.faults)) == 2 for step in plan[len(FAULTS) :])


def test_each_fault_comes_even_if_there_is_little_time():
    assert len(make_plan(5, list(FAULTS), 0)) == len(FAULTS)


def test_faults_of_sets_need_a_set():
    assert set(faults_of(True)) == FAULTS.keys() - {"full-disk"}
    assert set(faults_of(False)) == FAULTS.keys() - {"step-down"}


def test_text_names_its_send_and_its_version():
    assert send_of(text_of("d5-17", 3)) == ("d5-17", 3)
    assert send_of("Message recalled") == send_of("p5 let me in") == ("", 0)


def test_fault_that_there_is_not_is_refused():
    result = CliRunner().invoke(nova, ["drill", "--faults", "server-kill,earthquake"])
    assert result.exit_code == 2
    assert "there is no fault 'earthquake'" in result.output


def test_fault_of_sets_is_refused_without_one():
    result = CliRunner().invoke(nova, ["drill", "--faults", "step-down"])
    assert result.exit_code == 2
    assert "step-down needs a replica set" in result.output
