"""The two forms of the log."""

import json
import logging

import pytest

from nova_tornado import logs
from nova_tornado.logs import SCOPE, JsonFormatter, Scope, TextFormatter, note_user


@pytest.fixture
def scope():
    token = SCOPE.set(Scope("7f3a", False))
    yield SCOPE.get()
    SCOPE.reset(token)


def record(text="it is %s", *arguments, error=None):
    exc_info = (type(error), error, None) if error is not None else None
    made = logging.LogRecord("nova.part", logging.WARNING, "part.py", 1, text, arguments, exc_info)
    made.created, made.msecs = 1795816212.345, 345.0
    return made


def test_json_has_one_object_a_line_with_the_exception_as_one_string():
    line = JsonFormatter().format(record("two\nlines, ü and %s", "\x1b[31m", error=ValueError("no")))
    assert "\n" not in line and line.isascii() and "\x1b" not in line
    assert json.loads(line) == {
        "time": "2026-11-27T21:50:12.345Z",
        "level": "WARNING",
        "logger": "nova.part",
        "message": "two\nlines, ü and \x1b[31m",
        "exception": "ValueError: no",
    }


@pytest.mark.parametrize(("is_connection", "name"), [(False, "request"), (True, "connection")])
def test_ids_that_are_known_are_told_in_both_forms(scope, is_connection, name):
    scope.is_connection = is_connection
    said = json.loads(JsonFormatter("3").format(record("it is so")))
    assert said.items() >= {name: "7f3a", "worker": "3"}.items() and "user" not in said
    note_user(12)
    assert json.loads(JsonFormatter().format(record("it is so"))).items() >= {name: "7f3a", "user": 12}.items()
    assert (
        TextFormatter("3")
        .format(record("it is so"))
        .endswith(f" WARNING nova.part [worker=3 {name}=7f3a user=12] it is so")
    )


def test_text_outside_of_requests_is_a_plain_line():
    assert TextFormatter().format(record("it is so")).endswith(" WARNING nova.part it is so")
    note_user(12)  # nowhere
    assert logs.ids() == {}


def test_the_id_of_a_fault_is_a_field():
    made = record("internal error ab12")
    made.fault_id = "ab12"
    assert json.loads(JsonFormatter().format(made))["fault"] == "ab12"
