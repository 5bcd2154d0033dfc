"""The baselines: the best static allocation is best among those looked at one by one, and hindsight beats it."""

import numpy as np
import pytest

import netsim
from netsim import allocations, beststatic
from netsim.beststatic import Best, Round, best_static, cached, race
from netsim.errors import InputError, RunError
from netsim.scenario import Scenario

SMALL = netsim.load_scenario("tiny", ["carrier.prb=8", "control.periods=20"])


@pytest.fixture(autouse=True)
def short_race(monkeypatch, tmp_path):
    monkeypatch.setattr(beststatic, "rounds", lambda scenario: (Round(1, 4, 6), Round(4, 40, 1)))
    monkeypatch.setattr(beststatic, "cache_root", lambda: tmp_path)


def test_the_winner_is_the_best_of_all_on_the_final_seeds():
    # The final round alone, run by hand for every allocation: nobody the first round dropped does better by more
    # than the interval of the difference.
    winner = race(SMALL)
    everyone = [tuple(row) for row in allocations.enumerate_all(8, 3).tolist()]
    scores = []
    for k in range(4):
        batch = netsim.SimulationBatch(SMALL, [beststatic.FIRST_SEED + 1 + k] * len(everyone))
        batch.start()
        total = np.zeros(len(everyone))
        for _ in range(40):
            batch.advance(everyone)
            total += batch.columns()["utility"]
        scores.append(total / 40)
    means = np.mean(scores, axis=0)
    place = everyone.index(winner.allocation)
    assert winner.utility == pytest.approx(means[place], rel=1e-12)
    best = int(means.argmax())
    gap = np.array(scores)[:, best] - np.array(scores)[:, place]
    assert gap.mean() <= 3.18 * gap.std(ddof=1) / 2 + 1e-12  # Student's t, 3 degrees of freedom, 97.5 %


def test_the_interval_holds_the_mean_and_the_thresholds_are_those_of_the_paper():
    winner = race(SMALL)
    assert winner.utility_ci95[0] < winner.utility < winner.utility_ci95[1]
    assert winner.gmax == 0.98 * winner.utility
    assert winner.gmin == winner.random_median_utility < winner.utility


def test_thresholds_are_in_order_where_the_random_policy_is_nearly_best():
    best = Best((1, 1), utility=4.0, utility_ci95=(3.9, 4.1), random_median_utility=3.99, seeds=1, periods=1)
    assert best.gmin == best.gmax == 3.92


def test_a_race_is_run_once_and_then_remembered():
    assert cached(SMALL) is None
    ticks = []
    first = best_static(SMALL, lambda done, total: ticks.append((done, total)))
    assert ticks[-1][0] == ticks[-1][1] == 21 * 4 + 6 * 4 * 40
    assert cached(SMALL) == first
    assert best_static(SMALL, lambda done, total: pytest.fail("raced again")) == first


def test_another_name_is_the_same_race_and_another_sla_is_not():
    best_static(SMALL)
    assert cached(netsim.load_scenario("tiny", ["carrier.prb=8", "control.periods=20", "name=other"])) is not None
    assert cached(netsim.load_scenario("tiny", ["carrier.prb=8", "slices.video.sla.latency_limit=9 ms"])) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"method": [1, "0"]}', "\x00"])
def test_a_damaged_cache_is_raced_again(tmp_path, content):
    found = best_static(SMALL)
    (file,) = (tmp_path / "best-static").iterdir()
    file.write_text(content, encoding="utf-8")
    assert cached(SMALL) is None
    assert best_static(SMALL) == found


def test_best_static_never_changes():
    summary = netsim.run(SMALL, "best-static", periods=5, seed=1)
    assert summary["share_of_best_static"] is not None


def test_hindsight_is_at_least_as_good_as_any_allocation_of_the_next_period(tmp_path):
    # The clairvoyant's first decision, against every allocation tried by hand from the same state.
    simulation = netsim.Simulation(SMALL, seed=4)
    clairvoyant = beststatic.Clairvoyant()
    clairvoyant.processes(simulation)
    report = simulation.reset()
    simulation.save(tmp_path / "state")
    chosen = clairvoyant.decide_allocation(report)
    everyone = [tuple(row) for row in allocations.enumerate_all(8, 3).tolist()]
    utilities = [netsim.Simulation.load(tmp_path / "state").step(each).utility for each in everyone]
    assert chosen == everyone[int(np.argmax(utilities))]
    assert simulation.step(chosen).utility == max(utilities)
    clairvoyant.run_ended()


def test_hindsight_needs_the_simulator():
    with pytest.raises(RunError, match="clairvoyant needs the simulator"):
        beststatic.Clairvoyant().decide_allocation(netsim.Simulation(SMALL).reset())


def test_a_best_is_plain_values():
    best = Best((1, 2), 3.0, (2.9, 3.1), 2.0, 4, 5)
    assert best.to_dict()["gmax"] == pytest.approx(2.94)


def many_slices(n):
    content = SMALL.to_dict()
    part = content["slices"]["video"]
    parts = {f"s{k}": part for k in range(n)}
    return Scenario.from_dict({**content, "carrier": {"prb": 100}, "slices": parts, "name": "many"})


def test_more_allocations_than_can_be_raced_are_refused_before_anything_runs():
    """C(99, 5) = 71,523,144."""
    with pytest.raises(InputError, match=r"71,523,144 allocations .* raise carrier\.allocation_unit_prb"):
        race(many_slices(6))
    with pytest.raises(InputError, match=r"71,523,144 allocations"):
        beststatic.Clairvoyant().processes(netsim.Simulation(many_slices(6)))
