"""MUT-05: every bug of the gallery is noticed by at least two tests, one of which names what it breaks."""

import pytest

from tests.gallery import environments, radio, simulators
from tests.gallery.bug import PUBLIC, Bug, ids_in
from tests.gallery.gallery import BUGS, CONTROL, catches
from tests.gallery.patching import PatchError, check_fits, put_in_place, replaced, source_of


def test_the_gallery_holds_25_bugs_and_more_with_names_of_their_own():
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 25
    assert sum(bug.origin == PUBLIC for bug in BUGS) >= 9


@pytest.mark.whole
@pytest.mark.parametrize("hall", [environments, simulators, radio], ids=lambda hall: hall.__name__.rpartition(".")[2])
def test_every_seeded_bug_is_noticed_by_two_tests_one_of_which_names_what_it_breaks(hall):
    """MUT-05. A hall at a time: a process that collects its tests costs as much as a dozen bugs."""
    found = catches([bug.name for bug in hall.BUGS])
    assert found[CONTROL].failed == ()
    assert {f"tests/{test}" for bug in hall.BUGS for test in bug.tests} == set(found[CONTROL].ran)
    noticed_by = {bug.name: found[bug.name].failed for bug in hall.BUGS}
    assert {name: failed for name, failed in noticed_by.items() if len(failed) < 2} == {}
    nameless = {bug.name: found[bug.name].ids for bug in hall.BUGS if not found[bug.name].names_what_breaks(bug)}
    assert nameless == {}


@pytest.mark.slow
def test_every_test_that_can_meets_every_bug():
    """MUT-05, with the whole suite that runs without the compiler."""
    everything = catches(all_tests=True)
    assert all(len(everything[bug.name].failed) >= 2 for bug in BUGS)
    assert all(everything[bug.name].names_what_breaks(bug) for bug in BUGS)


# -- a bug that does not fit is an error, not a pass -------------------------------------------------------------------


@pytest.mark.parametrize("before", ["no such text", "tally.arrived"])
def test_a_snippet_that_does_not_match_exactly_once_is_refused(before):
    with pytest.raises(PatchError, match="must match exactly once, matches"):
        replaced("tally.arrived += 1\ntally.arrived -= 1\n", before, "")


def test_a_change_outside_of_functions_is_refused():
    text = replaced(source_of("netsim.sla"), "DROPPED, PENDING = range(5)", "DROPPED, PENDING = range(1, 6)")
    with pytest.raises(PatchError, match="must differ within functions only"):
        put_in_place("netsim.sla", text)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_still_fits_the_source(bug: Bug):
    check_fits(bug.module, bug.changed_source())
    assert bug.changed_source() != source_of(bug.module)


def test_ids_are_read_from_docstrings_as_people_write_them():
    assert ids_in("Invariants 1, 2 and 7: x. Invariant 12's, and QT-08's. 3 slots.") == {
        "invariant 1", "invariant 2", "invariant 7", "invariant 12", "QT-08",
    }  # fmt: skip
