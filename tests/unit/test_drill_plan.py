"""What a drill will do follows from its seed."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from nova_tornado.cli import nova
from nova_tornado.drill.catalogue import ALL, faults_of
from nova_tornado.drill.faults import FAULTS
from nova_tornado.drill.history import send_of, text_of
from nova_tornado.drill.plan import make_plan


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
    assert set(faults_of(is_set=True)) == FAULTS.keys() - {"full-disk"}
    assert set(faults_of(is_set=False)) == FAULTS.keys() - {"step-down"}
    assert set(faults_of(is_set=True, workers=2, has_redis=True)) == ALL.keys() - {"full-disk"}


def test_text_names_its_send_and_its_version():
    assert send_of(text_of("d5-17", 3)) == ("d5-17", 3)
    assert send_of("Message recalled") == send_of("p5 let me in") == ("", 0)


def test_fault_that_there_is_not_is_refused():
    result = CliRunner().invoke(nova, ["drill", "--faults", "server-kill,earthquake"])
    assert result.exit_code == 2
    assert "there is no fault 'earthquake'" in result.output


@pytest.mark.parametrize(
    ("fault", "need"),
    [("step-down", "a replica set of three"), ("worker-kill", "--workers 2"), ("redis-kill", "--redis auto")],
)
def test_fault_that_needs_more_is_refused(fault, need):
    result = CliRunner().invoke(nova, ["drill", "--faults", fault])
    assert result.exit_code == 2
    assert f"{fault} needs {need}" in result.output
