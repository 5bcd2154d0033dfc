"""The cells on which kernel and oracle are compared have in them whatever a scenario can say."""

from collections import Counter
from functools import cache

from hypothesis import HealthCheck, Phase, given, settings

from netsim.scenario import Scenario
from tests.oracles.base_station import BaseStation
from tests.oracles.channel import Undecided
from tests.oracles.everything import PATH_LOSSES, SCHEDULERS, TRAFFIC_KINDS, cells_with_everything
from tests.oracles.options import Seen, options, shown, told

DRAWS = 500
"""About as many as the default suite compares; the same ones in every run."""

NOT_COMPUTED = {
    "Scenario.name": "a label",
    "Scenario.description": "a label",
    "Scenario.reward": "what an agent makes of the utility",
    "Reward.gmin": "as above",
    "Reward.gmax": "as above",
    "Reward.sigma": "as above",
    "Control.periods": "how long a run is unless it says otherwise",
}
"""Fields that do not enter what the base station computes."""


@cache
def sample():
    drawn = []

    @settings(
        max_examples=DRAWS,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cells_with_everything())
    def draw(whole):
        drawn.append(whole)

    draw()
    return drawn


def test_every_option_of_a_scenario_is_drawn():
    seen: Seen = {}
    for whole in sample():
        told(whole.played.scenario, seen)
    expected = {option for option in options(Scenario, NOT_COMPUTED) if option != "Reward"}
    assert expected - shown(seen) == set()


def test_an_option_that_is_not_drawn_is_missed():
    """The test above can fail: without the one cell that shows an option, the option is named."""
    seen: Seen = {}
    for whole in sample():
        if not any(part.traffic.kind == "two-state-voice" for part in whole.played.scenario.slices.values()):
            told(whole.played.scenario, seen)
    missed = options(Scenario, NOT_COMPUTED) - shown(seen)
    assert {"TwoStateVoice", "TwoStateVoice.to_talk varies"} <= missed


def test_options_that_no_field_holds_are_drawn():
    seen = Counter()
    for whole in sample():
        scenario, names = whole.played.scenario, list(whole.played.scenario.slices)
        parts = scenario.slices.values()
        seen.update(
            {f"{len(names)} slices", "slices in alphabetical order" if names == sorted(names) else "in another order"}
        )
        seen.update(f"{min(part.users, 2)} users" for part in parts)
        seen.update(f"trace {file.split('.')[1]}" for file in whole.traces)
        plugged = [*(part.scheduler for part in parts), *(part.traffic for part in parts), scenario.channel.path_loss]
        seen.update(str(part.model_dump()) for part in plugged if hasattr(part, "options"))
        if len({scenario.initial_allocation, *whole.played.allocations}) > 2:
            seen["the allocation changes every period"] += 1
    expected = {f"{n} slices" for n in (1, 2, 3)} | {"slices in alphabetical order", "in another order"}
    expected |= {f"{n} users" for n in (0, 1, 2)} | {
        "trace csv",
        "trace parquet",
        "the allocation changes every period",
    }
    expected |= {str(plugged) for plugged in (*SCHEDULERS, *TRAFFIC_KINDS, *PATH_LOSSES)}
    assert expected - set(seen) == set()


def test_every_outcome_occurs_and_so_do_the_equalities(tmp_path):
    """What is drawn leads to every verdict, and to latencies, rates, queues and arrivals exactly on their borders."""
    verdicts = {"satisfied", "slow", "late", "dropped", "pending"}
    ways = {"discarded when late", "discarded half sent", "sent although late", "served over several slots"}
    borders = {"latency at the limit", "rate at the floor", "arrived on a slot's edge", "arrived as another departed"}
    missing = verdicts | ways | borders
    for number, whole in enumerate(sample()):
        folder = tmp_path / str(number)
        folder.mkdir()
        missing -= set(outcomes(whole.in_folder(folder)))
        if not missing:
            break
    assert missing == set()


def outcomes(played):
    scenario = played.scenario
    try:
        periods = BaseStation(scenario, played.seed).run([scenario.initial_allocation, *played.allocations])
    except Undecided:
        return
    changed = {event.sla.slice for event in scenario.events if event.sla}
    packets = [packet for period in periods for packet in period.left] + periods[-1].queued
    departures = {(packet.slice_name, packet.user, packet.departure_ns) for packet in packets}
    for packet in packets:
        yield packet.verdict
        sla, part = scenario.slices[packet.slice_name].sla, scenario.slices[packet.slice_name]
        departed = packet.departure_ns is not None
        if packet.verdict == "late" and departed:
            yield "sent although late"
        if packet.verdict == "late" and not departed and part.late == "discard" and packet.left_bits:
            yield "discarded half sent" if packet.left_bits < packet.size_bits else "discarded when late"
        if len(packet.rates_bps) > 1:
            yield "served over several slots"
        if packet.arrival_ns and packet.arrival_ns % scenario.control.slot_ns == 0:
            yield "arrived on a slot's edge"
            if (packet.slice_name, packet.user, packet.arrival_ns) in departures:
                yield "arrived as another departed"
        if packet.slice_name not in changed and packet.verdict == "satisfied":
            if packet.departure_ns - packet.arrival_ns == sla.latency_limit_ns:
                yield "latency at the limit"
            if packet.rate_bps == sla.rate_floor_bps:
                yield "rate at the floor"
