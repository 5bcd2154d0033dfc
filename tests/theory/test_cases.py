"""Each case agrees with theory, by a rule under which it does not agree once a fault is planted."""

import pytest

from tests.theory.acceptance import rejected
from tests.theory.cases import CASES
from tests.theory.faults import Fault

CATALOGUE = {*(f"QT-0{n}" for n in range(1, 9)), *(f"CH-0{n}" for n in range(1, 5)), "TR-01", "RN-01"}


# One test a case and not one a fault: what is simulated serves all of them.
@pytest.mark.parametrize("case", CASES, ids=str)
def test_meets_its_closed_forms_and_rejects_every_planted_fault(case):
    results = case.results()
    assert rejected(results[None]) == []
    assert set(results) == {None, *case.planted}
    assert [fault.value for fault in case.planted if not rejected(results[fault])] == []


def test_every_entry_of_the_catalogue_has_a_case():
    assert {case.id for case in CASES} == CATALOGUE


@pytest.mark.parametrize("id", sorted(CATALOGUE))
def test_every_entry_has_a_case_in_which_each_kind_of_fault_is_planted(id):
    """Ergodic rates have no latency: slots are independent, so that a case one slot off has the same law."""
    planted = frozenset().union(*(case.planted for case in CASES if case.id == id))
    assert planted >= ({Fault.LEAK, Fault.LOSS} if id == "CH-01" else set(Fault))
