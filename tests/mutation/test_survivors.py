"""MUT-01: the list of mutants that live is about the code as it is; ``python -m tests.mutation`` shows it whole."""

import inspect
from importlib import import_module

from tests.mutation import survivors

LISTED = list(survivors.read().values())


def function_of(survivor):
    function = getattr(import_module(survivor.module), survivor.function)
    return getattr(function, "py_func", function)


def test_every_listed_mutant_changes_a_line_that_is_there():
    for survivor in LISTED:
        source = inspect.getsource(function_of(survivor))
        assert survivor.before in " ".join(line.strip() for line in source.splitlines()), survivor.key


def test_every_listed_mutant_has_a_reason_and_changes_something():
    for survivor in LISTED:
        assert len(survivor.reason.split()) >= 5, survivor.key
        assert survivor.before != survivor.after


def test_no_mutant_is_listed_twice():
    assert len(LISTED) == survivors.FILE.read_text().count("[[survivor]]")
