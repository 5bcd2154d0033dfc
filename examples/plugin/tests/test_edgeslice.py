"""What netsim.testing checks of the three, and what they promise themselves."""

import pytest
from edgeslice.controller import Headroom
from edgeslice.scheduler import ShortestBacklog
from edgeslice.traffic import Sensors
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.errors import InputError
from netsim.testing import check_controller, check_scheduler, strategies
from netsim.testing.audit import audit


def test_nothing_is_wrong_with_the_controller_and_the_scheduler():
    assert check_controller(Headroom) == []
    assert check_scheduler(ShortestBacklog) == []


@settings(max_examples=20, deadline=None)  # the first one compiles
@given(strategies.scenarios(), st.floats(0, 0.99))
def test_the_controller_shares_every_carrier(scenario, share):
    audit(scenario, seed=1, controller=f"headroom:{share}", periods=2)


@pytest.mark.parametrize("text", ["much", "-0.1", "1", "nan"])
def test_a_share_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="headroom:SHARE needs a share"):
        Headroom(text, scenario=netsim.load_scenario("tiny"))


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_min=True, exclude_max=True), st.integers(1, 60))
def test_sensors_report_within_a_tenth_of_their_interval(index, u, alarm_every):
    gap_ns, size_bits = Sensors(interval_ms=20.0, alarm_every=alarm_every).draw.py_func(index, u, u)
    assert gap_ns == pytest.approx(20e6, rel=0.1) if index else 0 < gap_ns < 20e6
    assert (size_bits >= 1600) == (index % alarm_every == alarm_every - 1)


def test_netsim_finds_all_three_by_name():
    scenario = netsim.load_scenario(
        "tiny",
        [
            "slices.video.scheduler={kind: shortest-backlog}",
            "slices.URLLC.traffic={kind: sensors, options: {interval_ms: 5.0}}",
        ],
    )
    summary = netsim.run(scenario, "headroom:0.2", periods=5, seed=1)
    assert all(part["arrived"] for part in summary["slices"].values())
